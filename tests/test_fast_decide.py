"""Exact decisions: the answer of a full look at every step, for fewer images, and all of them on the bill."""

from __future__ import annotations

import counting
import numpy as np
import pytest
from counting import check_fast

from nnlite.kernels.fast.decide import decide
from nnlite.kernels.fast.loop import BUDGET, REACHED, Plan, Watch, run
from nnlite.kernels.fast.loss import split_answers
from nnlite.kernels.fast.network import new_data, new_work, pack_network
from nnlite.kernels.fast.optimizers import new_optimizer
from nnlite.kernels.fast.rows import build_rows
from nnlite.kernels.fast.step import ARGMAX, N_OPERATIONS, evaluate
from nnlite.kernels.ops import N_KINDS

pytestmark = pytest.mark.kernels

N, P, C = 60, 9, 3


def problem(seed):
    """A network and images of which it learns some: labels follow the largest of three groups of pixels, with noise."""
    rng = np.random.default_rng(seed)
    images = (rng.random((N, P)) * (rng.random((N, P)) < 0.6)).astype(np.float32)
    labels = np.where(rng.random(N) < 0.9, images.reshape(N, C, 3).sum(axis=2).argmax(axis=1), rng.integers(0, C, N))
    weights = [rng.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in ((P, 5), (5, C))]
    biases = [np.zeros(5, np.float32), np.zeros(C, np.float32)]
    network = pack_network(weights, biases, "relu", True)
    return network, new_data(build_rows([images], counting.new_tally()), labels.astype(np.int64))


def tallies():
    return np.zeros((N_OPERATIONS, 2, N_KINDS), np.int64)


@pytest.mark.parametrize("capacity", [1, 7, 100])
@pytest.mark.parametrize("seed", range(3))
def test_a_decision_is_the_full_looks_answer_for_every_target(seed, capacity):
    network, data = problem(seed)
    work = new_work(network, capacity, False)
    correct = evaluate(network, data, np.arange(N), work, tallies())
    order = np.arange(N)
    for needed in range(N + 2):
        decided, looked = decide(network, data, order, needed, np.zeros(N, np.int64), work, tallies())
        assert decided == (correct if correct >= needed else -1)
        assert looked == N or decided == -1
        assert sorted(order) == list(range(N))


def test_rows_missed_come_first_then_rows_not_looked_at_then_rows_right():
    network, data = problem(0)
    work, one = new_work(network, 4, False), new_work(network, 1, False)
    is_right = [evaluate(network, data, np.array([i]), one, tallies()) == 1 for i in range(N)]
    order = np.arange(N)
    _, looked = decide(network, data, order, N - 1, np.zeros(N, np.int64), work, tallies())  # two misses settle it
    seen = range(looked)
    missed, right = [i for i in seen if not is_right[i]], [i for i in seen if is_right[i]]
    assert len(missed) >= 2
    assert order.tolist() == missed + list(range(looked, N)) + right
    assert looked % 4 == 0


def test_the_bill_of_a_decision_is_of_the_images_looked_at():
    network, data = problem(1)
    work, order = new_work(network, 4, False), np.arange(N)
    counted, expected = tallies(), tallies()
    _, looked = decide(network, data, order.copy(), N, np.zeros(N, np.int64), work, counted)
    assert looked < N
    evaluate(network, data, order[:looked], work, expected)
    np.testing.assert_array_equal(counted, expected)
    assert counting.by_kind(counted[ARGMAX, 1]) == {"cmp": looked * (C - 1)}


def test_splitting_counts_one_test_less_than_classes(monkeypatch):
    logits, labels = np.random.default_rng(0).standard_normal(4 * 16).astype(np.float32), np.array([0, 1, 2, 0])
    missed, right = np.zeros(4, np.int64), np.zeros(4, np.int64)
    check_fast(monkeypatch, split_answers, logits, labels, np.arange(4), C, 16, missed, 0, right, 0, cmp=4 * (C - 1))


def run_to_target(seed, needed, deciding):
    network, data = problem(seed)
    n_steps = 40
    order = np.random.default_rng([seed, 1]).integers(0, N, n_steps * 5)
    scratch = np.zeros(N if deciding else 0, np.int64)
    steps = np.arange(1, n_steps + 1)
    plan = Plan(order, np.arange(n_steps + 1) * 5, np.full(n_steps, 0.3), steps, np.arange(N), needed, 1, scratch)
    watch = Watch(*(np.zeros(n, dtype) for n, dtype in ((2, np.int64), (1, np.int64), (0, np.float32), (40, np.int64))))
    watch = watch._replace(looked=np.zeros(n_steps, np.int64))
    counted = np.zeros((2, N_OPERATIONS, 2, N_KINDS), np.int64)
    work, check_work = new_work(network, 5, True), new_work(network, 6, False)
    optimizer = new_optimizer("sgd", network)
    status = run(network, optimizer, data, plan, data, watch, work, check_work, counted, np.zeros_like(counted))
    return status, int(watch.progress[0]), watch, network.parameters, counted


@pytest.mark.parametrize("needed", [30, 42, 48])
def test_runs_that_decide_stop_at_the_step_of_runs_that_look_at_everything(needed):
    statuses = set()
    for seed in range(10):
        full, decided = (run_to_target(seed, needed, deciding) for deciding in (False, True))
        assert decided[:2] == full[:2]
        status, step = full[:2]
        statuses.add(status)
        np.testing.assert_array_equal(decided[3], full[3])
        np.testing.assert_array_equal(decided[4][0], full[4][0])  # training; the checks cost less
        assert decided[4][1].sum() <= full[4][1].sum()
        reached = full[2].correct >= needed
        np.testing.assert_array_equal(decided[2].correct[:step], np.where(reached, full[2].correct, -1)[:step])
        assert (full[2].looked[:step] == N).all()
        assert decided[4][1, ARGMAX, 1].sum() == decided[2].looked.sum() * (C - 1)
    assert statuses <= {REACHED, BUDGET}
    assert REACHED in statuses

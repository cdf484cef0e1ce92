"""A network's way through a run: schedules, pieces and how they are joined, and the bill of every arm's whole run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import N_CLASSES, N_TEST, SIDE, small_config, small_dataset

from nnlite import MLP, Adam, Tally
from nnlite.experiment.arms import ARMS
from nnlite.experiment.costs import agrees_at_stop, cost_at_checks
from nnlite.experiment.phases import (
    Learner,
    Piece,
    distinct_seen,
    joined,
    pretrain,
    real_pieces,
    real_schedule,
    train_piece,
)
from nnlite.experiment.run import BATCH_ORDER, RunData, generator, run_one
from nnlite.training import Outcome, Schedule, Watch, epochs, train

SIZES = (SIDE * SIDE, 5, N_CLASSES)
STILL = {"learning_rate": 1e-9, "target": 1.0}  # learns nothing, so that rounding decides nothing either


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """60 images of 16 pixels, 20 of each of 3 classes."""
    return small_dataset(tmp_path_factory.mktemp("phases"))


def start(dataset, name, **changes):
    """Return a learner, what its arm pretrains on, what it chose from, and its real steps."""
    data = RunData(dataset, small_config(**changes))
    rows, checks = data.split(0)
    real = real_schedule(data.config, ARMS[name], rows, generator(0, BATCH_ORDER))
    given_data = data.of_run(0, rows, real)
    mlp = MLP(SIZES, np.random.default_rng(0))
    learner = Learner(data.config, mlp, checks, Tally(), Watch())
    return learner, data.pretraining(name, 0, given_data), given_data, real


def assert_same_parameters(found, expected):
    for a, b in zip(found.parameters(), expected.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_linear_decay_falls_in_equal_parts_from_the_full_rate_at_the_first_step_to_none_after_the_last():
    plain, falling = (
        real_schedule(small_config(decay=decay, max_steps=4), ARMS["scratch"], np.arange(9), np.random.default_rng(0))
        for decay in ("constant", "linear")
    )
    assert plain.learning_rates.tolist() == [0.02] * 4
    np.testing.assert_allclose(falling.learning_rates, [0.02, 0.015, 0.01, 0.005], rtol=1e-15)
    assert falling.order.tolist() == plain.order.tolist()


def test_warm_up_and_decay_go_together():
    config = small_config(decay="linear", max_steps=56)
    rates = real_schedule(config, ARMS["warm-up"], np.arange(9), np.random.default_rng(0)).learning_rates
    np.testing.assert_allclose(rates[[0, 27, 28]], 0.02 * np.array([1 / 28, 29 / 56, 0.5]), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "max_steps", "n_steps"),
    [
        ("scratch", 60, [60]),
        ("class-means", 60, [60]),
        ("averages-last", 130, [100, 30]),
        ("averages-last", 100, [100]),
        ("averages-last", 99, [99]),
        ("mixed", 30, [28, 2]),
        ("mixed", 28, [28]),
        ("mixed", 7, [7]),
    ],
)
def test_pieces_are_all_real_steps_in_order(dataset, name, max_steps, n_steps):
    _, pretraining, given_data, real = start(dataset, name, max_steps=max_steps)
    pieces = real_pieces(ARMS[name], pretraining, given_data, real)
    assert [piece.schedule.n_steps for piece in pieces] == n_steps
    rates = np.concatenate([piece.schedule.learning_rates for piece in pieces])
    assert rates.tolist() == real.learning_rates.tolist()
    if name != "mixed":
        assert np.concatenate([piece.schedule.order for piece in pieces]).tolist() == real.order.tolist()
        sizes = np.concatenate([np.diff(piece.schedule.starts) for piece in pieces])
        assert sizes.tolist() == np.diff(real.starts).tolist()


def test_two_pieces_are_one_longer_run(dataset):
    whole, _, given_data, real = start(dataset, "scratch", evaluate="full", max_steps=20, target=0.7)
    parts = start(dataset, "scratch", evaluate="full", max_steps=20, target=0.7)[0]

    def piece(first, last):
        return Piece(given_data.images, given_data.labels, real.part(first, last))

    expected = train_piece(whole, piece(0, 20), 0)
    assert expected.status == "reached"
    for cut in (3, expected.steps, 17):
        parts = start(dataset, "scratch", evaluate="full", max_steps=20, target=0.7)[0]
        found = joined([train_piece(parts, piece(0, cut), 0), train_piece(parts, piece(cut, 20), cut)])
        assert (found.status, found.steps, found.checks) == (expected.status, expected.steps, expected.checks)
        assert found.tally.to_record() == expected.tally.to_record()
        assert_same_parameters(found.network, expected.network)
        assert_same_parameters(parts.mlp, whole.mlp)


def outcome(status, steps, checks):
    """An outcome of a piece; what joining does not look at is the same in all."""
    return Outcome(status, steps, None, checks, 1.0, Tally(), MLP(SIZES, np.random.default_rng(0)), [9] * len(checks))


@pytest.mark.parametrize(
    ("pieces", "status", "steps"),
    [
        ([("budget", 4), ("budget", 9)], "budget", 9),
        ([("budget", 4), ("reached", 7)], "reached", 7),
        ([("reached", 2), ("reached", 5)], "reached", 2),
        ([("reached", 2), ("budget", 9)], "reached", 2),
        ([("reached", 2), ("diverged", 6)], "reached", 2),  # what came after the stop cannot undo it
        ([("budget", 4), ("diverged", 6)], "diverged", 6),
        ([("reached", 2), ("stopped", 5)], "stopped", 2),  # told to: there is no record
    ],
)
def test_the_first_stop_of_consecutive_pieces_is_the_runs(pieces, status, steps):
    both = joined([outcome(*piece, [(piece[1], 3)]) for piece in pieces])
    assert (both.status, both.steps) == (status, steps)
    assert both.checks == [(step, 3) for _, step in pieces]
    assert both.apart == [9, 9]


@given(
    st.lists(st.integers(0, 11), unique=True, max_size=12),
    st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=5), min_size=1, max_size=8),
    st.data(),
)
def test_distinct_images_are_those_of_a_set_that_grows(read, batches, data):
    starts = np.concatenate([[0], np.cumsum([len(batch) for batch in batches])]).astype(np.int64)
    schedule = Schedule(np.concatenate(batches).astype(np.int64), starts, np.zeros(len(batches)))
    steps = sorted(data.draw(st.sets(st.integers(0, len(batches)))))
    expected = [len(set(read).union(*batches[:step])) for step in steps]
    found = distinct_seen(np.array(read, np.int64), schedule, 12, np.array(steps, np.int64))
    assert found.tolist() == expected


@pytest.mark.parametrize("evaluate", ["decide", "full"])
def test_pretraining_takes_epoch_after_epoch_of_the_arms_images_in_batches(dataset, evaluate):
    """Three epochs of three fresh images each, in batches of two and one; looks change nothing."""
    changes = {"batch_size": 2, "evaluate": evaluate, "pretrain_rate_factor": 0.5}
    learner, pretraining, given_data, _ = start(dataset, "fresh-batches", **changes)
    mlp = learner.mlp.copy()
    assert pretrain(learner, ARMS["fresh-batches"], pretraining)[0] == "reached"
    assert len(np.unique(pretraining.rows)) == 9
    by_hand = Schedule(pretraining.rows, np.array([0, 2, 3, 5, 6, 8, 9]), np.full(6, 0.02 * 0.5))
    train(mlp, Adam(1), given_data.images, given_data.labels, by_hand)
    assert_same_parameters(learner.mlp, mlp)
    assert learner.tally.passes()["pretrain"] == {"steps": 6, "images_forward": 9, "images_backward": 9}


def test_images_that_end_before_pretraining_does_begin_again(dataset):
    learner, pretraining, _, _ = start(dataset, "k-means-2")
    mlp = learner.mlp.copy()
    _, fields = pretrain(learner, ARMS["k-means-2"], pretraining)
    train(mlp, Adam(1), pretraining.images, pretraining.labels, epochs(np.arange(6), 8, 3, 0.02))
    assert fields["pretrain_epochs"] == 3
    assert_same_parameters(learner.mlp, mlp)


def carry_out(dataset, name, kernels, **changes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLITE_KERNELS", kernels)
        max_steps = 104 if ARMS[name].after else 40  # past phase 1, and past what is mixed in or warmed up
        data = RunData(dataset, small_config(evaluate="full", max_steps=max_steps, **changes))
        return run_one(name, 0, data, np.zeros(3, np.int64), np.zeros(1, np.int64))


ENOUGH = [name for name in ARMS if name not in ("means-100", "means-1000")]  # of whose images a class has only 20


@pytest.mark.parametrize("stop_on", ["test", "validation"])
@pytest.mark.parametrize("name", ENOUGH)
def test_every_arms_bill_is_its_closed_form_at_the_stop_and_at_the_end(dataset, name, stop_on):
    reached = carry_out(dataset, name, "fast", stop_on=stop_on, target=0.6)
    missed = carry_out(dataset, name, "fast", stop_on=stop_on, **STILL)
    assert reached.reached
    all_right = ("closed-form", "closed-form-exemplar")  # from the start
    assert missed.status == ("reached" if name in all_right else "budget")
    assert agrees_at_stop(reached)
    assert agrees_at_stop(missed)


@pytest.mark.parametrize("name", ENOUGH)
def test_plain_and_fast_kernels_have_one_dense_bill_for_every_arm(dataset, name):
    """By kind: Adam's coefficients are a kernel of their own among the fast ones."""
    fast, plain = (carry_out(dataset, name, kernels, **STILL) for kernels in ("fast", "plain"))
    bills = [
        {phase: sum(map(Counter, kernels.values()), Counter()) for phase, kernels in record.counts["dense"].items()}
        for record in (fast, plain)
    ]
    assert bills[0] == bills[1]
    assert fast.passes == plain.passes
    assert (fast.images_seen, fast.images_read) == (plain.images_seen, plain.images_read)


def test_a_later_phase_1_is_on_the_bill_from_its_step_on(dataset):
    late, scratch = (carry_out(dataset, name, "fast", **STILL) for name in ("averages-last", "scratch"))
    costs = cost_at_checks(late, "flop", ["data", "pretrain"])
    n_pixels = SIDE * SIDE
    # scratch has scaled 60 images by then, 16 div each; averaging adds 960 add and 48 div
    assert costs[99] == 60 * n_pixels
    pretraining = late.tally().total("flop", ["pretrain"])
    assert (costs[100:] == 60 * n_pixels + 60 * n_pixels + 48 + pretraining).all()
    assert late.images_read[:40] == scratch.images_read


@pytest.mark.parametrize("target", [0.1, 0.8])
def test_a_hit_before_a_later_phase_1_costs_what_scratch_costs(dataset, target):
    """Also where not all images that the averages read have been seen."""
    late, scratch = (carry_out(dataset, name, "fast", target=target) for name in ("averages-last", "scratch"))
    assert late.steps_to_target == scratch.steps_to_target < 40
    assert late.passes["train"] == scratch.passes["train"]
    assert late.counts["dense"]["data"] == scratch.counts["dense"]["data"]
    assert "pretrain" not in late.passes
    assert late.n_checked == N_TEST


def test_a_run_told_to_stop_in_phase_1_goes_no_further(dataset):
    learner, pretraining, _, _ = start(dataset, "class-means", pretrain_epochs=50)
    learner.watch.stop[0] = 1
    status, fields = pretrain(learner, ARMS["class-means"], pretraining)
    assert (status, fields) == ("stopped", {"pretrain_epochs": 1})


def test_pretraining_that_diverges_says_after_how_many_epochs(dataset):
    learner, pretraining, _, _ = start(dataset, "class-means", pretrain_epochs=50)
    wild = replace(pretraining, images=np.full_like(np.asarray(pretraining.images), np.nan))
    status, fields = pretrain(learner, ARMS["class-means"], wild)
    assert (status, fields) == ("diverged", {"pretrain_epochs": 1})

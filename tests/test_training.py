"""Whole runs: steps and losses of the reference, every way a run ends, its bill phase by phase, what is refused."""

from __future__ import annotations

import dataclasses
import functools
import math
import threading

import numpy as np
import pytest
import reference

from nnlite import MLP, SGD, Adam, Momentum, Tally, class_means
from nnlite.closed_forms import evaluation_counts, step_counts
from nnlite.kernels.ops import ACTIVATIONS
from nnlite.schedule import TO_END, TO_HIT, Checks, Schedule, Watch, epochs
from nnlite.training import evaluate, interruptibly, logits, prepare_images, train

pytestmark = pytest.mark.kernels

SIZES = (5, 4, 3)
N_TRAIN, N_CHECK = 14, 9


@pytest.fixture(autouse=True)
def form(request, monkeypatch):
    """The form of a run: plain Python calls of plain kernels, unless a test asks for another."""
    monkeypatch.setenv("NNLITE_KERNELS", getattr(request, "param", "plain"))


both_forms = pytest.mark.parametrize("form", ["fast", "plain"], indirect=True)


def data(n=N_TRAIN, seed=3):
    """Images whose label can be learnt: class j is bright in pixel j."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return rng.random((n, 5)) + 2 * np.eye(5)[labels], labels


def network(dtype=np.float64, activation="relu"):
    return MLP(SIZES, np.random.default_rng(0), activation, dtype=dtype)


def plan(n_steps=12, rate=0.1, batch_size=4, seed=1):
    return epochs(np.arange(N_TRAIN), batch_size, n_steps, rate, np.random.default_rng(seed))


def checks(needed, steps=range(1, 13), look=TO_HIT):
    images, labels = data(N_CHECK, seed=4)
    return Checks(images, labels, np.array(steps, np.int64), needed, look)


@functools.cache
def curve():
    """Return (step, right answers) after every one of 12 steps, by the reference."""
    mlp, (images, labels), schedule = network(), data(), plan()
    looked = checks(needed=N_CHECK + 1)
    points = []
    for step in range(1, 13):
        rows = schedule.order[schedule.starts[step - 1] : schedule.starts[step]]
        grads = reference.gradients(mlp.parameters(), "relu", images[rows], labels[rows])
        reference.sgd_step(mlp.parameters(), grads, 0.1)
        points.append((step, reference.correct(mlp.parameters(), "relu", looked.images, looked.labels)))
    return points


def test_twelve_steps_are_the_references():
    mlp, (images, labels), schedule = network(), data(), plan()
    textbook = [parameter.copy() for parameter in mlp.parameters()]
    batches = [(images[rows], labels[rows]) for rows in np.split(schedule.order, schedule.starts[1:-1])]
    losses = reference.train(textbook, "relu", lambda grads: reference.sgd_step(textbook, grads, 0.1), batches)
    outcome = train(mlp, SGD(99), images, labels, schedule)  # the schedule's rate, not the optimizer's
    assert (outcome.status, outcome.steps, outcome.correct, outcome.checks) == ("budget", 12, None, [])
    assert outcome.loss == pytest.approx(losses[-1], rel=1e-12)
    for parameter, expected in zip(mlp.parameters(), textbook, strict=True):
        np.testing.assert_allclose(parameter, expected, rtol=1e-12)


def test_every_step_has_the_rate_of_its_own():
    (images, labels), rates = data(), np.array([0.1, 0.0, 0.2])
    schedule = plan(n_steps=3)
    mlp, (textbook, still) = network(), (network().parameters(), network())
    for step, rate in enumerate(rates):
        rows = schedule.order[schedule.starts[step] : schedule.starts[step + 1]]
        reference.sgd_step(textbook, reference.gradients(textbook, "relu", images[rows], labels[rows]), rate)
    train(mlp, SGD(1), images, labels, Schedule(schedule.order, schedule.starts, rates))
    for parameter, expected in zip(mlp.parameters(), textbook, strict=True):
        np.testing.assert_allclose(parameter, expected, rtol=1e-12)
    train(still, SGD(1), images, labels, Schedule(schedule.order, schedule.starts, np.zeros(3)))
    for parameter, expected in zip(still.parameters(), network().parameters(), strict=True):
        np.testing.assert_array_equal(parameter, expected)


@pytest.mark.parametrize("needed", range(N_CHECK + 2))
def test_a_run_stops_at_the_first_check_at_or_above_the_target(needed):
    points = curve()
    assert len({correct for _, correct in points}) >= 3  # a curve that rises
    hits = [(step, correct) for step, correct in points if correct >= needed]
    outcome = train(network(), SGD(1), *data(), plan(), checks(needed))
    assert (outcome.status, outcome.steps, outcome.correct) == (
        ("reached", *hits[0]) if hits else ("budget", *points[-1])
    )
    assert outcome.checks == points[: outcome.steps]


def test_only_the_steps_of_the_checks_are_looked_at():
    outcome = train(network(), SGD(1), *data(), plan(), checks(N_CHECK + 1, steps=[2, 5, 11, 40]))
    points = dict(curve())
    assert outcome.checks == [(step, points[step]) for step in (2, 5, 11)]
    assert outcome.correct == points[11]


def test_looking_on_after_the_hit_changes_nothing_of_the_outcome():
    needed = curve()[-1][1]
    stopped, watched = network(), network()
    first = train(stopped, SGD(1), *data(), plan(), checks(needed))
    second = train(watched, SGD(1), *data(), plan(), checks(needed, look=TO_END))
    assert first.steps < 12
    assert (second.status, second.steps, second.correct) == (first.status, first.steps, first.correct)
    assert second.tally.to_record() == first.tally.to_record()
    assert second.tally.passes() == first.tally.passes()
    assert second.checks == curve()
    for at_stop, at_hit, later in zip(
        stopped.parameters(), second.network.parameters(), watched.parameters(), strict=True
    ):
        np.testing.assert_array_equal(at_hit, at_stop)
        assert (later != at_stop).any()
    assert first.network is stopped


def test_a_loss_that_is_not_finite_ends_the_run_at_its_step():
    wild = plan(n_steps=100, rate=1e30)
    outcome = train(network(np.float32), SGD(1), *data(), wild, checks(N_CHECK + 1, range(1, 101)))
    assert outcome.status == "diverged"
    assert outcome.steps < 100
    assert not math.isfinite(outcome.loss)
    assert [step for step, _ in outcome.checks] == list(range(1, outcome.steps))  # none after the last step
    assert outcome.tally.passes()["train"]["steps"] == outcome.steps


def test_a_pixel_that_is_not_a_number_diverges_at_the_step_that_sees_it():
    images, labels = data()
    schedule = plan()
    row = schedule.order[9]  # in the third batch of four
    images[row, 0] = np.nan
    outcome = train(network(), SGD(1), images, labels, schedule)
    assert (outcome.status, outcome.steps) == ("diverged", 3)


def test_a_stop_flag_ends_the_run_after_the_step_at_hand_and_progress_tells_step_and_last_check():
    watch = Watch()
    train(network(), SGD(1), *data(), plan(), checks(N_CHECK + 1, steps=[5]), watch=watch)
    assert watch.done.tolist() == [12, dict(curve())[5]]
    watch.stop[0] = 1
    outcome = train(network(), SGD(1), *data(), plan(), checks(N_CHECK + 1), watch=watch)
    assert (outcome.status, outcome.steps, outcome.checks) == ("stopped", 1, curve()[:1])
    assert watch.done.tolist() == [1, curve()[0][1]]


def test_a_stop_flag_set_by_another_thread_is_seen():
    watch = Watch()

    def stop_soon():
        while watch.done[0] < 3:
            pass
        watch.stop[0] = 1

    watcher = threading.Thread(target=stop_soon)
    watcher.start()
    outcome = train(network(), SGD(1), *data(), plan(n_steps=10_000), watch=watch)
    watcher.join()
    assert outcome.status == "stopped"
    assert 3 <= outcome.steps == watch.done[0] < 10_000


def test_no_step_is_no_run():
    mlp = network()
    outcome = train(mlp, SGD(1), *data(), plan(n_steps=0), checks(0))
    assert (outcome.status, outcome.steps, outcome.correct, outcome.checks) == ("budget", 0, None, [])
    np.testing.assert_array_equal(mlp.weights[0], network().weights[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", [lambda: SGD(0.1), lambda: Momentum(0.1), lambda: Adam(0.1)])
def test_the_same_seed_gives_the_same_bits(optimizer, dtype):
    networks = network(dtype), network(dtype)
    outcomes = [train(mlp, optimizer(), *data(), plan(), checks(N_CHECK)) for mlp in networks]
    assert outcomes[0].loss == outcomes[1].loss
    assert outcomes[0].checks == outcomes[1].checks
    assert outcomes[0].tally.to_record() == outcomes[1].tally.to_record()
    for a, b in zip(*(mlp.parameters() for mlp in networks), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("n_images", [1, 499, 500, 501, 1203])
def test_an_evaluation_in_chunks_counts_every_image_once(n_images):
    images, labels = data(n_images)
    mlp, tally = network(), Tally()
    expected = reference.correct(mlp.parameters(), "relu", images, labels)
    assert evaluate(mlp, images, labels, tally) == expected
    counts = evaluation_counts(SIZES, "relu", n_images)
    assert tally.to_record()["dense"]["evaluate"] == {**counts, "correct_count": {}}
    assert tally.passes() == {"evaluate": {"steps": 0, "images_forward": n_images, "images_backward": 0}}


def test_rows_choose_the_images_of_a_check_and_its_bill():
    (images, labels), rows = data(N_CHECK, seed=4), np.array([7, 1, 2])
    mlp, tally = network(), Tally()
    expected = reference.correct(mlp.parameters(), "relu", images[rows], labels[rows])
    assert evaluate(mlp, images, labels, tally, rows=rows) == expected
    assert tally.passes()["evaluate"]["images_forward"] == 3
    looked = Checks(images, labels, np.array([1]), needed=4, rows=rows)
    outcome = train(network(), SGD(1), *data(), plan(n_steps=1), looked)
    assert outcome.checks == [(1, evaluate(outcome.network, images[rows], labels[rows]))]


OPTIMIZERS = {"sgd": lambda: SGD(0.1), "momentum": lambda: Momentum(0.1), "adam": lambda: Adam(0.1)}


@pytest.mark.parametrize("hidden", [(), (4,), (4, 2)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_whole_run_costs_its_closed_form(name, activation, hidden):
    """Averages of 14 images, 2 epochs on the 3 averages, 9 real steps of 4 or 2 images, 3 checks, a last look."""
    sizes = (5, *hidden, 3)
    rng = np.random.default_rng(0)
    images, labels = rng.random((14, 5), np.float32), np.arange(14) % 3
    mlp, optimizer, tally = MLP(sizes, rng, activation), OPTIMIZERS[name](), Tally()

    means = class_means(images, labels, tally=tally)
    with tally.phase("pretrain"):
        train(mlp, optimizer, means, np.arange(3), epochs(np.arange(3), 3, 2, 0.1), tally=tally)
    checks = Checks(images[:6], labels[:6], np.array([1, 4, 9]), needed=7)
    # 14 images in batches of 4: 4 + 4 + 4 + 2 an epoch; nine steps are two epochs and one batch
    outcome = train(mlp, optimizer, images, labels, epochs(np.arange(14), 4, 9, 0.1, rng), checks, tally)
    evaluate(mlp, images, labels, tally, phase="report")

    def step(n):
        return step_counts(sizes, activation, name, n)

    free = {"correct_count": {}}  # comparing and counting integers is free by convention
    dense = {
        "data": {"class_sums": {"add": 14 * 5}, "divide_sums": {"div": 3 * 5}},
        "pretrain": reference.added(step(3), step(3)),
        "train": reference.added(*(step(n) for n in (4, 4, 4, 2, 4, 4, 4, 2, 4))),
        "evaluate": reference.added(*(evaluation_counts(sizes, activation, 6) for _ in range(3))) | free,
        "report": evaluation_counts(sizes, activation, 14) | free,
    }
    executed = {phase: reference.executed(counts) for phase, counts in dense.items()}
    assert outcome.tally is tally
    assert tally.to_record() == {"dense": dense, "executed": executed}
    assert tally.passes() == {
        "pretrain": {"steps": 2, "images_forward": 6, "images_backward": 6},
        "train": {"steps": 9, "images_forward": 32, "images_backward": 32},  # 14 + 14 + 4
        "evaluate": {"steps": 0, "images_forward": 18, "images_backward": 0},
        "report": {"steps": 0, "images_forward": 14, "images_backward": 0},
    }
    weights = {"fma": 2}  # a multiply-add is two operations
    operations = {
        phase: sum(weights.get(kind, 1) * n for kinds in counts.values() for kind, n in kinds.items())
        for phase, counts in dense.items()
    }
    assert tally.total() == sum(operations.values()) - operations["report"]
    assert tally.total(executed=True) == tally.total()  # plain kernels skip nothing and fuse nothing


# What training refuses before a kernel sees it: compiled loops trust every index


PIXELS = np.zeros((6, 4), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def start(images=None, labels=LABELS, order=None, optimizer=None, checks=None, **changes):
    """Train one epoch of three steps on six images, with something wrong."""
    mlp = MLP((4, 3, 3), np.random.default_rng(0))
    images = prepare_images([PIXELS], lambda: PIXELS / np.float32(255)) if images is None else images
    schedule = epochs(np.arange(6) if order is None else order, 2, 3, 0.1)
    return train(mlp, optimizer or SGD(0.1), images, labels, dataclasses.replace(schedule, **changes), checks)


def looking(labels=LABELS, **changes):
    return {"images": PIXELS / 1.0, "checks": Checks(PIXELS / 1.0, labels, np.array([1]), needed=1, **changes)}


@both_forms
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"images": np.zeros((6, 5), np.float32)}, r"images: expected \(n, 4\), found 6 of 5 features"),
        ({"images": np.zeros(6, np.float32)}, r"images: expected \(n, 4\)"),
        ({"images": np.zeros((6, 4), complex)}, "images: expected an array of real numbers, found complex numbers"),
        ({"labels": LABELS[:5]}, r"labels: expected 6 integers, found int64 of shape \(5,\)"),
        ({"labels": LABELS / 2}, "labels: expected 6 integers, found float64"),
        ({"labels": LABELS + 1}, r"labels\[2\] is 3: expected 0 to 2; number them from 0"),
        ({"labels": LABELS - 1}, r"labels\[0\] is -1: expected 0 to 2"),
        ({"learning_rates": np.array([0.1, 1e-60, 0.1])}, "learning_rates 1e-60: float32 rounds it to 0"),
        ({"learning_rates": np.array([0.1, np.nan, 0.1])}, "learning_rates nan: must be above 0 and finite"),
        ({"learning_rates": np.array([0.1, 1e39, 0.1])}, "learning_rates 1e.39: float32 rounds it to infinity"),
        ({"optimizer": Adam(epsilon=1e-60)}, r"epsilon 1e-60: float32 rounds it to 0; .* works is 1\.18e-38"),
        ({"order": np.arange(1, 7)}, "image numbers: expected 0 to 5, found 1 to 6"),
        ({"order": np.arange(-1, 5)}, "image numbers: expected 0 to 5, found -1 to 4"),
        (looking(LABELS + 5), r"labels\[0\] is 5: expected 0 to 2"),
        (looking(rows=np.array([6])), "image numbers: expected 0 to 5, found 6 to 6"),
        *[
            (looking(apart=apart), "image numbers: expected")
            for apart in (np.array([6]), np.array([-1]), np.array([0.5]), np.array([[0]]))
        ],
    ],
)
def test_training_refuses_what_would_read_outside_an_array(wrong, message):
    with pytest.raises(ValueError, match=message):
        start(**wrong)


@both_forms
def test_arrays_of_any_integers_and_order_of_memory_mean_what_they_say():
    images = np.random.default_rng(1).random((6, 4))
    assert start(np.asfortranarray(images), LABELS.astype(np.uint8)).steps == 3
    mlp, numbers = MLP((4, 3, 3), np.random.default_rng(0)), np.array([0, 5, 1, 5, 2, 5])[::2]
    assert evaluate(mlp, images, LABELS, rows=numbers) == evaluate(mlp, images[:3], LABELS[:3])
    with pytest.raises(ValueError, match="image numbers: expected 0 to 5, found 6 to 6"):
        evaluate(mlp, images, LABELS, rows=np.array([6]))


@pytest.mark.parametrize("form", ["fast"], indirect=True)
def test_rows_and_arrays_do_not_mix_in_one_run():
    checks = Checks(prepare_images([PIXELS], lambda: PIXELS), LABELS, np.array([1]), needed=1)
    with pytest.raises(ValueError, match="both be arrays or both be rows"):
        start(np.zeros((6, 4)), checks=checks)


@both_forms
def test_the_learning_rate_ends_where_the_schedule_does():
    optimizer = SGD(0.5)
    start(optimizer=optimizer)
    assert optimizer.learning_rate == 0.1


@both_forms
def test_logits_are_those_of_the_network_and_cost_as_much(form):
    mlp, (images, _), expected, found = network(np.float32), data(), Tally(), Tally()
    x = images.astype(np.float32)
    np.testing.assert_allclose(logits(mlp, x, found), mlp.forward(x, expected), rtol=1e-5, atol=1e-6)
    assert found.counts(executed=False) == expected.counts(executed=False)
    assert found.passes() == expected.passes()


def test_work_without_ctrl_c_is_carried_out_with_a_watch_that_stops_nothing():
    assert interruptibly(lambda watch: watch.stop.tolist()) == [0]
    with pytest.raises(ValueError, match="no training"):
        interruptibly(lambda watch: int("no training"))

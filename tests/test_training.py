"""Whole runs: steps and losses of the reference, every way a run ends, schedules, the same bits from the same seed."""

from __future__ import annotations

import math
import threading
from fractions import Fraction

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from nnlite import MLP, SGD, Adam, Momentum, Tally
from nnlite.schedule import TO_END, TO_HIT
from nnlite.training import Checks, Schedule, Watch, answers_needed, epochs, evaluate, train

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("plain_kernels")]

SIZES = (5, 4, 3)
N_TRAIN, N_CHECK = 14, 9


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


def test_the_curve_that_the_stop_rule_is_tested_on_rises_and_repeats():
    counts = [correct for _, correct in curve()]
    assert len(set(counts)) >= 3
    assert counts[-1] > counts[0]


def test_checks_are_the_references_right_answers():
    outcome = train(network(), SGD(1), *data(), plan(), checks(needed=N_CHECK + 1))
    assert outcome.checks == curve()
    assert (outcome.status, outcome.steps, outcome.correct) == ("budget", 12, curve()[-1][1])


@pytest.mark.parametrize("needed", range(N_CHECK + 2))
def test_a_run_stops_at_the_first_check_at_or_above_the_target(needed):
    hits = [(step, correct) for step, correct in curve() if correct >= needed]
    outcome = train(network(), SGD(1), *data(), plan(), checks(needed))
    if hits:
        assert (outcome.status, outcome.steps, outcome.correct) == ("reached", *hits[0])
        assert outcome.checks == curve()[: hits[0][0]]
    else:
        assert (outcome.status, outcome.steps) == ("budget", 12)


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


def test_a_stop_flag_ends_the_run_after_the_step_at_hand():
    watch = Watch()
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


def test_progress_tells_the_steps_done_and_the_last_check():
    watch = Watch()
    train(network(), SGD(1), *data(), plan(), checks(N_CHECK + 1, steps=[5]), watch=watch)
    assert watch.done.tolist() == [12, dict(curve())[5]]


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
    counts = reference.check_counts(SIZES, "relu", n_images)
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


@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 12), st.booleans())
def test_every_epoch_is_a_permutation_cut_into_batches(n_samples, batch_size, n_steps, shuffled):
    rows = np.arange(n_samples) * 10
    schedule = epochs(rows, batch_size, n_steps, 0.5, np.random.default_rng(0) if shuffled else None)
    assert schedule.n_steps == n_steps == len(schedule.starts) - 1
    assert schedule.learning_rates.tolist() == [0.5] * n_steps
    assert schedule.starts[0] == 0
    assert len(schedule.order) == schedule.starts[-1]
    sizes = np.diff(schedule.starts)
    steps_per_epoch = math.ceil(n_samples / batch_size)
    last = n_samples - (steps_per_epoch - 1) * batch_size  # the short batch at an epoch's end
    one_epoch = [batch_size] * (steps_per_epoch - 1) + [last]
    assert sizes.tolist() == (one_epoch * 12)[:n_steps]
    for start in range(0, len(schedule.order), n_samples):
        epoch = schedule.order[start : start + n_samples]
        assert set(epoch) <= set(rows)
        assert len(set(epoch)) == len(epoch)
        if not shuffled:
            assert epoch.tolist() == rows[: len(epoch)].tolist()


def test_epochs_are_shuffled_afresh_and_a_longer_plan_begins_as_the_shorter():
    schedule = epochs(np.arange(50), 10, 10, 0.1, np.random.default_rng(0))
    assert schedule.order[:50].tolist() != schedule.order[50:].tolist()
    shorter = epochs(np.arange(50), 10, 7, 0.1, np.random.default_rng(0))
    np.testing.assert_array_equal(schedule.order[:70], shorter.order)


def test_images_of_the_first_steps_are_listed_with_repeats():
    schedule = epochs(np.array([7, 8, 9]), 2, 4, 0.1)
    assert schedule.images_of(3).tolist() == [7, 8, 9, 7, 8]  # 2 + 1 + 2
    assert schedule.images_of(0).tolist() == []


@given(st.decimals(0, 1, places=3), st.integers(1, 10_000))
def test_answers_needed_is_the_smallest_number_whose_share_is_the_target(target, n_samples):
    needed, exact = answers_needed(float(target), n_samples), Fraction(target)
    assert Fraction(needed, n_samples) >= exact
    assert needed == 0 or Fraction(needed - 1, n_samples) < exact


def test_answers_needed_reads_the_targets_decimal_digits():
    # 0.07 x 100 is 7.000000000000001 and 0.29 x 100 is 28.999999999999996 in binary floats
    assert [answers_needed(0.07, 100), answers_needed(0.29, 100), answers_needed(1e-5, 10)] == [7, 29, 1]

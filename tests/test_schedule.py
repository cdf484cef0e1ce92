"""Schedules and checks: epochs cut into batches, targets read as decimals, what is refused when it is made."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite.schedule import DECIDE, Checks, Schedule, Watch, answers_needed, epochs


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


def schedule(starts, n_steps=3):
    return Schedule(np.arange(6), np.array(starts), np.full(n_steps, 0.1))


def checks(steps=(1,), **changes):
    return Checks(np.zeros((6, 4)), np.zeros(6, int), np.array(steps), needed=1, **changes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedule([0, 2, 2, 6]), "expected 4 rising int64 starts of batches"),
        (lambda: schedule([0, 2, 4]), "expected 4 rising int64 starts"),
        (lambda: schedule([-1, 2, 4, 6]), "rising int64 starts"),
        (lambda: schedule([0.0, 2.0, 4.0, 6.0]), "rising int64 starts"),
        (lambda: schedule([0, 2, 4, 7]), "the last batch ends at 7, the order at 6"),
        *[(lambda steps=steps: checks(steps), "rising int64 steps from 1 on") for steps in ([0, 1], [2, 1], [1, 1])],
        (lambda: checks([1.0]), "rising int64 steps from 1 on"),
        (lambda: checks(look="full"), "expected a look of 'decide', 'to hit' or 'to end', found 'full'"),
        (lambda: checks(look=DECIDE, apart=np.array([0])), "images apart want full checks"),
        (lambda: Watch(done=np.zeros(1, np.int64)), "done must be a contiguous int64 array"),
        (lambda: Watch(stop=np.zeros(1)), "stop must be a contiguous int64 array"),
        (lambda: Watch(done=np.zeros(4, np.int64)[::2]), "done must be a contiguous int64 array"),
    ],
)
def test_what_compiled_loops_could_not_trust_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""Steps to a target on hand-written curves, and the resampled cost ratio against a slow loop."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from nnlite.experiment.bootstrap import RatioInterval, resample_pairs
from nnlite.experiment.curves import Curves, first_hit, stable_cost_ratio, stable_step

STEPS = [1, 2, 3, 4, 5, 8, 10]


@pytest.mark.parametrize(
    ("in_a_row", "step"),
    [
        (1, 2),  # the first check at 90
        (2, 5),  # checks 4 and 5; the one at step 2 stood alone
        (3, 8),  # checks 4, 5 and 8: consecutive checks, whatever the steps between them
        (4, 10),
        (5, None),
    ],
)
def test_first_hit_is_the_check_that_completes_the_row(in_a_row, step):
    assert first_hit(STEPS, [80, 90, 89, 90, 91, 95, 90], needed=90, in_a_row=in_a_row) == step


def test_a_curve_that_never_hits_is_a_miss():
    assert first_hit(STEPS, [89] * 7, needed=90) is None
    assert first_hit([], [], needed=90) is None


def test_a_hit_at_the_first_check_counts_once():
    assert first_hit([1, 2], [90, 80], needed=90) == 1
    assert first_hit([1, 2, 3], [90, 80, 80], needed=90, in_a_row=2) is None


def test_a_fractional_need_rounds_up_to_whole_images():
    # 0.9 x 37 images = 33.3: 33 right are too few, 34 are enough.
    assert first_hit([1, 2], [33, 34], needed=Fraction("0.9") * 37) == 2


def test_first_hit_refuses_what_is_not_a_curve():
    with pytest.raises(ValueError, match="one entry a check"):
        first_hit([1, 2], [90], needed=90)
    with pytest.raises(ValueError, match="at least 1, found 0"):
        first_hit([1], [90], needed=90, in_a_row=0)


def test_stable_step_looks_at_the_mean_from_the_end():
    # Means: 80, 90, 89.5, 90, 92, 95, 90. The dip at step 3 undoes step 2.
    correct = [[82, 92, 89, 95, 92, 95, 90], [78, 88, 90, 85, 92, 95, 90]]
    assert stable_step(STEPS, correct, needed=90) == 4


def test_stable_step_is_the_first_check_if_never_below_and_none_if_below_at_the_last():
    assert stable_step([3, 4], [[90, 91]], needed=90) == 3
    assert stable_step([3, 4], [[95, 89]], needed=90) is None
    assert stable_step([3], [[90]], needed=90) == 3


def test_mean_is_compared_exactly_at_the_target():
    # 3 runs of 8,929, 8,930, 8,931 right average exactly 8,930; one image less is below.
    assert stable_step([1], [[8929], [8930], [8931]], needed=8930) == 1
    assert stable_step([1], [[8929], [8930], [8930]], needed=8930) is None
    assert stable_step([1], [[8929], [8930], [8931]], needed=Fraction("0.893") * 10_000) == 1


@pytest.mark.parametrize("correct", [[], [[]], [90, 91], [[90, 91, 92]]])
def test_stable_step_refuses_shapes_that_are_not_runs_by_checks(correct):
    with pytest.raises(ValueError, match="expected steps"):
        stable_step([1, 2], correct, needed=90)


def planted_curves(rng, n_pairs, offset):
    """Noisy rising curves of 40 checks, and a cost that differs from run to run."""
    rise = 80 + np.minimum(np.arange(40) * 0.5 + offset, 12)
    correct = np.rint(10 * (rise + rng.normal(0, 1.5, (n_pairs, 1)) + rng.normal(0, 0.5, (n_pairs, 40)))).astype(
        np.int64
    )
    return Curves(correct, (1 + np.arange(40)) * rng.integers(90, 110, (n_pairs, 1)).astype(float))


def test_stable_cost_ratio_is_a_slow_loop_over_the_same_resamples():
    rng = np.random.default_rng(0)
    arms = planted_curves(rng, 9, 3.0), planted_curves(rng, 9, 0.0)

    def cost(arm, rows):
        stays = [
            k for k in range(40) if all(sum(arm.correct[i, later] for i in rows) >= 900 * 9 for later in range(k, 40))
        ]
        return sum(arm.cost[i, stays[0]] for i in rows) if stays else math.inf

    comp = stable_cost_ratio(*arms, needed=900, rng=np.random.default_rng(1))
    assert comp.ratio == cost(arms[0], range(9)) / cost(arms[1], range(9))

    first_chunk = next(resample_pairs(9, np.random.default_rng(1)))[:40]
    ratios = []
    for weights in first_chunk:
        rows = [i for i in range(9) for _ in range(int(weights[i]))]
        ours, theirs = cost(arms[0], rows), cost(arms[1], rows)
        ratios.append(1.0 if math.isinf(ours) and math.isinf(theirs) else ours / theirs)
    # 95% of all resamples lie within the interval; of forty, at least 34 do (P below 0.001 otherwise).
    assert sum(comp.low <= ratio <= comp.high for ratio in ratios) >= 34


def test_one_cost_per_check_serves_all_runs():
    rng = np.random.default_rng(2)
    ours, theirs = planted_curves(rng, 8, 3.0), planted_curves(rng, 8, 0.0)
    shared = np.arange(1.0, 41.0)
    wide = np.broadcast_to(shared, (8, 40))
    narrow = stable_cost_ratio(
        Curves(ours.correct, shared), Curves(theirs.correct, shared), 900, np.random.default_rng(3)
    )
    assert narrow == stable_cost_ratio(
        Curves(ours.correct, wide), Curves(theirs.correct, wide), 900, np.random.default_rng(3)
    )


def test_an_arm_that_never_stays_costs_infinity_and_two_cost_one():
    high, low = Curves(np.full((6, 2), 95), np.array([1.0, 2.0])), Curves(np.full((6, 2), 80), np.array([1.0, 2.0]))
    rng = np.random.default_rng(0)
    assert stable_cost_ratio(low, high, 90, rng) == RatioInterval(math.inf, math.inf, math.inf, 0.0)
    assert stable_cost_ratio(high, low, 90, rng) == RatioInterval(0.0, 0.0, 0.0, 0.0)
    assert stable_cost_ratio(low, low, 90, rng) == RatioInterval(1.0, 1.0, 1.0, 1.0)


def test_both_curves_of_a_pair_are_drawn_together():
    # Pair i hits at check i in both arms and the cost is shared, so every resample has ratio exactly 1.
    correct = np.where(np.arange(12)[None] >= np.arange(8)[:, None], 100, 0)
    arm = Curves(correct, np.arange(1.0, 13.0))
    assert stable_cost_ratio(arm, arm, 50, np.random.default_rng(0)) == RatioInterval(1.0, 1.0, 1.0, 0.0)


def test_grids_of_different_length_can_be_compared():
    short, long = Curves(np.full((6, 1), 95), np.array([3.0])), Curves(np.full((6, 4), 95), np.array([4.0, 5, 6, 7]))
    assert stable_cost_ratio(short, long, 90, np.random.default_rng(0)).ratio == 0.75


def test_a_single_pair_has_a_ratio_and_no_interval():
    one = Curves(np.array([[80, 95]]), np.array([3.0, 6.0])), Curves(np.array([[80, 95]]), np.array([4.0, 8.0]))
    assert stable_cost_ratio(*one, 90, np.random.default_rng(0)) == RatioInterval(0.75, None, None, 0.0)


def test_unequal_numbers_of_runs_are_refused():
    one, two = Curves(np.full((1, 2), 95), np.ones(2)), Curves(np.full((2, 2), 95), np.ones(2))
    with pytest.raises(ValueError, match="expected pairs of curves, found 1 and 2"):
        stable_cost_ratio(one, two, 90, np.random.default_rng(0))

"""Where runs and their mean are at a goal, what had been spent there, and the resampled ratio, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from made import BEFORE, CONFIG, STEP, at_target_from, run

from nnlite.experiment.costs import ARTICLE, EVERY_OPERATION, Bill, cost_at_checks
from nnlite.study.estimands import Curves, Goal, stable_ratio, target_of
from nnlite.study.resampling import RatioInterval, resamples

NINETY = Fraction("0.9")
BY_FOURS = replace(CONFIG, batch_size=16, check_every="64 images")  # looks after every fourth step


def arm(*correct, config=CONFIG, name="scratch", **changes):
    """Runs with these right answers of 100, seed by seed."""
    return Curves([run(name, seed, right, config, **changes) for seed, right in enumerate(correct)])


def first_step(correct, config=CONFIG, goal=NINETY, **asked):
    return arm(correct, config=config).first_steps(Goal(goal, **asked)).item()


def test_the_target_is_read_by_its_decimal_digits():
    assert target_of(run("scratch", 0, at_target_from(3))) == Fraction(9, 10)


def test_the_first_check_is_a_column_and_the_step_is_a_step():
    assert BY_FOURS.check_steps() == [4, 8, 12]
    assert arm([80, 90, 90], [90, 80, 80], [80] * 3, config=BY_FOURS).first_checks(Goal(NINETY)).tolist() == [1, 0, 3]
    assert arm([80, 90, 90], [80] * 3, config=BY_FOURS).first_steps(Goal(NINETY)).tolist() == [8.0, math.inf]


@pytest.mark.parametrize(
    ("in_a_row", "step"),
    [
        (1, 2),  # the first look at 90
        (2, 5),  # 4 and 5; the one at step 2 stood alone
        (3, 6),
        (4, 7),
        (5, math.inf),
        (13, math.inf),  # more than there are looks
    ],
)
def test_hits_in_a_row_end_with_the_look_that_completes_them(in_a_row, step):
    assert first_step([80, 90, 89, 90, 91, 95, 90, 89, 90, 80, 90, 90], in_a_row=in_a_row) == step


@pytest.mark.parametrize(
    ("every", "step"),
    [
        (None, 5),
        (3, 6),
        (5, 5),
        (7, 7),
        (13, math.inf),  # the budget of 12 steps ends before the first look
    ],
)
def test_rare_looks_see_a_hit_later(every, step):
    assert first_step(at_target_from(5), every=every) == step


def test_a_look_that_falls_between_checks_is_made_at_the_next():
    assert first_step([90, 90, 90], BY_FOURS, every=6) == 8
    assert first_step([90, 90, 90], BY_FOURS, every=10) == 12


def test_hits_in_a_row_are_counted_over_the_looks_that_are_made():
    correct = [80, 90, 80, 90, 80, 90, 90, 90, 90, 90, 90, 90]
    assert first_step(correct, in_a_row=3) == 8  # 6, 7, 8
    assert first_step(correct, in_a_row=3, every=2) == 6  # 2, 4, 6


def test_a_fractional_need_rounds_up_to_whole_images():
    # 0.9 x 37 images = 33.3: 33 right are too few, 34 are enough.
    runs = Curves([run("scratch", 0, [33] * 6 + [34] * 6, n_checked=37)])
    assert runs.first_steps(Goal(NINETY)) == 7


def test_a_run_that_diverged_misses_what_it_had_not_reached():
    diverged = arm(at_target_from(2)[:5], status="diverged")
    assert diverged.first_steps(Goal(NINETY)) == 2
    assert diverged.first_steps(Goal(NINETY, in_a_row=5)) == math.inf
    nothing = Curves([replace(run("scratch", 0, [80]), checks=[], images_seen=[], images_read=[], apart_correct=[])])
    assert nothing.first_steps(Goal(Fraction(0))) == math.inf  # which it would have reached at any look


def test_images_apart_have_their_own_number():
    correct, half, whole = [95] * 12, [44] * 6 + [45] * 6, [89] * 3 + [90] * 9
    halves = arm(correct, apart_correct=half)  # 45 of 50
    assert halves.first_steps(Goal(NINETY, images="apart")) == 7
    behind = arm([89] * 4 + [90] * 8, apart_correct=[45] * 12)  # 44, then 45 of the other 50
    assert behind.first_steps(Goal(NINETY, images="rest")) == 5
    on_test = arm(correct, config=replace(CONFIG, count_apart="test"), apart_correct=whole)  # 90 of 100
    assert on_test.first_steps(Goal(NINETY, images="apart")) == 4
    assert on_test.stable_step(Goal(NINETY, images="apart")) == 4


def test_a_cost_is_what_had_been_spent_at_the_first_check():
    means = arm(at_target_from(5), at_target_from(None), name="class-means")
    assert means.first_costs(EVERY_OPERATION, Goal(NINETY)).tolist() == [BEFORE + 5 * STEP, math.inf]
    assert means.first_costs(ARTICLE, Goal(NINETY)).tolist() == [100 + 5 * 100, math.inf]
    looked_at_twice = means.first_costs(Bill("flop", "bill and evaluation"), Goal(NINETY, every=3))[0]
    assert looked_at_twice == BEFORE + 6 * STEP + 2 * 100 * (2 * 6 + 2)


def test_spending_is_that_of_every_run_at_its_own_checks():
    runs = [run("class-means", seed, at_target_from(hit)) for seed, hit in enumerate((5, 7))]
    expected = [cost_at_checks(one, "flop", ("data", "pretrain", "train")) for one in runs]
    assert np.array_equal(Curves(runs).spent(EVERY_OPERATION), expected)


def test_the_mean_over_runs_decides_the_stable_step():
    #      step 1   2   3   4    means 90, 89, 90, 91
    runs = arm([95, 80, 90, 92], [85, 98, 90, 90], config=replace(CONFIG, max_steps=4))
    assert runs.stable_step(Goal(NINETY)) == 3
    assert runs.stable_step(Goal(NINETY, every=2)) == 4
    assert runs.stable_step(Goal(Fraction("0.92"))) is None


def test_the_mean_is_stable_from_the_first_check_if_never_below_and_never_if_below_at_the_last():
    two = replace(CONFIG, max_steps=2)
    assert arm([90, 91], config=two).stable_step(Goal(NINETY)) == 1
    assert arm([95, 89], config=two).stable_step(Goal(NINETY)) is None


def test_the_mean_is_compared_exactly_at_the_target():
    # 3 runs of 8,929, 8,930, 8,931 right average exactly 89.3% of 10,000; one image less is below.
    one, goal = replace(CONFIG, max_steps=1, target=0.893), Goal(Fraction("0.893"))
    assert arm([8929], [8930], [8931], config=one, n_checked=10_000).stable_step(goal) == 1
    assert arm([8929], [8930], [8930], config=one, n_checked=10_000).stable_step(goal) is None


def test_every_run_pays_up_to_the_step_from_which_the_mean_stays():
    # 80, 90, 80, then 90 to the end: the first touch at step 2 does not count.
    once = [80, 90, 80, *[90] * 9]
    assert arm(once).stable_costs(EVERY_OPERATION, Goal(NINETY)).tolist() == [4 * STEP]
    means = arm(at_target_from(4), at_target_from(8), name="class-means")
    assert means.stable_costs(EVERY_OPERATION, Goal(NINETY)).tolist() == [BEFORE + 8 * STEP] * 2
    # At 40 of 100 the mean of 80 and 0 stays from step 1 on, and a run that diverged after step 5 has spent step 1.
    runs = [run("scratch", 0, once), run("scratch", 1, at_target_from(2)[:5], status="diverged")]
    assert Curves(runs).stable_costs(EVERY_OPERATION, Goal(Fraction("0.4"))).tolist() == [STEP] * 2
    assert Curves(runs).spent(EVERY_OPERATION)[1].tolist() == [STEP * min(step, 5) for step in range(1, 13)]


def test_an_arm_that_never_stays_costs_without_end():
    never = arm(at_target_from(4), at_target_from(None))  # 85 on average
    assert never.stable_costs(EVERY_OPERATION, Goal(NINETY)).tolist() == [math.inf] * 2
    assert arm([90] * 11 + [80]).stable_costs(EVERY_OPERATION, Goal(NINETY)).tolist() == [math.inf]


def test_a_run_without_a_check_has_spent_nothing_and_gets_nothing_right():
    grid = [[80] * 3 + [100] * 9] * 9
    scratch = [run("scratch", s, curve) for s, curve in enumerate([*grid, grid[0]])]
    ended = replace(scratch[9], status="diverged", checks=[], images_seen=[], images_read=[], apart_correct=[])
    # 9 x 100 / 10 = 90 stays from step 4; nine of ten runs have spent anything.
    found = stable_ratio(Curves([*scratch[:9], ended]), Curves(scratch), EVERY_OPERATION, Goal(NINETY))
    assert found.median == pytest.approx(9 * 4 / (10 * 4))


def noisy(rng, n_pairs, offset, name):
    """Rising curves of 12 checks."""
    rise = 84 + np.minimum(np.arange(12) * 1.2 + offset, 10)
    correct = np.rint(rise + rng.normal(0, 1.5, (n_pairs, 1)) + rng.normal(0, 1, (n_pairs, 12))).astype(int).tolist()
    return arm(*correct, name=name)


def test_the_ratio_at_the_stable_steps_is_a_slow_loop_over_the_same_resamples():
    rng = np.random.default_rng(0)
    arms = noisy(rng, 9, 3.0, "class-means"), noisy(rng, 9, 0.0, "scratch")

    def cost(curves, rows):
        correct, spent = curves.correct(), curves.spent(EVERY_OPERATION)
        stays = [k for k in range(12) if all(sum(correct[i, later] for i in rows) >= 810 for later in range(k, 12))]
        return float(sum(spent[i, stays[0]] for i in rows)) if stays else math.inf

    comp = stable_ratio(*arms, EVERY_OPERATION, Goal(NINETY))
    assert comp.median == cost(arms[0], range(9)) / cost(arms[1], range(9))
    for curves in arms:
        totals = curves.resampled_totals(EVERY_OPERATION, Goal(NINETY))
        drawn = [[i for i in range(9) for _ in range(int(weights[i]))] for weights in resamples(9)[:60]]
        assert totals[:60].tolist() == [cost(curves, rows) for rows in drawn]


def test_an_arm_that_never_stays_costs_infinity_and_two_cost_one():
    high, low = arm(*[[95] * 12] * 6), arm(*[[80] * 12] * 6)
    assert stable_ratio(low, high, ARTICLE, Goal(NINETY)) == RatioInterval(math.inf, math.inf, math.inf, 0.0)
    assert stable_ratio(high, low, ARTICLE, Goal(NINETY)) == RatioInterval(0.0, 0.0, 0.0, 0.0)
    assert stable_ratio(low, low, ARTICLE, Goal(NINETY)) == RatioInterval(1.0, 1.0, 1.0, 1.0)


def test_both_curves_of_a_pair_are_drawn_together():
    # Pair i hits at check i in both arms and the cost is shared, so every resample has ratio exactly 1.
    runs = arm(*[[0] * i + [100] * (12 - i) for i in range(8)])
    assert stable_ratio(runs, runs, ARTICLE, Goal(Fraction("0.5"))) == RatioInterval(1.0, 1.0, 1.0, 0.0)


def test_grids_of_different_length_can_be_compared():
    fours = arm(*[[95] * 3] * 6, config=BY_FOURS)  # 4 steps of 16 images: 10 (64 + 8) = 720 at the first look
    assert stable_ratio(fours, arm(*[[95] * 12] * 6), ARTICLE, Goal(NINETY)).median == 7.2


def test_a_single_pair_has_a_ratio_and_no_interval():
    found = stable_ratio(arm(at_target_from(6)), arm(at_target_from(8)), ARTICLE, Goal(NINETY))
    assert found == RatioInterval(0.75, None, None, 0.0)


def test_what_are_no_pairs_or_no_curves_is_refused():
    with pytest.raises(ValueError, match="expected pairs of curves, found 1 and 2"):
        stable_ratio(arm([90] * 12), arm([90] * 12, [90] * 12), ARTICLE, Goal(NINETY))
    with pytest.raises(ValueError, match="expected at least one run, found none"):
        Curves([])
    elsewhere = replace(run("scratch", 7, [90] * 12), checks=[[2 * step, 90] for step in range(1, 13)])
    with pytest.raises(ValueError, match="scratch, seed 7: was looked at after other steps"):
        Curves([elsewhere])

"""Targets, the prediction, equal steps and matched targets on curves of a few checks, by hand and against SciPy."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats
from test_records import record

from nnlite.experiment.costs import cost_at_checks
from nnlite.experiment.stats import Interval
from nnlite.experiment.whole.horizons import equal_steps, matched_targets, prediction, targets
from nnlite.study.protocol import CLAIM

STEPS = [1, 2, 3, 4, 6, 8, 10, 20, 30, 40]
EVERY_STEP = list(range(1, 11))
CONFIG = replace(CLAIM, hidden_layer_sizes=(2,), optimizer="sgd", max_steps=10).to_record(2, 2) | {"article_pass": 1}


def run(arm, seed, correct, after=None, status="budget", grid=STEPS):
    """A run over 100 test images. Article's bill, F = 1: 6 a step of 4 images, 12 for phase 1."""
    passes = {"train": {"steps": 40, "images_forward": 160, "images_backward": 160}}
    dense = {"train": {"matmul_forward": {"fma": 640}}}
    if arm == "class-means":
        passes["pretrain"] = {"steps": 3, "images_forward": 6, "images_backward": 6}  # 6 F + 3 x 2 F
        dense["pretrain"] = {"matmul_forward": {"fma": 24}}
        dense["data"] = {"class_sums": {"add": 50}}
    steps = grid[: len(correct)]
    return record(
        arm,
        seed,
        config=CONFIG,
        dataset={"name": "small", "n_features": 2, "n_classes": 2},
        status=status,
        passes=passes,
        counts={"dense": dense, "executed": {}},
        checks=[list(check) for check in zip(steps, correct, strict=True)],
        images_seen=[4 * step for step in steps],
        images_read=[0] * len(steps),
        n_checked=100,
        accuracy_after_pretrain=after,
    )


#        step  1   2   3   4   6   8  10  20  30  40
SCRATCH = [10, 20, 40, 60, 70, 75, 80, 85, 90, 91]
MEANS = [72, 74, 76, 78, 81, 84, 86, 90, 92, 93]  # begins at 70


def study(n_pairs, scratch=SCRATCH, means=MEANS, after=0.7):
    return [
        r
        for seed in range(n_pairs)
        for r in (run("scratch", seed, scratch), run("class-means", seed, means, after=after))
    ]


def test_a_target_is_asked_of_every_run_at_its_first_hit():
    (row,) = targets(study(6), [0.8])  # scratch at step 10, class-means at step 6
    assert (row.target, row.n_pairs, row.scratch_steps) == (0.8, 6, 10.0)
    assert row.reached == {"scratch": 1.0, "class-means": 1.0}
    assert row.steps_saved == Interval(4.0, 4.0, 4.0)
    assert row.saved.median == pytest.approx(1 - (6 * 6 + 12) / (6 * 10))
    scratch, means = study(1)
    ratio = cost_at_checks(means)[STEPS.index(6)] / cost_at_checks(scratch)[STEPS.index(10)]
    assert row.saved_every_operation.median == pytest.approx(1 - ratio)
    assert row.saved_every_operation != row.saved


def test_steps_saved_are_the_median_over_pairs_with_its_order_statistics():
    # Scratch reaches 85 at step 20, one seed at 30 and one at 10; class-means at step 10: 10, 10, 10, 10, 20 and 0.
    slow, fast = [*SCRATCH[:7], 84, 85, 91], [*SCRATCH[:6], 85, 85, 90, 91]
    runs = [r if (r.arm, r.seed) != ("scratch", 0) else run("scratch", 0, slow) for r in study(6)]
    runs = [r if (r.arm, r.seed) != ("scratch", 1) else run("scratch", 1, fast) for r in runs]
    (row,) = targets(runs, [0.85])
    assert row.steps_saved == Interval(10.0, 0.0, 20.0)
    assert row.scratch_steps == (4 * 20 + 30 + 10) / 6


def test_under_95_percent_of_pairs_there_is_no_ratio():
    low = [min(correct, 89) for correct in SCRATCH]
    one_misses = [*study(19), run("scratch", 19, low), run("class-means", 19, MEANS, after=0.7)]
    (row,) = targets(one_misses, [0.9])  # 19 of 20 pairs are 95%
    assert row.reached == {"scratch": 0.95, "class-means": 1.0}
    assert row.scratch_steps == math.inf
    assert row.steps_saved.median == 10  # 30 - 20; inf in one pair
    assert row.saved.median == pytest.approx(1 - (6 * 20 + 12) / (6 * 30))
    (row,) = targets([r for r in one_misses if r.seed > 0], [0.9])  # 18 of 19
    assert row.reached["scratch"] == pytest.approx(18 / 19)
    assert (row.steps_saved, row.saved, row.saved_every_operation) == (None, None, None)


def test_one_run_that_misses_spoils_only_its_own_pair():
    low = [min(correct, 89) for correct in MEANS]
    misses = [run("scratch", 99, [min(correct, 89) for correct in SCRATCH]), run("class-means", 99, low, after=0.7)]
    (row,) = targets(study(20) + misses, [0.9])  # 20 of 21 pairs; in the last one both missed
    assert (row.n_pairs, row.steps_saved.median) == (21, 10)
    assert row.reached == {"scratch": pytest.approx(20 / 21), "class-means": pytest.approx(20 / 21)}


def test_a_run_that_diverged_keeps_the_targets_it_had_reached():
    diverged = run("class-means", 0, MEANS[:5], after=0.7, status="diverged")  # 81 at step 6, then no more
    runs = [diverged if (r.arm, r.seed) == ("class-means", 0) else r for r in study(6)]
    reached, missed = targets(runs, [0.8, 0.85])
    assert reached.reached["class-means"] == 1.0
    assert missed.reached["class-means"] == pytest.approx(5 / 6)


def test_only_seeds_of_both_arms_are_pairs_and_none_give_no_row():
    assert targets([*study(3), run("scratch", 77, SCRATCH)], [0.8])[0].n_pairs == 3
    assert targets([run("scratch", 77, SCRATCH)], [0.8]) == []
    with pytest.raises(ValueError, match="twice"):
        targets(study(2) + study(2), [0.8])


def test_the_prediction_is_steps_saved_less_the_head_start():
    # Head start: scratch is at 70 after step 6. Saved at 75: 8 - 3 = 5; at 80: 10 - 6 = 4; at 85: 20 - 10 = 10.
    found = prediction(study(20), [0.75, 0.8, 0.85], np.random.default_rng(0))
    assert found.head_start == 6.0
    assert found.steps_saved == [5.0, 4.0, 10.0]
    assert found.band.mean.tolist() == [-1.0, -2.0, 4.0]
    assert found.outcome == "held"


def test_the_head_start_is_that_of_each_pair():
    # 81% after phase 1 is at step 20 of scratch, 70% at step 6: 20 - 8 saved at 90% less 13 on average.
    runs = [replace(r, accuracy_after_pretrain=0.81) if r.arm == "class-means" and r.seed % 2 else r for r in study(20)]
    found = prediction(runs, [0.75, 0.9], np.random.default_rng(0))
    assert (found.head_start, found.targets) == (13.0, [0.9])
    assert found.met_by_phase_1 == [0.75]  # by every second run
    assert found.band.mean.tolist() == [10 - 13]
    assert found.band.high[0] > -3 > found.band.low[0]


def test_the_prediction_leaves_the_generator_as_it_was():
    rng = np.random.default_rng(3)
    runs = [replace(r, accuracy_after_pretrain=0.81) if r.arm == "class-means" and r.seed % 2 else r for r in study(20)]
    first, second = (prediction(runs, [0.9], rng) for _ in range(2))
    assert (first.band.low, first.band.high) == (second.band.low, second.band.high)
    assert rng.bit_generator.state == np.random.default_rng(3).bit_generator.state


def test_too_many_steps_saved_fail_the_prediction():
    # At 90%: 40 - 20 = 20 saved, 20 - 6 = 14 more than the head start.
    found = prediction(study(20, scratch=[*SCRATCH[:8], 89, 90]), [0.75, 0.9], np.random.default_rng(0))
    assert found.band.mean.tolist() == [-1.0, 14.0]
    assert found.outcome == "failed"


def test_a_target_that_phase_1_met_or_a_run_missed_has_no_d():
    # Met: 60 and 70 (70 after phase 1). At 60, scratch needs 4 steps and class-means 1: 3 - 6 = -3, within 10 as well.
    found = prediction(study(20), [0.6, 0.7, 0.75, 0.92], np.random.default_rng(0))
    assert (found.targets, found.met_by_phase_1) == ([0.75], [0.6, 0.7])
    assert (found.outcome, found.outcome_with_them) == ("held", "held")
    # A head start of 20 steps, to 81%: at 60, 3 - 20 = -17 fails by itself; at 85%, 10 - 20 = -10 is inside.
    found = prediction(study(20, after=0.81), [0.6, 0.85], np.random.default_rng(0))
    assert (found.outcome, found.outcome_with_them) == ("held", "failed")


def test_without_enough_pairs_or_a_target_the_prediction_stays_open():
    few = prediction(study(19), [0.8], np.random.default_rng(0))
    assert (few.outcome, few.band is None) == ("open", False)
    assert prediction(study(5), [0.8], np.random.default_rng(0)).band is None
    nothing = prediction(study(20), [0.99], np.random.default_rng(0))
    assert (nothing.targets, nothing.band, nothing.outcome) == ([], None, "open")
    assert prediction([], [0.8], np.random.default_rng(0)) is None
    diverged = [*study(20), run("scratch", 20, SCRATCH), run("class-means", 20, [], status="diverged")]
    found = prediction(diverged, [0.8], np.random.default_rng(0))
    assert (found.head_start, found.targets, found.outcome) == (math.inf, [], "open")


def test_equal_steps_are_scipys_two_one_sided_paired_tests():
    shifts = [0, 1, -1, 2, 0, 1]  # images of 100, class-means less scratch
    runs = [run("scratch", s, SCRATCH) for s in range(6)]
    runs += [run("class-means", s, [c + shift for c in SCRATCH]) for s, shift in enumerate(shifts)]
    found = equal_steps("40 steps", runs, 40)
    assert (found.name, found.steps, found.n_pairs) == ("40 steps", 40, 6)
    assert (found.scratch, found.class_means) == (pytest.approx(0.91), pytest.approx(0.91 + 0.03 / 6))
    differences = np.array(shifts) / 100
    tails = ((-0.0015, "greater"), (0.0015, "less"))
    ref = max(scipy_stats.ttest_1samp(differences, end, alternative=side).pvalue for end, side in tails)
    assert found.test.p_value == pytest.approx(ref)
    assert found.test.mean == pytest.approx(0.005)
    # Sorted: -1, 0, 0, 1, 1, 2 images; the median of six and its extremes.
    assert found.difference == Interval(*(pytest.approx(images / 100) for images in (0.5, -1, 2)))


def test_a_run_that_diverged_before_the_step_gets_nothing_right():
    runs = [*study(3)[:5], run("class-means", 2, MEANS[:3], after=0.7, status="diverged")]
    assert equal_steps("20 steps", runs, 20).class_means == pytest.approx(2 * 0.90 / 3)


def test_equal_steps_refuse_what_was_not_looked_at():
    with pytest.raises(ValueError, match="seed 0: was not looked at after step 5"):
        equal_steps("5 steps", study(3), 5)
    held_out = [replace(r, config={**CONFIG, "stop_on": "validation"}) for r in study(3)]
    with pytest.raises(ValueError, match="stops on test"):
        equal_steps("40 steps", held_out, 40)
    with pytest.raises(ValueError, match="number"):
        equal_steps("40 steps", [], 40)


def from_scratch(*curves):
    return [run("scratch", seed, correct, grid=EVERY_STEP) for seed, correct in enumerate(curves)]


def test_matched_targets_stand_where_the_mean_scratch_curve_of_mnist_does():
    # MNIST's mean falls below 70 once more at the 6th step, so it stays there from the 7th, and at 90 from the 9th.
    dip = [10, 20, 40, 60, 70, 69, 80, 85, 90, 91]
    clothes = [5, 9, 20, 30, 40, 45, 51, 60, 65, 66]
    pretrained = run("class-means", 0, MEANS, grid=EVERY_STEP)
    mnist = [*from_scratch(dip, dip), pretrained]
    other = [*from_scratch(clothes, [correct - 1 for correct in clothes], clothes), pretrained]
    # (51 + 50 + 51) / 300 = 0.50667; (65 + 64 + 65) / 300 = 0.64667; 99 is never met.
    assert matched_targets(mnist, other, [0.7, 0.9, 0.99]) == [0.507, 0.647]
    assert matched_targets(mnist, [], [0.7]) == []


def test_a_diverged_run_counts_in_the_mean_curve_as_nothing_right():
    # Two of three runs: the mean at the end is 2/3 of 91, so 60 is met from the 9th step (2/3 of 90) on, 61 never.
    diverged = run("scratch", 2, SCRATCH[:2], status="diverged", grid=EVERY_STEP)
    mnist = [*from_scratch(SCRATCH, SCRATCH), diverged]
    assert matched_targets(mnist, mnist[:1], [0.6, 0.61]) == [0.9]

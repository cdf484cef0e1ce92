"""Resampling of pairs, against every resample of a tiny study written out and against SciPy's bootstrap."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from nnlite.experiment.bootstrap import (
    N_RESAMPLES,
    RatioInterval,
    ratio_interval,
    ratio_of_expected_costs,
    resample_pairs,
)
from nnlite.experiment.stats import Interval


def test_every_resample_draws_as_many_pairs_as_there_are():
    weights = np.concatenate(list(resample_pairs(7, np.random.default_rng(0))))
    assert weights.shape == (N_RESAMPLES, 7)
    assert (weights.sum(axis=1) == 7).all()
    # Each pair is drawn once a resample on average; variance 1 - 1/7, so the mean of 10,000 is within 4 x 0.0093.
    assert np.abs(weights.mean(axis=0) - 1).max() < 4 * math.sqrt(6 / 7 / N_RESAMPLES)


def test_resamples_of_two_pairs_have_the_probabilities_of_two_coins():
    weights = np.concatenate(list(resample_pairs(2, np.random.default_rng(1))))
    shares = [np.mean(weights[:, 0] == times) for times in (0, 1, 2)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.02)


def test_expected_costs_charge_the_spending_of_misses():
    # Pretrained: (60 + 80 + 500) / 2 = 320; scratch: (100 + 100 + 120) / 3.
    reached = [True, True, False]
    found = ratio_of_expected_costs([60, 80, 500], reached, [100, 100, 120], [True] * 3, np.random.default_rng(0))
    assert found.ratio == pytest.approx(320 / (320 / 3))


def test_expected_costs_of_an_arm_without_success_follow_the_rule_of_misses():
    spent, yes, no = [10.0] * 8, [True] * 8, [False] * 8
    found = [
        ratio_of_expected_costs(spent, numerator, spent, denominator, np.random.default_rng(0))
        for numerator, denominator in ((no, yes), (yes, no), (no, no))
    ]
    assert found == [
        RatioInterval(math.inf, math.inf, math.inf, 0.0),
        RatioInterval(0.0, 0.0, 0.0, 0.0),
        RatioInterval(1.0, 1.0, 1.0, 1.0),
    ]


def test_expected_costs_agree_with_scipys_paired_percentile_bootstrap():
    rng = np.random.default_rng(3)
    ours, theirs = rng.normal(80, 8, 60), rng.normal(100, 8, 60)
    yes = [True] * 60
    comp = ratio_of_expected_costs(ours, yes, theirs, yes, np.random.default_rng(4))
    ref = scipy_stats.bootstrap(
        (ours, theirs),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=N_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert (comp.low, comp.high) == pytest.approx((ref.low, ref.high), abs=0.002)  # ends vary by about 0.0005


def test_pairs_are_resampled_together():
    # Costs differ a hundredfold between pairs, but the ratio is 0.7 in each: only unpaired draws would spread it.
    theirs = np.geomspace(1, 100, 20)
    yes = [True] * 20
    found = ratio_of_expected_costs(0.7 * theirs, yes, theirs, yes, np.random.default_rng(0))
    assert found.low == pytest.approx(0.7)
    assert found.high == pytest.approx(0.7)


def test_the_same_generator_gives_the_same_interval():
    rng = np.random.default_rng(6)
    spent = rng.normal(100, 10, (2, 12))
    once, again = (
        ratio_of_expected_costs(spent[0], [True] * 12, spent[1], [True] * 12, np.random.default_rng(9))
        for _ in range(2)
    )
    assert once == again


def test_resamples_in_which_both_arms_missed_are_counted():
    # Pair 0 alone reached, in both arms: a resample misses both if none of n = 6 draws hits it, (5/6)^6 = 0.335.
    reached = [True] + [False] * 5
    found = ratio_of_expected_costs([10] * 6, reached, [10] * 6, reached, np.random.default_rng(0))
    assert found.both_missed_share == pytest.approx((5 / 6) ** 6, abs=0.02)


def test_under_six_pairs_there_is_no_interval():
    found = ratio_of_expected_costs([10] * 5, [True] * 5, [20] * 5, [True] * 5, np.random.default_rng(0))
    assert found == RatioInterval(0.5, None, None, 0.0)


def test_percentile_interval_takes_the_250th_from_either_end_of_ten_thousand():
    ratios = np.random.default_rng(0).permutation(np.arange(1.0, 10_001.0))
    chunks = [(part, np.ones_like(part)) for part in np.split(ratios, 10)]
    assert ratio_interval((1.0, 2.0), chunks, n_pairs=100) == RatioInterval(0.5, 250.0, 9751.0, 0.0)
    # 10,000 x (1 - 0.9) / 2 = 500, though floating point falls short of it.
    assert ratio_interval((1.0, 2.0), chunks, n_pairs=100, confidence=0.9).low == 500.0


def test_resampled_interval_of_six_pairs_matches_all_its_46656_resamples():
    ours, theirs = np.array([5.0, 9, 7, 6, 8, 9]), np.array([10.0, 9, 12, 8, 11, 10])
    every = np.array(list(itertools.product(range(6), repeat=6)))
    exact = np.sort(ours[every].sum(axis=1) / theirs[every].sum(axis=1))
    found = ratio_of_expected_costs(ours, [True] * 6, theirs, [True] * 6, np.random.default_rng(1))
    ends = exact[[round(0.025 * len(exact)), round(0.975 * len(exact))]]
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=0.01)


def test_a_resampled_ratio_turns_into_a_reduction():
    assert RatioInterval(0.75, 0.5, 1.5, 0.0).as_reduction() == Interval(0.25, -0.5, 0.5)


@pytest.mark.parametrize("spent", [[0.0, 1.0], [-1.0, 1.0], [math.inf, 1.0]])
def test_spending_that_is_not_positive_and_finite_is_refused(spent):
    with pytest.raises(ValueError, match="above 0 and finite"):
        ratio_of_expected_costs(spent, [True] * 2, [1, 1], [True] * 2, np.random.default_rng(0))


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"found \[2, 2, 3, 2\]"):
        ratio_of_expected_costs([1, 1], [True] * 3, [1, 1], [True] * 2, np.random.default_rng(0))

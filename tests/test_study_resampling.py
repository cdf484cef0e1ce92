"""Resamples, percentile intervals and the band, against hand counts, every resample of a tiny study, and SciPy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from nnlite.experiment.stats import Interval
from nnlite.study.resampling import (
    N_RESAMPLES,
    RatioInterval,
    ratio_interval,
    ratio_of_expected_costs,
    resamples,
    simultaneous_band,
)


def test_every_question_sees_the_same_resamples():
    assert resamples(7) is resamples(7)
    drawn = np.random.default_rng(2023).integers(7, size=(1_000, 7))
    assert [np.bincount(row, minlength=7).tolist() for row in drawn] == resamples(7)[:1_000].tolist()
    with pytest.raises(ValueError, match="read-only"):
        resamples(7)[0] = 1


def test_every_resample_draws_as_many_pairs_as_there_are():
    weights = resamples(7)
    assert weights.shape == (N_RESAMPLES, 7)
    assert (weights.sum(axis=1) == 7).all()
    # Each pair is drawn once a resample on average; variance 1 - 1/7, so the mean of 10,000 is within 4 x 0.0093.
    assert np.abs(weights.mean(axis=0) - 1).max() < 4 * math.sqrt(6 / 7 / N_RESAMPLES)


def test_expected_costs_charge_the_spending_of_misses():
    # Pretrained: (60 + 80 + 500) / 2 = 320; scratch: (100 + 100 + 120) / 3.
    reached = [True, True, False]
    found = ratio_of_expected_costs([60, 80, 500], reached, [100, 100, 120], [True] * 3)
    assert found.median == pytest.approx(320 / (320 / 3))


def test_expected_costs_of_an_arm_without_success_follow_the_rule_of_misses():
    spent, yes, no = [10.0] * 8, [True] * 8, [False] * 8
    found = [
        ratio_of_expected_costs(spent, numerator, spent, denominator)
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
    comp = ratio_of_expected_costs(ours, yes, theirs, yes)
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


def test_resamples_in_which_both_arms_missed_are_counted():
    # Pair 0 alone reached, in both arms: a resample misses both if none of n = 6 draws hits it, (5/6)^6 = 0.335.
    reached = [True] + [False] * 5
    found = ratio_of_expected_costs([10] * 6, reached, [10] * 6, reached)
    assert found.both_missed_share == pytest.approx((5 / 6) ** 6, abs=0.02)


def test_under_six_pairs_there_is_no_interval_and_no_band():
    assert simultaneous_band([[1.0], [2.0], [3.0], [4.0], [6.0]]) is None
    assert simultaneous_band([[1.0], [2.0], [3.0], [4.0], [6.0], [7.0]]) is not None
    found = ratio_of_expected_costs([10] * 5, [True] * 5, [20] * 5, [True] * 5)
    assert found == RatioInterval(0.5, None, None, 0.0)


def test_percentile_interval_takes_the_250th_from_either_end_of_ten_thousand():
    ratios = np.random.default_rng(0).permutation(np.arange(1.0, 10_001.0))
    costs = ratios, np.ones_like(ratios)
    assert ratio_interval((1.0, 2.0), costs, n_pairs=100) == RatioInterval(0.5, 250.0, 9751.0, 0.0)
    assert RatioInterval(0.75, 0.5, 1.5, 0.0).as_reduction() == Interval(0.25, -0.5, 0.5)


def test_resampled_interval_of_six_pairs_matches_all_its_46656_resamples():
    ours, theirs = np.array([5.0, 9, 7, 6, 8, 9]), np.array([10.0, 9, 12, 8, 11, 10])
    every = np.array(list(itertools.product(range(6), repeat=6)))
    exact = np.sort(ours[every].sum(axis=1) / theirs[every].sum(axis=1))
    found = ratio_of_expected_costs(ours, [True] * 6, theirs, [True] * 6)
    ends = exact[[round(0.025 * len(exact)), round(0.975 * len(exact))]]
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=0.01)


def correlated_studies(n_studies, n_pairs, seed):
    """Studies (n_studies, n_pairs, 8) with mean 0, spreads 1 to 8 and correlation 0.9^distance, as between targets."""
    targets = np.arange(8)
    correlation = 0.9 ** np.abs(targets[:, None] - targets)
    draws = np.random.default_rng(seed).normal(size=(n_studies, n_pairs, 8))
    return draws @ np.linalg.cholesky(correlation).T * (targets + 1)


def test_one_target_of_eight_pairs_has_the_edges_counted_by_hand():
    # Pair 0 has 8, the others 0: mean 1, sd^2 = (7^2 + 7 x 1^2) / 7 = 8, standard error sqrt(8 / 8) = 1.
    # A resample draws pair 0 N times, N ~ Binomial(8, 1/8), and its mean is N: |N - 1| <= 1 has probability 0.9327,
    # |N - 1| <= 2 has 0.9327 + C(8, 3) 7^5 / 8^8 = 0.9888, so c = 2.
    band = simultaneous_band(8.0 * np.eye(8)[:, :1])
    assert (band.mean.tolist(), band.low.tolist(), band.high.tolist()) == ([1.0], [-1.0], [3.0])
    assert band.critical == 2.0


def test_eight_targets_together_need_the_wider_edges_counted_by_hand():
    # The same column once for every pair. Some N_i >= 4 has probability at least 8 x 0.01125 - 28 x 70 / 8^8 = 0.0899,
    # some N_i >= 5 at most 8 x 0.00123 = 0.0098: all |N_i - 1| <= 2 hold in 91.0%, all <= 3 in 99.0%, so c = 3.
    band = simultaneous_band(8.0 * np.eye(8))
    assert band.critical == 3.0
    assert (band.low.tolist(), band.high.tolist()) == ([-2.0] * 8, [4.0] * 8)


def test_critical_value_of_six_pairs_matches_all_their_46656_resamples():
    values = np.array([[5.0, 1, 0], [9, 4, 2], [7, -3, 1], [6, 0, 8], [8, 2, 3], [9, 1, -2]])
    every = values[np.array(list(itertools.product(range(6), repeat=6)))].mean(axis=1)  # (46656, 3)
    error = values.std(axis=0, ddof=1) / math.sqrt(6)
    exact = np.sort((np.abs(every - values.mean(axis=0)) / error).max(axis=1))
    band = simultaneous_band(values)
    assert band.critical == pytest.approx(exact[math.ceil(0.95 * len(exact)) - 1], abs=0.05)
    np.testing.assert_allclose(band.high - band.mean, band.critical * error)
    np.testing.assert_allclose(band.mean - band.low, band.critical * error)


def test_units_of_a_target_scale_its_band_and_no_other():
    study = correlated_studies(1, 12, seed=10)[0]
    factors = np.array([1, 10, 1, 1, 0.5, 1, 1, 1])
    plain, scaled = (simultaneous_band(values) for values in (study, study * factors))
    np.testing.assert_allclose(scaled.low, plain.low * factors)
    np.testing.assert_allclose(scaled.high, plain.high * factors)


def test_a_target_with_equal_values_has_no_width_and_leaves_the_others_alone():
    column = np.random.default_rng(14).normal(size=(9, 1))
    constant = np.full((9, 1), 0.1)  # its floating-point sd is not 0
    alone = simultaneous_band(column)
    both = simultaneous_band(np.hstack([constant, column]))
    assert both.low[0] == both.mean[0] == both.high[0] == pytest.approx(0.1)
    assert (both.low[1], both.high[1], both.critical) == pytest.approx((alone.low[0], alone.high[0], alone.critical))
    none = simultaneous_band([[3.0, -4.0]] * 6)
    assert (none.low.tolist(), none.high.tolist(), none.critical) == ([3.0, -4.0], [3.0, -4.0], 0.0)


def test_the_same_values_give_the_same_band_and_stay_unchanged():
    study = correlated_studies(1, 10, seed=17)[0]
    before = study.copy()
    once, again = (simultaneous_band(study) for _ in range(2))
    assert np.array_equal(once.low, again.low)
    assert np.array_equal(study, before)


@pytest.mark.parametrize(
    ("statistic", "values", "message"),
    [
        (simultaneous_band, ([1.0, 2.0],), r"shape \(2,\)"),
        (simultaneous_band, ([],), r"shape \(0,\)"),
        (simultaneous_band, (np.ones((7, 0)),), r"shape \(7, 0\)"),
        (simultaneous_band, (np.ones((0, 7)),), r"shape \(0, 7\)"),
        (simultaneous_band, ([[1, 2], [3, math.inf]],), "pair 1, target 1 is inf; a mean needs targets that all runs"),
        (simultaneous_band, ([[1, 2], [math.nan, 3]],), "pair 1, target 0 is nan"),
        (ratio_of_expected_costs, ([1, 1], [True] * 3, [1, 1], [True] * 2), r"found \[2, 2, 3, 2\]"),
        *[
            (ratio_of_expected_costs, (spent, [True] * 2, [1, 1], [True] * 2), "above 0 and finite")
            for spent in ([0.0, 1.0], [-1.0, 1.0], [math.inf, 1.0])
        ],
    ],
)
def test_numbers_without_a_mean_are_refused_with_what_was_found(statistic, values, message):
    with pytest.raises(ValueError, match=message):
        statistic(*values)

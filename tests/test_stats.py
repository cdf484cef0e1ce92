"""Ratios, the interval of their median and the sign test, against SciPy; every word of the verdict at its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from nnlite.experiment.stats import (
    Interval,
    article_rank,
    binomial_tail,
    compare,
    interval_ranks,
    median_interval,
    paired_ratios,
    sign_test,
    verdict,
)


def test_a_miss_counts_as_infinite_zero_or_one():
    costs = np.array([math.inf, 50, math.inf, 60, 0.25])
    others = [100, math.inf, math.inf, 80, 0.5]
    assert paired_ratios(costs, others).tolist() == [math.inf, 0.0, 1.0, 0.75, 0.5]
    found = compare(costs, others)
    assert found.reductions == [-math.inf, 1.0, 0.0, 0.25, 0.5]
    assert (found.arm_missed, found.scratch_missed, found.both_missed) == (1, 1, 1)
    assert costs.tolist() == [math.inf, 50, math.inf, 60, 0.25]  # left as they were


@pytest.mark.parametrize(
    ("statistic", "arguments", "message"),
    [
        (paired_ratios, ([1, 2], [1]), "2 numerators, 1 denominators"),
        (paired_ratios, ([], []), "at least one number"),
        (paired_ratios, ([1, math.nan], [1, 1]), "entry 1 is NaN"),
        (paired_ratios, ([0, 1], [1, 1]), "above 0, found 0"),
        (paired_ratios, ([1, 1], [-3, 1]), "above 0, found -3"),
        (paired_ratios, ([[1, 1]], [[1, 1]]), r"shape \(1, 2\)"),
        *[(interval_ranks, (10, share), "confidence must be between 0 and 1") for share in (0, 1, -0.5, 95, math.nan)],
        (median_interval, ([-math.inf, math.inf],), "no median"),
        (sign_test, ([1.0], math.nan), "center is NaN"),
        (verdict, (100, 1.1, 0.1, 0.2), "must"),
        (verdict, (100, -0.1, 0.1, 0.2), "must"),
        (verdict, (100, 0.0, 0.3, 0.2), "must"),
        (verdict, (100, 0.0, math.nan, 0.2), "must"),
    ],
)
def test_impossible_numbers_are_refused_with_what_was_found(statistic, arguments, message):
    with pytest.raises(ValueError, match=message):
        statistic(*arguments)


def test_hundred_pairs_take_the_40th_and_61st_and_ten_the_2nd_and_9th():
    assert interval_ranks(100) == (40, 61)
    assert interval_ranks(10) == (2, 9)
    # n = 6: 2 P(B <= 0) = 2 / 64 = 0.031; n = 5: 2 / 32 = 0.0625 > 0.05.
    assert interval_ranks(6) == (1, 6)
    assert interval_ranks(5) is None
    # n = 2 at 50%: 2 P(B <= 0) = 2 / 4, exactly what is allowed.
    assert interval_ranks(2, 0.5) == (1, 2)


def test_ranks_are_the_narrowest_that_keep_the_confidence():
    for confidence in (0.9, 0.95, 0.99):
        for n_values in range(1, 130):
            ranks = interval_ranks(n_values, confidence)
            rank = 0 if ranks is None else ranks[0]
            coin = scipy_stats.binom(n_values, 0.5)
            assert 2 * coin.cdf(rank - 1) <= 1 - confidence + 1e-12
            assert 2 * coin.cdf(rank) > 1 - confidence
            assert ranks is None or ranks == (rank, n_values + 1 - rank)
            assert float(binomial_tail(n_values, rank)) == pytest.approx(coin.cdf(rank), abs=1e-15)
    assert binomial_tail(7, -1) == 0


def test_median_interval_sorts_a_column_and_reads_two_lines():
    values = np.random.default_rng(1).permutation(np.arange(1, 101))
    assert median_interval(values) == Interval(50.5, 40.0, 61.0)
    assert median_interval(values[values <= 11]) == Interval(6.0, 2.0, 10.0)


def test_under_six_values_there_is_a_median_but_no_interval():
    assert median_interval([3.0, 1.0, 2.0, 5.0, 4.0]) == Interval(3.0, None, None)
    assert median_interval([2.0]) == Interval(2.0, None, None)


def test_infinite_values_sort_last_and_never_become_nan():
    # Ten values: the 2nd and 9th; the 9th is infinite, the middle is (5 + 6) / 2.
    assert median_interval([1, 2, 3, 4, 5, 6, 7, 8, math.inf, math.inf]) == Interval(5.5, 2.0, math.inf)
    assert median_interval([math.inf] * 6) == Interval(math.inf, math.inf, math.inf)
    assert median_interval([0.5, math.inf]).median == math.inf


def test_a_reduction_is_one_minus_the_ratio_with_ends_exchanged():
    assert Interval(0.75, 0.5, math.inf).as_reduction() == Interval(0.25, -math.inf, 0.5)
    assert Interval(0.75, None, None).as_reduction() == Interval(0.25, None, None)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60), st.integers(-6, 6))
def test_sign_test_is_scipys_binomial_test_without_ties(values, center):
    below, above = sum(value < center for value in values), sum(value > center for value in values)
    comp = sign_test(values, center)
    ref = scipy_stats.binomtest(below, below + above, 0.5).pvalue if below + above else 1.0
    assert comp == pytest.approx(ref, rel=1e-12)


@given(st.integers(1, 120), st.integers(0, 2**32 - 1))
def test_sign_test_inverts_the_interval_at_every_gap(n_values, seed):
    values = np.random.default_rng(seed).permutation(n_values).astype(float)
    interval = median_interval(values)
    for center in np.arange(-0.5, n_values):  # below all, in every gap, above all
        inside = interval.low is None or interval.low < center < interval.high
        assert (sign_test(values, center) > 0.05) == inside


# The verdict


def test_a_comparison_is_a_reduction_a_pair_with_its_misses():
    found = compare([70, math.inf, 80, math.inf], [100, 100, math.inf, math.inf])
    assert found.reductions == pytest.approx([0.3, -math.inf, 1.0, 0.0])
    assert (found.arm_missed, found.scratch_missed, found.both_missed, found.n_pairs) == (1, 1, 1, 4)
    assert found.interval.median == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.25, 0.35, "reproduced"),
        (0.28, 0.33, "reproduced"),
        (0.36, 0.46, "larger than claimed"),
        (0.35, 0.45, "saves, size not established"),  # 0.35 is not above 0.35
        (-0.05, 0.05, "no material saving"),
        (0.01, 0.05, "no material saving"),  # though the sign is known: the rule comes before "direction only"
        (-0.04, -0.01, "no material saving"),
        (-0.12, -0.04, "costs more"),
        (-math.inf, -math.inf, "costs more"),  # every pretrained run missed
        (0.02, 0.08, "direction only"),
        (0.16, 0.249, "direction only"),
        (0.20, 0.28, "saves, size not established"),
        (0.16, 0.25, "saves, size not established"),  # 0.25 is not below 0.25
        (0.30, 0.38, "saves, size not established"),
        (1.0, 1.0, "larger than claimed"),  # every scratch run missed
    ],
)
def test_the_first_rule_that_applies_gives_the_word(low, high, word):
    for n_pairs, missed in ((100, 0.0), (20, 0.05)):  # as few pairs, as many missed, as are enough
        found = verdict(n_pairs, missed, low, high)
        assert (found.word, found.reason) == (word, None)
    assert article_rank([0.1, 0.299, 0.31, -math.inf], 0.299) == 2  # strictly below


@pytest.mark.parametrize(
    ("n_pairs", "share", "low", "high", "reason"),
    [
        (10, 0.0, 0.28, 0.33, "10 pairs; 20 needed"),
        (1, 0.0, None, None, "1 pair; 20 needed"),
        (19, 0.5, 0.0, 0.9, "19 pairs; 20 needed"),
        (100, 0.0501, 0.28, 0.33, "both arms missed in 5.01%; at most 5% allowed"),
        (100, 0.0, 0.20, 0.35, "interval 15 points wide; at most 10 allowed"),
        (100, 0.0, 0.2, 0.3004, "interval 10.04 points wide; at most 10 allowed"),
        (100, 0.0, -math.inf, 0.3, "interval inf points wide; at most 10 allowed"),
        (20, 0.0, None, None, "no 95% interval"),
        (100, 0.0, -0.02, 0.07, "the interval leaves open whether anything is saved"),
        (100, 0.0, 0.0, 0.08, "the interval leaves open whether anything is saved"),
        (100, 0.0, -0.04, 0.051, "the interval leaves open whether anything is saved"),
        (100, 0.0, -0.051, 0.04, "the interval leaves open whether anything is saved"),
        (100, 1.0, 0.0, 0.0, "both arms missed in 100%; at most 5% allowed"),
        (100, 0.0, -0.08, 0.0, "the interval leaves open whether anything is saved"),
    ],
)
def test_what_is_not_established_says_why(n_pairs, share, low, high, reason):
    found = verdict(n_pairs, share, low, high)
    assert (found.word, found.reason) == ("not established", reason)


def test_rounding_noise_does_not_decide_at_a_limit():
    assert 1 - 1.05 < -0.05
    assert 0.4 - 0.3 > 0.1
    assert verdict(100, 0.0, 1 - 1.05, 0.01).word == "no material saving"
    assert verdict(100, 0.0, 0.3, 0.4).word == "saves, size not established"


def simulated_verdict(rng, effect, spread, miss_rate):
    """One study of 100 pairs: whole steps, log-normal ratios with median 1 - effect and SD `spread`."""
    scratch = np.rint(rng.normal(1380, 60, 100))  # tenths of a step, so that rounding stays below the effects
    pretrained = np.rint(scratch * (1 - effect) * rng.lognormal(0, spread / (1 - effect), 100))
    scratch[rng.random(100) < miss_rate] = math.inf
    pretrained[rng.random(100) < miss_rate] = math.inf
    return compare(pretrained, scratch).verdict.word


@pytest.mark.parametrize("miss_rate", [0.0, 0.03])
@pytest.mark.parametrize("spread", [0.065, 0.08])
@pytest.mark.parametrize(
    ("effect", "word"), [(0.0, "no material saving"), (0.15, "direction only"), (0.30, "reproduced")]
)
def test_a_planted_effect_is_named_right_in_95_of_100_studies(effect, word, spread, miss_rate):
    rng = np.random.default_rng([20231200, round(1000 * spread), round(100 * effect), round(100 * miss_rate)])
    words = [simulated_verdict(rng, effect, spread, miss_rate) for _ in range(100)]
    assert words.count(word) >= 95


@pytest.mark.parametrize(("low", "high", "sign"), [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (None, None, 0)])
def test_a_sign_is_that_of_the_whole_interval(low, high, sign):
    assert Interval(0.0, low, high).sign == sign

"""Ratios, the exact interval of their median and the sign test, against SciPy and hand-worked numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from nnlite.experiment.stats import (
    Interval,
    binomial_tail,
    compare,
    interval_ranks,
    median_interval,
    paired_ratios,
    sign_test,
)


def test_a_miss_counts_as_infinite_zero_or_one():
    paired = paired_ratios([math.inf, 50, math.inf, 60], [100, math.inf, math.inf, 80])
    assert paired.ratios.tolist() == [math.inf, 0.0, 1.0, 0.75]
    assert (paired.only_numerator_missed, paired.only_denominator_missed, paired.both_missed) == (1, 1, 1)
    assert paired.both_missed_share == 0.25


def test_costs_below_one_are_costs():
    assert paired_ratios([0.25], [0.5]).ratios.tolist() == [0.5]


def test_ratios_leave_their_inputs_unchanged():
    costs = np.array([math.inf, 2.0])
    paired_ratios(costs, costs)
    assert costs.tolist() == [math.inf, 2.0]


@pytest.mark.parametrize(
    ("numerator", "denominator", "message"),
    [
        ([1, 2], [1], "2 numerators, 1 denominators"),
        ([], [], "at least one number"),
        ([1, math.nan], [1, 1], "entry 1 is NaN"),
        ([0, 1], [1, 1], "above 0, found 0"),
        ([1, 1], [-3, 1], "above 0, found -3"),
        ([[1, 1]], [[1, 1]], r"shape \(1, 2\)"),
    ],
)
def test_impossible_costs_are_refused_with_what_was_found(numerator, denominator, message):
    with pytest.raises(ValueError, match=message):
        paired_ratios(numerator, denominator)


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


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, math.nan])
def test_confidence_outside_zero_and_one_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        interval_ranks(10, confidence)


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


def test_a_median_between_opposite_infinities_is_refused():
    with pytest.raises(ValueError, match="no median"):
        median_interval([-math.inf, math.inf])


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


def test_the_interval_covers_the_median_as_often_as_its_ranks_promise():
    # Coverage of the 2nd to 9th of ten is 1 - 22/1024 = 0.9785; 4,000 draws have a standard error of 0.0023.
    draws = np.random.default_rng(2).lognormal(size=(4000, 10))
    intervals = [median_interval(row) for row in draws]
    covered = np.mean([interval.low <= 1.0 <= interval.high for interval in intervals])
    assert abs(covered - 1002 / 1024) < 4 * 0.0023


def test_sign_test_refuses_a_center_that_is_not_a_number():
    with pytest.raises(ValueError, match="center is NaN"):
        sign_test([1.0], math.nan)


def test_binomial_tail_agrees_with_scipy():
    for n_heads in range(-1, 8):
        assert float(binomial_tail(7, n_heads)) == pytest.approx(scipy_stats.binom.cdf(n_heads, 7, 0.5), abs=1e-15)


def test_a_comparison_is_a_reduction_a_pair_with_its_misses():
    found = compare([70, math.inf, 80, math.inf], [100, 100, math.inf, math.inf])
    assert found.reductions == pytest.approx([0.3, -math.inf, 1.0, 0.0])
    assert (found.arm_missed, found.scratch_missed, found.both_missed, found.n_pairs) == (1, 1, 1, 4)
    assert found.interval.median == pytest.approx(0.15)

"""Equivalence, Holm's adjustment and controls, against SciPy and hand-worked numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from nnlite.study.comparisons import Equivalence, equivalence, explained, holm


@pytest.mark.parametrize("n_pairs", [2, 3, 4, 5, 30, 100, 401])
@pytest.mark.parametrize("shift", [0.0, 0.0012, -0.002])
def test_equivalence_is_the_larger_of_scipys_two_one_sided_t_tests(n_pairs, shift):
    rng = np.random.default_rng(n_pairs)
    first, second = 0.9 + rng.normal(shift, 0.003, n_pairs), 0.9 + rng.normal(0, 0.003, n_pairs)
    above = scipy_stats.ttest_1samp(first - second, -0.0015, alternative="greater").pvalue
    below = scipy_stats.ttest_1samp(first - second, 0.0015, alternative="less").pvalue
    comp = equivalence(first, second)
    assert comp.p_value == pytest.approx(max(above, below), rel=1e-9, abs=1e-14)
    assert comp.mean == pytest.approx(np.mean(first - second))


def test_equivalence_at_the_margin_itself_is_rejected_half_the_time():
    # d = 0 and 2, margin 1: mean 1 at the margin, t = 0, so P(T >= 0) = 0.5.
    assert equivalence([0, 2], [0, 0], margin=1) == Equivalence(1.0, 0.5)
    # without spread, only inside the margin
    assert equivalence([0.5, 0.5], [0.25, 0.25], margin=0.5).p_value == 0.0
    assert equivalence([0.5, 0.5], [0.25, 0.25], margin=0.25).p_value == 1.0


@pytest.mark.parametrize(
    ("statistic", "arguments", "message"),
    [
        *[
            (equivalence, (*pairs, margin), "2 or more finite pairs")
            for *pairs, margin in (
                ([1], [1], 1),
                ([1, 2], [1, 2, 3], 1),
                ([1, math.inf], [1] * 2, 1),
                ([1, 2], [1] * 2, 0),
            )
        ],
        *[(holm, (p_values,), "p-values must|at least one") for p_values in ([1.1], [-0.1], [])],
        (explained, ([1, 1], [1]), "expected pairs, found 2 and 1"),
    ],
)
def test_too_few_or_impossible_values_are_refused(statistic, arguments, message):
    with pytest.raises(ValueError, match=message):
        statistic(*arguments)


def test_holm_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04: x4 = 0.02, x3 = 0.03, x2 = 0.06, x1 = 0.04 but never below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]  # they stop at one


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_rejects_exactly_what_the_step_down_rule_rejects(p_values):
    rejected = set()
    for k, i in enumerate(np.argsort(p_values, kind="stable").tolist()):
        if p_values[i] * (len(p_values) - k) > 0.05:  # the first that fails stops the descent
            break
        rejected.add(i)
    assert set(np.flatnonzero(holm(p_values) <= 0.05).tolist()) == rejected


def test_explanation_by_hand():
    # d = 0.75 - control: 0.25 three times, 0, -0.25 once: four of five above -0.05.
    found = explained([0.5, 0.5, 0.5, 0.75, 1.0], [0.75] * 5)
    assert found.difference == 0.25
    assert found.p_explains == (5 + 1) / 32  # four or five heads of five
    assert found.p_worse == 31 / 32  # at least one head of five
    assert (found.low, found.high) == (-0.25, 0.25)  # P(B = 0) = 1 / 32 <= 0.05: the extremes


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_one_sided_tests_invert_their_bounds(n_pairs, seed):
    rng = np.random.default_rng(seed)
    found = explained(0.8 + rng.normal(0.05, 0.05, n_pairs), np.full(n_pairs, 0.8))
    assert (found.p_explains <= 0.05) == (found.low is not None and found.low > -0.05)
    assert (found.p_worse <= 0.05) == (found.high is not None and found.high < -0.05)


def test_a_difference_at_the_margin_counts_for_neither_side():
    found = explained([1.0] * 8, [0.75] * 8, margin=0.25)
    assert (found.p_explains, found.p_worse) == (1.0, 1.0)


def test_misses_of_a_control_count_against_it_and_shared_misses_for_neither():
    found = explained([math.inf] * 6 + [0.8] * 2, [0.8] * 6 + [math.inf] * 2)
    assert (found.difference, found.low, found.high) == (-math.inf, -math.inf, math.inf)
    assert explained([math.inf] * 8, [math.inf] * 8).difference == 0.0

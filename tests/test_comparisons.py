"""Equivalence against SciPy and hand-worked numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from nnlite.experiment.comparisons import Equivalence, equivalence


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


def test_differences_without_spread_are_equivalent_only_inside_the_margin():
    assert equivalence([0.5, 0.5], [0.25, 0.25], margin=0.5).p_value == 0.0
    assert equivalence([0.5, 0.5], [0.25, 0.25], margin=0.25).p_value == 1.0


@pytest.mark.parametrize(
    ("first", "second", "margin"),
    [([1.0], [1.0], 1), ([1, 2], [1, 2, 3], 1), ([1, math.inf], [1, 1], 1), ([1, 2], [1, 1], 0)],
)
def test_equivalence_refuses_too_few_or_impossible_values(first, second, margin):
    with pytest.raises(ValueError, match="2 or more finite pairs"):
        equivalence(first, second, margin)

"""Paired comparisons beside the verdict: the same accuracy, explained by a control, and Holm's adjustment.

Tests of plain numbers, exact or by the t distribution. Left out: which controls there are, and what follows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..experiment.stats import Interval, as_numbers, binomial_tail, median_interval

EQUIVALENCE_MARGIN = 0.0015
"""Accuracies closer than this, 0.15 points, are the same accuracy."""

LEVEL = 0.05
"""Largest adjusted p-value that gives a control its word."""

EXPLAINED_MARGIN = 0.05
"""A control may save this much less than the class means, as a fraction, and still explain their saving."""


@dataclass(frozen=True)
class Equivalence:
    """The mean difference of pairs and the p-value of "not equivalent"; below 0.05 they are equivalent at 95%."""

    mean: float
    p_value: float


def equivalence(first: ArrayLike, second: ArrayLike, margin: float = EQUIVALENCE_MARGIN) -> Equivalence:
    """Test that paired means differ by less than the margin: two one-sided t tests.

    d = first - second, t = (margin -+ mean d) / (sd(d) / sqrt(n)); p is the larger of the two P(T >= t), df = n - 1.

    Parameters
    ----------
    first, second : float64 array (n_pairs,)
        Accuracies at equal real steps, fractions; entry i of both is pair i.
    margin : float
        Above 0, in the same unit.

    Returns
    -------
    Equivalence

    Raises
    ------
    ValueError
        If the lengths differ, there are fewer than 2 pairs, a value is not finite, or the margin is not above 0.

    Source
    ------
    Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987 (two one-sided tests).

    Examples
    --------
    d = 1, -1, 2, 2: mean 1, sd sqrt(2), standard error sqrt(2) / 2; t = (3 - 1) / 0.7071 = 2.828, df = 3.

    >>> round(equivalence([1, -1, 2, 2], [0, 0, 0, 0], margin=3).p_value, 4)
    0.0331
    """
    one, two = as_numbers("first", first), as_numbers("second", second)
    if len(one) != len(two) or len(one) < 2 or not np.isfinite([one, two]).all() or not margin > 0:
        raise ValueError(f"expected 2 or more finite pairs, margin above 0; found {len(one)}, {len(two)}, {margin}")
    differences = one - two
    mean = float(differences.mean())
    distance = margin - abs(mean)  # of the nearer end of the margin: its test has the larger p
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    if error == 0:
        return Equivalence(mean, 0.0 if distance > 0 else 1.0)
    return Equivalence(mean, _student_upper_tail(distance / error, len(differences) - 1))


@dataclass(frozen=True)
class Explanation:
    """How far a control's saving lies from the class means', per pair, and both one-sided tests at the margin.

    `difference` is the median of saving(control) - saving(class-means); `low` and `high` are one-sided 95% bounds
    each, None under 5 pairs, as the tests use them; `interval` is two-sided, to be shown. A small `p_explains` says
    that the control explains the saving, a small `p_worse` that it does not.
    """

    difference: float
    low: float | None
    high: float | None
    p_explains: float
    p_worse: float
    interval: Interval


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust the p-values of a family of tests so that any false rejection stays under the level.

    p sorted ascending: adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)).

    Parameters
    ----------
    p_values : float64 array (n_tests,)
        In [0, 1].

    Returns
    -------
    float64 array (n_tests,)
        In the order given.

    Raises
    ------
    ValueError
        If a p-value lies outside [0, 1] or there is none.

    Source
    ------
    Holm, Scandinavian Journal of Statistics 6, 1979, 65-70.

    Examples
    --------
    0.01 x 3 = 0.03; 0.03 x 2 = 0.06; 0.04 x 1 rises to 0.06.

    >>> holm([0.04, 0.01, 0.03]).tolist()
    [0.06, 0.03, 0.06]
    """
    p = as_numbers("p_values", p_values)
    if p.min() < 0 or p.max() > 1:
        raise ValueError(f"p-values must be in [0, 1], found {p.min()} to {p.max()}")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def judged(tests: Mapping[str, Explanation], n_family: int) -> dict[str, dict[str, Any]]:
    """Give each control its word: it explains the saving, or is worse, if that adjusted p-value is at most LEVEL.

    Both p-values by Holm over the whole family, of which those that have no test count as 1.
    """
    absent = [1.0] * (n_family - len(tests))
    adjusted = [
        holm([*(getattr(test, p) for test in tests.values()), *absent]).tolist() for p in ("p_explains", "p_worse")
    ]
    found = {}
    for arm, p, q in zip(tests, *adjusted, strict=False):
        outcome = "explains" if p <= LEVEL else "worse" if q <= LEVEL else "open"
        found[arm] = {"outcome": outcome, "explains_p": p, "worse_p": q}
    return found


def more_saved(costs: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Return by how much the first ratios of costs lie above the others, pair by pair; two misses differ by nothing."""
    one, two = np.asarray(costs, np.float64), np.asarray(others, np.float64)
    return np.subtract(one, two, out=np.zeros_like(one), where=~(np.isinf(one) & np.isinf(two)))


def explained(control: ArrayLike, class_means: ArrayLike, margin: float = EXPLAINED_MARGIN) -> Explanation:
    """Ask whether a control saves as much as the class means, up to a margin.

    d = saving(control) - saving(class-means) per pair; one-sided sign tests of d > -margin and of d < -margin, each the
    inverse of its order-statistic bound (`low` > -margin exactly when `p_explains` <= 0.05).

    Parameters
    ----------
    control, class_means : float64 array (n_pairs,)
        Ratios to scratch of the same pairs, inf for a miss, as `stats.paired_ratios` gives them.
    margin : float
        How much less the control may save, a fraction.

    Returns
    -------
    Explanation
        p-values before Holm's adjustment. A pair in which both missed has d = 0; a d equal to -margin counts for
        neither side.

    Raises
    ------
    ValueError
        If the lengths differ, there is no pair, or a value is NaN.

    Examples
    --------
    >>> explained([0.80] * 5 + [0.90], [0.79] * 6).p_explains  # 5 of 6 save as much: (1 + 6) / 2^6
    0.109375
    """
    theirs, ours = as_numbers("control", control), as_numbers("class_means", class_means)
    if len(theirs) != len(ours):
        raise ValueError(f"expected pairs, found {len(theirs)} and {len(ours)}")
    differences = more_saved(ours, theirs)  # (1 - theirs) - (1 - ours)
    n_above, n_below = int(np.count_nonzero(differences > -margin)), int(np.count_nonzero(differences < -margin))
    n_pairs = len(differences)
    bound = median_interval(differences, confidence=0.90)  # two one-sided 95% bounds
    return Explanation(
        difference=bound.median,
        low=bound.low,
        high=bound.high,
        p_explains=float(binomial_tail(n_pairs, n_pairs - n_above)),
        p_worse=float(binomial_tail(n_pairs, n_pairs - n_below)),
        interval=median_interval(differences),
    )


def _student_upper_tail(t: float, df: int) -> float:
    """P(T >= t) for a whole number of degrees of freedom: a finite sum (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan2(t, math.sqrt(df))
    sine, cosine = math.sin(angle), math.cos(angle)
    term = cosine if df % 2 else 1.0
    total = 0.0
    for k in range(1 + df % 2, df, 2):  # df even: 1 + c^2/2 + 3/8 c^4 ..; odd: c + 2/3 c^3 ..
        total += term
        term *= cosine * cosine * k / (k + 1)
    inside = 2 / math.pi * (angle + sine * total) if df % 2 else sine * total  # P(-t <= T <= t), odd in t
    return max(0.0, (1 - inside) / 2)

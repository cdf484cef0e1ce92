"""Paired comparisons beside the verdict: same accuracy, explained by a control, and Holm's adjustment.

Place in the data path: stats -> comparisons -> report, where they become the verdict's qualifiers. Exact tests on plain
numbers. Left out: which controls there are, what the verdict says, printing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .stats import as_numbers

EQUIVALENCE_MARGIN = 0.0015
"""Accuracies closer than this, 0.15 points, are the same accuracy."""

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

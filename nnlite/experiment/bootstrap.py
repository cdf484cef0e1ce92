"""Percentile intervals by resampling whole pairs, for ratios of totals that no order statistic bounds.

Place in the data path: beside `stats`, for numbers that exist only over all runs: a mean curve's crossing (`curves`),
spending per success. Both runs of a pair are always drawn together. The caller's Generator is the only randomness.
Left out: records, words, printing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .stats import Interval, as_numbers, interval_ranks, paired_ratios

N_RESAMPLES = 10_000
"""Resamples of pairs behind every percentile interval."""

_CHUNK = 1_000  # resamples held at once: a curve of 865 checks then takes 1,000 x 865 x 8 bytes = 7 MB


@dataclass(frozen=True)
class RatioInterval:
    """A ratio of two arms' totals, its percentile interval, and the share of resamples in which both arms missed."""

    ratio: float
    low: float | None
    high: float | None
    both_missed_share: float

    def as_reduction(self) -> Interval:
        """Turn the ratio into a reduction, 1 - ratio; the ends change places and the point stands as `median`."""
        return Interval(self.ratio, self.low, self.high).as_reduction()


def resample_pairs(n_pairs: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Draw N_RESAMPLES resamples of the pairs, each as how often every pair was drawn.

    A resample's total of any column is then weights @ column, one matrix product for many resamples.

    Parameters
    ----------
    n_pairs : int
        Number of pairs; each resample draws as many, with replacement.
    rng : numpy Generator
        Source of the draws; advanced.

    Returns
    -------
    iterator of float64 array (at most 1,000, n_pairs)
        Whole numbers; every row sums to `n_pairs`.

    Examples
    --------
    >>> chunks = list(resample_pairs(3, np.random.default_rng(0)))
    >>> sum(len(chunk) for chunk in chunks), set(chunks[0].sum(axis=1).tolist())
    (10000, {3.0})
    """
    for start in range(0, N_RESAMPLES, _CHUNK):
        n_rows = min(_CHUNK, N_RESAMPLES - start)
        drawn = rng.integers(n_pairs, size=(n_rows, n_pairs)) + n_pairs * np.arange(n_rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=n_rows * n_pairs).reshape(n_rows, n_pairs).astype(np.float64)


def ratio_interval(
    point: tuple[float, float],
    resampled: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    n_pairs: int,
    confidence: float = 0.95,
) -> RatioInterval:
    """Take a ratio and its percentile interval from both arms' costs in the study and in its resamples.

    With R resamples, the k-th smallest and the k-th largest ratio, k = floor(R (1 - confidence) / 2); a miss is
    infinite and counts as in `paired_ratios`. Order statistics, since an interpolation next to inf would be NaN.

    Parameters
    ----------
    point : tuple of float
        Cost of the numerator and of the denominator over all pairs.
    resampled : sequence of tuple of float64 array (n_rows,)
        The same two costs in every resample, in chunks.
    n_pairs : int
        Pairs in the study.
    confidence : float
        In (0, 1).

    Returns
    -------
    RatioInterval
        `low` and `high` are None where the median would have no interval either (under 6 pairs at 95%): resamples of
        so few pairs repeat each other and look narrower than the truth.

    Source
    ------
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3 (the percentile interval).
    """
    ratio = float(paired_ratios([point[0]], [point[1]]).ratios[0])
    numerators, denominators = (np.concatenate(costs) for costs in zip(*resampled, strict=True))
    paired = paired_ratios(numerators, denominators)
    if interval_ranks(n_pairs, confidence) is None:
        return RatioInterval(ratio, None, None, paired.both_missed_share)
    ordered = np.sort(paired.ratios)
    # In fractions: floating point makes the 500th of 10,000 (90%) the 499th.
    rank = max(1, math.floor(len(ordered) * (1 - Fraction(str(confidence))) / 2))
    return RatioInterval(ratio, float(ordered[rank - 1]), float(ordered[-rank]), paired.both_missed_share)


def ratio_of_expected_costs(
    numerator_spent: ArrayLike,
    numerator_reached: ArrayLike,
    denominator_spent: ArrayLike,
    denominator_reached: ArrayLike,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> RatioInterval:
    """Divide what a success costs in one arm, failures included, by what it costs in the other.

    (sum spent / number reached), one arm over the other. Unlike the median ratio it charges what missed runs spent.

    Parameters
    ----------
    numerator_spent, denominator_spent : float64 array (n_pairs,)
        Finite spending: up to the hit, or the whole budget of a miss.
    numerator_reached, denominator_reached : bool array (n_pairs,)
        Whether the run reached its target.
    rng : numpy Generator
        Source of the resamples.
    confidence : float
        In (0, 1).

    Returns
    -------
    RatioInterval
        An arm without a success costs inf.

    Raises
    ------
    ValueError
        If the lengths differ, there is no pair, or a spending is not positive and finite.

    Examples
    --------
    (70 + 70 + 200) / 2 reached = 170 against (100 + 100 + 100) / 3 reached = 100.

    >>> reached = [True, True, False]
    >>> ratio_of_expected_costs([70, 70, 200], reached, [100] * 3, [True] * 3, np.random.default_rng(0)).ratio
    1.7
    """
    spent = [as_numbers("numerator_spent", numerator_spent), as_numbers("denominator_spent", denominator_spent)]
    reached = [as_numbers("numerator_reached", numerator_reached)]
    reached += [as_numbers("denominator_reached", denominator_reached)]
    lengths = [len(column) for column in spent + reached]
    if len(set(lengths)) > 1:
        raise ValueError(f"every argument needs one entry a pair, found {lengths}")
    for column in spent:
        if column.min() <= 0 or np.isinf(column).any():
            raise ValueError("spending must be above 0 and finite; a miss spends its whole budget")
    table = np.stack(spent + reached, axis=1)  # (n_pairs, 4)

    def per_success(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        totals = weights @ table  # (n_rows, 4)
        costs = np.full((len(totals), 2), np.inf)
        np.divide(totals[:, :2], totals[:, 2:], out=costs, where=totals[:, 2:] > 0)
        return costs[:, 0], costs[:, 1]

    resampled = [per_success(weights) for weights in resample_pairs(len(table), rng)]
    above, below = per_success(np.ones((1, len(table))))
    return ratio_interval((float(above[0]), float(below[0])), resampled, len(table), confidence)

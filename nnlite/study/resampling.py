"""Intervals by resampling whole pairs: of ratios of totals, and one band around means at many targets.

They are for numbers that no order statistic bounds. The same pairs are drawn in every question, so that answers differ
by what is asked alone. Exact intervals of medians are in `experiment.stats`. It knows no records and no words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..experiment.stats import Interval, as_numbers, interval_ranks, paired_ratios

N_RESAMPLES = 10_000
"""Resamples of pairs behind every percentile interval and every band."""

TAIL = N_RESAMPLES // 40
"""Resamples beyond either end of a 95% interval."""

ANALYSIS_SEED = 2023
"""Of the resamples: the same records always give the same report."""

Floats = NDArray[np.float64]


@lru_cache(maxsize=4)  # the numbers of pairs in a report; 10,000 x 192 x 8 bytes = 15 MB
def resamples(n_pairs: int) -> Floats:
    """Draw N_RESAMPLES resamples of the pairs, each as how often every pair was drawn.

    A resample's total of any column is then weights @ column, one matrix product for all resamples.

    Parameters
    ----------
    n_pairs : int
        Number of pairs; each resample draws as many, with replacement.

    Returns
    -------
    float64 array (N_RESAMPLES, n_pairs)
        Whole numbers, read-only; every row sums to `n_pairs`. The same at every call.

    Examples
    --------
    >>> weights = resamples(3)
    >>> weights.shape, set(weights.sum(axis=1).tolist())
    ((10000, 3), {3.0})
    """
    drawn = np.random.default_rng(ANALYSIS_SEED).integers(n_pairs, size=(N_RESAMPLES, n_pairs))
    drawn += n_pairs * np.arange(N_RESAMPLES)[:, None]
    times = np.bincount(drawn.ravel(), minlength=N_RESAMPLES * n_pairs)
    weights = times.reshape(N_RESAMPLES, n_pairs).astype(np.float64)
    weights.flags.writeable = False
    return weights


@dataclass(frozen=True)
class RatioInterval(Interval):
    """A ratio of two arms' totals, as `median`, its percentile interval, and how often both arms missed together."""

    both_missed_share: float  # of resamples


def ratio_interval(point: tuple[float, float], resampled: tuple[Floats, Floats], n_pairs: int) -> RatioInterval:
    """Take a ratio and its 95% percentile interval from both arms' costs in the study and in its resamples.

    The 250th smallest and the 250th largest ratio of 10,000; a miss is infinite and counts as in `paired_ratios`. Order
    statistics, since an interpolation next to inf would be NaN.

    Parameters
    ----------
    point : tuple of float
        Cost of the numerator and of the denominator over all pairs.
    resampled : tuple of float64 array (N_RESAMPLES,)
        The same two costs in every resample.
    n_pairs : int
        Pairs in the study.

    Returns
    -------
    RatioInterval
        `low` and `high` are None where the median would have no interval either (under 6 pairs): resamples of so few
        pairs repeat each other and look narrower than the truth.

    Source
    ------
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3 (the percentile interval).
    """
    ratio = float(paired_ratios([point[0]], [point[1]])[0])
    ordered, both_missed = np.sort(paired_ratios(*resampled)), float(np.isinf(resampled).all(axis=0).mean())
    if interval_ranks(n_pairs) is None:
        return RatioInterval(ratio, None, None, both_missed)
    return RatioInterval(ratio, float(ordered[TAIL - 1]), float(ordered[-TAIL]), both_missed)


def ratio_of_expected_costs(
    numerator_spent: ArrayLike,
    numerator_reached: ArrayLike,
    denominator_spent: ArrayLike,
    denominator_reached: ArrayLike,
) -> RatioInterval:
    """Divide what a success costs in one arm, failures included, by what it costs in the other.

    (sum spent / number reached), one arm over the other. Unlike the median ratio it charges what missed runs spent.

    Parameters
    ----------
    numerator_spent, denominator_spent : float64 array (n_pairs,)
        Finite spending: up to the hit, or the whole budget of a miss.
    numerator_reached, denominator_reached : bool array (n_pairs,)
        Whether the run reached its target.

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
    >>> ratio_of_expected_costs([70, 70, 200], reached, [100] * 3, [True] * 3).median
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

    def per_success(weights: Floats) -> tuple[Floats, Floats]:
        totals = weights @ table  # (n_rows, 4)
        costs = np.full((len(totals), 2), np.inf)
        np.divide(totals[:, :2], totals[:, 2:], out=costs, where=totals[:, 2:] > 0)
        return costs[:, 0], costs[:, 1]

    above, below = per_success(np.ones((1, len(table))))
    point = float(above[0]), float(below[0])
    return ratio_interval(point, per_success(resamples(len(table))), len(table))


@dataclass(frozen=True)
class Band:
    """Means per target with their simultaneous band, mean +- critical x standard error."""

    mean: Floats  # (n_targets,)
    low: Floats  # (n_targets,)
    high: Floats  # (n_targets,)
    critical: float  # standard errors from the mean to either edge, the same at every target


def simultaneous_band(values: ArrayLike) -> Band | None:
    """Bound the means of several targets so that all of them lie inside together: the bootstrapped 95% sup-t band.

    D_t +- c s_t, s_t = sd_t / sqrt(n); c is the 9,500th smallest of max over t of |D*_t - D_t| / s_t in 10,000
    resamples of pairs.

    Parameters
    ----------
    values : float64 array (n_pairs, n_targets)
        One finite number per pair and target, for example steps; a pair's row is always drawn whole.

    Returns
    -------
    Band or None
        None where the median would have no interval either (under 6 pairs). A target with the same value in
        every pair has an edge of zero width and no part in c.

    Raises
    ------
    ValueError
        If `values` is not a table with at least one pair and one target, or an entry is not finite.

    Notes
    -----
    The standard errors only share the width out between targets: a factor common to all of them cancels in c s_t. So
    sd / sqrt(n) gives the band that the standard deviation of the resampled means would give, without its noise. They
    stay fixed over the resamples: studentized ones would divide by 0 where a resample repeats one value. The price is
    a band too narrow for few pairs: of simulated normal studies with eight targets, a 95% band held in 94% at 100
    pairs, 92% at 30, 90% at 20, 86% at 10 and about 73% at 6.

    Source
    ------
    Montiel Olea and Plagborg-Moller, Simultaneous Confidence Bands, J. Applied Econometrics 34, 2019: of all bands
    D +- c s that hold together sup-t is the narrowest. Their plug-in form draws the maximum from the fitted normal
    distribution; here it comes from resamples.

    Examples
    --------
    Half the pairs have -1 and 2, half 1 and 8. A resample's first mean is (2 B - 6) / 6, B ~ Binomial(6, 1/2): within
    +-2/3 in 62 of 64 cases, within +-1/3 in 50. The second target is the first times 3 plus 5.

    >>> band = simultaneous_band([[-1, 2], [1, 8]] * 3)
    >>> band.mean.tolist(), band.low.round(3).tolist(), band.high.round(3).tolist()
    ([0.0, 5.0], [-0.667, 3.0], [0.667, 7.0])
    """
    table = _as_table(values)
    n_pairs = len(table)
    if interval_ranks(n_pairs) is None:
        return None
    mean = table.mean(axis=0)
    varies = np.ptp(table, axis=0) > 0  # not sd > 0: the sd of seven times 0.1 is about 1e-17
    error = np.where(varies, table.std(axis=0, ddof=1), 0.0) / math.sqrt(n_pairs)
    # weights @ share = (D* - D) / s, since a resample's weights sum to n.
    share = (table[:, varies] - mean[varies]) / (n_pairs * error[varies])
    ordered = np.sort(np.abs(resamples(n_pairs) @ share).max(axis=1, initial=0.0))
    critical = float(ordered[-2 * TAIL - 1])  # 9,500 are not above it
    return Band(mean, mean - critical * error, mean + critical * error, critical)


def _as_table(values: ArrayLike) -> Floats:
    """Convert to a float64 array (n_pairs, n_targets) of finite numbers, refusing everything else."""
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"values: expected one row a pair and one column a target, found shape {table.shape}")
    if not np.isfinite(table).all():
        pair, target = (int(index) for index in np.argwhere(~np.isfinite(table))[0])
        found = table[pair, target]
        raise ValueError(f"values: pair {pair}, target {target} is {found}; a mean needs targets that all runs reached")
    return table

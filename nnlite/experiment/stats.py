"""From the costs of paired runs to ratios, an exact interval of their median, its sign test, and the verdict's word.

Place in the data path: records -> costs as plain numbers -> stats -> report. A cost is any positive number
(FLOPs, steps, seconds), `math.inf` for a run that missed its target; nothing is dropped. Left out: reading records,
steps on curves and resampling (the study's), printing (`report`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Interval:
    """A median with its confidence interval; `low` and `high` are None where too few values give none."""

    median: float
    low: float | None
    high: float | None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Both ends; None where there is no interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def sign(self) -> int:
        """1 where all of the interval lies above 0, -1 where all lies below, 0 where neither is known."""
        return 0 if self.low is None or self.high is None else (self.low > 0) - (self.high < 0)

    def as_reduction(self) -> Interval:
        """Turn an interval of ratios into one of reductions, 1 - ratio; the ends change places."""
        low, high = (None if end is None else 1.0 - end for end in (self.high, self.low))
        return Interval(1.0 - self.median, low, high)


@dataclass(frozen=True)
class Comparison:
    """The cost of an arm against scratch, pair by pair, as reductions: 1 - cost(arm) / cost(scratch)."""

    reductions: list[float]  # by seed; -inf where only the arm missed, 1 where only scratch did, 0 where both
    interval: Interval  # of the median reduction
    arm_missed: int
    scratch_missed: int
    both_missed: int

    @property
    def n_pairs(self) -> int:
        """Pairs compared."""
        return len(self.reductions)

    @property
    def n_measured(self) -> int:
        """Pairs of which both runs got there: the only ones whose reduction is a measured number."""
        return self.n_pairs - self.arm_missed - self.scratch_missed - self.both_missed

    @property
    def measured(self) -> bool:
        """Whether any run got to the target; where none did, the reductions are all 0 and say nothing."""
        return self.both_missed < self.n_pairs

    @property
    def n_missed(self) -> int:
        """Runs of either arm that never got there."""
        return self.arm_missed + self.scratch_missed + 2 * self.both_missed

    @property
    def verdict(self) -> Verdict:
        """What the rule says of it."""
        return verdict(self.n_pairs, self.both_missed / self.n_pairs, self.interval.low, self.interval.high)


def paired_ratios(numerator: ArrayLike, denominator: ArrayLike) -> NDArray[np.float64]:
    """Divide the costs of each pair, misses included.

    numerator / denominator; inf if only the numerator missed, 0 if only the denominator did, 1 if both did.

    Parameters
    ----------
    numerator, denominator : float64 array (n_pairs,)
        Positive costs, inf for a miss; entry i of both is pair i.

    Returns
    -------
    float64 array (n_pairs,)
        In [0, inf].

    Raises
    ------
    ValueError
        If the shapes differ, there is no pair, or a cost is NaN, zero or negative.

    Examples
    --------
    >>> paired_ratios([70, math.inf, 80, math.inf], [100, 100, math.inf, math.inf]).tolist()
    [0.7, inf, 0.0, 1.0]
    """
    above, below = as_numbers("numerator", numerator), as_numbers("denominator", denominator)
    if len(above) != len(below):
        raise ValueError(f"pairs need two costs each: {len(above)} numerators, {len(below)} denominators")
    smallest = min(above.min(), below.min())
    if smallest <= 0:
        raise ValueError(f"costs must be above 0, found {smallest}")
    return np.divide(above, below, out=np.ones_like(above), where=np.isfinite(above) | np.isfinite(below))


def interval_ranks(n_values: int, confidence: float = 0.95) -> tuple[int, int] | None:
    """Find which order statistics bound the median: the k-th smallest and the k-th largest.

    k is the largest with 2 P(B <= k - 1) <= 1 - confidence, B ~ Binomial(n, 1/2), compared as whole numbers.

    Parameters
    ----------
    n_values : int
        Number of independent values.
    confidence : float
        In (0, 1); the true coverage is at least this.

    Returns
    -------
    tuple of int
        (k, n + 1 - k), counted from 1; None if even the extremes are not enough (n < 6 at 95%).

    Raises
    ------
    ValueError
        If `confidence` is not strictly between 0 and 1.

    Source
    ------
    Conover, Practical Nonparametric Statistics, 3rd ed., 1999, section 3.2 (confidence interval for a quantile).

    Examples
    --------
    >>> interval_ranks(100), interval_ranks(10), interval_ranks(5)
    ((40, 61), (2, 9), None)
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, found {confidence}")
    outcomes_allowed = (1 - Fraction(str(confidence))) / 2 * 2**n_values
    rank = 0
    outcomes = 1  # ways to draw at most `rank` heads in n tosses
    while outcomes <= outcomes_allowed:
        rank += 1
        outcomes += math.comb(n_values, rank)
    return (rank, n_values + 1 - rank) if rank else None


def median_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Bound the median by order statistics, exactly and without assuming a distribution.

    [x_(k), x_(n+1-k)] with k from `interval_ranks`; a reader checks it by sorting the column.

    Parameters
    ----------
    values : float64 array (n_values,)
        In any order; inf counts as the largest value.
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval
        In the unit of the values.

    Raises
    ------
    ValueError
        If there is no value, one is NaN, or the middle lies between -inf and inf.

    Examples
    --------
    >>> median_interval([7, 8, 6, 9, 7, 8, 10, 7, 5, math.inf])
    Interval(median=7.5, low=6.0, high=10.0)
    >>> median_interval([7, 8, 6])
    Interval(median=7.0, low=None, high=None)
    """
    ordered = np.sort(as_numbers("values", values)).tolist()
    n_values = len(ordered)
    median = (ordered[(n_values - 1) // 2] + ordered[n_values // 2]) / 2
    if math.isnan(median):
        raise ValueError("values: the middle lies between -inf and inf, so there is no median")
    ranks = interval_ranks(n_values, confidence)
    if ranks is None:
        return Interval(median, None, None)
    return Interval(median, ordered[ranks[0] - 1], ordered[ranks[1] - 1])


def compare(arm: ArrayLike, scratch: ArrayLike) -> Comparison:
    """Compare costs of pairs: 1 - arm / scratch of each, and the interval of their median.

    Parameters
    ----------
    arm, scratch : float64 array (n_pairs,)
        Positive costs, inf for a miss; entry i of both is pair i.

    Examples
    --------
    >>> compare([70, math.inf], [100, 100]).reductions
    [0.30000000000000004, -inf]
    """
    costs = as_numbers("arm", arm), as_numbers("scratch", scratch)
    ratios, (missed, scratch_missed) = paired_ratios(*costs), map(np.isinf, costs)
    return Comparison(
        reductions=[1 - ratio for ratio in ratios.tolist()],
        interval=median_interval(ratios).as_reduction(),
        arm_missed=int(np.count_nonzero(missed & ~scratch_missed)),
        scratch_missed=int(np.count_nonzero(scratch_missed & ~missed)),
        both_missed=int(np.count_nonzero(missed & scratch_missed)),
    )


def sign_test(values: ArrayLike, center: float) -> float:
    """Test whether the median of the values is `center`: two-sided, exact.

    p = min(1, 2 P(B <= min(n below, n above))), B ~ Binomial(n below + n above, 1/2).

    Parameters
    ----------
    values : float64 array (n_values,)
        inf allowed; values equal to `center` are dropped.
    center : float
        The median under test; for ratios, 1 means that both arms cost the same.

    Returns
    -------
    float
        The p-value. It inverts `median_interval`: a center that ties with no value has p <= 0.05 exactly when it lies
        outside the 95% interval.

    Raises
    ------
    ValueError
        If there is no value, or a value or the center is NaN.

    Source
    ------
    Conover, Practical Nonparametric Statistics, 3rd ed., 1999, section 3.4 (the sign test).

    Examples
    --------
    Nine of ten lie below 1: 2 (C(10, 0) + C(10, 1)) / 2^10 = 22 / 1024.

    >>> sign_test([0.7, 0.8, 0.6, 0.9, 0.7, 0.8, 0.95, 0.7, 0.5, math.inf], 1.0)
    0.021484375
    """
    numbers = as_numbers("values", values)
    if math.isnan(center):
        raise ValueError("center is NaN")
    n_below, n_above = int(np.count_nonzero(numbers < center)), int(np.count_nonzero(numbers > center))
    return min(1.0, float(2 * binomial_tail(n_below + n_above, min(n_below, n_above))))


def binomial_tail(n_tosses: int, n_heads: int) -> Fraction:
    """Give the exact probability of at most `n_heads` heads in `n_tosses` tosses of a fair coin.

    P(B <= k) = sum of C(n, i) over i = 0 .. k, divided by 2^n.

    Examples
    --------
    >>> binomial_tail(4, 1)
    Fraction(5, 16)
    """
    return Fraction(sum(math.comb(n_tosses, i) for i in range(n_heads + 1)), 2**n_tosses)


def as_numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Convert to a float64 array (n_values,), refusing an empty one, another shape and NaN by `name`."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ValueError(f"{name}: expected at least one number in one dimension, found shape {numbers.shape}")
    if np.isnan(numbers).any():
        raise ValueError(f"{name}: entry {int(np.argmax(np.isnan(numbers)))} is NaN; a miss is written as inf")
    return numbers


# From the interval to the one word that may be said about it: the rule, fixed before any study ran.

MIN_PAIRS = 20
"""Fewer pairs establish nothing."""

MAX_BOTH_MISSED_SHARE = 0.05
"""Largest share of pairs (or resamples) in which both runs may miss."""

MAX_WIDTH = 0.10
"""Widest interval, upper minus lower, that counts as an answer."""

CLAIMED = 0.30
"""The reduction that the article claims."""

CLAIMED_LOW, CLAIMED_HIGH = 0.25, 0.35
"""The claim, 30% less, as a range that the whole interval must lie in."""

IMMATERIAL = 0.05
"""Reductions within +- this are no material saving."""


@dataclass(frozen=True)
class Verdict:
    """The verdict's word, and for "not established" the reason."""

    word: str
    reason: str | None = None


def verdict(n_pairs: int, both_missed_share: float, low: float | None, high: float | None) -> Verdict:
    """Put the 95% interval [low, high] of the reduction into words: the first rule that applies.

    Parameters
    ----------
    n_pairs : int
        Pairs behind the interval.
    both_missed_share : float
        Share of pairs in which both runs missed the target, in [0, 1].
    low, high : float or None
        Interval of 1 - cost(class-means) / cost(scratch), a fraction; None if there is none.

    Returns
    -------
    Verdict
        "not established" (with its reason), "reproduced", "larger than claimed", "no material saving", "costs more",
        "direction only" or "saves, size not established".

    Raises
    ------
    ValueError
        If low is above high, one of them is NaN, or the share is outside [0, 1].

    Examples
    --------
    >>> verdict(100, 0.0, 0.28, 0.33)
    Verdict(word='reproduced', reason=None)
    >>> verdict(10, 0.0, 0.12, 0.27)
    Verdict(word='not established', reason='10 pairs; 20 needed')
    """
    if not 0 <= both_missed_share <= 1:
        raise ValueError(f"both_missed_share must be in [0, 1], found {both_missed_share}")
    if low is not None and high is not None and not low <= high:
        raise ValueError(f"low must not be above high, found [{low}, {high}]")
    if n_pairs < MIN_PAIRS:
        return Verdict("not established", f"{n_pairs} pair{'' if n_pairs == 1 else 's'}; {MIN_PAIRS} needed")
    if both_missed_share > MAX_BOTH_MISSED_SHARE:
        limit = f"at most {100 * MAX_BOTH_MISSED_SHARE:.4g}% allowed"
        return Verdict("not established", f"both arms missed in {100 * both_missed_share:.4g}%; {limit}")
    if low is None or high is None:
        return Verdict("not established", "no 95% interval")
    # Rounding noise must not decide at a limit: 1 - 1.05 is below -0.05 in floating point.
    low, high = round(low, 12), round(high, 12)
    # Both ends -inf (every pretrained run missed) is a width of 0; the subtraction would make it NaN.
    width = 0.0 if low == high else round(high - low, 12)
    if width > MAX_WIDTH:
        limit = f"at most {100 * MAX_WIDTH:.4g} allowed"
        return Verdict("not established", f"interval {100 * width:.4g} points wide; {limit}")
    if low >= CLAIMED_LOW and high <= CLAIMED_HIGH:
        return Verdict("reproduced")
    if low > CLAIMED_HIGH:
        return Verdict("larger than claimed")
    if low >= -IMMATERIAL and high <= IMMATERIAL:
        return Verdict("no material saving")
    if high < 0:
        return Verdict("costs more")
    if low > 0 and high < CLAIMED_LOW:
        return Verdict("direction only")
    if low > 0:
        return Verdict("saves, size not established")
    return Verdict("not established", "the interval leaves open whether anything is saved")


def article_rank(reductions: ArrayLike, value: float) -> int:
    """Count the pairs whose reduction lies below the article's single pair.

    Parameters
    ----------
    reductions : float64 array (n_pairs,)
        1 - ratio of each pair; -inf where only the pretrained run missed.
    value : float
        The article's reduction, a fraction.

    Returns
    -------
    int
        k of "lies above k of these n"; a tie is not below.

    Examples
    --------
    >>> article_rank([0.12, 0.31, 0.20], 0.299)
    2
    """
    return int(np.count_nonzero(as_numbers("reductions", reductions) < value))

"""From the interval of a reduction to the one word that may be said about it.

Place in the data path: stats, bootstrap, curves -> verdict -> report. The rule with its constants, fixed before any
study ran, and the article's rank among the pairs. Left out: how the interval was found, the qualifiers beside the word
(`comparisons`), printing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .stats import as_numbers

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

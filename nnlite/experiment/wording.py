"""How the numbers of a study become words: one place for digits, intervals, misses and the verdict's vocabulary.

Place in the data path: beside `report` and the study's questions, which write with it. A percentage has one
decimal, -inf is a run that never got there, a negative saving says that it cost more. Left out: layout.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

from .config import BASELINE, TREATMENT
from .stats import CLAIMED, CLAIMED_HIGH, CLAIMED_LOW, IMMATERIAL, MAX_WIDTH, MIN_PAIRS, Comparison, Interval

PEOPLE = {BASELINE: "from scratch", TREATMENT: "averages first"}
"""What the two arms of every comparison are called in a table."""

MEANING = {
    "reproduced": f"the whole interval lies between {CLAIMED_LOW:.0%} and {CLAIMED_HIGH:.0%}, around the claimed "
    f"{CLAIMED:.0%}",
    "larger than claimed": f"the whole interval lies above {CLAIMED_HIGH:.0%}",
    "no material saving": f"the whole interval lies within {IMMATERIAL:.0%} of nothing",
    "costs more": "the whole interval lies below nothing saved",
    "direction only": f"something is saved, and less than {CLAIMED_LOW:.0%}: the direction of the claim, not its size",
    "saves, size not established": f"something is saved; part of the interval lies within "
    f"{CLAIMED_LOW:.0%} to {CLAIMED_HIGH:.0%}, which count as the claimed {CLAIMED:.0%}",
    "not established": f"fewer than {MIN_PAIRS} pairs, too many misses, an interval wider than {MAX_WIDTH:.0%}, or one "
    "that leaves the direction open",
}
"""The verdict's words, for people."""

PRICES = {
    "article-2023": "the article's count",
    "flop": "operations",
    "mac": "multiply-adds",
    "torch": "PyTorch's count",
    "3x-forward": "3 x the forward pass",
}
"""Cost models, for people; other measures are called what they are."""

OUTCOMES = {
    "reference": "the averages themselves",
    "explains": "yes",
    "worse": "no",
    "open": "not shown",
    "descriptive": "described only",
}
"""What a control says about the saving; `explains` allows a margin, `study.comparisons` has it."""


def number(fraction: float, digits: int = 1) -> str:
    """Write a fraction in percent without the sign, for a column whose head has it.

    Examples
    --------
    >>> number(0.2214), number(-0.0004), number(-2.5), number(-math.inf)
    ('22.1', '0.0', '-250', 'missed')
    """
    if not math.isfinite(fraction):
        return "missed"
    digits = 0 if abs(fraction) >= 1 else digits  # -250 keeps a column of percentages narrow
    return f"{round(100 * fraction, digits) + 0.0:.{digits}f}"  # + 0.0 turns -0.0 into 0.0


def percent(fraction: float, digits: int = 1) -> str:
    """Write a fraction in percent, with the sign."""
    text = number(fraction, digits)
    return text if text == "missed" else f"{text}%"


def cell(interval: Interval | None, digits: int = 1) -> str:
    """Write an interval of fractions for a table, in percent or in percentage points.

    Examples
    --------
    >>> cell(Interval(0.221, 0.203, 0.246)), cell(Interval(0.2, None, None)), cell(None)
    ('22.1 (20.3 to 24.6)', '20.0 (none)', '-')
    >>> cell(Interval(-2.5, -math.inf, 0.4))
    '-250 (miss to 40.0)'
    """
    if interval is None:
        return "-"
    low, high = interval.low, interval.high
    shown = [number(value, digits) for value in (interval.median, low, high) if value is not None]
    return _with_ends(["miss" if text == "missed" else text for text in shown])  # keeps the column narrow


def times(saved: Interval) -> str:
    """Write a reduction far below nothing as what it is, a multiple.

    Examples
    --------
    >>> times(Interval(-5.49, -5.56, -5.33)), times(Interval(-2.5, -math.inf, 0.4))
    ('6.5 (6.3 to 6.6)', '3.5 (0.6 to miss)')
    """
    values = [saved.median, saved.high, saved.low]
    return _with_ends([f"{1 - v:.1f}" if math.isfinite(v) else "miss" for v in values if v is not None])


def steps_cell(interval: Interval | None) -> str:
    """Write an interval of steps for a table."""
    if interval is None:
        return "-"
    return _with_ends([steps(v) for v in (interval.median, interval.low, interval.high) if v is not None])


def _with_ends(shown: Sequence[str]) -> str:
    """Write a median and, in brackets, the two ends of its interval, or that there are none."""
    middle, *ends = shown
    return f"{middle} ({' to '.join(ends) if len(ends) == 2 else 'none'})"


def ends(low: float, high: float, digits: int = 1) -> str:
    """Write the two ends of a range of reductions as a sentence has them.

    Examples
    --------
    >>> ends(0.203, 0.246), ends(-math.inf, 0.07, 0)
    ('20.3% to 24.6%', 'a miss to 7%')
    """
    return " to ".join(percent(value, digits) if math.isfinite(value) else "a miss" for value in (low, high))


def bounds(interval: Interval) -> str:
    """Write an interval's ends, and which interval it is, as a sentence has them."""
    return f"95% interval {ends(*interval.ends)}" if interval.ends else "too few pairs for a 95% interval"


def no_saving_to_name(
    comparison: Comparison, treated: str = PEOPLE[TREATMENT], baseline: str = PEOPLE[BASELINE]
) -> str | None:
    """Say what was found where the median saving is no number; None where it is one."""
    of_all = f"of {pairs(comparison.n_pairs)}"
    if not comparison.measured:
        return f"No run {of_all} reached the target: nothing was measured"
    if math.isinf(comparison.interval.median):
        return f"In {comparison.arm_missed} {of_all} only {baseline} got there: nothing was saved"
    if comparison.interval.median == 1:
        return f"In {comparison.scratch_missed} {of_all} only {treated} got there: the saving has no number"
    if comparison.n_measured == 0:
        return f"Both runs reached the target in none {of_all}: the saving has no number"
    return None


def saved(interval: Interval, n_pairs: int) -> str:
    """Write a reduction as a sentence has it.

    Examples
    --------
    >>> saved(Interval(0.221, 0.203, 0.246), 100)
    'saved 22.1% (95% interval 20.3% to 24.6%; 100 pairs)'
    >>> saved(Interval(-0.1, -0.12, -0.08), 30)
    'cost 10.0% more (95% interval 8.0% to 12.0%; 30 pairs)'
    """
    if math.isinf(interval.median) and interval.median < 0:
        return f"never got there in most pairs ({bounds(interval)}; {pairs(n_pairs)})"
    if interval.median < 0:
        more = on_top(interval)
        return f"cost {percent(more.median)} more ({bounds(more)}; {pairs(n_pairs)})"
    return f"saved {percent(interval.median)} ({bounds(interval)}; {pairs(n_pairs)})"


def brief(interval: Interval) -> str:
    """Write a reduction in the fewest words that keep its interval.

    Examples
    --------
    >>> brief(Interval(0.221, 0.203, 0.246)), brief(Interval(-0.1, -0.12, 0.01)), brief(Interval(0.2, None, None))
    ('saved 22.1% (20.3% to 24.6%)', 'cost 10.0% more (-1.0% to 12.0%)', 'saved 20.0%')
    """
    cost = -math.inf < interval.median < 0
    of = on_top(interval) if cost else interval
    known = f" ({ends(*of.ends)})" if of.ends else ""
    return f"cost {percent(of.median)} more{known}" if cost else f"saved {percent(of.median)}{known}"


def on_top(reduction: Interval) -> Interval:
    """Return what a reduction says of the costs on top: its negative, and that of its interval's ends."""
    low, high = (None if end is None else -end for end in (reduction.high, reduction.low))
    return Interval(-reduction.median, low, high)


def steps(value: float | None) -> str:
    """Write a number of steps; the half of a median stays, and a miss says so."""
    if value is None or not math.isfinite(value):
        return "missed"
    return f"{value:.1f}" if value % 1 == 0.5 else f"{value:.0f}"


def spread(values: Sequence[float], in_percent: bool = False) -> str:
    """Write the median and the range of steps, or of fractions in percent."""
    shown = [percent(v) if in_percent else steps(v) for v in (statistics.median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def spread_in_percent(fractions: Sequence[float]) -> str:
    """Write the median of fractions in percent, and its range in whole percent.

    Examples
    --------
    >>> spread_in_percent([0.768, 0.8, 0.823])
    '80.0% (77 to 82)'
    """
    low, high = (number(fraction, 0) for fraction in (min(fractions), max(fractions)))
    return f"{percent(statistics.median(fractions))} ({low} to {high})"


def operations(count: float) -> str:
    """Write a number of operations to three digits.

    Examples
    --------
    >>> operations(3_141_592_653), operations(math.inf), operations(1_500)
    ('3.14 billion', 'never', '1,500')
    """
    if not math.isfinite(count):
        return "never"
    for unit, name in ((1e15, "quadrillion"), (1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if count >= unit:
            return f"{count / unit:.{max(0, 2 - int(math.log10(count / unit)))}f} {name}"
    return f"{count:,.0f}"


def p_value(p: float | None) -> str:
    """Write a p-value."""
    return "-" if p is None else "<0.0001" if p < 1e-4 else f"{p:.2g}"


def pairs(n: int) -> str:
    """Write a number of pairs."""
    return f"{n} pair{'' if n == 1 else 's'}"


def several(names: Sequence[str]) -> str:
    """Join names as a sentence has them.

    Examples
    --------
    >>> several(["exemplar"]), several(["flop", "mac", "torch"])
    ('exemplar', 'flop, mac and torch')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def seeds_in_words(seeds: Sequence[int]) -> str:
    """Return rising seeds in words; many gaps are not listed.

    Examples
    --------
    >>> seeds_in_words([3]), seeds_in_words([0, 1, 2, 7]), seeds_in_words(range(0, 100, 2))
    ('seed 3', 'seeds 0-2 and 7', '50 seeds from 0 to 98')
    """
    if not seeds:
        return "no seed"
    gaps = [i for i in range(1, len(seeds)) if seeds[i] != seeds[i - 1] + 1]
    if len(gaps) > 3:
        return f"{len(seeds)} seeds from {seeds[0]} to {seeds[-1]}"
    ends = [(seeds[first], seeds[last - 1]) for first, last in pairwise([0, *gaps, len(seeds)])]
    spans = [str(first) if first == last else f"{first}-{last}" for first, last in ends]
    return f"seed{'' if len(seeds) == 1 else 's'} {several(spans)}"

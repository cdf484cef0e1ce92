"""Dots and bars of a picture: one number with its interval, many numbers of one kind in a strip.

Place in the data path: the figures of the whole study call this beside `drawing`. Reductions are fractions and shown in
percent. Left out: where the numbers come from, curves.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..drawing import GREY, Floats
from ..stats import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARTICLE_SAVED = 0.3
"""What the article says it saved, drawn as a line for comparison."""


def draw_interval(
    axes: Axes, at: float, interval: Interval, colour: str, *, upright: bool = False, hollow: bool = False
) -> None:
    """Draw a median as a dot and its interval as a bar: lying at height `at`, or upright at place `at`.

    What is not finite is drawn up to the edge of the panel, whose limits must be set before.
    """
    edges = axes.get_ylim() if upright else axes.get_xlim()
    low, high = (interval.median if end is None else end for end in (interval.low, interval.high))
    inside = np.clip([low, high], *edges)
    bar: dict[str, Any] = {
        "color": colour,
        "linewidth": 1.2 if hollow else 2.4,
        "zorder": 2.5 if hollow else 3,
        "alpha": 0.8,
    }
    fill = "white" if hollow else colour
    dot: dict[str, Any] = {
        "color": colour,
        "markerfacecolor": fill,
        "markersize": 5.5 if hollow else 7,
        "zorder": 3 if hollow else 4,
    }
    middle = float(np.clip(interval.median, *edges))
    beyond = interval.median != middle
    if upright:
        axes.plot([at, at], inside, "-", **bar)
        axes.plot(at, middle, "v" if beyond else "o", clip_on=False, **dot)
    else:
        axes.plot(inside, [at, at], "-", **bar)
        axes.plot(middle, at, "<" if beyond else "o", clip_on=False, **dot)


def limits(intervals: Sequence[Interval], lowest: float, highest: float = 1.0) -> tuple[float, float]:
    """Return limits of an axis of reductions that hold 0, 30% and every interval, as far as lowest and highest."""
    ends = [end for i in intervals for end in (i.median, i.low, i.high) if end is not None and math.isfinite(end)]
    low, high = min([0.0, *ends]), max([ARTICLE_SAVED, *ends])
    margin = 0.05 * (high - low)
    return max(lowest, low - margin), min(highest, high + margin)


def draw_strip(axes: Axes, values: Sequence[float], height: float, colour: str) -> float:
    """Draw numbers as dots about a height, equal ones side by side, their median as a tall line; return the median.

    Misses, which are infinite, are in the median and have no dot.
    """
    finite = np.array(sorted(value for value in values if math.isfinite(value)), np.float64)
    axes.plot(finite, height + _sideways(finite), "o", color=colour, markersize=4.5, alpha=0.6, markeredgewidth=0)
    median = statistics.median(values)
    if math.isfinite(median):
        axes.plot([median, median], [height - 0.42, height + 0.42], "-", color=colour, linewidth=2.6, zorder=4)
    return median


def _sideways(ordered: Floats) -> Floats:
    """Offsets in +-0.36 that keep dots of a sorted row apart: 0, up, down, further up, .. within each fortieth."""
    if len(ordered) == 0:
        return ordered
    width = (ordered[-1] - ordered[0]) / 40 or 1.0
    bins = np.floor((ordered - ordered[0]) / width).astype(int).tolist()
    rank = [bins[:i].count(b) for i, b in enumerate(bins)]
    offsets = np.array([(r + 1) // 2 * (-1) ** r for r in rank], np.float64)
    return offsets * min(0.12, 0.36 / max(1.0, float(np.abs(offsets).max())))


def percent_along(axes: Axes, upright: bool) -> None:
    """Write reductions in percent on one axis, over a light grid, with lines at nothing and at the article's 30%."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis, line = (axes.yaxis, axes.axhline) if upright else (axes.xaxis, axes.axvline)
    axis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))
    axes.grid(axis="y" if upright else "x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    line(0, color="black", linewidth=1, zorder=1)
    line(ARTICLE_SAVED, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)

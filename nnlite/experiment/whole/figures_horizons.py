"""Picture of other targets: steps saved against the target with the prediction, and what that saves of the operations.

Place in the data path: findings -> figure; nothing is computed. Left out: accuracy curves (`figures`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ...study.targets import PREDICTION_MARGIN, Facts
from .. import drawing
from ..drawing import COLOURS, GREY
from ..stats import Interval
from ..summary import TREATMENT
from ..wording import percent
from . import marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOUR = COLOURS[TREATMENT]
_LOWEST = -1.0  # what costs more than twice as much is drawn at the edge

_WORDS = {
    "held": "the predicted constant head start held",
    "failed": "the prediction of a constant head start failed",
    "open": "a constant head start was predicted, which stays open",
}


def steps_saved_figure(rows: Sequence[Facts], prediction: Facts | None) -> Figure:
    """Draw real steps saved against the target, with the predicted head start, and below it the share saved.

    Parameters
    ----------
    rows : sequence of dict
        At least one.
    prediction : dict or None
        Without it the medians of the rows are drawn.
    """
    means = _means(prediction) if prediction else {}
    shown = {row["target"]: means.get(row["target"], row["steps_saved"]) for row in rows}
    ends = [(target, interval.median) for target, interval in (means or shown).items() if interval is not None]
    title = "Steps that class averages save, by target"
    if len(ends) > 1:
        (first, from_), (last, to) = ends[0], ends[-1]
        title = (
            f"Class averages save {from_:.0f} steps on the way to {percent(first, 0)}, {to:.0f} on the way to "
            f"{percent(last, 0)}"
        )
        title += f": {_WORDS[prediction['outcome']]}" if prediction else ""
    counts = sorted({row["n_pairs"] for row in rows})
    n_pairs = " or ".join(map(str, counts))
    above = (
        "Above, dots: mean steps saved at a target that all runs reached, bars: simultaneous 95% band (sup-t bootstrap "
        f"over pairs); grey: the head start, scratch's mean steps to the accuracy after phase 1, ±"
        f"{PREDICTION_MARGIN:g}; hollow: medians with intervals by order statistics, where a run missed or phase 1 "
        "had been there before. "
        if prediction and prediction["band"]
        else "Above: median steps saved with 95% intervals by order statistics. "
    )
    figure = drawing.framed_figure(
        title,
        f"n = {n_pairs} pairs. {above}Below: median saving, 95% interval by order statistics; full dots: the article's "
        "count, hollow dots: every operation; dashed: the article's 30%. Targets that under 95% of pairs reach have "
        "no dot.",
        (9, 7.2),
    )
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    targets = [row["target"] for row in rows]
    margin = 0.03 * (max(targets) - min(targets)) or 0.01
    top.set_xlim(min(targets) - margin, max(targets) + margin)
    _draw_steps(top, shown, means.keys(), prediction)
    _draw_saved(bottom, rows, 0.12 * margin)
    bottom.set_xticks(targets, [percent(target, 0).rstrip("%") for target in targets])
    bottom.set_xlabel("target: % of the test images right", fontsize=11)
    return figure


def _means(prediction: Facts) -> dict[float, Interval]:
    """Mean steps saved at each target with the band, which is kept for what is left without the head start."""
    band, head_start = prediction["band"], prediction["head_start"]
    if band is None:
        return {}
    edges = zip(prediction["targets"], prediction["steps_saved"], band.low.tolist(), band.high.tolist(), strict=True)
    return {target: Interval(mean, low + head_start, high + head_start) for target, mean, low, high in edges}


def _draw_steps(
    axes: Axes, shown: dict[float, Interval | None], predicted: Collection[float], prediction: Facts | None
) -> None:
    intervals = {target: interval for target, interval in shown.items() if interval is not None}
    ends = [end for i in intervals.values() for end in (i.median, i.low, i.high) if end is not None]
    ends = [0.0, *(end for end in ends if math.isfinite(end))]
    if prediction is not None:
        start = prediction["head_start"]
        ends += [start - PREDICTION_MARGIN, start + PREDICTION_MARGIN]
        axes.axhspan(start - PREDICTION_MARGIN, start + PREDICTION_MARGIN, color="#dddddd", zorder=0)
        axes.axhline(start, color=GREY, linewidth=1.6, zorder=1)
    room = 0.1 * (max(ends) - min(ends))
    axes.set_ylim(min(ends) - room, max(ends) + room)
    for target, interval in intervals.items():
        marks.draw_interval(axes, target, interval, _COLOUR, upright=True, hollow=target not in predicted)
    axes.axhline(0, color="black", linewidth=1, zorder=1)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylabel("real steps saved", fontsize=11)
    if prediction is not None:
        words = f"predicted: the head start of {prediction['head_start']:.0f} steps, ±{PREDICTION_MARGIN:g}"
        # On the left, where no dots are above: fewer steps are saved than predicted.
        edge = axes.get_xlim()[0], prediction["head_start"] + PREDICTION_MARGIN
        drawing.label_beside(axes, words, edge, (4, 3), GREY)


def _draw_saved(axes: Axes, rows: Sequence[Facts], aside: float) -> None:
    pairs = [(row["target"], row["saved"], row["saved_every_operation"]) for row in rows]
    drawn = [i for _, article, every in pairs for i in (article, every) if i is not None]
    axes.set_ylim(marks.limits(drawn, _LOWEST))
    marks.percent_along(axes, upright=True)
    for target, article, every in pairs:
        if every is not None:
            marks.draw_interval(axes, target + aside, every, _COLOUR, upright=True, hollow=True)
        if article is not None:
            marks.draw_interval(axes, target, article, _COLOUR, upright=True)
    axes.set_ylabel("operations saved", fontsize=11)

"""The pictures of the questions: dots and intervals from the facts that `--json` prints, curves and pairs from records.

Each can be read alone: its title is the finding, its caption has n and what the intervals are. What a table says as
well has no picture. Left out: how a picture looks (`experiment.drawing`), accuracy curves and phase 1
(`experiment.figures`); nothing is decided here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..experiment import drawing
from ..experiment.article import PRETRAINED, SAVED_PRINTED, SCRATCH, savings
from ..experiment.config import ARMS, BASELINE, EXPLANATORY, TREATMENT
from ..experiment.costs import ARTICLE, EVERY_OPERATION, cost_at_stop
from ..experiment.drawing import COLOURS, GREY
from ..experiment.figures import accuracy_figure, phase1_figure
from ..experiment.records import RunRecord, paired
from ..experiment.report import TITLES
from ..experiment.stats import Interval
from ..experiment.wording import OUTCOMES, PEOPLE, brief, cell, percent, saved, several
from .comparisons import EXPLAINED_MARGIN
from .estimands import Curves
from .page import facts
from .protocol import BOTH, CLAIM, SETTINGS
from .runs import Study
from .settled import settled_arms
from .targets import PREDICTION_MARGIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Facts = Mapping[str, Any]
"""Facts as JSON has them: None is what is infinite, a miss."""

_CLAIMED, _LOWEST = float(SAVED_PRINTED), -0.4  # of savings: a dashed line; the left end, with arrows for what is lower
_OUTCOME_COLOURS = {"reference": COLOURS[TREATMENT], "explains": "#009E73", "": COLOURS[BASELINE]}
_PREDICTED = {
    "held": "the predicted constant head start held",
    "failed": "the prediction of a constant head start failed",
    "open": "a constant head start was predicted, which stays open",
}
_COLUMNS = ((0, -8, "right"), (1, 8, "left"), (1, 138, "right"), (1, 146, "left"))  # edge, points from it, alignment


def draw_all(folder: str | os.PathLike[str], study: Study) -> list[Path]:
    """Draw what a study has numbers for into a folder, made if missing; return the files' paths, or raise OSError."""
    with drawing.plain_style():
        return drawing.save_all(folder, {f"{name}.png": figure for name, figure in figures(study)})


def figures(study: Study) -> Iterator[tuple[str, Figure]]:
    """Name and draw every picture that a study has numbers for."""
    found = facts(study)
    scratch, averaged = paired(*(study.runs("claim", arm, CLAIM) for arm in BOTH))
    if scratch:
        yield "accuracy", accuracy_figure([*scratch, *averaged])
        yield "pairs", pairs_figure(found["claim"], scratch, averaged)
    if found.get("controls"):
        yield "controls", controls_figure(found["controls"], found.get("flags", []))
    if found.get("settled") and (arms := settled_arms(study)):
        treated, plain = arms
        yield "tuning", tuning_figure(found["settled"], plain, treated)
    if found.get("targets"):
        yield "steps-saved", steps_saved_figure(found["targets"], found["prediction"])
    if phase1 := phase1_figure(study.runs("settings", TREATMENT, SETTINGS["200 epochs"])):
        yield "phase1", phase1


def pairs_figure(claim: Facts, scratch: Sequence[RunRecord], averaged: Sequence[RunRecord]) -> Figure:
    """Draw each pair's two costs against each other, with the lines of equal cost and of 30% less, and the article."""
    n_pairs, article = len(scratch), float(savings()["flops"])
    costs = [[cost_at_stop(run, ARTICLE) / 1e9 for run in pair] for pair in zip(scratch, averaged, strict=True)]
    finite = [pair for pair in costs if math.isfinite(sum(pair))]
    n_missed = sum(math.isinf(cost) for pair in costs for cost in pair)
    where = f"{TITLES.get(claim['dataset'], claim['dataset'])} to {100 * claim['target']:.4g}%"
    figure = drawing.framed_figure(
        f"{where}: class averages made {sum(ours < plain for plain, ours in costs)} of {n_pairs} pairs cheaper, "
        f"{n_pairs - claim['article_rank']} by as much as the article's one pair",
        "A dot is a seed run both ways, by the article's count. The median pair "
        f"{saved(_interval(claim['saved']), n_pairs)}. Cross: the article's single pair, {SCRATCH.real_steps} steps "
        f"against {PRETRAINED.pretrain_epochs} epochs and {PRETRAINED.real_steps} steps. Missed, without a dot: "
        f"{n_missed} run{'' if n_missed == 1 else 's'}.",
        (7, 7.4),
    )
    axes, cross = figure.subplots(), (SCRATCH.flops / 1e9, PRETRAINED.flops / 1e9)
    end = 1.08 * max(value for pair in (cross, *finite) for value in pair)
    axes.set(xlim=(0, end), ylim=(0, end), aspect="equal")
    _bare(axes, "both")
    for slope, words, colour, style in (
        (1.0, "same cost", GREY, "-"),
        (1 - _CLAIMED, f"{_CLAIMED:.0%} less, as claimed", "black", "--"),
    ):
        axes.plot([0, end], [0, slope * end], style, color=colour, linewidth=1)
        along: dict[str, Any] = {"rotation": math.degrees(math.atan(slope)), "rotation_mode": "anchor", "va": "bottom"}
        axes.text(0.3 * end, 0.3 * slope * end, words, color=colour, fontsize=11, **along)
    axes.plot(*np.reshape(finite, (-1, 2)).T, "o", color=COLOURS[TREATMENT], alpha=0.6, markersize=7)
    axes.plot(*cross, "X", color="black", markersize=11, markeredgecolor="white")
    drawing.label_in_corner(axes, f"the article's one pair:\n{100 * article:.1f}% less", cross, False, "black")
    axes.set_xlabel("cost from scratch, 10⁹ operations by the article's count", fontsize=11)
    axes.set_ylabel("cost with class-means pretraining, 10⁹ operations", fontsize=11)
    return figure


def controls_figure(controls: Sequence[Facts], flags: Sequence[Facts]) -> Figure:
    """Draw what the class averages, the controls and every flag save against scratch as a forest, in two groups."""
    groups = {"class averages, and controls of other images or other steps": controls, "no pretraining": flags}
    groups = {title: group for title, group in groups.items() if group}
    rows = [row for group in groups.values() for row in group]
    n_missed = sum(row["saved"][f"{which}_missed"] for row in rows for which in ("arm", "scratch", "both", "both"))
    n_lines = len(rows) + 1.4 * len(groups)
    figure = drawing.framed_figure(
        _controls_title(controls),
        "Saved: median over pairs of 1 - cost(arm) / cost(scratch) at the first look to reach 90%, same seeds, with "
        "its 95% interval by order statistics. Full dots, and the numbers: the article's count; hollow dots: every "
        "dense operation, data and pretraining included. As much: every dense operation counted, at most "
        f"{100 * EXPLAINED_MARGIN:.0f} points less than class-means (one-sided sign test at 5%, Holm over "
        f"{len(EXPLANATORY)}), which does not say why. Arrows: outside the picture. Dashed: the article's 30%. Runs "
        f"that missed the target, each the worst value for its arm: {n_missed}.",
        (13, 1.9 + 0.25 * n_lines),
    )
    axes, height = figure.subplots(), 0.0
    _saved_axis(axes, rows)
    axes.set(xlabel="saved against scratch", ylim=(n_lines - 1.0, -0.7), yticks=[])
    axes.spines["left"].set_visible(False)
    for title, group in groups.items():
        asked = "as much?" if any(row.get("explanation") for row in group) else ""
        _write(axes, height, (title, "saved, % (95%)", "pairs", asked), GREY, "bold")
        for row in group:
            height += 1
            outcome, name = row.get("outcome", ""), row.get("arm") or row["name"]
            colour = _OUTCOME_COLOURS.get(outcome, "black")
            _mark_saved(axes, height, row, colour)
            explains = OUTCOMES[outcome] if row.get("explanation") else ""
            label = f"{name}: {ARMS[name]}" if name in ARMS else name
            _write(axes, height, (label, cell(_both_bills(row)[0]), str(row["n_pairs"]), explains), colour)
        height += 1.4
    return figure


def _controls_title(controls: Sequence[Facts]) -> str:
    """What the averages save by both bills, and what the same averages do under wrong labels."""
    saves = {
        row["arm"]: [drawing.saves_text(interval.median) for interval in _both_bills(row) if interval]
        for row in controls
    }
    title = "What class averages and their controls save"
    if TREATMENT in saves:
        title = "Pretraining on class averages {} by the article's count, {} by all dense operations".format(
            *saves[TREATMENT]
        )
    return f"{title}; under wrong labels it {saves['permuted'][1]}" if "permuted" in saves else title


def tuning_figure(settled: Facts, scratch: Curves, treated: Curves) -> Figure:
    """Draw both tuned arms' accuracy against all operations, around the target."""
    saving = _interval(settled["saved"])
    figure = drawing.framed_figure(
        f"Both arms tuned, class averages first {brief(saving)}: {settled['verdict']['word']}",
        f"Accuracy on {scratch.n_images():,} held-out images against every operation, averaging and pretraining "
        f"included, around the target of {percent(settled['target'])} (dashed). n = {settled['n_pairs']} pairs on "
        "seeds that no search had seen, so the winners' luck in the search is not in it. "
        f"{drawing.band_words(len(scratch))} Labels: where the mean is first at the target. Title: "
        "the median over pairs at the third look in a row at the target.",
        (9, 5.6),
    )
    axes = figure.subplots()
    drawing.percent_axes(axes)
    ends = []
    for arm, curves in ((BASELINE, scratch), (TREATMENT, treated)):
        spent, accuracy = curves.spent(EVERY_OPERATION) / 1e9, curves.correct() / curves.n_images()
        lines = [drawing.Curve(x, y) for x, y in zip(spent, accuracy, strict=True)]
        mean = drawing.draw_curves(axes, lines, len(lines), COLOURS[arm])
        first = int(np.argmax(mean.accuracy >= settled["target"]))
        ends.append(float(mean.x[first]))
        place = (mean.x[first], mean.accuracy[first])
        words = f"{PEOPLE[arm]}: {mean.x[first]:.2f} billion"
        drawing.label_in_corner(axes, words, place, arm == BASELINE, COLOURS[arm])
    axes.axhline(settled["target"], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xlim(0.4 * min(ends), 1.8 * max(ends))
    axes.set_ylim(settled["target"] - 0.1, settled["target"] + 0.04)
    axes.set_xlabel("operations, billion", fontsize=11)
    axes.set_ylabel("accuracy", fontsize=11)
    return figure


def steps_saved_figure(rows: Sequence[Facts], prediction: Facts | None) -> Figure:
    """Draw the steps and the operations that are saved to every target, with the predicted head start."""
    means = _means(prediction) if prediction else {}
    medians = {row["target"]: _interval(row["steps_saved"]) for row in rows if row["steps_saved"]}
    title, ends = "Steps that class averages save, by target", list((means or medians).items())
    if len(ends) > 1:
        (first, to_first), (last, to_last) = ends[0], ends[-1]
        title = f"Class averages save {to_first.median:.0f} steps on the way to {percent(first, 0)}, "
        title += f"{to_last.median:.0f} on the way to {percent(last, 0)}"
        title += f": {_PREDICTED[prediction['outcome']]}" if prediction else ""
    figure = drawing.framed_figure(
        title,
        f"n = {several(sorted({str(row['n_pairs']) for row in rows}))} pairs. Left, full dots: mean steps saved to a "
        "target that all runs reached, with one 95% band for all (sup-t bootstrap over pairs); hollow: medians with "
        "intervals by order statistics, where there is no band, a run missed or phase 1 had been there before; grey: "
        f"the head start, scratch's mean steps to the accuracy after phase 1, ±{PREDICTION_MARGIN:g}. Right: median "
        "saving with its 95% interval by order statistics; full dots: the article's count, hollow dots: every "
        "dense operation; dashed: the article's 30%. Steps saved rise with the target, but scratch's own steps rise "
        "faster, so the share falls. Targets that under 95% of pairs reach have no dot.",
        (10, 2.4 + 0.34 * len(rows)),
    )
    left, right = figure.subplots(1, 2, sharey=True)
    left.set(xlabel="real steps saved", ylabel="target", ylim=(len(rows) - 0.4, -0.6))
    left.set_yticks(range(len(rows)), [percent(row["target"], 0) for row in rows])
    shown = [means.get(row["target"], medians.get(row["target"])) for row in rows]
    band: tuple[float, ...] = ()
    if prediction:
        start = prediction["head_start"]
        band = start - PREDICTION_MARGIN, start + PREDICTION_MARGIN
        left.axvspan(*band, color="#dddddd", zorder=0)
        left.axvline(start, color=GREY, linewidth=1.6, zorder=1)
        left.set_title(f"grey: predicted, the head start of {start:.0f} steps", loc="left", fontsize=11, color=GREY)
    _fit(left, shown, *band)
    _saved_axis(right, rows)
    right.set_xlabel("operations saved")
    for height, (row, steps) in enumerate(zip(rows, shown, strict=True)):
        _mark(left, height, steps, COLOURS[TREATMENT], hollow=row["target"] not in means)
        _mark_saved(right, height, row, COLOURS[TREATMENT])
    return figure


def _means(prediction: Facts) -> dict[float, Interval]:
    """Mean steps saved at each target with the band, which is kept for what is left without the head start."""
    band, start = prediction["band"], prediction["head_start"]
    if band is None:
        return {}
    found = zip(prediction["targets"], prediction["steps_saved"], band["low"], band["high"], strict=True)
    return {target: Interval(mean, low + start, high + start) for target, mean, low, high in found}


def _both_bills(row: Facts) -> list[Interval | None]:
    """What a row says is saved, by the article's count and by every operation; None where it says nothing."""
    found = (row["saved"], row["saved_every_operation"])
    return [_interval(saving.get("interval", saving)) if saving else None for saving in found]


def _interval(found: Facts) -> Interval:
    """Read an interval back; a single end that is None is infinite, both are where there are too few pairs."""
    median, low, high = found["median"], found["low"], found["high"]
    if (low is None) != (high is None):
        low, high = -math.inf if low is None else low, math.inf if high is None else high
    return Interval(-math.inf if median is None else median, low, high)


def _mark(axes: Axes, height: float, interval: Interval | None, colour: str, hollow: bool = False) -> None:
    """Draw a median as a dot and its interval as a bar, both up to the edges that the panel has now."""
    if interval is None:
        return
    low, high = (interval.median if end is None else end for end in (interval.low, interval.high))
    x = np.clip([low, interval.median, high], *axes.get_xlim())
    shape = "o" if x[1] == interval.median else "<" if interval.median < x[1] else ">"
    size, width, order = (5.5, 1.2, 3) if hollow else (7, 2.4, 4)
    style: dict[str, Any] = {"color": colour, "linewidth": width, "markersize": size, "zorder": order}
    fill = "white" if hollow else colour
    axes.plot(x, [height] * 3, f"{shape}-", markevery=[1], markerfacecolor=fill, clip_on=False, **style)


def _mark_saved(axes: Axes, height: float, row: Facts, colour: str) -> None:
    """Draw what a row saves: a full dot by the article's count, a hollow one below it by every operation."""
    article, every = _both_bills(row)
    _mark(axes, height + 0.2, every, colour, hollow=True)
    _mark(axes, height - 0.08, article, colour)


def _saved_axis(axes: Axes, rows: Sequence[Facts]) -> None:
    """Lay out a panel of what rows save, in percent, with the article's 30%."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    _fit(axes, [interval for row in rows for interval in _both_bills(row)], _CLAIMED)
    axes.set_xlim(left=max(_LOWEST, axes.get_xlim()[0]))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
    axes.axvline(_CLAIMED, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)


def _fit(axes: Axes, intervals: Sequence[Interval | None], *also: float) -> None:
    """Fit a panel to all that is finite of intervals, to nothing saved, and to what else it shows."""
    numbers = [number for i in intervals if i for number in (i.median, i.low, i.high) if number is not None]
    numbers = [0.0, *also, *filter(math.isfinite, numbers)]
    room = 0.05 * (max(numbers) - min(numbers))
    axes.set_xlim(min(numbers) - room, max(numbers) + room)
    axes.axvline(0, color="black", linewidth=1, zorder=1)
    _bare(axes, "x")


def _bare(axes: Axes, grid: Literal["x", "both"]) -> None:
    """Leave of a panel's frame what a reader needs, over a light grid."""
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _write(axes: Axes, height: float, texts: Sequence[str], colour: str, weight: str = "normal") -> None:
    """Write a line of a forest: label to its left; saving, pairs and outcome to its right."""
    for text, (edge, points, ha) in zip(texts, _COLUMNS, strict=True):
        style: dict[str, Any] = {"color": colour, "fontsize": 9.5, "fontweight": weight, "ha": ha, "va": "center"}
        style |= {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
        axes.annotate(text, (edge, height), (points, 0), **style)

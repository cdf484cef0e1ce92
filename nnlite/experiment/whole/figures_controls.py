"""Pictures of what else saves: the forest of all arms and of single flags, and the saving against the learning rate.

Place in the data path: findings -> figures; nothing is computed. Left out: the two cells (`figures_cells`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...study.comparisons import EXPLAINED_MARGIN
from ...study.controls import Control, Setting
from .. import drawing
from ..config import ARMS, EXPLANATORY
from ..drawing import COLOURS, GREY
from ..summary import BASELINE, TREATMENT, Comparison
from ..wording import OUTCOMES, cell, n_missed, several, steps
from . import marks
from .protocol import RATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OTHER = "#000000"
_EXPLAINS = "#009E73"
_LOWEST = -0.4  # left end of a forest: what costs more is drawn at the edge


class _Row(NamedTuple):
    label: str
    saved: Comparison
    every: Comparison
    colour: str
    outcome: str


def controls_figure(controls: Sequence[Control], descriptive: Sequence[Control], flags: Sequence[Setting]) -> Figure:
    """Draw the saving of every arm and flag against scratch as a forest, in three groups.

    Parameters
    ----------
    controls : sequence of Control
        Class-means first, then the explanatory ones.
    descriptive : sequence of Control
    flags : sequence of Setting
    """
    groups = {
        "class averages and the controls that may explain them": [_row(control) for control in controls],
        "other arms, only described": [_row(control) for control in descriptive],
        "no pretraining, one flag changed": [
            _Row(flag.name, flag.saved, flag.saved_every_operation, COLOURS[BASELINE], "") for flag in flags
        ],
    }
    groups = {title: rows for title, rows in groups.items() if rows}
    n_lines = sum(len(rows) + 1.4 for rows in groups.values())
    missed = sum(n_missed(row.saved) for rows in groups.values() for row in rows)
    figure = drawing.framed_figure(
        _controls_title(controls),
        "Saved: median over pairs of 1 - cost(arm) / cost(scratch) at the first look to reach 90%, same seeds, with "
        "its 95% interval by order statistics. Full dots, and the numbers: the article's count; hollow dots: every "
        "operation, data and pretraining included. An arm explains the saving if, every operation counted, it saves at "
        f"most {100 * EXPLAINED_MARGIN:.0f} points less than class-means (one-sided sign test at 5%, Holm over "
        f"{len(EXPLANATORY)}); the rest is not tested. Arrows: outside the picture. Dashed: the article's 30%. Runs "
        f"that missed the target, each the worst value for its arm: {missed}.",
        (13, 1.9 + 0.25 * n_lines),
    )
    words, axes, numbers = figure.subplots(1, 3, sharey=True, width_ratios=(12, 10, 8))
    rows = [row for group in groups.values() for row in group]
    axes.set(xlim=marks.limits([c.interval for row in rows for c in (row.saved, row.every)], _LOWEST))
    axes.set(ylim=(n_lines - 1.0, -0.7), yticks=[])
    axes.spines["left"].set_visible(False)
    words.set_axis_off()
    numbers.set_axis_off()
    marks.percent_along(axes, upright=False)
    axes.set_xlabel("saved against scratch", fontsize=11)
    height = 0.0
    for title, group in groups.items():
        asked = "explains it?" if any(row.outcome for row in group) else ""
        _write(words, numbers, height, (title, "saved, % (95%)", "pairs", asked), GREY, "bold")
        for row in group:
            height += 1
            marks.draw_interval(axes, height + 0.22, row.every.interval, row.colour, hollow=True)
            marks.draw_interval(axes, height - 0.08, row.saved.interval, row.colour)
            texts = row.label, cell(row.saved.interval), f"{row.saved.n_pairs}", row.outcome
            _write(words, numbers, height, texts, row.colour, "normal")
        height += 1.4
    return figure


def rate_figure(reference: Control, scratch_steps: float, settings: Sequence[Setting]) -> Figure | None:
    """Draw the saving of class-means against the learning rate; None without a second rate.

    Parameters
    ----------
    reference : Control
        Class-means at the preset's rate.
    scratch_steps : float
        Median of scratch at that rate.
    settings : sequence of Setting
        Those of other rates are found by their names, "rate x 2".
    """
    named = {setting.name: setting for setting in settings}
    others = [(RATES[factor], named[f"rate x {factor:g}"]) for factor in RATES if f"rate x {factor:g}" in named]
    if not others:
        return None
    preset = Setting(TREATMENT, reference.n_pairs, scratch_steps, reference.saved, reference.saved_every_operation)
    points = [(RATES[1.0], preset), *others]
    (first, low), (last, high) = points[0], points[-1]
    missed = sum(n_missed(setting.saved) for _, setting in points)
    figure = drawing.framed_figure(
        f"Described only: pretraining on class averages {drawing.saves_text(low.saved.interval.median)} at learning "
        f"rate {first.learning_rate:g} ({low.n_pairs} pairs), {drawing.saves_text(high.saved.interval.median)} at "
        f"{last.learning_rate / first.learning_rate:g} times that rate ({high.n_pairs} pairs)",
        "Both arms at the same rate. Saved: median over pairs of 1 - cost(class-means) / cost(scratch) at the first "
        "look that reaches 90%, bars: its 95% interval by order statistics; below each rate: pairs, and scratch's "
        "median steps. Full dots: the article's count; hollow dots: every operation. Dashed: the article's 30%. "
        f"The first is the preset: {drawing.setting(first.to_record(784, 10))} Runs that missed the target: {missed}.",
        (8, 5.2),
    )
    axes = figure.subplots()
    axes.set_xscale("log")
    intervals = [c.interval for _, setting in points for c in (setting.saved, setting.saved_every_operation)]
    axes.set(xlim=(0.75 * first.learning_rate, 1.4 * last.learning_rate), ylim=marks.limits(intervals, _LOWEST))
    marks.percent_along(axes, upright=True)
    for config, setting in points:
        every, article = setting.saved_every_operation.interval, setting.saved.interval
        marks.draw_interval(axes, 1.03 * config.learning_rate, every, COLOURS[TREATMENT], upright=True, hollow=True)
        marks.draw_interval(axes, config.learning_rate, article, COLOURS[TREATMENT], upright=True)
    labels = [f"{c.learning_rate:g}\n{s.n_pairs} pairs\nscratch: {steps(s.scratch_steps)} steps" for c, s in points]
    axes.set_xticks([config.learning_rate for config, _ in points], labels)
    axes.set_xticks([], minor=True)
    axes.set_xlabel("learning rate of both arms", fontsize=11)
    axes.set_ylabel("saved against scratch", fontsize=11)
    return figure


def _controls_title(controls: Sequence[Control]) -> str:
    explaining = [control.arm for control in controls if control.outcome == "explains"]
    means = [
        f"{drawing.saves_text(c.saved.interval.median)} by the article's count, "
        f"{drawing.saves_text(c.saved_every_operation.interval.median)} when every operation counts"
        for c in controls
        if c.arm == TREATMENT
    ]
    title = f"Pretraining on class averages {means[0]}; " if means else ""
    if explaining:
        return f"{title}{several(explaining)} explain{'s' if len(explaining) == 1 else ''} it"
    n_tested = sum(control.arm in EXPLANATORY for control in controls)
    return f"{title}none of {n_tested} controls is shown to explain it"


def _row(control: Control) -> _Row:
    colour = {"reference": COLOURS[TREATMENT], "explains": _EXPLAINS}.get(control.outcome, _OTHER)
    outcome = "" if control.outcome in ("reference", "descriptive") else OUTCOMES[control.outcome]
    label = f"{control.arm}: {ARMS[control.arm]}" if control.arm in ARMS else control.arm
    return _Row(label, control.saved, control.saved_every_operation, colour, outcome)


def _write(
    words: Axes, numbers: Axes, height: float, texts: tuple[str, str, str, str], colour: str, weight: str
) -> None:
    """Write a line of the table: label to the left of the forest; saving, pairs and outcome to its right."""
    for axes, x, text, ha in zip((words, *(numbers,) * 3), (1, 0, 0.67, 0.71), texts, ("right", *_LEFT), strict=True):
        style: dict[str, Any] = {"ha": ha, "va": "center", "color": colour, "fontsize": 9.5, "fontweight": weight}
        axes.text(x, height, text, transform=axes.get_yaxis_transform(), **style)


_LEFT = ("left", "right", "left")

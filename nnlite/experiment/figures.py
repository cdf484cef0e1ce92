"""Three pictures of a study: the class averages, accuracy against what it cost, and phase 1 alone.

Place in the data path: records (and, for the averages, the data set) -> PNG files. Nothing is trained, and no
statistic decided: costs and medians are the report's. How a picture looks is in `drawing`. Left out: controls, other
targets.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets import Dataset
from . import drawing
from .article import ACCURACY_AFTER_PRETRAIN_PRINTED, PRETRAINED
from .config import ConfigError
from .drawing import COLOURS, Curve, Floats
from .records import RunRecord
from .report import TITLES
from .summary import TREATMENT, WHOLE_BILL, cost

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DIVERGED = "diverged"
_MOST_CLASSES = 50  # averages drawn: a picture of more would be one that nobody can look at


class NoCurves(ValueError):
    """Records without accuracy curves: exact decisions keep none."""


def draw_all(
    folder: str | os.PathLike[str], records: Sequence[RunRecord], load_dataset: Callable[[], Dataset]
) -> list[Path]:
    """Draw every picture that the records have numbers for, each file replaced whole.

    Parameters
    ----------
    folder : str or path-like
        Made if missing.
    records : sequence of RunRecord
        Of one study, with full evaluations.
    load_dataset : function without arguments
        Returns the data set of the study; asked once, for the pixels of the averages.

    Returns
    -------
    list of Path
        averages.png, accuracy.png and, if a run was pretrained, phase1.png.

    Raises
    ------
    NoCurves
        No record holds checks.
    ConfigError
        The data set is not the one of the records.
    OSError
        A file cannot be written.
    """
    with drawing.plain_style():
        figures = {"accuracy.png": accuracy_figure(records), "phase1.png": phase1_figure(records)}
        dataset, of = load_dataset(), records[0].dataset
        if dataset.sha256 != of["sha256"]:
            raise ConfigError(f"--figures: the records are of {of['name']}; name its data with --dataset")
        figures = {"averages.png": averages_figure(dataset, records[0].config["stop_on"]), **figures}
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, figure in figures.items():
            if figure is not None:
                drawing.save_png(figure, target / name)
                paths.append(target / name)
    return paths


def averages_figure(dataset: Dataset, stop_on: str = "test") -> Figure:
    """Draw the average image of every class of the training images, five in a row.

    Parameters
    ----------
    dataset : Dataset
    stop_on : str
        "validation" adds to the caption that a run averages only what its split leaves.
    """
    from ..prototypes import class_means, counts_per_class  # compiles kernels; the other pictures need none

    n_classes = dataset.n_classes
    means = class_means(dataset.train_images, dataset.train_labels, n_classes)
    counts = counts_per_class(dataset.train_labels, n_classes)
    title = f"{_title(dataset.name)}: the {n_classes} class averages, all that phase 1 is trained on"
    if n_classes > _MOST_CLASSES:
        title = f"{_title(dataset.name)}: class averages 0 to {_MOST_CLASSES - 1} of {n_classes}"
    low, high = float(means.min()), float(means.max())
    caption = (
        f"Each is the mean of all training images of one class. One grey scale: black {low:.2g} to white {high:.2g}."
    )
    if stop_on == "validation":
        caption += " In a run that stops on validation images, those are left out of the averages."
    n_rows = -(-min(n_classes, _MOST_CLASSES) // 5)
    figure = drawing.framed_figure(title, caption, (9, 0.9 + 2.1 * n_rows))
    panels = figure.subplots(n_rows, 5, squeeze=False).ravel()
    height = dataset.image_shape[0] if len(dataset.image_shape) > 1 else 1
    for axes in panels:
        axes.set_axis_off()
    for label, axes in enumerate(panels[:n_classes]):
        axes.imshow(means[label].reshape(height, -1), cmap="gray", vmin=low, vmax=high)
        words = f"class {label}\n{counts[label]:,} images"
        axes.text(0.5, -0.03, words, transform=axes.transAxes, ha="center", va="top", fontsize=11)
    return figure


def accuracy_figure(records: Sequence[RunRecord]) -> Figure:
    """Draw accuracy against steps and against cumulative operations, both arms, with the target and its median hit.

    Parameters
    ----------
    records : sequence of RunRecord
        Runs of other arms are passed over.

    Raises
    ------
    NoCurves
        No record of the two arms holds checks.
    """
    arms = {arm: [record for record in records if record.arm == arm and record.checks] for arm in COLOURS}
    arms = {arm: runs for arm, runs in arms.items() if runs}
    if not arms:
        raise NoCurves("these records hold no curves: run with --evaluate full")
    first = next(iter(arms.values()))[0]
    config, target = first.config, f"{100 * first.config['target']:.4g}%"
    n_runs = max(map(len, arms.values()))
    diverged = _diverged([run for runs in arms.values() for run in runs])
    numbers = ", ".join(f"{len(runs)} {arm}" for arm, runs in arms.items())
    caption = (
        f"{_setting(config)} Runs: {numbers}. {drawing.band_words(n_runs)}{diverged} Dashed: the "
        "target; dots: the median over runs of the first check that reaches it. Operations: cost model flop, dense, a "
        "multiply-add is two; scaling and averaging of images, pretraining and training are in, evaluation is not."
    )
    title = f"{_title(first.dataset['name'])}: what it costs to reach {target}"
    if len(arms) == len(COLOURS):
        title += ", from scratch and after pretraining on class averages"
    figure = drawing.framed_figure(title, caption, (10, 5.4))
    left, right = figure.subplots(1, 2, sharey=True)
    billed = cost("flop", WHOLE_BILL)
    _draw_panel(left, arms, _steps, lambda run: run.steps_to_target or math.inf, "median: step {:g}")
    _draw_panel(right, arms, lambda run: spending(run) / 1e9, lambda run: billed(run) / 1e9, "median: {:.3g} × 10⁹")
    left.set_xlabel("steps on real images, phase 1 not included", fontsize=11)
    right.set_xlabel("10⁹ operations so far, phase 1 included", fontsize=11)
    left.set_ylabel(f"accuracy on {first.n_checked:,} {config['stop_on']} images", fontsize=11)
    return figure


def phase1_figure(records: Sequence[RunRecord]) -> Figure | None:
    """Draw phase 1 alone, accuracy on the averages and on the images that stop the run; None if no run has epochs."""
    runs = [run for run in records if run.arm == TREATMENT and run.pretrain_checks and run.pretrain_epochs > 0]
    if not runs:
        return None
    first, colour = runs[0], COLOURS[TREATMENT]
    n_own = first.passes["pretrain"]["images_forward"] // first.pretrain_epochs
    figure = drawing.framed_figure(
        f"{_title(first.dataset['name'])}: phase 1 alone, training on {n_own} class averages",
        f"{_setting(first.config)} n = {len(runs)} runs. {drawing.band_words(len(runs))}{_diverged(runs)}",
        (8, 5.2),
    )
    axes = figure.subplots()
    curves = [_curve(run, run.pretrain_checks, 2, n_own) for run in runs]
    own = drawing.draw_curves(axes, curves, len(runs), colour, "--")
    curves = [_curve(run, run.pretrain_checks, 1, run.n_checked) for run in runs]
    checked = drawing.draw_curves(axes, curves, len(runs), colour)
    middle = len(own.x) // 2
    drawing.label_beside(axes, f"on the {n_own} averages", (own.x[middle], own.accuracy[middle]), (-6, 6), colour)
    words = f"on {first.n_checked:,} {first.config['stop_on']} images:\n{100 * checked.accuracy[-1]:.1f}% at the end"
    drawing.label_beside(axes, words, (checked.x[middle], checked.accuracy[middle]), (8, -14), colour)
    if first.dataset["name"] == "mnist":
        point = PRETRAINED.pretrain_epochs, float(ACCURACY_AFTER_PRETRAIN_PRINTED)
        axes.plot(*point, "X", color="black", markersize=10, markeredgecolor="white", zorder=5)
        words = f"the article: about {100 * point[1]:.0f}%\nafter {point[0]} epochs"
        drawing.label_in_corner(axes, words, point, top_left=False, colour="black")
    axes.set(xlim=(0, None), ylim=(0, 1.08))
    axes.set_xlabel(f"epochs on the averages ({n_own} images each)", fontsize=11)
    axes.set_ylabel("accuracy", fontsize=11)
    drawing.percent_axes(axes)
    return figure


def spending(record: RunRecord) -> Floats:
    """Compute what a run had spent at each of its checks: cost model flop, dense, evaluation left out.

    before + (bill at the stop - before) x step / steps at the stop

    Parameters
    ----------
    record : RunRecord
        With checks.

    Returns
    -------
    float64 array (n_checks,)

    Notes
    -----
    A pretrained run has paid for data and pretraining before its first step; the rest, for scratch the scaling of the
    images it reads too, grows with the steps. At the stop this is the record's bill. Elsewhere it is an approximation,
    which takes every batch for full (the last of an epoch may be short: less than one step, shared out over the epoch)
    and, for scratch, every image for new (scaling is 0.1% of a step).
    """
    tally = record.tally()
    pretrained = record.accuracy_after_pretrain is not None
    before = tally.total("flop", ("data", "pretrain")) if pretrained else 0
    per_step = (tally.total("flop", WHOLE_BILL) - before) / record.passes["train"]["steps"]
    return before + per_step * _steps(record)


def _draw_panel(
    axes: Axes,
    arms: dict[str, list[RunRecord]],
    x_of: Callable[[RunRecord], Floats],
    stop_of: Callable[[RunRecord], float],
    words: str,
) -> None:
    """Draw the arms over one kind of cost, up to twice what the last run needed for the target."""
    target = next(iter(arms.values()))[0].config["target"]
    stops = {arm: [stop_of(run) for run in runs] for arm, runs in arms.items()}
    hits = [stop for values in stops.values() for stop in values if math.isfinite(stop)]
    end = max(float(x_of(run)[-1]) for runs in arms.values() for run in runs)
    end = min(end, 2 * max(hits)) if hits else end
    levels, n_runs = [target], max(map(len, arms.values()))
    for arm, runs in arms.items():
        curves = [Curve(x_of(run), _curve(run, run.checks, 1, run.n_checked).accuracy, _whole(run)) for run in runs]
        mean = drawing.draw_curves(axes, curves, n_runs, COLOURS[arm])
        levels += mean.accuracy[(mean.x >= 0.15 * end) & (mean.x <= end)].tolist()  # the steep start may leave below
    axes.axhline(target, color="black", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    margin = 0.02 + 0.2 * (max(levels) - min(levels))  # room for the labels
    axes.set(xlim=(0, end), ylim=(max(0.0, min(levels) - margin), min(1.0, max(levels) + margin)))
    drawing.percent_axes(axes)
    medians = {arm: statistics.median(values) for arm, values in stops.items()}
    for arm in arms:
        hit = math.isfinite(medians[arm])
        text = f"{arm}\n" + (words.format(medians[arm]) if hit else "the median run misses")
        if hit:
            axes.plot(medians[arm], target, "o", color=COLOURS[arm], markersize=9, markeredgecolor="white", zorder=5)
        first = len(arms) > 1 and arm == min(arms, key=lambda name: medians[name])
        drawing.label_in_corner(axes, text, (medians[arm], target) if hit else None, first, COLOURS[arm])


def _steps(record: RunRecord) -> Floats:
    return np.array([step for step, _ in record.checks], np.float64)


def _curve(run: RunRecord, checks: Sequence[Sequence[int]], column: int, n_images: int) -> Curve:
    table = np.array(checks, np.float64)
    return Curve(table[:, 0], table[:, column] / n_images, _whole(run))


def _whole(run: RunRecord) -> bool:
    return run.status != _DIVERGED


def _diverged(runs: Sequence[RunRecord]) -> str:
    n = sum(not _whole(run) for run in runs)
    return f" Diverged, in no mean or band: {n}." if n else ""


def _setting(config: dict[str, Any]) -> str:
    hidden = "-".join(map(str, config["hidden_layer_sizes"]))
    rate = f"rate {config['learning_rate']:g}"
    return f"Hidden units {hidden}, {config['optimizer']}, {rate}, batch {config['batch_size']}."


def _title(name: str) -> str:
    return TITLES.get(name, name)

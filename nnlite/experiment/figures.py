"""Three pictures of runs: the class averages, accuracy against what it cost, and phase 1 alone.

Place in the data path: records (and, for the averages, the data set) -> PNG files. Nothing is trained, and no
statistic decided: costs, medians and intervals are the report's. How a picture looks is in `drawing`. Left out: what
only the registered study can show (`study.figures`).
"""

from __future__ import annotations

import base64
import math
import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..datasets import Dataset
from . import drawing
from .article import ACCURACY_AFTER_PRETRAIN_PRINTED, PRETRAINED
from .config import BASELINE, TREATMENT, ConfigError
from .costs import EVERY_OPERATION, WHOLE_BILL, compared, cost_at_checks, cost_at_stop
from .drawing import COLOURS, Curve, Floats
from .records import RunRecord, paired, steps_or_miss
from .report import TITLES, Summary
from .stats import CLAIMED
from .wording import bounds, no_saving_to_name, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DIVERGED = "diverged"
_MOST_CLASSES = 50  # averages drawn: a picture of more would be one that nobody can look at


class NoCurves(ConfigError):
    """Records without accuracy curves: exact decisions keep none."""


def make_folder(folder: str | os.PathLike[str]) -> None:
    """Make the folder of the pictures if it is missing; ConfigError where it cannot be."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ConfigError(f"--figures {os.fspath(folder)}: a file, where a folder was expected") from error
    except OSError as error:
        raise ConfigError(f"--figures {os.fspath(folder)}: {error.strerror or error}") from error


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
        return drawing.save_all(folder, figures)


class Pictures(dict[str, "Figure"]):
    """matplotlib Figures by name; a notebook shows them as they are."""

    def _repr_html_(self) -> str:
        pictures = [base64.b64encode(drawing.png(figure)).decode() for figure in self.values()]
        return "\n".join(f'<img src="data:image/png;base64,{picture}" width="800">' for picture in pictures)


def draw(records: Sequence[RunRecord]) -> Pictures:
    """Draw the saving of every pair and, where runs were watched on, accuracy against cost and phase 1.

    Raises
    ------
    ConfigError
        There is no matplotlib.
    """
    drawing.require_matplotlib("plot")
    with drawing.plain_style():
        figures = {"pairs": pairs_figure(records)}
        if any(record.checks for record in records):
            figures |= {"accuracy": accuracy_figure(records), "phase1": phase1_figure(records)}
    return Pictures({name: figure for name, figure in figures.items() if figure is not None})


def pairs_figure(records: Sequence[RunRecord]) -> Figure | None:
    """Draw the saving of every pair in order, and the median with its interval; None where no pair is complete."""
    summary = Summary(records)
    found = summary.headline
    if found is None:
        return None
    shown = sorted(saving for saving in found.reductions if math.isfinite(saving))
    interval, colour = found.interval, COLOURS[TREATMENT]
    unnamed = no_saving_to_name(found)
    missed = f" {found.n_missed} runs missed the target." if found.n_missed else ""
    figure = drawing.framed_figure(
        f"{_title(summary.dataset['name'])}: what pretraining on class averages saves, pair by pair",
        f"{drawing.setting(summary.config)} {unnamed or f'The median pair {saved(interval, found.n_pairs)}'}, by the "
        f"article's count. Line and band: median and 95% interval; dashed: the claim.{missed}",
        (8, 5.2),
    )
    axes = figure.subplots()
    axes.plot(range(1, len(shown) + 1), shown, "o", color=colour, markersize=6, zorder=3)
    if math.isfinite(interval.median):
        axes.axhline(interval.median, color=colour, linewidth=2)
    if interval.ends is not None and math.isfinite(interval.ends[0]):
        axes.axhspan(*interval.ends, color=colour, alpha=0.18, linewidth=0)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.axhline(CLAIMED, color="black", linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xlabel("pairs, from the smallest saving to the largest", fontsize=11)
    axes.set_ylabel("saved", fontsize=11)
    drawing.percent_axes(axes)
    return figure


def averages_figure(dataset: Dataset, stop_on: str = "test") -> Figure:
    """Draw the average image of every class of the training images, five in a row.

    Images are drawn as images, grey (height, width) or RGB (height, width, 3); what has any other shape is no image,
    and is drawn as a line through its values in their order.

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
    shape = _picture_shape(dataset.image_shape)
    caption = f"Each is the mean of all training images of one class. {_scale_words(shape, low, high)}"
    if stop_on == "validation":
        caption += " In a run that stops on validation images, those are left out of the averages."
    n_rows = -(-min(n_classes, _MOST_CLASSES) // 5)
    figure = drawing.framed_figure(title, caption, (9, 0.9 + 2.1 * n_rows))
    panels = figure.subplots(n_rows, 5, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for label, axes in enumerate(panels[:n_classes]):
        _draw_average(axes, means[label].reshape(shape), low, high)
        words = f"class {label}\n{counts[label]:,} images"
        axes.text(0.5, -0.03, words, transform=axes.transAxes, ha="center", va="top", fontsize=11)
    return figure


def _picture_shape(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return (height, width) of grey images, (height, width, 3) of RGB, (n_features,) of what is neither."""
    if image_shape[2:] == (1,):
        return image_shape[:2]
    return image_shape if len(image_shape) == 2 or image_shape[2:] == (3,) else (math.prod(image_shape),)


def _scale_words(shape: tuple[int, ...], low: float, high: float) -> str:
    if len(shape) == 1:
        return f"They are no images, so their {shape[0]} values are drawn in order, all from {low:.2g} to {high:.2g}."
    if len(shape) == 3:
        return f"One scale of all colours: none {low:.2g} to full {high:.2g}."
    return f"One grey scale: black {low:.2g} to white {high:.2g}."


def _draw_average(axes: Axes, mean: npt.NDArray[np.float32], low: float, high: float) -> None:
    """Draw one average, of a shape that `_picture_shape` gives."""
    span = high - low or 1.0
    if mean.ndim == 1:
        axes.plot(mean, color="black", linewidth=0.8)
        axes.set(ylim=(low - 0.02 * span, low + 1.02 * span), box_aspect=1)
    elif mean.ndim == 3:
        axes.imshow((mean - low) / span)
    else:
        axes.imshow(mean, cmap="gray", vmin=low, vmax=high)


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
        raise NoCurves("--figures: these records hold no curves: run with --evaluate full")
    first = next(iter(arms.values()))[0]
    config, n_runs = first.config, max(map(len, arms.values()))
    diverged = _diverged([run for runs in arms.values() for run in runs])
    numbers = ", ".join(f"{len(runs)} {arm}" for arm, runs in arms.items())
    caption = (
        f"{drawing.setting(config)} Runs: {numbers}. {drawing.band_words(n_runs)}{diverged} Dashed: the target; dots: "
        "the median over runs of the first look that reaches it. Operations: cost model flop, dense, a multiply-add "
        "is two; scaling and averaging of images, pretraining and training are in, evaluation is not."
        f"{_saved_words(arms)}"
    )
    figure = drawing.framed_figure(_finding(arms), caption, (10, 5.4))
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_panel(left, arms, _steps, steps_or_miss, "median: step {:g}")
    _draw_panel(right, arms, _operations, lambda run: cost_at_stop(run, EVERY_OPERATION) / 1e9, "median: {:.3g} × 10⁹")
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
    images = f"{first.config['stop_on']} images"
    own_curves = [_curve(run, run.pretrain_checks, 2, n_own) for run in runs]
    curves = [_curve(run, run.pretrain_checks, 1, run.n_checked) for run in runs]
    mean = drawing.mean_curve(curves)
    peak = int(np.argmax(mean.accuracy))
    figure = drawing.framed_figure(
        f"{_title(first.dataset['name'])}, phase 1 alone: training on {n_own} class averages gets "
        f"{100 * mean.accuracy[peak]:.1f}% of the {images} right "
        + (f"at its best, after {mean.x[peak]:g} epochs" if peak < len(mean.x) - 1 else f"in {mean.x[peak]:g} epochs"),
        f"{drawing.setting(first.config)} n = {len(runs)} runs. {drawing.band_words(len(runs))}{_diverged(runs)}",
        (8, 5.2),
    )
    axes = figure.subplots()
    own = drawing.draw_curves(axes, own_curves, len(runs), colour, "--")
    checked = drawing.draw_curves(axes, curves, len(runs), colour)
    if peak < len(mean.x) - 1:
        axes.plot(mean.x[peak], mean.accuracy[peak], "o", color=colour, markersize=9, markeredgecolor="white", zorder=5)
        words = f"best: {100 * mean.accuracy[peak]:.1f}%, epoch {mean.x[peak]:g}"
        aside = 4 if mean.x[peak] < 0.6 * mean.x[-1] else -4
        drawing.label_beside(axes, words, (mean.x[peak], mean.accuracy[peak]), (aside, 8), colour)
    middle = len(own.x) // 2
    drawing.label_beside(axes, f"on the {n_own} averages", (own.x[middle], own.accuracy[middle]), (-6, 6), colour)
    words = f"on {first.n_checked:,} {images}:\n{100 * checked.accuracy[-1]:.1f}% at the end"
    drawing.label_beside(axes, words, (checked.x[middle], checked.accuracy[middle]), (8, -14), colour)
    if first.dataset["name"] == "mnist":
        point = PRETRAINED.pretrain_epochs, float(ACCURACY_AFTER_PRETRAIN_PRINTED)
        axes.plot(*point, "X", color="black", markersize=10, markeredgecolor="white", zorder=5)
        words = f"the article: about {100 * point[1]:.0f}%\nafter {point[0]} epochs"
        if point[0] < 0.3 * mean.x[-1]:
            drawing.label_beside(axes, words, point, (6, -12), "black")
        else:
            drawing.label_in_corner(axes, words, point, top_left=False, colour="black")
    axes.set(xlim=(0, None), ylim=(0, 1.08))
    axes.set_xlabel(f"epochs on the averages ({n_own} images each)", fontsize=11)
    axes.set_ylabel("accuracy", fontsize=11)
    drawing.percent_axes(axes)
    return figure


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


def _finding(arms: dict[str, list[RunRecord]]) -> str:
    """The title: what each arm needed, where its median run got to the target."""
    first = next(iter(arms.values()))[0]
    name, target = _title(first.dataset["name"]), f"{100 * first.config['target']:.4g}%"
    medians = {arm: statistics.median(map(steps_or_miss, runs)) for arm, runs in arms.items()}
    if len(medians) < len(COLOURS) or not all(map(math.isfinite, medians.values())):
        return f"{name}: what it costs to reach {target}"
    return (
        f"{name} to {target}: {medians[BASELINE]:g} steps from scratch, {medians[TREATMENT]:g} after pretraining on "
        "class averages"
    )


def _saved_words(arms: dict[str, list[RunRecord]]) -> str:
    both = paired(arms.get(TREATMENT, []), arms.get(BASELINE, []))
    if not both[0]:
        return ""
    found = compared(both, EVERY_OPERATION)
    unnamed = no_saving_to_name(found)
    if unnamed is not None:
        return f" {unnamed} ({bounds(found.interval)})." if found.measured else f" {unnamed}."
    return f" The median pair {saved(found.interval, found.n_pairs)} of these operations."


def _steps(run: RunRecord) -> Floats:
    return np.array([step for step, _ in run.checks], np.float64)


def _operations(run: RunRecord) -> Floats:
    return cost_at_checks(run, "flop", WHOLE_BILL) / 1e9


def _curve(run: RunRecord, checks: Sequence[Sequence[int]], column: int, n_images: int) -> Curve:
    table = np.array(checks, np.float64)
    return Curve(table[:, 0], table[:, column] / n_images, _whole(run))


def _whole(run: RunRecord) -> bool:
    return run.status != _DIVERGED


def _diverged(runs: Sequence[RunRecord]) -> str:
    n = sum(not _whole(run) for run in runs)
    return f" Diverged, in no mean or band: {n}." if n else ""


def _title(name: str) -> str:
    return TITLES.get(name, name)

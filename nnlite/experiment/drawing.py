"""How every picture of runs looks: its frame, its colours, curves of many runs, labels beside points, PNG files.

Place in the data path: `figures`, here and in the study, decide what is drawn and call this. It knows arms by their
colours and nothing of records. matplotlib is imported only inside functions, and its objects are used, never pyplot's
global state.
"""

from __future__ import annotations

import io
import math
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..files import replacing
from .config import BASELINE, TREATMENT, ConfigError
from .wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {BASELINE: "#0072B2", TREATMENT: "#D55E00"}
"""One colour an arm in every picture: blue and vermilion of Okabe and Ito, told apart by colour-blind readers too."""

WHOLE_RANGE_BELOW = 20
"""Runs from which on a band leaves out the lowest and the highest tenth, since extremes widen with n."""

GREY = "#555555"

_COLOURS_IN_FILE = 96

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One line, of one run."""

    x: Floats  # (n_checks,)
    accuracy: Floats  # (n_checks,), fractions
    whole: bool = True  # False where the run diverged: drawn as far as it went, but not part of the mean


def require_matplotlib(for_what: str) -> None:
    """Raise ConfigError where there is no matplotlib."""
    if find_spec("matplotlib") is None:
        raise ConfigError(f"{for_what}: needs matplotlib: python -m pip install matplotlib")


@contextmanager
def plain_style() -> Iterator[None]:
    """Draw by matplotlib's own defaults inside the with statement, whatever the user's settings are."""
    from matplotlib import style

    with style.context("default", after_reset=True):
        yield


def framed_figure(title: str, caption: str, inches: tuple[float, float]) -> Figure:
    """Make an empty figure with its title above and its caption below what will be drawn."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width, height = inches
    lines = textwrap.wrap(caption, int(13.2 * width))  # characters: an inch holds 14 of the caption's
    title_lines = textwrap.wrap(title, int(9.1 * width))
    above, below = (0.26 + 0.24 * len(title_lines)) / height, (0.2 + 0.17 * len(lines)) / height
    layout = ConstrainedLayoutEngine(rect=(0, below, 1, 1 - above - below), w_pad=0.1, h_pad=0.06)
    figure = Figure(figsize=inches, dpi=150, layout=layout)
    figure.text(0.1 / width, 1 - 0.14 / height, "\n".join(title_lines), fontsize=13, fontweight="bold", va="top")
    figure.text(0.1 / width, 0.1 / height, "\n".join(lines), fontsize=9, color=GREY, linespacing=1.3)
    return figure


def draw_curves(axes: Axes, curves: Sequence[Curve], n_runs: int, colour: str, style: str = "-") -> Curve:
    """Draw runs faint, and as far as all whole ones reach, their mean strong and a band.

    Parameters
    ----------
    axes : matplotlib Axes
    curves : sequence of Curve
        One a run, at least one.
    n_runs : int
        What `band_words` was told: decides the band, which is the same for all lines of a picture.
    colour, style : str
        As matplotlib writes them.

    Returns
    -------
    Curve
        The mean.
    """
    alpha = max(0.04, 0.5 / len(curves) ** 0.5)
    for curve in curves:  # pixels where all else is lines: within an SVG of 200 runs they would be megabytes
        axes.plot(curve.x, curve.accuracy, style, color=colour, linewidth=0.6, alpha=alpha, rasterized=True)
    mean = mean_curve(curves)
    accuracy = [curve.accuracy[: len(mean.x)] for curve in _whole_ones(curves)]
    tail = 0.0 if n_runs < WHOLE_RANGE_BELOW else 0.1
    low, high = np.quantile(accuracy, (tail, 1 - tail), axis=0)
    axes.fill_between(mean.x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(mean.x, mean.accuracy, style, color=colour, linewidth=2.2, zorder=3)
    return mean


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Return the mean of the whole ones, of all if none is whole, as far as each of them reaches."""
    whole = _whole_ones(curves)
    n = min(len(curve.x) for curve in whole)
    x, accuracy = ([values[:n] for values in lines] for lines in zip(*((c.x, c.accuracy) for c in whole), strict=True))
    return Curve(np.mean(x, axis=0), np.mean(accuracy, axis=0))


def _whole_ones(curves: Sequence[Curve]) -> list[Curve]:
    return [curve for curve in curves if curve.whole] or list(curves)


def band_words(n_runs: int) -> str:
    """Return what `draw_curves` draws, for a caption."""
    band = "lowest to highest run" if n_runs < WHOLE_RANGE_BELOW else "10% to 90% of the runs"
    return f"Strong line: mean of the runs; band: {band}; faint lines: single runs."


def label_beside(axes: Axes, text: str, point: tuple[float, float], points: tuple[float, float], colour: str) -> None:
    """Write beside a point, so many printer's points to its right and above it; the text grows away from it."""
    ha, va = "left" if points[0] >= 0 else "right", "bottom" if points[1] >= 0 else "top"
    style = _label_style(colour, ha, va)
    axes.annotate(text, point, points, textcoords="offset points", **style)


def label_in_corner(axes: Axes, text: str, point: tuple[float, float] | None, top_left: bool, colour: str) -> None:
    """Write in a corner of the panel, top left or bottom right, with a thin line to the point if there is one.

    An accuracy curve rises and bends down, so these two corners are empty.
    """
    corner = (0.03, 0.97) if top_left else (0.97, 0.05)
    style = _label_style(colour, "left" if top_left else "right", "top" if top_left else "bottom")
    if point is None:
        axes.text(*corner, text, transform=axes.transAxes, **style)
        return
    leader = {"arrowstyle": "-", "color": colour, "linewidth": 1, "shrinkB": 5}
    axes.annotate(text, point, corner, textcoords="axes fraction", arrowprops=leader, **style)


def _label_style(colour: str, ha: str, va: str) -> dict[str, Any]:
    return {"color": colour, "fontsize": 11, "fontweight": "bold", "ha": ha, "va": va, "zorder": 6}


def percent_axes(axes: Axes) -> None:
    """Show accuracy in percent on the upright axis, over a light grid."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))  # 89.5% is not "90%"
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def setting(config: Mapping[str, Any]) -> str:
    """Return a network and its training as a sentence of a caption."""
    hidden = "-".join(map(str, config["hidden_layer_sizes"]))
    network = f"Hidden units {hidden}" if hidden else "No hidden layer"
    return f"{network}, {config['optimizer']}, rate {config['learning_rate']:g}, batch {config['batch_size']}."


def saves_text(share: float) -> str:
    """Write a reduction as what it does.

    Examples
    --------
    >>> saves_text(0.218), saves_text(-0.03), saves_text(0.001)
    ('saves 22%', 'costs 3% more', 'saves nothing')
    """
    if math.isinf(share):
        return "never gets there"
    if round(100 * share) == 0:
        return "saves nothing"
    return f"saves {percent(share, 0)}" if share > 0 else f"costs {percent(-share, 0)} more"


def save_all(folder: str | os.PathLike[str], figures: Mapping[str, Figure | None]) -> list[Path]:
    """Write pictures under their names into a folder, made if missing, and return their paths; None has no picture.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    drawn = {target / name: figure for name, figure in figures.items() if figure is not None}
    for path, figure in drawn.items():
        save_png(figure, path)
    return list(drawn)


def save_png(figure: Figure, path: Path) -> None:
    """Write a picture; the old file stays until the new one is whole.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    picture = png(figure)
    with replacing(path) as file:
        file.write(picture)


def png(figure: Figure) -> bytes:
    """Return a picture as the bytes of a PNG file of few colours, a third of the size with the same looks."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image  # matplotlib needs it, so it is there

    FigureCanvasAgg(figure)  # the canvas that savefig uses, whatever the user's backend is
    whole, small = io.BytesIO(), io.BytesIO()
    figure.savefig(whole, format="png")
    picture = Image.open(whole).convert("RGB")
    picture.quantize(_COLOURS_IN_FILE, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()

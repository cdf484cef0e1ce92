"""Picture of the search for good settings: the expected best against the number of draws, and every draw's score.

Place in the data path: findings -> figure; nothing is computed. Left out: how draws are made (`protocol`) and scored
(`tuning`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import drawing
from ..drawing import COLOURS, GREY
from ..wording import bounds, brief, operations, percent, saved
from .findings import Tuned
from .protocol import by_arm

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def tuning_figure(tuned: Tuned) -> Figure:
    """Draw both arms' expected best of k draws, and all draws with the winners marked."""
    cell = tuned.cell
    n_draws = max(map(len, tuned.scores.values()))
    winners = "; ".join(f"{arm}: {_settings(tuned.winners[arm])}" for arm in COLOURS if arm in tuned.winners)
    costs = " and ".join(f"{operations(tuned.search_cost[arm])} ({arm})" for arm in COLOURS if arm in tuned.search_cost)
    figure = drawing.framed_figure(
        f"Both arms tuned alike: {cell.verdict.word}, saved {brief(cell.saved, cell.n_pairs)}; untuned "
        f"{percent(tuned.untuned.median)}",
        f"{n_draws} draws of settings, the same for both arms; a draw's score: mean cost of its runs at the step from "
        "which their mean accuracy stays at the target, every operation counted. Left: expected best of k draws, from "
        "where no k draws can all fail. Right: every draw a dot, those that never get there at the top; ring: the "
        f"winner, chosen among the best on fresh seeds. Winners: {winners}. Tuned against tuned on main seeds: it "
        f"{saved(cell.saved, cell.n_pairs)}; untuned: {bounds(tuned.untuned)}. The searches spent {costs} operations. "
        "The left axis does not begin at 0, the right one is logarithmic.",
        (10, 5.8),
    )
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for axes in (left, right):
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    _set_limits(right, tuned.scores)
    for place, arm in enumerate(arm for arm in COLOURS if arm in tuned.scores):
        _draw_best(left, place, arm, tuned.expected_best[arm])
        _draw_scores(right, place, arm, tuned)
    left.set_xlim(0, 1.04 * n_draws)
    low, high = left.get_ylim()
    left.set_ylim(low, high + 0.25 * (high - low))  # room for the labels above the curves
    left.set_xlabel("draws of settings tried", fontsize=11)
    left.set_ylabel("10⁹ operations to the target, expected best", fontsize=11)
    right.set(xlim=(-0.5, 1.5), xticks=[])
    right.set_xlabel("every draw", fontsize=11)
    right.set_ylabel("10⁹ operations to the target", fontsize=11)
    return figure


def _set_limits(axes: Axes, scores: Mapping[str, Sequence[float]]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    finite = [score / 1e9 for values in scores.values() for score in values if math.isfinite(score)] or [1.0]
    axes.set_yscale("log")
    axes.set_ylim(0.75 * min(finite), 2.2 * max(finite))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_best(axes: Axes, place: int, arm: str, best: Sequence[float]) -> None:
    """The curve falls, so its label stands above it on the right, where `tuning_figure` left room."""
    finite = [(k, cost / 1e9) for k, cost in enumerate(best, 1) if math.isfinite(cost)]
    if not finite:
        return
    axes.plot([k for k, _ in finite], [cost for _, cost in finite], color=COLOURS[arm], linewidth=2.2)
    k, cost = finite[-1]
    axes.plot(k, cost, "o", color=COLOURS[arm], markersize=9, markeredgecolor="white", zorder=5)
    words = f"{arm}, best of {k}: {cost:.3g} × 10⁹"
    style: dict[str, Any] = {"color": COLOURS[arm], "ha": "right", "va": "top", "fontsize": 11, "fontweight": "bold"}
    axes.text(0.98, 0.98 - 0.07 * place, words, transform=axes.transAxes, **style)


def _draw_scores(axes: Axes, place: int, arm: str, tuned: Tuned) -> None:
    """All scores as dots of a column, side by side in the order of the draws."""
    scores, colour = np.array(tuned.scores[arm]) / 1e9, COLOURS[arm]
    aside = place + np.linspace(-0.35, 0.35, len(scores))
    reached = np.isfinite(scores)
    top = axes.get_ylim()[1]
    axes.plot(aside[reached], scores[reached], "o", color=colour, markersize=5, alpha=0.7, markeredgewidth=0)
    never = aside[~reached]
    if len(never):  # an empty line that is not clipped would count as one in the corner of the picture
        axes.plot(never, np.full(len(never), top), "^", color=colour, markersize=5, alpha=0.7, clip_on=False)
    style: dict[str, Any] = {"color": colour, "ha": "center", "va": "top", "fontsize": 11, "fontweight": "bold"}
    words = f"{arm}\n{len(never)} of {len(scores)} never" if len(never) else arm
    axes.annotate(words, (place, top), (0, -8), textcoords="offset points", **style)
    won = _index(arm, tuned.winners.get(arm, {}))
    if won is not None and won < len(scores) and reached[won]:
        axes.plot(aside[won], scores[won], "o", color=GREY, markersize=13, markerfacecolor="none", markeredgewidth=2)


def _index(arm: str, winner: Mapping[str, object]) -> int | None:
    """Which draw a winner is."""
    configs = by_arm(arm) if winner else []
    same = (i for i, config in enumerate(configs) if all(getattr(config, name) == v for name, v in winner.items()))
    return next(same, None)


def _settings(winner: Mapping[str, object]) -> str:
    return ", ".join(words.format(winner[name]) for name, words in _SETTINGS.items() if name in winner)


_SETTINGS = {
    "optimizer": "{}",
    "learning_rate": "rate {:g}",
    "batch_size": "batch {}",
    "decay": "{} rate",
    "pretrain_epochs": "{} epochs on averages",
    "pretrain_rate_factor": "at {:g} times the rate",
}
"""What was drawn, as a caption says it."""

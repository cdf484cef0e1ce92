"""Pictures of the claim cell's pairs: cost to the target, one arm against the other, and the bill by phase.

Place in the data path: the records of the claim cell -> figures. Costs are those at each run's own stop, its first
hit. Left out: accuracy curves (`figures`), other arms (`figures_controls`), other targets (`figures_horizons`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import drawing
from ..article import PRETRAINED, SCRATCH, savings
from ..drawing import COLOURS, GREY
from ..records import RunRecord
from ..report import TITLES
from ..summary import BASELINE, SCOPES, TREATMENT, WHOLE_BILL, Comparison, compare, cost
from ..verdict import article_rank
from ..wording import bounds, n_missed, percent, saved
from . import marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arms = Mapping[str, Sequence[RunRecord]]
"""Both arms' runs, the same seeds in the same order."""

_ARTICLE = cost("article-2023", SCOPES["training"])
_EVERYTHING = cost("flop", WHOLE_BILL)

_PHASES = {
    "data": ("scaling and averaging images", "#999999"),
    "pretrain": ("pretraining", "#E69F00"),
    "train": ("training", "#56B4E9"),
}
"""What `WHOLE_BILL` is made of, in words and in colours of Okabe and Ito that no arm has."""


def cost_figure(arms: Arms) -> Figure:
    """Draw what every run needed to reach the target, by the article's count and in all operations.

    Parameters
    ----------
    arms : mapping of arm to records
        Both arms, the same seeds in the same order.
    """
    first = arms[BASELINE][0]
    counted, everything = (compare(arms[TREATMENT], arms[BASELINE], price) for price in (_ARTICLE, _EVERYTHING))
    figure = drawing.framed_figure(
        f"{_where(first)}: pretraining on class averages {drawing.saves_text(counted.interval.median)} "
        f"by the article's count, {drawing.saves_text(everything.interval.median)} when every operation counts",
        f"n = {counted.n_pairs} pairs, the same seeds in both arms. A dot is a run, at what it had cost at the first "
        "look that reached the target; a tall line is the median of an arm. Saved: median over pairs of 1 - "
        "cost(class-means) / cost(scratch), with its 95% interval by order statistics. The article counts one "
        "operation a weight of the first layer and one backward pass a step; every operation means all additions, "
        "multiplications and so on of scaling and averaging images, pretraining and training (a multiply-add is two)."
        f"{_missed(counted)}",
        (10, 6),
    )
    panels = figure.subplots(2, 1)
    for axes, price, comparison, words in (
        (panels[0], _ARTICLE, counted, "the article's count"),
        (panels[1], _EVERYTHING, everything, "every operation"),
    ):
        interval = comparison.interval
        title = f"{words}: median saving {percent(interval.median)}, {bounds(interval)}"
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axes.set(ylim=(-0.7, 1.7), yticks=[])
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        for height, arm in enumerate((TREATMENT, BASELINE)):
            values = [price(run) / 1e9 for run in arms[arm]]
            median = marks.draw_strip(axes, values, height, COLOURS[arm])
            text = f"{arm}\n" + (f"median {median:.2f}" if math.isfinite(median) else "the median run misses")
            style: dict[str, Any] = {
                "color": COLOURS[arm],
                "fontsize": 11,
                "fontweight": "bold",
                "ha": "right",
                "va": "center",
            }
            axes.text(-0.01, height, text, transform=axes.get_yaxis_transform(), **style)
        axes.set_xlim(0, None)
        axes.set_xlabel(f"cost of reaching the target, 10⁹ operations ({words})", fontsize=11)
    return figure


def pairs_figure(arms: Arms) -> Figure:
    """Draw each pair's two costs against each other, with the lines of equal cost and of 30% less, and the article."""
    counted = compare(arms[TREATMENT], arms[BASELINE], _ARTICLE)
    article = float(savings()["flops"])
    n_cheaper = sum(reduction > 0 for reduction in counted.reductions)
    n_as_much = counted.n_pairs - article_rank(counted.reductions, article)
    figure = drawing.framed_figure(
        f"{_where(arms[BASELINE][0])}: class averages made {n_cheaper} of {counted.n_pairs} pairs cheaper, {n_as_much} "
        f"by as much as the article's one pair",
        "A dot is a seed run both ways, by the article's count. The median pair "
        f"{saved(counted.interval, counted.n_pairs)}. Cross: the article's single pair, "
        f"{SCRATCH.real_steps} steps against {PRETRAINED.pretrain_epochs} epochs and {PRETRAINED.real_steps} steps."
        f"{_missed(counted)}",
        (7, 7.4),
    )
    axes = figure.subplots()
    costs = [(_ARTICLE(s) / 1e9, _ARTICLE(p) / 1e9) for s, p in zip(arms[BASELINE], arms[TREATMENT], strict=True)]
    finite = [pair for pair in costs if math.isfinite(sum(pair))]
    end = 1.08 * max(SCRATCH.flops / 1e9, *(max(pair) for pair in finite)) if finite else 1.08 * SCRATCH.flops / 1e9
    axes.plot([0, end], [0, end], "-", color=GREY, linewidth=1)
    axes.plot([0, end], [0, (1 - marks.ARTICLE_SAVED) * end], "--", color="black", linewidth=1)
    axes.plot([s for s, _ in finite], [p for _, p in finite], "o", color=COLOURS[TREATMENT], alpha=0.6, markersize=7)
    axes.plot(SCRATCH.flops / 1e9, PRETRAINED.flops / 1e9, "X", color="black", markersize=11, markeredgecolor="white")
    axes.set(xlim=(0, end), ylim=(0, end), aspect="equal")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    _along(axes, 0.3 * end, 1.0, "same cost", GREY)
    _along(axes, 0.3 * end, 1 - marks.ARTICLE_SAVED, "30% less, as claimed", "black")
    point = SCRATCH.flops / 1e9, PRETRAINED.flops / 1e9
    drawing.label_in_corner(axes, f"the article's one pair:\n{100 * article:.1f}% less", point, False, "black")
    axes.set_xlabel("cost from scratch, 10⁹ operations by the article's count", fontsize=11)
    axes.set_ylabel("cost with class-means pretraining, 10⁹ operations", fontsize=11)
    return figure


def bill_figure(arms: Arms) -> Figure:
    """Draw the bill of both arms by phase, and beside it what looking at the accuracy after every step would add."""
    runs, interval = arms[TREATMENT], compare(arms[TREATMENT], arms[BASELINE], _EVERYTHING).interval
    bills = {arm: {phase: _median(arms[arm], (phase,)) for phase in _PHASES} for arm in COLOURS}
    looks = {arm: _median(arms[arm], ("evaluate",)) for arm in COLOURS}
    whole = {arm: sum(bill.values()) for arm, bill in bills.items()}
    first = runs[0]
    figure = drawing.framed_figure(
        f"{_where(first)}: training is {percent(bills[TREATMENT]['train'] / whole[TREATMENT], 0)} of the "
        f"pretrained run's bill; looking at the accuracy after every step would cost {looks[TREATMENT] / 1e9:.0f} × "
        f"10⁹ operations, {looks[TREATMENT] / whole[TREATMENT]:.0f} times that bill",
        f"n = {len(runs)} runs an arm; medians over runs of each phase, up to the first look that reaches the target. "
        f"All operations, a multiply-add is two; the median pair {saved(interval, len(runs))}. Left: what is on the "
        f"bill. Right, on a scale of its own: a look at all {first.n_checked:,} {first.config['stop_on']} images "
        "after every step, which tells that the target is reached; it is on no bill here.",
        (10, 4.6),
    )
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(5, 2))
    for height, arm in enumerate((TREATMENT, BASELINE)):
        start = 0.0
        for phase, (words, colour) in _PHASES.items():
            length = bills[arm][phase] / 1e9
            left.barh(height, length, 0.5, start, color=colour)
            if phase == "train":
                left.text(start + length / 2, height, f"{words}\n{length:.3g}", ha="center", va="center", fontsize=11)
            elif length:
                heights = {"data": height + 0.29, "pretrain": height - 0.29}
                va = "bottom" if phase == "data" else "top"
                words = words if arm == TREATMENT else "scaling images"
                left.text(start, heights[phase], f" {words} {length:.2g}", va=va, fontsize=10)
            start += length
        left.text(start, height, f" {start:.3g}", va="center", fontsize=11, fontweight="bold")
        right.barh(height, looks[arm] / 1e9, 0.5, color="#CC79A7")
        right.text(looks[arm] / 1e9, height, f" {looks[arm] / 1e9:.0f}", va="center", fontsize=11, fontweight="bold")
    left.set_yticks([0, 1], [TREATMENT, BASELINE], fontsize=11, fontweight="bold")
    left.set(ylim=(-0.6, 1.6), xlim=(0, 1.12 * max(whole.values()) / 1e9))
    right.set_xlim(0, 1.35 * max(looks.values()) / 1e9)
    left.set_xlabel("10⁹ operations on the bill", fontsize=11)
    right.set_xlabel("10⁹ operations of looking", fontsize=11)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    for label, arm in zip(left.get_yticklabels(), (TREATMENT, BASELINE), strict=True):
        label.set_color(COLOURS[arm])
    return figure


def _along(axes: Axes, x: float, slope: float, text: str, colour: str) -> None:
    """Write along a line through the origin."""
    angle = math.degrees(math.atan(slope))
    axes.text(x, slope * x, text, color=colour, fontsize=11, rotation=angle, rotation_mode="anchor", va="bottom")


def _median(runs: Sequence[RunRecord], phases: tuple[str, ...]) -> float:
    return statistics.median(run.tally().total("flop", phases) for run in runs)


def _where(run: RunRecord) -> str:
    name = run.dataset["name"]
    return f"{TITLES.get(name, name)} to {100 * run.config['target']:.4g}%"


def _missed(comparison: Comparison) -> str:
    n = n_missed(comparison)
    return f" Missed, without a dot: {n} run{'' if n == 1 else 's'}." if n else " No run missed."

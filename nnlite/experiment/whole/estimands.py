"""From records to the two questions of the protocol: E1, where each run hits; E2, from where the mean over runs stays.

Place in the data path: records -> steps at the target, and what had been spent there -> summary's comparisons, cells.
Both are asked of recorded curves, for any target. Left out: which questions a cell asks (`cells`), intervals (`stats`,
`curves`), words (`verdict`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ..bootstrap import RatioInterval
from ..config import RunConfig
from ..costs import cost_at_checks
from ..curves import Curves, first_hit, stable_cost_ratio, stable_step
from ..records import RunRecord
from ..summary import SCOPES, Cost

Ints = npt.NDArray[np.int64]

IMAGES = ("stop", "apart", "rest")
"""Which right answers of a record: of the images that stop the run, of those counted apart, of the first less these."""


@dataclass(frozen=True)
class Price:
    """What a comparison counts."""

    model: str  # a name in `flops.COST_MODELS` or in `costs.MEASURES`, dense
    scope: str  # a name in `summary.SCOPES`


ARTICLE = Price("article-2023", "training")
"""The claim cell's cost: what the article counts."""

EVERY_OPERATION = Price("flop", "bill")
"""The honest cell's cost, and tuning's."""


@dataclass(frozen=True)
class Goal:
    """When a run, or the mean over runs, is where it should be."""

    target: Fraction  # share of right answers
    in_a_row: int = 1  # E1 only: consecutive checks that must hit
    every: int | None = None  # look only at the first check at or past each multiple of so many steps; None: at all
    images: str = "stop"  # a name in `IMAGES`


def target_of(record: RunRecord) -> Fraction:
    """Return the target of a record's own configuration, as its decimal digits say."""
    return Fraction(str(record.config["target"]))


def first_check(record: RunRecord, goal: Goal) -> int | None:
    """Find the check at which one run is at its goal: E1.

    Parameters
    ----------
    record : RunRecord
        Of full evaluations.
    goal : Goal

    Returns
    -------
    int or None
        Index into `record.checks`; None is a miss. A run that diverged misses what it had not reached.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> run = SimpleNamespace(curve=np.array([[1, 85], [2, 91], [3, 89], [4, 92]]), n_checked=100)
    >>> first_check(run, Goal(Fraction("0.9"))), first_check(run, Goal(Fraction("0.9"), every=4))
    (1, 3)
    """
    steps, correct = _curve(record, goal.images)
    seen = np.flatnonzero(_is_look(steps, goal.every))
    needed = goal.target * _n_images(record, goal.images)
    hit = first_hit(np.arange(len(seen)), correct[seen], needed, goal.in_a_row)
    return None if hit is None else int(seen[hit])


def first_step(record: RunRecord, goal: Goal) -> float:
    """Return the real step of `first_check`, inf for a miss."""
    check = first_check(record, goal)
    return math.inf if check is None else float(record.checks[check][0])


def at_first_check(price: Price, goal: Goal) -> Cost:
    """Return the function that prices a record up to its `first_check`; infinite for a miss.

    Parameters
    ----------
    price : Price
        With evaluation in its scope, the looks of the goal are charged.
    goal : Goal

    Returns
    -------
    function of a record
    """

    def priced(record: RunRecord) -> float:
        check = first_check(record, goal)
        if check is None:
            return math.inf
        return float(cost_at_checks(record, price.model, SCOPES[price.scope], goal.every)[check])

    return priced


def stable_step_of(runs: Sequence[RunRecord], goal: Goal) -> int | None:
    """Find the step from which the mean accuracy of an arm's runs stays at the target to the end of the budget: E2.

    Parameters
    ----------
    runs : sequence of RunRecord
        At least one, all of one configuration.
    goal : Goal
        Without `in_a_row`.

    Returns
    -------
    int or None
        None if the mean is below the target at the last check. Checks that a run did not live to count 0 right.
    """
    steps, correct = _mean_curve(runs, goal)
    return stable_step(steps, correct, goal.target * _n_images(runs[0], goal.images))


def costs_at_stable_step(runs: Sequence[RunRecord], price: Price, goal: Goal) -> list[float]:
    """Return what each run had spent at the arm's `stable_step_of`, inf without one; by its last check if it diverged.

    Parameters
    ----------
    runs, goal
        As for `stable_step_of`.
    price : Price

    Returns
    -------
    list of float
        A cost a run.
    """
    step = stable_step_of(runs, goal)
    if step is None:
        return [math.inf] * len(runs)
    return [float(_spent(run, price, goal, np.array([step]))[0]) for run in runs]


def stable_ratio(
    arm: Sequence[RunRecord], scratch: Sequence[RunRecord], price: Price, goal: Goal, rng: np.random.Generator
) -> RatioInterval:
    """Divide what two arms had spent in all at their stable steps, E2, with an interval from resampling pairs.

    Parameters
    ----------
    arm, scratch : sequence of RunRecord
        The same seeds in the same order; each arm of one configuration, which may differ from the other's.
    price : Price
    goal : Goal
        Without `in_a_row`.
    rng : numpy Generator
        Copied, not advanced: all questions to which the same generator is given see the same resamples, so that they
        differ by what is asked alone.

    Returns
    -------
    RatioInterval
        Of costs, not of savings; `curves.stable_cost_ratio` says how misses count.

    Notes
    -----
    A run that diverged counts 0 right from there on, and as spent what it had spent by its last check.
    """
    curves = []
    for runs in (arm, scratch):
        steps, correct = _mean_curve(runs, goal)
        cost = np.stack([_spent(run, price, goal, steps) for run in runs])
        curves.append(Curves(correct, cost))
    needed = goal.target * _n_images(arm[0], goal.images)
    return stable_cost_ratio(curves[0], curves[1], needed, copy.deepcopy(rng))


def _curve(record: RunRecord, images: str) -> tuple[Ints, Ints]:
    """Steps and right answers (n_checks,) of one run."""
    checks = record.curve
    if images == "stop":
        return checks[:, 0], checks[:, 1]
    apart = np.array(record.apart_correct, np.int64)
    return checks[:, 0], apart if images == "apart" else checks[:, 1] - apart


def _n_images(record: RunRecord, images: str) -> int:
    """How many images those right answers are of."""
    if images == "stop":
        return record.n_checked
    n_test = int(record.dataset["n_test"])
    n_apart = {"half": n_test // 2, "test": n_test}[record.config["count_apart"]]
    return n_apart if images == "apart" else record.n_checked - n_apart


def _is_look(steps: Ints, every: int | None) -> npt.NDArray[np.bool_]:
    """Which checks (n_checks,) someone makes who looks only after every so many steps, as soon as the grid lets him."""
    if every is None:
        return np.ones(len(steps), bool)
    return np.diff(steps // every, prepend=0) > 0


def _mean_curve(runs: Sequence[RunRecord], goal: Goal) -> tuple[Ints, Ints]:
    """The looks' steps (n_looks,) of a whole budget, and right answers (n_runs, n_looks) with 0 where a run ended."""
    steps = np.array(RunConfig.from_record(runs[0].config).check_steps(), np.int64)
    correct = np.zeros((len(runs), len(steps)), np.int64)
    for row, run in zip(correct, runs, strict=True):
        _, right = _curve(run, goal.images)
        row[: len(right)] = right
    seen = _is_look(steps, goal.every)
    return steps[seen], correct[:, seen]


def _spent(record: RunRecord, price: Price, goal: Goal, steps: Ints) -> npt.NDArray[np.float64]:
    """What a run had spent (n_looks,) at these steps: at its last check that is no later, nothing before the first."""
    checked, _ = _curve(record, goal.images)
    at_checks = cost_at_checks(record, price.model, SCOPES[price.scope], goal.every)
    spent = np.concatenate([[0.0], at_checks])
    return spent[np.searchsorted(checked, steps, side="right")]

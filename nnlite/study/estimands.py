"""Where an arm is at a goal, and what it had spent there: E1, each run at its first hit; E2, the mean for good.

Both are read off recorded curves, for any target, so a curve never depends on a hit. An arm's runs stand as the rows of
whole-number matrices. Left out: which questions are asked (the question files), intervals of medians (`stats`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..experiment.costs import Bill, cost_at_checks
from ..experiment.records import RunRecord
from ..experiment.stats import Comparison, Interval, compare
from .resampling import RatioInterval, ratio_interval, resamples

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Goal:
    """When a run, or the mean over runs, is where it should be."""

    target: Fraction  # share of right answers
    in_a_row: int = 1  # E1 only: consecutive looks that must hit; the last of them counts, no rule can know it earlier
    every: int | None = None  # look only at the first check at or past each multiple of so many steps; None: at all
    images: str = (
        "stop"  # whose right answers: "stop", that end the run; "apart", counted apart; "rest", first less these
    )


def target_of(record: RunRecord) -> Fraction:
    """Return the target of a record's own configuration, as its decimal digits say."""
    return Fraction(str(record.config["target"]))


class Curves:
    """An arm's runs of one configuration, watched on one grid of checks to the end of their budget.

    A run that diverged gets nothing right after its last check, and has spent what it had by then.

    Parameters
    ----------
    runs : sequence of RunRecord
        At least one, all of one configuration, of full evaluations.

    Raises
    ------
    ValueError
        There is no run, or one was looked at after other steps than its configuration says.
    """

    def __init__(self, runs: Sequence[RunRecord]) -> None:
        if not runs:
            raise ValueError("curves: expected at least one run, found none")
        self.runs = list(runs)
        self.steps: Ints = np.array(runs[0].run_config.check_steps(), np.int64)
        self._n_checks = np.array([len(run.curve) for run in runs])  # fewer than steps where a run diverged
        self._spent: dict[tuple[Bill, int | None], Ints] = {}
        self._resampled: dict[Goal, Ints] = {}
        for run in runs:
            if not np.array_equal(run.curve[:, 0], self.steps[: len(run.curve)]):
                raise ValueError(
                    f"{run.arm}, seed {run.seed}: was looked at after other steps than its configuration's"
                )

    def __len__(self) -> int:
        return len(self.runs)

    def correct(self, images: str = "stop") -> Ints:
        """Return the right answers (n_runs, n_checks), 0 where a run had ended."""
        if images == "stop":
            return self._correct
        return self._apart if images == "apart" else self._correct - self._apart

    def n_images(self, images: str = "stop") -> int:
        """Return how many images those right answers are of."""
        first = self.runs[0]
        if images == "stop":
            return first.n_checked
        n_test = int(first.dataset["n_test"])
        n_apart = {"half": n_test // 2, "test": n_test}[first.config["count_apart"]]
        return n_apart if images == "apart" else first.n_checked - n_apart

    def spent(self, bill: Bill, every: int | None = None) -> Ints:
        """Return what every run had spent (n_runs, n_checks) when a check was made; after its last one, what by then.

        Looks, where they are on the bill, are charged as they were made, or as if after every so many steps.
        """
        if (bill, every) not in self._spent:
            spent = [cost_at_checks(run, bill.model, bill.phases, every) for run in self.runs]
            self._spent[bill, every] = np.stack([self._to_the_end(row, row[-1] if len(row) else 0) for row in spent])
        return self._spent[bill, every]

    def first_checks(self, goal: Goal) -> Ints:
        """Find the check (n_runs,) at which each run is at its goal, E1: a column of `correct`; n_checks for a miss.

        A run that diverged misses what it had not reached.
        """
        looks = self._looks(goal)
        hits = self.correct(goal.images)[:, looks] >= math.ceil(goal.target * self.n_images(goal.images))
        hits &= looks < self._n_checks[:, None]
        if goal.in_a_row > len(looks):
            return np.full(len(self), len(self.steps))
        in_a_row: NDArray[np.bool_] = np.all(sliding_window_view(hits, goal.in_a_row, axis=1), axis=2)
        first = in_a_row.argmax(axis=1)
        return np.where(in_a_row.any(axis=1), looks[first + goal.in_a_row - 1], len(self.steps))

    def first_steps(self, goal: Goal) -> Floats:
        """Return the real step (n_runs,) at which each run is at its goal, E1; inf for a miss."""
        return np.append(self.steps.astype(np.float64), np.inf)[self.first_checks(goal)]

    def first_costs(self, bill: Bill, goal: Goal) -> Floats:
        """Return what each run (n_runs,) had spent when it was at its goal, E1; inf for a miss."""
        checks = self.first_checks(goal)
        hit = checks < len(self.steps)
        spent = self.spent(bill, goal.every)[np.arange(len(self)), np.where(hit, checks, 0)]
        return np.where(hit, spent, np.inf)

    def stable_step(self, goal: Goal) -> int | None:
        """Find the step from which the mean over runs stays at the goal to the end of the budget, E2; None if never.

        min t with mean(correct at s) >= target for every look s >= t; compared as whole numbers.
        """
        check = self._stable_check(goal)
        return None if check is None else int(self.steps[check])

    def stable_costs(self, bill: Bill, goal: Goal) -> Floats:
        """Return what each run (n_runs,) had spent at the arm's stable step, E2; inf without one."""
        check = self._stable_check(goal)
        if check is None:
            return np.full(len(self), np.inf)
        return self.spent(bill, goal.every)[:, check].astype(np.float64)

    def resampled_totals(self, bill: Bill, goal: Goal) -> Floats:
        """Return what the drawn runs had spent in all at their stable step, (N_RESAMPLES,); inf without one."""
        looks = self._looks(goal)
        if goal not in self._resampled:
            correct = self.correct(goal.images)[:, looks]
            hits = (correct >= math.ceil(goal.target * self.n_images(goal.images))).sum(axis=0)
            # Where no run is at the goal no resample is, and where all runs are each is: only the looks between decide.
            first, last = (int(_stable_looks(hits[None], n)[0]) for n in (1, len(self)))
            # Whole numbers below 2^53 in float64: the product is exact and runs in BLAS, the integer one would not.
            totals = resamples(len(self)) @ correct[:, first:last].astype(np.float64)
            self._resampled[goal] = first + _stable_looks(totals, self._needed(goal))
        stable = self._resampled[goal]
        found, which = np.unique(stable, return_inverse=True)  # few: nearly all resamples share their looks
        spent = self.spent(bill, goal.every)[:, looks[np.minimum(found, len(looks) - 1)]].astype(np.float64)
        totals = (resamples(len(self)) @ spent)[np.arange(len(stable)), which]
        return np.where(stable < len(looks), totals, np.inf)

    @cached_property
    def _correct(self) -> Ints:
        return np.stack([self._to_the_end(run.curve[:, 1], 0) for run in self.runs])

    @cached_property
    def _apart(self) -> Ints:
        return np.stack([self._to_the_end(np.array(run.apart_correct, np.int64), 0) for run in self.runs])

    def _to_the_end(self, row: Ints, value: int) -> Ints:
        """One run's numbers at all checks of the grid, with a value where it had ended."""
        return np.concatenate([row, np.full(len(self.steps) - len(row), value, np.int64)])

    def _looks(self, goal: Goal) -> Ints:
        """The checks that someone makes who looks only after every so many steps, as soon as the grid lets him."""
        if goal.every is None:
            return np.arange(len(self.steps))
        return np.flatnonzero(np.diff(self.steps // goal.every, prepend=0) > 0)

    def _needed(self, goal: Goal) -> int:
        """Right answers of all runs together that make their mean reach the target."""
        return math.ceil(goal.target * self.n_images(goal.images) * len(self))

    def _stable_check(self, goal: Goal) -> int | None:
        looks = self._looks(goal)
        totals = self.correct(goal.images)[:, looks].sum(axis=0)
        look = int(_stable_looks(totals[None], self._needed(goal))[0])
        return int(looks[look]) if look < len(looks) else None


def _stable_looks(totals: Ints | Floats, needed: int) -> Ints:
    """Number (n_rows,) of the first look from which each row of totals (n_rows, n_looks) stays; n_looks if none."""
    below = totals < needed
    after: Ints = np.max(below * np.arange(1, below.shape[1] + 1), axis=1, initial=0)
    return after


Pairs = tuple[Curves, Curves]
"""An arm and scratch; row i of both is one seed."""


def first_touch(arms: Pairs, bill: Bill, goal: Goal) -> Comparison:
    """Compare two arms, each run where it is first at its goal, E1."""
    return compare(*(arm.first_costs(bill, goal) for arm in arms))


def for_good(arms: Pairs, bill: Bill, goal: Goal) -> Interval:
    """Return what an arm saves where its mean stays at the goal, E2; the rest as `stable_ratio`."""
    return stable_ratio(*arms, bill, goal).as_reduction()


def stable_ratio(arm: Curves, scratch: Curves, bill: Bill, goal: Goal) -> RatioInterval:
    """Divide what two arms had spent in all at their stable steps, E2, with an interval from resampling pairs.

    sum of spent(stable step), one arm over the other; a resample draws pairs and takes both arms' curves of each.

    Parameters
    ----------
    arm, scratch : Curves
        Row i of both is pair i; their configurations, and so their grids, may differ.
    bill : Bill
    goal : Goal
        Without `in_a_row`.

    Returns
    -------
    RatioInterval
        Of costs, not of savings. An arm that never stays costs inf, in a resample as in the study.

    Raises
    ------
    ValueError
        If the numbers of runs differ.
    """
    if len(arm) != len(scratch):
        raise ValueError(f"expected pairs of curves, found {len(arm)} and {len(scratch)}")
    above, below = (float(curves.stable_costs(bill, goal).sum()) for curves in (arm, scratch))
    resampled = arm.resampled_totals(bill, goal), scratch.resampled_totals(bill, goal)
    return ratio_interval((above, below), resampled, len(arm))

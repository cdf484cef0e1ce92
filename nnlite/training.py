"""One run's inner loop: steps over batches, checks of the accuracy, the stop.

A `Schedule` says which images every step sees and at what rate, a `Checks` after which steps the accuracy is looked at,
and what ends the run; `train` does it. Both arms of every comparison go through it, pretraining as well as training. This
module knows no arms, no statistics, no files, and never prints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from .flops import Tally
from .kernels import reduce
from .mlp import MLP
from .optim import Optimizer

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

_CHUNK = 500  # images evaluated at a time: their activations stay in the processor's cache

REACHED, BUDGET, DIVERGED, STOPPED = "reached", "budget", "diverged", "stopped"


@dataclass(frozen=True)
class Schedule:
    """Which images each step sees, and its learning rate; all that is random about a run's order is in here.

    Step s (from 0) takes the images order[starts[s]:starts[s + 1]] at learning_rates[s].
    """

    order: Ints  # image numbers, one after the other
    starts: Ints  # (n_steps + 1,) where each batch begins, and the end
    learning_rates: npt.NDArray[np.float64]  # (n_steps,)

    @property
    def n_steps(self) -> int:
        """Number of steps planned."""
        return len(self.learning_rates)

    def images_of(self, n_steps: int) -> Ints:
        """Return the image numbers of the first n_steps steps, in order, repeats included."""
        return self.order[: self.starts[n_steps]]


def epochs(
    rows: Ints, batch_size: int, n_steps: int, learning_rate: float, rng: np.random.Generator | None = None
) -> Schedule:
    """Plan n_steps steps over epochs of the given images.

    Parameters
    ----------
    rows : int64 array (n_samples,)
        The image numbers of one epoch.
    batch_size : int
        Images a step; the short last batch of an epoch is used.
    n_steps : int
        Steps in all; the last epoch may stay unfinished.
    learning_rate : float
        The same for all steps.
    rng : Generator, optional
        Draws a fresh permutation for every epoch; without it every epoch is in the order of `rows`.

    Examples
    --------
    >>> import numpy as np
    >>> plan = epochs(np.arange(5), batch_size=2, n_steps=4, learning_rate=0.1)
    >>> plan.order, plan.starts
    (array([0, 1, 2, 3, 4, 0, 1]), array([0, 2, 4, 5, 7]))
    """
    steps_per_epoch = -(-len(rows) // batch_size)
    n_epochs = -(-n_steps // steps_per_epoch)
    order = np.concatenate([rows if rng is None else rng.permutation(rows) for _ in range(n_epochs)] or [rows[:0]])
    one_epoch = np.arange(steps_per_epoch) * batch_size
    starts = np.concatenate([one_epoch + epoch * len(rows) for epoch in range(n_epochs)] + [[n_epochs * len(rows)]])
    starts = starts[: n_steps + 1].astype(np.int64)
    return Schedule(order[: starts[-1]].astype(np.int64), starts, np.full(n_steps, learning_rate))


@dataclass(frozen=True)
class Checks:
    """When a run's accuracy is looked at, on which images, and how many right answers are enough."""

    images: Array  # (n, n_features)
    labels: Ints  # (n,)
    steps: Ints  # after which steps, rising, counted from 1
    needed: int  # right answers that reach the target; see `answers_needed`
    stop_at_hit: bool = True  # False: look on at every check to the end of the schedule


def answers_needed(target: float, n_samples: int) -> int:
    """Return the smallest number of right answers whose share is at least the target.

    The target is read as its decimal digits say, not as the nearest binary fraction: 0.9 of 10 is 9.

    Examples
    --------
    >>> answers_needed(0.9, 10), answers_needed(0.9, 9), answers_needed(0.893, 10_000)
    (9, 9, 8930)
    """
    return math.ceil(Fraction(str(target)) * n_samples)


@dataclass
class Progress:
    """What a run tells while it runs, and how it is told to stop; both are arrays because compiled code shares them."""

    done: Ints = field(default_factory=lambda: np.zeros(2, np.int64))  # steps done, right answers at the last check
    stop: Ints = field(default_factory=lambda: np.zeros(1, np.int64))  # set to 1 from any thread


@dataclass(frozen=True)
class Outcome:
    """How a run went. `steps`, `correct`, `tally` and `network` are those of the stop, also when the run was watched further."""

    status: str  # reached, budget, diverged, stopped
    steps: int  # up to the stop: the first check at or above the target, else the last step
    correct: int | None  # right answers of the last check at or before the stop; None without one
    checks: list[tuple[int, int]]  # (step, right answers) of every check, those after the stop too
    loss: float  # of the last batch, before its update; not finite when the run diverged
    tally: Tally
    network: MLP  # as it was at the stop: the trained one itself, or a copy where the run was watched further


def train(
    mlp: MLP,
    optimizer: Optimizer,
    images: Array,
    labels: Ints,
    schedule: Schedule,
    checks: Checks | None = None,
    tally: Tally | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run the steps of a schedule, and stop at the target, at a loss that is not finite, or at the end.

    Parameters
    ----------
    mlp : MLP
        Trained in place.
    optimizer : SGD, Momentum or Adam
        Its state goes on from where it is; its learning rate follows the schedule.
    images : float array (n, n_features), labels : int64 array (n,)
        What the schedule's numbers point into.
    schedule : Schedule
    checks : Checks, optional
        Without it every step runs: pretraining for a fixed length.
    tally : Tally, optional
        Steps are booked in its current phase, checks in `evaluate`.
    progress : Progress, optional

    Returns
    -------
    Outcome
    """
    tally = Tally() if tally is None else tally
    progress = Progress() if progress is None else progress
    due = set() if checks is None else set(checks.steps.tolist())
    results: list[tuple[int, int]] = []
    at_stop: tuple[int, Tally, MLP] | None = None
    loss, step, status = math.nan, 0, BUDGET
    for step in range(1, schedule.n_steps + 1):
        batch = schedule.order[schedule.starts[step - 1] : schedule.starts[step]]
        loss, gradients = mlp.loss_and_gradients(images[batch], labels[batch], tally)
        optimizer.learning_rate = float(schedule.learning_rates[step - 1])
        optimizer.step(mlp, gradients, tally)
        progress.done[0] = step
        if not math.isfinite(loss):
            status = DIVERGED
            break
        if checks is not None and step in due:
            correct = evaluate(mlp, checks.images, checks.labels, tally)
            progress.done[1] = correct
            results.append((step, correct))
            if correct >= checks.needed and at_stop is None:
                at_stop = step, tally.copy(), mlp if checks.stop_at_hit else mlp.copy()
                if checks.stop_at_hit:
                    break
        if progress.stop[0]:
            status = STOPPED
            break
    if at_stop is None:
        return Outcome(status, step, results[-1][1] if results else None, results, loss, tally, mlp)
    stop_step, stop_tally, network = at_stop
    status = STOPPED if status == STOPPED else REACHED  # what comes after the stop cannot undo it
    return Outcome(status, stop_step, dict(results)[stop_step], results, loss, stop_tally, network)


def evaluate(mlp: MLP, images: Array, labels: Ints, tally: Tally | None = None, phase: str = "evaluate") -> int:
    """Count the images whose most probable class is their label.

    Parameters
    ----------
    mlp : MLP
    images : float array (n, n_features), labels : int64 array (n,)
    tally : Tally, optional
        Is added the operations, in the given phase.
    phase : str
        `evaluate` for a check that decides, `report` for a number that only informs.

    Returns
    -------
    int
    """
    tally = Tally() if tally is None else tally
    right, correct = 0, np.zeros(1, np.int64)
    with tally.phase(phase):
        for start in range(0, len(labels), _CHUNK):
            predictions = mlp.predict(images[start : start + _CHUNK], tally)
            reduce.correct_count(predictions, labels[start : start + _CHUNK], correct, tally.kernel("correct_count"))
            right += int(correct[0])
    return right

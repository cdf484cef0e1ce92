"""What a run does and how it went: the schedule of its steps, the checks of its accuracy, the outcome.

`training` carries a schedule out, in plain or in compiled form; this is all that the two forms share. It draws the
order of the images and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import for_reading, positive
from .flops import Tally
from .kernels.fast.rows import Rows
from .mlp import MLP

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Images = Array | Rows
"""Images as numbers (n, n_features), or as rows of their nonzero pixels, which only the compiled form reads."""

DECIDE, TO_HIT, TO_END = "decide", "to hit", "to end"
"""How `Checks` look: see there."""

REACHED, BUDGET, DIVERGED, STOPPED = "reached", "budget", "diverged", "stopped"


@dataclass(frozen=True)
class Schedule:
    """Which images each step sees, and its learning rate; all that is random about a run's order is in here.

    Step s (from 0) takes the images order[starts[s]:starts[s + 1]] at learning_rates[s].
    """

    order: Ints  # image numbers, one after the other
    starts: Ints  # (n_steps + 1,) where each batch begins, and the end
    learning_rates: npt.NDArray[np.float64]  # (n_steps,)

    def __post_init__(self) -> None:
        starts = self.starts
        if starts.dtype != np.int64 or len(starts) != self.n_steps + 1 or (np.diff(starts) < 1).any() or starts[0] < 0:
            raise ValueError(f"schedule: expected {self.n_steps + 1} rising int64 starts of batches, found {starts}")
        if starts[-1] > len(self.order):
            raise ValueError(f"schedule: the last batch ends at {starts[-1]}, the order at {len(self.order)}")

    @property
    def n_steps(self) -> int:
        """Number of steps planned."""
        return len(self.learning_rates)

    def images_of(self, n_steps: int) -> Ints:
        """Return the image numbers of the first n_steps steps, in order, repeats included."""
        return self.order[: self.starts[n_steps]]

    def part(self, first: int, last: int) -> Schedule:
        """Return the steps from `first` to before `last` as a schedule of its own."""
        starts = self.starts[first : last + 1]
        return Schedule(self.order[starts[0] : starts[-1]], starts - starts[0], self.learning_rates[first:last])


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
    return Schedule(
        order[: starts[-1]].astype(np.int64), starts, np.full(n_steps, positive("learning_rate", learning_rate))
    )


@dataclass(frozen=True)
class Checks:
    """When a run's accuracy is looked at, on which images, and how many right answers are enough."""

    images: Images  # (n, n_features)
    labels: Ints  # (n,)
    steps: Ints  # after which steps, rising, counted from 1
    needed: int  # right answers that reach the target; see `answers_needed`
    look: str = TO_HIT  # at all images until a check reaches the target, TO_END, or DECIDE: no more than settles that
    rows: Ints | None = None  # numbers of the images to look at; all by default
    apart: Ints | None = None  # numbers of more images, looked at after each check, which decide nothing

    def __post_init__(self) -> None:
        steps = self.steps
        if steps.dtype != np.int64 or steps.ndim != 1 or (steps.size and steps[0] < 1) or (np.diff(steps) < 1).any():
            raise ValueError(f"checks: expected rising int64 steps from 1 on, found {steps}")
        if self.look not in (DECIDE, TO_HIT, TO_END):
            raise ValueError(f"checks: expected a look of {DECIDE!r}, {TO_HIT!r} or {TO_END!r}, found {self.look!r}")
        if self.decides and self.apart is not None:
            raise ValueError("checks: decide looks at no more images than it needs; images apart want full checks")

    @property
    def decides(self) -> bool:
        """Whether only that the target is reached is asked for, not how many answers are right."""
        return self.look == DECIDE

    @property
    def stops_at_hit(self) -> bool:
        """Whether the first check that reaches the target ends the run."""
        return self.look != TO_END

    @property
    def n_images(self) -> int:
        """How many images a check looks at."""
        return len(self.labels if self.rows is None else self.rows)


def checked_numbers(numbers: Ints, n_images: int) -> Ints:
    """Return image numbers as compiled loops read them, flat and contiguous.

    Raises
    ------
    ValueError
        They are not int64, not flat, or one is the number of no image.
    """
    if numbers.dtype != np.int64 or numbers.ndim != 1:
        raise ValueError(f"image numbers: expected a flat int64 array, found {numbers.dtype} of shape {numbers.shape}")
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < n_images:
        raise ValueError(f"image numbers: expected 0 to {n_images - 1}, found {numbers.min()} to {numbers.max()}")
    return for_reading(np.ascontiguousarray(numbers))


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
class Watch:
    """What a run tells while it runs, and how it is told to stop; both are arrays because compiled code shares them."""

    done: Ints = field(default_factory=lambda: np.zeros(2, np.int64))  # steps done, right answers at the last check
    stop: Ints = field(default_factory=lambda: np.zeros(1, np.int64))  # set to 1 from any thread

    def __post_init__(self) -> None:
        for name, array, size in (("done", self.done, 2), ("stop", self.stop, 1)):
            if array.shape != (size,) or array.dtype != np.int64 or not array.flags.c_contiguous:
                raise ValueError(f"progress: {name} must be a contiguous int64 array ({size},), found {array!r}")


@dataclass(frozen=True)
class Outcome:
    """How a run went up to its stop, also when it was watched further: steps, right answers, tally, network."""

    status: str  # reached, budget, diverged, stopped
    steps: int  # up to the stop: the first check at or above the target, else the last step
    correct: int | None  # right answers of the last full check at or before the stop; None without one
    checks: list[tuple[int, int]]  # (step, right answers) of every full check, those after the stop too
    loss: float  # of the last batch, before its update; not finite when the run diverged
    tally: Tally
    network: MLP  # as it was at the stop: the trained one itself, or a copy where the run was watched further
    apart: list[int] = field(default_factory=list)  # right answers among the images apart, at every full check
    losses: Array = field(default_factory=lambda: np.zeros(0))  # of every batch, before its update, as `loss`

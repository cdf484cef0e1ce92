"""Training in one call: images, labels and a number of epochs in, a trained network and its history out.

The door for programs and notebooks. `fit` plans the steps, puts the images into the form that trains fastest, and hands
both to `training`, which carries the plan out in compiled form where it can. It knows no data set by name, no arms, no
files, and never prints.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .arguments import (
    Array,
    check_finite,
    check_scale,
    class_labels,
    positive,
    random_generator,
    whole_number,
)
from .flops import Tally
from .mlp import MLP
from .optim import SGD, Adam, Momentum, Optimizer
from .schedule import BUDGET, DIVERGED, Checks, Ints, answers_needed
from .schedule import epochs as plan_steps
from .showing import Shown
from .training import interruptibly, prepare_floats, train

_PLANNED = 1_000_000
"""Images whose order is drawn at a time, 8 MB of numbers: a plan of all epochs would grow with them."""

_SHOWN = 10
"""Epochs at most in the table of a history."""


@dataclass(frozen=True, eq=False, repr=False)
class History(Shown):
    """What `fit` tells of a training.

    Attributes
    ----------
    status : str - "reached" (the target), "budget" (all epochs done), "diverged" (a loss that is not finite)
    losses : float array (n_steps,) - the mean loss of every batch, before its update, in the network's dtype
    accuracies : float64 array (n_epochs,) - of the validation images after each epoch, 0 to 1; (0,) without them
    steps_per_epoch : int
    tally : Tally - the operations: steps in phase `train`, validation in `evaluate`, choosing nonzero pixels in `data`
    seconds : float - that the call took, compiling included
    """

    status: str
    losses: Array
    accuracies: npt.NDArray[np.float64]
    steps_per_epoch: int
    tally: Tally
    seconds: float

    def __repr__(self) -> str:
        n_steps, end = len(self.losses), {"budget": "all epochs done"}.get(self.status, self.status)
        what = f"{end}, {n_steps / self.steps_per_epoch:.3g} epochs, {n_steps:,} steps in {self.seconds:.2f} s"
        accuracy = f", accuracy {self.accuracies[-1]:.2%}" if self.accuracies.size else ""
        return f"History({what}: loss {self.losses[0]:.3g} to {self.losses[-1]:.3g}{accuracy})"

    def _facts(self) -> list[tuple[str, ...]]:
        n_epochs = -(-len(self.losses) // self.steps_per_epoch)
        shown = np.unique(np.linspace(1, n_epochs, min(n_epochs, _SHOWN)).round().astype(int)).tolist()
        ends = [epoch * self.steps_per_epoch for epoch in shown]
        means = [f"{self.losses[end - self.steps_per_epoch : end].mean():.4f}" for end in ends]
        accuracies = [f"{self.accuracies[epoch - 1]:.2%}" for epoch in shown if epoch <= self.accuracies.size]
        return [
            ("epoch", *map(str, shown)),
            ("mean loss", *means),
            *([("accuracy", *accuracies)] if accuracies else []),
            ("operations", f"{self.tally.total():,}"),
        ]


def fit(
    mlp: MLP,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    epochs: int,
    *,
    optimizer: Optimizer | None = None,
    batch_size: int = 64,
    rng: np.random.Generator | int = 0,
    validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    target: float | None = None,
) -> History:
    """Train a network for some epochs, or until enough validation images are answered right.

    Parameters
    ----------
    mlp : MLP
        Trained in place, from the parameters that it has.
    images : array (n, n_features)
        Real numbers, taken as they are: bytes are not divided by 255.
    labels : integer array (n,)
        0 to n_classes - 1.
    epochs : int
        How often every image is seen, 1 or more.
    optimizer : SGD, Momentum or Adam, optional
        Adam() by default. Its state goes on from where it is.
    batch_size : int
        Images a step; the last batch of an epoch may be shorter.
    rng : numpy.random.Generator, or int for the one of that seed
        Draws the order of the images, anew for every epoch.
    validation : (images, labels), optional
        Looked at after every epoch.
    target : float, optional
        The accuracy, 0 to 1, that ends the training at the first look that reaches it.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        Images or labels that do not fit the network or each other, pixels that are not finite or of another size than
        those that the network was trained on before, read-only parameters, a target without validation.
    TypeError
        An optimizer that is none of nnlite's, a validation that is no pair, numbers of another kind.

    Warns
    -----
    RuntimeWarning
        The loss stopped being finite, which ended the training.
    UserWarning
        All images are bytes that were divided by 255 twice, so that next to nothing is learnt from them.

    Notes
    -----
    Ctrl-C stops after the step under way and raises KeyboardInterrupt. Network and optimizer hold every step that was
    taken, whole, and the next `fit` goes on from there; the history is lost. Kernels that run as plain Python may be
    left within a step.

    Examples
    --------
    >>> images, labels = np.eye(3), np.arange(3)
    >>> mlp = MLP((3, 8, 3), rng=0)
    >>> history = fit(mlp, images, labels, epochs=200, optimizer=Adam(0.01), validation=(images, labels), target=1.0)
    >>> history.status, mlp.predict(images).tolist()
    ('reached', [0, 1, 2])
    """
    began = time.perf_counter()
    n_epochs, batch_size = whole_number("epochs", epochs), whole_number("batch_size", batch_size)
    samples = _samples(mlp, images, labels, validation, target)
    optimizer = Adam() if optimizer is None else _optimizer(mlp, optimizer)
    return _train(mlp, optimizer, samples, n_epochs, batch_size, random_generator("rng", rng), began)


class _Samples(NamedTuple):
    """What is trained on and what validates it, as the network reads it."""

    images: Array
    labels: Ints
    held_out: Array | None
    their_labels: Ints
    needed: int  # right answers that end the training; without a target one more than can be
    input_range: tuple[float, float]  # of these images and of all before them


def _samples(
    mlp: MLP,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    validation: tuple[npt.ArrayLike, npt.ArrayLike] | None,
    target: float | None,
) -> _Samples:
    """Make sure that the network can learn from its samples."""
    if not isinstance(mlp, MLP):
        raise TypeError(f"mlp: expected an MLP, found {type(mlp).__name__}")
    mlp.check_trainable()
    learnt, numbers = _checked(mlp, "images", images, labels)
    check_scale(learnt, mlp.input_range)
    input_range = _joined(mlp.input_range, learnt)
    if validation is None:
        if target is not None:
            raise ValueError(f"target {target}: reached on which images? give validation as well")
        return _Samples(learnt, numbers, None, numbers[:0], 1, input_range)
    held_out, their_labels = _checked(mlp, "validation", *_pair(validation))
    check_scale(held_out, input_range)
    needed = len(their_labels) + 1 if target is None else answers_needed(_share(target), len(their_labels))
    return _Samples(learnt, numbers, held_out, their_labels, needed, input_range)


def _train(
    mlp: MLP,
    optimizer: Optimizer,
    samples: _Samples,
    n_epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    began: float,
) -> History:
    """Train some epochs at a time, each planned when its turn comes, up to the last or to the target."""
    tally, n_images = Tally(), len(samples.images)
    batch_size = min(batch_size, n_images)
    steps_per_epoch = math.ceil(n_images / batch_size)
    sets = [samples.images] if samples.held_out is None else [samples.images, samples.held_out]
    images, *held_out = prepare_floats(mlp, sets, tally)
    mlp.input_range = samples.input_range
    outcomes, at_once = [], max(1, _PLANNED // n_images)
    for first in range(0, n_epochs, at_once):
        n_steps = min(at_once, n_epochs - first) * steps_per_epoch
        schedule = plan_steps(np.arange(n_images), batch_size, n_steps, optimizer.learning_rate, rng)
        after = np.arange(steps_per_epoch, n_steps + 1, steps_per_epoch)
        checks = Checks(held_out[0], samples.their_labels, after, samples.needed) if held_out else None
        outcome = interruptibly(partial(train, mlp, optimizer, images, samples.labels, schedule, checks, tally))
        outcomes.append(outcome)
        if outcome.status != BUDGET:
            break
    losses = np.concatenate([outcome.losses for outcome in outcomes])
    if outcome.status == DIVERGED:
        problem = f"the loss stopped being finite at step {len(losses)}; a smaller learning rate may help"
        warnings.warn(problem, RuntimeWarning, stacklevel=3)
    n_right = [correct for outcome in outcomes for _, correct in outcome.checks]
    accuracies = np.array([n / len(samples.their_labels) for n in n_right])
    return History(outcome.status, losses, accuracies, steps_per_epoch, tally, time.perf_counter() - began)


def _optimizer(mlp: MLP, given: Optimizer) -> Optimizer:
    if not isinstance(given, SGD | Momentum | Adam):
        raise TypeError(f"optimizer: expected SGD, Momentum or Adam, such as nnlite.Adam(1e-3), found {given!r:.60}")
    given.settings(mlp.dtype)
    positive("learning_rate", given.learning_rate)
    return given


def _pair(validation: tuple[npt.ArrayLike, npt.ArrayLike]) -> tuple[npt.ArrayLike, npt.ArrayLike]:
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise TypeError("validation: expected a pair, (images, labels)")
    return validation[0], validation[1]


def _share(target: float) -> float:
    if isinstance(target, bool) or not isinstance(target, int | float | np.number):
        raise TypeError(f"target: expected a share from 0 to 1, such as 0.97, found {target!r:.60}")
    if not 0 <= target <= 1:
        raise ValueError(f"target {target}: expected a share from 0 to 1, such as 0.97")
    return target


def _checked(mlp: MLP, name: str, images: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, Ints]:
    """Return images in the network's dtype, and their labels; ValueError where they do not fit it or each other."""
    array = mlp.as_inputs(images, name)
    check_finite(array, f"a pixel that is not finite in {mlp.dtype}")
    return array, class_labels(f"labels of {name}", labels, len(array), mlp.layer_sizes[-1])


def _joined(before: tuple[float, float] | None, images: Array) -> tuple[float, float]:
    """The smallest and the largest input of this training and those before."""
    low, high = float(images.min()), float(images.max())
    return (low, high) if before is None else (min(before[0], low), max(before[1], high))

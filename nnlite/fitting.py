"""Training in one call: images, labels and a number of epochs in, a trained network and its history out.

The door for programs and notebooks. `fit` plans the steps, puts the images into the form that trains fastest, and hands
both to `training`, which carries the plan out in compiled form where it can. It knows no data set by name, no arms, no
files, and never prints.
"""

from __future__ import annotations

import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arguments import Array, check_finite, check_scale, class_labels, random_generator, real_array
from .flops import Tally
from .mlp import MLP
from .optim import SGD, Adam, Momentum, Optimizer
from .schedule import DIVERGED, Checks, Images, Ints, Outcome, Schedule, Watch, answers_needed
from .schedule import epochs as plan_steps
from .showing import Shown
from .training import is_compiled, prepare_floats, train


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
        means = [
            f"{self.losses[first : first + self.steps_per_epoch].mean():.4f}"
            for first in range(0, len(self.losses), self.steps_per_epoch)
        ]
        accuracies = [f"{accuracy:.2%}" for accuracy in self.accuracies]
        return [
            ("epoch", *map(str, range(1, len(means) + 1))),
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

    Notes
    -----
    Ctrl-C stops at the next step: the network keeps what it has learnt, and KeyboardInterrupt is raised.

    Examples
    --------
    >>> images, labels = np.eye(3), np.arange(3)
    >>> mlp = MLP((3, 8, 3), rng=0)
    >>> history = fit(mlp, images, labels, epochs=200, optimizer=Adam(0.01), validation=(images, labels), target=1.0)
    >>> history.status, mlp.predict(images).tolist()
    ('reached', [0, 1, 2])
    """
    began, tally = time.perf_counter(), Tally()
    batch_size, rng = _count("batch_size", batch_size), random_generator("rng", rng)
    optimizer = Adam() if optimizer is None else _optimizer(optimizer)
    mlp.check_trainable()
    images, labels = _checked(mlp, "images", images, labels)
    if mlp.input_range is not None:
        check_scale(images, mlp.input_range)
    trained_on = _joined(mlp.input_range, images)
    steps_per_epoch = -(-len(images) // batch_size)
    n_steps = _count("epochs", epochs) * steps_per_epoch
    schedule = plan_steps(np.arange(len(images)), batch_size, n_steps, optimizer.learning_rate, rng)
    if validation is None:
        if target is not None:
            raise ValueError(f"target {target}: reached on which images? give validation as well")
        prepared, checks = prepare_floats(mlp, [images], tally), None
    else:
        held_out, their_labels = _checked(mlp, "validation", *_pair(validation))
        check_scale(held_out, trained_on)
        prepared = prepare_floats(mlp, [images, held_out], tally)
        needed = len(their_labels) + 1 if target is None else answers_needed(_share(target), len(their_labels))
        after = np.arange(steps_per_epoch, n_steps + 1, steps_per_epoch)
        checks = Checks(prepared[1], their_labels, after, needed)
    mlp.input_range = trained_on
    outcome = _interruptible(mlp, optimizer, prepared[0], labels, schedule, checks, tally)
    if outcome.status == DIVERGED:
        problem = f"the loss stopped being finite at step {outcome.steps}; a smaller learning rate may help"
        warnings.warn(problem, RuntimeWarning, stacklevel=2)
    n_validated = 0 if checks is None else checks.n_images
    accuracies = np.array([correct / n_validated for _, correct in outcome.checks])
    seconds = time.perf_counter() - began
    return History(outcome.status, outcome.losses, accuracies, steps_per_epoch, tally, seconds)


def _count(name: str, value: int) -> int:
    """Return a whole number from 1 on; TypeError and ValueError for all else."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}: expected a whole number, found {value!r:.60}")
    if value < 1:
        raise ValueError(f"{name} {value}: must be at least 1")
    return int(value)


def _optimizer(given: Optimizer) -> Optimizer:
    if not isinstance(given, SGD | Momentum | Adam):
        raise TypeError(f"optimizer: expected SGD, Momentum or Adam, such as nnlite.Adam(1e-3), found {given!r:.60}")
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
    array = np.require(real_array(name, images), mlp.dtype, ["C", "A"])
    n_features = mlp.layer_sizes[0]
    if array.ndim != 2 or array.shape[1] != n_features or len(array) == 0:
        advice = "; flatten them: images.reshape(len(images), -1)" if array[:1].size == n_features else ""
        raise ValueError(f"{name}: expected shape (n, {n_features}), at least one, found {array.shape}{advice}")
    check_finite(array, f"a pixel that is not finite in {mlp.dtype}")
    return array, class_labels(f"labels of {name}", labels, len(array), mlp.layer_sizes[-1])


def _joined(before: tuple[float, float] | None, images: Array) -> tuple[float, float]:
    """The smallest and the largest input of this training and those before."""
    low, high = float(images.min()), float(images.max())
    return (low, high) if before is None else (min(before[0], low), max(before[1], high))


def _interruptible(
    mlp: MLP,
    optimizer: Optimizer,
    images: Images,
    labels: Ints,
    schedule: Schedule,
    checks: Checks | None,
    tally: Tally,
) -> Outcome:
    """Train, and stop at the next step after Ctrl-C, which compiled code does not hear: it gets a thread of its own."""
    if not is_compiled(mlp):
        return train(mlp, optimizer, images, labels, schedule, checks, tally)
    watch = Watch()
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(train, mlp, optimizer, images, labels, schedule, checks, tally, watch)
        try:
            return training.result()
        except KeyboardInterrupt:
            watch.stop[0] = 1
            raise

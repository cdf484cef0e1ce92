"""What an arm does besides ordinary training: which images it is pretrained on, what making them cost, what it keeps.

Everything else about a run (initial values, order of the real images, checks, stop) is the same for all arms and lives
in `run` and `phases`. An arm is a few lines here: one function from a run's training images to a `Pretraining`, or None
for nothing at all, and what it changes in the two phases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..flops import Tally
from ..mlp import MLP
from ..prototypes import class_means, counts_per_class
from ..schedule import Images
from . import control_images

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

K_MEANS_ROUNDS = 10  # of Lloyd's algorithm
STREAM_IMAGES = 9600  # 150 batches of 64: what a run to 90% reads anyhow


@dataclass(frozen=True)
class TrainingData:
    """The images that a run may learn from: all of them, or what its validation split leaves."""

    images: Images  # (n, n_features) float32, or rows of nonzero pixels
    labels: Ints  # (n,)
    rows: Ints  # the numbers that belong to the run
    n_classes: int
    floats: Callable[[], Array]  # the images as float32 (n, n_features), for arms that compute with whole images
    order: Ints  # the run's real images, in the order in which training will see them
    n_epochs: int  # that phase 1 lasts at most

    def one_of_each_class(self, n_times: int, rng: np.random.Generator) -> Ints:
        """Draw n_times images of every class without repeats; one of each class, then another of each, and so on.

        EmptyClassError if a class has none.
        """
        labels = self.labels[self.rows]
        counts_per_class(labels, self.n_classes)
        drawn = [self.rows[rng.permutation(np.flatnonzero(labels == label))] for label in range(self.n_classes)]
        # A class that runs out begins again.
        return np.stack([np.resize(numbers, n_times) for numbers in drawn], axis=1).ravel()


@dataclass(frozen=True)
class Pretraining:
    """Images of phase 1 and what they cost; the tally is charged in full to every run that uses them."""

    images: Images  # the arm's own (m, n_features), or those that training sees
    labels: Ints  # (m,)
    rows: Ints  # numbers of its images, epoch after epoch, again from the first when they end
    per_epoch: int  # images of an epoch
    rows_read: Ints  # numbers of the training images that were looked at to make them
    tally: Tally  # operations that made them, in phase `data`
    real: bool = False  # whether they are images that training may see, under the same numbers

    def read_by(self, n_epochs: int) -> Ints:
        """Return the numbers of the training images that were touched to make them and in n_epochs of phase 1."""
        return np.union1d(self.rows_read, self.rows[: n_epochs * self.per_epoch] if self.real else self.rows[:0])


def own_images(images: Array, labels: Ints, rows_read: Ints, tally: Tally) -> Pretraining:
    """Return a pretraining on images that an arm made, all of them in every epoch."""
    return Pretraining(images, labels, np.arange(len(labels)), len(labels), rows_read, tally)


def real_images(data: TrainingData, rows: Ints, per_epoch: int) -> Pretraining:
    """Return a pretraining on real images, which nothing but scaling has to make."""
    return Pretraining(data.images, data.labels, rows, per_epoch, rows[:0], Tally(), real=True)


Prepare = Callable[[TrainingData, np.random.Generator], Pretraining | None]
Start = Callable[[MLP, Pretraining, float, Tally], None]


@dataclass(frozen=True)
class Arm:
    """What an arm does; its name and its sentence for people are in `config.ARMS`."""

    prepare: Prepare
    draws: bool = False  # whether its images depend on the seed, not only on which training images there are
    start: Start | None = None  # sets the network by a formula, in place of the steps of phase 1
    puts_back: slice | None = None  # layers that get their initial values back after phase 1
    resets_optimizer: bool = False  # whether training starts from a new optimizer
    after: int = 0  # real steps before phase 1
    mixes: int = 0  # first real batches that hold the arm's images as well, in place of phase 1
    warm_up: int = 0  # first real steps, over which the learning rate rises


def nothing(data: TrainingData, rng: np.random.Generator) -> None:
    """Prepare nothing: there is no phase 1."""
    return None


def _averages(data: TrainingData, rows: Ints) -> Pretraining:
    """Average the images of these numbers, class by class."""
    tally = Tally()
    means = class_means(data.images, data.labels, data.n_classes, tally, rows)
    return own_images(means, np.arange(data.n_classes), rows, tally)


def _class_means(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    return _averages(data, data.rows)


def _means_of(n: int, data: TrainingData, rng: np.random.Generator) -> Pretraining:
    """Average n images of each class; ValueError if one has fewer."""
    counts = counts_per_class(data.labels[data.rows], data.n_classes)
    if counts.min() < n:
        raise ValueError(f"class {counts.argmin()} has {counts.min()} images: too few for an average of {n}")
    return _averages(data, data.one_of_each_class(n, rng))


def _stream_means(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    return _averages(data, data.order[:STREAM_IMAGES])


def _fresh_batches(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    return real_images(data, data.one_of_each_class(data.n_epochs, rng), data.n_classes)


def _exemplars(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    return real_images(data, data.one_of_each_class(1, rng), data.n_classes)


def _medoids(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    tally = Tally()
    rows = data.rows[control_images.medoids(data.floats()[data.rows], data.labels[data.rows], data.n_classes, tally)]
    return Pretraining(data.images, data.labels, rows, data.n_classes, data.rows, tally, real=True)


def _permuted(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    means = _class_means(data, rng)
    labels, ring = np.empty(data.n_classes, np.int64), rng.permutation(data.n_classes)
    labels[ring] = np.roll(ring, 1)  # one ring of all classes: no average keeps its label
    return own_images(np.asarray(means.images), labels, means.rows_read, means.tally)


def _k_means(k: int, data: TrainingData, rng: np.random.Generator) -> Pretraining:
    tally = Tally()
    images, labels = data.floats()[data.rows], data.labels[data.rows]
    centres, of_class = control_images.k_means(images, labels, data.n_classes, k, K_MEANS_ROUNDS, tally)
    return own_images(centres, of_class, data.rows, tally)


def _stretched(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    tally = Tally()
    means = control_images.stretched_means(data.floats()[data.rows], data.labels[data.rows], data.n_classes, tally)
    return own_images(means, np.arange(data.n_classes), data.rows, tally)


def _noise(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    means = _class_means(data, rng)
    noise = control_images.matched_noise(np.asarray(means.images), rng, means.tally)
    return own_images(noise, means.labels, means.rows_read, means.tally)


def _global_mean(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    tally = Tally()
    means = control_images.global_mean(data.floats()[data.rows], data.n_classes, tally)
    return own_images(means, np.arange(data.n_classes), data.rows, tally)


def _shuffled_pixels(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    """Give the pixels of each average an order of its own."""
    means = _class_means(data, rng)
    return replace(means, images=rng.permuted(np.asarray(means.images), axis=1))


def _own_exemplars(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    """Copy the images of arm `exemplar`, for a formula that needs them as arrays."""
    rows = data.one_of_each_class(1, rng)
    return own_images(data.floats()[rows], np.arange(data.n_classes), rows, Tally())


def _closed_form(mlp: MLP, pretraining: Pretraining, gain: float, tally: Tally) -> None:
    """Make the network say the label of the image that is nearest: a hidden unit an image, the others start unheard.

    `gain` is the weight from an image's unit to the output of its label.
    """
    means = np.asarray(pretraining.images)
    c, n_features = means.shape
    weight, bias = control_images.nearest_mean_start(means, mlp.layer_sizes[1], n_features**-0.5, tally)
    mlp.weights[0][:, :c], mlp.biases[0][:c] = weight, bias
    mlp.weights[1][:], mlp.biases[1][:] = 0, 0
    mlp.weights[1][np.arange(c), pretraining.labels] = gain


ARMS: dict[str, Arm] = {
    "scratch": Arm(nothing),
    "class-means": Arm(_class_means),
    "fresh-batches": Arm(_fresh_batches, draws=True),
    "exemplar": Arm(_exemplars, draws=True),
    "medoid": Arm(_medoids),
    "means-10": Arm(partial(_means_of, 10), draws=True),
    "closed-form": Arm(_class_means, start=_closed_form),
    "permuted": Arm(_permuted, draws=True),
    "warm-up": Arm(nothing, warm_up=28),
    "adam-state": Arm(_class_means, puts_back=slice(None)),
    "k-means-2": Arm(partial(_k_means, 2)),
    "k-means-5": Arm(partial(_k_means, 5)),
    "k-means-10": Arm(partial(_k_means, 10)),
    "means-100": Arm(partial(_means_of, 100), draws=True),
    "means-1000": Arm(partial(_means_of, 1000), draws=True),
    "stream-means": Arm(_stream_means, draws=True),
    "global-mean": Arm(_global_mean),
    "noise": Arm(_noise, draws=True),
    "stretched-means": Arm(_stretched),
    "averages-last": Arm(_class_means, after=100),
    "mixed": Arm(_class_means, mixes=28),
    "reset-optimizer": Arm(_class_means, resets_optimizer=True),
    "first-layer": Arm(_class_means, puts_back=slice(1, None)),
    "output-layer": Arm(_class_means, puts_back=slice(0, -1)),
    "closed-form-global-mean": Arm(_global_mean, start=_closed_form),
    "closed-form-pixels": Arm(_shuffled_pixels, draws=True, start=_closed_form),
    "closed-form-noise": Arm(_noise, draws=True, start=_closed_form),
    "closed-form-wrong-labels": Arm(_permuted, draws=True, start=_closed_form),
    "closed-form-exemplar": Arm(_own_exemplars, draws=True, start=_closed_form),
}
"""Every arm by name."""

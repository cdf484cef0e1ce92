"""What an arm does before ordinary training: which images it is pretrained on, and what making them cost.

Everything else about a run (initial values, order of the real images, checks, stop) is the same for all arms and lives
in `run`. An arm is one function from a run's training images to a `Pretraining`, or None for nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..flops import Tally
from ..prototypes import class_means
from ..schedule import Images

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainingData:
    """The images that a run may learn from: all of them, or what its validation split leaves."""

    images: Images  # (n, n_features) float32, or rows of nonzero pixels
    labels: Ints  # (n,)
    rows: Ints  # the numbers that belong to the run
    n_classes: int


@dataclass(frozen=True)
class Pretraining:
    """Images of phase 1 and what they cost; the tally is charged in full to every run that uses them."""

    images: Array  # (m, n_features) float32
    labels: Ints  # (m,)
    rows_read: Ints  # numbers of the training images that were looked at
    tally: Tally  # operations that made them, in phase `data`


Prepare = Callable[[TrainingData, np.random.Generator], Pretraining | None]


@dataclass(frozen=True)
class Arm:
    """What an arm does; its name and its sentence for people are in `config.ARMS`."""

    prepare: Prepare
    draws: bool = False  # whether its images depend on the seed, not only on which training images there are


def _nothing(data: TrainingData, rng: np.random.Generator) -> None:
    return None


def _class_means(data: TrainingData, rng: np.random.Generator) -> Pretraining:
    tally = Tally()
    means = class_means(data.images, data.labels, data.n_classes, tally, data.rows)
    return Pretraining(means, np.arange(data.n_classes), data.rows, tally)


PREPARE = {"scratch": Arm(_nothing), "class-means": Arm(_class_means)}
"""Every arm by name."""

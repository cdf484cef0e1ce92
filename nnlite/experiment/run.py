"""One run from its seed to its record: prepare the arm, pretrain, train to the target, keep the bill.

Both arms of a pair go through `run_one`; what differs between them is decided in `arms` alone, the order of things is
in `phases`. A seed fixes initial values, order of the real images, what the arm draws and the validation split, each
from a stream of its own, so that pretraining cannot shift the order in which real images are seen.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._version import __version__
from ..datasets import Dataset, validation_split
from ..flops import Tally
from ..kernels.ops import ADD
from ..mlp import MLP
from ..schedule import (
    DECIDE,
    DIVERGED,
    REACHED,
    STOPPED,
    TO_END,
    Checks,
    Images,
    Outcome,
    Schedule,
    Watch,
    answers_needed,
    epochs,
)
from ..training import count_scaling, evaluate, prepare_images, train
from .arms import ARMS, Arm, Pretraining, TrainingData
from .config import PRETRAIN_EPOCHS_LIMIT, DataError, RunConfig
from .control_images import pixel_moments
from .phases import OPTIMIZERS, Learner, Piece, distinct_seen, go_through, joined, real_pieces, real_schedule
from .records import FAILED, RunRecord, describe

INITIAL_VALUES, BATCH_ORDER, ARM, SPLIT = range(4)
"""The streams of a seed."""

LOOKS = {"decide": DECIDE, "full": TO_END}
"""What `evaluate` of a configuration asks of its checks."""

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


def generator(seed: int, stream: int) -> np.random.Generator:
    """Return the random generator of one of a seed's streams."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))


def stop_set_size(dataset: Dataset, config: RunConfig) -> int:
    """Return how many images are looked at to stop a run: the test set, or a sixth of the training images."""
    return len(dataset.test_labels) if config.stop_on == "test" else len(dataset.train_labels) // 6


class RunData:
    """A data set as runs want it: one copy for all threads, and what several runs share computed once.

    Parameters
    ----------
    dataset : Dataset
    config : RunConfig
    other : RunData, optional
        Of the same data set and the same inputs: its images are used, in the form that they have there.
    """

    def __init__(self, dataset: Dataset, config: RunConfig, other: RunData | None = None) -> None:
        self.dataset, self.config = dataset, config
        # Test images follow the training images in one store, so that one look can take from both.
        self.n_train = len(dataset.train_labels)
        if other is None:
            self.images, self.moments = _prepared(dataset, config.inputs)
        else:
            self.images, self.moments = other.images, other.moments
        self.labels: Ints = other.labels if other else np.concatenate([dataset.train_labels, dataset.test_labels])
        self.n_features = dataset.train_pixels.shape[1]
        self.n_checked = stop_set_size(dataset, config)
        if self.n_checked == 0:
            raise self._refusal(f"{self.n_train} training images: a validation split needs at least 6")
        if dataset.train_labels.min() == dataset.train_labels.max():
            label = dataset.train_labels[0]
            raise self._refusal(
                f"all training labels are {label}: one class is nothing to learn; number classes from 0"
            )
        self._shared: dict[str, Pretraining | None] = {}

    @property
    def test_rows(self) -> Ints:
        """The numbers of the test images in the store."""
        return np.arange(self.n_train, len(self.labels))

    def floats(self) -> Array:
        """Return the training images as float32 (n, n_features)."""
        return self.images[: self.n_train] if isinstance(self.images, np.ndarray) else self.dataset.train_images

    def split(self, seed: int) -> tuple[Ints, Checks]:
        """Return the numbers of the images that a run learns from, and its checks."""
        config, rows, held_out = self.config, np.arange(self.n_train), self.test_rows
        apart = None
        if config.stop_on == "validation":
            rows, held_out = validation_split(self.n_train, self.n_checked, generator(seed, SPLIT))
        if config.evaluate == "full" and config.count_apart == "test":
            apart = self.test_rows
        if config.evaluate == "full" and config.count_apart == "half":
            apart = np.sort(generator(seed, SPLIT).permutation(self.test_rows)[: len(self.test_rows) // 2])
        needed = answers_needed(config.target, self.n_checked)
        steps = np.array(config.check_steps())
        return rows, Checks(self.images, self.labels, steps, needed, LOOKS[config.evaluate], held_out, apart)

    def of_run(self, seed: int, rows: Ints, real: Schedule) -> TrainingData:
        """Return what an arm may make its images of."""
        config = self.config
        n_epochs = config.pretrain_epochs if config.pretrain_target is None else PRETRAIN_EPOCHS_LIMIT
        n_classes = self.dataset.n_classes
        return TrainingData(self.images, self.labels, rows, n_classes, self.floats, real.order, n_epochs)

    def prepare_shared(self, arm: str) -> None:
        """Make what an arm pretrains on, once, where it is the same for every seed.

        Raises
        ------
        DataError
            A class has no training image, or fewer than an arm needs; more classes than an arm has hidden units for.
        """
        n_units, n_classes = self.config.hidden_layer_sizes[:1], self.dataset.n_classes
        if ARMS[arm].start is not None and n_units < (n_classes,):
            wanted = f"a hidden unit for each of the {n_classes} classes, like --hidden {n_classes}"
            raise self._refusal(f"arm {arm}: needs {wanted}; found {n_units[0] if n_units else 'none'}")
        if arm in self._shared or ARMS[arm].draws or self.config.stop_on == "validation":
            return  # a validation split leaves other images to every seed
        rows = np.arange(self.n_train)
        data = self.of_run(0, rows, real_schedule(self.config, ARMS["scratch"], rows, generator(0, BATCH_ORDER)))
        self._shared[arm] = self._prepare(arm, data, generator(0, ARM))

    def pretraining(self, arm: str, seed: int, data: TrainingData) -> Pretraining | None:
        """Return what the arm pretrains on; DataError as `prepare_shared`."""
        if arm in self._shared:
            return self._shared[arm]
        return self._prepare(arm, data, generator(seed, ARM))

    def _prepare(self, arm: str, data: TrainingData, rng: np.random.Generator) -> Pretraining | None:
        """Make what an arm pretrains on; whatever it refuses is the data's fault."""
        try:
            return ARMS[arm].prepare(data, rng)
        except ValueError as error:
            raise self._refusal(f"arm {arm}: {error}") from error

    def _refusal(self, why: str) -> DataError:
        return DataError(f"{self.dataset.name}: {why}")


def _prepared(dataset: Dataset, inputs: str) -> tuple[Images, Tally]:
    """Return all images, training first, as the network takes them, and what the moments of all their pixels cost.

    Moments are those of the training images, the held-out ones among them; inputs that are not standardised need none.
    """
    parts, moments = (dataset.train_pixels, dataset.test_pixels), Tally()
    if inputs == "unit":
        return prepare_images(parts, lambda: _floats(parts)), moments
    if any(part.dtype != np.uint8 for part in parts):
        raise DataError(f"--inputs {inputs}: needs images of bytes, found {parts[0].dtype}")
    images = np.concatenate(parts).astype(np.float32)
    if inputs == "standardised":
        mean, deviation = pixel_moments(parts[0], moments)
        if deviation == 0:
            raise DataError(f"--inputs {inputs}: all training pixels are {mean:g}, there is nothing to divide by")
        images -= np.float32(mean)
        images /= np.float32(deviation)
    return images, moments


def _floats(parts: Sequence[Array]) -> Array:
    """All pixels as one float32 array, bytes divided by 255."""
    images = np.empty((sum(map(len, parts)), parts[0].shape[1]), np.float32)
    first = 0
    for part in parts:
        scale = np.float32(255 if part.dtype == np.uint8 else 1)
        np.divide(part, scale, out=images[first : first + len(part)], dtype=np.float32)
        first += len(part)
    return images


def run_one(
    name: str, seed: int, data: RunData, progress: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]
) -> RunRecord | None:
    """Carry out one run.

    Parameters
    ----------
    name : str
        Of an arm in `ARMS`.
    seed : int
    data : RunData
    progress : int64 array (3,)
        Written while the run goes on: 1 in pretraining or 2 in training, the step, right answers at the last check.
    stop : int64 array (1,)
        Ends the run at its next step when it is no longer 0.

    Returns
    -------
    RunRecord or None
        None if it was stopped.
    """
    began = time.perf_counter()
    progress[0] = 1  # first of all: who asked must know that the run was begun, however it ends
    config, arm = data.config, ARMS[name]
    rows, checks = data.split(seed)
    real = real_schedule(config, arm, rows, generator(seed, BATCH_ORDER))
    training_data = data.of_run(seed, rows, real)
    sizes = (data.n_features, *config.hidden_layer_sizes, data.dataset.n_classes)
    mlp = MLP(sizes, generator(seed, INITIAL_VALUES), config.activation, config.initializer)
    learner = Learner(config, mlp, checks, Tally(), Watch(progress[1:], stop))
    pretraining = data.pretraining(name, seed, training_data)
    pieces = real_pieces(arm, pretraining, training_data, real)
    status, outcomes, fields = go_through(learner, arm, pretraining, pieces, progress[:1])
    if status == STOPPED:
        return None
    outcome = joined(outcomes) if outcomes else None
    if outcome is not None and outcome.status == REACHED:
        status = REACHED  # what came after the stop cannot undo it
    tally = outcome.tally if outcome is not None and status == outcome.status else learner.tally
    read = rows[:0] if pretraining is None else pretraining.read_by(fields.get("pretrain_epochs", 0))
    if outcome is not None:
        fields |= _training_fields(outcome, status, data, checks, tally)
        fields |= _curve_fields(outcome, data, pieces, arm, read, real)
        before = read if outcome.steps > arm.after or not arm.after else rows[:0]
        read = np.union1d(before, real.images_of(outcome.steps))
    _charge_scaling(tally, data, read, checks)
    if status == DIVERGED:
        phase = "pretraining" if outcome is None or outcome.status != DIVERGED else "training"
        step = tally.passes()["pretrain" if phase == "pretraining" else "train"]["steps"]
        fields["message"] = (
            f"the loss stopped being finite at step {step} of {phase}, learning rate {config.learning_rate:g}"
        )
    return RunRecord(
        arm=name,
        seed=seed,
        config=config.to_record(data.n_features, data.dataset.n_classes),
        dataset=describe(data.dataset),
        status=status,
        n_checked=data.n_checked,
        passes=tally.passes(),
        counts=tally.to_record(),
        seconds={"run": round(time.perf_counter() - began, 4)},
        versions=versions(),
        machine=machine(),
        **{**NOT_RUN, "pretrain_after": arm.after, **fields},
    )


NOT_RUN: dict[str, Any] = {
    "reached": False,
    "steps_to_target": None,
    "pretrain_epochs": 0,
    "accuracy_after_pretrain": None,
    "accuracy_at_stop": None,
}
"""What a record says of a phase that a run did not get to."""


def failed_record(config: RunConfig, arm: str, seed: int, dataset: Dataset, message: str) -> RunRecord:
    """Return the record of a run that could not be carried out."""
    return RunRecord(
        arm=arm,
        seed=seed,
        config=config.to_record(dataset.train_pixels.shape[1], dataset.n_classes),
        dataset=describe(dataset),
        status=FAILED,
        passes={},
        counts={"dense": {}, "executed": {}},
        message=message,
        versions=versions(),
        machine=machine(),
        **NOT_RUN,
    )


def warm_up(data: RunData) -> None:
    """Take two steps and a check on the first image: every kernel of a run, with the types of a run."""
    config, sizes = data.config, (data.n_features, *data.config.hidden_layer_sizes, data.dataset.n_classes)
    mlp = MLP(sizes, np.random.default_rng(0), config.activation)
    optimizer = OPTIMIZERS[config.optimizer](config.learning_rate)
    rows = np.arange(1)
    apart = rows if config.evaluate == "full" and config.count_apart != "nothing" else None
    checks = Checks(data.images, data.labels, rows + 1, 2, LOOKS[config.evaluate], rows, apart)
    train(mlp, optimizer, data.images, data.labels, epochs(rows, 1, 2, config.learning_rate), checks)
    evaluate(mlp, data.images, data.labels, rows=rows)


def versions() -> dict[str, str]:
    """Return what a record says of the software that made it."""
    return {
        "nnlite": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": importlib.metadata.version("numba"),
    }


@functools.cache
def machine() -> dict[str, Any]:
    """Return what a record says of the machine that made it: system, processor, cores."""
    return {"system": platform.system(), "processor": _processor(), "cores": os.cpu_count()}


def _processor() -> str:
    """The processor's name as people know it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _training_fields(outcome: Outcome, status: str, data: RunData, checks: Checks, tally: Tally) -> dict[str, Any]:
    """What a record says of the stop."""
    fields: dict[str, Any] = {
        "reached": status == REACHED,
        "steps_to_target": outcome.steps if status == REACHED else None,
    }
    if status == DIVERGED:
        return fields
    correct = outcome.correct
    if correct is None:
        correct = evaluate(outcome.network, checks.images, checks.labels, tally, "report", checks.rows)
    fields["accuracy_at_stop"] = correct / data.n_checked
    if data.config.stop_on == "validation":
        right = evaluate(outcome.network, checks.images, checks.labels, tally, "report", data.test_rows)
        fields["test_accuracy_at_stop"] = right / len(data.test_rows)
    return fields


def _curve_fields(
    outcome: Outcome, data: RunData, pieces: Sequence[Piece], arm: Arm, read: Ints, real: Schedule
) -> dict[str, Any]:
    """What a record says of a run that was watched on: right answers, images seen and read, at each check."""
    if data.config.evaluate != "full":
        return {}
    steps = np.array([step for step, _ in outcome.checks], np.int64)
    ends = np.concatenate([[0], *(before + piece.schedule.starts[1:] for before, piece in _with_images(pieces))])
    distinct = np.array(distinct_seen(read, real, data.n_train, steps))
    if arm.after:  # the averages are made after that step
        early = steps <= arm.after
        distinct[early] = distinct_seen(read[:0], real, data.n_train, steps[early])
    return {
        "checks": [list(check) for check in outcome.checks],
        "images_seen": ends[steps].tolist(),
        "images_read": distinct.tolist(),
        "apart_correct": outcome.apart,
    }


def _with_images(pieces: Sequence[Piece]) -> list[tuple[int, Piece]]:
    """Each piece with the number of images that the pieces before it show."""
    shown = [int(piece.schedule.starts[-1]) for piece in pieces]
    return [(sum(shown[:number]), piece) for number, piece in enumerate(pieces)]


def _charge_scaling(tally: Tally, data: RunData, rows_read: Ints, checks: Checks) -> None:
    """Put on the bill what makes numbers of the bytes of each distinct image that a run read, and of those it checked.

    They are computed once for all runs; each run is charged as if it were alone.
    """
    if data.dataset.train_pixels.dtype != np.uint8 or data.config.inputs == "bytes":
        return  # used as they are
    tally.merge(data.moments)
    with tally.phase("data"):
        _count_scaling(data, data.images, rows_read, tally)
    if "evaluate" in tally.passes():  # a run may diverge before its first check
        rows = np.arange(checks.n_images) if checks.rows is None else checks.rows
        with tally.phase("evaluate"):
            _count_scaling(data, checks.images, rows, tally)


def _count_scaling(data: RunData, images: Images, rows: Ints, tally: Tally) -> None:
    """Count one division a pixel, and with a mean to take away one addition."""
    counters = tally.kernel("scale_pixels")
    count_scaling(images, rows, counters)
    if data.config.inputs == "standardised":
        counters[:, ADD] += len(rows) * data.n_features

"""One run from its seed to its record: prepare the arm, pretrain, train to the target, keep the bill.

Both arms of a pair go through `run_one`; what differs between them is decided in `arms` alone. A seed fixes initial
values, order of the real images, what the arm draws and the validation split, each from a stream of its own, so that
pretraining cannot shift the order in which real images are seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..datasets import Dataset, validation_split
from ..flops import Tally
from ..mlp import MLP
from ..optim import SGD, Adam, Momentum, Optimizer
from ..schedule import DIVERGED, REACHED, STOPPED, Checks, Outcome, Progress, answers_needed, epochs
from ..training import count_scaling, evaluate, prepare_images, train
from .arms import PREPARE, Pretraining, TrainingData
from .config import PRETRAIN_EPOCHS_LIMIT, RunConfig
from .records import RunRecord, describe

INITIAL_VALUES, BATCH_ORDER, ARM, SPLIT = range(4)
"""The streams of a seed."""

OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {"adam": Adam, "sgd": SGD, "momentum": Momentum}
"""From a configuration's name and learning rate to an optimizer."""

Ints = npt.NDArray[np.int64]


def generator(seed: int, stream: int) -> np.random.Generator:
    """Return the random generator of one of a seed's streams."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))


def stop_set_size(dataset: Dataset, config: RunConfig) -> int:
    """Return how many images are looked at to stop a run: the test set, or a sixth of the training images."""
    return len(dataset.test_labels) if config.stop_on == "test" else len(dataset.train_labels) // 6


class DataError(ValueError):
    """A data set that no run can use, whatever its seed."""


class RunData:
    """A data set as runs want it: one copy for all threads, and what several runs share computed once.

    Parameters
    ----------
    dataset : Dataset
    config : RunConfig
    """

    def __init__(self, dataset: Dataset, config: RunConfig) -> None:
        self.dataset, self.config = dataset, config
        self.images, self.test_images = prepare_images(
            (dataset.train_pixels, lambda: dataset.train_images), (dataset.test_pixels, lambda: dataset.test_images)
        )
        self.labels = dataset.train_labels
        self.n_features = dataset.train_pixels.shape[1]
        self.n_checked = stop_set_size(dataset, config)
        if self.n_checked == 0:
            raise DataError(f"{len(dataset.train_labels)} training images: a validation split needs at least 6")
        self._shared: dict[str, Pretraining | None] = {}

    def split(self, seed: int) -> tuple[TrainingData, Checks]:
        """Return the images that a run learns from, and its checks."""
        dataset, config = self.dataset, self.config
        rows = np.arange(len(self.labels))
        images, labels, held_out = self.test_images, dataset.test_labels, np.arange(self.n_checked)
        if config.stop_on == "validation":
            rows, held_out = validation_split(len(self.labels), self.n_checked, generator(seed, SPLIT))
            images, labels = self.images, self.labels
        needed = answers_needed(config.target, self.n_checked)
        steps = np.array(config.check_steps())
        decides = config.evaluate == "decide"
        checks = Checks(images, labels, steps, needed, stop_at_hit=decides, rows=held_out, decide=decides)
        return TrainingData(self.images, self.labels, rows, dataset.n_classes), checks

    def prepare_shared(self, arms: Sequence[str]) -> None:
        """Make what these arms pretrain on, where it is the same for every seed.

        Raises
        ------
        EmptyClassError
            A class has no training image.
        """
        if self.config.stop_on == "test":  # a validation split leaves other images to every seed
            data, _ = self.split(0)
            for arm in arms:
                if not PREPARE[arm].draws:
                    self._shared[arm] = PREPARE[arm].prepare(data, generator(0, ARM))

    def pretraining(self, arm: str, seed: int, data: TrainingData) -> Pretraining | None:
        """Return what the arm pretrains on."""
        if arm in self._shared:
            return self._shared[arm]
        return PREPARE[arm].prepare(data, generator(seed, ARM))


def run_one(
    arm: str, seed: int, data: RunData, progress: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]
) -> RunRecord | None:
    """Carry out one run.

    Parameters
    ----------
    arm : str
        A name in `PREPARE`.
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
    config = data.config
    training_data, checks = data.split(seed)
    sizes = (data.n_features, *config.hidden_layer_sizes, data.dataset.n_classes)
    mlp = MLP(sizes, generator(seed, INITIAL_VALUES), config.activation, config.initializer)
    optimizer = OPTIMIZERS[config.optimizer](config.learning_rate)
    watch = Progress(progress[1:], stop)
    tally = Tally()
    fields: dict[str, Any] = {}
    rows_read = training_data.rows[:0]
    status = REACHED
    pretraining = data.pretraining(arm, seed, training_data)
    if pretraining is not None:
        tally.merge(pretraining.tally)
        rows_read = pretraining.rows_read
        status, fields = _pretrain(mlp, optimizer, pretraining, config, checks, tally, watch)
    progress[:] = 2, 0, 0
    outcome = None
    if status not in (STOPPED, DIVERGED):
        rng = generator(seed, BATCH_ORDER)
        schedule = epochs(training_data.rows, config.batch_size, config.max_steps, config.learning_rate, rng)
        outcome = train(mlp, optimizer, data.images, data.labels, schedule, checks, tally, watch)
        status, tally = outcome.status, outcome.tally
        rows_read = np.union1d(rows_read, schedule.images_of(outcome.steps))
        fields.update(_training_fields(outcome, config, data, checks))
    if status == STOPPED:
        return None
    _charge_scaling(tally, data, rows_read, checks)
    if status == DIVERGED:
        phase = "pretraining" if outcome is None else "training"
        step = tally.passes()["pretrain" if outcome is None else "train"]["steps"]
        fields["message"] = (
            f"the loss stopped being finite at step {step} of {phase}, learning rate {config.learning_rate:g}"
        )
    return RunRecord(
        arm=arm,
        seed=seed,
        config=config.to_record(sizes[0]),
        dataset=describe(data.dataset),
        status=status,
        n_checked=data.n_checked,
        passes=tally.passes(),
        counts=tally.to_record(),
        seconds={"run": round(time.perf_counter() - began, 4)},
        **{**NOT_RUN, **fields},
    )


NOT_RUN: dict[str, Any] = {
    "reached": False,
    "steps_to_target": None,
    "pretrain_epochs": 0,
    "accuracy_after_pretrain": None,
    "accuracy_at_stop": None,
}
"""What a record says of a phase that a run did not get to."""


def _pretrain(
    mlp: MLP,
    optimizer: Optimizer,
    pretraining: Pretraining,
    config: RunConfig,
    checks: Checks,
    tally: Tally,
    watch: Progress,
) -> tuple[str, dict[str, Any]]:
    """Train on the arm's own images, for so many epochs or to the pretraining target; return status and record fields.

    With a target every look decides, and is on the bill; without, looks only inform. Whole curves look at every epoch.
    """
    rows = np.arange(len(pretraining.labels))
    one_epoch = -(-len(rows) // config.batch_size)  # steps
    target = config.pretrain_target
    looks = target is not None or config.evaluate == "full"
    n_epochs = config.pretrain_epochs if target is None else PRETRAIN_EPOCHS_LIMIT
    needed = answers_needed(target if target is not None else 1.0, checks.n_images)
    pretrain_checks: list[list[int]] = []
    unlooked = replace(checks, steps=rows[:0])  # phase 1 is looked at from here; compiled code is the same

    def look(epoch: int) -> int:
        correct = evaluate(
            mlp, checks.images, checks.labels, tally, "report" if target is None else "evaluate", checks.rows
        )
        if config.evaluate == "full":
            own = evaluate(mlp, pretraining.images, pretraining.labels, tally, "report")
            pretrain_checks.append([epoch, correct, own])
        return correct

    if config.evaluate == "full" and target is None:
        look(0)
    epoch, correct = 0, None
    while epoch < n_epochs:
        n = 1 if looks else n_epochs
        schedule = epochs(rows, config.batch_size, n * one_epoch, config.learning_rate)
        with tally.phase("pretrain"):
            outcome = train(mlp, optimizer, pretraining.images, pretraining.labels, schedule, unlooked, tally, watch)
        if outcome.status in (STOPPED, DIVERGED):
            return outcome.status, {"pretrain_epochs": epoch + outcome.steps // one_epoch}
        epoch += n
        correct = look(epoch) if looks else None
        if target is not None and correct is not None and correct >= needed:
            break
    if correct is None:
        correct = evaluate(mlp, checks.images, checks.labels, tally, "report", checks.rows)
    return REACHED, {
        "pretrain_epochs": epoch,
        "accuracy_after_pretrain": correct / checks.n_images,
        "pretrain_checks": pretrain_checks,
    }


def _training_fields(outcome: Outcome, config: RunConfig, data: RunData, checks: Checks) -> dict[str, Any]:
    """What a record says of training on the real images."""
    fields: dict[str, Any] = {
        "reached": outcome.status == REACHED,
        "steps_to_target": outcome.steps if outcome.status == REACHED else None,
        "checks": [list(check) for check in outcome.checks] if config.evaluate == "full" else [],
    }
    if outcome.status in (DIVERGED, STOPPED):
        return fields
    correct = outcome.correct
    if correct is None:
        correct = evaluate(outcome.network, checks.images, checks.labels, outcome.tally, "report", checks.rows)
    fields["accuracy_at_stop"] = correct / data.n_checked
    if config.stop_on == "validation":
        test_labels = data.dataset.test_labels
        right = evaluate(outcome.network, data.test_images, test_labels, outcome.tally, "report")
        fields["test_accuracy_at_stop"] = right / len(test_labels)
    return fields


def _charge_scaling(tally: Tally, data: RunData, rows_read: Ints, checks: Checks) -> None:
    """Put byte / 255 on the bill, one division a pixel, of each distinct image the run read and of those it checked.

    The floats are computed once for all runs; each run is charged as if it were alone.
    """
    if data.dataset.train_pixels.dtype != np.uint8:
        return  # floats of one's own are used as they are
    with tally.phase("data"):
        count_scaling(data.images, rows_read, tally.kernel("scale_pixels"))
    if "evaluate" in tally.passes():  # a run may diverge before its first check
        rows = np.arange(checks.n_images) if checks.rows is None else checks.rows
        with tally.phase("evaluate"):
            count_scaling(checks.images, rows, tally.kernel("scale_pixels"))

"""A network on its way through a run: phase 1 on the arm's images, then real steps, watched to the stop or the budget.

`run` makes the network and its data and keeps the record; this module knows the order of things and books the bill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..flops import Tally
from ..mlp import MLP
from ..optim import SGD, Adam, Momentum, Optimizer
from ..schedule import (
    DIVERGED,
    REACHED,
    STOPPED,
    Checks,
    Images,
    Outcome,
    Schedule,
    Watch,
    answers_needed,
    epochs,
)
from ..training import evaluate, images_like, train
from .arms import Arm, Pretraining, TrainingData
from .config import PRETRAIN_EPOCHS_LIMIT, RunConfig

Ints = npt.NDArray[np.int64]

OPTIMIZERS: dict[str, type[SGD] | type[Momentum] | type[Adam]] = {"adam": Adam, "sgd": SGD, "momentum": Momentum}
"""From a configuration's name to what takes its learning rate."""


@dataclass
class Learner:
    """What goes through the phases of a run and is changed by them."""

    config: RunConfig
    mlp: MLP
    checks: Checks
    tally: Tally
    watch: Watch
    optimizer: Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.new_optimizer()

    def new_optimizer(self) -> None:
        """Begin again with an optimizer that has seen nothing."""
        self.optimizer = OPTIMIZERS[self.config.optimizer](self.config.learning_rate)


@dataclass(frozen=True)
class Piece:
    """Consecutive real steps, and the images that their schedule numbers."""

    images: Images
    labels: Ints
    schedule: Schedule


def real_schedule(config: RunConfig, arm: Arm, rows: Ints, rng: np.random.Generator) -> Schedule:
    """Plan the real steps of a run: order, batches, and a learning rate that may warm up or decay."""
    schedule = epochs(rows, config.batch_size, config.max_steps, config.learning_rate, rng)
    rates = schedule.learning_rates.copy()
    if config.decay == "linear":
        rates *= 1 - np.arange(len(rates)) / len(rates)
    n = min(arm.warm_up, len(rates))
    rates[:n] *= np.arange(1, n + 1) / max(1, arm.warm_up)
    return replace(schedule, learning_rates=rates)


def real_pieces(arm: Arm, pretraining: Pretraining | None, data: TrainingData, real: Schedule) -> list[Piece]:
    """Cut the real steps where an arm mixes its images in, or has phase 1 in between."""
    cut = min(arm.mixes or arm.after, real.n_steps)
    first, rest = (Piece(data.images, data.labels, real.part(*ends)) for ends in ((0, cut), (cut, real.n_steps)))
    if arm.mixes and pretraining:
        first = _mixed(first, pretraining, data)
    return [piece for piece in (first, rest) if piece.schedule.n_steps]  # a budget may end before the cut


def _mixed(piece: Piece, pretraining: Pretraining, data: TrainingData) -> Piece:
    """Add the arm's images to the end of every batch, in a store of both."""
    schedule, own = piece.schedule, np.asarray(pretraining.images)
    images = np.concatenate([data.floats()[schedule.order], own])
    labels = np.concatenate([data.labels[schedule.order], pretraining.labels])
    added = np.arange(len(schedule.order), len(images))
    batches = [
        np.concatenate([np.arange(start, end), added])
        for start, end in zip(schedule.starts[:-1].tolist(), schedule.starts[1:].tolist(), strict=True)
    ]
    starts = schedule.starts + len(own) * np.arange(len(schedule.starts))
    schedule = Schedule(np.concatenate(batches), starts, schedule.learning_rates)
    return Piece(images_like(piece.images, images), labels, schedule)


def go_through(
    learner: Learner, arm: Arm, pretraining: Pretraining | None, pieces: Sequence[Piece], stage: Ints
) -> tuple[str, list[Outcome], dict[str, Any]]:
    """Take phase 1 and the real steps in the arm's order; return status, outcome of each piece and record fields.

    `stage` (1,) is written for people: 1 in pretraining, 2 in training.
    """
    fields: dict[str, Any] = {}
    outcomes: list[Outcome] = []
    status, steps_before = REACHED, 0
    if pretraining is not None and arm.mixes:
        learner.tally.merge(pretraining.tally)
    phase_1_before = None if pretraining is None or arm.mixes else min(arm.after, 1)
    for number, piece in enumerate(pieces):
        if number == phase_1_before and pretraining is not None:
            stage[0], learner.watch.done[:] = 1, 0
            status, fields = pretrain(learner, arm, pretraining)
        if status not in (STOPPED, DIVERGED):
            stage[0], learner.watch.done[:] = 2, 0
            outcomes.append(train_piece(learner, piece, steps_before))
            steps_before += piece.schedule.n_steps
            status = outcomes[-1].status
        if status in (STOPPED, DIVERGED) or (status == REACHED and learner.checks.stops_at_hit):
            break
    return status, outcomes, fields


def pretrain(learner: Learner, arm: Arm, pretraining: Pretraining) -> tuple[str, dict[str, Any]]:
    """Train on the arm's own images, for so many epochs or to the pretraining target; return status and record fields.

    With a target every look decides, and is on the bill; without, looks only inform. Whole curves look at every epoch.
    """
    initial = learner.mlp.copy()
    learner.tally.merge(pretraining.tally)
    if arm.start is not None:
        arm.start(learner.mlp, pretraining, learner.config.closed_form_gain, learner.tally)
        status, fields = REACHED, {"accuracy_after_pretrain": _look(learner, "report") / learner.checks.n_images}
    else:
        status, fields = _epochs(learner, pretraining)
    if arm.puts_back is not None:
        layers = range(len(initial.weights))[arm.puts_back]
        for i in layers:
            learner.mlp.weights[i][:], learner.mlp.biases[i][:] = initial.weights[i], initial.biases[i]
    if arm.resets_optimizer:
        learner.new_optimizer()
    return status, fields


def _look(learner: Learner, phase: str) -> int:
    checks = learner.checks
    return evaluate(learner.mlp, checks.images, checks.labels, learner.tally, phase, checks.rows)


def _epochs(learner: Learner, pretraining: Pretraining) -> tuple[str, dict[str, Any]]:
    """Phase 1 by gradient steps."""
    config, tally, checks = learner.config, learner.tally, learner.checks
    one_epoch = -(-pretraining.per_epoch // config.batch_size)  # steps
    target = config.pretrain_target
    looks = target is not None or config.evaluate == "full"
    n_epochs = config.pretrain_epochs if target is None else PRETRAIN_EPOCHS_LIMIT
    needed = answers_needed(target if target is not None else 1.0, checks.n_images)
    # Looked at from here, by none of its checks; handed over so that one compiled loop serves both phases.
    unlooked = replace(checks, steps=np.zeros(0, np.int64), apart=None)
    own = np.unique(pretraining.rows)
    seen: list[list[int]] = []

    def look(epoch: int) -> int:
        correct = _look(learner, "report" if target is None else "evaluate")
        if config.evaluate == "full":
            right = evaluate(learner.mlp, pretraining.images, pretraining.labels, tally, "report", own)
            seen.append([epoch, correct, right])
        return correct

    if config.evaluate == "full" and target is None:
        look(0)
    epoch, correct = 0, None
    while epoch < n_epochs:
        n = 1 if looks else n_epochs
        schedule = _epoch_schedule(pretraining, epoch, n, config)
        with tally.phase("pretrain"):
            outcome = train(
                learner.mlp,
                learner.optimizer,
                pretraining.images,
                pretraining.labels,
                schedule,
                unlooked,
                tally,
                learner.watch,
            )
        if outcome.status in (STOPPED, DIVERGED):
            return outcome.status, {"pretrain_epochs": epoch + outcome.steps // one_epoch}
        epoch += n
        correct = look(epoch) if looks else None
        if target is not None and correct is not None and correct >= needed:
            break
    if correct is None:
        correct = _look(learner, "report")
    after = correct / checks.n_images
    return REACHED, {"pretrain_epochs": epoch, "accuracy_after_pretrain": after, "pretrain_checks": seen}


def _epoch_schedule(pretraining: Pretraining, first: int, n_epochs: int, config: RunConfig) -> Schedule:
    """Plan n_epochs of phase 1 from epoch `first` on; its learning rate is constant."""
    per_epoch, rows = pretraining.per_epoch, pretraining.rows
    one_epoch = -(-per_epoch // config.batch_size)
    rate = config.learning_rate * config.pretrain_rate_factor
    plan = epochs(np.arange(per_epoch), config.batch_size, n_epochs * one_epoch, rate)
    order = rows[(first * per_epoch + np.arange(n_epochs * per_epoch)) % len(rows)]
    return replace(plan, order=order)


def train_piece(learner: Learner, piece: Piece, steps_before: int) -> Outcome:
    """Take the real steps of a piece; steps of the outcome are the run's."""
    checks, n_steps = learner.checks, piece.schedule.n_steps
    inside = (checks.steps > steps_before) & (checks.steps <= steps_before + n_steps)
    own_checks = replace(checks, steps=checks.steps[inside] - steps_before)
    outcome = train(
        learner.mlp,
        learner.optimizer,
        piece.images,
        piece.labels,
        piece.schedule,
        own_checks,
        learner.tally,
        learner.watch,
    )
    looked = [(step + steps_before, correct) for step, correct in outcome.checks]
    return replace(outcome, steps=outcome.steps + steps_before, checks=looked)


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Join the outcomes of consecutive pieces into the run's: the first stop stands, the curves are put together."""
    hit = next((outcome for outcome in outcomes if outcome.status == REACHED), outcomes[-1])
    status = STOPPED if outcomes[-1].status == STOPPED else hit.status
    return replace(
        hit,
        status=status,
        checks=[check for outcome in outcomes for check in outcome.checks],
        apart=[right for outcome in outcomes for right in outcome.apart],
    )


def distinct_seen(read: Ints, schedule: Schedule, n_images: int, at_steps: Ints) -> Ints:
    """Count the distinct images that were read before or seen by the first so many steps of a schedule."""
    new = np.ones(n_images, bool)
    new[read] = False
    first = np.zeros(len(schedule.order), np.int64)
    numbers, positions = np.unique(schedule.order, return_index=True)
    first[positions] = new[numbers]
    counts = np.concatenate([[0], np.cumsum(first)]) + len(np.unique(read))
    return counts[schedule.starts[at_steps]]

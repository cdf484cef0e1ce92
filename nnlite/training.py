"""One run's inner loop: steps over batches, checks of the accuracy, the stop.

`train` carries out a `Schedule` with its `Checks`; both arms of every comparison go through it, pretraining as well as
training. Here stands the form to read: one call of the network and one of the optimizer a step. Where the fast kernels
apply, `compiled` carries out the same schedule; `fast_kernels` alone knows whether they are wanted. This module
knows no arms, no statistics, no files, and never prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import numpy as np

from .arguments import class_labels, not_negative, real_array
from .flops import Tally
from .kernels import fast_kernels, reduce
from .kernels.fast.rows import Rows, count_of
from .kernels.jit import COMPILES, WITHOUT_NUMBA
from .kernels.ops import CMP, DENSE, DIV, EXECUTED
from .mlp import MLP
from .optim import Optimizer
from .schedule import (
    BUDGET,
    DIVERGED,
    REACHED,
    STOPPED,
    Array,
    Checks,
    Images,
    Ints,
    Outcome,
    Schedule,
    Watch,
    answers_needed,
    checked_numbers,
    epochs,
)

if not WITHOUT_NUMBA:
    from . import compiled  # whose kernels name instructions, so that they have no use as Python

__all__ = [
    "Checks",
    "Outcome",
    "Schedule",
    "Watch",
    "answers_needed",
    "count_scaling",
    "epochs",
    "evaluate",
    "images_like",
    "interruptibly",
    "is_compiled",
    "logits",
    "prepare_floats",
    "prepare_images",
    "train",
]

Found = TypeVar("Found")

_CHUNK = 500  # images evaluated at a time: their activations stay in the processor's cache


def train(
    mlp: MLP,
    optimizer: Optimizer,
    images: Images,
    labels: Ints,
    schedule: Schedule,
    checks: Checks | None = None,
    tally: Tally | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Run the steps of a schedule, and stop at the target, at a loss that is not finite, or at the end.

    Parameters
    ----------
    mlp : MLP
        Trained in place.
    optimizer : SGD, Momentum or Adam
        Its state goes on from where it is; its learning rate follows the schedule.
    images : float array (n, n_features) or Rows
        What the schedule's numbers point into; see `prepare_images`.
    labels : int64 array (n,)
    schedule : Schedule
    checks : Checks, optional
        Without it every step runs: pretraining for a fixed length.
    tally : Tally, optional
        Steps are booked in its current phase, checks in `evaluate`.
    watch : Watch, optional

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        Images, labels or image numbers that do not fit the network or each other; a learning rate or another number of
        the optimizer that the network's dtype rounds to 0 or to infinity.
    """
    mlp.check_trainable()
    tally = Tally() if tally is None else tally
    watch = Watch() if watch is None else watch
    optimizer.settings(mlp.dtype)  # refuses what the dtype cannot hold, before a kernel rounds it
    rates = schedule.learning_rates[schedule.learning_rates != 0]  # 0 stands still, as it says
    for rate in (rates.min(), rates.max()) if rates.size else ():
        not_negative("learning_rates", rate, mlp.dtype)
    images, labels, order = _checked(mlp, images, labels, schedule.order)
    schedule = replace(schedule, order=order)
    if checks is not None:
        looked_at, their_labels, rows = _checked(mlp, checks.images, checks.labels, checks.rows)
        apart = None if checks.apart is None else checked_numbers(checks.apart, len(their_labels))
        checks = replace(checks, images=looked_at, labels=their_labels, rows=rows, apart=apart)
        if isinstance(looked_at, Rows) != isinstance(images, Rows) and checks.steps.size:
            raise ValueError("checks: their images and those to train on must both be arrays or both be rows")
    watch.done[:] = 0
    if is_compiled(mlp):
        return compiled.train(mlp, optimizer, images, labels, schedule, checks, tally, watch)
    return _train_stepwise(mlp, optimizer, _as_array(images), labels, schedule, checks, tally, watch)


def _train_stepwise(
    mlp: MLP,
    optimizer: Optimizer,
    images: Array,
    labels: Ints,
    schedule: Schedule,
    checks: Checks | None,
    tally: Tally,
    watch: Watch,
) -> Outcome:
    """Carry out a schedule one call of the network and one of the optimizer a step: the form to read."""
    due = set() if checks is None else set(checks.steps.tolist())
    results: list[tuple[int, int]] = []
    apart: list[int] = []
    at_stop: tuple[int, Tally, MLP] | None = None
    losses: list[float] = []
    loss, step, status = math.nan, 0, BUDGET
    for step in range(1, schedule.n_steps + 1):
        batch = schedule.order[schedule.starts[step - 1] : schedule.starts[step]]
        loss, gradients = mlp.loss_and_gradients(images[batch], labels[batch], tally)
        losses.append(loss)
        optimizer.learning_rate = float(schedule.learning_rates[step - 1])
        optimizer.step(mlp, gradients, tally)
        watch.done[0] = step
        if not math.isfinite(loss):
            status = DIVERGED
            break
        if checks is not None and step in due:
            correct = evaluate(mlp, checks.images, checks.labels, tally, rows=checks.rows)
            watch.done[1] = correct
            results.append((step, correct))
            if correct >= checks.needed and at_stop is None:
                at_stop = step, tally.copy(), mlp if checks.stops_at_hit else mlp.copy()
            if checks.apart is not None:
                apart.append(evaluate(mlp, checks.images, checks.labels, tally, "report", checks.apart))
            if at_stop is not None and checks.stops_at_hit:
                break
        if watch.stop[0]:
            status = STOPPED
            break
    if at_stop is None:
        last = results[-1][1] if results else None
        return Outcome(status, step, last, results, loss, tally, mlp, apart, np.array(losses, mlp.dtype))
    stop_step, stop_tally, network = at_stop
    status = STOPPED if status == STOPPED else REACHED  # what comes after the stop cannot undo it
    at_hit, kept = dict(results)[stop_step], np.array(losses, mlp.dtype)
    return Outcome(status, stop_step, at_hit, results, loss, stop_tally, network, apart, kept)


def interruptibly(work: Callable[[Watch], Found]) -> Found:
    """Train, and stop after the step under way at Ctrl-C, which compiled code does not hear: it gets a thread.

    Parameters
    ----------
    work : function of a Watch
        Calls `train` with it, once or until that says that it was stopped.

    Returns
    -------
    What `work` does.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, once network, optimizer and tally hold all steps that were taken, and each of them whole. Kernels
        that run as plain Python hear it themselves, within a step, of which some arrays may hold the update already.
    """
    watch = Watch()
    if not COMPILES:
        return work(watch)  # and need no thread, which Pythons in a browser do not have
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(work, watch).result()
        except KeyboardInterrupt:
            watch.stop[0] = 1
            ended = False
            while not ended:  # one more Ctrl-C changes nothing: the only thread still writes to the network
                with suppress(KeyboardInterrupt):
                    ended = pool.submit(lambda: True).result()
            raise


def evaluate(
    mlp: MLP,
    images: Images,
    labels: Ints,
    tally: Tally | None = None,
    phase: str = "evaluate",
    rows: Ints | None = None,
) -> int:
    """Count the images whose most probable class is their label.

    Parameters
    ----------
    mlp : MLP
    images : float array (n, n_features) or Rows
    labels : int64 array (n,)
    tally : Tally, optional
        Is added the operations, in the given phase.
    phase : str
        `evaluate` for a check that decides, `report` for a number that only informs.
    rows : int64 array, optional
        Numbers of the images to look at; all by default.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Images, labels or image numbers that do not fit the network or each other; pixels as `MLP.check_inputs` says.
    """
    tally = Tally() if tally is None else tally
    images, labels, rows = _checked(mlp, images, labels, rows)
    if not isinstance(images, Rows):
        mlp.check_inputs(images)
    if is_compiled(mlp):
        with tally.phase(phase):
            return compiled.evaluate(mlp, images, labels, rows, tally)
    images = _as_array(images)
    right, correct = 0, np.zeros(1, np.int64)
    with tally.phase(phase):
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            answers = mlp.forward(images[chunk], tally)  # not predict: a network that diverges answers as it does
            predictions = np.empty(len(answers), np.int64)
            reduce.argmax(answers, predictions, tally.kernel("argmax"))
            reduce.correct_count(predictions, labels[chunk], correct, tally.kernel("correct_count"))
            right += int(correct[0])
    return right


def logits(mlp: MLP, x: Array, tally: Tally) -> Array:
    """Compute the logits as `MLP.forward` does, by the fast kernels where they apply.

    Parameters
    ----------
    mlp : MLP
    x : array (n, n_features) of the network's dtype, C-contiguous
    tally : Tally
        Is added the operations, in its current phase.

    Returns
    -------
    array (n, n_classes) of the network's dtype
    """
    return compiled.logits(mlp, x, tally) if is_compiled(mlp) else mlp.forward(x, tally)


def prepare_images(parts: Sequence[Array], floats: Callable[[], Array]) -> Images:
    """Put whole sets of images, one after the other, into the form that training reads fastest, once for all runs.

    Parameters
    ----------
    parts : sequence of arrays (n, n_features)
        The pixels as they lie in the files.
    floats : function without arguments
        Returns all of them as one float32 array, where they are wanted so.

    Returns
    -------
    float32 array (n_images, n_features) or Rows
        Rows where all pixels are bytes, few enough of the first set's differ from zero, and the fast kernels are used.
    """
    all_bytes = all(pixels.dtype == np.uint8 for pixels in parts)
    return compiled.as_rows(parts) if _fast() and all_bytes and compiled.worth_rows(parts[0]) else floats()


def prepare_floats(mlp: MLP, parts: Sequence[Array], tally: Tally) -> list[Images]:
    """Put sets of images into the form in which one network is trained and evaluated fastest, as `prepare_images` does.

    Parameters
    ----------
    mlp : MLP
    parts : sequence of arrays (n, n_features) of the network's dtype
    tally : Tally
        The look for nonzero pixels is booked in phase `data`.

    Returns
    -------
    list of arrays or Rows
        Each set by itself; all rows where few pixels of the first differ from zero, and the fast kernels are used.
    """
    if not is_compiled(mlp) or not compiled.worth_rows(parts[0]):
        return list(parts)
    with tally.phase("data"):
        return [compiled.as_rows([part], tally.kernel("nonzero_pixels")) for part in parts]


def images_like(prepared: Images, images: Array) -> Images:
    """Put a few float32 images into the form that `prepare_images` gave others, so that both go through one kernel."""
    return compiled.as_rows([images]) if isinstance(prepared, Rows) else images


def count_scaling(images: Images, rows: Ints, counters: Ints) -> None:
    """Count the scaling of some images from bytes, one division a pixel; rows look first and divide what is not zero.

    Parameters
    ----------
    images : float array (n, n_features) or Rows
    rows : int64 array (n,)
        Which of them.
    counters : int64 array (2, n_kinds)
        Added to.
    """
    if isinstance(images, Rows):
        n_pixels = len(rows) * images.n_features
        counters[EXECUTED, CMP] += 2 * n_pixels  # once to count, once to fill
        counters[EXECUTED, DIV] += count_of(images, rows)
    else:
        n_pixels = len(rows) * images.shape[1]
        counters[EXECUTED, DIV] += n_pixels
    counters[DENSE, DIV] += n_pixels


def is_compiled(mlp: MLP) -> bool:
    """Return whether runs of this network go through the compiled form: float32 alone has fast kernels."""
    return mlp.dtype == np.float32 and _fast()


def _fast() -> bool:
    return not WITHOUT_NUMBA and fast_kernels()


def _checked(mlp: MLP, images: Images, labels: Ints, rows: Ints | None) -> tuple[Images, Ints, Ints]:
    """Make sure, once, of all that the kernels trust; return images, labels and image numbers as they read them.

    Raises
    ------
    ValueError
        Images of another width, other numbers of labels and images, a label that is no class, a number of no image.
    """
    if isinstance(images, Rows):
        n, width = images.n_rows, images.n_features
    else:
        images = real_array("images", images)
        if is_compiled(mlp):  # the plain form converts batch by batch
            images = np.require(images, np.float32, ["C", "A"])
        n, width = images.shape if images.ndim == 2 else (len(images), -1)
    if width != mlp.layer_sizes[0]:
        raise ValueError(f"images: expected (n, {mlp.layer_sizes[0]}), found {n} of {width} features")
    labels = class_labels("labels", labels, n, mlp.layer_sizes[-1])
    rows = np.arange(n) if rows is None else checked_numbers(rows, n)
    return images, labels, rows


def _as_array(images: Images) -> Array:
    if isinstance(images, Rows):
        raise TypeError("rows of nonzero pixels are for a float32 network and the fast kernels: expected a float array")
    return images

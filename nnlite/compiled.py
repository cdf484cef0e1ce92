"""The compiled form of `training`: the same schedule, checks and outcome, carried out by the fast kernels in one call.

It turns a network and its optimizer into panels, hands them to `kernels.fast.loop`, and turns them back; what the
kernels counted is booked under the names of the plain kernels, phase by phase. Left out: the choice between the two
forms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .flops import Tally
from .kernels.fast import loop, network, optimizers, step
from .kernels.fast.rows import MAX_FEATURES, Rows, build_rows
from .kernels.fast.target import has_fma
from .kernels.ops import ADD, DENSE, EXECUTED, FMA, MUL, N_KINDS
from .mlp import MLP
from .optim import SGD, Adam, Momentum, Optimizer, prepare_state
from .schedule import BUDGET, DECIDE, DIVERGED, REACHED, STOPPED, Array, Checks, Images, Ints, Outcome, Schedule, Watch

_MAX_DENSITY = 0.5  # of nonzero pixels, above which dense products win: bench/RESULTS.md, growth with density
_CHUNK = 64  # images evaluated at a time

_STATUS = {loop.REACHED: REACHED, loop.BUDGET: BUDGET, loop.NOT_FINITE: DIVERGED, loop.STOPPED: STOPPED}

_NONE = np.zeros(0, np.int64)


def train(
    mlp: MLP,
    optimizer: Optimizer,
    images: Images,
    labels: Ints,
    schedule: Schedule,
    checks: Checks | None,
    tally: Tally,
    watch: Watch,
) -> Outcome:
    """Carry out a schedule as `training.train` does, which has checked all that comes here; see there."""
    on_rows = isinstance(images, Rows)
    checks = checks or Checks(images, labels, _NONE, needed=0, look=DECIDE, rows=_NONE)
    net = network.pack_network(mlp.weights, mlp.biases, mlp.activation, on_rows)
    state = _pack_state(optimizer, mlp, net)
    losses: Array = np.zeros(schedule.n_steps, np.float32)
    correct, looked = np.zeros((2, len(checks.steps)), np.int64)
    at_hit = np.zeros(0 if checks.stops_at_hit else len(net.parameters), np.float32)
    apart = np.zeros(0 if checks.apart is None else len(checks.steps), np.int64)
    counted, counted_at_hit = (np.zeros((3, step.N_OPERATIONS, 2, N_KINDS), np.int64) for _ in range(2))
    ended = loop.run(
        net,
        state,
        network.new_data(images, labels),
        _plan(schedule, checks),
        network.new_data(checks.images, checks.labels),
        loop.Watch(watch.done, watch.stop, losses, correct, looked, at_hit, apart),
        network.new_work(net, int(np.diff(schedule.starts).max(initial=1)), True),
        network.new_work(net, _CHUNK, False),
        counted,
        counted_at_hit,
    )
    n_steps = int(watch.done[0])
    network.unpack_network(net, mlp.weights, mlp.biases)
    _unpack_state(optimizer, mlp, net, state)
    if n_steps:
        optimizer.learning_rate = float(schedule.learning_rates[n_steps - 1])
    status = _STATUS[ended]
    n_checks = int(np.searchsorted(checks.steps, n_steps, side="right"))
    if status == DIVERGED and n_checks and checks.steps[n_checks - 1] == n_steps:
        n_checks -= 1  # a run that diverged is not looked at
    loss = float(losses[n_steps - 1]) if n_steps else math.nan
    names = step.operation_names(mlp.activation, _name(optimizer))
    at = checks.steps[:n_checks].tolist()
    results = [] if checks.decides else list(zip(at, correct[:n_checks].tolist(), strict=True))
    hits = np.flatnonzero(correct[:n_checks] >= checks.needed)
    if not hits.size:
        _book(tally, names, counted, schedule, n_steps, int(looked[:n_checks].sum()), n_checks * checks.n_images)
        _book_apart(tally, names, counted, checks, n_checks)
        last = results[-1][1] if results else None
        return Outcome(status, n_steps, last, results, loss, tally, mlp, apart[:n_checks].tolist(), losses[:n_steps])
    hit = int(hits[0])
    tally_at_hit = tally.copy()
    _book(tally, names, counted, schedule, n_steps, int(looked[:n_checks].sum()), n_checks * checks.n_images)
    _book_apart(tally, names, counted, checks, n_checks)
    n_looked, n_images = int(looked[: hit + 1].sum()), (hit + 1) * checks.n_images
    _book(tally_at_hit, names, counted_at_hit, schedule, at[hit], n_looked, n_images)
    _book_apart(tally_at_hit, names, counted_at_hit, checks, hit)
    status = STOPPED if status == STOPPED else REACHED
    at_stop = mlp
    if at_hit.size:
        at_stop = mlp.copy()
        network.unpack_buffer(net, at_hit, at_stop.weights, at_stop.biases)
    n_right = int(correct[hit])
    return Outcome(
        status, at[hit], n_right, results, loss, tally_at_hit, at_stop, apart[:n_checks].tolist(), losses[:n_steps]
    )


def evaluate(mlp: MLP, images: Images, labels: Ints, rows: Ints, tally: Tally) -> int:
    """Count right answers as `training.evaluate` does, in the tally's current phase; see there."""
    mlp.check_parameters()
    on_rows = isinstance(images, Rows)
    net = network.pack_network(mlp.weights, mlp.biases, mlp.activation, on_rows)
    counted = np.zeros((step.N_OPERATIONS, 2, N_KINDS), np.int64)
    work = network.new_work(net, _CHUNK, False)
    correct = step.evaluate(net, network.new_data(images, labels), rows, work, counted)
    _add(tally, step.operation_names(mlp.activation, "sgd"), counted)
    tally.count_passes(images_forward=len(rows))
    return int(correct)


def logits(mlp: MLP, images: Array, tally: Tally) -> Array:
    """Compute the logits of float32 images, (n_images, n_classes), in the tally's current phase.

    As `MLP.forward`, a chunk at a time and in another order of sums; an image's logits do not depend on the others.
    """
    mlp.check_parameters()
    net = network.pack_network(mlp.weights, mlp.biases, mlp.activation, False)
    data = network.new_data(images, _NONE)
    work = network.new_work(net, _CHUNK, False)
    counted = np.zeros((step.N_OPERATIONS, 2, N_KINDS), np.int64)
    last = net.layers[-1]
    width, of_chunk = last[network.WIDTH], work.activations[_CHUNK * last[network.BEFORE] :]
    found = np.empty((len(images), mlp.layer_sizes[-1]), np.float32)
    for start in range(0, len(images), _CHUNK):
        chunk = np.arange(start, min(start + _CHUNK, len(images)))
        step.forward(net, data, chunk, work, counted)
        found[chunk] = of_chunk[: len(chunk) * width].reshape(-1, width)[:, : found.shape[1]]
    _add(tally, step.operation_names(mlp.activation, "sgd"), counted)
    tally.count_passes(images_forward=len(images))
    return found


def _plan(schedule: Schedule, checks: Checks) -> loop.Plan:
    """A schedule and its checks as the loop takes them; memory to decide in exactly where decisions are asked for."""
    return loop.Plan(
        schedule.order,
        schedule.starts,
        schedule.learning_rates,
        np.ascontiguousarray(checks.steps),
        np.arange(len(checks.labels)) if checks.rows is None else checks.rows.copy(),  # decisions reorder it
        checks.needed,
        int(checks.stops_at_hit),
        np.zeros(checks.n_images if checks.decides else 0, np.int64),
        _NONE if checks.apart is None else checks.apart,
    )


def worth_rows(images: Array) -> bool:
    """Return whether so few pixels of images differ from zero that training on rows is faster."""
    return images.shape[1] <= MAX_FEATURES and int(np.count_nonzero(images)) <= _MAX_DENSITY * images.size


def as_rows(parts: Sequence[Array], counters: Ints | None = None) -> Rows:
    """Return images as rows of their nonzero pixels: bytes divided by 255, float32 as it is.

    Parameters
    ----------
    parts : sequence of uint8 or float32 arrays (n, n_features)
    counters : int64 array (2, n_kinds), optional
        Added to; without it what this costs is booked run by run, by `training.count_scaling`.
    """
    rows: Rows = build_rows(parts, np.zeros((2, N_KINDS), np.int64) if counters is None else counters)
    return rows


def _pack_state(optimizer: Optimizer, mlp: MLP, net: network.Network) -> Any:
    """The optimizer as the fast kernels keep it, in the state that it is in."""
    if isinstance(optimizer, SGD):
        return optimizers.new_optimizer("sgd", net)
    if isinstance(optimizer, Momentum):
        state = optimizers.new_optimizer("momentum", net, (optimizer.momentum,))
        prepare_state(optimizer.velocity, mlp)
        _pack_arrays(optimizer.velocity, mlp, net, state.velocity)
    else:
        state = optimizers.new_optimizer("adam", net, (optimizer.beta1, optimizer.beta2, optimizer.epsilon))
        for arrays, buffer in ((optimizer.mean, state.mean), (optimizer.square, state.square)):
            prepare_state(arrays, mlp)
            _pack_arrays(arrays, mlp, net, buffer)
        state.powers[:] = optimizer.powers
    n_in = mlp.layer_sizes[0]
    for array in (optimizer.velocity,) if isinstance(optimizer, Momentum) else (optimizer.mean, optimizer.square):
        state.touched[:] |= array[0].reshape(n_in, -1).any(axis=1)
    return state


def _unpack_state(optimizer: Optimizer, mlp: MLP, net: network.Network, state: Any) -> None:
    """Give the optimizer the state back."""
    if isinstance(optimizer, Momentum):
        _unpack_arrays(net, state.velocity, mlp, optimizer.velocity)
    elif isinstance(optimizer, Adam):
        _unpack_arrays(net, state.mean, mlp, optimizer.mean)
        _unpack_arrays(net, state.square, mlp, optimizer.square)
        optimizer.powers[:] = state.powers


def _pack_arrays(arrays: list[Array], mlp: MLP, net: network.Network, buffer: Array) -> None:
    """Copy flat arrays, weight then bias of each layer, into a buffer laid out as the network's parameters."""
    weights, biases = _shaped(arrays, mlp)
    network.pack_buffer(net, weights, biases, buffer)


def _unpack_arrays(net: network.Network, buffer: Array, mlp: MLP, arrays: list[Array]) -> None:
    weights, biases = _shaped(arrays, mlp)
    network.unpack_buffer(net, buffer, weights, biases)


def _shaped(arrays: list[Array], mlp: MLP) -> tuple[list[Array], list[Array]]:
    """Views of flat arrays in the shapes of the network's weights and biases."""
    return [a.reshape(w.shape) for a, w in zip(arrays[::2], mlp.weights, strict=True)], arrays[1::2]


def _name(optimizer: Optimizer) -> str:
    return "sgd" if isinstance(optimizer, SGD) else "momentum" if isinstance(optimizer, Momentum) else "adam"


def _book(
    tally: Tally,
    names: tuple[str, ...],
    counted: Any,
    schedule: Schedule,
    n_steps: int,
    n_looked: int,
    n_images: int,
) -> None:
    """Book the operations of n_steps steps in the current phase and those of their checks in `evaluate`.

    Checks of n_images in all looked at n_looked: a decision executes less than the evaluation that it is. Every dense
    count of a check is so much an image, so the whole follows exactly from the part.
    """
    n_trained = int(schedule.starts[n_steps])
    _add(tally, names, counted[0])
    tally.count_passes(steps=n_steps, images_forward=n_trained, images_backward=n_trained)
    if n_looked:
        checks = counted[1].copy()
        checks[:, DENSE] = checks[:, DENSE] // n_looked * n_images
        with tally.phase("evaluate"):
            _add(tally, names, checks)
            tally.count_passes(images_forward=n_looked)


def _book_apart(tally: Tally, names: tuple[str, ...], counted: Any, checks: Checks, n_looks: int) -> None:
    """Book the looks at images apart, which only inform."""
    if checks.apart is not None and n_looks:
        with tally.phase("report"):
            _add(tally, names, counted[2])
            tally.count_passes(images_forward=n_looks * len(checks.apart))


def _add(tally: Tally, names: tuple[str, ...], counted: Any) -> None:
    for name, counters in zip(names, counted, strict=True):
        if counters.any():
            tally.kernel(name)[:] += counters if has_fma() else _unfused(counters)


def _unfused(counters: Any) -> Any:
    """What runs where the processor has no fma: a mul and an add for each that the kernels name."""
    ran = counters.copy()
    ran[EXECUTED, MUL] += ran[EXECUTED, FMA]
    ran[EXECUTED, ADD] += ran[EXECUTED, FMA]
    ran[EXECUTED, FMA] = 0
    return ran

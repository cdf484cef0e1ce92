"""The matrix products of a training step in every form that `bench_kernels` compares.

A form is a call that fills its own output and counts into a tally, and a way to read that output as an ordinary array,
so that it can be compared with BLAS's. Packing and building rows happen here, outside every time. nnlite's kernels
include the bias or its gradient, BLAS is asked for the product alone. Dense forms get the same batch in every call, hot
in the cache; the form over nonzero pixels gets `ROTATION` batches in turn, since on one batch alone the processor would
learn the pixels by heart (*measured*: 43 us instead of 53). `updates` adds what a training step does in one pass, the
first layer's gradient with the optimizer's update, beside BLAS's product and NumPy's update; BLAS's rate counts the
product alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.problem import Problem
from nnlite.kernels import matmul
from nnlite.kernels.fast import first_layer, panels, rows, update
from nnlite.kernels.fast import matmul as tiled
from nnlite.kernels.ops import N_KINDS

Shape = tuple[int, int, int]  # n, n_in, n_out
ROTATION = 16  # batches
_RATE, _MOMENTUM = np.float32(0.001), np.float32(0.9)
_ADAM = np.array([0.9, 0.1, 0.999, 0.001, _RATE, 1e-8], np.float32)  # beta1, 1 - beta1, beta2, 1 - beta2, rate, epsilon


@dataclass(frozen=True)
class Form:
    """One way to compute a product."""

    name: str
    call: Callable[[np.ndarray], object]  # takes the tally
    result: Callable[[], np.ndarray]
    traffic: int  # bytes of the arrays that one call has to touch, each once
    rotation: int = 1  # calls after which the batches begin again


def products(shape: Shape, problem: Problem) -> dict[str, list[Form]]:
    """Make every product of a layer of this shape over the problem's batches of n; BLAS is the first form of each."""
    _, n_in, _ = shape
    x = np.ascontiguousarray(problem.train_images[problem.order[0]][:, :n_in])
    weight, bias, grad_z = _arrays(shape)
    forward, backward = _forward(x, weight, bias), {"grad_weight": _grad_weight(x, grad_z)}
    if n_in == problem.train_images.shape[1]:
        forward.append(_forward_rows(problem, weight, bias))
    else:  # the first layer needs no gradient of its input
        backward["grad_x"] = _grad_x(grad_z, weight)
    return {"forward": forward, **backward}


def updates(shape: Shape, problem: Problem) -> dict[str, list[Form]]:
    """Make the first layer's gradient and update for each optimizer; every call moves the form's own weights on."""
    (n, n_in, n_out), (weight, bias, grad_z) = shape, _arrays(shape)
    x, store = problem.train_images[problem.order[0]], rows.build_rows([problem.train_images], empty_tally())
    width, n_groups = panels.width_of(n_out, panels.PANEL), -(-n // first_layer.GROUP)
    mask, bucket = np.empty(n_groups * n_in, np.uint64), np.empty(n_groups * n_in * first_layer.GROUP, np.float32)
    sums = _padded(grad_z, panels.PANEL)
    batch = first_layer.Batch(mask, bucket, n, n_in, n_out, width, sums, panels.aligned_zeros(panels.PANEL))
    kernels = {
        "sgd": (update.sgd_update_rows, 0, (_RATE,)),
        "momentum": (update.momentum_update_rows, 1, (_RATE, _MOMENTUM)),
        "adam": (update.adam_update_rows, 2, (_ADAM,)),
    }

    def fused(kernel: Callable[..., object], n_states: int, numbers: tuple[object, ...]) -> Form:
        block, batches = _packed(weight, bias, panels.PANEL), itertools.cycle(problem.order)
        state = [panels.aligned_zeros(len(block)) for _ in range(n_states)]
        touched = [np.zeros(n_in, np.uint8)] if state else []
        found, found_bias = np.empty_like(weight), np.empty_like(bias)

        def call(tally: np.ndarray) -> None:
            first_layer.transpose_rows(store, next(batches), mask, bucket)
            kernel(batch, block, *state, *touched, *numbers, tally, tally)

        def result() -> np.ndarray:
            panels.unpack(block, panels.PANEL, found, found_bias)
            return found

        traffic = _bytes_of_a_batch(store, n) + _bytes(sums, block, *state)
        return Form("nonzero rows", call, result, traffic, ROTATION)

    return {
        f"grad_weight + {name}": [_numpy_update(name, x, weight, grad_z), fused(*kernels[name])] for name in kernels
    }


def empty_tally() -> np.ndarray:
    """Make the counters that a kernel adds to."""
    return np.zeros((2, N_KINDS), np.int64)


def _arrays(shape: Shape) -> list[np.ndarray]:
    """Draw weight, bias and grad_z."""
    rng, (n, n_in, n_out) = np.random.default_rng(0), shape
    return [rng.uniform(-0.1, 0.1, size).astype(np.float32) for size in ((n_in, n_out), (n_out,), (n, n_out))]


def _forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> list[Form]:
    (n, n_in), n_out = x.shape, len(bias)
    z, product = np.empty((n, n_out), np.float32), _blas(x, weight)
    block, padded = _packed(weight, bias, panels.LANES), _padded(z)
    flat = x.ravel()
    return [
        Form("BLAS", product.call, lambda: product.result() + bias, product.traffic),
        Form("plain", lambda t: matmul.matmul_forward(x, weight, bias, z, t), lambda: z, _bytes(x, weight, bias, z)),
        Form(
            "tiles",
            lambda t: tiled.matmul_forward(flat, n_in, block, n, n_in, n_out, padded, t),
            lambda: padded.reshape(n, -1)[:, :n_out],
            _bytes(x, block, padded),
        ),
    ]


def _forward_rows(problem: Problem, weight: np.ndarray, bias: np.ndarray) -> Form:
    """The first layer over nonzero pixels."""
    n_out, n = len(bias), problem.order.shape[1]
    store = rows.build_rows([problem.train_images], empty_tally())
    block, width = _packed(weight, bias, panels.PANEL), panels.width_of(n_out, panels.PANEL)
    z = panels.aligned_zeros(n * width)
    batches = itertools.cycle(problem.order)
    return Form(
        "nonzero rows",
        lambda t: first_layer.matmul_forward_rows(store, next(batches), block, n_out, width, z, t),
        lambda: z.reshape(n, width)[:, :n_out],
        _bytes_of_a_batch(store, n) + _bytes(block, z),
        ROTATION,
    )


def _grad_weight(x: np.ndarray, grad_z: np.ndarray) -> list[Form]:
    (n, n_in), n_out = x.shape, grad_z.shape[1]
    grad_weight, grad_bias = np.empty((n_in, n_out), np.float32), np.empty(n_out, np.float32)
    flat, padded = x.ravel(), _padded(grad_z)
    gradient = _packed(grad_weight, grad_bias, panels.LANES)

    def unpacked() -> np.ndarray:
        panels.unpack(gradient, panels.LANES, grad_weight, grad_bias)
        return grad_weight

    return [
        _blas(x.T, grad_z),
        Form(
            "plain",
            lambda t: matmul.matmul_grad_weight(x, grad_z, grad_weight, grad_bias, t),
            lambda: grad_weight,
            _bytes(x, grad_z, grad_weight, grad_bias),
        ),
        Form(
            "tiles",
            lambda t: tiled.matmul_grad_weight(flat, n_in, padded, n, n_in, n_out, gradient, t),
            unpacked,
            _bytes(x, padded, gradient),
        ),
    ]


def _grad_x(grad_z: np.ndarray, weight: np.ndarray) -> list[Form]:
    n, (n_in, n_out) = len(grad_z), weight.shape
    grad_x = np.empty((n, n_in), np.float32)
    padded, block = _padded(grad_z), _packed(weight, np.zeros(n_out, np.float32), panels.LANES)
    x_width = panels.width_of(n_in)
    transposed, found = panels.aligned_zeros(n_out * x_width), panels.aligned_zeros(n * x_width)
    return [
        _blas(grad_z, weight.T),
        Form(
            "plain",
            lambda t: matmul.matmul_grad_x(grad_z, weight, grad_x, t),
            lambda: grad_x,
            _bytes(grad_z, weight, grad_x),
        ),
        Form(
            "tiles",
            lambda t: tiled.matmul_grad_x(padded, block, n, n_in, n_out, x_width, transposed, found, t),
            lambda: found.reshape(n, x_width)[:, :n_in],
            _bytes(padded, block, found),
        ),
    ]


def _numpy_update(name: str, x: np.ndarray, weight: np.ndarray, grad_z: np.ndarray) -> Form:
    """BLAS's product, then the update in NumPy, everything in place."""
    product, moved = _blas(x.T, grad_z), weight.copy()
    gradient, room = product.result(), np.empty_like(weight)
    mean, square = np.zeros_like(weight), np.zeros_like(weight)

    def call(tally: np.ndarray) -> None:
        product.call(tally)
        step = gradient
        if name == "momentum":
            np.multiply(mean, _MOMENTUM, out=mean)
            step = np.add(mean, gradient, out=mean)
        elif name == "adam":
            beta1, rest1, beta2, rest2, _, epsilon = _ADAM
            np.multiply(mean, beta1, out=mean)
            np.add(mean, np.multiply(gradient, rest1, out=room), out=mean)
            np.multiply(square, beta2, out=square)
            np.multiply(gradient, gradient, out=room)
            np.add(square, np.multiply(room, rest2, out=room), out=square)
            np.add(np.sqrt(square, out=room), epsilon, out=room)
            step = np.divide(mean, room, out=room)
        np.subtract(moved, np.multiply(step, _RATE, out=room), out=moved)

    state = {"sgd": (), "momentum": (mean,), "adam": (mean, square)}[name]
    return Form("BLAS", call, lambda: moved, product.traffic + _bytes(moved, *state))


def _blas(a: np.ndarray, b: np.ndarray) -> Form:
    out = np.empty((a.shape[0], b.shape[1]), np.float32)
    return Form("BLAS", lambda t: np.matmul(a, b, out=out), lambda: out, _bytes(a, b, out))


def _packed(weight: np.ndarray, bias: np.ndarray, panel: int) -> np.ndarray:
    block = panels.aligned_zeros((len(weight) + 1) * panels.width_of(len(bias), panel))
    panels.pack(weight, bias, panel, block)
    return block


def _padded(array: np.ndarray, panel: int = panels.LANES) -> np.ndarray:
    """Copy rows into lanes, flat, with zeros up to the width."""
    n, n_out = array.shape
    flat = panels.aligned_zeros(n * panels.width_of(n_out, panel))
    flat.reshape(n, -1)[:, :n_out] = array
    return flat


def _bytes_of_a_batch(store: rows.Rows, n: int) -> int:
    """Bytes of the nonzero pixels of n images, on average."""
    return int(store.density * n * store.n_features) * (store.pixel.itemsize + store.value.itemsize)


def _bytes(*arrays: np.ndarray) -> int:
    return sum(array.nbytes for array in arrays)

"""The matrix products of a training step in every form that `bench_kernels` compares.

A form is a call that fills its own output and counts into a tally, and a way to read that output as an ordinary array,
so that it can be compared with BLAS's. Packing and building rows happen here, outside every time. nnlite's kernels
include the bias or its gradient, BLAS is asked for the product alone. Dense forms get the same batch in every call, hot
in the cache; the form over nonzero pixels gets `ROTATION` batches in turn, since on one batch alone the processor would
learn the pixels by heart (*measured*: 43 us instead of 53).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.problem import Problem, Spec, make_problem
from nnlite.kernels import matmul
from nnlite.kernels.fast import matmul as tiled
from nnlite.kernels.fast import panels, rows
from nnlite.kernels.ops import N_KINDS

Shape = tuple[int, int, int]  # n, n_in, n_out
ROTATION = 16  # batches


@dataclass(frozen=True)
class Form:
    """One way to compute a product."""

    name: str
    call: Callable[[np.ndarray], object]  # takes the tally
    result: Callable[[], np.ndarray]
    traffic: int  # bytes of the arrays that one call has to touch, each once
    rotation: int = 1  # calls after which the batches begin again


def products(shape: Shape) -> dict[str, list[Form]]:
    """Make every product of a layer of this shape; BLAS is the first form of each."""
    n, n_in, n_out = shape
    problem = make_problem(Spec(batch_size=n, n_steps=ROTATION, n_train=6000))
    x = np.ascontiguousarray(problem.train_images[problem.order[0]][:, :n_in])
    rng = np.random.default_rng(0)
    weight, bias, grad_z = (
        rng.uniform(-0.1, 0.1, size).astype(np.float32) for size in ((n_in, n_out), (n_out,), (n, n_out))
    )
    forward, backward = _forward(x, weight, bias), {"grad_weight": _grad_weight(x, grad_z)}
    if n_in == problem.train_images.shape[1]:
        forward.append(_forward_rows(problem, weight, bias))
    else:  # the first layer needs no gradient of its input
        backward["grad_x"] = _grad_x(grad_z, weight)
    return {"forward": forward, **backward}


def empty_tally() -> np.ndarray:
    """Make the counters that a kernel adds to."""
    return np.zeros((2, N_KINDS), np.int64)


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
    (n_in, n_out), n = weight.shape, problem.spec.batch_size
    store = rows.build_rows([problem.train_images], empty_tally())
    block, width = _packed(weight, bias, panels.PANEL), panels.width_of(n_out, panels.PANEL)
    z = panels.aligned_zeros(n * width)
    batches = itertools.cycle(problem.order)
    of_a_batch = int(store.density * n * n_in) * (store.pixel.itemsize + store.value.itemsize)
    return Form(
        "nonzero rows",
        lambda t: rows.matmul_forward_rows(store, next(batches), block, n_out, width, z, t),
        lambda: z.reshape(n, width)[:, :n_out],
        of_a_batch + _bytes(block, z),
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


def _blas(a: np.ndarray, b: np.ndarray) -> Form:
    out = np.empty((a.shape[0], b.shape[1]), np.float32)
    return Form("BLAS", lambda t: np.matmul(a, b, out=out), lambda: out, _bytes(a, b, out))


def _packed(weight: np.ndarray, bias: np.ndarray, panel: int) -> np.ndarray:
    block = panels.aligned_zeros((len(weight) + 1) * panels.width_of(len(bias), panel))
    panels.pack(weight, bias, panel, block)
    return block


def _padded(array: np.ndarray) -> np.ndarray:
    """Copy rows into lanes, flat, with zeros up to the width."""
    n, n_out = array.shape
    flat = panels.aligned_zeros(n * panels.width_of(n_out))
    flat.reshape(n, -1)[:, :n_out] = array
    return flat


def _bytes(*arrays: np.ndarray) -> int:
    return sum(array.nbytes for array in arrays)

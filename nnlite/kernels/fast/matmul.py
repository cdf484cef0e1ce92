"""The three products of a dense layer in register tiles: forward, gradient of weight and bias, gradient of the inputs.

A tile is 6 rows by 16 lanes: 12 of AVX2's 16 registers hold its sums until they are complete, two the lanes and one
the scalar that each term multiplies, so 12 fma need 8 loads. The plain forms, in `nnlite.kernels.matmul`, read and
write a sum for every term. 64 by 784 by 64 runs at 94 GFLOP/s of the core's 103, where OpenBLAS has 80.

A number of rows that 6 does not divide ends in a tile that overlaps the one before and computes a few sums twice, to
the same bits; under 6 rows, tiles have one row. Parameters lie in panels of 16 lanes (see `panels`); activations are
rows of `width` lanes, of which those past n_out are zero. Executed counts include padding lanes and overlaps.
"""

from __future__ import annotations

import numpy as np

from ..jit import kernel
from ..ops import ADD, DENSE, EXECUTED, FMA
from .panels import LANES
from .simd import add, at, fma, inlined, load, put, splat, store

_TILE = 6


@inlined
def _tile_6(start, x, x_at, x_row, x_term, y, y_at, y_term, n_terms, out, out_at, out_row):
    """out[r] = start + sum over the terms t of x[r, t] y[t], 16 lanes each; where an array begins and its two steps."""
    sum_0 = sum_1 = sum_2 = sum_3 = sum_4 = sum_5 = start
    for t in range(n_terms):
        lanes = load(y, y_at + t * y_term, LANES)
        here = x_at + t * x_term
        sum_0 = fma(sum_0, at(x, here), lanes)
        sum_1 = fma(sum_1, at(x, here + x_row), lanes)
        sum_2 = fma(sum_2, at(x, here + 2 * x_row), lanes)
        sum_3 = fma(sum_3, at(x, here + 3 * x_row), lanes)
        sum_4 = fma(sum_4, at(x, here + 4 * x_row), lanes)
        sum_5 = fma(sum_5, at(x, here + 5 * x_row), lanes)
    store(out, out_at, sum_0)
    store(out, out_at + out_row, sum_1)
    store(out, out_at + 2 * out_row, sum_2)
    store(out, out_at + 3 * out_row, sum_3)
    store(out, out_at + 4 * out_row, sum_4)
    store(out, out_at + 5 * out_row, sum_5)


@inlined
def _tile_1(start, x, x_at, x_term, y, y_at, y_term, n_terms, out, out_at):
    total = start
    for t in range(n_terms):
        total = fma(total, at(x, x_at + t * x_term), load(y, y_at + t * y_term, LANES))
    store(out, out_at, total)


@inlined
def _tiles(start, x, x_row, x_term, y, y_at, y_term, n_terms, out, out_at, out_row, n_rows):
    """All rows of one panel of 16 lanes; return how many were computed, overlaps included."""
    if n_rows < _TILE:
        for r in range(n_rows):
            _tile_1(start, x, r * x_row, x_term, y, y_at, y_term, n_terms, out, out_at + r * out_row)
        return n_rows
    n_tiles = -(-n_rows // _TILE)
    for tile in range(n_tiles):
        r = min(tile * _TILE, n_rows - _TILE)
        _tile_6(start, x, r * x_row, x_row, x_term, y, y_at, y_term, n_terms, out, out_at + r * out_row, out_row)
    return n_tiles * _TILE


@kernel
def matmul_forward(x, x_width, weight, n, n_in, n_out, z, tally):
    """Map the inputs of a layer to its pre-activations; z = x weight + bias.

    Parameters
    ----------
    x : float32 array (at least n * x_width,) - rows of x_width, of which n_in are read
    weight : float32 array ((n_in + 1) * width,) - panels of LANES; width is n_out rounded up to LANES
    n, n_in, n_out, x_width : int
    z : float32 array (at least n * width,) - overwritten; padding lanes become zero
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n n_in n_out fma; executed: rows n_in width fma, with rows = n under 6, else n rounded up to 6
    """
    width = -(-n_out // LANES) * LANES
    n_rows = 0
    for h in range(0, width, LANES):
        panel = h * (n_in + 1)
        bias = load(weight, panel + n_in * LANES, LANES)
        n_rows = _tiles(bias, x, x_width, 1, weight, panel, LANES, n_in, z, h, width, n)
    tally[DENSE, FMA] += n * n_in * n_out
    tally[EXECUTED, FMA] += n_rows * n_in * width


@kernel
def matmul_grad_weight(x, x_width, grad_z, n, n_in, n_out, gradient, tally):
    """Differentiate the loss with respect to a layer's weight and bias; grad_weight = x^T grad_z.

    Parameters
    ----------
    x : float32 array (at least n * x_width,) - the layer's inputs, rows of x_width, of which n_in are read
    grad_z : float32 array (at least n * width,) - rows of width = n_out rounded up to LANES, padding lanes zero
    n, n_in, n_out, x_width : int
    gradient : float32 array (at least (n_in + 1) * width,) - panels of LANES as the weight's, overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n n_in n_out fma, n n_out add; executed: n rows width fma, n width add, with rows = n_in under 6, else n_in
    rounded up to 6
    """
    width = -(-n_out // LANES) * LANES
    zero = splat(np.float32(0), LANES)
    n_rows = 0
    for h in range(0, width, LANES):
        panel = h * (n_in + 1)
        n_rows = _tiles(zero, x, 1, x_width, grad_z, h, width, n, gradient, panel, LANES, n_in)
        grad_bias = zero
        for s in range(n):
            grad_bias = add(grad_bias, load(grad_z, s * width + h, LANES))
        store(gradient, panel + n_in * LANES, grad_bias)
    tally[DENSE, FMA] += n * n_in * n_out
    tally[DENSE, ADD] += n * n_out
    tally[EXECUTED, FMA] += n * n_rows * width
    tally[EXECUTED, ADD] += n * width


@kernel
def matmul_grad_x(grad_z, weight, n, n_in, n_out, x_width, transposed, grad_x, tally):
    """Differentiate the loss with respect to a layer's inputs; grad_x = grad_z weight^T.

    Parameters
    ----------
    grad_z : float32 array (at least n * width,) - rows of width = n_out rounded up to LANES
    weight : float32 array ((n_in + 1) * width,) - panels of LANES
    n, n_in, n_out : int
    x_width : int - lanes of a row of grad_x, a multiple of LANES and at least n_in
    transposed : float32 array (at least n_out * x_width,) - scratch: weight^T in panels
    grad_x : float32 array (at least n * x_width,) - overwritten; padding lanes become zero
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n n_in n_out fma; executed: rows n_out x_width fma, with rows = n under 6, else n rounded up to 6
    """
    width = -(-n_out // LANES) * LANES
    zero = splat(np.float32(0), LANES)
    n_rows = 0
    for h in range(0, x_width, LANES):
        panel = h * n_out
        for j in range(n_out):
            column = j // LANES * LANES * (n_in + 1) + j % LANES
            store(transposed, panel + j * LANES, zero)
            for lane in range(min(LANES, n_in - h)):
                put(transposed, panel + j * LANES + lane, at(weight, column + (h + lane) * LANES))
        n_rows = _tiles(zero, grad_z, width, 1, transposed, panel, LANES, n_out, grad_x, h, x_width, n)
    tally[DENSE, FMA] += n * n_in * n_out
    tally[EXECUTED, FMA] += n_rows * n_out * x_width

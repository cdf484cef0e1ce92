"""The first layer on rows of nonzero pixels: its product, and a batch turned over for its gradient.

A product with zero adds nothing. The plain forms are `matmul_forward` and `matmul_grad_weight` in
`nnlite.kernels.matmul`, whose dense counts are kept; executed counts only what ran.

In panels of 64 lanes (see `panels`) an image's sums stay in registers while its pixels pass, and one block of pixels'
weights stay near the L1 cache while a batch's images pass: 64 images by 128 lanes take 53 us, without the blocks 69.

The gradient goes by pixels, not by images: `transpose_rows` turns a batch into a list of (sample, value) for each
pixel, so that a pixel's gradient is summed in registers and its weights are read and written once. With the
transposition that takes 60 us at 128 lanes, against 146 for adding every image's part to the weights. Which samples
have a pixel is a bit mask, their values are a bucket: 8 bytes a pixel to clear for each batch, and no counting pass
before the one that fills.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..jit import kernel
from ..ops import ADD, DENSE, EXECUTED, FMA
from .panels import LANES, PANEL, lanes_at
from .simd import add, at, bit_count, fma, inlined, load, lowest_bit, prefetch, put, splat, store

GROUP = 64  # samples of one mask
_AHEAD = 6  # samples, of 0.15 us each and more


class Batch(NamedTuple):
    """A batch by pixels, and the gradient that reaches the first layer.

    Attributes
    ----------
    mask : uint64 array, bucket : float32 array - as `transpose_rows` fills them
    n, n_in, n_out, width : int - n samples
    grad_z : float32 array (at least n * width,) - padding lanes zero
    gradient : float32 array (at least PANEL,) - scratch: the gradient of one pixel's weights in one panel
    """

    mask: np.ndarray
    bucket: np.ndarray
    n: int
    n_in: int
    n_out: int
    width: int
    grad_z: np.ndarray
    gradient: np.ndarray


@inlined
def _prefetch_row(rows, order, s):
    """Ask for the row _AHEAD samples after s: a batch comes from all over memory (64 lanes: 28 us a batch, not 39)."""
    n = order.shape[0]
    if s + 2 * _AHEAD < n:
        prefetch(rows.start, at(order, s + 2 * _AHEAD) * rows.n_blocks)
    if s + _AHEAD < n:
        row = at(order, s + _AHEAD) * rows.n_blocks
        for k in range(at(rows.start, row), at(rows.start, row + rows.n_blocks), 16):  # 16 values are a line
            prefetch(rows.value, k)
            prefetch(rows.pixel, k)


def _forward(lanes):
    """Make the loop over a batch for one panel and one block of pixels; the lane count is a constant of it."""

    @inlined
    def forward(rows, block, order, panel, h, width, z):
        for s in range(order.shape[0]):
            if h == 0 and block == 0:
                _prefetch_row(rows, order, s)
            here = at(order, s) * rows.n_blocks + block
            # The first block starts from the bias, the others from what the blocks before left.
            row = load(panel, rows.n_features * lanes, lanes) if block == 0 else load(z, s * width + h, lanes)
            for k in range(at(rows.start, here), at(rows.start, here + 1)):
                row = fma(row, at(rows.value, k), load(panel, np.intp(at(rows.pixel, k)) * lanes, lanes))
            store(z, s * width + h, row)

    return forward


_forward_64, _forward_32, _forward_16 = _forward(64), _forward(32), _forward(16)


@kernel
def matmul_forward_rows(rows, order, weight, n_out, width, z, tally):
    """Map rows of nonzero pixels to the first layer's pre-activations.

    z[i, j] = bias[j] + sum over the nonzero pixels k of row order[i] of value[k] weight[k, j]

    Parameters
    ----------
    rows : Rows
    order : int64 array (n,) - the rows to map
    weight : float32 array ((n_in + 1) * width,) - panels of PANEL lanes; n_in is rows.n_features
    n_out, width : int
    z : float32 array (at least n * width,) - overwritten; padding lanes become zero
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n n_in n_out fma; executed: n_nonzero width fma, with the n_nonzero pixels of these rows
    """
    n, n_in = order.shape[0], rows.n_features
    for h in range(0, width, PANEL):
        panel = weight[h * (n_in + 1) :]
        lanes = lanes_at(h, width)
        for block in range(rows.n_blocks):
            if lanes == 64:
                _forward_64(rows, block, order, panel, h, width, z)
            elif lanes == 32:
                _forward_32(rows, block, order, panel, h, width, z)
            else:
                _forward_16(rows, block, order, panel, h, width, z)
    n_nonzero = 0
    for s in range(n):
        row = at(order, s) * rows.n_blocks
        n_nonzero += at(rows.start, row + rows.n_blocks) - at(rows.start, row)
    tally[DENSE, FMA] += n * n_in * n_out
    tally[EXECUTED, FMA] += n_nonzero * width


@kernel
def transpose_rows(rows, order, mask, bucket):
    """Turn a batch of rows into lists by pixel; it only moves, so it counts nothing.

    Bit s of mask[g n_in + k] says that sample GROUP g + s has pixel k; its value is in bucket[(g n_in + k) GROUP + s].
    n_in is rows.n_features.

    Parameters
    ----------
    rows : Rows
    order : int64 array (n,) - the rows of the batch
    mask : uint64 array (at least n_groups * n_in,) - overwritten; n_groups is n over GROUP, rounded up
    bucket : float32 array (at least n_groups * n_in * GROUP,) - overwritten where a bit is set
    """
    n, n_in = order.shape[0], rows.n_features
    for k in range(-(-n // GROUP) * n_in):
        put(mask, k, np.uint64(0))
    for s in range(n):
        first = s // GROUP * n_in
        bit = np.uint64(1) << np.uint64(s % GROUP)
        row = at(order, s) * rows.n_blocks
        for k in range(at(rows.start, row), at(rows.start, row + rows.n_blocks)):
            which = first + np.intp(at(rows.pixel, k))
            put(bucket, which * GROUP + s % GROUP, at(rows.value, k))
            put(mask, which, at(mask, which) | bit)


def _sum(lanes):
    """Make the sum over the samples that have a pixel, kept in registers; the lane count is a constant of it."""

    @inlined
    def gradient_of(batch, k, h):
        total = splat(np.float32(0), lanes)
        for g in range(n_groups(batch)):
            samples = at(batch.mask, g * batch.n_in + k)
            while samples != np.uint64(0):
                s = lowest_bit(samples)
                value = at(batch.bucket, (g * batch.n_in + k) * GROUP + s)
                total = fma(total, value, load(batch.grad_z, (g * GROUP + s) * batch.width + h, lanes))
                samples &= samples - np.uint64(1)
        store(batch.gradient, 0, total)

    return gradient_of


_sum_64, _sum_32, _sum_16 = _sum(64), _sum(32), _sum(16)


@inlined
def n_groups(batch):
    """Return the number of masks of a pixel."""
    return -(-batch.n // GROUP)


@inlined
def has_samples(batch, k):
    """Return whether any sample of the batch has pixel k."""
    samples = at(batch.mask, k)
    for g in range(1, n_groups(batch)):
        samples |= at(batch.mask, g * batch.n_in + k)
    return samples != np.uint64(0)


@inlined
def sum_gradient(batch, k, h):
    """Write the gradient of pixel k's weights in the panel at lane h to batch.gradient: n_samples lanes fma."""
    lanes = lanes_at(h, batch.width)
    if lanes == 64:
        _sum_64(batch, k, h)
    elif lanes == 32:
        _sum_32(batch, k, h)
    else:
        _sum_16(batch, k, h)


@inlined
def sum_gradient_bias(batch, h):
    """Write the gradient of the biases in the panel at lane h to batch.gradient: n lanes add."""
    for j in range(0, lanes_at(h, batch.width), LANES):
        total = splat(np.float32(0), LANES)
        for s in range(batch.n):
            total = add(total, load(batch.grad_z, s * batch.width + h + j, LANES))
        store(batch.gradient, j, total)


@inlined
def count_gradient(batch, tally):
    """Count what the two sums over all pixels and panels come to, as operations of matmul_grad_weight."""
    n_nonzero = 0
    for k in range(n_groups(batch) * batch.n_in):
        n_nonzero += bit_count(at(batch.mask, k))
    tally[DENSE, FMA] += batch.n * batch.n_in * batch.n_out
    tally[DENSE, ADD] += batch.n * batch.n_out
    tally[EXECUTED, FMA] += n_nonzero * batch.width
    tally[EXECUTED, ADD] += batch.n * batch.width

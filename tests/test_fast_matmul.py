"""The tiled products against the plain ones, and their counts, over shapes around the tile's 6 rows and 16 lanes."""

from __future__ import annotations

import counting
import numpy as np
import pytest
from counting import check_fast

from nnlite.kernels import matmul as plain_matmul
from nnlite.kernels.fast.matmul import matmul_forward, matmul_grad_weight, matmul_grad_x
from nnlite.kernels.fast.panels import LANES, pack, unpack, width_of

pytestmark = pytest.mark.kernels

SHAPES = [(1, 1, 1), (2, 3, 2), (5, 5, 10), (6, 6, 16), (7, 8, 17), (13, 20, 33), (64, 13, 10)]
"""(n, n_in, n_out): one of everything, both sides of a tile's edges, a batch."""


def tiles_of(n):
    """Rows that run: one by one under 6, else whole tiles of 6, the last one overlapping."""
    return n if n < 6 else -(-n // 6) * 6


def layer(n, n_in, n_out, seed=0):
    """Inputs, parameters and a gradient, plain and padded."""
    rng = np.random.default_rng(seed)
    x, weight, bias, grad_z = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((n, n_in), (n_in, n_out), n_out, (n, n_out))
    )
    block = np.full((n_in + 1) * width_of(n_out), np.nan, np.float32)
    pack(weight, bias, LANES, block)
    return x, weight, bias, grad_z, block


def padded(rows, width):
    out = np.zeros((len(rows), width), np.float32)
    out[:, : rows.shape[1]] = rows
    return out.ravel()


@pytest.mark.parametrize(("n", "n_in", "n_out"), SHAPES)
def test_forward_is_the_plain_forward(n, n_in, n_out, monkeypatch):
    x, weight, bias, _, block = layer(n, n_in, n_out)
    width, x_width = width_of(n_out), width_of(n_in)
    z, expected = np.full(n * width, np.nan, np.float32), np.empty((n, n_out), np.float32)
    tally, plain_tally = counting.new_tally(), counting.new_tally()
    matmul_forward(padded(x, x_width), x_width, block, n, n_in, n_out, z, tally)
    plain_matmul.matmul_forward(x, weight, bias, expected, plain_tally)
    np.testing.assert_allclose(z.reshape(n, width)[:, :n_out], expected, rtol=1e-5, atol=1e-5)
    assert (z.reshape(n, width)[:, n_out:] == 0).all()
    np.testing.assert_array_equal(tally[0], plain_tally[0])
    assert counting.by_kind(tally[1]) == {"fma": tiles_of(n) * n_in * width}
    arguments = (padded(x, x_width), x_width, block, n, n_in, n_out, np.zeros(n * width, np.float32))
    check_fast(monkeypatch, matmul_forward, *arguments, fma=n * n_in * n_out)


@pytest.mark.parametrize(("n", "n_in", "n_out"), SHAPES)
def test_grad_weight_is_the_plain_grad_weight(n, n_in, n_out, monkeypatch):
    x, _, _, grad_z, block = layer(n, n_in, n_out)
    width, x_width = width_of(n_out), width_of(n_in)
    gradient = np.full_like(block, np.nan)
    expected, expected_bias = np.empty((n_in, n_out), np.float32), np.empty(n_out, np.float32)
    found, found_bias = np.empty_like(expected), np.empty_like(expected_bias)
    tally, plain_tally = counting.new_tally(), counting.new_tally()
    arguments = (padded(x, x_width), x_width, padded(grad_z, width), n, n_in, n_out)
    matmul_grad_weight(*arguments, gradient, tally)
    plain_matmul.matmul_grad_weight(x, grad_z, expected, expected_bias, plain_tally)
    unpack(gradient, LANES, found, found_bias)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found_bias, expected_bias, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(tally[0], plain_tally[0])
    assert counting.by_kind(tally[1]) == {"fma": n * tiles_of(n_in) * width, "add": n * width}
    check_fast(
        monkeypatch, matmul_grad_weight, *arguments, np.zeros_like(gradient), fma=n * n_in * n_out, add=n * n_out
    )


@pytest.mark.parametrize(("n", "n_in", "n_out"), SHAPES)
@pytest.mark.parametrize("extra", [0, LANES])
def test_grad_x_is_the_plain_grad_x(n, n_in, n_out, extra, monkeypatch):
    """`extra`: a first layer on rows may pad its outputs further than to the next 16."""
    x, weight, _, grad_z, block = layer(n, n_in, n_out)
    width, x_width = width_of(n_out), width_of(n_in) + extra
    grad_x, expected = np.full(n * x_width, np.nan, np.float32), np.empty_like(x)
    transposed = np.full(n_out * x_width, np.nan, np.float32)
    tally, plain_tally = counting.new_tally(), counting.new_tally()
    arguments = (padded(grad_z, width), block, n, n_in, n_out, x_width)
    matmul_grad_x(*arguments, transposed, grad_x, tally)
    plain_matmul.matmul_grad_x(grad_z, weight, expected, plain_tally)
    np.testing.assert_allclose(grad_x.reshape(n, x_width)[:, :n_in], expected, rtol=1e-5, atol=1e-5)
    assert (grad_x.reshape(n, x_width)[:, n_in:] == 0).all()
    np.testing.assert_array_equal(tally[0], plain_tally[0])
    assert counting.by_kind(tally[1]) == {"fma": tiles_of(n) * n_out * x_width}
    scratch = (np.zeros_like(transposed), np.zeros_like(grad_x))
    check_fast(monkeypatch, matmul_grad_x, *arguments, *scratch, fma=n * n_in * n_out)


def test_a_sample_has_the_same_bits_in_any_tile():
    """Row 6 of 7 is computed in the overlapping last tile, row 0 of 1 alone: an answer depends on its inputs only."""
    x, _, _, _, block = layer(7, 30, 20)
    together, alone = np.zeros(7 * 32, np.float32), np.zeros(32, np.float32)
    matmul_forward(padded(x, 32), 32, block, 7, 30, 20, together, counting.new_tally())
    for s in range(7):
        matmul_forward(padded(x[s : s + 1], 32), 32, block, 1, 30, 20, alone, counting.new_tally())
        np.testing.assert_array_equal(together.reshape(7, 32)[s], alone)

"""Rows of nonzero pixels: they are the images, their products are the plain products, and they cost their nonzeros."""

from __future__ import annotations

import counting
import numpy as np
import pytest
from counting import check_fast, count_fast, new_tally

from nnlite.kernels import matmul as plain_matmul
from nnlite.kernels.fast.first_layer import GROUP, matmul_forward_rows, transpose_rows
from nnlite.kernels.fast.panels import PANEL, pack, width_of
from nnlite.kernels.fast.rows import (
    build_rows,
    class_sums_rows,
    count_nonzero,
    fill_from_bytes,
    fill_from_floats,
)
from nnlite.kernels.ops import ADD, DENSE, EXECUTED
from nnlite.kernels.reduce import class_sums

pytestmark = pytest.mark.kernels

WIDTHS = [1, 10, 16, 17, 32, 40, 64, 72, 100, 130]
"""n_out: panels of 16, 32, 64 lanes, padding in each, and several panels."""


def byte_images(n, p, seed=0, density=0.2):
    rng = np.random.default_rng(seed)
    return (rng.integers(1, 256, (n, p)) * (rng.random((n, p)) < density)).astype(np.uint8)


def dense(rows):
    """The images back from their rows."""
    images = np.zeros((rows.n_rows, rows.n_features), np.float32)
    for i in range(rows.n_rows):
        here = slice(rows.start[i * rows.n_blocks], rows.start[(i + 1) * rows.n_blocks])
        images[i, rows.pixel[here]] = rows.value[here]
    return images


def rows_of(images):
    return build_rows([images], counting.new_tally())


@pytest.mark.parametrize("p", [1, 9, 400, 401, 900])
def test_rows_hold_the_scaled_bytes_and_the_floats(p):
    images = byte_images(3, p)
    means = np.random.default_rng(1).random((2, p), np.float32)
    rows = build_rows([images, means], counting.new_tally())
    scaled = images.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(dense(rows), np.concatenate([scaled, means]))
    assert rows.n_rows == 5
    assert rows.density == (np.count_nonzero(images) + 2 * p) / (5 * p)
    assert (rows.value != 0).all()


@pytest.mark.parametrize("p", [9, 401, 900])
def test_blocks_part_the_pixels(p):
    rows = rows_of(byte_images(4, p))
    size = -(-p // rows.n_blocks)
    assert size <= 400
    for i in range(4):
        for b in range(rows.n_blocks):
            here = rows.pixel[rows.start[i * rows.n_blocks + b] : rows.start[i * rows.n_blocks + b + 1]]
            assert ((b * size <= here) & (here < (b + 1) * size)).all()
            assert (np.diff(here.astype(int)) > 0).all()


def test_blank_images_and_no_images_are_rows_too():
    rows = build_rows([np.zeros((2, 5), np.uint8), np.zeros((0, 5), np.float32)], counting.new_tally())
    assert (rows.n_rows, len(rows.pixel), rows.density) == (2, 0, 0)


def test_parts_of_different_widths_are_refused():
    with pytest.raises(ValueError, match=r"parts of \[5, 6\] pixels"):
        build_rows([np.zeros((2, 5), np.uint8), np.zeros((2, 6), np.uint8)], counting.new_tally())
    with pytest.raises(ValueError, match="65537 pixels: rows hold 1 to 65536"):
        build_rows([np.zeros((1, 65537), np.uint8)], counting.new_tally())


def test_building_counts_two_compares_a_pixel_and_a_division_a_nonzero(monkeypatch):
    images = byte_images(3, 7)
    n_nonzero = np.count_nonzero(images)
    tally = counting.new_tally()
    build_rows([images], tally)
    assert counting.by_kind(tally[0]) == {"div": 3 * 7}
    assert counting.by_kind(tally[1]) == {"cmp": 2 * 3 * 7, "div": n_nonzero}
    pixel, value = np.zeros(21, np.uint16), np.zeros(21, np.float32)
    floats = images.astype(np.float32)
    check_fast(monkeypatch, count_nonzero, floats, 1, np.zeros(3, np.int64))
    check_fast(monkeypatch, fill_from_bytes, floats, 0, pixel, value, div=3 * 7)
    check_fast(monkeypatch, fill_from_floats, floats, 0, pixel, value)


@pytest.mark.parametrize("n_out", WIDTHS)
def test_forward_is_the_plain_forward(n_out):
    n_in = 410  # two blocks
    images = byte_images(5, n_in, density=0.05)
    rows, order = rows_of(images), np.array([4, 0, 0, 2])
    rng = np.random.default_rng(2)
    weight, bias = (rng.standard_normal(shape).astype(np.float32) for shape in ((n_in, n_out), n_out))
    width = width_of(n_out, PANEL)
    block = np.full((n_in + 1) * width, np.nan, np.float32)
    pack(weight, bias, PANEL, block)
    z, expected = np.full(4 * width, np.nan, np.float32), np.empty((4, n_out), np.float32)
    tally, plain_tally = counting.new_tally(), counting.new_tally()
    matmul_forward_rows(rows, order, block, n_out, width, z, tally)
    plain_matmul.matmul_forward(dense(rows)[order], weight, bias, expected, plain_tally)
    np.testing.assert_allclose(z.reshape(4, width)[:, :n_out], expected, rtol=1e-5, atol=1e-5)
    assert (z.reshape(4, width)[:, n_out:] == 0).all()
    np.testing.assert_array_equal(tally[0], plain_tally[0])
    assert counting.by_kind(tally[1]) == {"fma": np.count_nonzero(images[order]) * width}


@pytest.mark.parametrize("n_out", [10, 32, 72])
@pytest.mark.parametrize("density", [0.0, 0.3])
def test_forward_counts_what_it_runs(n_out, density, monkeypatch):
    rows = rows_of(byte_images(3, 8, density=density))
    width = width_of(n_out, PANEL)
    arguments = (rows, np.array([2, 1]), np.ones(9 * width, np.float32), n_out, width, np.zeros(2 * width, np.float32))
    check_fast(monkeypatch, matmul_forward_rows, *arguments, fma=2 * 8 * n_out)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 130])
def test_transposition_lists_each_pixel_with_its_samples(n, monkeypatch):
    rows, n_in = rows_of(byte_images(n, 12, density=0.4)), 12
    order = np.random.default_rng(3).permutation(n)
    groups = -(-n // GROUP)
    mask = np.full(groups * n_in, 2**64 - 1, np.uint64)
    bucket = np.full(groups * n_in * GROUP, np.nan, np.float32)
    transpose_rows(rows, order, mask, bucket)
    found = np.zeros((n, n_in), np.float32)
    for g in range(groups):
        for k in range(n_in):
            samples = [s for s in range(GROUP) if int(mask[g * n_in + k]) >> s & 1]
            found[[g * GROUP + s for s in samples], k] = bucket[[(g * n_in + k) * GROUP + s for s in samples]]
    np.testing.assert_array_equal(found, dense(rows)[order])


def test_more_nonzero_pixels_cost_more_and_the_dense_count_stays(monkeypatch):
    costs = []
    for density in (0.1, 0.9):
        rows = rows_of(byte_images(4, 20, density=density))
        arguments = (rows, np.arange(4), np.ones(21 * 16, np.float32), 10, 16, np.zeros(4 * 16, np.float32))
        costs.append(count_fast(monkeypatch, matmul_forward_rows, *arguments)[1:])
    (few, dense_few), (many, dense_many) = costs
    assert few["fma"] < many["fma"]
    assert dense_few == dense_many == {"fma": 4 * 20 * 10}


def test_class_sums_over_rows_have_the_bits_and_the_dense_count_of_the_plain_ones():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 30)).astype(np.uint8) * (rng.random((20, 30)) < 0.3)
    labels, order = rng.integers(0, 3, 20), rng.permutation(20)[:13]
    rows = build_rows([pixels], new_tally())
    sums, plain_sums, tally, plain_tally = np.zeros((3, 30)), np.zeros((3, 30)), new_tally(), new_tally()
    class_sums_rows(rows, order, labels, sums, tally)
    class_sums((pixels / np.float32(255))[order], labels[order], plain_sums, plain_tally)
    np.testing.assert_array_equal(sums, plain_sums)
    np.testing.assert_array_equal(tally[DENSE], plain_tally[DENSE])
    assert tally[EXECUTED].sum() == tally[EXECUTED, ADD] == np.count_nonzero(pixels[order])

"""Distances, norms, spreads and the layer of the nearest mean; tallies against counting numbers."""

from __future__ import annotations

import numpy as np
import pytest
from counting import check_tally, new_tally
from hypothesis import given
from hypothesis import strategies as st

from nnlite.kernels.distance import (
    euclidean_norms,
    nearest,
    nearest_mean_layer,
    pixel_moments,
    scale_and_shift_inplace,
    squared_distances,
    stretch_inplace,
)

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize(("n", "p", "c"), [(1, 1, 1), (1, 4, 3), (5, 1, 2), (5, 3, 2), (10, 3, 2)])
def test_tallies_are_what_ran(n, p, c, zero):
    rng = np.random.default_rng(4)
    draw = (lambda *shape: np.zeros(shape)) if zero else (lambda *shape: rng.normal(size=shape))
    images = draw(n, p)
    check_tally(squared_distances, images, draw(c, p), np.full((n, c), np.nan), add=n * c * p, fma=n * c * p)
    check_tally(nearest, draw(n, c), np.full(n, -1), cmp=n * (c - 1))
    check_tally(euclidean_norms, images, np.full(n, np.nan), fma=n * p, sqrt=n)
    check_tally(stretch_inplace, images, np.ones(n), draw(n), div=n, mul=n * p)
    moments = {"add": 2 * n * p, "fma": n * p, "div": 2 * n, "sqrt": n}
    check_tally(pixel_moments, images, np.full(n, np.nan), np.full(n, np.nan), **moments)
    check_tally(scale_and_shift_inplace, images, draw(n), draw(n), fma=n * p)
    layer = {"fma": n * p, "mul": n * p + n, "add": n, "div": n, "cmp": n - 1}
    check_tally(nearest_mean_layer, images, np.float64(3), np.full((p, n), np.nan), np.full(n, np.nan), **layer)


def test_squared_distances_by_hand():
    images, centers = np.float32([[1, 2], [0, 0], [4, 6]]), np.float32([[1, 2], [4, -2]])
    distances = np.full((3, 2), np.nan)
    squared_distances(images, centers, distances, new_tally())
    # (1-4)^2 + (2+2)^2 = 25; 1 + 4 = 5, 16 + 4 = 20; 3^2 + 4^2 = 25, 0 + 8^2 = 64
    assert distances.tolist() == [[0, 25], [5, 20], [25, 64]]


def test_distances_are_sums_in_float64():
    images = np.float32([[2**12, 1, 1]])  # 2^24 + 1 is no float32
    distances = np.full((1, 1), np.nan)
    squared_distances(images, np.zeros((1, 3), np.float32), distances, new_tally())
    assert distances[0, 0] == 2**24 + 2


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
def test_the_nearest_of_distances_is_that_of_numpy(n, p, c, seed):
    rng = np.random.default_rng(seed)
    images, centers = (rng.integers(-3, 4, (rows, p)).astype(np.float32) for rows in (n, c))
    distances, index = np.full((n, c), np.nan), np.full(n, -1)
    squared_distances(images, centers, distances, new_tally())
    ref = ((images[:, None] - centers) ** 2).sum(2)
    np.testing.assert_array_equal(distances, ref)  # whole numbers: no rounding
    nearest(distances, index, new_tally())
    np.testing.assert_array_equal(index, ref.argmin(1))


def test_nearest_is_the_first_of_equals():
    index = np.full(4, -1)
    nearest(np.array([[3.0, 1, 2], [5, 5, 5], [7, 0, 0], [1, 2, 0]]), index, new_tally())
    assert index.tolist() == [1, 0, 1, 2]


def test_an_image_is_stretched_to_the_norm_it_shall_have():
    images, norms = np.float32([[3, 4], [0, 2]]), np.full(2, np.nan, np.float32)
    euclidean_norms(images, norms, new_tally())
    assert norms.tolist() == [5, 2]  # sqrt(9 + 16), sqrt(0 + 4)
    stretch_inplace(images, norms, np.float32([10, 1]), new_tally())
    assert images.tolist() == [[6, 8], [0, 1]]  # times 10 / 5, times 1 / 2


def test_moments_of_pixels_by_hand():
    means, deviations = np.full(2, np.nan), np.full(2, np.nan)
    pixel_moments(np.float32([[1, 1, 5, 5], [7, 7, 7, 7]]), means, deviations, new_tally())
    assert means.tolist() == [3, 7]  # 12 / 4, 28 / 4
    assert deviations.tolist() == [2, 0]  # sqrt(4 x 2^2 / 4), no spread


def test_draws_are_scaled_then_shifted():
    draws = np.float32([[1, -1], [0.5, 2]])
    scale_and_shift_inplace(draws, np.array([10.0, 1]), np.array([2.0, 4]), new_tally())
    assert draws.tolist() == [[12, 8], [3, 9]]  # 10 + 2 x 1, 10 - 2 x 1; 1 + 4 x 0.5, 1 + 4 x 2


def test_the_layer_of_the_nearest_mean_by_hand():
    weight, bias = np.full((2, 3), np.nan, np.float32), np.full(3, np.nan)
    nearest_mean_layer(np.float32([[2, 0], [3, 3], [0, 4]]), np.float64(10), weight, bias, new_tally())
    assert weight.tolist() == [[20, 30, 0], [0, 30, 40]]
    assert bias.tolist() == [70, 0, 10]  # halves of squared norms 2, 9, 8: 10 (9 - 2), 10 (9 - 9), 10 (9 - 8)

"""One step of every optimizer worked by hand, then against its textbook; tallies against counting numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from counting import check_tally, new_tally

from nnlite.kernels.update import adam_coefficients, adam_update, momentum_update, sgd_update

pytestmark = pytest.mark.kernels

DTYPES = [np.float32, np.float64]
SIZES = [1, 5]


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_tallies_are_what_ran(size, zero):
    gradient = np.zeros(size) if zero else np.arange(1.0, size + 1)
    parameter, state = np.ones(size), np.zeros(size)
    check_tally(sgd_update, parameter, gradient, 0.1, fma=size)
    check_tally(momentum_update, parameter, gradient, state, 0.1, 0.9, fma=2 * size)
    coefficients = np.array([0.9, 0.1, 0.999, 0.001, 0.1, 1e-8])
    check_tally(
        adam_update, parameter, gradient, state, state.copy(), coefficients,
        fma=3 * size,  # beta1 mean + ..., beta2 square + ..., parameter - rate ...
        mul=3 * size,  # (1 - beta1) gradient, (1 - beta2) gradient gradient
        add=size, div=size, sqrt=size,
    )  # fmt: skip


def test_the_tally_of_adams_scalars_is_what_ran():
    check_tally(adam_coefficients, np.ones(2), 0.001, 0.9, 0.999, 1e-8, np.full(6, np.nan), mul=4, add=4, sqrt=1, div=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_sgd_step_by_hand(dtype):
    parameter, gradient = np.array([1, -2], dtype), np.array([0.5, 4], dtype)
    sgd_update(parameter, gradient, dtype(0.25), new_tally())
    # 1 - 0.25 x 0.5 = 0.875;  -2 - 0.25 x 4 = -3
    assert parameter.tolist() == [0.875, -3]
    assert gradient.tolist() == [0.5, 4]


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_momentum_step_by_hand(dtype):
    parameter, gradient, velocity = np.array([1, -2], dtype), np.array([0.5, 4], dtype), np.array([2, 0], dtype)
    momentum_update(parameter, gradient, velocity, dtype(0.25), dtype(0.75), new_tally())
    # v: 0.75 x 2 + 0.5 = 2;  0.75 x 0 + 4 = 4.  w: 1 - 0.25 x 2 = 0.5;  -2 - 0.25 x 4 = -3
    assert velocity.tolist() == [2, 4]
    assert parameter.tolist() == [0.5, -3]


def adam_step(parameter, gradient, mean, square, powers, learning_rate, beta1, beta2, epsilon):
    coefficients = np.full(6, np.nan, parameter.dtype)
    adam_coefficients(powers, learning_rate, beta1, beta2, epsilon, coefficients, new_tally())
    adam_update(parameter, gradient, mean, square, coefficients, new_tally())


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_adam_step_by_hand(dtype):
    parameter, gradient = np.array([1, -2], dtype), np.array([0.5, -4], dtype)
    mean, square, powers = np.zeros(2, dtype), np.zeros(2, dtype), np.ones(2)
    adam_step(parameter, gradient, mean, square, powers, 0.1, 0.9, 0.99, 0.5)
    # t = 1. mean = 0.1 g = 0.05, -0.4; square = 0.01 g^2 = 0.0025, 0.16
    # corrected: mean / (1 - 0.9) = g = 0.5, -4; square / (1 - 0.99) = g^2 = 0.25, 16
    # w: 1 - 0.1 x 0.5 / (sqrt(0.25) + 0.5) = 1 - 0.05 = 0.95;  -2 + 0.1 x 4 / (4 + 0.5) = -2 + 0.4 / 4.5
    close = {"rtol": 10 * np.finfo(dtype).eps}
    np.testing.assert_allclose(mean, [0.05, -0.4], **close)
    np.testing.assert_allclose(square, [0.0025, 0.16], **close)
    np.testing.assert_allclose(parameter, [0.95, -2 + 0.4 / 4.5], **close)
    assert powers.tolist() == [0.9, 0.99]


def test_adams_scalars_by_hand():
    powers, coefficients = np.array([0.5, 0.75]), np.full(6, np.nan)
    adam_coefficients(powers, 0.1, 0.5, 0.25, 0.01, coefficients, new_tally())
    # beta1^t: 0.5 x 0.5 = 0.25; beta2^t: 0.75 x 0.25 = 0.1875; root = sqrt(1 - 0.1875)
    root = math.sqrt(0.8125)
    assert powers.tolist() == [0.25, 0.1875]
    np.testing.assert_allclose(coefficients, [0.5, 0.5, 0.25, 0.75, 0.1 * root / 0.75, 0.01 * root], rtol=1e-15)


def test_five_adam_steps_are_the_textbooks():
    rng = np.random.default_rng(8)
    parameter, mean, square, powers = rng.normal(size=4), np.zeros(4), np.zeros(4), np.ones(2)
    textbook, state = [parameter.copy()], reference.adam_state([parameter])
    for _ in range(5):
        gradient = rng.normal(size=4)
        adam_step(parameter, gradient, mean, square, powers, 0.01, 0.9, 0.999, 1e-3)
        reference.adam_step(textbook, [gradient], state, 0.01, 0.9, 0.999, 1e-3)
        np.testing.assert_allclose(parameter, textbook[0], rtol=1e-13)

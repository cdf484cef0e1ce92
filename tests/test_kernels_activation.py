"""Activations: each backward against differences of its forward, tallies against counting numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from counting import check_tally, new_tally
from reference import PER_UNIT

from nnlite.kernels import activation
from nnlite.kernels.ops import ACTIVATIONS

pytestmark = pytest.mark.kernels

SHAPES = [(1, 1), (1, 4), (5, 1), (3, 4)]
FILLS = ["random", "zero", "dead"]  # dead: every unit below zero


def pre_activations(shape, fill="random"):
    z = np.random.default_rng(5).normal(size=shape)
    return {"random": z, "zero": np.zeros(shape), "dead": -np.abs(z) - 0.1}[fill]


def forward(name, z):
    h = np.full_like(z, np.nan)
    getattr(activation, f"{name}_forward")(z, h, new_tally())
    return h


def backward(name, h, grad_h):
    grad_z = np.full_like(h, np.nan)
    getattr(activation, f"{name}_backward")(h, grad_h, grad_z, new_tally())
    return grad_z


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_tallies_are_what_ran(name, shape, fill):
    z = pre_activations(shape, fill)
    h, units = forward(name, z), z.size
    check_tally(
        getattr(activation, f"{name}_forward"), z, np.full(shape, np.nan),
        **{kind: per_unit * units for kind, per_unit in PER_UNIT[name][0].items()},
    )  # fmt: skip
    check_tally(
        getattr(activation, f"{name}_backward"), h, np.ones(shape), np.full(shape, np.nan),
        **{kind: per_unit * units for kind, per_unit in PER_UNIT[name][1].items()},
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_is_the_formula_and_backward_its_derivative(name, dtype):
    z, grad_h = pre_activations((3, 4)).astype(dtype), np.random.default_rng(6).normal(size=(3, 4)).astype(dtype)
    formula, derivative = reference.ACTIVATION[name]
    h = forward(name, z)
    assert h.dtype == dtype
    np.testing.assert_allclose(h, formula(z), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(backward(name, h, grad_h), grad_h * derivative(z), rtol=40 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_is_the_slope_of_forward(name):
    z = pre_activations((3, 4))
    grad_h = np.random.default_rng(6).normal(size=z.shape)
    slope = (forward(name, z + 1e-6) - forward(name, z - 1e-6)) / 2e-6
    np.testing.assert_allclose(backward(name, forward(name, z), grad_h), grad_h * slope, atol=1e-9)


def test_backward_by_hand():
    half, two = np.array([[0.5]]), np.array([[2.0]])
    assert backward("relu", half, two) == 2
    assert backward("tanh", half, two) == 1.5  # 2 (1 - 0.5^2)
    assert backward("sigmoid", half, two) == 0.5  # 2 x 0.5 x (1 - 0.5)


def test_relu_at_zero_is_zero_and_so_is_its_gradient():
    z = np.array([[0.0, -0.0, -1.0, 1e-300]])
    h = forward("relu", z)
    assert h.tolist() == [[0, 0, 0, 1e-300]]
    assert backward("relu", h, np.ones((1, 4))).tolist() == [[0, 0, 0, 1]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_pre_activations_saturate_without_a_warning(dtype):
    z = np.array([[-1e4, 1e4]], dtype)
    assert forward("sigmoid", z).tolist() == [[0, 1]]
    assert forward("tanh", z).tolist() == [[-1, 1]]
    assert backward("sigmoid", forward("sigmoid", z), np.ones_like(z)).tolist() == [[0, 0]]
    assert backward("tanh", forward("tanh", z), np.ones_like(z)).tolist() == [[0, 0]]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_not_a_number_stays_so(name):
    assert math.isnan(forward(name, np.array([[np.nan]]))[0, 0])

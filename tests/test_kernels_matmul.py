"""The layer's affine map and its gradients: values against NumPy, tallies against counting numbers."""

from __future__ import annotations

import numpy as np
import pytest
from counting import check_tally, new_tally

from nnlite.kernels.matmul import matmul_forward, matmul_grad_weight, matmul_grad_x

pytestmark = pytest.mark.kernels

# n, n_in, n_out: one sample, one input, one unit, uneven
SHAPES = [(1, 1, 1), (1, 4, 3), (5, 1, 2), (4, 3, 1), (2, 5, 3), (3, 2, 4)]
DTYPES = [np.float32, np.float64]


def arrays(*shapes, dtype=np.float64, zero=False):
    """Random values, or zeros: a plain kernel must not skip them."""
    rng = np.random.default_rng(3)
    return [np.zeros(shape, dtype) if zero else rng.normal(size=shape).astype(dtype) for shape in shapes]


def garbage(*shape, dtype=np.float64):
    """An output before it is overwritten."""
    return np.full(shape, np.nan, dtype)


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize(("n", "n_in", "n_out"), SHAPES)
def test_tallies_are_what_ran(n, n_in, n_out, zero):
    x, weight, bias, grad_z = arrays((n, n_in), (n_in, n_out), (n_out,), (n, n_out), zero=zero)
    products = n * n_in * n_out
    check_tally(matmul_forward, x, weight, bias, garbage(n, n_out), fma=products)
    check_tally(matmul_grad_weight, x, grad_z, garbage(n_in, n_out), garbage(n_out), fma=products, add=n * n_out)
    check_tally(matmul_grad_x, grad_z, weight, garbage(n, n_in), fma=products)


def test_forward_by_hand():
    x, weight, bias = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0, -1.0], [3.0, 4.0, 5.0]]), np.array([0.5, 0.0, -0.5])
    z = garbage(1, 3)
    matmul_forward(x, weight, bias, z, new_tally())
    # 1*1 + 2*3 + 0.5 = 7.5;  1*0 + 2*4 + 0 = 8;  1*(-1) + 2*5 - 0.5 = 8.5
    assert z.tolist() == [[7.5, 8.0, 8.5]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "n_in", "n_out"), SHAPES)
def test_values_are_those_of_numpy(n, n_in, n_out, dtype):
    x, weight, bias, grad_z = arrays((n, n_in), (n_in, n_out), (n_out,), (n, n_out), dtype=dtype)
    z, grad_x = garbage(n, n_out, dtype=dtype), garbage(n, n_in, dtype=dtype)
    grad_weight, grad_bias = garbage(n_in, n_out, dtype=dtype), garbage(n_out, dtype=dtype)
    matmul_forward(x, weight, bias, z, new_tally())
    matmul_grad_weight(x, grad_z, grad_weight, grad_bias, new_tally())
    matmul_grad_x(grad_z, weight, grad_x, new_tally())
    close = {"rtol": 0, "atol": 50 * np.finfo(dtype).eps}
    np.testing.assert_allclose(z, x @ weight + bias, **close)
    np.testing.assert_allclose(grad_weight, x.T @ grad_z, **close)
    np.testing.assert_allclose(grad_bias, grad_z.sum(0), **close)
    np.testing.assert_allclose(grad_x, grad_z @ weight.T, **close)


def test_a_value_that_is_not_a_number_reaches_every_output_it_touches():
    x, weight, bias = arrays((2, 3), (3, 2), (2,))
    x[1, 2], weight[2] = np.nan, 0  # 0 x nan is nan: a zero weight hides nothing
    z = np.zeros((2, 2))
    matmul_forward(x, weight, bias, z, new_tally())
    assert np.isnan(z).tolist() == [[False, False], [True, True]]

"""Softmax cross-entropy: by hand, at the edges of what floats hold, tallies against counting numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from counting import check_tally, new_tally
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nnlite.kernels.loss import softmax, softmax_cross_entropy_backward, softmax_cross_entropy_forward

pytestmark = pytest.mark.kernels

DTYPES = [np.float32, np.float64]
SHAPES = [(1, 2), (1, 5), (4, 2), (3, 4)]  # n, c: one sample, two classes
LOGITS = arrays(np.float64, (3, 4), elements=st.floats(-50, 50))


def forward(logits, labels):
    """Return probabilities and loss from outputs that held garbage."""
    probabilities, loss = np.full_like(logits, np.nan), np.full(1, np.nan, logits.dtype)
    softmax_cross_entropy_forward(logits, np.asarray(labels), probabilities, loss, new_tally())
    return probabilities, loss[0]


def gradient(logits, labels):
    grad_logits = np.full_like(logits, np.nan)
    softmax_cross_entropy_backward(forward(logits, labels)[0], np.asarray(labels), grad_logits, new_tally())
    return grad_logits


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize(("n", "c"), SHAPES)
def test_tallies_are_what_ran(n, c, zero):
    logits = np.zeros((n, c)) if zero else np.random.default_rng(1).normal(size=(n, c))
    labels = np.arange(n) % c
    check_tally(
        softmax_cross_entropy_forward, logits, labels, np.full((n, c), np.nan), np.full(1, np.nan),
        cmp=n * (c - 1),  # the maximum of c needs c - 1 tests
        add=n * (2 * c + 2),  # c maxima subtracted, c terms of the sum, log(s) - logit, the sum of losses
        exp=n * c, log=n, div=n * c + 1,  # the last for the mean
    )  # fmt: skip
    probabilities = forward(logits, labels)[0]
    check_tally(softmax, logits, np.full((n, c), np.nan), cmp=n * (c - 1), add=2 * n * c, exp=n * c, div=n * c)
    check_tally(softmax_cross_entropy_backward, probabilities, labels, np.full((n, c), np.nan), add=n, div=n * c)


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_samples_by_hand(dtype):
    logits = np.log(np.array([[1, 3], [1, 1]])).astype(dtype)
    probabilities, loss = forward(logits, [0, 1])
    # softmax of log 1, log 3: 1/4, 3/4; loss log 4.  Of equal logits: 1/2, 1/2; loss log 2.  Mean: (log 4 + log 2) / 2
    np.testing.assert_allclose(probabilities, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-6)
    assert loss == pytest.approx((math.log(4) + math.log(2)) / 2, rel=1e-6)
    # p - 1 at the label, p elsewhere, both over n = 2: (1/4 - 1)/2, (3/4)/2; (1/2)/2, (1/2 - 1)/2
    np.testing.assert_allclose(gradient(logits, [0, 1]), [[-0.375, 0.375], [0.25, -0.25]], rtol=1e-6)
    assert probabilities.dtype == loss.dtype == dtype
    alone = np.full_like(logits, np.nan)
    softmax(logits, alone, new_tally())
    np.testing.assert_array_equal(alone, probabilities)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_equal_logits_cost_the_logarithm_of_the_number_of_classes(n_classes):
    logits = np.full((4, n_classes), 7.0)
    assert forward(logits, [0, 1, 1, n_classes - 1])[1] == pytest.approx(math.log(n_classes), rel=1e-12)


def test_the_gradient_is_the_slope_of_the_loss():
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(size=(5, 3)), np.array([0, 2, 1, 2, 0])
    grad_logits = gradient(logits, labels)
    for index in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[index] = 1e-6
        slope = (forward(logits + step, labels)[1] - forward(logits - step, labels)[1]) / 2e-6
        assert grad_logits[index] == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_logits_give_finite_loss_and_exact_probabilities(dtype):
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4]], dtype)
    probabilities, loss = forward(logits, [1, 0])
    assert probabilities.tolist() == [[1, 0, 0], [0, 0.5, 0.5]]
    assert forward(np.array([[0, 1e4]], dtype), [1])[1] == 0  # a certain right answer costs nothing
    # label 1 lies 20000 below the maximum, whose exp sum is 1; label 0 too, with an exp sum of 2
    assert loss == pytest.approx((2e4 + 2e4 + math.log(2)) / 2, rel=1e-6)
    np.testing.assert_allclose(gradient(logits, [1, 0]), [[0.5, -0.5, 0], [-0.5, 0.25, 0.25]])


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_logit_that_is_not_finite_shows_in_the_loss(column, bad):
    logits = np.zeros((2, 3))
    logits[1, column] = bad
    assert math.isnan(forward(logits, [0, 1])[1])


@given(LOGITS, st.floats(-100, 100))
def test_probabilities_sum_to_one_the_gradient_to_zero_and_a_constant_changes_nothing(logits, constant):
    probabilities, loss = forward(logits, [0, 1, 3])
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-14)
    np.testing.assert_allclose(gradient(logits, [0, 1, 3]).sum(1), 0, atol=1e-15)
    moved, moved_loss = forward(logits + constant, [0, 1, 3])
    np.testing.assert_allclose(moved, probabilities, rtol=1e-12)
    assert moved_loss == pytest.approx(loss, rel=1e-12, abs=1e-12)

"""The fast path's loss, activations and count of right answers against the plain ones, on padded rows."""

from __future__ import annotations

import counting
import numpy as np
import pytest
from counting import check_fast, count_fast

from nnlite.kernels import activation as plain_activation
from nnlite.kernels import loss as plain_loss
from nnlite.kernels import reduce as plain_reduce
from nnlite.kernels.fast import activation
from nnlite.kernels.fast.loss import count_correct, softmax_cross_entropy
from nnlite.kernels.ops import ACTIVATIONS

pytestmark = pytest.mark.kernels

SHAPES = [(1, 1), (3, 10), (5, 17)]
"""Dense operations a unit, as the plain kernels' docstrings say."""


def random_rows(n, n_out, seed=0):
    """(plain, padded) random rows; padding is zero."""
    rows = np.random.default_rng(seed).standard_normal((n, n_out)).astype(np.float32)
    padded = np.zeros((n, -(-n_out // 16) * 16), np.float32)
    padded[:, :n_out] = rows
    return rows, padded


def labels_of(n, c):
    """Labels of more rows than the batch, and the batch's rows out of order."""
    return np.random.default_rng(1).integers(0, c, 2 * n), np.random.default_rng(2).permutation(2 * n)[:n]


@pytest.mark.parametrize(("n", "c"), SHAPES)
@pytest.mark.parametrize("scale", [1, 300])
def test_loss_and_gradient_are_the_plain_ones(n, c, scale):
    rows, padded = random_rows(n, c)
    rows, padded = rows * np.float32(scale), padded * np.float32(scale)
    labels, order = labels_of(n, c)
    probabilities, expected, loss = np.empty_like(rows), np.empty_like(rows), np.empty(1, np.float32)
    tallies, plain_tallies = ([counting.new_tally() for _ in range(2)] for _ in range(2))
    found = softmax_cross_entropy(padded.ravel(), labels, order, c, padded.shape[1], *tallies)
    plain_loss.softmax_cross_entropy_forward(rows, labels[order], probabilities, loss, plain_tallies[0])
    plain_loss.softmax_cross_entropy_backward(probabilities, labels[order], expected, plain_tallies[1])
    np.testing.assert_allclose(found, loss[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(padded[:, :c], expected, rtol=1e-5, atol=1e-6)
    assert (padded[:, c:] == 0).all()
    for tally, plain_tally in zip(tallies, plain_tallies, strict=True):
        np.testing.assert_array_equal(tally[0], plain_tally[0])


@pytest.mark.parametrize(("n", "c"), SHAPES)
def test_the_loss_counts_what_it_runs(n, c, monkeypatch):
    padded = random_rows(n, c)[1]
    arguments = (padded.ravel(), *labels_of(n, c), c, padded.shape[1])
    dense = {"cmp": n * (c - 1), "add": n * (2 * c + 3), "exp": n * c, "log": n, "div": 2 * n * c + 1}
    check_fast(monkeypatch, softmax_cross_entropy, *arguments, n_tallies=2, **dense)


@pytest.mark.parametrize(("n", "c"), SHAPES)
def test_right_answers_are_those_of_argmax(n, c, monkeypatch):
    rows, padded = random_rows(n, c)
    rows[:, 0] = rows[:, -1] = padded[:, 0] = padded[:, c - 1] = rows.max()  # ties: the first of equals
    labels, order = labels_of(n, c)
    labels[order[0]] = 0
    predictions, tally = np.empty(n, np.int64), counting.new_tally()
    plain_reduce.argmax(rows, predictions, tally)
    found = count_correct(padded.ravel(), labels, order, c, padded.shape[1], counting.new_tally())
    assert found == np.count_nonzero(predictions == labels[order])
    check_fast(monkeypatch, count_correct, padded.ravel(), labels, order, c, padded.shape[1], cmp=n * (c - 1))


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("n", "n_out"), SHAPES)
def test_activations_are_the_plain_ones_and_leave_padding_alone(name, n, n_out):
    rows, padded = random_rows(n, n_out)
    grad, padded_grad = random_rows(n, n_out, seed=3)
    h, grad_z, width, number = np.empty_like(rows), np.empty_like(rows), padded.shape[1], list(ACTIVATIONS).index(name)
    tallies, plain_tallies = ([counting.new_tally() for _ in range(2)] for _ in range(2))
    activation.activate(number, padded.ravel(), n, n_out, width, tallies[0])
    activation.differentiate(number, padded.ravel(), padded_grad.ravel(), n, n_out, width, tallies[1])
    getattr(plain_activation, f"{name}_forward")(rows, h, plain_tallies[0])
    getattr(plain_activation, f"{name}_backward")(h, grad, grad_z, plain_tallies[1])
    np.testing.assert_array_equal(padded[:, :n_out], h)
    np.testing.assert_array_equal(padded_grad[:, :n_out], grad_z)
    assert not padded[:, n_out:].any()
    assert not padded_grad[:, n_out:].any()
    for tally, plain_tally in zip(tallies, plain_tallies, strict=True):
        same = slice(1) if name == "relu" else slice(None)  # relu runs over padding too, so more is executed
        np.testing.assert_array_equal(tally[same], plain_tally[same])


@pytest.mark.parametrize(("n", "n_out"), SHAPES)
def test_relu_counts_what_its_numbers_see(n, n_out, monkeypatch):
    _, padded = random_rows(n, n_out)
    _, padded_grad = random_rows(n, n_out, seed=3)
    z, grad, shape, units = padded.ravel(), padded_grad.ravel(), (n, n_out, padded.shape[1]), n * n_out
    check_fast(monkeypatch, activation.relu_forward_inplace, z, *shape, cmp=units)
    check_fast(monkeypatch, activation.relu_backward_inplace, z, grad, *shape, cmp=units)


def test_relu_lets_nan_pass_and_its_padding_is_executed(monkeypatch):
    z = np.full(16, np.nan, np.float32)
    activation.relu_forward_inplace(z, 1, 16, 16, counting.new_tally())
    assert np.isnan(z).all()
    executed = count_fast(monkeypatch, activation.relu_forward_inplace, np.ones(32, np.float32), 2, 10, 16)[1]
    assert executed == {"cmp": 2 * 16}

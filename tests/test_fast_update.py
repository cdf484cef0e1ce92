"""The updates with SIMD: the plain updates' arithmetic, the counts of what ran, and rows that are skipped exactly."""

from __future__ import annotations

import counting
import numpy as np
import pytest
from counting import check_fast, count_fast

from nnlite.kernels import matmul as plain_matmul
from nnlite.kernels import update as plain_update
from nnlite.kernels.fast import update
from nnlite.kernels.fast.first_layer import GROUP, Batch, transpose_rows
from nnlite.kernels.fast.panels import PANEL, pack, unpack, width_of
from nnlite.kernels.fast.rows import build_rows

pytestmark = pytest.mark.kernels

RATE, MOMENTUM = np.float32(0.1), np.float32(0.9)
COEFFICIENTS = np.array([0.9, 0.1, 0.999, 0.001, 0.01, 1e-8], np.float32)
OPTIMIZERS = ["sgd", "momentum", "adam"]
DENSE_OF = {"sgd": {"fma": 1}, "momentum": {"fma": 2}, "adam": {"fma": 3, "mul": 3, "add": 1, "div": 1, "sqrt": 1}}
"""Dense operations a parameter."""


def state_of(name, size):
    """An optimizer's arrays before the first step, beside the parameters: none, velocity, or mean and square."""
    return [np.zeros(size, np.float32) for _ in range(OPTIMIZERS.index(name))]


def scalars_of(name):
    return {"sgd": [RATE], "momentum": [RATE, MOMENTUM], "adam": [COEFFICIENTS]}[name]


def operations(name, n_parameters):
    return {kind: times * n_parameters for kind, times in DENSE_OF[name].items()}


def plain_step(name, parameter, gradient, state, tally):
    kernel = getattr(plain_update, f"{name}_update")
    kernel(parameter.ravel(), gradient.ravel(), *[array.ravel() for array in state], *scalars_of(name), tally)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_three_steps_of_a_block_are_three_plain_steps(name):
    kernel = getattr(update, f"{name}_update")
    rng = np.random.default_rng(0)
    parameter = rng.standard_normal(48).astype(np.float32)
    expected, state, plain_state = parameter.copy(), state_of(name, 48), state_of(name, 48)
    for _ in range(3):
        gradient = rng.standard_normal(48).astype(np.float32)
        tally, plain_tally = counting.new_tally(), counting.new_tally()
        kernel(parameter, gradient, *state, 48, *scalars_of(name), tally)
        plain_step(name, expected, gradient, plain_state, plain_tally)
        np.testing.assert_array_equal(tally[0], plain_tally[0])
        for found, wanted in zip([parameter, *state], [expected, *plain_state], strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_block_counts_its_padding_as_executed_only(name, monkeypatch):
    kernel = getattr(update, f"{name}_update")
    arguments = (np.ones(32, np.float32), np.ones(32, np.float32), *state_of(name, 32), 20, *scalars_of(name))
    check_fast(monkeypatch, kernel, *arguments, **operations(name, 20))
    assert count_fast(monkeypatch, kernel, *arguments)[1] == operations(name, 32)


class Problem:
    """A batch of images as lists by pixel, its gradient, and the same dense."""

    def __init__(self, n, n_in, n_out, seed=0, pixels=None):
        rng = np.random.default_rng(seed)
        self.n, self.n_in, self.n_out = n, n_in, n_out
        images = rng.random((n, n_in), np.float32) * (rng.random((n, n_in)) < 0.4)
        images[:, rng.random(n_in) < 0.3] = 0  # pixels of no image
        images[: n - 1, 3] = 0  # a pixel of the last sample alone, which may be in a group of its own
        images[n - 1, 3] = 0.5
        if pixels is not None:
            images[:, pixels] = 0
        self.images = images.astype(np.float32)
        self.width = width_of(n_out, PANEL)
        self.grad_z = rng.standard_normal((n, n_out)).astype(np.float32)
        padded = np.zeros((n, self.width), np.float32)
        padded[:, :n_out] = self.grad_z
        groups = -(-n // GROUP)
        mask, bucket = np.zeros(groups * n_in, np.uint64), np.zeros(groups * n_in * GROUP, np.float32)
        transpose_rows(build_rows([self.images], counting.new_tally()), np.arange(n), mask, bucket)
        scratch = np.zeros(PANEL, np.float32)
        self.by_pixel = Batch(mask, bucket, n, n_in, n_out, self.width, padded.ravel(), scratch)

    @property
    def active(self):
        return self.images.any(axis=0)

    def parameters(self):
        """(weight, bias, the same in panels)."""
        rng = np.random.default_rng(7)
        weight, bias = (rng.standard_normal(s).astype(np.float32) for s in ((self.n_in, self.n_out), self.n_out))
        block = np.zeros((self.n_in + 1) * self.width, np.float32)
        pack(weight, bias, PANEL, block)
        return weight, bias, block


def step_rows(name, batch, block, state, touched, tallies):
    kernel = getattr(update, f"{name}_update_rows")
    kernel(*rows_arguments(name, batch, block, state, touched), *tallies)


def rows_arguments(name, batch, block, state, touched):
    marks = [] if name == "sgd" else [touched]
    return (batch.by_pixel, block, *state, *marks, *scalars_of(name))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("n_out", [1, 17, 64, 72, 100])
@pytest.mark.parametrize("n", [1, 5, 70])
def test_fused_steps_are_gradient_and_plain_step(name, n_out, n):
    """Three batches: pixels come and go, so rows are touched, skipped and moved by their state alone."""
    n_in = 9
    weight, bias, block = Problem(n, n_in, n_out).parameters()
    state, touched = state_of(name, len(block)), np.zeros(n_in, np.uint8)
    plain_state = [(np.zeros_like(weight), np.zeros_like(bias)) for _ in state]
    for seed in range(3):
        batch = Problem(n, n_in, n_out, seed)
        tallies = counting.new_tally(), counting.new_tally()
        step_rows(name, batch, block, state, touched, tallies)
        grad_weight, grad_bias = np.empty_like(weight), np.empty_like(bias)
        grad_tally, update_tally = counting.new_tally(), counting.new_tally()
        plain_matmul.matmul_grad_weight(batch.images, batch.grad_z, grad_weight, grad_bias, grad_tally)
        plain_step(name, weight, grad_weight, [pair[0] for pair in plain_state], update_tally)
        plain_step(name, bias, grad_bias, [pair[1] for pair in plain_state], update_tally)
        np.testing.assert_array_equal(tallies[0][0], grad_tally[0])
        np.testing.assert_array_equal(tallies[1][0], update_tally[0])
    for panels, pair in zip([block, *state], [(weight, bias), *plain_state], strict=True):
        found, found_bias = np.empty_like(weight), np.empty_like(bias)
        unpack(panels, PANEL, found, found_bias)
        np.testing.assert_allclose(found, pair[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found_bias, pair[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("n", "n_out"), [(3, 10), (66, 72)])
def test_a_fused_step_counts_its_nonzeros_and_the_rows_that_move(name, n, n_out, monkeypatch):
    batch = Problem(n, 6, n_out, pixels=[2])
    block, touched = batch.parameters()[2], np.zeros(6, np.uint8)
    touched[2] = 1  # a pixel of no image whose state may not be zero
    kernel = getattr(update, f"{name}_update_rows")
    arguments = rows_arguments(name, batch, block, state_of(name, len(block)), touched)
    n_parameters = 7 * n_out  # 6 pixels and the bias
    dense = operations(name, n_parameters)
    dense["fma"] += n * 6 * n_out
    dense["add"] = dense.get("add", 0) + n * n_out
    check_fast(monkeypatch, kernel, *arguments, n_tallies=2, **dense)
    moving = 1 + np.count_nonzero(batch.active) + (0 if name == "sgd" else 1)  # the bias; the pixel with a state
    executed = operations(name, moving * batch.width)
    executed["fma"] += np.count_nonzero(batch.images) * batch.width
    executed["add"] = executed.get("add", 0) + n * batch.width
    assert count_fast(monkeypatch, kernel, *arguments, n_tallies=2)[1] == executed


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_a_row_never_seen_keeps_its_bits_and_a_row_once_seen_goes_on_moving(name):
    seen, blank = Problem(4, 6, 10, pixels=[0]), Problem(4, 6, 10, pixels=list(range(6)))
    block = seen.parameters()[2]
    rows = block.reshape(7, 16)
    state, touched = state_of(name, len(block)), np.zeros(6, np.uint8)
    before = rows.copy()
    step_rows(name, seen, block, state, touched, [counting.new_tally() for _ in range(2)])
    between = rows.copy()
    step_rows(name, blank, block, state, touched, [counting.new_tally() for _ in range(2)])
    np.testing.assert_array_equal(touched, seen.active)
    np.testing.assert_array_equal(rows[:6][~seen.active], before[:6][~seen.active])
    assert (rows[:6][seen.active, :10] != between[:6][seen.active, :10]).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_padding_stays_zero(name):
    batch = Problem(5, 4, 10)
    block = batch.parameters()[2]
    state, touched = state_of(name, len(block)), np.zeros(4, np.uint8)
    for _ in range(2):
        step_rows(name, batch, block, state, touched, [counting.new_tally() for _ in range(2)])
    assert all((array.reshape(5, 16)[:, 10:] == 0).all() for array in [block, *state])

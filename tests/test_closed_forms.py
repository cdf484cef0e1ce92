"""The closed forms of a step and of an evaluation, against what the kernels of training book while they run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite import MLP, SGD, Adam, Momentum, Tally
from nnlite.closed_forms import evaluation_counts, step_counts
from nnlite.kernels.ops import ACTIVATIONS
from nnlite.schedule import TO_END
from nnlite.training import Checks, epochs, train

pytestmark = pytest.mark.kernels

OPTIMIZERS = {"sgd": SGD, "momentum": Momentum, "adam": Adam}
NETWORKS = {
    "sizes": st.tuples(  # none, one or two hidden layers; at least two classes
        st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(2, 6)
    ).map(lambda parts: (*parts[0], parts[1])),
    "activation": st.sampled_from(list(ACTIVATIONS)),
    "optimizer": st.sampled_from(sorted(OPTIMIZERS)),
}


def booked(sizes, activation, optimizer, n, n_checked):
    """What one step on n images and one check of n_checked book, {phase: {kernel: {kind: int}}}."""
    rng, tally, n_images = np.random.default_rng(0), Tally(), max(n, n_checked)
    images, labels = rng.random((n_images, sizes[0]), np.float32), rng.integers(0, sizes[-1], n_images)
    checks = Checks(images, labels, np.array([1]), needed=n_checked + 1, look=TO_END, rows=np.arange(n_checked))
    mlp, stepper = MLP(sizes, rng, activation), OPTIMIZERS[optimizer](0.1)
    train(mlp, stepper, images, labels, epochs(np.arange(n), n, 1, 0.1), checks, tally)
    dense = tally.to_record()["dense"]
    return {phase: {name: kinds for name, kinds in kernels.items() if kinds} for phase, kernels in dense.items()}


@pytest.mark.parametrize("kernels", ["plain", "fast"])
@given(**NETWORKS, n=st.integers(1, 9), n_checked=st.integers(1, 9))
def test_kernels_book_the_closed_forms(kernels, sizes, activation, optimizer, n, n_checked):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLITE_KERNELS", kernels)
        counts = booked(sizes, activation, optimizer, n, n_checked)
    step = step_counts(sizes, activation, optimizer, n)
    assert counts["train"] == step
    assert counts.get("evaluate", {}) == evaluation_counts(sizes, activation, n_checked)


@given(**NETWORKS, n=st.integers(0, 100), n_steps=st.integers(0, 10))
def test_steps_are_so_much_an_image_and_so_much_whatever_its_batch(sizes, activation, optimizer, n, n_steps):
    none, one = (step_counts(sizes, activation, optimizer, images) for images in (0, 1))
    many = step_counts(sizes, activation, optimizer, n, n_steps)
    for name, kinds in one.items():
        for kind, count in kinds.items():
            fixed = none.get(name, {}).get(kind, 0)
            assert many.get(name, {}).get(kind, 0) == n_steps * fixed + n * (count - fixed)


def test_a_step_of_a_small_network_by_hand():
    """2-3-2 with tanh on 5 images: 2 x 3 + 3 x 2 = 12 weights, 5 biases, 3 hidden units."""
    assert step_counts((2, 3, 2), "tanh", "adam", 5) == {
        "matmul_forward": {"fma": 5 * 12},
        "tanh_forward": {"tanh": 5 * 3},
        # of two logits: one compare; 2 differences, 2 terms of the sum, a difference for the loss, a term of its sum
        "softmax_cross_entropy_forward": {"cmp": 5, "add": 5 * 6, "exp": 5 * 2, "log": 5, "div": 5 * 2 + 1},
        "softmax_cross_entropy_backward": {"add": 5, "div": 5 * 2},
        "matmul_grad_weight": {"fma": 5 * 12, "add": 5 * 5},
        "matmul_grad_x": {"fma": 5 * 6},  # the second layer alone
        "tanh_backward": {"fma": 5 * 3, "mul": 5 * 3},
        "adam_update": {"fma": 3 * 17, "mul": 3 * 17, "add": 17, "div": 17, "sqrt": 17},
        "adam_coefficients": {"mul": 4, "add": 4, "sqrt": 1, "div": 1},
    }
    assert evaluation_counts((2, 3, 2), "tanh", 5) == {
        "matmul_forward": {"fma": 5 * 12},
        "tanh_forward": {"tanh": 5 * 3},
        "argmax": {"cmp": 5},
    }

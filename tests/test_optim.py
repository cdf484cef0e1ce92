"""The optimizers over a whole network: against their textbooks, their state, what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference

from nnlite import MLP, SGD, Adam, Gradients, Momentum, Tally

pytestmark = pytest.mark.kernels

RATE = 0.05


def network(dtype=np.float64, sizes=(4, 3, 2), seed=0):
    return MLP(sizes, np.random.default_rng(seed), dtype=dtype)


def random_gradients(mlp, rng):
    return Gradients(
        [rng.normal(size=w.shape).astype(mlp.dtype) for w in mlp.weights],
        [rng.normal(size=b.shape).astype(mlp.dtype) for b in mlp.biases],
    )


def textbook_steps(name, parameters):
    """Return step(gradients) of the reference, which changes the parameters in place."""
    velocities, state = [np.zeros(p.shape) for p in parameters], reference.adam_state(parameters)
    return {
        "sgd": lambda grads: reference.sgd_step(parameters, grads, RATE),
        "momentum": lambda grads: reference.momentum_step(parameters, grads, velocities, RATE, 0.8),
        "adam": lambda grads: reference.adam_step(parameters, grads, state, RATE, 0.8, 0.99, 1e-4),
    }[name]


OPTIMIZERS = {
    "sgd": lambda: SGD(RATE),
    "momentum": lambda: Momentum(RATE, momentum=0.8),
    "adam": lambda: Adam(RATE, beta1=0.8, beta2=0.99, epsilon=1e-4),
}


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 2e-5)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_steps_are_the_textbooks(name, dtype, tolerance):
    mlp, optimizer, rng = network(dtype), OPTIMIZERS[name](), np.random.default_rng(1)
    textbook = [parameter.astype(np.float64) for parameter in mlp.parameters()]
    step = textbook_steps(name, textbook)
    for _ in range(2):
        gradients = random_gradients(mlp, rng)
        optimizer.step(mlp, gradients)
        step([g.astype(np.float64) for g in gradients.arrays()])
    for parameter, expected in zip(mlp.parameters(), textbook, strict=True):
        assert parameter.dtype == dtype
        np.testing.assert_allclose(parameter, expected, rtol=tolerance, atol=tolerance)


def test_adams_first_step_has_the_size_of_the_rate_and_the_sign_of_the_gradient():
    mlp = network()
    before = mlp.copy()
    gradients = random_gradients(mlp, np.random.default_rng(2))
    Adam(1e-3).step(mlp, gradients)
    # t = 1: rate g / (|g| + epsilon), which is the rate but for epsilon / |g|
    for now, then, gradient in zip(mlp.parameters(), before.parameters(), gradients.arrays(), strict=True):
        np.testing.assert_allclose(then - now, 1e-3 * np.sign(gradient), rtol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_steps_tally_is_the_closed_form_and_one_step(name):
    mlp, tally, update = network(), Tally(), f"{name}_update"
    OPTIMIZERS[name]().step(mlp, random_gradients(mlp, np.random.default_rng(0)), tally)
    counts = reference.step_counts((4, 3, 2), "relu", update, 1)
    dense = {kernel: kinds for kernel, kinds in counts.items() if kernel.startswith(name)}
    assert tally.to_record() == {"dense": {"train": dense}, "executed": {"train": reference.executed(dense)}}
    assert tally.passes() == {"train": {"steps": 1, "images_forward": 0, "images_backward": 0}}


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_an_optimizers_state_belongs_to_one_network(name):
    optimizer, rng = OPTIMIZERS[name](), np.random.default_rng(0)
    optimizer.step(network(), random_gradients(network(), rng))
    for other in (network(sizes=(5, 3, 2)), network(dtype=np.float32)):
        with pytest.raises(ValueError, match="state"):
            optimizer.step(other, random_gradients(other, rng))


def test_a_gradient_of_another_shape_or_dtype_is_refused():
    mlp, rng = network(), np.random.default_rng(0)
    for other in (network(sizes=(5, 3, 2)), network(dtype=np.float32)):
        with pytest.raises(ValueError, match="gradient: expected"):
            SGD(0.1).step(mlp, random_gradients(other, rng))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_in_any_memory_order_give_the_same_step(name):
    plain, turned, rng = network(), network(), np.random.default_rng(0)
    gradients = random_gradients(plain, rng)
    OPTIMIZERS[name]().step(plain, gradients)
    OPTIMIZERS[name]().step(turned, Gradients([np.asfortranarray(w) for w in gradients.weights], gradients.biases))
    for a, b in zip(plain.parameters(), turned.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_rate_may_change_between_steps():
    mlp, optimizer = network(), SGD(1.0)
    before, gradients = mlp.copy(), random_gradients(mlp, np.random.default_rng(0))
    optimizer.learning_rate = 0.25
    optimizer.step(mlp, gradients)
    np.testing.assert_allclose(mlp.weights[0], before.weights[0] - 0.25 * gradients.weights[0], rtol=1e-15)


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("optimizer", [SGD, Momentum, Adam])
def test_a_learning_rate_must_be_above_zero_and_finite(optimizer, bad):
    with pytest.raises(ValueError, match=f"learning_rate {bad}: must be above 0"):
        optimizer(bad)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_replaced_parameter_that_kernels_cannot_trust_is_refused(name):
    mlp = network()
    gradients = random_gradients(mlp, np.random.default_rng(0))
    mlp.weights[0] = np.asfortranarray(mlp.weights[0])
    with pytest.raises(ValueError, match="expected a writable C-contiguous"):
        OPTIMIZERS[name]().step(mlp, gradients)


def test_a_decay_of_zero_is_allowed():
    assert Momentum(0.1, momentum=0).momentum == 0
    assert (Adam(beta1=0, beta2=0).beta1, Adam(beta1=0, beta2=0).beta2) == (0, 0)


@pytest.mark.parametrize("bad", [-0.1, 1, math.nan])
def test_decays_must_be_at_least_zero_and_below_one(bad):
    with pytest.raises(ValueError, match="momentum"):
        Momentum(0.1, momentum=bad)
    with pytest.raises(ValueError, match="beta1"):
        Adam(beta1=bad)
    with pytest.raises(ValueError, match="beta2"):
        Adam(beta2=bad)
    with pytest.raises(ValueError, match="epsilon"):
        Adam(epsilon=-bad if bad == 1 else bad)


def test_defaults_are_pytorchs():
    adam = Adam()
    assert (adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon) == (1e-3, 0.9, 0.999, 1e-8)
    assert Momentum(0.1).momentum == 0.9

"""The optimizers over a whole network: against their textbooks, their state, what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference

from nnlite import MLP, SGD, Adam, Gradients, Momentum, Tally
from nnlite.closed_forms import step_counts

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
    mlp, tally = network(), Tally()
    OPTIMIZERS[name]().step(mlp, random_gradients(mlp, np.random.default_rng(0)), tally)
    counts = step_counts((4, 3, 2), "relu", name, 1)
    dense = {kernel: kinds for kernel, kinds in counts.items() if kernel.startswith(name)}
    assert tally.to_record() == {"dense": {"train": dense}, "executed": {"train": reference.executed(dense)}}
    assert tally.passes() == {"train": {"steps": 1, "images_forward": 0, "images_backward": 0}}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_and_state_belong_to_one_shape_and_dtype_of_network(name):
    mlp, optimizer, rng = network(), OPTIMIZERS[name](), np.random.default_rng(0)
    optimizer.step(mlp, random_gradients(mlp, rng))
    for other in (network(sizes=(5, 3, 2)), network(dtype=np.float32)):
        with pytest.raises(ValueError, match="gradient: expected"):
            optimizer.step(mlp, random_gradients(other, rng))
        if name != "sgd":
            with pytest.raises(ValueError, match="state"):
                optimizer.step(other, random_gradients(other, rng))
    mlp.weights[0] = np.asfortranarray(mlp.weights[0])
    with pytest.raises(ValueError, match="expected a C-contiguous"):
        optimizer.step(mlp, random_gradients(mlp, rng))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_in_any_memory_order_give_the_same_step(name):
    plain, turned, rng = network(), network(), np.random.default_rng(0)
    gradients = random_gradients(plain, rng)
    OPTIMIZERS[name]().step(plain, gradients)
    OPTIMIZERS[name]().step(turned, Gradients([np.asfortranarray(w) for w in gradients.weights], gradients.biases))
    for a, b in zip(plain.parameters(), turned.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("make", "name", "wrong"),
    [
        *[(make, "learning_rate", (0, -1, math.nan, math.inf)) for make in (SGD, Momentum, Adam)],
        (lambda value: Momentum(0.1, momentum=value), "momentum", (-0.1, 1, math.nan)),
        (lambda value: Adam(beta1=value), "beta1", (-0.1, 1, math.nan)),
        (lambda value: Adam(beta2=value), "beta2", (-0.1, 1, math.nan)),
        (lambda value: Adam(epsilon=value), "epsilon", (0, -1, math.nan)),
    ],
)
def test_numbers_out_of_range_are_refused_and_a_decay_may_be_zero(make, name, wrong):
    for value in wrong:
        with pytest.raises(ValueError, match=f"{name} {value}: must be"):
            make(value)
    if name in ("momentum", "beta1", "beta2"):
        assert getattr(make(0), name) == 0


def test_defaults_are_pytorchs():
    adam = Adam()
    assert (adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon) == (1e-3, 0.9, 0.999, 1e-8)
    assert Momentum(0.1).momentum == 0.9


def test_an_optimizer_says_its_numbers_and_what_a_step_costs():
    assert repr(Momentum(0.1)) == "Momentum(learning_rate=0.1, momentum=0.9)"
    for name, make in OPTIMIZERS.items():
        mlp, tally, optimizer = network(), Tally(), make()
        assert eval(repr(optimizer)).settings(np.float64) == optimizer.settings(np.float64)
        optimizer.step(mlp, random_gradients(mlp, np.random.default_rng(0)), tally)
        n_parameters = sum(array.size for array in mlp.parameters())
        update = tally.counts(executed=False)["train"][f"{name}_update"]
        operations = sum(update.values()) + update["fma"]
        assert f"<td>{operations // n_parameters} a parameter</td>" in optimizer._repr_html_()

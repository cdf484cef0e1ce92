"""The same network, batches and optimizers in PyTorch: losses, parameters, and the integer of its FLOP counter.

Skipped where PyTorch is not installed (it is in no extra of the tests): python -m pip install torch.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from nnlite import MLP, SGD, Adam, Momentum, Tally
from nnlite.kernels.ops import ACTIVATIONS

pytestmark = pytest.mark.kernels

torch = pytest.importorskip("torch")
flop_counter = pytest.importorskip("torch.utils.flop_counter")
torch.set_num_threads(1)

N_STEPS = 50
LAYERS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "leaky_relu": torch.nn.LeakyReLU}
SMALL = [(30, 10, 4), (30, 10, 6, 4)]  # plain Python multiplies two million times a second
FULL = [(784, 64, 10), (784, 128, 64, 10)]
OPTIMIZERS = {
    "sgd": (lambda: SGD(0.1), lambda parameters: torch.optim.SGD(parameters, 0.1)),
    "momentum": (lambda: Momentum(0.05), lambda parameters: torch.optim.SGD(parameters, 0.05, momentum=0.9)),
    "adam": (lambda: Adam(1e-3), lambda parameters: torch.optim.Adam(parameters, 1e-3)),
}
needs_compiler = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="full-size layers take minutes in plain Python"
)


def same_network(sizes, dtype, activation="relu"):
    """Return a network and its copy in PyTorch."""
    mlp = MLP(sizes, np.random.default_rng(0), activation, dtype=dtype)
    layers = []
    for layer, (weight, bias) in enumerate(zip(mlp.weights, mlp.biases, strict=True)):
        linear = torch.nn.Linear(*weight.shape, dtype=torch.from_numpy(weight).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T))
            linear.bias.copy_(torch.from_numpy(bias))
        layers.append(linear)
        if layer < len(mlp.weights) - 1:
            layers.append(LAYERS[activation]())
    return mlp, torch.nn.Sequential(*layers)


def batches(sizes, dtype, n=8):
    """Images in [0, 1], mostly dark as MNIST's are; a third of the labels is wrong.

    So the loss stays far from zero, where log(s) - logit cancels and float32 has no five digits left to compare.
    """
    rng = np.random.default_rng(1)
    strokes = rng.random((sizes[-1], sizes[0])) < 0.2
    for _ in range(N_STEPS):
        labels = rng.integers(0, sizes[-1], n)
        images = rng.random((n, sizes[0])) * strokes[labels]
        yield images.astype(dtype), np.where(rng.random(n) < 1 / 3, rng.integers(0, sizes[-1], n), labels)


def train_both(sizes, dtype, name, activation="relu"):
    """Return losses (n_steps, 2) and the flat parameters of both after 50 steps, nnlite first."""
    mlp, model = same_network(sizes, dtype, activation)
    optimizer, torch_optimizer = OPTIMIZERS[name][0](), OPTIMIZERS[name][1](model.parameters())
    losses = []
    for x, labels in batches(sizes, dtype):
        loss, gradients = mlp.loss_and_gradients(x, labels)
        optimizer.step(mlp, gradients)
        torch_optimizer.zero_grad()
        torch_loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(labels))
        torch_loss.backward()
        torch_optimizer.step()
        losses.append((loss, torch_loss.item()))
    ours = np.concatenate([parameter.ravel() for parameter in mlp.parameters()])
    theirs = np.concatenate([p.detach().numpy().T.ravel() for p in model.parameters()])
    return np.array(losses), ours, theirs


def check_float32(losses, ours, theirs, name):
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=1e-5)
    assert losses[-10:].mean() < losses[:10].mean()  # they did learn
    apart = np.abs(ours - theirs)
    assert apart.max() <= (1e-3 if name == "adam" else 1e-5)
    assert (apart <= 1e-5).mean() >= 0.99  # the sign of a gradient near zero is not stable, and Adam's step is its sign


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SMALL)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_in_float64_are_pytorchs(name, sizes, activation):
    if activation not in LAYERS:
        pytest.skip(f"{activation}: LAYERS does not say which layer of PyTorch it is")
    losses, ours, theirs = train_both(sizes, np.float64, name, activation)
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("sizes", SMALL)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_in_float32_are_pytorchs(name, sizes):
    check_float32(*train_both(sizes, np.float32, name), name)


@needs_compiler
@pytest.mark.parametrize("sizes", FULL)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_of_full_size_in_float32_are_pytorchs(name, sizes):
    check_float32(*train_both(sizes, np.float32, name), name)


@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize("sizes", [(60, 4), *SMALL])
def test_the_torch_model_is_the_integer_of_pytorchs_counter(sizes, n):
    mlp, model = same_network(sizes, np.float32)
    x, labels = next(batches(sizes, np.float32, n))
    tally = Tally()
    mlp.loss_and_gradients(x, labels, tally)
    with flop_counter.FlopCounterMode(display=False) as counter:
        torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(labels)).backward()
    assert tally.total("torch") == counter.get_total_flops()
    forward = Tally()
    mlp.forward(x, forward)
    with flop_counter.FlopCounterMode(display=False) as counter:
        model(torch.from_numpy(x))
    assert forward.total("torch") == counter.get_total_flops()

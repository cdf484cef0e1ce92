"""What nnlite computes, said again slowly in NumPy float64; it shares no code with nnlite.

A network is a list of parameters [weight, bias, weight, bias, ...] and the name of its activation.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

ACTIVATION = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1.0, 0.01)),
}
"""The function and its derivative, both of z."""


def layers(parameters):
    return list(zip(parameters[::2], parameters[1::2], strict=True))


def forward(parameters, activation, x):
    """Return the inputs of every layer and the pre-activations of every layer; the last of these are the logits."""
    inputs, zs = [np.asarray(x, np.float64)], []
    for weight, bias in layers(parameters):
        zs.append(inputs[-1] @ weight + bias)
        inputs.append(ACTIVATION[activation][0](zs[-1]))
    return inputs[:-1], zs


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def loss(parameters, activation, x, labels):
    """Return the mean of -log(probability of the label)."""
    probabilities = softmax(forward(parameters, activation, x)[1][-1])
    return -np.mean(np.log(probabilities[np.arange(len(labels)), labels]))


def gradients(parameters, activation, x, labels):
    """Return the gradient of the mean loss for every parameter array, by the chain rule from the last layer down."""
    inputs, zs = forward(parameters, activation, x)
    delta = (softmax(zs[-1]) - np.eye(zs[-1].shape[1])[labels]) / len(labels)
    result = []
    for layer in range(len(zs) - 1, -1, -1):
        result = [inputs[layer].T @ delta, delta.sum(axis=0), *result]
        if layer > 0:
            delta = delta @ parameters[2 * layer].T * ACTIVATION[activation][1](zs[layer - 1])
    return result


def differences(function, parameters, width=1e-5):
    """Return the central differences of a function of no arguments with respect to every value, changed in place."""
    result = []
    for parameter in parameters:
        slopes = np.empty(parameter.shape)
        for index in np.ndindex(parameter.shape):
            value = parameter[index]
            parameter[index] = value + width
            above = function()
            parameter[index] = value - width
            slopes[index] = (above - function()) / (2 * width)
            parameter[index] = value
        result.append(slopes)
    return result


def sgd_step(parameters, grads, rate):
    for parameter, gradient in zip(parameters, grads, strict=True):
        parameter -= rate * gradient


def momentum_step(parameters, grads, velocities, rate, momentum):
    for parameter, gradient, velocity in zip(parameters, grads, velocities, strict=True):
        velocity[...] = momentum * velocity + gradient
        parameter -= rate * velocity


def adam_state(parameters):
    return {"t": 0, "m": [np.zeros(p.shape) for p in parameters], "v": [np.zeros(p.shape) for p in parameters]}


def adam_step(parameters, grads, state, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Adam as algorithm 1 of Kingma and Ba prints it, both means corrected for their bias."""
    state["t"] += 1
    for parameter, gradient, m, v in zip(parameters, grads, state["m"], state["v"], strict=True):
        m[...] = beta1 * m + (1 - beta1) * gradient
        v[...] = beta2 * v + (1 - beta2) * gradient**2
        corrected_m = m / (1 - beta1 ** state["t"])
        corrected_v = v / (1 - beta2 ** state["t"])
        parameter -= rate * corrected_m / (np.sqrt(corrected_v) + epsilon)


def train(parameters, activation, step, batches):
    """Train in place on batches of (x, labels) by a function step(gradients) that changes them; return the losses."""
    losses = []
    for x, labels in batches:
        losses.append(loss(parameters, activation, x, labels))
        step(gradients(parameters, activation, x, labels))
    return losses


def correct(parameters, activation, x, labels):
    return int((forward(parameters, activation, x)[1][-1].argmax(axis=1) == labels).sum())


def class_means(images, labels, n_classes):
    return np.array([images[labels == label].astype(np.float64).mean(axis=0) for label in range(n_classes)])


PER_UNIT = {
    "relu": ({"cmp": 1}, {"cmp": 1}),
    "tanh": ({"tanh": 1}, {"fma": 1, "mul": 1}),
    "sigmoid": ({"add": 2, "exp": 1, "div": 1}, {"add": 1, "mul": 2}),
    "leaky_relu": ({"mul": 1, "cmp": 1}, {"mul": 1, "cmp": 1}),
}
"""Operations of an activation and of its derivative for one unit of one sample."""


def added(*counts):
    """Add counts, {kernel: {kind: operations}}, kernel by kernel and kind by kind."""
    total: dict[str, Counter] = {}
    for one in counts:
        for kernel, kinds in one.items():
            total[kernel] = total.get(kernel, Counter()) + Counter(kinds)
    return total


def executed(counts):
    """Return what plain kernels run for these dense counts: a mul and an add for each fma."""
    ran = {}
    for kernel, kinds in counts.items():
        rest = Counter({kind: n for kind, n in kinds.items() if kind != "fma"})
        fused = kinds.get("fma", 0)
        ran[kernel] = rest + Counter(mul=fused, add=fused)
    return ran

"""The hidden layers' activations and their derivatives, in place on padded rows.

Rows have `width` lanes, n_out of them real. relu alone gains by a form of its own, over all lanes (padding stays zero
and counts as executed). All others are the plain kernels of `nnlite.kernels.activation` on the real lanes: a call of
tanh or exp an element costs the same here, and padding must not be touched, since sigmoid(0) is not 0. Every forward
overwrites z (float32, at least n * width) with h, every backward takes h and overwrites grad_h with grad_z; `activate`
and `differentiate` choose one by its number, for a network.
"""

from __future__ import annotations

import numpy as np

from ..activation import (
    leaky_relu_backward,
    leaky_relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    tanh_backward,
    tanh_forward,
)
from ..jit import kernel
from ..ops import ACTIVATIONS, CMP, DENSE, EXECUTED
from .panels import LANES
from .simd import load, maximum, splat, store, where_positive

_RELU, _TANH, _SIGMOID, _LEAKY_RELU = range(len(ACTIVATIONS))  # one without a number here fails at import


@kernel
def relu_forward_inplace(z, n, n_out, width, tally):
    """Set negative pre-activations to zero; nan stays nan.

    FLOPs
    -----
    dense: n n_out cmp; executed: n width cmp
    """
    zero = splat(np.float32(0), LANES)
    for j in range(0, n * width, LANES):
        store(z, j, maximum(zero, load(z, j, LANES)))
    tally[DENSE, CMP] += n * n_out
    tally[EXECUTED, CMP] += n * width


@kernel
def relu_backward_inplace(h, grad, n, n_out, width, tally):
    """Let the gradient pass where the unit is active.

    FLOPs
    -----
    dense: n n_out cmp; executed: n width cmp
    """
    for j in range(0, n * width, LANES):
        store(grad, j, where_positive(load(h, j, LANES), load(grad, j, LANES)))
    tally[DENSE, CMP] += n * n_out
    tally[EXECUTED, CMP] += n * width


@kernel
def activate(number, z, n, n_out, width, tally):
    """Apply the activation of that number: a position in `ops.ACTIVATIONS`."""
    if number == _RELU:
        relu_forward_inplace(z, n, n_out, width, tally)
        return
    units = z[: n * width].reshape(n, width)[:, :n_out]
    if number == _TANH:
        tanh_forward(units, units, tally)
    elif number == _SIGMOID:
        sigmoid_forward(units, units, tally)
    elif number == _LEAKY_RELU:
        leaky_relu_forward(units, units, tally)


@kernel
def differentiate(number, h, grad, n, n_out, width, tally):
    """Multiply a gradient by the derivative of the activation of that number."""
    if number == _RELU:
        relu_backward_inplace(h, grad, n, n_out, width, tally)
        return
    units = h[: n * width].reshape(n, width)[:, :n_out]
    grads = grad[: n * width].reshape(n, width)[:, :n_out]
    if number == _TANH:
        tanh_backward(units, grads, grads, tally)
    elif number == _SIGMOID:
        sigmoid_backward(units, grads, grads, tally)
    elif number == _LEAKY_RELU:
        leaky_relu_backward(units, grads, grads, tally)

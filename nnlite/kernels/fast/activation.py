"""The hidden layers' activations and their derivatives, in place on padded rows.

The plain forms are in `nnlite.kernels.activation`. Rows have `width` lanes, n_out of them real. relu runs over all
lanes (padding stays zero and counts as executed); tanh and sigmoid, one call an element, over the real ones:
sigmoid(0) is not 0. Every forward overwrites z (float32, at least n * width) with h, every backward takes h and
overwrites grad_h with grad_z; `activate` and `differentiate` choose one by its number, for a network.
"""

from __future__ import annotations

import numpy as np

from ..jit import kernel
from ..ops import ACTIVATIONS, ADD, CMP, DENSE, DIV, EXECUTED, EXP, FMA, MUL, TANH
from .panels import LANES
from .simd import at, load, maximum, mul, put, splat, store, where_positive

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
def tanh_forward_inplace(z, n, n_out, width, tally):
    """Apply the hyperbolic tangent.

    FLOPs
    -----
    dense and executed: n n_out tanh
    """
    for s in range(n):
        for j in range(s * width, s * width + n_out):
            put(z, j, np.tanh(at(z, j)))
    for row in (DENSE, EXECUTED):
        tally[row, TANH] += n * n_out


@kernel
def tanh_backward_inplace(h, grad, n, n_out, width, tally):
    """Differentiate tanh: grad_z = grad_h (1 - h h).

    FLOPs
    -----
    dense: n n_out fma and mul; executed: 2 n n_out mul and n n_out add
    """
    one = np.float32(1)
    for s in range(n):
        for j in range(s * width, s * width + n_out):
            put(grad, j, at(grad, j) * (one - at(h, j) * at(h, j)))
    units = n * n_out
    tally[DENSE, FMA] += units
    tally[DENSE, MUL] += units
    tally[EXECUTED, MUL] += 2 * units
    tally[EXECUTED, ADD] += units


@kernel
def sigmoid_forward_inplace(z, n, n_out, width, tally):
    """Apply the logistic function.

    FLOPs
    -----
    dense and executed: 2 n n_out add, n n_out exp and div
    """
    one = np.float32(1)
    for s in range(n):
        for j in range(s * width, s * width + n_out):
            put(z, j, one / (one + np.exp(-at(z, j))))
    units = n * n_out
    for row in (DENSE, EXECUTED):
        tally[row, ADD] += 2 * units
        tally[row, EXP] += units
        tally[row, DIV] += units


@kernel
def sigmoid_backward_inplace(h, grad, n, n_out, width, tally):
    """Differentiate the logistic function: grad_z = grad_h h (1 - h).

    FLOPs
    -----
    dense and executed: n n_out add and 2 n n_out mul
    """
    one = np.float32(1)
    for s in range(n):
        for j in range(s * width, s * width + n_out):
            put(grad, j, at(grad, j) * at(h, j) * (one - at(h, j)))
    units = n * n_out
    for row in (DENSE, EXECUTED):
        tally[row, ADD] += units
        tally[row, MUL] += 2 * units


@kernel
def leaky_relu_forward_inplace(z, n, n_out, width, tally):
    """Let a hundredth of negative pre-activations through. FLOPs: n n_out mul and cmp, executed n width of each."""
    for j in range(0, n * width, LANES):
        store(z, j, maximum(mul(load(z, j, LANES), np.float32(0.01)), load(z, j, LANES)))
    for kind in (MUL, CMP):
        tally[DENSE, kind] += n * n_out
        tally[EXECUTED, kind] += n * width


@kernel
def leaky_relu_backward_inplace(h, grad, n, n_out, width, tally):
    """grad_z = grad_h times 1 where h > 0, else 0.01. FLOPs, dense and executed: n n_out cmp and mul."""
    for s in range(n):
        for j in range(s * width, s * width + n_out):
            put(grad, j, at(grad, j) * np.float32(1 if at(h, j) > 0 else 0.01))
    for kind in (CMP, MUL):
        tally[DENSE, kind] += n * n_out
        tally[EXECUTED, kind] += n * n_out


@kernel
def activate(number, z, n, n_out, width, tally):
    """Apply the activation of that number: a position in `ops.ACTIVATIONS`."""
    if number == _RELU:
        relu_forward_inplace(z, n, n_out, width, tally)
    elif number == _TANH:
        tanh_forward_inplace(z, n, n_out, width, tally)
    elif number == _SIGMOID:
        sigmoid_forward_inplace(z, n, n_out, width, tally)
    elif number == _LEAKY_RELU:
        leaky_relu_forward_inplace(z, n, n_out, width, tally)


@kernel
def differentiate(number, h, grad, n, n_out, width, tally):
    """Multiply a gradient by the derivative of the activation of that number."""
    if number == _RELU:
        relu_backward_inplace(h, grad, n, n_out, width, tally)
    elif number == _TANH:
        tanh_backward_inplace(h, grad, n, n_out, width, tally)
    elif number == _SIGMOID:
        sigmoid_backward_inplace(h, grad, n, n_out, width, tally)
    elif number == _LEAKY_RELU:
        leaky_relu_backward_inplace(h, grad, n, n_out, width, tally)

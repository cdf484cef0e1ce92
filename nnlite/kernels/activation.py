"""The hidden layers' activations, each forward next to its backward.

A backward kernel reads h, the activation itself, not z: the derivative of each is a short expression of h. A value that
is not a number passes through every activation, so that the loss shows it. The legend of letters is in
`nnlite.kernels`; every forward takes z (n, n_out) and overwrites h, which may be z itself, every backward takes h and
grad_h (n, n_out) and overwrites grad_z, which may be grad_h; float arrays, and a tally that is added to.
"""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .ops import ADD, CMP, DENSE, DIV, EXECUTED, EXP, FMA, MUL, TANH


@kernel
def relu_forward(z, h, tally):
    """Set negative pre-activations to zero.

    h = max(z, 0)

    FLOPs
    -----
    dense and executed: n n_out cmp
    """
    n, n_out = z.shape
    for i in range(n):
        for j in range(n_out):
            if z[i, j] < 0:  # written so that nan stays nan
                h[i, j] = 0
            else:
                h[i, j] = z[i, j]
    tally[DENSE, CMP] += n * n_out
    tally[EXECUTED, CMP] += n * n_out


@kernel
def relu_backward(h, grad_h, grad_z, tally):
    """Differentiate relu: the gradient passes where the unit is active; at zero it is zero.

    h = max(z, 0), so grad_z = grad_h where h > 0, else 0

    FLOPs
    -----
    dense and executed: n n_out cmp
    """
    n, n_out = h.shape
    for i in range(n):
        for j in range(n_out):
            if h[i, j] > 0:
                grad_z[i, j] = grad_h[i, j]
            else:
                grad_z[i, j] = 0
    tally[DENSE, CMP] += n * n_out
    tally[EXECUTED, CMP] += n * n_out


@kernel
def tanh_forward(z, h, tally):
    """Apply the hyperbolic tangent.

    h = tanh(z)

    FLOPs
    -----
    dense and executed: n n_out tanh
    """
    n, n_out = z.shape
    for i in range(n):
        for j in range(n_out):
            h[i, j] = np.tanh(z[i, j])
    tally[DENSE, TANH] += n * n_out
    tally[EXECUTED, TANH] += n * n_out


@kernel
def tanh_backward(h, grad_h, grad_z, tally):
    """Differentiate tanh.

    h = tanh(z), so grad_z = grad_h (1 - h h)

    FLOPs
    -----
    dense: n n_out fma and mul; executed: 2 n n_out mul and n n_out add
    """
    n, n_out = h.shape
    one = h.dtype.type(1)
    for i in range(n):
        for j in range(n_out):
            grad_z[i, j] = grad_h[i, j] * (one - h[i, j] * h[i, j])
    units = n * n_out
    tally[DENSE, FMA] += units
    tally[DENSE, MUL] += units
    tally[EXECUTED, MUL] += 2 * units
    tally[EXECUTED, ADD] += units


@kernel
def sigmoid_forward(z, h, tally):
    """Apply the logistic function; a large negative z gives exp = inf and h = 0, as it should.

    h = 1 / (1 + exp(-z))

    FLOPs
    -----
    dense and executed: 2 n n_out add (the sign is one), n n_out exp and div
    """
    n, n_out = z.shape
    one = z.dtype.type(1)
    for i in range(n):
        for j in range(n_out):
            h[i, j] = one / (one + np.exp(-z[i, j]))
    units = n * n_out
    tally[DENSE, ADD] += 2 * units
    tally[DENSE, EXP] += units
    tally[DENSE, DIV] += units
    tally[EXECUTED, ADD] += 2 * units
    tally[EXECUTED, EXP] += units
    tally[EXECUTED, DIV] += units


@kernel
def sigmoid_backward(h, grad_h, grad_z, tally):
    """Differentiate the logistic function.

    h = 1 / (1 + exp(-z)), so grad_z = grad_h h (1 - h)

    FLOPs
    -----
    dense and executed: n n_out add and 2 n n_out mul
    """
    n, n_out = h.shape
    one = h.dtype.type(1)
    for i in range(n):
        for j in range(n_out):
            grad_z[i, j] = grad_h[i, j] * h[i, j] * (one - h[i, j])
    units = n * n_out
    tally[DENSE, ADD] += units
    tally[DENSE, MUL] += 2 * units
    tally[EXECUTED, ADD] += units
    tally[EXECUTED, MUL] += 2 * units


@kernel
def leaky_relu_forward(z, h, tally):
    """Let a hundredth of negative pre-activations through: h = max(z, 0.01 z). FLOPs: n n_out mul and cmp."""
    n, n_out = z.shape
    for i in range(n):
        for j in range(n_out):
            small = z.dtype.type(0.01) * z[i, j]
            h[i, j] = small if small > z[i, j] else z[i, j]
    for kind in (MUL, CMP):
        tally[DENSE, kind] += n * n_out
        tally[EXECUTED, kind] += n * n_out


@kernel
def leaky_relu_backward(h, grad_h, grad_z, tally):
    """h = max(z, 0.01 z), so grad_z = grad_h where h > 0, else 0.01 grad_h. FLOPs: n n_out cmp and mul."""
    n, n_out = h.shape
    for i in range(n):
        for j in range(n_out):
            grad_z[i, j] = grad_h[i, j] * h.dtype.type(1 if h[i, j] > 0 else 0.01)
    for kind in (CMP, MUL):
        tally[DENSE, kind] += n * n_out
        tally[EXECUTED, kind] += n * n_out


ACTIVATIONS = {
    "relu": (relu_forward, relu_backward),
    "tanh": (tanh_forward, tanh_backward),
    "sigmoid": (sigmoid_forward, sigmoid_backward),
    "leaky_relu": (leaky_relu_forward, leaky_relu_backward),
}
"""The kernels of every activation by its name, in the order of `ops.ACTIVATIONS`."""

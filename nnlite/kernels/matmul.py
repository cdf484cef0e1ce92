"""A layer's affine map z = x weight + bias, and the three gradients that backpropagation needs of it.

Plain loops in the order that walks every array along its rows; no zero is skipped. The legend of letters is in
`nnlite.kernels`. Source: Goodfellow, Bengio, Courville, *Deep Learning* (2016), section 6.5.
"""

from __future__ import annotations

from .jit import kernel
from .ops import ADD, DENSE, EXECUTED, FMA, MUL


@kernel
def matmul_forward(x, weight, bias, z, tally):
    """Map the inputs of a layer to its pre-activations.

    z[i, j] = bias[j] + sum over k of x[i, k] weight[k, j]

    Parameters
    ----------
    x : float array (n, n_in) - inputs
    weight : float array (n_in, n_out)
    bias : float array (n_out,)
    z : float array (n, n_out) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n n_in n_out fma (the sum starts from the bias); executed: n n_in n_out mul and as many add
    """
    n, n_in = x.shape
    n_out = weight.shape[1]
    for i in range(n):
        for j in range(n_out):
            z[i, j] = bias[j]
        for k in range(n_in):
            for j in range(n_out):
                z[i, j] += x[i, k] * weight[k, j]
    products = n * n_in * n_out
    tally[DENSE, FMA] += products
    tally[EXECUTED, MUL] += products
    tally[EXECUTED, ADD] += products


@kernel
def matmul_grad_weight(x, grad_z, grad_weight, grad_bias, tally):
    """Differentiate the loss with respect to a layer's weight and bias.

    z[i, j] = bias[j] + sum over k of x[i, k] weight[k, j], so
    grad_weight[k, j] = sum over i of x[i, k] grad_z[i, j] and grad_bias[j] = sum over i of grad_z[i, j]

    Parameters
    ----------
    x : float array (n, n_in) - the layer's inputs
    grad_z : float array (n, n_out) - gradient of the loss with respect to z
    grad_weight : float array (n_in, n_out) - overwritten
    grad_bias : float array (n_out,) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n n_in n_out fma and n n_out add (sums start from zero); executed: n n_in n_out mul, n (n_in + 1) n_out add
    """
    n, n_in = x.shape
    n_out = grad_z.shape[1]
    for k in range(n_in):
        for j in range(n_out):
            grad_weight[k, j] = 0
    for j in range(n_out):
        grad_bias[j] = 0
    for i in range(n):
        for k in range(n_in):
            for j in range(n_out):
                grad_weight[k, j] += x[i, k] * grad_z[i, j]
        for j in range(n_out):
            grad_bias[j] += grad_z[i, j]
    products = n * n_in * n_out
    tally[DENSE, FMA] += products
    tally[DENSE, ADD] += n * n_out
    tally[EXECUTED, MUL] += products
    tally[EXECUTED, ADD] += products + n * n_out


@kernel
def matmul_grad_x(grad_z, weight, grad_x, tally):
    """Differentiate the loss with respect to a layer's inputs; the first layer does without.

    z[i, j] = bias[j] + sum over k of x[i, k] weight[k, j], so
    grad_x[i, k] = sum over j of grad_z[i, j] weight[k, j]

    Parameters
    ----------
    grad_z : float array (n, n_out) - gradient of the loss with respect to z
    weight : float array (n_in, n_out)
    grad_x : float array (n, n_in) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n n_in n_out fma (sums start from zero); executed: n n_in n_out mul and as many add
    """
    n, n_out = grad_z.shape
    n_in = weight.shape[0]
    for i in range(n):
        for k in range(n_in):
            grad_x[i, k] = 0
            for j in range(n_out):
                grad_x[i, k] += grad_z[i, j] * weight[k, j]
    products = n * n_in * n_out
    tally[DENSE, FMA] += products
    tally[EXECUTED, MUL] += products
    tally[EXECUTED, ADD] += products

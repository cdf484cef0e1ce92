"""The optimizers' updates of one parameter array, seen flat.

SGD, SGD with momentum as PyTorch writes it, and Adam (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1 with the order
of computation of the end of section 2). `size` is the number of parameters.
"""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .ops import ADD, DENSE, DIV, EXECUTED, FMA, MUL, SQRT


@kernel
def sgd_update(parameter, gradient, learning_rate, tally):
    """Move against the gradient.

    parameter -= learning_rate gradient

    Parameters
    ----------
    parameter : float array (size,) - updated in place
    gradient : float array (size,)
    learning_rate : scalar of the arrays' dtype
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: size fma; executed: size mul and add
    """
    size = parameter.shape[0]
    for i in range(size):
        parameter[i] -= learning_rate * gradient[i]
    tally[DENSE, FMA] += size
    tally[EXECUTED, MUL] += size
    tally[EXECUTED, ADD] += size


@kernel
def momentum_update(parameter, gradient, velocity, learning_rate, momentum, tally):
    """Move along a decaying sum of gradients.

    velocity = momentum velocity + gradient
    parameter -= learning_rate velocity

    Parameters
    ----------
    parameter : float array (size,) - updated in place
    gradient : float array (size,)
    velocity : float array (size,) - updated in place, zero before the first step
    learning_rate, momentum : scalars of the arrays' dtype
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: 2 size fma; executed: 2 size mul and add
    """
    size = parameter.shape[0]
    for i in range(size):
        velocity[i] = momentum * velocity[i] + gradient[i]
        parameter[i] -= learning_rate * velocity[i]
    tally[DENSE, FMA] += 2 * size
    tally[EXECUTED, MUL] += 2 * size
    tally[EXECUTED, ADD] += 2 * size


@kernel
def adam_coefficients(powers, learning_rate, beta1, beta2, epsilon, coefficients, tally):
    """Compute the six scalars of one Adam step, once for all parameters.

    powers[0] = beta1^t, powers[1] = beta2^t, root = sqrt(1 - powers[1])
    coefficients = beta1, 1 - beta1, beta2, 1 - beta2, learning_rate root / (1 - powers[0]), epsilon root

    Parameters
    ----------
    powers : float64 array (2,) - both powers of the step before, updated in place; 1 before the first step
    learning_rate, beta1, beta2, epsilon : float64
    coefficients : float array (6,) of the parameters' dtype - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense and executed: 4 mul, 4 add, 1 sqrt, 1 div

    Notes
    -----
    In float64 whatever the parameters' dtype: 1 - beta2 loses four digits in float32. Both corrections of the bias are
    folded into the rate and into epsilon, which is the same Adam with one division a parameter instead of three.
    """
    powers[0] *= beta1
    powers[1] *= beta2
    root = np.sqrt(1 - powers[1])
    coefficients[0] = beta1
    coefficients[1] = 1 - beta1
    coefficients[2] = beta2
    coefficients[3] = 1 - beta2
    coefficients[4] = learning_rate * root / (1 - powers[0])
    coefficients[5] = epsilon * root
    for row in (DENSE, EXECUTED):
        tally[row, MUL] += 4
        tally[row, ADD] += 4
        tally[row, SQRT] += 1
        tally[row, DIV] += 1


@kernel
def adam_update(parameter, gradient, mean, square, coefficients, tally):
    """Move by the running mean of the gradient over the root of the running mean of its square.

    mean = beta1 mean + (1 - beta1) gradient
    square = beta2 square + (1 - beta2) gradient gradient
    parameter -= rate mean / (sqrt(square) + epsilon), rate and epsilon corrected for the bias of both means

    Parameters
    ----------
    parameter : float array (size,) - updated in place
    gradient : float array (size,)
    mean, square : float array (size,) - updated in place, zero before the first step
    coefficients : float array (6,) - from `adam_coefficients` for this step
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: 3 size fma and mul, size add, div and sqrt; executed: 6 size mul, 4 size add, size div and sqrt
    """
    size = parameter.shape[0]
    beta1, rest1, beta2, rest2, rate, epsilon = coefficients
    for i in range(size):
        mean[i] = beta1 * mean[i] + rest1 * gradient[i]
        square[i] = beta2 * square[i] + rest2 * gradient[i] * gradient[i]
        parameter[i] -= rate * (mean[i] / (np.sqrt(square[i]) + epsilon))
    tally[DENSE, FMA] += 3 * size
    tally[DENSE, MUL] += 3 * size
    tally[DENSE, ADD] += size
    tally[DENSE, DIV] += size
    tally[DENSE, SQRT] += size
    tally[EXECUTED, MUL] += 6 * size
    tally[EXECUTED, ADD] += 4 * size
    tally[EXECUTED, DIV] += size
    tally[EXECUTED, SQRT] += size

"""The optimizers' updates with SIMD: of a whole block, or row by row as the first layer's gradient appears.

Each optimizer's arithmetic is written once, over a piece of the parameters (`_sgd`, `_momentum`, `_adam`); the plain
forms are in `nnlite.kernels.update`. The kernels that end in `_rows` fuse `matmul_grad_weight` with the update: a
pixel's gradient goes from registers through one scratch row into the weights, so there is no gradient array (400 kB
at 784-128) to clear, write and read again. They take one tally for each of the two operations.

A pixel that no sample of the batch has has gradient zero. SGD leaves its weights alone, which is exact. Momentum and
Adam move them by what they remember, so such a row is skipped only while `touched` says that its state is all zero.
"""

from __future__ import annotations

import numpy as np

from ..jit import kernel
from ..ops import ADD, DENSE, DIV, EXECUTED, FMA, MUL, SQRT
from .first_layer import count_gradient, has_samples, sum_gradient, sum_gradient_bias
from .panels import LANES, PANEL, lanes_at
from .simd import add, at, div, fma, fnma, inlined, load, mul, put, sqrt, store


@inlined
def _sgd(parameter, gradient, first, size, rate):
    for j in range(0, size, LANES):
        store(parameter, first + j, fnma(load(parameter, first + j, LANES), rate, load(gradient, j, LANES)))


@inlined
def _momentum(parameter, gradient, velocity, first, size, rate, momentum):
    for j in range(0, size, LANES):
        v = fma(load(gradient, j, LANES), momentum, load(velocity, first + j, LANES))
        store(velocity, first + j, v)
        store(parameter, first + j, fnma(load(parameter, first + j, LANES), rate, v))


@inlined
def _adam(parameter, gradient, mean, square, first, size, coefficients):
    beta1, rest1, beta2 = at(coefficients, 0), at(coefficients, 1), at(coefficients, 2)
    rest2, rate, epsilon = at(coefficients, 3), at(coefficients, 4), at(coefficients, 5)
    for j in range(0, size, LANES):
        g = load(gradient, j, LANES)
        m = fma(mul(g, rest1), beta1, load(mean, first + j, LANES))
        v = fma(mul(load(square, first + j, LANES), beta2), mul(g, rest2), g)
        store(mean, first + j, m)
        store(square, first + j, v)
        step = div(m, add(sqrt(v), epsilon))
        store(parameter, first + j, fnma(load(parameter, first + j, LANES), rate, step))


@kernel
def sgd_update(parameter, gradient, n_parameters, rate, tally):
    """Move a block against its gradient; the form of `nnlite.kernels.update.sgd_update` with SIMD.

    Parameters
    ----------
    parameter : float32 array (size,) - updated in place; size is a multiple of LANES
    gradient : float32 array (at least size,)
    n_parameters : int - size without padding
    rate : float32
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n_parameters fma; executed: size fma
    """
    _sgd(parameter, gradient, 0, parameter.shape[0], rate)
    tally[DENSE, FMA] += n_parameters
    tally[EXECUTED, FMA] += parameter.shape[0]


@kernel
def momentum_update(parameter, gradient, velocity, n_parameters, rate, momentum, tally):
    """Move a block along its velocity; the form of `nnlite.kernels.update.momentum_update` with SIMD.

    Parameters
    ----------
    parameter, velocity : float32 array (size,) - updated in place; size is a multiple of LANES
    gradient : float32 array (at least size,)
    n_parameters : int - size without padding
    rate, momentum : float32
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: 2 n_parameters fma; executed: 2 size fma
    """
    _momentum(parameter, gradient, velocity, 0, parameter.shape[0], rate, momentum)
    tally[DENSE, FMA] += 2 * n_parameters
    tally[EXECUTED, FMA] += 2 * parameter.shape[0]


@kernel
def adam_update(parameter, gradient, mean, square, n_parameters, coefficients, tally):
    """Move a block by Adam; the form of `nnlite.kernels.update.adam_update` with SIMD.

    Parameters
    ----------
    parameter, mean, square : float32 array (size,) - updated in place; size is a multiple of LANES
    gradient : float32 array (at least size,)
    n_parameters : int - size without padding
    coefficients : float32 array (6,) - from `nnlite.kernels.update.adam_coefficients`
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    each of dense (count = n_parameters) and executed (count = size): 3 count fma and mul, count add, div and sqrt
    """
    _adam(parameter, gradient, mean, square, 0, parameter.shape[0], coefficients)
    _count_adam(tally, n_parameters, parameter.shape[0])


@inlined
def _count_adam(tally, dense, executed):
    for row, count in ((DENSE, dense), (EXECUTED, executed)):
        tally[row, FMA] += 3 * count
        tally[row, MUL] += 3 * count
        tally[row, ADD] += count
        tally[row, DIV] += count
        tally[row, SQRT] += count


@inlined
def _touch(batch, touched):
    """Mark the pixels of this batch; return the number of rows that move, the bias's among them."""
    n_rows = 1
    for k in range(batch.n_in):
        if has_samples(batch, k):
            put(touched, k, np.uint8(1))
        n_rows += np.intp(at(touched, k))
    return n_rows


@kernel
def sgd_update_rows(batch, weight, rate, grad_tally, tally):
    """Sum the first layer's gradient pixel by pixel and move against it.

    weight[k, j] -= rate * sum over the samples s with pixel k of value grad_z[s, j]

    Parameters
    ----------
    batch : Batch
    weight : float32 array (at least (n_in + 1) * width,) - panels of PANEL lanes, updated in place
    rate : float32
    grad_tally, tally : int64 array (2, n_kinds) - of matmul_grad_weight and of sgd_update, added to

    FLOPs
    -----
    gradient: dense n n_in n_out fma, n n_out add; executed n_nonzero width fma, n width add
    update: dense (n_in + 1) n_out fma; executed (n_active + 1) width fma, with n_active the pixels of any sample
    """
    n_rows = 1
    for k in range(batch.n_in):
        n_rows += np.intp(has_samples(batch, k))
    for h in range(0, batch.width, PANEL):
        lanes, here = lanes_at(h, batch.width), h * (batch.n_in + 1)
        for k in range(batch.n_in):
            if has_samples(batch, k):
                sum_gradient(batch, k, h)
                _sgd(weight, batch.gradient, here + k * lanes, lanes, rate)
        sum_gradient_bias(batch, h)
        _sgd(weight, batch.gradient, here + batch.n_in * lanes, lanes, rate)
    count_gradient(batch, grad_tally)
    tally[DENSE, FMA] += (batch.n_in + 1) * batch.n_out
    tally[EXECUTED, FMA] += n_rows * batch.width


@kernel
def momentum_update_rows(batch, weight, velocity, touched, rate, momentum, grad_tally, tally):
    """Sum the first layer's gradient pixel by pixel and move along its velocity.

    Parameters
    ----------
    batch : Batch
    weight, velocity : float32 array (at least (n_in + 1) * width,) - panels of PANEL lanes, updated in place
    touched : uint8 array (n_in,) - 1 where a pixel's velocity may differ from zero, updated in place
    rate, momentum : float32
    grad_tally, tally : int64 array (2, n_kinds) - of matmul_grad_weight and of momentum_update, added to

    FLOPs
    -----
    gradient: as for `sgd_update_rows`
    update: dense 2 (n_in + 1) n_out fma; executed 2 (n_touched + 1) width fma
    """
    n_rows = _touch(batch, touched)
    for h in range(0, batch.width, PANEL):
        lanes, here = lanes_at(h, batch.width), h * (batch.n_in + 1)
        for k in range(batch.n_in):
            if at(touched, k):
                sum_gradient(batch, k, h)
                _momentum(weight, batch.gradient, velocity, here + k * lanes, lanes, rate, momentum)
        sum_gradient_bias(batch, h)
        _momentum(weight, batch.gradient, velocity, here + batch.n_in * lanes, lanes, rate, momentum)
    count_gradient(batch, grad_tally)
    tally[DENSE, FMA] += 2 * (batch.n_in + 1) * batch.n_out
    tally[EXECUTED, FMA] += 2 * n_rows * batch.width


@kernel
def adam_update_rows(batch, weight, mean, square, touched, coefficients, grad_tally, tally):
    """Sum the first layer's gradient pixel by pixel and move by Adam.

    Parameters
    ----------
    batch : Batch
    weight, mean, square : float32 array (at least (n_in + 1) * width,) - panels of PANEL lanes, updated in place
    touched : uint8 array (n_in,) - 1 where a pixel's mean and square may differ from zero, updated in place
    coefficients : float32 array (6,) - from `nnlite.kernels.update.adam_coefficients`
    grad_tally, tally : int64 array (2, n_kinds) - of matmul_grad_weight and of adam_update, added to

    FLOPs
    -----
    gradient: as for `sgd_update_rows`
    update: as for `adam_update`, dense of (n_in + 1) n_out, executed of (n_touched + 1) width
    """
    n_rows = _touch(batch, touched)
    for h in range(0, batch.width, PANEL):
        lanes, here = lanes_at(h, batch.width), h * (batch.n_in + 1)
        for k in range(batch.n_in):
            if at(touched, k):
                sum_gradient(batch, k, h)
                _adam(weight, batch.gradient, mean, square, here + k * lanes, lanes, coefficients)
        sum_gradient_bias(batch, h)
        _adam(weight, batch.gradient, mean, square, here + batch.n_in * lanes, lanes, coefficients)
    count_gradient(batch, grad_tally)
    _count_adam(tally, (batch.n_in + 1) * batch.n_out, n_rows * batch.width)

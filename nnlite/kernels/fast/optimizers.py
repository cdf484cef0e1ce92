"""The three optimizers as the fast path keeps them: each a named tuple of its state, and what a step does with it.

The type of the tuple decides, when a loop is compiled, which kernels of `update` it calls: a loop holds one optimizer
and reads no flag. In plain Python the same calls look the type up when they run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import overload

from ..dispatcher import OPTIONS
from ..update import adam_coefficients
from .network import N_IN
from .panels import aligned_zeros
from .simd import at
from .update import (
    adam_update,
    adam_update_rows,
    momentum_update,
    momentum_update_rows,
    sgd_update,
    sgd_update_rows,
)


class Sgd(NamedTuple):
    """Stochastic gradient descent: it has no state."""


class Momentum(NamedTuple):
    """Gradient descent along a velocity.

    Attributes
    ----------
    velocity : float32 array, as the network's parameters
    touched : uint8 array (n_features,) - 1 where a first-layer row's velocity may differ from zero
    momentum : float
    """

    velocity: np.ndarray
    touched: np.ndarray
    momentum: float


class Adam(NamedTuple):
    """Adam's running means.

    Attributes
    ----------
    mean, square : float32 arrays, as the network's parameters
    touched : uint8 array (n_features,) - 1 where a first-layer row's mean and square may differ from zero
    powers : float64 array (2,) - beta1^t and beta2^t
    coefficients : float32 array (6,) - of the step, from `nnlite.kernels.update.adam_coefficients`
    settings : float64 array (3,) - beta1, beta2, epsilon
    """

    mean: np.ndarray
    square: np.ndarray
    touched: np.ndarray
    powers: np.ndarray
    coefficients: np.ndarray
    settings: np.ndarray


def new_optimizer(name, network, settings=()):
    """Make an optimizer's state before its first step.

    Parameters
    ----------
    name : str - "sgd", "momentum" or "adam"
    network : Network
    settings : sequence of float - () for sgd, (momentum,), or (beta1, beta2, epsilon)

    Returns
    -------
    Sgd, Momentum or Adam
    """
    size, n_features = len(network.parameters), int(network.layers[0, N_IN])
    if name == "sgd":
        return Sgd()
    if name == "momentum":
        return Momentum(aligned_zeros(size), np.zeros(n_features, np.uint8), float(settings[0]))
    return Adam(
        aligned_zeros(size),
        aligned_zeros(size),
        np.zeros(n_features, np.uint8),
        np.ones(2),
        np.zeros(6, np.float32),
        np.array(settings, np.float64),
    )


def _begin_without(optimizer, rate, tally):
    pass


def _begin_adam(optimizer, rate, tally):
    beta1, beta2, epsilon = at(optimizer.settings, 0), at(optimizer.settings, 1), at(optimizer.settings, 2)
    adam_coefficients(optimizer.powers, rate, beta1, beta2, epsilon, optimizer.coefficients, tally)


def _block_sgd(optimizer, parameters, first, end, n_parameters, gradient, rate, tally):
    sgd_update(parameters[first:end], gradient, n_parameters, np.float32(rate), tally)


def _block_momentum(optimizer, parameters, first, end, n_parameters, gradient, rate, tally):
    velocity, momentum = optimizer.velocity[first:end], np.float32(optimizer.momentum)
    momentum_update(parameters[first:end], gradient, velocity, n_parameters, np.float32(rate), momentum, tally)


def _block_adam(optimizer, parameters, first, end, n_parameters, gradient, rate, tally):
    mean, square = optimizer.mean[first:end], optimizer.square[first:end]
    adam_update(parameters[first:end], gradient, mean, square, n_parameters, optimizer.coefficients, tally)


def _rows_sgd(optimizer, parameters, batch, rate, grad_tally, tally):
    sgd_update_rows(batch, parameters, np.float32(rate), grad_tally, tally)


def _rows_momentum(optimizer, parameters, batch, rate, grad_tally, tally):
    velocity, touched, momentum = optimizer.velocity, optimizer.touched, np.float32(optimizer.momentum)
    momentum_update_rows(batch, parameters, velocity, touched, np.float32(rate), momentum, grad_tally, tally)


def _rows_adam(optimizer, parameters, batch, rate, grad_tally, tally):
    mean, square, touched = optimizer.mean, optimizer.square, optimizer.touched
    adam_update_rows(batch, parameters, mean, square, touched, optimizer.coefficients, grad_tally, tally)


_BEGIN = {Sgd: _begin_without, Momentum: _begin_without, Adam: _begin_adam}
_BLOCK = {Sgd: _block_sgd, Momentum: _block_momentum, Adam: _block_adam}
_ROWS = {Sgd: _rows_sgd, Momentum: _rows_momentum, Adam: _rows_adam}


def begin_step(optimizer, rate, tally):
    """Compute what a step's updates share; `tally` is of adam_coefficients."""
    _BEGIN[type(optimizer)](optimizer, rate, tally)


def update_block(optimizer, parameters, first, end, n_parameters, gradient, rate, tally):
    """Move the parameters first..end, n_parameters of them real, by their gradient."""
    _BLOCK[type(optimizer)](optimizer, parameters, first, end, n_parameters, gradient, rate, tally)


def update_rows(optimizer, parameters, batch, rate, grad_tally, tally):
    """Sum the gradient of a first layer on rows and move its parameters, which begin the buffer."""
    _ROWS[type(optimizer)](optimizer, parameters, batch, rate, grad_tally, tally)


_INLINED = {"forceinline": True, **OPTIONS}


@overload(begin_step, jit_options=_INLINED)
def _compiled_begin(optimizer, rate, tally):
    return _BEGIN[optimizer.instance_class]


@overload(update_block, jit_options=_INLINED)
def _compiled_block(optimizer, parameters, first, end, n_parameters, gradient, rate, tally):
    return _BLOCK[optimizer.instance_class]


@overload(update_rows, jit_options=_INLINED)
def _compiled_rows(optimizer, parameters, batch, rate, grad_tally, tally):
    return _ROWS[optimizer.instance_class]

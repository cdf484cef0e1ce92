"""Initial values of a layer's weight and bias, by name.

Each draws from the given generator alone, weight then bias, in float64, so that a seed fixes a network on every
machine.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Layer = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def fan_in_uniform(n_in: int, n_out: int, rng: np.random.Generator) -> Layer:
    """Draw weight and bias uniform in +-1/sqrt(n_in), the default of PyTorch's linear layer.

    Returns
    -------
    float64 array (n_in, n_out), float64 array (n_out,)
    """
    bound = 1 / math.sqrt(n_in)
    return rng.uniform(-bound, bound, (n_in, n_out)), rng.uniform(-bound, bound, n_out)


def he_normal(n_in: int, n_out: int, rng: np.random.Generator) -> Layer:
    """Draw the weight normal with variance 2/n_in; the bias is zero.

    Returns
    -------
    float64 array (n_in, n_out), float64 array (n_out,)

    Source
    ------
    He, Zhang, Ren, Sun 2015, arXiv:1502.01852, equation 10
    """
    return rng.normal(0, math.sqrt(2 / n_in), (n_in, n_out)), np.zeros(n_out)


def glorot_uniform(n_in: int, n_out: int, rng: np.random.Generator) -> Layer:
    """Draw the weight uniform in +-sqrt(6/(n_in + n_out)); the bias is zero.

    Returns
    -------
    float64 array (n_in, n_out), float64 array (n_out,)

    Source
    ------
    Glorot and Bengio 2010, *Understanding the difficulty of training deep feedforward neural networks*, equation 16
    """
    bound = math.sqrt(6 / (n_in + n_out))
    return rng.uniform(-bound, bound, (n_in, n_out)), np.zeros(n_out)


def normal_001(n_in: int, n_out: int, rng: np.random.Generator) -> Layer:
    """Draw the weight normal with standard deviation 0.01, whatever the layer's width; the bias is zero.

    Returns
    -------
    float64 array (n_in, n_out), float64 array (n_out,)

    Source
    ------
    Krizhevsky, Sutskever, Hinton 2012, *ImageNet Classification with Deep Convolutional Neural Networks*, section 5
    """
    return rng.normal(0, 0.01, (n_in, n_out)), np.zeros(n_out)


INITIALIZERS = {
    "fan_in_uniform": fan_in_uniform,
    "he_normal": he_normal,
    "glorot_uniform": glorot_uniform,
    "normal_0.01": normal_001,
}

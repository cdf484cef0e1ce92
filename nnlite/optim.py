"""Optimizers: what turns gradients into new parameters, one kernel call per parameter array.

An optimizer holds the state of one network: zero before its first step, shaped by it. Its numbers are Python floats;
`settings` rounds them to the network's dtype where the two meet, and refuses what does not survive. The mathematics
stands in `nnlite.kernels.update`. This module knows no data and no loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arguments import fraction, not_negative, positive
from .closed_forms import PER_PARAMETER
from .flops import Tally, total
from .kernels import update
from .showing import Shown

if TYPE_CHECKING:
    from .mlp import MLP, Gradients

Array = npt.NDArray[Any]
Scalar = np.floating[Any]


class _Optimizer(Shown):
    """What the three say of themselves, by the names of their numbers."""

    _numbers: tuple[str, ...]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._numbers)})"

    def _facts(self) -> list[tuple[str, ...]]:
        operations = total({"train": {"update": PER_PARAMETER[type(self).__name__.lower()]}}, {}, "flop", ["train"])
        return [("operations of a step", f"{operations} a parameter")]


class SGD(_Optimizer):
    """Stochastic gradient descent: parameter -= learning_rate gradient.

    Parameters
    ----------
    learning_rate : float
        Above 0; may be changed between steps, then to 0 as well.

    Examples
    --------
    >>> SGD(0.1)
    SGD(learning_rate=0.1)
    """

    _numbers = ("learning_rate",)

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = float(positive("learning_rate", learning_rate))

    def settings(self, dtype: npt.DTypeLike) -> tuple[Scalar, ...]:
        """Return the learning rate in a network's dtype; ValueError where that rounds it to 0 or to infinity."""
        return (not_negative("learning_rate", self.learning_rate, dtype),)

    def step(self, mlp: MLP, gradients: Gradients, tally: Tally | None = None) -> None:
        """Update the network's parameters in place."""
        pairs, (rate,) = _pairs(mlp, gradients), self.settings(mlp.dtype)
        tally = _count_step(tally)
        for parameter, gradient in pairs:
            update.sgd_update(parameter, gradient, rate, tally.kernel("sgd_update"))


class Momentum(_Optimizer):
    """Gradient descent along a decaying sum of gradients, as PyTorch's SGD with momentum.

    velocity = momentum velocity + gradient; parameter -= learning_rate velocity

    Parameters
    ----------
    learning_rate : float
        Above 0; may be changed between steps, then to 0 as well.
    momentum : float
        In [0, 1).
    """

    _numbers = ("learning_rate", "momentum")

    def __init__(self, learning_rate: float, momentum: float = 0.9) -> None:
        self.learning_rate = float(positive("learning_rate", learning_rate))
        self.momentum = float(fraction("momentum", momentum))
        self.velocity: list[Array] = []

    def settings(self, dtype: npt.DTypeLike) -> tuple[Scalar, ...]:
        """Return learning rate and momentum in a network's dtype; ValueError where that rounds one to 0 or to 1."""
        return not_negative("learning_rate", self.learning_rate, dtype), fraction("momentum", self.momentum, dtype)

    def step(self, mlp: MLP, gradients: Gradients, tally: Tally | None = None) -> None:
        """Update the network's parameters and the velocity in place."""
        pairs, (rate, momentum) = _pairs(mlp, gradients), self.settings(mlp.dtype)
        prepare_state(self.velocity, mlp)
        tally = _count_step(tally)
        for (parameter, gradient), velocity in zip(pairs, self.velocity, strict=True):
            counters = tally.kernel("momentum_update")
            update.momentum_update(parameter, gradient, velocity, rate, momentum, counters)


class Adam(_Optimizer):
    """Adam (Kingma and Ba 2015, arXiv:1412.6980), with PyTorch's defaults and meaning of epsilon.

    Parameters
    ----------
    learning_rate : float
        Above 0; may be changed between steps, then to 0 as well.
    beta1, beta2 : float
        Decay of the running means of the gradient and of its square, in [0, 1).
    epsilon : float
        Added to the root of the mean square, above 0.
    """

    _numbers = ("learning_rate", "beta1", "beta2", "epsilon")

    def __init__(
        self, learning_rate: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        self.learning_rate = float(positive("learning_rate", learning_rate))
        self.beta1 = float(fraction("beta1", beta1))
        self.beta2 = float(fraction("beta2", beta2))
        self.epsilon = float(positive("epsilon", epsilon))
        self.mean: list[Array] = []
        self.square: list[Array] = []
        self.powers = np.ones(2)  # beta1^t and beta2^t after t steps

    def settings(self, dtype: npt.DTypeLike) -> tuple[Scalar, ...]:
        """Return learning rate, beta1, beta2, epsilon in a network's dtype; ValueError as the others.

        A step computes its coefficients from them in float64 and rounds these once; what survives here does there.
        """
        return (
            not_negative("learning_rate", self.learning_rate, dtype),
            fraction("beta1", self.beta1, dtype),
            fraction("beta2", self.beta2, dtype),
            positive("epsilon", self.epsilon, dtype),
        )

    def step(self, mlp: MLP, gradients: Gradients, tally: Tally | None = None) -> None:
        """Update the network's parameters and both running means in place."""
        pairs = _pairs(mlp, gradients)
        self.settings(mlp.dtype)
        prepare_state(self.mean, mlp)
        prepare_state(self.square, mlp)
        tally = _count_step(tally)
        coefficients = np.empty(6, mlp.dtype)
        shared = (self.learning_rate, self.beta1, self.beta2, self.epsilon)
        update.adam_coefficients(self.powers, *shared, coefficients, tally.kernel("adam_coefficients"))
        counters = tally.kernel("adam_update")
        for (parameter, gradient), mean, square in zip(pairs, self.mean, self.square, strict=True):
            update.adam_update(parameter, gradient, mean, square, coefficients, counters)


Optimizer = SGD | Momentum | Adam


def prepare_state(state: list[Array], mlp: MLP) -> None:
    """Fill an empty state with zeros, one flat array for each parameter array of the network, weight then bias.

    Raises
    ------
    ValueError
        The state belongs to a network of other sizes or dtype.
    """
    sizes = [parameter.size for parameter in mlp.parameters()]
    if not state:
        state.extend(np.zeros(size, mlp.dtype) for size in sizes)
    if [array.size for array in state] != sizes or state[0].dtype != mlp.dtype:
        found = [array.size for array in state]
        raise ValueError(
            f"this optimizer's state is of arrays of {found} {state[0].dtype}, the network has {sizes} {mlp.dtype}"
        )


def _pairs(mlp: MLP, gradients: Gradients) -> list[tuple[Array, Array]]:
    """Each parameter array with its gradient, flat, layer by layer, weight then bias; all checked before any step."""
    mlp.check_trainable()
    pairs = []
    for parameter, gradient in zip(mlp.parameters(), gradients.arrays(), strict=True):
        if parameter.shape != gradient.shape or parameter.dtype != gradient.dtype:
            raise ValueError(
                f"gradient: expected {parameter.dtype} {parameter.shape}, found {gradient.dtype} {gradient.shape}"
            )
        pairs.append((np.asarray(parameter).reshape(-1), np.ascontiguousarray(gradient).reshape(-1)))
    return pairs


def _count_step(tally: Tally | None) -> Tally:
    tally = Tally() if tally is None else tally
    tally.count_passes(steps=1)
    return tally

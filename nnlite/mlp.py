"""A multilayer perceptron: parameters, forward pass, loss and gradients; one kernel call per line of mathematics.

z = h weight + bias in every layer, an activation between layers, softmax and cross-entropy after the last. Arrays are
checked and converted here, once; the kernels trust them. This module knows no optimizer, data set, loop or file.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import check_finite, check_scale, class_labels, for_reading, random_generator, real_array
from .closed_forms import PER_PARAMETER, Kernels, forward_counts, step_counts
from .flops import Tally, total
from .initializers import INITIALIZERS
from .kernels import activation as activations
from .kernels import loss as losses
from .kernels import matmul, ops, reduce
from .showing import Shown

Array = npt.NDArray[Any]

ACTIVATIONS = tuple(ops.ACTIVATIONS)
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True)
class Gradients:
    """The gradient of the mean loss with respect to every parameter, in the parameters' shapes.

    weights : list of float array (n_in, n_out);  biases : list of float array (n_out,)
    """

    weights: list[Array]
    biases: list[Array]

    def arrays(self) -> list[Array]:
        """Return all arrays, layer by layer, weight then bias."""
        return [array for pair in zip(self.weights, self.biases, strict=True) for array in pair]


class MLP(Shown):
    """A fully connected network for classification.

    Parameters
    ----------
    layer_sizes : sequence of int
        Inputs, hidden units of each layer, classes: (784, 128, 10). Two or more, each at least 1; two classes or more.
    rng : numpy.random.Generator, or int for the one of that seed
        Draws the initial values, layer by layer, weight then bias, in float64; they are then rounded to dtype.
    activation : str
        Of every hidden layer: a name in `kernels.ops.ACTIVATIONS`.
    initializer : {"fan_in_uniform", "he_normal", "glorot_uniform", "normal_0.01"}
        As `nnlite.initializers` draws them.
    dtype : float32 or float64
        Of parameters and arithmetic.

    Attributes
    ----------
    weights : list of float array (n_in, n_out), writable in place
    biases : list of float array (n_out,), writable in place
        Read-only arrays and memory maps will do in their places for all but training.
    input_range : (float, float) or None
        The smallest and the largest input that `fit` has trained on; `predict` and `predict_proba` refuse what is ten
        times as far from 0, as bytes are where 0 to 1 was trained. None: nothing is known, and nothing refused.

    Examples
    --------
    >>> import numpy as np
    >>> mlp = MLP((2, 3, 2), rng=0)
    >>> mlp.forward(np.zeros((5, 2))).shape
    (5, 2)
    >>> mlp
    MLP(2-3-2, relu, float32: 17 parameters; an image 27 operations forward, 59 backward)
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        rng: np.random.Generator | int,
        activation: str = "relu",
        initializer: str = "fan_in_uniform",
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.layer_sizes = _checked_layer_sizes(layer_sizes)
        self.activation = _checked_choice("activation", activation, ACTIVATIONS)
        self.dtype = np.dtype(dtype)
        _check_dtype(self.dtype)
        draw = INITIALIZERS[_checked_choice("initializer", initializer, tuple(INITIALIZERS))]
        rng = random_generator("rng", rng)
        self.input_range: tuple[float, float] | None = None
        self.weights: list[Array] = []
        self.biases: list[Array] = []
        for n_in, n_out in zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True):
            weight, bias = draw(n_in, n_out, rng)
            self.weights.append(weight.astype(self.dtype))
            self.biases.append(bias.astype(self.dtype))

    def __repr__(self) -> str:
        forward, backward = self._operations_of_an_image()
        what = f"{'-'.join(map(str, self.layer_sizes))}, {self.activation}, {self.dtype}"
        n_parameters = sum(array.size for array in self.parameters())
        operations = f"an image {forward:,} operations forward, {backward:,} backward"
        return f"MLP({what}: {n_parameters:,} parameters; {operations})"

    def _facts(self) -> list[tuple[str, ...]]:
        forward, backward = self._operations_of_an_image()
        sizes = pairwise(self.layer_sizes)
        return [
            *[(f"{n_in} to {n_out}", f"{(n_in + 1) * n_out:,} parameters") for n_in, n_out in sizes],
            ("forward", f"{forward:,} operations an image"),
            ("loss and backward", f"{backward:,} operations an image"),
            *[(f"update, {name}", f"{self._operations_of_a_step(name):,} operations a step") for name in PER_PARAMETER],
        ]

    def _operations_of_an_image(self) -> tuple[int, int]:
        """Dense operations forward, and of loss and backward, under cost model `flop`."""
        step, step_without_images = (_priced(step_counts(self.layer_sizes, self.activation, "sgd", n)) for n in (1, 0))
        forward = _priced(forward_counts(self.layer_sizes, self.activation, 1))
        return forward, step - step_without_images - forward

    def _operations_of_a_step(self, optimizer: str) -> int:
        """Dense operations of an update, whatever the batch, under cost model `flop`."""
        counts = step_counts(self.layer_sizes, self.activation, optimizer, 0)
        del counts["softmax_cross_entropy_forward"]  # the division that makes the loss a mean
        return _priced(counts)

    def parameters(self) -> list[Array]:
        """Return all parameter arrays, layer by layer, weight then bias; the arrays themselves, not copies."""
        return [array for pair in zip(self.weights, self.biases, strict=True) for array in pair]

    def check_parameters(self) -> None:
        """Make sure that the network still is what kernels and files trust it to be; its arrays may be read-only.

        Raises
        ------
        ValueError
            An array was replaced by one of another shape, dtype or memory order, by a masked one or by no array, one
            was added or taken away, or the sizes, activation or dtype are none that a network can have.
        """
        sizes = _checked_layer_sizes(self.layer_sizes)
        _checked_choice("activation", self.activation, ACTIVATIONS)
        _check_dtype(self.dtype)
        for kind, arrays in (("weights", self.weights), ("biases", self.biases)):
            if not isinstance(arrays, list | tuple) or len(arrays) != len(sizes) - 1:
                found = f"{len(arrays)} of them" if isinstance(arrays, list | tuple) else type(arrays).__name__
                raise ValueError(f"{kind}: expected a list of {len(sizes) - 1} arrays, found {found}")
            for layer, array in enumerate(arrays):
                shape = sizes[layer : layer + 2] if kind == "weights" else sizes[layer + 1 : layer + 2]
                _check_parameter(f"{kind}[{layer}]", array, shape, self.dtype)

    def check_trainable(self) -> None:
        """Make sure of all that `check_parameters` does, and that the arrays can be written, as training does.

        Raises
        ------
        ValueError
            As `check_parameters`, or one of the arrays is read-only.
        """
        self.check_parameters()
        for kind, arrays in (("weights", self.weights), ("biases", self.biases)):
            for layer, array in enumerate(arrays):
                if not array.flags.writeable:
                    raise ValueError(f"{kind}[{layer}]: read-only, but training writes to it; train mlp.copy()")

    def as_inputs(self, x: npt.ArrayLike, name: str = "x") -> Array:
        """Return samples as the kernels read them.

        Parameters
        ----------
        x : array (n, n_features)
            Real numbers.
        name : str
            What messages call it.

        Returns
        -------
        array (n, n_features) of the network's dtype, C-contiguous and aligned; of x's own memory where that will do

        Raises
        ------
        ValueError
            Wrong width, no samples, not two-dimensional, no real numbers.
        """
        array = for_reading(np.require(real_array(name, x), self.dtype, ["C", "A"]))
        n_features = self.layer_sizes[0]
        if array.ndim != 2 or array.shape[1] != n_features or len(array) == 0:
            advice = ""
            if array.shape == (n_features,):
                advice = f"; a single one: {name}.reshape(1, -1)"
            elif array.ndim and array[:1].size == n_features:
                advice = f"; flatten them: {name}.reshape(len({name}), -1)"
            expected = f"expected shape (n_samples, {n_features}), at least one sample"
            raise ValueError(f"{name}: {expected}, found {array.shape}{advice}")
        return array

    def check_inputs(self, x: Array) -> None:
        """Make sure that inputs can be answered: numbers all, and of the size that the network was trained on.

        Parameters
        ----------
        x : float array (n, n_features)

        Raises
        ------
        ValueError
            A pixel that is not finite; pixels ten times as far from 0 as all of `input_range`.

        Warns
        -----
        UserWarning
            Bytes that were divided by 255 twice, where `input_range` says that others were trained on.
        """
        check_finite(x, f"a pixel that is not finite in {x.dtype}")
        if self.input_range is not None:
            check_scale(x, self.input_range)

    def forward(self, x: npt.ArrayLike, tally: Tally | None = None) -> Array:
        """Compute the logits.

        Parameters
        ----------
        x : array (n_samples, n_features)
            Converted to the network's dtype.
        tally : Tally, optional
            Is added the operations and the images of this pass.

        Returns
        -------
        float array (n_samples, n_classes)

        Raises
        ------
        ValueError
            Wrong width, no samples, not two-dimensional.
        """
        return self._activations(self.as_inputs(x), Tally() if tally is None else tally)[-1]

    def predict(self, x: npt.ArrayLike, tally: Tally | None = None) -> npt.NDArray[np.int64]:
        """Return the most probable class of each sample, int64 (n_samples,); parameters as `forward`.

        ValueError as `forward` and `check_inputs`, and where a logit is not finite: then no class is the most probable.
        """
        tally = Tally() if tally is None else tally
        logits = self._answers(x, tally)
        predictions = np.empty(len(logits), np.int64)
        reduce.argmax(logits, predictions, tally.kernel("argmax"))
        return predictions

    def predict_proba(self, x: npt.ArrayLike, tally: Tally | None = None) -> Array:
        """Return the probability of each class, the softmax of the logits.

        Parameters
        ----------
        x, tally : as for `forward`

        Returns
        -------
        float array (n_samples, n_classes)
            Each row sums to 1.

        Raises
        ------
        ValueError
            As `predict`.

        Examples
        --------
        >>> mlp = MLP((2, 2), rng=0)
        >>> mlp.weights[0][:], mlp.biases[0][:] = 0, np.log([1, 3])
        >>> mlp.predict_proba([[0.0, 0.0]]).round(3).tolist()
        [[0.25, 0.75]]
        """
        tally = Tally() if tally is None else tally
        logits = self._answers(x, tally)
        probabilities = np.empty_like(logits)
        losses.softmax(logits, probabilities, tally.kernel("softmax"))
        return probabilities

    def loss_and_gradients(
        self, x: npt.ArrayLike, labels: npt.ArrayLike, tally: Tally | None = None
    ) -> tuple[float, Gradients]:
        """Compute the mean cross-entropy of a batch and its gradient with respect to every parameter.

        Parameters
        ----------
        x : array (n_samples, n_features)
            Converted to the network's dtype.
        labels : integer array (n_samples,)
            In 0..n_classes-1.
        tally : Tally, optional
            Is added the operations and the images of both passes.

        Returns
        -------
        float, Gradients
            Means over the batch.

        Raises
        ------
        ValueError
            Wrong width, no samples, a number of labels other than of samples, a label that is no class.
        """
        x = self.as_inputs(x)
        labels = class_labels("labels", labels, len(x), self.layer_sizes[-1])
        tally = Tally() if tally is None else tally
        h = self._activations(x, tally)
        probabilities, grad_z, loss = np.empty_like(h[-1]), np.empty_like(h[-1]), np.empty(1, self.dtype)
        losses.softmax_cross_entropy_forward(
            h[-1], labels, probabilities, loss, tally.kernel("softmax_cross_entropy_forward")
        )
        losses.softmax_cross_entropy_backward(
            probabilities, labels, grad_z, tally.kernel("softmax_cross_entropy_backward")
        )
        _, backward_kernel = activations.ACTIVATIONS[self.activation]
        gradients = Gradients([np.empty_like(w) for w in self.weights], [np.empty_like(b) for b in self.biases])
        for layer in reversed(range(len(self.weights))):
            matmul.matmul_grad_weight(
                h[layer], grad_z, gradients.weights[layer], gradients.biases[layer], tally.kernel("matmul_grad_weight")
            )
            if layer > 0:  # nothing learns from the gradient of the images
                grad_h = np.empty_like(h[layer])
                matmul.matmul_grad_x(grad_z, for_reading(self.weights[layer]), grad_h, tally.kernel("matmul_grad_x"))
                grad_z = np.empty_like(h[layer])
                backward_kernel(h[layer], grad_h, grad_z, tally.kernel(f"{self.activation}_backward"))
        tally.count_passes(images_backward=len(x))
        return float(loss[0]), gradients

    def copy(self) -> MLP:
        """Return a network with the same values in arrays of its own, which can be written."""
        other = object.__new__(MLP)
        other.layer_sizes, other.activation, other.dtype = self.layer_sizes, self.activation, self.dtype
        other.weights = [np.array(weight) for weight in self.weights]
        other.biases = [np.array(bias) for bias in self.biases]
        other.input_range = self.input_range
        return other

    def _answers(self, x: npt.ArrayLike, tally: Tally) -> Array:
        """The logits, where all that goes in and comes out is finite."""
        x = self.as_inputs(x)
        self.check_inputs(x)
        logits = self._activations(x, tally)[-1]
        check_finite(logits, "logits that are not finite: did the network diverge?")
        return logits

    def _activations(self, x: Array, tally: Tally) -> list[Array]:
        """The input of every layer and, last, the logits: h[0] = x, h[l + 1] = activation(h[l] weight + bias)."""
        self.check_parameters()
        forward_kernel, _ = activations.ACTIVATIONS[self.activation]
        h = [x]
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = np.empty((len(x), len(bias)), self.dtype)
            matmul.matmul_forward(h[-1], for_reading(weight), for_reading(bias), z, tally.kernel("matmul_forward"))
            if layer < len(self.weights) - 1:
                h.append(np.empty_like(z))
                forward_kernel(z, h[-1], tally.kernel(f"{self.activation}_forward"))
            else:
                h.append(z)
        tally.count_passes(images_forward=len(x))
        return h


def _priced(kernels: Kernels) -> int:
    return total({"train": kernels}, {}, "flop", ["train"])


def _checked_layer_sizes(layer_sizes: Sequence[int]) -> tuple[int, ...]:
    try:
        sizes = tuple(operator.index(size) for size in layer_sizes)
    except TypeError:  # Python's words name neither
        expected = "expected inputs, hidden units, classes as whole numbers, such as (784, 128, 10)"
        raise TypeError(f"layer_sizes {layer_sizes!r:.60}: {expected}") from None
    if len(sizes) < 2 or min(sizes) < 1 or sizes[-1] < 2:
        raise ValueError(f"layer_sizes {sizes}: expected inputs, hidden units, classes: at least 1, at least 2 classes")
    return sizes


def _checked_choice(name: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise ValueError(f"{name} {value!r}: expected one of {', '.join(choices)}")
    return value


def _check_dtype(dtype: np.dtype[Any]) -> None:
    if dtype not in _DTYPES:
        raise ValueError(f"dtype {dtype}: must be float32 or float64")


def _check_parameter(name: str, array: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise ValueError unless it is an array as kernels read it, of this shape and dtype."""
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        found = type(array).__name__
    elif array.shape != shape or array.dtype != dtype:
        found = f"{array.dtype} {array.shape}"
    elif not (array.flags.c_contiguous and array.flags.aligned):
        found = 'one in another memory order: np.array(..., order="C") makes such a copy'
    else:
        return
    raise ValueError(f"{name}: expected a C-contiguous {dtype} array {shape}, found {found}")

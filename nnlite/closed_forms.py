"""The dense operations of a training step and of an evaluation, from the shapes of a network alone.

Place in the data path: beside it. The kernels count what they do as they do it; these closed forms say the same without
running anything, so that a bill can be told for any step of a run. Left out: executed operations, which depend on the
kernel and on the images; what an operation costs (`nnlite.flops`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from .kernels.ops import ACTIVATIONS

Kernels = dict[str, dict[str, int]]
"""{kernel: {kind: operations}}, under the names of a tally."""

PER_PARAMETER = {  # one step
    "sgd": {"fma": 1},  # w -= rate g
    "momentum": {"fma": 2},  # v = momentum v + g; w -= rate v
    "adam": {"fma": 3, "mul": 3, "add": 1, "div": 1, "sqrt": 1},  # both means; w -= rate m / (sqrt(s) + epsilon)
}
"""Operations of one step on one parameter, by optimizer."""

_ADAM_COEFFICIENTS = {"mul": 4, "add": 4, "sqrt": 1, "div": 1}  # one step, whatever the shapes


def step_counts(
    layer_sizes: Sequence[int], activation: str, optimizer: str, n_images: int, n_steps: int = 1
) -> Kernels:
    """Count the dense operations of training steps: forward, loss, backward, update.

    Parameters
    ----------
    layer_sizes : sequence of int
        n_in, hidden sizes, n_classes.
    activation : str
        A name in `kernels.ops.ACTIVATIONS`.
    optimizer : str
        adam, sgd or momentum.
    n_images : int
        Images in all batches together. 0 leaves what every step costs whatever its batch: the update, Adam's
        coefficients and the division that makes the loss a mean.
    n_steps : int
        Batches.

    Returns
    -------
    dict
        {kernel: {kind: int}}, zeros left out.

    Examples
    --------
    >>> step_counts((2, 3), "relu", "sgd", n_images=4)["matmul_grad_weight"]  # 4 x 2 x 3 fma, 4 x 3 add
    {'fma': 24, 'add': 12}
    >>> step_counts((2, 3), "relu", "sgd", n_images=0)  # (2 + 1) x 3 parameters
    {'softmax_cross_entropy_forward': {'div': 1}, 'sgd_update': {'fma': 9}}
    """
    n, c = n_images, layer_sizes[-1]
    products = [n_in * n_out for n_in, n_out in pairwise(layer_sizes)]
    n_units, n_hidden = sum(layer_sizes[1:]), sum(layer_sizes[1:-1])
    counts = {
        **forward_counts(layer_sizes, activation, n),
        # maximum; differences, sum, log(s) - z and their sum; exp; log; probabilities, and once the mean
        "softmax_cross_entropy_forward": {"cmp": n * (c - 1), "add": n * (2 * c + 2), "exp": n * c, "log": n}
        | {"div": n * c + n_steps},
        "softmax_cross_entropy_backward": {"add": n, "div": n * c},  # (p - [j = label]) / n
        "matmul_grad_weight": {"fma": n * sum(products), "add": n * n_units},  # x^T grad_z; sum of grad_z for the bias
        "matmul_grad_x": {"fma": n * sum(products[1:])},  # grad_z weight^T, less the first layer
        f"{activation}_backward": _scaled(ACTIVATIONS[activation][1], n * n_hidden),
        f"{optimizer}_update": _scaled(PER_PARAMETER[optimizer], n_steps * (sum(products) + n_units)),  # and biases
    }
    if optimizer == "adam":
        counts["adam_coefficients"] = _scaled(_ADAM_COEFFICIENTS, n_steps)
    return _without_zeros(counts)


def evaluation_counts(layer_sizes: Sequence[int], activation: str, n_images: int) -> Kernels:
    """Count the dense operations of one full evaluation: forward and the most probable class.

    Parameters
    ----------
    layer_sizes, activation : as for `step_counts`
    n_images : int
        Images looked at.

    Returns
    -------
    dict
        {kernel: {kind: int}}, zeros left out.

    Examples
    --------
    >>> evaluation_counts((2, 3), "relu", n_images=4)  # 4 x 2 x 3 fma, 4 x (3 - 1) cmp
    {'matmul_forward': {'fma': 24}, 'argmax': {'cmp': 8}}
    """
    argmax = {"cmp": n_images * (layer_sizes[-1] - 1)}
    return _without_zeros({**forward_counts(layer_sizes, activation, n_images), "argmax": argmax})


def scaling_counts(n_pixels: int, inputs: str) -> dict[str, int]:
    """Count what makes numbers of bytes: a division a pixel, an addition more where they are standardised.

    Examples
    --------
    >>> scaling_counts(4, "unit"), scaling_counts(4, "standardised"), scaling_counts(4, "bytes")
    ({'div': 4}, {'add': 4, 'div': 4}, {})
    """
    return {"unit": {"div": n_pixels}, "standardised": {"add": n_pixels, "div": n_pixels}, "bytes": {}}[inputs]


def forward_counts(layer_sizes: Sequence[int], activation: str, n_images: int) -> Kernels:
    """Count the dense operations of a forward pass up to the logits; parameters as `evaluation_counts`."""
    n_products = sum(n_in * n_out for n_in, n_out in pairwise(layer_sizes))
    return {
        "matmul_forward": {"fma": n_images * n_products},  # x weight + bias
        f"{activation}_forward": _scaled(ACTIVATIONS[activation][0], n_images * sum(layer_sizes[1:-1])),
    }


def _scaled(kinds: Mapping[str, int], n: int) -> dict[str, int]:
    return {kind: n * count for kind, count in kinds.items()}


def _without_zeros(kernels: Kernels) -> Kernels:
    """Leave out what did not run, as records do."""
    positive = {name: {kind: n for kind, n in kinds.items() if n} for name, kinds in kernels.items()}
    return {name: kinds for name, kinds in positive.items() if kinds}

"""What the fast path trains: a network's parameters in panels, the images, and the memory to work in.

Named tuples of arrays, which compiled kernels take apart at no cost. They are made here from ordinary arrays when a
run starts and read back at its end; `step` and `loop` only fill them. One buffer with offsets holds all layers, so
that every depth compiles to the same code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...arguments import for_reading
from ..ops import ACTIVATIONS
from .first_layer import GROUP
from .panels import LANES, PANEL, aligned_zeros, pack, unpack, width_of
from .rows import Rows

N_IN, N_OUT, WIDTH, FIRST, BEFORE = range(5)
"""Columns of `Network.layers`: sizes, n_out padded, where the layer's block begins, the widths of all layers before."""


class Network(NamedTuple):
    """A network in panels.

    Attributes
    ----------
    parameters : float32 array - the layers' blocks, see `panels`
    layers : int64 array (n_layers, 5) - columns N_IN, N_OUT, WIDTH, FIRST, BEFORE
    activation : int - position in ops.ACTIVATIONS
    on_rows : int - 1 if the first layer works on rows of nonzero pixels, so its block has panels of PANEL lanes
    """

    parameters: np.ndarray
    layers: np.ndarray
    activation: int
    on_rows: int


class Data(NamedTuple):
    """Images, as rows or dense, and their labels.

    Attributes
    ----------
    rows : Rows - empty where dense is not
    dense : float32 array (n * n_features,) - empty where rows are not
    labels : int64 array (n,)
    """

    rows: Rows
    dense: np.ndarray
    labels: np.ndarray


class Work(NamedTuple):
    """The memory of one thread: one for training steps, one for evaluation.

    Attributes
    ----------
    capacity : int - samples that fit
    x : float32 array - a batch of dense images
    activations : float32 array - each layer's h, one after the other
    grad_a, grad_b : float32 arrays - a layer's grad_z and the grad_x made of it, in turn
    gradient : float32 array - of one layer's block
    transposed : float32 array - of one layer's weight
    mask : uint64 array, bucket : float32 array - a batch of rows by pixels
    """

    capacity: int
    x: np.ndarray
    activations: np.ndarray
    grad_a: np.ndarray
    grad_b: np.ndarray
    gradient: np.ndarray
    transposed: np.ndarray
    mask: np.ndarray
    bucket: np.ndarray


def pack_network(weights, biases, activation, on_rows):
    """Copy a network's arrays into panels.

    Parameters
    ----------
    weights : sequence of float32 arrays (n_in, n_out)
    biases : sequence of float32 arrays (n_out,)
    activation : str - one of ops.ACTIVATIONS
    on_rows : bool - whether the first layer works on rows of nonzero pixels

    Returns
    -------
    Network
    """
    layers = np.zeros((len(weights), 5), np.int64)
    first = before = 0
    for number, weight in enumerate(weights):
        n_in, n_out = weight.shape
        width = width_of(n_out, _panel_of(number, on_rows))
        layers[number] = n_in, n_out, width, first, before
        first += (n_in + 1) * width
        before += width
    network = Network(aligned_zeros(first), layers, list(ACTIVATIONS).index(activation), int(on_rows))
    pack_buffer(network, weights, biases, network.parameters)
    return network


def pack_buffer(network, weights, biases, buffer):
    """Copy ordinary arrays, the parameters or an optimizer's state of each, into a buffer laid out as the parameters.

    Parameters
    ----------
    network : Network
    weights : sequence of float32 arrays (n_in, n_out)
    biases : sequence of float32 arrays (n_out,)
    buffer : float32 array, as the network's parameters - overwritten
    """
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        pack(weight, bias, _panel_of(number, network.on_rows), _block(network, number, buffer))


def unpack_buffer(network, buffer, weights, biases):
    """Copy a buffer laid out as the parameters back into ordinary arrays.

    Parameters
    ----------
    network : Network
    buffer : float32 array, as the network's parameters
    weights, biases : sequences of float32 arrays - overwritten
    """
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        unpack(_block(network, number, buffer), _panel_of(number, network.on_rows), weight, bias)


def unpack_network(network, weights, biases):
    """Copy a network's parameters back into ordinary arrays, which are overwritten."""
    unpack_buffer(network, network.parameters, weights, biases)


def _panel_of(number, on_rows):
    return PANEL if on_rows and number == 0 else LANES


def _block(network, number, buffer):
    n_in, _, width, first, _ = network.layers[number]
    return buffer[first : first + (n_in + 1) * width]


def new_data(images, labels):
    """Put images and labels together.

    Parameters
    ----------
    images : Rows, or float32 array (n, n_features)
    labels : int64 array (n,)

    Returns
    -------
    Data
    """
    if isinstance(images, Rows):
        store = (for_reading(images.start), for_reading(images.pixel), for_reading(images.value))
        return Data(Rows(*store, images.n_features, images.n_blocks), np.zeros(0, np.float32), labels)
    empty = Rows(np.zeros(1, np.int64), np.zeros(0, np.uint16), np.zeros(0, np.float32), images.shape[1], 1)
    return Data(empty, for_reading(np.require(images, np.float32, ["C", "A"])).reshape(-1), labels)


def new_work(network, capacity, training):
    """Allocate the memory for batches of up to `capacity` samples.

    Parameters
    ----------
    network : Network
    capacity : int
    training : bool - whether gradients are wanted

    Returns
    -------
    Work
    """
    n_in, widths = int(network.layers[0, N_IN]), network.layers[:, WIDTH]
    blocks = (network.layers[:, N_IN] + 1) * widths
    # The gradient of a first layer on rows is never stored whole; one scratch row of it is.
    largest = int(max([PANEL, *blocks[network.on_rows :]])) if training else 0
    transposed = int(max([0, *(network.layers[1:, N_OUT] * widths[:-1])]))
    groups = -(-capacity // GROUP) if training and network.on_rows else 0
    gradients = capacity * int(widths.max()) if training else 0
    return Work(
        capacity,
        aligned_zeros(0 if network.on_rows else capacity * n_in),
        aligned_zeros(capacity * int(widths.sum())),
        aligned_zeros(gradients),
        aligned_zeros(gradients),
        aligned_zeros(largest),
        aligned_zeros(transposed if training else 0),
        np.zeros(groups * n_in, np.uint64),
        aligned_zeros(groups * n_in * GROUP),
    )

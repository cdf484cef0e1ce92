"""One training step and one evaluation of a network in panels: the fast kernels called in their order.

The stepwise driver calls `train_step` and `evaluate` from Python, the compiled `loop` from inside: the same code, so
the same bits and the same tally. Each operation of a step has a tally of its own, by its position in a block of
tallies.
"""

from __future__ import annotations

from ..jit import kernel
from .activation import activate, differentiate
from .first_layer import Batch, matmul_forward_rows, transpose_rows
from .loss import count_correct, softmax_cross_entropy
from .matmul import matmul_forward, matmul_grad_weight, matmul_grad_x
from .network import BEFORE, FIRST, N_IN, N_OUT, WIDTH
from .optimizers import begin_step, update_block, update_rows
from .simd import at, inlined, put

(
    MATMUL_FORWARD,
    ACTIVATION_FORWARD,
    LOSS_FORWARD,
    LOSS_BACKWARD,
    GRAD_WEIGHT,
    GRAD_X,
    ACTIVATION_BACKWARD,
    COEFFICIENTS,
    UPDATE,
    ARGMAX,
) = range(10)
N_OPERATIONS = 10


def operation_names(activation, optimizer):
    """Name the operations of a block of tallies, as the plain kernels are named.

    Parameters
    ----------
    activation, optimizer : str

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> operation_names("relu", "sgd")[1::7]
    ('relu_forward', 'sgd_update')
    """
    return (
        "matmul_forward",
        f"{activation}_forward",
        "softmax_cross_entropy_forward",
        "softmax_cross_entropy_backward",
        "matmul_grad_weight",
        "matmul_grad_x",
        f"{activation}_backward",
        "adam_coefficients",
        f"{optimizer}_update",
        "argmax",
    )


@inlined
def _copy_rows(dense, order, p, x):
    for s in range(order.shape[0]):
        for k in range(p):
            put(x, s * p + k, at(dense, at(order, s) * p + k))


@kernel
def forward(network, data, order, work, tallies):
    """Fill work.activations with the network's activations for a batch, the logits last.

    Parameters
    ----------
    network : Network
    data : Data
    order : int64 array (n,) - rows of the data; n is at most work.capacity
    work : Work
    tallies : int64 array (N_OPERATIONS, 2, n_kinds) - added to
    """
    n = order.shape[0]
    layers, last = network.layers, network.layers.shape[0] - 1
    x, x_width = work.x, layers[0, N_IN]
    for layer in range(last + 1):
        n_in, n_out, width = layers[layer, N_IN], layers[layer, N_OUT], layers[layer, WIDTH]
        weight = network.parameters[layers[layer, FIRST] :]
        z = work.activations[work.capacity * layers[layer, BEFORE] :]
        if layer == 0 and network.on_rows:
            matmul_forward_rows(data.rows, order, weight, n_out, width, z, tallies[MATMUL_FORWARD])
        else:
            if layer == 0:
                _copy_rows(data.dense, order, n_in, work.x)
            matmul_forward(x, x_width, weight, n, n_in, n_out, z, tallies[MATMUL_FORWARD])
        if layer < last:
            activate(network.activation, z, n, n_out, width, tallies[ACTIVATION_FORWARD])
        x, x_width = z, width


@kernel
def train_step(network, optimizer, data, order, rate, work, tallies):
    """Take one step of training on a batch; return its mean loss before the step.

    Parameters
    ----------
    network : Network - updated
    optimizer : Sgd, Momentum or Adam - updated
    data : Data
    order : int64 array (n,) - the batch: rows of the data; n is at most work.capacity
    rate : float64 - learning rate
    work : Work
    tallies : int64 array (N_OPERATIONS, 2, n_kinds) - added to

    Returns
    -------
    float32
    """
    n = order.shape[0]
    layers, last = network.layers, network.layers.shape[0] - 1
    forward(network, data, order, work, tallies)
    grad_z = work.activations[work.capacity * layers[last, BEFORE] :]
    c, width = layers[last, N_OUT], layers[last, WIDTH]
    loss = softmax_cross_entropy(grad_z, data.labels, order, c, width, tallies[LOSS_FORWARD], tallies[LOSS_BACKWARD])
    begin_step(optimizer, rate, tallies[COEFFICIENTS])
    for layer in range(last, 0, -1):
        n_in, n_out, x_width = layers[layer, N_IN], layers[layer, N_OUT], layers[layer - 1, WIDTH]
        x = work.activations[work.capacity * layers[layer - 1, BEFORE] :]
        grad_x = work.grad_a if layer % 2 == 0 else work.grad_b
        weight = network.parameters[layers[layer, FIRST] :]
        matmul_grad_x(grad_z, weight, n, n_in, n_out, x_width, work.transposed, grad_x, tallies[GRAD_X])
        differentiate(network.activation, x, grad_x, n, n_in, x_width, tallies[ACTIVATION_BACKWARD])
        matmul_grad_weight(x, x_width, grad_z, n, n_in, n_out, work.gradient, tallies[GRAD_WEIGHT])
        first, end = layers[layer, FIRST], layers[layer, FIRST] + (n_in + 1) * layers[layer, WIDTH]
        size = (n_in + 1) * n_out
        update_block(optimizer, network.parameters, first, end, size, work.gradient, rate, tallies[UPDATE])
        grad_z = grad_x
    n_in, n_out, width = layers[0, N_IN], layers[0, N_OUT], layers[0, WIDTH]
    if network.on_rows:
        transpose_rows(data.rows, order, work.mask, work.bucket)
        batch = Batch(work.mask, work.bucket, n, n_in, n_out, width, grad_z, work.gradient)
        update_rows(optimizer, network.parameters, batch, rate, tallies[GRAD_WEIGHT], tallies[UPDATE])
    else:
        matmul_grad_weight(work.x, n_in, grad_z, n, n_in, n_out, work.gradient, tallies[GRAD_WEIGHT])
        end, size = (n_in + 1) * width, (n_in + 1) * n_out
        update_block(optimizer, network.parameters, 0, end, size, work.gradient, rate, tallies[UPDATE])
    return loss


@kernel
def evaluate(network, data, order, work, tallies):
    """Count the right answers over rows of a data set, in chunks of work.capacity.

    Parameters
    ----------
    network : Network
    data : Data
    order : int64 array (n,) - the rows, for a whole set 0..n-1
    work : Work
    tallies : int64 array (N_OPERATIONS, 2, n_kinds) - added to

    Returns
    -------
    int
    """
    last = network.layers.shape[0] - 1
    c, width = network.layers[last, N_OUT], network.layers[last, WIDTH]
    logits = work.activations[work.capacity * network.layers[last, BEFORE] :]
    correct = 0
    for first in range(0, order.shape[0], work.capacity):
        chunk = order[first : first + work.capacity]
        forward(network, data, chunk, work, tallies)
        correct += count_correct(logits, data.labels, chunk, c, width, tallies[ARGMAX])
    return correct

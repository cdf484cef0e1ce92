"""Exact decisions without looking at every image: are at least `needed` answers right?

The answer is no as soon as more images are missed than the target allows, and images missed at the last look are
mostly missed again: they come first. The answer yes needs a look at every image, so it comes with the exact count.
The plain form is `step.evaluate(...) >= needed`, which gives the same answer at every step; over a run to 90% on
MNIST's test set a decision looks at a fifth of the images.
"""

from __future__ import annotations

import numpy as np

from ..jit import kernel
from .loss import split_answers
from .network import BEFORE, N_OUT, WIDTH
from .simd import at, put
from .step import ARGMAX, forward


@kernel
def decide(network, data, order, needed, right, work, tallies):
    """Decide whether at least `needed` answers are right, looking at as few images as that takes.

    Parameters
    ----------
    network : Network
    data : Data
    order : int64 array (n,) - the rows to decide on, in the order of looking; reordered: rows missed, rows not looked
        at, rows right
    needed : int
    right : int64 array (n,) - scratch
    work : Work - images are looked at in chunks of its capacity
    tallies : int64 array (N_OPERATIONS, 2, n_kinds) - added to, for the images looked at

    Returns
    -------
    (int, int)
        Right answers if they are enough, else -1; and the number of images looked at.
    """
    n, last = order.shape[0], network.layers.shape[0] - 1
    c, width = network.layers[last, N_OUT], network.layers[last, WIDTH]
    logits = work.activations[work.capacity * network.layers[last, BEFORE] :]
    looked, n_missed = 0, np.intp(0)  # for numba a literal 0 would be a type, and make a second split_answers
    while looked < n and n_missed <= n - needed:
        chunk = order[looked : looked + work.capacity]
        forward(network, data, chunk, work, tallies)
        # The missed rows move to the front of `order`, where all rows have been read.
        n_missed = split_answers(
            logits, data.labels, chunk, c, width, order, n_missed, right, looked - n_missed, tallies[ARGMAX]
        )
        looked += chunk.shape[0]
    for i in range(n - looked):
        put(order, n_missed + i, at(order, looked + i))
    for i in range(looked - n_missed):
        put(order, n_missed + n - looked + i, at(right, i))
    return (n - n_missed if n_missed <= n - needed else -1), looked

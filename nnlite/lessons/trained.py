"""A small network that has learned, for lessons which look at one: made anew each time, in about a second.

In NumPy, so that no kernel is needed. Read it after lesson *backward*, which derives each of its lines.
"""

from __future__ import annotations

import functools

import numpy as np

import nnlite

RATE, BATCH_SIZE = 0.3, 64


@functools.cache
def trained_network() -> nnlite.MLP:
    """Train a 784-16-10 network of relu units on MNIST, from seed 0, by SGD.

    Returns
    -------
    MLP - float64; the same one at every call, so it is to be copied before it is changed
    """
    data, rng = nnlite.load_dataset("mnist"), np.random.default_rng(0)
    mlp = nnlite.MLP((784, 16, 10), rng=rng, dtype=np.float64)
    (w1, b1, w2, b2), images = mlp.parameters(), data.train_images
    order = rng.permutation(len(images))  # one epoch
    for start in range(0, len(order), BATCH_SIZE):
        batch = order[start : start + BATCH_SIZE]
        x, labels = images[batch], data.train_labels[batch]
        h = np.maximum(x @ w1 + b1, 0)
        dz2 = np.exp(h @ w2 + b2)  # scores this small cannot overflow
        dz2 /= dz2.sum(axis=1, keepdims=True)
        dz2[np.arange(len(batch)), labels] -= 1
        dz1 = (dz2 @ w2.T) * (h > 0)
        for parameter, slope in (
            (w1, x.T @ dz1),
            (b1, dz1.sum(axis=0)),
            (w2, h.T @ dz2),
            (b2, dz2.sum(axis=0)),
        ):
            parameter -= RATE / len(batch) * slope
    return mlp

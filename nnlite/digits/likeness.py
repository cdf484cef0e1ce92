"""Is this a digit at all? How far its strokes run otherwise than in any training image of the digit it is read as.

A network names one of its ten classes whatever it is shown, often with certainty; this measure knows the images that
it learnt from, as they are and as a thicker pen would have drawn them. It knows no network: the class is handed in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .prepare import SIZE, prepare

WINDOW, STEP = 6, 2  # pixels: a stroke a pixel aside is still the same stroke
UNLIKE = (0.033, 0.034, 0.055, 0.047, 0.053, 0.059, 0.036, 0.053, 0.042, 0.041)
"""Warn above it, digit by digit: so far from all other training images lie 3% of the last 10,000. Some were written by
the same people; of strangers' digits a few more lie farther. `python -m bench.digits` measures both."""


def unlikeness(image: NDArray[np.uint8], known: NDArray[np.float32]) -> float:
    """Measure how unlike an image is to all training images of a class.

    1 - max over t of edges(image) . edges(t), which is 1 minus the cosine of the angle to the nearest.

    Parameters
    ----------
    image : uint8 array (28, 28)
        Prepared, and not empty.
    known : float32 array (n, 576)
        What `known_edges` says of the training images of the class.

    Returns
    -------
    float
        0 for a training image, at most 1; above the `UNLIKE` of a class for what is most likely no digit of it.
    """
    return float(1 - (known @ edges(image[None])[0]).max())


def known_edges(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe training images (n, 784), and the same with a pixel more on each of four sides of every stroke.

    Returns
    -------
    float32 array (2 n, 576)
        `edges` of both; MNIST's pens are thin, and a felt pen's digits are digits too.
    """
    padded = np.pad(images.reshape(-1, SIZE, SIZE), ((0, 0), (1, 1), (1, 1)))
    middle = padded[:, 1:-1, 1:-1]
    sides = padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]
    thicker = np.array([prepare(image) for image in np.maximum.reduce([middle, *sides])])
    return np.concatenate([edges(images), edges(thicker)])


def edges(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe images by where, and towards which of four sides, their ink grows darker.

    Parameters
    ----------
    images : uint8 array (n, 28, 28) or (n, 784) - none of them empty

    Returns
    -------
    float32 array (n, 4 * 12 * 12)
        For the sides right, left, below, above: the roots of the averages, over windows of 6 x 6 pixels, of how much
        brighter the neighbour on that side is than the one opposite. A root, since an edge counts that is there, not
        how strong it is. Each row is divided by its length.
    """
    x = np.pad(images.reshape(-1, SIZE, SIZE).astype(np.float32) / np.float32(255), ((0, 0), (1, 1), (1, 1)))
    rightwards = x[:, 1:-1, 2:] - x[:, 1:-1, :-2]
    downwards = x[:, 2:, 1:-1] - x[:, :-2, 1:-1]
    sides = [np.maximum(growth, 0) for growth in (rightwards, -rightwards, downwards, -downwards)]
    found = np.sqrt(np.stack([_window_averages(side) for side in sides], axis=1)).reshape(len(x), -1)
    found /= np.sqrt((found**2).sum(axis=1, keepdims=True))
    return found


def _window_averages(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average (n, 28, 28) over windows of 6 x 6 pixels, every second one along both axes: (n, 12, 12)."""
    last = SIZE - WINDOW + 1
    x = sum((x[:, k : k + last : STEP] for k in range(1, WINDOW)), x[:, :last:STEP])
    x = sum((x[:, :, k : k + last : STEP] for k in range(1, WINDOW)), x[:, :, :last:STEP])
    averages: NDArray[np.float32] = x / np.float32(WINDOW**2)
    return averages

"""Is this a digit at all? How far its strokes run otherwise than in any training image of the digit it is read as.

A network names one of its ten classes whatever it is shown, often with certainty; this measure knows the images that
it learnt from. It knows no network: the class is handed in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .prepare import SIZE

WINDOW, STEP = 6, 2  # pixels: a stroke a pixel aside is still the same stroke
UNLIKE = (0.036, 0.038, 0.060, 0.051, 0.057, 0.063, 0.041, 0.055, 0.051, 0.043)
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
        `edges` of the training images of the class.

    Returns
    -------
    float
        0 for a training image, at most 1; above the `UNLIKE` of a class for what is most likely no digit of it.
    """
    return float(1 - (known @ edges(image[None])[0]).max())


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
    return x / np.float32(WINDOW**2)

"""Is this a digit at all? How far an image lies from the nearest training image of the class that the network says.

A network names one of its ten classes whatever it is shown, often with certainty; this measure knows the images that
it learnt from. It knows no network: the class is handed in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .prepare import SIZE

WINDOW = 4  # pixels: a stroke a pixel aside is still the same stroke
UNLIKE = 1.24
"""Warn above it. So far lie 4% of the test images' first half: `python -m bench.digits` measures it, and what it
does with the second half and with what is no digit."""


def unlikeness(image: NDArray[np.uint8], known: NDArray[np.float32]) -> float:
    """Measure how unlike an image is to all training images of a class.

    min over t of |s(image) - s(t)|^2 / |s(image)| with s as `smoothed` says. The squared distance grows with the ink,
    hence the division.

    Parameters
    ----------
    image : uint8 array (28, 28)
        Prepared, and not empty.
    known : float32 array (n, 625)
        The training images of the class, smoothed.

    Returns
    -------
    float
        0 for a training image; above `UNLIKE` for what is most likely no digit of that class.
    """
    seen = smoothed(image[None])
    squared_distances = ((known - seen) ** 2).sum(axis=1)
    return float(squared_distances.min() / np.sqrt((seen**2).sum()))


def smoothed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """See images (n, 784) through every window of 4 x 4 pixels: the averages, 0 to 1, as float32 (n, 25 * 25)."""
    x = images.reshape(-1, SIZE, SIZE).astype(np.float32) / np.float32(255 * WINDOW**2)
    n_places = SIZE - WINDOW + 1
    x = sum((x[:, k : k + n_places] for k in range(1, WINDOW)), x[:, :n_places])
    x = sum((x[:, :, k : k + n_places] for k in range(1, WINDOW)), x[:, :, :n_places])
    return np.ascontiguousarray(x, np.float32).reshape(len(x), -1)

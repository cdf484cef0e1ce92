"""Is this a digit at all? How far an image lies from the nearest training image of the class that the network says.

A network names one of its ten classes whatever it is shown, often with certainty; this measure knows the images that
it learnt from. It knows no network: the class is handed in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .prepare import SIZE

WINDOW = 4  # pixels: a stroke a pixel aside is still the same stroke
UNLIKE = 1.24
"""Warn above it. So far lie 4% of the test images' first half: `python -m bench.bench_digits` measures it, and what it
does with the second half and with what is no digit."""


def unlikeness(image: NDArray[np.uint8], of_class: NDArray[np.uint8]) -> float:
    """Measure how unlike an image is to all training images of a class.

    min over t of |s(image) - s(t)|^2 / |s(image)|, where s sees an image through every window of 4 x 4 pixels: their
    averages, 0 to 1. The squared distance grows with the ink, hence the division.

    Parameters
    ----------
    image : uint8 array (28, 28)
        Prepared, and not empty.
    of_class : uint8 array (n, 784)
        The training images of the class.

    Returns
    -------
    float
        0 for a training image; above `UNLIKE` for what is most likely no digit of that class.
    """
    seen, known = _smoothed(image[None]), _smoothed(of_class)
    squared_distances = ((known - seen) ** 2).sum(axis=1)
    return float(squared_distances.min() / np.sqrt((seen**2).sum()))


def _smoothed(images: NDArray[Any]) -> NDArray[np.float32]:
    """Average every window of the images; (n, 25 * 25), float32."""
    x = images.reshape(-1, SIZE, SIZE).astype(np.float32) / np.float32(255 * WINDOW**2)
    n_places = SIZE - WINDOW + 1
    x = sum(x[:, k : k + n_places] for k in range(WINDOW))
    x = sum(x[:, :, k : k + n_places] for k in range(WINDOW))
    return np.asarray(x, np.float32).reshape(len(images), -1)

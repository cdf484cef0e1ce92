"""A picture of one digit, made to look as MNIST's images do: light on dark, 20 pixels tall, centred by mass.

The second stage of an own digit. LeCun and others made MNIST's images in this way, so a network that learnt from them
knows no other. The arithmetic is plain float64 in a fixed order, which `page/draw.js` repeats to the bit.
Left out: files (`pictures`), slant, several digits in one picture.

Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits: "normalized to fit in a 20x20 pixel box
while preserving their aspect ratio ... centered in a 28x28 image by computing the center of mass".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import check_finite, real_array

SIZE = 28  # of an image, in pixels
BOX = 20  # the longer side of the ink
FAINTEST = 0.25  # of the strongest contrast with the paper: what is fainter is paper, its shadows and its noise

Floats = NDArray[np.float64]


def prepare(picture: ArrayLike) -> NDArray[np.uint8]:
    """Turn the greys of one digit into an image like MNIST's.

    Paper is the median of the picture's border; ink is what differs from it most, to the dark or to the light, and all
    that differs at least a quarter as much. The ink's box is averaged down (or up) to 20 pixels, its brightest pixel
    becomes 255, and its centre of mass comes to rest on pixel (14, 14), counted from 0, where MNIST has it.

    Parameters
    ----------
    picture : real array (height, width)
        Greys in any unit, dark on light or light on dark.

    Returns
    -------
    uint8 array (28, 28)
        0 is paper, 255 the strongest ink.

    Raises
    ------
    ValueError
        Not two-dimensional, a grey that is not finite, or no ink: all greys are alike.

    Examples
    --------
    >>> picture = np.full((90, 70), 200)  # paper
    >>> picture[20:80, 30:36] = 40  # a stroke, 60 tall and 6 wide
    >>> image = prepare(picture)
    >>> np.argwhere(image == 255).min(axis=0), np.argwhere(image == 255).max(axis=0)
    (array([ 4, 13]), array([23, 14]))
    """
    greys = real_array("picture", picture).astype(np.float64)
    if greys.ndim != 2 or greys.size == 0:
        raise ValueError(f"picture: expected greys (height, width), found shape {greys.shape}")
    check_finite(greys[None], "a grey that is not finite")
    ink = _ink(greys)
    n_rows, n_columns = ink.shape
    scale = BOX / max(n_rows, n_columns)
    small = _averaged(ink, max(1, _rounded(n_rows * scale)))
    small = _averaged(small.T, max(1, _rounded(n_columns * scale))).T
    small = np.floor(small / small.max() * 255 + 0.5)
    image = np.zeros((SIZE, SIZE), np.uint8)
    top, left = (_start(small.sum(axis=1 - axis)) for axis in (0, 1))
    image[top : top + len(small), left : left + small.shape[1]] = small
    return image


def _ink(greys: Floats) -> Floats:
    """Return the box of the ink, light on dark: 0 is paper."""
    border = np.sort(np.concatenate([greys[0], greys[-1], greys[1:-1, 0], greys[1:-1, -1]]))
    ink = greys - border[len(border) // 2]
    if -ink.min() > ink.max():
        ink = -ink
    strongest = ink.max()
    if strongest == 0:
        raise ValueError("no ink: all greys of the picture are alike")
    ink[ink < FAINTEST * strongest] = 0
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    box: Floats = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return box


def _averaged(x: Floats, n_out: int) -> Floats:
    """Average rows (n, m) into n_out rows of equal height, which may begin and end between two of them.

    The sum up to any height, linear between whole rows, is taken at the borders of the new rows; an average is the
    difference of two neighbours over their distance. One row after the other is added: the order is part of the result.
    """
    n = len(x)
    up_to = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0)])
    borders = np.arange(n_out + 1) * n / n_out
    whole = np.minimum(borders.astype(np.int64), n - 1)
    sums = up_to[whole] + (borders - whole)[:, None] * x[whole]
    averages: Floats = (sums[1:] - sums[:-1]) * n_out / n
    return averages


def _start(mass: Floats) -> int:
    """Return where a box of rows begins: its centre of mass is nearest to row 14 (half a row above it, not below)."""
    centre = float((mass * np.arange(len(mass))).sum() / mass.sum())  # sums of whole numbers: exact in any order
    return min(max(int(np.ceil(SIZE / 2 - 0.5 - centre)), 0), SIZE - len(mass))


def _rounded(x: float) -> int:
    """Round halves up, as JavaScript does; Python rounds them to even."""
    return int(np.floor(x + 0.5))

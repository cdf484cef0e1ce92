"""Images as rows of nonzero pixels: a data set stored once, in a form whose first layer costs its nonzeros.

81% of MNIST's pixels are zero. `build_rows` keeps (pixel, value) of the others, in one counted pass over the bytes that
makes no float copy of them; every run and thread reads the same store. An arm's class means are extra rows at its end.
What is done with rows is in `first_layer`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...arguments import for_reading
from ..jit import kernel
from ..ops import ADD, CMP, DENSE, DIV, EXECUTED

MAX_FEATURES = 1 << 16  # pixel numbers are uint16
_BLOCK = 400  # most pixels in a block: 100 kB of a panel, of which a batch uses half
_LARGEST_BYTE = np.float32(255)


class Rows(NamedTuple):
    """Images as rows of nonzero pixels.

    Attributes
    ----------
    start : int64 array (n_rows * n_blocks + 1,) - block b of row i is start[i * n_blocks + b] to the next start; the
        blocks part the pixels evenly, and row i ends where row i + 1 starts
    pixel : uint16 array (n_nonzero,) - ascending in a row
    value : float32 array (n_nonzero,)
    n_features : int - pixels of an image, nonzero or not
    n_blocks : int
    """

    start: np.ndarray
    pixel: np.ndarray
    value: np.ndarray
    n_features: int
    n_blocks: int

    @property
    def n_rows(self):
        """The number of images."""
        return (len(self.start) - 1) // self.n_blocks

    @property
    def density(self):
        """The share of pixels that are not zero, 0 to 1."""
        return len(self.pixel) / max(1, self.n_rows * self.n_features)


def build_rows(parts, tally):
    """Build one store of rows from images in one or more arrays: first count, then fill, never a dense copy.

    Parameters
    ----------
    parts : sequence of arrays (n, p), each uint8 (divided by 255) or float32 (taken as they are), C-contiguous
        The images of the second array follow those of the first, and so on.
    tally : int64 array (2, n_kinds)
        Added to.

    Returns
    -------
    Rows

    Raises
    ------
    ValueError
        If the arrays differ in p, or p is 0 or above 65,536.
    """
    parts = [for_reading(part) for part in parts]
    n_features = parts[0].shape[1]
    if any(part.shape[1] != n_features for part in parts):
        raise ValueError(f"parts of {[part.shape[1] for part in parts]} pixels: expected one number of pixels for all")
    if not 0 < n_features <= MAX_FEATURES:
        raise ValueError(f"{n_features} pixels: rows hold 1 to {MAX_FEATURES}")
    n_blocks = -(-n_features // _BLOCK)
    start = np.zeros(sum(len(part) for part in parts) * n_blocks + 1, np.int64)
    first = 0
    for part in parts:
        count_nonzero(part, n_blocks, start[first * n_blocks + 1 :], tally)
        first += len(part)
    np.cumsum(start, out=start)
    pixel = np.empty(start[-1], np.uint16)
    value = np.empty(start[-1], np.float32)
    first = 0
    for part in parts:
        fill = fill_from_bytes if part.dtype == np.uint8 else fill_from_floats
        fill(part, start[first * n_blocks], pixel, value, tally)
        first += len(part)
    return Rows(start, pixel, value, n_features, n_blocks)


def count_of(rows, order):
    """Return how many nonzero pixels the images `order` (int64 array) have in all."""
    return int((rows.start[(order + 1) * rows.n_blocks] - rows.start[order * rows.n_blocks]).sum())


@kernel
def count_nonzero(images, n_blocks, count, tally):
    """Count the nonzero pixels of each block of each image.

    count[i n_blocks + b] = number of pixels k in block b with images[i, k] != 0

    Parameters
    ----------
    images : uint8 or float32 array (n, p)
    n_blocks : int - block b is the pixels from b size to (b + 1) size, size = ceil(p / n_blocks)
    count : int64 array (at least n n_blocks,) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: none; executed: n p cmp
    """
    n, p = images.shape
    size = -(-p // n_blocks)
    for i in range(n):
        for b in range(n_blocks):
            nonzero = 0
            for k in range(b * size, min(p, (b + 1) * size)):
                if images[i, k] != 0:
                    nonzero += 1
            count[i * n_blocks + b] = nonzero
    tally[EXECUTED, CMP] += n * p


@kernel
def fill_from_bytes(images, first, pixel, value, tally):
    """Write the nonzero pixels of byte images, scaled to 0..1.

    value = byte / 255

    Parameters
    ----------
    images : uint8 array (n, p)
    first : int - where the first image's row starts
    pixel : uint16 array (n_nonzero,) - overwritten from first
    value : float32 array (n_nonzero,) - overwritten from first
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n p div; executed: n p cmp and a div for each nonzero pixel
    """
    n, p = images.shape
    k = first
    for i in range(n):
        for j in range(p):
            if images[i, j] != 0:
                pixel[k] = j
                value[k] = images[i, j] / _LARGEST_BYTE
                k += 1
    tally[DENSE, DIV] += n * p
    tally[EXECUTED, CMP] += n * p
    tally[EXECUTED, DIV] += k - first


@kernel
def fill_from_floats(images, first, pixel, value, tally):
    """Write the nonzero pixels of float images as they are.

    Parameters
    ----------
    images : float32 array (n, p)
    first : int - where the first image's row starts
    pixel : uint16 array (n_nonzero,) - overwritten from first
    value : float32 array (n_nonzero,) - overwritten from first
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: none; executed: n p cmp
    """
    n, p = images.shape
    k = first
    for i in range(n):
        for j in range(p):
            if images[i, j] != 0:
                pixel[k] = j
                value[k] = images[i, j]
                k += 1
    tally[EXECUTED, CMP] += n * p


@kernel
def class_sums_rows(rows, order, labels, sums, tally):
    """Add images to the sums of their classes; the form of `nnlite.kernels.reduce.class_sums` that skips zeros.

    sums[labels[i], k] += value of pixel k of row i, for every row i of order

    Parameters
    ----------
    rows : Rows
    order : int64 array (n,) - which rows, in this order
    labels : int64 array - of all rows, in 0..c-1
    sums : float64 array (c, p) - added to
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n p add; executed: an add for each nonzero pixel
    """
    n_added = 0
    for s in range(order.shape[0]):
        label, row = labels[order[s]], order[s] * rows.n_blocks
        for k in range(rows.start[row], rows.start[row + rows.n_blocks]):
            sums[label, np.intp(rows.pixel[k])] += rows.value[k]
        n_added += rows.start[row + rows.n_blocks] - rows.start[row]
    tally[DENSE, ADD] += order.shape[0] * rows.n_features
    tally[EXECUTED, ADD] += n_added

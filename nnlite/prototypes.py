"""Labelled images -> one image per class.

The class-average images that the published claim pretrains on. This module knows arrays and the tally, no files, no
networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import class_labels, in_words, real_array
from .flops import Tally
from .kernels import reduce
from .kernels.fast.rows import Rows, class_sums_rows
from .schedule import checked_numbers

_CHUNK = 4096  # images converted at a time, so that a large set never exists twice


class EmptyClassError(ValueError):
    """A class without images, of which there is no average."""


def class_means(
    images: npt.ArrayLike | Rows,
    labels: npt.ArrayLike,
    n_classes: int | None = None,
    tally: Tally | None = None,
    rows: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[Any]:
    """Average the images of each class.

    means[j] = sum of the images with label j / number of images with label j

    Parameters
    ----------
    images : float array (n_samples, n_features), or Rows
        float64 gives float64 means, all else float32.
    labels : integer array (n_samples,)
        In 0..n_classes-1.
    n_classes : int, optional
        The largest label + 1 by default.
    tally : Tally, optional
        Is added n n_features add for the n images averaged, and n_classes n_features div, in phase `data`.
    rows : int64 array, optional
        Numbers of the images to average, in this order; all by default.

    Returns
    -------
    float32 or float64 array (n_classes, n_features)

    Raises
    ------
    ValueError
        A label out of range, a number of labels other than of images, images that are no real numbers, pixels that
        are not finite.
    EmptyClassError
        A class without images; a ValueError too.

    Notes
    -----
    Sums in float64, in the order of the images; then one division, rounded to the dtype of the means.

    Examples
    --------
    >>> import numpy as np
    >>> class_means(np.float32([[0, 1], [1, 1], [4, 4]]), [0, 0, 1])
    array([[0.5, 1. ],
           [4. , 4. ]], dtype=float32)
    """
    if not isinstance(images, Rows):
        images = real_array("images", images)
    shape = (images.n_rows, images.n_features) if isinstance(images, Rows) else images.shape
    if len(shape) != 2 or shape[0] == 0:
        raise ValueError(f"images: expected shape (n_samples, n_features), at least one sample, found {shape}")
    labels = class_labels("labels", labels, shape[0], n_classes)
    n_classes = int(labels.max()) + 1 if n_classes is None else n_classes
    rows = np.arange(shape[0]) if rows is None else checked_numbers(rows, shape[0])
    counts = counts_per_class(labels[rows], n_classes)
    tally = Tally() if tally is None else tally
    sums = np.zeros((n_classes, shape[1]))
    double = not isinstance(images, Rows) and images.dtype == np.float64
    means = np.empty(sums.shape, np.float64 if double else np.float32)
    with tally.phase("data"):
        _add_to_sums(images, rows, labels, sums, means.dtype, tally.kernel("class_sums"))
        reduce.divide_sums(sums, counts, means, tally.kernel("divide_sums"))
    finite = np.isfinite(means).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"class {finite.argmin()} has an image with a pixel that is not finite, or sums beyond float64"
        )
    return means


def _add_to_sums(
    images: npt.NDArray[Any] | Rows,
    rows: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    sums: npt.NDArray[np.float64],
    dtype: np.dtype[Any],
    counters: npt.NDArray[np.int64],
) -> None:
    """Add images, in the dtype of the means, to the sums of their classes."""
    if isinstance(images, Rows):
        class_sums_rows(images, rows, labels, sums, counters)
        return
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        reduce.class_sums(np.ascontiguousarray(images[chunk], dtype), labels[chunk], sums, counters)


def counts_per_class(labels: npt.NDArray[Any], n_classes: int) -> npt.NDArray[np.int64]:
    """Count the images of each class.

    Parameters
    ----------
    labels : int64 array (n_samples,)
        In 0..n_classes-1.
    n_classes : int

    Returns
    -------
    int64 array (n_classes,), all above 0

    Raises
    ------
    EmptyClassError
        A class without images, which has no average.
    """
    found, counts = np.unique(labels, return_counts=True)
    if len(found) < n_classes:  # memory follows the labels there are, whatever the largest of them claims
        first = int((np.append(found, -1) != np.arange(len(found) + 1)).argmax())
        raise EmptyClassError(
            f"class {first} has no images; the labels found are {in_words(found)}; number them from "
            "0 without gaps, or add images"
        )
    return counts.astype(np.int64)

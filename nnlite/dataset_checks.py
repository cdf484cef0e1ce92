"""Whether the files of a data set are images and labels that fit each other.

`datasets` asks this of what it has read; every refusal names the file and, where there is one, the byte. It finds and
reads nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlite.arguments import label_advice
from nnlite.idx import IdxFormatError, idx_header


def check_kind(path: str, stem: str, array: NDArray[Any]) -> None:
    """Raise IdxFormatError unless a file has images or integer labels, one an image, as its stem says."""
    wanted = "labels" if "labels" in stem else "images"
    found = "labels" if array.ndim == 1 else "images"
    magic = idx_header(array)[:4].hex(" ")
    if wanted == "labels" and array.ndim == 2:  # its images were read before, and are images
        problem = f"expected one label an image (magic 00 00 08 01), found rows of {array.shape[1]} (magic {magic})"
        raise IdxFormatError(path, 3, "00 00 08 01", magic, problem + label_advice(array, len(array)))
    if wanted != found:
        expected = "00 00 08 01" if wanted == "labels" else "00 00 08 03"
        problem = f"expected {wanted} (magic {expected}), found {found} (magic {magic}); are two files swapped?"
        raise IdxFormatError(path, 3, expected, magic, problem)
    if wanted == "labels" and array.dtype.kind == "f":
        problem = f"expected labels that are integers (magic 00 00 08 01), found {array.dtype} (magic {magic})"
        problem += label_advice(array, len(array))
        raise IdxFormatError(path, 2, "00 00 08 01", magic, problem)


def check_images(path: str, images: NDArray[Any], labels_path: str, labels: NDArray[Any]) -> None:
    """Raise IdxFormatError unless there is a label for every image, at least one pixel, and every pixel is finite."""
    if len(images) != len(labels):
        problem = f"header promises {len(images)} images, but {labels_path} holds {len(labels)} labels; "
        problem += "do both belong to the same part of the same data set?"
        raise IdxFormatError(path, 4, len(labels), len(images), problem)
    if images.size == 0:
        problem = f"expected at least one image of at least one pixel, found the sizes {images.shape}"
        raise IdxFormatError(path, 4, "no size of 0", images.shape, problem)
    if images.dtype.kind == "f":
        limit = np.finfo(np.float32).max
        if not -limit <= images.min() <= images.max() <= limit:  # false for NaN as well
            with np.errstate(invalid="ignore"):
                bad = ~(np.abs(images) <= limit)
            index = int(bad.argmax())
            offset, value = len(idx_header(images)) + index * images.itemsize, images.flat[index]
            problem = f"expected pixels that are finite in float32, found {value} in image {index // bad[0].size}"
            raise IdxFormatError(path, offset, f"at most {limit}", float(value), problem)


def check_labels(path: str, labels: NDArray[Any], n_classes: int) -> None:
    """Raise IdxFormatError at the first label outside 0 to n_classes - 1."""
    bad = (labels < 0) | (labels.astype(np.int64) >= n_classes)
    if bad.any():
        index = int(bad.argmax())
        offset, value = len(idx_header(labels)) + index * labels.itemsize, int(labels[index])
        problem = f"expected labels from 0 to {n_classes - 1}, found {value} at index {index}"
        raise IdxFormatError(path, offset, f"0 to {n_classes - 1}", value, problem)

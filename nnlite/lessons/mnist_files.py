"""Where MNIST's training files lie, and their raw bytes: what a lesson that takes them apart starts from.

Everyone else loads a data set by name, from `nnlite.datasets`.
"""

from __future__ import annotations

from pathlib import Path

from nnlite.datasets import load_dataset
from nnlite.files import reading
from nnlite.idx import idx_sha256, read_idx
from nnlite.places import find_files, places

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def find_training_files() -> tuple[Path, Path]:
    """Find the two training files that `load_dataset("mnist")` loads.

    Returns
    -------
    (images, labels) : Path, Path

    Raises
    ------
    IdxFormatError, OSError
        As from `load_dataset`: damaged, or missing, with the places tried.
    """
    verified = load_dataset("mnist").sha256
    for folder in places("mnist", None):
        try:
            paths, missing = find_files(folder)
        except OSError:  # of the places, most do not exist
            continue
        if not missing and idx_sha256(read_idx(paths[LABELS])) == verified[LABELS]:
            return paths[IMAGES], paths[LABELS]
    raise FileNotFoundError("mnist: its files were moved while they were read")


def read_bytes(path: Path) -> bytes:
    """Read a whole file, decompressed.

    Parameters
    ----------
    path : Path - plain, gzip or xz

    Returns
    -------
    bytes
    """
    with reading(path) as (stream, _):
        return stream.read()

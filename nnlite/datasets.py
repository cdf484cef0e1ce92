"""Load, verify and split data sets of labelled images.

The second stage of the data path: `places` says where files may lie, `idx` turns each into an array, this module turns
four of them into a `Dataset`, and class means, networks and training take images and labels from it. Known sets are
verified against pinned SHA-256 hashes at every load. It leaves out downloading (`download`) and augmentation.

Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits; Xiao, Rasul and Vollgraf 2017, Fashion-MNIST
(arXiv:1708.07747).
"""

from __future__ import annotations

import difflib
import errno
import operator
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlite.dataset_checks import check_images, check_kind, check_labels
from nnlite.files import path_name
from nnlite.idx import IdxFormatError, idx_sha256, read_idx
from nnlite.places import KNOWN_SETS, STEMS, find_files, named_root, near_misses, places
from nnlite.showing import Shown

MAX_CLASSES = 1 << 16  # a larger label is damage, and would become a layer of that width
_scaling = threading.Lock()


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Shown):
    """Hold labelled images as they were read, and scale them on first access.

    Attributes
    ----------
    name : str - the known name, or the folder's
    train_pixels, test_pixels : uint8 (n_samples, n_features) - or the element type of a folder's own files
    train_labels, test_labels : int64 (n_samples,) - 0 to n_classes - 1
    n_classes : int - the largest training label plus one
    image_shape : tuple of int - one image before it became a row; (28, 28) for MNIST
    sha256 : dict of str - file stem to the SHA-256 of its raw IDX bytes
    notes : tuple of str - places that were passed over, and why, and files of no known hash; for a person to read
    folder : str - where its files were found, so that another process can read them itself; "" if made in memory
    train_images, test_images : float32 (n_samples, n_features) - float32(byte) / float32(255); other element types are
        converted and not scaled, since only bytes say what their largest value is
    """

    name: str
    train_pixels: NDArray[Any]
    train_labels: NDArray[np.int64]
    test_pixels: NDArray[Any]
    test_labels: NDArray[np.int64]
    n_classes: int
    image_shape: tuple[int, ...]
    sha256: dict[str, str]
    notes: tuple[str, ...] = ()
    folder: str = ""
    _floats: dict[str, NDArray[np.float32]] = field(default_factory=dict, init=False)

    @property
    def train_images(self) -> NDArray[np.float32]:
        """Return the training images as float32, the same array at every access."""
        return self._scaled("train", self.train_pixels)

    @property
    def test_images(self) -> NDArray[np.float32]:
        """Return the test images as float32, the same array at every access."""
        return self._scaled("test", self.test_pixels)

    def _scaled(self, part: str, pixels: NDArray[Any]) -> NDArray[np.float32]:
        with _scaling:  # threads that share a data set share one copy of its floats
            if part not in self._floats:
                images = np.empty(pixels.shape, np.float32)
                if pixels.dtype == np.uint8:
                    np.divide(pixels, np.float32(255), out=images)  # float32 all the way, in NumPy's small buffers
                else:
                    images[...] = pixels
                self._floats[part] = images
            return self._floats[part]

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.image_shape))
        counts = f"{len(self.train_labels)} + {len(self.test_labels)} images of {shape}"
        return f"Dataset({self.name!r}: {counts}, {self.n_classes} classes)"

    def _facts(self) -> list[tuple[str, ...]]:
        return [
            ("images", "training", "test"),
            ("number", f"{len(self.train_labels):,}", f"{len(self.test_labels):,}"),
            ("pixels", *(f"{pixels.dtype} {pixels.shape}" for pixels in (self.train_pixels, self.test_pixels))),
            ("of a class", _fewest_and_most(self.train_labels), _fewest_and_most(self.test_labels)),
            *[("note", note) for note in self.notes],
        ]


def _fewest_and_most(labels: NDArray[np.int64]) -> str:
    numbers = np.bincount(labels)
    return f"{numbers.min():,} to {numbers.max():,}"


def load_dataset(
    name_or_folder: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None = None, verify: bool = True
) -> Dataset:
    """Load a known data set by name, or the four IDX files of a folder.

    A known name is looked for in `data_dir` alone if that is given, else in NNLITE_DATA alone if that is set; else in
    ./data, the source tree's own data/, the user's cache folder and the system's data-set folders; in each root first
    under ROOT/NAME, then in ROOT.

    Parameters
    ----------
    name_or_folder : str or path-like - "mnist", "fashion-mnist", or a folder with train-images-idx3-ubyte,
        train-labels-idx1-ubyte and the same two for t10k; .gz, .xz and the spelling train-images.idx3-ubyte will do
    data_dir : str or path-like - the root for known names; a folder does not use it
    verify : bool - compare a known name's files with their pinned hashes; False for data of one's own under that name

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError - an unknown name that is no folder; an empty path
    IdxFormatError - a file is malformed, is not what its name says, does not fit the others, or fails its hash
    FileNotFoundError - a file is missing; the message lists the places tried and how to get the data
    OSError - a file cannot be read

    Examples
    --------
    >>> load_dataset("mnsit")
    Traceback (most recent call last):
    ValueError: mnsit: unknown data set, and no folder; did you mean mnist? (known: mnist, fashion-mnist)
    """
    if isinstance(name_or_folder, str) and name_or_folder in KNOWN_SETS:
        return _load_known(name_or_folder, data_dir, verify)
    name = path_name(name_or_folder)
    folder = Path(name)
    if folder.is_dir():
        paths, missing = find_files(folder)
        if missing:
            spellings = "with or without .gz or .xz, or spelt train-images.idx3-ubyte"
            problem = f"{folder}: the folder lacks {', '.join(missing)} ({spellings}){_near(folder)}"
            raise FileNotFoundError(problem)
        arrays = _read(paths)
        return _assemble(folder.resolve().name, paths, arrays, _hashes(arrays), ())
    if folder.exists():
        raise NotADirectoryError(errno.ENOTDIR, "a file, where a folder with four IDX files was expected", name)
    if not isinstance(name_or_folder, str) or len(folder.parts) > 1:
        raise FileNotFoundError(errno.ENOENT, "no such folder; it should hold four IDX files", name)
    close = difflib.get_close_matches(name.lower(), KNOWN_SETS, n=1)
    guess = f"; did you mean {close[0]}?" if close else ""
    raise ValueError(f"{name}: unknown data set, and no folder{guess} (known: {', '.join(KNOWN_SETS)})")


def validation_split(
    n_samples: int, n_validation: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split row numbers at random into training and validation rows, each sorted, that share none and leave none out.

    Parameters
    ----------
    n_samples : int - rows to split
    n_validation : int - how many of them validate; 1 to n_samples - 1
    rng : numpy.random.Generator - decides which; the same state gives the same split

    Returns
    -------
    (train_rows, validation_rows) : int64 (n_samples - n_validation,), int64 (n_validation,) - ascending

    Raises
    ------
    ValueError - either part would be empty

    Examples
    --------
    >>> train_rows, validation_rows = validation_split(5, 2, np.random.default_rng(0))
    >>> sorted([*train_rows.tolist(), *validation_rows.tolist()])
    [0, 1, 2, 3, 4]
    """
    n_samples, n_validation = operator.index(n_samples), operator.index(n_validation)
    if not 0 < n_validation < n_samples:
        raise ValueError(f"n_validation must be 1 to {n_samples - 1} for {n_samples} samples, found {n_validation}")
    validates = np.zeros(n_samples, bool)
    validates[rng.permutation(n_samples)[:n_validation]] = True
    return np.flatnonzero(~validates).astype(np.int64), np.flatnonzero(validates).astype(np.int64)


def _load_known(name: str, data_dir: str | os.PathLike[str] | None, verify: bool) -> Dataset:
    """Load a known set from the first place that has it."""
    tried: list[str] = []
    notes: list[str] = []
    root, how = named_root(data_dir)
    for folder in places(name, data_dir):
        try:
            paths, missing = find_files(folder)
        except OSError as error:
            tried.append(f"{folder} ({error.strerror})")
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                notes.append(f"{folder} passed over: {error.strerror}")
            continue
        if missing:
            lack = f"no {', '.join(missing)}" if paths else "none of the files"
            tried.append(f"{folder} ({lack}{_near(folder)})")
            if paths:
                notes.append(f"{folder} passed over: {lack}")
            continue
        arrays = _read(paths)
        hashes = _hashes(arrays)
        other = next((known for known, pinned in KNOWN_SETS.items() if known != name and pinned == hashes), None)
        if other is not None and root is None:
            notes.append(f"{folder} passed over: it holds {other}, not {name}")
            tried.append(f"{folder} (holds {other})")
            continue
        if hashes != KNOWN_SETS[name]:
            if verify or other is not None:
                raise _hash_error(name, paths, hashes)
            notes.append(f"{folder} is not the known {name}: used as it is, without verification")
        return _assemble(name, paths, arrays, hashes, tuple(notes))
    if root is not None:
        raise FileNotFoundError(
            f"{name} not found where {how} says; tried, in order: {', '.join(tried)}\n"
            f"`nnlite-data {name} --to {path_name(root)}` downloads it there; without {how} it is looked for elsewhere"
        )
    raise FileNotFoundError(
        f"{name} not found; places tried, in order: {', '.join(tried)}\n"
        f"`nnlite-data {name}` downloads it; without a network, copy its four IDX files into ./data/{name}, or name "
        "their folder by --data-dir or NNLITE_DATA"
    )


def _near(folder: Path) -> str:
    """Say which files of a folder have nearly the right names."""
    near = near_misses(folder)
    return f"; there are {', '.join(near)}: rename them or name their folder" if near else ""


def _read(paths: dict[str, Path]) -> dict[str, NDArray[Any]]:
    """Read the four files and see that images are images and labels are labels."""
    arrays = {}
    for stem, path in paths.items():
        arrays[stem] = array = read_idx(path)
        check_kind(str(path), stem, array)
    return arrays


def _hash_error(name: str, paths: dict[str, Path], hashes: dict[str, str]) -> IdxFormatError:
    """Return the error for the first file whose hash is not the pinned one, with what the file is if that is known."""
    stem = next(stem for stem in STEMS if hashes[stem] != KNOWN_SETS[name][stem])
    expected, found = KNOWN_SETS[name][stem], hashes[stem]
    known = {pinned: (other, stem) for other, pins in KNOWN_SETS.items() for stem, pinned in pins.items()}
    cause = "it is damaged or was changed; fetch it again"
    if found in known:
        cause = "it really is {1} of {0}; put the right file there".format(*known[found])
    problem = f"SHA-256 of the raw bytes should be {expected} for {name}, found {found}: {cause}, or "
    problem += "pass --no-verify (verify=False) for data of your own"
    return IdxFormatError(str(paths[stem]), None, expected, found, problem)


def _hashes(arrays: dict[str, NDArray[Any]]) -> dict[str, str]:
    return {stem: idx_sha256(array) for stem, array in arrays.items()}


def _assemble(
    name: str,
    paths: dict[str, Path],
    arrays: dict[str, NDArray[Any]],
    sha256: dict[str, str],
    notes: tuple[str, ...],
) -> Dataset:
    """Check that the four arrays fit each other, and join them."""
    train_images, train_labels, test_images, test_labels = (arrays[stem] for stem in STEMS)
    train_images_path, train_labels_path, test_images_path, test_labels_path = (str(paths[stem]) for stem in STEMS)
    check_images(train_images_path, train_images, train_labels_path, train_labels)
    check_images(test_images_path, test_images, test_labels_path, test_labels)
    image_shape = train_images.shape[1:]
    if test_images.shape[1:] != image_shape:
        problem = f"expected images of {image_shape}, as in {train_images_path}, found {test_images.shape[1:]}"
        raise IdxFormatError(test_images_path, 8, image_shape, test_images.shape[1:], problem)
    check_labels(train_labels_path, train_labels, MAX_CLASSES)
    n_classes = int(train_labels.max()) + 1
    check_labels(test_labels_path, test_labels, n_classes)
    return Dataset(
        name=name,
        train_pixels=train_images.reshape(len(train_images), -1),
        train_labels=train_labels.astype(np.int64),
        test_pixels=test_images.reshape(len(test_images), -1),
        test_labels=test_labels.astype(np.int64),
        n_classes=n_classes,
        image_shape=image_shape,
        sha256=sha256,
        notes=notes,
        folder=str(paths[STEMS[0]].parent.absolute()),
    )

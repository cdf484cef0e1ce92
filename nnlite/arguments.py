"""What callers hand in, checked once: numbers for optimizers, images, labels.

Whatever takes images, labels or hyperparameters asks here what may pass, so that all refuse alike and in the same
words. It knows no network and no kernel. Left out: shapes, which depend on who asks.
"""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_FAR = 10  # times the largest input of training: further than outliers of the same data lie
_TWICE = 255**2  # a byte that was divided by 255 twice is a whole number of these parts
_ENOUGH = 1000  # images, to tell what all of them are


def positive(name: str, value: float, dtype: npt.DTypeLike = np.float64) -> np.floating[Any]:
    """Round a number that must be above 0 to the dtype it will be computed with.

    Parameters
    ----------
    name : str
        What messages call it.
    value : real number
        Above 0; within the normal range of dtype, where rounding keeps its digits.
    dtype : float32 or float64

    Returns
    -------
    scalar of dtype

    Raises
    ------
    TypeError
        No real number: a bool, text, complex, an array, None.
    ValueError
        0 or less, not finite, or what dtype would round to 0 or to infinity.

    Examples
    --------
    >>> positive("epsilon", 1e-60, np.float32)
    Traceback (most recent call last):
    ValueError: epsilon 1e-60: float32 rounds it to 0; the smallest that works is 1.18e-38
    """
    if _real(name, value) == 0:
        raise ValueError(f"{name} {value}: must be above 0 and finite")
    return not_negative(name, value, dtype)


def not_negative(name: str, value: float, dtype: npt.DTypeLike = np.float64) -> np.floating[Any]:
    """Round a number that must be 0 or above to the dtype it will be computed with; as `positive`, but for 0."""
    number = _real(name, value)
    if not 0 <= number < np.inf:
        raise ValueError(f"{name} {number:g}: must be above 0 and finite")
    return _rounded(name, number, dtype)


def fraction(name: str, value: float, dtype: npt.DTypeLike = np.float64) -> np.floating[Any]:
    """Round a number in [0, 1) to the dtype it will be computed with; parameters and errors as `positive`.

    Examples
    --------
    >>> fraction("momentum", 1 - 1e-9, np.float32)
    Traceback (most recent call last):
    ValueError: momentum 0.999999999: float32 rounds it to 1; the largest that works is 0.99999994
    """
    number = _real(name, value)
    if not 0 <= number < 1:
        raise ValueError(f"{name} {number:g}: must be at least 0 and below 1")
    rounded = _rounded(name, number, dtype)
    if rounded == 1:
        largest = str(np.nextafter(rounded, rounded.dtype.type(0)))
        raise ValueError(f"{name} {number!r}: {rounded.dtype} rounds it to 1; the largest that works is {largest}")
    return rounded


def whole_number(name: str, value: int) -> int:
    """Return a whole number from 1 on as Python's int; TypeError for anything else, ValueError below 1.

    Examples
    --------
    >>> whole_number("epochs", 1.5)
    Traceback (most recent call last):
    TypeError: epochs: expected a whole number, found 1.5
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}: expected a whole number, found {value!r:.60}")
    if value < 1:
        raise ValueError(f"{name} {value}: must be at least 1")
    return int(value)


def real_array(name: str, value: npt.ArrayLike) -> Array:
    """Return an array of real numbers, as it is where it is one; nothing is copied that need not be.

    Parameters
    ----------
    name : str
        What messages call it.
    value : array
        bool, integers or floats of any width.

    Raises
    ------
    ValueError
        Complex numbers, text, dates, records, objects, rows of unequal length, an array with masked entries, a sparse
        matrix of scipy.

    Examples
    --------
    >>> real_array("images", ["a"])
    Traceback (most recent call last):
    ValueError: images: expected an array of real numbers, found text (dtype <U1)
    """
    if type(value).__module__.startswith("scipy.sparse"):  # known by its name: scipy is not needed here
        raise ValueError(f"{name}: a sparse matrix of scipy; {name}.toarray() is the array that is wanted")
    if np.ma.is_masked(value):
        raise ValueError(f"{name}: an array with masked entries, which have no value; fill them or drop their images")
    try:
        array = np.asarray(value)
    except ValueError as error:  # NumPy's words are about sequences and elements
        raise ValueError(f"{name}: expected an array of real numbers, found rows of unequal length") from error
    if array.dtype.kind not in "biuf":
        kinds = {"c": "complex numbers", "U": "text", "S": "text", "M": "dates", "m": "spans of time", "V": "records"}
        found = kinds.get(array.dtype.kind, "Python objects")
        raise ValueError(f"{name}: expected an array of real numbers, found {found} (dtype {array.dtype})")
    return array


class _SameMemory:
    """What NumPy makes an array of that may be written; it holds the array whose memory that is."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}


def for_reading(array: Array) -> Array:
    """Return an array over the same memory of the one type that kernels are compiled for, for kernels that only read.

    numba has a type of its own for arrays that are read-only, as memory maps often are, and would compile every kernel
    again for it. Whoever writes to what this returns writes to memory that may not be written.

    Examples
    --------
    >>> kept = np.arange(3)
    >>> kept.flags.writeable = False
    >>> for_reading(kept).flags.writeable, for_reading(kept).ctypes.data == kept.ctypes.data
    (True, True)
    """
    if array.flags.writeable:
        return np.asarray(array)  # a memory map is an array by another name
    return np.asarray(_SameMemory(array))


def random_generator(name: str, rng: object) -> np.random.Generator:
    """Return a generator as it is, and the one of a seed from 0 on; TypeError for anything else."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0:
        raise TypeError(f"{name}: expected a seed such as 0 or np.random.default_rng(0), found {rng!r:.60}")
    return np.random.default_rng(int(rng))


def class_labels(name: str, value: npt.ArrayLike, n_samples: int, n_classes: int | None) -> npt.NDArray[np.int64]:
    """Return labels as int64, one a sample.

    Parameters
    ----------
    name : str
        What messages call them.
    value : integer array (n_samples,)
    n_samples : int
    n_classes : int or None
        Labels are 0 to n_classes - 1; None for any from 0 on that int64 holds.

    Returns
    -------
    int64 array (n_samples,) - C-contiguous, aligned and writable

    Raises
    ------
    ValueError
        Another shape (a column, one-hot rows), no integers, or a label out of range, with its place.

    Examples
    --------
    >>> class_labels("labels", [[0, 1], [1, 0]], 2, 2)
    Traceback (most recent call last):
    ValueError: labels: expected 2 integers, found int64 of shape (2, 2); one-hot rows: take labels.argmax(axis=1)
    """
    array = real_array(name, value)
    if array.shape != (n_samples,) or array.dtype.kind not in "iu":
        problem = f"{name}: expected {n_samples} integers, found {array.dtype} of shape {array.shape}"
        raise ValueError(problem + label_advice(array, n_samples))
    largest = np.iinfo(np.int64).max if n_classes is None else n_classes - 1
    bad = np.flatnonzero((array < 0) | (array > largest))
    if bad.size:
        expected = (
            "whole numbers from 0 on, in int64" if n_classes is None else f"0 to {largest}{_numbering(array, largest)}"
        )
        raise ValueError(f"{name}[{bad[0]}] is {array[bad[0]]}: expected {expected}")
    return np.require(array, np.int64, ["C", "A", "W", "E"])


def label_advice(array: Array, n_samples: int) -> str:
    """Say what to do about labels of another shape or type; nothing where that is not known."""
    if array.shape == (n_samples, 1):
        return "; keep one column: labels.ravel()"
    if array.ndim == 2 and len(array) == n_samples:
        one_hot = ((array == 0) | (array == 1)).all() and (np.count_nonzero(array, axis=1) == 1).all()
        return "; one-hot rows: take labels.argmax(axis=1)" if one_hot else "; keep one column"
    if array.shape == (n_samples,) and array.dtype.kind == "f" and (array == np.floor(array)).all():
        return "; whole numbers all: labels.astype(int)"
    return ""


def check_finite(rows: Array, problem: str) -> None:
    """Raise ValueError, naming the first image, if any of them (n_images, ...) has a value that is NaN or infinite.

    Examples
    --------
    >>> check_finite(np.array([[0.0], [np.nan]]), "a pixel that is not finite")
    Traceback (most recent call last):
    ValueError: image 1 has a pixel that is not finite
    """
    finite = np.isfinite(rows)
    if not finite.all():
        raise ValueError(f"image {np.argwhere(~finite)[0, 0]} has {problem}")


def check_scale(rows: Array, trained_on: tuple[float, float] | None) -> None:
    """Make sure that inputs are of the size that a network was trained on, or, before that, can be trained on.

    Parameters
    ----------
    rows : array (n, n_features)
    trained_on : (float, float) or None
        The smallest and the largest input so far; None for none.

    Raises
    ------
    ValueError
        Any value is more than ten times as far from 0 as all that the network was trained on.

    Warns
    -----
    UserWarning
        All values are bytes that were divided by 255 twice, and the network was not trained on such.

    Examples
    --------
    >>> check_scale(np.array([[0.0, 255.0]]), (0.0, 1.0))
    Traceback (most recent call last):
    ValueError: inputs from 0 to 255, where the network was trained on 0 to 1: divide by 255
    """
    low, high = float(rows.min(initial=0)), float(rows.max(initial=0))
    furthest = np.inf if trained_on is None else max(map(abs, trained_on))
    trained = "" if trained_on is None else f", where the network was trained on {trained_on[0]:g} to {trained_on[1]:g}"
    if max(-low, high) > _FAR * furthest > 0:
        are_bytes = low >= 0 and 128 <= high <= 255 and furthest <= 1
        advice = "divide by 255" if are_bytes else "scale them alike"
        raise ValueError(f"inputs from {low:g} to {high:g}{trained}: {advice}")
    if furthest > _FAR * high and low >= 0 and _are_bytes_divided_twice(rows):
        problem = f"inputs from 0 to {high:.3g}{trained}: bytes divided by 255 twice? once is right"
        warnings.warn_explicit(problem, UserWarning, "nnlite", 0)  # one line, without that of a source file


def _are_bytes_divided_twice(rows: Array) -> bool:
    """Whether values from 0 on are bytes / 255^2, bright ones among them; small numbers of other origin are not."""
    as_bytes = rows[:: max(1, len(rows) // _ENOUGH)] * _TWICE
    return bool(127.5 < as_bytes.max(initial=0) < 255.5 and (np.abs(as_bytes - np.rint(as_bytes)) < 1e-3).all())


def in_words(values: Array) -> str:
    """List the distinct integers of an array for a message, runs of neighbours as `1 to 9`, at most five of them.

    Examples
    --------
    >>> in_words(np.array([3, 1, 2, 7, 7])), in_words(np.array([4, 4]))
    ('1 to 3, 7', '4')
    """
    distinct = np.unique(values)
    starts = np.flatnonzero(np.concatenate([[True], distinct[1:] != distinct[:-1] + 1]))
    ends = [*(starts[1:] - 1).tolist(), len(distinct) - 1]
    runs = [
        f"{distinct[first]}" if first == last else f"{distinct[first]} to {distinct[last]}"
        for first, last in zip(starts.tolist()[:5], ends, strict=False)
    ]
    return ", ".join(runs) + (", ..." if len(starts) > 5 else "")


def _real(name: str, value: object) -> float:
    """Return a real number as a float."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected a number such as 0.001, found {type(value).__name__} {value!r:.60}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name}: must be finite, found a number beyond {np.finfo(np.float64).max:.3g}") from None


def _rounded(name: str, number: float, dtype: npt.DTypeLike) -> np.floating[Any]:
    """Round a number from 0 on, and refuse what loses its digits: beyond the largest, below the normal ones."""
    limits = np.finfo(dtype)
    if number > float(limits.max):
        raise ValueError(f"{name} {number!r}: {limits.dtype} rounds it to infinity; the largest is {limits.max:.3g}")
    rounded: np.floating[Any] = limits.dtype.type(number)
    if 0 < number < float(limits.tiny):
        how = "rounds it to 0" if rounded == 0 else "keeps few of its digits"
        raise ValueError(f"{name} {number!r}: {limits.dtype} {how}; the smallest that works is {limits.tiny:.3g}")
    return rounded


def _numbering(array: Array, largest: int) -> str:
    """Say that labels seem to be numbered from 1, where the only one too many is the number of classes."""
    return "; number them from 0" if array.min() == 1 and array.max() == largest + 1 else ""

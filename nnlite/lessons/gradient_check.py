"""The gradient check: whether gradients worked out by hand are those of the loss, for any loss and any arrays.

Lesson *backward* shows it at work, on a right gradient and on wrong ones. In float64 only: in float32 rounding hides
half of what there is to see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

NUDGE = 1e-5  # how far a number is moved: much less, and rounding shows; much more, and the bend of the loss does


def differences(loss: Callable[[], float], arrays: Sequence[Array]) -> list[Array]:
    """Move every number a little up and down and see how the loss moves: no rule to get wrong, but two losses a number.

    Parameters
    ----------
    loss : callable without arguments -> float - computed from what is in the arrays
    arrays : sequence of float64 array - changed, and put back

    Returns
    -------
    list of float64 array, in the arrays' shapes

    Examples
    --------
    >>> x = np.array([1.0, 2.0])
    >>> differences(lambda: float((x**2).sum()), [x])[0].round(6)
    array([2., 4.])
    """
    slopes = [np.empty_like(array) for array in arrays]
    for array, slope in zip(arrays, slopes, strict=True):
        for index in np.ndindex(array.shape):
            number = array[index]
            array[index] = number + NUDGE
            above = loss()
            array[index] = number - NUDGE
            below = loss()
            array[index] = number
            slope[index] = (above - below) / (2 * NUDGE)
    return slopes


def errors(by_hand: Sequence[Array], slopes: Sequence[Array]) -> list[float]:
    """Return for each array the largest error anywhere in it, relative to the largest slope in it.

    Parameters
    ----------
    by_hand, slopes : sequences of float64 array - of the same shapes; slopes as from `differences`, and not all zero

    Returns
    -------
    list of float

    Examples
    --------
    >>> errors([np.array([2.0, 4.0])], [np.array([2.0, 5.0])])
    [0.2]
    """
    return [float(abs(a - b).max() / abs(b).max()) for a, b in zip(by_hand, slopes, strict=True)]


def table(names: Sequence[str], by_hand: Sequence[Array], slopes: Sequence[Array]) -> str:
    """Lay out each array's largest gradient, by hand and by differences, and the array's error.

    Parameters
    ----------
    names : sequence of str - the arrays'
    by_hand, slopes : sequences of float64 array - as for `errors`

    Returns
    -------
    str
    """
    lines = ["  largest of         by hand   by differences   largest error"]
    for name, a, b, error in zip(names, by_hand, slopes, errors(by_hand, slopes), strict=True):
        index = np.unravel_index(abs(b).argmax(), b.shape)
        place = f"{name}[{', '.join(map(str, index))}]"
        lines.append(f"  {place:12}{a[index]:+14.9f}{b[index]:+17.9f}{error:16.3g}")
    return "\n".join(lines)

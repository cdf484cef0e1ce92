"""Numbers that count what is done to them, and a step of learning in plain Python, for any numbers.

Lesson *counting* lets it run on the one and hand it the other. i is an image, k an input, j a unit, c a class.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

_seen: list[Counter[str]] = []  # whoever counts at the moment, the last one


class Number(float):
    """A float that counts what is done to it, and whose results count too."""

    def __mul__(self, other: float) -> Number:
        return _done("mul", float(self) * float(other))

    def __add__(self, other: float) -> Number:
        return _done("add", float(self) + float(other))

    def __sub__(self, other: float) -> Number:
        return _done("add", float(self) - float(other))

    def __truediv__(self, other: float) -> Number:
        return _done("div", float(self) / float(other))

    def __gt__(self, other: float) -> bool:
        return float(_done("cmp", self)) > float(other)

    def exp(self) -> Number:
        """Return e to this power."""
        return _done("exp", math.exp(self))

    def log(self) -> Number:
        """Return the natural logarithm."""
        return _done("log", math.log(self))


def _done(kind: str, result: float) -> Number:
    _seen[-1][kind] += 1
    return Number(result)


@contextlib.contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count what Numbers go through inside the with statement."""
    _seen.append(Counter())
    try:
        yield _seen[-1]
    finally:
        _seen.pop()


def numbers(values: Any) -> Any:
    """Turn the floats of nested lists into Numbers."""
    return [numbers(value) for value in values] if isinstance(values, list) else Number(values)


ZERO, ONE = Number(0), Number(1)


def forward(x: Any, labels: list[int], w1: Any, b1: Any, w2: Any, b2: Any) -> tuple[Any, Any, Number]:
    """Go from images to hidden units, probabilities and loss."""
    x, w1, b1, w2, b2 = map(numbers, (x, w1, b1, w2, b2))
    inputs, units, classes = range(len(w1)), range(len(b1)), range(len(b2))
    z1 = [[sum((image[k] * w1[k][j] for k in inputs), b1[j]) for j in units] for image in x]
    h = [[z if z > ZERO else ZERO for z in row] for row in z1]
    z2 = [[sum((row[j] * w2[j][c] for j in units), b2[c]) for c in classes] for row in h]
    p, loss = [], ZERO
    for (first, second), label in zip(z2, labels, strict=True):
        largest = second if second > first else first
        shifted = [first - largest, second - largest]
        exponentials = [z.exp() for z in shifted]
        total = sum(exponentials, ZERO)
        p.append([e / total for e in exponentials])
        loss += total.log() - shifted[label]
    return h, p, loss / len(x)


def backward(x: Any, labels: list[int], h: Any, p: Any, w2: Any) -> list[Any]:
    """Go back through the same lines; return dW1, db1, dW2, db2."""
    x, w2 = map(numbers, (x, w2))
    images, inputs, units, classes = range(len(x)), range(len(x[0])), range(len(w2)), range(len(w2[0]))
    dz2 = [[(p[i][c] - ONE if c == labels[i] else p[i][c]) / len(x) for c in classes] for i in images]
    dw2 = [[sum((h[i][j] * dz2[i][c] for i in images), ZERO) for c in classes] for j in units]
    db2 = [sum((dz2[i][c] for i in images), ZERO) for c in classes]
    dh = [[sum((dz2[i][c] * w2[j][c] for c in classes), ZERO) for j in units] for i in images]
    dz1 = [[dh[i][j] if h[i][j] > ZERO else ZERO for j in units] for i in images]
    dw1 = [[sum((x[i][k] * dz1[i][j] for i in images), ZERO) for j in units] for k in inputs]
    db1 = [sum((dz1[i][j] for i in images), ZERO) for j in units]
    return [dw1, db1, dw2, db2]


def update(parameters: Any, slopes: Any, rate: float) -> Any:
    """Take every number a little way down its slope."""
    if isinstance(parameters, list):
        return [update(parameter, slope, rate) for parameter, slope in zip(parameters, slopes, strict=True)]
    return Number(parameters) - Number(rate) * slopes

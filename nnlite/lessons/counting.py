"""Lesson *counting*: the operations of a tiny network, three ways. Run it with `python -m nnlite.lessons.counting`.

Two inputs, three relu units, two classes: what does it cost to classify four images? Counted by hand from the shapes,
by numbers that count what is done to them, and by nnlite's kernels. Left out: how gradients are computed.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from typing import Any

import numpy as np

import nnlite
from nnlite.lessons.checker import Exercise, run

KINDS = ("mul", "add", "cmp")  # multiplication, addition, comparison

# Way 1, by hand: each line of the mathematics, and how often it does what to 4 images, 2 inputs, 3 units, 2 classes.
BY_HAND: dict[str, dict[str, tuple[int, ...]]] = {
    "z1 = b1 + x W1": {"mul": (4, 2, 3), "add": (4, 2, 3)},  # the sum starts from the bias: 2 terms are 2 additions
    "h  = max(z1, 0)": {"cmp": (4, 3)},
    "z2 = b2 + h W2": {"mul": (4, 3, 2), "add": (4, 3, 2)},
    "class = argmax z2": {"cmp": (4, 1)},  # one comparison finds the larger of two
}

seen: Counter[str] = Counter()  # what the numbers of way 2 have been through


class Number(float):
    """A float that counts what is done to it, and whose results count too."""

    def __mul__(self, other: float) -> Number:
        seen["mul"] += 1
        return Number(float(self) * float(other))

    def __add__(self, other: float) -> Number:
        seen["add"] += 1
        return Number(float(self) + float(other))

    def __gt__(self, other: float) -> bool:
        seen["cmp"] += 1
        return float(self) > float(other)


def classify(x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> list[int]:
    """Way 2, the same four lines in plain Python: i is an image, k an input, j a unit, c a class."""
    images, inputs, units, classes = range(4), range(2), range(3), range(2)
    z1 = [[sum((x[i, k] * w1[k, j] for k in inputs), b1[j]) for j in units] for i in images]
    h = [[z if z > 0 else Number(0) for z in row] for row in z1]
    z2 = [[sum((h[i][j] * w2[j, c] for j in units), b2[c]) for c in classes] for i in images]
    return [1 if row[1] > row[0] else 0 for row in z2]


def lesson() -> None:
    """Print the hand count line by line, then the three counts side by side."""
    print("2 inputs, 3 units, 2 classes: what does it cost to classify 4 images?")

    print("\n1. By hand: the shapes say how often each line does what\n")
    hand: Counter[str] = Counter()
    for line, factors in BY_HAND.items():
        counts = {kind: math.prod(sizes) for kind, sizes in factors.items()}
        terms = [f"{kind} {' x '.join(map(str, sizes))} = {counts[kind]}" for kind, sizes in factors.items()]
        print(f"  {line:20}{'    '.join(terms)}")
        hand.update(counts)

    print("\n2. By numbers that count what is done to them, in the same lines of Python\n")
    mlp = nnlite.MLP((2, 3, 2), rng=np.random.default_rng(1), dtype=np.float64)
    x = np.array([[0, 1], [1, 0.5], [0.5, -1], [-1, 2]])
    numbers = np.frompyfunc(Number, 1, 1)  # turns an array's floats into Numbers
    seen.clear()
    print(f"  their classes:  {classify(numbers(x), *map(numbers, mlp.parameters()))}")

    print("\n3. By nnlite's kernels, each of which adds to a tally\n")
    tally = nnlite.Tally()
    print(f"  their classes:  {mlp.predict(x, tally).tolist()}\n")
    kernels: Counter[str] = Counter()
    for name, counted in tally.counts()["train"].items():
        print(f"  {name:20}" + "    ".join(f"{kind} {n}" for kind, n in counted.items() if n))
        kernels.update(counted)

    print("\n4. One result\n\n" + " " * 22 + "".join(f"{kind:>6}" for kind in KINDS) + "   all")
    for way, counts in (("by hand", hand), ("by counting numbers", seen), ("by the kernels", kernels)):
        print(f"  {way:20}" + "".join(f"{counts[kind]:6}" for kind in KINDS) + f"{sum(counts.values()):6}")

    print("\n5. Learning multiplies more: from dz, how the loss changes with z, follow\n")
    print("  dW = x' dz    in every layer, as many multiplications as x W took")
    print("  dx = dz W'    as many again, in every layer but the first: its x is an image,")
    print("                and nothing learns from the gradient of an image")
    print("\n  (x' is x with rows and columns swapped.) The loss itself multiplies nothing.")


def kernel_multiplications() -> dict[str, int]:
    """Let each kernel count its multiplications, forward and backward, for one image through 784-128-10."""
    mlp, tally = nnlite.MLP((784, 128, 10), rng=np.random.default_rng(0)), nnlite.Tally()
    mlp.loss_and_gradients(np.zeros((1, 784)), [0], tally)
    return {name: counted["mul"] for name, counted in tally.counts()["train"].items()}


EXERCISES = [
    Exercise(
        "A 784-128-10 network classifies one image. How many multiplications?",
        lambda: kernel_multiplications()["matmul_forward"],
        "a layer multiplies every input once for every output; there are two layers",
    ),
    Exercise(
        "It computes loss and gradients of a batch of 64. How many multiplications?",
        lambda: 64 * sum(kernel_multiplications().values()),
        "x W and x' dz in both layers, dz W' in one of them; how many images?",
    ),
]

if __name__ == "__main__":
    sys.exit(run("counting", lesson, EXERCISES))

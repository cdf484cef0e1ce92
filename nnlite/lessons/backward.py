"""Lesson *backward*: how a network learns. Run it with `python -m nnlite.lessons.backward`, then read it here.

Every gradient of a 784-10-10 network by the chain rule, the check that finds a wrong line of it, and the steps that
they are for, by hand and by nnlite's kernels. Left out: momentum and Adam, which are in `nnlite.optim`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import nnlite
from nnlite.lessons.checker import Exercise, run
from nnlite.lessons.forward import Array, cross_entropy, layer, relu, softmax
from nnlite.lessons.gradient_check import differences, table
from nnlite.lessons.race import RATE, race

Rule = Callable[..., Any]
RULES: dict[str, Rule] = {  # da is how the loss changes with a; every line differentiates the one above it
    # loss = mean of -log p[label], p = softmax(z): dz
    "loss": lambda p, labels: (p - (np.arange(10) == labels[:, None])) / len(p),
    # z = x W + b: dW and db
    "weights": lambda x, dz: (x.T @ dz, dz.sum(axis=0)),
    # z = h W + b: dh
    "inputs": lambda W, dz: dz @ W.T,
    # h = max(z, 0): dz
    "relu": lambda z, dh: dh * (z > 0),
}
MISTAKES: dict[str, dict[str, Rule]] = {  # each in place of one of the rules
    "1/n forgotten, n = 8": {"loss": lambda p, labels: p - (np.arange(10) == labels[:, None])},
    "wrong sign": {"loss": lambda p, labels: ((np.arange(10) == labels[:, None]) - p) / len(p)},
    "W not transposed": {"inputs": lambda W, dz: dz @ W},
    "no mask of relu": {"relu": lambda z, dh: dh},
}


def gradients(x: Array, labels: Array, parameters: list[Array], mistake: dict[str, Rule]) -> tuple[float, list[Array]]:
    """Go forward to the loss, then back through the same lines, the last one first."""
    rule, (w1, b1, w2, b2) = RULES | mistake, parameters
    z1 = layer(x, w1, b1)
    h = relu(z1)
    z2 = layer(h, w2, b2)
    p = softmax(z2)
    dz2 = rule["loss"](p, labels)
    dw2, db2 = rule["weights"](h, dz2)
    dh = rule["inputs"](w2, dz2)
    dz1 = rule["relu"](z1, dh)
    dw1, db1 = rule["weights"](x, dz1)
    return cross_entropy(p, labels), [dw1, db1, dw2, db2]


def steps(mlp: nnlite.MLP, pixels: Array, labels: Array, n_steps: int) -> float:
    """Learn: every parameter goes a little way down its gradient. Return the loss before the last step."""
    x, loss = pixels / np.float32(255), 0.0
    for _ in range(n_steps):
        loss, slopes = gradients(x, labels, mlp.parameters(), {})
        for parameter, slope in zip(mlp.parameters(), slopes, strict=True):
            parameter -= RATE * slope
    return loss


@functools.cache
def example() -> tuple[Array, Array, list[Array], list[Array]]:
    """Take eight images, their labels, a network's parameters, and their gradients by differences; all in float64."""
    data, mlp = nnlite.load_dataset("mnist"), nnlite.MLP((784, 10, 10), rng=np.random.default_rng(0), dtype=np.float64)
    x, labels = data.train_images[:8].astype(np.float64), data.train_labels[:8]
    w1, b1, w2, b2 = parameters = mlp.parameters()
    slopes = differences(lambda: cross_entropy(softmax(layer(relu(layer(x, w1, b1)), w2, b2)), labels), parameters)
    return x, labels, parameters, slopes


def check(**mistake: Rule) -> None:
    """Hold the gradients by hand, with a mistake in place of a rule or without, against those by differences."""
    if unknown := mistake.keys() - RULES.keys():
        raise ValueError(f"no rule {', '.join(unknown)}: they are {', '.join(RULES)}")
    x, labels, parameters, slopes = example()
    print(table(("W1", "b1", "W2", "b2"), gradients(x, labels, parameters, mistake)[1], slopes))


def lesson() -> None:
    """Print the rules, what the check says of them and of mistakes, then the steps side by side."""
    print("1. A gradient stands below the line that it differentiates; read from the bottom\n")
    print("  z1 = x W1 + b1\n      dW1 = x' dz1, db1 = dz1 summed over the images\n  h = max(z1, 0)")
    print("      dz1 = dh where z1 > 0, else 0")
    print("  z2 = h W2 + b2\n      dW2 = h' dz2, db2 = dz2 summed over the images, dh = dz2 W2'")
    print("  loss = mean of -log p[label], p = softmax(z2)\n      dz2 = (p - 1 at the label) / n")
    print("\n  dz is how the loss changes with z; W' is W with rows and columns swapped.")
    print("\n2. The check: each number 0.00001 up, then down; how does the loss move?\n")
    check()
    print("  Its last column looks at all numbers of an array: the largest error, relative\n  to the number shown.")
    print("\n3. What it says of mistakes: what is above the wrong line is wrong, and how\n")
    for name, mistake in MISTAKES.items():
        print(f"{name}:")
        check(**mistake)
    print("\n4. A mistake of your own: change a line of RULES in the source, or from Python\n")
    print("  from nnlite.lessons.backward import check\n  check(weights=lambda x, dz: (x.T @ dz, dz.mean(axis=0)))")
    print(f"\n5. Learning: every parameter goes down by {RATE} times its gradient, many times\n")
    race(steps)


EXERCISES = [
    Exercise(
        "The check of a 784-128-10 network: how many times does it compute the loss?",
        lambda: 2 * sum(a.size for a in nnlite.MLP((784, 128, 10), rng=np.random.default_rng(0)).parameters()),
        "each weight and each bias is moved up, and moved down",
    ),
    Exercise(
        "Make the mistake of section 4. By how many thousandths is b1 wrong?",
        lambda: 1000 - 1000 // len(example()[1]),
        "call check as it is printed there, and look in the last column",
    ),
]

if __name__ == "__main__":
    sys.exit(run("backward", lesson, EXERCISES))

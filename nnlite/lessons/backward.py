"""Lesson *backward*: how a network learns. Run it with `python -m nnlite.lessons.backward`, then read it here.

The chain rule line by line in a network that fits on a page, then every gradient of a 784-10-10 network, the check that
finds a wrong line of it, and the steps that they are for, by hand and by nnlite's kernels. Left out: momentum and Adam,
which are in `nnlite.optim`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import nnlite
from nnlite.lessons.chain_rule import chain_rule
from nnlite.lessons.checker import Change, Exercise, end, run
from nnlite.lessons.forward import Array, cross_entropy, layer, relu, softmax
from nnlite.lessons.gradient_check import differences, table
from nnlite.lessons.race import RATE, race

Rule = Callable[..., Any]
RULES: dict[str, Rule] = {  # da is how the loss changes with a; every line differentiates the one above it
    # loss = mean of -log p[label], p = softmax(z): dz
    "loss": lambda p, labels: (p - one_hot(p, labels)) / len(p),
    # z = x W + b: dW and db
    "weights": lambda x, dz: (x.T @ dz, dz.sum(axis=0)),
    # z = h W + b: dh
    "inputs": lambda W, dz: dz @ W.T,
    # h = max(z, 0): dz
    "relu": lambda z, dh: dh * (z > 0),
}
MISTAKES: dict[str, dict[str, Rule]] = {  # each in place of one of the rules
    "1/n forgotten, n = 8": {"loss": lambda p, labels: p - one_hot(p, labels)},
    "wrong sign": {"loss": lambda p, labels: (one_hot(p, labels) - p) / len(p)},
    "W not transposed": {"inputs": lambda W, dz: dz @ W},
    "no mask of relu": {"relu": lambda z, dh: dh},
}


def one_hot(p: Array, labels: Array) -> Array:
    """Write labels as the probabilities they should be: y is 1 at the label, else 0."""
    return np.equal(np.arange(p.shape[1]), labels[:, None]).astype(p.dtype)


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
    """Print the chain rule in small numbers, what the check says of rules and mistakes, then the steps side by side."""
    chain_rule()
    print("\n4. The same rules in a network of 784-10-10, for 8 images at once\n")
    print("  loss = mean of -log p[y]      dz2 = (p - y) / n")
    print("  z2 = h W2 + b2                dW2 = h' dz2, db2 = dz2 added up, dh = dz2 W2'")
    print("  h = max(z1, 0)                dz1 = dh where z1 > 0, else 0")
    print("  z1 = x W1 + b1                dW1 = x' dz1, db1 = dz1 added up")
    print("\n  A row is an image. h' dz2 adds up over the images too, as they share W2.")
    print("\n5. The check: each number 0.00001 up, then down; how does the loss move?\n")
    check()
    print("  Its last column looks at all numbers of an array: the largest error, relative\n  to the number shown.")
    print("\n6. What it says of mistakes: what comes after the wrong line is wrong, and how\n")
    for name, mistake in MISTAKES.items():
        print(f"{name}:")
        check(**mistake)
    print("\n7. A mistake of your own: change a line of RULES in the source, or from Python\n")
    print("  from nnlite.lessons.backward import check\n  check(weights=lambda x, dz: (x.T @ dz, dz.mean(axis=0)))")
    print(f"\n8. Learning: every parameter goes down by {RATE} times its gradient, many times\n")
    race(steps)


def start_from_zero() -> None:
    """Print the gradients and the loss of a network whose weights all start at zero."""
    data, n_steps = nnlite.load_dataset("mnist"), 100
    pixels, labels = data.train_pixels[:64], data.train_labels[:64]
    print(
        f"  64 images, 784-16-10, {n_steps} steps\n\n  {'start':8}{'largest of dW1':>16}{'dW2':>10}{'db2':>10}", end=""
    )
    print(f"{'loss':>10}{'at the end':>14}")
    for start in ("random", "zero"):
        mlp = nnlite.MLP((784, 16, 10), rng=np.random.default_rng(0), dtype=np.float64)
        for parameter in mlp.parameters() if start == "zero" else ():
            parameter[:] = 0
        loss, (dw1, _, dw2, db2) = gradients(pixels / 255, labels, mlp.parameters(), {})
        slopes = f"{abs(dw1).max():16.4f}{abs(dw2).max():10.4f}{abs(db2).max():10.4f}"
        print(f"  {start:8}{slopes}{loss:10.3f}{steps(mlp, pixels, labels, n_steps):14.3f}")
    print("\n  Read the rules with zeros in them: h = 0, so dW2 = h' dz2 = 0; W2 = 0, so")
    print("  dh = dz2 W2' = 0, and all below is 0 as well. Only b2 learns: how often each")
    print("  digit comes. Zero is a place from which no weight can tell where down is.")


EXERCISES = [
    Exercise(
        "The check of a 784-128-10 network: how many times does it compute the loss?",
        lambda: 2 * sum(a.size for a in nnlite.MLP((784, 128, 10), rng=np.random.default_rng(0)).parameters()),
        "each weight and each bias is moved up, and moved down",
        "two losses a number; by the rules all gradients cost about two",
    ),
    Exercise(
        "Make the mistake of section 7. By how many thousandths is b1 wrong?",
        lambda: 1000 - 1000 // len(example()[1]),
        "call check as it is printed there, and look in the last column",
        "a mean over 8 images is an eighth of their sum, so 7/8 of it are missing",
    ),
]

CHANGE = Change(
    "Let all weights and biases start at zero, in place of random numbers.\n"
    "Which of dW1, dW2, db2 are zero, and what does the network learn?\n"
    "The rules of section 4 tell: put the zeros in, write it down, then look.",
    start_from_zero,
)

if __name__ == "__main__":
    end(run("backward", lesson, EXERCISES, CHANGE))

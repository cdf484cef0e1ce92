"""Lesson *counting*: the operations of a step of learning, three ways. Run it with `python -m nnlite.lessons.counting`.

Two inputs, three relu units, two classes: what do four images cost, forward, backward, and in the update? Counted by
hand from the shapes, by numbers that count what is done to them, and by nnlite's kernels. Left out: other optimizers.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import nnlite
from nnlite.lessons.checker import Change, Exercise, end, run
from nnlite.lessons.counting_numbers import backward, counted, forward, update

KINDS = ("mul", "add", "cmp", "div", "exp", "log")  # a subtraction is an add
PARTS = ("forward", "backward", "update")
RATE = 0.5
N_PARAMETERS = 2 * 3 + 3 + 3 * 2 + 2

# Way 1, by hand: each line of the mathematics, and how often it does what to 4 images, 2 inputs, 3 units, 2 classes.
BY_HAND: dict[str, dict[str, dict[str, tuple[int, ...]]]] = {
    "forward": {
        "z1 = b1 + x W1": {"mul": (4, 2, 3), "add": (4, 2, 3)},  # the sum starts from the bias: 2 terms, 2 additions
        "h = max(z1, 0)": {"cmp": (4, 3)},
        "z2 = b2 + h W2": {"mul": (4, 3, 2), "add": (4, 3, 2)},
        "e = exp(z2 - max z2)": {"cmp": (4, 1), "add": (4, 2), "exp": (4, 2)},  # one comparison finds the larger of two
        "p = e / sum of e": {"add": (4, 2), "div": (4, 2)},  # this sum starts from 0
        "loss = mean of -log p": {"log": (4,), "add": (4, 2), "div": (1,)},  # -log p is log(sum) - z; then they add up
    },
    "backward": {
        "dz2 = (p - y) / 4": {"add": (4, 1), "div": (4, 2)},  # y is 1 for one class, and 0 is not subtracted
        "dW2 = h' dz2": {"mul": (4, 3, 2), "add": (4, 3, 2)},
        "db2 = sum of dz2": {"add": (4, 2)},
        "dh = dz2 W2'": {"mul": (4, 2, 3), "add": (4, 2, 3)},
        "dz1 = dh if h > 0": {"cmp": (4, 3)},
        "dW1 = x' dz1": {"mul": (4, 2, 3), "add": (4, 2, 3)},
        "db1 = sum of dz1": {"add": (4, 3)},
    },
    "update": {"w = w - rate dw": {"mul": (N_PARAMETERS,), "add": (N_PARAMETERS,)}},
}


def small_network() -> nnlite.MLP:
    """Draw the network that all three ways count."""
    return nnlite.MLP((2, 3, 2), rng=np.random.default_rng(1), dtype=np.float64)


IMAGES, LABELS = np.array([[0, 1], [1, 0.5], [0.5, -1], [-1, 2]]), np.array([0, 1, 1, 0])


def count_by_hand() -> dict[str, Counter[str]]:
    """Way 1: multiply the sizes."""
    return {
        part: Counter({kind: sum(math.prod(line.get(kind, (0,))) for line in lines.values()) for kind in KINDS})
        for part, lines in BY_HAND.items()
    }


def count_by_numbers() -> tuple[dict[str, Counter[str]], float, list[Any]]:
    """Way 2: let the numbers count themselves; return the counts, the loss and the new parameters."""
    parameters = [array.tolist() for array in small_network().parameters()]
    counts = {}
    with counted() as counts["forward"]:
        h, p, loss = forward(IMAGES.tolist(), LABELS.tolist(), *parameters)
    with counted() as counts["backward"]:
        slopes = backward(IMAGES.tolist(), LABELS.tolist(), h, p, parameters[2])
    with counted() as counts["update"]:
        new = [update(array, slope, RATE) for array, slope in zip(parameters, slopes, strict=True)]
    return counts, float(loss), new


def count_by_kernels(images: Any = IMAGES) -> tuple[dict[str, Counter[str]], float, list[Any]]:
    """Way 3: hand a tally to every kernel; return the counts, the loss and the new parameters."""
    mlp, tally = small_network(), nnlite.Tally()
    loss, gradients = mlp.loss_and_gradients(images, LABELS, tally)
    nnlite.SGD(RATE).step(mlp, gradients, tally)
    counts: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    for kernel, kinds in tally.counts()["train"].items():
        part = kernel.rsplit("_")[-1]
        counts[part if part in PARTS else "backward"].update(kinds)  # matmul_grad_weight and matmul_grad_x
    return counts, loss, mlp.parameters()


def lesson() -> None:
    """Print the hand count line by line, the three counts side by side, and where a kernel's count stands."""
    print("2 inputs, 3 units, 2 classes: what does it cost to learn once from 4 images?")
    print("\n1. By hand: the shapes say how often each line does what\n")
    for part, lines in BY_HAND.items():
        print(f"  {part}")
        for line, factors in lines.items():
            terms = [
                f"{kind} {' x '.join(map(str, sizes))}{f' = {math.prod(sizes)}' if len(sizes) > 1 else ''}"
                for kind, sizes in factors.items()
            ]
            print(f"    {line:22} {' '.join(f'{term:19}' for term in terms)}".rstrip())
    print(f"\n  {N_PARAMETERS} are the weights and biases: 2 x 3 + 3 + 3 x 2 + 2.")

    print("\n2. By numbers that count what is done to them, in the same lines of Python\n")
    by_numbers, loss, new = count_by_numbers()
    print(f"  loss {loss:.12f}, first new weight {new[0][0][0]:+.12f}")

    print("\n3. By nnlite's kernels, each of which adds to a tally\n")
    by_kernels, loss, new = count_by_kernels()
    print(f"  loss {loss:.12f}, first new weight {new[0][0, 0]:+.12f}")

    print("\n4. One result\n\n" + " " * 32 + "".join(f"{kind:>6}" for kind in KINDS) + "   all")
    ways = {"by hand": count_by_hand(), "by counting numbers": by_numbers, "by the kernels": by_kernels}
    for part in PARTS:
        for way, counts in ways.items():
            print(f"  {part:9} {way:20}{row(counts[part])}")
    show_where_a_flop_is_made()


def show_where_a_flop_is_made() -> None:
    """Print the lines of nnlite's source that make, book and price one operation of the backward pass."""
    print("\n5. Where a FLOP of the backward pass is made, booked and priced: three files\n")
    for file, line in (
        ("kernels/matmul.py", "grad_weight[k, j] += x[i, k] * grad_z[i, j]"),
        ("kernels/ops.py", "ADD, MUL, FMA"),
        ("flops.py", "every = sum(kinds.values())"),
    ):
        text = (Path(nnlite.__file__).parent / file).read_text(encoding="utf-8").splitlines()
        number = next(n for n, found in enumerate(text, start=1) if found.strip().startswith(line))
        print(f"  nnlite/{file}:{number}\n      {text[number - 1].strip()}")
    print("\n  The first is the line of mathematics; under its loops a block adds what ran to")
    print("  the tally. The second names the tally's slots. The third puts a price on them:")
    print("  no weight of an operation stands in a kernel. What runs by default is in")
    print("  kernels/fast/, whose first_layer.py skips zero pixels and so executes less.")

    print("\n6. A layer multiplies three times, once forward and twice backward\n")
    print("  z  = x W      in every layer")
    print("  dW = x' dz    in every layer, as many multiplications")
    print("  dx = dz W'    as many again, in every layer but the first: its x is an image,")
    print("                and nothing learns from the gradient of an image")


def row(counts: Counter[str]) -> str:
    """Write counts side by side, and their sum."""
    return "".join(f"{counts[kind]:6}" for kind in KINDS) + f"{sum(counts.values()):6}"


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
        "784 x 128 in the first layer and 128 x 10 in the second",
    ),
    Exercise(
        "It computes loss and gradients of a batch of 64. How many multiplications?",
        lambda: 64 * sum(kernel_multiplications().values()),
        "x W and x' dz in both layers, dz W' in one of them; how many images?",
        "twice the first layer, three times the second: backward is hardly dearer",
    ),
]


def clear_the_images() -> None:
    """Print what the kernels count for images without ink."""
    print(" " * 32 + "".join(f"{kind:>6}" for kind in KINDS) + "   all")
    for name, images in (("as they are", IMAGES), ("all zero", np.zeros_like(IMAGES))):
        counts = count_by_kernels(images)[0]
        for part in PARTS:
            print(f"  {part:9} {name:20}{row(counts[part])}")
    print("\n  Not one less: these loops multiply by 0 as by all else, and count what ran.")
    print("  To save that, a loop must look first, and looking is a comparison itself:")
    print("  nnlite/kernels/fast/rows.py looks, as four of five of MNIST's pixels are 0.")


CHANGE = Change(
    "Let all four images be zero, without any ink. Every product x W is then 0.\n"
    "How many multiplications do the kernels count, forward and backward?\n"
    "Write both numbers down, then look.",
    clear_the_images,
)

if __name__ == "__main__":
    end(run("counting", lesson, EXERCISES, CHANGE))

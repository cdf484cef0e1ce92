"""Lesson *forward*: from pixels to a loss. Run it with `python -m nnlite.lessons.forward`, then read it here.

A handwritten digit goes through a 784-16-10 network: one neuron, a layer, relu, scores, probabilities, the loss; then a
batch of 64 in the same lines, and nnlite's kernels beside them. Left out: how the network learns (lesson *backward*).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

import nnlite
from nnlite.lessons.bytes import draw
from nnlite.lessons.checker import Exercise, run

Array = npt.NDArray[Any]


def neuron(x: Array, w: Array, b: float) -> float:
    """Add up what every pixel says for or against: z = b + x[0] w[0] + x[1] w[1] + ..."""
    return b + float(sum(pixel * weight for pixel, weight in zip(x, w, strict=True)))


def layer(x: Array, w: Array, b: Array) -> Array:
    """Compute many neurons at once, one for each column of w, for an image or for a batch, an image a row."""
    return x @ w + b


def relu(z: Array) -> Array:
    """Let a neuron speak only above zero; without it, two layers could say no more than one."""
    return np.maximum(z, 0)


def softmax(z: Array) -> Array:
    """Make shares of 1 from scores: exp(z[j]) / sum of exp(z), with the largest z subtracted first."""
    exponentials = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def cross_entropy(p: Array, labels: Array) -> float:
    """Compute the mean surprise at the right answers: -log p[i, labels[i]]."""
    return float(-np.log(p[np.arange(len(labels)), labels]).mean())


def example(n_images: int = 64) -> tuple[nnlite.MLP, Array, Array]:
    """Draw a network that has learned nothing yet, and take MNIST's first images with their labels."""
    data = nnlite.load_dataset("mnist")
    mlp = nnlite.MLP((784, 16, 10), rng=np.random.default_rng(0), dtype=np.float64)
    return mlp, data.train_images[:n_images].astype(mlp.dtype), data.train_labels[:n_images]


def lesson() -> None:
    """Print the lesson: one image, then the batch."""
    mlp, images, labels = example()
    (w1, w2), (b1, b2), x, label = mlp.weights, mlp.biases, images[0], labels[0]
    print("1. An image is 784 numbers, from 0, no ink, to 1\n")
    print("\n".join(f"  |{line}|" for line in draw(x.reshape(28, 28) * 255, 2, 1)) + f"\n  Its label is {label}.")

    print("\n2. A neuron adds: z = b + x[0] w[0] + x[1] w[1] + ...\n")
    print(f"  {b1[0]:+.3f} and 784 products, {np.count_nonzero(x)} not zero, are {neuron(x, w1[:, 0], b1[0]):+.3f}")
    print("  A weight above zero: ink on its pixel speaks for the neuron. These are random.")

    print("\n3. A layer is many neurons that look at the same image: z = x W + b\n")
    z1 = layer(x, w1, b1)
    print(f"  z      {row(z1[:8])}\n         {row(z1[8:])}\n  The first is the neuron of 2.")

    print("\n4. relu lets a neuron speak only above zero: h = max(z, 0)\n")
    h = relu(z1)
    print(f"  h      {row(h[:8])}\n         {row(h[8:])}\n  {np.count_nonzero(h == 0)} of 16 are silent.")

    print("\n5. A second layer gives each digit a score, its logit: z = h W + b\n")
    z2 = layer(h, w2, b2)
    print("  digit  " + "".join(f"{digit:7}" for digit in range(10)) + f"\n  logit  {row(z2)}")

    print("\n6. softmax makes probabilities of them: p[j] = exp(z[j]) / sum of exp(z)\n")
    p = softmax(z2)
    print(f"  p      {row(p)}\n\n  With all logits 1000 higher p should be the same, but exp(1000) overflows:")
    with np.errstate(over="ignore", invalid="ignore"):  # of which NumPy would warn, rightly
        print(f"  as is  {row(np.exp(z2 + 1000) / np.exp(z2 + 1000).sum())}")
    print(f"  So the largest is subtracted first, and no exponent is above 0:\n  safe   {row(softmax(z2 + 1000))}")

    print("\n7. The loss is the surprise at the right answer: -log p[label]\n")
    print(f"  -log {p[label]:.3f} = {cross_entropy(p[None], labels[:1]):.3f}; if sure, -log 1 = 0; if guessing, 2.303")

    print("\n8. A batch is an image a row; the same lines do for all of them\n")
    h = relu(layer(images, w1, b1))
    logits = layer(h, w2, b2)
    right = np.count_nonzero(logits.argmax(axis=1) == labels)
    print(f"  x {images.shape}, h {h.shape}, z {logits.shape}\n  {right} have their largest logit at their label")
    print(f"  loss {cross_entropy(softmax(logits), labels):.12f}, the mean over the batch")

    print("\n9. nnlite does the same in loops, which count their operations\n")
    print(f"  mlp.forward(x): no logit is further off than {abs(mlp.forward(images) - logits).max():.0e}")
    print(f"  mlp.loss_and_gradients(x, labels): loss {mlp.loss_and_gradients(images, labels)[0]:.12f}")


def row(numbers: Array) -> str:
    """Write numbers side by side."""
    return "".join(f"{number:7.3f}" for number in numbers)


EXERCISES = [
    Exercise(
        "How many numbers, weights and biases, does a 784-128-64-10 network learn?",
        lambda: sum(a.size for a in nnlite.MLP((784, 128, 64, 10), rng=np.random.default_rng(0)).parameters()),
        "every neuron has a weight for each of its inputs, and a bias",
    ),
    Exercise(
        "On the batch of 64 images, how many of a neuron's products are not zero?",
        lambda: int(np.count_nonzero(example()[1])),
        "those of pixels with ink; nnlite.lessons.forward.example() gives pixels",
    ),
]

if __name__ == "__main__":
    sys.exit(run("forward", lesson, EXERCISES))

"""Lesson *forward*: from pixels to a loss. Run it with `python -m nnlite.lessons.forward`, then read it here.

A handwritten digit goes through a 784-16-10 network that has learned: one neuron and what it looks for, a layer, relu,
scores, probabilities, the loss; then a batch of 64 in the same lines, and nnlite's kernels beside them. Left out: how
the network learned (lesson *backward*).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import nnlite
from nnlite.lessons.bytes import draw
from nnlite.lessons.checker import Change, Exercise, end, run
from nnlite.lessons.trained import trained_network

Array = npt.NDArray[Any]

SIGNED_RAMP = "=- +#"  # strongly against, against, nothing, for, strongly for


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


def scores(mlp: nnlite.MLP, images: Array) -> Array:
    """Go all the way: image or images to logits."""
    (w1, w2), (b1, b2) = mlp.weights, mlp.biases
    return layer(relu(layer(images, w1, b1)), w2, b2)


def example(n_images: int = 64) -> tuple[nnlite.MLP, Array, Array]:
    """Take a network that has learned, and MNIST's first images with their labels."""
    data, mlp = nnlite.load_dataset("mnist"), trained_network()
    return mlp, data.train_images[:n_images].astype(mlp.dtype), data.train_labels[:n_images]


def lesson() -> None:
    """Print the lesson: one image from layer to layer, its loss, then the batch."""
    mlp, images, labels = example()
    (w1, w2), (b1, b2), x = mlp.weights, mlp.biases, images[0]
    h = look_for_shapes(x, w1, b1)
    z = add_up_votes(h, w2, b2)
    make_probabilities(z, labels[0])
    take_a_batch(mlp, images, labels)


def look_for_shapes(x: Array, w1: Array, b1: Array) -> Array:
    """Print one neuron and its weights as a picture, then the layer; return what the layer says."""
    z = layer(x, w1, b1)
    h, loudest = relu(z), int(z.argmax())
    w = w1[:, loudest]
    print("1. An image is 784 numbers; a neuron has a weight for each, and can be drawn too\n")
    print(f"  {'the image':23} {'weights of neuron ' + str(loudest):23} image times weights")
    pictures = draw(x.reshape(28, 28) * 255, 2, 1), draw_signed(w), draw_signed(x * w)
    for parts in zip(*pictures, strict=True):
        print("  " + "  ".join(f"|{part[4:24]}|" for part in parts))  # there is no ink further out
    print("\n  Image: ' ' no ink to '@' full ink. Weights: ink on '+' and '#' speaks for the")
    print("  neuron, on '-' and '=' against. Nobody drew them: they were learned.")

    print("\n2. The neuron adds: z = b + x[0] w[0] + x[1] w[1] + ...\n")
    speaking = np.count_nonzero(x)
    print(f"  {b1[loudest]:+.3f} and 784 products, {speaking} not zero, are {neuron(x, w, b1[loudest]):+.3f}")

    print("\n3. A layer is many neurons that look at the same image: z = x W + b\n")
    print(f"  z      {row(z[:8])}\n         {row(z[8:])}\n  Number {loudest}, counted from 0, is the neuron above.")

    print("\n4. relu lets a neuron speak only above zero: h = max(z, 0)\n")
    print(f"  h      {row(h[:8])}\n         {row(h[8:])}\n  {np.count_nonzero(h == 0)} of 16 are silent.")
    return h


def add_up_votes(h: Array, w2: Array, b2: Array) -> Array:
    """Print the logits and who made the best two; return the logits."""
    z = layer(h, w2, b2)
    print("\n5. A second layer gives each digit a score, its logit: z = h W + b\n")
    print("  digit  " + "".join(f"{digit:7}" for digit in range(10)) + f"\n  logit  {row(z)}")
    print("\n  Each votes with h times its weight. The five loudest, on the two best digits:\n")
    loudest = h.argsort()[:-6:-1]
    print("  neuron " + "".join(f"{j:7}" for j in loudest) + " others   bias    sum")
    for digit in z.argsort()[:-3:-1]:
        votes = h * w2[:, digit]
        others = votes.sum() - votes[loudest].sum()
        print(f"  for {digit}  {row(np.array([*votes[loudest], others, b2[digit], z[digit]]))}")
    return z


def make_probabilities(z: Array, label: int) -> None:
    """Print the softmax of the logits, why it subtracts the largest, and the loss."""
    print("\n6. softmax makes probabilities of them: p[j] = exp(z[j]) / sum of exp(z)\n")
    p = softmax(z)
    print(f"  p      {row(p)}\n\n  With all logits 1000 higher p should be the same, but exp(1000) overflows:")
    with np.errstate(over="ignore", invalid="ignore"):  # of which NumPy would warn, rightly
        print(f"  as is  {row(np.exp(z + 1000) / np.exp(z + 1000).sum())}")
    print(f"  So the largest is subtracted first, and no exponent is above 0:\n  safe   {row(softmax(z + 1000))}")

    print(f"\n7. The loss is the surprise at the right answer, here {label}: -log p[label]\n")
    print(f"  -log {p[label]:.3f} = {cross_entropy(p[None], np.array([label])):.3f}", end="")
    print("; if sure, -log 1 = 0; if guessing, -log 0.1 = 2.303")


def take_a_batch(mlp: nnlite.MLP, images: Array, labels: Array) -> None:
    """Print the batch, before and after learning, and what the kernels say to it."""
    print("\n8. A batch is an image a row; the same lines do for all of them\n")
    untrained = nnlite.MLP(mlp.layer_sizes, rng=np.random.default_rng(0), dtype=mlp.dtype)
    print(f"  x {images.shape}, z {scores(mlp, images).shape}")
    for name, network in (("random weights", untrained), ("learned weights", mlp)):
        z = scores(network, images)
        right = np.count_nonzero(z.argmax(axis=1) == labels)
        print(f"  {name:17}{right:3} of {len(labels)} right, loss {cross_entropy(softmax(z), labels):.12f}")

    print("\n9. nnlite does the same in loops, which count their operations\n")
    print(f"  mlp.forward(x): no logit is further off than {abs(mlp.forward(images) - scores(mlp, images)).max():.0e}")
    print(f"  mlp.loss_and_gradients(x, labels): loss {mlp.loss_and_gradients(images, labels)[0]:.12f}")


def draw_signed(values: Array) -> list[str]:
    """Draw 784 numbers above and below zero, each character the mean of two; the largest is '#' or '='."""
    blocks = values.reshape(14, 2, 28).mean(axis=1)
    return ["".join(SIGNED_RAMP[2 + round(2 * share)] for share in line) for line in blocks / abs(blocks).max()]


def row(numbers: Array) -> str:
    """Write numbers side by side."""
    return "".join(f"{number:7.3f}" for number in numbers)


EXERCISES = [
    Exercise(
        "How many numbers, weights and biases, does a 784-128-64-10 network learn?",
        lambda: sum(a.size for a in nnlite.MLP((784, 128, 64, 10), rng=np.random.default_rng(0)).parameters()),
        "every neuron has a weight for each of its inputs, and a bias",
        "785 for each of 128 neurons, 129 for each of 64, 65 for each of 10",
    ),
    Exercise(
        "On the batch of 64 images, how many of a neuron's products are not zero?",
        lambda: int(np.count_nonzero(example()[1])),
        "those of pixels with ink; nnlite.lessons.forward.example() gives pixels",
        "0 times a weight is 0, so four of five products are for nothing",
    ),
]


def shift_images() -> None:
    """Print how many images are still right once they stand further right."""
    data = nnlite.load_dataset("mnist")
    images, labels = data.test_images[:1000].reshape(-1, 28, 28), data.test_labels[:1000]
    print("  1,000 images that the network has never seen, so many pixels further right:\n")
    for n_pixels in range(7):
        shifted = np.roll(images, n_pixels, axis=2).reshape(-1, 784)
        n_right = np.count_nonzero(scores(trained_network(), shifted).argmax(axis=1) == labels)
        print(f"  by {n_pixels}  {n_right:5} right  {'#' * (n_right // 20)}")
    print("\n  A weight belongs to a pixel, not to a shape: the same ink two columns further")
    print("  meets weights that were learned for other ink. So digits are centred first.")


CHANGE = Change(
    "Move every image to the right, by 1 to 6 pixels: np.roll(images, 1, axis=2)\n"
    "of (n, 28, 28). You would read them as well as before. And the network?\n"
    "Of 1,000 new images it reads some 920: write down six numbers, then look.",
    shift_images,
)

if __name__ == "__main__":
    end(run("forward", lesson, EXERCISES, CHANGE))

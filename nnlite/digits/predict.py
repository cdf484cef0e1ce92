"""`nnlite predict FILE...`: which digits are in these pictures, how sure the network is, and whether to believe it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..mlp import MLP
from .likeness import UNLIKE, known_edges, unlikeness
from .options import OK, USAGE, Refusal, carry_out, mnist, network_of, new_parser, words
from .pictures import as_inputs, read_pictures
from .prepare import prepare
from .show import ASCII, BLOCKS, picture_and_probabilities


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status; see `options`."""
    parser = new_parser("predict", "Say which digit is in a picture, one digit each: PNG, JPEG, ... or IDX.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="dark on light or light on dark, anywhere, any size")
    parser.add_argument("--network", metavar="FILE", help="that nnlite train saved; without it one is trained first")
    return carry_out(parser, _predict, arguments)


def _predict(options: argparse.Namespace) -> int:
    images, status = [], OK
    for path in options.files:  # all, before seconds of training
        try:
            images += _images(path)
        except Refusal as refusal:
            print(f"nnlite predict: {refusal}", file=sys.stderr)
            status = refusal.status
    if not images:
        return status
    data = mnist(options.data_dir)
    mlp = network_of(options.network, data)

    @cache
    def known(digit: int) -> NDArray[np.float32]:
        return known_edges(data.train_pixels[data.train_labels == digit])

    for name, image in images:
        print(f"{describe(name, image, mlp, known, _marks())}\n")
    return status


def _images(path: str) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return the prepared images of a file, each with its name."""
    try:
        pictures = read_pictures(path)
    except (OSError, ValueError, ImportError) as error:
        raise Refusal(words(error), USAGE) from error
    names = [path] if len(pictures) == 1 else [f"{path}, image {number}" for number in range(len(pictures))]
    images = []
    for name, picture in zip(names, pictures, strict=True):
        try:
            images.append((name, prepare(picture)))
        except ValueError as error:
            raise Refusal(f"{name}: {error}", USAGE) from error
    return images


def describe(
    name: str, image: NDArray[np.uint8], mlp: MLP, known: Callable[[int], NDArray[np.float32]], marks: str = BLOCKS
) -> str:
    """Say what the network answers, show what it saw, and warn where no training image looks like it.

    Parameters
    ----------
    name : str
    image : uint8 array (28, 28) - prepared
    mlp : MLP - of 784 inputs and 10 classes
    known : function (digit) -> what `likeness.known_edges` says of the training images of that digit
    marks : str - see `show`

    Returns
    -------
    str - 15 lines, or 17
    """
    probabilities = mlp.predict_proba(as_inputs(image[None]))[0].tolist()
    digit = int(np.argmax(probabilities))
    lines = [f"{name}: {digit} ({probabilities[digit]:.1%})", picture_and_probabilities(image, probabilities, marks)]
    distance = unlikeness(image, known(digit))
    if distance > UNLIKE[digit]:
        lines.append(
            f"Warning: perhaps no digit. It is farther from every {digit} that was learnt from than 97 of 100 that\n"
            f"were kept aside: {distance:.3f}, theirs at most {UNLIKE[digit]:.3f} (0: equal strokes, 1: none in common)"
        )
    return "\n".join(lines)


def _marks() -> str:
    try:
        BLOCKS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return ASCII
    return BLOCKS

"""Lesson *bytes*: an IDX file taken apart by hand. Run it with `python -m nnlite.lessons.bytes`, then read it here.

MNIST's handwritten digits come as files of plain bytes. Slices and arithmetic are all it takes to get pictures out of
them, and the ten averages on which the experiment pretrains. Left out: damaged files; `nnlite.idx` knows them all.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

import nnlite
from nnlite.lessons.checker import Change, Exercise, end, run
from nnlite.lessons.mnist_files import find_training_files, read_bytes

ELEMENT_BYTES = {0x08: 1, 0x09: 1, 0x0B: 2, 0x0C: 4, 0x0D: 4, 0x0E: 8}  # type byte -> bytes that one element takes
RAMP = " .:-=+*#%@"  # ten characters, from no ink to full ink


def lesson() -> None:
    """Print the lesson, from the first byte to the ten averages."""
    path, labels_path = find_training_files()
    raw, raw_labels = read_bytes(path), read_bytes(labels_path)  # no shape, no type, no meaning yet
    print(f"{path}\nholds {len(raw):,} bytes, decompressed. What do they mean?")

    print("\n1. The header says what the rest is\n")
    print(f"  bytes  0- 1  {raw[0:2].hex(' '):11}  always zero")
    print(f"  byte   2     {raw[2:3].hex():11}  the type of every element; 08 is a byte, 0 to 255")
    print(f"  byte   3     {raw[3:4].hex():11}  how many sizes follow, of four bytes each")
    for start, unit in ((4, "images"), (8, "rows"), (12, "columns")):
        four = raw[start : start + 4]
        arithmetic = "({} x 256 x 256 x 256) + ({} x 256 x 256) + ({} x 256) + {}".format(*four)
        print(f"  bytes {start:2}-{start + 3:2}  {four.hex(' ')}  {size(four)} {unit} =\n      {arithmetic}")
    print("\n  Types, and the bytes that one element takes:")
    print("  " + ", ".join(f"{code:02x}: {n_bytes}" for code, n_bytes in ELEMENT_BYTES.items()))

    print("\n2. The file is as long as its header says\n")
    n_images, n_rows, n_columns = sizes(raw)
    print(f"  header    4 + 3 x 4 = 16 bytes\n  elements  {n_images} x {n_rows} x {n_columns} x 1 byte")
    print(f"  together  {file_length(raw):,} bytes; the file holds {len(raw):,}")

    print("\n3. The first image is the 28 x 28 = 784 bytes after the header, 16 to 799\n")
    first = np.frombuffer(raw[16:800], np.uint8).reshape(28, 28)  # row after row, as a page is read
    print("\n".join(f"  |{line}|" for line in draw(first, 2, 1)))
    print(f"\n  A character is the mean of two pixels, one above the other: '{RAMP}'.")
    print("  Row 5 in numbers, leftmost pixel first, 0 no ink and 255 full ink:")
    print("  " + " ".join(map(str, first[5])))

    print("\n4. The labels are a file of their own, with one size: 4 + 4 = 8 bytes of header\n")
    print(f"  {raw_labels[:18].hex(' ')} ...")
    print(f"  From byte 8 on, one label for each image. The first image is a {raw_labels[8]}.")

    print("\n5. nnlite.read_idx(path) does all that in one line\n")
    by_hand = np.frombuffer(raw[16:], np.uint8).reshape(n_images, n_rows, n_columns)
    images, labels = nnlite.read_idx(path), nnlite.read_idx(labels_path)
    print(f"  shape {images.shape}; the same pixels as by hand: {np.array_equal(images, by_hand)}")

    print("\n6. Ten averages: add a digit's images pixel by pixel, divide by their number\n")
    # nnlite.class_means does this to scaled pixels and counts every addition and division.
    for digits in (range(5), range(5, 10)):  # five fit side by side
        averages = [draw(images[labels == digit].mean(axis=0), 2, 2) for digit in digits]
        lines = [" ".join(parts).rstrip() for parts in zip(*averages, strict=True)]
        print("\n".join(f"  {line}" for line in lines if line) + "\n")
    print("  Does a network that has seen these first learn faster? See nnlite.experiment.")


def size(four: bytes) -> int:
    """Put a size together from four bytes: each place is worth 256 of the next, as in decimals ten."""
    a, b, c, d = four
    return (a * 256 * 256 * 256) + (b * 256 * 256) + (c * 256) + d


def sizes(raw: bytes) -> list[int]:
    """Read as many sizes as byte 3 says, from byte 4 on."""
    return [size(raw[4 + 4 * k : 8 + 4 * k]) for k in range(raw[3])]


def file_length(raw: bytes) -> int:
    """Compute from its header how many bytes a file must hold."""
    return 4 + 4 * raw[3] + math.prod(sizes(raw)) * ELEMENT_BYTES[raw[2]]


def draw(image: npt.NDArray[Any], down: int, across: int) -> list[str]:
    """Draw an image in lines of characters, each the mean of down x across pixels."""
    n_rows, n_columns = image.shape
    blocks = image.reshape(n_rows // down, down, n_columns // across, across).mean(axis=(1, 3))
    return ["".join(RAMP[int(ink) * len(RAMP) // 256] for ink in row) for row in blocks]


EXERCISES = [
    Exercise(
        "Another file starts 00 00 0c 02 00 00 01 00 00 00 00 03.\nHow many bytes must it hold, header and all?",
        lambda: file_length(bytes.fromhex("00 00 0c 02 00 00 01 00 00 00 00 03")),
        "how long is the header, what are the sizes, what does one element take?",
        "two sizes make a header of 12 bytes; 256 x 3 elements take 4 bytes each",
    ),
    Exercise(
        "Which value, 0 to 255, has the pixel in row 16, column 11 of image 7, each\n"
        "counted from 0? Let Python open the file and look.",
        lambda: read_bytes(find_training_files()[0])[16 + 7 * 784 + 16 * 28 + 11],
        "skip the header, then whole images, then whole rows, then pixels",
        "byte 16 + 7 x 784 + 16 x 28 + 11: what varies fastest comes last",
    ),
]


def forget_the_header() -> None:
    """Print what the first image is to a program that takes the header for pixels."""
    raw = read_bytes(find_training_files()[0])
    wrong = np.frombuffer(raw[0:784], np.uint8).reshape(28, 28)
    print("\n".join(f"  |{line}|" for line in draw(wrong, 2, 1)))
    print("\n  All stands 16 columns further right, as 16 bytes came first; what leaves on")
    print("  the right comes in on the left, a row lower. The specks on top are the header:")
    print(f"  byte 6 is {raw[6]}, byte 7 is {raw[7]}. Nothing failed: bytes do not know what they are.")


CHANGE = Change(
    "In section 3 forget the header: raw[0:784] in place of raw[16:800].\n"
    "Is there still a 5? Where? Draw what you expect, then look.",
    forget_the_header,
)

if __name__ == "__main__":
    end(run("bytes", lesson, EXERCISES, CHANGE))

"""A 28 x 28 image and ten probabilities as text. It never prints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCKS, ASCII = " ▀▄█", " '.#"
"""A character for two pixels, one above the other: neither is ink, the upper, the lower, both."""
_BAR = 20  # characters


def picture_and_probabilities(image: NDArray[np.uint8], probabilities: Sequence[float], marks: str = BLOCKS) -> str:
    """Draw an image (28, 28) in 14 lines, with one probability a line beside it, 60 columns or less.

    Examples
    --------
    >>> image = np.zeros((28, 28), np.uint8)
    >>> image[5:20, 13:15] = 255
    >>> lines = picture_and_probabilities(image, [0.25, 0.75]).splitlines()
    >>> lines[2], lines[3]
    ('             ▄▄                 0  25.0% #####', '             ██                 1  75.0% ###############')
    """
    ink = (image >= 128).astype(int)
    lines = ["".join(marks[mark] for mark in row) for row in ink[::2] + 2 * ink[1::2]]
    table = [f"{digit} {p:6.1%} {'#' * round(_BAR * p)}" for digit, p in enumerate(probabilities)]
    return "\n".join(f"{line}    {text}".rstrip() for line, text in zip(lines, ["", "", *table, "", ""], strict=False))

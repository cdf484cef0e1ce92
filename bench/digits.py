"""How well own digits are read, and what is no digit warned about: writes bench/DIGITS.md.

    python -m bench.digits              two minutes; needs the extras `images` and `plot` (for matplotlib's own fonts)
                                        and Fashion-MNIST

Two thousand test images are changed as people's drawings differ from MNIST's, and read by the default network of
`nnlite predict`, with and without preparation. What is no digit is made here too, all from one seed.
"""

from __future__ import annotations

import platform
import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import nnlite
from nnlite.digits.likeness import UNLIKE, known_edges, unlikeness
from nnlite.digits.network import train_network
from nnlite.digits.pictures import as_inputs
from nnlite.digits.prepare import prepare

PAGE = Path(__file__).parent / "DIGITS.md"
N_IMAGES, SEED = 2000, 2024
N_HELD_OUT, SHARE = 10_000, 0.03  # of the training images: the last, and how many of them may be warned about
_DEJAVU = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold")
FONTS = (*_DEJAVU, "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta")
LIKE_DIGITS = {
    "0": "OoQ",
    "1": "Iil",
    "2": "Zz",
    "3": "E",
    "4": "hy",
    "5": "Ss",
    "6": "gq",
    "7": "L",
    "8": "B",
    "9": "b",
}
"""Letters that upside down are a digit, or nearly, by their shape: to warn of them is as right as not to."""


def shifted(image, rng):
    """Up to 4 pixels along both axes; what leaves the frame is lost."""
    down, right = rng.integers(-4, 5, 2)
    padded = np.pad(image, 4)
    return padded[4 - down : 32 - down, 4 - right : 32 - right]


def scaled(image, rng):
    """To 60 to 140% of the size, by linear interpolation."""
    n = round(28 * rng.uniform(0.6, 1.4))
    at = (np.arange(n) + 0.5) * 28 / n - 0.5
    low = np.clip(np.floor(at).astype(int), 0, 26)
    part = np.clip(at - low, 0, 1)
    rows = image[low] * (1 - part)[:, None] + image[low + 1] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, low + 1] * part


def thickened(image, rng):
    """A pixel more on each of four sides of every stroke."""
    padded = np.pad(image, 1)
    sides = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.maximum.reduce([image, *sides])


def inverted(image, rng):
    """Dark on light."""
    return 255 - image


def photographed(image, rng):
    """Dark on paper that darkens downwards, enlarged five times, faint, with a camera's noise."""
    large = np.kron(np.pad(image, 6), np.ones((5, 5)))
    paper = 250 - np.linspace(0, 40, len(large))[:, None]
    return np.round(np.clip(paper - 0.6 * large + rng.normal(0, 4, large.shape), 0, 255))


def all_at_once(image, rng):
    """Scaled, thickened, shifted and inverted."""
    changed = thickened(scaled(image.astype(np.float64), rng), rng)
    down, right = rng.integers(0, 9, 2)
    return 255 - np.pad(changed, ((down, 8 - down), (right, 8 - right)))


def unchanged(image, rng):
    """As it is in the test set."""
    return image


KINDS = (unchanged, shifted, scaled, thickened, inverted, photographed, all_at_once)


def fitted(picture: np.ndarray) -> np.ndarray:
    """Cut or fill a picture to 28 x 28 about its middle, for a network that is handed it unprepared."""
    n = 28 - min(picture.shape)
    if n < 0:
        nearest = ((np.arange(28) + 0.5) * len(picture) / 28).astype(int)
        return picture[nearest][:, nearest]
    return np.pad(picture, ((n // 2, n - n // 2),) * 2)


def noise(rng) -> Iterator[tuple[str, np.ndarray]]:
    """250 pictures of each kind."""
    for _ in range(250):
        yield "noise, a grey for every pixel", rng.integers(0, 256, (28, 28))
        yield "noise, one speck in ten pixels", (rng.random((28, 28)) < 0.1) * 255
        yield "noise, a grey for every pixel of 280 x 280", rng.integers(0, 256, (280, 280))
        yield "noise, blots of 4 x 4 pixels", np.kron(rng.integers(0, 2, (7, 7)) * 255, np.ones((4, 4)))


def scribbles(rng) -> Iterator[tuple[str, np.ndarray]]:
    """300 pictures of each kind, with a pen as wide as the page's."""
    for _ in range(300):
        picture = Image.new("L", (280, 280))
        for _ in range(rng.integers(1, 4)):
            wave = np.sin(np.outer(np.arange(200) / 200, rng.uniform(3, 30, 4)) + rng.uniform(0, 2 * np.pi, 4))
            x, y = 140 + 60 * (wave[:, :2] + wave[:, 2:]).T * rng.uniform(0.4, 0.95, (2, 1))
            for point in zip(x, y, strict=True):
                ImageDraw.Draw(picture).circle(point, 11, fill=255)
        yield "scribbles, 1 to 3 curved strokes", np.asarray(picture)
        picture = Image.new("L", (280, 280))
        corners = [tuple(corner) for corner in rng.uniform(30, 250, (rng.integers(6, 14), 2))]
        ImageDraw.Draw(picture).line(corners, fill=255, width=22, joint="curve")
        yield "scribbles, a line with 6 to 13 corners", np.asarray(picture)


def printed(characters: str) -> Iterator[tuple[str, Image.Image]]:
    """Characters of every font, dark on light."""
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    for font in FONTS:
        face = ImageFont.truetype(str(folder / f"{font}.ttf"), 70)
        for character in characters:
            picture = Image.new("L", (160, 160), 255)
            ImageDraw.Draw(picture).text((80, 80), character, fill=0, font=face, anchor="mm")
            yield character, picture


def letters() -> Iterator[tuple[str, np.ndarray]]:
    """Printed letters, upside down and upright, and digits."""
    for letter, picture in printed(string.ascii_letters):
        is_digit = letter in "".join(LIKE_DIGITS.values())
        kind = "letters upside down that are nearly a digit" if is_digit else "letters upside down, all others"
        yield kind, np.asarray(picture.rotate(180))
        yield "letters upside down, both", np.asarray(picture.rotate(180))
    for _, picture in printed(string.ascii_letters):
        yield "letters upright, all", np.asarray(picture)
    for _, picture in printed(string.digits):
        yield "digits, printed", np.asarray(picture)


def warned(picture: np.ndarray, mlp: nnlite.MLP, known: list[np.ndarray]) -> bool:
    """Whether `nnlite predict` would warn of a picture, or refuse it for want of ink."""
    try:
        image = prepare(picture)
    except ValueError:
        return True
    digit = int(mlp.predict(as_inputs(image[None]))[0])
    return unlikeness(image, known[digit]) > UNLIKE[digit]


def accuracy_table(data: nnlite.Dataset, mlp: nnlite.MLP, rng: np.random.Generator) -> str:
    """One row a kind of change: right without and with preparation."""
    chosen = rng.choice(len(data.test_labels), N_IMAGES, replace=False)
    images, labels = data.test_pixels[chosen].reshape(-1, 28, 28), data.test_labels[chosen]
    rows = ["| 2,000 test images | what was done | right as they are | right prepared |", "| --- | --- | ---: | ---: |"]
    for change in KINDS:
        pictures = [change(image, rng) for image in images]
        as_they_are = np.array([fitted(picture) for picture in pictures]).reshape(-1, 784) / 255
        right = [np.mean(mlp.predict(x) == labels) for x in (as_they_are, prepared(pictures))]
        name = change.__name__.replace("_", " ")
        rows.append(f"| {name} | {change.__doc__.rstrip('.')} | {right[0]:.1%} | {right[1]:.1%} |")
    return "\n".join(rows)


def prepared(pictures: list[np.ndarray]) -> np.ndarray:
    """The pictures as the network wants them."""
    return as_inputs(np.array([prepare(picture) for picture in pictures]))


def warnings_table(data: nnlite.Dataset, mlp: nnlite.MLP, rng: np.random.Generator) -> str:
    """One row a kind of picture: how many, and the share warned about with its standard error."""
    known = [known_edges(data.train_pixels[data.train_labels == label]) for label in range(10)]
    digits = data.test_pixels[rng.choice(len(data.test_labels), N_IMAGES, replace=False)].reshape(-1, 28, 28)
    clothes = nnlite.load_dataset("fashion-mnist").test_pixels[:500].reshape(-1, 28, 28)
    pictures = [
        *((f"test digits, {change.__name__.replace('_', ' ')}", change(d, rng)) for change in KINDS for d in digits),
        *(("empty", np.full((28, 28), grey)) for grey in (0, 128, 255)),
        *noise(rng),
        *scribbles(rng),
        *letters(),
        *(("clothes", picture) for picture in clothes),
    ]
    kinds: dict[str, list[bool]] = {}
    for kind, picture in pictures:
        kinds.setdefault(kind, []).append(warned(picture, mlp, known))
    rows = ["| pictures | n | warned about | standard error |", "| --- | ---: | ---: | ---: |"]
    for kind, found in kinds.items():
        share = np.mean(found)
        error = np.sqrt(share * (1 - share) / len(found))
        rows.append(f"| {kind} | {len(found):,} | {share:.1%} | {error:.1%} |")
    return "\n".join(rows)


def limits(data: nnlite.Dataset) -> list[float]:
    """The unlikeness that 3% of the held-out training images of each digit exceed."""
    pixels, labels, n_known = data.train_pixels, data.train_labels, len(data.train_labels) - N_HELD_OUT
    found = []
    for digit in range(10):
        known = known_edges(pixels[:n_known][labels[:n_known] == digit])
        held_out = pixels[n_known:][labels[n_known:] == digit].reshape(-1, 28, 28)
        found.append(float(np.quantile([unlikeness(prepare(image), known) for image in held_out], 1 - SHARE)))
    return found


def in_a_row(numbers: Sequence[float]) -> str:
    """Numbers to three digits."""
    return ", ".join(f"{number:.3f}" for number in numbers)


def main() -> None:
    """Write the page."""
    data = nnlite.load_dataset("mnist")
    mlp, _ = train_network(data)
    rng = np.random.default_rng(SEED)
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, Pillow {Image.__version__}"
    parts: list[Callable[[], str]] = [
        lambda: "# Own digits\n\nGenerated by `python -m bench.digits`; nobody types a number into it.",
        lambda: accuracy_table(data, mlp, rng),
        lambda: (
            f"{SHARE:.0%} of the last {N_HELD_OUT:,} training images exceed, digit by digit, {in_a_row(limits(data))}"
            f" when they are compared with all before them; the limits in use are {in_a_row(UNLIKE)}."
        ),
        lambda: warnings_table(data, mlp, rng),
        lambda: (
            f"Letters: {', '.join(FONTS)}. Called nearly a digit upside down, by their shape: "
            + "; ".join(f"{digit} {' '.join(letters)}" for digit, letters in LIKE_DIGITS.items())
            + "."
        ),
        lambda: f"The default network of `nnlite predict`; seed {SEED}; {versions}.",
    ]
    PAGE.write_text("\n\n".join(part() for part in parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

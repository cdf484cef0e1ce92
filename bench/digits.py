"""How well own digits are read, and what is no digit warned about: writes bench/DIGITS.md.

    python -m bench.digits              a minute; needs the extras `images` and `plot` (for matplotlib's own fonts)

Two thousand test images are changed as people's drawings differ from MNIST's, and read by the default network of
`nnlite predict`, with and without preparation. What is no digit is made here too, all from one seed.
"""

from __future__ import annotations

import platform
import string
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import nnlite
from nnlite.digits.likeness import UNLIKE, smoothed, unlikeness
from nnlite.digits.network import train_network
from nnlite.digits.pictures import as_inputs
from nnlite.digits.prepare import prepare

PAGE = Path(__file__).parent / "DIGITS.md"
N_IMAGES, SEED = 2000, 2024
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold")
NO_DIGITS = "AFGHKMNRUVWXYaekmnuvwx"
"""Letters that upside down are no digit; the others are, or nearly: b is a 9, E a 3, h a 4, l a 1, L a 7, S a 5."""


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


def letters() -> Iterator[tuple[str, np.ndarray]]:
    """Printed letters, upside down."""
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    for font in FONTS:
        face = ImageFont.truetype(str(folder / f"{font}.ttf"), 70)
        for letter in string.ascii_letters:
            picture = Image.new("L", (120, 120), 255)
            ImageDraw.Draw(picture).text((60, 60), letter, fill=0, font=face, anchor="mm")
            kind = "letters upside down that are no digit" if letter in NO_DIGITS else "letters upside down, the others"
            yield kind, np.asarray(picture.rotate(180))


def warned(picture: np.ndarray, mlp: nnlite.MLP, known: list[np.ndarray]) -> bool:
    """Whether `nnlite predict` would warn of a picture, or refuse it for want of ink."""
    try:
        image = prepare(picture)
    except ValueError:
        return True
    return unlikeness(image, known[int(mlp.predict(as_inputs(image[None]))[0])]) > UNLIKE


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
    """One row a kind of picture: how many, and the share warned about."""
    known = [smoothed(data.train_pixels[data.train_labels == label]) for label in range(10)]
    tests = list(data.test_pixels.reshape(-1, 28, 28))
    kinds: dict[str, list[bool]] = {}

    def look(kind: str, picture: np.ndarray) -> None:
        kinds.setdefault(kind, []).append(warned(picture, mlp, known))

    for picture in tests[:2000]:
        look("test digits 0 to 1,999, which set the limit", picture)
    for picture in tests[5000:7000]:
        look("test digits 5,000 to 6,999, which did not", picture)
    for kind, picture in (*noise(rng), *letters()):
        look(kind, picture)
    for grey in (0, 128, 255):
        look("empty", np.full((28, 28), grey))
    rows = ["| pictures | n | warned about |", "| --- | ---: | ---: |"]
    return "\n".join(rows + [f"| {kind} | {len(found):,} | {np.mean(found):.1%} |" for kind, found in kinds.items()])


def limit(data: nnlite.Dataset, mlp: nnlite.MLP) -> float:
    """The unlikeness that 4% of the first test digits exceed."""
    images = np.array([prepare(image) for image in data.test_pixels[:2000].reshape(-1, 28, 28)])
    known = [smoothed(data.train_pixels[data.train_labels == label]) for label in range(10)]
    answers = mlp.predict(as_inputs(images))
    return float(np.quantile([unlikeness(i, known[a]) for i, a in zip(images, answers, strict=True)], 0.96))


def main() -> None:
    """Write the page."""
    data = nnlite.load_dataset("mnist")
    mlp, _ = train_network(data)
    rng = np.random.default_rng(SEED)
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, Pillow {Image.__version__}"
    parts: list[Callable[[], str]] = [
        lambda: "# Own digits\n\nGenerated by `python -m bench.digits`; nobody types a number into it.",
        lambda: accuracy_table(data, mlp, rng),
        lambda: f"The limit of unlikeness is {UNLIKE}; 4% of the test digits 0 to 1,999 exceed {limit(data, mlp):.3f}.",
        lambda: warnings_table(data, mlp, rng),
        lambda: f"Letters: {', '.join(FONTS)}; upside down these are called no digit: {' '.join(NO_DIGITS)}.",
        lambda: f"The default network of `nnlite predict`; seed {SEED}; {versions}.",
    ]
    PAGE.write_text("\n\n".join(part() for part in parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

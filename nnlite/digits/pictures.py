"""Files of one's own digits: what Pillow can open, and IDX without it, as greys.

The first stage of an own digit; `prepare` is the next. A file is known by its content, never by its name. Left out:
colours, which become greys.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..contents import HEAD_SIZE, describe_content
from ..files import path_name, reading
from ..idx import IdxFormatError, parse_idx
from .prepare import prepare

MOST_PIXELS = 25_000_000  # a phone's photo has 12 million; each takes some dozen bytes on its way
_ENOUGH = (3000, 3000)  # of a larger JPEG, 48 million say, a half, a quarter or an eighth is decoded, never less


def read_digit(source: str | os.PathLike[str] | ArrayLike) -> NDArray[np.float32]:
    """Read one digit of one's own, as a network that was trained on MNIST wants it.

    Parameters
    ----------
    source : str, path-like or real array (height, width)
        A picture in a file (PNG, JPEG and what else Pillow reads; IDX without Pillow), or its greys in any unit.

    Returns
    -------
    float32 array (1, 784)
        The image that `digits.prepare` makes, 0 to 1: what `MLP.predict` takes.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no picture, damaged, too large, an animation, or more than one image; or there is no ink in it.
    ImportError
        It is no IDX file, and Pillow is missing.

    Examples
    --------
    >>> greys = np.zeros((50, 50))
    >>> greys[5:45, 20:24] = 1
    >>> image = read_digit(greys)
    >>> image.shape, float(image.max())
    ((1, 784), 1.0)
    """
    if isinstance(source, str | os.PathLike):
        pictures = read_pictures(source)
        if len(pictures) != 1:
            raise ValueError(f"{path_name(source)}: {len(pictures)} images, expected one: take one of read_idx")
        image = prepare(pictures[0])
    else:
        image = prepare(source)
    return as_inputs(image[None])


def as_inputs(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scale images (n, 28, 28) of bytes as `Dataset` does, to float32 (n, 784)."""
    inputs: NDArray[np.float32] = images.reshape(len(images), -1) / np.float32(255)
    return inputs


def read_pictures(path: str | os.PathLike[str]) -> list[NDArray[Any]]:
    """Read the picture of a file, or all images of an IDX file, as greys (height, width) in any unit.

    Errors as `read_digit`, but for those about ink and more than one image.
    """
    name = path_name(path)
    with reading(name) as (stream, size):
        head = stream.read(HEAD_SIZE)
        stream.seek(0)
        if head[:2] != b"\0\0" or head[4:8] == b"ftyp":  # IDX, but for HEIC and AVIF
            return [_opened(stream, name, head)]
        array = parse_idx(stream, size, name)
    if array.ndim not in (2, 3) or array.size == 0:
        problem = f"expected images, (n, height, width) or (height, width), found sizes {array.shape}"
        raise IdxFormatError(name, 4, "2 or 3 dimensions", array.shape, problem)
    return list(array.reshape(-1, *array.shape[-2:]))


def _opened(stream: Any, name: str, head: bytes) -> NDArray[Any]:
    """Return the greys of a file that Pillow opens."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise ImportError(f'{name}: pictures need Pillow: python -m pip install "nnlite[images]"') from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures and odd metadata; what matters is checked here
            picture = Image.open(stream)
            picture.draft(None, _ENOUGH)
            if picture.width * picture.height > MOST_PIXELS:
                size = f"{picture.width} x {picture.height} pixels"
                raise ValueError(f"{name}: {size} are too many, at most {MOST_PIXELS:,}; make it smaller")
            n_frames = getattr(picture, "n_frames", 1)
            if n_frames > 1:
                raise ValueError(f"{name}: an animation of {n_frames} pictures; save one of them")
            return _greys(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError as error:
        what = describe_content(head)
        found = "" if what is None else f"; this is {what}"
        raise ValueError(f"{name}: no picture that Pillow knows, and no IDX file{found}") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name}: too many pixels, at most {MOST_PIXELS:,}; make it smaller") from error
    except (OSError, SyntaxError, EOFError) as error:  # what Pillow raises on damaged files
        raise ValueError(f"{name}: the picture is damaged or cut short ({error})") from error


def _greys(picture: Any) -> NDArray[Any]:
    """Return the greys of a Pillow picture, 16 bits where it has them; what is transparent is paper."""
    if picture.mode.startswith(("I", "F")):
        return np.asarray(picture)
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return np.asarray(picture.convert("L"))
    grey, opacity = (np.asarray(band, np.float64) for band in picture.convert("LA").split())
    paper = 0 if (grey * opacity).sum() > 127.5 * opacity.sum() else 255  # light ink lay on dark, dark ink on light
    return paper + (grey - paper) * opacity / 255

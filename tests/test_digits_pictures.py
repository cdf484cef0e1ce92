"""Files of one's own: every kind that people have, and one line for every one that cannot be read."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import nnlite
from nnlite.digits import pictures
from nnlite.digits.pictures import read_digit, read_pictures

GREYS = np.full((60, 50), 255, np.uint8)
GREYS[10:50, 20:24] = 0
GREYS[10:14, 20:40] = 0


def test_an_array_is_read_as_its_greys():
    assert read_digit(GREYS).shape == (1, 784)
    assert read_digit(GREYS).dtype == np.float32
    assert np.array_equal(read_digit(GREYS), read_digit(255.0 - GREYS))
    assert nnlite.read_digit is read_digit


def test_idx_needs_no_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    for name, array in (("one", GREYS), ("one-of-one.gz", GREYS[None])):
        nnlite.write_idx(tmp_path / name, array)
        assert np.array_equal(read_digit(tmp_path / name), read_digit(GREYS))
    nnlite.write_idx(tmp_path / "two", np.stack([GREYS, GREYS]))
    assert len(read_pictures(tmp_path / "two")) == 2
    with pytest.raises(ValueError, match="2 images, expected one"):
        read_digit(tmp_path / "two")
    nnlite.write_idx(tmp_path / "labels", np.arange(3, dtype=np.uint8))
    with pytest.raises(ValueError, match="expected images"):
        read_digit(tmp_path / "labels")
    (tmp_path / "seven.png").write_bytes(b"\x89PNG")
    with pytest.raises(ImportError, match="need Pillow"):
        read_digit(tmp_path / "seven.png")


@pytest.fixture
def pil():
    return pytest.importorskip("PIL.Image")


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "CMYK", "I;16", "I", "F", "LA", "RGBA"])
def test_every_mode_gives_the_same_digit(tmp_path, pil, mode):
    ending = {"CMYK": "jpg", "I": "tiff", "F": "tiff"}.get(mode, "png")
    wide = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    if mode in wide:
        picture = pil.fromarray(GREYS.astype(wide[mode]) * wide[mode](200))
    else:
        picture = pil.fromarray(GREYS).convert(mode)
    picture.save(tmp_path / f"digit.{ending}", **({"quality": 100} if ending == "jpg" else {}))
    near = 0.03 if ending == "jpg" else 0
    assert np.abs(read_digit(tmp_path / f"digit.{ending}") - read_digit(GREYS)).max() <= near


def test_an_avif_picture_begins_with_two_zero_bytes_as_idx_does(tmp_path, pil):
    from PIL import features

    if not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    pil.fromarray(GREYS).save(tmp_path / "digit.avif", quality=100)
    assert (tmp_path / "digit.avif").read_bytes()[:2] == b"\0\0"
    assert np.abs(read_digit(tmp_path / "digit.avif") - read_digit(GREYS)).max() <= 0.03


@pytest.mark.parametrize("grey", [0, 255])
def test_ink_on_nothing_is_read_whatever_its_colour(tmp_path, pil, grey):
    """A drawing saved with a transparent background: its paper is chosen so that the ink shows."""
    opacity = 255 - GREYS
    pil.merge("LA", [pil.new("L", (50, 60), grey), pil.fromarray(opacity)]).save(tmp_path / "drawn.png")
    assert np.array_equal(read_digit(tmp_path / "drawn.png"), read_digit(GREYS))


def test_a_phones_photo_is_turned_as_its_metadata_say(tmp_path, pil):
    exif = pil.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    pil.fromarray(np.rot90(GREYS).copy()).save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(read_digit(tmp_path / "photo.png"), read_digit(GREYS))


def test_a_jpeg_too_large_is_decoded_at_half_its_size(tmp_path, monkeypatch, pil):
    """In small: 600 x 720 pixels where 300 x 360 are the most."""
    monkeypatch.setattr(pictures, "_ENOUGH", (300, 300))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 300 * 360)
    large = pil.fromarray(np.kron(GREYS, np.ones((12, 12), np.uint8)))
    large.save(tmp_path / "photo.jpg", quality=95)
    assert read_pictures(tmp_path / "photo.jpg")[0].shape == (360, 300)
    assert np.abs(read_digit(tmp_path / "photo.jpg") - read_digit(GREYS)).max() <= 0.03
    large.save(tmp_path / "photo.png")
    with pytest.raises(ValueError, match="600 x 720 pixels are too many"):
        read_pictures(tmp_path / "photo.png")


def cut_short(path, pil):
    pil.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:900])


def animated(path, pil):
    pil.fromarray(GREYS).save(path, save_all=True, append_images=[pil.fromarray(255 - GREYS)])


BAD = {
    "cut short": (cut_short, "damaged or cut short"),
    "animated": (animated, "an animation of 2 pictures"),
    "huge": (lambda path, pil: pil.new("1", (6000, 6000)).save(path), "6000 x 6000 pixels are too many"),
    "a bomb": (lambda path, pil: pil.new("1", (20000, 20000)).save(path), "too many"),
    "text": (lambda path, pil: path.write_text("seven"), "no picture that Pillow knows.*; this is text"),
    "nothing": (lambda path, pil: path.write_bytes(b""), "no picture that Pillow knows.*; this is an empty file"),
    "HEIC": (
        lambda path, pil: path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(99)),
        "iPhones take them; export it as JPEG",
    ),
    "noise": (lambda path, pil: path.write_bytes(b"\xfe\xdc\xba\x98"), "no IDX file$"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_line_that_names_it(tmp_path, pil, kind):
    make, problem = BAD[kind]
    path = tmp_path / "bad.png"
    make(path, pil)
    with pytest.raises(ValueError, match=problem) as raised:
        read_pictures(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)

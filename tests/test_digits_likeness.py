"""Unlikeness: nothing for a training image, above the limit for garbage, below it for nearly all real digits."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite
from nnlite.digits.likeness import UNLIKE, smoothed, unlikeness
from nnlite.digits.prepare import prepare


@pytest.fixture(scope="module")
def data():
    return nnlite.load_dataset("mnist")


@pytest.fixture(scope="module")
def known(data):
    return [smoothed(data.train_pixels[data.train_labels == label]) for label in range(10)]


def test_windows_are_averages_by_hand():
    image = np.zeros((1, 784), np.uint8)
    image[0, 10 * 28 + 10] = 255  # in the 16 windows that hold pixel (10, 10), a sixteenth each
    seen = smoothed(image).reshape(25, 25)
    assert np.argwhere(seen).min(axis=0).tolist() == [7, 7]
    assert np.argwhere(seen).max(axis=0).tolist() == [10, 10]
    assert set(seen.ravel().tolist()) == {0, 1 / 16}


def test_the_measure_by_hand():
    """|s(image)|^2 = 16 / 256 for one pixel; to a pixel far away the squared distance is twice that."""
    one, other = np.zeros((2, 784), np.uint8)
    one[10 * 28 + 10], other[20 * 28 + 20] = 255, 255
    assert unlikeness(one.reshape(28, 28), smoothed(other[None])) == pytest.approx(2 * (1 / 16) / (1 / 4))
    assert unlikeness(one.reshape(28, 28), smoothed(np.stack([other, one]))) == 0


def test_real_digits_are_warned_about_in_at_most_5_percent(data, known):
    """By the class of their label; bench/DIGITS.md has the network's, and more of them."""
    pairs = zip(data.test_pixels[9000:9400].reshape(-1, 28, 28), data.test_labels[9000:9400], strict=True)
    assert np.mean([unlikeness(prepare(image), known[label]) > UNLIKE for image, label in pairs]) <= 0.05


def test_noise_is_warned_about_whatever_class_is_said(known):
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (28, 28)) for _ in range(10)]
    pictures += [(rng.random((28, 28)) < 0.1) * 255 for _ in range(10)]
    assert all(unlikeness(prepare(picture), of_class) > UNLIKE for picture in pictures for of_class in known)


def test_letters_upside_down_that_are_no_digit_are_warned_about(known):
    ImageFont = pytest.importorskip("PIL.ImageFont")
    from PIL import Image, ImageDraw

    for letter in "AKMNRWX":
        picture = Image.new("L", (120, 120), 255)
        ImageDraw.Draw(picture).text((30, 10), letter, fill=0, font=ImageFont.load_default(70))
        image = prepare(np.asarray(picture.rotate(180)))
        assert min(unlikeness(image, of_class) for of_class in known) > UNLIKE, letter

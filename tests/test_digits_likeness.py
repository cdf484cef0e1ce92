"""Unlikeness: nothing for a training image, above the limit for garbage, below it for nearly all real digits."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite
from nnlite.digits.likeness import UNLIKE, edges, known_edges, unlikeness
from nnlite.digits.prepare import prepare


@pytest.fixture(scope="module")
def data():
    return nnlite.load_dataset("mnist")


@pytest.fixture(scope="module")
def known(data):
    return [known_edges(data.train_pixels[data.train_labels == label]) for label in range(10)]


def one_pixel(row, column):
    image = np.zeros((28, 28), np.uint8)
    image[row, column] = 255
    return image


def test_the_edges_of_a_pixel_by_hand():
    """Left of it, in column 10, ink grows to the right, by all of its brightness; so on every side, each once."""
    right, left, below, above = edges(one_pixel(11, 11)[None]).reshape(4, 12, 12)
    # windows of 6 begin at 0, 2, 4, ...: place 10 is in those that begin at 6, 8, 10; 11 too; 12 in those at 8, 10, 12
    for side, rows, columns in (
        (right, [3, 4, 5], [3, 4, 5]),
        (left, [3, 4, 5], [4, 5, 6]),
        (below, [3, 4, 5], [3, 4, 5]),
        (above, [4, 5, 6], [3, 4, 5]),
    ):
        expected = np.zeros((12, 12))
        expected[np.ix_(rows, columns)] = 1 / 6  # 36 equal values in all, of length 1
        np.testing.assert_allclose(side, expected, atol=1e-7)


def test_the_measure_by_hand():
    """Of two neighbours two thirds of the windows are the same; far away no window is."""
    image, aside, away = (one_pixel(11, column) for column in (11, 13, 23))
    assert unlikeness(image, edges(np.stack([aside, away]))) == pytest.approx(1 / 3)
    assert unlikeness(image, edges(away[None])) == pytest.approx(1)
    assert unlikeness(image, edges(np.stack([away, image]))) == pytest.approx(0, abs=1e-6)


def test_how_strong_the_ink_is_does_not_matter():
    image = np.triu(np.full((28, 28), 200, np.uint8))
    np.testing.assert_allclose(edges((image // 4)[None]), edges(image[None]), rtol=1e-6)


def test_a_training_image_is_known_thin_and_thick():
    """A bar of 20 x 2 pixels becomes 22 x 4, less its corners, which is 20 x 3.6 again: 4 columns."""
    thin, thick = np.zeros((2, 28, 28), np.uint8)
    thin[4:24, 13:15] = 255
    thick[3:25, 13:15] = thick[4:24, 12:16] = 255
    known = known_edges(thin.reshape(1, 784))
    assert known.shape == (2, 576)
    assert unlikeness(thin, known[:1]) == pytest.approx(0, abs=1e-6)
    assert unlikeness(prepare(thick), known[1:]) == pytest.approx(0, abs=1e-6)
    assert unlikeness(prepare(thick), known[:1]) > 0.05


def test_real_digits_are_warned_about_in_at_most_5_percent(data, known):
    """By the class of their label; bench/DIGITS.md has the network's, and more of them."""
    pairs = zip(data.test_pixels[9000:9400].reshape(-1, 28, 28), data.test_labels[9000:9400], strict=True)
    assert np.mean([unlikeness(prepare(image), known[label]) > UNLIKE[label] for image, label in pairs]) <= 0.05


def test_digits_of_a_thick_pen_are_too(data, known):
    images = data.test_pixels[9000:9400].reshape(-1, 28, 28)  # their borders are empty, so nothing is rolled over
    thick = np.maximum.reduce([images, *(np.roll(images, by, axis) for by in (-1, 1) for axis in (1, 2))])
    pairs = zip(thick, data.test_labels[9000:9400], strict=True)
    assert np.mean([unlikeness(prepare(image), known[label]) > UNLIKE[label] for image, label in pairs]) <= 0.05


def test_noise_is_warned_about_whatever_class_is_said(known):
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (28, 28)) for _ in range(10)]
    pictures += [(rng.random((28, 28)) < 0.1) * 255 for _ in range(10)]
    for picture in pictures:
        image = prepare(picture)
        assert all(unlikeness(image, known[digit]) > UNLIKE[digit] for digit in range(10))


def test_letters_upside_down_that_are_no_digit_are_warned_about(known):
    ImageFont = pytest.importorskip("PIL.ImageFont")
    from PIL import Image, ImageDraw

    for letter in "ACFHJKMNRTUVWXckmntuvwx":
        picture = Image.new("L", (120, 120), 255)
        ImageDraw.Draw(picture).text((30, 10), letter, fill=0, font=ImageFont.load_default(70))
        image = prepare(np.asarray(picture.rotate(180)))
        assert all(unlikeness(image, known[digit]) > UNLIKE[digit] for digit in range(10)), letter


def test_the_limits_are_those_of_held_out_training_images(data):
    """3% of the last 10,000 lie beyond, when compared with all before them: 991 of them are zeros."""
    known = known_edges(data.train_pixels[:50_000][data.train_labels[:50_000] == 0])
    held_out = data.train_pixels[50_000:][data.train_labels[50_000:] == 0].reshape(-1, 28, 28)
    found = [unlikeness(prepare(image), known) for image in held_out]
    assert (len(found), round(float(np.quantile(found, 0.97)), 3)) == (991, UNLIKE[0])

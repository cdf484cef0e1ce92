"""Preparing a picture: hand-worked strokes, MNIST's own images, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlite
from nnlite.digits.prepare import prepare


@pytest.fixture(scope="module")
def digits():
    return nnlite.load_dataset("mnist").test_pixels[:300].reshape(-1, 28, 28)


def test_a_stroke_of_two_greys_is_averaged_by_area():
    """40 rows of ink become 20: two rows and two columns a pixel. A pixel half covered has half the ink, 127.5."""
    picture = np.zeros((60, 60))
    picture[10:50, 20:23] = 9  # 40 tall, 3 wide: 20 x 1.5, so 2 pixels of 1.5 columns each
    picture[10:50, 23] = 0
    image = prepare(picture)
    assert image.sum() == 20 * 2 * 255
    picture[10:50, 23] = 4.5  # now 4 columns, 2 pixels: 9 and (9 + 4.5) / 2 = 6.75, which is 191.25 of 255
    assert sorted(set(prepare(picture).ravel().tolist())) == [0, 191, 255]


def test_the_centre_of_mass_comes_to_rest_on_pixel_14():
    picture = np.zeros((40, 40))
    picture[0:20, 0:5] = 1  # a tall bar, its middle in column 2
    picture[19, 0:15] = 1  # and a foot of 15: the mass is at column (20 * 10 + 105 - 10) / (100 + 10) = 2.68
    image = prepare(picture)
    rows, columns = np.nonzero(image)
    assert columns.min() == 11  # 11 + 2.68 is nearest to 14
    assert rows.min() == 4  # (950 + 190) / 110 = 10.36 down the box; 3 + 10.36 is below 13.5, 4 + 10.36 is not
    assert (image > 0).sum() == 110


def test_nine_of_ten_of_mnists_own_images_that_have_no_faint_ink_come_back_as_they_are(digits):
    """Those who made MNIST did the same; what is fainter than a quarter is cut here, so it is cut there first."""
    clear = np.where(digits < 64, 0, digits)
    sides = [max(np.ptp(where) + 1 for where in np.nonzero(image)) for image in clear]
    whole = [image for image, side in zip(clear, sides, strict=True) if side == 20]
    near = [np.abs(prepare(image).astype(int) - image).max() <= 1 for image in whole if image.max() == 255]
    assert np.mean(near) > 0.6


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.1, 100), st.floats(-1000, 1000), st.booleans())
def test_place_paper_unit_and_inversion_do_not_matter(down, right, unit, paper, inverted):
    digit = np.random.default_rng(3).integers(2, 6, (12, 9)) * 51.0
    picture = np.zeros((90, 90))
    picture[down : down + 12, right : right + 9] = digit
    plain = np.pad(digit, 5)
    changed = paper + picture * unit * (-1 if inverted else 1)
    assert np.abs(prepare(changed).astype(int) - prepare(plain)).max() <= 1  # a unit may round a half the other way


def test_whole_multiples_of_a_picture_give_the_same_bytes(digits):
    for image in digits[:50]:
        large = np.kron(image, np.ones((7, 7), np.uint8))
        assert np.array_equal(prepare(large), prepare(image))


def test_a_longer_side_becomes_20_pixels_and_the_image_is_28(digits):
    for image in digits[:50]:
        prepared = prepare(image)
        assert prepared.shape == (28, 28)
        assert prepared.max() == 255
        assert max(np.ptp(where) + 1 for where in np.nonzero(prepared)) in (19, 20)  # an edge may round to 0


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (1, 1), (3, 2)])
def test_ink_of_any_shape_fits(shape):
    picture = np.pad(np.ones(shape), 2)
    assert prepare(picture).max() == 255


@pytest.mark.parametrize(
    ("picture", "problem"),
    [
        (np.full((9, 9), 7), "no ink"),
        (np.zeros((0, 9)), "expected greys"),
        (np.zeros((3, 3, 3)), "expected greys"),
        (np.array([[0, np.nan]]), "not finite"),
        ([["a"]], "expected an array of real numbers"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(picture, problem):
    with pytest.raises(ValueError, match=problem):
        prepare(picture)

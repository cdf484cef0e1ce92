"""Class means: values, their bill, what has no average."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from nnlite import Tally, class_means

pytestmark = pytest.mark.kernels


def images_and_labels(n=60, p=5, n_classes=4, dtype=np.float32):
    rng = np.random.default_rng(3)
    return rng.random((n, p)).astype(dtype), np.arange(n) % n_classes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_are_those_of_numpy(dtype):
    images, labels = images_and_labels(dtype=dtype)
    means = class_means(images, labels)
    assert means.dtype == dtype
    np.testing.assert_allclose(means, reference.class_means(images, labels, 4), rtol=2 * np.finfo(dtype).eps)


def test_float32_means_are_sums_in_float64_rounded_once():
    images = np.full((3, 1), 2**24 + 2, np.float32)
    images[0] = 1  # 1 + 2 (2^24 + 2) = 2^25 + 5 is no float32
    assert class_means(images, [0, 0, 0])[0, 0] == np.float32((2**25 + 5) / 3)


def test_bytes_are_averaged_as_they_are():
    means = class_means(np.array([[0, 255], [1, 255]], np.uint8), np.array([0, 0], np.uint8))
    assert means.dtype == np.float32
    assert means.tolist() == [[0.5, 255]]


def test_the_bill_is_booked_under_data_whatever_the_phase():
    images, labels = images_and_labels(n=10, p=3, n_classes=2)
    tally = Tally()
    with tally.phase("pretrain"):
        class_means(images, labels, tally=tally)
    counts = {"class_sums": {"add": 10 * 3}, "divide_sums": {"div": 2 * 3}}
    assert tally.to_record() == {"dense": {"data": counts}, "executed": {"data": counts}}
    assert tally.total() == 30 + 6


def test_more_images_than_a_chunk_are_averaged_whole():
    images, labels = images_and_labels(n=9001, p=2)
    tally = Tally()
    means = class_means(images, labels, tally=tally)
    np.testing.assert_allclose(means, reference.class_means(images, labels, 4), rtol=1e-6)
    assert tally.total() == 9001 * 2 + 4 * 2


def test_rows_choose_the_images_and_the_bill_charges_only_these():
    images, labels = images_and_labels()
    rows, tally = np.array([3, 0, 1, 2, 7, 59]), Tally()
    means = class_means(images, labels, rows=rows, tally=tally)
    np.testing.assert_allclose(means, reference.class_means(images[rows], labels[rows], 4), rtol=1e-6)
    assert tally.total() == 6 * 5 + 4 * 5


def test_any_memory_order_integers_of_any_kind_and_read_only_arrays_will_do():
    images, labels = images_and_labels()
    expected = class_means(images, labels)
    frozen = np.asfortranarray(images)
    frozen.flags.writeable = False
    for kind in (">i4", np.uint64, np.int8):
        np.testing.assert_array_equal(class_means(frozen, labels.astype(kind)), expected)
    np.testing.assert_allclose(class_means(images.tolist(), labels.tolist()), expected, rtol=1e-7)  # lists are float64
    order = np.random.default_rng(0).permutation(len(labels))
    np.testing.assert_allclose(class_means(images[order], labels[order]), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("images", "labels", "n_classes", "message"),
    [
        (np.ones((3, 2)), [0, 2, 2], None, "class 1 has no images"),
        (np.ones((3, 2)), [0, 1, 1], 3, "class 2 has no images"),
        (np.ones((3, 2)), [1, 2, 3], None, "class 0 has no images.* found are 1 to 3; number them from 0"),
        (np.ones((3, 2)), [1, 2, 3], 3, r"labels\[2\] is 3: expected 0 to 2; number them from 0"),
        (np.ones((3, 2)), [4, 4, 4], None, "class 0 has no images.* found are 4; number them from 0"),
        (np.ones((3, 2)), [0, 1, 10**12], None, "class 2 has no images.* found are 0 to 1, 1000000000000"),
        (
            np.ones((3, 2)),
            np.array([0, 1, 2**63], np.uint64),
            None,
            r"labels\[2\] is 9223372036854775808: expected whole numbers",
        ),
        (np.ones((3, 2)), [0, 1, 10**30], None, "labels: expected an array of real numbers, found Python objects"),
        (np.array([[0.0], [np.nan], [1.0]]), [0, 1, 2], None, "class 1 has an image with a pixel that is not finite"),
        (np.ones((3, 2), complex), [0, 1, 1], None, "images: expected an array of real numbers, found complex numbers"),
        (np.ones((3, 2)), [0, 1, 5], 2, r"labels\[2\] is 5: expected 0 to 1"),
        (np.ones((3, 2)), [0, 1, 2], 2, r"labels\[2\] is 2: expected 0 to 1"),
        (np.ones((3, 2)), [0, -1, 1], None, r"labels\[1\] is -1"),
        (np.ones((3, 2)), [0, 1], None, "labels: expected 3 integers, found int64 of shape"),
        (np.ones((3, 2)), [0.0, 1.0, 1.0], None, "labels: expected 3 integers, found float64 .* whole numbers all"),
        (np.ones(3), [0, 1, 1], None, r"images: expected shape \(n_samples, n_features\)"),
        (np.ones((0, 2)), np.zeros(0, int), None, "at least one sample, found"),
    ],
)
def test_what_has_no_average_is_refused(images, labels, n_classes, message):
    with pytest.raises(ValueError, match=message):
        class_means(images, labels, n_classes)

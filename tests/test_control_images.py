"""The control sets: values against slow restatements, bills against closed forms, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from nnlite import Tally
from nnlite.experiment.control_images import (
    global_mean,
    k_means,
    matched_noise,
    medoids,
    nearest_mean_start,
    stretched_means,
)
from nnlite.experiment.control_images import pixel_moments as moments_of_all
from nnlite.kernels.distance import nearest_mean_layer, pixel_moments

pytestmark = pytest.mark.kernels


def drawn(seed=0, n=20, p=4, n_classes=3):
    """Images of whole numbers, whose sums and squares round nowhere, and labels that leave no class empty."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % n_classes)
    return rng.integers(0, 8, (n, p)).astype(np.float32), labels


def bill(tally):
    """{kernel: {kind: dense}} of a tally with nothing outside phase `data`."""
    dense = tally.to_record()["dense"]
    assert list(dense) == ["data"]
    return dense["data"]


def slow_medoids(images, labels, n_classes):
    found = []
    for j in range(n_classes):
        members = np.flatnonzero(labels == j)
        mean = images[members].astype(np.float64).mean(0).astype(np.float32)
        found.append(members[np.argmin(((images[members] - mean).astype(np.float64) ** 2).sum(1))])
    return found


def slow_k_means(images, labels, n_classes, k, n_rounds):
    """One list of k centres a class, and the number of (round, class, centre) that held images."""
    parts, n_moved = [], 0
    for j in range(n_classes):
        own = images[labels == j]
        centers = own[:k].copy()
        for _ in range(n_rounds):
            index = np.array([np.argmin(((image - centers).astype(np.float64) ** 2).sum(1)) for image in own])
            for center in set(index):
                centers[center] = own[index == center].astype(np.float64).mean(0)
                n_moved += 1
        parts.append(centers)
    return np.stack(parts), n_moved


@given(st.integers(0, 999), st.integers(3, 30), st.integers(1, 5))
def test_medoids_are_those_of_a_slow_restatement(seed, n, p):
    images, labels = drawn(seed, n, p)
    assert medoids(images, labels, 3, Tally()).tolist() == slow_medoids(images, labels, 3)


def test_medoids_bill_averages_and_distances_to_the_own_mean_only():
    images, labels = drawn(n=20, p=4, n_classes=3)
    tally = Tally()
    medoids(images, labels, 3, tally)
    assert bill(tally) == {
        "class_sums": {"add": 80},  # 20 x 4
        "divide_sums": {"div": 12},  # 3 x 4
        "squared_distances": {"add": 80, "fma": 80},  # 20 x 1 x 4: one mean an image
        "nearest": {"cmp": 17},  # 20 - 3
    }


def test_the_first_of_equally_near_images_is_the_medoid():
    images = np.float32([[9], [4], [6], [4], [2]])  # mean 25 / 5 = 5: images 1, 2 and 3 are at 1
    assert medoids(images, np.zeros(5, int), 1, Tally()).tolist() == [1]


def test_k_means_by_hand():
    images, labels = np.float32([[0], [5], [1], [10], [3], [6]]), np.array([0, 1, 0, 0, 0, 1])
    # class 0 from centres 0 and 1: 0 | 1, 10, 3 gives 0 and 14/3; 0, 1 | 10, 3 gives 1/2 and 13/2; 0, 1, 3 | 10
    for n_rounds, expected in ((1, [0, 5, 14 / 3, 6]), (2, [0.5, 5, 6.5, 6]), (3, [4 / 3, 5, 10, 6])):
        centers, classes = k_means(images, labels, 2, 2, n_rounds, Tally())
        np.testing.assert_array_equal(centers.ravel(), np.float32(expected))
        assert (classes.tolist(), classes.dtype) == ([0, 1, 0, 1], np.int64)  # a batch of two holds both classes


def test_a_centre_that_loses_all_its_images_stays_and_is_not_divided():
    images = np.float32([[2, 2], [2, 2], [4, 0], [0, 4]])  # centres 0 and 1 are equal: 0 takes every image
    tally = Tally()
    centers, _ = k_means(images, np.zeros(4, int), 1, 2, 1, tally)
    assert centers.tolist() == [[2, 2], [2, 2]]  # 8 / 4 and 8 / 4; untouched
    assert bill(tally) == {
        "squared_distances": {"add": 16, "fma": 16},  # 4 images x 2 centres x 2 pixels
        "nearest": {"cmp": 4},  # 4 (2 - 1)
        "class_sums": {"add": 8},  # 4 x 2
        "divide_sums": {"div": 2},  # one centre of two pixels
    }


@given(st.integers(0, 999), st.integers(12, 30), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_k_means_is_a_slow_lloyd_with_its_bill(seed, n, p, k, n_rounds):
    images, labels = drawn(seed, n, p)
    tally = Tally()
    centers, classes = k_means(images, labels, 3, k, n_rounds, tally)
    ref, n_moved = slow_k_means(images, labels, 3, k, n_rounds)
    for j in range(3):
        np.testing.assert_array_equal(centers[classes == j], ref[j])
    given_away = n_rounds * n * k * p
    expected = {
        "squared_distances": {"add": given_away, "fma": given_away},
        "nearest": {"cmp": n_rounds * n * (k - 1)} if k > 1 else {},
        "class_sums": {"add": n_rounds * n * p},
        "divide_sums": {"div": n_moved * p},
    }
    assert bill(tally) == expected
    assert tally.to_record()["executed"]["data"] == reference.executed(expected)
    assert k > 1 or classes.tolist() == [0, 1, 2]


@given(st.integers(0, 999), st.integers(3, 30), st.integers(1, 5))
def test_stretched_means_have_the_direction_of_the_mean_and_the_norm_of_the_images(seed, n, p):
    images, labels = drawn(seed, n, p)
    images += 1  # no mean of zero
    comp = stretched_means(images, labels, 3, Tally())
    for j in range(3):
        own = images[labels == j].astype(np.float64)
        ref = own.mean(0) * np.linalg.norm(own, axis=1).mean() / np.linalg.norm(own.mean(0))
        np.testing.assert_allclose(comp[j], ref, rtol=1e-6)


def test_stretched_means_by_hand_with_the_bill():
    images, labels = np.float32([[0, 10], [6, 8], [0, 3]]), np.array([0, 0, 1])
    tally = Tally()
    stretched = stretched_means(images, labels, 2, tally)
    # mean (3, 9) has norm sqrt(90), both images have norm 10: times 10 / sqrt(90)
    np.testing.assert_allclose(stretched, [[30 / 90**0.5, 90 / 90**0.5], [0, 3]], rtol=1e-6)
    assert bill(tally) == {
        "class_sums": {"add": 6 + 3},  # 3 images x 2 pixels, 3 norms
        "divide_sums": {"div": 4 + 2},  # 2 means x 2 pixels, 2 mean norms
        "euclidean_norms": {"fma": 6 + 4, "sqrt": 3 + 2},  # 3 images, 2 means
        "stretch_inplace": {"div": 2, "mul": 4},
    }


def test_a_mean_of_norm_zero_cannot_be_stretched():
    with pytest.raises(ValueError, match="class 1: its mean image has norm 0"):
        stretched_means(np.float32([[1, 2], [1, -1], [-1, 1]]), np.array([0, 1, 1]), 2, Tally())


def test_noise_has_the_moments_of_its_mean_image_and_the_draws_of_its_generator():
    means = np.random.default_rng(1).random((3, 500)).astype(np.float32)
    tally = Tally()
    noise = matched_noise(means, np.random.default_rng(7), tally)
    draws = np.random.default_rng(7).standard_normal((3, 500), np.float32)
    ref = means.mean(1, np.float64)[:, None] + means.std(1, dtype=np.float64)[:, None] * draws
    np.testing.assert_allclose(noise, ref, rtol=1e-5, atol=1e-6)
    assert bill(tally) == {
        "pixel_moments": {"add": 3000, "fma": 1500, "div": 6, "sqrt": 3},  # 2 x 1500; 1500; 2 x 3; 3
        "scale_and_shift_inplace": {"fma": 1500},  # 3 x 500
    }


def test_the_global_mean_is_one_image_as_often_as_there_are_classes():
    tally = Tally()
    means = global_mean(np.float32([[0, 3], [1, 3], [5, 0]]), 4, tally)
    assert means.tolist() == [[2, 2]] * 4  # 6 / 3, 6 / 3
    assert bill(tally) == {"class_sums": {"add": 6}, "divide_sums": {"div": 2}}  # averaged once


def test_the_moments_of_all_pixels_together_are_two_numbers_with_their_bill():
    tally = Tally()
    assert moments_of_all(np.uint8([[0, 0, 6], [6, 3, 3]]), tally) == (3.0, 6**0.5)  # squares 9 9 9 9 0 0: 36 / 6
    assert bill(tally) == {"pixel_moments": {"add": 12, "fma": 6, "div": 2, "sqrt": 1}}


@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 5), st.sampled_from([0.25, 1, 3]))
def test_the_closed_form_is_the_nearest_mean_and_passes_relu_unchanged(seed, n_classes, p, scale):
    rng = np.random.default_rng(seed)
    means, x = (rng.integers(0, 8, (rows, p)).astype(np.float32) for rows in (n_classes, 20))
    weight, bias = nearest_mean_start(means, n_classes + 1, scale, Tally())
    assert (weight.shape, bias.shape, weight.dtype, bias.dtype) == (
        (p, n_classes),
        (n_classes,),
        np.float32,
        np.float32,
    )
    z = x @ weight + bias  # multiples of 1/8: no rounding
    assert (z >= 0).all()
    distances = ((x[:, None] - means) ** 2).sum(2)
    np.testing.assert_array_equal(z.argmax(1), distances.argmin(1))


def test_the_closed_form_bills_its_layer():
    tally = Tally()
    nearest_mean_start(np.ones((3, 5)), 3, 2.0, tally)
    layer = {"fma": 15, "mul": 18, "add": 3, "div": 3, "cmp": 2}  # 3 x 5; 3 x 5 + 3; 3; 3; 3 - 1
    assert bill(tally) == {"nearest_mean_layer": layer}


def test_all_is_booked_under_data_whatever_the_phase():
    images, labels = drawn()
    tally = Tally()
    with tally.phase("pretrain"):
        medoids(images, labels, 3, tally)
        k_means(images, labels, 3, 2, 1, tally)
        means = stretched_means(images, labels, 3, tally)
        global_mean(images, 3, tally)
        matched_noise(means, np.random.default_rng(0), tally)
        nearest_mean_start(means, 3, 1.0, tally)
    assert list(tally.counts()) == ["data"]


def test_more_images_than_a_chunk_are_seen_whole():
    n = 2 * 4096 + 3  # 4096 images at a time
    images, labels = drawn(n=n, p=1, n_classes=1)
    tally = Tally()
    assert medoids(images, labels, 1, tally).tolist() == slow_medoids(images, labels, 1)
    assert bill(tally)["squared_distances"] == {"add": n, "fma": n}
    np.testing.assert_array_equal(
        k_means(images, labels, 1, 2, 1, Tally())[0], slow_k_means(images, labels, 1, 2, 1)[0][0]
    )
    np.testing.assert_allclose(stretched_means(images, labels, 1, Tally()), images.mean(), rtol=1e-6)


def test_any_memory_order_and_read_only_arrays_will_do():
    images, labels = drawn()
    frozen, numbers = np.asfortranarray(images), labels.astype(">u8")
    frozen.flags.writeable = numbers.flags.writeable = False
    assert medoids(frozen, numbers, 3, Tally()).tolist() == medoids(images, labels, 3, Tally()).tolist()
    for one, other in zip(
        k_means(frozen, numbers, 3, 2, 2, Tally()), k_means(images, labels, 3, 2, 2, Tally()), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    means = stretched_means(images, labels, 3, Tally())
    np.testing.assert_array_equal(stretched_means(frozen, numbers, 3, Tally()), means)
    np.testing.assert_array_equal(global_mean(frozen, 3, Tally()), global_mean(images, 3, Tally()))
    before, turned, seen = means.copy(), np.asfortranarray(means), []
    turned.flags.writeable = False
    for given_means in (means, turned):
        matched_noise(given_means, np.random.default_rng(0), Tally())
        nearest_mean_start(given_means, 3, 1.0, Tally())
        seen.append([len(getattr(kernel, "signatures", ())) for kernel in (pixel_moments, nearest_mean_layer)])
    np.testing.assert_array_equal(means, before)
    assert seen[0] == seen[1]  # nothing was compiled again


IMAGES, TWO = np.ones((3, 2), np.float32), np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, [0, 2, 2], "class 1 has no images"),
        (IMAGES, [0, 1, 3], r"labels\[2\] is 3: expected 0 to 2"),
        (IMAGES, [0, -1, 1], r"labels\[1\] is -1"),
        (IMAGES, [0, 1], "labels: expected 3 integers"),
        (IMAGES, [0.0, 1.0, 2.0], "labels: expected 3 integers, found float64"),
        (IMAGES.astype(float), [0, 1, 2], "found float64"),
        (IMAGES[0], [0, 1], "images: expected float32"),
        (IMAGES[:0], np.zeros(0, int), "images: expected float32"),
    ],
)
def test_images_without_a_control_set_are_refused(images, labels, message):
    for control in (medoids, stretched_means, lambda *arguments: k_means(*arguments[:3], 1, 1, arguments[3])):
        with pytest.raises(ValueError, match=message):
            control(images, labels, 3, Tally())


@pytest.mark.parametrize(
    ("control", "arguments", "message"),
    [
        (k_means, (IMAGES, TWO, 2, 0, 1), "k 0, "),
        (k_means, (IMAGES, TWO, 2, 1, 0), "n_rounds 0: both"),
        (k_means, (IMAGES, TWO, 2, 2, 1), "class 0 has 1 images: too few for 2"),
        (nearest_mean_start, (IMAGES, 2, 1.0), "2 hidden units: the nearest of 3 class means"),
        *[(nearest_mean_start, (IMAGES, 3, scale), "must be above 0") for scale in (0.0, -1.0, np.nan, np.inf)],
        *[
            (matched_noise, (means, np.random.default_rng(0)), "expected means")
            for means in (np.ones(3), np.ones((0, 2)), np.ones((2, 0)))
        ],
    ],
)
def test_numbers_out_of_range_are_refused(control, arguments, message):
    with pytest.raises(ValueError, match=message):
        control(*arguments, Tally())

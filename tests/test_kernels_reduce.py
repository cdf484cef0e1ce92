"""Class sums, means, argmax and the number right; tallies against counting numbers."""

from __future__ import annotations

import numpy as np
import pytest
from counting import check_tally, new_tally

from nnlite.kernels.reduce import argmax, class_sums, correct_count, divide_sums

pytestmark = pytest.mark.kernels


def sums_of(images, labels, n_classes):
    sums = np.zeros((n_classes, images.shape[1]))
    class_sums(images, np.asarray(labels), sums, new_tally())
    return sums


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize(("n", "p", "c"), [(1, 1, 2), (1, 4, 3), (5, 1, 2), (5, 3, 2)])
def test_tallies_are_what_ran(n, p, c, zero):
    rng = np.random.default_rng(4)
    images, labels = (np.zeros((n, p)) if zero else rng.random((n, p))), np.arange(n) % c
    logits = np.zeros((n, c)) if zero else rng.normal(size=(n, c))
    check_tally(class_sums, images, labels, np.zeros((c, p)), add=n * p)
    check_tally(divide_sums, np.ones((c, p)), np.full(c, 3), np.full((c, p), np.nan), div=c * p)
    check_tally(argmax, logits, np.full(n, -1), cmp=n * (c - 1))
    check_tally(correct_count, labels, labels, np.full(1, -1))  # integers are free by convention


def test_sums_and_means_by_hand():
    images = np.float32([[1, 2], [3, 4], [10, 20]])
    sums = sums_of(images, [1, 1, 0], 2)
    assert sums.tolist() == [[10, 20], [4, 6]]  # 1 + 3, 2 + 4
    means = np.full((2, 2), np.nan, np.float32)
    divide_sums(sums, np.array([1, 2]), means, new_tally())
    assert means.tolist() == [[10, 20], [2, 3]]  # 4 / 2, 6 / 2
    class_sums(images[2:], np.array([1]), sums, new_tally())
    assert sums.tolist() == [[10, 20], [14, 26]]  # added to what is there


def test_sums_are_in_float64():
    images = np.ones((3, 1), np.float32)
    images[0] = 2**24  # float32 holds no 2^24 + 1
    assert sums_of(images, [0, 0, 0], 1) == 2**24 + 2


def test_argmax_is_the_first_of_equals():
    logits = np.float32([[1, 3, 2], [5, 5, 5], [0, 7, 7], [-3, -2, -1], [4, 1, 3]])
    predictions = np.full(5, -1)
    argmax(logits, predictions, new_tally())
    assert predictions.tolist() == [1, 0, 1, 2, 0]


def test_correct_count_starts_from_zero_and_counts_equal_pairs():
    correct = np.array([99])
    correct_count(np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1]), correct, new_tally())
    assert correct[0] == 2  # the first and the third
    correct_count(np.array([1]), np.array([2]), correct, new_tally())
    assert correct[0] == 0

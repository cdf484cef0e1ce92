"""What callers hand in: numbers for optimizers in their dtype, images, labels; all that may not pass is named."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest

from nnlite import MLP, SGD, Adam, Gradients, Momentum
from nnlite.arguments import check_scale, class_labels, fraction, in_words, not_negative, positive, real_array
from nnlite.kernels.ops import ACTIVATIONS

DATES = np.array(["2023-01-01"], "datetime64[D]")
RECORDS = np.zeros(2, [("pixel", "f4")])


@pytest.mark.parametrize("value", [0.25, 1, np.float32(0.5), np.int64(2), Fraction(1, 4)])
def test_any_real_number_is_rounded_to_the_dtype(value):
    for dtype in (np.float32, np.float64):
        assert positive("learning_rate", value, dtype) == value
        assert positive("learning_rate", value, dtype).dtype == dtype


@pytest.mark.parametrize(
    "value", [True, np.bool_(True), "0.1", None, 0.1j, np.array([0.1]), np.array(0.1), [0.1], b"1"]
)
@pytest.mark.parametrize(
    "optimizer", [SGD, Momentum, lambda value: Adam(epsilon=value), lambda value: Adam(beta1=value)]
)
def test_what_is_no_real_number_is_refused_by_its_type(optimizer, value):
    with pytest.raises(TypeError, match=rf"\w+: expected a number such as 0.001, found {type(value).__name__} "):
        optimizer(value)


@pytest.mark.parametrize("value", [10**400, Fraction(10**400), pytest.param(10**5000, id="5000 digits")])
def test_a_number_beyond_all_floats_is_named_and_not_printed(value):
    with pytest.raises(ValueError, match=r"learning_rate: must be finite, found a number beyond 1.8e.308") as caught:
        SGD(value)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("check", "value", "dtype", "words"),
    [
        (positive, 1e-60, np.float32, "float32 rounds it to 0; the smallest that works is 1.18e-38"),
        (positive, 1e-40, np.float32, "float32 keeps few of its digits; the smallest that works is 1.18e-38"),
        (positive, 1e-320, np.float64, "float64 keeps few of its digits; the smallest that works is 2.23e-308"),
        (positive, 1e39, np.float32, "float32 rounds it to infinity; the largest is 3.4e+38"),
        (not_negative, 1e-60, np.float32, "float32 rounds it to 0"),
        (fraction, 1e-60, np.float32, "float32 rounds it to 0"),
        (fraction, 1 - 1e-9, np.float32, "float32 rounds it to 1; the largest that works is 0.99999994"),
    ],
)
def test_what_a_dtype_rounds_to_another_meaning_is_refused_with_the_nearest_that_works(check, value, dtype, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        check("number", value, dtype)
    assert str(caught.value).startswith(f"number {value!r}: {words}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_named_limits_themselves_work(dtype):
    limits = np.finfo(dtype)
    for value in (limits.tiny, limits.max):
        assert positive("number", float(value), dtype) == value
    assert fraction("number", float(np.nextafter(dtype(1), dtype(0))), dtype) < 1
    assert fraction("number", 0, dtype) == not_negative("number", 0, dtype) == 0
    mlp = MLP((2, 2), np.random.default_rng(0), dtype=dtype)
    still = Gradients([np.zeros((2, 2), dtype)], [np.zeros(2, dtype)])
    Adam(epsilon=float(limits.tiny), beta2=0.9999999).step(mlp, still)  # 0 / (0 + epsilon root)
    assert np.isfinite(mlp.weights[0]).all()


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (SGD(1e-60), "learning_rate 1e-60: float32 rounds it to 0"),
        (Momentum(0.1, momentum=1 - 1e-9), "momentum 0.999999999: float32 rounds it to 1"),
        (Momentum(1e39), "learning_rate 1e.39: float32 rounds it to infinity"),
        (Adam(epsilon=1e-60), "epsilon 1e-60: float32 rounds it to 0"),
        (Adam(beta2=1 - 1e-12), "beta2 0.999999999999: float32 rounds it to 1"),
    ],
)
def test_an_optimizer_meets_the_networks_dtype_at_its_step_and_changes_nothing(optimizer, words):
    mlp = MLP((2, 2), np.random.default_rng(0))
    before, ones = mlp.copy(), Gradients([np.ones((2, 2), np.float32)], [np.ones(2, np.float32)])
    with pytest.raises(ValueError, match=words):
        optimizer.step(mlp, ones)
    np.testing.assert_array_equal(mlp.weights[0], before.weights[0])
    wide = MLP((2, 2), np.random.default_rng(0), dtype=np.float64)
    optimizer.step(wide, Gradients([np.ones((2, 2))], [np.ones(2)]))  # float64 holds them all


def test_a_learning_rate_changed_to_nonsense_is_refused_at_the_step():
    mlp, optimizer = MLP((2, 2), np.random.default_rng(0)), SGD(0.1)
    gradients = mlp.loss_and_gradients([[1, 2]], [0])[1]
    for value, error in ((-1, ValueError), (np.nan, ValueError), ("0.1", TypeError), (None, TypeError)):
        optimizer.learning_rate = value
        with pytest.raises(error, match="learning_rate"):
            optimizer.step(mlp, gradients)


NO_NUMBERS = [
    (np.ones((2, 2), complex), "complex numbers"),
    (np.array([["1", "2"]]), "text"),
    (np.array([[b"1", b"2"]]), "text"),
    (DATES[np.newaxis], "dates"),
    (DATES[np.newaxis] - DATES, "spans of time"),
    (RECORDS[np.newaxis], "records"),
    (np.array([[None, 1]]), "Python objects"),
    ([[1, 10**400]], "Python objects"),
    ([[1, 2], [3]], "rows of unequal length"),
    (np.ma.masked_array([[1.0, 2.0]], [[False, True]]), "masked entries"),
]


@pytest.mark.parametrize(("images", "words"), NO_NUMBERS)
def test_images_that_are_no_real_numbers_are_named_for_what_they_are(images, words):
    mlp = MLP((2, 2), np.random.default_rng(0))
    for use in (mlp.forward, mlp.predict, lambda x: mlp.loss_and_gradients(x, [0])):
        with pytest.raises(ValueError, match=words):
            use(images)
    for taken in (np.ma.masked_array([[1.0, 0.0]]), np.array([[True, False]])):
        assert real_array("x", taken).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([[0], [1]], "keep one column: labels.ravel()"),
        ([[0, 1], [1, 0]], "one-hot rows: take labels.argmax(axis=1)"),
        ([[7, 3], [1, 4]], "keep one column"),
        ([1.0, 0.0], "whole numbers all: labels.astype(int)"),
        ([1.5, 0.0], "expected 2 integers, found float64 of shape (2,)"),
        ([np.nan, 0.0], "expected 2 integers, found float64"),
        ([True, False], "expected 2 integers, found bool"),
        (["0", "1"], "found text"),
        ([2, 1], "labels[0] is 2: expected 0 to 1; number them from 0"),
        ([9, 1], "labels[0] is 9: expected 0 to 1"),
        ([0, -(2**40)], "labels[1] is -1099511627776: expected 0 to 1"),
        (np.array([0, 2**63], np.uint64), "labels[1] is 9223372036854775808: expected 0 to 1"),
        (np.ma.masked_array([0, 1], [True, False]), "masked entries"),
    ],
)
def test_labels_that_are_no_classes_say_what_to_do(labels, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        class_labels("labels", labels, 2, 2)
    assert words in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_prediction_refuses_pixels_and_logits_that_are_not_finite_and_names_the_image(activation, bad):
    mlp, images = MLP((2, 3, 2), np.random.default_rng(0), activation), np.zeros((4, 2))
    images[2, 1] = bad
    with pytest.raises(ValueError, match="image 2 has a pixel that is not finite in float32"):
        mlp.predict(images)
    large = MLP((2, 2), np.random.default_rng(0), activation)
    large.weights[0][:] = 1e38  # of float32's 3.4e38
    with pytest.raises(ValueError, match="image 1 has logits that are not finite: did the network diverge"):
        large.predict([[1, 1], [9, 9]])


BYTES = np.random.default_rng(0).integers(0, 256, (30, 8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("trained_on", [None, (0.0, 1.0), (-3.0, 3.0)])
def test_bytes_that_were_divided_by_255_twice_are_warned_about(dtype, trained_on):
    with pytest.warns(UserWarning, match=r"inputs from 0 to 0.00392.*: bytes divided by 255 twice\? once is right"):
        check_scale((BYTES / 255 / 255).astype(dtype), trained_on)


RNG = np.random.default_rng(1)
TINY = {
    "once": BYTES / 255,
    "dark bytes": BYTES // 3 / 255**2,  # up to 85: of another camera, perhaps; who divided twice has bright ones too
    "empty": np.zeros((3, 8)),
    "standardised": RNG.normal(0, 1, (30, 8)),
    "standardised in a small unit": RNG.normal(0, 0.002, (30, 8)),
    "lengths in a large unit": RNG.uniform(0, 1 / 255, (30, 8)),
    "shares of a whole": RNG.dirichlet(np.full(2000, 9), 5),
    "mostly zeros": np.where(RNG.random((30, 8)) < 0.1, RNG.uniform(0, 1 / 255, (30, 8)), 0),
    "thousandths": RNG.integers(0, 4, (30, 8)) / 1000,
    "dark ones first": np.concatenate([np.zeros((1500, 8)), RNG.uniform(0, 1 / 255, (1500, 8))]),
}


@pytest.mark.parametrize("kind", TINY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_numbers_of_other_origin_are_not(kind, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_scale(TINY[kind].astype(dtype), None)
        check_scale(TINY[kind].astype(dtype), (-1.0, 1.0))


def test_who_trained_on_bytes_divided_twice_is_told_once():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_scale(BYTES / 255**2, (0.0, 1 / 255))


def test_runs_of_neighbours_are_listed_in_words():
    assert in_words(np.array([5, 1, 2, 3, 2])) == "1 to 3, 5"
    assert in_words(np.arange(0, 20, 2)) == "0, 2, 4, 6, 8, ..."

"""What training refuses before a kernel sees it: compiled loops trust every index."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nnlite import MLP, SGD, Adam
from nnlite.schedule import DECIDE
from nnlite.training import Checks, Watch, epochs, evaluate, prepare_images, train

pytestmark = pytest.mark.kernels

PIXELS = np.zeros((6, 4), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture(params=["fast", "plain"])
def form(request, monkeypatch):
    """Both forms refuse alike."""
    monkeypatch.setenv("NNLITE_KERNELS", request.param)
    return request.param


def start(images=None, labels=LABELS, order=None, **changes):
    """Train one epoch on six images with something wrong."""
    mlp = MLP((4, 3, 3), np.random.default_rng(0))
    images = prepare_images([PIXELS], lambda: PIXELS / np.float32(255)) if images is None else images
    schedule = epochs(np.arange(6) if order is None else order, 2, 3, 0.1)
    return train(mlp, SGD(0.1), images, labels, dataclasses.replace(schedule, **changes))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"images": np.zeros((6, 5), np.float32)}, r"images: expected \(n, 4\), found 6 of 5 features"),
        ({"images": np.zeros(6, np.float32)}, r"images: expected \(n, 4\)"),
        ({"labels": LABELS[:5]}, r"labels: expected 6 integers, found int64 of shape \(5,\)"),
        ({"labels": LABELS / 2}, "labels: expected 6 integers, found float64"),
        ({"labels": LABELS + 1}, r"labels\[2\] is 3: expected 0 to 2; number them from 0"),
        ({"labels": LABELS - 1}, r"labels\[0\] is -1: expected 0 to 2"),
        ({"learning_rates": np.array([0.1, 1e-60, 0.1])}, "learning_rates 1e-60: float32 rounds it to 0"),
        ({"learning_rates": np.array([0.1, np.nan, 0.1])}, "learning_rates nan: must be above 0 and finite"),
        ({"learning_rates": np.array([0.1, 1e39, 0.1])}, "learning_rates 1e.39: float32 rounds it to infinity"),
        ({"images": np.zeros((6, 4), complex)}, "images: expected an array of real numbers, found complex numbers"),
        ({"order": np.arange(1, 7)}, "image numbers: expected 0 to 5, found 1 to 6"),
        ({"order": np.arange(-1, 5)}, "image numbers: expected 0 to 5, found -1 to 4"),
        ({"order": np.arange(6, dtype=np.int64), "starts": np.array([0, 2, 2, 6])}, "rising int64 starts of batches"),
        ({"starts": np.array([0, 2, 4])}, "expected 4 rising int64 starts"),
        ({"starts": np.array([-1, 2, 4, 6])}, "rising int64 starts"),
        ({"starts": np.array([0, 2, 4, 7])}, "the last batch ends at 7, the order at 6"),
    ],
)
def test_training_refuses_what_would_read_outside_an_array(form, wrong, message):
    with pytest.raises(ValueError, match=message):
        start(**wrong)


def test_training_refuses_an_optimizers_number_that_float32_cannot_hold(form):
    mlp, images = MLP((4, 3, 3), np.random.default_rng(0)), np.zeros((6, 4), np.float32)
    with pytest.raises(
        ValueError, match=r"epsilon 1e-60: float32 rounds it to 0; the smallest that works is 1\.18e-38"
    ):
        train(mlp, Adam(epsilon=1e-60), images, LABELS, epochs(np.arange(6), 2, 3, 0.1))


def test_checks_and_evaluation_refuse_the_same(form):
    mlp, images = MLP((4, 3, 3), np.random.default_rng(0)), np.zeros((6, 4), np.float32)
    with pytest.raises(ValueError, match="image numbers: expected 0 to 5, found 6 to 6"):
        evaluate(mlp, images, LABELS, rows=np.array([6]))
    checks = Checks(images, LABELS + 5, np.array([1]), needed=1)
    with pytest.raises(ValueError, match=r"labels\[0\] is 5: expected 0 to 2"):
        train(mlp, SGD(0.1), images, LABELS, epochs(np.arange(6), 2, 3, 0.1), checks)


def test_integers_of_any_width_and_other_orders_of_memory_are_taken(form):
    mlp = MLP((4, 3, 3), np.random.default_rng(0))
    images = np.asfortranarray(np.random.default_rng(1).random((6, 4)))
    outcome = train(mlp, SGD(0.1), images, LABELS.astype(np.uint8), epochs(np.arange(6), 2, 3, 0.1))
    assert outcome.steps == 3


def test_numbers_with_gaps_in_memory_mean_what_they_say(form):
    """Every second entry of an array: compiled loops read flat memory."""
    mlp, rng = MLP((4, 3, 3), np.random.default_rng(0)), np.random.default_rng(1)
    images, numbers = rng.random((6, 4)), np.array([0, 5, 1, 5, 2, 5])[::2]
    assert evaluate(mlp, images, LABELS, rows=numbers) == evaluate(mlp, images[:3], LABELS[:3])


def test_steps_of_checks_must_rise_from_one(form):
    for steps in ([0, 1], [2, 1], [1, 1]):
        with pytest.raises(ValueError, match="rising int64 steps from 1 on"):
            Checks(PIXELS, LABELS, np.array(steps), needed=1)


def test_an_unknown_way_to_look_is_refused():
    with pytest.raises(ValueError, match="expected a look of 'decide', 'to hit' or 'to end', found 'full'"):
        Checks(PIXELS, LABELS, np.array([1]), needed=1, look="full")


def test_images_apart_want_full_checks_and_numbers_of_images(form):
    with pytest.raises(ValueError, match="images apart want full checks"):
        Checks(PIXELS, LABELS, np.array([1]), needed=1, look=DECIDE, apart=np.array([0]))
    mlp, images = MLP((4, 3, 3), np.random.default_rng(0)), np.zeros((6, 4), np.float32)
    for apart in (np.array([6]), np.array([-1]), np.array([0.5]), np.array([[0]])):
        checks = Checks(images, LABELS, np.array([1]), needed=1, apart=apart)
        with pytest.raises(ValueError, match="image numbers: expected"):
            train(mlp, SGD(0.1), images, LABELS, epochs(np.arange(6), 2, 3, 0.1), checks)


def test_rows_and_arrays_do_not_mix_in_one_run(monkeypatch):
    monkeypatch.setenv("NNLITE_KERNELS", "fast")
    rows = prepare_images([PIXELS], lambda: PIXELS)
    checks = Checks(rows, LABELS, np.array([1]), needed=1)
    with pytest.raises(ValueError, match="both be arrays or both be rows"):
        train(
            MLP((4, 3, 3), np.random.default_rng(0)),
            SGD(0.1),
            np.zeros((6, 4)),
            LABELS,
            epochs(np.arange(6), 2, 3, 0.1),
            checks,
        )


def test_progress_is_memory_of_the_right_size():
    with pytest.raises(ValueError, match="done must be a contiguous int64 array"):
        Watch(done=np.zeros(1, np.int64))


def test_the_learning_rate_ends_where_the_schedule_does(form):
    mlp, optimizer = MLP((4, 3, 3), np.random.default_rng(0)), SGD(0.5)
    train(mlp, optimizer, np.zeros((6, 4)), LABELS, epochs(np.arange(6), 2, 3, 0.1))
    assert optimizer.learning_rate == 0.1

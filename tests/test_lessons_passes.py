"""The lessons on both passes: what they print, their exercises, and that the check finds any mistake in a gradient."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
from lesson_output import printed_by

import nnlite
from nnlite.lessons import backward as backward_lesson
from nnlite.lessons import checker, gradient_check, race
from nnlite.lessons import forward as forward_lesson

pytestmark = pytest.mark.kernels

LESSONS = {"forward": forward_lesson, "backward": backward_lesson}
ARRAYS = ["W1", "b1", "W2", "b2"]

# forward 1: (784 + 1) x 128 + (128 + 1) x 64 + (64 + 1) x 10 = 100,480 + 8,256 + 650 = 109,386
# forward 2: of the bytes 16 to 16 + 64 x 784 = 50,192 of the images' file, those that are not zero
# backward 1: 2 x ((784 + 1) x 128 + (128 + 1) x 10) = 2 x 101,770 = 203,540
# backward 2: a mean over 8 images is 1/8 of the sum, so b1 is wrong by 7/8 = 0.875 of itself
ANSWERS = {("forward", 1): 109386, ("forward", 2): 9378, ("backward", 1): 203540, ("backward", 2): 875}


def answer(name, number, value):
    lesson = LESSONS[name]
    return checker.run(name, lesson.lesson, lesson.EXERCISES, ["--answer", str(number), str(value)])


def columns(text, start):
    """The words of each line that starts so."""
    return [line[len(start) :].split() for line in text.splitlines() if line.startswith(start)]


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_fits_a_plain_terminal_and_its_file_120_lines(name):
    text = printed_by(name, "0")
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80
    assert len(pathlib.Path(LESSONS[name].__file__).read_text(encoding="utf-8").splitlines()) < 120


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_asks_its_exercises_without_the_answers(name):
    text = printed_by(name, "0")
    for number, exercise in enumerate(LESSONS[name].EXERCISES, start=1):
        assert f"  {number}. {exercise.question.splitlines()[0]}" in text
        assert str(ANSWERS[name, number]) not in text.replace(",", "").split()
    assert f"python -m nnlite.lessons.{name} --answer 1 " in text


@pytest.mark.parametrize(("name", "number"), ANSWERS)
def test_right_answers_are_right_and_wrong_ones_get_a_hint_that_does_not_tell(name, number, capsys):
    right = ANSWERS[name, number]
    assert answer(name, number, right) == 0
    assert capsys.readouterr().out == "right\n"
    assert answer(name, number, right + 1) == 1
    text = capsys.readouterr().out
    assert text.startswith("wrong\nhint: ")
    assert str(right) not in text
    assert max(map(len, text.splitlines())) <= 80


def test_one_neuron_of_the_forward_lesson_is_the_first_of_its_layer():
    x, w, b = np.array([1.0, 2.0]), np.array([[3.0, 0.0], [4.0, 0.0]]), np.array([5.0, 0.0])
    assert forward_lesson.neuron(x, w[:, 0], b[0]) == 16  # 5 + 1 x 3 + 2 x 4
    assert forward_lesson.layer(x, w, b).tolist() == [16, 0]


def test_the_forward_lessons_loss_of_sure_and_of_even_scores():
    p = forward_lesson.softmax(np.array([[1000.0, 0.0], [7.0, 7.0]]))
    assert p.tolist() == [[1, 0], [0.5, 0.5]]
    assert forward_lesson.cross_entropy(p, np.array([0, 1])) == pytest.approx(np.log(2) / 2)  # (-log 1 - log 1/2) / 2


@pytest.mark.parametrize("without_jit", ["0", "1"])
def test_the_forward_lesson_and_the_kernels_find_the_same_loss(without_jit):
    text = printed_by("forward", without_jit)
    by_hand, by_kernels = (line.split("loss ")[1].split(",")[0] for line in text.splitlines() if "loss 2." in line)
    assert by_hand == by_kernels
    assert columns(text, "  as is ") == [["nan"] * 10]  # without the maximum subtracted
    assert columns(text, "  safe ") == columns(text, "  p ")


def test_the_backward_lessons_check_passes_the_rules_and_finds_every_mistake():
    # 1/n forgotten with 8 images: 8 times too large, 7 times itself wrong; a wrong sign: 1 - (-1) = 2 times.
    # The last two stand between the layers, so W2 and b2 stay right.
    by_array = [[float(line[-1]) for line in columns(printed_by("backward", "0"), f"  {name}[")] for name in ARRAYS]
    rules, factor, sign, transposed, mask = zip(*by_array, strict=True)
    assert max(rules) < 1e-8
    assert factor == pytest.approx([7] * 4)
    assert sign == pytest.approx([2] * 4)
    for mistake in (transposed, mask):
        assert min(mistake[:2]) > 0.5
        assert max(mistake[2:]) < 1e-8


def test_the_backward_lessons_check_finds_a_mistake_of_ones_own(capsys):
    backward_lesson.check(weights=lambda x, dz: (x.T @ dz, dz.mean(axis=0)))
    errors = {line.split("[")[0].strip(): line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:]}
    assert [float(errors[name]) > 0.1 for name in ARRAYS] == [False, True, False, True]
    assert errors["b1"] == "0.875"  # 1 - 1/8


def test_a_mistake_in_place_of_no_rule_is_refused():
    with pytest.raises(ValueError, match="no rule relus: they are loss, weights, inputs, relu"):
        backward_lesson.check(relus=lambda z, dh: dh)


def test_the_rules_of_the_backward_lesson_give_the_gradients_of_the_kernels():
    x, labels, parameters, _ = backward_lesson.example()
    mlp = nnlite.MLP((784, 10, 10), rng=np.random.default_rng(0), dtype=np.float64)
    loss, gradients = mlp.loss_and_gradients(x, labels)
    by_hand_loss, by_hand = backward_lesson.gradients(x, labels, parameters, {})
    assert by_hand_loss == pytest.approx(loss, abs=1e-12)
    for a, b in zip(by_hand, gradients.arrays(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("without_jit", ["0", "1"])
def test_the_backward_lesson_ends_with_equal_losses_and_with_times(without_jit):
    text = printed_by("backward", without_jit)
    (first, later) = (list(map(float, line[1:])) for line in columns(text, "  loss before step"))
    assert first == pytest.approx([first[0]] * 3, abs=2e-5)  # five decimals are printed
    assert later == pytest.approx([later[0]] * 3, abs=2e-5)
    assert later[0] < first[0]
    ((*_, plain, plain_unit, fast, fast_unit),) = columns(text, "  a step after that")
    assert (plain_unit, fast_unit) == ("us", "us")
    assert min(int(plain), int(fast)) > 0


@pytest.mark.parametrize("chosen", [None, "plain"])
def test_the_race_leaves_the_choice_of_kernels_as_it_was(chosen, monkeypatch):
    monkeypatch.delenv("NNLITE_KERNELS", raising=False)
    if chosen is not None:
        monkeypatch.setenv("NNLITE_KERNELS", chosen)
    mlp = nnlite.MLP((784, 3, 10), rng=np.random.default_rng(0))
    loss = race.steps_by("fast")(mlp, np.zeros((2, 784), np.uint8), np.array([0, 1]), 1)
    assert np.isfinite(loss)
    assert os.environ.get("NNLITE_KERNELS") == chosen


def test_the_gradient_check_puts_every_number_back():
    x = np.array([[0.1, -0.7], [1 / 3, 1e-9]])
    before = x.copy()
    slopes = gradient_check.differences(lambda: float((x**3).sum()), [x])
    np.testing.assert_allclose(slopes[0], 3 * before**2, atol=1e-8)
    assert (x == before).all()


def test_the_gradient_checks_table_shows_the_largest_slope_and_the_largest_error():
    by_hand, slopes = np.array([[1.0, -4.0], [0.0, 2.0]]), np.array([[1.0, -4.0], [1.0, 2.0]])
    line = gradient_check.table(["W"], [by_hand], [slopes]).splitlines()[1]
    assert line.split() == ["W[0,", "1]", "-4.000000000", "-4.000000000", "0.25"]  # 1 wrong at [1, 0], over 4

"""The lessons as a learner meets them: read on a terminal of 80 columns, exercises answered; what they print is right.

The lessons on the claim and on the verdict have files of their own for what they print.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from lesson_output import finished, printed_by

import nnlite
from nnlite.lessons import LESSONS as LISTED
from nnlite.lessons import __main__ as lessons_command
from nnlite.lessons import backward as backward_lesson
from nnlite.lessons import chain_rule, checker, gradient_check, mnist_files, race
from nnlite.lessons import forward as forward_lesson
from nnlite.places import STEMS, places

ANSWERS = {
    "bytes": [
        3084,  # 4 bytes of magic, 2 sizes of 4 bytes, 256 x 3 elements of type 0c, 4 bytes each: 4 + 8 + 3072
        52,  # byte 16 + 7 x 784 + 16 x 28 + 11 = 5963 of the file: `gzip -dc FILE | od -t u1 -j 5963 -N 1`
    ],
    "counting": [
        101632,  # 784 x 128 + 128 x 10 = 100,352 + 1,280
        13090816,  # 64 x (2 x 784 x 128 + 3 x 128 x 10) = 64 x (200,704 + 3,840)
    ],
    "forward": [
        109386,  # (784 + 1) x 128 + (128 + 1) x 64 + (64 + 1) x 10 = 100,480 + 8,256 + 650
        9378,  # of the bytes 16 to 16 + 64 x 784 = 50,192 of the images' file, those that are not zero
    ],
    "backward": [
        203540,  # 2 x ((784 + 1) x 128 + (128 + 1) x 10) = 2 x 101,770
        875,  # a mean over 8 images is 1/8 of the sum, so b1 is wrong by 7/8 = 0.875 of itself
    ],
    "claim": [
        235,  # a step of 16 images is 18 F, an epoch 12 F: 1 - (28 x 12 + 145 x 18) / (214 x 18) = 1 - 2,946 / 3,852
        208,  # the epochs cost 28 x 12 / 66 = 5.09 steps, so 214 - 5.09 = 208.9 steps would cost the same
        43400,  # 2 x (1 + 20 + 190 + 1,140 + 4,845 + 15,504) = 2 x 21,700
    ],
    "verdict": [
        14,  # the largest k with 2 (C(40, 0) + .. + C(40, k - 1)) / 2^40 <= 5%: up to 13 heads 3.8%, up to 14 8.1%
        26,  # 2 (C(12, 0) + C(12, 1)) / 2^12 = 26 / 4096
        35,  # the five misses are the five smallest, so the 40th of all is the 35th of the rest
    ],
}
LESSONS = {name: importlib.import_module(f"nnlite.lessons.{name}") for name in ANSWERS}
EXERCISES = [(name, number, right) for name, answers in ANSWERS.items() for number, right in enumerate(answers, 1)]
ARRAYS = ["W1", "b1", "W2", "b2"]


def answer(name, *arguments):
    lesson = LESSONS[name]
    return checker.run(name, lesson.lesson, lesson.EXERCISES, lesson.CHANGE, ["--answer", *map(str, arguments)])


def columns(text, start):
    """The words of each line that starts so."""
    return [line[len(start) :].split() for line in text.splitlines() if line.startswith(start)]


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_fits_a_plain_terminal_and_asks_its_exercises_without_the_answers(name):
    text = printed_by(name)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80
    for number, (exercise, right) in enumerate(zip(LESSONS[name].EXERCISES, ANSWERS[name], strict=True), start=1):
        assert f"  {number}. {exercise.question.splitlines()[0]}" in text
        assert str(right) not in text.replace(",", "").split()
    assert f"python -m nnlite.lessons.{name} -a 1 " in text


def test_a_lesson_is_a_file_that_is_read_in_one_sitting():
    files = [pathlib.Path(lesson.__file__) for lesson in LESSONS.values()]
    assert {file.stem for file in files if len(file.read_text(encoding="utf-8").splitlines()) > 240} == set()


def test_the_lessons_are_listed_in_their_order_with_minutes_and_aims(capsys):
    assert lessons_command.main([]) == 0
    text = capsys.readouterr().out
    listed = [line.split()[1:4] for line in text.splitlines() if line.startswith("  ")]
    assert listed == [[name, str(lesson.minutes), "min"] for name, lesson in LISTED.items()]
    assert [name for name, *_ in listed] == ["bytes", "forward", "backward", "counting", "claim", "verdict"]
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(("name", "number", "right"), EXERCISES)
def test_right_answers_are_right_and_wrong_ones_get_a_hint_that_does_not_tell(name, number, right, capsys):
    assert answer(name, number, right) == answer(name, number, f"{right:,}") == 0
    why, following, *again = capsys.readouterr().out.splitlines()
    assert again == [why, following]
    assert why.startswith("right: ")
    assert len(why) <= 80
    names = [*LISTED, None]
    after = names[names.index(name) + 1]
    assert following == (f"Next lesson: {after}" if after else "That was the last lesson: now run `nnlite`.")
    for wrong in (right + 1, right - 1):
        assert answer(name, number, wrong) == 1
        text = capsys.readouterr().out
        assert text.startswith("wrong\nhint: ")
        assert str(right) not in text.replace(",", "").split()
        assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("1", "forty"), "nnlite: --answer 1 forty: expected a whole number in digits, such as 60000\n"),
        (("1", "40.5"), "nnlite: --answer 1 40.5: expected a whole number in digits, such as 60000\n"),
        *[
            (("1", odd), f"nnlite: --answer 1 {odd}: expected a whole number in digits, such as 60000\n")
            for odd in ("1_0", "\u0665", " 5", "0x10", "", "9" * 5000, "1e3", "nan")
        ],
        (("3", "40"), "nnlite: --answer 3: the exercises are 1 to 2\n"),
        (("one", "40"), "nnlite: --answer one: the exercises are 1 to 2\n"),
    ],
)
def test_an_answer_that_cannot_be_checked_says_what_is_expected(arguments, line, capsys):
    assert answer("counting", *arguments) == 2
    assert capsys.readouterr() == ("", line)


def test_the_exit_status_of_the_command_is_the_checkers():
    for arguments, status, words in ((["1", "3085"], 1, ""), (["1"], 2, "expected 2 arguments")):
        found = finished("bytes", "--answer", *arguments)
        assert found.returncode == status
        assert words in found.stderr


def test_damaged_data_is_one_clear_line_and_exit_3(tmp_path):
    for stem in STEMS:
        (tmp_path / stem).write_bytes(b"")
    found = finished("bytes", NNLITE_DATA=str(tmp_path))
    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.startswith(f"nnlite: {tmp_path}/train-images-idx3-ubyte: byte 0: ")
    assert found.stderr.count("\n") == 1


def test_a_folder_that_the_loader_passes_over_is_passed_over_here(tmp_path, monkeypatch):
    for stem in STEMS:
        nnlite.write_idx(tmp_path / stem, np.zeros((1, 2, 2) if "images" in stem else 1, np.uint8))
    real = list(places("mnist", None))
    monkeypatch.setattr(mnist_files, "places", lambda name, data_dir: [tmp_path, *real])
    images, labels = mnist_files.find_training_files()
    assert tmp_path not in (images.parent, labels.parent)
    assert len(mnist_files.read_bytes(labels)) == 60_008  # 8 bytes of header, 60,000 labels


def test_the_bytes_lesson_shows_header_sizes_image_and_averages():
    text = printed_by("bytes")
    assert "(234 x 256) + 96" in text  # 234 x 256 + 96 = 59,904 + 96 = 60,000
    assert "together  47,040,016 bytes; the file holds 47,040,016" in text  # 16 + 60,000 x 784
    assert "The first image is a 5." in text
    assert "the same pixels as by hand: True" in text
    image = [line for line in text.splitlines() if line.startswith("  |")]
    assert {len(line) for line in image} == {2 + 1 + 28 + 1}
    assert len(image) == 28 // 2
    assert "@@@@@" in "".join(image)


@pytest.mark.parametrize("without_jit", ["0", "1"])
def test_the_counting_lesson_prints_three_equal_counts(without_jit):
    text = printed_by("counting", without_jit)
    # 4 images, 2 inputs, 3 units, 2 classes. forward: mul 24 + 24, add as many and 6 x 4 for the loss, cmp 12 for relu
    # and 4 for the larger score, div 8 + 1; backward: mul 3 x 24, add as many, 8 + 12 for the biases and 4 for p - y
    wanted = {
        "forward": ["48", "72", "16", "9", "8", "4", "157"],
        "backward": ["72", "96", "12", "8", "0", "0", "188"],
        "update": ["17", "17", "0", "0", "0", "0", "34"],
    }
    for part, row in wanted.items():
        assert [words[-7:] for words in columns(text, f"  {part} ") if words] == [row] * 3
    losses = [words[:5] for words in columns(text, "  loss")]
    assert losses[0] == losses[1]


def test_the_counting_lesson_names_the_files_and_lines_where_an_operation_is_made(monkeypatch):
    lines = printed_by("counting").splitlines()
    places_named = [line.strip().rpartition(":") for line in lines if line.startswith("  nnlite/") and ":" in line]
    assert [file for file, _, _ in places_named] == [
        "nnlite/kernels/matmul.py",
        "nnlite/kernels/ops.py",
        "nnlite/flops.py",
    ]
    for file, _, number in places_named:
        source = (pathlib.Path(nnlite.__file__).parents[1] / file).read_text(encoding="utf-8").splitlines()
        assert f"      {source[int(number) - 1].strip()}" in lines


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
    by_hand, by_kernels = (line.split("loss ")[1].split(",")[0] for line in text.splitlines() if "loss 0." in line)
    assert by_hand == by_kernels
    ((learned, *_),) = columns(text, "  learned weights")
    assert int(learned) >= 58  # nine of ten of 64
    votes = columns(text, "  for 5")[0]
    assert sum(map(float, votes[:-1])) == pytest.approx(float(votes[-1]), abs=0.004)  # seven numbers of three decimals
    assert columns(text, "  as is ") == [["nan"] * 10]  # without the maximum subtracted
    assert columns(text, "  safe ") == columns(text, "  p ")


def test_the_chain_rule_in_small_numbers_is_that_of_the_kernels(capsys):
    mlp = nnlite.MLP((2, 2, 2), rng=np.random.default_rng(0), dtype=np.float64)
    for parameter, small in zip(
        mlp.parameters(), (chain_rule.W1, chain_rule.B1, chain_rule.W2, chain_rule.B2), strict=True
    ):
        parameter[:] = small
    loss, gradients = mlp.loss_and_gradients(chain_rule.X, chain_rule.LABEL)
    np.testing.assert_allclose(chain_rule.chain_rule(), gradients.weights, atol=1e-12)
    text = capsys.readouterr().out
    assert loss == pytest.approx(np.log(1 + np.e))  # logits 1 and 0, and the label is the second
    assert "dz = p - y = (0.731, 0.269) - (0, 1) = (0.731, -0.731)" in text  # e / (1 + e) = 0.731
    for words in columns(text, "  by W"):
        assert float(words[6].rstrip(";")) == pytest.approx(0.001 * float(words[-1]), abs=1e-6)


def test_the_backward_lessons_check_passes_the_rules_and_finds_every_mistake():
    # 1/n forgotten with 8 images: 8 times too large, 7 times itself wrong; a wrong sign: 1 - (-1) = 2 times.
    # The last two stand between the layers, so W2 and b2 stay right.
    by_array = [[float(line[-1]) for line in columns(printed_by("backward"), f"  {name}[")] for name in ARRAYS]
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


@pytest.mark.parametrize("name", [name for name in LESSONS if name != "claim"])
def test_what_a_change_shows_fits_a_plain_terminal_and_says_why(name, capsys):
    lesson = LESSONS[name]
    assert checker.run(name, lesson.lesson, lesson.EXERCISES, lesson.CHANGE, ["-l"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert text.rstrip().endswith(".")


def test_a_change_shows_what_the_lesson_says_of_it(capsys):
    for name in ("forward", "backward", "counting", "verdict"):
        LESSONS[name].CHANGE.look()
    text = capsys.readouterr().out
    right = [int(words[1]) for words in columns(text, "  by ")]
    assert right == sorted(right, reverse=True)  # the further right, the fewer
    assert right[0] > 900
    assert right[-1] < 200
    assert columns(text, "  zero ")[0][:2] == ["0.0000", "0.0000"]  # of all weights at 0 no weight learns
    assert [words[-1] for words in columns(text, "  forward ")] == ["157", "157"]  # with ink and without
    (once,) = (float(words[-1][:-1]) for words in columns(text, "  said so after all"))
    (*_, always) = (float(words[-1][:-1]) for words in columns(text, "  said so at some point"))
    assert once < 8  # 5%, of 200 studies
    assert always > 15


def test_the_recipe_of_the_teachers_page_is_a_lesson(tmp_path):
    page = pathlib.Path(lessons_command.__file__).with_name("TEACHING.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "units.py").write_text(recipe, encoding="utf-8")
    for arguments, status, words in (([], 0, "python units.py -a 1 "), (["-a", "1", "795"], 0, "right: one weight")):
        command = [sys.executable, "-W", "error", "units.py", *arguments]
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert (found.returncode, found.stderr) == (status, "")
        assert words in found.stdout

"""The lessons as a learner meets them: run by name, read on a terminal of 80 columns, exercises answered."""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import nnlite
from nnlite.lessons import bytes as bytes_lesson
from nnlite.lessons import checker, mnist_files
from nnlite.lessons import counting as counting_lesson
from nnlite.places import STEMS, places

pytestmark = pytest.mark.kernels

LESSONS = {"bytes": bytes_lesson, "counting": counting_lesson}

# bytes 1: 4 bytes of magic, 2 sizes of 4 bytes, 256 x 3 elements of type 0c, 4 bytes each: 4 + 8 + 3072 = 3084
# bytes 2: byte 16 + 7 x 784 + 16 x 28 + 11 = 5963 of the file, which `gzip -dc FILE | od -t u1 -j 5963 -N 1` prints
# counting 1: 784 x 128 + 128 x 10 = 100,352 + 1,280 = 101,632
# counting 2: 64 x (2 x 784 x 128 + 3 x 128 x 10) = 64 x (200,704 + 3,840) = 13,090,816
ANSWERS = {("bytes", 1): 3084, ("bytes", 2): 52, ("counting", 1): 101632, ("counting", 2): 13090816}


def run_lesson(name, *arguments, **environment):
    command = [sys.executable, "-W", "error", "-m", f"nnlite.lessons.{name}", *arguments]
    root = pathlib.Path(nnlite.__file__).parents[1]
    return subprocess.run(
        command, cwd=root, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )


def answer(name, *arguments):
    lesson = LESSONS[name]
    return checker.run(name, lesson.lesson, lesson.EXERCISES, ["--answer", *arguments])


@functools.cache
def printed_by(name):
    finished = run_lesson(name)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_fits_a_plain_terminal_of_80_columns(name):
    text = printed_by(name)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_asks_its_exercises_and_says_how_to_answer_without_the_answers(name):
    text = printed_by(name)
    for number, exercise in enumerate(LESSONS[name].EXERCISES, start=1):
        assert f"  {number}. {exercise.question.splitlines()[0]}" in text
        assert str(ANSWERS[name, number]) not in text.replace(",", "").split()
    assert f"python -m nnlite.lessons.{name} --answer 1 " in text


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
    text = run_lesson("counting", NUMBA_DISABLE_JIT=without_jit).stdout
    rows = [line.split()[-4:] for line in text.splitlines() if line.startswith("  by ")]
    # mul 24 + 24, add as many, cmp 12 for relu and 4 for argmax: 48 + 48 + 16 = 112
    assert rows == [["48", "48", "16", "112"]] * 3
    classes = [line.split(":")[1] for line in text.splitlines() if "their classes:" in line]
    assert classes[0] == classes[1]


@pytest.mark.parametrize(("name", "number"), ANSWERS)
def test_right_answers_are_right_with_or_without_commas(name, number, capsys):
    assert answer(name, str(number), str(ANSWERS[name, number])) == 0
    assert answer(name, str(number), f"{ANSWERS[name, number]:,}") == 0
    assert capsys.readouterr().out == "right\nright\n"


@pytest.mark.parametrize(("name", "number"), ANSWERS)
def test_wrong_answers_get_a_hint_that_does_not_tell(name, number, capsys):
    assert answer(name, str(number), str(ANSWERS[name, number] + 1)) == 1
    text = capsys.readouterr().out
    assert text.startswith("wrong\nhint: ")
    assert str(ANSWERS[name, number]) not in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("1", "forty"), "nnlite: --answer 1 forty: expected a whole number in digits, such as 60000\n"),
        (("1", "40.5"), "nnlite: --answer 1 40.5: expected a whole number in digits, such as 60000\n"),
        (("3", "40"), "nnlite: --answer 3: the exercises are 1 to 2\n"),
        (("one", "40"), "nnlite: --answer one: the exercises are 1 to 2\n"),
    ],
)
def test_an_answer_that_cannot_be_checked_says_what_is_expected(arguments, line, capsys):
    assert answer("counting", *arguments) == 2
    assert capsys.readouterr() == ("", line)


def test_the_exit_status_of_the_command_is_the_checkers():
    finished = run_lesson("bytes", "--answer", "1", "3085")
    assert (finished.returncode, finished.stderr) == (1, "")
    finished = run_lesson("bytes", "--answer", "1")
    assert finished.returncode == 2
    assert "expected 2 arguments" in finished.stderr


def test_damaged_data_is_one_clear_line_and_exit_3(tmp_path):
    for stem in STEMS:
        (tmp_path / stem).write_bytes(b"")
    finished = run_lesson("bytes", NNLITE_DATA=str(tmp_path))
    assert (finished.returncode, finished.stdout) == (3, "")
    assert finished.stderr.startswith(f"nnlite: {tmp_path}/train-images-idx3-ubyte: byte 0: ")
    assert finished.stderr.count("\n") == 1


def test_a_folder_that_the_loader_passes_over_is_passed_over_here(tmp_path, monkeypatch):
    for stem in STEMS:
        nnlite.write_idx(tmp_path / stem, np.zeros((1, 2, 2) if "images" in stem else 1, np.uint8))
    real = list(places("mnist", None))
    monkeypatch.setattr(mnist_files, "places", lambda name, data_dir: [tmp_path, *real])
    images, labels = mnist_files.find_training_files()
    assert tmp_path not in (images.parent, labels.parent)
    assert len(mnist_files.read_bytes(labels)) == 60_008  # 8 bytes of header, 60,000 labels


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_is_a_file_of_under_120_lines(name):
    assert len(pathlib.Path(LESSONS[name].__file__).read_text(encoding="utf-8").splitlines()) < 120

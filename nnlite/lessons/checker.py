"""What every lesson shares: print it with its exercises, or check an answer to one of them.

A lesson hands over a function that prints it and its exercises. Only this module knows the command line and the exit
status: 0 printed, or right; 1 wrong, or not to be carried out; 2 usage; 3 data missing or damaged; 130 interrupted.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nnlite import program
from nnlite.idx import IdxFormatError


@dataclass(frozen=True)
class Exercise:
    """A question whose answer is a whole number.

    Attributes
    ----------
    question : str - lines of at most 75 characters, so that they fit a terminal of 80
    answer : callable - computes the answer, so that neither the printed lesson nor its source holds it
    hint : str - what a wrong answer is told; it does not tell the answer
    """

    question: str
    answer: Callable[[], int]
    hint: str


def run(
    name: str, lesson: Callable[[], None], exercises: Sequence[Exercise], arguments: Sequence[str] | None = None
) -> int:
    """Print a lesson and its exercises or, given `--answer NUMBER ANSWER`, check that answer.

    Parameters
    ----------
    name : str - of the lesson's module in nnlite.lessons
    lesson : callable - prints the lesson
    exercises : sequence of Exercise - numbered from 1
    arguments : sequence of str, optional - sys.argv[1:] by default

    Returns
    -------
    int - the exit status

    Examples
    --------
    >>> sum_of_two = Exercise("How much is 40 + 2?", lambda: 40 + 2, "add the ones to the ones")
    >>> run("sums", lambda: None, [sum_of_two], ["--answer", "1", "42"])
    right
    0
    """
    return program.carry_out("nnlite", lambda: _run(name, lesson, exercises, arguments))


def _run(name: str, lesson: Callable[[], None], exercises: Sequence[Exercise], arguments: Sequence[str] | None) -> int:
    command = f"python -m nnlite.lessons.{name}"
    parser = argparse.ArgumentParser(prog=command, description=f"Print the lesson on {name}, or check an answer.")
    parser.add_argument("--answer", nargs=2, metavar=("NUMBER", "ANSWER"), help="exercise and your answer to it")
    answer = parser.parse_args(arguments).answer
    try:
        if answer is not None:
            return _check(exercises, *answer)
        lesson()
        print("\nExercises\n")
        for number, exercise in enumerate(exercises, start=1):
            print(f"  {number}. " + exercise.question.replace("\n", "\n     "))
        print(f"\nTo answer the first:  {command} --answer 1 YOUR_NUMBER")
        return 0
    except (OSError, IdxFormatError) as error:
        return _complain(str(error), 3)
    except ImportError as error:  # numba and NumPy that do not fit each other
        return _complain(str(error), 1)


def _check(exercises: Sequence[Exercise], number: str, answer: str) -> int:
    """Say right or wrong."""
    if number not in map(str, range(1, len(exercises) + 1)):
        return _complain(f"--answer {number}: the exercises are 1 to {len(exercises)}", 2)
    digits = answer.replace(",", "")  # 60,000 is a number too
    if not re.fullmatch(r"[+-]?[0-9]{1,30}", digits):
        return _complain(f"--answer {number} {answer}: expected a whole number in digits, such as 60000", 2)
    exercise = exercises[int(number) - 1]
    if int(digits) == exercise.answer():
        print("right")
        return 0
    print(f"wrong\nhint: {exercise.hint}")
    return 1


def _complain(message: str, status: int) -> int:
    print(f"nnlite: {message}", file=sys.stderr)
    return status

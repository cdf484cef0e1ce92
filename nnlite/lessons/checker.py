"""What every lesson shares: print it with its exercises, check an answer to one of them, carry out its change.

A lesson hands over a function that prints it, its exercises and one change to predict. Only this module knows the
command line and the exit status: 0 printed, or right; 1 wrong, or not to be carried out; 2 usage; 3 data missing or
damaged; 130 interrupted.
"""

from __future__ import annotations

import argparse
import builtins
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nnlite import program
from nnlite.idx import IdxFormatError
from nnlite.lessons import LESSONS, next_lesson


@dataclass(frozen=True)
class Exercise:
    """A question whose answer is a whole number. Lines of at most 75 characters, so that they fit a terminal of 80.

    Attributes
    ----------
    question : str
    answer : callable - computes the answer, so that neither the printed lesson nor its source holds it
    hint : str - what a wrong answer is told; it does not tell the answer
    why : str - what a right answer is told
    """

    question: str
    answer: Callable[[], int]
    hint: str
    why: str


@dataclass(frozen=True)
class Change:
    """Something to change in a lesson, and a question to answer in one's own words before one looks.

    Attributes
    ----------
    what : str - the line to change and the question; lines of at most 75 characters
    look : callable - makes the change and prints what comes of it, and why
    """

    what: str
    look: Callable[[], None]


def run(
    name: str,
    lesson: Callable[[], None],
    exercises: Sequence[Exercise],
    change: Change,
    arguments: Sequence[str] | None = None,
) -> int:
    """Print a lesson and its exercises; given `-a NUMBER ANSWER` check that answer, given `-l` look at the change.

    Parameters
    ----------
    name : str - of the lesson's module in nnlite.lessons, or of the file that holds one of one's own
    lesson : callable - prints the lesson
    exercises : sequence of Exercise - numbered from 1
    change : Change
    arguments : sequence of str, optional - sys.argv[1:] by default

    Returns
    -------
    int - the exit status

    Examples
    --------
    >>> sum_of_two = Exercise("How much is 40 + 2?", lambda: 40 + 2, "add the ones to the ones", "0 + 2 ones, 4 tens")
    >>> swapped = Change("2 + 40 instead: is it more?", lambda: print(2 + 40, "as before: a sum has no order"))
    >>> run("sums", lambda: None, [sum_of_two], swapped, ["-a", "1", "42"])
    right: 0 + 2 ones, 4 tens
    0
    >>> run("sums", lambda: None, [sum_of_two], swapped, ["-l"])
    42 as before: a sum has no order
    0
    """
    return program.carry_out("nnlite", lambda: _run(name, lesson, exercises, change, arguments))


def end(status: int) -> None:
    """Leave with an exit status; a notebook knows none, and would show a traceback in its place."""
    if not _in_notebook():
        sys.exit(status)


def _in_notebook() -> bool:
    return hasattr(builtins, "__IPYTHON__")  # which IPython sets


def _run(
    name: str,
    lesson: Callable[[], None],
    exercises: Sequence[Exercise],
    change: Change,
    arguments: Sequence[str] | None,
) -> int:
    source = f"-m nnlite.lessons.{name}" if name in LESSONS else f"{name}.py"  # one's own is a file
    command = f"{'%run' if _in_notebook() else 'python'} {source}"
    parser = argparse.ArgumentParser(prog=command, description=f"Print the lesson on {name}, or one of:")
    one_of = parser.add_mutually_exclusive_group()
    # Short, too: IPython's %run takes any "--" in its line for the end of its own options.
    one_of.add_argument(
        "-a", "--answer", nargs=2, metavar=("NUMBER", "ANSWER"), help="check your answer to an exercise"
    )
    one_of.add_argument("-l", "--look", action="store_true", help="make the change, once you have predicted")
    options = parser.parse_args(arguments)
    try:
        if options.answer is not None:
            return _check(name, exercises, *options.answer)
        if options.look:
            change.look()
            return 0
        lesson()
        print(f"\n{questions(command, exercises, change)}")
        return 0
    except (OSError, IdxFormatError) as error:
        return _complain(str(error), 3)
    except ImportError as error:  # numba and NumPy that do not fit each other
        return _complain(str(error), 1)


def questions(command: str, exercises: Sequence[Exercise], change: Change) -> str:
    """Lay out what a lesson asks, and the command that answers."""
    lines = ["Exercises\n"]
    lines += [f"  {number}. " + _indented(exercise.question) for number, exercise in enumerate(exercises, start=1)]
    lines += ["\nChange, predict, look\n", "     " + _indented(change.what)]
    lines += [f"\nTo answer the first:  {command} -a 1 YOUR_NUMBER", f"To look, afterwards:  {command} -l"]
    return "\n".join(lines)


def _indented(text: str) -> str:
    return text.replace("\n", "\n     ")


def _check(name: str, exercises: Sequence[Exercise], number: str, answer: str) -> int:
    """Say wrong and a hint, or right, why, and what comes next."""
    if number not in map(str, range(1, len(exercises) + 1)):
        return _complain(f"--answer {number}: the exercises are 1 to {len(exercises)}", 2)
    digits = answer.replace(",", "")  # 60,000 is a number too
    if not re.fullmatch(r"[+-]?[0-9]{1,30}", digits):
        return _complain(f"--answer {number} {answer}: expected a whole number in digits, such as 60000", 2)
    exercise = exercises[int(number) - 1]
    if int(digits) != exercise.answer():
        print(f"wrong\nhint: {exercise.hint}")
        return 1
    print(f"right: {exercise.why}")
    if name in LESSONS:
        following = next_lesson(name)
        print(f"Next lesson: {following}" if following else "That was the last lesson: now run `nnlite`.")
    return 0


def _complain(message: str, status: int) -> int:
    print(f"nnlite: {message}", file=sys.stderr)
    return status

"""Short programs that teach: run one, read from top to bottom what it prints, answer its exercises, read its source.

`python -m nnlite.lessons` lists them; each is run by its name, as `python -m nnlite.lessons.bytes`, in a notebook by
`%run -m nnlite.lessons.bytes`. `TEACHING.md` beside this file is for those who teach with them.
"""

import sys
from typing import NamedTuple

from nnlite import program


class Lesson(NamedTuple):
    """What a learner wants to know before a lesson: how long it takes, and what one can do afterwards."""

    minutes: int
    afterwards: str


LESSONS = {
    "bytes": Lesson(10, "take a file of images apart, and draw a digit from it"),
    "forward": Lesson(15, "follow a digit through a network, number by number"),
    "backward": Lesson(30, "derive its gradients, and find a mistake in one"),
    "counting": Lesson(15, "say what a step costs, and find the line that counts it"),
    "claim": Lesson(25, "work a published number backwards to what it counts"),
    "verdict": Lesson(20, "say how sure ten pairs make you, and when to be silent"),
}
"""The lessons by name, in their order: each needs only those before it."""


def next_lesson(name: str) -> str | None:
    """Return the name of the lesson after this one; None after the last.

    Examples
    --------
    >>> next_lesson("bytes"), next_lesson("verdict")
    ('forward', None)
    """
    names = [*LESSONS, None]
    return names[names.index(name) + 1]


if any(f"{word}.".startswith(f"{__name__}.") for word in sys.orig_argv):  # python -m nnlite.lessons, or one of them
    program.start()

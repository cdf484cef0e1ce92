"""How the command ends: its exit statuses, a mistake of a person as one line, and signals.

The statuses are part of the interface; scripts rely on them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

OK = 0  # misses and divergence are results
FAILED_RUN = 1  # a run could not be carried out
USAGE = 2
DATA = 3  # missing or damaged


class Exit(Exception):
    """A mistake that a person can mend: the line that says so, and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Interrupted(Exception):
    """A signal asked for the end of a study; `status` is the exit status that says which."""

    def __init__(self, number: int, compiling: bool) -> None:
        super().__init__(signal.Signals(number).name)
        self.status, self.compiling = 128 + number, compiling


def leave(interruption: Interrupted) -> int:
    """Return the exit status of who was interrupted, after all is said."""
    if interruption.compiling:  # which cannot be stopped, and for which the interpreter would wait
        sys.stdout.flush()
        os._exit(interruption.status)
    return interruption.status


@contextlib.contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Note signals to end in the list instead of raising, so that who runs a study ends it between two events.

    An exception at just any instruction could leave a lock behind, and the workers waiting for it. The first signal
    decides the exit status; more of them change nothing, so that the table and the line that goes on are printed.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)

    if threading.current_thread() is not threading.main_thread():  # where no handler can be set
        yield noted
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # One that is ignored, by nohup or in the background of a script, is not the study's; None is not Python's.
    numbers = [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def file_error(error: OSError) -> str:
    """Return an operating system's error as `file: what is wrong`."""
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{os.fsdecode(error.filename)}: {error.strerror}"

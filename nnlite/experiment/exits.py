"""How a command ends: its exit statuses, which exception is which of them, a person's mistake as one line, signals.

The statuses are part of the interface; scripts rely on them. It knows no command.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from types import FrameType
from typing import TYPE_CHECKING

from .. import program
from ..files import PAGE_MAGIC, require_replaceable
from .config import ConfigError, DataError
from .records import RecordsError, RunRecord

if TYPE_CHECKING:
    from .pool import Status

OK = 0  # misses and divergence are results
FAILED_RUN = 1  # a run could not be carried out
USAGE = 2
DATA = 3  # missing or damaged


class Exit(Exception):
    """A mistake that a person can mend: the line that says so, and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


STATUSES: dict[type[Exception], int] = {
    ConfigError: USAGE,
    DataError: DATA,
    RecordsError: DATA,
    BrokenExecutor: FAILED_RUN,  # the pool's WorkersError
    MemoryError: FAILED_RUN,
    OSError: FAILED_RUN,
    ImportError: FAILED_RUN,  # numba's or an extra's, in its own words
}
"""What ends a command with one line. Any other exception is a fault of nnlite, and is shown whole."""


def answered(program: str, work: Callable[[], int]) -> int:
    """Do what a command line asks for; what a person can mend becomes a line and an exit status.

    Parameters
    ----------
    program : str
        How the command is called, for the hint after a mistake in its options.
    work : function without arguments
        Returns an exit status.
    """
    try:
        return work()
    except Exit as error:
        message, status = str(error), error.status
    except tuple(STATUSES) as error:
        message = _line_of(error)
        status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
        if status == USAGE:
            message += f"\n{program} --help lists all options"
    print(f"nnlite: {message}", file=sys.stderr)
    return status


def _line_of(error: Exception) -> str:
    if isinstance(error, OSError):
        return file_error(error)
    return "not enough memory for these networks and this data set" if isinstance(error, MemoryError) else str(error)


def require_page(path: str, records: str | None = None) -> None:
    """Raise Exit where the page of `--html` cannot be written, or would replace what is no page, before any work."""
    if records is not None and os.path.realpath(path) == os.path.realpath(records):
        raise Exit(f"--html {path}: is the file of the records; name another one", USAGE)
    try:
        require_replaceable(path, PAGE_MAGIC)
    except OSError as error:
        raise Exit(f"--html {file_error(error)}", USAGE) from error


def require_numba() -> None:
    """Raise Exit where kernels would run as Python: a run would take hours."""
    from ..kernels.jit import WITHOUT_NUMBA

    if WITHOUT_NUMBA:
        raise Exit(f"runs need compiled kernels: {WITHOUT_NUMBA}", USAGE)


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Raise DataError where data or records cannot be read in the block, whatever is wrong with them."""
    try:
        yield
    except (ConfigError, RecordsError):
        raise
    except ValueError as error:
        raise DataError(str(error)) from error
    except OSError as error:
        raise DataError(file_error(error)) from error


class Interrupted(Exception):
    """A signal asked for the end of the runs; `status` is the exit status that says which."""

    def __init__(self, number: int, compiling: bool) -> None:
        super().__init__(signal.Signals(number).name)
        self.status, self.compiling = 128 + number, compiling


def stop_if_noted(signals: Sequence[int], executor: object, event: Status | RunRecord) -> None:
    """Raise Interrupted once a signal is noted and all that is done has come out, which a status follows."""
    if signals and not isinstance(event, RunRecord):
        raise Interrupted(signals[0], compiling=event.compiling and executor == "threads")  # cannot be stopped


def leave(interruption: Interrupted) -> int:
    """Return the exit status of who was interrupted, after all is said."""
    if interruption.compiling:  # which cannot be stopped, and for which the interpreter would wait
        program.leave_threads()
    return interruption.status


@contextlib.contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Note signals to end in the list instead of raising, so that who carries out runs ends them between two events.

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

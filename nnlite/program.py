"""How every command of nnlite ends: with streams that are closed or full, after Ctrl-C, after --help.

A result that nobody can get is a failure, told in one line; a message that nobody can get is dropped, and the work goes
on. What a command does, and its own exit statuses, are its own matter.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

FAILED = 1
INTERRUPTED = 130  # 128 + SIGINT


_started = False
_threads_are_left = False


def start() -> None:
    """Let Ctrl-C end the process at once and in silence until `carry_out`, as shells know it: status 130.

    For what is imported only to start a command: while its modules are imported KeyboardInterrupt would come out of any
    of them, NumPy's own included, as a traceback or as an ImportError that blames the installation.
    """
    global _started
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody else's, or nobody is to stop it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _started = True


def carry_out(program: str, work: Callable[[], int]) -> int:
    """Carry out a program's work, and return its exit status whatever its streams are.

    Parameters
    ----------
    program : str
        Its name, for the one message.
    work : function without arguments
        Prints by `print`, to sys.stdout and sys.stderr; returns an exit status, or leaves by SystemExit as argparse
        does.

    Returns
    -------
    int
        As `work` said; 0 if a reader like head had enough, 1 if stdout is closed or cannot be written, 130 after
        Ctrl-C.
    """
    global _started
    if _started:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _started = False
    with contextlib.ExitStack() as ended:
        # Also fills the place of a closed stderr, or the next file that is opened would be taken for it.
        stderr = sys.stderr or ended.enter_context(open(os.devnull, "w", encoding="utf-8"))
        ended.enter_context(contextlib.redirect_stderr(_Messages(stderr)))
        if sys.stdout is None:
            print(f"{program}: stdout is closed, so there is nowhere to print to", file=sys.stderr)
            return FAILED
        ended.enter_context(contextlib.redirect_stdout(_Results(sys.stdout)))
        try:
            status = _status(work)
            sys.stdout.flush()
            return status
        except _NoReader as error:
            if isinstance(error.cause, BrokenPipeError):  # a reader like head has enough
                return 0
            why = getattr(error.cause, "strerror", None) or str(error.cause)
            print(f"{program}: stdout cannot be written: {why}", file=sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            return INTERRUPTED


def leave_threads() -> None:
    """Note that a thread goes on which cannot be stopped, so that `end` does not wait for it."""
    global _threads_are_left
    _threads_are_left = True


def end(status: int) -> NoReturn:
    """End the process with an exit status: what only a program does, never a function that a notebook may call.

    All is said by then: one more Ctrl-C, while the interpreter takes half a second to end, changes nothing.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if _threads_are_left:
        sys.stdout.flush()
        os._exit(status)
    raise SystemExit(status)


def _status(work: Callable[[], int]) -> int:
    try:
        return work()
    except SystemExit as ended:  # argparse, after --help or a mistake
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return FAILED
        return ended.code or 0


class _NoReader(Exception):
    """A stream cannot be written, and why; no OSError, so that nobody takes it for a file's."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Stream:
    """A text stream that is written through, all else as it is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _put(self, text: str) -> None:
        """Write, a file's name escaped where the stream's encoding lacks its characters; raise _NoReader."""
        try:
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                encoding = self._stream.encoding or "ascii"
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except (OSError, ValueError) as error:  # ValueError: closed by someone
            self._abandon(error)

    def _push(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._abandon(error)

    def _abandon(self, error: Exception) -> NoReturn:
        """Let what is still buffered go nowhere, or the interpreter would fail over it once more at its end."""
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
        raise _NoReader(error) from error


class _Results(_Stream):
    """stdout: a write that fails ends the program."""

    def write(self, text: str) -> int:
        self._put(text)
        return len(text)

    def flush(self) -> None:
        self._push()


class _Messages(_Stream):
    """stderr: a write that fails is dropped, as are all that follow."""

    _lost = False

    def write(self, text: str) -> int:
        if not self._lost:
            try:
                self._put(text)
                self._push()
            except _NoReader:
                self._lost = True
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

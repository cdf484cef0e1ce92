"""Progress on stderr: one line that is redrawn on a terminal and in a notebook, plain lines now and then elsewhere.

It knows no study, only where the runs of a pool are; stdout is never touched, so results can be piped.
"""

from __future__ import annotations

import builtins
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from .pool import Status

_REDRAW = 0.1  # seconds between two drawings on a terminal
_BAR = 20  # characters


class Progress:
    """Draw where a long work is.

    Parameters
    ----------
    stream : text file
        stderr.
    quiet : bool
        Show nothing at all.
    repeat : float
        Seconds between two lines where the stream is no terminal.
    """

    def __init__(self, stream: TextIO, quiet: bool = False, repeat: float = 5.0) -> None:
        self._stream, self._quiet, self._repeat = stream, quiet, repeat
        self._terminal = stream.isatty() or hasattr(builtins, "__IPYTHON__")  # a notebook too redraws a line
        self._shown_at = -1e9
        self._stage = ""
        self._width = 0

    def show(self, stage: str, text: str, share: float | None = None) -> None:
        """Show a text, at once if the stage is a new one, else no more often than a person can read.

        Parameters
        ----------
        stage : str
            What is going on; never shown.
        text : str
            One line.
        share : float, optional
            Of the work that is done, for a bar.
        """
        now = time.monotonic()
        pause = _REDRAW if self._terminal else self._repeat
        if self._quiet or (stage == self._stage and now - self._shown_at < pause):
            return
        self._shown_at, self._stage = now, stage
        if not self._terminal:
            self._write(text + "\n")
            return
        if share is not None:
            filled = round(_BAR * min(1.0, share))
            text = f"[{'#' * filled}{'.' * (_BAR - filled)}] {text}"
        text = text[:79]
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)

    def show_runs(self, status: Status, where: str = "") -> None:
        """Show how many runs are done and how far the hindmost is; `where` says which part of the work they are."""
        before = f"{where} · " if where else ""
        if status.compiling and status.seconds < 1:
            self.show("loading", f"{before}loading kernels")
        elif status.compiling:
            self.show("compiling", before + status.compiling_text())
        else:
            self.show("running", before + _running_text(status), status.n_done / status.n_runs)

    def line(self, text: str) -> None:
        """Write a line that stays."""
        if not self._quiet:
            self.clear()
            self._write(text + "\n")

    def clear(self) -> None:
        """Wipe what is being redrawn, before anything else is printed."""
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # nobody looks any more: the work goes on
            self._quiet = True


def _running_text(status: Status) -> str:
    told, left = [f"{status.n_done}/{status.n_runs} runs"], status.seconds_left
    if left is not None:
        told.append(f"{left:.0f} s left" if left < 120 else f"{left / 60:.0f} min left")
    if status.arm:
        phase = "pretraining, " if status.pretraining else ""
        accuracy = f", {status.accuracy:.1%}" if status.accuracy is not None else ""
        told.append(f"{status.arm}, seed {status.seed}, {phase}step {status.step}{accuracy}")
    return " · ".join(told)

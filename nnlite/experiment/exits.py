"""How the command ends: its exit statuses, and a mistake of a person as one line.

The statuses are part of the interface; scripts rely on them.
"""

from __future__ import annotations

import os

OK = 0  # misses and divergence are results
FAILED_RUN = 1  # a run could not be carried out
USAGE = 2
DATA = 3  # missing or damaged
INTERRUPTED, TERMINATED = 130, 143  # by SIGINT, by SIGTERM


class Exit(Exception):
    """A mistake that a person can mend: the line that says so, and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def file_error(error: OSError) -> str:
    """Return an operating system's error as `file: what is wrong`."""
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{os.fsdecode(error.filename)}: {error.strerror}"

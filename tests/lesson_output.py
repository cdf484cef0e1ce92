"""A lesson run as a person runs it, once for all tests that read what it printed."""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
import sys

import nnlite


def finished(name, *arguments, **environment):
    """The process of a lesson that has ended, warnings being errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", f"nnlite.lessons.{name}", *arguments],
        cwd=pathlib.Path(nnlite.__file__).parents[1],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def printed_by(name, without_jit="0"):
    """What a lesson prints."""
    return _printed_by(name, without_jit)


@functools.cache
def _printed_by(name, without_jit):
    found = finished(name, NUMBA_DISABLE_JIT=without_jit)
    assert (found.returncode, found.stderr) == (0, "")
    return found.stdout

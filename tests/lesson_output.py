"""A lesson run as a person runs it, once for all tests that read what it printed."""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
import sys

import nnlite


@functools.cache
def printed_by(name, without_jit="0"):
    """What the lesson prints, warnings being errors."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"nnlite.lessons.{name}"],
        cwd=pathlib.Path(nnlite.__file__).parents[1],
        env={**os.environ, "NUMBA_DISABLE_JIT": without_jit},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout

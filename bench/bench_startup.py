"""What a user waits for before the first number: imports, --help, and a quick experiment cold and warm.

Whole processes from start to end, on all cores, in turns. *Cold* has an empty compile cache every time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from bench.measure import ROOT, ROUNDS, interleave, table

IMPORTS = ("numpy", "nnlite", "numba", "sklearn.neural_network", "torch", "jax")
QUICK = ("-m", "nnlite.experiment", "--quick", "--quiet")
COLD_ROUNDS = 3  # each compiles everything


def run(rounds: int = ROUNDS) -> str:
    """Measure everything here and return it as Markdown."""
    with tempfile.TemporaryDirectory() as cache:
        _seconds(QUICK, cache)  # fills the cache
        tasks = {f"import {name}": (lambda name=name: _seconds(("-c", f"import {name}"), cache)) for name in IMPORTS}
        tasks["nnlite --help"] = lambda: _seconds(("-m", "nnlite.experiment", "--help"), cache)
        tasks["nnlite --quick, warm cache"] = lambda: _seconds(QUICK, cache)
        tasks["nnlite, no arguments, warm cache"] = lambda: _seconds((*QUICK[:2], "--quiet"), cache)
        times = interleave(tasks, rounds)
    cold = interleave({"nnlite --quick, empty cache": _cold}, min(rounds, COLD_ROUNDS))
    rows = [[f"`{key}`", t.show(1, 2), len(t.seconds)] for key, t in {**times, **cold}.items()]
    return table(("process", "s: median (range)", "runs"), rows)


def _cold() -> float:
    with tempfile.TemporaryDirectory() as cache:
        return _seconds(QUICK, cache)


def _seconds(arguments: tuple[str, ...], cache: str) -> float:
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start

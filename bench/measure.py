"""How a time is measured here: pinned processes that take turns, a median of at least seven, ratios within a round.

Every library sits in a process of its own (`bench.worker`) with everything loaded, compiled and proved. A round asks
each in turn, in an order that rotates, so that a slow moment of the machine meets all of them; a ratio is taken
within each round and then its median. Nothing is dropped: rounds in which a process did not have its core to itself
are counted and printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.problem import Spec

if not hasattr(os, "sched_getaffinity"):
    raise SystemExit("bench: every process is pinned to a core, which Python can do on Linux only")

ROUNDS = 7
ROOT = Path(__file__).resolve().parent.parent
CPUS = sorted(os.sched_getaffinity(0))
WORK_CPU = CPUS[-1]  # the driver keeps off it where there are two
_DISTURBED = 1.1  # wall over CPU seconds


@dataclass(frozen=True)
class Times:
    """Seconds of the rounds, in order."""

    seconds: tuple[float, ...]
    disturbed: int = 0  # rounds in which another program used the core

    @property
    def median(self) -> float:
        """Give the median."""
        return median(self.seconds)

    def show(self, unit: float, digits: int) -> str:
        """Write median (lowest to highest) in a unit of so many seconds."""
        low, mid, high = (f"{s / unit:.{digits}f}" for s in (min(self.seconds), self.median, max(self.seconds)))
        return f"{mid} ({low} to {high})"

    def per(self, n: int) -> Times:
        """Divide by n, to go from a call to a step."""
        return Times(tuple(s / n for s in self.seconds), self.disturbed)


def ratio(numerator: Times, denominator: Times) -> str:
    """Write the median of the ratios within each round (lowest to highest)."""
    ratios = [a / b for a, b in zip(numerator.seconds, denominator.seconds, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


class Worker:
    """A peer in its process; a context manager that ends it."""

    def __init__(self, key: str, spec: Spec, cpus: Sequence[int] = (WORK_CPU,)):
        self.key = key
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", key, ",".join(map(str, cpus)), spec.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.about = self._reply()

    def ask(self, command: str) -> dict:
        """Send one command and wait for its answer."""
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._reply()

    def prove(self) -> str:
        """Let it prove that it does the same work; return its errors. Raises RuntimeError where it does not."""
        proof = self.ask("prove")
        if not proof["same_work"]:
            raise RuntimeError(f"peer {self.key} does not do the same work: {proof}")
        return show_errors(proof)

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def __enter__(self) -> Worker:
        """Give itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End the process."""
        self.close()

    def _reply(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"peer {self.key} ended with exit code {self._process.wait()}; its message is above")
        return json.loads(line)


def show_errors(proof: dict) -> str:
    """Write how far loss and parameters are from the reference."""
    return f"{proof['loss_error']:.0e}, {proof['parameter_error']:.0e}"


def interleave(tasks: dict[str, Callable[[], dict | float]], rounds: int = ROUNDS) -> dict[str, Times]:
    """Run every task once a round, in rotating order; a task returns its seconds, or a worker's answer."""
    samples: dict[str, list[float]] = {key: [] for key in tasks}
    disturbed = dict.fromkeys(tasks, 0)
    keys = list(tasks)
    for turn in range(rounds):
        shift = turn % len(keys)
        for key in keys[shift:] + keys[:shift]:
            answer = tasks[key]()
            if isinstance(answer, dict):
                disturbed[key] += answer["seconds"] > _DISTURBED * answer["cpu"]
                answer = answer["seconds"]
            samples[key].append(answer)
    return {key: Times(tuple(samples[key]), disturbed[key]) for key in keys}


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def machine() -> str:
    """Name processor, its vector units, cores, system and Python in one line."""
    import platform

    from nnlite.experiment import run

    what = run.machine()
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    flags = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])  # of x86, of Arm
    vectors = " ".join(flag for flag in ("fma", "avx2", "avx512f", "asimd") if flag in flags)
    python = platform.python_version()
    return f"{what['processor']} ({vectors}), {len(CPUS)} cores, {what['system']}, Python {python}"

"""Run the benchmark and write bench/RESULTS.md: `python -m bench.run`, or `--only training,kernels`.

Every section is a process of its own with a fresh compile cache; its Markdown is kept in bench/results/, and RESULTS.md
is put together from what is there, so that one section can be measured again alone.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from bench.measure import CPUS, ROOT, ROUNDS, WORK_CPU, machine

FOLDER = Path(__file__).parent
SECTIONS = {
    "training": "Training and evaluation, one core",
    "kernels": "Kernels, one core",
    "density": "Growth with density, one core",
    "experiment": "The paired experiment, all cores",
    "decisions": "Exact decisions: what they cost, and that they find the same step",
    "startup": "Start-up",
    "memory": "Memory",
    "sklearn": "Beside scikit-learn's own classifier, one core",
    "accuracy": "Beside scikit-learn's own classifier: its digits",
    "pretraining": "Class means first, on other people's data",
}
PINNED = {
    "kernels",
    "density",
    "sklearn",
}  # these measure in their own process; the others pin the processes that they start


def main(arguments: list[str] | None = None) -> None:
    """Measure the chosen sections, then write RESULTS.md."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"of {','.join(SECTIONS)}; default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}; fewer are for trying it out")
    parser.add_argument("--section", choices=SECTIONS, help=argparse.SUPPRESS)  # one section, inside its own process
    options = parser.parse_args(arguments)
    if options.section:
        print(importlib.import_module(f"bench.bench_{options.section}").run(options.rounds))
        return
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(SECTIONS):
        parser.error(f"--only {','.join(sorted(unknown))}: unknown; sections are {','.join(SECTIONS)}")
    (FOLDER / "results").mkdir(exist_ok=True)
    for name in chosen:
        start = time.perf_counter()
        print(f"{name} ...", file=sys.stderr, flush=True)
        markdown = _in_own_process(name, options.rounds)
        took = f"{date.today()}, {options.rounds} rounds, took {time.perf_counter() - start:.0f} s\n{machine()}"
        (FOLDER / "results" / f"{name}.md").write_text(f"## {SECTIONS[name]}\n\n{took}\n\n{markdown.strip()}\n")
        _write_results()


def _in_own_process(name: str, rounds: int) -> str:
    hidden = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}  # OpenBLAS is to choose its own kernel
    cpus = {WORK_CPU} if name in PINNED else set(CPUS)
    with tempfile.TemporaryDirectory() as cache:
        caches = {"NUMBA_CACHE_DIR": f"{cache}/numba", "TORCHINDUCTOR_CACHE_DIR": f"{cache}/inductor"}
        return subprocess.run(
            [sys.executable, "-m", "bench.run", "--section", name, "--rounds", str(rounds)],
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if key not in hidden} | caches,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout


def _write_results() -> None:
    parts = [FOLDER / "results" / f"{name}.md" for name in SECTIONS]
    intro = (
        "# Results\n\nWritten by `python -m bench.run`; how to read it is in [README.md](README.md). "
        "Times are medians (lowest to highest) over interleaved rounds.\n"
    )
    (FOLDER / "RESULTS.md").write_text("\n".join([intro, *(part.read_text() for part in parts if part.exists())]))


if __name__ == "__main__":
    main()

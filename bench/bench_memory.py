"""Peak resident memory: whole studies of growing size, and each library with the training problem loaded.

A study is a process of its own whose peak the kernel reports when it ends, worker threads and compiler included.
"""

from __future__ import annotations

import os
import subprocess
import sys

from bench.measure import ROOT, Worker, table
from bench.peers import PEERS
from bench.problem import Spec

STUDIES = ((10, 1), (10, 2), (100, 2))  # pairs, workers


def run(rounds: int = 1) -> str:
    """Measure everything here once, whatever the rounds (a peak hardly varies), and return it as Markdown."""
    studies = [[pairs, workers, f"{_peak_of_study(pairs, workers):.0f}"] for pairs, workers in STUDIES]
    peers = []
    for key in PEERS:
        with Worker(key, Spec()) as worker:
            worker.ask("train")
            worker.ask("evaluate")
            peers.append([worker.about["name"], f"{worker.ask('memory')['value']:.0f}"])
    return (
        f"### A study of preset `article`: one run each\n\n{table(('pairs', 'workers', 'peak MB'), studies)}\n"
        "### One process that trains and evaluates on all of MNIST: one run each\n\n"
        "Every process holds the images as float32 (220 MB), which the proof reads. nnlite needs its rows of nonzero\n"
        "pixels alone, built from those floats here and from the file's bytes in a study, which makes no floats: its\n"
        "figure here is an upper bound, the table above is what a study takes.\n\n"
        f"{table(('library', 'peak MB'), peers)}"
    )


def _peak_of_study(pairs: int, workers: int) -> float:
    command = [sys.executable, "-m", "nnlite.experiment", "--seeds", str(pairs), "--workers", str(workers), "--quiet"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}; its message is above")
    return usage.ru_maxrss / 1024

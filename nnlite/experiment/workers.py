"""What happens in a worker: it reads the data set, compiles once, carries out runs; and processes of our own.

A worker is a process, or all threads of one. It is told a `Job` and its runs, names and numbers in less than a
kilobyte, and keeps the data and what several runs have in common. It does not know how many others there are, nor what
becomes of a record (`pool`).
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

import numpy as np
import numpy.typing as npt

from ..datasets import Dataset, load_dataset
from .config import DataError, RunConfig
from .records import RunRecord
from .run import RunData, run_one, warm_up

Run = tuple[RunConfig, str, int]
"""Configuration, arm, seed."""


class WorkersError(BrokenExecutor):
    """Workers that are gone, and none will begin what is left."""


@dataclass(frozen=True)
class Job:
    """What a worker must know beside its runs, in less than a kilobyte."""

    id: str
    n_runs: int
    name: str  # of the data set
    folder: str  # of its files
    digest: str  # of its files' hashes


class Worker:
    """What one process or the threads of one share: the data, the kernels, and what several runs have in common."""

    def __init__(self, job: Job, words: npt.NDArray[np.int64], dataset: Dataset | None = None) -> None:
        self.job, self.words, self.dataset = job, words, dataset
        self.preparing = threading.Lock()
        self.prepared: dict[RunConfig, tuple[RunData, float]] = {}

    def data_of(self, config: RunConfig, arm: str) -> tuple[RunData, float]:
        """Return the data as a run wants it, and the seconds that its kernels took to compile or load."""
        with self.preparing:  # one thread gets all ready, the others wait for it
            if self.dataset is None:
                self.dataset = _read_again(self.job)
            if config not in self.prepared:
                alike = (data for data, _ in self.prepared.values() if data.config.inputs == config.inputs)
                data = RunData(self.dataset, config, next(alike, None))
                began = time.perf_counter()
                warm_up(data)
                self.prepared[config] = data, time.perf_counter() - began
            self.prepared[config][0].prepare_shared(arm)
            return self.prepared[config]


WORKERS: dict[str, Worker] = {}  # by job: of who asked, and of the processes of our own
_visitors: dict[str, Worker] = {}  # in somebody's process, which keeps no more than one
_visiting = threading.Lock()


def _worker_of(job: Job) -> Worker:
    with _visiting:  # threads of one process share one
        worker = WORKERS.get(job.id) or _visitors.get(job.id)
        if worker is None:
            _visitors.clear()
            worker = _visitors[job.id] = Worker(job, np.zeros(1 + 3 * job.n_runs, np.int64))
        return worker


def _read_again(job: Job) -> Dataset:
    """Read the data set of a job: from its folder, or where this machine has a set of that name."""
    if not job.folder:
        raise DataError(f"{job.name} was made in memory; workers in other processes need files to read it from")
    try:
        dataset = load_dataset(job.folder if os.path.isdir(job.folder) else job.name, verify=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{job.folder}: cannot be read again by a worker: {error}") from error
    if digest(dataset) != job.digest:
        raise DataError(f"{dataset.folder}: its files are not those that the runs began with")
    return replace(dataset, name=job.name)


def digest(dataset: Dataset) -> str:
    """Return the SHA-256 of all hashes of a data set's files, in hexadecimal: what two that are equal agree in."""
    return hashlib.sha256(repr(sorted(dataset.sha256.items())).encode()).hexdigest()


def get_ready(job: Job, config: RunConfig, arms: Sequence[str]) -> None:
    """Compile, and find out before the first run what an arm cannot be made of."""
    for arm in arms:
        _worker_of(job).data_of(config, arm)


def run_job(job: Job, number: int, run: Run) -> RunRecord | None:
    """Carry out one run; its number says where on the board it writes."""
    (config, arm, seed), worker = run, _worker_of(job)
    data, seconds = worker.data_of(config, arm)
    record = run_one(arm, seed, data, worker.words[1 + 3 * number : 4 + 3 * number], worker.words[:1])
    return record and replace(record, seconds={"compile": round(seconds, 3), **record.seconds})


def stop_job(job: Job) -> None:
    """End the runs of a job that are under way in this process at their next step."""
    with _visiting:
        worker = _visitors.get(job.id)
        if worker is not None:
            worker.words[0] = 1


# Processes of our own


@contextmanager
def out_of_reach_of_ctrl_c() -> Iterator[None]:
    """Keep Ctrl-C from what is started in the block, from its first instruction: who asked for the runs stops it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker  # not on Windows

    resource_tracker.ensure_running()  # whose start would undo the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a child and a thread inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Child(SpawnProcess):
    def start(self) -> None:
        with out_of_reach_of_ctrl_c():
            super().start()


class Spawn(SpawnContext):
    """Processes by spawn (a fork would copy locks that threads hold), remembered: only these are ours to end."""

    def __init__(self) -> None:
        self.children: list[_Child] = []

    def Process(self, *args: Any, **kwargs: Any) -> _Child:  # type: ignore[override]
        self.children.append(_Child(*args, **kwargs))
        return self.children[-1]

    def started(self) -> list[_Child]:
        """Those that could be started: there may be no memory, or no room for one more process."""
        return [child for child in self.children if child.pid is not None]


def start_process(job: Job, memory: Any) -> None:
    """Make this process a worker: what a pool calls in each of its processes first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    WORKERS[job.id] = Worker(job, np.frombuffer(memory, np.int64))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

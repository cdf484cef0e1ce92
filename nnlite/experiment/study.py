"""Every (arm, seed) of a study, once, through a pool of workers; finished runs come out as they are done.

`run_study` yields a `Status` for people now and then and a `RunRecord` for every finished run. It prints nothing,
writes nothing and judges nothing: who iterates over it draws progress and keeps the records.
"""

from __future__ import annotations

import importlib.metadata
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._version import __version__
from ..datasets import Dataset
from .config import RunConfig, StudySettings
from .records import FAILED, RunRecord, describe
from .run import NOT_RUN, DataError, stop_set_size
from .worker import Run, Worker, ready_in_process, run_in_process, start_process

_POLL = 0.1  # seconds between two looks at the workers
_PATIENCE = 5.0  # seconds that a worker process gets to end by itself
_TYPICAL_STEPS = 150  # of a run, until the first are done; only for the time left


@dataclass(frozen=True)
class Status:
    """Where a study is, for people."""

    seconds: float  # since it began
    compiling: bool = True  # kernels, once a process; nothing else is known then
    n_done: int = 0  # runs
    n_runs: int = 0
    arm: str = ""  # of the run that is furthest behind
    seed: int = 0
    pair: int = 0  # its number, from 1
    pretraining: bool = False
    step: int = 0
    accuracy: float | None = None  # at its last check
    seconds_left: float | None = None  # None until there is something to estimate it from


def run_study(
    dataset: Dataset, config: RunConfig, settings: StudySettings, finished: Collection[tuple[str, int]] = ()
) -> Generator[Status | RunRecord, None, None]:
    """Carry out the runs of a study that are not finished yet.

    Parameters
    ----------
    dataset : Dataset
    config : RunConfig
    settings : StudySettings
    finished : collection of (arm, seed)
        Left out.

    Yields
    ------
    Status or RunRecord
        A status about every 0.1 s; a record when its run is done, in no fixed order. A run that raised or whose worker
        died is tried once more, alone, and then recorded as failed.
    """
    runs = [(config, *run) for run in settings.runs() if run not in finished]
    yield from run_all(dataset, runs, settings.workers, settings.executor)


def run_all(
    dataset: Dataset, runs: Sequence[Run], n_workers: int, executor: str = "threads"
) -> Generator[Status | RunRecord, None, None]:
    """Carry out runs of any configurations on one data set.

    Parameters
    ----------
    dataset : Dataset
    runs : sequence of (RunConfig, arm, seed)
        In the order in which they are begun.
    n_workers : int
        Runs at a time.
    executor : str
        In `config.EXECUTORS`.

    Yields
    ------
    Status or RunRecord
        As `run_study`.
    """
    if not runs:
        return
    yield Status(0.0)
    study = _Study(dataset, runs, executor)
    waiting = list(range(len(runs)))
    suspects: list[int] = []
    while waiting:  # a worker that dies takes the pool with it: what had not begun goes on in a new one
        unfinished: list[int] = []
        yield from study.carry_out(waiting, n_workers, unfinished)
        begun = [number for number in unfinished if study.stages[number]]
        suspects += begun or unfinished  # where nothing was begun, nothing will be
        waiting = [number for number in unfinished if number not in suspects]
    for number in suspects:
        unfinished = []
        yield from study.carry_out([number], 1, unfinished)
        if unfinished:
            yield study.failed_record(number)


class _Study:
    """The runs of a study, and pools to carry them out in."""

    def __init__(self, dataset: Dataset, runs: Sequence[Run], executor: str) -> None:
        self.dataset, self.runs, self.executor = dataset, runs, executor
        self.memory = multiprocessing.get_context("spawn").RawArray("q", 1 + 3 * len(runs))
        words = np.frombuffer(self.memory, np.int64)
        self.stop, rows = words[:1], words[1:].reshape(-1, 3)
        self.stages, self.steps, self.correct = rows.T
        self.done: set[int] = set()
        self.steps_done: dict[tuple[RunConfig, str], list[int]] = {}
        seeds = dict.fromkeys(seed for _, _, seed in runs)
        self.pairs = {seed: number for number, seed in enumerate(seeds, 1)}
        self.versions, self.machine = _versions(), machine()
        self.began = time.perf_counter()
        self.ready_at: float | None = None
        self.thread_worker = Worker(dataset, runs, self.memory)
        self.error: BaseException | None = None  # of the last run that failed

    def carry_out(self, numbers: Sequence[int], n_workers: int, unfinished: list[int]) -> Iterator[Status | RunRecord]:
        """Run these; what raised or broke is appended to `unfinished`."""
        others = set(multiprocessing.active_children())
        pool, ready, call = self._pool(n_workers)
        try:
            warm_up = pool.submit(ready)
            futures = {pool.submit(call, number): number for number in numbers}
            while not wait([warm_up], timeout=_POLL).done:
                yield Status(time.perf_counter() - self.began)
            if warm_up.exception() is not None and not isinstance(warm_up.exception(), BrokenExecutor):
                warm_up.result()  # what no run can do without: data that an arm cannot use, memory
            self.ready_at = self.ready_at or time.perf_counter()
            while futures:
                done, _ = wait(futures, timeout=_POLL, return_when=FIRST_COMPLETED)
                for future in done:
                    number = futures.pop(future)
                    try:
                        record = future.result()
                    except DataError:  # no other try would find another data set
                        raise
                    except Exception as error:
                        unfinished.append(number)
                        self.error = error
                        continue
                    assert record is not None  # only a set stop flag ends a run without one
                    self.done.add(number)
                    self.steps_done.setdefault(self.runs[number][:2], []).append(int(self.steps[number]))
                    yield replace(record, versions=self.versions, machine=self.machine)
                yield self._status()
        finally:  # also when the iteration is given up: Ctrl-C, an error of the caller
            self.stop[0] = 1
            # Compilation cannot be stopped, and who was interrupted will not wait for it.
            pool.shutdown(wait=self.executor == "threads" and warm_up.done(), cancel_futures=True)
            for child in set(multiprocessing.active_children()) - others:
                child.join(_PATIENCE)  # a worker that was killed may have taken the lock that the others wait for
                child.kill()
            self.stop[0] = 0

    def _pool(self, n_workers: int) -> tuple[Executor, Callable[[], float], Callable[..., RunRecord | None]]:
        """An executor, and what it calls to get ready and to run."""
        if self.executor == "threads":
            return ThreadPoolExecutor(n_workers), self.thread_worker.ready, self.thread_worker.run
        context = multiprocessing.get_context("spawn")  # a fork would copy locks that threads hold
        arguments = (self.dataset, self.runs, self.memory)
        pool = ProcessPoolExecutor(n_workers, context, initializer=start_process, initargs=arguments)
        return pool, ready_in_process, run_in_process

    def failed_record(self, number: int) -> RunRecord:
        """The record of a run that could not be carried out twice."""
        config, arm, seed = self.runs[number]
        error = self.error
        return RunRecord(
            arm=arm,
            seed=seed,
            config=config.to_record(self.dataset.train_pixels.shape[1], self.dataset.n_classes),
            dataset=describe(self.dataset),
            status=FAILED,
            passes={},
            counts={"dense": {}, "executed": {}},
            message="its worker died twice"
            if isinstance(error, BrokenExecutor)
            else f"{type(error).__name__}: {error}",
            versions=self.versions,
            machine=self.machine,
            **NOT_RUN,
        )

    def _status(self) -> Status:
        """Describe the study by the run that is furthest behind."""
        now = time.perf_counter()
        busy = [number for number in np.flatnonzero(self.stages).tolist() if number not in self.done]
        share = len(self.done) + sum(min(0.95, self.steps[i] / self._expected(i)) for i in busy if self.stages[i] == 2)
        left = None
        if self.ready_at is not None and share > 0.2:
            left = (now - self.ready_at) * (len(self.runs) - share) / share
        status = Status(now - self.began, False, len(self.done), len(self.runs), seconds_left=left)
        if not busy:
            return status
        first = busy[0]
        config, arm, seed = self.runs[first]
        n_checked = stop_set_size(self.dataset, config)
        accuracy = float(self.correct[first]) / n_checked if self.correct[first] > 0 else None
        return replace(
            status,
            arm=arm,
            seed=seed,
            pair=self.pairs[seed],
            pretraining=bool(self.stages[first] == 1),
            step=int(self.steps[first]),
            accuracy=accuracy,
        )

    def _expected(self, number: int) -> float:
        """How many steps a run will take, for the time left."""
        config = self.runs[number][0]
        if config.evaluate == "full":
            return config.max_steps
        return max(1.0, statistics.median(self.steps_done.get(self.runs[number][:2], [_TYPICAL_STEPS])))


def _versions() -> dict[str, str]:
    return {
        "nnlite": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": importlib.metadata.version("numba"),
    }


def machine() -> dict[str, Any]:
    """Return what a record says of the machine: system, processor, cores."""
    return {"system": platform.system(), "processor": _processor(), "cores": os.cpu_count()}


def _processor() -> str:
    """The processor's name as people know it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

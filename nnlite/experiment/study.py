"""Every (arm, seed) of a study, once, through a pool of workers; finished runs come out as they are done.

`run_study` yields a `Status` for people now and then and a `RunRecord` for every finished run. It prints nothing,
writes nothing and judges nothing: who iterates over it draws progress and keeps the records.
"""

from __future__ import annotations

import functools
import importlib.metadata
import multiprocessing
import os
import platform
import signal
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
from ..mlp import MLP
from ..schedule import Checks, epochs
from ..training import evaluate, train
from .config import RunConfig, StudySettings
from .records import FAILED, RunRecord, describe
from .run import NOT_RUN, OPTIMIZERS, RunData, run_one, stop_set_size

_POLL = 0.1  # seconds between two looks at the workers
_PATIENCE = 5.0  # seconds that a worker process gets to end by itself
_TYPICAL_STEPS = 150  # of a run, until the first are done; only for the time left

Run = tuple[str, int]  # arm, seed


@dataclass(frozen=True)
class Status:
    """Where a study is, for people."""

    seconds: float  # since it began
    compiling: bool = True  # kernels, once a process; nothing else is known then
    n_done: int = 0  # runs
    n_runs: int = 0
    arm: str = ""  # of the run that is furthest behind
    seed: int = 0
    pretraining: bool = False
    step: int = 0
    accuracy: float | None = None  # at its last check
    seconds_left: float | None = None  # None until there is something to estimate it from


def run_study(
    dataset: Dataset, config: RunConfig, settings: StudySettings, finished: Collection[Run] = ()
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
    runs = [run for run in settings.runs() if run not in finished]
    if not runs:
        return
    yield Status(0.0)
    study = _Study(dataset, config, settings, runs)
    waiting = list(range(len(runs)))
    suspects: list[int] = []
    while waiting:  # a worker that dies takes the pool with it: what had not begun goes on in a new one
        unfinished: list[int] = []
        yield from study.carry_out(waiting, settings.workers, unfinished)
        suspects += [number for number in unfinished if study.stages[number]]
        waiting = [number for number in unfinished if not study.stages[number]]
    for number in suspects:
        unfinished = []
        yield from study.carry_out([number], 1, unfinished)
        if unfinished:
            yield study.failed_record(number)


class _Worker:
    """What carries out runs, in a thread or in a process of its own: the data, and memory shared with who asked.

    The memory is 1 + 3 n_runs int64: the stop flag, then for each run its stage, step and right answers at the last
    check.
    """

    def __init__(self, dataset: Dataset, config: RunConfig, arms: Sequence[str], memory: Any) -> None:
        self.words = np.frombuffer(memory, np.int64)
        self.dataset, self.config, self.arms = dataset, config, arms
        self.compile_seconds: float | None = None

    @functools.cached_property
    def data(self) -> RunData:
        return RunData(self.dataset, self.config)

    def ready(self) -> float:
        """Scale images, compile or load kernels, make what several runs share; return the seconds of the kernels."""
        if self.compile_seconds is None:
            data = self.data
            began = time.perf_counter()
            _warm_up(data)
            self.compile_seconds = time.perf_counter() - began
            data.prepare_shared(self.arms)
        return self.compile_seconds

    def run(self, number: int, arm: str, seed: int) -> RunRecord | None:
        seconds = self.ready()
        record = run_one(arm, seed, self.data, self.words[1 + 3 * number : 4 + 3 * number], self.words[:1])
        return record and replace(record, seconds={"compile": round(seconds, 3), **record.seconds})


_worker: _Worker | None = None  # of this process, when it is one of a pool's


def _start_process(dataset: Dataset, config: RunConfig, arms: Sequence[str], memory: Any) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asked; the stop flag tells the workers
    _worker = _Worker(dataset, config, arms, memory)


def _ready_in_process() -> float:
    assert _worker is not None
    return _worker.ready()


def _run_in_process(number: int, arm: str, seed: int) -> RunRecord | None:
    assert _worker is not None
    return _worker.run(number, arm, seed)


def _warm_up(data: RunData) -> None:
    """Two steps and a check on the first images: every kernel of a run with the types of a run."""
    config, sizes = data.config, (data.n_features, *data.config.hidden_layer_sizes, data.dataset.n_classes)
    mlp = MLP(sizes, np.random.default_rng(0), config.activation)
    optimizer = OPTIMIZERS[config.optimizer](config.learning_rate)
    rows = np.arange(1)
    decides = config.evaluate == "decide"
    checks = Checks(data.images, data.labels, rows + 1, 2, stop_at_hit=decides, rows=rows, decide=decides)
    train(mlp, optimizer, data.images, data.labels, epochs(rows, 1, 2, config.learning_rate), checks)
    evaluate(mlp, data.images, data.labels, rows=rows)


class _Study:
    """The runs of a study, and pools to carry them out in."""

    def __init__(self, dataset: Dataset, config: RunConfig, settings: StudySettings, runs: Sequence[Run]) -> None:
        self.dataset, self.config, self.settings, self.runs = dataset, config, settings, runs
        self.memory = multiprocessing.get_context("spawn").RawArray("q", 1 + 3 * len(runs))
        words = np.frombuffer(self.memory, np.int64)
        self.stop, rows = words[:1], words[1:].reshape(-1, 3)
        self.stages, self.steps, self.correct = rows.T
        self.done: set[int] = set()
        self.steps_done: dict[str, list[int]] = {}
        self.n_checked = stop_set_size(dataset, config)
        self.versions, self.machine = _versions(), machine()
        self.began = time.perf_counter()
        self.ready_at: float | None = None
        self.thread_worker = _Worker(dataset, config, settings.arms, self.memory)
        self.error: BaseException | None = None  # of the last run that failed

    def carry_out(self, numbers: Sequence[int], n_workers: int, unfinished: list[int]) -> Iterator[Status | RunRecord]:
        """Run these; what raised or broke is appended to `unfinished`."""
        others = set(multiprocessing.active_children())
        pool, ready, call = self._pool(n_workers)
        try:
            warm_up = pool.submit(ready)
            futures = {pool.submit(call, number, *self.runs[number]): number for number in numbers}
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
                    except Exception as error:
                        unfinished.append(number)
                        self.error = error
                        continue
                    assert record is not None  # only a set stop flag ends a run without one
                    self.done.add(number)
                    self.steps_done.setdefault(record.arm, []).append(int(self.steps[number]))
                    yield replace(record, versions=self.versions, machine=self.machine)
                yield self._status()
        finally:  # also when the iteration is given up: Ctrl-C, an error of the caller
            self.stop[0] = 1
            pool.shutdown(wait=self.settings.executor == "threads", cancel_futures=True)
            for child in set(multiprocessing.active_children()) - others:
                child.join(_PATIENCE)  # a worker that was killed may have taken the lock that the others wait for
                child.kill()
            self.stop[0] = 0

    def _pool(self, n_workers: int) -> tuple[Executor, Callable[[], float], Callable[..., RunRecord | None]]:
        """An executor, and what it calls to get ready and to run."""
        if self.settings.executor == "threads":
            return ThreadPoolExecutor(n_workers), self.thread_worker.ready, self.thread_worker.run
        context = multiprocessing.get_context("spawn")  # a fork would copy locks that threads hold
        arguments = (self.dataset, self.config, self.settings.arms, self.memory)
        pool = ProcessPoolExecutor(n_workers, context, initializer=_start_process, initargs=arguments)
        return pool, _ready_in_process, _run_in_process

    def failed_record(self, number: int) -> RunRecord:
        """The record of a run that could not be carried out twice."""
        arm, seed = self.runs[number]
        error = self.error
        return RunRecord(
            arm=arm,
            seed=seed,
            config=self.config.to_record(self.dataset.train_pixels.shape[1]),
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
        arm, seed = self.runs[first]
        accuracy = float(self.correct[first]) / self.n_checked if self.correct[first] > 0 else None
        return replace(
            status,
            arm=arm,
            seed=seed,
            pretraining=bool(self.stages[first] == 1),
            step=int(self.steps[first]),
            accuracy=accuracy,
        )

    def _expected(self, number: int) -> float:
        """How many steps a run will take, for the time left."""
        if self.config.evaluate == "full":
            return self.config.max_steps
        return max(1.0, statistics.median(self.steps_done.get(self.runs[number][0], [_TYPICAL_STEPS])))


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

"""Many runs on any executor of `concurrent.futures`; whole records come out as they are done.

`run_all` yields a `Status` for people now and then and a `RunRecord` for every finished run. A run is a pure function
of data set, configuration, arm and seed: only names and numbers travel to a worker, which reads the data itself, and
the record comes back with the seconds, versions and machine of the worker that made it, and is kept at once. This
module does not know what a run does (`run`) nor what a worker has to (`workers`); it prints nothing, judges nothing.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
import uuid
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..datasets import Dataset
from ..kernels.jit import n_ready
from ..kernels.ops import ACTIVATIONS
from .cluster import Cluster, is_dask, joined
from .config import DataError, RunConfig
from .records import RunRecord, append_record
from .run import failed_record, stop_set_size
from .workers import (
    WORKERS,
    Job,
    Run,
    Spawn,
    Worker,
    WorkersError,
    digest,
    get_ready,
    run_job,
    start_process,
)

N_KERNELS = 22 + 2 * len(ACTIVATIONS)
"""Kernels that a run of the default configuration compiles; others take about as many."""

_POLL = 0.1  # seconds between two looks at the workers
_AHEAD = 1000  # runs that are submitted and not done: a pool that is given all at once answers nobody for minutes
_PATIENCE = 5.0  # seconds that a worker process gets to end by itself
_TYPICAL_STEPS = 150  # of a run, until the first are done; only for the time left
_MOST_PROCESSES = 61 if sys.platform == "win32" else 1024  # that a pool can wait for
_TRAINING = 2  # the stage of a run on the board; 1 in pretraining, 0 before it begins


@dataclass(frozen=True)
class Status:
    """Where the runs are, for people."""

    seconds: float  # since they were asked for
    compiling: bool = True  # kernels, once a process; nothing else is known then
    n_done: int = 0  # runs
    n_runs: int = 0
    arm: str = ""  # of the run that is furthest behind
    seed: int = 0
    pretraining: bool = False
    step: int = 0
    accuracy: float | None = None  # at its last check
    seconds_left: float | None = None  # None until there is something to estimate it from
    n_kernels: int = 0  # compiled or loaded so far, as far as is known

    def compiling_text(self) -> str:
        """Say what is being compiled and how long that takes here, at the pace of the kernels that are done."""
        if not 2 < self.n_kernels < N_KERNELS:  # the first wait for numba to get ready
            return f"compiling kernels (once): {self.seconds:.0f} s"
        whole = self.seconds * N_KERNELS / self.n_kernels
        return f"compiling kernels (once, about {whole:.0f} s): {self.n_kernels} of {N_KERNELS} in {self.seconds:.0f} s"


def run_all(
    dataset: Dataset,
    runs: Sequence[Run],
    executor: Executor | str = "threads",
    n_workers: int = 2,
    out: str | None = None,
) -> Generator[Status | RunRecord, None, None]:
    """Carry out runs of any configurations on one data set.

    Parameters
    ----------
    dataset : Dataset
        Workers in other processes read it again from its files.
    runs : sequence of (RunConfig, arm, seed)
        In the order in which they are begun.
    executor : concurrent.futures.Executor or str
        "threads", "processes" or "dask" is a pool of `n_workers`, gone when the runs are done; "dask:ADDRESS" is the
        cluster of a dask scheduler. Somebody's executor or cluster is only submitted to and its futures cancelled; it
        is never shut down.
    n_workers : int
        Runs at a time, in a pool of our own.
    out : str, optional
        A file of records: every record is appended to it before it comes out.

    Yields
    ------
    Status or RunRecord
        A status about every 0.1 s; a record when its run is done, in no fixed order. A run that raised or whose worker
        died is tried once more, alone, and then recorded as failed. When the iteration is given up, runs that have not
        begun never do, and those under way end at their next step: in threads, in processes of our own and on a dask
        cluster. Nothing can be told to any other executor's processes: what they carry out they finish, unkept.

    Raises
    ------
    WorkersError
        Twice in a row, worker processes ended before they had begun a run; somebody's executor broke, or a cluster's
        scheduler or workers are gone.
    DataError, MemoryError
        No run can be carried out on this data.
    OSError
        A record cannot be appended.
    """
    if not isinstance(executor, (Executor, str)):
        raise TypeError(f"executor: expected a name or a concurrent.futures.Executor, found {executor!r:.60}")
    if not runs:
        return
    yield Status(0.0)
    opened = joined(executor, n_workers) if is_dask(executor) else nullcontext(executor)
    with opened as place, closing(_run_all(dataset, runs, place, n_workers)) as events:
        for event in events:
            if out is not None and isinstance(event, RunRecord):
                append_record(out, event)
            yield event
            if isinstance(place, Cluster) and isinstance(event, Status):  # before it, all that is done comes out
                place.require_there()


def _run_all(
    dataset: Dataset, runs: Sequence[Run], place: Executor | Cluster | str, n_workers: int
) -> Generator[Status | RunRecord, None, None]:
    board = _Board(dataset, runs)
    waiting, failures = list(range(len(runs))), dict[int, BaseException]()
    stillborn = 0  # pools in a row in which no run was begun
    WORKERS[board.job.id] = Worker(board.job, board.words, dataset)
    try:
        while waiting:  # a process that dies takes its pool with it: what had not begun goes on in a new one
            errors = yield from _carry_out(waiting, board, place, n_workers)
            failed = {i: e for i, e in errors.items() if board.stages[i] or not isinstance(e, BrokenExecutor)}
            left = sorted(errors.keys() - failed.keys())
            stillborn = stillborn + 1 if left == waiting else 0
            if left and not isinstance(place, str):  # there is no other to go on with
                raise WorkersError(f"the executor broke: {errors[left[0]]}") from errors[left[0]]
            if stillborn == 2:
                raise WorkersError(_DEAD_AT_START) from errors[left[0]]
            waiting, failures = left, failures | failed
        for number in failures:
            errors = yield from _carry_out([number], board, place, 1)
            if number in errors:
                died = isinstance(errors[number], BrokenExecutor)
                cause = "its worker died twice" if died else f"{type(errors[number]).__name__}: {errors[number]}"
                yield failed_record(*runs[number], dataset, cause)
    finally:
        del WORKERS[board.job.id]


_DEAD_AT_START = (
    "worker processes end before their first run; a script that starts some needs "
    'if __name__ == "__main__": around its own work'
)


def _carry_out(
    numbers: Sequence[int], board: _Board, place: Executor | Cluster | str, n_workers: int
) -> Generator[Status | RunRecord, None, dict[int, BaseException]]:
    """Carry out these runs in one pool; return the error of every one that raised or whose worker died."""
    errors: dict[int, BaseException] = {}
    waiting = deque(numbers)
    with _cancelled_at_end() as futures, _opened(place, n_workers, board) as pool, board.running(numbers):
        config = board.runs[numbers[0]][0]
        arms = list(dict.fromkeys(board.runs[i][1] for i in numbers if board.runs[i][0] == config))
        try:
            ready = pool.submit(get_ready, board.job, config, arms)
        except BrokenExecutor as error:  # somebody's, for good
            return dict.fromkeys(numbers, error)
        try:
            if isinstance(place, str):  # of our own workers each gets ready by itself, at once
                _submit_ahead(waiting, board, pool, futures)
            while not wait([ready], timeout=_POLL).done:
                yield Status(time.perf_counter() - board.began, n_kernels=n_ready() - board.n_ready_before)
            ready.result()  # raises what no run can do without: data that an arm cannot use, memory
        except BrokenExecutor as error:
            if not futures:
                return dict.fromkeys(numbers, error)
        except Exception:
            yield from (future.result() for future in futures if future.done() and not future.exception())
            raise
        finally:
            ready.cancel()
        board.ready_at = board.ready_at or time.perf_counter()
        while waiting or futures:
            _submit_ahead(waiting, board, pool, futures)
            done, _ = wait(futures, timeout=_POLL, return_when=FIRST_COMPLETED)
            for future in done:
                number = futures.pop(future)
                try:
                    record = future.result()
                except DataError:  # so it would be with every seed
                    raise
                except Exception as error:
                    errors[number] = error
                    continue
                assert record is not None  # only a set stop flag ends a run without one
                board.note_done(number)
                yield record
            yield board.status()
    return errors


def _submit_ahead(waiting: deque[int], board: _Board, pool: Executor, futures: dict[Future[Any], int]) -> None:
    """Submit runs until enough are ahead; one that a broken pool does not take fails with what broke it."""
    while waiting and len(futures) < _AHEAD:
        number = waiting.popleft()
        try:
            future = pool.submit(run_job, board.job, number, board.runs[number])
        except BrokenExecutor as error:
            future = Future()
            future.set_exception(error)
        futures[future] = number


class _Board:
    """Memory on which workers write how far they are, and what is told to people from it.

    The memory is 1 + 3 n_runs int64: the stop flag, then for each run its stage, step and right answers at the last
    check. Threads and processes of our own share it; of others a run is seen only when it is done.
    """

    def __init__(self, dataset: Dataset, runs: Sequence[Run]) -> None:
        self.dataset, self.runs = dataset, runs
        self.job = Job(uuid.uuid4().hex, len(runs), dataset.name, dataset.folder, digest(dataset))
        self.memory = multiprocessing.get_context("spawn").RawArray("q", 1 + 3 * len(runs))
        self.words = np.frombuffer(self.memory, np.int64)
        self.stages, self.steps, self.correct = self.words[1:].reshape(-1, 3).T
        self.done = np.zeros(len(runs), np.bool_)
        self.steps_done: dict[tuple[RunConfig, str], deque[int]] = {}  # of the last runs, for the time left
        self.began, self.n_ready_before = time.perf_counter(), n_ready()
        self.ready_at: float | None = None

    @contextmanager
    def running(self, numbers: Sequence[int]) -> Iterator[None]:
        """Let these runs begin, and end those that are under way after the block at their next step."""
        self.words[0] = self.stages[numbers] = 0
        try:
            yield
        finally:
            self.words[0] = 1

    def note_done(self, number: int) -> None:
        """Learn from a finished run how long others of its kind will take."""
        self.done[number] = True
        self.steps_done.setdefault(self.runs[number][:2], deque(maxlen=100)).append(int(self.steps[number]))

    def status(self) -> Status:
        """Describe the runs by the one that is furthest behind."""
        now = time.perf_counter()
        busy = np.flatnonzero((self.stages > 0) & ~self.done).tolist()
        n_done = int(self.done.sum())
        share = float(n_done)
        share += sum(min(0.95, self.steps[i] / self._expected(i)) for i in busy if self.stages[i] == _TRAINING)
        left = None
        if self.ready_at is not None and share > 0.2:
            left = (now - self.ready_at) * (len(self.runs) - share) / share
        status = Status(now - self.began, False, n_done, len(self.runs), seconds_left=left)
        if not busy:
            return status
        first = busy[0]
        config, arm, seed = self.runs[first]
        n_checked = stop_set_size(self.dataset, config)
        return replace(
            status,
            arm=arm,
            seed=seed,
            pretraining=bool(self.stages[first] != _TRAINING),
            step=int(self.steps[first]),
            accuracy=float(self.correct[first]) / n_checked if self.correct[first] > 0 else None,
        )

    def _expected(self, number: int) -> float:
        """How many steps a run will take, for the time left."""
        config = self.runs[number][0]
        if config.evaluate == "full":
            return config.max_steps
        return max(1.0, statistics.median(self.steps_done.get(self.runs[number][:2], [_TYPICAL_STEPS])))


@contextmanager
def _cancelled_at_end() -> Iterator[dict[Future[Any], int]]:
    """Lend a place for futures; what is left in it at the end, also of an iteration that is given up, is cancelled."""
    futures: dict[Future[Any], int] = {}
    try:
        yield futures
    finally:
        for future in futures:
            future.cancel()


def _opened(place: Executor | Cluster | str, n_workers: int, board: _Board) -> AbstractContextManager[Executor]:
    """Open a pool of our own, gone after the block, or lend somebody's executor."""
    if isinstance(place, Executor):
        return nullcontext(place)
    if isinstance(place, Cluster):
        return place.opened(board.job)
    return _threads(n_workers, board) if place == "threads" else _processes(n_workers, board)


@contextmanager
def _threads(n_workers: int, board: _Board) -> Iterator[Executor]:
    threads = ThreadPoolExecutor(n_workers)
    try:
        yield threads
    finally:  # compilation cannot be stopped, and who was interrupted will not wait for it
        threads.shutdown(wait=board.ready_at is not None, cancel_futures=True)


@contextmanager
def _processes(n_workers: int, board: _Board) -> Iterator[Executor]:
    context = Spawn()
    n_processes = min(n_workers, len(board.runs), _MOST_PROCESSES)
    processes = ProcessPoolExecutor(n_processes, context, start_process, (board.job, board.memory))
    try:
        yield processes
    finally:
        processes.shutdown(wait=False, cancel_futures=True)
        end = time.monotonic() + (_PATIENCE if board.ready_at is not None else 0)
        for child in context.started():
            child.join(max(0.0, end - time.monotonic()))
            child.kill()  # it may wait for a lock that a killed one has taken with it

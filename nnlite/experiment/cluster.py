"""A dask cluster as a place for runs: join it, see that it is still there, stop what goes on in it.

`pool` submits to its executor as to any other. Here is what only dask has to be asked for: its futures may never end
when its scheduler or its last worker is gone, and its workers can be told something while they carry out runs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Executor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from .workers import Job, WorkersError, out_of_reach_of_ctrl_c, stop_job

_CONNECT = 10.0  # seconds that a scheduler gets to answer at all
_ANSWER = 5.0  # seconds that it gets to answer a question
_WORKERLESS = 60.0  # seconds that a cluster gets to have a worker again
_LOGGERS = ("distributed", "distributed.client", "tornado.application")  # what is ended in mid-run tells tracebacks


class Cluster:
    """A cluster that is joined.

    Parameters
    ----------
    client : distributed.Client
    options : mapping
        Arguments of its executors, `resources` and `workers` among them.
    """

    def __init__(self, client: Any, options: Mapping[str, Any]) -> None:
        self._client, self._options = client, options
        self._name = f"dask {client.scheduler.address}"
        self._asked_at = self._seen_at = time.monotonic()

    @contextmanager
    def opened(self, job: Job) -> Iterator[Executor]:
        """Lend an executor for runs of a job: when the block is given up they are cancelled, or end at their next step.

        Raises
        ------
        WorkersError
            The block ends because dask gave up what it waited for.
        """
        from distributed import KilledWorker
        from distributed.cfexecutor import ClientExecutor

        # Of a pure call dask remembers what came of it: a second try would end as the first did.
        executor = ClientExecutor(self._client, **{**self._options, "pure": False})
        try:
            yield executor
        except BaseException as error:
            if self._client.status == "running":
                executor.shutdown(wait=False)  # all at once: one by one they take milliseconds each
                self._stop(job)
            if isinstance(error, (CancelledError, KilledWorker)):
                self.require_there()
                raise WorkersError(f"{self._name}: its workers are lost: {error}") from error
            raise

    def require_there(self) -> None:
        """Raise WorkersError once the scheduler is gone, or has had no worker for a minute."""
        if self._client.status != "running":
            raise WorkersError(f"{self._name}: the scheduler is gone")
        now = time.monotonic()
        if now - self._asked_at < 1:  # it is a question to the scheduler
            return
        if self._n_workers() > 0:
            self._seen_at = now
        elif now - self._seen_at > _WORKERLESS:
            raise WorkersError(f"{self._name}: no worker for {_WORKERLESS:.0f} s")
        self._asked_at = time.monotonic()

    def _n_workers(self) -> int:
        """Ask how many workers there are; a scheduler that does not answer has none."""
        from distributed import TimeoutError as NoAnswer

        try:
            return len(self._client.nthreads(callback_timeout=_ANSWER))
        except (OSError, NoAnswer):
            return 0

    def _stop(self, job: Job) -> None:
        """Tell every worker, past its queue, to end the runs of a job at their next step."""
        from distributed import TimeoutError as NoAnswer

        with suppress(OSError, NoAnswer):
            self._client.run(stop_job, job, on_error="ignore", callback_timeout=_ANSWER)


def is_dask(executor: Executor | str) -> bool:
    """Return whether this is a cluster: "dask", "dask:ADDRESS", or the executor of somebody's client."""
    if isinstance(executor, str):
        return executor.partition(":")[0] == "dask"
    return type(executor).__module__.partition(".")[0] == "distributed"  # dask's own run here, as any other


@contextmanager
def joined(executor: Any, n_workers: int) -> Iterator[Cluster]:
    """Join the cluster that `is_dask` knows; one of our own has `n_workers` processes and ends with the block.

    Raises
    ------
    ImportError
        distributed is not installed.
    WorkersError
        No scheduler answers.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ImportError("--executor dask: needs dask: python -m pip install distributed") from error
    if not isinstance(executor, str):
        yield Cluster(executor._client, executor._kwargs)
        return
    address = executor.partition(":")[2]
    with ExitStack() as opened:
        for name in _LOGGERS:
            opened.enter_context(_quiet(name))
        ours = {"n_workers": n_workers, "threads_per_worker": 1, "silence_logs": "CRITICAL"}
        # Without an address of its own its HTTP server takes port 8787 of all interfaces, or warns where that is taken.
        no_page = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}
        with out_of_reach_of_ctrl_c():
            cluster = address or opened.enter_context(LocalCluster(**ours, **no_page))
        try:
            client = opened.enter_context(Client(cluster, timeout=_CONNECT, set_as_default=False))
        except OSError as error:
            raise WorkersError(f"--executor {executor}: no scheduler answers there") from error
        yield Cluster(client, {})


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Let a logger, and those below it, say nothing meanwhile."""
    logger = logging.getLogger(name)
    before = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [logging.NullHandler()], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before

"""Carry out runs and keep each as it is done: the one engine of the experiment and of the study.

`pool` runs, `records` writes lines; here both meet signals. This module knows neither what the runs are for nor how far
they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from ..datasets import Dataset
from . import records
from .exits import USAGE, Exit, Interrupted
from .records import RunRecord

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from .pool import Run, Status

Workers = tuple["Executor | str", int]
"""An executor, or the name of one of our own, and how many runs it does at a time."""


def run_and_keep(
    dataset: Dataset,
    runs: Sequence[Run],
    workers: Workers,
    path: str | None,
    signals: Sequence[int],
    show: Callable[[Status], None],
    note: Callable[[RunRecord], None],
) -> None:
    """Carry out runs; every record is kept the moment it comes.

    Parameters
    ----------
    dataset : Dataset
    runs : sequence of (RunConfig, arm, seed)
    workers : (executor, int)
        Where, and how many runs at a time, as `pool.run_all` takes them.
    path : str or None
        The file that is appended to.
    signals : sequence of int
        What `exits.noted_signals` has noted: the runs end at their next step once there is one.
    show, note : function
        Are given every status, and every record that is kept.

    Raises
    ------
    Interrupted
        A signal was noted; everything finished is kept.
    OSError
        A record cannot be kept.
    Exit, DataError, MemoryError, WorkersError
        numba is not there; as `pool.run_all`.
    """
    from ..kernels.jit import WITHOUT_NUMBA
    from .pool import run_all

    if WITHOUT_NUMBA:
        raise Exit(f"runs need compiled kernels: {WITHOUT_NUMBA}", USAGE)
    executor, n_workers = workers
    with closing(run_all(dataset, runs, executor, n_workers)) as events:  # whose end stops the workers
        for event in events:
            if isinstance(event, RunRecord):
                if path is not None:
                    records.append_record(path, event)
                note(event)
            elif signals:
                raise Interrupted(signals[0], event.compiling and executor == "threads")
            else:
                show(event)

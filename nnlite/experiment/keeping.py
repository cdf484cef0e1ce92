"""Carry out the runs that a file lacks and keep each as it is done: the one engine of the experiment and of the study.

`pool` runs, `records` reads and writes lines; here both meet, and every trouble becomes the line and the exit status of
a command. This module knows neither what the runs are for nor how far they are shown.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from ..datasets import Dataset
from ..files import held
from . import records
from .config import ConfigError, RunConfig
from .exits import DATA, FAILED_RUN, USAGE, Exit, Interrupted, file_error
from .records import RecordsError, RunRecord, config_differences, describe, read_study

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from .pool import Run, Status

Workers = tuple["Executor | str", int]
"""An executor, or the name of one of our own, and how many runs it does at a time."""


def read_kept(path: str, tell: Callable[[str], None] = lambda text: None) -> list[RunRecord]:
    """Return the finished runs of a file; `tell` is given what is left out, in words.

    Raises
    ------
    Exit
        The file cannot be read, is damaged, or holds runs of more than one study.
    """
    try:
        return read_study(path, tell)
    except RecordsError as error:
        raise Exit(str(error), DATA) from error
    except OSError as error:
        raise Exit(file_error(error), DATA) from error


@contextmanager
def holding(path: str | None, resume: bool) -> Iterator[list[RunRecord]]:
    """Hold the file of --out for one study, and return its finished runs to go on with; nothing is written yet.

    Raises
    ------
    ConfigError
        The file cannot be written, or holds something and `resume` is False.
    Exit
        Another program is at work on it, or what it holds cannot be used.
    """
    if path is None:
        yield []
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(held(path))
        except BlockingIOError as error:
            raise Exit(file_error(error), FAILED_RUN) from error
        except FileNotFoundError as error:
            raise ConfigError(f"--out {path}: the folder {os.path.dirname(path) or '.'} does not exist") from error
        except OSError as error:
            raise ConfigError(f"--out {path}: cannot be written: {error.strerror}") from error
        if not resume and os.path.getsize(path):
            raise ConfigError(f"--out {path}: exists; --resume goes on with it, or name another file")
        yield read_kept(path)


def prepare_to_append(path: str) -> str | None:
    """Set a cut last line of a file aside; return the name of the file that now holds it, if there was one.

    Raises
    ------
    Exit
        The file is compressed, so that no line can be appended, or cannot be written.
    """
    try:
        return records.prepare_to_append(path)
    except RecordsError as error:
        raise Exit(str(error), USAGE) from error
    except OSError as error:
        raise Exit(f"{path}: cannot be written: {error.strerror}", FAILED_RUN) from error


def carry_out(
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
    Exit
        The data, the workers, the memory or the file cannot do it.
    """
    try:
        from .pool import WorkersError, run_all
        from .run import DataError
    except ImportError as error:  # numba's, in its own words
        raise Exit(str(error), FAILED_RUN) from error
    executor, n_workers = workers
    try:
        with closing(run_all(dataset, runs, executor, n_workers)) as events:  # whose end stops the workers
            for event in events:
                if isinstance(event, RunRecord):
                    _keep(path, event)
                    note(event)
                elif signals:
                    raise Interrupted(signals[0], event.compiling and executor == "threads")
                else:
                    show(event)
    except DataError as error:
        raise Exit(f"{dataset.name}: {error}", DATA) from error
    except WorkersError as error:
        raise Exit(str(error), FAILED_RUN) from error
    except MemoryError as error:
        raise Exit("not enough memory for these networks and this data set", FAILED_RUN) from error


def _keep(path: str | None, record: RunRecord) -> None:
    if path is None:
        return
    try:
        records.append_record(path, record)
    except OSError as error:
        message = f"{path}: cannot keep a run: {error.strerror or error}; all before it are kept, and --resume goes on"
        raise Exit(message, FAILED_RUN) from error


def check_kept(path: str | None, config: RunConfig, dataset: Dataset, kept: Sequence[RunRecord]) -> None:
    """Refuse to go on with runs of another configuration or data set.

    Raises
    ------
    ConfigError
        With every difference.
    """
    asked = config.to_record(dataset.train_pixels.shape[1], dataset.n_classes)
    differences = config_differences(kept, asked, describe(dataset))
    if differences:
        raise ConfigError(f"--resume: {path} holds runs of another configuration: {'; '.join(differences)}")

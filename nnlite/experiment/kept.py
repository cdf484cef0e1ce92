"""The file of kept runs as the command line sees it: which exit status each of its troubles is.

`records` reads, holds and writes files and says what is wrong with them; here is nothing but who is told how.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ..datasets import Dataset
from ..files import held
from . import records
from .config import ConfigError, RunConfig
from .exits import DATA, FAILED_RUN, USAGE, Exit, file_error
from .records import RecordsError, RunRecord, config_differences, describe, read_study


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

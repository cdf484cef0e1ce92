"""The file of kept runs as the command line sees it: what may be gone on with, what is refused, and in which words.

`records` reads and writes lines; this module turns what can go wrong with a file into a person's one line.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..datasets import Dataset
from .config import ConfigError, RunConfig
from .exits import DATA, FAILED_RUN, USAGE, Exit, file_error
from .records import (
    RecordsError,
    RunRecord,
    config_differences,
    describe,
    is_compressed,
    read_records,
    same_config,
    set_cut_line_aside,
)


def read_kept(path: str) -> list[RunRecord]:
    """Return the finished runs of a file.

    Raises
    ------
    Exit
        The file cannot be read, is damaged, or holds runs of more than one study.
    """
    try:
        records = read_records(path)
    except RecordsError as error:
        raise Exit(str(error), DATA) from error
    except OSError as error:
        raise Exit(file_error(error), DATA) from error
    differences = same_config(records)
    if differences:
        raise Exit(f"{path}: its runs are not of one study: {'; '.join(differences)}", DATA)
    return records


def kept_runs(path: str | None, resume: bool) -> list[RunRecord]:
    """Return the finished runs of the file to go on with; the file stays as it is.

    Raises
    ------
    ConfigError
        The file exists and `resume` is False, or it could not be made.
    Exit
        The file cannot be used.
    """
    if path is None:
        return []
    if not os.path.lexists(path):
        folder = os.path.dirname(path) or "."  # found out before the first run, not after it
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
            raise ConfigError(f"--out {path}: the folder {folder} does not exist or cannot be written")
        return []
    if not resume:
        raise ConfigError(f"--out {path}: exists; --resume goes on with it, or name another file")
    return read_kept(path)


def prepare_to_append(path: str) -> str | None:
    """Set a cut last line of an existing file aside; return the name of the file that now holds it, if there was one.

    Raises
    ------
    Exit
        The file is compressed, so that no line can be appended, or cannot be written.
    """
    try:
        if not os.path.exists(path):
            return None
        if is_compressed(path):
            raise Exit(f"{path}: compressed, so no run can be appended: decompress it first", USAGE)
        return set_cut_line_aside(path)
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

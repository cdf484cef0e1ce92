"""The parts of the whole study in a folder: one file of records each, gone on with at any point, compressed when done.

A part that runs appends to FOLDER/NAME.jsonl, one line a run. When its last run is done, the lines are sorted and
written to FOLDER/NAME.jsonl.xz, and only when that can be read again is the first file removed: a part is done exactly
when its compressed file is there. Only one program at a time may run a part: it holds the first file. Left out:
what the parts are (`protocol`), progress and carrying out runs (`carry_out`).
"""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...access import keep_access
from ...files import replacing
from ..config import RunConfig
from ..exits import DATA, Exit, file_error
from ..records import FAILED, RecordsError, RunRecord, read_records
from .protocol import Earlier, Part, Study

if TYPE_CHECKING:
    from ..pool import Run


def done_file(folder: str | os.PathLike[str], name: str) -> Path:
    """Where the records of a finished part are."""
    return Path(folder) / f"{name}.jsonl.xz"


def open_file(folder: str | os.PathLike[str], name: str) -> Path:
    """Where the records of a part gather while it runs."""
    return Path(folder) / f"{name}.jsonl"


def records_of(folder: str | os.PathLike[str], name: str) -> list[RunRecord]:
    """Read what there is of a part, finished or not.

    Raises
    ------
    OSError
        The file cannot be read.
    RecordsError
        It is damaged, or a line is no record.
    """
    for path in (done_file(folder, name), open_file(folder, name)):
        if _exists(path):
            return read_records(path)
    return []


def read_part(folder: str, name: str) -> list[RunRecord]:
    """Return the finished runs of a part of the whole study, none where it was not begun.

    Raises
    ------
    Exit
        Its file cannot be read or is damaged.
    """
    try:
        return records_of(folder, name)
    except RecordsError as error:
        raise Exit(str(error), DATA) from error
    except OSError as error:
        raise Exit(file_error(error), DATA) from error


def is_done(folder: str | os.PathLike[str], name: str) -> bool:
    """Return whether the file of a finished part is there.

    Raises
    ------
    Exit
        The folder cannot be read.
    """
    try:
        return _exists(done_file(folder, name))
    except OSError as error:
        raise Exit(file_error(error), DATA) from error


def _exists(path: Path) -> bool:
    """Whether it is there; Path.exists takes a folder that may not be read for an empty one, in some Pythons."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True


def run_of(record: RunRecord) -> tuple[str, Run]:
    """Which run a record is of: data set, configuration, arm, seed."""
    return record.dataset["name"], (RunConfig.from_record(record.config), record.arm, record.seed)


def missing_runs(studies: Sequence[Study], records: Iterable[RunRecord]) -> dict[str, list[Run]]:
    """List the runs that are not among the records, by data set."""
    finished = {run_of(record) for record in records if record.status != FAILED}
    missing: dict[str, list[Run]] = {}
    for study in studies:
        runs = [run for run in study.runs() if (study.dataset, run) not in finished]
        missing.setdefault(study.dataset, []).extend(runs)
    return {dataset: runs for dataset, runs in missing.items() if runs}


def strays(studies: Sequence[Study], records: Iterable[RunRecord]) -> list[RunRecord]:
    """List the records of runs that are not the studies'."""
    asked = {(study.dataset, run) for study in studies for run in study.runs()}
    return [record for record in records if run_of(record) not in asked]


def n_lacking(part: Part, records: Iterable[RunRecord], earlier: Earlier) -> int:
    """Count the runs of a part that are not among the records.

    Parameters
    ----------
    part : Part
    records : iterable of RunRecord
    earlier : function of a part's name
        Returns its records, or raises LookupError where it is not finished.

    Returns
    -------
    int
        0 where what the part runs was decided by one that is not there; then nobody can tell.
    """
    try:
        studies = part.studies(earlier)
    except LookupError:
        return 0
    return sum(map(len, missing_runs(studies, records).values()))


def finish(folder: str | os.PathLike[str], part: Part, studies: Sequence[Study]) -> Path:
    """Sort and compress the records of a part whose runs are all there; the file in which they gathered is left.

    Raises
    ------
    OSError
        A file cannot be written.
    RecordsError
        What was written does not read back as what was there.
    """
    order = {(study.dataset, run): i for i, (study, run) in enumerate((s, run) for s in studies for run in s.runs())}
    records = sorted(records_of(folder, part.name), key=lambda record: order[run_of(record)])
    target = done_file(folder, part.name)
    text = "".join(record.to_line() for record in records).encode()
    with replacing(target) as file:
        keep_access(open_file(folder, part.name), file.name)
        file.write(lzma.compress(text, preset=9))
    if [record.to_line() for record in read_records(target)] != [record.to_line() for record in records]:
        os.remove(target)
        raise RecordsError(f"{target}: does not read back as it was written")
    return target


def estimated_seconds(studies: Sequence[Study], n_workers: int) -> float:
    """Estimate how long runs take: looks at 10,000 images and steps, each about in proportion to the hidden units.

    Constants are from bench/RESULTS.md, one core; only for people who want to know when to come back.
    """
    total = 0.0
    for study in studies:
        config = study.config
        units = sum(config.hidden_layer_sizes) or 10
        look = (0.4e-3 + 68e-6 * units) * (2.4 if study.dataset == "fashion-mnist" else 1)
        looks = len(config.check_steps()) * {"nothing": 1.0, "half": 1.5, "test": 2.0}[config.count_apart]
        pretrained = sum(arm not in ("scratch", "warm-up") for arm in study.arms) / len(study.arms)
        looks += (1 + config.pretrain_epochs) * pretrained
        step = 20e-6 + 0.02e-6 * units * config.batch_size + 1.1e-6 * units * (config.optimizer == "adam")
        total += len(study.runs()) * (looks * look + config.max_steps * step)
    return total / n_workers

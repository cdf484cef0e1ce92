"""`nnlite --full` and `--part NAME`: carry out the parts of the protocol in a folder, one after the other.

Each says how long it will take before it begins, goes on with what the folder holds, and keeps every run as soon as it
is done. This module talks on stderr; what was found is `--report FOLDER`'s matter.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...files import held
from ..config import ConfigError, RunConfig, unknown
from ..exits import DATA, FAILED_RUN, Exit, Interrupted, file_error
from ..keeping import Workers, carry_out, prepare_to_append
from ..progress import Progress
from ..records import FAILED, RecordsError, RunRecord, config_differences, describe
from .parts import (
    done_file,
    estimated_seconds,
    finish,
    is_done,
    missing_runs,
    n_lacking,
    open_file,
    records_of,
    strays,
)
from .protocol import PARTS, Part, Study

if TYPE_CHECKING:
    from ...datasets import Dataset
    from ..pool import Run, Status

Load = Callable[[str], "Dataset"]


def chosen(name: str | None) -> list[Part]:
    """Return the part of that name, or all parts.

    Raises
    ------
    ConfigError
        There is no such part.
    """
    if name is None:
        return list(PARTS)
    found = [part for part in PARTS if part.name == name]
    if not found:
        raise unknown("part", name, [part.name for part in PARTS])
    return found


def part_list(n_workers: int) -> str:
    """Return a line on every part: what it is for and about how long it takes."""
    lines = []
    for part in PARTS:
        try:
            minutes = f"{estimated_seconds(part.studies(_none_yet), n_workers) / 60:3.0f} min"
        except LookupError:  # what it runs is decided by an earlier part
            minutes = "   -   "
        lines.append(f"{part.name:14s}{minutes}  {part.sentence}")
    return "\n".join(lines)


def _none_yet(name: str) -> list[RunRecord]:
    raise LookupError(name)


def run_parts(
    parts: Sequence[Part], folder: str, load: Load, workers: Workers, signals: Sequence[int], progress: Progress
) -> None:
    """Carry out parts.

    Parameters
    ----------
    parts : sequence of Part
    folder : str
        Of the records; made if missing.
    load : function of a name
        Returns the data set.
    workers : (executor, int)
        Where, and how many runs at a time.
    signals : sequence of int
        That were noted: the runs end once there is one.
    progress : Progress

    Raises
    ------
    ConfigError
        A part needs another first, or was begun with other kernels or another data set.
    Exit
        A file that cannot be used, data that is missing, a run that could not be carried out, another program at work.
    Interrupted
        After the run that was told to end; everything finished is kept.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        if len(parts) > 1:
            progress.line(_plan(parts, folder, workers[1]))
        for number, part in enumerate(parts, 1):
            where = f"part {number}/{len(parts)}, {part.name}"
            if not is_done(folder, part.name):
                _run_part(part, where, folder, load, workers, signals, progress)
                continue
            _require_whole(part, folder)
            progress.line(f"{where}: done, in {done_file(folder, part.name)}")
    except RecordsError as error:
        raise Exit(str(error), DATA) from error
    except OSError as error:
        raise Exit(file_error(error), FAILED_RUN) from error


def _plan(parts: Sequence[Part], folder: str, n_workers: int) -> str:
    """What is ahead, and about how long it takes; parts that another part decides count when their turn comes."""
    seconds, unknown_yet = 0.0, 0
    to_do = [part for part in parts if not is_done(folder, part.name)]
    for part in to_do:
        try:
            seconds += estimated_seconds(part.studies(_none_yet), n_workers)
        except LookupError:
            unknown_yet += 1
    hours = f"about {seconds / 3600:.1f} h on {n_workers} cores"
    more = f", and {unknown_yet} parts whose runs others decide" if unknown_yet else ""
    return f"{len(to_do)} of {len(parts)} parts to run, {hours}{more}; stop whenever you like, the same command goes on"


def _run_part(
    part: Part, where: str, folder: str, load: Load, workers: Workers, signals: Sequence[int], progress: Progress
) -> None:
    try:
        studies = part.studies(lambda name: _earlier(folder, name))
    except _MissingPart as missing_part:
        needs = f"needs part {missing_part} first, which {os.fspath(folder)} does not hold"
        raise ConfigError(f"--part {part.name}: {needs}") from missing_part
    path = str(open_file(folder, part.name))
    with held(path):
        kept = records_of(folder, part.name)
        _refuse_strays(path, part, studies, kept)
        missing = missing_runs(studies, kept)
        datasets = {name: load(name) for name in {study.dataset: None for study in studies}} if missing else {}
        _require_same(path, kept, datasets)
        aside = prepare_to_append(path)
        if aside:
            progress.line(f"{path}: its last line was cut short; it is set aside in {aside}")
        n_runs, n_missing = sum(len(study.runs()) for study in studies), sum(map(len, missing.values()))
        minutes = estimated_seconds(studies, workers[1]) / 60 * n_missing / n_runs
        already = f", {n_runs - n_missing} kept" if n_missing < n_runs else ""
        progress.line(
            f"{where}: {part.sentence}; {n_runs} runs{already}, about {minutes:.0f} min on {workers[1]} cores"
        )
        try:
            for name, runs in missing.items():
                _carry_out(where, datasets[name], runs, path, workers, signals, progress)
        except Interrupted:
            n_kept = len(records_of(folder, part.name))
            progress.line(f"{where}: {n_kept} of {n_runs} runs are kept in {path}; those under way begin again")
            raise
        progress.clear()
        progress.line(f"{where}: kept in {finish(folder, part, studies)}")
    Path(path).unlink(missing_ok=True)  # when nothing holds it any more: Windows removes no open file


def _refuse_strays(path: str, part: Part, studies: Sequence[Study], kept: Sequence[RunRecord]) -> None:
    """Nothing is left out of a finished part in silence, and nothing else is mixed into it."""
    found = strays(studies, kept)
    if found:
        example = f"{found[0].arm}, seed {found[0].seed}, on {found[0].dataset['name']}"
        mend = "move the file away and the part begins anew"
        raise RecordsError(f"{path}: {len(found)} of its runs are not part {part.name}'s, like {example}; {mend}")


def _require_same(path: str, kept: Sequence[RunRecord], datasets: Mapping[str, Dataset]) -> None:
    """Refuse to go on with runs of other kernels, which round differently, or of another data set of that name."""
    for record in kept:
        dataset = datasets.get(record.dataset["name"])
        if dataset is None:
            continue
        now = RunConfig.from_record(record.config).to_record(dataset.train_pixels.shape[1], dataset.n_classes)
        differences = config_differences([record], now, describe(dataset))
        if differences:
            raise ConfigError(f"{path} was begun otherwise: {'; '.join(differences)}")


def _require_whole(part: Part, folder: str) -> None:
    n = n_lacking(part, records_of(folder, part.name), lambda name: _earlier(folder, name))
    if n:
        path = done_file(folder, part.name)
        raise RecordsError(f"{path}: lacks {n} of the part's runs; after xz -d {path} the same command makes them")


def _carry_out(
    where: str,
    dataset: Dataset,
    runs: list[Run],
    path: str,
    workers: Workers,
    signals: Sequence[int],
    progress: Progress,
) -> None:
    """Run these; every record is kept the moment it comes."""
    failed: list[RunRecord] = []

    def note(record: RunRecord) -> None:
        failed.extend([record] * (record.status == FAILED))

    carry_out(dataset, runs, workers, path, signals, partial(_show, progress, where), note)
    if failed:
        n = len(failed)
        raise Exit(f"{where}: {n} runs could not be carried out; the same command tries them again", FAILED_RUN)


def _show(progress: Progress, where: str, status: Status) -> None:
    if status.compiling:
        progress.show("compiling", f"{where}: {status.compiling_text()}")
        return
    left = f" · {status.seconds_left / 60:.0f} min left" if status.seconds_left is not None else ""
    text = f"{where} · {status.n_done}/{status.n_runs} runs · {status.arm} {status.seed}{left}"
    progress.show("running", text, status.n_done / status.n_runs)


class _MissingPart(LookupError):
    """An earlier part is needed and is not finished; its name."""


def _earlier(folder: str, name: str) -> list[RunRecord]:
    if not is_done(folder, name):
        raise _MissingPart(name)
    return records_of(folder, name)

"""A folder of parts: run what is missing of each, go on at any point, pack what is done.

A part that runs appends to FOLDER/NAME.jsonl, one line a run. When its last run is done, the lines are sorted and
written to FOLDER/NAME.jsonl.xz, and only when that can be read again is the first file removed: a part is done exactly
when its compressed file is there. Only one program at a time may run a part: it holds the first file. Left out: what
the parts are (`protocol`), how a run is carried out and kept (`experiment.pool`), what was found (the questions).
"""

from __future__ import annotations

import lzma
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..access import keep_access
from ..experiment.config import ConfigError
from ..experiment.exits import DATA, FAILED_RUN, Exit, Interrupted, reading, require_numba, stop_if_noted
from ..experiment.progress import Progress
from ..experiment.records import FAILED, RecordsError, RunRecord, prepare_to_append, read_records, require_same
from ..experiment.wording import several
from ..files import held, replacing
from .protocol import Block, Earlier, Part

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..datasets import Dataset
    from ..experiment.workers import Run


def done_file(folder: str | os.PathLike[str], name: str) -> Path:
    """Where the records of a finished part are."""
    return Path(folder) / f"{name}.jsonl.xz"


def open_file(folder: str | os.PathLike[str], name: str) -> Path:
    """Where the records of a part gather while it runs."""
    return Path(folder) / f"{name}.jsonl"


def is_done(folder: str | os.PathLike[str], name: str) -> bool:
    """Return whether the file of a finished part is there; raise Exit where the folder cannot be read."""
    with reading():
        return _exists(done_file(folder, name))


def records_of(
    folder: str | os.PathLike[str], name: str, tell: Callable[[str], None] = lambda text: None
) -> list[RunRecord]:
    """Read what there is of a part, finished or not; DataError or RecordsError where that cannot be read.

    `tell` is given what is left out, in words: a line that was cut short, runs that failed.
    """
    with reading():
        for path in (done_file(folder, name), open_file(folder, name)):
            if _exists(path):
                return read_records(path, tell)
    return []


def remove_leftover(folder: str | os.PathLike[str], name: str) -> None:
    """Remove the gathered lines of a finished part, which a kill just before their removal left; never anything else.

    They stay where a program holds them, where they are not all in the finished file, and where nobody may remove them.
    """
    path = open_file(folder, name)
    with suppress(OSError, RecordsError, Exit):
        if not (_exists(path) and is_done(folder, name)):
            return
        with held(path):
            done = {record.to_line() for record in records_of(folder, name)}
            spare = {record.to_line() for record in read_records(path)} <= done
        if spare:
            path.unlink()


def _exists(path: Path) -> bool:
    """Whether it is there; Path.exists takes a folder that may not be read for an empty one, in some Pythons."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True


def run_of(record: RunRecord) -> tuple[str, Run]:
    """Which run a record is of: data set, configuration, arm, seed."""
    return record.dataset["name"], (record.run_config, record.arm, record.seed)


def missing_runs(blocks: Sequence[Block], records: Iterable[RunRecord]) -> dict[str, list[Run]]:
    """List the runs that are not among the records, by data set; one that failed is missing."""
    finished = {run_of(record) for record in records if record.status != FAILED}
    missing: dict[str, list[Run]] = {}
    for block in blocks:
        runs = [run for run in block.runs() if (block.dataset, run) not in finished]
        missing.setdefault(block.dataset, []).extend(runs)
    return {dataset: runs for dataset, runs in missing.items() if runs}


def strays(blocks: Sequence[Block], records: Iterable[RunRecord]) -> list[RunRecord]:
    """List the records of runs that the blocks do not ask for."""
    asked = {(block.dataset, run) for block in blocks for run in block.runs()}
    return [record for record in records if run_of(record) not in asked]


def n_lacking(path: str | os.PathLike[str], part: Part, records: Sequence[RunRecord], earlier: Earlier) -> int:
    """Count the runs of a part that are not among the records of its file; raise Exit where others are.

    0 where a part is not there that decides what it runs. `earlier` returns the records of a part by its name, or
    raises LookupError where it is not finished.
    """
    try:
        blocks = part.blocks(earlier)
    except LookupError:
        return 0
    refuse_strays(path, part, blocks, records)
    return sum(map(len, missing_runs(blocks, records).values()))


def refuse_strays(
    path: str | os.PathLike[str], part: Part, blocks: Sequence[Block], records: Sequence[RunRecord]
) -> None:
    """Raise Exit where a part's file holds runs that are not the part's: nothing is left out of it in silence."""
    if others := strays(blocks, records):
        example = f"{others[0].arm}, seed {others[0].seed}, on {others[0].dataset['name']}"
        mend = "move the file away and the part begins anew"
        raise Exit(f"{path}: {len(others)} of its runs are not part {part.name}'s, like {example}; {mend}", DATA)


class _NotFinished(LookupError):
    """The name of a part that another one needs."""


class Work(NamedTuple):
    """What parts are carried out with."""

    load: Callable[[str], Dataset]  # by name
    workers: tuple[Executor | str, int]  # as `pool.run_all` takes them
    signals: Sequence[int]  # what `exits.noted_signals` notes: once there is one, runs end at their next step
    progress: Progress


def run_parts(parts: Sequence[Part], folder: str, work: Work) -> None:
    """Carry out parts in a folder, one after the other; every run is kept as soon as it is done.

    All data is read before anything is run; the folder is made when there is something to keep. A ConfigError says that
    a part needs another first or was begun otherwise, an Exit what else cannot be done, and Interrupted that a signal
    was noted.
    """

    def earlier(name: str) -> list[RunRecord]:
        if not is_done(folder, name):
            raise _NotFinished(name)
        return records_of(folder, name)

    to_do = [part for part in parts if not is_done(folder, part.name)]
    work = work._replace(load=_loaded(to_do, work.load))
    if len(parts) > 1:
        work.progress.line(_plan(to_do, len(parts), work.workers[1]))
    for number, part in enumerate(parts, 1):
        if work.signals:
            raise Interrupted(work.signals[0], compiling=False)
        where, done = f"part {number}/{len(parts)}, {part.name}", done_file(folder, part.name)
        if not is_done(folder, part.name):
            try:
                blocks = part.blocks(earlier)
            except _NotFinished as error:
                needs = f"needs part {error} first, which {folder} does not hold"
                raise ConfigError(f"part {part.name}: {needs}") from error
            _run_part(part, blocks, where, folder, work)
        else:
            remove_leftover(folder, part.name)
            if n := n_lacking(done, part, records_of(folder, part.name), earlier):
                mend = f"after xz -d {done} the same command makes them"
                raise Exit(f"{done}: lacks {n} of the part's runs; {mend}", DATA)
            work.progress.line(f"{where}: done, in {done}")


def _loaded(parts: Sequence[Part], load: Callable[[str], Dataset]) -> Callable[[str], Dataset]:
    """Read what parts need before the first one runs, each data set once."""
    cached = cache(load)
    for name in dict.fromkeys(name for part in parts for name in data_of(part)):
        by = [part.name for part in parts if name in data_of(part)]
        with reading():
            try:
                cached(name)
            except FileNotFoundError as error:
                whom = f"part{'s' if len(by) > 1 else ''} {several(by)}"
                raise Exit(f"{error} (needed by {whom}; run PART runs another alone)", DATA) from error
    return cached


def _plan(to_do: Sequence[Part], n_parts: int, n_workers: int) -> str:
    """What is ahead, and about how long it takes; parts that another part decides count when their turn comes."""
    minutes = [minutes_of(part, n_workers) for part in to_do]
    hours = f"about {sum(filter(None, minutes)) / 60:.1f} h on {n_workers} cores"
    decided = minutes.count(None)
    more = f", and {decided} parts whose runs others decide" if decided else ""
    return f"{len(to_do)} of {n_parts} parts to run, {hours}{more}; stop whenever you like, the same command goes on"


def _run_part(part: Part, blocks: Sequence[Block], where: str, folder: str, work: Work) -> None:
    """Run what is missing of a part, keep every run, and pack them all."""
    path, (load, workers, _, progress) = str(open_file(folder, part.name)), work
    with _gathering(Path(path)):
        kept = records_of(folder, part.name)
        refuse_strays(path, part, blocks, kept)
        missing = missing_runs(blocks, kept)
        datasets = {block.dataset: load(block.dataset) for block in blocks}
        for record in kept:  # of other kernels, which round differently, or of another data set of that name?
            require_same(path, [record], record.run_config, datasets[record.dataset["name"]])
        if aside := prepare_to_append(path):
            progress.line(f"{path}: its last line was cut short; it is set aside in {aside}")
        n_runs, n_missing = sum(len(block.runs()) for block in blocks), sum(map(len, missing.values()))
        minutes = estimated_seconds(blocks, workers[1]) / 60 * n_missing / n_runs
        already = f", {n_runs - n_missing} kept" if n_missing < n_runs else ""
        ahead = f"{n_runs} runs{already}, about {minutes:.0f} min on {workers[1]} cores"
        progress.line(f"{where}: {part.sentence}; {ahead}")
        done: list[RunRecord] = []
        try:
            for name, runs in missing.items():
                _carry_out(datasets[name], runs, path, where, done, work)
        except Interrupted:
            n_kept = len(records_of(folder, part.name))
            progress.line(f"{where}: {n_kept} of {n_runs} runs are kept in {path}; those under way begin again")
            raise
        if n_failed := sum(record.status == FAILED for record in done):
            mend = "the same command tries them again"
            raise Exit(f"{where}: {n_failed} runs could not be carried out; {mend}", FAILED_RUN)
        progress.clear()
        progress.line(f"{where}: kept in {finish(folder, part, blocks)}")
    remove_leftover(folder, part.name)  # when nothing holds it any more: Windows removes no open file


def _carry_out(dataset: Dataset, runs: Sequence[Run], path: str, where: str, done: list[RunRecord], work: Work) -> None:
    """Carry out runs, every record kept in a file and added to `done`; raise Interrupted once a signal is noted."""
    from ..experiment.pool import run_all  # which imports numba

    require_numba()
    with closing(run_all(dataset, runs, *work.workers, path)) as events:  # its end stops the workers
        for event in events:
            if isinstance(event, RunRecord):
                done.append(event)
            else:
                work.progress.show_runs(event, where)
            stop_if_noted(work.signals, work.workers[0], event)


@contextmanager
def _gathering(path: Path) -> Iterator[None]:
    """Hold the file of a part that runs; make its folder, and leave none behind where nothing was kept."""
    made = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with held(path):
            yield
    finally:
        if made:
            with suppress(OSError):  # it holds what was kept
                path.parent.rmdir()


def finish(folder: str | os.PathLike[str], part: Part, blocks: Sequence[Block]) -> Path:
    """Sort and compress the records of a part whose runs are all there, and see that they read back as they were."""
    order = {(block.dataset, run): i for i, (block, run) in enumerate((b, run) for b in blocks for run in b.runs())}
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


def blocks_of(part: Part) -> list[Block] | None:
    """What a part runs, as the protocol says by itself; None where an earlier part decides that."""

    def none_yet(name: str) -> list[RunRecord]:
        raise _NotFinished(name)

    try:
        return part.blocks(none_yet)
    except _NotFinished:
        return None


def data_of(part: Part) -> list[str]:
    """The data sets that a part needs, by name; one that an earlier part decides runs on what that ran on, MNIST."""
    blocks = blocks_of(part)
    return ["mnist"] if blocks is None else list({block.dataset: None for block in blocks})


def minutes_of(part: Part, n_workers: int) -> float | None:
    """Estimate how long a part takes; None where an earlier one decides what it runs."""
    blocks = blocks_of(part)
    return None if blocks is None else estimated_seconds(blocks, n_workers) / 60


def estimated_seconds(blocks: Sequence[Block], n_workers: int) -> float:
    """Estimate how long runs take: looks at 10,000 images and steps, each about in proportion to the hidden units.

    Constants are from bench/RESULTS.md, one core; only for people who want to know when to come back.
    """
    total = 0.0
    for block in blocks:
        config = block.config
        units = sum(config.hidden_layer_sizes) or 10
        look = (0.4e-3 + 68e-6 * units) * (2.4 if block.dataset == "fashion-mnist" else 1)
        looks = len(config.check_steps()) * {"nothing": 1.0, "half": 1.5, "test": 2.0}[config.count_apart]
        if config.evaluate == "decide":  # most looks are cut short, and few runs need half of their budget
            looks *= 0.03
        pretrained = sum(arm not in ("scratch", "warm-up") for arm in block.arms) / len(block.arms)
        looks += (1 + config.pretrain_epochs) * pretrained
        step = 20e-6 + 0.02e-6 * units * config.batch_size + 1.1e-6 * units * (config.optimizer == "adam")
        total += len(block.runs()) * (looks * look + config.max_steps * step)
    return total / n_workers

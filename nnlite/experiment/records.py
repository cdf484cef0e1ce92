"""What is kept of a run, one JSON line each, in and out.

A line is appended in one write when its run is done, so that who is interrupted at any moment keeps every finished
run. Reading trusts nothing: a line that no run can have written is refused with its number, a last line that was cut
short is left out and told. This module knows nothing of how runs are made or judged.
"""

from __future__ import annotations

import errno
import gc
import gzip
import json
import lzma
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import numpy.typing as npt

from ..access import keep_access
from ..datasets import Dataset
from ..files import GZIP_MAGIC, XZ_MAGIC, held, reading
from ..flops import Counts, Tally
from .config import ConfigError, RunConfig, with_added_fields
from .record_rules import STATUSES, NotCut, checked, parse, signed

SCHEMA = 1

FAILED = STATUSES[-1]  # could not be carried out; all others (reached, budget, diverged) are results

Ints = npt.NDArray[np.int64]

_UNCOMPARED = ("seconds", "versions", "machine")


class RecordsError(ValueError):
    """A file of records that cannot be used; the message names file, line and cause."""


@dataclass(frozen=True)
class RunRecord:
    """One run: one arm, one seed."""

    arm: str
    seed: int
    config: dict[str, Any]  # RunConfig and article_pass (F)
    dataset: dict[str, Any]  # name, sha256 of each file's raw bytes, sizes
    status: str  # reached, budget, diverged, failed
    reached: bool
    steps_to_target: int | None  # on real images; None for a miss
    pretrain_epochs: int  # passes over the arm's own images; 0 without pretraining
    accuracy_after_pretrain: float | None  # on the images that stop the run; None without pretraining
    accuracy_at_stop: float | None  # on the same; None when the run diverged
    passes: dict[str, dict[str, int]]  # phase -> steps, images_forward, images_backward, up to the stop
    counts: dict[str, Counts]  # dense, executed: phase -> kernel -> kind, up to the stop; zeros left out
    checks: list[list[int]] = field(default_factory=list)  # [step, correct], full evaluations only
    pretrain_checks: list[list[int]] = field(default_factory=list)  # [epoch, correct, correct of the arm's own images]
    images_seen: list[int] = field(default_factory=list)  # of phase train up to each check, repeats included
    images_read: list[int] = field(default_factory=list)  # distinct training images touched up to each check, by anyone
    apart_correct: list[int] = field(default_factory=list)  # at each check: right answers of config's count_apart
    pretrain_after: int = 0  # real steps before phase 1
    n_checked: int = 0  # images that stop the run, the denominator of every `correct`
    test_accuracy_at_stop: float | None = None  # read once, at a stop on validation
    message: str = ""  # for a person: why the run diverged or failed
    seconds: dict[str, float] = field(default_factory=dict)  # compile (once a process), run
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str | int | None] = field(default_factory=dict)
    schema: int = SCHEMA

    @cached_property
    def curve(self) -> Ints:
        """Its checks as a read-only array (n_checks, 2): made once, since every question asks for it again."""
        return _read_only(self.checks).reshape(-1, 2)

    @cached_property
    def images_at_checks(self) -> tuple[Ints, Ints]:
        """Its `images_seen` and `images_read` as read-only arrays, made once too."""
        return _read_only(self.images_seen), _read_only(self.images_read)

    @cached_property
    def run_config(self) -> RunConfig:
        """Its configuration as an object: made once, since every question finds runs by it."""
        return RunConfig.from_record(self.config)

    def tally(self) -> Tally:
        """Return the bill up to the stop, to be priced."""
        return Tally.from_record(self.counts, self.passes)

    def to_line(self) -> str:
        """Return the record as one line of JSON, newline included; its last field is the CRC-32 of what precedes it."""
        return signed(json.dumps(asdict(self), allow_nan=False, separators=(",", ":"))) + "\n"

    @classmethod
    def from_line(cls, line: str) -> RunRecord:
        """Rebuild a record; ValueError, in words for a person, where no run of this version can have written it."""
        return cls(**checked(line, SCHEMA, _field_types()))

    def comparable(self) -> dict[str, Any]:
        """Return all that two runs of the same (arm, seed) must share: everything but seconds, versions, machine."""
        return {name: value for name, value in asdict(self).items() if name not in _UNCOMPARED}


def _read_only(numbers: Sequence[Any]) -> Ints:
    array = np.array(numbers, np.int64)
    array.flags.writeable = False
    return array


@lru_cache(maxsize=1)
def _field_types() -> dict[str, Any]:
    hints = get_type_hints(RunRecord)
    return {f.name: hints[f.name] for f in fields(RunRecord)}


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector of cycles still: a record has none, and looking for them takes half the time of reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@uncollected()
def read_records(path: str | os.PathLike[str], tell: Callable[[str], None] = lambda text: None) -> list[RunRecord]:
    """Read every finished run of a file, each once. gzip and xz are recognised.

    Parameters
    ----------
    path : str or path-like
    tell : function of a str
        Is given what is left out, in words: a last line that was cut short, runs that failed.

    Raises
    ------
    OSError
        The file cannot be read.
    RecordsError
        A compressed file is damaged or empty, a line is no record of this version, or two that differ are of one run.
    """
    name = os.fspath(path)
    records: dict[tuple[str, ...], RunRecord] = {}
    failed: set[tuple[str, ...]] = set()
    line_of: dict[tuple[str, ...], int] = {}
    for number, line in _lines(path, tell):
        try:
            record = RunRecord.from_line(line.decode())
        except UnicodeDecodeError as error:
            raise RecordsError(f"{name}: line {number}: not a run record: no UTF-8 text") from error
        except ValueError as error:
            raise RecordsError(f"{name}: line {number}: not a run record: {error}") from error
        study = json.dumps(record.config, sort_keys=True)
        key = *_identity(record.dataset), study, record.arm, str(record.seed)
        if record.status == FAILED:  # it is tried again
            failed.add(key)
            continue
        if key not in records:
            records[key], line_of[key] = record, number
        elif replace(record, dataset=records[key].dataset).comparable() != records[key].comparable():
            both = f"lines {line_of[key]} and {number}"
            raise RecordsError(f"{name}: {both} both hold {record.arm}, seed {record.seed}, and differ: keep one")
    if n_failed := len(failed - records.keys()):
        tell(f"{n_failed} run{'' if n_failed == 1 else 's'} that could not be carried out")
    return list(records.values())


_ROOM = 1 << 14  # bytes, a few runs
_BLANK = b" \t\r\n\0"  # a disk that lost its power may leave zeros
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{")


def _lines(path: str | os.PathLike[str], tell: Callable[[str], None]) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank, with its number; what is compressed was finished once, and must hold some."""
    name = os.fspath(path)
    try:
        with reading(path) as (stream, _):
            text = stream.read()
    except (lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise RecordsError(f"{name}: damaged, no run in it can be trusted: {error}") from error
    except MemoryError as error:
        raise RecordsError(f"{name}: not enough memory to read it, which no file of runs needs") from error
    if text.startswith(_UTF_16):
        raise RecordsError(f"{name}: UTF-16 text, as PowerShell's > writes; expected UTF-8: iconv -f UTF-16 -t UTF-8")
    lines = text.removeprefix(_BYTE_ORDER_MARK).split(b"\n")
    if _is_cut(lines[-1]):
        tell("the last line, which was cut short")
        lines.pop()
    if name.endswith((".gz", ".xz")) and not any(lines):
        raise RecordsError(f"{name}: holds no run: it is empty or cut short")
    for number, line in enumerate(lines, 1):
        line = line.strip(_BLANK)
        if line:
            yield number, line


def _is_cut(piece: bytes) -> bool:
    """Whether what stands behind the last newline is the beginning of a record, not a whole one that lacks its own."""
    piece = piece.removeprefix(_BYTE_ORDER_MARK).strip(_BLANK)
    try:
        parse(piece.decode())
    except NotCut:
        return False
    except (ValueError, RecursionError):
        return piece.startswith(b"{")
    return False


@contextmanager
def holding(path: str | None, resume: bool, tell: Callable[[str], None]) -> Iterator[list[RunRecord]]:
    """Hold the file of --out for one study, and return its finished runs to go on with; nothing is written yet.

    `tell` is given what else the file holds, as `read_records` says it.

    Raises
    ------
    ConfigError
        The file cannot be written, or holds something and `resume` is False.
    BlockingIOError
        Another program is at work on it.
    RecordsError
        What it holds cannot be used.
    """
    if path is None:
        yield []
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(held(path))
        except BlockingIOError:
            raise
        except FileNotFoundError as error:
            raise ConfigError(f"--out {path}: the folder {os.path.dirname(path) or '.'} does not exist") from error
        except OSError as error:
            raise ConfigError(f"--out {path}: cannot be written: {error.strerror}") from error
        if not resume and os.path.getsize(path):
            raise ConfigError(f"--out {path}: exists; --resume goes on with it, or name another file")
        yield read_pairs(path, tell)


def prepare_to_append(path: str | os.PathLike[str]) -> str | None:
    """Make sure that runs can be appended to a file, each on a line of its own.

    A whole last line gets the newline that it lacks; one that was cut short is moved to FILE.cut.

    Returns
    -------
    str or None
        The name of the file that now holds a cut line, if there was one.

    Raises
    ------
    OSError
        The file cannot be written: no permission, full disk.
    ConfigError
        The file is compressed.
    """
    target, aside = Path(path), None
    text = target.read_bytes() if target.exists() else b""
    if text.startswith((GZIP_MAGIC, XZ_MAGIC)):
        raise ConfigError(f"{target}: compressed, so no run can be appended: decompress it first")
    end = text.rfind(b"\n") + 1
    if _is_cut(text[end:]):
        aside = target.with_name(target.name + ".cut")
        with open(aside, "ab") as file:
            if file.tell() == 0:  # new
                keep_access(target, aside)
            file.write(text[end:] + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.truncate(target, end)
    elif end < len(text):
        _append(path, b"\n")
    _require_room(target)
    return str(aside) if aside else None


def _require_room(target: Path) -> None:
    """Append blank lines, which readers skip, and take them away: a full disk is known by nothing else."""
    size = target.stat().st_size if target.exists() else 0
    try:
        _append(target, b"\n" * _ROOM)
    finally:
        os.truncate(target, size)


def append_record(path: str | os.PathLike[str], record: RunRecord) -> None:
    """Append a record in one write; OSError where the file cannot be written: no permission, full disk."""
    try:
        _append(path, record.to_line().encode())
    except OSError as error:
        why = f"cannot keep a run: {error.strerror}; all before it are kept, and --resume goes on"
        raise OSError(error.errno, why, os.fspath(path)) from error


def _append(path: str | os.PathLike[str], text: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        written = os.write(descriptor, text)
        if written < len(text):
            raise OSError(errno.ENOSPC, f"no space left: only {written} of {len(text)} bytes could be written")
    except OSError as error:
        error.filename = os.fspath(path)  # which a descriptor does not know
        raise
    finally:
        os.close(descriptor)


def steps_or_miss(record: RunRecord) -> float:
    """Return the real steps to the target, infinite for a miss."""
    return math.inf if record.steps_to_target is None else record.steps_to_target


def paired(*groups: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """Return of each group the runs of the seeds that all groups have, by seed."""
    by_seed = [{run.seed: run for run in group} for group in groups]
    seeds = sorted(set.intersection(*map(set, by_seed)))
    return [[runs[seed] for seed in seeds] for runs in by_seed]


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return what a record says of the data set: its name, its files' hashes, its sizes."""
    return {
        "name": dataset.name,
        "sha256": dict(dataset.sha256),
        "n_train": len(dataset.train_labels),
        "n_test": len(dataset.test_labels),
        "n_features": dataset.train_pixels.shape[1],
        "n_classes": dataset.n_classes,
    }


def _identity(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """What tells one data set from another: its files' hashes, where it has any, so that a folder may move."""
    return tuple(sorted(dataset["sha256"].values())) or (dataset["name"],)


def config_differences(records: Iterable[RunRecord], config: dict[str, Any], dataset: dict[str, Any]) -> list[str]:
    """List how kept records differ from what is asked for, as `learning_rate: 0.001 in the file, 0.002 asked for`."""
    for record in records:
        known = with_added_fields(record.config)
        if known == config and record.dataset == dataset:
            continue
        kept = {**known, **{f"dataset {name}": value for name, value in record.dataset.items()}}
        asked = {**config, **{f"dataset {name}": value for name, value in dataset.items()}}
        if _identity(record.dataset) == _identity(dataset):
            kept["dataset name"] = dataset["name"]  # its folder may have moved
        differing = [name for name in sorted({*kept, *asked}) if kept.get(name) != asked.get(name)]
        if differing:
            return [f"{name}: {kept.get(name)} in the file, {asked.get(name)} asked for" for name in differing]
    return []


def require_same(path: str, kept: Sequence[RunRecord], config: RunConfig, dataset: Dataset) -> None:
    """Refuse to go on with a file of runs of another configuration or data set: ConfigError with every difference."""
    asked = config.to_record(dataset.train_pixels.shape[1], dataset.n_classes)
    if differences := config_differences(kept, asked, describe(dataset)):
        raise ConfigError(f"{path} holds runs of another configuration: {'; '.join(differences)}")


def read_pairs(path: str | os.PathLike[str], tell: Callable[[str], None] = lambda text: None) -> list[RunRecord]:
    """Read the finished runs of a file as `read_records` does; RecordsError also where their configurations differ."""
    records = read_records(path, tell)
    differences = config_differences(records[1:], records[0].config, records[0].dataset) if records else []
    if differences:
        several = f"{os.fspath(path)}: its runs are not of one configuration: {'; '.join(differences)}"
        raise RecordsError(f"{several}; a part of the registered study is told of by python -m nnlite.study report")
    return records

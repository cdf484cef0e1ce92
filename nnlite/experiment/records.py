"""What is kept of a run, one JSON line each, in and out.

A line is appended in one write when its run is done, so that a study interrupted at any moment keeps every finished
run. Reading recognises a last line that was cut short. This module knows nothing of how runs are made or judged.
"""

from __future__ import annotations

import gzip
import json
import lzma
import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..access import keep_access
from ..datasets import Dataset
from ..files import GZIP_MAGIC, XZ_MAGIC, reading
from ..flops import Tally
from .config import RunConfig

SCHEMA = 1

FAILED = "failed"
"""Status of a run that could not be carried out; all others (reached, budget, diverged) are results."""

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
    counts: dict[str, Any]  # dense, executed: phase -> kernel -> kind, up to the stop; zeros left out
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
    machine: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @cached_property
    def curve(self) -> npt.NDArray[np.int64]:
        """Its checks as a read-only array (n_checks, 2): made once, since every question asks for it again."""
        curve = np.array(self.checks, np.int64).reshape(-1, 2)
        curve.flags.writeable = False
        return curve

    def tally(self) -> Tally:
        """Return the bill up to the stop, to be priced."""
        return Tally.from_record(self.counts, self.passes)

    def to_line(self) -> str:
        """Return the record as one line of JSON, newline included."""
        return json.dumps(asdict(self), allow_nan=False, separators=(",", ":")) + "\n"

    @classmethod
    def from_line(cls, line: str) -> RunRecord:
        """Rebuild a record; ValueError where the line is not one."""
        values = json.loads(line)
        if not isinstance(values, dict) or values.get("schema") != SCHEMA:
            found = values.get("schema") if isinstance(values, dict) else type(values).__name__
            raise ValueError(f"expected a record of schema {SCHEMA}, found {found}")
        names = {f.name for f in fields(cls)}
        if set(values) != names:
            raise ValueError(f"fields differ from a record's: {', '.join(sorted(set(values) ^ names))}")
        record = cls(**values)
        if not isinstance(record.arm, str) or not isinstance(record.seed, int) or not isinstance(record.config, dict):
            raise ValueError("arm, seed or config is of another type than a record's")
        if not isinstance(record.dataset, dict) or not isinstance(record.dataset.get("name"), str):
            raise ValueError("its data set has no name")
        RunConfig.from_record(record.config)  # for what it refuses
        return record

    def comparable(self) -> dict[str, Any]:
        """Return all that two runs of the same (arm, seed) must share: everything but seconds, versions, machine."""
        return {name: value for name, value in asdict(self).items() if name not in _UNCOMPARED}


def read_records(path: str | os.PathLike[str]) -> list[RunRecord]:
    """Read every finished run of a file; a last line without its end is left out. gzip and xz are recognised.

    Raises
    ------
    OSError
        The file cannot be read.
    RecordsError
        A compressed file is damaged or empty, a line is no record of this version, or a run stands there twice.
    """
    lines = _lines(path)
    records: list[RunRecord] = []
    seen: dict[tuple[str, str, str, int], int] = {}
    for number, line in enumerate(lines, 1):
        try:
            record = RunRecord.from_line(line.decode())
        except (ValueError, TypeError) as error:
            raise RecordsError(f"{os.fspath(path)}: line {number}: not a run record: {error}") from error
        if record.status != FAILED:  # a failed run is tried again
            study = json.dumps(record.config, sort_keys=True)
            key = record.dataset["name"], study, record.arm, record.seed
            if key in seen:
                both = f"lines {seen[key]} and {number}"
                raise RecordsError(f"{os.fspath(path)}: {both} both hold {record.arm}, seed {record.seed}")
            seen[key] = number
            records.append(record)
    return records


def _lines(path: str | os.PathLike[str]) -> list[bytes]:
    """Every whole line of a file; what is compressed was finished once, and must hold some."""
    name = os.fspath(path)
    try:
        with reading(path) as (stream, _):
            lines = stream.read().split(b"\n")[:-1]
    except (lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise RecordsError(f"{name}: damaged, no run in it can be trusted: {error}") from error
    if not lines and name.endswith((".gz", ".xz")):
        raise RecordsError(f"{name}: holds no run: it is empty or cut short")
    return lines


def is_compressed(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is gzip or xz, by content."""
    with open(path, "rb") as file:
        return file.read(6).startswith((GZIP_MAGIC, XZ_MAGIC))


def set_cut_line_aside(path: str | os.PathLike[str]) -> str | None:
    """Move an unterminated last line to FILE.cut, so that appending starts on a line of its own.

    Returns
    -------
    str or None
        The name of the file that now holds it, if there was one.
    """
    target = Path(path)
    text = target.read_bytes()
    end = text.rfind(b"\n") + 1
    if end == len(text):
        return None
    aside = target.with_name(target.name + ".cut")
    with open(aside, "ab") as file:
        if file.tell() == 0:  # new
            keep_access(target, aside)
        file.write(text[end:] + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.truncate(target, end)
    return str(aside)


def append_record(path: str | os.PathLike[str], record: RunRecord) -> None:
    """Append a record in one write.

    Raises
    ------
    OSError
        The file cannot be written: no permission, full disk.
    """
    line = record.to_line().encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        written = os.write(descriptor, line)
        if written < len(line):
            raise OSError(28, f"only {written} of {len(line)} bytes could be written", os.fspath(path))
    finally:
        os.close(descriptor)


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


def config_differences(records: Iterable[RunRecord], config: dict[str, Any], dataset: dict[str, Any]) -> list[str]:
    """List how kept records differ from what is asked for, as `learning_rate: 0.001 in the file, 0.002 asked for`."""
    for record in records:
        if record.config == config and record.dataset == dataset:
            continue
        kept = {**record.config, **{f"dataset {name}": value for name, value in record.dataset.items()}}
        asked = {**config, **{f"dataset {name}": value for name, value in dataset.items()}}
        return [
            f"{name}: {kept.get(name)} in the file, {asked.get(name)} asked for"
            for name in sorted({*kept, *asked})
            if kept.get(name) != asked.get(name)
        ]
    return []


def same_config(records: Sequence[RunRecord]) -> list[str]:
    """List how the records of one file differ among themselves; empty when they are one study."""
    return config_differences(records, records[0].config, records[0].dataset) if records else []

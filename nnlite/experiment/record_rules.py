"""Which lines a run can have written: JSON, fields, types, ranges, and what the fields say of each other.

Place in the data path: a line -> here -> `RunRecord`. Types come from the dataclasses themselves. Every refusal is a
ValueError in words for a person; who reads the file adds its name and the line. Left out: files, and what is priced.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, get_args, get_origin, get_type_hints

from ..flops import PASSES, PHASES
from ..kernels.ops import KERNELS, KINDS
from .config import ARMS, PRESETS, RunConfig, with_added_fields

STATUSES = ("reached", "budget", "diverged", "failed")
"""How a run ended; `failed` could not be carried out, all others are results."""

_DATASET = {"name": str, "sha256": dict[str, str], "n_train": int, "n_test": int, "n_features": int, "n_classes": int}
_CONFIG = {**get_type_hints(RunConfig), "article_pass": int, "kernels": str}
_LIMIT = 1 << 63  # of every number in a record; none is negative either

Values = dict[str, Any]


_CHECKSUM = ',"crc32":'


def signed(line: str) -> str:
    """Add the CRC-32 of a line of JSON as a last field: nothing else tells that a digit of a count was damaged."""
    return f"{line[:-1]}{_CHECKSUM}{zlib.crc32(line.encode())}}}"


def checked(line: str, schema: int, types: Mapping[str, Any]) -> Values:
    """Return the fields of a record from its line.

    Parameters
    ----------
    line : str
    schema : int
        The version that the line must be of.
    types : mapping
        Name to type of every field.

    Raises
    ------
    ValueError
        No run of this version can have written the line; says why.
    """
    line = line.strip()
    body, mark, _ = line.rpartition(_CHECKSUM)  # lines that were kept before there were checksums have none
    unsigned = body + "}" if mark and line.endswith("}") else line
    try:
        values = parse(unsigned)
        if values.get("schema") != schema:
            raise ValueError(f"expected a record of schema {schema}, found {values.get('schema')!s:.40}")
        _require_fields("record", values, types)
        config, steps = _frame(json.dumps([values["config"], values["dataset"]], sort_keys=True))
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    _require_names(values)
    if values["status"] != "failed":  # of which nothing is counted
        for fault in chain(_contradictions(values, config), _curve_contradictions(values, steps)):
            raise ValueError(fault)
    if mark and signed(unsigned) != line:
        raise ValueError("damaged, or changed after it was kept: its checksum differs")
    return values


@lru_cache(maxsize=1024)
def _frame(text: str) -> tuple[RunConfig, list[int]]:
    """Check a configuration and a data set, which many records of a file share; return it and its checks' steps."""
    values, data = json.loads(text)
    values = with_added_fields(values)
    _require_fields("configuration", values, _CONFIG)
    _require_fields("data set", data, _DATASET)
    config = RunConfig.from_record(values)
    _require_known("preset", {config.preset}, PRESETS)
    _require_known("kernels", {values["kernels"]}, ("fast", "plain"))
    if values["article_pass"] != config.article_pass(data["n_features"], data["n_classes"]):
        raise ValueError("article_pass is not that of its network")
    return config, config.check_steps()


_JSON = json.JSONDecoder(parse_constant=str)  # NaN and Infinity are no numbers here


class NotCut(ValueError):
    """What is whole, and no record: no write that was cut short leaves it behind."""


def parse(line: str) -> dict[str, Any]:
    """Return the JSON object of a line; ValueError says in words what the line is instead."""
    try:
        value = _JSON.decode(line)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise NotCut("more than one JSON value stands on the line; expected one record a line") from None
        raise ValueError(f"no JSON, or only a part of it, from character {error.pos + 1} on") from None
    except ValueError:  # more digits than Python reads
        raise NotCut("a number in it is far too large") from None
    if isinstance(value, list):
        raise ValueError("a JSON array; expected an object a line (jq -c '.[]' FILE writes an array's)")
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {value!s:.40}")
    return value


def _require_fields(what: str, values: dict[str, Any], types: Mapping[str, Any]) -> None:
    """Raise ValueError unless the fields of an object are these, each of its type."""
    if values.keys() != types.keys():
        names = ", ".join(sorted(values.keys() ^ types.keys()))
        raise ValueError(f"of another version: fields of its {what} differ: {names:.200}")
    for name, type_ in types.items():
        if not _test_of(type_)([values[name]]):
            expected = type_.__name__ if isinstance(type_, type) and not get_origin(type_) else type_
            raise ValueError(f"{name} of its {what}: expected {expected}, found {json.dumps(values[name]):.60}")


@lru_cache(maxsize=256)
def _test_of(type_: Any) -> Callable[[Collection[Any]], bool]:
    """Return what tells whether JSON values are all of a type, numbers finite and not negative.

    It is asked of all values of a level at once, which is quick.
    """
    origin, of = get_origin(type_), get_args(type_)
    if type_ is Any:
        return lambda values: True
    if type_ in (int, float):
        kinds = {int, type_}
        return lambda values: (
            {*map(type, values)} <= kinds and (not values or (min(values) >= 0 and max(values) < _LIMIT))
        )
    if origin is dict:
        inner = _test_of(of[1])
        return lambda values: {*map(type, values)} <= {dict} and inner([v for value in values for v in value.values()])
    if origin in (list, tuple):  # JSON knows no tuples
        inner = _test_of(of[0])
        return lambda values: {*map(type, values)} <= {list} and inner([*chain.from_iterable(values)])
    if of:  # a union
        tests = [_test_of(one) for one in of]
        return lambda values: all(any(test([value]) for test in tests) for value in values)
    return lambda values: {*map(type, values)} <= {type_}


def _require_known(what: str, found: Collection[str], known: Collection[str]) -> None:
    if not set(found) <= set(known):
        raise ValueError(f"unknown {what} {', '.join(sorted(set(found) - set(known))):.80}")


def _require_names(values: Values) -> None:
    """Raise ValueError where an arm, a phase, a kernel ... has a name that does not exist."""
    counts, passes = values["counts"], values["passes"]
    bills = [bill for phases in counts.values() for bill in phases.values()]
    _require_known("arm", {values["arm"]}, ARMS)
    _require_known("status", {values["status"]}, STATUSES)
    _require_known("phase", {*passes, *chain.from_iterable(counts.values())}, PHASES)
    _require_known("kernel", set(chain.from_iterable(bills)), KERNELS)
    _require_known("operation", {kind for bill in bills for kinds in bill.values() for kind in kinds}, KINDS)
    if counts.keys() != {"dense", "executed"} or any(numbers.keys() != set(PASSES) for numbers in passes.values()):
        raise ValueError(f"counts must be dense and executed, and the passes of a phase {', '.join(PASSES)}")


def _contradictions(values: Values, config: RunConfig) -> Iterator[str]:
    """Say where the end of a run contradicts the rest of its record."""
    data, status, n_checked = values["dataset"], values["status"], values["n_checked"]
    at_stop, n_steps = values["steps_to_target"], values["passes"].get("train", {}).get("steps")
    if n_checked == 0 or n_checked != (data["n_test"] if config.stop_on == "test" else data["n_train"] // 6):
        yield f"n_checked, {n_checked}, is not how many images stop the run"
    if values["reached"] != (status == "reached") or values["reached"] != (at_stop is not None):
        yield "status, reached and steps_to_target contradict each other"
    if values["reached"] and at_stop != n_steps:
        yield f"steps_to_target is {at_stop}, but phase train has {n_steps} steps"
    for name, n in (
        ("accuracy_after_pretrain", n_checked),
        ("accuracy_at_stop", n_checked),
        ("test_accuracy_at_stop", data["n_test"]),
    ):
        share = values[name]
        if share is not None and (share > 1 or n == 0 or round(share * n) / n != share):
            yield f"{name}, {share}, is no share of {n} images"


def _curve_contradictions(values: Values, steps: list[int]) -> Iterator[str]:
    """Say where the checks of a run contradict the rest of its record; `steps` are those of its configuration."""
    data, checks, phase_1 = values["dataset"], values["checks"], values["pretrain_checks"]
    seen, read, apart = values["images_seen"], values["images_read"], values["apart_correct"]
    if {*map(len, checks)} - {2} or {*map(len, phase_1)} - {3}:
        yield "checks must be [step, correct], those of phase 1 [epoch, correct, correct of the arm's own images]"
    if [step for step, _ in checks] != steps[: len(checks)]:
        yield "its checks are not at the steps of its configuration"
    epochs = [epoch for epoch, _, _ in phase_1]
    if epochs != sorted(set(epochs)):
        yield "the epochs of its pretrain_checks do not rise"
    if max([right for _, right in checks] + [right for _, right, _ in phase_1], default=0) > values["n_checked"]:
        yield f"a check has more right answers than the {values['n_checked']} images looked at"
    if not len(seen) == len(read) == len(checks) or len(apart) not in (0, len(checks)):
        yield "images_seen, images_read and apart_correct must have a number for every check"
    if seen != sorted(set(seen)) or read != sorted(read) or (read and read[-1] > data["n_train"]):
        yield "images_seen and images_read must rise, read no further than the training images"
    if max(apart, default=0) > data["n_test"]:
        yield f"apart_correct has more right answers than the {data['n_test']} test images"

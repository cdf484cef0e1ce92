"""The command line: its options, their help, and what they become.

`parse` returns an `Options` or raises `ConfigError`; nothing is read, run or printed here but --help and --version.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .._version import __version__
from ..kernels import fast_kernels
from .config import (
    ACTIVATIONS,
    ARMS,
    EVALUATE,
    EXECUTORS,
    EXPLANATORY,
    INITIALIZERS,
    OPTIMIZERS,
    PRESETS,
    STOP_ON,
    ConfigError,
    RunConfig,
    StudySettings,
    preset_config,
    unknown,
)

_QUICK_PAIRS = 2

_EXAMPLES = """\
examples:
  nnlite                                    the answer: 10 pairs on MNIST
  nnlite --article                          the article's own arithmetic
  nnlite --seeds 100 --out runs.jsonl       many pairs, kept; --resume goes on
  nnlite --learning-rate 2e-3 --quick       change one thing, look quickly

exit status: 0 ran, 1 a run failed, 2 usage, 3 data, 130/143 interrupted"""


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    config: RunConfig
    settings: StudySettings
    dataset: str
    data_dir: str | None
    verify: bool
    out: str | None
    resume: bool
    report: str | None
    figures: str | None
    article: bool
    list_arms: bool
    bill: bool
    full: bool
    part: str | None
    json: bool
    quick: bool
    quiet: bool
    arguments: tuple[str, ...]  # as given, to tell how to go on
    preset_unchanged: bool  # the preset as it stands, on its own data set


class _Parser(argparse.ArgumentParser):
    """argparse, with messages in the form of all others: the option, what was given, what may be."""

    def error(self, message: str) -> NoReturn:
        bad_number = re.fullmatch(r"argument (\S+): invalid (int|float) value: '(.*)'", message)
        if bad_number:
            option, kind, given = bad_number.groups()
            raise ConfigError(f"{option} {given}: must be a {'whole ' if kind == 'int' else ''}number")
        stray = re.fullmatch(r"unrecognized arguments: (\S+).*", message)
        if stray:
            close = difflib.get_close_matches(stray[1], self._option_string_actions, n=1)
            raise ConfigError(f"{stray[1]}: unknown option{f'; did you mean {close[0]}?' if close else ''}")
        raise ConfigError(message.removeprefix("argument "))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nnlite",
        usage="nnlite [options]        (also: python -m nnlite.experiment)",
        description="Does pretraining on the average image of each class save training? Run it, count every\n"
        "operation, say how far the claim of 30% holds.",
        epilog=_EXAMPLES,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=27, width=100),
        add_help=False,
        allow_abbrev=False,
    )
    group = parser.add_argument_group("experiment")
    add = group.add_argument
    add("--preset", default="article", metavar="NAME", help=f"{', '.join(PRESETS)} (article)")
    add("--dataset", default="mnist", metavar="NAME", help="mnist, fashion-mnist, or a folder of IDX files (mnist)")
    add("--data-dir", metavar="DIR", help="where data sets are looked for (NNLITE_DATA, ./data, ...)")
    add("--no-verify", action="store_true", help="accept files that are not the known data set's")
    add("--seeds", type=int, metavar="N", help="pairs of runs (10)")
    add("--first-seed", type=int, default=0, metavar="S", help="seeds are S .. S+N-1 (0)")
    add("--arms", default="scratch,class-means", metavar="A,B", help="what is compared (scratch,class-means)")
    add("--list-arms", action="store_true", help="a sentence on each arm")
    add("--pretrain-epochs", type=int, metavar="N", help="passes over the averages in phase 1 (28)")
    add("--pretrain-target", type=float, metavar="SHARE", help="end phase 1 at this accuracy instead, 0 to 1")
    add("--target", type=float, metavar="SHARE", help="accuracy that ends a run, 0 to 1 (0.90)")
    add("--stop-on", metavar="SET", help=f"whose accuracy: {' or '.join(STOP_ON)} (test)")
    add("--max-steps", type=int, metavar="N", help="steps after which a run is a miss (2000)")
    add(
        "--evaluate", metavar="HOW", help=f"{EVALUATE[0]}: stop at the hit; {EVALUATE[1]}: curves to max-steps (decide)"
    )
    group = parser.add_argument_group("network")
    add = group.add_argument
    add("--hidden", metavar="N[,N]", help="units of each hidden layer, or none (128)")
    add("--activation", metavar="NAME", help=f"{', '.join(ACTIVATIONS)} (relu)")
    add("--initializer", metavar="NAME", help=f"{', '.join(INITIALIZERS)} (fan_in_uniform)")
    add("--optimizer", metavar="NAME", help=f"{', '.join(OPTIMIZERS)} (adam)")
    add("--learning-rate", type=float, metavar="X", help="of both phases (1e-3)")
    add("--batch-size", type=int, metavar="N", help="images a step (64)")
    group = parser.add_argument_group("output")
    add = group.add_argument
    add("--out", metavar="FILE", help="keep a JSON line for every run")
    add("--resume", action="store_true", help="carry out only what FILE of --out lacks")
    add("--report", metavar="FILE", help="report kept runs again, without training; a folder: the whole study")
    add("--full", action="store_true", help="the whole pre-registered study, kept in the folder --out (runs)")
    add("--part", metavar="NAME", help="one part of it; --part list names them")
    add("--figures", metavar="DIR", help="pictures (extra: plot); without --report implies --evaluate full")
    add("--article", action="store_true", help="the article's accounting alone, recomputed")
    add("--bill", action="store_true", help="also the whole bill, and the saving under every cost model")
    add("--json", action="store_true", help="one JSON object instead of the table")
    add("--quick", action="store_true", help=f"{_QUICK_PAIRS} pairs, no verdict")
    add("--workers", type=int, metavar="N", help="runs at a time (number of cores)")
    add("--executor", default="threads", metavar="HOW", help=f"{' or '.join(EXECUTORS)} (threads)")
    add("--quiet", action="store_true", help="no progress on stderr")
    add("--version", action="version", version=f"nnlite {__version__}", help="print the version")
    add("--help", "-h", action="help", help="print this")
    return parser


def parse(arguments: Sequence[str]) -> Options:
    """Parse a command line.

    Raises
    ------
    ConfigError
        An option that does not exist or cannot be.
    SystemExit
        After --help and --version.
    """
    given = _parser().parse_args(arguments)
    try:
        fast_kernels()
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if given.resume and not given.out:
        raise ConfigError("--resume: needs --out FILE, the file to go on with")
    if given.out and given.report:
        raise ConfigError("--out: goes with a run, --report with none; give one of them")
    changes = _changes(given)
    if given.full or given.part is not None:
        _require_protocol(given, changes)
    config = preset_config(given.preset, changes)
    settings = StudySettings(
        arms=_arms(given.arms),
        seeds=given.seeds if given.seeds is not None else _QUICK_PAIRS if given.quick else 10,
        first_seed=given.first_seed,
        workers=given.workers if given.workers is not None else available_cores(),
        executor=given.executor,
    )
    _require_closed_form(config, settings)
    return Options(
        config=config,
        settings=settings,
        dataset=given.dataset,
        data_dir=given.data_dir,
        verify=not given.no_verify,
        out=given.out,
        resume=given.resume,
        report=given.report,
        figures=given.figures,
        article=given.article,
        list_arms=given.list_arms,
        bill=given.bill,
        full=given.full,
        part=given.part,
        json=given.json,
        quick=given.quick,
        quiet=given.quiet,
        arguments=tuple(arguments),
        preset_unchanged=not set(changes) - {"evaluate"} and given.dataset == "mnist",
    )


def arms_text() -> str:
    """Return what --list-arms prints: the arms by what they are for, a sentence each, in 80 columns."""
    compared = StudySettings().arms
    groups = {
        "compared by default": compared,
        "explanatory controls: may show what a saving of the averages comes from": EXPLANATORY,
        "descriptive: what becomes of the saving": [name for name in ARMS if name not in (*compared, *EXPLANATORY)],
    }
    width = max(map(len, ARMS)) + 4
    lines: list[str] = []
    for title, names in groups.items():
        lines += ["", f"{title}:"] if lines else [f"{title}:"]
        for name in names:
            head = f"  {name}".ljust(width)
            lines.append(textwrap.fill(ARMS[name], 80, initial_indent=head, subsequent_indent=" " * width))
    return "\n".join(lines)


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _changes(given: argparse.Namespace) -> dict[str, Any]:
    """What the command line changes in the preset."""
    fields = (
        "activation initializer optimizer learning_rate batch_size pretrain_epochs pretrain_target target stop_on "
        "max_steps evaluate"
    )
    changes = {name: getattr(given, name) for name in fields.split() if getattr(given, name) is not None}
    if "pretrain_epochs" in changes and "pretrain_target" in changes:
        raise ConfigError("--pretrain-target: goes with no --pretrain-epochs; give one of them")
    if given.hidden is not None:
        changes["hidden_layer_sizes"] = _hidden(given.hidden)
    if given.figures is not None and given.report is None and not given.full and given.part is None:
        if changes.get("evaluate") == "decide":
            raise ConfigError("--figures: needs whole curves, and --evaluate decide has none; leave it out")
        changes["evaluate"] = "full"
    return changes


def _hidden(given: str) -> tuple[int, ...]:
    """Units of each hidden layer; "none" is softmax regression."""
    if given == "none":
        return ()
    try:
        return tuple(int(size) for size in given.split(","))
    except ValueError:
        raise ConfigError(f"--hidden {given}: must be none or whole numbers, like 128 or 128,64") from None


def _require_closed_form(config: RunConfig, settings: StudySettings) -> None:
    """Refuse the closed form where the network cannot hold it."""
    fits = len(config.hidden_layer_sizes) == 1 and config.hidden_layer_sizes[0] >= 10 and config.activation == "relu"
    if "closed-form" in settings.arms and not fits:
        raise ConfigError("--arms closed-form: needs one hidden layer, of relu, with a unit for every class")


def _require_protocol(given: argparse.Namespace, changes: dict[str, Any]) -> None:
    """Refuse what would change the whole study: it is the registered one or none."""
    name = "--full" if given.full else "--part"
    if given.full and given.part is not None:
        raise ConfigError("--part: goes with no --full; give one of them")
    for option, default in (("preset", "article"), ("dataset", "mnist"), ("seeds", None), ("first_seed", 0)):
        if getattr(given, option) != default:
            raise ConfigError(f"--{option.replace('_', '-')}: {name} runs the registered study as it stands")
    if changes or given.arms != "scratch,class-means" or given.quick or given.report is not None:
        changed = next(iter(changes), "arms" if given.arms != "scratch,class-means" else "quick or --report")
        raise ConfigError(f"--{changed.replace('_', '-')}: {name} runs the registered study as it stands")
    if given.no_verify:
        raise ConfigError(f"--no-verify: {name} runs the registered study, on the registered data")
    if given.bill:
        raise ConfigError(f"--bill: {name} has a report of its own, always whole")
    if given.part is not None and given.figures is not None:
        raise ConfigError("--figures: go with --full, or with --report FOLDER")


def _arms(given: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    for name in names:
        if name not in ARMS:
            raise unknown("arms", name, list(ARMS), " (--list-arms)")
    return names

"""The command line: what it can be asked to do, its options, what the text beside them may look like, their help.

`parse` returns an `Options` or raises `ConfigError`; nothing is read, run or printed here but --help and --version. An
option that would change nothing is refused by its name: nobody gets the answer to another question than was asked.
What a value may be is `config`'s matter.
"""

from __future__ import annotations

import argparse
import difflib
import math
import os
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .._version import __version__
from ..files import path_name
from ..kernels import fast_kernels
from ..places import KNOWN_SETS
from .config import (
    ACTIVATIONS,
    ARMS,
    DECAY,
    EVALUATE,
    EXECUTORS,
    EXPLANATORY,
    INITIALIZERS,
    INPUTS,
    OPTIMIZERS,
    PRESETS,
    STOP_ON,
    ConfigError,
    PairSettings,
    RunConfig,
    available_cores,
    preset_config,
    unknown,
)

_QUICK_PAIRS = 2
_DIGITS = 19  # of a whole number; the largest that any option takes, 2^62, has as many
_SHOWN = 40  # characters of a text that cannot be

_EXAMPLES = """\
examples:
  nnlite                                    the answer: 20 pairs on MNIST
  nnlite --article                          the article's own arithmetic
  nnlite --seeds 100 --out runs.jsonl       many pairs, kept; --resume goes on
  nnlite --learning-rate 2e-3 --quick       change one thing, look quickly
  nnlite compare "" "--learning-rate 2e-3"  two settings, seed by seed
  nnlite train, predict, draw               networks and digits of your own; each has --help

exit status: 0 ran, 1 a run failed, 2 usage, 3 data, 130/143 interrupted"""


@dataclass(frozen=True)
class Mode:
    """One thing that the command does."""

    name: str  # how a command line asks for it
    why: str  # that nothing else goes with it
    options: frozenset[str]  # that go with it, its own included


def _mode(name: str, why: str, options: str) -> Mode:
    return Mode(name, why, frozenset(f"--{option}" for option in f"{options} quiet".split()))


_DATA = "dataset data-dir no-verify"

RUN = _mode(
    "a run",
    "which trains",
    f"{_DATA} preset seeds first-seed arms pretrain-epochs pretrain-target target stop-on max-steps evaluate hidden "
    "activation initializer inputs optimizer learning-rate decay pretrain-rate-factor closed-form-gain batch-size "
    "out resume figures html bill json quick workers executor",
)
LIST_ARMS = _mode("--list-arms", "which only lists them", "list-arms json")
ARTICLE = _mode("--article", "which recomputes the article's own numbers", "article json")
REPORT = _mode("--report FILE", "which reports runs as they were made", f"report bill json html {_DATA}")
REPORT_FIGURES = _mode("--report FILE --figures", REPORT.why, f"report bill json figures html {_DATA}")

_ONE_OF = (("--pretrain-target", "--pretrain-epochs"), ("--bill", "--json"))
"""Options of which only one has a meaning."""


def mode_of(given: Mapping[str, Any]) -> Mode:
    """Return what a command line asks for.

    Parameters
    ----------
    given : mapping of str
        The options that were given, as `--option`, with their values.

    Raises
    ------
    ConfigError
        An option that does not go with it, or with another one.
    """
    mode = _asked(given)
    for option in given:
        if option not in mode.options:
            raise ConfigError(f"{option}: goes with no {mode.name}, {mode.why}")
    for option, other in _ONE_OF:
        if option in given and other in given:
            raise ConfigError(f"{option}: goes with no {other}; give one of them")
    if mode is RUN and "--resume" in given and "--out" not in given:
        raise ConfigError("--resume: needs --out FILE, the file to go on with")
    return mode


def _asked(given: Mapping[str, Any]) -> Mode:
    for mode in (LIST_ARMS, ARTICLE):
        if mode.name in given:
            return mode
    if "--report" not in given:
        return RUN
    folder = given["--report"]
    if os.path.isdir(folder):
        raise ConfigError(f"--report {folder}: a folder; a study's is reported by python -m nnlite.study report")
    return REPORT_FIGURES if "--figures" in given else REPORT


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    mode: Mode
    config: RunConfig
    settings: PairSettings
    dataset: str
    data_dir: str | None
    verify: bool
    out: str | None
    resume: bool
    report: str | None
    figures: str | None
    html: str | None
    bill: bool
    json: bool
    quick: bool
    quiet: bool
    arguments: tuple[str, ...]  # as given, to tell how to go on
    preset_unchanged: bool  # the preset as it stands, on its own data set


def read_name(option: str, text: str) -> str:
    """Return the text; ConfigError if it is empty or holds what no name can."""
    if not text.strip():
        raise ConfigError(f"{option} '{_short(text)}': must not be empty; leave the option out, or say which")
    if "\0" in text:
        raise ConfigError(f"{option} {text[:_SHOWN]!r}: must not hold a null character")
    return text


def read_path(option: str, text: str) -> str:
    """Return the path as nnlite reads every path; a shell leaves the ~ of --out=~/runs to it."""
    return path_name(read_name(option, text))


def read_whole(option: str, text: str) -> int:
    """Return the whole number: digits 0 to 9 and perhaps a sign, nothing else that int() would take."""
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ConfigError(f"{option} {_short(text)}: must be a whole number{_found(text)}")
    if len(text.lstrip("+-").lstrip("0")) > _DIGITS:
        raise ConfigError(f"{option} {_short(text)}: must be a whole number of at most {_DIGITS} digits")
    return int(text)


def read_number(option: str, text: str) -> float:
    """Return the number: digits 0 to 9, perhaps a sign, a point and an exponent; finite, and 0 only if it says so."""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise ConfigError(f"{option} {_short(text)}: must be a number, like 0.5 or 1e-3{_found(text)}")
    value = float(text)
    if math.isinf(value) or (value == 0 and re.search("[1-9]", re.split("[eE]", text)[0])):
        size = "large" if value else "small"
        raise ConfigError(f"{option} {_short(text)}: too {size} for a number of this machine")
    return value


def read_units(option: str, text: str) -> tuple[int, ...]:
    """Return the units of each hidden layer; "none" is softmax regression."""
    if read_name(option, text) == "none":
        return ()
    try:
        return tuple(read_whole(option, size) for size in text.split(","))
    except ConfigError as error:
        message = f"{option} {_short(text)}: must be none or whole numbers, like 128 or 128,64"
        raise ConfigError(message) from error


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _found(text: str) -> str:
    """Say what is wrong where it is hard to see."""
    if not text.isascii():
        return ", in the digits 0 to 9"
    return "; it has a space in it" if text.strip() and re.search(r"\s", text) else ""


class _Parser(argparse.ArgumentParser):
    """argparse, with messages in the form of all others: the option, what was given, what may be."""

    def error(self, message: str) -> NoReturn:
        stray = re.fullmatch(r"unrecognized arguments: (\S*).*", message, re.DOTALL)
        if stray:
            close = difflib.get_close_matches(stray[1], self._option_string_actions, n=1)
            kind = "option" if stray[1].startswith("-") else "word; every value needs its option"
            raise ConfigError(f"{stray[1] or repr('')}: unknown {kind}{f'; did you mean {close[0]}?' if close else ''}")
        raise ConfigError(message.removeprefix("argument "))


class _Value(argparse.Action):
    """Keep an option's value as `read` understands it."""

    def __init__(self, *, read: Callable[[str, str], Any] = read_name, **settings: Any) -> None:
        super().__init__(**settings)
        self.read = read

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        text = value if isinstance(value, str) else "--"  # which argparse before Python 3.13 takes away, in --seeds=--
        setattr(namespace, self.dest, self.read(self.option_strings[0], text))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        argument_default=argparse.SUPPRESS,  # what was not given is not there
        prog="nnlite",
        usage="nnlite [options]        (also: python -m nnlite.experiment)",
        description="Does pretraining on the average image of each class save training? Run it, count every\n"
        "operation, say how far the claim of 30% holds.",
        epilog=_EXAMPLES,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=27, width=100),
        add_help=False,
        allow_abbrev=False,
    )

    def add(option: str, **settings: Any) -> None:
        group.add_argument(option, **{"action": _Value, **settings})

    group = parser.add_argument_group("experiment")
    add("--preset", metavar="NAME", help=f"{', '.join(PRESETS)} (article)")
    add("--dataset", read=read_path, metavar="NAME", help="mnist, fashion-mnist, or a folder of IDX files (mnist)")
    add("--data-dir", read=read_path, metavar="DIR", help="where data sets are looked for (NNLITE_DATA, ./data, ...)")
    add("--no-verify", action="store_true", help="accept files that are not the known data set's")
    add("--seeds", read=read_whole, metavar="N", help="pairs of runs (20)")
    add("--first-seed", read=read_whole, metavar="S", help="seeds are S .. S+N-1 (0)")
    add("--arms", metavar="A,B", help="what is compared (scratch,class-means)")
    add("--list-arms", action="store_true", help="a sentence on each arm")
    add("--pretrain-epochs", read=read_whole, metavar="N", help="passes over the averages in phase 1 (28)")
    add("--pretrain-rate-factor", read=read_number, metavar="X", help="learning rate of phase 1, times the other (1)")
    add("--closed-form-gain", read=read_number, metavar="X", help="output weight of the closed-form start (8)")
    add("--pretrain-target", read=read_number, metavar="SHARE", help="end phase 1 at this accuracy instead, 0 to 1")
    add("--target", read=read_number, metavar="SHARE", help="accuracy that ends a run, 0 to 1 (0.90)")
    add("--stop-on", metavar="SET", help=f"whose accuracy: {' or '.join(STOP_ON)} (test)")
    add("--max-steps", read=read_whole, metavar="N", help="steps after which a run is a miss (2000)")
    add(
        "--evaluate", metavar="HOW", help=f"{EVALUATE[0]}: stop at the hit; {EVALUATE[1]}: curves to max-steps (decide)"
    )
    group = parser.add_argument_group("network")
    add("--hidden", read=read_units, metavar="N[,N]", help="units of each hidden layer, or none (128)")
    add("--activation", metavar="NAME", help=f"{', '.join(ACTIVATIONS)} (relu)")
    add("--initializer", metavar="NAME", help=f"{', '.join(INITIALIZERS)} (fan_in_uniform)")
    add("--inputs", metavar="HOW", help=f"pixels: {', '.join(INPUTS)} (unit: 0 to 1)")
    add("--optimizer", metavar="NAME", help=f"{', '.join(OPTIMIZERS)} (adam)")
    add("--learning-rate", read=read_number, metavar="X", help="of both phases (1e-3)")
    add("--decay", metavar="HOW", help=f"of the learning rate over max-steps: {' or '.join(DECAY)} (constant)")
    add("--batch-size", read=read_whole, metavar="N", help="images a step (64)")
    group = parser.add_argument_group("output")
    add("--out", read=read_path, metavar="FILE", help="keep a JSON line for every run")
    add("--resume", action="store_true", help="carry out only what FILE of --out lacks")
    add(
        "--report",
        read=read_path,
        metavar="FILE",
        help="report kept runs again, without training",
    )
    add(
        "--figures",
        read=read_path,
        metavar="DIR",
        help="pictures (extra: plot); without --report implies --evaluate full",
    )
    add("--html", read=read_path, metavar="FILE", help="also one page of all of it, with a digit to draw")
    add("--article", action="store_true", help="the article's accounting alone, recomputed")
    add("--bill", action="store_true", help="also the whole bill, and the saving under every cost model")
    add("--json", action="store_true", help="one JSON object instead of the table")
    add("--quick", action="store_true", help=f"{_QUICK_PAIRS} pairs unless --seeds says otherwise, no verdict")
    add("--workers", read=read_whole, metavar="N", help="runs at a time (number of cores)")
    add("--executor", metavar="HOW", help=f"{' or '.join(EXECUTORS)} (threads)")
    add("--quiet", action="store_true", help="no progress on stderr")
    group.add_argument("--version", action="version", version=f"nnlite {__version__}", help="print the version")
    group.add_argument("--help", "-h", action="help", help="print this")
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
    given = {f"--{name.replace('_', '-')}": value for name, value in vars(_parser().parse_args(arguments)).items()}
    try:
        fast_kernels()
    except ValueError as error:
        raise ConfigError(str(error)) from error
    mode = mode_of(given)
    dataset = given.get("--dataset", "mnist")
    if "--data-dir" in given and dataset not in KNOWN_SETS and os.path.isdir(dataset):
        raise ConfigError(f"--data-dir: known data sets are looked for there; --dataset {dataset} is a folder itself")
    changes = _changes(mode, given)
    config = preset_config(given.get("--preset", "article"), changes)
    defaults = PairSettings()
    settings = PairSettings(
        arms=_arms(given["--arms"]) if "--arms" in given else defaults.arms,
        seeds=given.get("--seeds", _QUICK_PAIRS if "--quick" in given else defaults.seeds),
        first_seed=given.get("--first-seed", defaults.first_seed),
        workers=given.get("--workers", available_cores()),
        executor=given.get("--executor", defaults.executor),
    )
    _require_closed_form(config, settings)
    if "--closed-form-gain" in given and not any(arm.startswith("closed-form") for arm in settings.arms):
        raise ConfigError("--closed-form-gain: goes with an arm that starts so, like --arms scratch,closed-form")
    return Options(
        mode=mode,
        config=config,
        settings=settings,
        dataset=dataset,
        data_dir=given.get("--data-dir"),
        verify="--no-verify" not in given,
        out=given.get("--out"),
        resume="--resume" in given,
        report=given.get("--report"),
        figures=given.get("--figures"),
        html=given.get("--html"),
        bill="--bill" in given,
        json="--json" in given,
        quick="--quick" in given,
        quiet="--quiet" in given,
        arguments=tuple(arguments),
        preset_unchanged=not set(changes) - {"evaluate"} and dataset == "mnist",
    )


def arm_groups() -> dict[str, list[str]]:
    """Return the arms by what they are for."""
    compared = PairSettings().arms
    return {
        "compared by default": list(compared),
        "explanatory controls: may show what a saving of the averages comes from": list(EXPLANATORY),
        "descriptive: what becomes of the saving": [name for name in ARMS if name not in (*compared, *EXPLANATORY)],
    }


def arms_text() -> str:
    """Return what --list-arms prints: the arms by what they are for, a sentence each, in 80 columns."""
    width = max(map(len, ARMS)) + 4
    lines: list[str] = []
    for title, names in arm_groups().items():
        lines += ["", f"{title}:"] if lines else [f"{title}:"]
        for name in names:
            head = f"  {name}".ljust(width)
            lines.append(textwrap.fill(ARMS[name], 80, initial_indent=head, subsequent_indent=" " * width))
    return "\n".join(lines)


def arms_json() -> dict[str, dict[str, str]]:
    """Return what --list-arms --json prints: arm -> what it is for, and its sentence."""
    return {
        name: {"group": title.split(":")[0], "sentence": ARMS[name]}
        for title, names in arm_groups().items()
        for name in names
    }


def _changes(mode: Mode, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the command line changes in the preset."""
    options = {name: f"--{name.replace('_', '-')}" for name in RunConfig.__dataclass_fields__ if name != "preset"}
    changes = {name: given[option] for name, option in options.items() if option in given}
    if "--hidden" in given:
        changes["hidden_layer_sizes"] = given["--hidden"]
    if mode is RUN and "--figures" in given:
        if changes.get("evaluate") == "decide":
            raise ConfigError("--figures: needs whole curves, and --evaluate decide has none; leave it out")
        changes["evaluate"] = "full"
    return changes


def _require_closed_form(config: RunConfig, settings: PairSettings) -> None:
    """Refuse the closed form where no data set could make the network hold it; units for its classes: `run`."""
    fits = len(config.hidden_layer_sizes) == 1 and config.activation == "relu"
    for arm in settings.arms:
        if arm.startswith("closed-form") and not fits:
            raise ConfigError(f"--arms {arm}: needs one hidden layer, of relu")


def _arms(given: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    for name in names:
        if name not in ARMS:
            raise unknown("arms", name, list(ARMS), " (--list-arms)")
    return names

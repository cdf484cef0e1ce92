"""`python -m nnlite.study list | run [PART] | report`: the registered study, run in parts, and what it found.

stdout is the result, stderr is progress; exit statuses are those of `nnlite`. No arithmetic of any kind.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from .. import program
from ..experiment.config import EXECUTORS, ConfigError, PairSettings, available_cores
from ..experiment.drawing import plain_style, require_matplotlib
from ..experiment.exits import OK, Interrupted, answered, leave, noted_signals, require_page
from ..experiment.options import read_whole
from ..experiment.progress import Progress
from ..files import path_name, replacing
from .parts import Work, blocks_of, data_of, is_done, minutes_of, run_parts
from .protocol import Block
from .second_protocol import ALL_PARTS

if TYPE_CHECKING:
    from .runs import Study

COMMAND = "python -m nnlite.study"
REGISTERED = os.path.join("data", "runs")  # the kept records, in a clone; one's own runs go before them
_REPEAT = 60.0  # seconds between two lines of progress where there is no terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    return program.carry_out(COMMAND, lambda: answered(COMMAND, lambda: _answer(given)))


def _answer(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    status: int = options.do(options, arguments)
    return status


def _parser() -> argparse.ArgumentParser:
    words = "The registered study, in parts, and what it found."
    parser = argparse.ArgumentParser(prog=COMMAND, description=words, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="list | run | report")
    add = partial(commands.add_parser, allow_abbrev=False)
    listing = add("list", help="name the parts, and how many runs and minutes each takes")
    listing.set_defaults(do=_list)
    running = add("run", help="run what is missing; stop whenever you like, it goes on")
    running.add_argument("part", nargs="?", metavar="PART", choices=[part.name for part in ALL_PARTS], help="one alone")
    running.add_argument(
        "--data-dir", type=_path, metavar="DIR", help="where data sets are looked for (NNLITE_DATA, ./data, ...)"
    )
    running.add_argument("--executor", default="threads", metavar="HOW", help=f"{' or '.join(EXECUTORS)} (threads)")
    running.set_defaults(do=_run)
    for command in (listing, running):
        command.add_argument("--workers", type=_workers, default=available_cores(), metavar="N", help="runs at a time")
    reporting = add("report", help="say what the finished parts found, without training")
    reporting.add_argument("--json", action="store_true", help="one JSON object of all facts instead of the text")
    reporting.add_argument(
        "--figures", type=_path, metavar="DIR", help="draw the pictures (extra: plot); with --write beside FOLDER"
    )
    reporting.add_argument("--write", action="store_true", help="write README.md and details.md beside the records")
    reporting.add_argument("--html", type=_path, metavar="FILE", help="one page for a browser (extra: html)")
    reporting.add_argument("--readme", type=_path, metavar="FILE", help="put the headline where FILE has its place")
    reporting.set_defaults(do=_report)
    running.add_argument("--runs", type=_path, default="runs", metavar="FOLDER", help="of the parts' records (runs)")
    own = any(is_done("runs", part.name) for part in ALL_PARTS)  # an unfinished study hides no finished one
    kept = "runs" if own or not os.path.isdir(REGISTERED) else REGISTERED
    reporting.add_argument("--runs", type=_path, default=kept, metavar="FOLDER", help=f"of the parts' records ({kept})")
    for command in (running, reporting):
        command.add_argument("--quiet", action="store_true", help="no progress on stderr")
    return parser


def _workers(text: str) -> int:
    try:
        return PairSettings(workers=read_whole("--workers", text)).workers
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("--workers ")) from error


def _path(text: str) -> str:
    try:
        return path_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _list(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    print(f"part         runs  min on {options.workers} cores")
    for part in ALL_PARTS:
        blocks, minutes = blocks_of(part), minutes_of(part, options.workers)
        ahead = "   -    -" if blocks is None or minutes is None else f"{_n_runs(blocks):4d}  {minutes:3.0f}"
        mark = "*" if data_of(part) != ["mnist"] else ""
        print(f"{part.name + mark:12s} {ahead}  {part.sentence}")
    print("-: what other parts find decides what it runs. *: needs Fashion-MNIST too, which")
    print("nnlite-data fashion-mnist downloads; all others need MNIST alone.")
    return OK


def _n_runs(blocks: Sequence[Block]) -> int:
    return sum(len(block.runs()) for block in blocks)


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from ..datasets import load_dataset

    settings = PairSettings(workers=options.workers, executor=options.executor)
    parts = [part for part in ALL_PARTS if options.part in (None, part.name)]
    progress = Progress(sys.stderr, options.quiet, repeat=_REPEAT)
    load = partial(load_dataset, data_dir=options.data_dir)
    with noted_signals() as signals:
        try:
            run_parts(parts, options.runs, Work(load, (settings.executor, settings.workers), signals, progress))
        except Interrupted as interruption:
            progress.clear()
            print(f"nnlite: interrupted; to go on: {COMMAND} {shlex.join(arguments)}", file=sys.stderr)
            return leave(interruption)
    return OK


def _report(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print what was found, and write the pages and pictures that were asked for."""
    folder = options.figures
    if options.write and folder is None:
        folder = os.path.normpath(os.path.join(options.runs, "..", "figures"))
    if folder is not None:
        require_matplotlib("--figures")
    if options.html is not None:
        _require_html(options.html)
    from . import page
    from .runs import Study

    # The wait is worth a line to someone who looks at it, and none in a log.
    progress = Progress(sys.stderr, quiet=options.quiet or not sys.stderr.isatty())
    try:
        study = Study.read(options.runs, lambda line: progress.show(line.split()[0], line))
        gc.freeze()  # millions of numbers that stay to the end: to look at them for cycles takes half a second
        printed = json.dumps(page.facts(study), indent=2, allow_nan=False) if options.json else page.text(study)
    finally:
        progress.clear()
    told = Progress(sys.stderr, options.quiet)
    for name, text in _pages(options, study, folder, told).items():
        with replacing(name) as file:
            file.write(text.encode())
        told.line(f"page: {name}")
    print(printed)
    return OK


def _require_html(path: str) -> None:
    """Raise where the page of `--html` cannot be made, before all is read that it is to tell."""
    require_page(path)
    require_matplotlib("--html")
    if find_spec("markdown_it") is None:
        raise ConfigError("--html: needs markdown-it-py: python -m pip install markdown-it-py")


def _pages(options: argparse.Namespace, study: Study, folder: str | None, told: Progress) -> dict[str, str]:
    """Draw the pictures into their folder, and write the pages that were asked for, by the names of their files."""
    from . import figures, page

    drawn = figures.draw_all(folder, study) if folder is not None else []
    for path in drawn:
        told.line(f"figure: {path}")
    written = {}
    if options.write:
        shown = {path.stem: Path(os.path.relpath(path, options.runs)).as_posix() for path in drawn}
        written = {os.path.join(options.runs, name): text for name, text in page.pages(study, shown).items()}
    if options.readme is not None:
        written[options.readme] = page.with_headline(options.readme, study)
    if options.html is not None:
        with plain_style():
            written[options.html] = page.html(study, options.runs, dict(figures.figures(study)))
    return written


if __name__ == "__main__":
    program.end(main())

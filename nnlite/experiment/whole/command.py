"""What `nnlite --full`, `--part NAME` and `--report FOLDER` do: options -> parts -> findings -> text. No arithmetic.

Like `__main__` it prints the result on stdout and all else on stderr.
"""

from __future__ import annotations

import json
import shlex
import sys

from ..exits import FAILED_RUN, OK, Exit, Interrupted, leave, noted_signals
from ..modes import FULL, LIST_PARTS
from ..options import Options
from ..progress import Progress
from .carry_out import Load, chosen, part_list, run_parts

_REPEAT = 60.0  # seconds between two lines of progress where there is no terminal


def carry_out_parts(options: Options, load: Load) -> int:
    """Carry out the whole study or a part of it, and return the exit status; the whole ends with its report."""
    if options.mode is LIST_PARTS:
        print(part_list(options.settings.workers))
        return OK
    progress, folder = Progress(sys.stderr, options.quiet, repeat=_REPEAT), options.out or "runs"
    settings = options.settings
    with noted_signals() as signals:
        try:
            run_parts(chosen(options.part), folder, load, (settings.executor, settings.workers), signals, progress)
        except Interrupted as interruption:
            progress.clear()
            print(f"nnlite: interrupted; to go on: nnlite {shlex.join(options.arguments)}", file=sys.stderr)
            return leave(interruption)
    return print_found(options, folder) if options.mode is FULL else OK


def print_found(options: Options, folder: str) -> int:
    """Draw the figures of the whole study if they are wanted, and print what it found; return the exit status."""
    from ...study.page import facts, text
    from ...study.runs import Study

    # The wait is worth a line to someone who looks at it, and none in a log.
    progress = Progress(sys.stderr, quiet=options.quiet or not sys.stderr.isatty())
    try:
        study = Study.read(folder, lambda line: progress.show(line.split()[0], line))
        printed = json.dumps(facts(study), indent=2, allow_nan=False) if options.json else text(study)
    finally:
        progress.clear()
    if options.figures is not None:
        from ...study.figures import draw_all

        try:
            for path in draw_all(options.figures, study):
                if not options.quiet:
                    print(f"figure: {path}", file=sys.stderr)
        except OSError as error:
            raise Exit(f"{options.figures}: {error.strerror or error}", FAILED_RUN) from error
    print(printed)
    return OK

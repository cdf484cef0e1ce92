"""`python -m nnlite.experiment`, also installed as `nnlite`: options -> study -> report. No arithmetic of any kind.

stdout is the result, stderr is progress. Exit status: 0 ran (misses and divergence are results), 1 a run could not be
carried out, 2 usage, 3 data missing or damaged, 130 and 143 interrupted.
"""

from __future__ import annotations

import sys

try:  # Ctrl-C in the first half second, while this is imported, leaves nothing to say
    import json
    import shlex
    from collections.abc import Mapping, Sequence
    from functools import partial
    from typing import TYPE_CHECKING

    from .. import program
    from . import article
    from .exits import FAILED_RUN, OK, Interrupted, answered, leave, noted_signals, reading, require_page, stop_if_noted
    from .options import ARTICLE, LIST_ARMS, Options, arms_json, arms_text, parse
except KeyboardInterrupt:
    raise SystemExit(130) from None

if TYPE_CHECKING:
    from .api import Result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    work = partial(_compare, given[1:]) if given[:1] == ["compare"] else lambda: _run(parse(given))
    return program.carry_out("nnlite", lambda: answered("nnlite", work))


def _run(options: Options) -> int:
    if options.mode is LIST_ARMS:
        print(json.dumps(arms_json(), indent=2) if options.json else arms_text())
        return OK
    if options.mode is ARTICLE:
        print(json.dumps(article.accounting(), indent=2) if options.json else article.accounting_text())
        return OK
    if options.figures is not None:  # before hours of runs, not after them
        from . import drawing, figures

        drawing.require_matplotlib("--figures")
        figures.make_folder(options.figures)
    if options.html is not None:
        require_page(options.html, options.out or options.report)
    return _study(options) if options.report is None else _report(options, options.report)


def _report(options: Options, path: str) -> int:
    """Report kept records without training."""
    from . import api

    with reading():
        result = api.read_records(path)
    _print(options, result, beside={})
    return OK


def _study(options: Options) -> int:
    """Run what is missing, keep it, report all."""
    from . import api
    from .progress import Progress
    from .records import FAILED, RunRecord
    from .report import registered

    progress, records = Progress(sys.stderr, options.quiet), list[RunRecord]()
    with noted_signals() as signals:
        try:
            api.carry_out(options, records, progress, partial(stop_if_noted, signals, options.settings.executor))
        except Interrupted as interruption:
            progress.clear()
            _tell_interrupted(options, api.Result(records, judged=False) if records else None)
            return leave(interruption)
    progress.clear()
    beside = registered(options.config.preset) if options.preset_unchanged else {}
    _print(options, api.Result(records, judged=not options.quick), beside)
    return FAILED_RUN if any(record.status == FAILED for record in records) else OK


def _compare(arguments: Sequence[str]) -> int:
    """Train two settings and print what the second saves."""
    from .compare import HELP, carry_out_both, parse_both
    from .progress import Progress

    if not {"-h", "--help"}.isdisjoint(arguments):
        print(HELP)
        return OK
    names, both = parse_both(arguments)
    with noted_signals() as signals:
        try:
            watch = partial(stop_if_noted, signals, both[0].settings.executor)
            found = carry_out_both(names, both, Progress(sys.stderr, both[0].quiet), watch)
        except Interrupted as interruption:
            print("nnlite: interrupted; a comparison keeps nothing", file=sys.stderr)
            return leave(interruption)
    print(json.dumps(found.to_json(), indent=2, allow_nan=False) if both[0].json else found)
    return FAILED_RUN if any(result.summary.n_failed for result in found.results) else OK


def _print(options: Options, result: Result, beside: Mapping[str, str]) -> None:
    """Print the result on stdout, then draw the figures and write the page."""
    from . import report

    if options.json:
        print(json.dumps(result.to_json(), indent=2, allow_nan=False))
    else:
        print(report.report(result.summary, beside))
        if options.bill:
            print(f"\n{report.sensitivity_table(result.summary)}\n\n{report.bill(result.summary)}")
    if options.figures is not None:
        from . import api, figures

        for path in figures.draw_all(options.figures, result.records, lambda: api.load(options)):
            if not options.quiet:
                print(f"figure: {path}", file=sys.stderr)
    if options.html is not None:
        _write_page(options, options.html, result)


def _write_page(options: Options, path: str, result: Result) -> None:
    """Write the page of all that was found."""
    from ..files import replacing
    from ..page.experiment import experiment_page
    from . import api

    page = experiment_page(result.summary, result.records, lambda: api.load(options))
    with replacing(path) as file:
        file.write(page.encode())
    if not options.quiet:
        print(f"page: {path}", file=sys.stderr)


def _tell_interrupted(options: Options, result: Result | None) -> None:
    """Print what was finished, and how to go on."""
    from .report import report

    if result is not None and not options.json:
        found = result.summary
        print(report(found, interrupted=f"interrupted, {found.n_pairs} of {options.settings.seeds} pairs"))
    print(f"nnlite: interrupted; {_resume_line(options)}", file=sys.stderr)


def _resume_line(options: Options) -> str:
    if options.out is None:
        return "nothing was kept; --out FILE keeps every finished run"
    given = [word for word in options.arguments if word != "--resume"]
    return f"to go on: nnlite {shlex.join([*given, '--resume'])}"


if __name__ == "__main__":
    program.end(main())

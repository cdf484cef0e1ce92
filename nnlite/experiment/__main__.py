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
    from concurrent.futures import ThreadPoolExecutor
    from typing import TYPE_CHECKING

    from .. import program
    from . import article
    from .exits import DATA, FAILED_RUN, OK, Exit, Interrupted, answered, leave, noted_signals, reading
    from .keeping import run_and_keep
    from .options import ARTICLE, LIST_ARMS, Options, arms_json, arms_text, parse
    from .progress import Progress
    from .records import FAILED, holding, prepare_to_append, read_pairs, require_same
except KeyboardInterrupt:
    raise SystemExit(130) from None

if TYPE_CHECKING:
    from ..datasets import Dataset
    from .records import RunRecord
    from .report import Summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    return program.carry_out("nnlite", lambda: answered("nnlite", lambda: _run(parse(given))))


def _run(options: Options) -> int:
    if options.mode is LIST_ARMS:
        print(json.dumps(arms_json(), indent=2) if options.json else arms_text())
        return OK
    if options.mode is ARTICLE:
        print(json.dumps(article.accounting(), indent=2) if options.json else article.accounting_text())
        return OK
    if options.figures is not None:  # before hours of runs, not after them
        from . import drawing, figures

        drawing.require_matplotlib()
        figures.make_folder(options.figures)
    if options.report is not None:
        return _report(options, options.report)
    progress, held_back = Progress(sys.stderr, options.quiet), list[str]()
    with holding(options.out, options.resume, held_back.append) as kept:  # nobody else adds to the file meanwhile
        if held_back:
            progress.line(f"{options.out}: holds {' and '.join(held_back)}; what they lack is carried out again")
        return _study(options, kept, progress)


def _report(options: Options, path: str) -> int:
    """Report kept records without training."""
    left_out: list[str] = []
    with reading():
        records = read_pairs(path, left_out.append)
    if not records:
        left = f", left out: {'; '.join(left_out)}" if left_out else ""
        raise Exit(f"{path}: no finished run in it{left}", DATA)
    _print(options, records, beside={}, left_out=left_out)
    return OK


def _study(options: Options, kept: Sequence[RunRecord], progress: Progress) -> int:
    """Run what is missing, keep it, report all."""
    progress.show("data", f"reading {options.dataset}")
    with ThreadPoolExecutor(1) as pool:  # numba is imported while the data is unpacked: each takes a third of a second
        importing = pool.submit(_import_pool)
        dataset = _load(options)
    importing.result()
    for note in dataset.notes:
        progress.line(note)
    if options.out is not None:
        require_same(options.out, kept, options.config, dataset)
        if aside := prepare_to_append(options.out):
            progress.line(f"{options.out}: its last line was cut short; it is set aside in {aside}")
    progress.show("import", f"{dataset.name}: {len(dataset.train_labels)} training images; starting")
    records = list(kept)
    with noted_signals() as signals:
        try:
            _carry_out(options, dataset, records, progress, signals)
        except Interrupted as interruption:
            progress.clear()
            _report_interrupted(options, records)
            return leave(interruption)
    progress.clear()
    _print(options, records, beside=_registered(options))
    return FAILED_RUN if any(record.status == FAILED for record in records) else OK


def _import_pool() -> None:
    from . import pool  # noqa: F401


def _carry_out(
    options: Options, dataset: Dataset, records: list[RunRecord], progress: Progress, signals: list[int]
) -> None:
    """Carry out what is missing, pair by pair, and add it to the records."""
    from .report import pair_line, pair_of

    settings = options.settings
    of_seed: dict[int, list[RunRecord]] = {}
    for record in records:
        of_seed.setdefault(record.seed, []).append(record)
    n_done = sum(pair_of(runs) is not None for runs in of_seed.values())

    def note(record: RunRecord) -> None:
        nonlocal n_done
        records.append(record)
        of_seed.setdefault(record.seed, []).append(record)
        pair = pair_of(of_seed[record.seed])
        if pair is not None and record in pair:
            n_done += 1
            progress.line(pair_line(n_done, settings.seeds, *pair))

    finished = {(record.arm, record.seed) for record in records}
    runs = [(options.config, *run) for run in settings.runs() if run not in finished]
    workers = settings.executor, settings.workers
    run_and_keep(dataset, runs, workers, options.out, signals, progress.show_runs, note)


def _print(
    options: Options, records: Sequence[RunRecord], beside: Mapping[str, str], left_out: Sequence[str] = ()
) -> None:
    """Draw the figures, and print the result on stdout, with what was left out of it."""
    from . import report
    from .as_json import to_json

    if options.figures is not None:
        from . import figures

        for path in figures.draw_all(options.figures, records, lambda: _load(options)):
            if not options.quiet:
                print(f"figure: {path}", file=sys.stderr)
    found = report.Summary(records, with_verdict=not options.quick, left_out=left_out)
    if options.html is not None:
        _write_page(options, options.html, found, records)
    if options.json:
        print(json.dumps(to_json(found), indent=2, allow_nan=False))
    else:
        print(report.report(found, beside))
        if options.bill:
            print(f"\n{report.sensitivity_table(found)}\n\n{report.bill(found)}")


def _write_page(options: Options, path: str, found: Summary, records: Sequence[RunRecord]) -> None:
    """Write the page of all that was found."""
    from ..files import replacing
    from ..page.experiment import experiment_page

    page = experiment_page(found, records, lambda: _load(options))
    with replacing(path) as file:
        file.write(page.encode())
    if not options.quiet:
        print(f"page: {path}", file=sys.stderr)


def _report_interrupted(options: Options, records: Sequence[RunRecord]) -> None:
    """Print what was finished, and how to go on."""
    from . import report

    if records and not options.json:
        found = report.Summary(records, with_verdict=False)
        print(report.report(found, interrupted=f"interrupted, {found.n_pairs} of {options.settings.seeds} pairs"))
    print(f"nnlite: interrupted; {_resume_line(options)}", file=sys.stderr)


def _resume_line(options: Options) -> str:
    if options.out is None:
        return "nothing was kept; --out FILE keeps every finished run"
    given = [word for word in options.arguments if word != "--resume"]
    return f"to go on: nnlite {shlex.join([*given, '--resume'])}"


def _load(options: Options) -> Dataset:
    from ..datasets import load_dataset

    with reading():
        return load_dataset(options.dataset, options.data_dir, options.verify)


def _registered(options: Options) -> Mapping[str, str]:
    from .registered import registered

    return registered(options.config.preset) if options.preset_unchanged else {}


if __name__ == "__main__":
    sys.exit(main())

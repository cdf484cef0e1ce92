"""The experiment from Python: carry it out, read kept runs again, and what both give; the command is written over it.

Place in the data path: options -> what a file lacks -> `pool` -> records -> `Result`. It knows no arithmetic and words
(`report`), and prints nothing but progress.
"""

from __future__ import annotations

import difflib
import html
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..datasets import Dataset, load_dataset
from ..flops import COST_MODELS
from .as_json import to_json
from .config import ConfigError
from .costs import WHOLE_BILL, spent_at_stop
from .exits import reading, require_numba
from .options import RUN, Options, parse
from .progress import Progress
from .records import RecordsError, RunRecord, holding, prepare_to_append, read_pairs, require_same
from .report import Summary, pair_line, pair_of, report

if TYPE_CHECKING:
    from pandas import DataFrame

    from .figures import Pictures
    from .pool import Status
    from .stats import Verdict

Watch = Callable[["Status | RunRecord"], None]
"""Is given where the runs are about every 0.1 s, and every record when it is done and kept; may raise to end it all."""

_ARGUMENTS = sorted(
    option[2:].replace("-", "_") for option in RUN.options - {"--bill", "--json", "--figures", "--html", "--quiet"}
)


class Result:
    """What the records of one study say. In a notebook it shows its table; `print(result)` writes it.

    Parameters
    ----------
    records : sequence of RunRecord
        At least one, all of one configuration; held by seed and arm.
    judged : bool
        False for a quick look, which has no verdict.
    left_out : sequence of str
        What was left out of the records already, in words.
    """

    def __init__(self, records: Sequence[RunRecord], judged: bool = True, left_out: Sequence[str] = ()) -> None:
        self.records = sorted(records, key=lambda record: (record.seed, record.arm))
        self._judged, self._left_out = judged, left_out

    @cached_property
    def summary(self) -> Summary:
        """The numbers: `headline`, `reductions`, `sensitivity`, `others` ... as `report.Summary` has them."""
        return Summary(self.records, self._judged, self._left_out)

    @property
    def verdict(self) -> Verdict | None:
        """The rule's word and its reason; None where nothing is judged."""
        return self.summary.verdict

    def to_frame(self) -> DataFrame:
        """Return a pandas DataFrame with a row for every run: arm, seed, how it ended, steps and costs up to its stop.

        Costs are operations under every model of `flops.COST_MODELS`, dense, phases data, pretrain and train.
        """
        from pandas import DataFrame

        told = ("arm", "seed", "status", "steps_to_target", "accuracy_after_pretrain", "accuracy_at_stop")
        return DataFrame(
            {name: getattr(record, name) for name in told}
            | {model: spent_at_stop(record, model, WHOLE_BILL) for model in COST_MODELS}
            | {"seconds": record.seconds.get("run")}
            for record in self.records
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `nnlite --json` prints."""
        return to_json(self.summary)

    def plot(self) -> Pictures:
        """Draw the saving of every pair and, of runs with `evaluate="full"`, accuracy against cost and phase 1.

        Returns
        -------
        Pictures
            A dict of matplotlib Figures by name, shown in a notebook as they are.
        """
        from .figures import draw

        return draw(self.records)

    def __str__(self) -> str:
        return report(self.summary)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.records)} records of {self.summary.dataset['name']}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def run_experiment(
    *,
    dataset: str | Dataset = "mnist",
    executor: Executor | str = "threads",
    progress: bool | Watch = True,
    **settings: Any,
) -> Result:
    """Train pairs of runs with and without pretraining on class averages, and say what was saved.

    Parameters
    ----------
    dataset : str or Dataset
        mnist, fashion-mnist, a folder of IDX files, or what `load_dataset` returned.
    executor : str or concurrent.futures.Executor
        "threads", "processes", "dask", "dask:ADDRESS", or an executor of one's own, which is never shut down: loky's,
        a dask client's `get_executor()`, mpi4py's. What its workers carry out when this is interrupted ends at its next
        step on dask; other workers cannot be told, and finish it.
    progress : bool or function
        True tells on stderr how far it is, on one line in a terminal and in a notebook. A function is given every
        `pool.Status` and every `RunRecord` instead, and may raise to end it all.
    **settings
        Every other option of `nnlite --help` that says what is run or kept, with _ for -: seeds, first_seed, arms,
        preset, pretrain_epochs, pretrain_target, target, stop_on, max_steps, evaluate, hidden, activation, initializer,
        optimizer, learning_rate, batch_size, workers, out, resume, quick ... Several values are a list.

    Returns
    -------
    Result
        Its records stay when it is interrupted, if `out` names a file for them.

    Raises
    ------
    TypeError
        An argument that does not exist; a data set, executor or progress of another kind.
    ConfigError
        A value that cannot be.
    DataError
        Data that cannot be read, or that no run can use.

    Examples
    --------
    result = nnlite.run_experiment(seeds=20, learning_rate=2e-3)
    result.verdict.word, result.summary.headline.interval

    # Under MPI: mpiexec -n 9 python -m mpi4py.futures script.py
    with mpi4py.futures.MPIPoolExecutor() as executor:
        result = nnlite.run_experiment(seeds=1000, executor=executor, out="runs.jsonl")
    """
    options = options_of("run_experiment", settings, dataset, executor)
    records: list[RunRecord] = []
    told, watch = followed(progress)
    carry_out(options, records, told, watch, dataset, executor)
    told.clear()
    return Result(records, judged=not options.quick)


def read_records(path: str | os.PathLike[str]) -> Result:
    """Read the finished runs of a file that `out` of `run_experiment`, or `nnlite --out`, has kept.

    Raises
    ------
    OSError
        The file cannot be read.
    RecordsError
        It is damaged, holds runs of more than one study, or none.
    """
    left_out: list[str] = []
    records = read_pairs(path, left_out.append)
    if not records:
        left = f", left out: {'; '.join(left_out)}" if left_out else ""
        raise RecordsError(f"{os.fspath(path)}: no finished run in it{left}")
    return Result(records, left_out=left_out)


def followed(progress: bool | Watch) -> tuple[Progress, Watch | None]:
    """Return what tells on stderr how far the runs are, and the function that is given it instead; TypeError."""
    if not (isinstance(progress, bool) or callable(progress)):
        raise TypeError(f"progress: expected True, False or a function, found {progress!r:.60}")
    return Progress(sys.stderr, quiet=progress is not True), None if isinstance(progress, bool) else progress


def options_of(function: str, settings: Mapping[str, Any], dataset: str | Dataset, executor: Executor | str) -> Options:
    """Return what arguments of a function ask for: they become a command line, so that its checks are the only ones.

    Raises
    ------
    TypeError
        An argument that does not exist; names the nearest that does. A data set or an executor of another kind.
    ConfigError
        A value that cannot be.
    """
    if not isinstance(dataset, str | os.PathLike | Dataset):
        raise TypeError(f"dataset: expected a name, a folder or what load_dataset returns, found {dataset!r:.60}")
    if not isinstance(executor, str | Executor):
        raise TypeError(f"executor: expected a name or a concurrent.futures.Executor, found {executor!r:.60}")
    arguments = dict(settings)
    if not isinstance(dataset, Dataset):
        arguments["dataset"] = dataset
    if isinstance(executor, str):
        arguments["executor"] = executor
    words: list[str] = []
    for name, value in arguments.items():
        if name not in _ARGUMENTS:
            close = difflib.get_close_matches(name, _ARGUMENTS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(_ARGUMENTS)}"
            raise TypeError(f"{function}: unknown argument {name}; {hint}")
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is not None and value is not False:
            words.append(f"{option}={_text(value)}")
    try:
        return parse(words)
    except ConfigError as error:
        raise ConfigError(re.sub(r"--([a-z][a-z-]*)", lambda told: told[1].replace("-", "_"), str(error))) from None


def _text(value: Any) -> str:
    """Write a value as a command line has it; several are joined by commas, and no hidden layer is `none`."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(map(str, value)) or "none"
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def carry_out(
    options: Options,
    records: list[RunRecord],
    progress: Progress,
    watch: Watch | None = None,
    dataset: Dataset | str | None = None,
    executor: Executor | str | None = None,
) -> None:
    """Carry out what options ask for and their file lacks, pair by pair.

    Parameters
    ----------
    options : Options
    records : list of RunRecord
        Is added what the file held and every new record, also when this ends by an exception.
    progress : Progress
    watch : function, optional
    dataset : Dataset, optional
        Instead of the one that the options name.
    executor : Executor or str, optional
        Instead of the one that the options name.
    """
    held_back: list[str] = []
    with holding(options.out, options.resume, held_back.append) as kept:  # nobody else adds to the file meanwhile
        if held_back:
            progress.line(f"{options.out}: holds {' and '.join(held_back)}; what they lack is carried out again")
        if not isinstance(dataset, Dataset):
            progress.show("data", f"reading {options.dataset}")
            dataset = _load_beside_numba(options)
        for note in dataset.notes:
            progress.line(note)
        if options.out is not None:
            require_same(options.out, kept, options.config, dataset)
            if aside := prepare_to_append(options.out):
                progress.line(f"{options.out}: its last line was cut short; it is set aside in {aside}")
        progress.show("import", f"{dataset.name}: {len(dataset.train_labels)} training images; starting")
        records += kept
        _run_missing(options, records, progress, watch, dataset, executor or options.settings.executor)


def _load_beside_numba(options: Options) -> Dataset:
    """Load the data set while numba is imported, which each take a third of a second."""
    with ThreadPoolExecutor(1) as pool:
        importing = pool.submit(_import_pool)
        dataset = load(options)
    importing.result()
    return dataset


def load(options: Options) -> Dataset:
    """Load the data set that options name; DataError where that cannot be."""
    with reading():
        return load_dataset(options.dataset, options.data_dir, options.verify)


def _import_pool() -> None:
    from . import pool  # noqa: F401


def _run_missing(
    options: Options,
    records: list[RunRecord],
    progress: Progress,
    watch: Watch | None,
    dataset: Dataset,
    executor: Executor | str,
) -> None:
    from .pool import run_all

    require_numba()
    settings = options.settings
    of_seed: dict[int, list[RunRecord]] = {}
    for record in records:
        of_seed.setdefault(record.seed, []).append(record)
    n_done = sum(pair_of(runs) is not None for runs in of_seed.values())
    finished = {(record.arm, record.seed) for record in records}
    runs = [(options.config, *run) for run in settings.runs() if run not in finished]
    going_on = run_all(dataset, runs, executor, settings.workers, options.out)
    with closing(going_on) as events:  # whose end stops the runs
        for event in events:
            if isinstance(event, RunRecord):
                records.append(event)
                of_seed.setdefault(event.seed, []).append(event)
                pair = pair_of(of_seed[event.seed])
                if pair is not None and event in pair:
                    n_done += 1
                    progress.line(pair_line(n_done, settings.seeds, *pair))
            else:
                progress.show_runs(event)
            if watch is not None:
                watch(event)

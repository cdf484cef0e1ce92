"""Two settings, seed by seed: what the second costs beside the first, for every arm, in the words of the experiment.

Place in the data path: beside it; each setting goes through `api.carry_out` as an experiment of its own, over the same
seeds. A pair is here one seed of an arm under both settings: it starts from the same random numbers.
"""

from __future__ import annotations

import html
import shlex
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import cached_property
from typing import Any, NamedTuple

from ..datasets import Dataset
from .api import Result, Watch, carry_out, followed, load, options_of
from .as_json import in_json
from .config import ConfigError
from .costs import ARTICLE, EVERY_OPERATION, Bill, cost_at_stop
from .options import RUN, Options, parse
from .progress import Progress
from .records import RunRecord, paired, steps_or_miss
from .report import TITLES, goal, saving
from .stats import Comparison, compare, sign_test
from .wording import no_saving_to_name, p_value, saved, seeds_in_words, steps

NAMES = "A", "B"
BY_DEFAULT = "as it is by default"

HELP = """\
usage: nnlite compare A B [options for both]

Train two settings on the same seeds, and say what B saves beside A, pair by pair.
A and B are options of nnlite in quotation marks, "" for what it does by default.

  nnlite compare "" "--learning-rate 2e-3"
  nnlite compare "--hidden 64" "--hidden 64 --activation tanh" --seeds 100

nnlite --help has the options."""

_FOR_BOTH = "compare: the two may differ in how a run is trained; seeds, arms and data are for both"


class ArmCompared(NamedTuple):
    """One arm under both settings: reductions are 1 - cost under B / cost under A, pair by pair."""

    runs: tuple[list[RunRecord], list[RunRecord]]  # A, B; by seed
    article: Comparison  # by the article's count
    every: Comparison  # by every operation

    @property
    def p(self) -> float | None:
        """The exact sign test of every operation against no difference, two-sided; None where nothing was measured."""
        return sign_test(self.every.reductions, 0.0) if self.every.measured else None


class SettingsComparison:
    """What setting B costs beside setting A. In a notebook it shows its table; `print` writes it.

    Parameters
    ----------
    names : pair of str
        The settings in words.
    results : pair of Result
        Of the same seeds.
    """

    def __init__(self, names: tuple[str, str], results: tuple[Result, Result]) -> None:
        self.names, self.results = names, results

    @cached_property
    def arms(self) -> dict[str, ArmCompared]:
        """Every arm that has pairs."""
        first, second = (result.summary.arms for result in self.results)
        found = {}
        for arm in first:
            runs = paired(first[arm], second.get(arm, []))
            if runs[0]:
                found[arm] = ArmCompared((runs[0], runs[1]), _compared(runs, ARTICLE), _compared(runs, EVERY_OPERATION))
        return found

    def __str__(self) -> str:
        config, name = self.results[0].summary.config, self.results[0].summary.dataset["name"]
        seeds = seeds_in_words(sorted({run.seed for found in self.arms.values() for run in found.runs[0]}))
        lines = [f"{name}: {told}" for name, told in zip(NAMES, self.names, strict=True)]
        lines.append(f"{TITLES.get(name, name)}, {seeds}, {goal(config)}. By every operation, beside A:")
        lines += [f"  {arm}: {_sentence(found)}" for arm, found in self.arms.items()]
        lines.append(f"  {'':16s}{'steps A':>9s}{'steps B':>9s}  {'saved, article (95%)':23s}every operation (95%)")
        for arm, found in self.arms.items():
            took = "".join(f"{steps(statistics.median(map(steps_or_miss, runs))):>9s}" for runs in found.runs)
            lines.append(f"  {arm:16s}{took}  {_cell(found.article):23s}{_cell(found.every)}")
        if n_failed := sum(result.summary.n_failed for result in self.results):
            lines.append(f"{n_failed} runs could not be carried out; they are in no number above.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<SettingsComparison: {self.names[0]} and {self.names[1]}, arms {', '.join(self.arms)}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def to_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        arms = {
            arm: {
                "seeds": [run.seed for run in found.runs[0]],
                "steps_to_target": [[run.steps_to_target for run in runs] for runs in found.runs],
                "reduction": {"article-2023": in_json(found.article), "flop": in_json(found.every)},
                "misses": found.every.n_missed,
                "sign_test_p": found.p,
            }
            for arm, found in self.arms.items()
        }
        return {"settings": list(self.names), "configs": [r.summary.config for r in self.results], "arms": arms}


def compare_settings(
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    *,
    dataset: str | Dataset = "mnist",
    executor: Executor | str = "threads",
    progress: bool | Watch = True,
    **both: Any,
) -> SettingsComparison:
    """Train the same seeds under two settings, and say what the second saves.

    Parameters
    ----------
    a, b : mapping of str
        Arguments of `run_experiment` that say how a run is trained, like {"learning_rate": 2e-3}; {} is the default.
    dataset, executor, progress : as for `run_experiment`
    **both
        Arguments of `run_experiment` for both: seeds, arms, target ...

    Returns
    -------
    SettingsComparison

    Raises
    ------
    TypeError, ConfigError, DataError
        As `run_experiment`; also for arguments in which the two settings may not differ, and settings that are no
        mappings.

    Examples
    --------
    nnlite.compare_settings({"learning_rate": 1e-3}, {"learning_rate": 2e-3}, seeds=20)
    """
    for own in (a, b):
        if not isinstance(own, Mapping):
            raise TypeError(f"compare_settings: expected settings like {{'learning_rate': 2e-3}}, found {own!r:.60}")
        if own.keys() & {"dataset", "executor"}:  # whose values here would go under in those for both
            raise ConfigError(_FOR_BOTH)
    first, second = (options_of("compare_settings", {**both, **own}, dataset, executor) for own in (a, b))
    names = [", ".join(f"{name}={value!r}" for name, value in own.items()) or BY_DEFAULT for own in (a, b)]
    return carry_out_both((names[0], names[1]), (first, second), *followed(progress), dataset, executor)


def parse_both(arguments: Sequence[str]) -> tuple[tuple[str, str], tuple[Options, Options]]:
    """Return the settings of `nnlite compare A B OPTIONS` in words, and what each with the options asks for.

    Raises
    ------
    ConfigError
        There are no two settings, an option cannot be, or does not go with a comparison.
    """
    if len(arguments) < 2:
        needed = 'needs two settings and takes all options for both, like "" "--learning-rate 2e-3" --seeds 20'
        raise ConfigError(f"compare: {needed}")
    (a, b), both = arguments[:2], arguments[2:]
    try:
        own = shlex.split(a), shlex.split(b)
    except ValueError as error:  # a quotation mark without its other one
        raise ConfigError(f"compare: {error}: {a!r}, {b!r}") from error
    return (a or BY_DEFAULT, b or BY_DEFAULT), (parse([*both, *own[0]]), parse([*both, *own[1]]))


def carry_out_both(
    names: tuple[str, str],
    options: tuple[Options, Options],
    progress: Progress,
    watch: Watch | None = None,
    dataset: Dataset | str | None = None,
    executor: Executor | str | None = None,
) -> SettingsComparison:
    """Carry out two settings on one data set; all else as for `api.carry_out`."""
    _require_comparable(*options)
    both = dataset if isinstance(dataset, Dataset) else load(options[0])
    results = []
    for name, setting, asked in zip(NAMES, names, options, strict=True):
        progress.line(f"{name}: {setting}")
        records: list[RunRecord] = []
        carry_out(asked, records, progress, watch, both, executor)
        results.append(Result(records, judged=False))
    progress.clear()
    return SettingsComparison(names, (results[0], results[1]))


def _require_comparable(a: Options, b: Options) -> None:
    for options in (a, b):
        if options.mode is not RUN or options.out is not None or options.figures or options.html or options.bill:
            raise ConfigError("compare: trains and prints; goes with no --out, --report, --figures, --html, --bill")
    if a.settings != b.settings or (a.dataset, a.data_dir, a.verify) != (b.dataset, b.data_dir, b.verify):
        raise ConfigError(_FOR_BOTH)


def _compared(runs: Sequence[Sequence[RunRecord]], bill: Bill) -> Comparison:
    a, b = ([cost_at_stop(run, bill) for run in group] for group in runs)
    return compare(b, a)


def _sentence(found: ArmCompared) -> str:
    unnamed = no_saving_to_name(found.every, treated=NAMES[1], baseline=NAMES[0])
    if unnamed is not None:
        return unnamed
    return f"B {saved(found.every.interval, found.every.n_pairs)}, sign test p = {p_value(found.p)}"


def _cell(comparison: Comparison) -> str:
    return saving(comparison, NAMES[0])

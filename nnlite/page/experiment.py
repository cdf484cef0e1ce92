"""The page of an experiment: the verdict, its tables and pictures, the bill, how to repeat it, and a digit to draw.

`nnlite --html FILE` writes it. Every number is from `experiment.report.Summary`; here they become HTML.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from ..datasets import Dataset
from ..digits.network import train_network
from ..experiment.as_json import to_json
from ..experiment.config import BASELINE, TREATMENT, preset_config
from ..experiment.costs import ARTICLE, EVERY_OPERATION, PHASES, Bill, cost_at_stop
from ..experiment.records import RunRecord, paired
from ..experiment.report import Summary, headline, interval_range, title
from ..experiment.wording import percent, seeds_in_words
from ..flops import COST_MODELS, FREE_BY_CONVENTION
from .document import commands, document, figure, paragraphs, section, table
from .draw import drawing_part

_OPTIONS = (
    *("activation", "initializer", "inputs", "optimizer", "learning_rate", "decay", "batch_size", "target", "stop_on"),
    *("pretrain_rate_factor", "closed_form_gain", "max_steps", "evaluate"),
)
"""Settings of a run that options of the same names change."""


def experiment_page(summary: Summary, records: Sequence[RunRecord], load: Callable[[], Dataset]) -> str:
    """Return the page of an experiment, a whole HTML file.

    Parameters
    ----------
    summary : Summary
    records : sequence of RunRecord
        The runs that it is of.
    load : function without arguments
        Returns the data set, for the pictures of the averages and for the digit to draw.

    Returns
    -------
    str
        Pictures are in it where matplotlib is there and runs were watched to their end, the digit to draw where the
        data set is MNIST.
    """
    found, *rest = [*headline(summary), ""]
    parts = [
        paragraphs([found], "verdict"),
        paragraphs([text for text in rest if text]),
        section("Pair by pair", _pairs(summary)),
        *_pictures(summary, records, load),
        section("Under every cost model", _models(summary), paragraphs([f"{k}: {v}." for k, v in COST_MODELS.items()])),
        section("The bill by phase", *_bills(summary), paragraphs([FREE_BY_CONVENTION], "note")),
        section("How to repeat it", commands([_command(summary)]), _settings(summary)),
    ]
    if summary.dataset["name"] == "mnist":
        data = load()
        parts.append(drawing_part(train_network(data)[0], data))
    return document(title(summary), parts)


def _pairs(summary: Summary) -> str:
    """A row a seed that has both arms."""
    rows = []
    for treated, scratch in zip(*paired(summary.arms.get(TREATMENT, []), summary.arms.get(BASELINE, [])), strict=True):
        steps = [str(run.steps_to_target) if run.reached else f"missed ({run.status})" for run in (scratch, treated)]
        rows.append(
            [str(scratch.seed), *steps, *(_saved(treated, scratch, bill) for bill in (ARTICLE, EVERY_OPERATION))]
        )
    head = ["seed", "scratch, steps", "averages first, steps", "saved, the article's count", "saved, every operation"]
    return table("Two runs from each seed, up to the target", head, rows)


def _saved(treated: RunRecord, scratch: RunRecord, bill: Bill) -> str:
    if not (treated.reached and scratch.reached):
        return "not measured"
    return percent(1 - cost_at_stop(treated, bill) / cost_at_stop(scratch, bill), 1)


def _pictures(summary: Summary, records: Sequence[RunRecord], load: Callable[[], Dataset]) -> list[str]:
    """Accuracy against cost, phase 1 and the averages, where they can be drawn."""
    if find_spec("matplotlib") is None or not any(record.checks for record in records):
        return []
    from ..experiment import drawing, figures

    with drawing.plain_style():
        drawn = {
            "accuracy": (figures.accuracy_figure(records), "Accuracy of both arms against steps and operations"),
            "phase1": (figures.phase1_figure(records), "Accuracy during the epochs on the averages"),
            "averages": (figures.averages_figure(load(), summary.config["stop_on"]), "The average image of each class"),
        }
        shown = [figure(picture, name, shows) for name, (picture, shows) in drawn.items() if picture is not None]
    return [section("Pictures", *shown)]


def _models(summary: Summary) -> str:
    rows = [
        [
            row.model,
            row.counting,
            row.scope,
            percent(row.comparison.interval.median, 0),
            interval_range(row.comparison.interval),
        ]
        for row in summary.sensitivity
    ]
    return table("What is saved, however it is counted", ["model", "counting", "on the bill", "saved", "95%"], rows)


def _bills(summary: Summary) -> list[str]:
    """A table an arm: medians over its runs of what each phase costs, dense, up to the stop."""
    tables = []
    for arm, found in to_json(summary)["arms"].items():
        totals = found["totals"]
        phases = [phase for phase in PHASES if phase in totals["flop"]]
        rows = [[phase, *(f"{totals[model].get(phase, 0):,.0f}" for model in COST_MODELS)] for phase in phases]
        tables.append(table(f"{arm}: median of {len(found['seeds'])} runs", ["phase", *COST_MODELS], rows))
    return tables


def _command(summary: Summary) -> str:
    """The command line that trains these runs again: what its preset does not say already."""
    config, words = summary.config, ["nnlite"]
    if config["preset"] != "article":
        words += ["--preset", config["preset"]]
    if summary.dataset["name"] != "mnist":
        words += ["--dataset", summary.dataset["name"]]
    if set(summary.arms) != {BASELINE, TREATMENT}:
        words += ["--arms", ",".join(summary.arms)]
    usual = preset_config(config["preset"], {})
    if config["pretrain_target"] != usual.pretrain_target and config["pretrain_target"] is not None:
        words += ["--pretrain-target", str(config["pretrain_target"])]
    elif config["pretrain_epochs"] != usual.pretrain_epochs:
        words += ["--pretrain-epochs", str(config["pretrain_epochs"])]
    for name in _OPTIONS:
        if config[name] != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", str(config[name])]
    sizes = config["hidden_layer_sizes"]
    if tuple(sizes) != usual.hidden_layer_sizes:
        words += ["--hidden", ",".join(map(str, sizes)) or "none"]
    first, last = summary.seeds[0], summary.seeds[-1]
    words += ["--seeds", str(last - first + 1), *(["--first-seed", str(first)] if first else [])]
    return shlex.join(words)


def _settings(summary: Summary) -> str:
    rows = [[name.replace("_", " "), str(value)] for name, value in summary.config.items()]
    return table(f"All settings of the runs, {seeds_in_words(summary.seeds)}", ["setting", "value"], rows)

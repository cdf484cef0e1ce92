"""Records of pairs -> their numbers, the table for a terminal (80 columns, the answer first), and the bill.

Place in the data path: last. What a run costs is from `costs`, what pairs of costs say from `stats`; nothing is trained
here, so a report can be made again from records alone, and the same records always give the same. JSON is in
`as_json`, pictures are in `figures`.
"""

from __future__ import annotations

import json
import math
import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ..flops import COST_MODELS, FREE_BY_CONVENTION
from .article import PRETRAINED, SCRATCH, savings
from .config import BASELINE, TREATMENT
from .costs import ARTICLE, EVERY_OPERATION, SCOPES, Bill, compared
from .records import FAILED, RunRecord, paired, steps_or_miss
from .stats import CLAIMED, Comparison, Interval, Verdict, article_rank, sign_test
from .wording import (
    MEANING,
    PEOPLE,
    ends,
    no_saving_to_name,
    on_top,
    pairs,
    percent,
    seeds_in_words,
    spread,
    spread_in_percent,
    steps,
)

TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
"""How people write the known data sets."""

REGISTERED = Path(__file__).with_name("registered.json")
"""Written from the study's records by `python -m bench.readme registered`; the experiment knows no study."""

_LEGEND = (
    "A step is one batch; an operation one add, multiply, compare; a multiply-add two.\n"
    "The article counts the passes; every operation adds scaling, averaging, updates;\n"
    "looks at accuracy are in neither. In brackets: the lowest and the highest run;\n"
    "of savings the 95% interval, which says what other seeds would give."
)


class PricedComparison(NamedTuple):
    """A comparison under one cost model, one way of counting and one bill."""

    model: str
    counting: str
    scope: str
    comparison: Comparison


class Summary:
    """The numbers that are reported of the pairs, each computed when it is first asked for.

    Parameters
    ----------
    records : sequence of RunRecord
        At least one, all of one configuration; failed runs are counted and left out.
    with_verdict : bool
        False for a quick look, which judges nothing.
    left_out : sequence of str
        What was left out of the records already, in words.
    """

    def __init__(self, records: Sequence[RunRecord], with_verdict: bool = True, left_out: Sequence[str] = ()) -> None:
        self.config, self.dataset = records[0].config, records[0].dataset
        self.with_verdict, self.left_out = with_verdict, list(left_out)
        self.n_failed = sum(record.status == FAILED for record in records)
        arms: dict[str, list[RunRecord]] = {}
        for record in sorted(records, key=lambda record: record.seed):
            if record.status != FAILED:
                arms.setdefault(record.arm, []).append(record)
        order = [BASELINE, TREATMENT, *sorted(arms)]
        self.arms = {name: arms[name] for name in dict.fromkeys(order) if name in arms}  # runs by seed

    def compared(self, arm: str, bill: Bill, executed: bool = False) -> Comparison:
        """Compare an arm with scratch over the seeds that both have; ValueError if there is none."""
        return compared(paired(self.arms.get(arm, []), self.arms.get(BASELINE, [])), bill, executed)

    @cached_property
    def n_pairs(self) -> int:
        """Seeds that have class-means and scratch."""
        return len(paired(self.arms.get(TREATMENT, []), self.arms.get(BASELINE, []))[0])

    @cached_property
    def reductions(self) -> dict[str, Comparison]:
        """Cost model -> class-means against scratch, as the fixed output defines it; empty without a complete pair."""
        if not self.n_pairs:
            return {}
        bills = [Bill(model, "training" if model == ARTICLE.model else "bill") for model in COST_MODELS]
        return {bill.model: self.compared(TREATMENT, bill) for bill in bills}

    @property
    def headline(self) -> Comparison | None:
        """The comparison in the article's accounting; None without a complete pair."""
        return self.reductions.get(ARTICLE.model)

    @property
    def _measured(self) -> list[float] | None:
        return self.headline.reductions if self.headline is not None and self.headline.measured else None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on the headline; None where nothing is judged."""
        return self.headline.verdict if self.headline is not None and self.with_verdict else None

    @property
    def sign_test_p(self) -> float | None:
        """Of the headline against no saving at all, two-sided; None if it measured nothing."""
        return sign_test(self._measured, 0.0) if self._measured else None

    @property
    def article_rank(self) -> int | None:
        """Pairs whose reduction lies below the article's single pair; None if nothing was measured."""
        return article_rank(self._measured, float(savings()["flops"])) if self._measured else None

    @cached_property
    def others(self) -> dict[str, tuple[Comparison, Comparison]]:
        """Every other arm that has pairs -> against scratch by the article's accounting, and by every operation."""
        beside = [arm for arm in self.arms if arm not in (BASELINE, TREATMENT)]
        arms = [arm for arm in beside if self._seeds(arm) & self._seeds(BASELINE)]
        return {arm: (self.compared(arm, ARTICLE), self.compared(arm, EVERY_OPERATION)) for arm in arms}

    @cached_property
    def sensitivity(self) -> list[PricedComparison]:
        """The headline's pairs under every model, counting and scope, in steps and in images."""
        if not self.n_pairs:
            return []
        rows: list[tuple[str, Bill]] = []
        for model in COST_MODELS:
            for scope in ["training"] if model == ARTICLE.model else SCOPES:
                rows.append(("dense", Bill(model, scope)))
                if model in ("flop", "mac"):
                    rows.append(("executed", Bill(model, scope)))
        rows += [("passes", Bill("steps", "training")), ("passes", Bill("images", "training"))]
        return [
            PricedComparison(
                "images_forward" if bill.model == "images" else bill.model,
                counting,
                bill.scope,
                self.compared(TREATMENT, bill, executed=counting == "executed"),
            )
            for counting, bill in rows
        ]

    def _seeds(self, *arms: str) -> set[int]:
        return {record.seed for arm in arms for record in self.arms.get(arm, [])}

    @cached_property
    def _compared_seeds(self) -> set[int]:
        return self._seeds(BASELINE) & self._seeds(*(arm for arm in self.arms if arm != BASELINE))

    @property
    def seeds(self) -> list[int]:
        """Seeds in any comparison; of all runs where nothing is compared."""
        return sorted(self._compared_seeds or self._seeds(*self.arms))

    @property
    def without_partner(self) -> dict[str, list[int]]:
        """Arm -> seeds of its runs that are in no comparison; empty where there is none."""
        if not self._compared_seeds:
            return {}
        alone = {arm: self._seeds(arm) - self._compared_seeds for arm in self.arms}
        return {arm: sorted(seeds) for arm, seeds in alone.items() if seeds}


def pair_of(records: Iterable[RunRecord]) -> tuple[RunRecord, RunRecord] | None:
    """Return one seed's class-means and scratch runs, or None while one is missing."""
    runs = {record.arm: record for record in records if record.status != FAILED}
    return (runs[TREATMENT], runs[BASELINE]) if {BASELINE, TREATMENT} <= runs.keys() else None


def report(summary: Summary, beside: Mapping[str, str] | None = None, interrupted: str | None = None) -> str:
    """Return the whole table.

    Parameters
    ----------
    summary : Summary
    beside : mapping of str, optional
        `registered` of its preset, where that is unchanged.
    interrupted : str, optional
        "interrupted, 3 of 10 pairs": stands in the first line.

    Returns
    -------
    str
        Without a final newline.
    """
    beside = beside if beside and summary.headline is not None else {}
    lines = [title(summary, interrupted), *headline(summary)]
    lines += _table(summary, beside)
    lines += _others(summary)
    lines += [f"{message}" for message in _mishaps(summary)]
    if beside:
        lines.append(textwrap.fill(beside["else"], 79))
    return "\n".join([*lines, _LEGEND, _next(summary)])


def registered(preset: str) -> dict[str, str]:
    """Return what the registered study found with a preset: the cells of a column, by row, and under "else" what else.

    Empty for a preset that the study did not run.
    """
    found: dict[str, dict[str, str]] = json.loads(REGISTERED.read_text(encoding="utf-8"))
    return found.get(preset, {})


def pair_line(n_done: int, n_pairs: int, treated: RunRecord, scratch: RunRecord) -> str:
    """Return one line about a finished pair, for progress."""
    return (
        f"pair {n_done}/{n_pairs}, seed {scratch.seed}: {PEOPLE[BASELINE]} {_steps(scratch)}, "
        f"{PEOPLE[TREATMENT]} {_steps(treated)}, "
        f"{_saved(treated, scratch)}"
    )


def bill(summary: Summary) -> str:
    """Return the whole bill of the first seed's runs, and what is free by convention."""
    parts = []
    for name, runs in summary.arms.items():
        parts.append(f"The bill of {name}, seed {runs[0].seed}, up to its stop\n{runs[0].tally().table()}")
    return "\n\n".join([*parts, textwrap.fill(FREE_BY_CONVENTION, 79)])


def sensitivity_table(summary: Summary) -> str:
    """Return the reduction under every cost model, counting and scope."""
    if summary.headline is not None and not summary.headline.measured:
        return f"{no_saving_to_name(summary.headline)}, by no cost model."
    lines = [f"{'model':15s}{'counting':10s}{'what is on the bill':22s}{'saved':>7s}  95% interval   misses"]
    for row in summary.sensitivity:
        interval = row.comparison.interval
        lines.append(
            f"{row.model:15s}{row.counting:10s}{row.scope:22s}{percent(interval.median, 0):>7s}  "
            f"{interval_range(interval):15s}{row.comparison.n_missed}"
        )
    if summary.sign_test_p is not None:
        lines.append(f"sign test of the article's count against no saving: p = {summary.sign_test_p:.2g}, two-sided")
    return "\n".join(lines)


def title(summary: Summary, interrupted: str | None = None) -> str:
    """Say what was tried: data, pairs, seeds, whose accuracy ended the runs."""
    config, name = summary.config, summary.dataset["name"]
    n_pairs = max([summary.n_pairs, *(article.n_pairs for article, _ in summary.others.values())])
    asked = f"Averages first, or not? {TITLES.get(name, name)}: {pairs(n_pairs)}, {seeds_in_words(summary.seeds)}"
    told = textwrap.fill(f"{asked}, {goal(config)}", 79)
    return told + (f"\n{interrupted}" if interrupted else "")


def goal(config: Mapping[str, Any]) -> str:
    """Say what ended the runs."""
    images = "test images" if config["stop_on"] == "test" else "held-out images"
    return f"to {percent(config['target'], 0)} of the {images}"


def headline(summary: Summary) -> list[str]:
    """Say what was found, in sentences."""
    comparison = summary.headline
    if comparison is None:
        return [] if summary.others else ["No pair is complete: nothing to compare."]
    n, missed = comparison.n_pairs, comparison.n_missed
    second = f"{missed or 'no'} run{'s' if missed > 1 else ''} missed the target."
    if comparison.measured:
        second = f"Cheaper in {sum(reduction > 0 for reduction in comparison.reductions)} of {n} pairs; {second}"
    lines = [_finding(comparison), second]
    if summary.verdict is not None:
        meaning = summary.verdict.reason or MEANING[summary.verdict.word]
        lines.append(textwrap.fill(f"Verdict: {summary.verdict.word} ({meaning}).", 79))
    if summary.article_rank is not None:
        article = percent(float(savings()["flops"]), 1)
        lines.append(f"The article's single pair ({article}) lies above {summary.article_rank} of these {n}.")
    return lines


def _finding(comparison: Comparison) -> str:
    """The first sentence: what was saved, how well that is known, and what that makes of the claim."""
    interval, unnamed = comparison.interval, no_saving_to_name(comparison)
    cost = unnamed is None and interval.median < 0
    shown = on_top(interval) if cost else interval
    if interval.ends is None:
        known = f"(no 95% interval: {comparison.n_pairs} pair{'' if comparison.n_pairs == 1 else 's'}, 6 needed)"
        claim = ""
    else:
        known = f"(95% interval {interval_range(shown)})"
        low, high = interval.ends
        inside = round(low, 2) <= CLAIMED <= round(high, 2)  # as printed
        claim = "; the claim is 30% saved" if cost else "; the claim is 30%" if inside else ", not 30%"
    if unnamed is not None:
        return textwrap.fill(f"{unnamed} {known}." if comparison.measured else f"{unnamed}.", 79)
    what = f"cost {percent(shown.median, 0)} more" if cost else f"saved {percent(shown.median, 0)} of the"
    return textwrap.fill(f"Averages first {what} operations {known}{claim}.", 79)


def _table(summary: Summary, beside: Mapping[str, str]) -> list[str]:
    """The article's figures, ours, and where there are any those of the registered study."""
    article = float(savings()["flops"])
    rows: list[tuple[str, str, str, str]] = []
    arms = summary.arms

    def row(key: str, label: str, theirs: str, ours: str) -> None:
        rows.append((label, theirs, ours, beside.get(key, "")))

    row("n_pairs", "", "article", f"here, {pairs(summary.n_pairs)}" if summary.n_pairs else "here")
    if BASELINE in arms:
        took = spread([steps_or_miss(run) for run in arms[BASELINE]])
        row("scratch", f"{PEOPLE[BASELINE]}, steps", str(SCRATCH.real_steps), took)
    if TREATMENT in arms:
        runs = arms[TREATMENT]
        after = [record.accuracy_after_pretrain for record in runs if record.accuracy_after_pretrain is not None]
        if after:
            row("after", "accuracy after averages", "~80%", spread_in_percent(after))
        took = spread([steps_or_miss(run) for run in runs])
        row("then", "then, steps", str(PRETRAINED.real_steps), took)
    if summary.headline is not None:
        counted, every = summary.reductions["article-2023"], summary.reductions["flop"]
        row("saved", "saved, article's count", percent(article, 1), saving(counted))
        row("every", "saved, every operation", "-", saving(every))
    return [f"  {label:23s}{theirs:>7s}   {ours:22s}{registered}".rstrip() for label, theirs, ours, registered in rows]


def _others(summary: Summary) -> list[str]:
    """The other arms that were named, each against scratch."""
    if not summary.others:
        return []
    lines = [
        f"  {'against scratch':18s}{'pairs':>5s}  {'steps':>6s}  {'saved, article (95%)':22s}every operation (95%)"
    ]
    for arm, (article, every) in summary.others.items():
        took = steps(statistics.median(steps_or_miss(record) for record in summary.arms[arm]))
        saved = [saving(comparison) for comparison in (article, every)]
        lines.append(f"  {arm:18s}{article.n_pairs:5d}  {took:>6s}  {saved[0]:21s} {saved[1]}")
    return lines


def _mishaps(summary: Summary) -> Iterable[str]:
    """A line for every run that diverged, one for those that failed, and one for each thing that was left out."""
    for name, runs in summary.arms.items():
        for record in runs:
            if record.message:
                yield f"{name}, seed {record.seed}: {record.message}."
    if summary.n_failed:
        yield f"{summary.n_failed} runs could not be carried out; they are in no number above."
    if summary.left_out:
        yield textwrap.fill(f"In no number above: {'; '.join(summary.left_out)}.", 79)
    if summary.without_partner:
        alone = [f"{arm} of {seeds_in_words(seeds)}" for arm, seeds in summary.without_partner.items()]
        yield textwrap.fill(f"In no comparison, since the other run of the pair is missing: {'; '.join(alone)}.", 79)


def _steps(record: RunRecord) -> str:
    return f"{record.steps_to_target} steps" if record.steps_to_target is not None else f"missed ({record.status})"


def _saved(treated: RunRecord, scratch: RunRecord) -> str:
    """What one pair says."""
    if not treated.reached:
        return "nothing measured" if not scratch.reached else "nothing saved"
    if not scratch.reached:
        return f"only {PEOPLE[TREATMENT]} got there"
    (reduction,) = compared(([treated], [scratch]), ARTICLE).reductions
    amount = percent(abs(reduction), 0)
    return f"{f'saved {amount}' if reduction >= 0 else f'cost {amount} more'} (the article's count)"


def saving(comparison: Comparison, baseline: str = PEOPLE[BASELINE]) -> str:
    """Write the median saving beside a baseline, and the interval where it was measured and has one."""
    known = comparison.measured and comparison.interval.low is not None
    return _median(comparison, baseline) + (f" ({interval_range(comparison.interval)})" if known else "")


def _next(summary: Summary) -> str:
    """What to try next: nothing that was just done."""
    config = summary.config
    ideas = {
        "--learning-rate 2e-3": config["learning_rate"] != 2e-3,
        "--stop-on validation": config["stop_on"] == "test",
        "--article": True,
        "--figures out": config["evaluate"] == "decide",
    }
    return f"Next: {' | '.join(idea for idea, new in ideas.items() if new)}"


def _median(comparison: Comparison, baseline: str) -> str:
    """The median saving, for a table."""
    if not comparison.measured:
        return "not measured"
    if comparison.interval.median == 1:
        return f"{baseline} missed"
    if math.isfinite(comparison.interval.median) and comparison.n_measured == 0:
        return "no number"
    return percent(comparison.interval.median, 0)


def interval_range(interval: Interval) -> str:
    """Write the two ends of an interval of savings, without decimals, or that it has none."""
    return "none" if interval.ends is None else ends(*interval.ends, 0)

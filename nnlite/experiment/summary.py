"""Records -> the numbers that are reported: costs per pair, paired reductions, the headline and its verdict.

Place in the data path: records -> summary (which prices them and calls `stats`) -> report. Pure: the same
records always give the same summary. Left out: training, printing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..flops import COST_MODELS
from .article import savings
from .costs import SCOPES, WHOLE_BILL
from .records import FAILED, RunRecord
from .stats import Interval, Verdict, article_rank, median_interval, paired_ratios, sign_test, verdict

BASELINE, TREATMENT = "scratch", "class-means"

Cost = Callable[[RunRecord], float]


@dataclass(frozen=True)
class Comparison:
    """The cost of an arm against scratch, pair by pair, as reductions: 1 - cost(arm) / cost(scratch)."""

    reductions: list[float]  # by seed; -inf where only the arm missed, 1 where only scratch did, 0 where both
    interval: Interval  # of the median reduction
    arm_missed: int
    scratch_missed: int
    both_missed: int

    @property
    def n_pairs(self) -> int:
        """Pairs compared."""
        return len(self.reductions)

    @property
    def n_measured(self) -> int:
        """Pairs of which both runs got there: the only ones whose reduction is a measured number."""
        return self.n_pairs - self.arm_missed - self.scratch_missed - self.both_missed

    @property
    def measured(self) -> bool:
        """Whether any run got to the target; where none did, the reductions are all 0 and say nothing."""
        return self.both_missed < self.n_pairs

    @property
    def n_missed(self) -> int:
        """Runs of either arm that never got there."""
        return self.arm_missed + self.scratch_missed + 2 * self.both_missed


@dataclass(frozen=True)
class PricedComparison:
    """A comparison under one cost model, one way of counting and one bill."""

    model: str
    counting: str
    scope: str
    comparison: Comparison


@dataclass(frozen=True)
class Summary:
    """All that is reported of a study."""

    config: dict[str, Any]
    dataset: dict[str, Any]
    arms: dict[str, list[RunRecord]]  # by seed
    n_pairs: int
    headline: Comparison | None  # article's accounting; None without a complete pair
    reductions: dict[str, Comparison]  # cost model -> as the fixed output defines it
    sensitivity: list[PricedComparison]
    verdict: Verdict | None
    sign_test_p: float | None  # of the headline against no saving at all, two-sided; None if it measured nothing
    article_rank: int | None  # pairs whose reduction lies below the article's single pair; None likewise
    n_failed: int
    others: dict[str, tuple[Comparison, Comparison]]  # arm -> by the article's accounting, by every operation
    seeds: list[int]  # in any comparison; of all runs where nothing is compared
    without_partner: dict[str, list[int]]  # arm -> seeds of runs that are in no comparison, where there is any
    left_out: list[str]  # what of a file is in no number, in words


def cost(model: str, phases: Sequence[str], executed: bool = False) -> Cost:
    """Return the function that prices a record up to its stop; infinite for a miss."""

    def priced(record: RunRecord) -> float:
        if not record.reached:
            return math.inf
        return record.tally().total(model, phases, executed, article_pass=record.config["article_pass"])

    return priced


def compare(arm: Sequence[RunRecord], scratch: Sequence[RunRecord], cost: Cost) -> Comparison:
    """Compare two arms over the seeds that both have.

    Parameters
    ----------
    arm, scratch : sequence of RunRecord
        The same seeds in the same order.
    cost : function of a record
        Positive, infinite for a miss.

    Returns
    -------
    Comparison
    """
    matched = paired_ratios([cost(record) for record in arm], [cost(record) for record in scratch])
    return Comparison(
        reductions=[1 - ratio for ratio in matched.ratios.tolist()],
        interval=median_interval(matched.ratios).as_reduction(),
        arm_missed=matched.only_numerator_missed,
        scratch_missed=matched.only_denominator_missed,
        both_missed=matched.both_missed,
    )


def paired(*groups: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Return of each group the runs of the seeds that all groups have, by seed."""
    by_seed = [{run.seed: run for run in group} for group in groups]
    seeds = sorted(set.intersection(*map(set, by_seed)))
    return [[runs[seed] for seed in seeds] for runs in by_seed]


def pairs(arms: dict[str, list[RunRecord]], arm: str) -> list[list[RunRecord]]:
    """Return the records of an arm and of scratch over the seeds that both have, by seed."""
    return paired(arms.get(arm, []), arms.get(BASELINE, []))


def paired_reduction(records: Sequence[RunRecord]) -> tuple[RunRecord, RunRecord, float] | None:
    """Return one seed's class-means and scratch runs and the reduction between them, or None while one is missing."""
    runs = {record.arm: record for record in records if record.status != FAILED}
    if not {BASELINE, TREATMENT} <= runs.keys():
        return None
    treated, scratch = runs[TREATMENT], runs[BASELINE]
    comparison = compare([treated], [scratch], cost("article-2023", SCOPES["training"]))
    return treated, scratch, comparison.reductions[0]


def summarize(records: Sequence[RunRecord], with_verdict: bool = True, left_out: Sequence[str] = ()) -> Summary:
    """Summarize the records of one study.

    Parameters
    ----------
    records : sequence of RunRecord
        At least one, all of one configuration; failed runs are counted and left out.
    with_verdict : bool
        False for a quick look, which judges nothing.
    left_out : sequence of str
        What was left out of the records already, in words.

    Returns
    -------
    Summary
    """
    arms: dict[str, list[RunRecord]] = {}
    for record in sorted(records, key=lambda record: record.seed):
        if record.status != FAILED:
            arms.setdefault(record.arm, []).append(record)
    order = [BASELINE, TREATMENT, *sorted(arms)]
    arms = {name: arms[name] for name in dict.fromkeys(order) if name in arms}
    treated, baseline = pairs(arms, TREATMENT)
    reductions: dict[str, Comparison] = {}
    if treated:
        for model in COST_MODELS:
            scope = "training" if model == "article-2023" else "bill"
            reductions[model] = compare(treated, baseline, cost(model, SCOPES[scope]))
    headline = reductions.get("article-2023")
    measured = headline.reductions if headline is not None and headline.measured else None
    seeds, alone = _partners(arms)
    judged = None
    if headline is not None and with_verdict:
        interval = headline.interval
        judged = verdict(headline.n_pairs, headline.both_missed / headline.n_pairs, interval.low, interval.high)
    return Summary(
        config=records[0].config,
        dataset=records[0].dataset,
        arms=arms,
        n_pairs=len(treated),
        headline=headline,
        reductions=reductions,
        sensitivity=_sensitivity(treated, baseline),
        verdict=judged,
        sign_test_p=sign_test(measured, 0.0) if measured else None,
        article_rank=article_rank(measured, float(savings()["flops"])) if measured else None,
        n_failed=sum(record.status == FAILED for record in records),
        others={arm: both for arm in arms if arm not in (BASELINE, TREATMENT) and (both := _other(arms, arm))},
        seeds=seeds or sorted({record.seed for runs in arms.values() for record in runs}),
        without_partner=alone if seeds else {},
        left_out=list(left_out),
    )


def _partners(arms: dict[str, list[RunRecord]]) -> tuple[list[int], dict[str, list[int]]]:
    """Return the seeds that have scratch and another arm, and by arm the seeds of the runs without such a partner."""
    of = {arm: {record.seed for record in runs} for arm, runs in arms.items()}
    baseline = of.get(BASELINE, set())
    treated = set().union(*(seeds for arm, seeds in of.items() if arm != BASELINE))
    alone = {arm: sorted(seeds - (treated if arm == BASELINE else baseline)) for arm, seeds in of.items()}
    return sorted(baseline & treated), {arm: seeds for arm, seeds in alone.items() if seeds}


def _other(arms: dict[str, list[RunRecord]], arm: str) -> tuple[Comparison, Comparison] | None:
    """Compare an arm beside class-means with scratch, by both accountings that the table shows."""
    ours, baseline = pairs(arms, arm)
    if not ours:
        return None
    accountings = cost("article-2023", SCOPES["training"]), cost("flop", WHOLE_BILL)
    article, every = (compare(ours, baseline, priced) for priced in accountings)
    return article, every


def _sensitivity(treated: list[RunRecord], baseline: list[RunRecord]) -> list[PricedComparison]:
    """The same comparison under every model, counting and scope, in steps and in images."""
    if not treated:
        return []
    rows: list[tuple[str, str, str, Cost]] = []
    for model in COST_MODELS:
        scopes = ["training"] if model == "article-2023" else list(SCOPES)
        for scope in scopes:
            rows.append((model, "dense", scope, cost(model, SCOPES[scope])))
            if model in ("flop", "mac"):
                rows.append((model, "executed", scope, cost(model, SCOPES[scope], executed=True)))
    for name in ("steps", "images_forward"):
        rows.append((name, "passes", "training", _passes(name)))
    return [
        PricedComparison(model, counting, scope, compare(treated, baseline, priced))
        for model, counting, scope, priced in rows
    ]


def _passes(name: str) -> Cost:
    """Price a record by a number of passes, pretraining included."""

    def priced(record: RunRecord) -> float:
        if not record.reached:
            return math.inf
        return sum(record.passes[phase][name] for phase in SCOPES["training"] if phase in record.passes)

    return priced


def finite(interval: Interval) -> dict[str, float | None]:
    """Return an interval for JSON: what is not finite is null."""
    values = {"median": interval.median, "low": interval.low, "high": interval.high}
    return {name: value if value is not None and math.isfinite(value) else None for name, value in values.items()}


def _in_json(comparison: Comparison) -> dict[str, float | None]:
    """Return a comparison's interval for JSON, all of it null where nothing was measured."""
    return finite(comparison.interval if comparison.measured else Interval(math.nan, None, None))


def to_json(summary: Summary, article: dict[str, Any]) -> dict[str, Any]:
    """Return a summary as the one JSON object of `--json`."""
    arms = {}
    for name, runs in summary.arms.items():
        arms[name] = {
            "seeds": [record.seed for record in runs],
            "steps_to_target": [record.steps_to_target for record in runs],
            "accuracy_after_pretrain": [record.accuracy_after_pretrain for record in runs],
            "accuracy_at_stop": [record.accuracy_at_stop for record in runs],
            "status": [record.status for record in runs],
            "totals": {model: _phase_medians(model, runs) for model in COST_MODELS},
        }
    return {
        "config": {**summary.config, "dataset": summary.dataset["name"]},
        "n_pairs": summary.n_pairs,
        "n_failed": summary.n_failed,
        "without_partner": summary.without_partner,
        "left_out": summary.left_out,
        "arms": arms,
        "reduction": {model: _in_json(c) for model, c in summary.reductions.items()},
        "others": {
            arm: {"article-2023": _in_json(article), "flop": _in_json(every)}
            for arm, (article, every) in summary.others.items()
        },
        "sensitivity": [
            {
                "model": row.model,
                "counting": row.counting,
                "scope": row.scope,
                "estimand": "E1",
                "n": row.comparison.n_pairs,
                "misses": row.comparison.n_missed,
                **_in_json(row.comparison),
            }
            for row in summary.sensitivity
        ],
        "article": article,
        "article_lies_above": summary.article_rank,
        "sign_test_p": summary.sign_test_p,
        "verdict": summary.verdict.word if summary.verdict else None,
        "verdict_reason": summary.verdict.reason if summary.verdict else None,
    }


def _phase_medians(model: str, runs: Sequence[RunRecord]) -> dict[str, float]:
    """Median over runs of each phase's total, dense, up to the stop, misses with what they spent."""
    tallies = [(record.tally(), record.config["article_pass"]) for record in runs]
    phases = {phase: None for tally, _ in tallies for phase in tally.counts()}
    return {
        phase: statistics.median(
            tally.total(model, [phase], article_pass=article_pass) for tally, article_pass in tallies
        )
        for phase in phases
    }

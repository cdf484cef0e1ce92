"""The cells of the protocol from their records: the headline, its verdict, and the same question in every other way.

Place in the data path: records -> estimands, summary, curves, bootstrap -> cells -> Findings. Left out: reading parts,
what stopping on test does (`stopping`), explanations, words for people.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ...flops import COST_MODELS
from ..article import savings
from ..bootstrap import ratio_of_expected_costs
from ..costs import MEASURES
from ..records import RunRecord
from ..stats import Interval, sign_test
from ..summary import BASELINE, SCOPES, TREATMENT, Comparison, compare, cost, paired
from ..verdict import Verdict, article_rank, verdict
from .estimands import (
    ARTICLE,
    EVERY_OPERATION,
    Goal,
    Price,
    at_first_check,
    first_step,
    stable_ratio,
    stable_step_of,
    target_of,
)
from .findings import Cell, SensitivityRow
from .protocol import CLAIM
from .selecting import of_arm

TEST_TARGET = Fraction(str(CLAIM.target))
"""Of the images that the article stops on, 90%."""

TARGET_SHIFTS = (Fraction("-0.003"), Fraction("0.003"))
IN_A_ROW = (3, 5, 10)
EXECUTED_MODELS = ("flop", "mac")  # the others are defined on shapes
LOOK_EVERY = 50  # steps; the other extreme is a look at every check

Runs = Sequence[RunRecord]
Pairs = tuple[list[RunRecord], list[RunRecord]]
"""Class-means and scratch runs of the same seeds."""


def claim_cell(name: str, records: Runs, rng: np.random.Generator) -> Cell:
    """Judge runs as the article does: E1, its own accounting, the median of paired ratios.

    Parameters
    ----------
    name : str
        Of the cell, for people.
    records : sequence of RunRecord
        Of both arms, each arm of one configuration; other arms are passed over.
    rng : numpy Generator
        Of every resampling; copied, not advanced.

    Returns
    -------
    Cell
        Its interval is made of order statistics; of 100 pairs the 40th and the 61st.

    Raises
    ------
    ValueError
        There is no pair, or an arm's records are of several configurations or hold a seed twice.
    """
    return _cell(name, pairs_of(records), ARTICLE, "E1", rng)


def honest_cell(name: str, records: Runs, rng: np.random.Generator) -> Cell:
    """Judge runs by E2 and every operation: the ratio of what both arms had spent in all at their stable steps.

    Parameters
    ----------
    name : str
        Of the cell, for people.
    records : sequence of RunRecord
        Of both arms, each arm of one configuration; where both were tuned, the two differ.
    rng : numpy Generator
        Of every resampling; copied, not advanced.

    Returns
    -------
    Cell
        Its interval is the percentile interval of 10,000 resamples of pairs.

    Raises
    ------
    ValueError
        There is no pair, or an arm's records are of several configurations or hold a seed twice.
    """
    return _cell(name, pairs_of(records), EVERY_OPERATION, "E2", rng)


def pairs_of(records: Runs) -> Pairs:
    """Pair the runs that both arms have, by seed."""
    treated, scratch = paired(of_arm(records, TREATMENT), of_arm(records, BASELINE))
    if not treated:
        raise ValueError(f"a cell needs {TREATMENT} and {BASELINE} of the same seeds, found no pair")
    return treated, scratch


def _cell(name: str, both: Pairs, price: Price, estimand: str, rng: np.random.Generator) -> Cell:
    """Put a cell together around its headline."""
    treated, scratch = both
    goal = Goal(target_of(scratch[0]))
    arms = {BASELINE: scratch, TREATMENT: treated}
    headline = _answer(both, price, estimand, goal, rng)
    hits = compare(treated, scratch, at_first_check(price, goal))
    by_model = [_row(both, *way, rng) for way in _cost_models(estimand, goal)]
    budget = min(runs[0].config["max_steps"] for runs in both)
    ways = _other_ways(price, estimand, goal)
    if treated[0].config["batch_size"] != scratch[0].config["batch_size"]:  # steps of the arms are not alike
        ways = [way for way in ways if way[0].model != "steps" and way[2].every is None]
    others = [_row(both, *way, rng) for way in ways if (way[2].every or 0) <= budget]
    return Cell(
        name=name,
        dataset=scratch[0].dataset["name"],
        target=float(goal.target),
        stop_on=scratch[0].config["stop_on"],
        n_pairs=len(scratch),
        seeds=(scratch[0].seed, scratch[-1].seed),
        saved=headline.saved,
        estimand=estimand,
        verdict=headline.verdict,
        missed=headline.missed,
        first_hits=hits,
        first_hit_steps={arm: [first_step(run, goal) for run in runs] for arm, runs in arms.items()},
        stable_steps={arm: stable_step_of(runs, goal) for arm, runs in arms.items()},
        after_pretrain=[r.accuracy_after_pretrain for r in treated if r.accuracy_after_pretrain is not None],
        expected_costs=_expected_costs(both, price, goal, rng),
        sign_test_p=sign_test(hits.reductions, 0.0),
        article_rank=article_rank(hits.reductions, float(savings()["flops"])),
        sensitivity=[*by_model, *(_executed(both, model) for model in EXECUTED_MODELS), *others],
        depends_on_counting=[row.model for row in by_model if row.word != headline.verdict.word],
    )


@dataclass(frozen=True)
class _Answer:
    """What the pairs say to one question."""

    saved: Interval
    missed: int  # runs; all of an arm's where its mean never stays at the target
    verdict: Verdict


def _answer(both: Pairs, price: Price, estimand: str, goal: Goal, rng: np.random.Generator) -> _Answer:
    if estimand == "E1":
        return _of_pairs(compare(*both, at_first_check(price, goal)))
    ratio = stable_ratio(*both, price, goal, rng)
    saved, n_pairs = ratio.as_reduction(), len(both[0])
    missed = sum(n_pairs for runs in both if stable_step_of(runs, goal) is None)
    return _Answer(saved, missed, verdict(n_pairs, ratio.both_missed_share, saved.low, saved.high))


def _of_pairs(found: Comparison) -> _Answer:
    saved, n_pairs = found.interval, found.n_pairs
    missed = found.arm_missed + found.scratch_missed + 2 * found.both_missed
    return _Answer(saved, missed, verdict(n_pairs, found.both_missed / n_pairs, saved.low, saved.high))


Way = tuple[Price, str, Goal]
"""Cost, estimand and goal of one row of the sensitivity table."""


def _cost_models(estimand: str, goal: Goal) -> list[Way]:
    """List every cost model, each with the bill it is quoted with."""
    scopes = {model: "training" if model == ARTICLE.model else "bill" for model in COST_MODELS}
    return [(Price(model, scope), estimand, goal) for model, scope in scopes.items()]


def _other_ways(price: Price, estimand: str, goal: Goal) -> list[Way]:
    """List what else could have been asked. Seconds are not: no record says when a check of a whole curve was made."""
    with_looks = Price("flop", "bill and evaluation")
    counts = [Price("flop", "training"), Price("mac", "training"), Price("steps", "training")]
    counts += [Price("images", "training"), Price("images_read", "bill")]
    return [
        *((count, estimand, goal) for count in counts),
        (with_looks, estimand, goal),
        (with_looks, estimand, replace(goal, every=LOOK_EVERY)),
        *((price, "E1", replace(goal, in_a_row=n)) for n in IN_A_ROW),
        *((price, estimand, replace(goal, target=goal.target + shift)) for shift in TARGET_SHIFTS),
        (price, "E2" if estimand == "E1" else "E1", goal),
    ]


def _row(both: Pairs, price: Price, estimand: str, goal: Goal, rng: np.random.Generator) -> SensitivityRow:
    answer = _answer(both, price, estimand, goal, rng)
    how = f" with {goal.in_a_row} in a row" if goal.in_a_row > 1 else ""
    how += f", a look every {goal.every} steps" if goal.every else ""
    model = "distinct images" if price.model == "images_read" else price.model
    counting = "passes" if price.model in MEASURES else "dense"
    words = model, counting, price.scope, estimand + how, float(goal.target)
    return SensitivityRow(*words, len(both[0]), answer.missed, answer.saved, answer.verdict.word)


def _executed(both: Pairs, model: str) -> SensitivityRow:
    """The operations that ran; they are known at each run's own stop alone, so this is E1 in every cell."""
    answer = _of_pairs(compare(*both, cost(model, SCOPES["bill"], executed=True)))
    words = model, "executed", "bill", "E1", float(target_of(both[0][0]))
    return SensitivityRow(*words, len(both[0]), answer.missed, answer.saved, answer.verdict.word)


def _expected_costs(both: Pairs, price: Price, goal: Goal, rng: np.random.Generator) -> Interval:
    """Reduction of what a success costs, E1; a miss has spent all that is on its bill."""
    spent, reached = [], []
    for runs in both:
        hits = [at_first_check(price, goal)(run) for run in runs]
        spent.append([_bill(run, price) if math.isinf(hit) else hit for run, hit in zip(runs, hits, strict=True)])
        reached.append([hit < math.inf for hit in hits])
    ratio = ratio_of_expected_costs(spent[0], reached[0], spent[1], reached[1], copy.deepcopy(rng))
    return ratio.as_reduction()


def _bill(run: RunRecord, price: Price) -> float:
    """Price all that a missed run did."""
    return run.tally().total(price.model, SCOPES[price.scope], article_pass=run.config["article_pass"])

"""QUESTION: the verdict of each cell, its qualifiers, and whether its word depends on how the runs are asked.

A cell puts one question to the pairs of one part. E1, as the article asks: the median over pairs of the saving at each
run's first hit. E2, the honest one: the saving of all runs together at the step from which their mean stays at the
target. A miss costs infinity.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..experiment.article import savings
from ..experiment.costs import ARTICLE, EVERY_OPERATION, MEASURES, Bill, cost_at_stop, spent_at_stop
from ..experiment.stats import Interval, sign_test
from ..experiment.summary import BASELINE, TREATMENT
from ..experiment.verdict import Verdict, article_rank
from ..experiment.verdict import verdict as rule
from ..experiment.wording import PEOPLE, n_missed, saved, several
from ..flops import COST_MODELS
from .estimands import Curves, Goal, Pairs, both_arms, compare, stable_ratio, target_of
from .protocol import CLAIM, CLAIM_64
from .resampling import ratio_of_expected_costs
from .runs import Study, once

CELLS = {
    "claim": ("claim", "claim", CLAIM, ARTICLE, "E1"),
    "claim_64": ("claim, 784-64-10", "claim", CLAIM_64, ARTICLE, "E1"),
    "honest": ("honest", "honest", None, EVERY_OPERATION, "E2"),
    "tuned": ("tuned", "tuned", None, EVERY_OPERATION, "E2"),
    "fashion": ("Fashion-MNIST", "fashion", None, ARTICLE, "E1"),
}
"""Every cell: what it is called, its part and configuration (None: an arm has one alone there), bill and estimand."""

TARGET_SHIFTS = (Fraction("-0.003"), Fraction("0.003"))
IN_A_ROW = (3, 5, 10)
EXECUTED_MODELS = ("flop", "mac")  # the others are defined on shapes
LOOK_EVERY = 50  # steps; the other extreme is a look at every check


@once
def cell(study: Study, key: str) -> dict[str, Any] | None:
    """Judge a cell by its key in CELLS; None while its part was not run."""
    name, part, config, bill, estimand = CELLS[key]
    pairs = both_arms(study, part, config)
    return judged(name, pairs, bill, estimand) if pairs else None


def judged(name: str, pairs: Pairs, bill: Bill, estimand: str) -> dict[str, Any]:
    """Put a cell together around its headline, as `--json` has it."""
    treated, scratch = (arm.runs for arm in pairs)
    goal = Goal(target_of(scratch[0]))
    saving, missed, verdict = _answer(pairs, bill, estimand, goal)
    hits = compare(*(arm.first_costs(bill, goal) for arm in pairs))
    by_model = [_way(pairs, Bill(model, scope), estimand, goal) for model, scope in _MODELS.items()]
    ran = [_ran(pairs, model, goal) for model in EXECUTED_MODELS]
    others = [_way(pairs, *way) for way in _other_ways(pairs, bill, estimand, goal)]
    return {
        "name": name,
        "dataset": scratch[0].dataset["name"],
        "target": float(goal.target),
        "stop_on": scratch[0].config["stop_on"],
        "n_pairs": len(scratch),
        "seeds": (scratch[0].seed, scratch[-1].seed),
        "saved": saving,
        "estimand": estimand,
        "verdict": verdict,
        "missed": missed,  # runs by the cell's own estimand; all of an arm's where its mean never stays
        "first_hits": hits,
        "first_hit_steps": {arm: curves.first_steps(goal).tolist() for arm, curves in _by_arm(pairs).items()},
        "stable_steps": {arm: curves.stable_step(goal) for arm, curves in _by_arm(pairs).items()},
        "after_pretrain": [r.accuracy_after_pretrain for r in treated if r.accuracy_after_pretrain is not None],
        "expected_costs": _expected_costs(pairs, bill, goal),
        "sign_test_p": sign_test(hits.reductions, 0.0),
        "article_rank": article_rank(hits.reductions, float(savings()["flops"])),
        "sensitivity": [*by_model, *ran, *others],
        "depends_on_counting": [row["model"] for row in by_model if row["word"] != verdict.word],
    }


_MODELS = {model: "training" if model == ARTICLE.model else "bill" for model in COST_MODELS}
"""Every cost model with the bill that it is quoted with."""


def _by_arm(pairs: Pairs) -> dict[str, Curves]:
    treated, scratch = pairs
    return {BASELINE: scratch, TREATMENT: treated}


def _answer(pairs: Pairs, bill: Bill, estimand: str, goal: Goal) -> tuple[Interval, int, Verdict]:
    """What is saved, how many runs missed, and the word that the rule gives."""
    n_pairs = len(pairs[0])
    if estimand == "E1":
        found = compare(*(arm.first_costs(bill, goal) for arm in pairs))
        return found.interval, n_missed(found), _word(found.interval, n_pairs, found.both_missed / n_pairs)
    ratio = stable_ratio(*pairs, bill, goal)
    missed = sum(n_pairs for arm in pairs if arm.stable_step(goal) is None)
    return ratio.as_reduction(), missed, _word(ratio.as_reduction(), n_pairs, ratio.both_missed_share)


def _word(saving: Interval, n_pairs: int, both_missed_share: float) -> Verdict:
    return rule(n_pairs, both_missed_share, saving.low, saving.high)


def _other_ways(pairs: Pairs, bill: Bill, estimand: str, goal: Goal) -> list[tuple[Bill, str, Goal]]:
    """List what else can be asked; not steps, and no rare looks, where the arms' batches differ or no look fits.

    Seconds are never asked: no record says when a check of a whole curve was made.
    """
    counts = [(model, "training") for model in ("flop", "mac", "steps", "images")]
    with_looks = Bill("flop", "bill and evaluation")
    rarely = replace(goal, every=LOOK_EVERY)
    configs = [arm.runs[0].config for arm in pairs]
    alike = configs[0]["batch_size"] == configs[1]["batch_size"]
    fits = alike and min(config["max_steps"] for config in configs) >= LOOK_EVERY
    return [
        *((Bill(*count), estimand, goal) for count in counts if alike or count[0] != "steps"),
        (Bill("images_read", "bill"), estimand, goal),
        (with_looks, estimand, goal),
        *([(with_looks, estimand, rarely)] if fits else []),
        *((bill, "E1", replace(goal, in_a_row=n)) for n in IN_A_ROW),
        *((bill, estimand, replace(goal, target=goal.target + shift)) for shift in TARGET_SHIFTS),
        (bill, "E2" if estimand == "E1" else "E1", goal),
    ]


def _way(pairs: Pairs, bill: Bill, estimand: str, goal: Goal) -> dict[str, Any]:
    """One row of the sensitivity table: the same pairs, asked so."""
    how = f" with {goal.in_a_row} in a row" if goal.in_a_row > 1 else ""
    how += f", a look every {goal.every} steps" if goal.every else ""
    model = "distinct images" if bill.model == "images_read" else bill.model
    counting = "passes" if bill.model in MEASURES else "dense"
    answer = _answer(pairs, bill, estimand, goal)
    return _row(pairs, (model, counting, bill.scope, estimand + how), goal, answer)


def _ran(pairs: Pairs, model: str, goal: Goal) -> dict[str, Any]:
    """The operations that ran; they are known at each run's own stop alone, so this is E1 in every cell."""
    found = compare(*([cost_at_stop(run, Bill(model, "bill"), executed=True) for run in arm.runs] for arm in pairs))
    word = _word(found.interval, found.n_pairs, found.both_missed / found.n_pairs)
    return _row(pairs, (model, "executed", "bill", "E1"), goal, (found.interval, n_missed(found), word))


def _row(pairs: Pairs, asked: tuple[str, ...], goal: Goal, answer: tuple[Interval, int, Verdict]) -> dict[str, Any]:
    saving, missed, verdict = answer
    names = dict(zip(("model", "counting", "scope", "estimand"), asked, strict=True))
    found = {"target": float(goal.target), "n_pairs": len(pairs[0]), "missed": missed, "saved": saving}
    return {**names, **found, "word": verdict.word}


def _expected_costs(pairs: Pairs, bill: Bill, goal: Goal) -> Interval:
    """Reduction of what a success costs, E1; a miss has spent all that is on its bill."""
    spent, reached = [], []
    for arm in pairs:
        hit = arm.first_costs(bill, goal)
        in_all = [float(spent_at_stop(run, bill.model, bill.phases)) for run in arm.runs]
        spent.append(np.where(np.isinf(hit), in_all, hit))
        reached.append(np.isfinite(hit))
    return ratio_of_expected_costs(spent[0], reached[0], spent[1], reached[1]).as_reduction()


def verdict_line(found: dict[str, Any]) -> str:
    """Write a cell's word with its numbers."""
    word, reason, estimand = found["verdict"].word, found["verdict"].reason, found["estimand"]
    gone = [PEOPLE[arm] for arm, step in found["stable_steps"].items() if step is None]
    if estimand == "E1":
        misses = f"{found['missed']} run{'' if found['missed'] == 1 else 's'} missed"
    elif gone:
        misses = f"the mean accuracy {several(gone)} does not stay at the target"
    else:
        misses = "both arms' mean accuracy gets there for good"
    why = f" ({reason})" if reason else ""
    return f"{word.upper()}{why}. The averages {saved(found['saved'], found['n_pairs'])}; {misses}."

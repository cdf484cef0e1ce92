"""QUESTION: does the word of a cell depend on how its runs are asked? And the cells themselves, for every question.

A cell puts one question to the pairs of a part. E1, as the article asks: the median over pairs of the saving at each
run's first hit. E2, which luck helps less: the saving of all runs together at the step from which their mean stays at
the target. A miss costs infinity. The held-out cell is called honest in the registration, in the records' names and by
its key.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from ..experiment.article import savings
from ..experiment.config import BASELINE, TREATMENT
from ..experiment.costs import ARTICLE, EVERY_OPERATION, MEASURES, Bill, compared, spent_at_stop
from ..experiment.stats import Comparison, Interval, article_rank, sign_test
from ..experiment.stats import verdict as word_of
from ..experiment.wording import PEOPLE, PRICES, brief, pairs, percent, saved, several, times
from ..experiment.wording import cell as interval
from ..flops import COST_MODELS
from .document import Facts, Section, Table, row_of
from .estimands import Goal, Pairs, first_touch, stable_ratio, target_of
from .protocol import CLAIM, CLAIM_64
from .resampling import ratio_of_expected_costs
from .runs import Study, once, pairs_of, question

CELLS = {
    "claim": ("claim", "claim", CLAIM, ARTICLE, "E1"),
    "claim_64": ("claim, 784-64-10", "claim", CLAIM_64, ARTICLE, "E1"),
    "honest": ("held-out", "honest", None, EVERY_OPERATION, "E2"),
    "tuned": ("tuned", "tuned", None, EVERY_OPERATION, "E2"),
    "fashion": ("Fashion-MNIST", "fashion", None, ARTICLE, "E1"),
}
"""Every cell: what it is called, its part and configuration (None: an arm has one alone there), bill and estimand."""

IN_VERDICT = {
    "claim": ("Claim cell (counted and stopped as the article does)", "claim cell"),
    "claim_64": ("The same for 784-64-10, which fits its arithmetic too", "claim cell with 784-64-10"),
    "honest": ("Held-out cell (every dense operation counted, stopped on held-out images)", "held-out cell"),
}
"""The cells of the verdict for people, and in a few words."""

SHORT = {**{key: short for key, (_, short) in IN_VERDICT.items()}, "tuned": "tuned cell"}
"""The cells that are asked in every other way too, in a few words."""

LABELS = "distinct images"
"""What is counted in the row that gets no word: the labels that are needed."""

ESTIMANDS = {"E1": "first touch", "E2": "for good", " with ": ", ", "a look every 50 steps": "1 look in 50"}
"""When a target counts as reached, for people: the first look at or above it, or that from which the mean stays."""

LOOK_EVERY = 50  # steps; the other extreme is a look at every check


def cells(study: Study, keys: Iterable[str]) -> dict[str, Facts]:
    """Judge those of the cells whose part is finished, by their keys in CELLS."""
    return {key: cell(study, key) for key in keys if study.has(CELLS[key][1])}


@once
def cell(study: Study, key: str) -> Facts:
    """Judge a cell by its key in CELLS; its part must be finished."""
    name, part, config, bill, estimand = CELLS[key]
    treated, scratch = arms = pairs_of(study, part, config)
    by_arm, run = {BASELINE: scratch, TREATMENT: treated}, scratch.runs[0]
    goal = Goal(target_of(run))
    headline = _judged(arms, bill, estimand, goal)
    hits = first_touch(arms, bill, goal)
    models = {model: "training" if model == ARTICLE.model else "bill" for model in COST_MODELS}  # as each is quoted
    by_model = [_row(arms, Bill(model, scope), estimand, goal) for model, scope in models.items()]
    ran = [_row_of_what_ran(arms, model, goal) for model in ("flop", "mac")]  # the others are defined on shapes
    return {
        "name": name,
        "dataset": run.dataset["name"],
        "target": float(goal.target),
        "stop_on": run.config["stop_on"],
        "n_pairs": len(scratch),
        "seeds": (run.seed, scratch.runs[-1].seed),
        "estimand": estimand,
        **headline,
        "first_hits": hits,
        "first_hit_steps": {arm: curves.first_steps(goal).tolist() for arm, curves in by_arm.items()},
        "stable_steps": {arm: curves.stable_step(goal) for arm, curves in by_arm.items()},
        "after_pretrain": [r.accuracy_after_pretrain for r in treated.runs if r.accuracy_after_pretrain is not None],
        "expected_costs": expected_costs(arms, bill, goal),
        "sign_test_p": sign_test(hits.reductions, 0.0),
        "article_rank": article_rank(hits.reductions, float(savings()["flops"])),
        "sensitivity": [*by_model, *ran, *(_row(arms, *way) for way in _other_ways(arms, bill, estimand, goal))],
        "depends_on_counting": [row["model"] for row in by_model if row["word"] != headline["verdict"].word],
    }


def _judged(arms: Pairs, bill: Bill, estimand: str, goal: Goal) -> Facts:
    """What is saved, how many runs missed (all of an arm whose mean never stays), and the word that the rule gives."""
    if estimand == "E1":
        return _judged_by_pairs(first_touch(arms, bill, goal))
    ratio, n_pairs = stable_ratio(*arms, bill, goal), len(arms[0])
    saving, missed = ratio.as_reduction(), sum(n_pairs for arm in arms if arm.stable_step(goal) is None)
    word = word_of(n_pairs, ratio.both_missed_share, saving.low, saving.high)
    return {"saved": saving, "missed": missed, "verdict": word}


def _judged_by_pairs(found: Comparison) -> Facts:
    return {"saved": found.interval, "missed": found.n_missed, "verdict": found.verdict}


def _other_ways(arms: Pairs, bill: Bill, estimand: str, goal: Goal) -> list[tuple[Bill, str, Goal]]:
    """List what else can be asked; not steps and rare looks where the arms' batches differ, as tuned ones may.

    Seconds are never asked: no record says when a check of a whole curve was made.
    """
    with_looks = Bill("flop", "bill and evaluation")
    ways = [(Bill(model, "training"), estimand, goal) for model in ("flop", "mac", "steps", "images")]
    ways += [(Bill("images_read", "bill"), estimand, goal)]
    ways += [(with_looks, estimand, replace(goal, every=every)) for every in (None, LOOK_EVERY)]
    ways += [(bill, "E1", replace(goal, in_a_row=n)) for n in (3, 5, 10)]
    ways += [(bill, estimand, replace(goal, target=goal.target + Fraction(shift, 1000))) for shift in (-3, 3)]
    ways += [(bill, "E2" if estimand == "E1" else "E1", goal)]
    configs = [arm.runs[0].config for arm in arms]
    if configs[0]["batch_size"] != configs[1]["batch_size"]:
        ways = [way for way in ways if way[0].model != "steps" and way[2].every is None]
    budget = min(config["max_steps"] for config in configs)
    return [way for way in ways if (way[2].every or 0) <= budget]


def _row(arms: Pairs, bill: Bill, estimand: str, goal: Goal) -> Facts:
    how = f" with {goal.in_a_row} in a row" if goal.in_a_row > 1 else ""
    how += f", a look every {goal.every} steps" if goal.every else ""
    model = LABELS if bill.model == "images_read" else bill.model
    counting = "passes" if bill.model in MEASURES else "dense"
    asked = {"model": model, "counting": counting, "scope": bill.scope, "estimand": estimand + how}
    return _with_answer(asked, len(arms[0]), goal, _judged(arms, bill, estimand, goal))


def _row_of_what_ran(arms: Pairs, model: str, goal: Goal) -> Facts:
    """The operations that ran; they are known at each run's own stop alone, so this is E1 in every cell."""
    asked = {"model": model, "counting": "executed", "scope": "bill", "estimand": "E1"}
    ran = compared((arm.runs for arm in arms), Bill(model, "bill"), executed=True)
    return _with_answer(asked, len(arms[0]), goal, _judged_by_pairs(ran))


def _with_answer(asked: Facts, n_pairs: int, goal: Goal, judged: Facts) -> Facts:
    answer = {"missed": judged["missed"], "saved": judged["saved"], "word": judged["verdict"].word}
    return {**asked, "target": float(goal.target), "n_pairs": n_pairs, **answer}


def expected_costs(arms: Pairs, bill: Bill, goal: Goal) -> Interval:
    """Return the reduction of what a success costs, E1; a miss has spent all that is on its bill."""
    columns: list[ArrayLike] = []
    for arm in arms:
        hit = arm.first_costs(bill, goal)
        in_all = [float(spent_at_stop(run, bill.model, bill.phases)) for run in arm.runs]
        columns += [np.where(np.isinf(hit), in_all, hit), np.isfinite(hit)]
    spent, reached, scratch_spent, scratch_reached = columns
    return ratio_of_expected_costs(spent, reached, scratch_spent, scratch_reached).as_reduction()


def by_the_other_estimand(found: Facts) -> Interval:
    """Return what a cell saves if its target counts as reached by the estimand that is not its own."""
    other = {"E1": "E2", "E2": "E1"}[found["estimand"]]
    saving: Interval = row_of(found["sensitivity"], estimand=other, counting="dense")["saved"]
    return saving


def by_what_ran(found: Facts) -> Facts:
    """Return the row of a cell in which the operations that ran are counted, zeros skipped."""
    return row_of(found["sensitivity"], model="flop", counting="executed")


def verdict_line(found: Facts) -> str:
    """Write a cell's word with its numbers, and beside them what the other estimand says."""
    reason = f" ({found['verdict'].reason})" if found["verdict"].reason else ""
    word, saving = found["verdict"].word.upper(), saved(found["saved"], found["n_pairs"])
    at = found["stable_steps"]
    gone = [PEOPLE[arm] for arm, step in at.items() if step is None]
    there = f"both arms' mean accuracy gets there for good, at steps {at[BASELINE]} and {at[TREATMENT]}"
    if gone:
        there = f"the mean accuracy {several(gone)} does not stay at the target"
    other = brief(by_the_other_estimand(found))
    if found["estimand"] == "E1":
        missed = f"{found['missed']} run{'' if found['missed'] == 1 else 's'} missed"
        return f"{word}{reason}. The averages {saving}; {missed}. For good: {other}, where {there}."
    return f"{word}{reason}. The averages {saving}, where {there}. At first touch: {other}."


@question("Does the word depend on how it is asked?", also=("claim", "honest", "tuned"))
def sensitivity(study: Study) -> Section:
    """Answer whether the word depends on how it is asked: one table for each word that some row gets."""
    of = {SHORT[key]: found for key, found in cells(study, SHORT).items()}
    if not of:
        return Section()
    same, answer, tables = [], [], []
    for short, found in of.items():
        words = [row["word"] for row in found["sensitivity"] if row["model"] != LABELS]
        same.append(f"{words.count(found['verdict'].word)} of {len(words)} in the {short}")
        said, of_words = _by_word(found, short[0].upper() + short[1:])
        answer += said
        tables += of_words
    first = f"Ways to ask that give a cell's own word, that one among them: {several(same)}."
    return Section([first, *answer], tables)


def _by_word(found: Facts, name: str) -> tuple[list[str], list[Table]]:
    """Say which ways to ask a cell give another word than its own, and lay out those of each word."""
    own = found["verdict"].word
    rows = [row for row in found["sensitivity"] if row["model"] != LABELS]
    words = dict.fromkeys([own, *(row["word"] for row in rows)])
    of = {word: [row for row in rows if row["word"] == word] for word in words}
    others = [f'"{word}" for {several([_asked(row, found) for row in of[word]])}' for word in words if word != own]
    answer = [f"{name}: {'; '.join([own, *others])}."]
    answer += [
        f"{name}: the averages read {times(row['saved'])} times as many distinct images as scratch."
        for row in found["sensitivity"]
        if row["model"] == LABELS and math.isfinite(row["saved"].median)
    ]
    columns = {
        "what is counted": _counted,
        "until": lambda row: _until(row, found),
        "missed": lambda row: str(row["missed"]),
        "saved, % (95%)": lambda row: interval(row["saved"]),
    }
    captions = {word: f"{name}, {word}; {pairs(found['n_pairs'])}:" for word in of}
    return answer, [Table.of(asked, columns, captions[word]) for word, asked in of.items() if asked]


def _asked(row: Facts, found: Facts) -> str:
    """Name a row in a sentence; the cell's own estimand and target go without saying."""
    usual = all(row[name] == found[name] for name in ("estimand", "target"))
    return _counted(row) if usual else f"{_counted(row)} ({_until(row, found)})"


def _until(row: Facts, found: Facts) -> str:
    """Name when a row's target counts as reached."""
    when = row["estimand"]
    for ours, words in ESTIMANDS.items():
        when = when.replace(ours, words)
    return when if row["target"] == found["target"] else f"{when}, {percent(row['target'])}"


def _counted(row: Facts) -> str:
    """Name what a row adds up; the whole bill goes without saying."""
    model: str = row["model"]
    counted = PRICES.get(model, model)
    if row["counting"] == "executed":
        return f"{counted} that ran"
    if row["scope"] == "bill and evaluation":
        return f"{counted} with looks"
    if model in ("steps", "images"):
        return f"{counted} of both phases"
    only = row["scope"] == "training" and model != ARTICLE.model
    return f"{counted} without data" if only else counted

"""QUESTION: is anything left when both arms are tuned, by an estimand that can be settled? The second registration's.

The first study's tuned cell asked from which step on the mean stays at the target: one step for all runs, whose ratio
jumps by whole looks, so that 192 pairs gave no word. Here each run is there at the third of three looks in a row at the
target, E3, and phase 1 was searched once more, on the settings that won for both arms.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..experiment.config import BASELINE, TREATMENT
from ..experiment.costs import ARTICLE, EVERY_OPERATION, Bill, compared, spent_at_stop
from ..experiment.stats import Interval, compare, median_interval
from ..experiment.wording import brief, cell, percent, saved, steps
from ..flops import total
from .cells import expected_costs
from .document import Facts, Section, Table, row_of
from .estimands import Goal, Pairs, first_touch, for_good
from .protocol import BOTH
from .runs import Study, both_arms, once, question
from .second_protocol import FIRST_WINNER, SETTLING_SEEDS, best_phase_1, phase_1_draws, settled_goal, settled_score

NEIGHBOURHOOD = [Fraction(n, 1000) for n in range(887, 895)]
"""Targets beside the judged one, 89.3%."""


FOR_GOOD = "for good, ratio of totals"
"""How the first study judged its tuned cell."""


@question("Tuned against tuned, settled?", needs=("tuning-2", "finals-2", "tuned-2"))
def settled(study: Study) -> Section:
    """Answer what is left when both arms are tuned, by three looks in a row."""
    found = settlement(study) or {}
    at = [steps(found["stable_steps"][arm]) for arm in BOTH]
    by_means = row_of(found["ways"], how=FOR_GOOD)["saved"]
    word, n_tried = found["verdict"], len(found["scores"])
    reason = f" ({word.reason})" if word.reason else ""
    share, fewer = cell(found["phase_1_share"]), cell(found["steps_saved"])
    epochs, factor = (found["winner"][name] for name in ("pretrain_epochs", "pretrain_rate_factor"))
    answer = [
        f"With both arms tuned, averages first {saved(found['saved'], found['n_pairs'])}, every operation counted, at "
        f"the third look in a row at {percent(found['target'])}: {word.word.upper()}{reason}.",
        f"Averaging and phase 1 cost {share}% of scratch's bill; the real steps after them are {fewer}% fewer. The "
        f"means stay at the target from step {at[0]} on from scratch and from step {at[1]} on after averages first. "
        f"By where the means stay, the first study's estimand, averages first {brief(by_means)}"
        f"{'' if by_means.sign else ', which leaves the direction open'}. "
        f"{n_tried} phases 1 were tried on the settings that won for both arms; the best has {epochs} epochs at "
        f"{factor:g} times the rate. Scratch got no new draws.",
    ]
    ways = {
        "how it is asked": lambda row: row["how"],
        "missed": lambda row: str(row["missed"]),
        "saved, % (95%)": lambda row: cell(row["saved"]),
    }
    near = {
        "target": lambda row: percent(row["target"]),
        "three in a row": lambda row: cell(row["in_a_row"]),
        "first touch": lambda row: cell(row["first_touch"]),
        "for good": lambda row: cell(row["for_good"]),
    }
    tables = [
        Table.of(found["ways"], ways, f"{found['n_pairs']} pairs; below 0, it costs more:"),
        Table.of(found["neighbourhood"], near, "Saved, % (95%), every operation, by target:"),
    ]
    pictures = {"tuning": "both tuned arms' mean accuracy against operations, near the target"}
    return Section(answer, tables, pictures=pictures, facts={"settled": found})


@once
def settlement(study: Study) -> Facts | None:
    """Judge the settled comparison, with what found its phase 1; None while a part is missing."""
    arms = settled_arms(study)
    if arms is None or not study.has("tuning-2", "finals-2"):
        return None
    treated, scratch = arms
    goal = settled_goal(scratch.runs[0])
    found = first_touch(arms, EVERY_OPERATION, goal)
    (winner,) = best_phase_1(study.parts["finals-2"], 1)
    tried = study.by_configuration("tuning-2")
    return {
        "n_pairs": found.n_pairs,
        "seeds": (SETTLING_SEEDS.start, SETTLING_SEEDS.stop - 1),
        "target": float(goal.target),
        "saved": found.interval,
        "missed": found.n_missed,
        "verdict": found.verdict,
        "stable_steps": {BASELINE: scratch.stable_step(_first(goal)), TREATMENT: treated.stable_step(_first(goal))},
        "phase_1_share": _phase_1_share(arms, goal),
        "steps_saved": compare(*(arm.first_steps(goal) for arm in arms)).interval,
        "ways": _ways(arms, goal),
        "neighbourhood": [_near(arms, goal, target) for target in NEIGHBOURHOOD],
        "winner": {name: getattr(winner, name) for name in ("pretrain_epochs", "pretrain_rate_factor")},
        "winner_was_the_first_studys": winner == FIRST_WINNER,
        "scores": [
            {
                "pretrain_epochs": config.pretrain_epochs,
                "pretrain_rate_factor": config.pretrain_rate_factor,
                "score": settled_score(tried[config, TREATMENT]),
            }
            for config in phase_1_draws()
            if (config, TREATMENT) in tried
        ],
    }


def settled_arms(study: Study) -> Pairs | None:
    """Return both arms of the settled comparison; None while it was not run."""
    return both_arms(study, "tuned-2")


def _first(goal: Goal) -> Goal:
    return replace(goal, in_a_row=1)


def _phase_1_share(arms: Pairs, goal: Goal) -> Interval:
    """What averaging and phase 1 cost, in shares of scratch's cost at E3: the median over pairs.

    Scaling is left out: both arms scale what they read.
    """
    treated, scratch = arms
    below = scratch.first_costs(EVERY_OPERATION, goal)
    above = []
    for run in treated.runs:
        made = {name: n for name, n in run.counts["dense"]["data"].items() if name != "scale_pixels"}
        averaging = total({"data": made}, {}, EVERY_OPERATION.model, ["data"])
        above.append(averaging + spent_at_stop(run, EVERY_OPERATION.model, ["pretrain"]))
    return median_interval(np.array(above) / below)


def _ways(arms: Pairs, goal: Goal) -> list[Facts]:
    """List what else can be asked of the same pairs."""
    first = _first(goal)
    asked = [
        ("three looks in a row, every operation", EVERY_OPERATION, goal),
        ("five in a row", EVERY_OPERATION, replace(goal, in_a_row=5)),
        ("ten in a row", EVERY_OPERATION, replace(goal, in_a_row=10)),
        ("first touch", EVERY_OPERATION, first),
        ("three in a row, without data", Bill("flop", "training"), goal),
        ("three in a row, multiply-adds", Bill("mac", "bill"), goal),
        ("three in a row, with looks", Bill("flop", "bill and evaluation"), goal),
        ("three in a row, the article's count", ARTICLE, goal),
    ]
    rows = []
    for how, bill, when in asked:
        found = first_touch(arms, bill, when)
        rows.append({"how": how, "missed": found.n_missed, "saved": found.interval})
    ran = compared((arm.runs for arm in arms), EVERY_OPERATION, executed=True)
    never = sum(len(arm) for arm in arms if arm.stable_step(first) is None)
    return [
        *rows,
        {"how": "first touch, operations that ran", "missed": ran.n_missed, "saved": ran.interval},
        {"how": FOR_GOOD, "missed": never, "saved": for_good(arms, EVERY_OPERATION, first)},
        {
            "how": "expected cost of a first touch",
            "missed": rows[3]["missed"],
            "saved": expected_costs(arms, EVERY_OPERATION, first),
        },
    ]


def _near(arms: Pairs, goal: Goal, target: Fraction) -> Facts:
    here = replace(goal, target=target)
    return {
        "target": float(target),
        "in_a_row": first_touch(arms, EVERY_OPERATION, here).interval,
        "first_touch": first_touch(arms, EVERY_OPERATION, _first(here)).interval,
        "for_good": for_good(arms, EVERY_OPERATION, _first(here)),
    }

"""QUESTION: in the closed-form start, is it the averages or the start? The second registration's.

That control writes class averages into the first hidden units by a formula, and so replaces the initial weights as
well. Here other images go through the same formula: the global mean ten times knows nothing of the classes, so what it
saves is the start, and what the averages save more, pair by pair, is theirs.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..experiment.config import BASELINE, TREATMENT
from ..experiment.costs import BILLS, EVERY_OPERATION, compared, cost_at_stop
from ..experiment.records import RunRecord, paired
from ..experiment.stats import Interval, median_interval, paired_ratios
from ..experiment.wording import OUTCOMES, brief, cell, number, p_value, several
from . import controls
from .comparisons import EXPLAINED_MARGIN, explained, judged, more_saved
from .document import Facts, Section, Table
from .protocol import MAIN_SEEDS
from .runs import Study, once, question
from .second_protocol import CHOSEN, DECIDED, PAIR_SEEDS, STARTS, chosen_gain, shown_gains, with_gain

AVERAGES, GLOBAL_MEAN = CHOSEN
WITHOUT_CLASSES = (GLOBAL_MEAN, "closed-form-pixels", "closed-form-noise")
"""Starts whose images say nothing of the classes."""

SHORT = dict(zip(STARTS, ("averages", "global mean", "shuffled", "noise", "wrong labels", "one a class"), strict=True))
"""Images in the closed-form start, for a table."""

TAUGHT = {
    TREATMENT: "the averages",
    "means-10": "averages of ten images a class",
    "permuted": "averages under wrong labels",
    "noise": "noise",
    "exemplar": "one real image a class",
}
"""Arms that are taught by the same steps, the averages and other images."""

Runs = Sequence[RunRecord]
Floats = NDArray[np.float64]


@question("Started by a formula: is it the averages, or the start?", needs=("start-gains", "start-images"))
def cause(study: Study) -> Section:
    """Answer how much of the closed-form start's saving is the start, and how much the averages."""
    found = causes(study)
    answer = [_answer(found), *_on_the_first_test(found), *_taught_by_steps(study)]
    starts = _by_start(found)
    gains = sorted({gain for _, gain in starts})
    tables = [
        Table(
            ["images", *(f"size {gain:g}" for gain in gains)],
            [[words, *(cell(starts[arm, gain][which]) for gain in gains)] for arm, words in SHORT.items()],
            f"Saved, % (95%), {counted}; {found['n_pairs']} pairs, by the output weights' size:",
        )
        for which, counted in (("saved_every_operation", "every operation, dense"), ("saved", "the article's count"))
    ]
    equal = found["averages_more_at_equal_gain"]
    tables[0].rows.append(["difference", *(cell(equal[gain]) for gain in gains)])
    tested = {
        "images in the start": lambda row: SHORT[row["arm"]],
        "difference, points": lambda row: cell(row["difference"]),
        "p yes": lambda row: p_value(row["explains_p"]),
        "p no": lambda row: p_value(row["worse_p"]),
        "explains it?": lambda row: OUTCOMES[row["outcome"]],
    }
    caption = "Saving less that of the averages taught by steps, by pair, size 8; the first registration's test:"
    tables.append(Table.of(found["explains"], tested, caption))
    return Section(answer, tables, facts={"cause": found})


@once
def causes(study: Study) -> Facts:
    """Compare the six starts with scratch, with each other and with the averages taught by steps."""
    choosing = study.parts["start-gains"]
    chosen = {arm: chosen_gain(arm, choosing) for arm in CHOSEN}
    starts = [_start(study, arm, gain) for gain in shown_gains(choosing) for arm in STARTS]
    averages, mean = (_ratios(study, arm, chosen[arm]) for arm in CHOSEN)
    more = median_interval(more_saved(mean, averages))
    half = median_interval(more_saved(0.5 + averages / 2, mean))
    return {
        "n_pairs": starts[0]["n_pairs"],
        "seeds": (PAIR_SEEDS.start, PAIR_SEEDS.stop - 1),
        "chosen_gains": chosen,
        "starts": starts,
        "class_means": {
            name: compared(_runs(study, TREATMENT, DECIDED.closed_form_gain), bill).interval
            for name, bill in BILLS.items()
        },
        "averages_more": more,
        "averages_more_word": _adds(more),
        "averages_more_at_equal_gain": {
            gain: median_interval(more_saved(_ratios(study, GLOBAL_MEAN, gain), _ratios(study, AVERAGES, gain)))
            for gain in shown_gains(choosing)
        },
        "start_less_half": half,
        "start_share_word": _share(half),
        "explains": _first_test(study),
    }


def _adds(more: Interval) -> str:
    """The registered word for what the averages save more than the start."""
    if more.sign > 0:
        return "add to the start"
    nothing = more.ends and more.ends[0] >= -EXPLAINED_MARGIN and more.ends[1] <= EXPLAINED_MARGIN
    return "add nothing" if nothing else "open"


def _share(half: Interval) -> str:
    """The registered word for the start's share of the formula's saving."""
    return {1: "more than half", -1: "less than half", 0: "about half"}[half.sign]


def _runs(study: Study, arm: str, gain: float) -> tuple[Runs, Runs]:
    """An arm's runs at a gain, and scratch's of the same seeds."""
    scratch = study.runs("start-images", BASELINE, DECIDED)
    ours, scratch = paired(study.runs("start-images", arm, with_gain(gain)), scratch)
    return ours, scratch


def _ratios(study: Study, arm: str, gain: float) -> Floats:
    costs = ([cost_at_stop(run, EVERY_OPERATION) for run in runs] for runs in _runs(study, arm, gain))
    return paired_ratios(*costs)


def _start(study: Study, arm: str, gain: float) -> Facts:
    ours, scratch = _runs(study, arm, gain)
    after = [run.accuracy_after_pretrain for run in ours if run.accuracy_after_pretrain is not None]
    found = {name: compared((ours, scratch), bill) for name, bill in BILLS.items()}
    return {
        "arm": arm,
        "gain": gain,
        "n_pairs": len(ours),
        **{name: comparison.interval for name, comparison in found.items()},
        "missed": found["saved"].n_missed,
        "after_start": statistics.fmean(after),
    }


def _first_test(study: Study) -> list[Facts]:
    """Put the five other starts, at the first study's gain, to its test of what explains the saving."""
    gain = DECIDED.closed_form_gain
    means, others = _ratios(study, TREATMENT, gain), [arm for arm in STARTS if arm != AVERAGES]
    ratios = {arm: _ratios(study, arm, gain) for arm in others}
    tests = {arm: explained(found, means) for arm, found in ratios.items()}
    return [
        {
            "arm": arm,
            "outcome": word["outcome"],
            "difference": median_interval(more_saved(means, ratios[arm])),
            "explains_p": word["explains_p"],
            "worse_p": word["worse_p"],
        }
        for arm, word in judged(tests, len(others)).items()
    ]


def _by_start(found: Facts) -> dict[tuple[str, float], Facts]:
    return {(row["arm"], row["gain"]): row for row in found["starts"]}


def _answer(found: Facts) -> str:
    """Say what the start saves, what the averages save in it, and what is theirs."""
    starts, gains = _by_start(found), found["chosen_gains"]
    start, averages = (brief(starts[arm, gains[arm]]["saved_every_operation"]) for arm in CHOSEN[::-1])
    more, share = found["averages_more"], found["start_share_word"]
    theirs = {
        "add to the start": "the averages add",
        "add nothing": "the averages add nothing to it,",
        "open": "whether the averages add to it stays open,",
    }[found["averages_more_word"]]
    known = f" ({' to '.join(map(number, more.ends))})" if more.ends else ""
    points = f"{theirs} {number(more.median)} points{known} pair by pair"
    return (
        f"Started by the formula from the global mean ten times, which knows nothing of the classes, training {start} "
        f"of every operation; from the averages it {averages}. {share.capitalize()} of the formula's saving is the "
        f"start: {points} ({found['n_pairs']} pairs, each start at the size chosen for it; {_at_equal_size(found)})."
    )


def _at_equal_size(found: Facts) -> str:
    """What the averages add where both starts have the same size."""
    differences = found["averages_more_at_equal_gain"]
    points = several([number(difference.median) for difference in differences.values()])
    return f"{points} points where both have size {several([f'{gain:g}' for gain in differences])}"


def _on_the_first_test(found: Facts) -> list[str]:
    """Say whether starts without classes pass the test by which the first study said explained."""
    passing = [row["arm"] for row in found["explains"] if row["outcome"] == "explains"]
    fooling = [STARTS[arm] for arm in passing if arm in WITHOUT_CLASSES]
    if not fooling:
        return ["No start without class information passes the first study's test of what explains the saving."]
    verb = "pass" if len(fooling) > 1 else "passes"
    return [
        "Explained by closed-form, the first study's registered word, says nothing about the averages: "
        f"{several(fooling)} in the same start {verb} its test too."
    ]


def _taught_by_steps(study: Study) -> list[str]:
    """Say which images help where they are taught by steps, from the first study."""
    rows = {row["arm"]: row for row in (*controls.controls(study), *controls.descriptive(study))}
    if not TAUGHT.keys() <= rows.keys():
        return []
    savings = {arm: rows[arm]["saved_every_operation"].interval for arm in TAUGHT}
    helps, others = ([arm for arm in TAUGHT if (savings[arm].sign > 0) == saves] for saves in (True, False))
    n = f"first study, {len(MAIN_SEEDS)} pairs, noise {rows['noise']['n_pairs']}"
    told = [
        f"{what}: {', '.join(f'{TAUGHT[arm]} {brief(savings[arm])}' for arm in arms)}"
        for what, arms in (("these help", helps), ("these do not", others))
        if arms
    ]
    return [f"Taught by steps, {'; '.join(told)} ({n})."]

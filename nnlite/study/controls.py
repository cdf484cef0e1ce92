"""QUESTION: is it the averages, or just cheap steps? And what one flag, another arm, another setting saves.

The rule, registered before the runs: a control explains the saving if it saves at most 5 points less than the averages
(one-sided sign test by pairs, Holm over the eight controls, every operation counted). Cheap steps explain it if
fresh-batches or exemplar do; the averages' direction does if closed-form or means-10 explain it and fresh-batches,
exemplar and permuted are worse.

A run's cost is that of its own stop, as its kernels counted it; a hit after the shortest budget among the runs compared
is a miss, whatever the arm.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from ..experiment.config import BASELINE, EXPLANATORY, TREATMENT
from ..experiment.costs import ARTICLE, BILLS, EVERY_OPERATION, Bill, cost_at_stop
from ..experiment.records import RunRecord, paired
from ..experiment.stats import compare, paired_ratios
from ..experiment.wording import OUTCOMES, brief, cell, p_value, percent, saved, several, steps
from . import cells
from .comparisons import EXPLAINED_MARGIN, explained, judged
from .document import Columns, Facts, Section, Table
from .protocol import CLAIM, CONTROLS, DESCRIPTIVE, FLAGS, SETTINGS
from .runs import Study, once, question

CHEAP = {"fresh-batches": "fresh batches of ten", "exemplar": "one fixed image a class"}
"""Controls that would explain a saving as nothing but cheap steps."""

DIRECTION = {"closed-form": "the closed-form start", "means-10": "averages of ten images a class"}
"""Controls that have the averages' direction at another price."""

NO_DIRECTION = {**CHEAP, "permuted": "averages under wrong labels"}
"""Controls that must be worse before the direction can be the reason."""

DECIDING = {**DIRECTION, **NO_DIRECTION}

SAVED: Columns = {
    "article's count, %": lambda row: cell(row["saved"].interval),
    "dense operations, %": lambda row: cell(row["saved_every_operation"].interval),
}
"""The two columns that say what is saved."""

_COUNTED: Columns = {"n": lambda row: str(row["n_pairs"]), "missed": lambda row: str(row["saved"].n_missed)}

BEFORE_PUT_BACK = ("adam-state", "first-layer", "output-layer")
"""Arms that put weights back after phase 1: the accuracy before that is not theirs."""

AFTER_REAL_STEPS = "averages-last"
"""The arm whose phase 1 comes after 100 real steps."""

UNTESTED = {"explanation": None, "explains_p": None, "worse_p": None, "outcome_as_article": ""}
"""What a row has to say of tests that were not made."""

BUDGET = min(CLAIM.max_steps, CONTROLS.max_steps)

Runs = Sequence[RunRecord]


@once
def controls(study: Study) -> list[Facts]:
    """Compare the explanatory controls with scratch, and their savings with the class averages' own.

    Class-means come first as the reference. A control explains the saving, or is worse, if that adjusted p-value is at
    most LEVEL, by every operation; else it is open. Nothing while the claim cell or the controls are missing.
    """
    if not study.runs("claim", BASELINE, CLAIM) or "controls" not in study.parts:
        return []
    every, article = _tested(study, EVERY_OPERATION), _tested(study, ARTICLE)
    found = _arms(study, "claim", [TREATMENT], "reference")
    for row in _arms(study, "controls", EXPLANATORY, ""):
        arm = row["arm"]
        found.append({**row, **every[arm], "outcome_as_article": article[arm]["outcome"]})
    return found


@once
def descriptive(study: Study) -> list[Facts]:
    """Compare the arms that are no explanatory controls with scratch; no tests."""
    return _arms(study, "descriptive", list(DESCRIPTIVE), "descriptive")


@once
def flags(study: Study) -> list[Facts]:
    """Compare scratch with one flag to scratch without: same seeds, no pretraining; the steps are those with it."""
    found = []
    for name, config in FLAGS.items():
        flagged, plain = paired(study.runs("flags", BASELINE, config), study.runs("claim", BASELINE, CLAIM))
        if flagged:
            found.append(_setting(name, flagged, plain, steps_of=flagged))
    return found


@once
def settings(study: Study) -> list[Facts]:
    """Compare class-means with scratch where one thing is changed in both; the steps are scratch's.

    Scratch of some settings is among the flags; where only pretraining is changed, of which scratch has none, that of
    the claim cell stands in.
    """
    found = []
    for name, config in SETTINGS.items():
        own = study.runs("flags", BASELINE, config) or study.runs("settings", BASELINE, config)
        if not own and name.endswith("epochs"):
            own = study.runs("claim", BASELINE, CLAIM)
        treated, scratch = paired(study.runs("settings", TREATMENT, config), own)
        if treated:
            found.append(_setting(name, treated, scratch, steps_of=scratch))
    return found


def explained_by(found: Sequence[Facts]) -> list[str]:
    """Name the controls that explain the saving."""
    return [row["arm"] for row in found if row["outcome"] == "explains"]


def _tested(study: Study, bill: Bill) -> dict[str, Facts]:
    """Test every control that has pairs by a bill; both p-values by Holm over all eight, also where one has no runs."""
    of_claim = [study.runs("claim", arm, CLAIM) for arm in (TREATMENT, BASELINE)]
    tests = {}
    for arm in EXPLANATORY:
        ours, means, scratch = paired(study.runs("controls", arm, CONTROLS), *of_claim)
        if ours:
            theirs, averages, below = (_costs(group, bill, BUDGET) for group in (ours, means, scratch))
            tests[arm] = explained(paired_ratios(theirs, below), paired_ratios(averages, below))
    return {arm: {"explanation": tests[arm], **word} for arm, word in judged(tests, len(EXPLANATORY)).items()}


def _arms(study: Study, part: str, arms: Iterable[str], outcome: str) -> list[Facts]:
    """Arms of a part against scratch, over the seeds that the class averages have too; without those that have none."""
    found = []
    for arm in arms:
        own = study.runs(part, arm, CLAIM if part == "claim" else CONTROLS)
        ours, _, scratch = paired(own, *(study.runs("claim", name, CLAIM) for name in (TREATMENT, BASELINE)))
        if ours:
            after = [run.accuracy_after_pretrain for run in ours if run.accuracy_after_pretrain is not None]
            mean = {"after_pretrain": statistics.fmean(after) if after else None}  # before anything is put back
            row = {"arm": arm, **_savings(ours, scratch, BUDGET), **mean, "outcome": outcome}
            found.append({**row, **UNTESTED})
    return found


def _setting(name: str, ours: Runs, scratch: Runs, steps_of: Runs) -> Facts:
    budget = min(run.config["max_steps"] for run in (*ours, *scratch))
    median = statistics.median(_steps_within(budget, run) for run in steps_of)
    return {"name": name, "scratch_steps": median, **_savings(ours, scratch, budget)}


def _savings(ours: Runs, scratch: Runs, budget: int) -> Facts:
    both = {name: compare(*(_costs(runs, bill, budget) for runs in (ours, scratch))) for name, bill in BILLS.items()}
    return {"n_pairs": len(ours), **both}


def _costs(runs: Runs, bill: Bill, budget: int) -> list[float]:
    """What runs had spent at their stop; infinite for one that needed more steps than the budget."""
    return [cost_at_stop(run, bill) if _steps_within(budget, run) < math.inf else math.inf for run in runs]


def _steps_within(budget: int, run: RunRecord) -> float:
    hit = run.steps_to_target
    return hit if hit is not None and hit <= budget else math.inf


@question("Is it the averages, or just cheap steps?", needs=("claim", "controls"))
def averages_or_steps(study: Study) -> Section:
    """Answer whether it is the averages or just cheap steps, by the eight controls."""
    found = controls(study)
    facts = {"controls": found, "averages_or_steps": conclusion(found), "explained_by": explained_by(found)}
    tables = [_table_of_arms("What each saves", found)]
    if tested := [row for row in found if row["explanation"]]:
        columns = {
            "control": lambda row: row["arm"],
            "difference, points": lambda row: cell(row["explanation"].interval),
            "p yes": lambda row: p_value(row["explains_p"]),
            "p no": lambda row: p_value(row["worse_p"]),
            "as much?": lambda row: OUTCOMES[row["outcome"]],
            "article": lambda row: OUTCOMES[row["outcome_as_article"]],
        }
        caption = "Its saving less the averages' own, by pair, every dense operation counted (95%):"
        tables.append(Table.of(tested, columns, caption))
    pictures = {"controls": "savings of the controls, with intervals"}
    said = conclusion(found)
    answer = [said] if said else []
    return Section(answer, tables, pictures=pictures, facts=facts)


def conclusion(found: Sequence[Facts]) -> str:
    """Say in one sentence whether it is the averages or just cheap steps, by the rule fixed beforehand.

    Empty while class-means or one of the five controls that decide is missing.
    """
    by_arm = {row["arm"]: row for row in found}
    if not {TREATMENT, *DECIDING} <= by_arm.keys():
        return ""
    savings = {arm: row["saved_every_operation"].interval for arm, row in by_arm.items()}
    cheap, direction = ([arm for arm in arms if arm in explained_by(found)] for arms in (CHEAP, DIRECTION))

    def listed(arms: Iterable[str], with_outcome: bool = False) -> str:
        words = {arm: f": {by_arm[arm]['outcome']}" if with_outcome else "" for arm in arms}
        return several([f"{DECIDING[arm]} {brief(savings[arm])}{word}" for arm, word in words.items()])

    above = all(savings[arm].median > savings[TREATMENT].median for arm in cheap or direction)
    near = f"{'more' if above else f'at most {100 * EXPLAINED_MARGIN:.0f} points less'} than the averages"
    averages = f"the class averages {brief(savings[TREATMENT])}"
    source = f"{min(by_arm[arm]['n_pairs'] for arm in DECIDING)} pairs, every dense operation counted"
    if cheap:
        return f"Cheap steps: {listed(cheap)}, {near}; {averages} ({source})."
    if direction and all(by_arm[arm]["outcome"] == "worse" for arm in NO_DIRECTION):
        taught = f"taught by as many steps, {averages}, but {listed(NO_DIRECTION)} ({source})"
        return f"Not cheap steps: {taught}. Registered word: the averages' direction, as {listed(direction)}, {near}."
    return f"Neither alone: beside {averages}, {listed(DECIDING, with_outcome=True)} ({source})."


@question("What does one flag save, without pretraining?", needs=("claim", "flags"))
def one_flag(study: Study) -> Section:
    """Answer what one flag saves without any pretraining."""
    found = flags(study)
    told = [f"{row['name']} alone {_saved_in_words(row)}" for row in found]
    answer = [f"{'; '.join(told)}, from scratch and by the article's count."]
    claim = cells.cell(study, "claim")
    beaten = [row["name"] for row in found if row["saved"].interval.median > claim["saved"].median]
    than = f"The averages {saved(claim['saved'], claim['n_pairs'])}"
    answer.append(f"{than}, less than {several(beaten)}." if beaten else f"{than}, more than any of these.")
    caption = "From scratch with and without it, n pairs (95%); steps: median with it."
    table = _table_of_settings("one thing changed", found, caption)
    return Section(answer, [table], _with_the_flag(study), facts={"flags": found})


def _with_the_flag(study: Study) -> list[str]:
    """What the averages save where both arms have the flag; whether one replaces the other is the reader's to see."""
    flag_of = {name: flag for flag, changed in FLAGS.items() for name, config in SETTINGS.items() if config == changed}
    both = [
        f"with {flag_of[row['name']]} in both arms the averages {_saved_in_words(row)}"
        for row in settings(study)
        if row["name"] in flag_of
    ]
    if not both:
        return []
    return [f"The flag and the averages together, by the article's count and only described: {'; '.join(both)}."]


@question("Other arms and settings", needs=("claim",), also=("descriptive", "settings"))
def others(study: Study) -> Section:
    """Describe the other arms, and one thing changed in both arms."""
    arms, changed = descriptive(study), settings(study)
    facts = {"descriptive": arms, "settings": changed}
    if not arms and not changed:
        return Section(facts=facts)
    tables = [_table_of_arms("What other arms save", arms)] if arms else []
    if changed:
        caption = "One thing changed in both arms, n pairs (95%); steps: scratch's median."
        tables.append(_table_of_settings("", changed, caption))
    answer = "Descriptive: few pairs and no tests, so no line here supports or refutes anything."
    pictures = {"phase1": "phase 1 alone: accuracy on the averages and on test, by epoch"}
    return Section([answer], tables, pictures=pictures, facts=facts)


def _table_of_arms(what: str, found: Sequence[Facts]) -> Table:
    def after_phase_1(row: Facts) -> str:
        if row["after_pretrain"] is None or row["arm"] in BEFORE_PUT_BACK:
            return "-"
        return percent(row["after_pretrain"], 0) + ("*" if row["arm"] == AFTER_REAL_STEPS else "")

    caption = f"{what} against scratch (95%), n pairs, to step 300; phase 1: accuracy then."
    columns = {"": lambda row: row["arm"], **_COUNTED, "phase 1": after_phase_1, **SAVED}
    return Table.of(found, columns, caption)


def _table_of_settings(what: str, found: Sequence[Facts], caption: str) -> Table:
    columns = {
        what: lambda row: row["name"].replace("softmax regression", "no hidden layer"),
        **_COUNTED,
        "steps": lambda row: steps(row["scratch_steps"]),
        **SAVED,
    }
    return Table.of(found, columns, caption)


def _saved_in_words(row: Facts) -> str:
    return saved(row["saved"].interval, row["n_pairs"])

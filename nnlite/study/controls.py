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
from dataclasses import dataclass, replace

from ..experiment.config import ARMS, EXPLANATORY
from ..experiment.costs import ARTICLE, EVERY_OPERATION, Bill, cost_at_stop
from ..experiment.records import RunRecord
from ..experiment.stats import Interval, paired_ratios
from ..experiment.summary import BASELINE, TREATMENT, Comparison, paired
from ..experiment.wording import OUTCOMES, cell, n_missed, number, p_value, percent, saved, several, steps
from .comparisons import EXPLAINED_MARGIN, Explanation, explained, holm
from .document import Section, Table
from .estimands import compare
from .protocol import BOTH, CLAIM, CONTROLS, FLAGS, SETTINGS
from .runs import Study, once

LEVEL = 0.05
"""Largest adjusted p-value that gives a control its word."""

CHEAP = {"fresh-batches": "fresh batches of ten", "exemplar": "one fixed image a class"}
"""Controls that would explain a saving as nothing but cheap steps."""

DIRECTION = {"closed-form": "the closed-form start", "means-10": "averages of ten images a class"}
"""Controls that have the averages' direction at another price."""

NO_DIRECTION = {**CHEAP, "permuted": "averages under wrong labels"}
"""Controls that must be worse before the direction can be the reason."""

SAVED = ("article's count, %", "every operation, %")
"""Heads of the two columns that say what is saved."""

BEFORE_PUT_BACK = ("adam-state", "first-layer", "output-layer")
"""Arms that put weights back after phase 1: the accuracy before that is not theirs."""

AFTER_REAL_STEPS = "averages-last"
"""The arm whose phase 1 comes after 100 real steps."""

SETTING_NAMES = {"softmax regression": "no hidden layer"}
"""What a setting is called for people, where its name takes knowing."""

_DECIDING = {**DIRECTION, **NO_DIRECTION}
_OUTCOMES = {"explains": "explains it", "worse": "worse", "open": "open"}
_BUDGET = min(CLAIM.max_steps, CONTROLS.max_steps)


@dataclass(frozen=True)
class Control:
    """One arm against scratch, with the class means' pairs beside it."""

    arm: str
    n_pairs: int
    saved: Comparison  # against scratch, by the article's count
    saved_every_operation: Comparison
    after_pretrain: float | None  # mean accuracy at the end of phase 1, before anything is put back
    outcome: str  # reference (class-means itself), explains, worse, open, descriptive
    explanation: Explanation | None = None  # explanatory controls only; every operation counted
    explains_p: float | None = None  # after Holm
    worse_p: float | None = None  # after Holm
    outcome_as_article: str = ""  # the same by the article's count, which is free to make images


@dataclass(frozen=True)
class Setting:
    """One thing changed in both arms; or a flag, which only scratch has."""

    name: str
    n_pairs: int
    scratch_steps: float  # median over runs; of a flag, with it
    saved: Comparison  # by the article's count
    saved_every_operation: Comparison


@once
def controls(study: Study) -> list[Control]:
    """Compare the explanatory controls with scratch, and their savings with the class averages' own.

    Returns
    -------
    list of Control
        Class-means first, outcome "reference"; then the controls that have pairs: "explains" or "worse" if that
        adjusted p-value is at most 0.05, else "open". Empty while the claim cell or the controls are missing.
    """
    if not study.runs("claim", BASELINE, CLAIM) or "controls" not in study.parts:
        return []
    found = [_control(study, study.runs("claim", TREATMENT, CLAIM), "reference")]
    every, article = _judged(study, EVERY_OPERATION), _judged(study, ARTICLE)
    for arm, (test, p, q) in every.items():
        control = _control(study, study.runs("controls", arm, CONTROLS), _outcome(p, q))
        word = _outcome(*article[arm][1:])
        if control is not None:
            found.append(replace(control, explanation=test, explains_p=p, worse_p=q, outcome_as_article=word))
    return [control for control in found if control]


@once
def descriptive(study: Study) -> list[Control]:
    """Compare the arms that are no explanatory controls with scratch; no tests."""
    if not study.runs("claim", BASELINE, CLAIM) or "descriptive" not in study.parts:
        return []
    others = [arm for arm in ARMS if arm not in (*BOTH, *EXPLANATORY)]
    found = [_control(study, study.runs("descriptive", arm, CONTROLS), "descriptive") for arm in others]
    return [control for control in found if control]


@once
def flags(study: Study) -> list[Setting]:
    """Compare scratch with one flag changed to scratch without: same seeds, same bill, no pretraining.

    saved = 1 - cost(flag) / cost(plain); the steps are those with the flag.
    """
    found = []
    for name, config in FLAGS.items():
        flagged, plain = paired(study.runs("flags", BASELINE, config), study.runs("claim", BASELINE, CLAIM))
        if flagged:
            found.append(_setting(name, flagged, plain, steps_of=flagged))
    return found


@once
def settings(study: Study) -> list[Setting]:
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


@once
def averages_saved(study: Study) -> Comparison | None:
    """Compare class-means with scratch in the claim cell by the article's count, to stand beside the flags."""
    means, scratch = paired(*(study.runs("claim", arm, CLAIM) for arm in (TREATMENT, BASELINE)))
    return _saved(means, scratch, ARTICLE, CLAIM.max_steps) if means else None


def explained_by(found: Sequence[Control]) -> list[str]:
    """Name the controls that explain the saving."""
    return [control.arm for control in found if control.outcome == "explains"]


def _judged(study: Study, bill: Bill) -> dict[str, tuple[Explanation, float, float]]:
    """Test every control that has pairs by a bill; both p-values by Holm over all eight, also where one has no runs."""
    of_claim = [study.runs("claim", arm, CLAIM) for arm in (TREATMENT, BASELINE)]
    tests = {}
    for arm in EXPLANATORY:
        ours, means, scratch = paired(study.runs("controls", arm, CONTROLS), *of_claim)
        if ours:
            below = _costs(scratch, bill, _BUDGET)
            theirs, averages = (paired_ratios(_costs(group, bill, _BUDGET), below).ratios for group in (ours, means))
            tests[arm] = explained(theirs, averages)
    absent = [1.0] * (len(EXPLANATORY) - len(tests))
    explains = holm([*(test.p_explains for test in tests.values()), *absent]).tolist()
    worse = holm([*(test.p_worse for test in tests.values()), *absent]).tolist()
    return {arm: (test, p, q) for (arm, test), p, q in zip(tests.items(), explains, worse, strict=False)}


def _outcome(explains_p: float, worse_p: float) -> str:
    if explains_p <= LEVEL:
        return "explains"
    return "worse" if worse_p <= LEVEL else "open"


def _control(study: Study, runs: Sequence[RunRecord], outcome: str) -> Control | None:
    """One arm against scratch, over the seeds that the class averages have too."""
    ours, _, scratch = paired(runs, *(study.runs("claim", arm, CLAIM) for arm in (TREATMENT, BASELINE)))
    if not ours:
        return None
    after = [run.accuracy_after_pretrain for run in ours if run.accuracy_after_pretrain is not None]
    return Control(
        arm=ours[0].arm,
        n_pairs=len(ours),
        saved=_saved(ours, scratch, ARTICLE, _BUDGET),
        saved_every_operation=_saved(ours, scratch, EVERY_OPERATION, _BUDGET),
        after_pretrain=statistics.fmean(after) if after else None,
        outcome=outcome,
    )


def _setting(
    name: str, ours: Sequence[RunRecord], scratch: Sequence[RunRecord], steps_of: Sequence[RunRecord]
) -> Setting:
    budget = min(run.config["max_steps"] for run in (*ours, *scratch))
    return Setting(
        name=name,
        n_pairs=len(ours),
        scratch_steps=statistics.median(_steps_within(budget, run) for run in steps_of),
        saved=_saved(ours, scratch, ARTICLE, budget),
        saved_every_operation=_saved(ours, scratch, EVERY_OPERATION, budget),
    )


def _saved(ours: Sequence[RunRecord], scratch: Sequence[RunRecord], bill: Bill, budget: int) -> Comparison:
    return compare(_costs(ours, bill, budget), _costs(scratch, bill, budget))


def _costs(runs: Sequence[RunRecord], bill: Bill, budget: int) -> list[float]:
    """What runs had spent at their stop; infinite for one that needed more steps than the budget."""
    return [cost_at_stop(run, bill) if _steps_within(budget, run) < math.inf else math.inf for run in runs]


def _steps_within(budget: int, run: RunRecord) -> float:
    hit = run.steps_to_target
    return hit if hit is not None and hit <= budget else math.inf


def averages_or_steps(study: Study) -> Section:
    """Answer whether it is the averages or just cheap steps, by the eight controls."""
    title, found = "Is it the averages, or just cheap steps?", controls(study)
    facts = {"controls": found, "averages_or_steps": conclusion(found), "explained_by": explained_by(found)}
    if not found:
        return Section(title, ["Not answered.", *study.missing("claim", "controls")], facts=facts)
    rows = []
    for control in found:
        e = control.explanation
        if e is not None:
            limits = "(none)" if e.low is None or e.high is None else f"({number(e.low)} to {number(e.high)})"
            row = [control.arm, f"{number(e.difference)} {limits}", p_value(control.explains_p)]
            words = [OUTCOMES[control.outcome], OUTCOMES[control.outcome_as_article]]
            rows.append([*row, p_value(control.worse_p), *words])
    tables = [
        saving_table(found, "What each saves against scratch (95%), n pairs, to step 300; phase 1: accuracy then.")
    ]
    if rows:
        head = ["control", "difference, points", "p yes", "p no", "explains it?", "article"]
        caption = "Its saving less the averages' own, by pair, every operation counted; 95% bounds:"
        tables.append(Table(head, rows, caption))
    notes = [
        f"A control explains the saving if it saves at most {100 * EXPLAINED_MARGIN:.0f} points less than the averages "
        "(p yes) and does not if it saves less than that (p no): one-sided sign tests, p adjusted over the eight by "
        "Holm. Every operation is counted, since the controls differ in what their images cost to make; the last "
        "column has the same tests by the article's count, in which that is free. `nnlite --list-arms` says what each "
        "is.",
        "Below 0, it cost more than training from scratch. Phase 1 of adam-state is put back, so it has no accuracy. "
        "closed-form has a free number, the size of its output weights, which was chosen on pilot runs; those of the "
        "averages, their epochs and rate, are the article's and the preset's.",
        *study.missing("claim", "controls"),
    ]
    pictures = {"controls": "savings of the controls, with intervals"}
    return Section(title, [conclusion(found) or "Not answered."], tables, notes, pictures, facts)


def conclusion(found: Sequence[Control]) -> str:
    """Say in one sentence whether it is the averages or just cheap steps, by the rule fixed beforehand.

    Empty while class-means or one of the five controls that decide is missing.
    """
    by_arm = {control.arm: control for control in found}
    if not {TREATMENT, *_DECIDING} <= by_arm.keys():
        return ""
    saved = {arm: control.saved_every_operation.interval for arm, control in by_arm.items()}
    cheap, direction = ([arm for arm in arms if arm in explained_by(found)] for arms in (CHEAP, DIRECTION))

    def listed(arms: Iterable[str], with_outcome: bool = False) -> str:
        words = {arm: f" ({_OUTCOMES[by_arm[arm].outcome]})" if with_outcome else "" for arm in arms}
        return several([f"{_DECIDING[arm]} {_effect(saved[arm])}{word}" for arm, word in words.items()])

    averages = f"the class averages' {_bounded(saved[TREATMENT])}"
    margin = f"at most {100 * EXPLAINED_MARGIN:.0f} points less than"
    above = all(saved[arm].median > saved[TREATMENT].median for arm in cheap or direction)
    near = f"{'more than' if above else margin} {averages}"
    source = f"({min(by_arm[arm].n_pairs for arm in _DECIDING)} pairs, every operation counted)"
    if cheap:
        return f"Cheap steps: {listed(cheap)}, {near} {source}."
    if direction and all(by_arm[arm].outcome == "worse" for arm in NO_DIRECTION):
        rest = listed(NO_DIRECTION)
        return f"The averages' direction, not the steps: {listed(direction)}, {near}, but {rest} {source}."
    return f"Neither alone: beside {averages}, {listed(_DECIDING, with_outcome=True)} {source}."


def one_flag(study: Study) -> Section:
    """Answer what one flag saves without any pretraining."""
    title, found = "What does one flag save, without pretraining?", flags(study)
    facts = {"flags": found}
    if not found:
        return Section(title, ["Not answered.", *study.missing("claim", "flags")], facts=facts)
    sentence = "; ".join(f"{flag.name} alone {saved(flag.saved.interval, flag.n_pairs)}" for flag in found)
    answer = [f"{sentence[0].upper()}{sentence[1:]}, from scratch and by the article's count."]
    averages = averages_saved(study)
    if averages is not None:
        beaten = [flag.name for flag in found if flag.saved.interval.median > averages.interval.median]
        than = f"The averages {saved(averages.interval, averages.n_pairs)}"
        answer.append(f"{than}, less than {several(beaten)}." if beaten else f"{than}, more than any of these.")
    notes = [
        " ".join(["A saving smaller than these is no reason to pretrain.", *_with_the_flag(study)]),
        *study.missing("flags"),
    ]
    caption = "From scratch with and without it, n pairs (95%); steps: median with it."
    return Section(title, answer, [_setting_table("one thing changed", found, caption)], notes, facts=facts)


def _with_the_flag(study: Study) -> list[str]:
    """What the averages save where both arms have the flag; whether one replaces the other is the reader's to see."""
    flag_of = {name: flag for flag, changed in FLAGS.items() for name, config in SETTINGS.items() if config == changed}
    both = [
        f"with {flag_of[setting.name]} in both arms the averages {saved(setting.saved.interval, setting.n_pairs)}"
        for setting in settings(study)
        if setting.name in flag_of
    ]
    if not both:
        return []
    return [f"The flag and the averages together, by the article's count and only described: {'; '.join(both)}."]


def others(study: Study) -> Section:
    """Describe the other arms, and one thing changed in both arms."""
    title, arms, changed = "Other arms and settings", descriptive(study), settings(study)
    facts = {"descriptive": arms, "settings": changed}
    notes = study.missing("descriptive", "settings")
    if not arms and not changed:
        return Section(title, ["Not described.", *notes], facts=facts)
    tables = []
    if arms:
        caption = "What other arms save against scratch (95%), n pairs, to step 300; phase 1: accuracy then."
        tables.append(saving_table(arms, caption))
        if any(control.arm == AFTER_REAL_STEPS for control in arms):
            notes.insert(0, f"* {AFTER_REAL_STEPS} has trained on 100 real batches before.")
        notes.insert(0, "Phase 1 of arms that put weights back has no accuracy: what is read then is not kept.")
    if changed:
        caption = "One thing changed in both arms, n pairs (95%); steps: scratch's median."
        tables.append(_setting_table("", changed, caption))
    answer = "Descriptive: few pairs and no tests, so no line here supports or refutes anything."
    pictures = {"phase1": "phase 1 alone: accuracy on the averages and on test, by epoch"}
    return Section(title, [answer], tables, notes, pictures, facts)


def saving_table(found: Sequence[Control], caption: str) -> Table:
    """Lay out arms against scratch: by the article's count and by every operation, with n and misses."""
    return _table("", "phase 1", [(each.arm, _after_phase_1(each), each) for each in found], caption)


def _setting_table(what: str, found: Sequence[Setting], caption: str) -> Table:
    names = [SETTING_NAMES.get(each.name, each.name) for each in found]
    rows = [(name, steps(each.scratch_steps), each) for name, each in zip(names, found, strict=True)]
    return _table(what, "steps", rows, caption)


def _table(what: str, told: str, found: Sequence[tuple[str, str, Control | Setting]], caption: str) -> Table:
    """Lay out savings by both bills with n and misses; `told` is the column between."""
    rows = [
        [
            name,
            str(each.n_pairs),
            str(n_missed(each.saved)),
            text,
            cell(each.saved.interval),
            cell(each.saved_every_operation.interval),
        ]
        for name, text, each in found
    ]
    return Table([what, "n", "missed", told, *SAVED], rows, caption)


def _after_phase_1(control: Control) -> str:
    if control.after_pretrain is None or control.arm in BEFORE_PUT_BACK:
        return "-"
    return percent(control.after_pretrain, 0) + ("*" if control.arm == AFTER_REAL_STEPS else "")


def _effect(saved: Interval) -> str:
    """saved 22.1% [20.3%, 24.6%]; cost 3.1% more [2.4%, 3.3%]."""
    if saved.median >= 0 or math.isinf(saved.median):
        return f"saved {_bounded(saved)}"
    low, high = (None if end is None else -end for end in (saved.high, saved.low))
    return f"cost {_bounded(Interval(-saved.median, low, high), ' more')}"


def _bounded(saved: Interval, more: str = "") -> str:
    """22.1% [20.3%, 24.6%]; without the brackets where there is no interval."""
    middle = percent(saved.median) + more
    if saved.low is None or saved.high is None:
        return middle
    return f"{middle} [{percent(saved.low)}, {percent(saved.high)}]"

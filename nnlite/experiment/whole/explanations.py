"""What explains the saving: controls beside the class averages, one flag without them, one thing changed in both arms.

Place in the data path: records of parts -> explanations -> Findings -> report, figures. Costs are those of
E1, a run's first hit, as its kernels counted them; a hit after the shortest budget among the runs compared is a miss,
whatever the arm. Left out: the cells (`cells`), other targets (`horizons`), searches, the tests (`comparisons`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .. import comparisons
from ..records import RunRecord
from ..stats import Interval, paired_ratios
from ..summary import BASELINE, SCOPES, TREATMENT, WHOLE_BILL, Cost, compare, cost, paired
from ..wording import percent, several
from .findings import Control, Setting
from .protocol import FLAGS, SETTINGS
from .selecting import by_config, of_arm

AS_ARTICLE = cost("article-2023", SCOPES["training"])
FULL_BILL = cost("flop", WHOLE_BILL)
"""What the controls are tested on, since they differ in what their images cost to make."""

LEVEL = 0.05
"""Largest adjusted p-value that gives a control its word."""

CHEAP = {"fresh-batches": "fresh batches of ten", "exemplar": "one fixed image a class"}
"""Controls that would explain a saving as nothing but cheap steps."""

_DIRECTION = {"closed-form": "the closed-form start", "means-10": "averages of ten images a class"}
_NO_DIRECTION = {**CHEAP, "permuted": "averages under wrong labels"}
_OUTCOMES = {"explains": "explains it", "worse": "worse", "open": "open"}
_DECIDING = {**_DIRECTION, **_NO_DIRECTION}

Records = Sequence[RunRecord]


def controls(claim_records: Records, control_records: Records, arms: Sequence[str]) -> list[Control]:
    """Compare the explanatory controls with scratch, and their savings with the class averages' own.

    Parameters
    ----------
    claim_records : sequence of RunRecord
        Scratch and class-means, one configuration.
    control_records : sequence of RunRecord
        The controls, the same seeds.
    arms : sequence of str
        The family of Holm's adjustment. An arm without a pair is not in the list but still counts in the family.

    Returns
    -------
    list of Control
        Class-means first, outcome "reference"; then the controls: "explains" or "worse" if that adjusted p-value is at
        most 0.05, else "open".

    Raises
    ------
    ValueError
        If a run stands there twice, or an arm's records are of several configurations.
    """
    budget = _shortest_budget(claim_records, control_records)
    reference = _control(TREATMENT, claim_records, claim_records, budget, "reference")
    controls_of = {arm: _control(arm, claim_records, control_records, budget, "open") for arm in arms}
    found = [control for control in controls_of.values() if control is not None]
    if not found:
        return [reference] if reference else []
    full_bill, as_article = (
        [_explanation(of_arm(control_records, control.arm), claim_records, _until(budget, priced)) for control in found]
        for priced in (FULL_BILL, AS_ARTICLE)
    )
    adjusted, others = _adjusted(full_bill, len(arms)), _adjusted(as_article, len(arms))
    judged = [
        replace(control, explanation=test, explains_p=p, worse_p=q, outcome=_outcome(p, q), outcome_as_article=word)
        for control, test, (p, q), word in zip(
            found, full_bill, adjusted, [_outcome(*other) for other in others], strict=True
        )
    ]
    return [reference, *judged] if reference else judged


def _explanation(ours: Records, claim: Records, priced: Cost) -> comparisons.Explanation:
    """Test an arm's saving against the class averages', pair by pair."""
    runs, means, scratch = paired(ours, of_arm(claim, TREATMENT), of_arm(claim, BASELINE))
    below = [priced(run) for run in scratch]
    theirs, averages = (paired_ratios([priced(run) for run in group], below).ratios for group in (runs, means))
    return comparisons.explained_by(theirs, averages)


def _adjusted(tests: Sequence[comparisons.Explanation], n_family: int) -> list[tuple[float, float]]:
    """Holm's p-values of both one-sided tests; an arm of the family without runs counts with p = 1."""
    absent = [1.0] * (n_family - len(tests))
    explains = comparisons.holm([*(test.p_explains for test in tests), *absent]).tolist()
    worse = comparisons.holm([*(test.p_worse for test in tests), *absent]).tolist()
    return list(zip(explains, worse, strict=True))[: len(tests)]


def descriptive(claim_records: Records, records: Records, arms: Sequence[str]) -> list[Control]:
    """Compare other arms with scratch over the seeds that both have; no tests.

    Parameters
    ----------
    claim_records, records, arms
        As for `controls`; no family, and no class-means beside them.

    Returns
    -------
    list of Control
        In the order of `arms`, without those that have no pair.
    """
    budget = _shortest_budget(claim_records, records)
    found = (_control(arm, claim_records, records, budget, "descriptive") for arm in arms)
    return [control for control in found if control]


def explained_by(found: Sequence[Control]) -> list[str]:
    """Name the controls that explain the saving."""
    return [control.arm for control in found if control.outcome == "explains"]


def averages_or_steps(found: Sequence[Control]) -> str:
    """Say in one sentence whether it is the averages or just cheap steps, by the rule fixed beforehand.

    Cheap steps if fresh-batches or exemplar explain the saving; the averages' direction, not the steps, if closed-form
    or means-10 explain it and fresh-batches, exemplar and permuted are worse; else neither alone.

    Parameters
    ----------
    found : sequence of Control
        As `controls` returns them.

    Returns
    -------
    str
        Empty while class-means or one of the five controls that decide is missing.
    """
    by_arm = {control.arm: control for control in found}
    if not {TREATMENT, *_DECIDING} <= by_arm.keys():
        return ""

    saved = {arm: control.saved_every_operation.interval for arm, control in by_arm.items()}
    cheap, direction = ([arm for arm in arms if arm in explained_by(found)] for arms in (CHEAP, _DIRECTION))

    def listed(arms: Iterable[str], with_outcome: bool = False) -> str:
        words = {arm: f" ({_OUTCOMES[by_arm[arm].outcome]})" if with_outcome else "" for arm in arms}
        return several([f"{_DECIDING[arm]} {_effect(saved[arm])}{word}" for arm, word in words.items()])

    averages = f"the class averages' {_bounded(saved[TREATMENT])}"
    margin = f"at most {100 * comparisons.EXPLAINED_MARGIN:.0f} points less than"
    above = all(saved[arm].median > saved[TREATMENT].median for arm in cheap or direction)
    near = f"{'more than' if above else margin} {averages}"
    source = f"({min(by_arm[arm].n_pairs for arm in _DECIDING)} pairs, every operation counted)"
    if cheap:
        return f"Cheap steps: {listed(cheap)}, {near} {source}."
    if direction and all(by_arm[arm].outcome == "worse" for arm in _NO_DIRECTION):
        rest = listed(_NO_DIRECTION)
        return f"The averages' direction, not the steps: {listed(direction)}, {near}, but {rest} {source}."
    return f"Neither alone: beside {averages}, {listed(_DECIDING, with_outcome=True)} {source}."


def flags(claim_records: Records, flag_records: Records) -> list[Setting]:
    """Compare scratch with one flag changed to scratch without: same seeds, same bill, no pretraining.

    Parameters
    ----------
    claim_records, flag_records : sequence of RunRecord
        Only scratch is looked at; `flag_records` in the configurations of `FLAGS`.

    Returns
    -------
    list of Setting
        saved = 1 - cost(flag) / cost(plain); its steps are those with the flag.
    """
    changed = by_config(flag_records)
    found = []
    for name, config in FLAGS.items():
        flagged, plain = paired(changed.get((config, BASELINE), []), of_arm(claim_records, BASELINE))
        if flagged:
            found.append(_setting(name, flagged, plain, steps_of=flagged))
    return found


def settings(records: Records, claim_records: Records, flag_records: Records) -> list[Setting]:
    """Compare class-means with scratch where one thing is changed in both.

    Parameters
    ----------
    records : sequence of RunRecord
        In the configurations of `protocol.SETTINGS`.
    claim_records : sequence of RunRecord
        Their scratch stands in where only pretraining is changed, of which scratch has none.
    flag_records : sequence of RunRecord
        Scratch of some settings; a run may stand here and in `records`, where it is the same.

    Returns
    -------
    list of Setting
        In the order of `protocol.SETTINGS`, without those that have no pair; the steps are scratch's.
    """
    runs = by_config([*flag_records, *records])
    found = []
    for name, config in SETTINGS.items():
        own = runs.get((config, BASELINE), [])
        treated, scratch = paired(runs.get((config, TREATMENT), []), own or _plain(name, claim_records))
        if treated:
            found.append(_setting(name, treated, scratch, steps_of=scratch))
    return found


def _control(arm: str, claim: Records, others: Records, budget: int, outcome: str) -> Control | None:
    """One arm against scratch."""
    ours, _, scratch = paired(of_arm(others, arm), of_arm(claim, TREATMENT), of_arm(claim, BASELINE))
    if not ours:
        return None
    after = [run.accuracy_after_pretrain for run in ours if run.accuracy_after_pretrain is not None]
    return Control(
        arm=arm,
        n_pairs=len(ours),
        saved=compare(ours, scratch, _until(budget, AS_ARTICLE)),
        saved_every_operation=compare(ours, scratch, _until(budget, FULL_BILL)),
        after_pretrain=statistics.fmean(after) if after else None,
        explanation=None,
        explains_p=None,
        worse_p=None,
        outcome=outcome,
    )


def _outcome(explains_p: float, worse_p: float) -> str:
    if explains_p <= LEVEL:
        return "explains"
    return "worse" if worse_p <= LEVEL else "open"


def _setting(name: str, ours: Records, against: Records, steps_of: Records) -> Setting:
    budget = _shortest_budget(ours, against)
    return Setting(
        name=name,
        n_pairs=len(ours),
        scratch_steps=statistics.median(_until(budget, _steps)(run) for run in steps_of),
        saved=compare(ours, against, _until(budget, AS_ARTICLE)),
        saved_every_operation=compare(ours, against, _until(budget, FULL_BILL)),
    )


def _plain(name: str, claim: Records) -> Records:
    """Scratch of the claim cell for a setting that scratch does not have: how long phase 1 lasts."""
    return of_arm(claim, BASELINE) if name.endswith("epochs") else []


def _until(budget: int, priced: Cost) -> Cost:
    """Price a run that hit within the budget; infinite for all others."""

    def within(record: RunRecord) -> float:
        hit = record.steps_to_target
        return priced(record) if hit is not None and hit <= budget else math.inf

    return within


def _steps(record: RunRecord) -> float:
    return math.inf if record.steps_to_target is None else record.steps_to_target


def _shortest_budget(*groups: Records) -> int:
    return min((run.config["max_steps"] for group in groups for run in group), default=0)


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

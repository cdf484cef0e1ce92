"""How the saving depends on the target, whether the prediction held, and who is better after equal steps.

Place in the data path: records of long runs -> horizons -> Findings -> report, figures. Every number is
read off the recorded curves. Left out: the cells at their own target (`cells`), controls (`explanations`), the band and
the tests themselves (`bands`, `comparisons`).
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ..bands import Band, simultaneous_band
from ..bands import prediction as word_of
from ..comparisons import equivalence
from ..records import RunRecord
from ..stats import Interval, median_interval
from ..summary import BASELINE, TREATMENT, compare, paired
from ..verdict import MIN_PAIRS
from .estimands import ARTICLE, EVERY_OPERATION, Goal, at_first_check, first_step, stable_step_of
from .findings import EqualSteps, Prediction, TargetRow
from .selecting import of_arm

MIN_REACHED = 0.95
"""Smallest share of pairs in which both runs reach a target that has a ratio."""

BILLS = ARTICLE, EVERY_OPERATION
"""How a saving is counted: by the article, and every operation."""

Floats = npt.NDArray[np.float64]


def targets(records: Sequence[RunRecord], wanted: Sequence[float]) -> list[TargetRow]:
    """Compare both arms at every target: real steps saved and costs, at each run's first hit.

    Parameters
    ----------
    records : sequence of RunRecord
        Scratch and class-means of one configuration, whole curves.
    wanted : sequence of float
        Targets, shares of right answers.

    Returns
    -------
    list of TargetRow
        Empty without a pair. Steps that a pair saved: inf where only scratch missed, -inf where only class-means did, 0
        where both. No interval where under 95% of pairs reach, both runs of them.

    Raises
    ------
    ValueError
        If a run stands there twice, or an arm's records are of several configurations.
    """
    scratch, treated = _pairs(records)
    if not scratch:
        return []
    rows = []
    for target in wanted:
        plain, ours = _hits(scratch, target), _hits(treated, target)
        found: list[Interval | None] = [None, None, None]
        if np.mean(np.isfinite(plain) & np.isfinite(ours)) >= MIN_REACHED:
            costs = [at_first_check(price, _goal(target)) for price in BILLS]
            found = [median_interval(_steps_saved(plain, ours))]
            found += [compare(treated, scratch, cost).interval for cost in costs]
        rows.append(
            TargetRow(
                target=target,
                n_pairs=len(scratch),
                reached={BASELINE: float(np.isfinite(plain).mean()), TREATMENT: float(np.isfinite(ours).mean())},
                scratch_steps=float(plain.mean()),
                steps_saved=found[0],
                saved=found[1],
                saved_every_operation=found[2],
            )
        )
    return rows


def prediction(records: Sequence[RunRecord], wanted: Sequence[float], rng: np.random.Generator) -> Prediction | None:
    """Test whether class averages give a head start and nothing else.

    D(t) = mean steps saved at target t - mean steps of scratch to the accuracy of its pair's class-means after phase 1.

    Parameters
    ----------
    records, wanted
        As for `targets`.
    rng : numpy Generator
        Source of the band's resamples; copied, not advanced.

    Returns
    -------
    Prediction or None
        None without a pair. "open" with fewer pairs than a verdict needs, or without a target that has a D.

    Raises
    ------
    ValueError
        If a run stands there twice, or an arm's records are of several configurations.

    Notes
    -----
    A target that some run missed has no D. Nor has one that some class-means run had met when phase 1 ended: nothing
    was left to do, so all that it can save is scratch's steps to there. Those are fewer than the head start, and D
    would be below 0 even if the averages were a head start and nothing else. `outcome_with_them` is the word with these
    targets asked all the same.
    """
    scratch, treated = _pairs(records)
    if not scratch:
        return None
    after = [_after_phase_1(run) for run in treated]
    head_start = np.array([first_step(run, Goal(share)) for run, share in zip(scratch, after, strict=True)])
    hits = {target: (_hits(scratch, target), _hits(treated, target)) for target in wanted}
    reached = [target for target in wanted if np.isfinite([*hits[target], head_start]).all()]
    beyond = [target for target in reached if _goal(target).target > max(after)]
    saved = {target: _steps_saved(*hits[target]) for target in reached}
    band, outcome = _judged([saved[target] - head_start for target in beyond], rng)
    return Prediction(
        targets=beyond,
        head_start=float(head_start.mean()),
        steps_saved=[float(saved[target].mean()) for target in beyond],
        band=band,
        outcome=outcome,
        met_by_phase_1=[target for target in reached if target not in beyond],
        outcome_with_them=_judged([saved[target] - head_start for target in reached], rng)[1],
    )


def equal_steps(name: str, records: Sequence[RunRecord], step: int) -> EqualSteps:
    """Test whether both arms are equally accurate on the test set after the same number of real steps.

    Parameters
    ----------
    name : str
        How people call that number: 5 epochs.
    records : sequence of RunRecord
        Scratch and class-means of one configuration that stops on test, whole curves, 2 pairs or more.
    step : int
        At which all runs were looked at. A run that diverged before gets nothing right.

    Returns
    -------
    EqualSteps
        Its test is of class-means - scratch.

    Raises
    ------
    ValueError
        If there are fewer than 2 pairs, an arm's records are of several configurations, or a run stands there twice,
        stops on validation or was not looked at then.
    """
    scratch, treated = ([_accuracy(run, step) for run in runs] for runs in _pairs(records))
    return EqualSteps(
        name=name,
        steps=step,
        n_pairs=len(scratch),
        test=equivalence(treated, scratch),
        difference=median_interval(np.subtract(treated, scratch)),
        scratch=float(np.mean(scratch)),
        class_means=float(np.mean(treated)),
    )


def matched_targets(mnist: Sequence[RunRecord], fashion: Sequence[RunRecord], wanted: Sequence[float]) -> list[float]:
    """Map targets to another data set: its mean scratch accuracy at the step where MNIST's mean stays at the target.

    Parameters
    ----------
    mnist, fashion : sequence of RunRecord
        One configuration each, on the same grid; only scratch is looked at.
    wanted : sequence of float
        Shares of right answers on MNIST.

    Returns
    -------
    list of float
        Rounded to 0.001. Without targets at which the mean does not stay within the budget; empty without runs.

    Raises
    ------
    ValueError
        If a run stands there twice, or an arm's records are of several configurations.
    """
    curves, others = (of_arm(records, BASELINE) for records in (mnist, fashion))
    if not curves or not others:
        return []
    steps = [step for target in wanted if (step := stable_step_of(curves, _goal(target))) is not None]
    return [round(statistics.fmean(_accuracy(run, step) for run in others), 3) for step in steps]


def _pairs(records: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Scratch and class-means of the seeds that both have, by seed."""
    return paired(of_arm(records, BASELINE), of_arm(records, TREATMENT))


def _goal(target: float) -> Goal:
    return Goal(Fraction(str(target)))


def _hits(runs: Sequence[RunRecord], target: float) -> Floats:
    return np.array([first_step(run, _goal(target)) for run in runs])


def _after_phase_1(run: RunRecord) -> Fraction:
    """Share of right answers; more than anyone can reach where phase 1 diverged: then nothing has a D."""
    share = run.accuracy_after_pretrain
    return Fraction(2) if share is None else Fraction(round(share * run.n_checked), run.n_checked)


def _steps_saved(scratch: Floats, treated: Floats) -> Floats:
    """Per pair; two misses saved nothing."""
    return np.subtract(scratch, treated, out=np.zeros_like(scratch), where=np.isfinite(scratch) | np.isfinite(treated))


def _judged(differences: Sequence[Floats], rng: np.random.Generator) -> tuple[Band | None, str]:
    """The band of D, a column a target, and what it says of the prediction."""
    if not differences:
        return None, "open"
    band = simultaneous_band(np.stack(differences, axis=1), copy.deepcopy(rng))
    enough = band is not None and len(differences[0]) >= MIN_PAIRS
    return band, word_of(band) if band is not None and enough else "open"


def _accuracy(run: RunRecord, step: int) -> float:
    """Share of the test set that a run got right at a step."""
    if run.config["stop_on"] != "test":
        raise ValueError(
            f"{run.arm}, seed {run.seed}: expected a run that stops on test, this one is looked at elsewhere"
        )
    correct = {check[0]: check[1] for check in run.checks}
    if step not in correct and run.status != "diverged":
        raise ValueError(f"{run.arm}, seed {run.seed}: was not looked at after step {step}")
    return correct.get(step, 0) / run.n_checked

"""What stopping on the test set does: optimism by random halves, and the same runs stopped by test and by validation.

Place in the data path: records of the claim and the honest cell -> stopping -> Findings -> report.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ..records import FAILED, RunRecord
from ..stats import median_interval
from ..summary import BASELINE, TREATMENT, paired
from .estimands import EVERY_OPERATION, Goal, first_check, stable_ratio, target_of
from .findings import Optimism, StopComparison
from .protocol import CLAIM
from .selecting import of_arm

Runs = Sequence[RunRecord]


def optimism(records: Runs) -> list[Optimism]:
    """Measure what stopping on the images that are reported adds: stop on one random half of them, read the other.

    accuracy(half that stops the run) - accuracy(other half), both at the run's E1 on the first; then with the halves
    the other way round, and the mean of both turns, in which a half that is easier by chance cancels. The target is
    the run's own.

    Parameters
    ----------
    records : sequence of RunRecord
        Those with right answers counted apart in a half, which stops the run here; others are passed over.

    Returns
    -------
    list of Optimism
        One an arm, scratch first. Runs that missed on a half have no stop and are not among `n_runs`; an arm
        without a stop is left out.
    """
    rows = []
    for arm in (BASELINE, TREATMENT):
        at_stop, elsewhere = [], []
        for run in records:
            if run.arm != arm or run.status == FAILED or run.config["count_apart"] != "half":
                continue
            turns = [turn for half in ("apart", "rest") if (turn := _stopped_on(run, half))]
            if len(turns) == 2:
                stopped, other = np.mean(turns, axis=0).tolist()
                at_stop.append(stopped)
                elsewhere.append(other)
        if at_stop:
            differences = median_interval(np.subtract(at_stop, elsewhere))
            means = statistics.fmean(at_stop), statistics.fmean(elsewhere)
            rows.append(Optimism(arm, len(at_stop), *means, differences))
    return rows


def stops(records: Runs, rng: np.random.Generator) -> StopComparison:
    """Compare the honest cell's runs stopped on validation with the same runs stopped on test: E2, every operation.

    Parameters
    ----------
    records : sequence of RunRecord
        Of both arms, stopped on validation, with right answers counted apart in the whole test set.
    rng : numpy Generator
        Of the resampling; copied, so that both stops see the same resamples.

    Returns
    -------
    StopComparison
        Test accuracy is read at each run's E1 on validation; runs that missed have none and are left out.

    Raises
    ------
    ValueError
        There is no pair, or an arm's records are of several configurations or hold a seed twice.
    """
    treated, scratch = paired(of_arm(records, TREATMENT), of_arm(records, BASELINE))
    own = Goal(target_of(scratch[0]))
    by_test = stable_ratio(treated, scratch, EVERY_OPERATION, Goal(Fraction(str(CLAIM.target)), images="apart"), rng)
    by_validation = stable_ratio(treated, scratch, EVERY_OPERATION, own, rng)
    accuracy = {}
    for arm, runs in ((BASELINE, scratch), (TREATMENT, treated)):
        stopped = [(run, first_check(run, own)) for run in runs]
        accuracy[arm] = [run.apart_correct[at] / run.dataset["n_test"] for run, at in stopped if at is not None]
    return StopComparison(by_test.as_reduction(), by_validation.as_reduction(), accuracy)


def _stopped_on(run: RunRecord, half: str) -> tuple[float, float] | None:
    """Accuracy on the half that stops the run and on the other, at the first check where that half is at the target."""
    check = first_check(run, Goal(target_of(run), images=half))
    if check is None:
        return None
    n_apart = run.dataset["n_test"] // 2
    apart = run.apart_correct[check]
    rest = (run.checks[check][1] - apart) / (run.n_checked - n_apart)
    return (apart / n_apart, rest) if half == "apart" else (rest, apart / n_apart)

"""Fair tuning: which settings of an arm are best, how good the best of k draws is, and what the search cost.

Place in the data path: records of tuning -> scores -> the configurations that the tuned comparison runs, and the
report. A score is the cost at the stable step E2, mean over seeds: the arm's whole bill, model `flop`, dense.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from ..config import RunConfig
from ..records import RunRecord
from ..summary import BASELINE, TREATMENT, WHOLE_BILL, cost, paired
from .estimands import EVERY_OPERATION, Goal, costs_at_stable_step, target_of
from .selecting import by_config, of_config


def score(runs: Sequence[RunRecord]) -> float:
    """Return what tuning makes small: the mean cost of one setting's runs at their stable step, inf without runs."""
    if not runs:
        return math.inf
    return statistics.fmean(costs_at_stable_step(runs, EVERY_OPERATION, Goal(target_of(runs[0]))))


def best(arm: str, configs: Sequence[RunConfig], records: Sequence[RunRecord], n: int) -> list[RunConfig]:
    """Return an arm's n best settings, of those that were run; equals in the order in which they were drawn."""
    found = by_config(records)
    scores = {config: score(found[config, arm]) for config in configs if (config, arm) in found}
    return sorted(scores, key=scores.__getitem__)[:n]


def ratio_sd(winners: Mapping[str, RunConfig], records: Sequence[RunRecord]) -> float:
    """Return the standard deviation over seeds of cost(class-means) / cost(scratch) at each run's own stop.

    Pairs in which a run missed are left out: the number only plans how many pairs are enough.
    """
    treated, scratch = paired(*(of_config(records, arm, winners[arm]) for arm in (TREATMENT, BASELINE)))
    spent = cost("flop", WHOLE_BILL)
    ratios = [
        spent(ours) / spent(plain)
        for ours, plain in zip(treated, scratch, strict=True)
        if ours.reached and plain.reached
    ]
    return statistics.stdev(ratios) if len(ratios) > 1 else math.inf


def expected_best(scores: Sequence[float]) -> list[float]:
    """Return the expected best score of k of the settings drawn without replacement, for k = 1, 2, .. all of them.

    sum over i of s_(i) C(n - i, k - 1) / C(n, k), scores sorted; infinite while a draw of k may hold no setting that
    reaches.

    Source
    ------
    Dodge et al., Show Your Work, EMNLP 2019, section 3 (there with replacement).

    Examples
    --------
    Of 1, 2 and 4: the mean 7/3; of pairs (1, 2), (1, 4), (2, 4) the mean best (1 + 1 + 2) / 3; the best of all.

    >>> [round(value, 4) for value in expected_best([4, 1, 2])]
    [2.3333, 1.3333, 1.0]
    """
    ordered, n = sorted(scores), len(scores)
    expected = []
    for k in range(1, n + 1):
        weights = [math.comb(n - 1 - i, k - 1) for i in range(n)]
        total = sum(weight * value for weight, value in zip(weights, ordered, strict=True) if weight)
        expected.append(total / math.comb(n, k))
    return expected

"""Studies whose truth is known, since it was planted: what a rule or a habit is worth shows on them.

Lesson *verdict* tries its rule on them, and its change a habit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnlite.experiment.stats import sign_test

Savings = NDArray[np.float64]

N_STUDIES = 200
SPREAD = 0.07  # how much a pair strays from the true saving


def simulated(rng: np.random.Generator, n_pairs: int, effect: float) -> Savings:
    """Draw the savings of pairs whose true median is `effect`: 1 - ratio, the ratio log-normal."""
    return 1 - (1 - effect) * rng.lognormal(0, SPREAD / (1 - effect), n_pairs)


def look_after_every_pair() -> None:
    """Print how often studies of nothing find something, by when they stop."""
    rng = np.random.default_rng(3)
    studies = [simulated(rng, 100, 0.0) for _ in range(N_STUDIES)]
    found = [[n for n in range(6, 101) if sign_test(study[:n], 0.0) <= 0.05] for study in studies]
    print(f"  {N_STUDIES} studies in which nothing is saved, of 100 pairs each\n")
    print(f"  said so after all 100 pairs            {sum(100 in at for at in found) / N_STUDIES:6.1%}")
    for last in (20, 50, 100):
        early = sum(bool(at) and at[0] <= last for at in found) / N_STUDIES
        print(f"  said so at some point up to pair {last:3}   {early:6.1%}")
    print("\n  5% is the risk of one look. Whoever looks after every pair and stops when it")
    print("  suits has many looks, and the first lucky one ends the study. So the number of")
    print("  pairs is written down first, and an interval on the way decides nothing.")

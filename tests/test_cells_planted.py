"""Whole studies with planted effects, from simulated curves through both cells to the word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made import CONFIG, run
from test_cells import claim, honest


def simulated(rng, effect, n_pairs=50):
    """Curves that rise by 1% of the images a step; both arms' crossings vary, and what a pair shares cancels."""
    config = replace(CONFIG, max_steps=90)
    grid = np.arange(1, 91)
    records = []
    for seed in range(n_pairs):
        scratch = rng.normal(60, 3)
        means = (scratch * (1 - effect) - 1) * rng.lognormal(0, 0.05)  # phase 1 costs about a step
        for arm, crossing in (("scratch", scratch), ("class-means", means)):
            correct = np.clip(np.rint(900 + 10 * (grid - crossing) + rng.normal(0, 2, 90)), 0, 1000)
            records.append(run(arm, seed, correct.astype(int).tolist(), config, n_checked=1000))
    return records


@pytest.mark.slow
@pytest.mark.parametrize(
    ("effect", "word"), [(0.0, "no material saving"), (0.15, "direction only"), (0.30, "reproduced")]
)
def test_a_planted_effect_is_named_right_by_both_cells(effect, word):
    records = simulated(np.random.default_rng([2312, round(100 * effect)]), effect)
    assert (claim(records).verdict.word, honest(records).verdict.word) == (word, word)

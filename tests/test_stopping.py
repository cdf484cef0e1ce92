"""What stopping on the test set does, by hand: both turns of the halves, and two stops of the same runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made import BEFORE, CONFIG, STEP, at_target_from, run
from test_study_cells import honest

from nnlite.experiment.stats import Interval
from nnlite.experiment.whole.stopping import optimism, stops

THREE_STEPS = replace(CONFIG, max_steps=3)


def halves(arm, seed, apart, rest, config=THREE_STEPS, **changes):
    """A run over 100 test images with these right answers in the half of 50 counted apart and in the other half."""
    both = [one + other for one, other in zip(apart, rest, strict=True)]
    return run(arm, seed, both, config, apart_correct=apart, **changes)


def test_optimism_is_the_mean_of_both_turns():
    # 45 of 50 are asked for. The half apart stops at step 2: 46 and 43. The rest stops at step 3: 45 and 47.
    runs = [halves("scratch", seed, [44, 46, 47], [42, 43, 45]) for seed in range(6)]
    (found,) = optimism(runs)
    assert (found.arm, found.n_runs) == ("scratch", 6)
    assert found.at_stop == pytest.approx((46 + 45) / 2 / 50)
    assert found.elsewhere == pytest.approx((43 + 47) / 2 / 50)
    assert found.difference == Interval(*[pytest.approx((3 - 2) / 2 / 50)] * 3)


def test_a_half_that_is_easier_by_chance_cancels():
    # The rest is always four images behind, and there is nothing else: +4 in one turn, -4 in the other.
    apart = [41, 45, 49]
    (found,) = optimism([halves("scratch", seed, apart, [right - 4 for right in apart]) for seed in range(6)])
    assert found.difference == Interval(*[pytest.approx(0)] * 3)


def test_the_median_over_runs_has_its_order_statistics():
    # Both halves stop at step 1, so that both turns cancel; one run gains 2 in each turn.
    runs = [halves("scratch", seed, [45] * 3, [45] * 3) for seed in range(5)]
    runs += [halves("scratch", 5, [45, 43, 45], [43, 45, 45])]
    (found,) = optimism(runs)
    assert found.difference == Interval(0, 0, pytest.approx(2 / 50))


def test_runs_without_a_stop_in_both_turns_are_left_out():
    runs = [halves("scratch", 0, [45] * 3, [45] * 3)]
    runs += [halves("scratch", 1, [45] * 3, [44] * 3)]  # the rest never stops it
    runs += [halves("scratch", 2, [45] * 3, [45] * 3, status="failed")]
    runs += [run("scratch", 3, [90] * 3, replace(THREE_STEPS, count_apart="nothing"), apart_correct=[])]
    runs += [halves("class-means", 0, [40] * 3, [48] * 3)]
    (found,) = optimism(runs)  # class-means has no stop
    assert (found.arm, found.n_runs) == ("scratch", 1)
    assert found.difference == Interval(0.0, None, None)


def test_stops_compares_the_same_runs_by_test_and_by_validation():
    config = replace(CONFIG, stop_on="validation", target=0.893, count_apart="test")
    # Stays on validation (89.3 of 100: 90) from 6 and 10, on test (900 of 1,000; 893 from 3) from 5 and 8.
    test = {"class-means": [800] * 2 + [895] * 2 + [910] * 8, "scratch": [800] * 7 + [900] * 5}
    hits = {"class-means": 6, "scratch": 10}
    sizes = {"name": "small", "sha256": {}, "n_test": 1000, "n_features": 2, "n_classes": 3}
    records = [
        run(arm, s, at_target_from(hits[arm]), config, apart_correct=test[arm], dataset=sizes)
        for arm in hits
        for s in range(6)
    ]
    found = stops(records, np.random.default_rng(0))
    assert found.saved_by_validation.median == pytest.approx(1 - (BEFORE + 6 * STEP) / (10 * STEP))
    assert found.saved_by_test.median == pytest.approx(1 - (BEFORE + 5 * STEP) / (8 * STEP))
    assert found.test_accuracy_at_stop == {"scratch": [0.9] * 6, "class-means": [0.91] * 6}
    assert found.saved_by_validation == honest(records).saved

"""The calibration scan and the tuned comparison's searches, on runs made of closed forms."""

from __future__ import annotations

import math

import pytest
from test_records import record

from nnlite.experiment.closed_forms import evaluation_counts, step_counts
from nnlite.experiment.stats import Interval
from nnlite.experiment.whole.findings import CalibrationRow
from nnlite.experiment.whole.searches import calibration, tuned
from nnlite.study.protocol import by_arm
from nnlite.study.protocol import calibration as scanned

SIZES = (3, 128, 2)
CELL, UNTUNED = object(), Interval(0.2, 0.1, 0.3)  # handed on as they are


def scan(config, seed, scratch, after, then):
    """Both arms' runs; None is a miss."""
    shared = {"config": config.to_record(784, 10), "dataset": {"name": "small", "n_features": 784, "n_classes": 10}}
    return [
        record("scratch", seed, steps_to_target=scratch, **shared),
        record("class-means", seed, steps_to_target=then, accuracy_after_pretrain=after, **shared),
    ]


def test_the_scan_is_ranked_by_the_largest_relative_error_of_medians():
    slow, fast, *_ = scanned()
    # Medians 107, 0.76 and 116: errors 1/2, 0.05 and 1/5.
    runs = [r for seed, n in enumerate((90, 107, 300)) for r in scan(fast, seed, n, 0.76, 116)]
    # Medians 214, 0.8 and 174: errors 0, 0 and 29/145.
    runs += [r for seed, n in enumerate((174, 20, None)) for r in scan(slow, seed, 214, 0.8, n)]
    near, far = calibration(runs)
    assert near == CalibrationRow("784-128-10, adam, rate 0.0003", 214, 0.8, 174, pytest.approx(29 / 145))
    assert far == CalibrationRow("784-128-10, adam, rate 0.0004", 107, 0.76, 116, pytest.approx(0.5))


def test_a_setting_whose_median_run_missed_is_infinitely_far_and_one_arm_alone_is_no_setting():
    first, second, *_ = scanned()
    runs = [*scan(first, 0, None, None, 145), *scan(second, 0, 200, 0.8, 145)[:1]]
    (row,) = calibration(runs)
    assert (row.scratch_steps, row.after_pretrain, row.distance) == (math.inf, 0.0, math.inf)


def operations(kernels):
    return sum((2 if kind == "fma" else 1) * n for kinds in kernels.values() for kind, n in kinds.items())


def step_cost(arm, draw):
    return operations(step_counts(SIZES, "relu", by_arm(arm)[draw].optimizer, 1))


LOOK_COST = operations(evaluation_counts(SIZES, "relu", 10))


def tried(arm, draw, seed, correct, n_steps=None):
    """A run of a draw over 10 held-out images, steps of one image each; 9 must be right.

    `correct` are its first looks; it stays at the last to the end of its budget, or diverges at `n_steps`.
    """
    config = by_arm(arm)[draw]
    looks = config.check_steps()
    if n_steps is None:
        correct = [*correct, *[correct[-1]] * (len(looks) - len(correct))]
    n_looks, status = len(correct), "budget" if n_steps is None else "diverged"
    n_steps = n_steps or config.max_steps
    bills = {
        "train": (step_counts(SIZES, "relu", config.optimizer, 1), n_steps),
        "evaluate": (evaluation_counts(SIZES, "relu", 10), n_looks),
    }
    dense = {
        phase: {kernel: {kind: times * n for kind, n in kinds.items()} for kernel, kinds in kernels.items()}
        for phase, (kernels, times) in bills.items()
    }
    return record(
        arm,
        seed,
        config=config.to_record(3, 2),
        dataset={"name": "small", "n_features": 3, "n_classes": 2},
        status=status,
        passes={"train": {"steps": n_steps, "images_forward": n_steps, "images_backward": n_steps}},
        counts={"dense": dense, "executed": {}},
        checks=[[step, right] for step, right in zip(looks, correct, strict=False)],
        images_seen=looks[:n_looks],
        images_read=[0] * n_looks,
        n_checked=10,
    )


TUNING = [
    tried("scratch", 0, 1000, [8, 9, 9]),
    tried("scratch", 1, 1000, [8, 8, 9]),
    tried("scratch", 2, 1000, [8], n_steps=2),
    tried("class-means", 5, 1000, [9, 9, 9]),
]
FINALS = [
    tried("scratch", 0, 1010, [7, 8, 8]),  # the best in tuning never stays at 9 here
    tried("scratch", 1, 1010, [8, 9, 9]),
    tried("class-means", 5, 1010, [8, 9, 9]),
]


def test_the_winner_is_that_of_the_finals_and_tells_what_was_drawn():
    found = tuned(CELL, TUNING, FINALS, UNTUNED)
    scratch, treated = by_arm("scratch")[1], by_arm("class-means")[5]
    assert found.winners["scratch"] == {
        name: getattr(scratch, name) for name in ("optimizer", "learning_rate", "batch_size", "decay")
    }
    assert found.winners["class-means"]["pretrain_epochs"] == treated.pretrain_epochs
    assert found.winners["class-means"]["pretrain_rate_factor"] == treated.pretrain_rate_factor
    assert (found.cell, found.untuned) == (CELL, UNTUNED)


def test_every_draw_has_its_score_and_k_draws_their_expected_best():
    found = tuned(CELL, TUNING, FINALS, UNTUNED)
    scores = found.scores["scratch"]
    # Batches of 32 are looked at every 2 steps: at 9 of 10 from the second look, step 4, and from the third, step 6.
    # The third draw diverged, the others were not run.
    assert scores[:3] == [4 * step_cost("scratch", 0), 6 * step_cost("scratch", 1), math.inf]
    assert scores[3:] == [math.inf] * (len(by_arm("scratch")) - 3)
    assert found.expected_best["scratch"][-1] == min(scores)
    assert found.expected_best["scratch"][0] == math.inf


def test_a_search_costs_all_its_runs_to_their_ends_with_every_look():
    found = tuned(CELL, TUNING, FINALS, UNTUNED)

    def whole(arm, draw):
        config = by_arm(arm)[draw]
        return config.max_steps * step_cost(arm, draw) + len(config.check_steps()) * LOOK_COST

    # Draws 0 and 1 once in tuning and once in the finals. Draw 2: 2 steps, 1 look.
    diverged = 2 * step_cost("scratch", 2) + LOOK_COST
    assert found.search_cost["scratch"] == 2 * (whole("scratch", 0) + whole("scratch", 1)) + diverged
    assert found.search_cost["class-means"] == 2 * whole("class-means", 5)


def test_nothing_is_told_while_something_is_missing():
    assert tuned(None, TUNING, FINALS, UNTUNED) is None
    assert tuned(CELL, TUNING, FINALS, None) is None
    assert tuned(CELL, [], FINALS, UNTUNED) is None
    assert tuned(CELL, TUNING, FINALS[:2], UNTUNED) is None  # class-means has no winner

"""The tuned comparison's search, and the best of k draws, on runs made of closed forms."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest
from made import record

from nnlite.closed_forms import evaluation_counts, step_counts
from nnlite.experiment.stats import Interval, Verdict
from nnlite.study import cells
from nnlite.study.protocol import by_arm
from nnlite.study.runs import Study
from nnlite.study.tuning import expected_best, search, tuned

SIZES = (3, 128, 2)
HONEST = {"saved": Interval(0.2, 0.1, 0.3), "n_pairs": 100}


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


def contest(word="no material saving", saved=(0.004, -0.01, 0.02)):
    """A tuned cell."""
    steps = {"scratch": 151, "class-means": 117}
    way = {"model": "flop", "scope": "bill", "counting": "dense"}
    return {
        "verdict": Verdict(word),
        "saved": Interval(*saved),
        "estimand": "E2",
        "n_pairs": 192,
        "stable_steps": steps,
        "target": 0.893,
        "expected_costs": Interval(0.01, 0.0, 0.02),
        "sensitivity": [
            {**way, "target": 0.893, "estimand": "E2", "saved": Interval(*saved)},
            {**way, "target": 0.89, "estimand": "E2", "saved": Interval(*saved)},
            {**way, "target": 0.893, "estimand": "E1", "saved": Interval(-0.12, -0.13, -0.11)},
        ],
    }


def study(tuning=TUNING, finals=FINALS, cell="as usual", honest=HONEST):
    """A study with these searches, whose cells were judged already."""
    asked = Study({"tuning": tuning, "finals": finals})
    of = {"tuned": contest() if cell == "as usual" else cell, "honest": honest}
    asked.parts |= {key: [] for key, found in of.items() if found}
    asked.answers = {(cells.cell.__wrapped__, (key,), ()): found for key, found in of.items()}
    return asked


def test_the_winner_is_that_of_the_finals_and_tells_what_was_drawn():
    found = search(study())
    scratch, treated = by_arm("scratch")[1], by_arm("class-means")[5]
    drawn = ("optimizer", "learning_rate", "batch_size", "decay")
    assert found["winners"]["scratch"] == {name: getattr(scratch, name) for name in drawn}
    of_phase_1 = ("pretrain_epochs", "pretrain_rate_factor")
    assert found["winners"]["class-means"] == {name: getattr(treated, name) for name in (*drawn, *of_phase_1)}
    assert (found["cell"], found["untuned"]) == (contest(), HONEST["saved"])


def test_every_draw_has_its_score_and_k_draws_their_expected_best():
    found = search(study())
    scores = found["scores"]["scratch"]
    # Batches of 32 are looked at every 2 steps: at 9 of 10 from the second look, step 4, and from the third, step 6.
    # The third draw diverged, the others were not run.
    assert scores[:3] == [4 * step_cost("scratch", 0), 6 * step_cost("scratch", 1), math.inf]
    assert scores[3:] == [math.inf] * (len(by_arm("scratch")) - 3)
    assert found["expected_best"]["scratch"][-1] == min(scores)
    assert found["expected_best"]["scratch"][0] == math.inf


def test_a_search_costs_all_its_runs_to_their_ends_with_every_look():
    found = search(study())

    def whole(arm, draw):
        config = by_arm(arm)[draw]
        return config.max_steps * step_cost(arm, draw) + len(config.check_steps()) * LOOK_COST

    # Draws 0 and 1 once in tuning and once in the finals. Draw 2: 2 steps, 1 look.
    diverged = 2 * step_cost("scratch", 2) + LOOK_COST
    assert found["search_cost"]["scratch"] == 2 * (whole("scratch", 0) + whole("scratch", 1)) + diverged
    assert found["search_cost"]["class-means"] == 2 * whole("class-means", 5)


@pytest.mark.parametrize("lacking", [{"cell": None}, {"honest": None}, {"tuning": []}, {"finals": []}])
def test_nothing_is_told_while_something_is_missing(lacking):
    assert tuned(study(**lacking)).answer == []


def test_tuned_stands_beside_untuned_with_settings_and_search():
    section = tuned(study())
    winner = by_arm("scratch")[1]
    assert section.answer == [
        "The mean accuracy stays at 89.3% from step 151 on from scratch and from step 117 on after averages first, "
        "which saved 0.4% (95% interval -1.0% to 2.0%; 192 pairs). At first touch it cost 12.0% more (11.0% to "
        "13.0%), by expected cost it saved 1.0% (0.0% to 2.0%), to 89.0% it saved 0.4% (-1.0% to 2.0%).",
        "Registered word: NO MATERIAL SAVING. Untuned, the held-out cell: the averages saved 20.0% (95% interval 10.0% "
        "to 30.0%; 100 pairs).",
    ]
    settings, draws = (table.rows for table in section.tables)
    assert settings[1][:2] == ["learning rate", f"{winner.learning_rate:g}"]
    assert settings[4][:2] == ["epochs on the averages", "-"]
    assert [row[0] for row in draws] == ["1", "2", "4", "8", "16", "32", "64"]
    assert draws[0][1:] == ["-", "-"]  # one draw may never get there
    assert "62 of 64 from scratch and 63 of 64 averages first never get there" in section.tables[1].caption


@pytest.mark.parametrize(
    ("saved", "told"),
    [
        ((-0.09, -0.129, -0.004), "All of the interval lies below nothing saved; the rule withholds its word"),
        ((0.09, 0.004, 0.129), "All of the interval lies above nothing saved; the rule withholds its word"),
        ((-0.09, -0.129, 0.004), ""),
        ((-0.05, -0.06, -0.004), ""),  # withheld for its misses
        ((-0.05, None, None), ""),
    ],
)
def test_what_only_the_width_withholds_is_said(saved, told):
    _, _, *others = tuned(study(cell=contest("not established", saved))).answer
    assert len(others) == bool(told)
    assert "".join(others).startswith(told)


@pytest.mark.parametrize("scores", [[3.0], [2.0, 7.0, 1.0, 1.0], [4.0, 1.0, 2.0, 9.0, 6.0, 5.0]])
def test_the_expected_best_is_the_mean_over_all_subsets(scores):
    ref = [statistics.fmean(map(min, itertools.combinations(scores, k))) for k in range(1, len(scores) + 1)]
    assert expected_best(scores) == pytest.approx(ref)


def test_the_expected_best_is_infinite_while_a_subset_may_hold_no_setting_that_reaches():
    # Two of four never reach: of three drawn one does; (1, 2, x) twice and (1, x, y), (2, x, y): (1 + 1 + 1 + 2) / 4.
    assert expected_best([math.inf, 2.0, math.inf, 1.0]) == [math.inf, math.inf, 1.25, 1.0]
    assert expected_best([math.inf] * 2) == [math.inf] * 2
    assert expected_best([]) == []

"""Tuned against tuned by three looks in a row, on runs whose step costs are closed forms and whose hits are given."""

from __future__ import annotations

import pytest
from made import BEFORE, run

from nnlite.experiment.costs import step_counts
from nnlite.study.runs import Study
from nnlite.study.second_protocol import FIRST_WINNER, TUNED_BASE, phase_1_draws
from nnlite.study.settled import NEIGHBOURHOOD, settled, settlement

N = 20
WINNER = phase_1_draws()[3]


def at(arm, seed, step, config=TUNED_BASE):
    """A run whose looks, every two steps, hold 90 of 100 from this step on, and 80 before; None: never."""
    return run(arm, seed, [90 if step and look >= step else 80 for look in config.check_steps()], config)


def price(n_steps):
    """Operations of so many steps of 32 images of 784-128-10 made small: 2-128-3."""
    counts = step_counts((2, 128, 3), "relu", "adam", 32)
    return n_steps * sum((1 + (kind == "fma")) * n for kinds in counts.values() for kind, n in kinds.items())


def search(winner=WINNER):
    """The winner is there at step 20, all others at 60, in draws and finals."""
    tried = {config: 20 if config == winner else 60 for config in (*phase_1_draws()[:4], FIRST_WINNER)}
    return [at("class-means", seed, step, config) for config, step in tried.items() for seed in range(2)]


def study(treated=40, scratch=60, winner=WINNER, treated_of=None):
    pairs = [at("scratch", seed, scratch) for seed in range(N)]
    pairs += [at("class-means", seed, (treated_of or {}).get(seed, treated), winner) for seed in range(N)]
    return Study({"tuning-2": search(winner), "finals-2": search(winner), "tuned-2": pairs})


def test_a_run_is_there_at_the_third_look_in_a_row_and_has_cost_what_it_had_then():
    found = settlement(study())
    # looks at 40, 42, 44 and at 60, 62, 64
    assert found["saved"].median == pytest.approx(1 - (BEFORE + price(44)) / price(64), rel=1e-12)
    assert (found["saved"].low, found["saved"].high) == (found["saved"].median,) * 2
    assert found["steps_saved"].median == pytest.approx(1 - 44 / 64)
    assert (found["n_pairs"], found["missed"], found["verdict"].word) == (N, 0, "reproduced")


def test_means_that_stay_and_first_touches_stand_beside_it():
    found = settlement(study())
    ways = {row["how"]: row["saved"].median for row in found["ways"]}
    assert found["stable_steps"] == {"scratch": 60, "class-means": 40}
    first = pytest.approx(1 - (BEFORE + price(40)) / price(60), rel=1e-9)
    assert [ways[how] for how in ("first touch", "for good, ratio of totals", "expected cost of a first touch")] == [
        first
    ] * 3
    # 40 + 2 x 4 and 60 + 2 x 4
    assert ways["five in a row"] == pytest.approx(1 - (BEFORE + price(48)) / price(68), rel=1e-9)


def test_phase_1_is_a_share_of_scratchs_own_cost():
    share = settlement(study())["phase_1_share"]
    assert share.median == pytest.approx(BEFORE / price(64), rel=1e-12)


def test_the_best_phase_1_of_the_finals_is_told_and_every_draw_has_its_score():
    found = settlement(study())
    assert found["winner"] == {
        "pretrain_epochs": WINNER.pretrain_epochs,
        "pretrain_rate_factor": WINNER.pretrain_rate_factor,
    }
    assert not found["winner_was_the_first_studys"]
    assert len(found["scores"]) == 5
    assert found["scores"][3]["score"] == BEFORE + price(24)  # looks at 20, 22, 24
    assert settlement(study(winner=FIRST_WINNER))["winner_was_the_first_studys"]


def test_targets_nearby_are_asked_three_ways():
    rows = settlement(study())["neighbourhood"]
    assert [row["target"] for row in rows] == [float(target) for target in NEIGHBOURHOOD]
    assert [rows[0][way].median for way in ("in_a_row", "first_touch", "for_good")] == [
        pytest.approx(1 - (BEFORE + price(ours)) / price(theirs), rel=1e-9)
        for ours, theirs in ((44, 64), (40, 60), (40, 60))
    ]


def test_what_costs_more_is_said_so_and_never_as_a_negative_saving():
    section = settled(study(treated=80))
    more = (BEFORE + price(84)) / price(64) - 1
    assert f"averages first cost {100 * more:.1f}% more" in section.answer[0]
    assert "COSTS MORE" in section.answer[0]
    assert "saved -" not in " ".join(section.answer)


def test_a_run_that_never_stays_is_a_miss_and_infinite():
    found = settlement(study(treated_of={0: None}))
    assert found["missed"] == 1
    assert found["ways"][0]["saved"].low == found["ways"][0]["saved"].median  # one of twenty moves no end


def test_its_tables_are_short():
    assert [len(table.rows) for table in settled(study()).tables] == [11, len(NEIGHBOURHOOD)]


@pytest.mark.parametrize("part", ["tuning-2", "finals-2", "tuned-2"])
def test_a_missing_part_leaves_the_question_open(part):
    section = settled(Study({name: runs for name, runs in study().parts.items() if name != part}))
    assert section.answer == []
    assert part in " ".join(section.lacking)

"""Cells from hand-written records: every number of the headline and of its table worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from made import BEFORE, CONFIG, STEP, F, at_target_from, run

from nnlite.experiment.stats import Interval, Verdict
from nnlite.study.cells import cell, cells, sensitivity
from nnlite.study.runs import Study


def study(scratch_hits, means_hits, **changes):
    hits = {"scratch": scratch_hits, "class-means": means_hits}
    return [run(arm, seed, at_target_from(hit), **changes) for arm in hits for seed, hit in enumerate(hits[arm])]


def asked(key, records):
    """A cell of these records, of whatever configuration, and the rows of its table."""
    found = SimpleNamespace(**cell(Study({key: records}), key))
    found.sensitivity = [SimpleNamespace(**row) for row in found.sensitivity]
    return found


def claim(records):
    return asked("fashion", records)  # is asked as the claim is


def honest(records):
    return asked("honest", records)


def rows(cell, **wanted):
    return [row for row in cell.sensitivity if all(getattr(row, name) == value for name, value in wanted.items())]


def only_row(cell, **wanted):
    (row,) = rows(cell, **wanted)
    return row


SIX = study([10] * 6, [6, 5, 7, 8, 6, 6])  # ratios 100 (1 + steps) / 1,000: 0.7, 0.6, 0.8, 0.9, 0.7, 0.7


def test_the_claim_cell_is_the_median_of_paired_ratios_in_the_articles_terms():
    cell = claim(SIX)
    assert cell.saved == Interval(1 - 0.7, 1 - 0.9, 1 - 0.6)  # six pairs: the extremes
    assert cell.first_hits.reductions == pytest.approx([0.3, 0.4, 0.2, 0.1, 0.3, 0.3])
    assert cell.first_hit_steps == {"scratch": [10.0] * 6, "class-means": [6.0, 5.0, 7.0, 8.0, 6.0, 6.0]}
    assert cell.sign_test_p == 2 / 64  # all six save
    assert cell.article_rank == 2  # 20% and 10% lie below 29.9%
    assert (cell.verdict.word, cell.verdict.reason) == ("not established", "6 pairs; 20 needed")
    assert cell.after_pretrain == [0.8] * 6
    assert (cell.estimand, cell.target, cell.stop_on, cell.n_pairs, cell.seeds) == ("E1", 0.9, "test", 6, (0, 5))
    assert (cell.name, cell.dataset, cell.depends_on_counting) == ("Fashion-MNIST", "small", [])


def test_expected_costs_charge_a_miss_with_all_it_spent():
    # Means: 100 (7 + 6 + 8 + 9 + 7) and a miss that spent 100 + 12 x 100 = 1,300: 5,000 / 5 = 1,000; scratch 1,000.
    cell = claim(study([10] * 6, [6, 5, 7, 8, 6, None]))
    assert cell.expected_costs.median == 1 - 1000 / 1000
    assert claim(SIX).expected_costs.median == pytest.approx(1 - (700 + 600 + 800 + 900 + 700 + 700) / 6000)


def test_misses_stand_in_the_headline_as_the_protocol_says():
    # Only class-means missed: ratio inf; only scratch: 0; both: 1.
    cell = claim(study([10, 10, None, None, 10, 10], [6, None, 6, None, 6, 6]))
    assert cell.first_hits.reductions == pytest.approx([0.3, -math.inf, 1, 0, 0.3, 0.3])
    assert cell.first_hit_steps["class-means"] == [6, math.inf, 6, math.inf, 6, 6]
    row = only_row(cell, model="article-2023", estimand="E1", target=0.9)
    assert (row.missed, row.n_pairs) == (4, 6)
    assert cell.missed == 4  # one, one and a pair
    assert cell.sign_test_p == 2 * (1 + 5) / 2**5  # against nothing saved: one of five, without the pair of both
    assert (row.saved.low, row.saved.high) == (-math.inf, 1)


def test_over_five_percent_of_pairs_with_both_missed_establish_nothing():
    both_missed = claim(study([10] * 18 + [None] * 2, [6] * 18 + [None] * 2))
    assert both_missed.verdict.reason == "both arms missed in 10%; at most 5% allowed"
    assert claim(study([10] * 19 + [None], [6] * 19 + [None])).verdict.word == "reproduced"  # 1 - 7 / 10


def test_every_cost_model_has_its_row_and_those_with_another_word_are_named():
    cell = claim(study([10] * 20, [6] * 20))
    assert cell.verdict.word == "reproduced"
    saved = {
        model: only_row(cell, model=model, counting="dense", scope="bill").saved.median
        for model in ("flop", "mac", "torch", "3x-forward")
    }
    # mac: a step multiplies 8 (6 forward, 6 backward) + 9 = 105 times, phase 1 50 times.
    # torch: 2 (6 + 6) 8 = 192 a step, 2 x 50 before; 3x-forward: 3 (8 (12 + 17) + 1) = 699 a step, 3 x 100 before.
    assert saved["flop"] == pytest.approx(1 - (BEFORE + 6 * STEP) / (10 * STEP))  # 0.293
    assert saved["mac"] == pytest.approx(1 - (50 + 6 * 105) / (10 * 105))  # 0.352
    assert saved["torch"] == pytest.approx(1 - (100 + 6 * 192) / (10 * 192))  # 0.348
    assert saved["3x-forward"] == pytest.approx(1 - (300 + 6 * 699) / (10 * 699))  # 0.357
    assert cell.depends_on_counting == ["mac", "3x-forward"]  # above 35%: larger than claimed
    assert only_row(cell, model="mac", counting="dense", scope="bill").word == "larger than claimed"


def test_what_a_run_does_is_counted_in_steps_and_images():
    cell = claim(study([10] * 6, [6] * 6))
    assert only_row(cell, model="steps").saved.median == pytest.approx(1 - (2 + 6) / 10)
    assert only_row(cell, model="images").saved.median == pytest.approx(1 - (6 + 8 * 6) / (8 * 10))
    assert only_row(cell, model="distinct images").saved.median == pytest.approx(1 - 60 / 80)
    assert {row.counting for row in cell.sensitivity if row.model in ("steps", "images")} == {"passes"}


def test_executed_operations_are_those_of_each_runs_own_stop():
    cell = claim(study([10] * 6, [6] * 6))
    # flop: (330 + 100 + 6 (16 + 2 x 9)) / (10 x 34); mac: (50 + 6 (16 + 9)) / (10 x 25)
    assert only_row(cell, model="flop", counting="executed").saved.median == pytest.approx(1 - (430 + 6 * 34) / 340)
    assert only_row(cell, model="mac", counting="executed").saved.median == pytest.approx(1 - (50 + 6 * 25) / 250)


def test_evaluation_is_charged_at_every_check_and_where_looks_are_rare():
    config = replace(CONFIG, max_steps=120)
    hits = {"scratch": 101, "class-means": 60}
    cell = claim([run(arm, seed, at_target_from(hits[arm], 120), config) for arm in hits for seed in range(6)])
    look = 100 * (2 * 6 + 2)  # flop: 6 multiply-adds and two comparisons an image
    every = only_row(cell, scope="bill and evaluation", estimand="E1")
    assert every.saved.median == pytest.approx(1 - (BEFORE + 60 * (STEP + look)) / (101 * (STEP + look)))
    # Who looks at 50, 100, 150 only sees 60 at 100, and 101 not within the budget.
    rare = only_row(cell, scope="bill and evaluation", estimand="E1, a look every 50 steps")
    assert (rare.saved.median, rare.missed) == (1, 6)
    hits["scratch"] = 99
    cell = claim([run(arm, seed, at_target_from(hits[arm], 120), config) for arm in hits for seed in range(6)])
    rare = only_row(cell, estimand="E1, a look every 50 steps")
    both = 100 * STEP + 2 * look  # both arms stop at the second look
    assert rare.saved.median == pytest.approx(1 - (BEFORE + both) / both)


def test_hits_in_a_row_and_other_targets_are_asked_of_the_same_curves():
    #          steps   1    2    3    4    5    6    7    8    9   10   11   12
    means = [80.0, 897, 900, 880, 900, 900, 900, 903, 903, 903, 903, 903]
    scratch = [800, 800, 800, 897, 900, 880, 900, 900, 900, 903, 903, 903]
    records = [run("class-means", s, means, n_checked=1000) for s in range(6)]
    records += [run("scratch", s, scratch, n_checked=1000) for s in range(6)]
    cell = claim(records)
    assert cell.saved.median == pytest.approx(1 - (1 + 3) / 5)
    assert only_row(cell, target=0.897).saved.median == pytest.approx(1 - (1 + 2) / 4)
    assert only_row(cell, target=0.903).saved.median == pytest.approx(1 - (1 + 8) / 10)
    assert only_row(cell, estimand="E1 with 3 in a row").saved.median == pytest.approx(
        1 - (1 + 7) / 9
    )  # 5, 6, 7; 7 to 9
    assert only_row(cell, estimand="E1 with 5 in a row").saved.median == pytest.approx(1 - (1 + 9) / 11)
    ten = only_row(cell, estimand="E1 with 10 in a row")  # neither has ten
    assert (ten.saved.median, ten.missed) == (0, 12)
    # E2: the mean stays from step 5 and from step 7.
    assert only_row(cell, estimand="E2").saved.median == pytest.approx(1 - (1 + 5) / 7)
    assert cell.stable_steps == {"scratch": 7, "class-means": 5}


def test_the_honest_cell_divides_what_both_arms_spent_at_their_stable_steps():
    # Means of 80 and 90 are 90 only where all hit: steps 8 and 10, whatever the single runs did before.
    cell = honest(SIX)
    assert cell.stable_steps == {"scratch": 10, "class-means": 8}
    assert cell.saved.median == pytest.approx(1 - (BEFORE + 8 * STEP) / (10 * STEP))
    assert (cell.estimand, cell.missed) == ("E2", 0)
    assert cell.first_hits.reductions[0] == pytest.approx(1 - (BEFORE + 6 * STEP) / (10 * STEP))
    other = only_row(cell, model="flop", scope="bill", counting="dense", estimand="E1")
    assert other.saved == cell.first_hits.interval
    article = only_row(cell, model="article-2023")
    assert (article.estimand, article.saved.median) == ("E2", pytest.approx(1 - (1 + 8) / 10))
    # Without the one pair that is late (0.335 of resamples), the mean stays from step 7.
    assert cell.saved.high >= 1 - (BEFORE + 7 * STEP) / (10 * STEP) - 1e-12
    assert cell.saved.low == pytest.approx(cell.saved.median)


def test_the_headline_is_a_row_of_its_own_table():
    headline = rows(honest(SIX), model="flop", counting="dense", scope="bill", estimand="E2", target=0.9)
    assert [row.saved for row in headline] == [honest(SIX).saved]


def test_tuned_arms_may_differ_in_batch_and_grid():
    small = replace(CONFIG, batch_size=4, max_steps=24)
    records = [run("scratch", s, at_target_from(10)) for s in range(6)]
    records += [run("class-means", s, at_target_from(14, 24), small) for s in range(6)]
    cell = honest(records)
    step = 4 * 48 + 19  # of four images
    assert cell.saved == Interval(*[pytest.approx(1 - (BEFORE + 14 * step) / (10 * STEP))] * 3)
    assert only_row(cell, model="article-2023").saved.median == pytest.approx(1 - (100 + 14 * F * (4 + 2)) / 1000)


def test_steps_and_rare_looks_are_not_asked_where_batches_differ():
    long = replace(CONFIG, max_steps=60)  # with room for a look after 50 steps
    small = replace(long, batch_size=4)

    def ways(config):
        """Models, and whether looks are rare, of a study in which class-means have this configuration."""
        scratch = [run("scratch", s, at_target_from(50, 60), long) for s in range(6)]
        cell = honest([*scratch, *(run("class-means", s, at_target_from(30, 60), config) for s in range(6))])
        return [(row.model, "look every" in row.estimand) for row in cell.sensitivity]

    left_out = {("steps", False), ("flop", True)}
    assert set(ways(long)) - set(ways(small)) == left_out
    assert len(ways(long)) - len(ways(small)) == 2


def test_a_run_that_diverged_counts_nothing_right_from_there_on():
    records = study([10] * 6, [6] * 6)
    records[6] = run("class-means", 0, at_target_from(6)[:5], status="diverged")
    cell = claim(records)
    assert cell.first_hit_steps["class-means"] == [math.inf, 6, 6, 6, 6, 6]
    # (5 x 90 + 0) / 6 = 75 from step 6 on: the mean never stays, so that all six runs miss.
    e2 = only_row(cell, estimand="E2")
    assert (e2.saved.median, e2.missed, cell.stable_steps["class-means"]) == (-math.inf, 6, None)
    assert (cell.missed, honest(records).missed) == (1, 6)  # by each cell's own estimand


def test_a_run_that_diverged_has_spent_what_it_had():
    # 99 of 100 right in the nineteen others: 19 x 99 / 20 = 94 stays from step 6 on without the one that ended.
    curves = [[80] * 5 + [99] * 7] * 19
    records = [run("class-means", s, curve) for s, curve in enumerate(curves)]
    records += [run("class-means", 19, [80] * 3, status="diverged")]
    records += [run("scratch", s, at_target_from(10)) for s in range(20)]
    spent = 19 * (BEFORE + 6 * STEP) + BEFORE + 3 * STEP
    assert honest(records).saved.median == pytest.approx(1 - spent / (20 * 10 * STEP))


def test_failed_runs_and_other_arms_are_passed_over():
    failed = [run(arm, 9, at_target_from(1), status="failed") for arm in ("scratch", "class-means")]
    assert claim([*SIX, *failed, run("exemplar", 0, at_target_from(1))]) == claim(SIX)


def test_a_cell_that_was_not_run_is_passed_over_and_one_without_a_pair_is_an_error():
    assert cells(Study({"claim": SIX}), ["honest"]) == {}
    with pytest.raises(ValueError, match="honest: no pair of runs"):
        cell(Study({"honest": [r for r in SIX if r.arm == "scratch"]}), "honest")


def test_an_arm_of_several_configurations_is_refused():
    other = run("class-means", 7, at_target_from(6), replace(CONFIG, batch_size=4))
    with pytest.raises(ValueError, match="class-means: expected records of one configuration, found several"):
        claim([*SIX, other])


def rows_in_words(estimand, *rows):
    """The section of a held-out cell with these rows alone."""
    full = {"counting": "dense", "scope": "bill", "estimand": estimand, "target": 0.9, "word": "direction only"}
    values = {"n_pairs": 6, "missed": 0, "saved": Interval(0.19, 0.171, 0.213)}
    study = Study({})
    study.parts = {"honest": []}
    found = {"verdict": Verdict("direction only"), "estimand": estimand, "target": 0.9, "n_pairs": 6}
    found["sensitivity"] = [{**full, **values, **row} for row in rows]
    study.answers = {(cell.__wrapped__, ("honest",), ()): found}
    return sensitivity(study)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"model": "mac"}, ["multiply-adds", "first touch"]),
        ({"model": "flop", "scope": "training"}, ["operations without data", "first touch"]),
        ({"model": "article-2023", "scope": "training"}, ["the article's count", "first touch"]),
        ({"model": "images", "scope": "training"}, ["images of both phases", "first touch"]),
        ({"model": "flop", "scope": "bill and evaluation"}, ["operations with looks", "first touch"]),
        ({"model": "flop", "estimand": "E2, a look every 50 steps"}, ["operations", "for good, 1 look in 50"]),
        ({"model": "flop", "estimand": "E1 with 10 in a row"}, ["operations", "first touch, 10 in a row"]),
        ({"model": "flop", "target": 0.903}, ["operations", "first touch, 90.3%"]),
        ({"model": "mac", "counting": "executed"}, ["multiply-adds that ran", "first touch"]),
    ],
)
def test_a_row_says_what_is_counted_and_until_when(row, told):
    (table,) = rows_in_words("E1", row).tables
    assert table.rows == [[*told, "0", "19.0 (17.1 to 21.3)"]]


def test_rows_that_give_another_word_stand_in_a_table_of_their_own():
    found = rows_in_words(
        "E2",
        {"model": "flop"},
        {"model": "flop", "estimand": "E1", "counting": "executed", "word": "costs more"},
        {"model": "mac", "word": "costs more"},
        {"model": "distinct images", "word": "costs more", "saved": Interval(-2.5, -math.inf, 0.4)},
    )
    assert [table.caption for table in found.tables] == [
        "Held-out cell, direction only; 6 pairs:",
        "Held-out cell, costs more; 6 pairs:",
    ]
    assert found.answer == [
        "Ways to ask that give a cell's own word, that one among them: 1 of 3 in the held-out cell.",
        'Held-out cell: direction only; "costs more" for operations that ran (first touch) and multiply-adds.',
        "Held-out cell: the averages read 3.5 (0.6 to miss) times as many distinct images as scratch.",
    ]
    never = {"model": "distinct images", "saved": Interval(-math.inf, -math.inf, -2.0)}
    assert len(rows_in_words("E2", {"model": "flop"}, never).answer) == 2


def test_without_a_cell_the_table_is_not_answered():
    lacking = "Not finished: parts claim, honest and tuned (python -m nnlite.study run PART)."
    assert (sensitivity(Study({})).answer, sensitivity(Study({})).lacking) == ([], [lacking])


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

"""Settings held against the article's 214 steps, 80% and 145 steps, on runs made by hand."""

from __future__ import annotations

import math

import pytest
from made import record
from test_study_controls import run

from nnlite.study.protocol import calibration
from nnlite.study.regime import nearest, regime, settings
from nnlite.study.runs import Study
from nnlite.study.second_protocol import DECIDED, NEAREST, SCANNED

FIRST = "128, Adam 6e-4"


def pairs(config, scratch, after, then, n=3):
    """Runs of one setting; steps rise by one a seed."""
    return [
        *(run("scratch", seed, scratch and scratch + seed, config) for seed in range(n)),
        *(run("class-means", seed, then and then + seed, config, after=after) for seed in range(n)),
    ]


def study(first=(213, 0.8, 144), others=(138, 0.8, 105)):
    regime = [record for config in [*NEAREST.values(), *SCANNED.values()] for record in pairs(config, *others)]
    regime = [record for record in regime if record.config != DECIDED.to_record(784, 10) | {"article_pass": 1}]
    regime = [r for r in regime if r.config["learning_rate"] != 6e-4 or r.config["pretrain_rate_factor"] != 1]
    return Study({"start-images": pairs(DECIDED, *others), "regime": [*regime, *pairs(NEAREST[FIRST], *first)]})


def test_the_nearest_setting_comes_first_and_gives_the_numbers_if_each_lies_within_its_pairs():
    rows = settings(study())
    assert len(rows) == len(NEAREST) + len(SCANNED)
    assert rows[0]["setting"] == FIRST
    assert rows[0]["gives"]  # 213 to 215, 80%, 144 to 146
    assert rows[0]["distance"] == 0  # medians 214, 80% and 145
    assert not any(row["gives"] for row in rows[1:])
    assert rows[1]["distance"] == pytest.approx(math.log(214 / 139))  # the largest of the three


@pytest.mark.parametrize("first", [(215, 0.8, 144), (213, 0.79, 144), (213, 0.8, 146)])
def test_one_of_the_three_numbers_outside_is_enough_not_to_give_them(first):
    row = next(row for row in settings(study(first)) if row["setting"] == FIRST)
    assert not row["gives"]


def test_a_setting_whose_median_run_missed_is_infinitely_far():
    rows = settings(study(first=(None, 0.8, 144)))
    assert rows[-1]["setting"] == FIRST
    assert rows[-1]["distance"] == math.inf


def test_the_saving_and_where_the_articles_pair_lies_are_of_the_articles_count():
    row = settings(study())[0]
    assert row["saved"].median == pytest.approx(1 - 145 / 214, abs=0.001)
    assert row["article_rank"] == 0  # each of the three saved more than 29.9%: 69 of 213, 214 and 215
    assert row["n_pairs"] == 3


def test_the_answer_names_the_settings_that_give_all_three():
    section = regime(study())
    assert section.answer[0].startswith("The article's 214 steps, 80% and 145 steps lie together within the pairs of 1")
    assert FIRST in section.answer[0]
    assert [len(table.rows) for table in section.tables] == [15, len(NEAREST)]


def test_a_missing_part_leaves_it_open():
    whole = study()
    section = regime(Study({"regime": whole.parts["regime"]}))
    assert section.answer == []
    assert "start-images" in " ".join(section.lacking)


def scan(config, seed, scratch, after, then):
    """Both arms' runs; None is a miss."""
    shared = {"config": config.to_record(784, 10), "dataset": {"name": "small", "n_features": 784, "n_classes": 10}}
    return [
        record("scratch", seed, steps_to_target=scratch, **shared),
        record("class-means", seed, steps_to_target=then, accuracy_after_pretrain=after, **shared),
    ]


def test_the_scan_is_ranked_by_the_largest_relative_error_of_medians():
    slow, fast, *_ = calibration()
    # Medians 107, 0.76 and 116: errors 1/2, 0.05 and 1/5.
    runs = [r for seed, n in enumerate((90, 107, 300)) for r in scan(fast, seed, n, 0.76, 116)]
    # Medians 214, 0.8 and 174: errors 0, 0 and 29/145.
    runs += [r for seed, n in enumerate((174, 20, None)) for r in scan(slow, seed, 214, 0.8, n)]
    near, far = nearest(Study({"calibration": runs}))
    assert near == {
        "setting": "784-128-10, adam, rate 0.0003",
        "scratch_steps": 214,
        "after_pretrain": 0.8,
        "then_steps": 174,
        "distance": pytest.approx(29 / 145),
    }
    assert (far["setting"], far["distance"]) == ("784-128-10, adam, rate 0.0004", pytest.approx(0.5))


def test_a_setting_whose_median_run_missed_is_infinitely_far_and_one_arm_alone_is_no_setting():
    first, second, *_ = calibration()
    runs = [*scan(first, 0, None, None, 145), *scan(second, 0, 200, 0.8, 145)[:1]]
    (row,) = nearest(Study({"calibration": runs}))
    assert (row["scratch_steps"], row["after_pretrain"], row["distance"]) == (math.inf, 0.0, math.inf)

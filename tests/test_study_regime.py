"""Settings held against the article's 214 steps, 80% and 145 steps, on runs made by hand."""

from __future__ import annotations

import math

import pytest
from test_study_controls import run

from nnlite.study.regime import regime, settings
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

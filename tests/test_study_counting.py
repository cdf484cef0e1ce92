"""Counting with and without zeros, on runs whose two bills are made by hand."""

from __future__ import annotations

from test_study_controls import run

from nnlite.study.counting import counted, counting
from nnlite.study.runs import Study
from nnlite.study.second_protocol import DECIDED, HELD_OUT

N = 20


def both(arm, hit, config, ran):
    """Runs that need these steps, a thousand fma each; of the zeros skipped, `ran` operations are left in all."""
    runs = [run(arm, seed, hit, config, after=None if arm == "scratch" else 0.8) for seed in range(N)]
    for one in runs:
        one.counts["executed"] = {"train": {"matmul_forward": {"mul": ran}}}
    return runs


def study(means_ran=110):
    first = [*both("scratch", 100, DECIDED, 100), *both("class-means", 80, DECIDED, means_ran)]
    others = [*both("means-100", 82, DECIDED, 90), *both("stream-means", 84, DECIDED, 84)]
    held_out = [*both("scratch", 50, HELD_OUT, 100), *both("class-means", 45, HELD_OUT, 99)]
    held_out += [*both("means-100", 45, HELD_OUT, 90), *both("stream-means", 45, HELD_OUT, 90)]
    return Study({"start-images": first, "counting": [*others, *held_out]})


def test_every_average_is_counted_three_ways_against_scratch_of_its_own_stop():
    rows = {(row["arm"], row["stop"]): row for row in counted(study())}
    assert len(rows) == 6
    shown = {
        key: [round(row[count].median, 6) for count in ("article", "dense", "executed")] for key, row in rows.items()
    }
    assert shown["class-means", "test"] == [0.2, 0.2, -0.1]
    assert shown["means-100", "test"] == [0.18, 0.18, 0.1]
    assert shown["stream-means", "test"] == [0.16, 0.16, 0.16]
    assert shown["class-means", "held-out"] == [0.1, 0.1, 0.01]


def test_it_depends_on_the_counting_where_a_count_turns_the_sign():
    section = counting(study())
    assert section.facts["sign_turns"]
    assert section.answer[0].startswith("Yes. Averages of all images: stopped on the test set they saved 20.0%")
    assert "with zeros skipped cost 10.0% more" in section.answer[0]
    unturned = counting(study(means_ran=99))
    assert not unturned.facts["sign_turns"]
    assert unturned.answer[0].startswith("No. ")


def test_the_table_has_six_rows_and_no_missing_part_is_passed_over():
    (table,) = counting(study()).tables
    assert [len(row) for row in table.rows] == [4] * 6
    whole = study()
    for part in whole.parts:
        left = Study({name: records for name, records in whole.parts.items() if name != part})
        assert counting(left).answer == []
        assert part in " ".join(counting(left).lacking)

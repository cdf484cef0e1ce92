"""The lesson on the verdict: what it prints follows from its column, planted savings are named right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lesson_output import printed_by
from test_report import run

from nnlite.experiment.stats import sign_test
from nnlite.lessons import verdict
from nnlite.study.protocol import CLAIM, CLAIM_64


def printed(without_jit="0"):
    return printed_by("verdict", without_jit)


def lines(start):
    return [line.split() for line in printed().splitlines() if line.startswith(start)]


def section(number):
    return printed().split(f"\n{number}. ", 1)[1].split(f"\n{number + 1}. ")[0].split("\n\nExercises")[0].splitlines()


def percents(words):
    return [float(word[:-1]) for word in words]


def kept(tmp_path, n_pairs=8):
    """Records of both readings; pair s of the first saves 1 - (10 + 10 (69 + s)) / (10 (100 + s)) = 30 / (100 + s)."""
    records = []
    for config in (CLAIM, CLAIM_64):
        data = {"name": "mnist", "sha256": {}, "n_train": 60, "n_test": 10, "n_features": 784, "n_classes": 10}
        asked = {"config": config.to_record(784, 10), "dataset": data}
        shift = 0 if config is CLAIM else 20
        for seed in range(n_pairs):
            records.append(run("scratch", seed, 100 + seed, **asked))
            records.append(run("class-means", seed, 69 + seed + shift, **asked))
    path = tmp_path / "claim.jsonl"
    path.write_text("".join(record.to_line() for record in records))
    return path


def test_kept_runs_give_the_column_and_the_lesson_says_so(tmp_path):
    found, source = verdict.savings(kept(tmp_path))
    assert found == pytest.approx([30 / (100 + seed) for seed in range(8)])
    assert source == "kept runs, seeds 0 to 7"


def test_without_kept_runs_the_column_is_simulated_and_the_lesson_says_so(tmp_path):
    found, source = verdict.savings(tmp_path / "nothing.jsonl.xz")
    assert len(found) == 100
    assert source == "simulated: no kept runs here"
    assert np.median(found) == pytest.approx(verdict.EFFECT, abs=0.03)  # 4 standard errors of 1.25 x 7% / 10


def test_the_interval_is_the_second_and_the_ninth_of_the_column():
    by_seed, in_order = (percents(lines(f"  {how}")[0][2:]) for how in ("by seed", "in order"))
    assert sorted(by_seed) == in_order
    (line,) = lines("  median with 95% confidence")
    low, high = percents([line[4], line[6].rstrip(".")])
    assert [round(low), round(high)] == pytest.approx([in_order[1], in_order[8]], abs=1)  # printed to whole percents


def test_the_coin_is_counted():
    # 1, 1 + 10, 1 + 10 + 45 ways of 1024, on two sides
    rows = [line[8:] for line in lines("  at most ")]
    assert [row[0] for row in rows] == ["2", "22", "112"]
    assert [row[-1] for row in rows] == ["0.2%", "2.1%", "10.9%"]


def test_a_value_is_ruled_out_exactly_where_it_lies_outside_the_interval():
    (line,) = lines("  median with 95% confidence")
    low, high = percents([line[4], line[6].rstrip(".")])
    for row in lines("  saved "):
        value = float(row[1].rstrip("?%"))
        outside = not low - 0.05 <= value <= high + 0.05  # as printed
        assert (row[-2:] == ["ruled", "out"]) == outside


def test_a_miss_takes_the_last_place_and_a_mean_cannot_hold_it():
    every, _, dropped = (row for row in lines("  ") if row[:2] in (["all", "arrive"], ["the", "best"], ["it", "is"]))
    (missed,) = lines("  the best one misses")
    assert missed[-1] == "missed"
    assert float(missed[4][:-1]) <= float(every[2][:-1])
    assert dropped[-1].endswith("%")


def test_every_word_of_the_rule_is_shown():
    shown = [line[26:] for line in section(5) if line[9:12] == "   " and line[26:27].isalpha()]
    assert shown == [
        "word",
        "not established",  # ten pairs
        "reproduced",
        "larger than claimed",
        "no material saving",
        "costs more",
        "direction only",
        "saves, size not established",
        "not established",  # open
    ]


def test_planted_savings_are_named_with_a_hundred_pairs_and_hardly_ever_falsely():
    shares = [percents(line.split()[-3:]) for line in section(6) if line.startswith(("  0%", "  15%", "  30%"))]
    assert len(shares) == 3
    for ten, _, hundred in shares:
        assert ten == 0  # never a word
        assert hundred >= 95
    (line,) = lines("  1,800, ")  # 3 savings x 3 sizes x 200 studies
    assert int(line[1]) < 0.05 * 1800


def test_the_sign_test_of_the_lesson_is_that_of_the_study():
    assert sign_test([0.1] * 11 + [-0.1], 0.0) == 26 / 4096


def test_a_miss_stays_a_miss_when_savings_become_ratios():
    found = verdict.interval(np.array([0.2] * 9 + [-math.inf]))
    assert (found.median, found.low, found.high) == pytest.approx((0.2, 0.2, 0.2))


def test_no_kernel_is_needed():
    assert printed("1") == printed()

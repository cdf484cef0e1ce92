"""Summary: costs per pair, misses, the headline by hand, and what JSON may say."""

from __future__ import annotations

import json
import math

import pytest
from test_records import record

from nnlite.experiment.stats import Interval
from nnlite.experiment.summary import compare, cost, finite, paired_reduction, pairs, summarize, to_json

F = 10


def run(arm, seed, steps, **changes):
    """A run whose training cost, in the article's terms, is 10 F for pretraining and 8 F + 2 F a step for the rest."""
    passes = {"train": {"steps": steps, "images_forward": 8 * steps, "images_backward": 8 * steps}}
    dense = {"train": {"matmul_forward": {"fma": 100 * steps}}, "evaluate": {"matmul_forward": {"fma": 5000}}}
    after = None
    if arm == "class-means":
        passes["pretrain"] = {"steps": 2, "images_forward": 6, "images_backward": 6}  # F (6 + 2 x 2) = 10 F
        dense["pretrain"] = {"matmul_forward": {"fma": 50}}
        dense["data"] = {"class_sums": {"add": 300}, "divide_sums": {"div": 30}}
        after = 0.8
    values = {
        "config": {"article_pass": F, "stop_on": "test", "evaluate": "decide"},
        "dataset": {"name": "small", "sha256": {}, "n_features": 3},
        "steps_to_target": steps,
        "passes": passes,
        "counts": {"dense": dense, "executed": dense},
        "accuracy_after_pretrain": after,
    }
    return record(arm, seed, **{**values, **changes})


def missed(arm, seed, steps=50):
    return run(arm, seed, steps, reached=False, status="budget", steps_to_target=None)


def study(n_pairs=10, scratch_steps=100, means_steps=69):
    return [
        r
        for s in range(n_pairs)
        for r in (run("scratch", s, scratch_steps + s), run("class-means", s, means_steps + s))
    ]


def test_the_headline_is_the_articles_accounting_of_pretraining_and_training():
    # (10 F + 69 x 10 F) / (100 x 10 F) = 70 / 100
    found = summarize([run("scratch", 0, 100), run("class-means", 0, 69)])
    assert found.headline.reductions == [pytest.approx(0.30)]
    assert found.headline.interval.low is None
    assert found.article_rank == 0  # 30.0% lies above 29.9%


def test_the_whole_bill_counts_averaging_and_leaves_evaluation_out():
    # flop: 2 x 50 pretrain + 2 x 100 x 69 train + 330 data = 14,230 of 2 x 100 x 100 = 20,000
    found = summarize([run("scratch", 0, 100), run("class-means", 0, 69)])
    assert found.reductions["flop"].reductions == [pytest.approx(1 - 14_230 / 20_000)]


def test_ten_pairs_are_bounded_by_the_second_and_the_ninth():
    found = summarize(study())
    reductions = sorted(found.headline.reductions)
    assert (found.headline.interval.low, found.headline.interval.high) == (reductions[1], reductions[8])
    assert found.verdict.word == "not established"
    assert found.verdict.reason == "10 pairs; 20 needed"


def test_pairs_are_matched_by_seed_whatever_the_order():
    records = study(6)
    backwards = summarize(list(reversed(records)))
    assert backwards.headline == summarize(records).headline
    without = [r for r in records if (r.arm, r.seed) != ("scratch", 2)]
    assert summarize(without).n_pairs == 5
    treated, scratch = pairs(summarize(without).arms, "class-means")
    assert [r.seed for r in treated] == [r.seed for r in scratch] == [0, 1, 3, 4, 5]


def test_misses_are_counted_and_never_dropped():
    records = [
        missed("class-means", 0),
        run("scratch", 0, 9),
        run("class-means", 1, 9),
        missed("scratch", 1),
        missed("class-means", 2),
        missed("scratch", 2),
    ]
    comparison = summarize(records).headline
    assert comparison.reductions == [-math.inf, 1.0, 0.0]  # ratios infinity, 0 and 1
    assert (comparison.arm_missed, comparison.scratch_missed, comparison.both_missed) == (1, 1, 1)


def test_a_failed_run_is_counted_and_in_no_number():
    failed = record("scratch", 1, status="failed", counts={"dense": {}, "executed": {}}, passes={})
    found = summarize([run("scratch", 0, 100), run("class-means", 0, 69), failed, run("class-means", 1, 69)])
    assert (found.n_pairs, found.n_failed) == (1, 1)


def test_a_finished_pair_has_a_reduction_and_half_a_pair_has_none():
    records = [run("scratch", 3, 100)]
    assert paired_reduction(records) is None
    records.append(run("class-means", 3, 69))
    assert paired_reduction(records)[2] == pytest.approx(0.30)


def test_twenty_equal_pairs_that_save_30_percent_reproduce_the_claim():
    records = [r for seed in range(20) for r in (run("scratch", seed, 100), run("class-means", seed, 69))]
    assert summarize(records).verdict.word == "reproduced"
    assert summarize(records, with_verdict=False).verdict is None


def test_sensitivity_names_every_row_and_says_n_and_misses():
    table = summarize([*study(6), run("scratch", 9, 100), missed("class-means", 9)]).sensitivity
    assert all(row.comparison.n_pairs == 7 and row.comparison.n_missed == 1 for row in table)
    keys = [(row.model, row.counting, row.scope) for row in table]
    assert len(set(keys)) == len(keys) == 21
    assert ("article-2023", "dense", "training") in keys
    assert ("flop", "executed", "bill and evaluation") in keys


def test_json_has_no_value_that_json_lacks():
    records = [missed("class-means", 0), run("scratch", 0, 9)]
    text = json.dumps(to_json(summarize(records), {"flops": 1}), allow_nan=False)
    parsed = json.loads(text)
    assert parsed["reduction"]["article-2023"] == {"median": None, "low": None, "high": None}
    assert parsed["arms"]["class-means"]["steps_to_target"] == [None]
    assert parsed["verdict"] == "not established"
    # median over one run of its train phase: 2 x 100 x 9
    assert parsed["arms"]["scratch"]["totals"]["flop"]["train"] == 1800


def test_an_infinite_end_becomes_null():
    assert finite(Interval(0.1, -math.inf, 0.2)) == {"median": 0.1, "low": None, "high": 0.2}


def test_cost_prices_a_miss_as_infinite():
    assert cost("flop", ("train",))(missed("scratch", 0)) == math.inf
    assert cost("flop", ("train",))(run("scratch", 0, 3)) == 600


def test_where_no_run_got_there_nothing_is_measured_and_no_number_says_otherwise():
    found = summarize([run for seed in range(20) for run in (missed("class-means", seed), missed("scratch", seed))])
    assert not found.headline.measured
    assert (found.sign_test_p, found.article_rank) == (None, None)
    assert found.verdict.reason == "both arms missed in 100%; at most 5% allowed"
    told = to_json(found, {})
    nothing = {"median": None, "low": None, "high": None}
    assert all(reduction == nothing for reduction in told["reduction"].values())
    assert all({name: row[name] for name in nothing} == nothing and row["misses"] == 40 for row in told["sensitivity"])
    assert (told["article_lies_above"], told["sign_test_p"]) == (None, None)


def test_one_run_that_got_there_is_a_measurement():
    records = [missed(arm, seed) for seed in range(5) for arm in ("class-means", "scratch")]
    found = summarize([*records, run("scratch", 5, 9), missed("class-means", 5)])
    assert found.headline.measured
    assert found.article_rank == 6


def test_comparing_needs_positive_costs():
    with pytest.raises(ValueError, match="above 0"):
        compare([run("class-means", 0, 9)], [run("scratch", 0, 9)], lambda record: 0)


def test_a_study_without_the_treatment_compares_nothing():
    found = summarize([run("scratch", 0, 9)])
    assert (found.headline, found.verdict, found.sensitivity) == (None, None, [])


def test_other_arms_are_in_the_json_by_both_accountings():
    records = [*(run("scratch", s, 100) for s in range(6)), *(run("medoid", s, 90) for s in range(6))]
    found = to_json(summarize(records), {})["others"]["medoid"]
    assert found["article-2023"] == {
        "median": pytest.approx(0.1),
        "low": pytest.approx(0.1),
        "high": pytest.approx(0.1),
    }
    assert found["flop"]["median"] == pytest.approx(0.1)


def test_seeds_that_count_are_those_of_pairs_and_the_rest_is_told():
    runs = [*study(3), run("scratch", 7, 100), run("medoid", 8, 90), run("medoid", 1, 90)]
    found = summarize(runs, left_out=["the last line"])
    assert found.seeds == [0, 1, 2]
    assert found.without_partner == {"scratch": [7], "medoid": [8]}
    assert to_json(found, {})["without_partner"] == {"scratch": [7], "medoid": [8]}
    assert to_json(found, {})["left_out"] == ["the last line"]


def test_where_nothing_is_compared_every_seed_counts_and_none_is_left_out():
    found = summarize([run("scratch", 3, 100), run("scratch", 5, 100)])
    assert (found.seeds, found.without_partner) == ([3, 5], {})

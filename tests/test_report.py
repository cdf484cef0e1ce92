"""The report: the numbers of a study, by hand, and the words that a person reads, in 80 columns."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from made import record

from nnlite.experiment.as_json import to_json
from nnlite.experiment.report import Summary, bill, pair_line, pair_of, registered, report, sensitivity_table

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
        "config": {"article_pass": F, "stop_on": "test", "evaluate": "decide", "learning_rate": 1e-3, "target": 0.9},
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


def test_the_headline_is_the_articles_accounting_and_the_whole_bill_counts_averaging():
    # (10 F + 69 x 10 F) / (100 x 10 F) = 70 / 100
    failed = record("scratch", 1, status="failed", counts={"dense": {}, "executed": {}}, passes={})
    found = Summary([run("scratch", 0, 100), run("class-means", 0, 69), failed, run("class-means", 1, 69)])
    assert (found.n_pairs, found.n_failed) == (1, 1)  # a failed run is in no number
    assert found.headline.reductions == [pytest.approx(0.30)]
    assert found.headline.interval.low is None
    assert found.article_rank == 0  # 30.0% lies above 29.9%
    # flop: 2 x 50 pretrain + 2 x 100 x 69 train + 330 data = 14,230 of 2 x 100 x 100 = 20,000; evaluation is left out
    assert found.reductions["flop"].reductions == [pytest.approx(1 - 14_230 / 20_000)]


def test_ten_pairs_are_bounded_by_the_second_and_the_ninth():
    found = Summary(study())
    reductions = sorted(found.headline.reductions)
    assert (found.headline.interval.low, found.headline.interval.high) == (reductions[1], reductions[8])
    assert found.verdict.word == "not established"
    assert found.verdict.reason == "10 pairs; 20 needed"


def test_pairs_are_matched_by_seed_whatever_the_order():
    records = study(6)
    backwards = Summary(list(reversed(records)))
    assert backwards.headline == Summary(records).headline
    without = [r for r in records if (r.arm, r.seed) != ("scratch", 2)]
    assert Summary(without).n_pairs == 5
    assert Summary(without).without_partner == {"class-means": [2]}


def test_misses_are_counted_and_never_dropped():
    records = [
        missed("class-means", 0),
        run("scratch", 0, 9),
        run("class-means", 1, 9),
        missed("scratch", 1),
        missed("class-means", 2),
        missed("scratch", 2),
    ]
    comparison = Summary(records).headline
    assert comparison.reductions == [-math.inf, 1.0, 0.0]  # ratios infinity, 0 and 1
    assert (comparison.arm_missed, comparison.scratch_missed, comparison.both_missed) == (1, 1, 1)


def test_a_finished_pair_is_one_and_half_a_pair_is_none():
    records = [run("scratch", 3, 100)]
    assert pair_of(records) is None
    records.append(run("class-means", 3, 69))
    assert pair_of(records) == (records[1], records[0])


def test_twenty_equal_pairs_that_save_30_percent_reproduce_the_claim():
    records = [r for seed in range(20) for r in (run("scratch", seed, 100), run("class-means", seed, 69))]
    assert Summary(records).verdict.word == "reproduced"
    assert Summary(records, with_verdict=False).verdict is None


def test_sensitivity_names_every_row_and_says_n_and_misses():
    table = Summary([*study(6), run("scratch", 9, 100), missed("class-means", 9)]).sensitivity
    assert all(row.comparison.n_pairs == 7 and row.comparison.n_missed == 1 for row in table)
    keys = [(row.model, row.counting, row.scope) for row in table]
    assert len(set(keys)) == len(keys) == 21
    assert ("article-2023", "dense", "training") in keys
    assert ("flop", "executed", "bill and evaluation") in keys


def test_json_has_no_value_that_json_lacks():
    records = [missed("class-means", 0), run("scratch", 0, 9)]
    text = json.dumps(to_json(Summary(records)), allow_nan=False)
    parsed = json.loads(text)  # the median of one pair that missed is -inf
    assert parsed["reduction"]["article-2023"] == {"median": None, "low": None, "high": None}
    assert parsed["arms"]["class-means"]["steps_to_target"] == [None]
    assert parsed["verdict"] == "not established"
    # median over one run of its train phase: 2 x 100 x 9
    assert parsed["arms"]["scratch"]["totals"]["flop"]["train"] == 1800


def test_where_no_run_got_there_nothing_is_measured_and_no_number_says_otherwise():
    runs = [run for seed in range(20) for run in (missed("class-means", seed), missed("scratch", seed))]
    found = Summary(runs)
    assert not found.headline.measured
    assert (found.sign_test_p, found.article_rank) == (None, None)
    assert found.verdict.reason == "both arms missed in 100%; at most 5% allowed"
    told = to_json(found)
    nothing = {"median": None, "low": None, "high": None}
    assert all(reduction == nothing for reduction in told["reduction"].values())
    assert all({name: row[name] for name in nothing} == nothing and row["misses"] == 40 for row in told["sensitivity"])
    assert (told["article_lies_above"], told["sign_test_p"]) == (None, None)
    one = Summary([*runs, run("scratch", 20, 9), missed("class-means", 20)])  # one that got there is a measurement
    assert one.headline.measured
    assert one.article_rank == 21


def test_other_arms_are_in_the_json_by_both_accountings():
    records = [*(run("scratch", s, 100) for s in range(6)), *(run("medoid", s, 90) for s in range(6))]
    found = to_json(Summary(records))["others"]["medoid"]
    assert found["article-2023"] == {
        "median": pytest.approx(0.1),
        "low": pytest.approx(0.1),
        "high": pytest.approx(0.1),
    }
    assert found["flop"]["median"] == pytest.approx(0.1)


def test_seeds_that_count_are_those_of_pairs_and_the_rest_is_told():
    runs = [*study(3), run("scratch", 7, 100), run("medoid", 8, 90), run("medoid", 1, 90)]
    found = Summary(runs, left_out=["the last line"])
    assert found.seeds == [0, 1, 2]
    assert found.without_partner == {"scratch": [7], "medoid": [8]}
    assert to_json(found)["without_partner"] == {"scratch": [7], "medoid": [8]}
    assert to_json(found)["left_out"] == ["the last line"]
    alone = Summary([run("scratch", 3, 100), run("scratch", 5, 100)])  # nothing to compare: every seed counts
    assert (alone.seeds, alone.without_partner) == ([3, 5], {})
    assert (alone.headline, alone.verdict, alone.sensitivity) == (None, None, [])


def test_the_table_reads_as_the_readme_explains_it():
    beside = {"n_pairs": "3 pairs, registered", "scratch": "104 (103 to 105)", "else": "Something else saved more."}
    lines = report(Summary(study(means_steps=72)), beside).splitlines()
    assert lines[0] == "Averages first, or not? small: 10 pairs, seeds 0-9, to 90% of the test images"
    # seed s: 1 - (10 + 10 (72 + s)) / (10 (100 + s)) = 27 / (100 + s): 27.0% to 24.8%, median 25.8%
    assert lines[1] == "Averages first saved 26% of the operations (95% interval 25% to 27%), not 30%."
    assert lines[2] == "Cheaper in 10 of 10 pairs; no run missed the target."
    assert lines[3] == "Verdict: not established (10 pairs; 20 needed)."
    assert lines[4] == "The article's single pair (29.9%) lies above 10 of these 10."
    assert "                         article   here, 10 pairs        3 pairs, registered" in lines
    assert "  from scratch, steps        214   104.5 (100 to 109)    104 (103 to 105)" in lines
    assert "  then, steps                145   76.5 (72 to 81)" in lines
    assert "  saved, article's count   29.9%   26% (25% to 27%)" in lines
    assert "Something else saved more." in lines


def test_what_was_just_done_is_not_said_to_be_next():
    changed = {"article_pass": F, "stop_on": "validation", "evaluate": "full", "learning_rate": 2e-3, "target": 0.9}
    text = report(Summary([run("scratch", 0, 9, config=changed), run("class-means", 0, 9, config=changed)]))
    assert text.splitlines()[-1] == "Next: --article"
    assert text.splitlines()[0].endswith("of the held-out images")


def test_no_line_is_wider_than_a_terminal():
    found = Summary([*study(), missed("class-means", 11), run("scratch", 11, 99)])
    for text in (
        report(found, registered("article"), "interrupted, 3 of 10 pairs"),
        sensitivity_table(found),
        bill(found),
    ):
        assert max(map(len, text.splitlines())) <= 90
    assert "The bill of scratch, seed 0" in bill(found)
    assert "Free by convention" in bill(found)


DIVERGED = {"status": "diverged", "message": "the loss stopped being finite"}
MEDOIDS = [run("medoid", seed, 90 + seed) for seed in range(10)]


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        # 30 / (100 + s): the ninth of ten is 29.7%, printed as 30%
        (study(means_steps=69), "(95% interval 28% to 30%); the claim is 30%."),
        # 31 / (100 + s) more, one for phase 1: the second and the ninth of ten are 30.7% and 28.7%, the median 29.7%
        (study(means_steps=130), "cost 30% more operations (95% interval 29% to 31%); the claim is 30% saved."),
        (study(2), "(no 95% interval: 2 pairs, 6 needed)"),
        ([missed("scratch", 0), run("class-means", 0, 5)], "missed (missed to missed)"),
        ([missed("scratch", 0), run("class-means", 0, 5)], "1 run missed"),
        ([run("scratch", 0, 5)], "nothing to compare"),
        ([run("scratch", 0, 100), run("medoid", 0, 110)], "Averages first, or not? small: 1 pair, seed 0, to 90%"),
        ([run("scratch", 0, 100), run("medoid", 0, 110)], "    110  -10%"),
        (
            [missed(arm, seed) for seed in range(6) for arm in ("medoid", "scratch")],
            "  medoid                6  missed  not measured          not measured",
        ),
        # seed s: 1 - 10 (90 + s) / (10 (100 + s)) = 10 / (100 + s): 10% to 9.2%, median 9.6%; so is every operation's
        ([*study(), *MEDOIDS], "  medoid               10    94.5  10% (9% to 10%)       10% (9% to 10%)"),
        (
            [replace(missed("scratch", 0), **DIVERGED), run("class-means", 0, 5)],
            "scratch, seed 0: the loss stopped being finite.",
        ),
    ],
)
def test_the_report_says_what_there_is_to_say(runs, told):
    text = report(Summary(runs), registered("article"), interrupted="interrupted, 2 of 10 pairs")
    assert told in text or told in " ".join(text.split())
    assert text.splitlines()[1] == "interrupted, 2 of 10 pairs"
    with_both_arms = {"scratch", "class-means"} <= {run.arm for run in runs}
    assert ("Registered too" in text) == with_both_arms
    assert ("nothing to compare" in text) == (len(runs) == 1)


def outcomes(*pairs):
    """Pairs of runs: whether class-means got there, and whether scratch did."""
    runs = []
    for seed, (treated, scratch) in enumerate(pairs):
        runs.append(run("class-means", seed, 69) if treated else missed("class-means", seed))
        runs.append(run("scratch", seed, 100) if scratch else missed("scratch", seed))
    return runs


BOTH, ONLY_MEANS, ONLY_SCRATCH, NEITHER = (True, True), (True, False), (False, True), (False, False)


@pytest.mark.parametrize(
    ("pairs", "sentences", "row"),
    [
        (
            10 * [NEITHER],
            [
                "No run of 10 pairs reached the target: nothing was measured.",
                "20 runs missed the target.",
                "Verdict: not established (10 pairs; 20 needed).",
                "                         article   here, 10 pairs",
            ],
            "not measured",
        ),
        (
            [NEITHER],
            [
                "No run of 1 pair reached the target: nothing was measured.",
                "2 runs missed the target.",
                "Verdict: not established (1 pair; 20 needed).",
            ],
            "not measured",
        ),
        (
            10 * [ONLY_SCRATCH],
            [
                "In 10 of 10 pairs only from scratch got there: nothing was saved (95% interval a miss to a miss).",
                "Cheaper in 0 of 10 pairs; 10 runs missed the target.",
                "Verdict: not established (10 pairs; 20 needed).",
            ],
            "missed (a miss to a miss)",
        ),
        (
            [*5 * [ONLY_SCRATCH], *5 * [BOTH]],  # half is enough for a middle that is infinite
            ["In 5 of 10 pairs only from scratch got there: nothing was saved (95% interval a miss to 30%)."],
            "missed (a miss to 30%)",
        ),
        (
            [ONLY_SCRATCH, NEITHER, *5 * [BOTH]],
            ["Averages first saved 30% of the operations (95% interval a miss to 30%); the claim is 30%."],
            "30% (a miss to 30%)",
        ),
        (
            [*7 * [ONLY_MEANS], *3 * [BOTH]],
            ["In 7 of 10 pairs only averages first got there: the saving has no number (95% interval 30% to 100%)."],
            "from scratch missed (30% to 100%)",
        ),
        (
            [*5 * [ONLY_MEANS], *5 * [NEITHER]],  # halfway between all and nothing lies no run
            ["Both runs reached the target in none of 10 pairs: the saving has no number (95% interval 0% to 100%)."],
            "no number (0% to 100%)",
        ),
    ],
)
def test_where_runs_missed_no_sentence_names_a_saving_that_was_not_measured(pairs, sentences, row):
    found = Summary(outcomes(*pairs))
    lines = report(found).splitlines()
    assert " ".join(lines[1:]).startswith(" ".join(sentences))
    assert all(len(line) < 90 for line in lines)
    assert f"  saved, article's count   29.9%   {row}" in lines
    every = next(line for line in lines if line.startswith("  saved, every operation"))
    assert row.split(" (")[0].replace("30%", "29%") in every  # averaging is on that bill


def test_the_bill_of_a_study_that_measured_nothing_has_no_savings_and_no_test():
    text = sensitivity_table(Summary(outcomes(*6 * [NEITHER])))
    assert text == "No run of 6 pairs reached the target: nothing was measured, by no cost model."
    assert " a miss to 30%" in sensitivity_table(Summary(outcomes(ONLY_SCRATCH, *5 * [BOTH])))


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (BOTH, "from scratch 100 steps, averages first 69 steps, saved 30% (the article's count)"),
        (NEITHER, "from scratch missed (budget), averages first missed (budget), nothing measured"),
        (ONLY_SCRATCH, "from scratch 100 steps, averages first missed (budget), nothing saved"),
        (ONLY_MEANS, "from scratch missed (budget), averages first 69 steps, only averages first got there"),
    ],
)
def test_a_pair_line_takes_its_words_from_both_runs(pair, words):
    assert pair_line(1, 10, *pair_of(outcomes(pair))) == f"pair 1/10, seed 0: {words}"

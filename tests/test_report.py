"""The report: the words that a person reads, in 80 columns."""

from __future__ import annotations

import pytest
from test_summary import missed, run, study

from nnlite.experiment.report import bill, pair_line, report, sensitivity_table
from nnlite.experiment.summary import paired_reduction, summarize


def test_the_table_reads_as_the_readme_explains_it():
    text = report(summarize(study(means_steps=72)), expected="so many steps")
    lines = text.splitlines()
    assert lines[0] == "Average-image pretraining on small: 10 pairs, seeds 0-9, stopped on the TEST set"
    # seed s: 1 - (10 + 10 (72 + s)) / (10 (100 + s)) = 27 / (100 + s): 27.0% to 24.8%, median 25.8%
    assert lines[1] == "It saved 26% of the training operations (95% interval 25% to 27%), not 30%."
    assert lines[2] == "Cheaper in 10 of 10 pairs; 0 runs missed. Verdict: not established (10 pairs; 20 needed)."
    assert lines[3] == "The article's single pair (29.9%) lies above 10 of these 10."
    assert "  scratch, steps                214   104.5 (100 to 109)" in lines
    assert "  then, steps                   145   76.5 (72 to 81)" in lines
    assert "  saved, the article's count  29.9%   26% (25% to 27%)" in lines
    assert any("averaging 100 images included" in line for line in lines)  # 300 additions over 3 pixels
    assert 'Expected here: so many steps. Far outside? See README, "If it differs".' in lines


def test_no_line_is_wider_than_a_terminal():
    found = summarize([*study(), missed("class-means", 11), run("scratch", 11, 99)])
    for text in (
        report(found, "138 steps, 80.0%, then 105", "interrupted, 3 of 10 pairs"),
        sensitivity_table(found),
        bill(found),
    ):
        assert max(map(len, text.splitlines())) <= 90


def test_an_interval_that_reaches_the_claim_as_printed_does_not_deny_it():
    # 30 / (100 + s): the ninth of ten is 29.7%, printed as 30%
    assert "(95% interval 28% to 30%); the claim is 30%." in report(summarize(study(means_steps=69)))


def test_an_extra_cost_is_called_one():
    text = report(summarize(study(means_steps=130)))
    assert "It cost " in text
    assert "more of the training operations" in text


def test_too_few_pairs_say_why_there_is_no_interval():
    assert "(no 95% interval: 2 pairs, 6 needed)" in report(summarize(study(2)))


def test_misses_are_named_where_a_number_would_stand():
    text = report(summarize([missed("scratch", 0), run("class-means", 0, 5)]))
    assert "1 run missed" in text
    assert "missed (missed to missed)" in text


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
                "20 runs missed. Verdict: not established (10 pairs; 20 needed).",
                "                            article   nnlite, median (range)",
            ],
            "not measured",
        ),
        (
            [NEITHER],
            [
                "No run of 1 pair reached the target: nothing was measured.",
                "2 runs missed. Verdict: not established (1 pair; 20 needed).",
            ],
            "not measured",
        ),
        (
            10 * [ONLY_SCRATCH],
            [
                "In 10 of 10 pairs only scratch reached the target: nothing was saved (95% interval a miss to a miss).",
                "Cheaper in 0 of 10 pairs; 10 runs missed. Verdict: not established (10 pairs; 20 needed).",
            ],
            "missed (a miss to a miss)",
        ),
        (
            [*5 * [ONLY_SCRATCH], *5 * [BOTH]],  # half is enough for a middle that is infinite
            ["In 5 of 10 pairs only scratch reached the target: nothing was saved (95% interval a miss to 30%)."],
            "missed (a miss to 30%)",
        ),
        (
            [ONLY_SCRATCH, NEITHER, *5 * [BOTH]],
            ["It saved 30% of the training operations (95% interval a miss to 30%); the claim is 30%."],
            "30% (a miss to 30%)",
        ),
        (
            [*7 * [ONLY_MEANS], *3 * [BOTH]],
            [
                "In 7 of 10 pairs only class-means reached the target: the saving has no number (95% interval 30% to "
                "100%)."
            ],
            "scratch missed (30% to 100%)",
        ),
        (
            [*5 * [ONLY_MEANS], *5 * [NEITHER]],  # halfway between all and nothing lies no run
            ["Both runs reached the target in none of 10 pairs: the saving has no number (95% interval 0% to 100%)."],
            "no number (0% to 100%)",
        ),
    ],
)
def test_where_runs_missed_no_sentence_names_a_saving_that_was_not_measured(pairs, sentences, row):
    found = summarize(outcomes(*pairs))
    lines = report(found).splitlines()
    assert " ".join(lines[1:]).startswith(" ".join(sentences))
    assert all(len(line) < 90 for line in lines)
    assert f"  saved, the article's count  29.9%   {row}" in lines
    every = next(line for line in lines if line.startswith("  saved, every operation"))
    assert row.split(" (")[0].replace("30%", "29%") in every  # averaging is on that bill


def test_the_bill_of_a_study_that_measured_nothing_has_no_savings_and_no_test():
    text = sensitivity_table(summarize(outcomes(*6 * [NEITHER])))
    assert text == "No run of 6 pairs reached the target: nothing was measured, by no cost model."
    assert " a miss to 30%" in sensitivity_table(summarize(outcomes(ONLY_SCRATCH, *5 * [BOTH])))


def test_another_arm_that_measured_nothing_says_so():
    runs = [run for seed in range(6) for run in (missed("medoid", seed), missed("scratch", seed))]
    assert "  medoid                6  missed  not measured          not measured" in report(summarize(runs))


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (BOTH, "scratch 100 steps, class-means 69 steps, saved 30% (the article's count)"),
        (NEITHER, "scratch missed (budget), class-means missed (budget), nothing measured"),
        (ONLY_SCRATCH, "scratch 100 steps, class-means missed (budget), nothing saved"),
        (ONLY_MEANS, "scratch missed (budget), class-means 69 steps, only class-means got there"),
    ],
)
def test_a_pair_line_takes_its_words_from_both_runs(pair, words):
    assert pair_line(1, 10, *paired_reduction(outcomes(pair))) == f"pair 1/10, seed 0: {words}"


def test_a_diverged_run_is_named_with_its_message():
    diverged = missed("scratch", 0)
    diverged = type(diverged)(**{**diverged.__dict__, "status": "diverged", "message": "the loss stopped being finite"})
    assert "scratch, seed 0: the loss stopped being finite." in report(summarize([diverged, run("class-means", 0, 5)]))


def test_interrupted_is_the_second_line():
    assert (
        report(summarize(study(2)), interrupted="interrupted, 2 of 10 pairs").splitlines()[1].startswith("interrupted")
    )


def test_one_arm_alone_is_no_comparison():
    assert "nothing to compare" in report(summarize([run("scratch", 0, 5)]))


def test_a_pair_line_says_what_both_arms_took():
    records = study(1)
    line = pair_line(1, 10, *paired_reduction(records))
    assert line == "pair 1/10, seed 0: scratch 100 steps, class-means 69 steps, saved 30% (the article's count)"


def test_the_bill_ends_with_what_is_free():
    text = bill(summarize(study(1)))
    assert "The bill of scratch, seed 0" in text
    assert "Free by convention" in text


def test_every_other_arm_that_was_named_stands_against_scratch_too():
    records = [*study(), *(run("medoid", seed, 90 + seed) for seed in range(10))]
    text = report(summarize(records))
    # seed s: 1 - 10 (90 + s) / (10 (100 + s)) = 10 / (100 + s): 10% to 9.2%, median 9.6%; so is every operation's
    assert "  medoid               10    94.5  10% (9% to 10%)       10% (9% to 10%)" in text.splitlines()


def test_arms_without_class_means_are_compared_all_the_same():
    records = [run("scratch", 0, 100), run("medoid", 0, 110)]
    text = report(summarize(records), expected="so many steps")
    assert text.startswith("Average-image pretraining on small: 1 pair, seed 0")
    assert "-10% (none)" in text
    assert "Expected" not in text
    assert "nothing to compare" not in text

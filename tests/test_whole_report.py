"""The whole report: the verdict first, every number with its n and interval, every missing part named, 80 columns."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from example_findings import NAMES, cell, plausible, setting

from nnlite.experiment.stats import Interval
from nnlite.experiment.whole.findings import Findings
from nnlite.experiment.whole.page import page
from nnlite.experiment.whole.report import sections, short, text, to_json

FIGURES = {name: f"../figures/{name}.png" for name in ("accuracy", "controls", "steps-saved", "tuning")}
NOTHING = Findings(parts_missing=NAMES)


def flat(found):
    """The report on one line, whatever its line breaks."""
    return " ".join(text(found).split())


@pytest.mark.parametrize("found", [plausible(), NOTHING, Findings()])
def test_every_line_fits_a_terminal_of_80_columns(found):
    for form in (text(found), short(found)):
        assert max(map(len, form.splitlines())) <= 80
        assert form == form.rstrip()


def test_the_verdict_of_every_cell_comes_first_with_interval_pairs_and_misses():
    lines = " ".join(text(plausible()).split("IS IT THE AVERAGES")[0].split())
    assert lines.index("THE VERDICT") < lines.index("Claim cell") < lines.index("Honest cell")
    assert "DIRECTION ONLY. The averages saved 22.1% (95% interval 20.3% to 24.6%; 100 pairs); 0 runs missed." in lines
    assert "DIRECTION ONLY. The averages saved 19.0% (95% interval 17.0% to 21.0%; 100 pairs); 0 runs missed." in lines
    assert "The article's single pair (29.9%) lies above 93 of these 100." in lines
    assert '"direction only" means: something is saved, and less than 25%' in lines
    assert "steps from scratch 214 138 (121 to 153)" in lines
    assert "then, steps 145 104 (93 to missed)" in lines  # one run of three missed: the largest is infinite


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Explained by: none of the controls."),
        ({"explained_by": ["exemplar", "medoid"]}, "Explained by: exemplar and medoid."),
        ({"controls": []}, "Explained by: not known."),
        ({}, "Gone when tuned: yes (no material saving)."),
        (
            {"tuned": None, "parts_done": NAMES[:3]},
            "Gone when tuned: not known. Not finished: part tuned (nnlite --part tuned).",
        ),
        ({}, "Depends on the counting: claim cell no, one word under every cost model; honest cell no"),
        (
            {"claim": cell(depends_on_counting=["flop", "mac"])},
            "Depends on the counting: claim cell yes, another word by flop and",
        ),
    ],
)
def test_every_qualifier_is_told_or_says_why_not(changes, sentence):
    assert sentence in flat(plausible(**changes))


def test_a_tuned_saving_that_stays_is_not_gone():
    found = plausible()
    stays = replace(found, tuned=replace(found.tuned, cell=cell("tuned")))
    assert "Gone when tuned: no (tuned: direction only)." in flat(stays)


def test_without_any_part_every_part_is_named_and_no_number_is_made_up():
    report = flat(NOTHING)
    for name in NAMES:
        assert f" {name}" in report
    assert report.count("Not answered.") == 9  # every section but the verdict, the other arms and what was run
    assert "nan" not in report
    assert "0 of 15 parts are finished" in report  # the protocol has 15


def test_an_unfinished_part_is_named_beside_the_numbers_it_has_so_far():
    done = [name for name in NAMES if name != "controls"]
    report = flat(plausible(parts_done=done, parts_missing=["controls"]))
    assert "Neither alone: closed-form saved 5%." in report
    assert "Not finished: part controls (nnlite --part controls)." in report


def test_controls_say_what_they_save_and_whether_they_explain_it():
    report = text(plausible())
    # misses: 2 of the arm alone, 1 of scratch alone, 1 pair of both: 2 + 1 + 2 x 1 = 5
    assert "fresh-batches 100 5 62% -12.3 (-15.6 to -10.1) -12.3 (-15.6 to -10.1)" in " ".join(report.split())
    assert "fresh-batches -32.0 (-34.1 to -30.6) 1 <0.0001 no" in " ".join(report.split())
    assert "adam-state -32.0 (-34.1 to -30.6) 1 <0.0001 not shown" in " ".join(report.split())


def test_one_flag_stands_beside_the_averages():
    report = flat(plausible())
    assert "--learning-rate 2e-3 alone saved 37.1% (95% interval 35.3% to 38.9%; 100 pairs)" in report
    assert "100 pairs), less than --learning-rate 2e-3 and --batch-size 16." in report
    poor = plausible(flags=[setting("--batch-size 16", (0.1, 0.12, 0.15))])
    assert "100 pairs), more than any of these." in flat(poor)


def test_tuned_stands_beside_untuned_with_settings_and_search():
    report = flat(plausible())
    assert "NO MATERIAL SAVING. The averages saved 0.4% (95% interval -1.0% to 2.0%; 100 pairs)" in report
    assert "Untuned, the honest cell: the averages saved 19.0%" in report
    assert "learning rate 0.00312 0.0412" in report
    assert "epochs on the averages - 14" in report
    assert "operations of the search 1.23 trillion 2.00 trillion" in report
    assert "1 never 1.50 billion" in report  # one draw of two that may hold no setting that reaches


def test_a_target_that_few_reach_has_shares_and_no_ratio():
    report = " ".join(text(plausible()).split())
    assert "96% 138 7 93%, 100% reach - -" in report  # 7% of 100 runs of scratch missed
    assert "90% 138 0 33 (30 to 36) 20.0 (18.0 to 22.0) 20.0 (18.0 to 22.0)" in report


def test_the_prediction_says_what_became_of_it():
    report = flat(plausible())
    assert "a head start, here 52 steps, and nothing else" in report
    assert "give or take 10. It failed." in report
    assert "90% 31.0 -21.0 -25.0 to -17.0" in report


def test_same_accuracy_is_said_only_where_it_was_shown():
    report = flat(plausible())
    assert "after 500 steps averages first is 0.02 points better (100 pairs), shown to be the same;" in report
    assert "after 20 epochs averages first is 0.00 points better (30 pairs), not shown to be the same." in report
    assert "500 steps 100 93.61% 93.63% 0.02 0.001" in report
    assert "20 epochs (18,760) 30 97.86% 97.86% 0.00 0.2" in report


def test_stopping_on_test_flatters_only_where_the_interval_says_so():
    assert "It flatters from scratch and averages first: a run that stops" in flat(plausible())
    rows = [replace(row, difference=Interval(-0.0001, -0.0014, 0.0018)) for row in plausible().optimism]
    report = flat(plausible(optimism=rows))
    assert "It does not flatter visibly" in report
    assert "from scratch -0.01 (-0.14 to 0.18); averages first -0.01 (-0.14 to 0.18); 100 runs." in report


def test_rows_that_give_another_word_stand_in_a_table_of_their_own():
    report = text(plausible())
    assert (
        '4 of 5 ways to ask give the same word, direction only; "no material saving" by distinct images.'
        in " ".join(report.split())
    )
    other = report.split("Claim cell, no material saving; 100 pairs:")[1]
    assert "distinct images" in other
    assert "-250 (missed to 40.0)" in other
    assert "multiply-adds, training first touch, 90.3% 0 19.0 (17.1 to 21.3)" in " ".join(report.split())
    assert "operations and looks for good, 1 look in 50 0 19.0" in " ".join(report.split())
    assert "multiply-adds that ran first touch 0 19.0" in " ".join(report.split())


def test_the_scan_shows_the_nearest_five():
    report = text(plausible())
    assert "adam 5e-4" in report
    assert "adam 6e-4" not in report


def test_closed_forms_that_disagree_are_not_hidden():
    assert "counted by the kernels agree in every run." in flat(plausible())
    assert "agree in all but 3 runs." in flat(plausible(n_disagreeing=3))


def test_the_short_form_has_both_verdicts_the_controls_the_flags_and_tuning():
    lines = short(plausible()).splitlines()
    joined = " ".join(lines)
    for words in ("Claim cell", "Honest cell", "Neither alone", "--batch-size 16", "Tuned against tuned"):
        assert words in joined
    assert len(lines) <= 10


def test_a_program_gets_numbers_and_null_for_what_is_not_finite():
    values = to_json(plausible())
    text_of_it = json.dumps(values, allow_nan=False)
    assert json.loads(text_of_it) == values
    assert values["claim"]["first_hit_steps"]["class-means"] == [93.0, 104.0, None]
    assert values["prediction"]["band"]["low"] == [-4.0, -25.0]
    assert values["claim"]["saved"]["median"] == 0.2214


def test_the_page_holds_what_the_report_holds_and_links_only_figures_that_exist():
    found = plausible()
    written = page(found, FIGURES)
    for section in sections(found):
        assert f"## {section.title}" in written
    assert "](../figures/controls.png)" in written
    assert "rate.png" not in written
    assert "(preregistration.md)" in written
    assert "numbers 40 and 61" in written  # of 100 pairs
    assert written.count("# Does pretraining") == 1


def test_the_pages_tables_are_whole():
    for table in page(plausible(), FIGURES).split("\n\n"):
        lines = table.splitlines()
        if lines[0].startswith("|"):
            assert len({line.count("|") - line.count("\\|") for line in lines}) == 1
            assert set(lines[1]) <= set("| -:")


def test_the_page_of_an_empty_folder_has_no_measured_number():
    written = page(NOTHING, {})
    assert "Not answered." in written
    assert "interval -" not in written
    assert "![" not in written

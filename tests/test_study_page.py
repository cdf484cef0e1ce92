"""The whole report: the verdict first, every number with its n and interval, every missing part named, 80 columns."""

from __future__ import annotations

import json
import math
import re
from html import escape

import pytest
from example_findings import NAMES, cell, control, plausible, setting, study_of

from nnlite.experiment.exits import Exit
from nnlite.study import page as document
from nnlite.study.second_protocol import ALL_PARTS

FIGURES = {name: f"../figures/{name}.png" for name in ("accuracy", "controls", "steps-saved")}
NOTHING = {}


def text(found):
    return document.text(study_of(found))


def short(found):
    return document.short(study_of(found))


def pages(found, pictures):
    return document.pages(study_of(found), pictures)


def flat(found):
    """The report on one line, whatever its line breaks."""
    return " ".join(text(found).split())


@pytest.mark.parametrize("found", [plausible(), NOTHING])
def test_every_line_fits_a_terminal_of_80_columns(found):
    for form in (text(found), short(found)):
        assert max(map(len, form.splitlines())) <= 80
        assert form == form.rstrip()


def test_the_flag_in_both_arms_stands_beside_the_flag_alone():
    both = {**setting("rate x 2", (0.16, 0.2, 0.25)), "n_pairs": 30}
    said = "only described: with --learning-rate 2e-3 in both arms the averages saved 20.0%"
    assert said in flat(plausible(settings=[both]))
    assert "The flag and the averages together" not in flat(plausible())


def test_without_any_part_every_part_is_named_and_no_number_is_made_up():
    report = flat(NOTHING)
    for name in NAMES:
        assert f" {name}" in report
    assert report.count("Not answered.") == 15  # every section but what was run
    assert "nan" not in report
    assert f"0 of {len(ALL_PARTS)} parts are finished" in report


def test_an_unfinished_part_is_named_where_it_is_needed():
    found = plausible()
    without = {**found, "parts_done": [name for name in found["parts_done"] if name != "controls"]}
    assert "Neither alone: beside the class averages cost 12.3% more (10.1% to 15.6%)" in flat(found)
    assert "Neither alone" not in flat(without)
    assert "Not finished: part controls (python -m nnlite.study run controls)." in flat(without)


def test_controls_say_what_they_save_and_whether_they_explain_it():
    report = text(plausible())
    # Misses: 2 of the arm alone, 1 of scratch alone, 1 pair of both: 2 + 1 + 2 x 1 = 5
    assert "fresh-batches 100 5 62% -12.3 (-15.6 to -10.1) -12.3 (-15.6 to -10.1)" in " ".join(report.split())
    assert "fresh-batches -32.0 (-34.1 to -30.6) 1 <0.0001 no no" in " ".join(report.split())
    assert "adam-state -32.0 (-34.1 to -30.6) 1 <0.0001 not shown no" in " ".join(report.split())


def test_accuracy_after_phase_1_is_shown_only_where_it_is_the_arms_own():
    report = " ".join(text(plausible()).split())
    assert "permuted 100 5 62%" in report
    assert "adam-state 100 5 - " in report  # its weights were put back after that look
    assert "first-layer 30 5 - " in report
    assert "averages-last 30 5 62%* " in report
    assert "* averages-last has trained on 100 real batches before." in report


def test_one_flag_stands_beside_the_averages():
    report = flat(plausible())
    assert "--learning-rate 2e-3 alone saved 37.1% (95% interval 35.3% to 38.9%; 100 pairs)" in report
    assert "100 pairs), less than --learning-rate 2e-3 and --batch-size 16." in report
    poor = plausible(flags=[setting("--batch-size 16", (0.1, 0.12, 0.15))])
    assert "100 pairs), more than any of these." in flat(poor)


def test_no_line_is_too_long_where_every_control_misses():
    worst = [{**c, "saved_every_operation": c["saved"]} for c in (
        control("stretched-means", "descriptive", saved=(-math.inf, -0.123, -0.101), n=30),
        control("averages-last", "descriptive", saved=(-math.inf, -math.inf, -math.inf), n=30),
    )]  # fmt: skip
    report = text(plausible(descriptive=worst))
    assert max(map(len, report.splitlines())) <= 80
    assert "averages-last 30 5 62%* miss (miss to miss) miss (miss to miss)" in " ".join(report.split())


def test_the_short_form_is_the_headline_with_a_row_for_each_cell():
    lines = short(plausible()).splitlines()
    assert lines[0].startswith("Saves, but less than claimed: counted and stopped as in the article the averages")
    assert " ".join(lines[-4].split()) == "the article's way 100 22.1 (20.3 to 24.6) 19.9 -4.2"
    assert " ".join(lines[-2].split()) == "held-out images 100 19.0 19.0 (17.0 to 21.0) -4.2"
    assert " ".join(lines[-1].split()) == "tuned, first study 100 0.4 (-1.0 to 2.0) 19.9 -4.2"
    assert len(lines) <= 12


def test_the_short_form_stays_short_where_every_word_is_long():
    long = cell(word="saves, size not established", saved=(-0.1031, -0.1214, 0.1462))
    every = dict.fromkeys(("claim", "claim_64", "honest", "tuned"), long)
    lines = short(plausible(**every)).splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 80


def test_a_program_gets_numbers_and_null_for_what_is_not_finite():
    values = document.facts(study_of(plausible()))
    text_of_it = json.dumps(values, allow_nan=False)
    assert json.loads(text_of_it) == values
    assert values["claim"]["first_hit_steps"]["class-means"] == [93.0, 104.0, None]
    assert values["prediction"]["band"]["low"] == [-4.0, -25.0]
    assert values["claim"]["saved"]["median"] == 0.2214


def test_the_details_hold_what_the_report_holds_and_the_first_page_every_answer():
    found = plausible()
    first, details = pages(found, FIGURES).values()
    headline, *others = document.sections(study_of(found))
    assert headline.answer[0] in first
    for section in others:
        assert f"## {section.title}" in details
        assert f"- [{section.title}](details.md#" in first
    assert "](../figures/controls.png)" in details
    assert "rate.png" not in details
    assert "(preregistration.md)" in first
    assert "numbers 40 and 61" in first  # of 100 pairs
    assert first.count("# Does pretraining") == 1
    assert len(first.splitlines()) <= 250


def test_every_block_of_fixed_notes_belongs_to_a_question():
    names = [question.__name__ for question in document.QUESTIONS]
    assert set(document._fixed_notes()) <= set(names)
    assert len(set(names)) == len(names)


def test_a_readme_gets_the_headline_at_its_place_and_nowhere_else(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("above\n<!-- generated: verdict, by -->\nold\n<!-- end -->\nbelow\n", encoding="utf-8")
    written = document.with_headline(str(readme), study_of(plausible()))
    block = f"<!-- generated: verdict, by -->\n```\n{short(plausible())}\n```\n<!-- end -->"
    assert written == f"above\n{block}\nbelow\n"
    readme.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(Exit, match="expected a line"):
        document.with_headline(str(readme), study_of(plausible()))


def test_the_pages_tables_are_whole():
    for table in "\n\n".join(pages(plausible(), FIGURES).values()).split("\n\n"):
        lines = table.splitlines()
        if lines[0].startswith("|"):
            assert len({line.count("|") - line.count("\\|") for line in lines}) == 1
            assert set(lines[1]) <= set("| -:")


def test_the_page_of_an_empty_folder_has_no_measured_number():
    written = "\n\n".join(pages(NOTHING, {}).values())
    assert "Not answered." in written
    assert "interval -" not in written
    assert "![" not in written


def html(found):
    pytest.importorskip("markdown_it")
    return document.html(study_of(found), "data/runs", {})


def test_the_page_for_a_browser_has_the_verdict_first_and_every_question_whole():
    found, page = plausible(), html(plausible())
    headline, *others = document.sections(study_of(found))
    assert page.index("<h1>") < page.index(escape(headline.answer[0])) < page.index("What was claimed")
    links = re.findall(r'<a href="#([^"]*)">', page)
    assert len(links) == len(others)
    assert set(links) <= set(re.findall(r'<h2 id="([^"]*)">', page))
    for section in others:
        firsts = [word for table in section.tables for word in table.rows[0]]
        for words in (section.title, *section.told, *firsts):
            assert escape(words).replace("`", "") in re.sub("</?code>|`", "", page)


def test_tables_of_the_page_for_a_browser_have_captions_and_nothing_on_it_is_elsewhere():
    page = html(plausible())
    n_tables = sum(len(section.tables) for section in document.sections(study_of(plausible())))
    assert page.count("<caption>") == n_tables > 9
    assert "<caption></caption>" not in page
    assert page.count("<table>") == n_tables + 1  # how to repeat it
    assert set(re.findall(r'(?:href|src)="([^"#]*)["#]', page)) == {"", "data:,"}
    assert "<code>data/runs</code>" in page
    assert "{" not in re.sub("<style>.*?</style>", "", page, flags=re.DOTALL)


def test_pictures_of_the_page_for_a_browser_say_what_they_show():
    pytest.importorskip("markdown_it")
    figures = pytest.importorskip("matplotlib.figure")
    page = document.html(study_of(plausible()), "runs", {"controls": figures.Figure()})
    (section,) = [found for found in document.sections(study_of(plausible())) if "controls" in found.pictures]
    assert page.count("<figure>") == 1
    assert f'<svg role="img" aria-label="{escape(section.pictures["controls"])}"' in page


def test_the_page_for_a_browser_of_an_empty_folder_says_so():
    assert html(NOTHING).count("Not answered.") == 15 + 14  # every question, and its line among the answers

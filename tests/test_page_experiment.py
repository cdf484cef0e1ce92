"""The experiment's page: its numbers are the report's, its command trains the same runs again."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict, replace
from html import unescape

import pytest
from made import at_target_from, run

from nnlite.experiment.__main__ import main
from nnlite.experiment.config import DataError
from nnlite.experiment.options import parse
from nnlite.experiment.report import Summary
from nnlite.page.experiment import experiment_page

HITS = {"scratch": (8, 10, 12, None), "class-means": (6, 5, 9, 4)}
"""Costs by the article's count: 100 a step, and 100 of phase 1: 800 and 700, 1000 and 600, 1200 and 1000."""


@pytest.fixture
def records():
    return [run(arm, seed, at_target_from(hit)) for arm, hits in HITS.items() for seed, hit in enumerate(hits)]


def page_of(records):
    return experiment_page(Summary(records), records, lambda: pytest.fail("these records need no data set"))


def rows(page, caption):
    body = page.split(f"<caption>{caption}</caption>")[1].split("</table>")[0]
    lines = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [[unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)] for line in lines]


@pytest.fixture
def without_matplotlib(monkeypatch):
    monkeypatch.setattr("nnlite.page.experiment.find_spec", lambda name: None)


def test_the_verdict_is_first_and_the_pairs_are_priced_by_hand(records, without_matplotlib):
    page = page_of(records)
    main_part = page.split("<main>")[1]
    assert main_part.index('class="verdict"') < main_part.index("<section>")
    pairs = rows(page, "Two runs from each seed, up to the target")[1:]
    assert [row[:4] for row in pairs] == [
        ["0", "8", "6", "12.5%"],  # 700 of 800
        ["1", "10", "5", "40.0%"],
        ["2", "12", "9", "16.7%"],
        ["3", "missed (budget)", "4", "not measured"],
    ]


def test_the_bill_has_every_phase_of_every_arm(records, without_matplotlib):
    page = page_of(records)
    assert [row[0] for row in rows(page, "scratch: median of 4 runs")] == ["phase", "train"]
    bill = rows(page, "class-means: median of 4 runs")
    assert [row[0] for row in bill] == ["phase", "data", "pretrain", "train"]
    assert bill[1][1] == "330"  # 300 additions and 30 divisions
    assert bill[2][1] == "100"  # 50 multiply-adds


@pytest.mark.parametrize(
    "line",
    [
        "nnlite --seeds 3",
        "nnlite --preset article-64 --learning-rate 0.002 --seeds 4 --first-seed 7",
        "nnlite --arms scratch,class-means,global-mean --hidden 9,5 --activation tanh --evaluate full --seeds 3",
        "nnlite --pretrain-target 0.8 --hidden none --stop-on validation --seeds 3",
    ],
)
def test_the_command_on_the_page_asks_for_the_same_runs(line, without_matplotlib):
    options = parse(shlex.split(line)[1:])
    made = []
    for arm, seed in options.settings.runs():
        record = run(arm, seed, at_target_from(5))
        config = {**options.config.to_record(2, 3), "article_pass": 10}
        made.append(replace(record, config=config))
    page = page_of(made)
    (command,) = re.findall(r"<pre tabindex=\"0\"><code>(.*?)</code></pre>", page)
    again = parse(shlex.split(unescape(command).replace("--dataset small ", ""))[1:])
    assert asdict(again.config) == asdict(options.config)
    assert again.settings.runs() == options.settings.runs()


def test_pictures_are_drawn_where_runs_were_watched(records, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("nnlite.experiment.figures.averages_figure", lambda dataset, stop_on: None)
    page = experiment_page(Summary(records), records, lambda: None)
    assert page.count("<figure>") == 1  # these runs have no looks within phase 1
    assert 'aria-label="Accuracy of both arms against steps and operations"' in page


def test_the_command_line_writes_it_and_refuses_a_folder_that_is_not_there(
    tmp_path, records, capsys, monkeypatch, without_matplotlib
):
    monkeypatch.setattr("nnlite.experiment.api.read_pairs", lambda path, left_out: records)
    assert main(["--report", str(tmp_path / "runs.jsonl"), "--html", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().err == f"page: {tmp_path / 'page.html'}\n"
    assert "Pair by pair" in (tmp_path / "page.html").read_text("utf-8")
    assert main(["--report", str(tmp_path / "runs.jsonl"), "--html", str(tmp_path / "no" / "page.html")]) == 2
    assert f"nnlite: --html {tmp_path / 'no' / 'page.html'}: there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--report", "--out"])
def test_the_page_never_replaces_the_records(tmp_path, option, capsys):
    (tmp_path / "runs.jsonl").write_text("kept", encoding="utf-8")
    (tmp_path / "notes").write_text("kept", encoding="utf-8")
    assert main([option, str(tmp_path / "new.jsonl"), "--html", str(tmp_path / "notes")]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert main([option, str(tmp_path / "runs.jsonl"), "--html", str(tmp_path / "." / "runs.jsonl")]) == 2
    assert "is the file of the records" in capsys.readouterr().err
    assert (tmp_path / "runs.jsonl").read_text(encoding="utf-8") == "kept"


def test_the_result_is_told_though_its_page_cannot_be_made(tmp_path, records, capsys, monkeypatch, without_matplotlib):
    monkeypatch.setattr("nnlite.experiment.api.read_pairs", lambda path, left_out: records)
    monkeypatch.setattr("nnlite.page.experiment.experiment_page", lambda *of: (_ for _ in ()).throw(DataError("gone")))
    assert main(["--report", str(tmp_path / "runs.jsonl"), "--html", str(tmp_path / "page.html")]) == 3
    out, err = capsys.readouterr()
    assert "Averages first, or not?" in out
    assert err == "nnlite: gone\n"

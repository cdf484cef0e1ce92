"""The command of the study: parts listed and run, a report printed and written, mistakes in one line, old options."""

from __future__ import annotations

import json
import os
import sys

import pytest
from example_findings import plausible, study_of

from nnlite.experiment.exits import FAILED_RUN, OK, Interrupted
from nnlite.study import __main__ as command
from nnlite.study.runs import Study
from nnlite.study.second_protocol import ALL_PARTS


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def nothing_found(monkeypatch):
    """A report of a study that has no records."""
    monkeypatch.setattr(Study, "read", lambda folder, tell: Study({}))
    os.mkdir("runs")


def test_the_list_names_every_part_with_its_runs_and_minutes(capsys):
    assert command.main(["list", "--workers", "2"]) == OK
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "part         runs  min on 2 cores"
    rows = [line.split()[:3] for line in lines[: len(ALL_PARTS)]]
    assert [name.rstrip("*") for name, *_ in rows] == [part.name for part in ALL_PARTS]
    assert [name for name, *_ in rows if name.endswith("*")] == ["pilot*", "fashion*"]  # what needs Fashion-MNIST
    assert rows[1] == ["claim", "400", "16"]  # 2 configurations x 2 arms x 100 seeds
    assert rows[6] == ["finals", "-", "-"]
    assert " ".join(lines[len(ALL_PARTS) :]).startswith(
        "-: what other parts find decides what it runs. *: needs Fashion"
    )
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "required: list | run | report"),
        (["run", "claims"], 2, "invalid choice: 'claims'"),
        (["run", "finals"], 2, "nnlite: part finals: needs part tuning first, which runs does not hold"),
        (["run", "claim", "--workers", "0"], 2, "argument --workers: 0: must be 1 to 1024"),
        (["list", "--workers", "0"], 2, "argument --workers: 0: must be 1 to 1024"),
        (["report", "--runs", ""], 2, "argument --runs: an empty path"),
        (["run", "claim", "--executor", "cluster"], 2, "nnlite: --executor cluster: "),
        (["run", "claim", "--data-dir", "no/such"], 3, "nnlite: mnist not found where --data-dir says"),
        (["report", "--html", "no/page.html"], 2, "nnlite: --html no/page.html: there is no folder"),
        (["report"], 3, "nnlite: runs: holds no finished part of the study; python -m nnlite.study run makes them"),
    ],
)
def test_a_mistake_gives_one_clear_line_and_its_exit_status(arguments, status, message, capsys):
    assert command.main(arguments) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("wanted", [["--figures", "f"], ["--write"]])
def test_pictures_without_matplotlib_are_refused_at_once(wanted, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert command.main(["report", *wanted]) == 2
    assert "nnlite: --figures: needs matplotlib" in capsys.readouterr().err


def test_an_interruption_says_how_to_go_on(capsys, monkeypatch):
    def run_parts(parts, folder, work):
        assert (len(parts), folder, work.workers) == (1, "my runs", ("threads", 3))
        raise Interrupted(2, compiling=False)

    monkeypatch.setattr(command, "run_parts", run_parts)
    assert command.main(["run", "claim", "--runs", "my runs", "--workers", "3"]) == 130
    told = "nnlite: interrupted; to go on: python -m nnlite.study run claim --runs 'my runs' --workers 3\n"
    assert capsys.readouterr().err == told


@pytest.mark.usefixtures("nothing_found")
def test_the_page_is_written_beside_the_records_and_its_pictures_beside_their_folder(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    folders = []

    def draw_all(folder, study):
        folders.append(folder)
        return [tmp_path / folder / "accuracy.png"]

    monkeypatch.setattr("nnlite.study.figures.draw_all", draw_all)
    monkeypatch.setattr(Study, "read", lambda folder, tell: study_of(plausible()))
    assert command.main(["report", "--write"]) == OK
    page = (tmp_path / "runs" / "details.md").read_text(encoding="utf-8")
    assert "](../figures/accuracy.png)" in page
    assert "controls.png" not in page
    out, err = capsys.readouterr()
    assert out.startswith("Does pretraining on the ten class averages")
    assert err.splitlines()[-2:] == [f"page: {os.path.join('runs', name)}" for name in ("README.md", "details.md")]
    assert command.main(["report", "--write", "--figures", "pictures", "--quiet"]) == OK
    assert folders == ["figures", "pictures"]
    assert "](../pictures/accuracy.png)" in (tmp_path / "runs" / "details.md").read_text(encoding="utf-8")
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("nothing_found")
def test_a_page_that_cannot_be_written_is_a_failure(capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("nnlite.study.figures.draw_all", lambda folder, study: [])
    os.rmdir("runs")
    assert command.main(["report", "--write"]) == FAILED_RUN
    assert "README.md: there is no folder" in capsys.readouterr().err


@pytest.mark.usefixtures("nothing_found")
def test_the_page_for_a_browser_is_one_file_beside_json_too(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    pytest.importorskip("markdown_it")
    assert command.main(["report", "--html", "page.html", "--json"]) == OK
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    out, err = capsys.readouterr()
    assert json.loads(out)["parts_done"] == []
    assert err == "page: page.html\n"
    assert sorted(os.listdir(tmp_path)) == ["page.html", "runs"]


@pytest.mark.parametrize("module", ["matplotlib", "markdown_it"])
def test_what_the_page_for_a_browser_needs_is_asked_for_at_once(module, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(sys.modules, module, None)
    assert command.main(["report", "--html", "page.html"]) == 2
    assert f"nnlite: --html: needs {module.replace('_it', '-it-py')}" in capsys.readouterr().err

"""The notebooks: written once, without outputs, and run from the first cell to the last by Jupyter itself."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

import nnlite
from nnlite.lessons import LESSONS
from nnlite.lessons import __main__ as lessons_command
from nnlite.lessons.notebook import ASKED, write_notebooks


def test_the_lessons_and_the_walk_are_written_as_notebooks_once(tmp_path, capsys):
    pytest.importorskip("jupytext")
    assert lessons_command.main(["notebook", str(tmp_path / "new")]) == 0
    paths = [pathlib.Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.stem for path in paths] == ["walk", *(f"{n}-{name}" for n, name in enumerate(LESSONS, start=1))]
    for path in paths:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert not [cell for cell in cells if cell.get("outputs")]
        assert any("".join(cell["source"]).startswith("%run -m nnlite.lessons") for cell in cells) != (
            path.stem == "walk"
        )
    assert lessons_command.main(["notebook", str(tmp_path / "new")]) == 1  # what is there may be someone's work
    assert capsys.readouterr().err.startswith("nnlite: ")


def test_a_lessons_name_alone_is_told_how_it_is_run(capsys):
    assert lessons_command.main(["claim"]) == 2
    assert "python -m nnlite.lessons.claim" in capsys.readouterr().err


def test_without_jupytext_one_line_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    assert lessons_command.main(["notebook", str(tmp_path)]) == 1
    assert capsys.readouterr().err.endswith("; try: python -m pip install jupytext\n")


def execute(*notebooks):
    """Run notebooks in one kernel, each from an empty namespace; their cells then hold what they printed."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = [cell for notebook in notebooks for cell in (nbformat.v4.new_code_cell("%reset -f"), *notebook)]
    whole = nbformat.v4.new_notebook(cells=cells)
    root = str(pathlib.Path(nnlite.__file__).parents[1])
    nbclient.NotebookClient(whole, timeout=120, resources={"metadata": {"path": root}}).execute()  # an error raises


def outputs(cells):
    return [output for cell in cells for output in cell.get("outputs", [])]


@pytest.fixture
def written(tmp_path):
    """Every notebook by its name, as Jupyter reads it."""
    pytest.importorskip("jupytext")
    nbformat = pytest.importorskip("nbformat")
    return {path.stem: nbformat.read(path, as_version=4) for path in write_notebooks(tmp_path)}


@pytest.mark.slow
def test_the_walk_runs_from_its_first_cell_to_its_last_and_shows_pictures_and_progress(written):
    pytest.importorskip("matplotlib")
    cells = written["walk"].cells
    execute(cells)
    assert sum("image/png" in output.get("data", {}) for output in outputs(cells)) >= 6
    told = [output["text"] for output in outputs(cells) if output.get("name") == "stderr"]
    assert any("\r" in text for text in told)  # progress goes back to the line's start


@pytest.mark.slow
def test_a_lessons_notebook_runs_from_its_first_cell_to_its_last_and_answers_without_a_traceback(written):
    new_cell = pytest.importorskip("nbformat").v4.new_code_cell
    answered = [new_cell(f"%run -m nnlite.lessons.bytes -a 1 {number}") for number in (3084, 3085)]
    lessons = {name: written[f"{number}-{name}"].cells for number, name in enumerate(LESSONS, start=1)}
    execute(answered, *lessons.values())
    said = ["".join(output["text"] for output in cell.outputs).split(":")[0] for cell in answered]
    assert said == ["right", "wrong\nhint"]
    assert {output["name"] for output in outputs(answered)} == {"stdout"}
    for name, cells in lessons.items():
        printed = "".join(output.get("text", "") for output in outputs(cells) if output.get("name") == "stdout")
        assert printed.count("wrong\nhint: ") == len(ASKED[name][0])  # all are answered by 0

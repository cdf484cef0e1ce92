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


def test_without_jupytext_one_line_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    assert lessons_command.main(["notebook", str(tmp_path)]) == 1
    assert capsys.readouterr().err.endswith("; try: python -m pip install jupytext\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["walk", *(f"{number}-{name}" for number, name in enumerate(LESSONS, start=1))])
def test_a_notebook_runs_from_its_first_cell_to_its_last(name, tmp_path):
    pytest.importorskip("jupytext")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    (path,) = (path for path in write_notebooks(tmp_path) if path.stem == name)
    notebook = nbformat.read(path, as_version=4)
    root = str(pathlib.Path(nnlite.__file__).parents[1])
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": root}}).execute()  # an error raises
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    if name == "walk":
        assert sum("image/png" in output.get("data", {}) for output in outputs) >= 6
        told = [output["text"] for output in outputs if output.get("name") == "stderr"]
        assert any("\r" in text for text in told)  # progress goes back to the line's start
        return
    printed = "".join(output.get("text", "") for output in outputs if output.get("name") == "stdout")
    assert printed.count("wrong\nhint: ") == len(ASKED[name[2:]][0])  # all are answered by 0


@pytest.mark.slow
def test_a_lesson_answers_in_a_notebook_without_a_traceback(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = [f"%run -m nnlite.lessons.bytes -a 1 {number}" for number in (3084, 3085)]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    said = ["".join(output["text"] for output in cell.outputs).split("\n")[0] for cell in notebook.cells]
    assert [words.split(":")[0] for words in said] == ["right", "wrong"]
    assert {output["name"] for cell in notebook.cells for output in cell.outputs} == {"stdout"}

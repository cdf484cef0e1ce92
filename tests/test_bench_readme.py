"""What regenerates the README's verdict, on a study that was asked already."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from example_findings import plausible, study_of

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # the benchmark is no part of the package

readme = importlib.import_module("bench.readme")


def test_the_verdict_is_a_block_of_text_with_the_claim_cell(monkeypatch):
    monkeypatch.setattr("nnlite.study.runs.Study.read", lambda folder: study_of(plausible()))
    text = readme.verdict()
    assert text.startswith("```\nClaim cell: ")
    assert text.endswith("\n```")


def test_a_readme_is_left_as_it_was_when_something_cannot_be_computed(tmp_path, monkeypatch):
    text = "<!-- generated: verdict -->\nold\n<!-- end -->\n"
    path = tmp_path / "README.md"
    path.write_text(text, encoding="utf-8")

    def fail():
        raise OSError("disk full")

    for name, value in {"README": path, "verdict": fail}.items():
        monkeypatch.setattr(readme, name, value)
    monkeypatch.setattr(sys, "argv", ["readme", "verdict"])
    with pytest.raises(OSError, match="disk full"):
        readme.main()
    assert path.read_text(encoding="utf-8") == text
    monkeypatch.setattr(readme, "verdict", lambda: "new")
    readme.main()
    assert path.read_text(encoding="utf-8") == text.replace("old", "new")

"""What regenerates the README's verdict and the page of the whole study, on some of the kept records."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from example_findings import plausible, study_of

from nnlite.experiment.whole.parts import is_done, open_file, records_of
from nnlite.study.protocol import MAIN_SEEDS

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # the benchmark is no part of the package

readme = importlib.import_module("bench.readme")

N_PAIRS = 5


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The first pairs of the kept claim part, and findings that take no minute of resampling."""
    if not is_done(readme.RUNS, "claim"):
        pytest.skip("the claim part is not kept")
    records = [r for r in records_of(readme.RUNS, "claim") if r.seed < MAIN_SEEDS.start + N_PAIRS]
    runs = tmp_path / "runs"
    runs.mkdir()
    open_file(runs, "claim").write_text("".join(record.to_line() for record in records))
    monkeypatch.setattr(readme, "RUNS", runs)
    found = study_of(plausible())
    found.parts["claim"] = records
    monkeypatch.setattr("nnlite.study.runs.Study.read", lambda folder: found)
    return runs


@pytest.mark.usefixtures("kept")
def test_the_verdict_is_a_block_of_text_with_the_claim_cell():
    text = readme.verdict()
    assert text.startswith("```\n")
    assert text.endswith("\n```")
    assert "Claim cell" in text


@pytest.mark.slow
def test_the_page_shows_pictures_that_were_drawn_for_it(kept):
    pytest.importorskip("matplotlib")
    pictures = kept.parent / "figures"
    readme.write_page(kept, pictures)
    page = (kept / "README.md").read_text(encoding="utf-8")
    drawn = {path.name for path in pictures.iterdir()}
    assert {"accuracy.png", "pairs.png"} <= drawn
    shown = {name for name in drawn if f"../figures/{name}" in page}
    assert "accuracy.png" in shown


def test_a_readme_is_left_as_it_was_when_something_cannot_be_computed(tmp_path, monkeypatch):
    text = "<!-- generated: verdict -->\nold\n<!-- end -->\n"
    path = tmp_path / "README.md"
    path.write_text(text, encoding="utf-8")

    def fail():
        raise OSError("disk full")

    for name, value in {"README": path, "verdict": lambda: "new", "write_page": fail}.items():
        monkeypatch.setattr(readme, name, value)
    monkeypatch.setattr(sys, "argv", ["readme", "verdict"])
    with pytest.raises(OSError, match="disk full"):
        readme.main()
    assert path.read_text(encoding="utf-8") == text
    monkeypatch.setattr(readme, "write_page", lambda: None)
    readme.main()
    assert path.read_text(encoding="utf-8") == text.replace("old", "new")

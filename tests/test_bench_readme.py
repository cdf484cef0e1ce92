"""What regenerates the README's tables leaves it whole."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # the benchmark is no part of the package

readme = importlib.import_module("bench.readme")


def test_a_readme_is_left_as_it_was_when_something_cannot_be_computed(tmp_path, monkeypatch):
    text = "".join(f"<!-- generated: {name} -->\nold\n<!-- end -->\n" for name in ("answer", "changes", "machine"))
    path = tmp_path / "README.md"
    path.write_text(text, encoding="utf-8")

    def fail():
        raise OSError("disk full")

    quick = {"answer": str, "changes": str, "nnlite": lambda options: ("", 0.0), "draw_averages": lambda: None}
    for name, value in {"README": path, "machine": fail, **quick}.items():
        monkeypatch.setattr(readme, name, value)
    with pytest.raises(OSError, match="disk full"):
        readme.main()
    assert path.read_text(encoding="utf-8") == text
    monkeypatch.setattr(readme, "machine", lambda: "new")
    readme.main()
    assert "machine -->\nnew\n<!-- end -->" in path.read_text(encoding="utf-8")

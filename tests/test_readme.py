"""The README: its commands exist, its example works when pasted, bench/readme.py writes its generated parts."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # the benchmark is no part of the package
readme = importlib.import_module("bench.readme")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_works_when_pasted(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":  # plain loops: a tenth of the steps, the same lines
        for many, few in (("128", "4"), ("train_images", "train_images[:64]"), ("train_labels", "train_labels[:64]")):
            example = example.replace(many, few)
        for many in ("test_images", "test_labels"):
            example = example.replace(many, f"{many}[:9]")
    result = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,  # it saves a network
        env={**os.environ, "NNLITE_DATA": str(ROOT / "data")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"\d+\.\d% right, [\d,]+ operations to learn it\n", result.stdout)


def test_every_option_that_the_readme_names_exists():
    from nnlite.experiment.options import parse

    commands = [command for command in re.findall(r"`nnlite (--[^`]*)`", README) if "--version" not in command]
    assert commands
    assert all(parse(command.split()) for command in commands)


def test_every_generated_part_is_filled():
    parts = re.findall(r"<!-- generated: (\w+)[^\n]*-->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert [name for name, _ in parts] == ["answer", "changes", "verdict"]
    assert all(text.strip() for _, text in parts)


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_a_readme_is_left_as_it_was_when_something_cannot_be_computed(tmp_path, monkeypatch):
    text = "".join(f"<!-- generated: {name} -->\nold\n<!-- end -->\n" for name in ("answer", "changes"))
    path = tmp_path / "README.md"
    path.write_text(text, encoding="utf-8")

    def fail():
        raise OSError("disk full")

    quick = {"answer": str, "write_registered": str, "nnlite": lambda options: "", "draw_averages": lambda: None}
    for name, value in {"README": path, "changes": fail, **quick}.items():
        monkeypatch.setattr(readme, name, value)
    with pytest.raises(OSError, match="disk full"):
        readme.main()
    assert path.read_text(encoding="utf-8") == text
    monkeypatch.setattr(readme, "changes", lambda: "new")
    readme.main()
    assert path.read_text(encoding="utf-8").endswith("changes -->\nnew\n<!-- end -->\n")

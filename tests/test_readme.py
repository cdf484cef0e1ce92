"""The README: its commands exist, its example works when pasted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_works_when_pasted(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":  # plain loops: a tenth of the steps, the same lines
        for many, few in (("32", "4"), ("6400", "64"), ("test_images)", "test_images[:9])")):
            example = example.replace(many, few)
        example = example.replace("test_labels)", "test_labels[:9])")
    result = subprocess.run(
        [sys.executable, "-c", example],
        env={**os.environ, "NNLITE_DATA": str(ROOT / "data")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"\d+\.\d% right, [\d,]+ operations to learn it\n", result.stdout)


def test_every_option_that_the_readme_names_exists():
    from nnlite.experiment.options import parse

    for command in re.findall(r"`nnlite (--[^`]*)`", README):
        if "--version" not in command:
            parse(command.split())


def test_every_generated_part_is_filled():
    parts = re.findall(r"<!-- generated: (\w+)[^\n]*-->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert [name for name, _ in parts] == ["answer", "verdict", "changes", "machine"]
    assert all(text.strip() for _, text in parts)


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target

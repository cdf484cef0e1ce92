"""What the registered study found with a preset, in words, to stand beside one's own runs.

registered.json is written from the study's records by `python -m bench.readme registered`. Left out: how it was found
(`nnlite.study`).
"""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).with_name("registered.json")


def registered(preset: str) -> dict[str, str]:
    """Return the cells of a column of the report's table, by row, and under "else" what else saves.

    Empty for a preset that the study did not run.
    """
    found: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found.get(preset, {})

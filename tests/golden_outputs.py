"""What the programs print, kept in tests/golden/: the whole study's report, ten pairs of fixed seeds, the article.

    python tests/golden_outputs.py      writes tests/golden/ anew, about half a minute

Whoever moves code runs test_golden.py, which compares; whoever changes a number on purpose runs this, and the
difference says which. The pages in data/runs are golden where they stand; their own command writes them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOLDEN, RUNS = ROOT / "tests" / "golden", ROOT / "data" / "runs"
PICTURES = ROOT / "data" / "figures"


def printed(*arguments):
    """What the command writes on stdout."""
    from nnlite.experiment.__main__ import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(arguments) == 0
    return out.getvalue()


def article():
    """The article's accounting."""
    return {"article.txt": printed("--article"), "article.json": printed("--article", "--json")}


def ten_pairs():
    """Ten pairs: their table, its JSON, and its records without what differs between two runs of the same seeds."""
    from nnlite.experiment.records import read_records

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "runs.jsonl")
        table = printed("--quiet", "--seeds", "10", "--data-dir", str(ROOT / "data"), "--out", path)
        numbers = printed("--report", path, "--json")
        records = sorted(read_records(path), key=lambda record: (record.seed, record.arm))
    lines = [json.dumps(record.comparable(), separators=(",", ":")) + "\n" for record in records]
    return {"ten-pairs.txt": table, "ten-pairs.json": numbers, "ten-pairs.jsonl": "".join(lines)}


def whole_report():
    """The report of the kept records, all from one analysis, and its page."""
    from nnlite.study.page import facts, pages, text
    from nnlite.study.runs import Study

    study = Study.read(str(RUNS))
    pictures = {path.stem: f"../figures/{path.name}" for path in PICTURES.glob("*.png")}
    return {
        "report.txt": text(study) + "\n",
        "report.json": json.dumps(facts(study), indent=2, allow_nan=False) + "\n",
        **pages(study, pictures),
    }


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    outputs = {**article(), **ten_pairs(), **whole_report()}
    for name, text in outputs.items():
        if name.endswith(".md"):
            continue
        (GOLDEN / name).write_text(text, encoding="utf-8")

"""What the programs print is what tests/golden/ holds, to the last digit: the study's report, ten pairs, the article.

    python tests/test_golden.py      writes tests/golden/ anew, about half a minute

Whoever moves code runs the tests; whoever changes a number on purpose runs this, and the difference says which. The
study's pages in data/runs are golden where they stand; their own command writes them.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import platform
import tempfile
from pathlib import Path

import pytest
import reference

from nnlite.experiment import report
from nnlite.kernels import fast_kernels
from nnlite.kernels.fast.target import has_fma

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
    """The default run: its table, its JSON, and its records without what differs between two runs of the same seeds."""
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
    from nnlite.study.verdict import beside_the_first_screen

    study = Study.read(str(RUNS))
    pictures = {path.stem: f"../figures/{path.name}" for path in PICTURES.glob("*.png")}
    return {
        "report.txt": text(study) + "\n",
        "report.json": json.dumps(facts(study), indent=2, allow_nan=False) + "\n",
        "registered.json": json.dumps(beside_the_first_screen(study)),
        **pages(study, pictures),
    }


ROUNDED = {"p_value": 1e-9, "critical": 1e-12, "low": 1e-12, "high": 1e-12}
"""How far numbers under these names may be off, relatively: of equivalence tests and of the band, which libraries sum
in an order of their own. All else is equal."""


def golden(name):
    return (GOLDEN / name).read_text(encoding="utf-8")


def differences(kept, found, where="", name=""):
    """Every place at which two JSON values differ."""
    if type(kept) is not type(found):
        return [f"{where}: {kept!r} was kept, found {found!r}"]
    if isinstance(kept, dict):
        lost, new = kept.keys() - found.keys(), found.keys() - kept.keys()
        told = [f"{where}: lost {sorted(lost)}, new {sorted(new)}"] if lost or new else []
        both = [key for key in kept if key in found]
        return told + [told for key in both for told in differences(kept[key], found[key], f"{where}/{key}", key)]
    if isinstance(kept, list):
        if len(kept) != len(found):
            return [f"{where}: {len(kept)} entries were kept, found {len(found)}"]
        entries = enumerate(zip(kept, found, strict=True))
        return [told for i, (one, other) in entries for told in differences(one, other, f"{where}/{i}", name)]
    may_round = where.startswith(("/equal_steps", "/prediction/band")) and isinstance(kept, float)
    same = math.isclose(kept, found, rel_tol=ROUNDED.get(name, 0)) if may_round else kept == found
    return [] if same else [f"{where}: {kept!r} was kept, found {found!r}"]


@pytest.mark.slow
def test_the_whole_report_and_its_pages_are_the_kept_ones():
    found = whole_report()
    assert differences(json.loads(golden("report.json")), json.loads(found["report.json"])) == []
    assert found["report.txt"] == golden("report.txt")
    for name in ("README.md", "details.md"):
        assert found[name] == (RUNS / name).read_text(encoding="utf-8")
    assert json.loads(found["registered.json"]) == json.loads(report.REGISTERED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["article.txt", "article.json"])
def test_the_articles_accounting_is_the_kept_one(name):
    assert article()[name] == golden(name)


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="ten pairs take minutes in plain Python")
@pytest.mark.skipif(not fast_kernels(), reason="the plain kernels round differently")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library rounds exp differently")
def test_ten_pairs_of_fixed_seeds_are_the_kept_ones():
    found = ten_pairs()
    assert found["ten-pairs.txt"] == golden("ten-pairs.txt")
    assert differences(json.loads(golden("ten-pairs.json")), json.loads(found["ten-pairs.json"])) == []
    for kept, ours in zip(golden("ten-pairs.jsonl").splitlines(), found["ten-pairs.jsonl"].splitlines(), strict=True):
        expected = json.loads(kept) if has_fma() else without_fma(json.loads(kept))
        assert differences(expected, json.loads(ours)) == []


def without_fma(record):
    """A record as a processor makes it that has no fma: it executes a mul and an add for each."""
    for kernels in record["counts"]["executed"].values():
        kernels.update({name: dict(kinds) for name, kinds in reference.executed(kernels).items()})
    return record


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        ({"prediction": {"band": {"low": [1.0]}}}, {"prediction": {"band": {"low": [1.0 + 1e-9]}}}),
        ({"equal_steps": [{"test": {"mean": 0.25}}]}, {"equal_steps": [{"test": {"mean": 0.25 + 1e-16}}]}),
        ({"claim": {"saved": {"low": 0.1}}}, {"claim": {"saved": {"low": 0.1 + 1e-16}}}),
        ({"claim": [0.1, 0.2]}, {"claim": [0.1]}),
        ({"claim": None}, {"claim": 0.0}),
        ({"claim": 1}, {"honest": 1}),
    ],
)
def test_a_difference_is_found(kept, found):
    assert differences(kept, found) != []
    assert differences(kept, kept) == []


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    outputs = {**article(), **ten_pairs(), **whole_report()}
    for name, text in outputs.items():
        if name.endswith(".md") or name == "registered.json":  # of commands of their own
            continue
        (GOLDEN / name).write_text(text, encoding="utf-8")

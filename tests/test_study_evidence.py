"""What the report rests on: parts, machines, versions, and formulas that are what the kernels counted."""

from __future__ import annotations

from dataclasses import replace

from made import record

from nnlite.study import evidence
from nnlite.study.evidence import what_was_run
from nnlite.study.runs import Study
from nnlite.study.second_protocol import ALL_PARTS


def run(seed, nnlite="0.1", processor="EPYC"):
    machine = {"cores": 2, "processor": processor, "system": "Linux"}
    return replace(record("scratch", seed), versions={"nnlite": nnlite, "numpy": "2.0"}, machine=machine)


def test_every_machine_and_every_version_that_occurs_is_told(monkeypatch):
    monkeypatch.setattr(evidence, "agrees_at_stop", lambda record: True)
    runs = [run(0), run(1, nnlite="0.2"), run(2, processor="Xeon")]
    section = what_was_run(Study({"claim": runs[:2], "pilot": runs[2:]}))
    assert section.facts["versions"] == {"nnlite": "0.1, 0.2", "numpy": "2.0"}
    assert section.facts["machines"] == ["2 cores of EPYC, Linux", "2 cores of Xeon, Linux"]
    assert section.facts["parts_missing"] == [part.name for part in ALL_PARTS if part.name not in ("claim", "pilot")]
    assert section.answer[0] == f"2 of {len(ALL_PARTS)} parts are finished, 3 runs in all."
    assert "Costs by formula and costs counted by the kernels agree in every run." in section.answer


def test_formulas_that_disagree_are_not_hidden(monkeypatch):
    monkeypatch.setattr(evidence, "agrees_at_stop", lambda record: record.seed != 1)
    section = what_was_run(Study({"claim": [run(seed) for seed in range(3)]}))
    assert section.facts["n_disagreeing"] == 1
    assert "Costs by formula and costs counted by the kernels agree in all but 1 runs." in section.answer


def test_without_a_run_nothing_is_said_of_machines():
    section = what_was_run(Study({}))
    assert [line.split()[0] for line in section.answer] == ["0", "Not"]

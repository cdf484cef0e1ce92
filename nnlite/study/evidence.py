"""QUESTION: what does the report rest on, and what does it lack?"""

from __future__ import annotations

from ..experiment.costs import agrees_at_stop
from ..experiment.records import RunRecord
from .document import Section
from .runs import Study
from .second_protocol import ALL_PARTS


def what_was_run(study: Study) -> Section:
    """Name the parts, machines and versions, and whether costs by formula are what the kernels counted."""
    records, done = study.records, list(study.parts)
    lacking = [part.name for part in ALL_PARTS if part.name not in study.parts]
    n_disagreeing = sum(not agrees_at_stop(record) for record in records)
    machines = sorted({_machine(record) for record in records})
    versions: dict[str, set[str]] = {}
    for record in records:
        for name, version in record.versions.items():
            versions.setdefault(name, set()).add(version)
    programs = {name: ", ".join(sorted(found)) for name, found in versions.items()}
    answer = [f"{len(done)} of {len(ALL_PARTS)} parts are finished, {len(records):,} runs in all."]
    if done:
        answer.append(f"Finished: {', '.join(done)}.")
    if lacking:
        answer.append(f"Not finished, so open above: {', '.join(lacking)}.")
    answer += [f"Begun: {name}, of which {what}." for name, what in study.begun.items()]
    if records:
        where = f"all but {n_disagreeing} runs" if n_disagreeing else "every run"
        answer.append(f"Costs by formula and costs counted by the kernels agree in {where}.")
        answer.append(f"Machine: {'; '.join(machines)}.")
        answer.append(f"Versions: {', '.join(f'{name} {version}' for name, version in programs.items())}.")
    facts = {
        "parts_done": done,
        "parts_missing": lacking,
        "n_runs": len(records),
        "n_disagreeing": n_disagreeing,
        "machines": machines,
        "versions": programs,
    }
    return Section("What was run", answer, facts=facts)


def _machine(record: RunRecord) -> str:
    machine = record.machine
    return f"{machine.get('cores')} cores of {machine.get('processor')}, {machine.get('system')}"

"""What has not moved into a question of its own yet: the older findings and their sections, asked of a study.

Each question that moves takes its fields and its section from here; the last one takes the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..experiment.costs import agrees_at_stop
from ..experiment.records import RunRecord
from ..experiment.whole import details
from ..experiment.whole.findings import Cell, Control, Findings, SensitivityRow, Setting, Tuned
from ..experiment.whole.sections import Section as OldSection
from . import cells, controls, targets, tuning
from .document import Section, Table
from .protocol import PARTS
from .runs import Study, once

Records = Sequence[RunRecord]


@once
def findings(study: Study) -> Findings:
    """Compute all that the older findings hold."""
    every = study.records
    of_cell = {key: _as_before(cells.cell(study, key)) for key in cells.CELLS}
    searched = tuning.search(study)
    return Findings(
        claim=of_cell["claim"],
        claim_64=of_cell["claim_64"],
        honest=of_cell["honest"],
        controls=[Control(**row) for row in controls.controls(study)],
        averages_or_steps=controls.conclusion(controls.controls(study)),
        explained_by=controls.explained_by(controls.controls(study)),
        flags=[Setting(**row) for row in controls.flags(study)],
        tuned=Tuned(**{**searched, "cell": of_cell["tuned"]}) if searched else None,
        targets=targets.at_targets(study),
        prediction=targets.prediction(study),
        descriptive=[Control(**row) for row in controls.descriptive(study)],
        settings=[Setting(**row) for row in controls.settings(study)],
        parts_done=list(study.parts),
        parts_missing=[part.name for part in PARTS if part.name not in study.parts],
        n_runs=len(every),
        n_disagreeing=sum(not agrees_at_stop(record) for record in every),
        machines=sorted({_machine(record) for record in every}),
        versions=_versions(every),
    )


def _as_before(cell: dict[str, Any] | None) -> Cell | None:
    """Give a cell to the older sections, which know it as an object."""
    if cell is None:
        return None
    return Cell(**{**cell, "sensitivity": [SensitivityRow(**row) for row in cell["sensitivity"]]})


def _asked(section: Callable[[Findings], OldSection], *names: str) -> Callable[[Study], Section]:
    """Ask an older section of a study; its facts are these fields of the findings."""

    def asked(study: Study) -> Section:
        found = findings(study)
        old = section(found)
        tables = [Table(table.head, table.rows, table.caption) for table in old.tables]
        facts = {name: getattr(found, name) for name in names}
        return Section(old.title, old.answer, tables, old.notes, old.figures, facts)

    return asked


what_was_run = _asked(
    details.what_was_run, "parts_done", "parts_missing", "n_runs", "n_disagreeing", "machines", "versions"
)


def _versions(records: Records) -> dict[str, str]:
    """Every version that occurs, of each program."""
    of: dict[str, set[str]] = {}
    for record in records:
        for name, version in record.versions.items():
            of.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(versions)) for name, versions in of.items()}


def _machine(record: RunRecord) -> str:
    machine = record.machine
    return f"{machine.get('cores')} cores of {machine.get('processor')}, {machine.get('system')}"

"""From a folder of parts to `Findings`: which records answer which question; nothing is trained.

Place in the data path: records -> cells, explanations, searches, horizons -> Findings -> report, page, figures.
A part that is missing, unfinished or lacks a run of the protocol leaves its questions open, and is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..config import ARMS, EXPLANATORY
from ..costs import agrees_at_stop
from ..exits import DATA, Exit
from ..records import RunRecord
from . import cells, explanations, horizons, searches, stopping
from .findings import EqualSteps, Findings, TargetRow
from .parts import is_done, n_lacking, read_part
from .protocol import BOTH, CLAIM, CLAIM_64, EPOCH, PARTS, TARGETS, WIDE_TARGETS
from .selecting import by_config

ANALYSIS_SEED = 2023
"""Of every resampling: the same records always give the same report."""

Records = Sequence[RunRecord]


def find(folder: str, tell: Callable[[str], None] = lambda text: None) -> Findings:
    """Compute all that a folder of finished parts says.

    Parameters
    ----------
    folder : str
        As `nnlite --full` fills it.
    tell : function of a str
        Is given what is going on, for people who wait.

    Returns
    -------
    Findings

    Raises
    ------
    Exit
        A file that cannot be read, or no finished part.
    """
    of = _whole_parts(folder, tell)
    done = [name for name, records in of.items() if records]
    if not done:
        raise Exit(f"{folder}: holds no finished part of the study; nnlite --full --out {folder} makes them", DATA)
    every = [record for records in of.values() for record in records]
    tell(f"comparing {len(every):,} runs")
    both_networks = by_config(of["claim"])
    claim, claim_64 = (
        [run for arm in BOTH for run in both_networks.get((config, arm), [])] for config in (CLAIM, CLAIM_64)
    )
    rng = np.random.default_rng(ANALYSIS_SEED)
    honest = cells.honest_cell("honest", of["honest"], rng) if of["honest"] else None
    controls = explanations.controls(claim, of["controls"], EXPLANATORY) if claim and of["controls"] else []
    others = [arm for arm in ARMS if arm not in (*BOTH, *EXPLANATORY)]
    tuned = None
    if of["tuned"] and honest is not None:
        cell = cells.honest_cell("tuned", of["tuned"], rng)
        tuned = searches.tuned(cell, of["tuning"], of["finals"], honest.saved)
    long = of["epochs-5"] or claim  # the same runs, which the claim cell ends after 500 steps
    return Findings(
        claim=cells.claim_cell("claim", claim, rng) if claim else None,
        claim_64=cells.claim_cell("claim, 784-64-10", claim_64, rng) if claim_64 else None,
        honest=honest,
        optimism=stopping.optimism(claim) if claim else [],
        stops=stopping.stops(of["honest"], rng) if of["honest"] else None,
        controls=controls,
        averages_or_steps=explanations.averages_or_steps(controls) if controls else "",
        explained_by=explanations.explained_by(controls),
        flags=explanations.flags(claim, of["flags"]) if claim and of["flags"] else [],
        tuned=tuned,
        targets=horizons.targets(long, TARGETS) if long else [],
        targets_within="5 epochs" if of["epochs-5"] else f"{CLAIM.max_steps} steps",
        prediction=horizons.prediction(long, TARGETS, rng) if long else None,
        equal_steps=_equal_steps(claim, of["epochs-5"], of["epochs-20"]),
        wide=horizons.targets(of["wide"], WIDE_TARGETS) if of["wide"] else [],
        fashion=cells.claim_cell("Fashion-MNIST", of["fashion"], rng) if of["fashion"] else None,
        fashion_targets=_fashion_targets(claim, of["fashion"]),
        descriptive=explanations.descriptive(claim, of["descriptive"], others) if claim and of["descriptive"] else [],
        settings=explanations.settings(of["settings"], claim, of["flags"]) if of["settings"] else [],
        calibration=searches.calibration(of["calibration"]) if of["calibration"] else [],
        parts_done=done,
        parts_missing=[part.name for part in PARTS if part.name not in done],
        n_runs=len(every),
        n_disagreeing=sum(not agrees_at_stop(record) for record in every),
        machines=sorted({_machine(record) for record in every}),
        versions=_versions(every),
    )


def _whole_parts(folder: str, tell: Callable[[str], None]) -> dict[str, list[RunRecord]]:
    """Read every part that is done and has all its runs; the others have none."""
    of: dict[str, list[RunRecord]] = {}

    def earlier(name: str) -> list[RunRecord]:
        if not of[name]:
            raise LookupError(name)
        return of[name]

    for number, part in enumerate(PARTS, 1):
        tell(f"reading part {number}/{len(PARTS)}, {part.name}")
        records = read_part(folder, part.name) if is_done(folder, part.name) else []
        of[part.name] = [] if n_lacking(part, records, earlier) else records
    return of


def _equal_steps(claim: Records, epochs_5: Records, epochs_20: Records) -> list[EqualSteps]:
    asked = (("500 steps", claim, 500), ("5 epochs", epochs_5, 5 * EPOCH), ("20 epochs", epochs_20, 20 * EPOCH))
    return [horizons.equal_steps(name, records, step) for name, records, step in asked if records]


def _fashion_targets(claim: Records, fashion: Records) -> list[TargetRow]:
    if not claim or not fashion:
        return []
    return horizons.targets(fashion, horizons.matched_targets(claim, fashion, TARGETS))


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

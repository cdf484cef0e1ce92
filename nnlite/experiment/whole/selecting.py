"""Which records belong together: an arm's, a configuration's; `summary.paired` has those of the same seeds.

Place in the data path: records of a part -> selecting -> cells, explanations, horizons, tuning, searches, figures. Left
out: what is asked of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..config import RunConfig
from ..records import FAILED, RunRecord

Records = Sequence[RunRecord]


def of_arm(records: Records, arm: str) -> list[RunRecord]:
    """Select an arm's runs that were carried out, all of one configuration, in the order given.

    Raises
    ------
    ValueError
        They are of several, or a seed stands there twice.
    """
    runs = [run for run in records if run.arm == arm and run.status != FAILED]
    if any(run.config != runs[0].config for run in runs):
        raise ValueError(f"{arm}: expected records of one configuration, found several")
    if len({run.seed for run in runs}) < len(runs):
        raise ValueError(f"{arm}: a seed stands there twice")
    return runs


def by_config(records: Records) -> dict[tuple[RunConfig, str], list[RunRecord]]:
    """Sort records by configuration and arm, and by seed within."""
    found: dict[tuple[RunConfig, str], list[RunRecord]] = {}
    for run in sorted(records, key=lambda run: run.seed):
        found.setdefault((RunConfig.from_record(run.config), run.arm), []).append(run)
    return found


def of_config(records: Records, arm: str, config: RunConfig) -> list[RunRecord]:
    """Select an arm's records of one configuration, by seed."""
    return by_config(records).get((config, arm), [])

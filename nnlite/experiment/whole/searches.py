"""What searches over settings found: the tuned comparison's winners, and the scan for the article's own numbers.

Place in the data path: records of tuning, finals and calibration -> searches -> Findings -> report. Left out: the
tuned cell itself (`cells`), which settings are tried (`protocol`), scores (`tuning`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from ..article import ACCURACY_AFTER_PRETRAIN_PRINTED, PRETRAINED, SCRATCH
from ..config import RunConfig
from ..costs import PHASES, cost_at_checks
from ..records import RunRecord
from ..stats import Interval
from ..summary import BASELINE, TREATMENT
from . import protocol
from .findings import CalibrationRow, Cell, Tuned
from .protocol import BOTH, by_arm
from .selecting import by_config
from .tuning import best, expected_best, score

_DRAWN = ("optimizer", "learning_rate", "batch_size", "decay")
_DRAWN_FOR_PHASE_1 = ("pretrain_epochs", "pretrain_rate_factor")


def calibration(records: Sequence[RunRecord]) -> list[CalibrationRow]:
    """Rank the scanned settings by how near they come to the article's 214 steps, 80% and 145 steps together.

    distance = max of |found - printed| / printed over the three, each the median over seeds.

    Parameters
    ----------
    records : sequence of RunRecord
        Scratch and class-means, in the configurations of `protocol.calibration`.

    Returns
    -------
    list of CalibrationRow
        Nearest first, without settings that an arm was not run with. Where the median run missed, steps and distance
        are infinite; a phase 1 that diverged gets nothing right.
    """
    printed = (SCRATCH.real_steps, float(ACCURACY_AFTER_PRETRAIN_PRINTED), PRETRAINED.real_steps)
    scanned = by_config(records)
    rows = []
    for config in protocol.calibration():
        scratch, treated = (scanned.get((config, arm)) for arm in (BASELINE, TREATMENT))
        if not scratch or not treated:
            continue
        found = (
            statistics.median(map(_steps, scratch)),
            statistics.median(run.accuracy_after_pretrain or 0.0 for run in treated),
            statistics.median(map(_steps, treated)),
        )
        distance = max(abs(ours - theirs) / theirs for ours, theirs in zip(found, printed, strict=True))
        rows.append(CalibrationRow(_name(config, scratch[0].dataset), *found, distance))
    return sorted(rows, key=lambda row: row.distance)


def tuned(
    cell: Cell | None,
    tuning_records: Sequence[RunRecord],
    final_records: Sequence[RunRecord],
    untuned: Interval | None,
) -> Tuned | None:
    """Put the tuned comparison together with what found its settings and what finding them cost.

    Parameters
    ----------
    cell : Cell or None
        The winners against each other.
    tuning_records, final_records : sequence of RunRecord
        Every draw of both arms; the best of them on fresh seeds.
    untuned : Interval or None
        The honest cell's saving, to stand beside it.

    Returns
    -------
    Tuned or None
        None while something is missing. Of a winner, what was drawn; the rest is the honest cell's.

    Notes
    -----
    A search costs what all its runs spent, finals included, to the end of their budgets and with every look, since the
    looks are what ranks the settings.
    """
    first = {arm: best(arm, by_arm(arm), final_records, 1) for arm in BOTH}
    if cell is None or untuned is None or not tuning_records or not all(first.values()):
        return None
    tried = by_config(tuning_records)
    scores = {arm: [score(tried.get((config, arm), [])) for config in by_arm(arm)] for arm in BOTH}
    searched = [*tuning_records, *final_records]
    return Tuned(
        cell=cell,
        winners={arm: _drawn(arm, configs[0]) for arm, configs in first.items()},
        scores=scores,
        expected_best={arm: expected_best(values) for arm, values in scores.items()},
        search_cost={arm: sum(_spent(run) for run in searched if run.arm == arm) for arm in BOTH},
        untuned=untuned,
    )


def _steps(record: RunRecord) -> float:
    return math.inf if record.steps_to_target is None else record.steps_to_target


def _name(config: RunConfig, dataset: dict[str, int]) -> str:
    sizes = (dataset["n_features"], *config.hidden_layer_sizes, dataset["n_classes"])
    return f"{'-'.join(map(str, sizes))}, {config.optimizer}, rate {config.learning_rate:g}"


def _drawn(arm: str, config: RunConfig) -> dict[str, object]:
    names = _DRAWN if arm == BASELINE else (*_DRAWN, *_DRAWN_FOR_PHASE_1)
    return {name: getattr(config, name) for name in names}


def _spent(record: RunRecord) -> int:
    """All that a run spent, `flop`, dense: by its last look, or by its end where it diverged between two looks."""
    at_looks: list[int] = cost_at_checks(record, "flop", PHASES).tolist()
    return max([record.tally().total("flop", PHASES), *at_looks])

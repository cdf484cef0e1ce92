"""A summary as the one JSON object of `--json`: the numbers of `report`, for a program. Nothing is computed twice."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from ..flops import COST_MODELS
from .article import accounting
from .costs import spent_at_stop
from .records import RunRecord
from .report import Summary
from .stats import Comparison, Interval


def in_json(comparison: Comparison) -> dict[str, float | None]:
    """Return a comparison's interval for JSON: null is what is not finite, and all of it where nothing was measured."""
    interval = comparison.interval if comparison.measured else Interval(math.nan, None, None)
    values = {"median": interval.median, "low": interval.low, "high": interval.high}
    return {name: value if value is not None and math.isfinite(value) else None for name, value in values.items()}


def to_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as the one JSON object of `--json`."""
    arms = {}
    for name, runs in summary.arms.items():
        arms[name] = {
            "seeds": [record.seed for record in runs],
            "steps_to_target": [record.steps_to_target for record in runs],
            "accuracy_after_pretrain": [record.accuracy_after_pretrain for record in runs],
            "accuracy_at_stop": [record.accuracy_at_stop for record in runs],
            "status": [record.status for record in runs],
            "totals": {model: _phase_medians(model, runs) for model in COST_MODELS},
        }
    return {
        "config": {**summary.config, "dataset": summary.dataset["name"]},
        "n_pairs": summary.n_pairs,
        "n_failed": summary.n_failed,
        "without_partner": summary.without_partner,
        "left_out": summary.left_out,
        "arms": arms,
        "reduction": {model: in_json(c) for model, c in summary.reductions.items()},
        "others": {
            arm: {"article-2023": in_json(article), "flop": in_json(every)}
            for arm, (article, every) in summary.others.items()
        },
        "sensitivity": [
            {
                "model": row.model,
                "counting": row.counting,
                "scope": row.scope,
                "estimand": "E1",
                "n": row.comparison.n_pairs,
                "misses": row.comparison.n_missed,
                **in_json(row.comparison),
            }
            for row in summary.sensitivity
        ],
        "article": accounting(),
        "article_lies_above": summary.article_rank,
        "sign_test_p": summary.sign_test_p,
        "verdict": summary.verdict.word if summary.verdict else None,
        "verdict_reason": summary.verdict.reason if summary.verdict else None,
    }


def _phase_medians(model: str, runs: Sequence[RunRecord]) -> dict[str, float]:
    """Median over runs of each phase's total, dense, up to the stop, misses with what they spent."""
    phases = {phase: None for record in runs for phase in record.tally().counts()}
    return {phase: statistics.median(spent_at_stop(record, model, [phase]) for record in runs) for phase in phases}

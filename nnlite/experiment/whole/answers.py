"""Whether the verdict survives what could explain it away: cheap steps, one flag, tuning; each answer before its table.

Place in the data path: findings -> answers -> report, page. Every function turns findings into one `Section`; a
part that was not run is named there. The verdict itself is in `verdict_answers`, the rest in `details`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...study.cells import verdict_line
from ..summary import BASELINE, TREATMENT
from ..verdict import MAX_WIDTH
from ..wording import (
    PEOPLE,
    operations,
    saved,
    several,
)
from .findings import Cell, Findings, Tuned
from .sections import Section, Table, missing

_SETTINGS = {
    "optimizer": "optimizer",
    "learning_rate": "learning rate",
    "batch_size": "images a step",
    "decay": "rate over the run",
    "pretrain_epochs": "epochs on the averages",
    "pretrain_rate_factor": "learning rate there, times",
}


def tuned(findings: Findings) -> Section:
    """Answer what is left when both arms are tuned alike."""
    title, found = "Is it still there when both are tuned?", findings.tuned
    lacking = missing(findings, "tuning", "finals", "tuned")
    if found is None:
        return Section(title, ["Not answered.", *lacking])
    contest = found.cell
    answer = [
        f"Tuned against tuned: {verdict_line(vars(contest))} Untuned, the honest cell: "
        f"the averages {saved(found.untuned, findings.honest.n_pairs if findings.honest else contest.n_pairs)}."
    ]
    answer += _on_the_width(contest)
    arms = [arm for arm in (BASELINE, TREATMENT) if arm in found.winners]
    head = ["best settings found", *(PEOPLE[arm] for arm in arms)]
    rows = [[label, *(_setting(found.winners[arm], key, arm) for arm in arms)] for key, label in _SETTINGS.items()]
    rows.append(["operations of the search", *(operations(found.search_cost.get(arm, 0)) for arm in arms)])
    notes = [
        "Both arms had the same draws of settings and the same budget. A draw's score is the mean cost of three runs, "
        "every operation counted, at the step from which their mean accuracy stays at the target.",
        "The best score of a search flatters, being the smallest of many that three runs each have made: the pairs on "
        "seeds of their own decide. A dash: all k draws may fail, so their best has no mean; "
        f"{several([_never(found, arm) for arm in arms])} never get there.",
        *lacking,
    ]
    return Section(
        title,
        answer,
        [Table(head, rows), _search_table(found, arms)],
        notes,
        {"tuning": "best cost found against number of draws"},
    )


def _on_the_width(contest: Cell) -> list[str]:
    """Say what an interval that is only too wide still says."""
    low, high = contest.saved.low, contest.saved.high
    if contest.verdict.word != "not established" or low is None or high is None:
        return []
    if low <= 0 <= high or high - low <= MAX_WIDTH:
        return []
    side = "below" if high < 0 else "above"
    return [
        f"All of the interval lies {side} nothing saved; the rule withholds its word because of the width. The number "
        "of pairs was planned from the spread of single runs, as registered, not from that of the ratio judged here."
    ]


def _never(found: Tuned, arm: str) -> str:
    scores = found.scores.get(arm, [])
    return f"{sum(map(math.isinf, scores))} of {len(scores)} {PEOPLE[arm]}"


def _search_table(found: Tuned, arms: Sequence[str]) -> Table:
    n_draws = max((len(found.expected_best[arm]) for arm in arms if arm in found.expected_best), default=0)
    counts = [k for k in (1, 2, 4, 8, 16, 32, 64, 128) if k <= n_draws]
    curves = [found.expected_best.get(arm, []) for arm in arms]
    rows = [[str(k), *(_expected(curve, k) for curve in curves)] for k in counts]
    return Table(["draws", *(PEOPLE[arm] for arm in arms)], rows, "Operations to the target, expected best of k draws:")


def _expected(curve: Sequence[float], k: int) -> str:
    return operations(curve[k - 1]) if k <= len(curve) and math.isfinite(curve[k - 1]) else "-"


def _setting(winner: dict[str, object], key: str, arm: str) -> str:
    if key.startswith("pretrain") and arm == BASELINE:
        return "-"
    value = winner.get(key, "-")
    if (key, value) == ("decay", "linear"):
        return "falls to 0"
    return f"{value:g}" if isinstance(value, float) else str(value)

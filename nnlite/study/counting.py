"""QUESTION: does the saving depend on counting zeros? The second registration's.

The bill by the network's shape, dense, counts a multiplication by zero; the executed one leaves it out, as the kernels
do. Averaging looks at every pixel of every image, so by what ran it is dear, and fewer images make it cheap.
"""

from __future__ import annotations

from typing import Any

from ..experiment.config import BASELINE
from ..experiment.costs import ARTICLE, EVERY_OPERATION, compared
from ..experiment.records import paired
from ..experiment.wording import brief, cell
from .document import Facts, Section, Table
from .runs import Study, once, question
from .second_protocol import COUNTED, DECIDED, HELD_OUT, PAIR_SEEDS

WORDS = {
    "class-means": "all images",
    "means-100": "100 images a class",
    "stream-means": "the first 9,600 it trains on",
}
"""What the averages are of."""

SHORT = {"class-means": "all", "means-100": "100 each", "stream-means": "9,600"}
"""The same, for a table."""

STOPS = {"test": ("start-images", DECIDED), "held-out": ("counting", HELD_OUT)}
"""Whose accuracy stops a run: the part that has scratch and the averages of all images, and its configuration."""

COUNTS: dict[str, dict[str, Any]] = {
    "article": {"bill": ARTICLE},
    "dense": {"bill": EVERY_OPERATION},
    "executed": {"bill": EVERY_OPERATION, "executed": True},
}
"""The ways to count, and how `compared` is asked for them."""


@question("Does it depend on how operations are counted?", needs=("start-images", "counting"))
def counting(study: Study) -> Section:
    """Answer whether the saving depends on counting zeros, and whether fewer images change that."""
    rows = counted(study)
    facts = {"counting": rows, "sign_turns": any(row["sign_turns"] for row in rows)}
    turned = [row for row in rows if row["sign_turns"]]
    answer = [
        f"{'Yes' if turned else 'No'}. {_both(rows, 'class-means')}",
        *(f"{_both(rows, arm)}" for arm in COUNTED if arm != "class-means"),
    ]
    columns = {
        "of": lambda row: f"{SHORT[row['arm']]}, {row['stop']}",
        "the article's count": lambda row: cell(row["article"]),
        "dense": lambda row: cell(row["dense"]),
        "zeros skipped": lambda row: cell(row["executed"]),
    }
    caption = f"Saved, % (95%), by averages of what and whose accuracy stops; {rows[0]['n_pairs']} pairs:"
    return Section(answer, [Table.of(rows, columns, caption)], facts=facts)


@once
def counted(study: Study) -> list[Facts]:
    """Compare averages of all and of fewer images with scratch by every count."""
    return [_row(study, arm, stop) for stop in STOPS for arm in COUNTED]


def _row(study: Study, arm: str, stop: str) -> Facts:
    part, config = STOPS[stop]
    own = study.runs("counting", arm, config) or study.runs(part, arm, config)
    both = paired(own, study.runs(part, BASELINE, config))
    found = {count: compared(both, **asked) for count, asked in COUNTS.items()}
    intervals = {count: comparison.interval for count, comparison in found.items()}
    return {
        "arm": arm,
        "stop": stop,
        "n_pairs": len(both[0]),
        "seeds": (PAIR_SEEDS.start, PAIR_SEEDS.stop - 1),
        "missed": found["dense"].n_missed,
        **intervals,
        "sign_turns": intervals["dense"].sign * intervals["executed"].sign < 0,
    }


def _both(rows: list[Facts], arm: str) -> str:
    """Say what averages saved by the shapes and by what ran, for both stops."""
    told = [
        f"stopped on {'the test set' if row['stop'] == 'test' else 'held-out images'} they {brief(row['dense'])} by "
        f"the network's shape, and with zeros skipped {brief(row['executed'])}"
        for row in rows
        if row["arm"] == arm
    ]
    return f"Averages of {WORDS[arm]}: {'; '.join(told)}."

"""The protocol has moved to `nnlite.study.protocol`; what has not moved yet finds it here."""

from ...study.protocol import (
    BOTH,
    CLAIM,
    CLAIM_64,
    EPOCH,
    FLAGS,
    HONEST_TARGET,
    MAIN_SEEDS,
    PARTS,
    SETTINGS,
    TARGETS,
    WIDE_TARGETS,
    Earlier,
    Part,
    by_arm,
    calibration,
)
from ...study.protocol import Block as Study

__all__ = [
    "BOTH",
    "CLAIM",
    "CLAIM_64",
    "EPOCH",
    "FLAGS",
    "HONEST_TARGET",
    "MAIN_SEEDS",
    "PARTS",
    "SETTINGS",
    "TARGETS",
    "WIDE_TARGETS",
    "Earlier",
    "Part",
    "Study",
    "by_arm",
    "calibration",
]

"""The protocol has moved to `nnlite.study.protocol`; what has not moved yet finds it here."""

from ...study.protocol import BOTH, CLAIM, by_arm, calibration

__all__ = ["BOTH", "CLAIM", "by_arm", "calibration"]

"""From a folder of parts to `Findings`: which records answer which question; nothing is trained.

Place in the data path: records -> cells, explanations, horizons -> Findings -> whole_report, page, whole_figures. A
part that is missing or unfinished leaves its questions open, and is named.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import cells, explanations, horizons
from .config import ARMS, EXPLANATORY, RunConfig
from .costs import agrees_at_stop
from .findings import Findings
from .kept import read_part
from .parts import is_done
from .protocol import BOTH, CLAIM, CLAIM_64, EPOCH, FASHION, PARTS, TARGETS, WIDE_TARGETS
from .records import RunRecord

ANALYSIS_SEED = 2023
"""Of every resampling: the same records always give the same report."""


def find(folder: str) -> Findings:
    """Compute all that a folder of finished parts says.

    Parameters
    ----------
    folder : str
        As `nnlite --full` fills it.

    Returns
    -------
    Findings

    Raises
    ------
    Exit
        A file that cannot be read, or no finished part.
    """

"""What the whole study found: plain values, one class for each question, no arithmetic.

`cells`, `explanations`, `searches` and `horizons` compute them from the records of parts; `report` and `figures` show
them. A part that was not run yet leaves None. Reductions, shares and accuracies are fractions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...study.comparisons import Explanation
from ..stats import Interval
from ..summary import Comparison
from ..verdict import Verdict


@dataclass(frozen=True)
class Control:
    """One arm against scratch, with the class means' pairs beside it."""

    arm: str
    n_pairs: int
    saved: Comparison  # against scratch, by the article's count
    saved_every_operation: Comparison
    after_pretrain: float | None  # mean accuracy at the end of phase 1, before anything is put back
    outcome: str  # reference (class-means itself), explains, worse, open, descriptive
    explanation: Explanation | None = None  # explanatory controls only; every operation counted
    explains_p: float | None = None  # after Holm
    worse_p: float | None = None  # after Holm
    outcome_as_article: str = ""  # the same by the article's count, which is free to make images


@dataclass(frozen=True)
class Setting:
    """One thing changed in both arms; or a flag, which only scratch has."""

    name: str
    n_pairs: int
    scratch_steps: float  # median over runs; of a flag, with it
    saved: Comparison  # by the article's count
    saved_every_operation: Comparison


@dataclass(frozen=True)
class SensitivityRow:
    """One other way to ask the same question of the same runs."""

    model: str  # cost model, or steps, images, distinct images
    counting: str  # dense, executed, passes
    scope: str  # what is on the bill
    estimand: str  # E1, E1 with 3 in a row, .., E2
    target: float
    n_pairs: int
    missed: int  # runs
    saved: Interval
    word: str  # of the verdict rule


@dataclass(frozen=True)
class Cell:
    """One cell of the protocol."""

    name: str  # claim, claim (784-64-10), honest, tuned, Fashion-MNIST
    dataset: str
    target: float
    stop_on: str
    n_pairs: int
    seeds: tuple[int, int]  # first, last
    saved: Interval  # the headline, by the cell's own estimand and cost
    estimand: str  # E1 or E2
    verdict: Verdict
    missed: int  # runs by the cell's own estimand; all of an arm's where its mean never stays at the target
    first_hits: Comparison  # E1, the cell's cost, pair by pair
    first_hit_steps: dict[str, list[float]]  # arm -> E1 on real images, by seed; inf for a miss
    stable_steps: dict[str, int | None]  # arm -> E2
    after_pretrain: list[float]  # accuracy after phase 1, by seed
    expected_costs: Interval  # 1 - ratio of expected costs, model and scope of the headline
    sign_test_p: float  # of the pairs against no saving
    article_rank: int  # pairs below the article's single pair
    sensitivity: list[SensitivityRow]
    depends_on_counting: list[str]  # cost models whose word differs from the verdict's; empty if none


@dataclass(frozen=True)
class Tuned:
    """Tuned against tuned."""

    cell: Cell
    winners: dict[str, dict[str, object]]  # arm -> what was drawn of its configuration
    scores: dict[str, list[float]]  # arm -> mean cost at E2 of every draw, inf for none
    expected_best: dict[str, list[float]]  # arm -> best of 1, 2, .. draws
    search_cost: dict[str, int]  # arm -> operations of all its runs, finals and looks included, flop dense
    untuned: Interval  # the honest cell's, to stand beside it


@dataclass(frozen=True)
class Findings:
    """All of it; what was not run is None or empty."""

    claim: Cell | None = None
    claim_64: Cell | None = None
    honest: Cell | None = None
    controls: list[Control] = field(default_factory=list)
    averages_or_steps: str = ""  # one sentence
    explained_by: list[str] = field(default_factory=list)
    flags: list[Setting] = field(default_factory=list)
    tuned: Tuned | None = None
    targets: list[dict[str, Any]] = field(default_factory=list)
    prediction: dict[str, Any] | None = None
    descriptive: list[Control] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    parts_done: list[str] = field(default_factory=list)
    parts_missing: list[str] = field(default_factory=list)
    n_runs: int = 0
    n_disagreeing: int = 0  # records whose closed-form costs differ from what the kernels counted
    machines: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

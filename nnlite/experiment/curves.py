"""From accuracy curves to the step at which a target is reached, run by run and for the mean over runs.

Place in the data path: the (step, correct) integers of full evaluations -> curves -> steps and costs -> stats. Every
target is asked of recorded curves afterwards, so a curve never depends on a hit. Left out: training, records, words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bootstrap import RatioInterval, ratio_interval, resample_pairs


@dataclass(frozen=True)
class Curves:
    """One arm's evaluations on a grid of steps that all its runs share.

    correct : int64 array (n_runs, n_checks)
        Images classified correctly at each check.
    cost : float64 array (n_checks,) or (n_runs, n_checks)
        What a run has spent when the check is made, everything before it included; above 0.
    """

    correct: NDArray[np.int64]
    cost: NDArray[np.float64]


def first_hit(steps: ArrayLike, correct: ArrayLike, needed: float | Fraction, in_a_row: int = 1) -> int | None:
    """Find the step at which one run reaches its target: the check that completes `in_a_row` hits in a row.

    With in_a_row = 1, the first check with correct >= needed.

    Parameters
    ----------
    steps : int64 array (n_checks,)
        Increasing steps of the checks.
    correct : int64 array (n_checks,)
        Images classified correctly at each.
    needed : int, float or Fraction
        Correct images that the target asks for, target x n_images.
    in_a_row : int
        Consecutive checks that must hit. The last of them counts, since no rule can know it earlier.

    Returns
    -------
    int or None
        None is a miss.

    Raises
    ------
    ValueError
        If the arrays' lengths differ or `in_a_row` is below 1.

    Examples
    --------
    >>> first_hit([1, 2, 3, 4], [88, 90, 89, 91], needed=90)
    2
    >>> first_hit([1, 2, 3, 4, 5], [88, 90, 89, 91, 92], needed=90, in_a_row=2)
    5
    """
    grid, hits = np.asarray(steps), np.asarray(correct) >= math.ceil(needed)
    if hits.shape != grid.shape or grid.ndim != 1:
        raise ValueError(f"expected one entry a check in both, found shapes {grid.shape} and {hits.shape}")
    if in_a_row < 1:
        raise ValueError(f"in_a_row must be at least 1, found {in_a_row}")
    row = 0
    for step, hit in zip(grid.tolist(), hits.tolist(), strict=True):
        row = row + 1 if hit else 0
        if row == in_a_row:
            return int(step)
    return None


def stable_step(steps: ArrayLike, correct: ArrayLike, needed: float | Fraction) -> int | None:
    """Find the first step from which the mean over runs stays at or above the target to the end of the budget.

    min t with mean(correct at s) >= needed for every check s >= t; compared as whole numbers.

    Parameters
    ----------
    steps : int64 array (n_checks,)
        Increasing steps of the checks.
    correct : int64 array (n_runs, n_checks)
        Images classified correctly, on one grid for all runs.
    needed : int, float or Fraction
        Correct images that the target asks for, target x n_images.

    Returns
    -------
    int or None
        None if the mean is below the target at the last check.

    Raises
    ------
    ValueError
        If there is no run, no check, or one entry a check is not given.

    Examples
    --------
    Means 89, 91, 89.5, 90: above at step 2, but for good only from step 4.

    >>> stable_step([1, 2, 3, 4], [[90, 92, 89, 91], [88, 90, 90, 89]], needed=90)
    4
    """
    grid, hits = np.asarray(steps), np.asarray(correct)
    if hits.ndim != 2 or hits.size == 0 or grid.shape != hits.shape[1:]:
        raise ValueError(f"expected steps (n_checks,) and correct (n_runs, n_checks), found {grid.shape}, {hits.shape}")
    check = int(_stable_checks(hits.sum(axis=0)[None], math.ceil(needed * len(hits)))[0])
    return int(grid[check]) if check < len(grid) else None


def stable_cost_ratio(
    numerator: Curves,
    denominator: Curves,
    needed: float | Fraction,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> RatioInterval:
    """Divide two arms' total costs at their stable steps, with an interval from resampling pairs.

    sum of cost(stable step), one arm over the other; a resample draws pairs and takes both arms' curves of each.

    Parameters
    ----------
    numerator, denominator : Curves
        Row i of both is pair i. Their grids may differ.
    needed : int, float or Fraction
        Correct images that the target asks for, target x n_images.
    rng : numpy Generator
        Source of the resamples.
    confidence : float
        In (0, 1).

    Returns
    -------
    RatioInterval
        An arm that never stays above costs inf, in a resample as in the study.

    Raises
    ------
    ValueError
        If the numbers of runs differ or are 0, a grid is empty, or a cost does not fit its curve.

    Examples
    --------
    Six equal pairs: the pretrained mean stays above from its second check (cost 8), scratch from its third (cost 10).

    >>> pretrained = Curves(np.tile([80, 90, 91], (6, 1)), np.array([3.0, 8.0, 13.0]))
    >>> scratch = Curves(np.tile([70, 80, 90], (6, 1)), np.array([2.0, 6.0, 10.0]))
    >>> stable_cost_ratio(pretrained, scratch, needed=90, rng=np.random.default_rng(0))
    RatioInterval(ratio=0.8, low=0.8, high=0.8, both_missed_share=0.0)
    """
    n_pairs = len(numerator.correct)
    if n_pairs == 0 or n_pairs != len(denominator.correct):
        raise ValueError(f"expected pairs of curves, found {n_pairs} and {len(denominator.correct)}")
    threshold = math.ceil(needed * n_pairs)
    everyone = np.ones((1, n_pairs))
    arms = (numerator, denominator)
    above, below = (_stable_costs(arm, everyone, threshold) for arm in arms)
    resampled = []
    for weights in resample_pairs(n_pairs, rng):
        costs = [_stable_costs(arm, weights, threshold) for arm in arms]
        resampled.append((costs[0], costs[1]))
    return ratio_interval((float(above[0]), float(below[0])), resampled, n_pairs, confidence)


def _stable_costs(arm: Curves, weights: NDArray[np.float64], threshold: int) -> NDArray[np.float64]:
    """Total cost (n_rows,) of an arm at its stable step, a row of weights (n_rows, n_pairs) each; inf without one."""
    n_checks = arm.correct.shape[1]
    # Whole numbers below 2^53 in float64: the product is exact and runs in BLAS, the integer one would not.
    checks = _stable_checks(weights @ arm.correct.astype(np.float64), threshold)
    cost = np.broadcast_to(arm.cost, arm.correct.shape)[:, np.minimum(checks, n_checks - 1)]  # (n_pairs, n_rows)
    return np.where(checks < n_checks, np.einsum("rp,pr->r", weights, cost), np.inf)


def _stable_checks(totals: NDArray[np.float64] | NDArray[np.int64], threshold: int) -> NDArray[np.int64]:
    """Index (n_rows,) of the first check from which each row of totals (n_rows, n_checks) stays; n_checks if none."""
    below = totals < threshold
    n_checks = below.shape[1]
    after_last_below = n_checks - np.argmax(below[:, ::-1], axis=1)
    return np.where(below.any(axis=1), after_last_below, 0)

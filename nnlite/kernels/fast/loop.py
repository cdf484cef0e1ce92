"""The compiled training loop: a whole run inside numba, with checks against a target.

It draws nothing: an arm of the experiment is an order of rows, batch boundaries and a rate for each step. It raises
nothing and returns a status. The plain form is a Python loop over `step.train_step` and `step.evaluate`, which gives
the same bits; here a step costs no call from Python, and the GIL is free for the whole run, so that threads train
side by side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..jit import kernel
from .decide import decide
from .simd import inlined
from .step import evaluate, train_step

REACHED, BUDGET, NOT_FINITE, STOPPED = range(4)
"""How a run ended: a check reached the target; all steps taken; a loss was not finite; told to stop."""


class Plan(NamedTuple):
    """What a run does.

    Attributes
    ----------
    order : int64 array - row numbers, batch after batch
    starts : int64 array (n_steps + 1,) - batch i is order[starts[i]:starts[i + 1]]
    rates : float64 array (n_steps,) - learning rates
    check_steps : int64 array (n_checks,) - ascending; the numbers, from 1, of the steps after which to evaluate
    check_order : int64 array - the rows evaluated in each check
    needed : int - right answers that reach the target
    stop_at_hit : int - 1 to end at the first check that reaches it
    deciding : int64 array, as check_order, or (0,) - scratch where a check need only decide whether the target is
        reached, as `decide` does, which reorders check_order; (0,) where every check looks at all rows
    apart : int64 array - more rows, looked at after each check, which decide nothing
    """

    order: np.ndarray
    starts: np.ndarray
    rates: np.ndarray
    check_steps: np.ndarray
    check_order: np.ndarray
    needed: int
    stop_at_hit: int
    deciding: np.ndarray = np.zeros(0, np.int64)
    apart: np.ndarray = np.zeros(0, np.int64)


class Watch(NamedTuple):
    """What a run shows while it goes, and can be told.

    Attributes
    ----------
    progress : int64 array (2,) - steps taken, right answers of the last check; written after every step
    stop : int64 array (1,) - the run ends after the step in which this is not zero
    losses : float32 array (n_steps,), or (0,) to keep none
    correct : int64 array (n_checks,) - right answers of each check; -1 where it was decided that they are too few
    looked : int64 array (n_checks,), or (0,) to keep none - images looked at in each check
    at_hit : float32 array, as the network's parameters, or (0,) to keep none - they, at the first check that reaches
        the target
    apart : int64 array (n_checks,), or (0,) without images apart - right answers among those
    """

    progress: np.ndarray
    stop: np.ndarray
    losses: np.ndarray
    correct: np.ndarray
    looked: np.ndarray = np.zeros(0, np.int64)
    at_hit: np.ndarray = np.zeros(0, np.float32)
    apart: np.ndarray = np.zeros(0, np.int64)


@inlined
def _copy(tallies, at_hit):
    for phase in range(tallies.shape[0]):
        for operation in range(tallies.shape[1]):
            for row in range(tallies.shape[2]):
                for kind in range(tallies.shape[3]):
                    at_hit[phase, operation, row, kind] = tallies[phase, operation, row, kind]


@kernel
def run(network, optimizer, data, plan, held_out, watch, work, check_work, tallies, tallies_at_hit):
    """Train through a plan.

    Parameters
    ----------
    network : Network - updated
    optimizer : Sgd, Momentum or Adam - updated
    data, held_out : Data - trained on, evaluated on
    plan : Plan
    watch : Watch - filled
    work, check_work : Work - for a batch, for a chunk of an evaluation
    tallies : int64 array (3, N_OPERATIONS, 2, n_kinds) - of training, checks and looks at images apart; added to
    tallies_at_hit : int64 array, as tallies - overwritten with tallies at the first check that reaches the target

    Returns
    -------
    int
        REACHED if any check reached the target, else BUDGET; NOT_FINITE and STOPPED go before both.
    """
    status, check = BUDGET, 0
    for step in range(plan.rates.shape[0]):
        batch = plan.order[plan.starts[step] : plan.starts[step + 1]]
        loss = train_step(network, optimizer, data, batch, plan.rates[step], work, tallies[0])
        if step < watch.losses.shape[0]:
            watch.losses[step] = loss
        if not np.isfinite(loss):
            watch.progress[0] = step + 1
            return NOT_FINITE
        if check < plan.check_steps.shape[0] and plan.check_steps[check] == step + 1:
            rows, right = plan.check_order, plan.deciding
            if right.shape[0] == 0:
                correct, looked = evaluate(network, held_out, rows, check_work, tallies[1]), rows.shape[0]
            else:
                correct, looked = decide(network, held_out, rows, plan.needed, right, check_work, tallies[1])
            watch.correct[check] = correct
            if check < watch.looked.shape[0]:
                watch.looked[check] = looked
            watch.progress[1] = correct
            if status == BUDGET and correct >= plan.needed:
                status = REACHED
                _copy(tallies, tallies_at_hit)
                for i in range(watch.at_hit.shape[0]):
                    watch.at_hit[i] = network.parameters[i]
            if check < watch.apart.shape[0]:
                watch.apart[check] = evaluate(network, held_out, plan.apart, check_work, tallies[2])
            check += 1
        # Written before stop is read: a flag read in a loop that stores nothing would be read once, before the loop.
        watch.progress[0] = step + 1
        if status == REACHED and plan.stop_at_hit:
            return status
        if watch.stop[0]:
            return STOPPED
    return status

"""Counting proofs of the fast kernels: their plain form on numbers that count, with an fma that counts as one."""

from __future__ import annotations

from collections import Counter

import counting
import numpy as np

from nnlite.kernels.fast import first_layer, matmul, update
from nnlite.kernels.jit import plain
from nnlite.kernels.ops import DENSE, EXECUTED


def _minus_fma(accumulator, factor, vector):
    return counting.fma(accumulator, -counting.values(np.asarray(factor, object)), vector)


def _counts(argument, counter):
    if isinstance(argument, tuple):
        return type(argument)(*(_counts(part, counter) for part in argument))
    if isinstance(argument, np.ndarray) and argument.dtype.kind == "f":
        return counting.counted(argument, counter)
    return counting.Counted(argument, counter) if isinstance(argument, float | np.floating) else argument


def count(monkeypatch, kernel, *arguments, n_tallies=1):
    """Run a fast kernel's plain form on counting numbers; the arguments stay as they are.

    Returns
    -------
    (executed as the numbers saw it, executed and dense as the kernel says, summed over its tallies)
    """
    for module in (first_layer, matmul, update):
        monkeypatch.setattr(module, "fma", counting.fma)
    monkeypatch.setattr(update, "fnma", _minus_fma)
    counter, tallies = Counter(), [counting.new_tally() for _ in range(n_tallies)]
    integers = [part.copy() if isinstance(part, np.ndarray) and part.dtype.kind != "f" else part for part in arguments]
    plain(kernel)(*(_counts(part, counter) for part in integers), *tallies)
    total = sum(tallies)
    return dict(counter), counting.by_kind(total[EXECUTED]), counting.by_kind(total[DENSE])


def check(monkeypatch, kernel, *arguments, n_tallies=1, **dense):
    """Hold a fast kernel's executed count to what its numbers saw, and its dense count to the closed form."""
    seen, executed, says = count(monkeypatch, kernel, *arguments, n_tallies=n_tallies)
    assert executed == seen
    assert says == {kind: n for kind, n in dense.items() if n}

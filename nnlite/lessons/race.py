"""The same steps of learning three times: as a lesson writes them by hand, by the plain kernels, by the fast ones.

Lesson *backward* ends with it. The same batch again and again shows that all three learn alike, and roughly what a step
takes; how to measure with care, and against other libraries, is bench/'s matter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import nnlite
from nnlite.kernels.jit import COMPILES
from nnlite.training import epochs, prepare_images, train

Array = npt.NDArray[Any]
Steps = Callable[[nnlite.MLP, Array, Array, int], float]

RATE = 0.1  # learning rate of SGD
N_IMAGES, N_UNITS, N_STEPS = (64, 128, 100) if COMPILES else (4, 8, 2)  # what is not compiled gets less to do
N_COMPARED = 20  # steps after which the three losses are compared
N_ROUNDS = 5  # of N_STEPS each, the two kinds of kernels taking turns


def race(by_hand: Steps) -> None:
    """Print the losses of the three ways and the times of the kernels, side by side.

    NumPy's products may run in threads, which wait for each other when a machine is busy: no time is given for them.

    Parameters
    ----------
    by_hand : callable (network, uint8 array (n, 784), int64 array (n,), number of steps) -> float
        Takes steps of SGD at `RATE` in place, in the network's dtype; returns the loss before the last of them.
    """
    kernels = "are compiled once, in half a minute" if COMPILES else "run as plain Python"
    print(f"  {N_IMAGES} images, 784-{N_UNITS}-10, float32. Kernels {kernels}.\n", flush=True)
    data = nnlite.load_dataset("mnist")
    batch = data.train_pixels[:N_IMAGES], data.train_labels[:N_IMAGES]
    ways = {"by hand": by_hand, "plain kernels": steps_by("plain"), "fast kernels": steps_by("fast")}
    runs = [(way, nnlite.MLP((784, N_UNITS, 10), rng=np.random.default_rng(0)), *batch) for way in ways.values()]
    firsts = [_timed(*run, 1) for run in runs]
    laters = [_timed(*run, N_COMPARED) for run in runs]
    rounds = [[_timed(*run, N_STEPS)[1] for run in runs[1:]] for _ in range(N_ROUNDS)]
    fastest = [min(times) / N_STEPS for times in zip(*rounds, strict=True)]

    print(" " * 32 + "".join(f"{name:>15}" for name in ways))
    for step, losses in ((1, firsts), (1 + N_COMPARED, laters)):
        print(f"  {f'loss before step {step}':30}" + "".join(f"{loss:15.5f}" for loss, _ in losses))
    print(f"  {'first step, kernels made ready':45}" + "".join(f"{seconds:13.2f} s" for _, seconds in firsts[1:]))
    print(f"  {'a step after that':45}" + "".join(f"{seconds * 1e6:12.0f} us" for seconds in fastest))


def steps_by(kernels: str) -> Steps:
    """Let `nnlite.training` take the steps, by the kernels that the environment tells it.

    Parameters
    ----------
    kernels : {"plain", "fast"}

    Returns
    -------
    callable, as `by_hand` above
    """

    def steps(mlp: nnlite.MLP, pixels: Array, labels: Array, n_steps: int) -> float:
        same_batch = epochs(np.arange(len(labels)), len(labels), n_steps, RATE)
        before = os.environ.get("NNLITE_KERNELS")
        os.environ["NNLITE_KERNELS"] = kernels  # read by training at every call
        try:
            images = prepare_images([pixels], lambda: pixels / np.float32(255))
            return train(mlp, nnlite.SGD(RATE), images, labels, same_batch).loss
        finally:
            del os.environ["NNLITE_KERNELS"]
            os.environ.update({} if before is None else {"NNLITE_KERNELS": before})

    return steps


def _timed(way: Steps, mlp: nnlite.MLP, pixels: Array, labels: Array, n_steps: int) -> tuple[float, float]:
    """The loss before the last of the steps, and the seconds that all took."""
    start = time.perf_counter()
    loss = way(mlp, pixels, labels, n_steps)
    return loss, time.perf_counter() - start

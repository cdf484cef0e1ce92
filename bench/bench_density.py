"""Where rows of nonzero pixels stop paying: nnlite's training step on rows and on dense images, by density.

The table that chose the constant `_MAX_DENSITY` in `nnlite.compiled`. Images are made: uniform values, zeros at random
places (harder to predict than MNIST's). Runs in a process pinned to one core, as `bench.run` starts it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import nnlite
from bench.measure import ROUNDS, Times, interleave, ratio, table
from nnlite import training
from nnlite.kernels.fast.rows import build_rows

DENSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_N_IMAGES, _BATCH, _STEPS = 6400, 64, 100


def run(rounds: int = ROUNDS) -> str:
    """Measure every density with both optimizers and return Markdown."""
    rows = []
    for density in DENSITIES:
        row: list[object] = [f"{density:.1f}"]
        for make in (lambda: nnlite.SGD(0.1), lambda: nnlite.Adam(1e-3)):
            times = _times(density, make, rounds)
            row += [times["rows"].show(1e-6, 0), times["dense"].show(1e-6, 0), ratio(times["rows"], times["dense"])]
        rows.append(row)
    header = [
        "nonzero",
        *(f"{name}: {what}" for name in ("SGD", "Adam") for what in ("rows, us", "dense, us", "ratio")),
    ]
    return f"A step of 784-128-10, batch {_BATCH}. MNIST has 0.19, its class means 0.74.\n\n{table(header, rows)}"


def _times(density: float, make_optimizer: Callable[[], object], rounds: int) -> dict[str, Times]:
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (_N_IMAGES, 784)).astype(np.float32)
    images[rng.uniform(0, 1, images.shape) >= density] = 0
    labels = rng.integers(0, 10, _N_IMAGES)
    plan = training.epochs(np.arange(_N_IMAGES), _BATCH, _STEPS, 1e-3, rng)
    rows = build_rows([images], nnlite.Tally().kernel("build_rows"))

    def sample(form: object) -> dict[str, float]:
        mlp, optimizer = nnlite.MLP((784, 128, 10), rng=np.random.default_rng(0)), make_optimizer()
        wall, cpu = time.perf_counter(), time.process_time()
        training.train(mlp, optimizer, form, labels, plan)
        return {"seconds": (time.perf_counter() - wall) / _STEPS, "cpu": (time.process_time() - cpu) / _STEPS}

    tasks = {"rows": lambda: sample(rows), "dense": lambda: sample(images)}
    for task in tasks.values():
        task()  # compiles
    return interleave(tasks, rounds)

"""Each matrix product of a training step: nnlite's kernels against NumPy's BLAS and the core's measured peak.

x is a batch of real MNIST, so a kernel that skips zeros shows it. nnlite's rate counts the operations that it executed
(from its tally, a multiply-add as two), BLAS's the dense ones. Every result is compared with BLAS's before it is timed.
Runs in a process that is pinned to one core before NumPy is imported; `bench.run` starts it so.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable

import numpy as np

from bench import figures, peak
from bench.measure import ROUNDS, interleave, ratio, table
from bench.problem import Spec, make_problem
from bench.products import ROTATION, Form, Shape, empty_tally, products, updates
from nnlite.kernels.ops import EXECUTED, FMA

# From 64 x 784 x 128 one axis at a time, then the output layer.
SHAPES: tuple[Shape, ...] = (
    (64, 784, 64),
    (64, 784, 128),
    (64, 784, 512),
    (16, 784, 128),
    (256, 784, 128),
    (64, 128, 10),
)
_MIDDLE: Shape = (64, 784, 128)  # the shape of the roofline and of the updates
_SAMPLE = 0.02  # seconds that one sample lasts


def run(rounds: int = ROUNDS) -> str:
    """Measure every product and return Markdown."""
    if len(os.sched_getaffinity(0)) != 1:
        raise RuntimeError("bench_kernels must be pinned to one core: python -m bench.run --only kernels")
    top, bandwidth = peak.fma_peak(), peak.memory_bandwidth()
    rows, points, disturbed = [], [], 0
    for shape in SHAPES:
        problem = make_problem(Spec(batch_size=shape[0], n_steps=ROTATION, n_train=6000))
        made = products(shape, problem)
        shown = set(made) if shape == _MIDDLE else set()
        if shape == _MIDDLE:
            made |= updates(shape, problem)
        for name, forms in made.items():
            executed = {form.name: _executed(form, forms[0], 2 * math.prod(shape)) for form in forms}
            traffic = {form.name: form.traffic for form in forms}
            times = interleave({form.name: _sampler(form) for form in forms}, rounds)
            for form, t in times.items():
                disturbed += t.disturbed
                rate = executed[form] / t.median / 1e9
                versus = "" if form == "BLAS" else ratio(t, times["BLAS"])
                rows.append(
                    [name, "x".join(map(str, shape)), form, t.show(1e-6, 1), versus, f"{rate:.1f}", f"{rate / top:.2f}"]
                )
                if name in shown:
                    points.append((f"{form}, {name}", executed[form] / traffic[form], rate))
    header = ("product", "n x n_in x n_out", "by", "us", "time / BLAS", "GFLOP/s executed", "share of peak")
    intro = f"Measured peak {top:.1f} GFLOP/s (float32 multiply-adds), copy {bandwidth:.1f} GB/s. "
    intro += f"Samples in which another program used the core: {disturbed} of {len(rows) * rounds}.\n"
    return f"{intro}\n{table(header, rows)}\n{figures.roofline(top, bandwidth, points)}"


def _executed(form: Form, blas: Form, dense: int) -> int:
    """Compile the form, hold its result to BLAS's and return its mean operations of a call."""
    tally = empty_tally()
    form.call(tally)
    if form is blas:
        return dense
    np.testing.assert_allclose(form.result(), blas.result(), rtol=1e-4, atol=1e-4)
    for _ in range(form.rotation - 1):
        form.call(tally)
    return int(tally[EXECUTED].sum() + tally[EXECUTED, FMA]) // form.rotation


def _sampler(form: Form) -> Callable[[], dict[str, float]]:
    """Give a task that times as many calls as last a while, per call."""
    tally = empty_tally()

    def calls(n: int) -> dict[str, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(n):
            form.call(tally)
        return {"seconds": (time.perf_counter() - wall) / n, "cpu": (time.process_time() - cpu) / n}

    n = max(1, int(_SAMPLE / calls(3)["seconds"]))
    return lambda: calls(n)

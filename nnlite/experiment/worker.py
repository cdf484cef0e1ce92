"""What carries out runs for a study, in a thread or in a process of its own.

`study` makes workers and hands them runs; a worker holds the data, gets the kernels ready and calls `run.run_one`. This
module knows no pool and yields nothing.
"""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..datasets import Dataset
from ..mlp import MLP
from ..schedule import Checks, epochs
from ..training import evaluate, train
from .config import RunConfig
from .records import RunRecord
from .run import OPTIMIZERS, RunData, run_one


class Worker:
    """What carries out runs, in a thread or in a process of its own: the data, and memory shared with who asked.

    The memory is 1 + 3 n_runs int64: the stop flag, then for each run its stage, step and right answers at the last
    check.
    """

    def __init__(self, dataset: Dataset, config: RunConfig, arms: Sequence[str], memory: Any) -> None:
        self.words = np.frombuffer(memory, np.int64)
        self.dataset, self.config, self.arms = dataset, config, arms
        self.preparing = threading.Lock()
        self.compile_seconds: float | None = None

    @functools.cached_property
    def data(self) -> RunData:
        """The data set as runs want it; first asked for by `ready`, under its lock."""
        return RunData(self.dataset, self.config)

    def ready(self) -> float:
        """Scale images, compile or load kernels, make what several runs share; return the seconds of the kernels."""
        with self.preparing:  # one thread gets all ready, the others wait for it
            if self.compile_seconds is None:
                data = self.data
                began = time.perf_counter()
                _warm_up(data)
                seconds = time.perf_counter() - began
                data.prepare_shared(self.arms)
                self.compile_seconds = seconds
            return self.compile_seconds

    def run(self, number: int, arm: str, seed: int) -> RunRecord | None:
        """Carry out one run, whose number says where in the memory its progress goes."""
        seconds = self.ready()
        record = run_one(arm, seed, self.data, self.words[1 + 3 * number : 4 + 3 * number], self.words[:1])
        return record and replace(record, seconds={"compile": round(seconds, 3), **record.seconds})


_worker: Worker | None = None  # of this process, when it is one of a pool's


def start_process(dataset: Dataset, config: RunConfig, arms: Sequence[str], memory: Any) -> None:
    """Make this process a worker: what a pool calls in each of its processes first."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asked; the stop flag tells the workers
    _worker = Worker(dataset, config, arms, memory)


def ready_in_process() -> float:
    """Call `Worker.ready` of this process."""
    assert _worker is not None
    return _worker.ready()


def run_in_process(number: int, arm: str, seed: int) -> RunRecord | None:
    """Call `Worker.run` of this process."""
    assert _worker is not None
    return _worker.run(number, arm, seed)


def _warm_up(data: RunData) -> None:
    """Two steps and a check on the first images: every kernel of a run with the types of a run."""
    config, sizes = data.config, (data.n_features, *data.config.hidden_layer_sizes, data.dataset.n_classes)
    mlp = MLP(sizes, np.random.default_rng(0), config.activation)
    optimizer = OPTIMIZERS[config.optimizer](config.learning_rate)
    rows = np.arange(1)
    decides = config.evaluate == "decide"
    checks = Checks(data.images, data.labels, rows + 1, 2, stop_at_hit=decides, rows=rows, decide=decides)
    train(mlp, optimizer, data.images, data.labels, epochs(rows, 1, 2, config.learning_rate), checks)
    evaluate(mlp, data.images, data.labels, rows=rows)

"""What carries out runs for a study, in a thread or in a process of its own.

`study` makes workers and hands them runs; a worker holds the data, gets the kernels ready and calls `run.run_one`. This
module knows no pool and yields nothing.
"""

from __future__ import annotations

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
from .phases import OPTIMIZERS
from .records import RunRecord
from .run import RunData, run_one

Run = tuple[RunConfig, str, int]  # configuration, arm, seed


class Worker:
    """What carries out runs, in a thread or in a process of its own: the data, and memory shared with who asked.

    The memory is 1 + 3 n_runs int64: the stop flag, then for each run its stage, step and right answers at the last
    check.
    """

    def __init__(self, dataset: Dataset, runs: Sequence[Run], memory: Any) -> None:
        self.words = np.frombuffer(memory, np.int64)
        self.dataset, self.runs = dataset, runs
        self.preparing = threading.Lock()
        self.prepared: dict[RunConfig, tuple[RunData, float]] = {}

    def ready(self) -> float:
        """Get ready for the first run; return the seconds of its kernels."""
        return self.data_of(self.runs[0][0])[1]

    def data_of(self, config: RunConfig) -> tuple[RunData, float]:
        """Scale images, compile or load kernels, make what several runs share; return it and the kernels' seconds."""
        with self.preparing:  # one thread gets all ready, the others wait for it
            if config not in self.prepared:
                other = next(iter(self.prepared.values()), (None, 0.0))[0]
                data = RunData(self.dataset, config, other)
                began = time.perf_counter()
                _warm_up(data)
                seconds = time.perf_counter() - began
                data.prepare_shared(list(dict.fromkeys(arm for its, arm, _ in self.runs if its == config)))
                self.prepared[config] = data, seconds
            return self.prepared[config]

    def run(self, number: int) -> RunRecord | None:
        """Carry out one run, whose number says where in the memory its progress goes."""
        config, arm, seed = self.runs[number]
        data, seconds = self.data_of(config)
        record = run_one(arm, seed, data, self.words[1 + 3 * number : 4 + 3 * number], self.words[:1])
        return record and replace(record, seconds={"compile": round(seconds, 3), **record.seconds})


_worker: Worker | None = None  # of this process, when it is one of a pool's


def start_process(dataset: Dataset, runs: Sequence[Run], memory: Any) -> None:
    """Make this process a worker: what a pool calls in each of its processes first."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asked; the stop flag tells the workers
    _worker = Worker(dataset, runs, memory)


def ready_in_process() -> float:
    """Call `Worker.ready` of this process."""
    assert _worker is not None
    return _worker.ready()


def run_in_process(number: int) -> RunRecord | None:
    """Call `Worker.run` of this process."""
    assert _worker is not None
    return _worker.run(number)


def _warm_up(data: RunData) -> None:
    """Two steps and a check on the first images: every kernel of a run with the types of a run."""
    config, sizes = data.config, (data.n_features, *data.config.hidden_layer_sizes, data.dataset.n_classes)
    mlp = MLP(sizes, np.random.default_rng(0), config.activation)
    optimizer = OPTIMIZERS[config.optimizer](config.learning_rate)
    rows = np.arange(1)
    decides = config.evaluate == "decide"
    apart = rows if config.count_apart != "nothing" else None
    checks = Checks(data.images, data.labels, rows + 1, 2, decides, rows, decides, None if decides else apart)
    train(mlp, optimizer, data.images, data.labels, epochs(rows, 1, 2, config.learning_rate), checks)
    evaluate(mlp, data.images, data.labels, rows=rows)

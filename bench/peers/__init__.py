"""The libraries that nnlite is measured against, one adapter each, every one at its best honest setting.

An adapter imports its library in `prepare` at the latest, converts the data there (never timed) and then trains as its
library's users would who care for speed. What was tried and lost stands in each adapter's docstring.
"""

from __future__ import annotations

import importlib
from typing import Protocol

import numpy as np

from bench.problem import Problem


class Peer(Protocol):
    """What the worker asks of an adapter; only `run_steps` and `evaluate` are ever timed."""

    name: str

    def version(self) -> str:
        """Name the package's version and what bears on its speed."""

    def prepare(self, problem: Problem) -> None:
        """Convert images and labels to the library's own arrays and allocate buffers."""

    def reset(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        """Copy these parameters in and start the optimizer afresh."""

    def run_steps(self, order: np.ndarray) -> None:
        """Train one step for each row of `order` (n_steps, batch_size), finished when it returns."""

    def evaluate(self) -> int:
        """Count the test images that are classified correctly, all of them looked at."""

    def final_loss(self) -> float:
        """Compute the mean loss over the test images by the library's own arithmetic."""

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Copy weights (n_in, n_out) and biases (n_out,) out as float32."""


PEERS = {
    "nnlite": "bench.peers.nnlite_peer:NnlitePeer",
    "numpy": "bench.peers.numpy_peer:NumpyPeer",
    "sklearn": "bench.peers.sklearn_peer:SklearnPeer",
    "torch": "bench.peers.torch_peer:TorchPeer",
    "torch-compile": "bench.peers.torch_compile_peer:TorchCompilePeer",
    "jax": "bench.peers.jax_peer:JaxPeer",
}


def make_peer(key: str) -> Peer:
    """Import one adapter and nothing of the others."""
    module, name = PEERS[key].split(":")
    return getattr(importlib.import_module(module), name)()

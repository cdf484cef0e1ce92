"""The problem that every library in the benchmark is given, and the slow answer it is held to.

`make_problem` builds images, labels, initial weights and the order of the batches with NumPy alone, so nobody's own
reader, initializer or shuffling takes part. `reference` trains the same network in float64, one line per formula; an
adapter is timed only after its loss and parameters after the same steps agree with it (`prove`).

A peer is a class as in `bench/peers/`; this module times nothing and imports no peer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

N_CLASSES = 10
LOSS_TOLERANCE = 1e-3  # final loss against the float64 reference
PARAMETER_TOLERANCE = 1e-3  # every parameter under SGD; under Adam 99% of them, a near-zero gradient has no stable sign
PROOF_STEPS = 50


@dataclass(frozen=True)
class Spec:
    """What a worker is told; a problem follows from it and the data files alone."""

    hidden: tuple[int, ...] = (128,)
    optimizer: str = "sgd"  # "sgd" or "adam"
    learning_rate: float = 0.1
    batch_size: int = 64
    n_steps: int = 200  # timed steps, all of full batches: a compiled peer needs one shape only
    n_train: int = 60_000
    seed: int = 0

    def to_json(self) -> str:
        """Write the spec as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Spec:
        """Read a spec that `to_json` wrote."""
        fields = json.loads(line)
        return cls(**{**fields, "hidden": tuple(fields["hidden"])})


@dataclass(frozen=True)
class Problem:
    """Arrays in, nothing else: float32 images in [0, 1], int64 labels, C-contiguous.

    The last ten rows of `train_images` are the ten class means, so that pretraining is an order like any other.
    """

    spec: Spec
    train_images: np.ndarray  # (n_train + 10, 784) float32
    train_labels: np.ndarray  # (n_train + 10,) int64
    test_images: np.ndarray  # (10000, 784) float32
    test_labels: np.ndarray  # (10000,) int64
    weights: list[np.ndarray]  # (n_in, n_out) float32 each
    biases: list[np.ndarray]  # (n_out,) float32 each
    order: np.ndarray  # (n_steps, batch_size) int64 rows of train_images

    @property
    def mean_rows(self) -> np.ndarray:
        """Give the rows of the ten class means as one batch, shape (1, 10)."""
        return np.arange(len(self.train_images) - N_CLASSES, len(self.train_images))[np.newaxis]


def make_problem(spec: Spec) -> Problem:
    """Build the problem that a spec describes from the real MNIST."""
    from nnlite.datasets import load_dataset

    data = load_dataset("mnist")
    images, labels = data.train_images[: spec.n_train], data.train_labels[: spec.n_train]
    means = np.stack([images[labels == c].mean(axis=0, dtype=np.float64) for c in range(N_CLASSES)])
    weights, biases = initial_parameters(spec.hidden, spec.seed)
    stream = batches(spec.n_train, spec.batch_size, spec.seed)
    full = (rows for rows in stream if len(rows) == spec.batch_size)
    return Problem(
        spec,
        np.concatenate([images, means.astype(np.float32)]),
        np.concatenate([labels, np.arange(N_CLASSES)]).astype(np.int64),
        np.ascontiguousarray(data.test_images),
        data.test_labels.astype(np.int64),
        weights,
        biases,
        np.stack([next(full) for _ in range(spec.n_steps)]),
    )


def initial_parameters(hidden: tuple[int, ...], seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw weights and biases uniformly in +-1/sqrt(n_in), layer by layer, weight then bias."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    sizes = (784, *hidden, N_CLASSES)
    weights, biases = [], []
    for n_in, n_out in pairwise(sizes):
        bound = 1 / np.sqrt(n_in)
        weights.append(rng.uniform(-bound, bound, (n_in, n_out)).astype(np.float32))
        biases.append(rng.uniform(-bound, bound, n_out).astype(np.float32))
    return weights, biases


def batches(n_train: int, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    """Yield rows batch by batch without end: each epoch a fresh permutation, its short last batch included."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    while True:
        rows = rng.permutation(n_train)
        for start in range(0, n_train, batch_size):
            yield rows[start : start + batch_size]


@dataclass(frozen=True)
class Answer:
    """What a trained network is compared by."""

    loss: float  # mean over the test images
    weights: list[np.ndarray]
    biases: list[np.ndarray]


def reference(problem: Problem, order: np.ndarray) -> Answer:
    """Train over the batches of `order` in float64, formula by formula."""
    weights = [w.astype(np.float64) for w in problem.weights]
    biases = [b.astype(np.float64) for b in problem.biases]
    parameters = weights + biases
    first, second = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    rate = problem.spec.learning_rate
    for step, rows in enumerate(order, start=1):
        grads = _gradients(weights, biases, problem.train_images[rows].astype(np.float64), problem.train_labels[rows])
        for p, g, m, v in zip(parameters, grads, first, second, strict=True):
            if problem.spec.optimizer == "sgd":
                p -= rate * g
                continue
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return Answer(_loss(weights, biases, problem.test_images, problem.test_labels), weights, biases)


def _forward(weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    activations = [x]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        activations.append(np.maximum(activations[-1] @ weight + bias, 0))
    return [*activations, activations[-1] @ weights[-1] + biases[-1]]


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _loss(weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray, labels: np.ndarray) -> float:
    logits = _forward(weights, biases, x.astype(np.float64))[-1]
    return float(-_log_softmax(logits)[np.arange(len(x)), labels].mean())


def _gradients(
    weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray, labels: np.ndarray
) -> list[np.ndarray]:
    *activations, logits = _forward(weights, biases, x)
    delta = (np.exp(_log_softmax(logits)) - np.eye(N_CLASSES)[labels]) / len(x)
    grad_weights, grad_biases = [], []
    for weight, h in zip(weights[::-1], activations[::-1], strict=True):
        grad_weights.insert(0, h.T @ delta)
        grad_biases.insert(0, delta.sum(axis=0))
        delta = (delta @ weight.T) * (h > 0)
    return grad_weights + grad_biases


@dataclass(frozen=True)
class Proof:
    """How far a peer is from the reference after the same steps."""

    loss_error: float
    parameter_error: float  # the largest under SGD, the 99th percentile under Adam
    correct: int  # as the peer counts them
    recounted: int  # with the peer's parameters, in float64; ties in float32 may move one or two

    @property
    def same_work(self) -> bool:
        """Say whether the peer may be timed."""
        return (
            self.loss_error <= LOSS_TOLERANCE
            and self.parameter_error <= PARAMETER_TOLERANCE
            and abs(self.correct - self.recounted) <= 2
        )


def prove(peer, problem: Problem) -> Proof:
    """Train a prepared peer over the first batches and compare it with the reference; leaves it trained."""
    order = problem.order[:PROOF_STEPS]
    wanted = reference(problem, order)
    peer.reset(problem.weights, problem.biases)
    peer.run_steps(order)
    weights, biases = peer.parameters()
    differences = np.concatenate(
        [np.abs(a - b).ravel() for a, b in zip(weights + biases, wanted.weights + wanted.biases, strict=True)]
    )
    error = differences.max() if problem.spec.optimizer == "sgd" else np.quantile(differences, 0.99)
    logits = _forward([w.astype(float) for w in weights], [b.astype(float) for b in biases], problem.test_images)[-1]
    return Proof(
        abs(peer.final_loss() - wanted.loss),
        float(error),
        peer.evaluate(),
        int((logits.argmax(axis=1) == problem.test_labels).sum()),
    )

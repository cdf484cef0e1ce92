"""Accuracy of nnlite.sklearn.MLPClassifier beside scikit-learn's own on its 8 x 8 digits, and what a gap is made of.

100 hidden units, all by default but what the tables say; a new split a seed. Ours differs from theirs in a few things,
which are put in or taken out one at a time: the L2 penalty, biases that are drawn, the bounds of the initial values.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from unittest import mock

import numpy as np

from bench.bench_sklearn import beside
from bench.measure import ROUNDS, table

CASES = (
    ("scaled to 0 to 1, 20 epochs", 16.0, 20),
    ("0 to 16, as they come, until the loss no longer improves", 1.0, 1000),
)
"""What the title says; what the pixels are divided by; epochs at most."""

_SEEDS = 10


def run(rounds: int = ROUNDS) -> str:
    """Compare every case and return Markdown; there are no rounds, since nothing is timed."""
    warnings.simplefilter("ignore")  # so many epochs do not converge, and both say so
    return "\n\n".join(_compare(*case) for case in CASES)


def _compare(what: str, largest: float, max_iter: int) -> str:
    """Accuracy of every setting, seed by seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    pixels = (pixels / largest).astype(np.float32)
    settings = _settings(max_iter)
    accuracy: dict[str, list[float]] = {name: [] for name in settings}
    epochs: dict[str, list[int]] = {name: [] for name in settings}
    for seed in range(_SEEDS):
        train, test, train_labels, test_labels = train_test_split(pixels, labels, test_size=0.3, random_state=seed)
        for name, fit in settings.items():
            classifier = fit(seed, train, train_labels)
            accuracy[name].append(100 * classifier.score(test, test_labels))
            epochs[name].append(classifier.n_iter_)
    rows = [[name, f"{np.mean(epochs[name]):.0f}", *beside(accuracy, name, "scikit-learn")] for name in settings]
    header = ("setting", "epochs, mean", "accuracy, %", "mean difference, points", "median difference")
    return f"### 64-100-10, pixels {what}, {_SEEDS} seeds and splits\n\n{table(header, rows)}"


def _settings(max_iter: int) -> dict[str, Callable]:
    """From a name to what fits a classifier to a seed's samples and labels."""
    from sklearn.neural_network import MLPClassifier as Theirs

    from nnlite.sklearn import MLPClassifier as Ours

    def plain(make: Callable, **parameters: float) -> Callable:
        return lambda seed, x, y: make(max_iter=max_iter, random_state=seed, **parameters).fit(x, y)

    def begun_with(initialize: Callable) -> Callable:
        def fit(seed: int, x: np.ndarray, y: np.ndarray) -> Ours:
            with mock.patch("nnlite.sklearn._initialize", initialize):
                return Ours(max_iter=max_iter, random_state=seed).fit(x, y)

        return fit

    return {
        "scikit-learn": plain(Theirs),
        "scikit-learn, alpha=0": plain(Theirs, alpha=0.0),
        "nnlite": plain(Ours),
        "nnlite, biases begin at 0": begun_with(mock.Mock()),  # as glorot_uniform draws them
        "nnlite, begun as its MLP is": begun_with(_fan_in_uniform),
    }


def _fan_in_uniform(mlp, factor: float, rng: np.random.Generator) -> None:
    """Draw weights and biases uniform in +-1/sqrt(n_in), the default of `nnlite.MLP`."""
    for weight, bias in zip(mlp.weights, mlp.biases, strict=True):
        bound = 1 / np.sqrt(len(weight))
        weight[...] = rng.uniform(-bound, bound, weight.shape)
        bias[...] = rng.uniform(-bound, bound, bias.shape)

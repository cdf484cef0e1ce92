"""nnlite.sklearn.MLPClassifier beside scikit-learn's own on MNIST: CPU time of a fit, and accuracy seed by seed.

784-128-10, 5 epochs of Adam, all else by default; a round is a seed, and what is timed is what is tested. Runs in a
process pinned to one core, as `bench.run` starts it.
"""

from __future__ import annotations

import time
import warnings
from unittest import mock

import numpy as np

from bench.measure import ROUNDS, Times, ratio, table
from nnlite import compiled, load_dataset
from nnlite.experiment.stats import median_interval

BATCHES = {"auto": 10, 64: 3}
"""Batch sizes, "auto" is 200, and how many seeds at most."""

_EPOCHS, _HIDDEN = 5, 128
_OURS, _THEIRS, _DENSE = "nnlite", "scikit-learn", "nnlite, no zero skipped"


def run(rounds: int = ROUNDS) -> str:
    """Compare, a seed a round, and return Markdown."""
    import sklearn

    warnings.simplefilter("ignore")  # five epochs do not converge, and both say so
    parts = [f"scikit-learn {sklearn.__version__}; the pixels are float32 for both."]
    parts += [_mnist(batch_size, min(rounds, most)) for batch_size, most in BATCHES.items()]
    return "\n\n".join(parts)


def _mnist(batch_size: int | str, n_seeds: int) -> str:
    """CPU seconds of five epochs, and test accuracy, of every library and seed."""
    data = load_dataset("mnist")
    images, labels = data.train_images, data.train_labels
    seconds: dict[str, list[float]] = {name: [] for name in (_THEIRS, _OURS, _DENSE)}
    accuracy: dict[str, list[float]] = {name: [] for name in seconds}
    for name in seconds:
        _fitted(name, images[:1000], labels[:1000], 0, batch_size)  # imports, compiles, wakes BLAS
    names = list(seconds)
    for seed in range(n_seeds):
        first = seed % len(names)
        for name in names[first:] + names[:first]:
            began = time.process_time()
            classifier = _fitted(name, images, labels, seed, batch_size)
            seconds[name].append(time.process_time() - began)
            accuracy[name].append(100 * classifier.score(data.test_images, data.test_labels))
    theirs = Times(tuple(seconds[_THEIRS]))
    rows = []
    for name in seconds:
        took = Times(tuple(seconds[name]))
        rows.append(
            [name, took.show(1, 2), "" if name == _THEIRS else ratio(theirs, took), *beside(accuracy, name, _THEIRS)]
        )
    header = (
        "library",
        "CPU s a fit",
        "scikit-learn / it",
        "accuracy, %",
        "mean difference, points",
        "median difference",
    )
    title = f"### MNIST, 784-{_HIDDEN}-10, {_EPOCHS} epochs, batch_size={batch_size!r}, {n_seeds} seeds"
    return f"{title}\n\n{table(header, rows)}"


def _fitted(name: str, images: np.ndarray, labels: np.ndarray, seed: int, batch_size: int | str):
    """A classifier after five epochs; one of ours multiplies every pixel, zero or not."""
    from sklearn.neural_network import MLPClassifier as Theirs

    from nnlite.sklearn import MLPClassifier as Ours

    make = Theirs if name == _THEIRS else Ours
    classifier = make(_HIDDEN, batch_size=batch_size, max_iter=_EPOCHS, random_state=seed)
    with mock.patch.object(compiled, "_MAX_DENSITY", 0.0 if name == _DENSE else compiled._MAX_DENSITY):
        return classifier.fit(images, labels)


def beside(accuracy: dict[str, list[float]], name: str, reference: str) -> list[str]:
    """Mean accuracy; mean difference with its standard error; median difference with its exact 95% interval."""
    mean = f"{np.mean(accuracy[name]):.2f}"
    if name == reference:
        return [mean, "", ""]
    differences = np.array(accuracy[name]) - accuracy[reference]
    error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else np.nan
    found = median_interval(differences)
    interval = "" if found.low is None else f" ({found.low:+.2f} to {found.high:+.2f})"
    return [mean, f"{differences.mean():+.2f} (standard error {error:.2f})", f"{found.median:+.2f}{interval}"]

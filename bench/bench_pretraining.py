"""What training on class means first saves on data that other packages ship: operations to the same accuracy.

Two arms a seed, as in the experiment: the same split, initial values and batches, one of them with the steps that
`nnlite.sklearn.MLPClassifier(pretrain="class_means")` takes first. The validation samples are looked at after every
step, which is on neither bill. A set's target was settled by seeds of its own: `_BELOW` points under what scratch
reaches in `_EPOCHS` epochs.

Sets: those that scikit-learn has on board, and river's image segments. Looked for and not found in any package of the
Python index (one that carries the data, not a downloader): KMNIST, EMNIST, USPS, notMNIST, QMNIST.
"""

from __future__ import annotations

import math
from importlib.metadata import version

import numpy as np

from bench.measure import table
from nnlite import MLP, Adam, Tally, class_means, training
from nnlite.experiment.stats import compare
from nnlite.schedule import Checks

_HIDDEN, _BATCH, _RATE, _EPOCHS, _PRETRAIN_EPOCHS = 100, 32, 1e-3, 100, 28  # the last is the article's
_VALIDATION = 0.3  # of the samples
_BELOW = 5  # points
_PAIRS, _TARGET_SEEDS = 50, range(1000, 1010)


def run(rounds: int = 1) -> str:
    """Compare the arms on every set, and return Markdown; there are no rounds, since operations are counted."""
    rows = []
    for name, (samples, labels) in _sets().items():
        reached = [_curve(*_split(samples, labels, seed), seed) for seed in _TARGET_SEEDS]
        target = math.floor(100 * np.mean(reached)) - _BELOW
        runs = [
            [_cost(*_split(samples, labels, seed), seed, target / 100, pretrains) for pretrains in (True, False)]
            for seed in range(_PAIRS)
        ]
        steps, costs = np.array(runs).transpose(2, 1, 0)
        pairs = compare(*costs)
        found, said = pairs.interval, pairs.verdict
        rows.append(
            [
                name,
                f"{len(labels):,} x {samples.shape[1]}, {len(np.unique(labels))}",
                f"{target}%",
                f"{np.median(steps[1]):g}",
                f"{np.median(steps[0]):g} after {_PRETRAIN_EPOCHS}",
                f"{100 * found.median:.0f}% ({100 * found.low:.0f}% to {100 * found.high:.0f}%)",
                f"{sum(reduction > 0 for reduction in pairs.reductions)} of {_PAIRS}",
                f"{said.word}: {said.reason}" if said.reason else said.word,
            ]
        )
    header = (
        "set",
        "samples x features, classes",
        "target",
        "scratch: steps",
        "class means: steps",
        "operations saved",
    )
    about = (
        f"p-{_HIDDEN}-classes, relu, Adam at {_RATE:g}, batches of {_BATCH}, {_PAIRS} pairs; a new split a pair, "
        f"{100 * _VALIDATION:.0f}% for validation. Operations: model flop, averaging and pretraining included. Saved: "
        "median of the pairs and its exact 95% interval; in words: the rule of the experiment, where 30% is the claim. "
        f"scikit-learn {version('scikit-learn')}, river {version('river')}."
    )
    return f"{about}\n\n{table([*header, 'pairs that save', 'in words'], rows)}"


def _sets() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Samples and labels 0 to n_classes - 1, by name."""
    from river.datasets import ImageSegments
    from sklearn import datasets

    loaders = {
        "digits, 8 x 8": datasets.load_digits,
        "breast cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
        "iris": datasets.load_iris,
    }
    sets = {name: load(return_X_y=True) for name, load in loaders.items()}
    segments = [(list(features.values()), label) for features, label in ImageSegments()]
    _, numbers = np.unique([label for _, label in segments], return_inverse=True)
    sets["image segments"] = np.array([features for features, _ in segments]), numbers
    return sets


def _split(samples: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All samples, those to train on first, scaled by their mean and deviation; labels; the numbers of the others."""
    order = np.random.default_rng([seed, 0]).permutation(len(labels))
    n_train = round((1 - _VALIDATION) * len(labels))
    train = samples[order[:n_train]]
    deviation = train.std(axis=0)
    scaled = (samples[order] - train.mean(axis=0)) / np.where(deviation == 0, 1, deviation)
    return scaled.astype(np.float32), labels[order].astype(np.int64), np.arange(n_train, len(labels))


def _curve(samples: np.ndarray, labels: np.ndarray, held_out: np.ndarray, seed: int) -> float:
    """Validation accuracy of scratch after all epochs."""
    outcome = _train(samples, labels, held_out, seed, needed=len(held_out) + 1, pretrains=False)
    return outcome.correct / len(held_out)


def _cost(
    samples: np.ndarray, labels: np.ndarray, held_out: np.ndarray, seed: int, target: float, pretrains: bool
) -> tuple[float, float]:
    """Steps on samples and operations until the target is reached; infinite where it is not."""
    needed = training.answers_needed(target, len(held_out))
    outcome = _train(samples, labels, held_out, seed, needed, pretrains)
    if outcome.status != "reached":
        return math.inf, math.inf
    return outcome.steps, outcome.tally.total("flop", ["data", "pretrain", "train"])


def _train(
    samples: np.ndarray, labels: np.ndarray, held_out: np.ndarray, seed: int, needed: int, pretrains: bool
) -> training.Outcome:
    """Train one arm, looking at the validation samples after every step."""
    rng, n_classes = np.random.default_rng([seed, 1]), int(labels.max()) + 1
    mlp = MLP((samples.shape[1], _HIDDEN, n_classes), rng, initializer="glorot_uniform")
    optimizer, tally = Adam(_RATE), Tally()
    rows = np.arange(held_out[0])
    n_steps = _EPOCHS * math.ceil(len(rows) / _BATCH)
    schedule = training.epochs(rows, _BATCH, n_steps, _RATE, rng)
    if pretrains:
        means = class_means(samples, labels, n_classes, tally, rows)
        averages = training.epochs(np.arange(n_classes), n_classes, _PRETRAIN_EPOCHS, _RATE)
        with tally.phase("pretrain"):
            training.train(mlp, optimizer, means, np.arange(n_classes), averages, tally=tally)
    checks = Checks(samples, labels, np.arange(1, n_steps + 1), needed, rows=held_out)
    return training.train(mlp, optimizer, samples, labels, schedule, checks, tally)

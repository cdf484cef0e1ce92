"""Made-up things to test with: a data set of a few pixels, and records whose right answers are known beforehand."""

from __future__ import annotations

import numpy as np

from nnlite.datasets import Dataset, load_dataset
from nnlite.experiment.config import RunConfig
from nnlite.experiment.records import RunRecord
from nnlite.idx import write_idx

N_TRAIN, N_TEST, SIDE, N_CLASSES = 60, 30, 4, 3


def write_dataset(folder, seed=0, n_train=N_TRAIN):
    """Write the four files; every class has the same number of images."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 200, (N_CLASSES, SIDE, SIDE)) * (rng.random((N_CLASSES, SIDE, SIDE)) < 0.5)
    folder.mkdir(parents=True, exist_ok=True)
    for stem, n in (("train", n_train), ("t10k", N_TEST)):
        labels = rng.permutation(np.arange(n) % N_CLASSES)
        noise = rng.normal(0, 20, (n, SIDE, SIDE)) * (patterns[labels] > 0)
        images = np.clip(patterns[labels] + noise, 0, 255)
        write_idx(folder / f"{stem}-images-idx3-ubyte", images.astype(np.uint8))
        write_idx(folder / f"{stem}-labels-idx1-ubyte", labels.astype(np.uint8))
    return folder


def small_dataset(tmp_path) -> Dataset:
    """Write and load it."""
    return load_dataset(write_dataset(tmp_path / "small"))


def small_config(**changes) -> RunConfig:
    """Return a configuration that reaches 90% on it within a few dozen steps."""
    values = {"hidden_layer_sizes": (5,), "learning_rate": 0.02, "batch_size": 8, "pretrain_epochs": 3, "max_steps": 60}
    return RunConfig(**{**values, **changes})


def record(arm="scratch", seed=0, **changes):
    """The record of a run of five steps, with these changes."""
    values = {
        "arm": arm,
        "seed": seed,
        "config": RunConfig(learning_rate=0.001).to_record(4, 3),
        "dataset": {"name": "small", "sha256": {}, "n_train": 60, "n_test": 10, "n_features": 4, "n_classes": 3},
        "status": "reached",
        "reached": True,
        "steps_to_target": 5,
        "pretrain_epochs": 0,
        "accuracy_after_pretrain": None,
        "accuracy_at_stop": 0.9,
        "n_checked": 10,
        "passes": {"train": {"steps": 5, "images_forward": 40, "images_backward": 40}},
        "counts": {
            "dense": {"train": {"matmul_forward": {"fma": 7}}},
            "executed": {"train": {"matmul_forward": {"mul": 7}}},
        },
    }
    return RunRecord(**{**values, **changes})


# Runs whose right answers, hits and bills are worked out

F = 10  # the article's forward pass: a step of 8 images costs F (8 + 2) = 100, phase 1 F (6 + 2 x 2) = 100
STEP = 8 * 48 + 19  # flop, 2-3 softmax with SGD: 12 + 17 + 4 + 15 an image, the mean's division and 18 a step
BEFORE = 330 + 100  # flop: averaging and pretraining
BUDGET = 12

CONFIG = RunConfig(
    hidden_layer_sizes=(), optimizer="sgd", batch_size=8, max_steps=BUDGET, evaluate="full", count_apart="half"
)
PASSES = {"steps": 2, "images_forward": 6, "images_backward": 6}


def run(arm, seed, correct, config=CONFIG, n_checked=100, **changes):
    """A run with these right answers at the checks of its grid; all that was counted apart is 60 of its 100 images."""
    steps = config.check_steps()[: len(correct)]
    needed = config.target * n_checked - 1e-9
    hit = next((step for step, right in zip(steps, correct, strict=True) if right >= needed), None)
    ended = hit or steps[-1]
    seen = config.batch_size * ended
    dense = {"train": {"matmul_forward": {"fma": 6 * seen}, "sgd_update": {"fma": 9 * ended}}}
    passes = {"train": {"steps": ended, "images_forward": seen, "images_backward": seen}}
    if arm == "class-means":
        passes["pretrain"] = PASSES
        dense["pretrain"] = {"matmul_forward": {"fma": 50}}
        dense["data"] = {"class_sums": {"add": 300}, "divide_sums": {"div": 30}}
    ran = {**dense, "train": {"matmul_forward": {"mul": 2 * seen}, "sgd_update": {"fma": 9 * ended}}}
    values = {
        "config": {**config.to_record(2, 3), "article_pass": F},
        "dataset": {"name": "small", "sha256": {}, "n_test": 100, "n_features": 2, "n_classes": 3},
        "status": "budget" if hit is None else "reached",
        "reached": hit is not None,
        "steps_to_target": hit,
        "passes": passes,
        "counts": {"dense": dense, "executed": ran},
        "accuracy_after_pretrain": 0.8 if arm == "class-means" else None,
        "checks": [list(check) for check in zip(steps, correct, strict=True)],
        "images_seen": [config.batch_size * step for step in steps],
        "images_read": [60 if arm == "class-means" else config.batch_size * step for step in steps],
        "apart_correct": [right // 2 for right in correct],
        "n_checked": n_checked,
    }
    return record(arm, seed, **{**values, **changes})


def at_target_from(step, n_steps=BUDGET):
    """80 right of 100, 90 from this step on; None: never."""
    return [90 if step is not None and s >= step else 80 for s in range(1, n_steps + 1)]

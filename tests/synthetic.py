"""A data set small enough for plain Python: noisy copies of one pattern a class, as IDX files or in memory."""

from __future__ import annotations

import numpy as np

from nnlite.datasets import Dataset, load_dataset
from nnlite.experiment.config import RunConfig
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

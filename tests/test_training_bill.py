"""The bill of a whole run, phase by phase, against the closed form of its shapes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import reference

from nnlite import MLP, SGD, Adam, Momentum, Tally, class_means
from nnlite.kernels.ops import ACTIVATIONS
from nnlite.training import Checks, epochs, evaluate, train

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("plain_kernels")]

OPTIMIZERS = {"sgd": lambda: SGD(0.1), "momentum": lambda: Momentum(0.1), "adam": lambda: Adam(0.1)}


@pytest.mark.parametrize("hidden", [(), (4,), (4, 2)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_whole_run_costs_its_closed_form(name, activation, hidden):
    """Averages of 14 images, 2 epochs on the 3 averages, 9 real steps of 4 or 2 images, 3 checks, a last look."""
    sizes, update = (5, *hidden, 3), f"{name}_update"
    rng = np.random.default_rng(0)
    images, labels = rng.random((14, 5), np.float32), np.arange(14) % 3
    mlp, optimizer, tally = MLP(sizes, rng, activation), OPTIMIZERS[name](), Tally()

    means = class_means(images, labels, tally=tally)
    with tally.phase("pretrain"):
        train(mlp, optimizer, means, np.arange(3), epochs(np.arange(3), 3, 2, 0.1), tally=tally)
    checks = Checks(images[:6], labels[:6], np.array([1, 4, 9]), needed=7)
    # 14 images in batches of 4: 4 + 4 + 4 + 2 an epoch; nine steps are two epochs and one batch
    outcome = train(mlp, optimizer, images, labels, epochs(np.arange(14), 4, 9, 0.1, rng), checks, tally)
    evaluate(mlp, images, labels, tally, phase="report")

    def step(n):
        return reference.step_counts(sizes, activation, update, n)

    free = {"correct_count": Counter()}  # comparing and counting integers is free by convention
    dense = {
        "data": reference.means_counts(14, 5, 3),
        "pretrain": reference.added(step(3), step(3)),
        "train": reference.added(*(step(n) for n in (4, 4, 4, 2, 4, 4, 4, 2, 4))),
        "evaluate": reference.added(*(reference.check_counts(sizes, activation, 6) for _ in range(3))) | free,
        "report": reference.check_counts(sizes, activation, 14) | free,
    }
    executed = {phase: reference.executed(counts) for phase, counts in dense.items()}
    assert outcome.tally is tally
    assert tally.to_record() == {"dense": dense, "executed": executed}
    assert tally.passes() == {
        "pretrain": {"steps": 2, "images_forward": 6, "images_backward": 6},
        "train": {"steps": 9, "images_forward": 32, "images_backward": 32},  # 14 + 14 + 4
        "evaluate": {"steps": 0, "images_forward": 18, "images_backward": 0},
        "report": {"steps": 0, "images_forward": 14, "images_backward": 0},
    }
    weights = {"fma": 2}  # a multiply-add is two operations
    operations = {
        phase: sum(weights.get(kind, 1) * n for kinds in counts.values() for kind, n in kinds.items())
        for phase, counts in dense.items()
    }
    assert tally.total() == sum(operations.values()) - operations["report"]
    assert tally.total(executed=True) == tally.total()  # plain kernels skip nothing and fuse nothing


def test_a_step_on_ten_images_costs_ten_images_whatever_the_phase():
    mlp, tally = MLP((5, 4, 3), np.random.default_rng(0)), Tally()
    images, labels = np.zeros((10, 5), np.float32), np.zeros(10, np.int64)
    for phase in ("pretrain", "train"):
        with tally.phase(phase):
            train(mlp, SGD(0.1), images, labels, epochs(np.arange(10), 10, 1, 0.1), tally=tally)
    counts = tally.counts()
    assert counts["pretrain"] == counts["train"]

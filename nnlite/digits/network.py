"""The network that answers for own digits: trained on MNIST by a seed, in seconds, so that none need be shipped.

The same seed gives the same network on one machine. It knows no pictures and never prints.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..datasets import Dataset
from ..flops import Tally
from ..mlp import MLP
from ..optim import Adam
from ..training import count_scaling, epochs, evaluate, prepare_images, train

BATCH_SIZE, LEARNING_RATE = 64, 1e-3
N_EPOCHS, HIDDEN, SEED = 5, 128, 0  # 97.6% of the test images right


def train_network(
    data: Dataset,
    n_epochs: int = N_EPOCHS,
    hidden: int = HIDDEN,
    seed: int = SEED,
    tell: Callable[[int, float, Tally], None] = lambda epoch, accuracy, tally: None,
) -> tuple[MLP, Tally]:
    """Train a network with one hidden layer on the training images, by Adam.

    Parameters
    ----------
    data : Dataset
    n_epochs : int
        How often every training image is seen.
    hidden : int
        Units of the hidden layer.
    seed : int
        Draws the initial values and the order of the images.
    tell : function (epoch, accuracy on the test images, tally so far)
        Called after every epoch.

    Returns
    -------
    MLP, Tally
        The looks at the test images are in phase `report`: they only inform, and are in no total.
    """
    values, order = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    mlp = MLP((data.train_pixels.shape[1], hidden, data.n_classes), values)
    optimizer, tally = Adam(LEARNING_RATE), Tally()
    images = prepare_images([data.train_pixels], lambda: data.train_images)
    looked_at = prepare_images([data.test_pixels], lambda: data.test_images)
    if n_epochs:
        mlp.input_range = float(data.train_pixels.min() / 255), float(data.train_pixels.max() / 255)
    rows = np.arange(len(data.train_labels))
    with tally.phase("data"):
        count_scaling(images, rows, tally.kernel("scale_pixels"))
    with tally.phase("report"):
        count_scaling(looked_at, np.arange(len(data.test_labels)), tally.kernel("scale_pixels"))
    for epoch in range(1, n_epochs + 1):
        schedule = epochs(rows, BATCH_SIZE, -(-len(rows) // BATCH_SIZE), LEARNING_RATE, order)
        train(mlp, optimizer, images, data.train_labels, schedule, tally=tally)
        correct = evaluate(mlp, looked_at, data.test_labels, tally, "report")
        tell(epoch, correct / len(data.test_labels), tally)
    return mlp, tally

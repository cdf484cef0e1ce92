"""Records of both arms with costs that a reader can work out, for tests of figures."""

from __future__ import annotations

from nnlite.experiment.records import RunRecord
from nnlite.study.protocol import CLAIM

F = 785 * 128  # one forward pass, by the article's count
STEP = 64 * F + 2 * F  # 64 forward, one backward


def run(arm, seed, steps, config=CLAIM, reached=True, n_epochs=28):
    """A run of 64 images a step: 1,000 operations a step and 500,000 a look, counted; of a hundred images checked."""
    pretrained = arm == "class-means"
    counts = {
        "train": {"matmul_forward": {"add": 1000 * steps}},
        "evaluate": {"matmul_forward": {"add": 500_000 * steps}},
    }
    passes = {"train": {"steps": steps, "images_forward": 64 * steps, "images_backward": 64 * steps}}
    curve = [min(92, 50 + 40 * step // steps) for step in range(1, 13)]
    phase1 = [
        [epoch, 80 - 10 * abs(epoch - n_epochs // 2) // n_epochs, min(10, epoch)] for epoch in range(n_epochs + 1)
    ]
    if pretrained:
        counts |= {"data": {"class_sums": {"add": 300}}, "pretrain": {"matmul_forward": {"add": 200}}}
        passes["pretrain"] = {"steps": n_epochs, "images_forward": 10 * n_epochs, "images_backward": 10 * n_epochs}
    return RunRecord(
        arm=arm,
        seed=seed,
        config=config.to_record(784, 10),
        dataset={"name": "mnist", "sha256": {}, "n_features": 784, "n_classes": 10},
        status="reached" if reached else "budget",
        reached=reached,
        steps_to_target=steps if reached else None,
        pretrain_epochs=n_epochs if pretrained else 0,
        accuracy_after_pretrain=0.8 if pretrained else None,
        accuracy_at_stop=0.9,
        passes=passes,
        counts={"dense": counts, "executed": counts},
        checks=[[step, right] for step, right in enumerate(curve, 1)],
        images_seen=[64 * step for step in range(1, 13)],
        images_read=[64 * step for step in range(1, 13)],
        pretrain_checks=phase1 if pretrained else [],
        n_checked=100,
    )


def both_arms(scratch=(10, 10, 8), pretrained=(7, 8, 4)):
    return {
        "scratch": [run("scratch", seed, steps) for seed, steps in enumerate(scratch)],
        "class-means": [run("class-means", seed, steps) for seed, steps in enumerate(pretrained)],
    }

"""The independent check of the headlines prints the digits of the package, on made-up records and on the kept ones."""

from __future__ import annotations

import lzma
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made import record

from nnlite.closed_forms import step_counts
from nnlite.experiment.config import RunConfig
from nnlite.experiment.costs import ARTICLE, EVERY_OPERATION, cost_at_stop
from nnlite.experiment.records import paired
from nnlite.experiment.stats import compare
from nnlite.experiment.wording import brief
from nnlite.study.estimands import Curves, Goal, stable_ratio
from nnlite.study.parts import is_done, records_of

KEPT = Path(__file__).parents[1] / "data" / "runs"
SIZES = (4, 3, 2)
CLAIM = RunConfig(hidden_layer_sizes=(3,), batch_size=8, max_steps=40, pretrain_epochs=2, evaluate="full")
HONEST = replace(CLAIM, stop_on="validation", target=0.893)


def run(config, arm, seed, rng):
    """A run whose accuracy rises by 2% a step, its bill as the kernels would have counted it."""
    hit = int(rng.integers(18, 24)) - (6 if arm == "class-means" else 0)
    correct = [min(1000, 893 + 20 * (step - hit) + int(rng.integers(0, 20))) for step in range(1, 41)]
    stop = 1 + next(i for i, right in enumerate(correct) if right >= 1000 * config.target)
    read = [70 if arm == "class-means" else 8 * step for step in range(1, 41)]
    dense = {"data": {"scale_pixels": {"div": 4 * read[stop - 1]}}}
    passes = {"train": {"steps": stop, "images_forward": 8 * stop, "images_backward": 8 * stop}}
    dense["train"] = {
        name: {kind: stop * n for kind, n in kinds.items()}
        for name, kinds in step_counts(SIZES, "relu", "adam", n_images=8).items()
    }
    if arm == "class-means":
        dense["data"] |= {"class_sums": {"add": 280}, "divide_sums": {"div": 8}}
        dense["pretrain"] = {"matmul_forward": {"fma": 55}, "adam_update": {"sqrt": 7}}
        passes["pretrain"] = {"steps": 2, "images_forward": 20, "images_backward": 20}  # ten averages, two epochs
    return record(
        arm,
        seed,
        config=config.to_record(4, 2),
        dataset={"name": "small", "sha256": {}, "n_train": 6000, "n_test": 1000, "n_features": 4, "n_classes": 2},
        steps_to_target=stop,
        passes=passes,
        counts={"dense": dense, "executed": dense},
        checks=[[step, right] for step, right in enumerate(correct, 1)],
        images_seen=[8 * step for step in range(1, 41)],
        images_read=read,
        n_checked=1000,
    )


def printed_by_check(folder):
    command = [sys.executable, KEPT / "check.py", folder]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # not of nnlite
    found = subprocess.run(command, env=alone, capture_output=True, text=True, check=True, timeout=100)
    return found.stdout.splitlines()


def told(name, interval):
    return f"{name}: {brief(interval).replace(' (', ' (95% interval ')}"


def by_pairs(ours, theirs, bill):
    return compare(*([cost_at_stop(run, bill) for run in runs] for runs in paired(ours, theirs))).interval


def said_by_the_report(folder):
    """What the package itself finds in the same records."""

    def runs(part, arm, preset="article", rate=None):
        of_arm = (r for r in records_of(folder, part) if (r.arm, r.config["preset"]) == (arm, preset))
        return [r for r in of_arm if rate in (None, r.config["learning_rate"])]

    means, scratch = (runs("claim", arm) for arm in ("class-means", "scratch"))
    scratch_64 = runs("claim", "scratch", "article-64")
    found = {
        "claim": by_pairs(means, scratch, ARTICLE),
        "64 units": by_pairs(runs("claim", "class-means", "article-64"), scratch_64, ARTICLE),
        "rate x 2, no averages": by_pairs(runs("flags", "scratch", rate=2e-3), scratch, ARTICLE),
        "fresh batches": by_pairs(runs("controls", "fresh-batches"), scratch, EVERY_OPERATION),
    }
    for name, part in (("held-out", "honest"), ("tuned", "tuned")):
        arms = [Curves(group) for group in paired(runs(part, "class-means"), runs(part, "scratch"))]
        found[name] = stable_ratio(*arms, EVERY_OPERATION, Goal(Fraction(893, 1000))).as_reduction()
    return [told(name, interval) for name, interval in found.items()]


@pytest.mark.slow
def test_the_check_prints_the_digits_of_the_package(tmp_path):
    rng = np.random.default_rng(4)
    units_64 = replace(CLAIM, preset="article-64")
    parts = {
        "claim": [(CLAIM, "scratch"), (CLAIM, "class-means"), (units_64, "scratch"), (units_64, "class-means")],
        "flags": [(replace(CLAIM, learning_rate=2e-3), "scratch"), (replace(CLAIM, batch_size=16), "scratch")],
        "controls": [(CLAIM, "fresh-batches")],
        "honest": [(HONEST, "scratch"), (HONEST, "class-means")],
        "tuned": [(HONEST, "scratch"), (HONEST, "class-means")],
    }
    for name, asked in parts.items():
        seeds = rng.permutation(100).tolist()  # the order of the lines must not matter
        lines = [run(config, arm, seed, rng).to_line() for config, arm in asked for seed in seeds]
        (tmp_path / f"{name}.jsonl.xz").write_bytes(lzma.compress("".join(lines).encode(), preset=0))
    assert printed_by_check(tmp_path) == said_by_the_report(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not (is_done(KEPT, "claim") and is_done(KEPT, "honest")), reason="these parts are not kept yet")
def test_the_check_prints_the_digits_of_the_package_for_the_kept_records():
    assert printed_by_check(KEPT) == said_by_the_report(KEPT)

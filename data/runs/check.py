"""Recompute the headlines from the kept records, sharing no code with nnlite: python data/runs/check.py [FOLDER]

Under 60 lines of code. By the article's count, from configurations and checks alone: the claim cell, its 64 units and
twice the learning rate. By every operation that a record counted up to its stop: a control and the held-out and tuned
cells, those at the check from which the mean stays at the target, with the interval of 10,000 resamples of pairs.
"""

import json
import lzma
import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)


def runs(part, arm, preset="article", rate=None):
    """An arm's records of a part, by seed."""
    records = map(json.loads, lzma.decompress((folder / f"{part}.jsonl.xz").read_bytes()).splitlines())
    records = [r for r in records if r["arm"] == arm and r["config"]["preset"] == preset]
    return sorted((r for r in records if rate in (None, r["config"]["learning_rate"])), key=lambda r: r["seed"])


def article(run):
    """F (images + 2 steps) up to the first check at 90%; phase 1 shows ten averages and takes one step an epoch."""
    f = (run["dataset"]["n_features"] + 1) * run["config"]["hidden_layer_sizes"][0]
    f *= 2 if run["config"]["preset"] == "article-64" else 1
    step = next((step for step, correct in run["checks"] if 10 * correct >= 9 * run["n_checked"]), np.inf)
    epochs = run["config"]["pretrain_epochs"] if run["arm"] == "class-means" else 0
    return f * (epochs * (10 + 2) + step * (run["config"]["batch_size"] + 2))


def flop(kernels):
    """Every operation of some kernels, a multiply-add as two."""
    return sum(n * (1 + (kind == "fma")) for kinds in kernels.values() for kind, n in kinds.items())


def at_stop(run):
    """Every operation up to the stop; a miss costs infinity."""
    dense = run["counts"]["dense"]
    return sum(flop(dense.get(phase, {})) for phase in ("data", "pretrain", "train")) if run["reached"] else np.inf


def show(name, saved, low, high):
    if saved < 0:
        saved, low, high = -saved, -high, -low
        print(f"{name}: cost {saved:.1%} more (95% interval {low:.1%} to {high:.1%})")
    else:
        print(f"{name}: saved {saved:.1%} (95% interval {low:.1%} to {high:.1%})")


def show_pairs(name, ours, theirs, price):
    ratios = np.sort([price(one) / price(other) for one, other in zip(ours, theirs, strict=True)])
    show(name, 1 - (ratios[49] + ratios[50]) / 2, 1 - ratios[60], 1 - ratios[39])  # median; 61st and 40th of 100


def totals(arm, drawn):
    """All drawn runs' operations up to the check from which their mean stays at 89.3%; all steps cost the same."""
    correct, spent = np.array([[right for _, right in run["checks"]] for run in arm], float), []
    for run in arm:
        dense, step = run["counts"]["dense"], flop(run["counts"]["dense"]["train"]) // run["passes"]["train"]["steps"]
        made = {name: kinds for name, kinds in dense["data"].items() if name != "scale_pixels"}
        before, pixels = flop(made) + flop(dense.get("pretrain", {})), run["dataset"]["n_features"]
        spent.append(before + pixels * np.array(run["images_read"]) + step * np.array(run["checks"])[:, 0])
    below = drawn @ correct * 1000 < 893 * sum(run["n_checked"] for run in arm)
    first = below.shape[1] - below[:, ::-1].argmax(1)
    return (drawn @ np.array(spent, float))[np.arange(len(drawn)), first]


def show_means(name, ours, theirs):
    n = len(ours)
    numbers = np.random.default_rng(2023).integers(n, size=(10_000, n))
    drawn = np.vstack([np.ones(n), *(np.bincount(row, minlength=n) for row in numbers)])
    saved = 1 - totals(ours, drawn) / totals(theirs, drawn)
    show(name, saved[0], *np.sort(saved[1:])[[249, -250]])


for name, preset in (("claim", "article"), ("64 units", "article-64")):
    show_pairs(name, *(runs("claim", arm, preset) for arm in ("class-means", "scratch")), article)
show_pairs("rate x 2, no averages", runs("flags", "scratch", rate=2e-3), runs("claim", "scratch"), article)
show_pairs("fresh batches", runs("controls", "fresh-batches"), runs("claim", "scratch"), at_stop)
for name, part in (("held-out", "honest"), ("tuned", "tuned")):
    show_means(name, *(runs(part, arm) for arm in ("class-means", "scratch")))

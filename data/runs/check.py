"""Recompute both headlines from the kept records, sharing no code with nnlite: python data/runs/check.py [FOLDER]

30 lines of code. Claim cell: the article's accounting from configurations and checks alone. Honest cell: its ratio,
without the interval, from the operations that each record counted up to its own stop.
"""

import json
import lzma
import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)


def runs(part):
    """Each arm's records of 784-128-10, by seed."""
    records = map(json.loads, lzma.decompress((folder / f"{part}.jsonl.xz").read_bytes()).splitlines())
    records = sorted((r for r in records if r["config"]["preset"] == "article"), key=lambda r: r["seed"])
    return [[r for r in records if r["arm"] == arm] for arm in ("class-means", "scratch")]


def article(run):
    """F (images + 2 steps) up to the first check at 90%; phase 1 shows ten averages and takes one step an epoch."""
    f = (run["dataset"]["n_features"] + 1) * run["config"]["hidden_layer_sizes"][0]
    step = next((step for step, correct in run["checks"] if 10 * correct >= 9 * run["n_checked"]), np.inf)
    epochs = run["config"]["pretrain_epochs"] if run["arm"] == "class-means" else 0
    return f * (epochs * (10 + 2) + step * (run["config"]["batch_size"] + 2))


ratios = np.sort([article(ours) / article(theirs) for ours, theirs in zip(*runs("claim"), strict=True)])
saved = 1 - (ratios[49] + ratios[50]) / 2, 1 - ratios[60], 1 - ratios[39]  # median; 61st and 40th of 100
print("claim: saved {:.1%} (95% interval {:.1%} to {:.1%})".format(*saved))


def flop(kernels):
    """Every operation of some kernels, a multiply-add as two; but scaling, which grows with the images read."""
    return sum(n * (1 + (kind == "fma")) for k in kernels if k != "scale_pixels" for kind, n in kernels[k].items())


def spent(arm):
    """All runs' operations up to the check from which their mean stays at 89.3%; all steps cost the same."""
    correct = np.array([[right for _, right in run["checks"]] for run in arm])
    at = np.flatnonzero(correct.sum(0) * 1000 < 893 * sum(run["n_checked"] for run in arm))[-1] + 1
    total = 0
    for run in arm:
        dense, stop = run["counts"]["dense"], run["passes"]["train"]["steps"]
        total += flop(dense["data"]) + run["dataset"]["n_features"] * run["images_read"][at]
        total += flop(dense.get("pretrain", {})) + flop(dense["train"]) * run["checks"][at][0] // stop
    return total


print(f"honest: saved {1 - np.divide(*map(spent, runs('honest'))):.1%}")

"""Findings that a whole study might come to, with plausible numbers in every section; for reports and figures."""

from __future__ import annotations

import math

import numpy as np

from nnlite.experiment.config import EXPLANATORY
from nnlite.experiment.stats import Comparison, Interval, Verdict
from nnlite.study import cells, controls, targets, tuning
from nnlite.study.comparisons import Explanation
from nnlite.study.protocol import PARTS
from nnlite.study.resampling import Band
from nnlite.study.runs import Study

NAMES = [part.name for part in PARTS]
TESTED = Explanation(-0.32, -0.341, -0.306, 1.0, 1e-30, Interval(-0.32, -0.341, -0.306))
NEVER = Interval(-2.5, -math.inf, 0.4)


def comparison(low, middle, high, n=100, missed=(0, 0, 0)):
    return Comparison([low, *[middle] * (n - 2), high], Interval(middle, low, high), *missed)


def row(model="flop", word="direction only", **changes):
    values = {
        "counting": "dense",
        "scope": "bill and evaluation",
        "estimand": "E1",
        "target": 0.9,
        "n_pairs": 100,
        "missed": 0,
        "saved": Interval(0.19, 0.171, 0.213),
    }
    return {"model": model, "word": word, **values, **changes}


def cell(name="claim", word="direction only", saved=(0.2031, 0.2214, 0.2462), target=0.9, **changes):
    low, middle, high = saved
    values = {
        "dataset": "mnist",
        "target": target,
        "stop_on": "test",
        "n_pairs": 100,
        "seeds": (20000, 20099),
        "saved": Interval(middle, low, high),
        "estimand": "E1",
        "verdict": Verdict(word),
        "missed": 0,
        "first_hits": comparison(low, middle, high),
        "first_hit_steps": {"scratch": [121.0, 138.0, 153.0], "class-means": [93.0, 104.0, math.inf]},
        "stable_steps": {"scratch": 151, "class-means": 117},
        "after_pretrain": [0.79, 0.808, 0.81],
        "expected_costs": Interval(0.218, 0.2, 0.24),
        "sign_test_p": 3e-21,
        "article_rank": 93,
        "sensitivity": [
            row("article-2023", scope="training", estimand="E1 with 10 in a row", target=target),
            row("flop", estimand="E2, a look every 50 steps", target=target),
            row("flop", "costs more", counting="executed", scope="bill", saved=Interval(-0.042, -0.064, -0.01)),
            row("mac", counting="executed", scope="bill", target=target),
            row("flop", estimand="E1", scope="bill", target=target),
            row("article-2023", estimand="E2", scope="training", target=target, saved=Interval(0.199, 0.174, 0.24)),
            row("mac", scope="training", target=target + 0.003),
            row("distinct images", "no material saving", counting="passes", scope="bill", saved=NEVER, target=target),
        ],
        "depends_on_counting": [],
    }
    return {"name": name, **values, **changes}


def control(arm, outcome, saved=(-0.156, -0.123, -0.101), n=100):
    explained = outcome in ("explains", "worse", "open")
    return {
        "arm": arm,
        "n_pairs": n,
        "saved": comparison(*saved, n=n, missed=(2, 1, 1)),
        "saved_every_operation": comparison(*saved, n=n),
        "after_pretrain": None if arm == "warm-up" else 0.62,
        "explanation": Explanation(-0.32, -0.341, -0.306, 1.0, 1e-30, Interval(-0.32, -0.341, -0.306))
        if explained
        else None,
        "explains_p": 1.0 if explained else None,
        "worse_p": 8e-30 if explained else None,
        "outcome": outcome,
        "outcome_as_article": "worse" if explained else "",
    }


def setting(name, saved=(0.353, 0.371, 0.389)):
    row = {"name": name, "n_pairs": 100, "scratch_steps": 90.0}
    return {**row, "saved": comparison(*saved), "saved_every_operation": comparison(*saved)}


def target_row(target, share=1.0):
    interval = Interval(0.2, 0.18, 0.22) if share == 1 else None
    saved = Interval(33.0, 30.0, 36.0) if share == 1 else None
    row = {"target": target, "n_pairs": 100, "reached": {"scratch": share, "class-means": 1.0}, "scratch_steps": 138.2}
    return {**row, "steps_saved": saved, "saved": interval, "saved_every_operation": interval}


def plausible(**changes):
    """What a whole study might find, in every section."""
    values = {
        "claim": cell(),
        "claim_64": cell("claim (784-64-10)", saved=(0.13, 0.16, 0.18)),
        "honest": cell("honest", saved=(0.17, 0.19, 0.21), estimand="E2", target=0.893, stop_on="validation"),
        "controls": [
            control("class-means", "reference"),
            *(control(arm, "worse") for arm in EXPLANATORY[:-1]),
            control("adam-state", "open"),
        ],
        "flags": [setting("--learning-rate 2e-3"), setting("--batch-size 16")],
        "tuned": cell("tuned", "no material saving", saved=(-0.01, 0.004, 0.02)),
        "search": {
            "cell": cell("tuned", "no material saving", saved=(-0.01, 0.004, 0.02)),
            "winners": {
                "scratch": {"optimizer": "adam", "learning_rate": 0.00312, "batch_size": 10},
                "class-means": {"optimizer": "momentum", "learning_rate": 0.0412, "pretrain_epochs": 14},
            },
            "scores": {"scratch": [2e9, math.inf], "class-means": [1e9, 2e9]},
            "expected_best": {"scratch": [math.inf, 2e9], "class-means": [1.5e9, 1e9]},
            "search_cost": {"scratch": 1_234_567_890_123, "class-means": 2_000_000_000_000},
            "untuned": Interval(0.19, 0.17, 0.21),
        },
        "targets": [target_row(0.75), target_row(0.9), target_row(0.96, 0.93)],
        "prediction": {
            "targets": [0.85, 0.9],
            "head_start": 52.0,
            "steps_saved": [50.0, 31.0],
            "band": Band(np.array([-2.0, -21.0]), np.array([-4.0, -25.0]), np.array([0.0, -17.0]), 2.6),
            "outcome": "failed",
            "met_by_phase_1": [],
        },
        "descriptive": [
            control(arm, "descriptive", n=30) for arm in ("stretched-means", "averages-last", "first-layer")
        ],
        "settings": [setting("softmax regression", (-0.3, -0.25, -0.2)), setting("rate x 10", (-2.9, -2.5, -2.1))],
        "parts_done": ["claim", "honest", "controls", "flags", "tuning", "finals", "tuned", "descriptive", "settings"],
    }
    return {**values, **changes}


def study_of(found):
    """A study that was asked already, and found this."""
    study = Study({})
    study.parts = {name: [] for name in found.get("parts_done", [])}
    answers = {
        "controls": controls.controls,
        "descriptive": controls.descriptive,
        "flags": controls.flags,
        "settings": controls.settings,
        "targets": targets.at_targets,
        "prediction": targets.prediction,
        "search": tuning.search,
    }
    study.answers = {(question.__wrapped__, (), ()): found[key] for key, question in answers.items() if key in found}
    for key in ("claim", "claim_64", "honest", "tuned"):
        study.answers[cells.cell.__wrapped__, (key,), ()] = found.get(key)
    return study

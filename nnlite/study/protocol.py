"""The whole study as code: its parts, their configurations, arms and seeds; every constant was fixed before it ran.

data/runs/preregistration.md says the same in words, and why. A part is a list of blocks (a configuration, arms, seeds,
a data set); only the tuned comparison depends on what earlier parts found. `parts` runs them, `runs` reads them.
Nothing is run here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..experiment.config import EXPLANATORY, RunConfig
from ..experiment.costs import EVERY_OPERATION, cost_at_stop
from ..experiment.records import FAILED, RunRecord, paired
from .estimands import Curves, Goal, target_of

PILOT_SEEDS = range(10)
MAIN_SEEDS = range(20000, 20100)
FEW_SEEDS = range(20000, 20030)  # of descriptive arms and long runs
TUNING_SEEDS, FINAL_SEEDS = range(1000, 1003), range(1010, 1020)
DRAWING_SEED = 1999  # of the settings tried in tuning
CALIBRATION_SEEDS = range(1100, 1103)

HONEST_TARGET = 0.893
"""Validation accuracy at which the pilot's mean scratch curve passes 90% on test; frozen."""

FASHION_TARGET = 0.78
"""Where the pilot's mean scratch curve on Fashion-MNIST is at the step at which that on MNIST passes 90%; frozen."""

TARGETS = (0.75, 0.80, 0.85, 0.88, 0.90, 0.91, 0.92, 0.94, 0.95, 0.96)
"""Of the preset within 5 epochs."""

WIDE_TARGETS = (0.97, 0.98)
"""Of 784-512-10 within 20 epochs."""

EPOCH = 938  # steps of 64 of 60,000 images
TUNING_IMAGES = 60_000  # budget of a tuned run
N_DRAWS, N_FINALISTS = 64, 3

BOTH = ("scratch", "class-means")

CLAIM = RunConfig(evaluate="full", max_steps=500, count_apart="half")
CLAIM_64 = replace(CLAIM, preset="article-64", hidden_layer_sizes=(64,), count_apart="nothing")
HONEST = replace(CLAIM, stop_on="validation", target=HONEST_TARGET, count_apart="test")
CONTROLS = replace(CLAIM, max_steps=300, count_apart="nothing")
TWICE_THE_RATE = replace(CONTROLS, learning_rate=2e-3)
BATCH_16 = replace(CONTROLS, batch_size=16, max_steps=500)
EPOCHS_5 = replace(CLAIM, max_steps=5 * EPOCH, count_apart="nothing")
EPOCHS_20 = replace(EPOCHS_5, max_steps=20 * EPOCH)
WIDE = replace(EPOCHS_20, hidden_layer_sizes=(512,))
FASHION = replace(CLAIM, target=FASHION_TARGET, count_apart="nothing")

SETTINGS = {
    "7 epochs": replace(CONTROLS, pretrain_epochs=7),
    "14 epochs": replace(CONTROLS, pretrain_epochs=14),
    "56 epochs": replace(CONTROLS, pretrain_epochs=56),
    "200 epochs": replace(CONTROLS, pretrain_epochs=200),
    "softmax regression": replace(CONTROLS, hidden_layer_sizes=(), max_steps=2000),
    "32 hidden": replace(CONTROLS, hidden_layer_sizes=(32,), max_steps=500),
    "512 hidden": replace(CONTROLS, hidden_layer_sizes=(512,)),
    "two layers": replace(CONTROLS, hidden_layer_sizes=(128, 128)),
    "batch 16": BATCH_16,
    "batch 256": replace(CONTROLS, batch_size=256),
    "rate x 2": TWICE_THE_RATE,
    "rate x 4": replace(CONTROLS, learning_rate=4e-3),
    "rate x 10": replace(CONTROLS, learning_rate=1e-2),
}
"""One thing changed in the preset, both arms; descriptive."""

FLAGS = {"--learning-rate 2e-3": TWICE_THE_RATE, "--batch-size 16": BATCH_16}
"""What scratch may change instead of pretraining."""


@dataclass(frozen=True)
class Block:
    """Runs of one configuration: every arm with every seed."""

    config: RunConfig
    arms: tuple[str, ...]
    seeds: range
    dataset: str = "mnist"

    def runs(self) -> list[tuple[RunConfig, str, int]]:
        """List them, pair by pair."""
        return [(self.config, arm, seed) for seed in self.seeds for arm in self.arms]


Earlier = Callable[[str], Sequence[RunRecord]]
"""From a part's name to its records, where it was run before."""


@dataclass(frozen=True)
class Part:
    """A piece of the whole study that is run and kept by itself."""

    name: str
    sentence: str
    blocks: Callable[[Earlier], list[Block]]


def draws() -> list[tuple[RunConfig, RunConfig]]:
    """Draw the settings that tuning tries, the same for both arms: scratch's configuration and the pretrained arm's.

    Optimizer, learning rate (log-uniform over three decades), batch size and decay are shared; the pretrained arm adds
    how long phase 1 lasts and how its rate differs (log-uniform in 0.1 to 10).
    """
    rng = np.random.default_rng(DRAWING_SEED)
    highest = {"sgd": 1.0, "momentum": 0.3, "adam": 0.03}
    pairs = []
    for _ in range(N_DRAWS):
        optimizer = ("sgd", "momentum", "adam")[rng.integers(3)]
        rate = highest[optimizer] * 10 ** float(-3 * rng.random())
        batch_size = (10, 16, 32, 64, 128)[rng.integers(5)]
        decay = ("constant", "linear")[rng.integers(2)]
        epochs, factor = (7, 14, 28, 56)[rng.integers(4)], 10 ** float(2 * rng.random() - 1)
        scratch = replace(
            HONEST,
            optimizer=optimizer,
            learning_rate=float(f"{rate:.3g}"),  # as printed
            batch_size=batch_size,
            decay=decay,
            max_steps=-(-TUNING_IMAGES // batch_size),
            check_every="64 images",
            count_apart="nothing",
        )
        pairs.append((scratch, replace(scratch, pretrain_epochs=epochs, pretrain_rate_factor=float(f"{factor:.3g}"))))
    return pairs


def by_arm(arm: str) -> list[RunConfig]:
    """Return what tuning tries for an arm."""
    return [pair[0] if arm == "scratch" else pair[1] for pair in draws()]


def score(runs: Sequence[RunRecord]) -> float:
    """Return what tuning makes small: the mean cost of a setting's runs at their stable step, E2, every operation.

    Infinite where their mean never stays at the target, and without runs.
    """
    if not runs:
        return math.inf
    return statistics.fmean(Curves(runs).stable_costs(EVERY_OPERATION, Goal(target_of(runs[0]))))


def by_configuration(records: Iterable[RunRecord]) -> dict[tuple[RunConfig, str], list[RunRecord]]:
    """Sort runs by configuration and arm, by seed within; those that failed are left out."""
    found: dict[tuple[RunConfig, str], list[RunRecord]] = {}
    for run in sorted(records, key=lambda run: run.seed):
        if run.status != FAILED:
            found.setdefault((run.run_config, run.arm), []).append(run)
    return found


def best(arm: str, records: Sequence[RunRecord], n: int) -> list[RunConfig]:
    """Return an arm's n best settings, of those that were run; equals in the order in which they were drawn."""
    return ranked(by_arm(arm), arm, records, score)[:n]


def ranked(
    drawn: Sequence[RunConfig],
    arm: str,
    records: Iterable[RunRecord],
    score_of: Callable[[Sequence[RunRecord]], float],
) -> list[RunConfig]:
    """Return the drawn settings that an arm was run with, the smallest score first; equals as they were drawn."""
    runs = by_configuration(records)
    scores = {config: score_of(runs[config, arm]) for config in drawn if (config, arm) in runs}
    return sorted(scores, key=scores.__getitem__)


def ratio_sd(treated: Sequence[RunRecord], scratch: Sequence[RunRecord]) -> float:
    """Return the standard deviation over seeds of the ratio of both arms' costs, each run at its own stop.

    Pairs in which a run missed are left out: the number only plans how many pairs are enough.
    """
    costs = [[cost_at_stop(run, EVERY_OPERATION) for run in runs] for runs in paired(treated, scratch)]
    ratios = [ours / plain for ours, plain in zip(*costs, strict=True) if max(ours, plain) < math.inf]
    return statistics.stdev(ratios) if len(ratios) > 1 else math.inf


def n_tuned(paired_ratio_sd: float) -> int:
    """Return how many pairs the tuned comparison needs for an interval 0.05 wide: ceil((2 1.96 1.2533 SD / 0.05)^2).

    At least the 100 of everything else and at most the 400 main seeds. 1.2533 = sqrt(pi / 2) is the standard error of a
    median over that of a mean, for normal values.

    Examples
    --------
    >>> n_tuned(0.12), n_tuned(0.01)
    (140, 100)
    """
    return max(100, math.ceil(min(400.0, (2 * 1.96 * 1.2533 * paired_ratio_sd / 0.05) ** 2)))


def calibration() -> list[RunConfig]:
    """List the settings scanned for the article's own 214, 145 and 80%; exploratory, never the source of a preset."""
    rates = {
        "adam": (3e-4, 4e-4, 5e-4, 6e-4, 8e-4, 1e-3, 2e-3),
        "sgd": (0.05, 0.1, 0.15, 0.2, 0.3, 0.5),
        "momentum": (0.005, 0.01, 0.02, 0.05),
    }
    presets = {(128,): "article", (64,): "article-64"}
    return [
        replace(CONTROLS, preset=preset, hidden_layer_sizes=hidden, optimizer=optimizer, learning_rate=rate)
        for hidden, preset in presets.items()
        for optimizer in rates
        for rate in rates[optimizer]
    ]


def fixed(*blocks: Block) -> Callable[[Earlier], list[Block]]:
    """Return the blocks of a part that no earlier one decides."""
    return lambda earlier: list(blocks)


def _finals(earlier: Earlier) -> list[Block]:
    tuning = earlier("tuning")
    return [Block(config, (arm,), FINAL_SEEDS) for arm in BOTH for config in best(arm, tuning, N_FINALISTS)]


def _tuned(earlier: Earlier) -> list[Block]:
    finals = earlier("finals")
    winners = {arm: best(arm, finals, 1)[0] for arm in BOTH}
    runs = by_configuration(finals)
    scratch, treated = (runs[winners[arm], arm] for arm in BOTH)
    seeds = range(MAIN_SEEDS.start, MAIN_SEEDS.start + n_tuned(ratio_sd(treated, scratch)))
    return [Block(winners[arm], (arm,), seeds) for arm in BOTH]


DESCRIPTIVE = (
    "k-means-2",
    "k-means-5",
    "k-means-10",
    "means-100",
    "means-1000",
    "stream-means",
    "global-mean",
    "noise",
    "stretched-means",
    "averages-last",
    "mixed",
    "reset-optimizer",
    "first-layer",
    "output-layer",
)
"""The registered arms that only describe; one that is added later belongs to no part."""

PARTS = (
    Part(
        "pilot",
        "what froze the held-out cell's and Fashion's targets",
        fixed(
            Block(HONEST, BOTH, PILOT_SEEDS),
            Block(FASHION, ("scratch",), PILOT_SEEDS, "fashion-mnist"),
        ),
    ),
    Part(
        "claim",
        "the claim cell: the article's accounting and stop",
        fixed(Block(CLAIM, BOTH, MAIN_SEEDS), Block(CLAIM_64, BOTH, MAIN_SEEDS)),
    ),
    Part("honest", "the held-out cell: stop on validation, every operation", fixed(Block(HONEST, BOTH, MAIN_SEEDS))),
    Part("controls", "the eight explanatory controls", fixed(Block(CONTROLS, EXPLANATORY, MAIN_SEEDS))),
    Part(
        "flags",
        "what one flag saves without pretraining",
        fixed(*(Block(config, ("scratch",), MAIN_SEEDS) for config in FLAGS.values())),
    ),
    Part(
        "tuning",
        "64 settings for each arm",
        lambda earlier: [Block(c, (arm,), TUNING_SEEDS) for arm in BOTH for c in by_arm(arm)],
    ),
    Part("finals", "the three best settings of each arm on fresh seeds", _finals),
    Part("tuned", "tuned against tuned", _tuned),
    Part("epochs-5", "targets up to 96%, and equal steps", fixed(Block(EPOCHS_5, BOTH, MAIN_SEEDS))),
    Part("fashion", "the claim cell on Fashion-MNIST", fixed(Block(FASHION, BOTH, MAIN_SEEDS, "fashion-mnist"))),
    Part("descriptive", "the other arms", fixed(Block(CONTROLS, DESCRIPTIVE, FEW_SEEDS))),
    Part(
        "settings",
        "one thing changed in both arms",
        fixed(
            *(
                # Scratch knows no epochs of phase 1, and part flags has it for two of the settings.
                Block(config, ("class-means",) if "epochs" in name or config in FLAGS.values() else BOTH, FEW_SEEDS)
                for name, config in SETTINGS.items()
            )
        ),
    ),
    Part("epochs-20", "equal steps after 20 epochs", fixed(Block(EPOCHS_20, BOTH, FEW_SEEDS))),
    Part(
        "calibration",
        "which settings give the article's 214, 145 and 80%",
        fixed(*(Block(config, BOTH, CALIBRATION_SEEDS) for config in calibration())),
    ),
    Part("wide", "784-512-10 up to 98%", fixed(Block(WIDE, BOTH, FEW_SEEDS))),
)
"""In the order in which they are run: what decides first."""

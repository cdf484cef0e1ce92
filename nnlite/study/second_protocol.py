"""The second registration as code: seven parts more, their configurations, arms and seeds, fixed before they ran.

data/runs/second-registration.md says the same in words, and why. Runs stop at their first hit where nothing but that is
asked of them; a decision is exact, so that its stop is that of the whole curve. Nothing is run here.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..experiment.config import RunConfig
from ..experiment.costs import EVERY_OPERATION, cost_at_stop
from ..experiment.records import RunRecord
from .estimands import Curves, Goal, target_of
from .protocol import BOTH, HONEST_TARGET, PARTS, TUNING_IMAGES, Block, Earlier, Part, fixed, ranked

GAIN_SEEDS = range(40000, 40020)
PAIR_SEEDS = range(41000, 41100)
FEW_PAIR_SEEDS = range(41000, 41010)
PHASE_1_SEEDS, PHASE_1_FINAL_SEEDS = range(50000, 50003), range(50010, 50020)
SETTLING_SEEDS = range(51000, 51150)
PHASE_1_DRAWING_SEED = 69999

GAINS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Output weights of the closed-form start that are tried."""

SHOWN_GAINS = (4.0, 8.0, 16.0)
"""At which every start is run, beside those that were chosen."""

STARTS = {
    "closed-form": "the averages",
    "closed-form-global-mean": "the global mean ten times",
    "closed-form-pixels": "averages with shuffled pixels",
    "closed-form-noise": "noise",
    "closed-form-wrong-labels": "averages under wrong labels",
    "closed-form-exemplar": "one image a class",
}
"""Images in the closed-form start."""

CHOSEN = ("closed-form", "closed-form-global-mean")
"""Starts that have a gain chosen for them, each its own."""

DECIDED = RunConfig(max_steps=1000)
HELD_OUT = replace(DECIDED, stop_on="validation", target=HONEST_TARGET)
UNITS_64 = replace(DECIDED, preset="article-64", hidden_layer_sizes=(64,))

COUNTED = ("class-means", "means-100", "stream-means")
"""Averages of all images, of 100 a class, of the first 9,600 that training sees anyhow."""

NEAREST = {
    "128, Adam 6e-4": replace(DECIDED, learning_rate=6e-4),
    "128, Adam 6e-4, phase 1 at 9e-4": replace(DECIDED, learning_rate=6e-4, pretrain_rate_factor=1.5),
    "64, Adam 8e-4": replace(UNITS_64, learning_rate=8e-4),
    "64, Adam 8e-4, phase 1 at 1.6e-3": replace(UNITS_64, learning_rate=8e-4, pretrain_rate_factor=2.0),
    "128, Adam 1e-3, phase 1 to 80%": replace(DECIDED, preset="article-80", pretrain_epochs=0, pretrain_target=0.80),
}
"""Settings that a pilot saw near the article's numbers, and its 80% taken at its word; 100 pairs each."""

_INITIALIZERS = ("fan_in_uniform", "glorot_uniform", "he_normal", "normal_0.01")
_INPUTS = {"unit": "0 to 1", "bytes": "0 to 255", "standardised": "standardised"}
_RATES = {"sgd": (0.05, 0.1, 0.15, 0.2, 0.3, 0.5), "momentum": (0.005, 0.01, 0.02, 0.05)}

SCANNED = {
    **{
        f"{start}, pixels {words}": replace(DECIDED, initializer=start, inputs=inputs)
        for start in _INITIALIZERS
        for inputs, words in _INPUTS.items()
    },
    **{
        f"{sum(base.hidden_layer_sizes)}, {optimizer} {rate:g}": replace(base, optimizer=optimizer, learning_rate=rate)
        for base in (DECIDED, UNITS_64)
        for optimizer, rates in _RATES.items()
        for rate in rates
    },
}
"""Other settings of one thing or two; ten pairs each."""

N_PHASE_1_DRAWS, N_PHASE_1_FINALISTS = 32, 3

TUNED_BASE = replace(
    HELD_OUT,
    evaluate="full",
    learning_rate=0.0084,
    batch_size=32,
    decay="linear",
    max_steps=-(-TUNING_IMAGES // 32),
    check_every="64 images",
)
"""The first study's winner: the same for both arms."""

FIRST_WINNER = replace(TUNED_BASE, pretrain_epochs=14, pretrain_rate_factor=1.12)
"""What the first study's search gave the pretrained arm."""

SETTLED_LOOKS = 3
"""Looks in a row at the target that end a tuned run, E3; the last of them counts."""


def phase_1_draws() -> list[RunConfig]:
    """Draw what phase 1 may be before the tuned base: epochs and rate factor, in the first registration's ranges.

    The first study's own winner comes last, without being drawn.
    """
    rng = np.random.default_rng(PHASE_1_DRAWING_SEED)
    drawn = []
    for _ in range(N_PHASE_1_DRAWS):
        n_epochs, factor = (7, 14, 28, 56)[rng.integers(4)], 10 ** float(2 * rng.random() - 1)
        drawn.append(replace(TUNED_BASE, pretrain_epochs=n_epochs, pretrain_rate_factor=float(f"{factor:.3g}")))
    return [*drawn, FIRST_WINNER]


def settled_goal(record: RunRecord) -> Goal:
    """Return what ends a run in the settled comparison: its own target at three looks in a row."""
    return Goal(target_of(record), in_a_row=SETTLED_LOOKS)


def settled_score(runs: Sequence[RunRecord]) -> float:
    """Return what the search over phase 1 makes small: the mean cost at E3, every operation; infinite with a miss."""
    return float(Curves(runs).first_costs(EVERY_OPERATION, settled_goal(runs[0])).mean())


def best_phase_1(records: Sequence[RunRecord], n: int) -> list[RunConfig]:
    """Return the n best of the drawn settings that were run; equals in the order in which they were drawn."""
    return ranked(phase_1_draws(), "class-means", records, settled_score)[:n]


def chosen_gain(arm: str, records: Sequence[RunRecord]) -> float:
    """Return the gain at which a start's median run costs least, every operation; the smaller of equals."""
    return ranked([with_gain(gain) for gain in GAINS], arm, records, _median_cost)[0].closed_form_gain


def _median_cost(runs: Sequence[RunRecord]) -> float:
    return statistics.median(cost_at_stop(run, EVERY_OPERATION) for run in runs)


def shown_gains(records: Sequence[RunRecord]) -> list[float]:
    """Return the gains at which all starts are run, rising, from the runs that choose."""
    return sorted({*SHOWN_GAINS, *(chosen_gain(arm, records) for arm in CHOSEN)})


def with_gain(gain: float) -> RunConfig:
    """Return the configuration of a closed-form start of this size."""
    return replace(DECIDED, closed_form_gain=gain)


def _start_images(earlier: Earlier) -> list[Block]:
    gains = shown_gains(earlier("start-gains"))
    blocks = [Block(with_gain(gain), tuple(STARTS), PAIR_SEEDS) for gain in gains]
    return [Block(DECIDED, BOTH, PAIR_SEEDS), *blocks]


def _tuning(earlier: Earlier) -> list[Block]:
    return [Block(config, ("class-means",), PHASE_1_SEEDS) for config in phase_1_draws()]


def _finals(earlier: Earlier) -> list[Block]:
    best = best_phase_1(earlier("tuning-2"), N_PHASE_1_FINALISTS)
    return [Block(config, ("class-means",), PHASE_1_FINAL_SEEDS) for config in best]


def _tuned(earlier: Earlier) -> list[Block]:
    (winner,) = best_phase_1(earlier("finals-2"), 1)
    return [Block(TUNED_BASE, ("scratch",), SETTLING_SEEDS), Block(winner, ("class-means",), SETTLING_SEEDS)]


SECOND_PARTS = (
    Part(
        "start-gains",
        "the closed-form start's size, chosen on seeds of its own",
        fixed(
            *(Block(with_gain(gain), CHOSEN, GAIN_SEEDS) for gain in GAINS),
            Block(DECIDED, ("scratch",), GAIN_SEEDS),
        ),
    ),
    Part("start-images", "other images in the closed-form start", _start_images),
    Part(
        "counting",
        "averages of fewer images, counted two ways",
        # Scratch and class-means of the test set's stop are those of part start-images.
        fixed(Block(DECIDED, COUNTED[1:], PAIR_SEEDS), Block(HELD_OUT, ("scratch", *COUNTED), PAIR_SEEDS)),
    ),
    Part(
        "regime",
        "settings near the article's 214, 80% and 145",
        fixed(
            *(Block(config, BOTH, PAIR_SEEDS) for config in NEAREST.values()),
            # The preset itself is in part start-images.
            *(Block(config, BOTH, FEW_PAIR_SEEDS) for config in SCANNED.values() if config != DECIDED),
        ),
    ),
    Part("tuning-2", "32 draws of phase 1 on the tuned winner's settings", _tuning),
    Part("finals-2", "the three best of them on fresh seeds", _finals),
    Part("tuned-2", "tuned against tuned, settled", _tuned),
)
"""In the order in which they are run."""

ALL_PARTS = (*PARTS, *SECOND_PARTS)
"""Of both registrations."""

"""What is run: the configuration of a run, which pairs are run, and the presets.

`RunConfig` holds everything that can change the outcome of a run, and nothing else; `PairSettings` says which runs and
where. Both are checked here, once, in the words of the command line. A configuration never crosses into a kernel.
"""

from __future__ import annotations

import difflib
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any

from ..kernels import fast_kernels, ops
from .article import article_pass

ARMS = {
    "scratch": "no pretraining: the baseline of every comparison",
    "class-means": "pretrained on the average image of each class, as the article does",
    "fresh-batches": "28 batches of ten real images, one a class, new ones every step",
    "exemplar": "one fixed real image of each class, drawn at random",
    "medoid": "the real image nearest to each class average",
    "means-10": "averages of only ten images of each class",
    "closed-form": "starts as the nearest-average classifier, by a formula, no steps in phase 1",
    "permuted": "the class averages under wrong labels",
    "warm-up": "no averages: the learning rate rises over the first 28 real steps",
    "adam-state": "class averages, then the weights put back: only Adam's moments stay",
    "k-means-2": "two centres of every class by k-means",
    "k-means-5": "five centres of every class by k-means",
    "k-means-10": "ten centres of every class by k-means",
    "means-100": "averages of 100 images of each class",
    "means-1000": "averages of 1,000 images of each class",
    "stream-means": "averages of the first 9,600 images that training will see anyhow",
    "global-mean": "the average of all images, once under every label",
    "noise": "noise with the mean and the variance of each class average",
    "stretched-means": "class averages stretched to the norm of real digits",
    "averages-last": "class averages after real step 100 instead of before the first",
    "mixed": "class averages added to the first 28 real batches, no phase of their own",
    "reset-optimizer": "class averages, then a new optimizer",
    "first-layer": "class averages, then all but the first layer put back",
    "output-layer": "class averages, then all but the output layer put back",
    "closed-form-global-mean": "the closed-form start from the average of all images, once under every label",
    "closed-form-pixels": "the closed-form start from class averages, the pixels of each shuffled",
    "closed-form-noise": "the closed-form start from noise with the mean and the variance of each class average",
    "closed-form-wrong-labels": "the closed-form start from class averages under wrong labels",
    "closed-form-exemplar": "the closed-form start from one real image of each class, drawn at random",
}
"""Every arm's name, with a sentence for people; what each does is in `arms`."""

BASELINE, TREATMENT = "scratch", "class-means"
"""The two arms of the claim; every other arm is compared with the first."""

EXPLANATORY = (
    "fresh-batches",
    "exemplar",
    "medoid",
    "means-10",
    "closed-form",
    "permuted",
    "warm-up",
    "adam-state",
)
"""The controls that may explain a saving of the class averages; all others describe."""

ARM_WORDS = {"averages": "class-means", "average-images": "class-means", "means": "class-means", "baseline": "scratch"}
"""Words that people use for an arm; a message names the arm."""

OPTIMIZERS = ("adam", "sgd", "momentum")
ACTIVATIONS = tuple(ops.ACTIVATIONS)
INITIALIZERS = ("fan_in_uniform", "he_normal", "glorot_uniform", "normal_0.01")
INPUTS = ("unit", "bytes", "standardised")
STOP_ON = ("test", "validation")
EVALUATE = ("decide", "full")
DECAY = ("constant", "linear")
CHECK_EVERY = ("step", "64 images")
COUNT_APART = ("nothing", "half", "test")
EXECUTORS = ("threads", "processes", "dask", "dask:ADDRESS")

PRETRAIN_EPOCHS_LIMIT = 200  # of --pretrain-target: ten times what the averages need to be learnt
MAX_IMAGES = 1 << 24  # a run may see, repeats included: 280 epochs of MNIST
MIN_RATE, MAX_RATE = 2.0**-100, 2.0**127  # float32 holds both, and what a decay over ten million steps leaves of them
EVERY_STEP_UNTIL = 500  # full evaluations: after every step up to here, then on a grid that grows by 1%
GRID_IMAGES = 64  # of CHECK_EVERY: the grid in units of so many images, whatever the batch size


class ConfigError(ValueError):
    """An option that cannot be: names the option, its value and what is allowed."""


class DataError(ValueError):
    """Data that cannot be read, or that a study cannot use: one class alone, too few images for an arm ..."""


@dataclass(frozen=True)
class RunConfig:
    """All that can change the outcome of a run but its arm, its seed and its data."""

    preset: str = "article"  # decides how the article would count a forward pass, nothing else
    hidden_layer_sizes: tuple[int, ...] = (128,)  # units; 785 x 128 is the article's forward pass
    activation: str = "relu"  # of every hidden layer
    initializer: str = "fan_in_uniform"  # of weights and biases: 80.0% after 28 epochs, as the article says
    optimizer: str = "adam"  # its state is kept between pretraining and training
    learning_rate: float = 1e-3  # the same in both phases
    batch_size: int = 64  # images a step, the article's
    pretrain_epochs: int = 28  # passes over the arm's own images, the article's; 0 with a target
    pretrain_target: float | None = None  # share of right answers that ends pretraining instead
    target: float = 0.90  # share of right answers that ends training, the article's
    stop_on: str = "test"  # whose right answers; the article's are the test set's
    max_steps: int = 2000  # steps on real images; a run that needs more is a miss
    evaluate: str = "decide"  # stop at the first hit, or full evaluations on a fixed grid to max_steps
    decay: str = "constant"  # of the learning rate over max_steps: none, or linear to 0
    pretrain_rate_factor: float = 1.0  # learning rate of phase 1 / learning rate of training
    check_every: str = "step"  # unit of the grid of full evaluations
    count_apart: str = "nothing"  # at full evaluations: right answers in a random half of the test set, or in all of it
    inputs: str = "unit"  # pixels from 0 to 1, bytes from 0 to 255, or less their mean and divided by their deviation
    closed_form_gain: float = 8.0  # output weight of the closed-form start: the best of 0.5 .. 32 on the pilot's seeds

    def __post_init__(self) -> None:
        if len(self.hidden_layer_sizes) > 8 or not all(1 <= size <= 8192 for size in self.hidden_layer_sizes):
            given = ",".join(map(str, self.hidden_layer_sizes))
            raise ConfigError(
                f"--hidden {given}: must be none, or 1 to 8 layers of 1 to 8192 units, like 128 or 128,64"
            )
        _choice("activation", self.activation, ACTIVATIONS)
        _choice("initializer", self.initializer, INITIALIZERS)
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        _choice("stop-on", self.stop_on, STOP_ON)
        _choice("evaluate", self.evaluate, EVALUATE)
        _choice("decay", self.decay, DECAY)
        _choice("check-every", self.check_every, CHECK_EVERY)
        _choice("count-apart", self.count_apart, COUNT_APART)
        _choice("inputs", self.inputs, INPUTS)
        _rate("learning-rate", self.learning_rate, 1)
        _rate("pretrain-rate-factor", self.pretrain_rate_factor, self.learning_rate)
        if not 0 < self.closed_form_gain < math.inf:
            raise ConfigError(f"--closed-form-gain {self.closed_form_gain:g}: must be above 0 and finite")
        _whole("batch-size", self.batch_size, 1, 1 << 20)
        _whole("pretrain-epochs", self.pretrain_epochs, 0, 1_000_000)
        _whole("max-steps", self.max_steps, 1, 10_000_000)
        if self.max_steps * self.batch_size > MAX_IMAGES:  # a run's whole order of images is drawn before it begins
            most = MAX_IMAGES // self.batch_size
            raise ConfigError(f"--max-steps {self.max_steps}: must be 1 to {most} with {self.batch_size} images a step")
        _share("target", self.target)
        if self.pretrain_target is not None:
            _share("pretrain-target", self.pretrain_target)

    def article_pass(self, n_features: int, n_classes: int) -> int:
        """Return F, one forward pass of one image as the article counts it."""
        return article_pass((n_features, *self.hidden_layer_sizes, n_classes), self.preset)

    def check_steps(self) -> list[int]:
        """List the steps after which accuracy is looked at, rising, the last step of the budget included.

        `decide` looks after every step; `full` after every step up to 500, then on a grid that grows by 1%. A grid of
        images, whatever the batch size, looks after the first step at or past every point x 64 images.
        """
        if self.evaluate == "decide":
            return list(range(1, self.max_steps + 1))
        if self.check_every == "step":
            return grid(self.max_steps)
        n_points = -(-self.max_steps * self.batch_size // GRID_IMAGES)
        steps = {-(-point * GRID_IMAGES // self.batch_size) for point in grid(n_points)}
        return [*sorted(step for step in steps if step < self.max_steps), self.max_steps]

    def to_record(self, n_features: int, n_classes: int) -> dict[str, Any]:
        """Return the configuration as it stands in a record, with F, so that a record can be priced alone."""
        return {
            **asdict(self),
            "hidden_layer_sizes": list(self.hidden_layer_sizes),
            "article_pass": self.article_pass(n_features, n_classes),
            "kernels": "fast" if fast_kernels() else "plain",  # they round differently
        }

    @classmethod
    def from_record(cls, config: Mapping[str, Any]) -> RunConfig:
        """Rebuild a configuration from a record; ConfigError where its fields are not those of `to_record`."""
        config, names = with_added_fields(config), {field.name for field in fields(cls)}
        differing = sorted(set(config) ^ {*names, "article_pass", "kernels"})
        if differing:
            raise ConfigError(f"of another version: fields of its configuration differ: {', '.join(differing)}")
        values = {name: config[name] for name in names}
        return cls(**{**values, "hidden_layer_sizes": tuple(values["hidden_layer_sizes"])})


ADDED_FIELDS = {"inputs": "unit", "closed_form_gain": 8.0}
"""Fields of a configuration that the first records lack, and what held when those were made."""


def with_added_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a record with the fields that were added after it was made."""
    return {**ADDED_FIELDS, **config}


def grid(last: int) -> list[int]:
    """List 1, 2, 3, ... 500, then points that grow by 1%, rounded up, and the last.

    Examples
    --------
    >>> grid(3), grid(515)[-4:]
    ([1, 2, 3], [500, 505, 511, 515])
    """
    points = list(range(1, min(EVERY_STEP_UNTIL, last) + 1))
    point = Fraction(EVERY_STEP_UNTIL)  # exact: 500 x 1.01^k, rounded up
    while points[-1] < last:
        point *= Fraction(101, 100)
        points.append(min(last, math.ceil(point)))
    return points


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class PairSettings:
    """Which runs, and where they go; nothing here changes what a run does."""

    arms: tuple[str, ...] = (BASELINE, TREATMENT)
    seeds: int = 20  # pairs: as many as the verdict needs
    first_seed: int = 0
    workers: int = 2  # runs at a time
    executor: str = "threads"  # share one copy of the data; processes survive a worker that dies; dask is a cluster

    def __post_init__(self) -> None:
        _whole("seeds", self.seeds, 1, 1_000_000)
        _whole("first-seed", self.first_seed, 0, 1 << 62)
        _whole("workers", self.workers, 1, 1024)
        if not self.executor.startswith("dask:"):
            _choice("executor", self.executor, EXECUTORS)
        if not self.arms or len(set(self.arms)) < len(self.arms):
            raise ConfigError(f"--arms {','.join(self.arms)}: must name at least one arm, each once")

    def runs(self) -> list[tuple[str, int]]:
        """List every (arm, seed), pair by pair."""
        return [(arm, self.first_seed + i) for i in range(self.seeds) for arm in self.arms]


PRESETS: dict[str, dict[str, Any]] = {
    "article": {},
    "article-64": {"hidden_layer_sizes": (64,)},
    "article-80": {"pretrain_epochs": 0, "pretrain_target": 0.80},
}
"""What each preset changes in `RunConfig`: the plainer reading of the article's arithmetic, the other one, and
pretraining to the article's 80% instead of for its 28 epochs."""


def preset_config(preset: str, changes: Mapping[str, Any]) -> RunConfig:
    """Return a preset with some fields changed.

    Raises
    ------
    ConfigError
        An unknown preset, or a value that cannot be.
    """
    _choice("preset", preset, tuple(PRESETS))
    values = {**PRESETS[preset], **changes}
    if changes.get("pretrain_target") is not None:
        values["pretrain_epochs"] = 0
    elif "pretrain_epochs" in changes:
        values["pretrain_target"] = None
    return RunConfig(preset=preset, **values)


def unknown(option: str, value: str, known: Sequence[str], where: str = "") -> ConfigError:
    """Return the error for a name that does not exist, with the nearest that does."""
    words = {**{word: arm for word, arm in ARM_WORDS.items() if arm in known}, **{name: name for name in known}}
    close = difflib.get_close_matches(value, words, n=1)
    hint = f"did you mean {words[close[0]]}?" if close else f"there are {', '.join(known)}"
    return ConfigError(f"--{option} {value}: unknown; {hint}{where}")


def _choice(option: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise unknown(option, value, choices)


def _whole(option: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigError(f"--{option} {value}: must be {low} to {high}")


def _rate(option: str, value: float, times: float) -> None:
    """Refuse a learning rate, value x times, that float32, in which studies compute, rounds to 0 or infinity."""
    if sys.float_info.max < value < math.inf:  # a whole number, from Python
        raise ConfigError(f"--{option}: must be at most {MAX_RATE:.1e}, found a number of over 300 digits")
    if not 0 < value < math.inf:
        raise ConfigError(f"--{option} {value:g}: must be above 0 and finite")
    if not MIN_RATE <= value * times <= MAX_RATE:
        allowed = f"{MIN_RATE:.1e} to {MAX_RATE:.1e}, or float32 rounds it to 0 or to infinity"
        raise ConfigError(f"--{option} {value:g}: must give a learning rate from {allowed}")


def _share(option: str, value: float) -> None:
    if not 0 < value <= 1:
        raise ConfigError(f"--{option} {value:g}: must be above 0 and at most 1, like 0.9 for 90%")

"""What a run had spent at any of its checks, exactly, from its record alone.

Place in the data path: records of full evaluations -> costs at their checks -> curves, statistics, figures. A record's
bill is closed at its stop; other targets are asked of other checks. Dense counts are closed forms of the shapes: so the
bill of training is so much an image and so much a step, and the rest is paid once. `agrees_at_stop` holds that against
what the kernels counted. Left out: executed counts at checks, which depend on the images; training; ratios (`stats`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..closed_forms import Kernels, evaluation_counts, scaling_counts, step_counts
from ..flops import COST_MODELS, total
from .config import with_added_fields
from .records import RunRecord
from .stats import Comparison, compare

PHASES = ("data", "pretrain", "train", "evaluate")
"""What can be billed; `report` is in no total."""

WHOLE_BILL = ("data", "pretrain", "train")
"""Every operation that a run needs to get to the target, less the looks that tell it is there."""

SCOPES = {
    "training": ("pretrain", "train"),
    "bill": WHOLE_BILL,
    "bill and evaluation": (*WHOLE_BILL, "evaluate"),
}
"""Which phases a comparison adds up, by name."""

Ints = npt.NDArray[np.int64]


class Bill(NamedTuple):
    """What a comparison counts, and which phases it adds up."""

    model: str  # a name in `flops.COST_MODELS` or in `MEASURES`, dense
    scope: str  # a name in `SCOPES`

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases of its scope."""
        return SCOPES[self.scope]


ARTICLE = Bill("article-2023", "training")
"""The claim cell's bill: what the article counts."""

EVERY_OPERATION = Bill("flop", "bill")
"""The held-out cell's bill, and tuning's: all that a run needs to get to the target."""


BILLS = {"saved": ARTICLE, "saved_every_operation": EVERY_OPERATION}
"""Both, by what facts call that which is saved by them."""


def cost_at_stop(record: RunRecord, bill: Bill, executed: bool = False) -> float:
    """Price a run up to its stop, as its kernels counted it; infinite for a miss.

    Parameters
    ----------
    record : RunRecord
    bill : Bill
        Of a cost model, or of "steps" or "images".
    executed : bool
        Price what ran instead of the closed form; not for models that are defined on shapes.

    Returns
    -------
    float
    """
    return spent_at_stop(record, bill.model, bill.phases, executed) if record.reached else math.inf


def compared(arms: Iterable[Iterable[RunRecord]], bill: Bill, executed: bool = False) -> Comparison:
    """Compare an arm's runs with scratch's at their own stops, run i of both one seed; else as `cost_at_stop`."""
    return compare(*([cost_at_stop(run, bill, executed) for run in runs] for runs in arms))


def cost_at_checks(
    record: RunRecord,
    model: str = "flop",
    phases: Iterable[str] = ("data", "pretrain", "train"),
    evaluate_every: int | None = None,
) -> Ints:
    """Compute what a run had spent when each of its checks was made.

    before + step price x steps + image price x images seen + pixels x images read + check price x checks

    Parameters
    ----------
    record : RunRecord
        Of full evaluations, with its checks.
    model : str
        A name in `flops.COST_MODELS` or in `MEASURES`; dense.
    phases : iterable of str
        Names in `PHASES`, each counted once.
    evaluate_every : int, optional
        Charge phase `evaluate` as if accuracy had been looked at after every so many steps. By default the checks that
        were made are charged, each at once.

    Returns
    -------
    int64 array (n_checks,)

    Raises
    ------
    ValueError
        Unknown model or phase, or a record that does not say what its checks cost.

    Notes
    -----
    `article-2023`, "steps" and "images" look at pretraining and training alone. Exact: within the limits of a
    configuration no bill comes near 2^63.
    """
    return _costs(record, model, phases, _at_checks(record, evaluate_every))


def spent_at_stop(record: RunRecord, model: str, phases: Iterable[str], executed: bool = False) -> int:
    """Price what a run's kernels counted up to its stop; a miss with all that it did.

    Parameters
    ----------
    record : RunRecord
    model : str
        A name in `flops.COST_MODELS`, or "steps" or "images".
    phases : iterable of str
        What to add up, each counted once.
    executed : bool
        Price what ran instead of the closed form; not for models that are defined on shapes.

    Returns
    -------
    int
    """
    if model in _OF_PASSES:
        return _count_passes(record, model, phases)
    counts = record.counts["executed" if executed else "dense"]
    return total(counts, record.passes, model, phases, record.config["article_pass"])


def agrees_at_stop(record: RunRecord) -> bool:
    """Return whether the closed forms give what the kernels counted up to the stop, kernel by kernel.

    If a check was made at the stop, what the record says of it must be what was counted as well. The checks of exact
    decisions are not recorded, so for those `evaluate` is not compared. A run that never came to train always agrees.
    """
    if "train" not in record.passes:
        return True
    at_stop, at_checks = _at_stop(record), _at_checks(record)
    here = at_checks.steps == at_stop.steps
    for name, said, booked in zip(_Moments._fields, at_checks, at_stop, strict=True):
        if (said[here] != booked).any() and (name != "images_read" or _is_scaled(record)):
            return False
    sizes, activation, optimizer, inputs = _shapes(record)

    def scaling(n_images: int) -> Kernels:
        scales = _is_scaled(record) and n_images
        return {"scale_pixels": scaling_counts(n_images * sizes[0], inputs)} if scales else {}

    counted = record.counts["dense"]
    expected = {
        phase: step_counts(sizes, activation, optimizer, n["images_forward"], n["steps"])
        for phase, n in record.passes.items()
        if phase in ("pretrain", "train")
    }
    if record.config["evaluate"] == "full":
        n_looks = int((at_stop.checks + _looks_of_phase_1(record, at_stop))[0])
        looks = evaluation_counts(sizes, activation, n_looks * record.n_checked)
        expected["evaluate"] = looks | scaling(record.n_checked if n_looks else 0)
    read = {name: kinds for name, kinds in counted.get("data", {}).items() if name == "scale_pixels"}
    return read == scaling(int(at_stop.images_read[0])) and all(
        counted.get(phase, {}) == kernels for phase, kernels in expected.items()
    )


class _Moments(NamedTuple):
    """Points of a run: what had been done by each, int64 arrays of one length."""

    steps: Ints  # on real images
    images_seen: Ints
    images_read: Ints
    checks: Ints  # made up to and including this one


class _Prices(NamedTuple):
    """What one of each costs."""

    step: int = 0  # whatever its batch
    image: int = 0  # of a step
    image_read: int = 0  # scaled from bytes
    check: int = 0  # of all images that are checked
    first_check: int = 0  # on top: they are scaled


MEASURES = {
    "steps": _Prices(step=1),  # updates of the parameters, in pretraining and training
    "images": _Prices(image=1),  # forward, repeats included, in pretraining and training
    "images_read": _Prices(image_read=1),  # distinct training images that were touched, in phase data
}
"""What a run can be measured in beside the cost models of `flops`."""

_OF_PASSES = {"steps": "steps", "images": "images_forward"}
"""Measures that add up over phases, by the name of their passes."""


def _at_checks(record: RunRecord, evaluate_every: int | None = None) -> _Moments:
    steps = record.curve[:, 0]
    if not len(steps) == len(record.images_seen) == len(record.images_read):
        raise ValueError(
            f"record of {record.arm}, seed {record.seed}: expected images_seen and images_read at {len(steps)} checks, "
            f"found {len(record.images_seen)} and {len(record.images_read)}"
        )
    checks = np.arange(1, len(steps) + 1) if evaluate_every is None else steps // evaluate_every
    return _Moments(steps, *record.images_at_checks, checks)


def _at_stop(record: RunRecord) -> _Moments:
    """The stop, by what was counted there."""
    passes = record.passes["train"]
    scaling = record.counts["dense"].get("data", {}).get("scale_pixels", {})
    n_read = scaling.get("div", 0) // record.dataset["n_features"]
    n_checks = np.count_nonzero(record.curve[:, 0] <= passes["steps"])
    return _Moments(*np.array([[passes["steps"]], [passes["images_forward"]], [n_read], [n_checks]], np.int64))


def _costs(record: RunRecord, model: str, phases: Iterable[str], at: _Moments) -> Ints:
    wanted = frozenset(phases)
    if model not in COST_MODELS and model not in MEASURES:
        raise ValueError(f"cost model {model!r}: unknown; there are {', '.join([*COST_MODELS, *MEASURES])}")
    if not wanted <= set(PHASES):
        raise ValueError(f"phases {', '.join(sorted(wanted - set(PHASES)))}: unknown; there are {', '.join(PHASES)}")
    prices = _prices(record, model)
    pretrained = _pretrained(record, at)
    if record.pretrain_after and pretrained.any() and "pretrain" not in record.passes:
        raise ValueError(
            f"record of {record.arm}, seed {record.seed}: its bill ends before its pretraining after step "
            f"{record.pretrain_after}, so what that costs is not in it"
        )
    spent: Ints = pretrained * np.int64(_before(record, model, wanted))
    if "data" in wanted:
        spent += prices.image_read * at.images_read
    if "train" in wanted:
        spent += prices.step * at.steps + prices.image * at.images_seen
    if "evaluate" in wanted:
        checks = at.checks + _looks_of_phase_1(record, at)
        spent += prices.check * checks + prices.first_check * (checks > 0)
    return spent


def _pretrained(record: RunRecord, at: _Moments) -> npt.NDArray[np.bool_]:
    return (at.steps > record.pretrain_after) | (record.pretrain_after == 0)


def _looks_of_phase_1(record: RunRecord, at: _Moments) -> Ints:
    """The looks that had decided phase 1 by then: one an epoch, where it ends at a target."""
    return _pretrained(record, at) * (record.pretrain_epochs if record.config["pretrain_target"] is not None else 0)


def _before(record: RunRecord, model: str, phases: frozenset[str]) -> int:
    """Price what is paid at once: making the arm's images, and pretraining, as they were counted."""
    if model in MEASURES:
        return _count_passes(record, model, phases & {"pretrain"}) if model in _OF_PASSES else 0
    passes = {phase: n for phase, n in record.passes.items() if phase == "pretrain" and phase in phases}
    dense = {
        phase: {name: kinds for name, kinds in kernels.items() if name != "scale_pixels"}
        for phase, kernels in record.counts["dense"].items()
        if phase in ("data", "pretrain") and phase in phases
    }
    return total(dense, passes, model, phases, record.config["article_pass"])


def _count_passes(record: RunRecord, measure: str, phases: Iterable[str]) -> int:
    return sum(record.passes[phase][_OF_PASSES[measure]] for phase in {*phases} & {*record.passes})


def _prices(record: RunRecord, model: str) -> _Prices:
    if model in MEASURES:
        return MEASURES[model]
    prices = _prices_of_shapes(model, *_shapes(record), record.n_checked, record.config["article_pass"])
    return prices if _is_scaled(record) else prices._replace(image_read=0, first_check=0)


def _shapes(record: RunRecord) -> tuple[tuple[int, ...], str, str, str]:
    """What a step's counts follow from: layer sizes, activation, optimizer, and how pixels are scaled."""
    config, dataset = with_added_fields(record.config), record.dataset
    sizes = (dataset["n_features"], *config["hidden_layer_sizes"], dataset["n_classes"])
    return sizes, config["activation"], config["optimizer"], config["inputs"]


@lru_cache(maxsize=1024)
def _prices_of_shapes(
    model: str,
    sizes: tuple[int, ...],
    activation: str,
    optimizer: str,
    inputs: str,
    n_checked: int,
    article_pass: int,
) -> _Prices:
    def price(kernels: Kernels, steps: int = 0, images: int = 0) -> int:
        passes = {"steps": steps, "images_forward": images, "images_backward": images}
        return total({"train": kernels}, {"train": passes}, model, ["train"], article_pass)

    step = price(step_counts(sizes, activation, optimizer, n_images=0), steps=1)
    scaling = price({"scale_pixels": scaling_counts(sizes[0], inputs)})
    return _Prices(
        step=step,
        image=price(step_counts(sizes, activation, optimizer, n_images=1), steps=1, images=1) - step,
        image_read=scaling,
        check=price(evaluation_counts(sizes, activation, n_checked)),
        first_check=scaling * n_checked,
    )


def _is_scaled(record: RunRecord) -> bool:
    """Whether the images came as bytes."""
    return "scale_pixels" in record.counts["dense"].get("data", {})

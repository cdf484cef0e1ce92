"""The bill: which operations ran in which phase, and what they cost under a named cost model.

A `Tally` keeps int64 counters by phase and kernel; the kernels add to them. Prices are applied only when a total is
asked for, so one record can be priced again under any model. Everything is an integer; nothing is stored in giga.
This module imports no numba and knows no network.

A FLOP here is an operation: one add, multiply, compare, division, root ... and a multiply-add is two.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .kernels.ops import DENSE, EXECUTED, KINDS, N_KINDS
from .showing import Shown

PHASES = ("data", "pretrain", "train", "evaluate", "report")
"""In the order of a run. `report` holds looks that only inform: it is printed under the bill, in no total."""

PASSES = ("steps", "images_forward", "images_backward")
"""The three integers kept per phase beside the kernels' counters."""

COST_MODELS = {
    "flop": "every operation; a multiply-add is two",
    "mac": "multiply-adds and multiplications only, one each",
    "torch": "2 x multiply-adds of the matrix products, as torch.utils.flop_counter reports",
    "3x-forward": "3 x the forward kernels' operations, the common rule of thumb",
    "article-2023": "F for each image forward and 2 F for each step, F one pass as the article counts it",
}
"""The cost models by name. Weights of operations live here and in `_price`, never in a kernel."""

_SHAPE_ONLY = ("torch", "3x-forward", "article-2023")

FREE_BY_CONVENTION = (
    "Free by convention, in no phase of the bill: drawing initial values, orders of images and noise, copying, "
    "indexing and choosing images, converting numbers and laying them out anew, testing whether inputs and losses "
    "are finite and in range, all integer work (counting labels and right answers), and the report's own statistics. "
    "Sums start from zero or from "
    "the bias, so k terms are k operations; a subtraction or a change of sign is an add, a test of relu, a maximum or "
    "argmax a compare; exp, log, sqrt and tanh are one operation each, however the machine computes them."
)
"""What no phase charges; printed wherever the whole bill is."""

Counts = dict[str, dict[str, dict[str, int]]]


class Tally(Shown):
    """Operations by phase, kernel and kind, dense and executed, and the passes of each phase.

    Dense counts are the closed form of the mathematical operation, the same for every kernel that performs it; executed
    counts are what the kernel at hand ran.

    Examples
    --------
    >>> tally = Tally()
    >>> with tally.phase("train"):
    ...     tally.kernel("matmul_forward")[:] += 1  # every slot; kernels do this themselves
    >>> tally.total("flop"), tally.total("mac"), tally.total("flop", phases=["data"])
    (10, 2, 0)
    >>> tally
    Tally(10 operations: train 10)
    """

    def __init__(self) -> None:
        self._phase = "train"
        self._counts: dict[str, dict[str, npt.NDArray[np.int64]]] = {}
        self._passes: dict[str, dict[str, int]] = {}

    def __repr__(self) -> str:
        phases = ", ".join(f"{phase} {self.total(phases=[phase]):,}" for phase in _ordered(self._counts))
        return f"Tally({self.total():,} operations{': ' + phases if phases else ''})"

    def _facts(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [
            ("phase", "operations", "executed", "steps", "images forward", "images backward")
        ]
        for phase in _ordered({**self._counts, **self._passes}):
            passes = self._passes.get(phase, dict.fromkeys(PASSES, 0))
            rows.append((phase, *(f"{n:,}" for n in (*self._totals([phase]), *passes.values()))))
        return [*rows, ("all but report", *(f"{n:,}" for n in self._totals(self._billed())))]

    def _totals(self, phases: list[str]) -> tuple[int, int]:
        """Dense and executed operations under model `flop`."""
        return self.total("flop", phases), self.total("flop", phases, executed=True)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[Tally]:
        """Book all that runs inside the with statement under this phase; `train` applies outside any.

        Parameters
        ----------
        name : str
            One of `PHASES`, or any other name for a bill of one's own.
        """
        outer, self._phase = self._phase, name
        try:
            yield self
        finally:
            self._phase = outer

    def kernel(self, name: str) -> npt.NDArray[np.int64]:
        """Return the counters (2, n_kinds) of a kernel in the current phase, for the kernel to add to."""
        kernels = self._counts.setdefault(self._phase, {})
        if name not in kernels:
            kernels[name] = np.zeros((2, N_KINDS), np.int64)
        return kernels[name]

    def count_passes(self, *, steps: int = 0, images_forward: int = 0, images_backward: int = 0) -> None:
        """Add to the passes of the current phase."""
        passes = self._passes.setdefault(self._phase, dict.fromkeys(PASSES, 0))
        passes["steps"] += steps
        passes["images_forward"] += images_forward
        passes["images_backward"] += images_backward

    def passes(self) -> dict[str, dict[str, int]]:
        """Return {phase: {steps, images_forward, images_backward}}."""
        return {phase: dict(self._passes[phase]) for phase in _ordered(self._passes)}

    def counts(self, executed: bool = True) -> Counts:
        """Return {phase: {kernel: {kind: int}}}, all kinds present."""
        row = EXECUTED if executed else DENSE
        return {
            phase: {
                name: dict(zip(KINDS, (int(count) for count in kernels[name][row]), strict=True))
                for name in sorted(kernels)
            }
            for phase, kernels in ((phase, self._counts[phase]) for phase in _ordered(self._counts))
        }

    def total(
        self,
        model: str = "flop",
        phases: Iterable[str] | None = None,
        executed: bool = False,
        article_pass: int | None = None,
    ) -> int:
        """Price the bill under a cost model.

        Parameters
        ----------
        model : str
            A name in `COST_MODELS`.
        phases : iterable of str, optional
            What to add up; by default every phase but `report`. `article-2023` looks at pretrain and train alone.
        executed : bool
            Price what ran instead of the closed form; not for models that are defined on shapes.
        article_pass : int, optional
            F of `article-2023`: the operations of one forward pass of one image as the article counts them.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            Unknown model, executed counts of a shape-only model, or `article-2023` without F.
        """
        if executed and model in _SHAPE_ONLY:
            raise ValueError(f"cost model {model!r} is defined on shapes: it has no executed counts")
        wanted = self._billed() if phases is None else phases
        return total(self.counts(executed), self._passes, model, wanted, article_pass)

    def _billed(self) -> list[str]:
        return [phase for phase in _ordered({**self._counts, **self._passes}) if phase != "report"]

    def copy(self) -> Tally:
        """Return a tally with counters of its own, in the same phase."""
        other = Tally()
        other.merge(self)
        other._phase = self._phase
        return other

    def merge(self, other: Tally) -> None:
        """Add another tally's counters and passes, phase by phase."""
        for phase, kernels in other._counts.items():
            with self.phase(phase):
                for name, counters in kernels.items():
                    self.kernel(name)[:] += counters
        for phase, passes in other._passes.items():
            with self.phase(phase):
                self.count_passes(**passes)

    def to_record(self) -> dict[str, Any]:
        """Return {"dense", "executed": phase -> kernel -> kind -> int}, zeros left out, for JSON."""
        return {
            name: {
                phase: {kernel: {kind: n for kind, n in kinds.items() if n} for kernel, kinds in kernels.items()}
                for phase, kernels in self.counts(executed).items()
            }
            for name, executed in (("dense", False), ("executed", True))
        }

    @classmethod
    def from_record(cls, counts: Mapping[str, Any], passes: Mapping[str, Mapping[str, int]]) -> Tally:
        """Rebuild a tally from `to_record` and `passes`, to price an old record again."""
        tally = cls()
        for row, name in ((DENSE, "dense"), (EXECUTED, "executed")):
            for phase, kernels in counts[name].items():
                with tally.phase(phase):
                    for kernel, kinds in kernels.items():
                        for kind, n in kinds.items():
                            tally.kernel(kernel)[row, KINDS.index(kind)] = n
        for phase, numbers in passes.items():
            with tally.phase(phase):
                tally.count_passes(**numbers)
        return tally

    def table(self) -> str:
        """Return the whole bill as text for people, 80 columns or less: phase by phase, kernel by kernel.

        Columns are dense and executed operations under model `flop`; the report's own evaluations stand below the
        total.
        """
        lines = [f"{'phase and kernel':36s}{'dense':>21s}{'executed':>21s}", "-" * 78]
        for phase in _ordered(self._counts):
            if phase == "report":
                lines += [f"{'all of the above (model flop)':36s}" + self._row(self._billed()), "-" * 78]
            lines.append(
                f"{phase + ('' if phase != 'report' else ' (informs only, in no total)'):36s}" + self._row([phase])
            )
            for name in sorted(self._counts[phase]):
                one = Tally()
                one._counts = {phase: {name: self._counts[phase][name]}}
                lines.append(f"  {name:34s}" + one._row([phase]))
        if "report" not in self._counts:
            lines.append(f"{'all of the above (model flop)':36s}" + self._row(self._billed()))
        return "\n".join(lines)

    def _row(self, phases: list[str]) -> str:
        dense, executed = self._totals(phases)
        return f"{dense:21,d}{executed:21,d}"


def _ordered(phases: Iterable[str]) -> list[str]:
    """Phases in the order of a run, names of one's own after them."""
    names = list(phases)
    return [phase for phase in PHASES if phase in names] + [phase for phase in names if phase not in PHASES]


def total(
    counts: Mapping[str, Mapping[str, Mapping[str, int]]],
    passes: Mapping[str, Mapping[str, int]],
    model: str,
    phases: Iterable[str],
    article_pass: int | None = None,
) -> int:
    """Price counts under a cost model, those of a tally or of a record.

    Parameters
    ----------
    counts : mapping
        {phase: {kernel: {kind: int}}}, dense or executed; what did not occur may be left out.
    passes : mapping
        {phase: {steps, images_forward, images_backward}}, which `article-2023` looks at, in pretrain and train alone.
    model : str
        A name in `COST_MODELS`.
    phases : iterable of str
        What to add up, each counted once.
    article_pass : int, optional
        F of `article-2023`: the operations of one forward pass of one image as the article counts them.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Unknown model, or `article-2023` without F.

    Examples
    --------
    >>> total({"train": {"matmul_forward": {"fma": 3, "add": 1}}}, {}, "flop", ["train"])
    7
    """
    if model not in COST_MODELS:
        raise ValueError(f"cost model {model!r}: unknown; there are {', '.join(COST_MODELS)}")
    wanted = dict.fromkeys(phases)
    if model == "article-2023":
        if article_pass is None:
            raise ValueError("cost model 'article-2023' needs article_pass, the cost of one forward pass")
        of_both = [passes[phase] for phase in wanted if phase in ("pretrain", "train") and phase in passes]
        return sum(article_pass * (n["images_forward"] + 2 * n["steps"]) for n in of_both)
    kernels = [kernel for phase in wanted if phase in counts for kernel in counts[phase].items()]
    return sum(_price(model, name, kinds) for name, kinds in kernels)


def _price(model: str, kernel: str, kinds: Mapping[str, int]) -> int:
    """Price one kernel's counts under one of the models that look at kernels."""
    n_fma = kinds.get("fma", 0)
    every = sum(kinds.values()) + n_fma  # a multiply-add is two operations
    if model == "flop":
        return every
    if model == "mac":
        return n_fma + kinds.get("mul", 0)
    if model == "torch":
        return 2 * n_fma if kernel.startswith("matmul_") else 0
    return 3 * every if kernel.endswith("_forward") else 0  # 3x-forward

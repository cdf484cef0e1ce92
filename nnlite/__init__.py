"""Small neural networks from NumPy arrays and numba kernels, with every floating-point operation counted.

The names below are all that a short program needs; each is imported when it is first used, so `import nnlite` is quick
and needs no numba. Start reading at `nnlite.idx` and follow the data: idx -> datasets -> mlp -> fitting -> training ->
kernels.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .datasets import Dataset as Dataset
    from .datasets import load_dataset as load_dataset
    from .digits.pictures import read_digit as read_digit
    from .experiment.api import read_records as read_records
    from .experiment.api import run_experiment as run_experiment
    from .experiment.compare import compare_settings as compare_settings
    from .fitting import History as History
    from .fitting import fit as fit
    from .flops import Tally as Tally
    from .idx import IdxFormatError as IdxFormatError
    from .idx import read_idx as read_idx
    from .idx import write_idx as write_idx
    from .mlp import MLP as MLP
    from .mlp import Gradients as Gradients
    from .mlp_files import load as load
    from .mlp_files import save as save
    from .optim import SGD as SGD
    from .optim import Adam as Adam
    from .optim import Momentum as Momentum
    from .prototypes import class_means as class_means

_HOME = {
    "IdxFormatError": "idx",
    "read_idx": "idx",
    "write_idx": "idx",
    "Dataset": "datasets",
    "load_dataset": "datasets",
    "Tally": "flops",
    "class_means": "prototypes",
    "MLP": "mlp",
    "Gradients": "mlp",
    "save": "mlp_files",
    "load": "mlp_files",
    "SGD": "optim",
    "Momentum": "optim",
    "Adam": "optim",
    "fit": "fitting",
    "History": "fitting",
    "read_digit": "digits.pictures",
    "run_experiment": "experiment.api",
    "read_records": "experiment.api",
    "compare_settings": "experiment.compare",
}
"""Where each name lives."""

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nnlite' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"nnlite.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})

"""What the commands for own digits share: a mistake as one line, the data, the network that answers.

Exit status: 0 done, 2 a mistake in the call or in a file that was named, 3 the data set is missing or damaged.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from .. import program
from ..datasets import Dataset, load_dataset
from ..files import require_replaceable
from ..mlp import MLP
from ..mlp_files import load
from .network import HIDDEN, N_EPOCHS, SEED, train_network
from .prepare import SIZE

OK, USAGE, DATA = 0, 2, 3
N_CLASSES = 10


class Refusal(Exception):
    """Why a command cannot go on: one line, and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def carry_out(parser: argparse.ArgumentParser, work: Callable[..., int], arguments: Sequence[str]) -> int:
    """Do a command's work with its parsed arguments; print a refusal as one line, and return the exit status."""

    def answer() -> int:
        try:
            return work(parser.parse_args(arguments))
        except Refusal as refusal:
            print(f"{parser.prog}: {refusal}", file=sys.stderr)
            return refusal.status

    return program.carry_out(parser.prog, answer)


def new_parser(command: str, description: str) -> argparse.ArgumentParser:
    """Return a parser for a command that needs data and, unless it trains one, a network."""
    parser = argparse.ArgumentParser(prog=f"nnlite {command}", description=description)
    parser.add_argument("--data-dir", metavar="DIR", help="where MNIST is looked for (NNLITE_DATA, ./data, ...)")
    return parser


def whole(text: str) -> int:
    """Read a whole number from 0 on, for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number from 0 on")
    return int(text)


def words(error: Exception) -> str:
    """Return what is wrong as `file: what`; the operating system's numbers help nobody."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def require_file(path: str, begins: bytes = b"") -> None:
    """Refuse a file that cannot be written, or begins otherwise than one that may be replaced, before the training."""
    try:
        require_replaceable(path, begins)
    except (OSError, ValueError) as error:
        raise Refusal(words(error), USAGE) from error


def mnist(data_dir: str | None) -> Dataset:
    """Load MNIST; Refusal with status 3 where it is missing or damaged."""
    try:
        return load_dataset("mnist", data_dir)
    except (OSError, ValueError) as error:
        raise Refusal(words(error), DATA) from error


def network_of(path: str | None, data: Dataset) -> MLP:
    """Load the network of a file, or train the default one where none is named, and say how long that took."""
    if path is None:
        began = time.perf_counter()
        mlp, _ = train_network(data)
        seconds = time.perf_counter() - began
        how = f"{N_EPOCHS} epochs, {HIDDEN} hidden units, seed {SEED}; nnlite train --save FILE keeps one"
        print(f"no --network given: trained one in {seconds:.1f} s ({how})", file=sys.stderr)
        return mlp
    try:
        mlp = load(path)
    except (OSError, ValueError) as error:
        raise Refusal(words(error), USAGE) from error
    if (mlp.layer_sizes[0], mlp.layer_sizes[-1]) != (SIZE**2, N_CLASSES):
        sizes = "-".join(map(str, mlp.layer_sizes))
        raise Refusal(f"{path}: a network of {sizes}, expected {SIZE**2} inputs and {N_CLASSES} classes", USAGE)
    return mlp

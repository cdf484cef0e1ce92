"""`nnlite train`: train a network on MNIST by a seed, say how well it does and at which cost, and save it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from ..flops import Tally
from ..mlp_files import save
from .network import HIDDEN, N_EPOCHS, SEED, train_network
from .options import OK, USAGE, Refusal, carry_out, mnist, new_parser, require_file, whole, words


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status; see `options`."""
    parser = new_parser("train", "Train a network on MNIST, and save it. The same seed gives the same network.")
    parser.add_argument("--epochs", type=whole, default=N_EPOCHS, metavar="N", help=f"({N_EPOCHS})")
    parser.add_argument(
        "--hidden", type=whole, default=HIDDEN, metavar="N", help=f"units of the hidden layer ({HIDDEN})"
    )
    parser.add_argument("--seed", type=whole, default=SEED, metavar="N", help=f"({SEED})")
    parser.add_argument("--save", metavar="FILE", help="write the network there, for nnlite predict --network FILE")
    return carry_out(parser, _train, arguments)


def _train(options: argparse.Namespace) -> int:
    if options.hidden < 1:
        raise Refusal("--hidden 0: a hidden layer has 1 unit or more", USAGE)
    if options.save is not None:
        require_file(options.save)
    data, began = mnist(options.data_dir), time.perf_counter()

    def tell(epoch: int, accuracy: float, tally: Tally) -> None:
        nonlocal began
        began, seconds = time.perf_counter(), time.perf_counter() - began
        right = f"{accuracy:.2%} of the test images right"
        print(f"epoch {epoch} of {options.epochs}: {right}, {seconds:.1f} s", file=sys.stderr)
        last.append(right)

    last: list[str] = []
    mlp, tally = train_network(data, options.epochs, options.hidden, options.seed, tell)
    sizes, right = "-".join(map(str, mlp.layer_sizes)), last[-1] if last else "untrained"
    trained = f"{options.epochs} epoch{'' if options.epochs == 1 else 's'}"
    print(f"{sizes}, seed {options.seed}, {trained}: {right}")
    print(f"{tally.total():,} operations by the formulas, {tally.total(executed=True):,} executed: zeros are skipped")
    if options.save is not None:
        try:
            save(options.save, mlp)
        except (OSError, ValueError) as error:
            raise Refusal(words(error), USAGE) from error
        print(f"saved in {options.save}: nnlite predict --network {options.save} FILE...")
    return OK

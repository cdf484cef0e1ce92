"""The installed commands `nnlite` and `nnlite-data`: a few words before their modules are imported.

Nothing of the commands is here but their start, so that Ctrl-C finds nothing to interrupt that could not say so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from . import program


def console() -> NoReturn:
    """Run `nnlite` and end the process with its exit status: what the installed command does."""
    program.end(nnlite())


def nnlite() -> int:
    """Run `nnlite`, or the command that its first word names, and return its exit status."""
    program.start()
    arguments = sys.argv[1:]
    if arguments and arguments[0] in COMMANDS:
        return COMMANDS[arguments[0]](arguments[1:])
    from .experiment.__main__ import main

    return main(arguments)


def nnlite_data() -> int:
    """Run `nnlite-data`, and return its exit status."""
    program.start()
    from .download import main

    return main()


def _train(arguments: Sequence[str]) -> int:
    from .digits.train import main

    return main(arguments)


def _predict(arguments: Sequence[str]) -> int:
    from .digits.predict import main

    return main(arguments)


def _draw(arguments: Sequence[str]) -> int:
    from .page.draw import main

    return main(arguments)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": _train,
    "predict": _predict,
    "draw": _draw,
}
"""What the first word may be; without one of these `nnlite` is the experiment."""

"""The installed commands `nnlite` and `nnlite-data`: a few words before their modules are imported.

Nothing of the commands is here but their start, so that Ctrl-C finds nothing to interrupt that could not say so.
"""

from __future__ import annotations

from . import program


def nnlite() -> int:
    """Run `nnlite`, and return its exit status."""
    program.start()
    from .experiment.__main__ import main

    return main()


def nnlite_data() -> int:
    """Run `nnlite-data`, and return its exit status."""
    program.start()
    from .download import main

    return main()

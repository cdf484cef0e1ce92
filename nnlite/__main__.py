"""`python -m nnlite` is the command `nnlite`, for where installed commands are not on the path."""

from __future__ import annotations

from .commands import console

if __name__ == "__main__":
    console()

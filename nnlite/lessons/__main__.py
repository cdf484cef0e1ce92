"""python -m nnlite.lessons: the lessons in their order; `notebook FOLDER` writes them as Jupyter notebooks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nnlite import program
from nnlite.lessons import LESSONS
from nnlite.lessons.checker import end


def main(arguments: Sequence[str] | None = None) -> int:
    """List the lessons, or write them as notebooks.

    Parameters
    ----------
    arguments : sequence of str, optional - sys.argv[1:] by default

    Returns
    -------
    int - the exit status: 0 done; 1 not to be written, or a package is missing; 2 usage; 130 interrupted
    """
    return program.carry_out("nnlite", lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m nnlite.lessons", description="List the lessons, or write them as Jupyter notebooks."
    )
    commands = parser.add_subparsers(metavar="notebook", dest="command")
    writing = commands.add_parser("notebook", help="write walk.ipynb and a notebook of each lesson into a folder")
    writing.add_argument("folder", type=Path, help="made where there is none; notebooks in it are not overwritten")
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in LESSONS:
        parser.error(f"a lesson is a module of its own: python -m nnlite.lessons.{given[0]}")
    options = parser.parse_args(given)
    if options.command is None:
        print(contents())
        return 0
    try:
        from nnlite.lessons.notebook import write_notebooks  # all lessons, and what they need

        for path in write_notebooks(options.folder):
            print(path)
        return 0
    except ImportError as error:
        advice = "; try: python -m pip install jupytext" if error.name == "jupytext" else ""
        print(f"nnlite: {error}{advice}", file=sys.stderr)
    except OSError as error:
        print(f"nnlite: {error}", file=sys.stderr)
    return 1


def contents() -> str:
    """Lay out the lessons in their order, and how to run one."""
    lines = ["Each lesson prints itself, asks, and checks your answers. Afterwards you can\n"]
    for number, (name, lesson) in enumerate(LESSONS.items(), start=1):
        lines += [f"  {number}. {name:9}{lesson.minutes:3} min  {lesson.afterwards}"]
    first = next(iter(LESSONS))
    lines += [f"\nTo begin:          python -m nnlite.lessons.{first}"]
    lines += [f"In a notebook:     %run -m nnlite.lessons.{first}"]
    lines += ["As notebooks:      python -m nnlite.lessons notebook FOLDER"]
    lines += ["To teach with it:  TEACHING.md, beside the lessons' source"]
    return "\n".join(lines)


if __name__ == "__main__":
    end(main())

"""The lessons as Jupyter notebooks, without outputs: a walk through nnlite, and one notebook a lesson.

`walk.md` is the walk as text: prose, and Python between ```. A lesson's notebook is made from the lesson: it runs it,
asks its exercises, and holds its source, to be changed. Needs jupytext.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from nnlite.lessons import LESSONS, backward, bytes, claim, counting, forward, verdict
from nnlite.lessons.checker import Change, Exercise

HERE = Path(__file__).parent
KERNEL = "---\njupyter:\n  kernelspec:\n    name: python3\n    display_name: Python 3\n    language: python\n---\n\n"

ASKED: dict[str, tuple[Sequence[Exercise], Change]] = {
    "bytes": (bytes.EXERCISES, bytes.CHANGE),
    "forward": (forward.EXERCISES, forward.CHANGE),
    "backward": (backward.EXERCISES, backward.CHANGE),
    "counting": (counting.EXERCISES, counting.CHANGE),
    "claim": (claim.EXERCISES, claim.CHANGE),
    "verdict": (verdict.EXERCISES, verdict.CHANGE),
}


def write_notebooks(folder: Path) -> Iterator[Path]:
    """Write walk.ipynb and a notebook of each lesson.

    Parameters
    ----------
    folder : Path - made where there is none

    Yields
    ------
    Path - of each notebook, once it is written

    Raises
    ------
    ImportError
        jupytext is not installed.
    OSError
        A folder that cannot be made or written to; FileExistsError where a notebook is, which may hold someone's work.
    """
    import jupytext

    folder.mkdir(parents=True, exist_ok=True)
    texts = {"walk": (HERE / "walk.md").read_text(encoding="utf-8")}
    texts |= {f"{number}-{name}": lesson_text(name) for number, name in enumerate(LESSONS, start=1)}
    for name, text in texts.items():
        path = folder / f"{name}.ipynb"
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(jupytext.writes(jupytext.reads(KERNEL + text, fmt="md"), fmt="ipynb"))
        yield path


def lesson_text(name: str) -> str:
    """Write a lesson's notebook as text: Markdown, with Python between ```.

    Parameters
    ----------
    name : str - a lesson's

    Returns
    -------
    str
    """
    exercises, change = ASKED[name]
    run = f"%run -m nnlite.lessons.{name}"
    parts = [
        f"# {name}\n\n{LESSONS[name].minutes} minutes, after which you can {LESSONS[name].afterwards}.",
        _code(run),
    ]
    parts += ["## Exercises\n\nPut your number in place of the 0."]
    for number, exercise in enumerate(exercises, start=1):
        parts += [f"{number}. {exercise.question}", _code(f"{run} -a {number} 0")]
    parts += [f"## Change, predict, look\n\n{change.what}", _code(f"{run} -l")]
    parts += ["## The source\n\nRun the cells, change a line, and call `lesson()`."]
    parts += [_code(block) for block in _blocks((HERE / f"{name}.py").read_text(encoding="utf-8"))]
    return "\n\n".join([*parts, _code("# lesson()")]) + "\n"


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _blocks(source: str) -> Iterator[str]:
    """Cut a lesson's source into cells: what comes before its functions, then each of them, up to the exercises."""
    lines, starts = source.splitlines(), [0]
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            decorators = [decorator.lineno for decorator in statement.decorator_list]
            starts.append(min([statement.lineno, *decorators]) - 1)
        elif isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "EXERCISES":
            starts.append(statement.lineno - 1)
            break
    for start, stop in itertools.pairwise(starts):
        yield "\n".join(lines[start:stop]).strip()

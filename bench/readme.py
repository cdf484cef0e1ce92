"""Regenerate what the README shows: the answer's table, the "Change one thing" table, the averages.

    python -m bench.readme                 about five minutes; needs the extra `plot`, and Fashion-MNIST where a row
                                           uses it
    python -m bench.readme registered      only what nnlite prints of the registered study, from its records; seconds

The verdict, its pages and its pictures are written by
`python -m nnlite.study report --runs data/runs --write --readme README.md`.

Nobody types a measured number into the README: everything between a `generated` marker and its `end` comes from here.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
FIGURES = ROOT / "data" / "figures"
RUNS = ROOT / "data" / "runs"

CHANGES = [
    ("twice the learning rate", "--learning-rate 2e-3"),
    ("batches of 16", "--batch-size 16"),
    ("clothes instead of digits, to 80%", "--dataset fashion-mnist --target 0.80"),
]
"""What to change, and the options that change it."""


def nnlite(options: str) -> str:
    """Run the command and return what it printed."""
    command = [sys.executable, "-m", "nnlite.experiment", "--quiet", *options.split()]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"nnlite {options}: {result.stderr}")
    return result.stdout


def answer() -> str:
    """The default command's table."""
    return f"```\n{nnlite('')}```"


def changes() -> str:
    """One row a change: the command, what it printed first."""
    rows = ["| changed for both | command | what averages first save then |", "| --- | --- | --- |"]
    for what, options in CHANGES:
        text = nnlite(options)
        steps = re.search(r"scratch, steps +\d+ +([\d.]+)", text)
        (found,) = [line for line in text.splitlines() if re.match("Averages first (saved|cost)", line)]
        saved = found.removeprefix("Averages first ").replace(", not 30%.", "").replace("; the claim is 30%.", "")
        printed = f"{saved}; from scratch {steps[1]} steps"
        rows.append(f"| {what} | `nnlite {options}` | {printed} |")
    return "\n".join(rows)


def draw_averages() -> None:
    """Draw the ten images that it is all about."""
    from nnlite import load_dataset
    from nnlite.experiment import drawing, figures

    with drawing.plain_style():
        drawing.save_all(FIGURES, {"averages.png": figures.averages_figure(load_dataset("mnist"))})


def registered() -> str:
    """The registered study's column of the first screen, as the package ships it."""
    from nnlite.study.runs import Study
    from nnlite.study.verdict import beside_the_first_screen

    return json.dumps(beside_the_first_screen(Study.read(str(RUNS))), indent=2) + "\n"


def write_registered() -> None:
    """Put it where the package reads it."""
    from nnlite.experiment.report import REGISTERED

    REGISTERED.write_text(registered(), encoding="utf-8")


def main() -> None:
    """Replace the generated parts of the README, and draw the averages."""
    write_registered()
    if sys.argv[1:] == ["registered"]:
        return
    nnlite("--quick")  # compile
    makers = {"answer": answer, "changes": changes}
    text = README.read_text(encoding="utf-8")
    for name, make in makers.items():
        print(f"{name} ...", file=sys.stderr)
        pattern = rf"(<!-- generated: {name}[^\n]*-->\n).*?(<!-- end -->)"
        place = re.search(pattern, text, flags=re.DOTALL)
        if place is None:
            raise SystemExit(f"README.md has no place for {name}")
        text = text[: place.end(1)] + make() + "\n" + text[place.start(2) :]
    draw_averages()
    README.write_text(text, encoding="utf-8")  # last, so that whatever fails leaves it as it was


if __name__ == "__main__":
    main()

"""`nnlite draw`: a page to draw digits on, with a trained network inside; and that part of any other page.

The weights stand in it as float32, so the page answers as nnlite does. Everything that moves is in `draw.js`.
"""

from __future__ import annotations

import argparse
import base64
import json
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets import Dataset
from ..digits.options import (
    N_CLASSES,
    OK,
    USAGE,
    Refusal,
    carry_out,
    mnist,
    network_of,
    new_parser,
    require_file,
    words,
)
from ..files import PAGE_MAGIC, replacing
from ..kernels.fast.panels import LANES, PANEL, width_of
from ..mlp import MLP
from .document import HERE, document

_COLUMNS = 32  # of squares, one a hidden unit


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status; see `digits.options`."""
    parser = new_parser("draw", "Write a page to draw digits on, and open it in the browser.")
    parser.add_argument("--network", metavar="FILE", help="that nnlite train saved; without it one is trained first")
    parser.add_argument("--out", metavar="FILE", default="digits.html", help="where to write the page (digits.html)")
    parser.add_argument("--no-open", action="store_true", help="only write it")
    return carry_out(parser, _draw, arguments)


def _draw(options: argparse.Namespace) -> int:
    require_file(options.out, PAGE_MAGIC)
    data = mnist(options.data_dir)
    mlp = network_of(options.network, data)
    if mlp.activation != "relu":
        raise Refusal(f"{options.network}: its activation is {mlp.activation}; the page computes relu", USAGE)
    page = document("nnlite reads your digit", [introduction(mlp), drawing_part(mlp, data)])
    try:
        with replacing(options.out) as file:
            file.write(page.encode())
    except OSError as error:
        raise Refusal(words(error), USAGE) from error
    print(f"written: {options.out}")
    if not options.no_open:
        webbrowser.open(Path(options.out).resolve().as_uri())
    return OK


def introduction(mlp: MLP) -> str:
    """Say what the page has in it."""
    sizes = "-".join(map(str, mlp.layer_sizes))
    return f"<p>A network of {sizes} units that learnt from MNIST's 60,000 digits. All of it is in this one file.</p>"


def drawing_part(mlp: MLP, data: Dataset) -> str:
    """Return the part of a page to draw on.

    Parameters
    ----------
    mlp : MLP - of relu, 784 inputs and 10 classes
    data : Dataset - MNIST; the first test image of each digit is an example for who cannot draw

    Returns
    -------
    str - HTML with its program, about 600 kB
    """
    n_units = sum(mlp.layer_sizes[1:-1])
    squares = (divmod(unit, _COLUMNS) for unit in range(n_units))
    bar = '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width="0" height="10"/></svg>'
    return Template((HERE / "draw.html").read_text(encoding="utf-8")).substitute(
        examples="".join(f'<button type="button">{digit}</button>' for digit in range(N_CLASSES)),
        probabilities="".join(
            f'<tr><th scope="row">{digit}</th><td></td><td>{bar}</td></tr>' for digit in range(N_CLASSES)
        ),
        n_units=n_units,
        units="".join(f'<rect x="{x}" y="{y}" width="1" height="1" fill-opacity="0"/>' for y, x in squares),
        units_width=_COLUMNS,
        units_height=-(-n_units // _COLUMNS),
        network=json.dumps({"layers": _layers(mlp), "examples": _text(_examples(data))}),
        program=(HERE / "draw.js").read_text(encoding="utf-8"),
    )


def _layers(mlp: MLP) -> list[dict[str, Any]]:
    """The layers as `draw.js` reads them; the fast kernels compute `width` numbers where nOut are wanted."""
    return [
        {
            "nIn": len(weight),
            "nOut": len(bias),
            "width": width_of(len(bias), PANEL if layer == 0 else LANES),
            "weight": _text(weight.astype("<f4")),
            "bias": _text(bias.astype("<f4")),
        }
        for layer, (weight, bias) in enumerate(zip(mlp.weights, mlp.biases, strict=True))
    ]


def _examples(data: Dataset) -> NDArray[np.uint8]:
    """The first test image of every digit, uint8 (10, 784)."""
    return data.test_pixels[[int(np.argmax(data.test_labels == digit)) for digit in range(N_CLASSES)]]


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()

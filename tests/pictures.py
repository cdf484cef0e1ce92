"""What a picture says and shows, read back from its matplotlib figure; tests of figures compare with it."""

from __future__ import annotations

import pytest

matplotlib = pytest.importorskip("matplotlib")


def lines(axes, colour, width):
    return [line for line in axes.lines if line.get_color() == colour and line.get_linewidth() == width]


def dots(axes):
    return {line.get_color(): line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "o"}


def words(figure):
    """All texts, each on one line."""
    found = (text.get_text().replace("\n", " ") for text in figure.findobj(matplotlib.text.Text))
    return [text for text in found if text]


def title(figure):
    return figure.texts[0].get_text().replace("\n", " ")


def caption(figure):
    return figure.texts[1].get_text().replace("\n", " ")


def texts_outside(figure):
    """Texts that reach over the picture's edge once it is laid out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).draw()
    ticks = {label for axes in figure.axes for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]}
    width, height = figure.bbox.size
    outside = []
    for text in figure.findobj(matplotlib.text.Text):
        box = text.get_window_extent()
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        if text.get_text() and text.get_visible() and text not in ticks and not inside:
            outside.append(text.get_text())
    return outside

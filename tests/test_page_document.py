"""The frame of a page: what is in it is text, tables are real, pictures say what they show, nothing is fetched."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from nnlite.files import PAGE_MAGIC
from nnlite.page.document import anchor, commands, document, figure, from_markdown, paragraphs, section, table


class Elements(HTMLParser):
    """All elements of a page with their attributes; fails on one that is not closed."""

    VOID = ("meta", "link", "br", "path", "use", "image", "rect")

    def __init__(self, page):
        super().__init__()
        self.found, self.open = [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


PAGE = document(
    "5 < 6 & more",
    [
        section("One <section>", paragraphs(["a & b"], "note"), commands(["nnlite --seeds 2", 'nnlite "x"'])),
        table("What & how", ["seed", "a<b"], [["0", "1"], ["1", "<2>"]]),
        table("Nameless", ["", "n"], [["all", "2"]]),
    ],
)


def test_texts_are_escaped_and_elements_closed():
    elements = Elements(PAGE)
    assert PAGE.startswith(PAGE_MAGIC.decode())  # by which a page is known that may be replaced
    assert "<title>5 &lt; 6 &amp; more</title>" in PAGE
    assert '<h2 id="one-section">One &lt;section&gt;</h2>' in PAGE
    assert '<p class="note">a &amp; b</p>' in PAGE
    assert '<td class="number">&lt;2&gt;</td>' in PAGE
    assert len(elements.of("h1")) == 1
    assert elements.of("html") == [{"lang": "en"}]


def test_a_table_has_a_caption_and_heads_of_rows_and_columns():
    elements = Elements(PAGE)
    assert [head["scope"] for head in elements.of("th")] == [
        "col",
        "col",
        "row",
        "row",
        "col",
        "row",
    ]  # none without a word
    assert "<caption>What &amp; how</caption>" in PAGE
    assert {"tabindex": "0", "role": "region", "aria-label": "What & how", "class": "scroll"} in elements.of("div")


def test_what_stands_in_backticks_is_code():
    assert paragraphs(["`a < b` and ` c"]) == "<p><code>a &lt; b</code> and ` c</p>"


def test_a_heading_is_linked_to_as_github_names_it():
    assert anchor("Is it so (Fashion-MNIST)?") == "is-it-so-fashion-mnist"


def test_markdown_becomes_html_and_links_to_other_files_their_words():
    pytest.importorskip("markdown_it")
    html = from_markdown(
        "## A *b*\n\n[in](#a-b), [there](b.md) & `c < d` [web](https://a.b)\n\n| x |\n| --- |\n| <i> 1 |"
    )
    assert "<h2>A <em>b</em></h2>" in html
    assert '<p><a href="#a-b">in</a>, there &amp; <code>c &lt; d</code> <a href="https://a.b">web</a></p>' in html
    assert "<th>x</th>" in html


def test_numbers_stand_to_the_right_and_words_to_the_left():
    rows = [["a", "-1.5 (-2 to 0)", "no"], ["b", "-", "2 of 3"], ["c", "miss", "yes"]]
    shown = Elements(table("Both", ["", "saved", "as much?"], rows))
    assert [cell.get("class") for cell in shown.of("td")] == [None, *["number", None] * 3]
    assert [head.get("class") for head in shown.of("th")][:2] == ["number", None]


def test_browsers_are_told_to_refuse_every_request():
    (policy,) = [meta for meta in Elements(PAGE).of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy["content"].startswith("default-src 'none'; ")
    assert "http" not in PAGE.replace("http-equiv", "")


def test_a_picture_is_svg_that_says_what_it_shows_and_keeps_its_texts():
    matplotlib_figure = pytest.importorskip("matplotlib.figure")
    picture = matplotlib_figure.Figure()
    picture.subplots().plot([0, 1 / 3, 2 / 3], [0, 0.123456, 1])
    picture.text(0.5, 0.5, "rate 0.00125")
    shown = figure(picture, "a", "A line & more")
    (svg,) = Elements(shown).of("svg")
    assert (svg["role"], svg["aria-label"]) == ("img", "A line & more")
    assert "rate 0.00125" in shown
    paths = " ".join(re.findall(r'\bd="([^"]*)"', shown))
    assert paths
    assert not re.search(r"\.\d\d", paths)
    assert figure(picture, "a", "A line & more") == shown
    assert "<!DOCTYPE" not in shown
    assert "metadata" not in shown


def test_many_faint_curves_are_a_picture_of_few_colours_within_the_lines():
    pyplot_figure = pytest.importorskip("matplotlib.figure")
    from PIL import Image

    picture = pyplot_figure.Figure()
    axes = picture.subplots()
    for k in range(40):
        axes.plot(np.linspace(0, 1, 500), np.random.default_rng(k).random(500), alpha=0.2, rasterized=True)
    shown = figure(picture, "a", "Forty runs")
    (png,) = re.findall(r'"data:image/png;base64,([^"]*)"', shown)
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    assert image.mode == "P"
    assert image.convert("RGBA").getextrema()[3][0] == 0  # see-through where no curve is
    assert len(shown) < 120_000  # 240,000 as matplotlib writes it, more as lines

"""What a notebook shows: one table, all text in it escaped."""

from __future__ import annotations

from nnlite.showing import Shown


class Sandwich(Shown):
    def __repr__(self):
        return "Sandwich(<bread>)"

    def _facts(self):
        return [("a & b", "1 < 2", "3")]


def test_facts_become_a_table_under_the_line_with_all_text_escaped():
    assert Sandwich()._repr_html_() == (
        "<table><caption>Sandwich(&lt;bread&gt;)</caption>"
        "<tr><th>a &amp; b</th><td>1 &lt; 2</td><td>3</td></tr></table>"
    )

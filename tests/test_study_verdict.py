"""The verdict's words: each cell's line, whether the claim stands, the qualifiers, on cells that are known."""

from __future__ import annotations

import math

import pytest

from nnlite.experiment.config import EXPLANATORY
from nnlite.experiment.stats import Comparison, Interval, Verdict
from nnlite.study import controls
from nnlite.study.cells import CELLS, cell, verdict_line
from nnlite.study.protocol import PARTS
from nnlite.study.runs import Study
from nnlite.study.verdict import verdict

SAVED = Interval(0.2214, 0.2031, 0.2462)
LESS = Interval(-0.042, -0.064, -0.01)
RAN = {"model": "flop", "counting": "executed", "estimand": "E1", "word": "costs more", "saved": LESS, "n_pairs": 100}
OTHER = {"model": "flop", "counting": "dense", "saved": Interval(0.199, 0.174, 0.24), "n_pairs": 100}
FOUND = {
    "target": 0.9,
    "n_pairs": 100,
    "seeds": (20000, 20099),
    "saved": SAVED,
    "estimand": "E1",
    "verdict": Verdict("direction only"),
    "missed": 0,
    "first_hits": Comparison([0.2031, 0.2214, 0.2462], SAVED, 0, 0, 0),
    "first_hit_steps": {"scratch": [121.0, 138.0, 153.0], "class-means": [93.0, 104.0, math.inf]},
    "stable_steps": {"scratch": 151, "class-means": 117},
    "after_pretrain": [0.79, 0.808, 0.81],
    "expected_costs": Interval(0.218, 0.2, 0.24),
    "sign_test_p": 3e-21,
    "article_rank": 93,
    "sensitivity": [RAN, *({**OTHER, "estimand": estimand} for estimand in ("E1", "E2"))],
    "depends_on_counting": [],
}
ALL = tuple(part.name for part in PARTS)


def study(parts=ALL, explained_by=(), changes=None, **words):
    """A study whose cells have these words."""
    words = {"claim": "direction only", "claim_64": "direction only", "honest": "direction only", **words}
    words = {"tuned": "no material saving", **words}
    asked = Study({})
    asked.parts = {part: [] for part in parts}
    for key in CELLS:
        found = {**FOUND, "verdict": Verdict(words.get(key, "")), **(changes or {}).get(key, {})}
        asked.answers[cell.__wrapped__, (key,), ()] = found
    outcomes = {arm: "explains" if arm in explained_by else "worse" for arm in EXPLANATORY}
    rows = [{"arm": arm, "outcome": outcome} for arm, outcome in {"class-means": "reference", **outcomes}.items()]
    asked.answers[controls.controls.__wrapped__, (), ()] = rows
    return asked


def test_the_word_of_every_cell_stands_with_its_interval_pairs_and_misses():
    section = verdict(study(changes={"honest": {"estimand": "E2", "target": 0.893}}))
    line = "DIRECTION ONLY. The averages saved 22.1% (95% interval 20.3% to 24.6%; 100 pairs)"
    there = "both arms' mean accuracy gets there for good, at steps 151 and 117"
    assert section.answer[1].endswith(
        f"as the article does): {line}; 0 runs missed. For good: saved 19.9% (17.4% to 24.0%), where {there}."
    )
    assert section.answer[3].endswith(f"{line}, where {there}. At first touch: saved 19.9% (17.4% to 24.0%).")
    pair = "The article's single pair (29.9%) lies above 93 of these 100. But 214 steps from scratch (here 121 to 153) "
    assert section.answer[-1].startswith(pair)  # one run of three missed, so that 145 lies among the others
    assert section.tables[0].rows == [
        ["steps from scratch", "214", "138 (121 to 153)"],
        ["right after 28 epochs on averages", "~80%", "80.8% (79.0% to 81.0%)"],
        ["then, steps", "145", "104 (93 to missed)"],
        ["saved, the article's count", "29.9%", "22.1% (20.3% to 24.6%)"],
    ]
    assert len(section.tables) == 2
    assert section.notes[0].startswith(
        "The claim cell: sign test against no saving, p <0.0001; the article's pair saved"
    )
    assert section.notes[2].startswith('"direction only" means: something is saved, and less than 25%')
    assert section.facts.keys() == {"claim", "claim_64", "honest"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"missed": 3}, "; 3 runs missed. "),  # first_hits has none: what counts is the cell's own number
        ({"missed": 1}, "; 1 run missed. "),
        (
            {"estimand": "E2", "missed": 100, "stable_steps": {"scratch": 151, "class-means": None}},
            "100 pairs), where the mean accuracy averages first does not stay at the target. ",
        ),
    ],
)
def test_misses_are_those_of_the_cells_own_question(changes, told):
    assert told in verdict_line({**FOUND, **changes})


def test_a_reason_stands_beside_the_word():
    few = {**FOUND, "verdict": Verdict("not established", "10 pairs; 20 needed")}
    assert verdict_line(few).startswith("NOT ESTABLISHED (10 pairs; 20 needed). The averages saved")


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ({"honest": "costs more"}, "it falls: held-out cell costs more, tuned no material saving."),
        ({}, "By the rules set beforehand it falls: held-out cell direction only, tuned no material saving."),
        ({"tuned": "direction only"}, "it neither stands (its cell does not say reproduced) nor falls (neither"),
        ({"tuned": "direction only", "claim": "reproduced"}, "By the rules set beforehand it stands."),
        (
            {"tuned": "not established", "claim": "reproduced"},
            "it neither stands (whether it is gone when tuned stays open) nor falls",
        ),
        (
            {"tuned": "direction only", "claim": "reproduced", "honest": "not established"},
            "it neither stands (the held-out cell is not established) nor falls",
        ),
        (
            {"tuned": "direction only", "claim": "reproduced", "explained_by": ["exemplar"]},
            "it neither stands (a control of cheap steps explains it) nor falls",
        ),
    ],
)
def test_the_first_line_says_whether_the_claim_stands(words, first):
    assert first in verdict(study(**words)).answer[0]


@pytest.mark.parametrize("lacking", ["honest", "controls", "tuned"])
def test_nothing_stands_or_falls_while_a_part_of_the_rule_is_missing(lacking):
    section = verdict(study(parts=[part for part in ALL if part != lacking]))
    assert section.answer[0] == "By the rules set beforehand that stays open."
    assert section.answer[1].startswith("Claim cell (counted and stopped as the article does): DIRECTION ONLY. ")
    assert not any("Gone when tuned" in told for told in section.answer)
    assert section.lacking == [f"Not finished: part {lacking} (python -m nnlite.study run {lacking})."]


def test_without_the_claim_cell_there_is_no_verdict():
    section = verdict(study(parts=ALL[2:]))
    assert (section.answer, section.tables) == ([], [])


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({}, "Saves as much as the averages: none of the controls."),
        (
            {"explained_by": ["exemplar", "medoid"]},
            "Saves as much as the averages: exemplar (one fixed real image of each class, drawn at random); medoid",
        ),
        ({}, "Gone when tuned: yes (no material saving)."),
        ({"tuned": "direction only"}, "Gone when tuned: no (tuned: direction only)."),
        ({"tuned": "not established"}, "Gone when tuned: open (tuned: not established)."),
        (
            {},
            "Depends on the counting: yes. By operations that ran, zeros skipped, the averages cost 4.2% more (1.0% to "
            "6.4%) in the claim cell; cost 4.2% more (1.0% to 6.4%) in the claim cell with 784-64-10; cost",
        ),
        (
            {},
            "As registered: the claim cell has one word under the 5 cost models that count by the shape of the",
        ),
        (
            {"changes": {key: {"sensitivity": [{**RAN, "saved": SAVED}, *FOUND["sensitivity"][1:]]} for key in CELLS}},
            "Depends on the counting: no. By operations that ran, zeros skipped, the averages saved 22.1%",
        ),
        (
            {"changes": {"claim": {"depends_on_counting": ["flop", "torch"]}}},
            "As registered: the claim cell has another word under operations and PyTorch's count.",
        ),
        (
            {"changes": {"honest": {"depends_on_counting": ["3x-forward"]}}},
            "of the network; the held-out cell has another word under 3 x the forward pass.",
        ),
    ],
)
def test_every_qualifier_is_told(found, sentence):
    assert any(sentence in told for told in verdict(study(**found)).answer)

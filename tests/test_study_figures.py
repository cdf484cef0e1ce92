"""Pictures of the study, from the kept report's facts and from pairs invented here: what is drawn where, and words."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import test_study_settled
from made import record
from pictures import caption, texts_outside, title, words

from nnlite.experiment.config import ARMS
from nnlite.experiment.costs import EVERY_OPERATION
from nnlite.study import figures
from nnlite.study.document import as_json
from nnlite.study.figures import controls_figure, draw_all, pairs_figure, steps_saved_figure, tuning_figure
from nnlite.study.protocol import CLAIM, SETTINGS
from nnlite.study.runs import Study
from nnlite.study.settled import settled_arms, settlement

BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
KEPT = json.loads((Path(__file__).parent / "golden" / "report.json").read_text(encoding="utf-8"))


F = 785 * 128  # one forward pass, by the article's count
STEP = 64 * F + 2 * F  # 64 forward, one backward


def run(arm, seed, steps, config=CLAIM, reached=True, n_epochs=28):
    """A run of 64 images a step: 1,000 operations a step and 500,000 a look, counted; of a hundred images checked."""
    pretrained = arm == "class-means"
    counts = {
        "train": {"matmul_forward": {"add": 1000 * steps}},
        "evaluate": {"matmul_forward": {"add": 500_000 * steps}},
    }
    passes = {"train": {"steps": steps, "images_forward": 64 * steps, "images_backward": 64 * steps}}
    curve = [min(92, 50 + 40 * step // steps) for step in range(1, 13)]
    phase1 = [
        [epoch, 80 - 10 * abs(epoch - n_epochs // 2) // n_epochs, min(10, epoch)] for epoch in range(n_epochs + 1)
    ]
    if pretrained:
        counts |= {"data": {"class_sums": {"add": 300}}, "pretrain": {"matmul_forward": {"add": 200}}}
        passes["pretrain"] = {"steps": n_epochs, "images_forward": 10 * n_epochs, "images_backward": 10 * n_epochs}
    return record(
        arm,
        seed,
        config=config.to_record(784, 10),
        dataset={"name": "mnist", "sha256": {}, "n_features": 784, "n_classes": 10},
        status="reached" if reached else "budget",
        reached=reached,
        steps_to_target=steps if reached else None,
        pretrain_epochs=n_epochs if pretrained else 0,
        accuracy_after_pretrain=0.8 if pretrained else None,
        passes=passes,
        counts={"dense": counts, "executed": counts},
        checks=[[step, right] for step, right in enumerate(curve, 1)],
        images_seen=[64 * step for step in range(1, 13)],
        images_read=[64 * step for step in range(1, 13)],
        pretrain_checks=phase1 if pretrained else [],
        n_checked=100,
    )


def both_arms(scratch=(10, 10, 8), pretrained=(7, 8, 4)):
    return {
        "scratch": [run("scratch", seed, steps) for seed, steps in enumerate(scratch)],
        "class-means": [run("class-means", seed, steps) for seed, steps in enumerate(pretrained)],
    }


@pytest.fixture
def facts():
    return deepcopy(KEPT)


def dots(axes, colour, hollow=False):
    """Medians of a colour, from left to right in the order in which they were drawn, and their heights."""
    lines = [line for line in axes.lines if line.get_markevery() == [1] and line.get_color() == colour]
    lines = [line for line in lines if (line.get_markerfacecolor() == "white") == hollow]
    return [(line.get_xdata()[1], line.get_ydata()[1]) for line in lines]


def pairs(claim, scratch=(10, 10, 8), averaged=(7, 8, 4), missed=()):
    arms = both_arms(scratch, averaged)
    for seed in missed:
        arms["class-means"][seed] = run("class-means", seed, 7, reached=False)
    return pairs_figure({**claim, "article_rank": 3}, arms["scratch"], arms["class-means"])


def controls(facts, *names):
    return controls_figure(*(facts[name] if name in names else [] for name in ("controls", "flags")))


def every_figure(facts):
    return [
        pairs(facts["claim"]),
        controls(facts, "controls", "flags"),
        steps_saved_figure(facts["targets"], facts["prediction"]),
    ]


def test_every_picture_says_how_many_pairs_and_what_its_interval_is_and_no_text_leaves_it(facts):
    for figure in every_figure(facts):
        assert "pairs" in " ".join(words(figure))
        assert "95%" in caption(figure)
        assert texts_outside(figure) == []


def test_pairs_show_scratch_across_and_class_means_upwards_beside_the_article(facts):
    figure = pairs(facts["claim"])
    dotted, cross = (line for line in figure.axes[0].lines if line.get_marker() in "oX")
    phase1 = 28 * (10 * F + 2 * F)
    expected = [[scratch * STEP / 1e9, (p * STEP + phase1) / 1e9] for scratch, p in ((10, 7), (10, 8), (8, 4))]
    np.testing.assert_allclose(dotted.get_xydata(), expected)
    np.testing.assert_allclose(cross.get_xydata(), [[1.41917952, 0.99535488]])  # as printed in the article
    # Phase 1 is 28 x 12 F, 5.1 steps of 66 F: 12.1 and 13.1 steps against 10, and 9.1 against 8.
    assert title(figure).startswith("MNIST to 90%: class averages made 0 of 3 pairs cheaper, 0 by as much")


def test_a_run_that_missed_has_no_dot_and_is_counted(facts):
    figure = pairs(facts["claim"], missed=[0])
    assert len(figure.axes[0].lines[2].get_xydata()) == 2
    assert caption(figure).endswith("Missed, without a dot: 1 run.")
    assert texts_outside(pairs(facts["claim"], missed=range(3))) == []


def test_the_forest_has_a_line_for_every_arm_with_its_word(facts):
    figure = controls(facts, "controls", "flags")
    (axes,) = figure.axes
    assert len(facts["controls"]) + len(facts["flags"]) <= 15
    n_lines = 2 + len(facts["controls"]) + len(facts["flags"])  # two headings
    assert len(axes.texts) == 4 * n_lines
    assert [x for x, _ in dots(axes, GREEN)] == [facts["controls"][5]["saved"]["interval"]["median"]]
    assert len(dots(axes, VERMILION)) == len(dots(axes, VERMILION, hollow=True)) == 1
    assert [x for x, _ in dots(axes, BLUE)] == [flag["saved"]["interval"]["median"] for flag in facts["flags"]]
    assert {f"permuted: {ARMS['permuted']}", "-15.7 (-20.5 to -13.9)", "not shown"} <= set(words(figure))
    assert title(figure) == (
        "Pretraining on class averages saves 20% by the article's count, saves 18% by all dense operations; under "
        "wrong labels it costs 18% more"
    )


def test_a_forest_without_the_control_of_wrong_labels_says_nothing_of_it(facts):
    facts["controls"] = [row for row in facts["controls"] if row["arm"] != "permuted"]
    assert title(controls(facts, "controls")).endswith("saves 18% by all dense operations")


def test_what_never_got_there_is_an_arrow_at_the_edge_and_every_miss_is_counted(facts):
    row = facts["controls"][3]
    never = {"median": None, "low": None, "high": 0.1}
    row["saved"] |= {"interval": never, "arm_missed": 58, "both_missed": 1}
    figure = controls(facts, "controls")
    (axes,) = figure.axes
    assert [line.get_marker() for line in axes.lines if line.get_xdata()[0] == axes.get_xlim()[0]] == ["<"]
    assert "miss (miss to 10.0)" in words(figure)
    assert caption(figure).endswith("each the worst value for its arm: 60.")


def test_too_few_pairs_have_a_dot_and_no_bar(facts):
    facts["flags"][0]["saved"]["interval"] |= {"low": None, "high": None}
    figure = controls(facts, "flags")
    first = next(line for line in figure.axes[0].lines if line.get_markerfacecolor() == BLUE)
    assert len(set(first.get_xdata())) == 1
    assert "33.7 (none)" in words(figure)


def test_steps_saved_are_means_with_their_band_and_medians_elsewhere(facts):
    figure = steps_saved_figure(facts["targets"], facts["prediction"])
    left, right = figure.axes
    prediction = facts["prediction"]
    assert [x for x, _ in dots(left, VERMILION)] == prediction["steps_saved"]
    assert [height for _, height in dots(left, VERMILION, hollow=True)] == [0, 1]  # phase 1 had been there: 75 and 80%
    bar = left.lines[-1].get_xdata()  # the band is of what is left without the head start
    assert bar[0] == pytest.approx(prediction["band"]["low"][-1] + prediction["head_start"])
    assert len(dots(right, VERMILION)) == len(dots(right, VERMILION, hollow=True)) == len(facts["targets"])
    assert title(figure).endswith("143 on the way to 96%: the prediction of a constant head start failed")


def test_both_tuned_arms_meet_the_target_where_their_mean_does():
    study = test_study_settled.study(treated=40, scratch=60)
    treated, scratch = settled_arms(study)
    found = as_json(settlement(study))
    figure = tuning_figure(found, scratch, treated)
    (axes,) = figure.axes
    strong = {line.get_color(): line for line in axes.lines if line.get_linewidth() > 2}
    for colour, curves, step in ((BLUE, scratch, 60), (VERMILION, treated, 40)):
        mean = strong[colour]
        x, y = mean.get_data()
        assert x[np.argmax(y >= 0.893)] == pytest.approx(curves.spent(EVERY_OPERATION)[0, step // 2 - 1] / 1e9)
    assert title(figure).startswith("Both arms tuned, class averages first saved 3")
    assert "n = 20 pairs" in caption(figure)
    assert texts_outside(figure) == []


def test_a_target_that_few_reach_has_no_dot(facts):
    facts["targets"][-1] |= {"steps_saved": None, "saved": None, "saved_every_operation": None}
    figure = steps_saved_figure(facts["targets"], None)
    assert [len(dots(axes, VERMILION, hollow=True)) for axes in figure.axes] == [9, 9]
    assert title(figure) == "Class averages save 19 steps on the way to 75%, 158 on the way to 95%"


@pytest.mark.parametrize(("outcome", "words"), [("held", "head start held"), ("open", "predicted, which stays open")])
def test_the_outcome_of_the_prediction_is_in_the_title(facts, outcome, words):
    figure = steps_saved_figure(facts["targets"], {**facts["prediction"], "outcome": outcome})
    assert title(figure).endswith(words)
    unknown = {**facts["prediction"], "outcome": outcome, "band": None, "targets": [], "steps_saved": []}
    assert texts_outside(steps_saved_figure(facts["targets"], unknown)) == []


def drawn(folder, monkeypatch, facts, parts):
    monkeypatch.setattr(figures, "facts", lambda study: {**{name: [] for name in KEPT}, "prediction": None, **facts})
    return [path.stem for path in draw_all(folder, Study(parts))]


def test_only_what_has_numbers_is_drawn(tmp_path, monkeypatch, facts):
    monkeypatch.setattr(figures.drawing, "save_png", lambda figure, path: None)
    arms, settings = both_arms(), [run("class-means", 0, 7, SETTINGS["200 epochs"], n_epochs=200)]
    claim = {"claim": [*arms["scratch"], *arms["class-means"]]}
    assert drawn(tmp_path / "none", monkeypatch, {}, {}) == []
    assert drawn(tmp_path / "a", monkeypatch, facts, claim | {"settings": settings}) == [
        *("accuracy", "pairs", "controls", "steps-saved", "phase1"),
    ]
    found = {name: facts[name] for name in ("claim", "targets")}
    assert drawn(tmp_path / "b", monkeypatch, found, claim) == ["accuracy", "pairs", "steps-saved"]


def test_a_file_of_few_colours_keeps_those_of_the_arms(tmp_path, monkeypatch, facts):
    from PIL import Image

    drawn(tmp_path, monkeypatch, {"targets": facts["targets"][:4]}, {})
    path = tmp_path / "steps-saved.png"
    assert path.stat().st_size < 50_000
    colours = np.array([colour for _, colour in Image.open(path).convert("RGB").getcolors()])
    for wanted in ((0xD5, 0x5E, 0x00), (255, 255, 255)):
        assert np.abs(colours - wanted).max(axis=1).min() <= 6

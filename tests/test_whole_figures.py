"""Pictures of a whole study invented here: which are drawn, what is drawn where, and what their words say."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from claim_pairs import both_arms, run
from example_findings import cell
from pictures import caption, marked, texts_outside, title, words

from nnlite.experiment.config import ARMS, EXPLANATORY
from nnlite.experiment.stats import Interval
from nnlite.experiment.summary import Comparison
from nnlite.experiment.whole.figures import draw_all
from nnlite.experiment.whole.figures_cells import bill_figure, cost_figure, pairs_figure
from nnlite.experiment.whole.figures_controls import controls_figure, rate_figure
from nnlite.experiment.whole.figures_horizons import steps_saved_figure
from nnlite.experiment.whole.figures_tuning import tuning_figure
from nnlite.experiment.whole.findings import Findings, Tuned
from nnlite.experiment.wording import OUTCOMES
from nnlite.study.controls import Control, Setting
from nnlite.study.protocol import CLAIM, N_DRAWS, SETTINGS, TARGETS, by_arm
from nnlite.study.resampling import Band
from nnlite.study.tuning import expected_best

BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
NAMES = ["accuracy", "cost", "pairs", "controls", "steps-saved", "rate", "bill", "phase1", "tuning"]


def comparison(median, half_width=0.02, n=100, **missed):
    counts = {"arm_missed": 0, "scratch_missed": 0, "both_missed": 0, **missed}
    interval = Interval(median, median - half_width, median + half_width)
    return Comparison(reductions=[median] * n, interval=interval, **counts)


def control(arm, saved, outcome, every=None, **missed):
    n = 30 if outcome == "descriptive" else 100
    both = comparison(saved, n=n, **missed), comparison(saved - 0.02 if every is None else every, n=n)
    return Control(arm, n, *both, 0.8, outcome)


def setting(name, saved, n=30, steps=80.0):
    return Setting(name, n, steps, comparison(saved, 0.05, n), comparison(saved - 0.02, 0.05, n))


def target_row(target, steps_saved, reached=1.0):
    low_enough = reached >= 0.95
    share = steps_saved / (3000 * max(0, target - 0.72))
    return {
        "target": target,
        "n_pairs": 100,
        "reached": {"scratch": reached, "class-means": 1.0},
        "scratch_steps": 3000 * (target - 0.72),
        "steps_saved": Interval(steps_saved, steps_saved - 5, steps_saved + 5) if low_enough else None,
        "saved": Interval(share, share - 0.02, share + 0.02) if low_enough else None,
        "saved_every_operation": Interval(share - 0.02, share - 0.04, share) if low_enough else None,
    }


def targets():
    saved = [40, 41, 39, 38, 37, 36, 34, 30, 20, 12]
    shares = [1.0] * 8 + [0.97, 0.6]
    rows = [target_row(*row) for row in zip(TARGETS, saved, shares, strict=True)]
    return rows, prediction(TARGETS[:8], np.array(saved[:8], float))


def prediction(at, saved, head_start=42.0, outcome="failed"):
    left = saved - head_start
    band = Band(left, left - 6, left + 6, 2.5)
    found = {"targets": list(at), "head_start": head_start, "steps_saved": saved.tolist()}
    return {**found, "band": band, "outcome": outcome, "met_by_phase_1": []}


def tuned(n_lost=20):
    rng = np.random.default_rng(0)
    scores = {}
    for arm, best in (("scratch", 1.1e9), ("class-means", 1.05e9)):
        values = best * np.exp(2.5 * rng.random(N_DRAWS))
        values[rng.permutation(N_DRAWS)[:n_lost]] = np.inf
        scores[arm] = values.tolist()
    winners = {}
    for arm, values in scores.items():
        names = ["optimizer", "learning_rate", "batch_size", "decay"]
        names += [] if arm == "scratch" else ["pretrain_epochs", "pretrain_rate_factor"]
        config = by_arm(arm)[int(np.argmin(values))]
        winners[arm] = {name: getattr(config, name) for name in names}
    best_of = {arm: expected_best(values) for arm, values in scores.items()}
    cost = {"scratch": 6_100_000_000_000, "class-means": 6_300_000_000_000}
    return Tuned(cell("tuned", saved=(0.01, 0.03, 0.05)), winners, scores, best_of, cost, Interval(0.2, 0.17, 0.22))


def controls():
    savings = [0.21, 0.12, 0.15, 0.2, 0.18, -0.9, -0.1, 0.02]
    outcomes = ["explains", "worse", "worse", "explains", "open", "worse", "worse", "worse"]
    rows = [control(arm, *row) for arm, *row in zip(EXPLANATORY, savings, outcomes, strict=True)]
    return [control("class-means", 0.22, "reference"), *rows]


def described():
    arms = [arm for arm in ARMS if arm not in ("scratch", "class-means", *EXPLANATORY)]
    return [control(arm, 0.3 - 0.03 * i, "descriptive") for i, arm in enumerate(arms)]


def findings():
    rows, predicted = targets()
    return Findings(
        claim=cell(),
        controls=controls(),
        descriptive=described(),
        flags=[setting("--learning-rate 2e-3", 0.37, 100), setting("--batch-size 16", 0.49, 100)],
        settings=[setting("rate x 2", 0.15), setting("rate x 4", 0.08, steps=60.0), setting("rate x 10", -0.03)],
        targets=rows,
        prediction=predicted,
        tuned=tuned(),
    )


def parts(name):
    arms = both_arms()
    longest = [run("class-means", seed, 7, SETTINGS["200 epochs"], n_epochs=200) for seed in range(3)]
    of_other_size = run("scratch", 0, 300, replace(CLAIM, hidden_layer_sizes=(64,)))
    return {"claim": [*arms["scratch"], *arms["class-means"], of_other_size], "settings": longest}.get(name, [])


def all_figures():
    found, arms = findings(), both_arms()
    return [
        cost_figure(arms),
        pairs_figure(arms),
        bill_figure(arms),
        controls_figure(found.controls, found.descriptive, found.flags),
        rate_figure(found.controls[0], 144.0, found.settings),
        steps_saved_figure(found.targets, found.prediction),
        tuning_figure(found.tuned),
    ]


@pytest.mark.slow
def test_every_picture_of_a_whole_study_is_written_and_is_small(tmp_path):
    paths = draw_all(tmp_path / "new" / "folder", findings(), parts)
    assert paths == [tmp_path / "new" / "folder" / f"{name}.png" for name in NAMES]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert max(path.stat().st_size for path in paths) < 150_000


def test_a_file_of_few_colours_keeps_those_of_the_arms(tmp_path):
    from PIL import Image

    path, *_ = draw_all(tmp_path, Findings(claim=cell()), parts)
    colours = np.array([colour for _, colour in Image.open(path).convert("RGB").getcolors()])
    for arm in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (255, 255, 255)):
        assert np.abs(colours - arm).max(axis=1).min() <= 6


@pytest.mark.slow
def test_runs_of_another_configuration_are_in_no_picture(tmp_path):
    draw_all(tmp_path / "with", Findings(claim=cell()), parts)
    draw_all(tmp_path / "without", Findings(claim=cell()), lambda name: parts(name)[:6])
    for name in ("accuracy", "cost"):
        there, absent = (tmp_path / folder / f"{name}.png" for folder in ("with", "without"))
        assert there.read_bytes() == absent.read_bytes()


def test_findings_without_numbers_have_no_pictures(tmp_path):
    assert draw_all(tmp_path, Findings(), lambda name: []) == []
    assert list(tmp_path.iterdir()) == []
    assert [path.stem for path in draw_all(tmp_path, Findings(), parts)] == ["phase1"]


@pytest.mark.parametrize(
    ("there", "names"),
    [
        ({"claim"}, "accuracy cost pairs bill"),
        ({"controls", "targets"}, "controls steps-saved"),
        ({"controls", "settings", "tuned"}, "controls phase1 tuning"),
    ],
)
def test_only_what_was_found_is_drawn(tmp_path, there, names):
    found = Findings(**{name: getattr(findings(), name) for name in there})
    paths = draw_all(tmp_path, found, lambda name: parts(name) if name in there else [])
    assert [path.stem for path in paths] == names.split()


def test_no_text_leaves_a_picture():
    for figure in all_figures():
        assert texts_outside(figure) == [], title(figure)


def test_every_caption_says_how_many_and_what_the_interval_is():
    for figure in all_figures():
        assert any(how in caption(figure) for how in ("pairs", "draws")) or "100" in words(figure), title(figure)
        assert "95%" in caption(figure), title(figure)


def test_the_forest_has_a_line_for_every_arm_with_its_word():
    figure = controls_figure(controls(), described(), [setting("--batch-size 16", 0.49, 100)])
    labels, forest, numbers = figure.axes
    assert len(labels.texts) == 3 + 9 + len(described()) + 1  # three headings
    assert title(figure) == (
        "Pretraining on class averages saves 22% by the article's count, saves 20% when every operation counts; "
        "fresh-batches and means-10 explain it"
    )
    assert marked(forest, VERMILION)[0][0] == pytest.approx(0.22)
    assert [x for x, _ in marked(forest, GREEN)] == pytest.approx([0.21, 0.20])
    assert [x for x, _ in marked(forest, BLUE)] == pytest.approx([0.49])
    assert [x for x, _ in marked(forest, GREEN, hollow=True)] == pytest.approx([0.19, 0.18])
    assert [text.get_text() for text in numbers.texts].count(OUTCOMES["explains"]) == 2
    assert {"permuted: the class averages under wrong labels", "-90.0 (-92.0 to -88.0)"} <= set(words(figure))


def test_what_costs_far_more_is_an_arrow_at_the_edge_of_the_forest():
    never = control("permuted", -np.inf, "worse", every=-np.inf, arm_missed=60)
    figure = controls_figure([controls()[0], never], [], [])
    forest = figure.axes[1]
    arrows = [line for line in forest.lines if line.get_marker() == "<"]
    assert [arrow.get_xdata()[0] for arrow in arrows] == [forest.get_xlim()[0]] * 2
    assert forest.get_xlim()[1] < 0.5
    assert "miss (miss to miss)" in words(figure)
    assert "each the worst value for its arm: 60." in caption(figure)
    assert texts_outside(figure) == []


def test_a_forest_in_which_nothing_explains_says_so():
    rows = [control("class-means", 0.22, "reference"), control("exemplar", 0.1, "worse")]
    assert title(controls_figure(rows, [], [])).endswith("none of 1 controls is shown to explain it")


def test_the_saving_stands_at_each_learning_rate():
    figure = rate_figure(controls()[0], 144.0, findings().settings)
    (axes,) = figure.axes
    np.testing.assert_allclose(marked(axes, VERMILION), [[1e-3, 0.22], [2e-3, 0.15], [4e-3, 0.08], [1e-2, -0.03]])
    assert "0.004 30 pairs scratch: 60 steps" in words(figure)
    assert title(figure) == (
        "Described only: pretraining on class averages saves 22% at learning rate 0.001 (100 pairs), costs 3% more at "
        "10 times that rate (30 pairs)"
    )
    assert rate_figure(controls()[0], 144.0, [setting("batch 256", 0.1)]) is None


def test_steps_saved_are_means_with_their_band_or_where_a_run_missed_medians():
    rows, predicted = targets()
    figure = steps_saved_figure(rows, predicted)
    top, bottom = figure.axes
    shown = dict(marked(top, VERMILION))
    assert [shown[target] for target in TARGETS[:8]] == pytest.approx([40, 41, 39, 38, 37, 36, 34, 30])
    # At 90% the band of what is left is 37 - 42 -+ 6, with the head start of 42 back on it 31 to 43.
    assert [31, 43] in [list(line.get_ydata()) for line in top.lines]
    assert marked(top, VERMILION, hollow=True) == [[0.95, 20]]
    assert {target for target, _ in marked(bottom, VERMILION)} == set(TARGETS[:9])  # 60% reach 96%: no ratio
    assert "predicted: the head start of 42 steps, ±10" in words(figure)
    assert title(figure).endswith("30 on the way to 94%: the prediction of a constant head start failed")


@pytest.mark.parametrize(
    ("outcome", "expected"), [("held", "head start held"), ("open", "was predicted, which stays open")]
)
def test_the_outcome_of_the_prediction_is_in_the_title(outcome, expected):
    rows, predicted = targets()
    assert title(steps_saved_figure(rows, {**predicted, "outcome": outcome})).endswith(expected)


def test_steps_saved_without_a_prediction_are_medians():
    rows, _ = targets()
    figure = steps_saved_figure(rows, None)
    assert title(figure) == "Class averages save 40 steps on the way to 75%, 20 on the way to 95%"
    assert len(marked(figure.axes[0], VERMILION, hollow=True)) == 9
    assert texts_outside(steps_saved_figure(rows, prediction([], np.array([]), outcome="open") | {"band": None})) == []


def test_the_search_shows_expected_bests_all_draws_and_the_winners():
    found = tuned()
    left, right = tuning_figure(found).axes
    for arm, colour in (("scratch", BLUE), ("class-means", VERMILION)):
        finite = [score for score in found.scores[arm] if np.isfinite(score)]
        (end,) = marked(left, colour)
        assert end == [64, pytest.approx(min(finite) / 1e9)]
        (curve,) = [line for line in left.lines if line.get_linewidth() == 2.2 and line.get_color() == colour]
        assert curve.get_xdata()[0] == 21  # 20 of 64 never get there: of 21 draws one does
        assert len(marked(right, colour)) == 64
    rings = [line.get_ydata()[0] for line in right.lines if line.get_markerfacecolor() == "none"]
    assert rings == pytest.approx([min(found.scores[arm]) / 1e9 for arm in ("scratch", "class-means")])
    assert "scratch 20 of 64 never" in words(tuning_figure(found))
    assert title(tuning_figure(found)) == (
        "Both arms tuned alike: direction only, saved 3.0% (1.0% to 5.0%, 100 pairs); untuned 20.0%"
    )


def test_a_search_in_which_all_get_there_or_none_does_is_drawn():
    assert texts_outside(tuning_figure(tuned(n_lost=0))) == []
    assert texts_outside(tuning_figure(tuned(n_lost=N_DRAWS))) == []


def test_importing_the_module_needs_no_matplotlib():
    program = "import sys; sys.modules['matplotlib'] = None; import nnlite.experiment.whole.figures"
    subprocess.run([sys.executable, "-c", program], check=True)

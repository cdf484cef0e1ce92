"""Pictures of the claim cell's pairs, from records invented here."""

from __future__ import annotations

import numpy as np
from claim_pairs import STEP, F, both_arms, run
from pictures import bars, caption, marked, texts_outside, title, words

from nnlite.experiment.whole.figures_cells import bill_figure, cost_figure, pairs_figure

BLUE, VERMILION = "#0072B2", "#D55E00"


def test_cost_shows_every_run_and_the_median_in_both_countings():
    figure = cost_figure(both_arms())
    by_article, by_all = figure.axes
    # Steps 10, 10, 8 of 64 F + 2 F; the equal ones stand side by side.
    np.testing.assert_allclose([x for x, _ in marked(by_article, BLUE)], np.array([8, 10, 10]) * STEP / 1e9)
    # 28 epochs of 10 F + 2 F and 4, 7, 8 steps.
    phase1 = 28 * (10 * F + 2 * F)
    costs = (np.array([4, 7, 8]) * STEP + phase1) / 1e9
    np.testing.assert_allclose([x for x, _ in marked(by_article, VERMILION)], costs)
    assert [costs[1]] * 2 in bars(by_article, VERMILION)
    # Every operation: 300 for data, 200 for pretraining and 1,000 a step, but none of the looks.
    np.testing.assert_allclose([x for x, _ in marked(by_all, VERMILION)], [4.5e-6, 7.5e-6, 8.5e-6])
    (_, first), (_, second) = marked(by_article, BLUE)[1:]
    assert first != second


def test_a_run_that_missed_has_no_dot_and_is_counted():
    arms = both_arms()
    arms["class-means"][0] = run("class-means", 0, 7, reached=False)
    assert len(marked(cost_figure(arms).axes[0], VERMILION)) == 2
    assert len(marked(pairs_figure(arms).axes[0], VERMILION)) == 2
    assert caption(cost_figure(arms)).endswith("Missed, without a dot: 1 run.")
    assert caption(pairs_figure(arms)).endswith("Missed, without a dot: 1 run.")


def test_arms_that_only_missed_are_still_drawn():
    arms = {arm: [run(arm, seed, 9, reached=False) for seed in range(3)] for arm in ("scratch", "class-means")}
    for figure in (cost_figure(arms), pairs_figure(arms), bill_figure(arms)):
        assert texts_outside(figure) == []
    assert "class-means the median run misses" in words(cost_figure(arms))


def test_pairs_show_scratch_across_and_class_means_upwards_beside_the_article():
    figure = pairs_figure(both_arms())
    (axes,) = figure.axes
    phase1 = 28 * (10 * F + 2 * F)
    pairs = [[scratch * STEP / 1e9, (p * STEP + phase1) / 1e9] for scratch, p in ((10, 7), (10, 8), (8, 4))]
    np.testing.assert_allclose(marked(axes, VERMILION), pairs)
    (cross,) = [line for line in axes.lines if line.get_marker() == "X"]
    np.testing.assert_allclose(cross.get_xydata(), [[1.41917952, 0.99535488]])  # as printed in the article
    # Phase 1 is 28 x 12 F, 5.1 steps of 66 F: 12.1 and 13.1 steps against 10, and 9.1 against 8.
    assert (
        title(figure)
        == "MNIST to 90%: class averages made 0 of 3 pairs cheaper, 0 by as much as the article's one pair"
    )


def test_the_bill_is_the_median_of_each_phase_and_looks_stand_apart():
    figure = bill_figure(both_arms((10_000_000, 10_000_000, 8_000_000), (7_000_000, 8_000_000, 4_000_000)))
    left, right = figure.axes
    widths = {round(bar.get_y() + 0.25): bar.get_width() for bar in right.patches}
    assert widths == {1: 5000.0, 0: 3500.0}  # 500,000 a step
    assert {"training 7", "training 10", " 5000", " 3500"} <= set(words(figure))
    assert "0.5 × 10" not in title(figure)
    assert "looking at the accuracy after every step would cost 3500 × 10⁹ operations, 500 times that bill" in title(
        figure
    )
    assert left.get_xlim()[1] > 10

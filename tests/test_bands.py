"""The simultaneous band and the prediction's word, against resamples counted by hand and simulated studies."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from nnlite.experiment.bands import Band, prediction, simultaneous_band, within


def correlated_studies(n_studies, n_pairs, seed):
    """Studies (n_studies, n_pairs, 8) with mean 0, spreads 1 to 8 and correlation 0.9^distance, as between targets."""
    targets = np.arange(8)
    correlation = 0.9 ** np.abs(targets[:, None] - targets)
    draws = np.random.default_rng(seed).normal(size=(n_studies, n_pairs, 8))
    return draws @ np.linalg.cholesky(correlation).T * (targets + 1)


def edges(mean, low, high):
    return Band(np.array([mean]), np.array([low]), np.array([high]), 1.0)


def test_one_target_of_eight_pairs_has_the_edges_counted_by_hand():
    # Pair 0 has 8, the others 0: mean 1, sd^2 = (7^2 + 7 x 1^2) / 7 = 8, standard error sqrt(8 / 8) = 1.
    # A resample draws pair 0 N times, N ~ Binomial(8, 1/8), and its mean is N: |N - 1| <= 1 has probability 0.9327,
    # |N - 1| <= 2 has 0.9327 + C(8, 3) 7^5 / 8^8 = 0.9888, so c = 2.
    band = simultaneous_band(8.0 * np.eye(8)[:, :1], np.random.default_rng(0))
    assert (band.mean.tolist(), band.low.tolist(), band.high.tolist()) == ([1.0], [-1.0], [3.0])
    assert band.critical == 2.0


def test_eight_targets_together_need_the_wider_edges_counted_by_hand():
    # The same column once for every pair. Some N_i >= 4 has probability at least 8 x 0.01125 - 28 x 70 / 8^8 = 0.0899,
    # some N_i >= 5 at most 8 x 0.00123 = 0.0098: all |N_i - 1| <= 2 hold in 91.0%, all <= 3 in 99.0%, so c = 3.
    band = simultaneous_band(8.0 * np.eye(8), np.random.default_rng(0))
    assert band.critical == 3.0
    assert (band.low.tolist(), band.high.tolist()) == ([-2.0] * 8, [4.0] * 8)


def test_critical_value_of_six_pairs_matches_all_their_46656_resamples():
    values = np.array([[5.0, 1, 0], [9, 4, 2], [7, -3, 1], [6, 0, 8], [8, 2, 3], [9, 1, -2]])
    every = values[np.array(list(itertools.product(range(6), repeat=6)))].mean(axis=1)  # (46656, 3)
    error = values.std(axis=0, ddof=1) / math.sqrt(6)
    exact = np.sort((np.abs(every - values.mean(axis=0)) / error).max(axis=1))
    band = simultaneous_band(values, np.random.default_rng(1))
    assert band.critical == pytest.approx(exact[math.ceil(0.95 * len(exact)) - 1], abs=0.05)
    np.testing.assert_allclose(band.high - band.mean, band.critical * error)
    np.testing.assert_allclose(band.mean - band.low, band.critical * error)


def test_the_band_covers_all_targets_of_simulated_studies_together():
    # 300 studies of 30 pairs; a pointwise band would hold at all eight targets in about 80%.
    rng = np.random.default_rng(2)
    bands = [simultaneous_band(study, rng) for study in correlated_studies(300, 30, seed=3)]
    covered = np.mean([(band.low <= 0).all() and (band.high >= 0).all() for band in bands])
    assert 0.90 <= covered <= 0.99


def test_one_target_has_the_pointwise_normal_interval():
    # Resampled means of 100 values are nearly normal with variance (99 / 100) s^2: c = 1.960 sqrt(0.99) = 1.950.
    values = np.random.default_rng(4).normal(5, 3, (100, 1))
    assert simultaneous_band(values, np.random.default_rng(5)).critical == pytest.approx(1.950, abs=0.06)


def test_more_targets_widen_the_band_of_each():
    study = correlated_studies(1, 40, seed=6)[0]
    together = simultaneous_band(study, np.random.default_rng(7))
    for target in range(8):
        alone = simultaneous_band(study[:, [target]], np.random.default_rng(7))
        assert together.low[target] < alone.low[0] < alone.high[0] < together.high[target]


def test_copies_of_a_target_cost_no_width():
    # Perfectly correlated targets are one target: Bonferroni would widen, the sup-t band does not.
    column = np.random.default_rng(8).normal(size=(20, 1))
    copies = np.hstack([column, 3 * column + 1, -column])
    alone, together = (simultaneous_band(values, np.random.default_rng(9)).critical for values in (column, copies))
    assert together == pytest.approx(alone)


def test_units_of_a_target_scale_its_band_and_no_other():
    study = correlated_studies(1, 12, seed=10)[0]
    factors = np.array([1, 10, 1, 1, 0.5, 1, 1, 1])
    plain, scaled = (simultaneous_band(values, np.random.default_rng(11)) for values in (study, study * factors))
    np.testing.assert_allclose(scaled.low, plain.low * factors)
    np.testing.assert_allclose(scaled.high, plain.high * factors)


def test_higher_confidence_widens_the_band():
    study = correlated_studies(1, 12, seed=12)[0]
    widths = [simultaneous_band(study, np.random.default_rng(13), share).critical for share in (0.5, 0.9, 0.95, 0.99)]
    assert widths == sorted(set(widths))


def test_a_target_with_equal_values_has_no_width_and_leaves_the_others_alone():
    column = np.random.default_rng(14).normal(size=(9, 1))
    constant = np.full((9, 1), 0.1)  # its floating-point sd is not 0
    alone = simultaneous_band(column, np.random.default_rng(15))
    both = simultaneous_band(np.hstack([constant, column]), np.random.default_rng(15))
    assert both.low[0] == both.mean[0] == both.high[0] == pytest.approx(0.1)
    assert (both.low[1], both.high[1], both.critical) == pytest.approx((alone.low[0], alone.high[0], alone.critical))


def test_targets_that_all_have_equal_values_have_a_band_of_no_width():
    band = simultaneous_band([[3.0, -4.0]] * 6, np.random.default_rng(16))
    assert (band.low.tolist(), band.high.tolist(), band.critical) == ([3.0, -4.0], [3.0, -4.0], 0.0)


def test_the_same_generator_gives_the_same_band_and_values_stay_unchanged():
    study = correlated_studies(1, 10, seed=17)[0]
    before = study.copy()
    once, again = (simultaneous_band(study, np.random.default_rng(18)) for _ in range(2))
    assert np.array_equal(once.low, again.low)
    assert np.array_equal(study, before)


def test_under_six_pairs_there_is_no_band():
    assert simultaneous_band([[1.0], [2.0], [3.0], [4.0], [6.0]], np.random.default_rng(0)) is None
    assert simultaneous_band([[1.0], [2.0], [3.0], [4.0], [6.0], [7.0]], np.random.default_rng(0)) is not None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 2.0], r"shape \(2,\)"),
        ([], r"shape \(0,\)"),
        (np.ones((7, 0)), r"shape \(7, 0\)"),
        (np.ones((0, 7)), r"shape \(0, 7\)"),
        ([[1, 2], [3, math.inf]], "pair 1, target 1 is inf; a mean needs targets that all runs reached"),
        ([[1, 2], [math.nan, 3]], "pair 1, target 0 is nan"),
    ],
)
def test_tables_without_a_mean_are_refused_with_what_was_found(values, message):
    with pytest.raises(ValueError, match=message):
        simultaneous_band(values, np.random.default_rng(0))


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_confidence_outside_zero_and_one_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        simultaneous_band(np.ones((8, 2)), np.random.default_rng(0), confidence)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        ([-9.0, 0.0], [0.0, 9.0], "held"),
        ([-10.0, 0.0], [0.0, 10.0], "held"),  # an edge on the margin is inside
        ([-9.0, 0.0], [0.0, 10.5], "open"),
        ([-11.0, 0.0], [0.0, 9.0], "open"),
        ([-9.0, 10.0], [0.0, 30.0], "open"),  # an edge on the margin is not outside either
        ([-9.0, 10.5], [0.0, 30.0], "failed"),  # one target is enough
        ([-30.0, 0.0], [-10.5, 9.0], "failed"),
        ([-30.0, 0.0], [30.0, 9.0], "open"),  # so wide that it says nothing
    ],
)
def test_the_prediction_holds_inside_the_margin_fails_outside_and_is_open_between(low, high, word):
    band = Band(np.zeros(2), np.array(low), np.array(high), 2.0)
    assert prediction(band) == word
    assert within(band) == (word == "held")


def test_the_margin_of_the_prediction_can_be_chosen():
    band = edges(1.0, -1.0, 3.0)
    assert [prediction(band, margin) for margin in (4, 3, 2, 0.5)] == ["held", "held", "open", "open"]
    assert prediction(edges(4.0, 3.5, 4.5), 3) == "failed"


@pytest.mark.parametrize("margin", [0, -10, math.nan])
def test_a_margin_that_is_not_above_zero_is_refused(margin):
    with pytest.raises(ValueError, match="margin must be above 0"):
        prediction(edges(0.0, -1.0, 1.0), margin)

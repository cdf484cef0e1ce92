"""Every word of the verdict at its limits, and simulated studies with planted effects named right."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nnlite.experiment.stats import article_rank, median_interval, paired_ratios, verdict


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.25, 0.35, "reproduced"),
        (0.28, 0.33, "reproduced"),
        (0.36, 0.46, "larger than claimed"),
        (0.35, 0.45, "saves, size not established"),  # 0.35 is not above 0.35
        (-0.05, 0.05, "no material saving"),
        (0.01, 0.05, "no material saving"),  # though the sign is known: the rule comes before "direction only"
        (-0.04, -0.01, "no material saving"),
        (-0.12, -0.04, "costs more"),
        (-math.inf, -math.inf, "costs more"),  # every pretrained run missed
        (0.02, 0.08, "direction only"),
        (0.16, 0.249, "direction only"),
        (0.20, 0.28, "saves, size not established"),
        (0.16, 0.25, "saves, size not established"),  # 0.25 is not below 0.25
        (0.30, 0.38, "saves, size not established"),
        (1.0, 1.0, "larger than claimed"),  # every scratch run missed
    ],
)
def test_the_first_rule_that_applies_gives_the_word(low, high, word):
    found = verdict(100, 0.0, low, high)
    assert (found.word, found.reason) == (word, None)


@pytest.mark.parametrize(
    ("n_pairs", "share", "low", "high", "reason"),
    [
        (10, 0.0, 0.28, 0.33, "10 pairs; 20 needed"),
        (1, 0.0, None, None, "1 pair; 20 needed"),
        (19, 0.5, 0.0, 0.9, "19 pairs; 20 needed"),
        (100, 0.0501, 0.28, 0.33, "both arms missed in 5.01%; at most 5% allowed"),
        (100, 0.0, 0.20, 0.35, "interval 15 points wide; at most 10 allowed"),
        (100, 0.0, 0.2, 0.3004, "interval 10.04 points wide; at most 10 allowed"),
        (100, 0.0, -math.inf, 0.3, "interval inf points wide; at most 10 allowed"),
        (20, 0.0, None, None, "no 95% interval"),
        (100, 0.0, -0.02, 0.07, "the interval leaves open whether anything is saved"),
        (100, 0.0, 0.0, 0.08, "the interval leaves open whether anything is saved"),
        (100, 0.0, -0.04, 0.051, "the interval leaves open whether anything is saved"),
        (100, 0.0, -0.051, 0.04, "the interval leaves open whether anything is saved"),
        (100, 1.0, 0.0, 0.0, "both arms missed in 100%; at most 5% allowed"),
        (100, 0.0, -0.08, 0.0, "the interval leaves open whether anything is saved"),
    ],
)
def test_what_is_not_established_says_why(n_pairs, share, low, high, reason):
    found = verdict(n_pairs, share, low, high)
    assert (found.word, found.reason) == ("not established", reason)


def test_twenty_pairs_with_five_percent_missed_are_enough():
    assert verdict(20, 0.05, 0.28, 0.33).word == "reproduced"


def test_rounding_noise_does_not_decide_at_a_limit():
    assert 1 - 1.05 < -0.05
    assert 0.4 - 0.3 > 0.1
    assert verdict(100, 0.0, 1 - 1.05, 0.01).word == "no material saving"
    assert verdict(100, 0.0, 0.3, 0.4).word == "saves, size not established"


@pytest.mark.parametrize(
    ("share", "low", "high"), [(1.1, 0.1, 0.2), (-0.1, 0.1, 0.2), (0.0, 0.3, 0.2), (0.0, math.nan, 0.2)]
)
def test_impossible_inputs_are_refused(share, low, high):
    with pytest.raises(ValueError, match="must"):
        verdict(100, share, low, high)


def test_article_rank_counts_pairs_strictly_below():
    assert article_rank([0.1, 0.299, 0.31, -math.inf], 0.299) == 2


def simulated_verdict(rng, effect, spread, miss_rate):
    """One study of 100 pairs: whole steps, log-normal ratios with median 1 - effect and SD `spread`."""
    scratch = np.rint(rng.normal(1380, 60, 100))  # tenths of a step, so that rounding stays below the effects
    pretrained = np.rint(scratch * (1 - effect) * rng.lognormal(0, spread / (1 - effect), 100))
    scratch[rng.random(100) < miss_rate] = math.inf
    pretrained[rng.random(100) < miss_rate] = math.inf
    paired = paired_ratios(pretrained, scratch)
    reduction = median_interval(paired.ratios).as_reduction()
    return verdict(100, paired.both_missed_share, reduction.low, reduction.high).word


@pytest.mark.parametrize("miss_rate", [0.0, 0.03])
@pytest.mark.parametrize("spread", [0.065, 0.08])
@pytest.mark.parametrize(
    ("effect", "word"), [(0.0, "no material saving"), (0.15, "direction only"), (0.30, "reproduced")]
)
def test_a_planted_effect_is_named_right_in_95_of_100_studies(effect, word, spread, miss_rate):
    rng = np.random.default_rng([20231200, round(1000 * spread), round(100 * effect), round(100 * miss_rate)])
    words = [simulated_verdict(rng, effect, spread, miss_rate) for _ in range(100)]
    assert words.count(word) >= 95

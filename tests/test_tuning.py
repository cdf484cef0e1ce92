"""Scores, the best settings, how many pairs are enough, and the best of k draws: by hand and by enumeration."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace

import pytest
from made import BEFORE, CONFIG, STEP, at_target_from, run

from nnlite.experiment.whole.tuning import best, expected_best, ratio_sd, score
from nnlite.study.protocol import n_tuned

SLOW, FAST = replace(CONFIG, learning_rate=0.01), replace(CONFIG, learning_rate=0.02)
WINNERS = {"scratch": SLOW, "class-means": FAST}


def runs_of(arm, hits, config=CONFIG):
    return [run(arm, seed, at_target_from(hit), config) for seed, hit in enumerate(hits)]


def test_a_score_is_the_mean_cost_at_the_step_from_which_the_mean_stays():
    # Hits at 4 and 8: the mean of 80 and 90 is 85 until step 8, which both runs pay for.
    assert score(runs_of("scratch", [4, 8])) == 8 * STEP
    assert score(runs_of("class-means", [4, 8])) == BEFORE + 8 * STEP
    assert score(runs_of("scratch", [4, None])) == math.inf  # 85 on average to the end
    assert score([]) == math.inf


def test_one_run_that_diverged_spoils_its_setting():
    diverged = run("scratch", 1, at_target_from(2)[:5], status="diverged")  # 0 right from step 6 on
    assert score([*runs_of("scratch", [2]), diverged]) == math.inf


def test_the_best_settings_come_first_and_equals_as_they_were_drawn():
    configs = [replace(CONFIG, learning_rate=rate) for rate in (0.1, 0.2, 0.3, 0.4, 0.5)]
    hits = (7, 5, None, 5)  # the fifth was not run
    records = [r for config, hit in zip(configs, hits, strict=False) for r in runs_of("scratch", [hit], config)]
    assert best("scratch", configs, records, 2) == [configs[1], configs[3]]
    assert best("scratch", configs, records, 9) == [configs[1], configs[3], configs[0], configs[2]]
    assert best("class-means", configs, records, 1) == []


def test_the_spread_of_ratios_is_that_of_pairs_in_which_both_hit():
    records = runs_of("scratch", [10, 10, 10, None, 10], SLOW) + runs_of("class-means", [5, 6, 8, 5, None], FAST)
    ratios = [(BEFORE + hit * STEP) / (10 * STEP) for hit in (5, 6, 8)]  # equal but for 5, 6 and 8 tenths
    assert ratio_sd(WINNERS, records) == pytest.approx(statistics.stdev(ratios))
    # 0.5, 0.6 and 0.8: mean 1.9 / 3; squares of 4, 1 and 5 thirtieths: 42 / 900 / 2.
    assert ratio_sd(WINNERS, records) == pytest.approx(math.sqrt(42 / 900 / 2))


def test_under_two_ratios_the_plan_is_for_all_seeds():
    one = runs_of("scratch", [10, None], SLOW) + runs_of("class-means", [5, 5], FAST)
    assert ratio_sd(WINNERS, one) == math.inf
    assert ratio_sd(WINNERS, []) == math.inf
    assert n_tuned(math.inf) == 400
    assert n_tuned(0.0) == 100


@pytest.mark.parametrize("scores", [[3.0], [2.0, 7.0, 1.0, 1.0], [4.0, 1.0, 2.0, 9.0, 6.0, 5.0]])
def test_the_expected_best_is_the_mean_over_all_subsets(scores):
    ref = [statistics.fmean(map(min, itertools.combinations(scores, k))) for k in range(1, len(scores) + 1)]
    assert expected_best(scores) == pytest.approx(ref)


def test_the_expected_best_is_infinite_while_a_subset_may_hold_no_setting_that_reaches():
    # Two of four never reach: of three drawn one does; (1, 2, x) twice and (1, x, y), (2, x, y): (1 + 1 + 1 + 2) / 4.
    assert expected_best([math.inf, 2.0, math.inf, 1.0]) == [math.inf, math.inf, 1.25, 1.0]
    assert expected_best([math.inf] * 2) == [math.inf] * 2
    assert expected_best([]) == []

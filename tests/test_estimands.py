"""Where runs and their mean are at a goal, and what had been spent there, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from made import BEFORE, CONFIG, STEP, at_target_from, run

from nnlite.experiment.costs import cost_at_checks
from nnlite.experiment.whole.estimands import (
    Goal,
    Price,
    at_first_check,
    costs_at_stable_step,
    first_check,
    first_step,
    stable_ratio,
    stable_step_of,
    target_of,
)

NINETY = Fraction("0.9")
FLOP = Price("flop", "bill")


def test_the_target_is_read_by_its_decimal_digits():
    assert target_of(run("scratch", 0, at_target_from(3))) == Fraction(9, 10)


def test_the_first_check_is_a_place_among_the_checks_and_the_step_is_a_step():
    tuned = replace(CONFIG, batch_size=128, check_every="64 images")
    halves = replace(CONFIG, batch_size=16, check_every="64 images")  # looks after every fourth step
    assert halves.check_steps() == [4, 8, 12]
    assert first_check(run("scratch", 0, at_target_from(5), tuned), Goal(NINETY)) == 4
    assert first_check(run("scratch", 0, [80, 90, 90], halves), Goal(NINETY)) == 1
    assert first_step(run("scratch", 0, [80, 90, 90], halves), Goal(NINETY)) == 8.0
    assert first_step(run("scratch", 0, at_target_from(None)), Goal(NINETY)) == math.inf


@pytest.mark.parametrize(
    ("every", "step"),
    [
        (None, 5),
        (3, 6),
        (5, 5),
        (7, 7),
        (13, math.inf),  # the budget of 12 steps ends before the first look
    ],
)
def test_rare_looks_see_a_hit_later(every, step):
    assert first_step(run("scratch", 0, at_target_from(5)), Goal(NINETY, every=every)) == step


def test_a_look_that_falls_between_checks_is_made_at_the_next():
    halves = replace(CONFIG, batch_size=16, check_every="64 images")  # checks after steps 4, 8, 12
    hits_at_once = run("scratch", 0, [90, 90, 90], halves)
    assert first_step(hits_at_once, Goal(NINETY, every=6)) == 8
    assert first_step(hits_at_once, Goal(NINETY, every=10)) == 12


def test_hits_in_a_row_are_counted_over_the_looks_that_are_made():
    correct = [80, 90, 80, 90, 80, 90, 90, 90, 90, 90, 90, 90]
    assert first_step(run("scratch", 0, correct), Goal(NINETY, in_a_row=3)) == 8  # 6, 7, 8
    assert first_step(run("scratch", 0, correct), Goal(NINETY, in_a_row=3, every=2)) == 6  # 2, 4, 6


def test_images_apart_have_their_own_number():
    correct, half, whole = [95] * 12, [44] * 6 + [45] * 6, [89] * 3 + [90] * 9
    halves = run("scratch", 0, correct, apart_correct=half)  # 45 of 50
    assert first_step(halves, Goal(NINETY, images="apart")) == 7
    behind = run("scratch", 0, [89] * 4 + [90] * 8, apart_correct=[45] * 12)  # 44, then 45 of the other 50
    assert first_step(behind, Goal(NINETY, images="rest")) == 5
    on_test = run("scratch", 0, correct, replace(CONFIG, count_apart="test"), apart_correct=whole)  # 90 of 100
    assert first_step(on_test, Goal(NINETY, images="apart")) == 4
    assert stable_step_of([on_test], Goal(NINETY, images="apart")) == 4


def test_a_cost_is_what_had_been_spent_at_the_first_check():
    record = run("class-means", 0, at_target_from(5))
    assert at_first_check(FLOP, Goal(NINETY))(record) == BEFORE + 5 * STEP
    looked_at_twice = at_first_check(Price("flop", "bill and evaluation"), Goal(NINETY, every=3))(record)
    assert looked_at_twice == BEFORE + 6 * STEP + 2 * 100 * (2 * 6 + 2)
    assert at_first_check(FLOP, Goal(NINETY))(run("class-means", 0, at_target_from(None))) == math.inf


def test_the_mean_over_runs_decides_the_stable_step():
    #      step 1   2   3   4    means 90, 89, 90, 91
    config = replace(CONFIG, max_steps=4)
    runs = [run("scratch", 0, [95, 80, 90, 92], config), run("scratch", 1, [85, 98, 90, 90], config)]
    assert stable_step_of(runs, Goal(NINETY)) == 3
    assert stable_step_of(runs, Goal(NINETY, every=2)) == 4
    assert stable_step_of(runs, Goal(Fraction("0.92"))) is None


def test_every_run_pays_up_to_the_step_from_which_the_mean_stays():
    # 80, 90, 80, then 90 to the end: the first touch at step 2 does not count.
    once = [run("scratch", 0, [80, 90, 80, *[90] * 9])]
    assert costs_at_stable_step(once, FLOP, Goal(NINETY)) == [4 * STEP]
    hits = [run("class-means", 0, at_target_from(4)), run("class-means", 1, at_target_from(8))]
    assert costs_at_stable_step(hits, FLOP, Goal(NINETY)) == [BEFORE + 8 * STEP] * 2
    # At 40 of 100 the mean of 80 and 0 stays from step 1 on, and a run that diverged after step 5 has spent step 1.
    diverged = run("scratch", 1, at_target_from(2)[:5], status="diverged")
    assert costs_at_stable_step([*once, diverged], FLOP, Goal(Fraction("0.4"))) == [STEP] * 2


def test_an_arm_that_never_stays_costs_without_end():
    never = [run("scratch", 0, at_target_from(4)), run("scratch", 1, at_target_from(None))]  # 85 on average
    assert costs_at_stable_step(never, FLOP, Goal(NINETY)) == [math.inf] * 2
    assert costs_at_stable_step([run("scratch", 0, [90] * 11 + [80])], FLOP, Goal(NINETY)) == [math.inf]


def test_a_run_without_a_check_has_spent_nothing_and_gets_nothing_right():
    grid = [[80] * 3 + [100] * 9] * 9
    scratch = [run("scratch", s, curve) for s, curve in enumerate([*grid, grid[0]])]
    ended = replace(scratch[9], status="diverged", checks=[], images_seen=[], images_read=[], apart_correct=[])
    assert cost_at_checks(ended).size == 0
    # 9 x 100 / 10 = 90 stays from step 4; nine of ten runs have spent anything.
    found = stable_ratio([*scratch[:9], ended], scratch, FLOP, Goal(NINETY), np.random.default_rng(0))
    assert found.ratio == pytest.approx(9 * 4 / (10 * 4))

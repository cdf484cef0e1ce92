"""Which records belong together, on made-up runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made import CONFIG, at_target_from, run

from nnlite.experiment.summary import paired
from nnlite.experiment.whole.selecting import by_config, of_arm, of_config

SLOW, FAST = replace(CONFIG, learning_rate=0.01), replace(CONFIG, learning_rate=0.02)


def of(arm, seed, config=SLOW, **fields):
    return run(arm, seed, at_target_from(4), config, **fields)


def test_one_arms_records_of_one_configuration_are_found_by_seed():
    wanted = [of("scratch", seed) for seed in range(3)]
    others = [of("scratch", 0, FAST), of("class-means", 0)]
    assert of_config([wanted[2], *others, wanted[0], wanted[1]], "scratch", SLOW) == wanted
    assert of_config(wanted, "scratch", FAST) == []


def test_records_are_sorted_by_configuration_arm_and_seed():
    records = [of("scratch", 1), of("class-means", 0), of("scratch", 0, FAST), of("scratch", 0)]
    found = by_config(records)
    assert {key: [run.seed for run in runs] for key, runs in found.items()} == {
        (SLOW, "scratch"): [0, 1],
        (SLOW, "class-means"): [0],
        (FAST, "scratch"): [0],
    }


def test_an_arm_is_what_was_carried_out_in_one_configuration_once_a_seed():
    wanted = [of("scratch", 0), of("scratch", 1)]
    failed = of("scratch", 1, status="failed")
    assert of_arm([*wanted, failed, of("class-means", 0)], "scratch") == wanted
    with pytest.raises(ValueError, match="scratch: expected records of one configuration, found several"):
        of_arm([*wanted, of("scratch", 2, FAST)], "scratch")
    with pytest.raises(ValueError, match="scratch: a seed stands there twice"):
        of_arm([*wanted, of("scratch", 1)], "scratch")


def test_paired_groups_keep_the_seeds_that_all_of_them_have():
    first = [of("scratch", seed) for seed in (5, 1, 3)]
    second = [of("class-means", seed) for seed in (1, 2, 5)]
    third = [of("exemplar", seed) for seed in (5, 1, 9)]
    assert [[run.seed for run in runs] for runs in paired(first, second, third)] == [[1, 5]] * 3
    assert paired(first, []) == [[], []]

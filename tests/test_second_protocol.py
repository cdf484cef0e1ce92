"""The second registration as code: what its text says, seeds of its own, and choices that follow from runs alone."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from test_study_controls import run

from nnlite.experiment.config import RunConfig
from nnlite.experiment.options import parse
from nnlite.experiment.phases import OPTIMIZERS
from nnlite.study import second_protocol as protocol
from nnlite.study.protocol import PARTS, Block
from nnlite.study.second_protocol import (
    ALL_PARTS,
    DECIDED,
    FIRST_WINNER,
    GAINS,
    NEAREST,
    SCANNED,
    SECOND_PARTS,
    STARTS,
    TUNED_BASE,
    best_phase_1,
    chosen_gain,
    phase_1_draws,
    settled_score,
    shown_gains,
    with_gain,
)

REGISTERED = (Path(__file__).parent.parent / "data/runs/second-registration.md").read_text(encoding="utf-8")
BURNT = (range(40000), range(70000, 1 << 20))


def gains(best):
    """Runs of both chosen starts: 40 steps at the best gain of each, else 80."""
    return [
        run(arm, seed, 40 if gain == best[arm] else 80, with_gain(gain))
        for arm in best
        for gain in GAINS
        for seed in range(3)
    ]


BEST = {"closed-form": 2.0, "closed-form-global-mean": 16.0}


def blocks():
    """All blocks of all parts, where both searches chose the first that could be chosen."""

    def earlier(name):
        return {"start-gains": gains(BEST), "tuning-2": TUNED, "finals-2": TUNED}[name]

    return {part.name: part.blocks(earlier) for part in SECOND_PARTS}


def tuned_run(config, seed, steps):
    """A run of the tuned base whose looks are at the target from this step on, a thousand operations a step."""
    looks = config.check_steps()
    made = run("class-means", seed, config.max_steps, config)
    made.checks.extend([step, 9000 if step >= steps else 8000] for step in looks)
    made.images_seen.extend(config.batch_size * step for step in looks)
    made.images_read.extend(0 for _ in looks)
    made.dataset.update(n_features=784, n_classes=10)
    return made.__class__(**{**vars(made), "n_checked": 10000})


def draw_runs(steps):
    """Three runs of each of the first draws, at the target from these steps on."""
    return [
        tuned_run(config, seed, at) for config, at in zip(phase_1_draws(), steps, strict=False) for seed in (0, 1, 2)
    ]


TUNED = draw_runs([40, 30, 50])


def test_every_seed_is_the_second_registrations_own():
    for name, of_part in blocks().items():
        for block in of_part:
            assert not any(seed in burnt for seed in block.seeds for burnt in BURNT), name


def test_parts_are_those_of_both_registrations_and_no_name_stands_twice():
    assert list(ALL_PARTS) == [*PARTS, *SECOND_PARTS]
    assert len({part.name for part in ALL_PARTS}) == len(ALL_PARTS)


def test_no_run_is_asked_for_twice():
    runs = [(block.dataset, run) for of_part in blocks().values() for block in of_part for run in block.runs()]
    assert len(set(runs)) == len(runs)


@pytest.mark.parametrize(
    "said",
    [
        "40000 to 40019",
        "41000 to 41099",
        "50000 to 50002 and 50010 to 50019",
        "51000 to 51149 (150 pairs)",
        "69999 draws it",
        "Gains 1, 2, 4, 8, 16",
        "at gains 4, 8, 16 and those chosen",
        "32 draws of phase 1",
        "Adam 0.0084, batch 32",
        "third of three looks in a row at or above 89.3%",
        "SGD at 0.05, 0.1, 0.15, 0.2, 0.3, 0.5 and momentum at 0.005, 0.01, 0.02, 0.05",
        "128 units at Adam 6e-4",
        "phase 1 at 1.6e-3",
        "budget 1,000 steps",
    ],
)
def test_the_registration_says_what_the_code_does(said):
    assert said in re.sub(r"\s+", " ", REGISTERED)


def test_the_constants_are_those_of_the_text():
    spans = (protocol.GAIN_SEEDS, protocol.PAIR_SEEDS, protocol.PHASE_1_SEEDS, protocol.PHASE_1_FINAL_SEEDS)
    assert [(span.start, span.stop - 1) for span in spans] == [
        (40000, 40019),
        (41000, 41099),
        (50000, 50002),
        (50010, 50019),
    ]
    assert (protocol.SETTLING_SEEDS.start, len(protocol.SETTLING_SEEDS)) == (51000, 150)
    assert GAINS == (1, 2, 4, 8, 16)
    assert protocol.SHOWN_GAINS == (4, 8, 16)
    assert (protocol.N_PHASE_1_DRAWS, protocol.N_PHASE_1_FINALISTS, protocol.SETTLED_LOOKS) == (32, 3, 3)
    assert (DECIDED.max_steps, DECIDED.evaluate, DECIDED.target, DECIDED.stop_on) == (1000, "decide", 0.9, "test")
    assert (TUNED_BASE.learning_rate, TUNED_BASE.batch_size, TUNED_BASE.decay) == (0.0084, 32, "linear")
    assert (TUNED_BASE.target, TUNED_BASE.stop_on, TUNED_BASE.max_steps) == (0.893, "validation", 1875)


def test_phase_1_is_drawn_in_the_first_registrations_ranges_and_the_same_every_time():
    drawn = phase_1_draws()
    assert drawn == phase_1_draws()
    assert (len(drawn), drawn[-1]) == (33, FIRST_WINNER)
    for config in drawn:
        assert config.pretrain_epochs in (7, 14, 28, 56)
        assert 0.1 <= config.pretrain_rate_factor <= 10
        same = {**vars(config), "pretrain_epochs": 28, "pretrain_rate_factor": 1.0}
        assert RunConfig(**same) == TUNED_BASE


def test_the_gain_whose_median_run_costs_least_is_chosen_and_the_smaller_of_equals():
    records = gains(BEST)
    assert chosen_gain("closed-form", records) == 2.0
    assert shown_gains(records) == [2.0, 4.0, 8.0, 16.0]
    alike = [run("closed-form", seed, 40, with_gain(gain)) for gain in GAINS for seed in range(3)]
    assert chosen_gain("closed-form", alike) == 1.0
    missed = [run("closed-form", seed, None if gain == 1 else 40, with_gain(gain)) for gain in GAINS for seed in (0, 1)]
    assert chosen_gain("closed-form", missed) == 2.0


def test_every_start_runs_at_every_shown_gain_and_scratch_once():
    of_part = blocks()["start-images"]
    assert of_part[0] == Block(DECIDED, ("scratch", "class-means"), protocol.PAIR_SEEDS)
    assert [block.config.closed_form_gain for block in of_part[1:]] == [2, 4, 8, 16]
    assert all(block.arms == tuple(STARTS) for block in of_part[1:])


def test_a_phase_1_scores_its_mean_cost_at_the_third_look_in_a_row():
    first = phase_1_draws()[0]
    # looks after every 64 images, which are two steps of 32: 40, 42 and 44
    runs = [tuned_run(first, seed, at) for seed, at in ((0, 40), (1, 50))]
    costs = [protocol.Curves([one]).spent(protocol.EVERY_OPERATION)[0] for one in runs]
    looks = first.check_steps()
    assert settled_score(runs) == (costs[0][looks.index(44)] + costs[1][looks.index(54)]) / 2
    assert settled_score([*runs, tuned_run(first, 2, 10_000)]) == math.inf


def test_the_best_phases_1_come_first_and_only_pretrained_runs_count():
    drawn = phase_1_draws()
    assert best_phase_1(TUNED, 2) == [drawn[1], drawn[0]]
    (scratch, treated) = blocks()["tuned-2"]
    assert (scratch.config, scratch.arms) == (TUNED_BASE, ("scratch",))
    assert (treated.config, treated.arms) == (drawn[1], ("class-means",))


def test_the_tuned_winner_runs_again_by_the_command_that_the_notes_name():
    notes = (Path(protocol.__file__).parent / "notes.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"`nnlite (--stop-on validation [^`]*)`", notes)
    looks = {"evaluate": "full", "check_every": "64 images"}  # decide how often a run is looked at, nothing else
    assert replace(parse(command.split()).config, **looks) == FIRST_WINNER


def test_the_scan_holds_every_start_with_every_input_and_both_networks():
    assert len(SCANNED) == 4 * 3 + 2 * (6 + 4)
    assert len({*SCANNED.values(), *NEAREST.values()}) == len(SCANNED) + len(NEAREST)
    assert DECIDED in SCANNED.values()
    assert {config.optimizer for config in SCANNED.values()} == set(OPTIMIZERS)

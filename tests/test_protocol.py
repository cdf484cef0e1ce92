"""The protocol as code: what the pre-registration says in words, and that nothing in it depends on chance."""

import math
import re
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from made import BEFORE, CONFIG, STEP, at_target_from, run

from nnlite.experiment.config import ARMS, EXPLANATORY, RunConfig
from nnlite.study import protocol
from nnlite.study.protocol import PARTS, Block, best, calibration, draws, n_tuned, ratio_sd, score
from nnlite.study.second_protocol import STARTS

REGISTERED = (Path(__file__).parent.parent / "data/runs/preregistration.md").read_text(encoding="utf-8")
BURNT = [range(500, 600), range(7000, 7012), range(9000, 9100)]


def none_yet(name):
    raise LookupError(name)


def fixed_studies():
    for part in PARTS:
        if part.name not in ("finals", "tuned"):
            yield from ((part.name, study) for study in part.blocks(none_yet))


def test_no_part_uses_a_seed_that_was_looked_at_before():
    for name, study in fixed_studies():
        assert all(not set(study.seeds) & set(burnt) for burnt in BURNT), name


def test_only_the_pilot_and_tuning_use_other_than_main_seeds():
    for name, study in fixed_studies():
        first = {"pilot": 0, "tuning": 1000, "calibration": 1100}.get(name, 20000)
        assert study.seeds.start == first
        assert study.seeds.stop <= first + 400


def test_both_cells_and_the_explanatory_controls_have_the_same_hundred_seeds():
    parts = {part.name: part.blocks(none_yet) for part in PARTS if part.name in ("claim", "honest", "controls")}
    assert {study.seeds for studies in parts.values() for study in studies} == {range(20000, 20100)}
    assert parts["controls"][0].arms == EXPLANATORY
    assert len(EXPLANATORY) == 8


def test_every_arm_is_run_in_one_of_the_two_registrations():
    assert {*STARTS, *(arm for _, study in fixed_studies() for arm in study.arms)} == set(ARMS)


def test_no_record_of_the_first_registration_comes_from_early_decisions():
    assert all(study.config.evaluate == "full" for _, study in fixed_studies())


def test_the_claim_cell_is_the_default_command_watched_to_step_500():
    changed = {"evaluate": "full", "max_steps": 500, "count_apart": "half"}
    assert RunConfig(**changed) == protocol.CLAIM


def test_the_honest_cell_differs_from_the_claim_cell_only_in_its_stop():
    claim, honest = vars(protocol.CLAIM), vars(protocol.HONEST)
    assert {name for name in claim if claim[name] != honest[name]} == {"stop_on", "target", "count_apart"}


@pytest.mark.parametrize("number", ["0.893", "0.78", "20000 to 20399", "1000 to 1002", "1010 to 1019", "to step 300"])
def test_the_registration_names_the_constants_of_the_code(number):
    assert number in REGISTERED


def test_the_registered_targets_are_those_of_the_code():
    assert re.search(r"0\.893 \|", REGISTERED)
    assert protocol.HONEST_TARGET == 0.893
    assert re.search(r"0\.78 \|", REGISTERED)
    assert protocol.FASHION_TARGET == 0.78
    assert protocol.CONTROLS.max_steps == 300


def test_tuning_draws_64_settings_that_are_always_the_same_and_differ_between_arms_only_in_phase_1():
    pairs = draws()
    assert pairs == draws()
    assert len(pairs) == 64
    for scratch, pretrained in pairs:
        different = {name for name, value in vars(scratch).items() if vars(pretrained)[name] != value}
        assert different <= {"pretrain_epochs", "pretrain_rate_factor"}
        assert scratch.max_steps * scratch.batch_size >= 60_000 > (scratch.max_steps - 1) * scratch.batch_size
        assert 0.1 <= pretrained.pretrain_rate_factor <= 10


def test_learning_rates_of_tuning_span_three_decades_below_the_highest_of_their_optimizer():
    highest = {"sgd": 1.0, "momentum": 0.3, "adam": 0.03}
    for scratch, _ in draws():
        top = highest[scratch.optimizer]
        assert top / 1000 * 0.99 <= scratch.learning_rate <= top
    rates = [scratch.learning_rate / highest[scratch.optimizer] for scratch, _ in draws()]
    assert min(rates) < 0.01
    assert max(rates) > 0.1  # log-uniform: a third of 64 below each decade


def test_the_number_of_tuned_pairs_follows_from_the_spread():
    # (2 x 1.96 x 1.2533 x 0.15 / 0.05)^2 = 14.7388^2 = 217.2
    assert n_tuned(0.15) == 218
    assert n_tuned(0.0) == 100
    assert n_tuned(3.0) == 400


def hits(arm, steps, config=CONFIG):
    """Runs that are at their target from these steps on; None: never."""
    return [run(arm, seed, at_target_from(step), config) for seed, step in enumerate(steps)]


def test_a_score_is_the_mean_cost_at_the_step_from_which_the_mean_stays():
    # Hits at 4 and 8: the mean of 80 and 90 is 85 until step 8, which both runs pay for.
    assert score(hits("scratch", [4, 8])) == 8 * STEP
    assert score(hits("class-means", [4, 8])) == BEFORE + 8 * STEP
    assert score(hits("scratch", [4, None])) == math.inf  # 85 on average to the end
    assert score([]) == math.inf


def test_one_run_that_diverged_spoils_its_setting():
    diverged = run("scratch", 1, at_target_from(2)[:5], status="diverged")  # 0 right from step 6 on
    assert score([*hits("scratch", [2]), diverged]) == math.inf


def test_the_best_settings_come_first_and_equals_as_they_were_drawn(monkeypatch):
    configs = [replace(CONFIG, learning_rate=rate) for rate in (0.1, 0.2, 0.3, 0.4, 0.5)]
    monkeypatch.setattr(protocol, "by_arm", lambda arm: configs)
    steps = (7, 5, None, 5)  # the fifth was not run
    records = [r for config, step in zip(configs, steps, strict=False) for r in hits("scratch", [step], config)]
    records.append(replace(records[0], status="failed"))  # then tried again
    assert best("scratch", records, 2) == [configs[1], configs[3]]
    assert best("scratch", records, 9) == [configs[1], configs[3], configs[0], configs[2]]
    assert best("class-means", records, 1) == []


def test_the_spread_of_ratios_is_that_of_pairs_in_which_both_hit():
    found = ratio_sd(hits("class-means", [5, 6, 8, 5, None]), hits("scratch", [10, 10, 10, None, 10]))
    ratios = [(BEFORE + step * STEP) / (10 * STEP) for step in (5, 6, 8)]
    assert found == pytest.approx(statistics.stdev(ratios))
    # 0.5, 0.6 and 0.8 and what is equal: mean 1.9 / 3; squares of 4, 1 and 5 thirtieths: 42 / 900 / 2.
    assert found == pytest.approx(math.sqrt(42 / 900 / 2))


def test_under_two_ratios_the_plan_is_for_all_seeds():
    assert ratio_sd(hits("class-means", [5, 5]), hits("scratch", [10, None])) == math.inf
    assert ratio_sd([], []) == math.inf
    assert n_tuned(math.inf) == 400


def test_the_winners_of_the_finals_meet_on_as_many_main_seeds_as_their_spread_asks_for(monkeypatch):
    slow, fast = replace(CONFIG, learning_rate=0.01), replace(CONFIG, learning_rate=0.02)
    monkeypatch.setattr(protocol, "by_arm", lambda arm: [slow, fast])
    finals = hits("scratch", [10] * 3, fast) + hits("scratch", [11] * 3, slow) + hits("class-means", [5, 6, 8], slow)
    parts = {part.name: part for part in PARTS}
    scratch, treated = parts["tuned"].blocks({"finals": finals}.__getitem__)
    assert (scratch.config, scratch.arms) == (fast, ("scratch",))
    assert (treated.config, treated.arms) == (slow, ("class-means",))
    # (2 x 1.96 x 1.2533 x 0.1528 / 0.05)^2 = 225.3
    assert scratch.seeds == treated.seeds == range(20000, 20226)
    of_tuning = parts["finals"].blocks({"tuning": finals}.__getitem__)
    assert [(block.config, block.arms) for block in of_tuning] == [
        (fast, ("scratch",)),
        (slow, ("scratch",)),
        (slow, ("class-means",)),
    ]


def test_runs_of_a_study_go_pair_by_pair():
    study = Block(protocol.CLAIM, ("scratch", "noise"), range(5, 7))
    assert [run[1:] for run in study.runs()] == [("scratch", 5), ("noise", 5), ("scratch", 6), ("noise", 6)]


def test_the_calibration_scan_holds_both_readings_of_the_network():
    assert {(config.hidden_layer_sizes, config.preset) for config in calibration()} == {
        ((128,), "article"),
        ((64,), "article-64"),
    }

"""Configuration: presets, grids, and what cannot be."""

from __future__ import annotations

import pytest

from nnlite.experiment import arms
from nnlite.experiment.config import (
    ARMS,
    EXPLANATORY,
    PRESETS,
    ConfigError,
    PairSettings,
    RunConfig,
    preset_config,
    unknown,
)


def test_every_arm_has_a_sentence_and_what_it_does():
    assert list(ARMS) == list(arms.ARMS)
    assert set(EXPLANATORY) < set(ARMS)
    assert len(set(EXPLANATORY)) == 8


def test_the_article_preset_is_the_plainer_reading_of_its_arithmetic():
    config = preset_config("article", {})
    assert config == RunConfig()
    assert (config.hidden_layer_sizes, config.batch_size, config.pretrain_epochs, config.target) == (
        (128,),
        64,
        28,
        0.9,
    )
    assert config.article_pass(784, 10) == 785 * 128


def test_both_readings_of_the_article_cost_the_same_pass():
    assert (
        preset_config("article-64", {}).article_pass(784, 10)
        == 2 * 785 * 64
        == preset_config("article", {}).article_pass(784, 10)
    )


def test_article_80_pretrains_to_a_target():
    config = preset_config("article-80", {})
    assert (config.pretrain_epochs, config.pretrain_target) == (0, 0.80)


def test_a_given_length_replaces_the_presets_pretraining_target():
    assert preset_config("article-80", {"pretrain_epochs": 5}).pretrain_target is None
    assert preset_config("article", {"pretrain_target": 0.7}).pretrain_epochs == 0


def test_decide_looks_after_every_step():
    assert RunConfig(max_steps=7).check_steps() == [1, 2, 3, 4, 5, 6, 7]


def test_the_full_grid_is_every_step_to_500_then_grows_by_one_percent_to_the_budget():
    steps = RunConfig(evaluate="full", max_steps=520).check_steps()
    # 500 x 1.01 = 505, x 1.01^2 = 510.05, x 1.01^3 = 515.1505, each rounded up, then the end
    assert steps == [*range(1, 501), 505, 511, 516, 520]
    assert RunConfig(evaluate="full", max_steps=3).check_steps() == [1, 2, 3]


def test_twenty_epochs_are_865_looks_as_the_protocol_counts_them():
    steps = RunConfig(evaluate="full", max_steps=20 * 938).check_steps()
    assert len(steps) == 865  # 500, then log(18,760 / 500) / log(1.01) = 364.3 more, the last at the budget
    assert steps == sorted(set(steps))


def test_a_grid_of_images_looks_after_the_first_step_at_or_past_every_64():
    def steps(batch_size, max_steps):
        config = RunConfig(evaluate="full", check_every="64 images", batch_size=batch_size, max_steps=max_steps)
        return config.check_steps()

    assert steps(10, 23) == [7, 13, 20, 23]  # 64, 128, 192 images are in 7, 13, 20 steps of 10; then the end
    assert steps(16, 10) == [4, 8, 10]
    assert steps(64, 520) == RunConfig(evaluate="full", max_steps=520).check_steps()
    assert steps(128, 5) == [1, 2, 3, 4, 5]
    # 500 points are 2,000 steps of 16; then 505 and 510.05, rounded up, x 4
    assert steps(16, 2050)[498:] == [1996, 2000, 2020, 2044, 2050]


def test_decisions_look_after_every_step_whatever_the_grid():
    assert RunConfig(check_every="64 images", batch_size=10, max_steps=3).check_steps() == [1, 2, 3]


def test_softmax_regression_has_no_hidden_layer_and_a_pass_of_its_only_one():
    record = RunConfig(hidden_layer_sizes=()).to_record(784, 10)
    assert record["article_pass"] == 785 * 10
    assert RunConfig.from_record(record).hidden_layer_sizes == ()


def test_a_configuration_survives_a_record():
    config = RunConfig(hidden_layer_sizes=(5, 4), pretrain_target=0.8, pretrain_epochs=0)
    record = config.to_record(784, 10)
    assert RunConfig.from_record(record) == config
    assert record["article_pass"] == 785 * 5


def test_a_record_made_before_a_field_was_added_has_what_held_then():
    record = RunConfig().to_record(784, 10)
    old = {name: value for name, value in record.items() if name not in ("inputs", "closed_form_gain")}
    assert RunConfig.from_record(old) == RunConfig(inputs="unit", closed_form_gain=8.0)
    assert RunConfig.from_record({**old, "inputs": "bytes"}).inputs == "bytes"


def test_a_record_that_lacks_or_has_another_field_is_still_refused():
    record = RunConfig().to_record(784, 10)
    lacking = {name: value for name, value in record.items() if name != "decay"}
    for others, name in ((lacking, "decay"), ({**record, "colour": "red"}, "colour")):
        with pytest.raises(ConfigError, match=f"of another version: fields of its configuration differ: {name}$"):
            RunConfig.from_record(others)


def test_runs_go_pair_by_pair():
    settings = PairSettings(seeds=2, first_seed=7)
    assert settings.runs() == [("scratch", 7), ("class-means", 7), ("scratch", 8), ("class-means", 8)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pretrain_rate_factor": 10**400}, "--pretrain-rate-factor: must be at most 1.7e+38, found a number of over"),
        ({"learning_rate": 10**400}, "--learning-rate: must be at most 1.7e+38, found a number of over 300 digits"),
        ({"learning_rate": -1}, "--learning-rate -1: must be above 0"),
        ({"learning_rate": float("nan")}, "--learning-rate nan: must be above 0"),
        ({"learning_rate": float("inf")}, "--learning-rate inf: must be above 0"),
        ({"hidden_layer_sizes": (1,) * 9}, "--hidden 1,1,1,1,1,1,1,1,1: must be none, or 1 to 8 layers"),
        ({"hidden_layer_sizes": (0,)}, "--hidden 0: must be none, or 1 to 8 layers of 1 to 8192 units"),
        ({"batch_size": 0}, "--batch-size 0: must be 1 to 1048576"),
        ({"target": 0}, "--target 0: must be above 0 and at most 1"),
        ({"target": 90}, "--target 90: must be above 0 and at most 1, like 0.9 for 90%"),
        ({"pretrain_target": 2}, "--pretrain-target 2: must be above 0"),
        ({"pretrain_epochs": -1}, "--pretrain-epochs -1: must be 0"),
        ({"max_steps": 0}, "--max-steps 0: must be 1"),
        (
            {"max_steps": 262_145},
            "--max-steps 262145: must be 1 to 262144 with 64 images a step",
        ),  # 2^24 / 64 = 262,144
        ({"optimizer": "adm"}, "--optimizer adm: unknown; did you mean adam?"),
        ({"stop_on": "train"}, "--stop-on train: unknown; there are test, validation"),
        ({"activation": "gelu"}, "--activation gelu: unknown; did you mean relu?"),
        ({"initializer": "zeros"}, "--initializer zeros: unknown; there are fan_in_uniform"),
        ({"evaluate": "ful"}, "--evaluate ful: unknown; did you mean full?"),
        ({"inputs": "byte"}, "--inputs byte: unknown; did you mean bytes?"),
        ({"closed_form_gain": 0.0}, "--closed-form-gain 0: must be above 0 and finite"),
        ({"closed_form_gain": float("inf")}, "--closed-form-gain inf: must be above 0 and finite"),
        ({"decay": "liner"}, "--decay liner: unknown; did you mean linear?"),
        ({"check_every": "epoch"}, "--check-every epoch: unknown; there are step, 64 images"),
        ({"count_apart": "hlaf"}, "--count-apart hlaf: unknown; did you mean half?"),
        ({"learning_rate": 1e-60}, "--learning-rate 1e-60: must give a learning rate from 7.9e-31 to 1.7e+38"),
        ({"learning_rate": 1e39}, "--learning-rate 1e+39: must give a learning rate from 7.9e-31 to 1.7e+38"),
        ({"pretrain_rate_factor": 1e-60}, "--pretrain-rate-factor 1e-60: must give a learning rate from 7.9e-31"),
        ({"pretrain_rate_factor": 0.0}, "--pretrain-rate-factor 0: must be above 0"),
        ({"pretrain_rate_factor": float("nan")}, "--pretrain-rate-factor nan: must be above 0"),
        ({"pretrain_rate_factor": float("inf")}, "--pretrain-rate-factor inf: must be above 0"),
        (
            {"learning_rate": 7e-46},
            "--learning-rate 7e-46: must give a learning rate from 7.9e-31 to 1.7e+38",
        ),  # 2^-149
        ({"learning_rate": 3.41e38}, "--learning-rate 3.41e+38: must give a learning rate from 7.9e-31 to 1.7e+38"),
        ({"learning_rate": 1e-28, "pretrain_rate_factor": 1e-6}, "--pretrain-rate-factor 1e-06: must give a learning"),
    ],
)
def test_an_impossible_run_is_refused_in_the_words_of_the_command_line(changes, message):
    with pytest.raises(ConfigError) as caught:
        RunConfig(**changes)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 0}, "--seeds 0: must be 1 to 1000000"),
        ({"first_seed": -1}, "--first-seed -1: must be 0"),
        ({"workers": 0}, "--workers 0: must be 1 to 1024"),
        ({"executor": "spark"}, "--executor spark: unknown; there are threads, processes, dask, dask:ADDRESS"),
        ({"arms": ()}, "--arms : must name at least one arm"),
        ({"arms": ("scratch", "scratch")}, "--arms scratch,scratch: must name at least one arm, each once"),
    ],
)
def test_an_impossible_study_is_refused(changes, message):
    with pytest.raises(ConfigError) as caught:
        PairSettings(**changes)
    assert str(caught.value).startswith(message)


def test_an_unknown_name_gets_the_nearest_known_one():
    assert str(unknown("arms", "avrages", list(ARMS), " (--list-arms)")) == (
        "--arms avrages: unknown; did you mean class-means? (--list-arms)"
    )
    assert "did you mean article?" in str(unknown("preset", "artcle", list(PRESETS)))
    assert "there are" in str(unknown("preset", "xyz", list(PRESETS)))

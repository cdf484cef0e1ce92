"""Two settings, seed by seed: which costs are set against each other, and the words for what was found."""

from __future__ import annotations

import json
import math

import pytest
from made import write_dataset
from test_report import missed, run

import nnlite
from nnlite.experiment.__main__ import main
from nnlite.experiment.api import Result
from nnlite.experiment.compare import SettingsComparison, parse_both
from nnlite.experiment.config import ConfigError

SMALL = {"hidden": 5, "batch_size": 8, "pretrain_epochs": 3, "max_steps": 60, "seeds": 2}
WORDS = ["--hidden", "5", "--batch-size", "8", "--pretrain-epochs", "3", "--max-steps", "60", "--seeds", "2"]


def compared(a, b):
    """The runs of scratch under both settings, by the steps that each took; None is a miss."""
    groups = [
        [missed("scratch", seed) if n is None else run("scratch", seed, n) for seed, n in enumerate(steps)]
        for steps in (a, b)
    ]
    return SettingsComparison(("plain", "other"), (Result(groups[0]), Result(groups[1])))


def test_a_pair_is_a_seed_and_b_is_set_against_a():
    found = compared([100, 100, 200], [50, 75, 300]).arms["scratch"]
    assert found.article.reductions == pytest.approx([0.5, 0.25, -0.5])  # 10 F a step: 1 - 50 / 100 ...
    assert found.every.reductions == pytest.approx([0.5, 0.25, -0.5])
    assert found.p == 1.0  # two of three below 1: 2 (C(3, 0) + C(3, 1)) / 8 = 1


def test_only_seeds_that_both_have_are_compared():
    found = compared([100, 100], [50])
    assert found.arms["scratch"].every.n_pairs == 1
    assert "seed 0, to 90%" in str(found)


def test_the_table_says_a_b_and_what_was_saved():
    lines = str(compared([100] * 6, [50, 60, 70, 70, 80, 90])).splitlines()
    assert lines[:2] == ["A: plain", "B: other"]
    assert lines[2] == "small, seeds 0-5, to 90% of the test images. By every operation, beside A:"
    # six below 1 of six: p = 2 / 64
    assert lines[3] == "  scratch: B saved 30.0% (95% interval 10.0% to 50.0%; 6 pairs), sign test p = 0.031"
    assert lines[5] == "  scratch               100       70  30% (10% to 50%)       30% (10% to 50%)"


def test_misses_are_named_by_the_setting_that_missed():
    told = str(compared([9] * 6, [None] * 6))
    assert "scratch: In 6 of 6 pairs only A got there: nothing was saved" in told
    told = str(compared([None] * 6, [9] * 6))
    assert "scratch: In 6 of 6 pairs only B got there: the saving has no number" in told
    assert "A missed" in told
    nobody = compared([None], [None])
    assert "No run of 1 pair reached the target: nothing was measured" in str(nobody)
    assert nobody.arms["scratch"].p is None
    assert json.dumps(nobody.to_json(), allow_nan=False)
    assert compared([9], [None]).arms["scratch"].every.reductions == [-math.inf]


def test_python_and_the_command_find_the_same(tmp_path, capsys):
    folder = write_dataset(tmp_path / "small")
    found = nnlite.compare_settings(
        {"learning_rate": 0.02}, {"learning_rate": 0.04}, **SMALL, dataset=folder, progress=False
    )
    assert found.names == ("learning_rate=0.02", "learning_rate=0.04")
    settings = ["--learning-rate 0.02", "--learning-rate 0.04"]
    assert main(["compare", *settings, *WORDS, "--dataset", str(folder), "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["arms"] == json.loads(json.dumps(found.to_json()["arms"]))
    assert told["settings"] == settings
    assert [config["learning_rate"] for config in told["configs"]] == [0.02, 0.04]
    assert list(found.arms) == ["scratch", "class-means"]
    assert "B: learning_rate=0.04" in found._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "compare: needs two settings"),
        (["--learning-rate 1e-3"], "compare: needs two settings"),
        (["", "--lerning-rate 1"], "--lerning-rate: unknown option; did you mean --learning-rate?"),
        (["", "'"], "compare: No closing quotation"),
        (["", "--seeds 3"], "compare: the two may differ in how a run is trained"),
        (["", "--dataset fashion-mnist"], "compare: the two may differ in how a run is trained"),
        (["", "", "--out", "x"], "compare: trains and prints; goes with no --out"),
        (["", "--article"], "compare: trains and prints; goes with no --out"),
    ],
)
def test_what_cannot_be_compared_is_told_before_any_run(arguments, message, capsys):
    assert main(["compare", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"nnlite: {message}")


def test_its_help_says_how_to_write_two_settings(capsys):
    assert main(["compare", "--help"]) == 0
    assert 'nnlite compare "" "--learning-rate 2e-3"' in capsys.readouterr().out


def test_an_empty_setting_is_the_default():
    names, (a, b) = parse_both(["", "--optimizer sgd", "--seeds", "3"])
    assert names == ("as it is by default", "--optimizer sgd")
    assert (a.config.optimizer, b.config.optimizer) == ("adam", "sgd")
    assert a.settings.seeds == b.settings.seeds == 3


def test_settings_that_python_cannot_name_are_refused():
    with pytest.raises(TypeError, match=r"compare_settings: unknown argument optimiser; did you mean optimizer\?"):
        nnlite.compare_settings({}, {"optimiser": "sgd"})
    with pytest.raises(ConfigError, match="seeds, arms and data are for both"):
        nnlite.compare_settings({}, {"seeds": 3})
    for own in ({"dataset": "fashion-mnist"}, {"executor": "processes"}):  # both would have got the default
        with pytest.raises(ConfigError, match="seeds, arms and data are for both"):
            nnlite.compare_settings({}, own)
    with pytest.raises(TypeError, match=r"expected settings like .*, found '--learning-rate 1e-3'"):
        nnlite.compare_settings({}, "--learning-rate 1e-3")

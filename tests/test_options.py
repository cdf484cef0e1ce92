"""Which options go with what is asked for, and what their values may be: nothing that was given is ignored."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nnlite.experiment.__main__ import main
from nnlite.experiment.config import ConfigError
from nnlite.experiment.options import ARTICLE, LIST_ARMS, REPORT, REPORT_FIGURES, RUN, parse

ASKED = {
    RUN: [],
    LIST_ARMS: ["--list-arms"],
    ARTICLE: ["--article"],
    REPORT: ["--report", "runs.jsonl"],
    REPORT_FIGURES: ["--report", "runs.jsonl", "--figures", "pictures"],
}
OPTIONS = {
    "--preset": "article-64",
    "--dataset": "fashion-mnist",
    "--data-dir": "folder",
    "--no-verify": None,
    "--seeds": "3",
    "--first-seed": "4",
    "--arms": "scratch,medoid",
    "--list-arms": None,
    "--pretrain-epochs": "5",
    "--pretrain-target": "0.7",
    "--target": "0.8",
    "--stop-on": "validation",
    "--max-steps": "6",
    "--evaluate": "full",
    "--hidden": "none",
    "--activation": "tanh",
    "--initializer": "he_normal",
    "--inputs": "standardised",
    "--decay": "linear",
    "--pretrain-rate-factor": "2",
    "--closed-form-gain": "4",
    "--optimizer": "sgd",
    "--learning-rate": "0.5",
    "--batch-size": "8",
    "--out": "kept.jsonl",
    "--resume": None,
    "--report": "others.jsonl",
    "--figures": "elsewhere",
    "--html": "page.html",
    "--article": None,
    "--bill": None,
    "--json": None,
    "--quick": None,
    "--workers": "7",
    "--executor": "processes",
    "--quiet": None,
}
ASKS = ("--list-arms", "--article", "--report", "--figures")
BESIDE = {"--resume": ["--out", "kept.jsonl"], "--closed-form-gain": ["--arms", "closed-form"]}  # or it is refused


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)


def parses(arguments):
    try:
        parse(arguments)
    except ConfigError:
        return False
    return True


def words(option):
    return [option] if OPTIONS[option] is None else [option, OPTIONS[option]]


def test_every_option_of_the_help_is_tried_and_every_mode():
    with pytest.raises(SystemExit):
        parse(["--help"])
    assert set(ASKED) == {RUN, LIST_ARMS, ARTICLE, REPORT, REPORT_FIGURES}
    assert set().union(*(mode.options for mode in ASKED)) == set(OPTIONS)


def test_the_help_names_the_same_options(capsys):
    assert main(["--help"]) == 0
    named = {word for line in capsys.readouterr().out.splitlines() for word in line.split()[:1] if word[:2] == "--"}
    assert named - {"--help,", "--version"} == set(OPTIONS)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("mode", ASKED, ids=lambda mode: mode.name)
def test_an_option_changes_what_is_done_or_is_refused_by_its_name(mode, option):
    alone = ASKED[mode]
    assert parse(alone).mode is mode
    beside = [*alone, *(BESIDE.get(option, []) if mode is RUN else [])]
    if option in mode.options:
        without, with_it = parse(beside), parse([*beside, *words(option)])
        shown = [{**vars(options), "arguments": ()} for options in (without, with_it)]
        assert shown[0] != shown[1] or option in alone
        assert with_it.mode is mode or option in ("--report", "--figures")
        return
    if option in ASKS:  # for something else: that, and what was asked before is refused beside it, or the other way
        named = "|".join([option, *alone[:1], "--figures"])
        if parses([*alone, *words(option)]):
            assert parse([*alone, *words(option)]).mode is not mode
        else:
            with pytest.raises(ConfigError, match=f"^({named}): goes with no "):
                parse([*alone, *words(option)])
        return
    with pytest.raises(ConfigError, match=f"^{option}: goes with no {mode.name}, "):
        parse([*alone, *words(option)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume"], "--resume: needs --out FILE"),
        (["--pretrain-epochs", "1", "--pretrain-target", "0.5"], "--pretrain-target: goes with no --pretrain-epochs"),
        (["--bill", "--json"], "--bill: goes with no --json"),
        (["--article", "--list-arms"], "--article: goes with no --list-arms"),
        (["--report", "folder"], "--report folder: a folder; a study's is reported by python -m nnlite.study report"),
        (["--report", "x", "--learning-rate", "0.5"], "--learning-rate: goes with no --report FILE"),
        (["--dataset", "folder", "--data-dir", "."], "--data-dir: known data sets are looked for there"),
    ],
)
def test_options_that_exclude_each_other_are_named(arguments, message):
    with pytest.raises(ConfigError) as caught:
        parse(arguments)
    assert str(caught.value).startswith(message)


VALUED = [option for option, value in OPTIONS.items() if value is not None]


@pytest.mark.parametrize("text", ["", " ", "\t"])
@pytest.mark.parametrize("option", VALUED)
def test_no_option_takes_an_empty_value(option, text):
    with pytest.raises(ConfigError, match=f"^{option} "):
        parse([f"{option}={text}"])


@pytest.mark.parametrize("option", ["--dataset", "--data-dir", "--out", "--report", "--figures"])
def test_a_tilde_is_the_home_folder_however_it_is_written(option, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("USERPROFILE", "/home/someone")
    field = option[2:].replace("-", "_")
    for arguments in ([option, "~/x"], [f"{option}=~/x"]):
        assert Path(getattr(parse(arguments), field)) == Path("/home/someone/x")


WHOLE = ["--seeds", "--first-seed", "--pretrain-epochs", "--max-steps", "--batch-size", "--workers", "--hidden"]
NUMBERS = ["--target", "--pretrain-target", "--learning-rate"]
ODD = ["1_0", " 5", "5 ", "\u0665", "\uff15", "0x10", "nan", "inf", "-inf", "1e", "--", "True", "1,0", "\u00b2", "5\n"]


@pytest.mark.parametrize("text", [*ODD, "1e3", "5.0", "9" * 30, "9" * 5000])
@pytest.mark.parametrize("option", WHOLE)
def test_a_whole_number_is_digits_and_nothing_else(option, text):
    if option == "--hidden" and text == "1,0":
        text = "1,,0"
    with pytest.raises(ConfigError, match=f"^{option}") as caught:
        parse([f"{option}={text}"])
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("text", [*ODD, "1e400", "1" + 400 * "0", "1e-400", "0." + 400 * "0" + "1", "."])
@pytest.mark.parametrize("option", NUMBERS)
def test_a_number_is_finite_and_in_ordinary_digits(option, text):
    with pytest.raises(ConfigError, match=f"^{option}") as caught:
        parse([f"{option}={text}"])
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5.0), ("+5", 5.0), (".5", 0.5), ("5.", 5.0), ("2E-3", 0.002), ("007", 7.0), ("1e+1", 10.0)],
)
def test_ordinary_ways_to_write_a_number_are_understood(text, value):
    assert parse(["--learning-rate", text]).config.learning_rate == value
    if text.lstrip("+").isdigit():
        assert parse(["--seeds", text]).settings.seeds == value


@pytest.mark.parametrize("text", ["1e-46", "7e-46", "3.5e38", "1e308"])
def test_a_learning_rate_that_float32_rounds_to_nothing_or_to_infinity_is_refused_before_the_data_are_read(
    text, capsys
):
    assert main(["--learning-rate", text, "--dataset", "no/such"]) == 2
    assert f"nnlite: --learning-rate {text}: must give a learning rate from 7.9e-31 to 1.7e+38" in (
        capsys.readouterr().err.replace("e+308", "e308").replace("e+38:", "e38:")
    )


def test_a_null_character_is_refused_like_any_other_mistake(capsys):
    for option in ("--out", "--report", "--dataset", "--figures", "--data-dir", "--preset"):
        assert main([option, "a\0b"]) == 2
        assert f"nnlite: {option} 'a\\x00b': must not hold a null character" in capsys.readouterr().err


def test_the_last_of_two_equal_options_counts():
    assert parse(["--seeds", "3", "--seeds", "4"]).settings.seeds == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnist"], "mnist: unknown word; every value needs its option"),
        ([""], "'': unknown word"),
        (["--seed", "3"], "--seed: unknown option; did you mean --seeds?"),
        (["--preset", "artcle"], "--preset artcle: unknown; did you mean article?"),
        (["--optimizer", "Adam"], "--optimizer Adam: unknown; did you mean adam?"),
        (["--executor", "process"], "--executor process: unknown; did you mean processes?"),
        (["--arms", ","], "--arms : must name at least one arm"),
        (["--seeds"], "--seeds: expected one argument"),
        (["--quick=yes"], "--quick: ignored explicit argument 'yes'"),
    ],
)
def test_a_wrong_word_is_named(arguments, message):
    with pytest.raises(ConfigError) as caught:
        parse(arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("folder", "message"),
    [("taken", "a file, where a folder was expected"), ("taken/inside", ""), (300 * "x", "")],
)
def test_a_folder_for_pictures_that_cannot_be_made_is_found_before_the_runs(folder, message, capsys):
    pytest.importorskip("matplotlib")
    Path("taken").touch()
    assert main(["--figures", folder, "--dataset", "no/such"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"nnlite: --figures {folder}: {message}")
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], ["--seeds"], ["--bogus"]])
def test_main_returns_a_status_and_never_leaves_by_an_exception(arguments, capsys):
    assert main(arguments) == (0 if arguments[0] in ("--help", "-h", "--version") else 2)


def test_the_list_of_arms_is_json_on_demand(capsys):
    assert main(["--list-arms", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scratch"] == {
        "group": "compared by default",
        "sentence": "no pretraining: the baseline of every comparison",
    }


@pytest.mark.skipif(os.name != "posix", reason="a file name of any bytes")
def test_a_folder_whose_name_cannot_be_shown_is_still_named(capsys):
    assert main(["--report", os.fsdecode(b"caf\xe9.jsonl")]) == 3
    assert "caf" in capsys.readouterr().err

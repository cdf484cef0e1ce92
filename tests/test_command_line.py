"""The command line as a person uses it: output, exit status, one clear line for every mistake, nothing lost."""

from __future__ import annotations

import itertools
import json
import lzma
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from made import record, write_dataset

from nnlite.experiment.__main__ import main
from nnlite.experiment.article import accounting
from nnlite.experiment.config import ARMS, EXPLANATORY
from nnlite.experiment.records import read_records
from nnlite.files import held
from nnlite.idx import write_idx
from nnlite.study.__main__ import main as study

SMALL = ["--hidden", "5", "--learning-rate", "0.02", "--batch-size", "8", "--pretrain-epochs", "3", "--max-steps", "60"]


@pytest.fixture
def small(tmp_path):
    """Options that run a small study in well under a second."""
    return ["--dataset", str(write_dataset(tmp_path / "small")), *SMALL]


def test_the_result_is_on_stdout_and_progress_on_stderr(small, capsys):
    assert main([*small, "--seeds", "2"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Averages first, or not? small: 2 pairs, seeds 0-1, to 90% of the test images\n")
    assert "loading kernels" in err
    assert "pair 1/2, seed" in err
    assert "pair 2/2, seed" in err


ONE_CLASS = {"train-labels-idx1-ubyte": np.zeros(60, np.uint8), "t10k-labels-idx1-ubyte": np.zeros(30, np.uint8)}
FIVE_IMAGES = {"train-images-idx3-ubyte": np.eye(5, 16, dtype=np.uint8).reshape(5, 4, 4)}
FIVE_IMAGES["train-labels-idx1-ubyte"] = np.array([0, 1, 2, 0, 1], np.uint8)


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (ONE_CLASS, [], "all training labels are 0: one class is nothing to learn; number classes from 0"),
        (FIVE_IMAGES, ["--stop-on", "validation"], "5 training images: a validation split needs at least 6"),
        (FIVE_IMAGES, ["--arms", "means-10"], "arm means-10: class 2 has 1 images: too few for an average of 10"),
        *[
            ({}, options, "arm closed-form: needs a hidden unit for each of the 3 classes, like --hidden 3; found 2")
            for options in (
                ["--arms", "scratch,closed-form", "--hidden", "2"],
                ["--arms", "closed-form", "--hidden", "2", "--stop-on", "validation"],
            )
        ],
    ],
)
def test_data_that_a_study_cannot_use_are_one_line_and_exit_3(small, capsys, files, options, message):
    for name, array in files.items():
        write_idx(os.path.join(small[1], name), array)
    assert main([*small, *options, "--seeds", "2", "--quiet"]) == 3
    assert capsys.readouterr() == ("", f"nnlite: small: {message}\n")


def test_json_is_one_object(small, capsys):
    assert main([*small, "--seeds", "2", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"config", "n_pairs", "arms", "reduction", "sensitivity", "article", "verdict"} <= found.keys()
    assert found["n_pairs"] == 2
    assert found["article"] == accounting()


@pytest.mark.parametrize(
    ("options", "told", "untold"),
    [
        (["--quick"], ["2 pairs"], "Verdict"),
        (["--seeds", "1", "--bill"], ["Verdict", "bill and evaluation", "Free by convention"], "2 pairs"),
    ],
)
def test_a_quiet_study_prints_what_is_asked_for_and_nothing_on_stderr(small, capsys, options, told, untold):
    assert main([*small, *options, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert all(words in out for words in told)
    assert untold not in out
    assert err == ""


def test_the_articles_accounting_needs_no_data(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
    assert main(["--article"]) == 0
    assert "995,354,880" in capsys.readouterr().out


def test_arms_are_listed_in_groups_with_a_sentence_each_in_80_columns(capsys):
    assert main(["--list-arms"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    words = " ".join(out.split())  # a long sentence is broken
    assert all(f"{name} {sentence}" in words for name, sentence in ARMS.items())
    groups = [[line.split()[0] for line in group.splitlines() if line[2] != " "][1:] for group in out.split("\n\n")]
    assert groups[:2] == [["scratch", "class-means"], list(EXPLANATORY)]
    assert sorted(itertools.chain(*groups)) == sorted(ARMS)  # each once


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--learning-rate", "-1"], 2, "--learning-rate -1: must be above 0"),
        (["--arms", "avrages"], 2, "--arms avrages: unknown; did you mean class-means? (--list-arms)"),
        (["--seeds", "x"], 2, "--seeds x: must be a whole number"),
        (["--learning-rate", "fast"], 2, "--learning-rate fast: must be a number"),
        (["--hidden", "a,b"], 2, "--hidden a,b: must be none or whole numbers"),
        (["--lerning-rate", "1"], 2, "--lerning-rate: unknown option; did you mean --learning-rate?"),
        (["--out", "no/such/folder/x"], 2, "--out no/such/folder/x: the folder no/such/folder does not exist"),
        (["--figures", "f", "--evaluate", "decide"], 2, "--figures: needs whole curves"),
        (["--report", "."], 2, "--report .: a folder; a study's is reported by python -m nnlite.study report"),
        (["--report", "nothing.jsonl"], 3, "nothing.jsonl: No such file or directory"),
        (["--dataset", "mnits"], 3, "mnits: unknown data set, and no folder; did you mean mnist?"),
        (["--dataset", "no/such"], 3, "no/such: no such folder"),
        (["--data-dir", "no/such"], 3, "mnist not found where --data-dir says; tried, in order: no/such/mnist"),
    ],
)
def test_a_mistake_gives_one_clear_line_and_its_exit_status(arguments, status, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert f"nnlite: {message}" in err
    assert "Traceback" not in err


def test_a_damaged_data_file_names_the_byte(tmp_path, capsys):
    folder = write_dataset(tmp_path / "cut")
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[: 16 + 20 * 16])
    assert main(["--dataset", str(folder), *SMALL]) == 3
    assert "byte 4: header promises 60 images, the file ends after 20" in capsys.readouterr().err


@pytest.mark.parametrize(("hidden", "layers"), [("5", [5]), ("none", [])])  # none is softmax regression
def test_kept_runs_are_reported_again_with_and_without_their_last_newline(small, tmp_path, capsys, hidden, layers):
    kept = tmp_path / "runs.jsonl"
    study = [*small, "--hidden", hidden, "--seeds", "3", "--out", str(kept), "--quiet"]
    assert main(study) == 0
    first = capsys.readouterr().out
    for one in read_records(kept):
        assert one.config["hidden_layer_sizes"] == layers
        assert one.config["article_pass"] == (16 + 1) * (layers or [3])[0]  # 16 pixels, 3 classes
    for content in (kept.read_bytes(), kept.read_bytes()[:-1]):
        kept.write_bytes(content)
        assert main(["--report", str(kept)]) == 0
        assert capsys.readouterr().out == first
    assert main([*study, "--resume"]) == 0
    assert capsys.readouterr().out == first
    assert sorted(file.name for file in tmp_path.iterdir()) == ["runs.jsonl", "small"]


def test_resume_runs_only_what_is_missing_and_equals_an_uninterrupted_study(small, tmp_path, capsys):
    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    whole.touch()  # an empty file may be filled
    assert main([*small, "--seeds", "3", "--out", str(whole), "--quiet"]) == 0
    assert main([*small, "--seeds", "1", "--out", str(parts), "--resume", "--quiet"]) == 0  # a missing file is fine
    with open(parts, "a", encoding="utf-8") as file:
        file.write('{"arm": "scratch", "se')  # a write that a power cut ended
    assert main([*small, "--seeds", "3", "--out", str(parts), "--resume"]) == 0
    assert "its last line was cut short; it is set aside in" in capsys.readouterr().err
    by_run = [{(r.arm, r.seed): r.comparable() for r in read_records(path)} for path in (whole, parts)]
    assert by_run[0] == by_run[1]
    assert len(parts.read_text().splitlines()) == 6


def test_an_existing_file_is_never_overwritten(small, tmp_path, capsys):
    kept = tmp_path / "runs.jsonl"
    kept.write_text("precious\n")
    assert main([*small, "--out", str(kept)]) == 2
    assert "exists; --resume goes on with it" in capsys.readouterr().err
    assert main([*small, "--out", str(kept), "--resume"]) == 3
    assert kept.read_text() == "precious\n"


def test_a_second_study_on_one_file_is_refused_and_the_first_is_named(small, tmp_path, capsys):
    kept = tmp_path / "runs.jsonl"
    with held(kept):
        for arguments in ([], ["--resume"]):
            assert main([*small, "--out", str(kept), *arguments]) == 1
            out, err = capsys.readouterr()
            assert (out, err.count("\n")) == ("", 1)
            assert f"nnlite: {kept}: another nnlite" in err
    assert not kept.exists()


def make_pipe(path):
    os.mkfifo(path)


def make_read_only(path):
    path.touch()
    path.chmod(0o400)
    if os.access(path, os.W_OK):
        pytest.skip("this user may write what is read-only")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "cannot be written: a directory, where a file was expected"),
        pytest.param(
            make_pipe,
            "cannot be written: a pipe, where a file was expected",
            marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes"),
        ),
        (make_read_only, "cannot be written: Permission denied"),
        (lambda path: path.parent.rmdir(), "the folder"),
    ],
    ids=["a directory", "a pipe", "read-only", "no folder"],
)
@pytest.mark.parametrize("arguments", [[], ["--resume"]])
def test_a_file_that_cannot_be_written_is_found_before_the_first_run(small, tmp_path, capsys, make, message, arguments):
    kept = tmp_path / "folder" / "runs"
    kept.parent.mkdir()
    make(kept)
    assert main([*small, "--out", str(kept), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"nnlite: --out {kept}: {message}" in err
    assert "pair 1" not in err


def test_a_name_that_is_too_long_is_found_before_the_first_run(small, tmp_path, capsys):
    assert main([*small, "--out", str(tmp_path / ("long" * 100))]) == 2
    assert "cannot be written: " in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="has no full device")
def test_nothing_is_left_behind_where_no_run_was_kept(small, tmp_path, capsys):
    kept = tmp_path / "runs.jsonl"
    assert main([*SMALL, "--dataset", str(tmp_path / "nowhere"), "--out", str(kept)]) == 3
    assert not kept.exists()
    assert main([*small, "--out", "/dev/full"]) == 2
    assert main([*small, "--out", "/dev/full", "--resume"]) == 2
    assert capsys.readouterr().err.count("--out /dev/full: cannot be written: a device") == 2


def test_a_run_without_its_partner_is_said_and_its_seed_is_not_named(small, tmp_path, capsys):
    kept = tmp_path / "runs.jsonl"
    assert main([*small, "--seeds", "4", "--out", str(kept), "--quiet"]) == 0
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(line for line in lines if '"arm":"scratch","seed":2' not in line) + lines[0][:90])
    capsys.readouterr()
    assert main(["--report", str(kept)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("Averages first, or not? small: 3 pairs, seeds 0-1 and 3, to 90% of the test images")
    assert "In no comparison, since the other run of the pair is missing: class-means of seed 2." in text
    assert "In no number above: the last line, which was cut short." in text
    assert main(["--report", str(kept), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["without_partner"] == {"class-means": [2]}
    assert found["left_out"] == ["the last line, which was cut short"]


def test_a_folder_of_data_that_moved_is_gone_on_with(tmp_path, capsys):
    kept, here = tmp_path / "runs.jsonl", write_dataset(tmp_path / "here")
    assert main([*SMALL, "--dataset", str(here), "--seeds", "1", "--out", str(kept), "--quiet"]) == 0
    there = here.rename(tmp_path / "there")
    assert main([*SMALL, "--dataset", str(there), "--seeds", "2", "--out", str(kept), "--resume", "--quiet"]) == 0
    assert "2 pairs, seeds 0-1" in capsys.readouterr().out
    other = write_dataset(tmp_path / "other", seed=1)
    assert main([*SMALL, "--dataset", str(other), "--seeds", "3", "--out", str(kept), "--resume"]) == 2
    assert "dataset sha256: " in capsys.readouterr().err


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: data[:-9]])
@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (main, ["--report", "tuning.jsonl.xz"]),
        (study, ["report", "--runs", "."]),
        (study, ["run", "finals", "--runs", "."]),
    ],
)
def test_a_damaged_compressed_file_is_named_whoever_reads_it(damage, command, arguments, tmp_path, capsys, monkeypatch):
    path = tmp_path / "tuning.jsonl.xz"
    path.write_bytes(damage(lzma.compress(record().to_line().encode())))
    monkeypatch.chdir(tmp_path)
    assert command(arguments) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "tuning.jsonl.xz: " in err
    assert len(err.splitlines()) == 1


def test_a_record_of_another_version_is_named_whoever_reads_it(tmp_path, capsys):
    config = {**record().config, "dropout": 0.5}
    path = tmp_path / "tuning.jsonl.xz"
    path.write_bytes(lzma.compress(record(config=config).to_line().encode()))
    for command, arguments in (
        (main, ["--report", str(path)]),
        (study, ["report", "--runs", str(tmp_path)]),
        (study, ["run", "finals", "--runs", str(tmp_path)]),
    ):
        assert command(arguments) == 3
        assert "tuning.jsonl.xz: line 1: not a run record: of another version: " in capsys.readouterr().err


def test_figures_without_matplotlib_are_refused_at_once(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["--figures", "f"]) == 2
    assert "nnlite: --figures: needs matplotlib: python -m pip install matplotlib\n" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_resume_says_what_the_file_held_that_is_carried_out_again(small, tmp_path, capsys):
    kept = tmp_path / "runs.jsonl"
    assert main([*small, "--seeds", "2", "--out", str(kept), "--quiet"]) == 0
    lines = kept.read_text(encoding="utf-8").splitlines(keepends=True)
    runs = read_records(kept)
    failed = replace(runs[1], status="failed", reached=False, steps_to_target=None, passes={})
    failed = replace(
        failed, counts={"dense": {}, "executed": {}}, accuracy_at_stop=None, message="its worker died twice"
    )
    kept.write_text(lines[0] + failed.to_line() + lines[2] + lines[3][:-40], encoding="utf-8")
    capsys.readouterr()
    assert main([*small, "--seeds", "2", "--out", str(kept), "--resume"]) == 0
    out, err = capsys.readouterr()
    held = "the last line, which was cut short and 1 run that could not be carried out"
    assert f"{kept}: holds {held}; what they lack is carried out again" in err
    assert "2 pairs" in out
    assert len(read_records(kept)) == 4


def test_resume_refuses_another_configuration_and_shows_the_difference(small, tmp_path, capsys):
    kept = str(tmp_path / "runs.jsonl")
    assert main([*small, "--seeds", "1", "--out", kept, "--quiet"]) == 0
    assert main([*small, "--seeds", "2", "--out", kept, "--resume", "--target", "0.8"]) == 2
    assert "target: 0.9 in the file, 0.8 asked for" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize(
    ("numbers", "status"),
    [(["SIGINT"], 130), (["SIGTERM", "SIGINT"], 143), (["SIGINT"] * 5, 130), (["SIGHUP"], 129)],
    ids=["Ctrl-C", "SIGTERM, then Ctrl-C", "Ctrl-C five times", "the end of the terminal"],
)
def test_an_interrupted_study_keeps_every_finished_run_and_says_how_to_go_on(small, tmp_path, numbers, status):
    kept = tmp_path / "runs.jsonl"
    command = [sys.executable, "-m", "nnlite.experiment", *small, "--seeds", "5000", "--out", str(kept)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and (not kept.exists() or kept.read_bytes().count(b"}\n") < 3):
            time.sleep(0.05)
        for name in numbers:
            process.send_signal(getattr(signal, name))
            time.sleep(0.2)  # two that wait are noted by their number
        out, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert "interrupted, " in out
    assert f"--out {kept} --resume" in err
    assert "Traceback" not in err
    assert len(read_records(kept)) >= 3
    assert kept.read_bytes().endswith(b"\n")


def test_help_fits_a_screen_and_gives_every_default(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) <= 60
    assert max(map(len, text.splitlines())) <= 100
    for group in ("experiment:", "network:", "output:", "examples:"):
        assert f"\n{group}\n" in text


def test_python_m_nnlite_is_the_command():
    for words, said in ((["--version"], "nnlite "), (["predict", "--help"], "usage: nnlite predict ")):
        result = subprocess.run([sys.executable, "-m", "nnlite", *words], capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith(said)


def test_help_and_version_import_no_numba():
    code = (
        "import sys; from nnlite.experiment.__main__ import main\n"
        "statuses = [main([f'--{flag}']) for flag in ('help', 'version', 'article', 'list-arms')]\n"
        "sys.exit('numba' in sys.modules or 'llvmlite' in sys.modules or any(statuses))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0

"""`nnlite train` and `nnlite predict` as a person uses them: by the installed command's first word."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import nnlite
from nnlite import commands


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["nnlite", *map(str, arguments)])
    try:
        return commands.nnlite()
    except SystemExit as ended:
        return ended.code


SEVEN = np.zeros((100, 80))
SEVEN[10:20, 10:70] = 1
for row in range(20, 90):
    SEVEN[row, 60 - row // 3 : 70 - row // 3] = 1


@pytest.fixture
def few(monkeypatch):
    """MNIST with 300 images of each part, so that even plain loops train at once."""
    from dataclasses import replace

    from nnlite.digits import options

    data = nnlite.load_dataset("mnist")
    part = slice(300)
    small = replace(
        data,
        train_pixels=data.train_pixels[part],
        train_labels=data.train_labels[part],
        test_pixels=data.test_pixels[part],
        test_labels=data.test_labels[part],
    )
    monkeypatch.setattr(options, "load_dataset", lambda name, data_dir: small)


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "digits.npz"
    nnlite.save(path, nnlite.MLP((784, 4, 10), np.random.default_rng(0)))
    return path


def test_the_same_seed_trains_the_same_network_and_every_epoch_is_told(tmp_path, monkeypatch, capsys, few):
    for name in ("a", "b"):
        assert run(monkeypatch, "train", "--epochs", 2, "--hidden", 4, "--seed", 3, "--save", tmp_path / name) == 0
    out, err = capsys.readouterr()
    assert err.count("epoch 2 of 2: ") == 2
    assert "784-4-10, seed 3, 2 epochs: " in out
    assert "operations by the formulas" in out
    a, b = (nnlite.load(tmp_path / name).parameters() for name in ("a", "b"))
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    with pytest.raises(ValueError, match="0 to 255"):
        nnlite.load(tmp_path / "a").predict_proba(np.full((1, 784), 255))
    assert run(monkeypatch, "train", "--epochs", 0, "--hidden", 4, "--seed", 4) == 0
    assert "untrained" in capsys.readouterr().out


def test_a_picture_is_shown_with_ten_probabilities(tmp_path, monkeypatch, capsys, few, network):
    nnlite.write_idx(tmp_path / "seven.idx", SEVEN)
    assert run(monkeypatch, "predict", tmp_path / "seven.idx", "--network", network) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'seven.idx'}: ")
    assert "█" in out
    shares = [float(line.split("%")[0].split()[-1]) for line in lines[3:13]]
    assert sum(shares) == pytest.approx(100, abs=0.6)


def test_without_a_network_one_is_trained_and_said_so(tmp_path, monkeypatch, capsys, few):
    nnlite.write_idx(tmp_path / "two.idx", np.stack([SEVEN, np.random.default_rng(0).integers(0, 256, SEVEN.shape)]))
    assert run(monkeypatch, "predict", tmp_path / "two.idx") == 0
    out, err = capsys.readouterr()
    assert "no --network given: trained one in " in err
    assert "two.idx, image 1: " in out
    assert out.count("Warning: perhaps no digit") >= 1


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "No such file"),
        (lambda path: nnlite.write_idx(path, np.zeros((9, 9))), "no ink"),
        (lambda path: nnlite.write_idx(path, np.zeros((9, 9))[:0]), "expected images"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_and_status_2(tmp_path, monkeypatch, capsys, make, problem):
    make(tmp_path / "own")
    assert run(monkeypatch, "predict", tmp_path / "own") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert problem in err
    assert err.startswith(f"nnlite predict: {tmp_path / 'own'}")
    assert len(err.splitlines()) == 1


def test_a_file_that_cannot_be_read_hides_no_answer_for_another(tmp_path, monkeypatch, capsys, few, network):
    nnlite.write_idx(tmp_path / "seven.idx", SEVEN)
    files = tmp_path / "none.png", tmp_path / "seven.idx"
    assert run(monkeypatch, "predict", *files, "--network", network) == 2
    out, err = capsys.readouterr()
    assert err == f"nnlite predict: {files[0]}: No such file or directory\n"
    assert out.startswith(f"{files[1]}: ")


def test_mistakes_in_the_call_are_status_2_and_missing_data_3(tmp_path, monkeypatch, capsys):
    nnlite.write_idx(tmp_path / "seven.idx", SEVEN)
    nnlite.save(tmp_path / "other.npz", nnlite.MLP((9, 2), np.random.default_rng(0)))
    predict = ("predict", tmp_path / "seven.idx")
    assert run(monkeypatch, *predict, "--network", tmp_path / "other.npz") == 2
    assert "a network of 9-2, expected 784 inputs and 10 classes" in capsys.readouterr().err
    assert run(monkeypatch, *predict, "--network", tmp_path / "none.npz") == 2
    assert run(monkeypatch, *predict, "--data-dir", tmp_path) == 3
    assert run(monkeypatch, "train", "--hidden", 0) == 2
    assert run(monkeypatch, "train", "--epochs", -1) == 2
    assert "--epochs: -1: expected a whole number from 0 on" in capsys.readouterr().err
    assert run(monkeypatch, "predict") == 2
    capsys.readouterr()
    assert run(monkeypatch, "train", "--epochs", 0, "--save", tmp_path / "no" / "where") == 2
    assert "nnlite train: " in capsys.readouterr().err


def test_without_a_command_it_is_the_experiment(monkeypatch, capsys):
    assert run(monkeypatch, "--list-arms") == 0
    assert "class-means" in capsys.readouterr().out

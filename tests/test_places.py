"""Places: which folders are looked in, in which order, and which file in them is which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nnlite.places import KNOWN_SETS, STEMS, find_files, named_root, near_misses, places


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Point every root at an empty folder, in the order in which they are promised."""
    source_tree = tmp_path / "clone"
    source_tree.mkdir()
    monkeypatch.setattr("nnlite.places.__file__", str(source_tree / "nnlite/places.py"))
    monkeypatch.setattr("nnlite.places.user_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr("nnlite.places.SYSTEM_FOLDERS", (tmp_path / "system",))
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return [Path("data"), source_tree / "data", tmp_path / "cache/data", tmp_path / "system"]


def both(roots: list[Path]) -> list[Path]:
    """Return ROOT/mnist and ROOT for each root."""
    return [folder for root in roots for folder in (root / "mnist", root)]


def test_roots_are_tried_in_order_first_with_the_name_then_without(roots, monkeypatch):
    installed = roots[:1] + roots[2:]  # a copy that does not look beside itself
    assert list(places("mnist", None)) == both(installed)
    (roots[1].parent / "setup.cfg").touch()  # the mark of a source tree
    assert list(places("mnist", None)) == both(roots)
    monkeypatch.setattr("nnlite.places.user_cache", lambda: None)  # without a home
    monkeypatch.setattr("nnlite.places.SYSTEM_FOLDERS", (Path("data").resolve(),))  # a folder that is two roots
    assert list(places("mnist", None)) == both(roots[:2])


def test_a_named_root_is_looked_in_alone_and_data_dir_goes_before_the_environment(roots, monkeypatch):
    monkeypatch.setenv("NNLITE_DATA", "environment")
    assert list(places("mnist", None)) == [Path("environment/mnist"), Path("environment")]
    assert list(places("mnist", "named")) == [Path("named/mnist"), Path("named")]
    assert (named_root(None), named_root("named")) == (("environment", "NNLITE_DATA"), ("named", "--data-dir"))


def test_named_roots_are_meant_as_people_mean_them(roots, tmp_path, monkeypatch):
    monkeypatch.setenv("NNLITE_DATA", "")  # as good as not set
    assert list(places("mnist", None)) == both(roots[:1] + roots[2:])
    with pytest.raises(ValueError, match="an empty path"):
        list(places("mnist", ""))
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("NNLITE_DATA", "~/sets")
    assert list(places("mnist", None)) == list(places("mnist", "~/sets")) == both([tmp_path / "sets"])


def test_every_known_set_has_the_same_four_files():
    assert all(tuple(pins) == STEMS and len(set(pins.values())) == 4 for pins in KNOWN_SETS.values())


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_every_spelling_is_found(ending, dotted, tmp_path):
    for stem in STEMS:
        (tmp_path / f"{stem.replace('-idx', '.idx') if dotted else stem}{ending}").touch()
    paths, missing = find_files(tmp_path)
    assert tuple(paths) == STEMS
    assert sorted(path.name for path in paths.values()) == sorted(os.listdir(tmp_path))
    assert missing == []


def test_missing_files_are_named(tmp_path):
    (tmp_path / STEMS[1]).touch()
    assert find_files(tmp_path) == ({STEMS[1]: tmp_path / STEMS[1]}, [STEMS[0], STEMS[2], STEMS[3]])


def test_a_directory_with_a_files_name_does_not_hide_the_file(tmp_path):
    (tmp_path / STEMS[0]).mkdir()
    (tmp_path / f"{STEMS[0]}.gz").touch()
    assert find_files(tmp_path)[0] == {STEMS[0]: tmp_path / f"{STEMS[0]}.gz"}


@pytest.mark.parametrize(
    "near",
    [
        "emnist-letters-train-images-idx3-ubyte.gz",
        "test-images-idx3-ubyte",
        "train-labels-idx1-ubyte (1).gz",
        "TRAIN-IMAGES-IDX3-UBYTE",
        "train-images-idx3-ubyte.bz2",
        "MNIST/raw/train-images-idx3-ubyte",
        "other/train-labels-idx1-ubyte.gz",
    ],
)
def test_files_of_nearly_the_right_name_or_place_are_listed(near, tmp_path):
    path = tmp_path / near
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in (path, tmp_path / STEMS[0], tmp_path / "notes.txt"):
        name.touch()
    assert near_misses(tmp_path) == [near]


def test_folders_and_the_places_of_known_sets_are_no_near_misses_and_a_crowd_is_cut(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / STEMS[0]).touch()
    assert near_misses(tmp_path) == near_misses(tmp_path / "missing") == []
    for number in range(20):
        (tmp_path / f"images{number}").touch()
    assert len(near_misses(tmp_path)) == 6

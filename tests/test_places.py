"""Places: which folders are looked in, in which order, and which file in them is which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nnlite.places import KNOWN_SETS, STEMS, find_files, places


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Point every root at an empty folder, in the order in which they are promised."""
    source_tree = tmp_path / "clone"
    source_tree.mkdir()
    monkeypatch.setattr("nnlite.places.__file__", str(source_tree / "nnlite/places.py"))
    monkeypatch.setattr("nnlite.places.user_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr("nnlite.places.SYSTEM_FOLDERS", (tmp_path / "system",))
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "environment"))
    monkeypatch.chdir(tmp_path)
    return [tmp_path / "environment", Path("data"), source_tree / "data", tmp_path / "cache/data", tmp_path / "system"]


def both(roots: list[Path]) -> list[Path]:
    """Return ROOT/mnist and ROOT for each root."""
    return [folder for root in roots for folder in (root / "mnist", root)]


def test_roots_are_tried_in_order_first_with_the_name_then_without(roots):
    (roots[2].parent / "setup.cfg").touch()  # the mark of a source tree
    assert [folder for folder, _ in places("mnist", None)] == both(roots)


def test_only_the_environments_root_counts_as_named_by_the_user(roots):
    assert [explicit for _, explicit in places("mnist", None)] == [True] * 2 + [False] * 6


def test_installed_copy_does_not_look_beside_itself(roots):
    assert [folder for folder, _ in places("mnist", None)] == both(roots[:2] + roots[3:])


def test_data_dir_is_looked_in_alone(roots):
    assert list(places("mnist", "named")) == [(Path("named/mnist"), True), (Path("named"), True)]


def test_a_folder_that_is_two_roots_is_looked_in_once(roots, monkeypatch):
    monkeypatch.setenv("NNLITE_DATA", "data")
    assert [folder for folder, _ in places("mnist", None)] == both(roots[1:2] + roots[3:])


def test_without_home_there_is_no_cache_folder(roots, monkeypatch):
    monkeypatch.setattr("nnlite.places.user_cache", lambda: None)
    assert [folder for folder, _ in places("mnist", None)] == both(roots[:2] + roots[4:])


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

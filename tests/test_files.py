"""Files: replaced whole or not at all, opened by content, cached where the user caches."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import pytest

from nnlite.files import reading, replacing, user_cache


def test_nothing_is_replaced_when_the_block_fails(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file") as file:
        file.write(bytes(1 // 0))
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_old_content_stands_until_the_block_ends(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with replacing(tmp_path / "file") as file:
        file.write(b"new")
        assert (tmp_path / "file").read_bytes() == b"old"
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX modes")
def test_new_file_has_the_mode_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "file"):
        pass
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="needs device files")
def test_device_and_directory_are_not_replaced(tmp_path):
    with pytest.raises(OSError, match="a device"), replacing("/dev/null"):
        pass
    with pytest.raises(IsADirectoryError, match="a directory"), replacing(tmp_path):
        pass


def test_size_is_known_for_plain_files_only(tmp_path):
    for content, size in ((b"plain", 5), (gzip.compress(b"plain"), None)):
        (tmp_path / "file").write_bytes(content)
        with reading(tmp_path / "file") as (stream, found):
            assert (stream.read(), found) == (b"plain", size)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names Linux folders")
def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "nnlite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert user_cache() == Path("/home/ada/.cache/nnlite")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names Linux folders")
def test_without_home_there_is_no_cache_folder(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # what it does where no home is known
    assert user_cache() is None

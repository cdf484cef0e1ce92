"""Files: replaced whole or not at all, opened by content, cached where the user caches."""

from __future__ import annotations

import errno
import gzip
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nnlite.files import held, path_name, reading, replacing, require_replaceable, user_cache

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX modes, links and devices")


def test_old_content_stands_until_the_block_ends_and_for_good_when_it_fails(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file") as file:
        file.write(bytes(1 // 0))
    assert os.listdir(tmp_path) == ["file"]
    with replacing(tmp_path / "file") as file:
        file.write(b"new")
        assert (tmp_path / "file").read_bytes() == b"old"
    assert (tmp_path / "file").read_bytes() == b"new"


@needs_posix
def test_new_file_has_the_mode_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "file"):
        pass
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


@needs_posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o604, 0o755])
def test_a_replaced_file_keeps_its_mode_from_the_first_byte_on(tmp_path, mode):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    with replacing(path) as file:
        file.write(b"new")
        assert stat.S_IMODE(os.stat(file.name).st_mode) == mode
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@needs_posix
def test_the_temporary_file_is_private_until_it_is_known_who_may_read_it(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("nnlite.files.keep_access", lambda old, new: seen.append(os.stat(new).st_mode & 0o777))
    (tmp_path / "file").touch(0o600)
    with replacing(tmp_path / "file"):
        pass
    assert seen == [0o600]


@needs_posix
@pytest.mark.parametrize("name", ["link", "link of a link"])
def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "file"
    target.write_bytes(b"old")
    (tmp_path / "link").symlink_to("elsewhere/file")
    (tmp_path / "link of a link").symlink_to("link")
    for content in (b"old", None):  # a link that leads nowhere yet, too
        if content is None:
            target.unlink()
        with replacing(tmp_path / name) as file:
            file.write(b"new")
        assert (tmp_path / name).is_symlink()
        assert target.read_bytes() == b"new"
        assert os.listdir(tmp_path / "elsewhere") == ["file"]


@needs_posix
def test_a_write_protected_file_is_not_replaced(tmp_path):
    """Its folder would allow it; root may write to it, as with any program."""
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o444)
    if os.access(tmp_path / "file", os.W_OK):
        pytest.skip("nothing is write-protected for root")
    with pytest.raises(PermissionError, match=r"write-protected.*file"), replacing(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_bytes() == b"old"


def refused_paths(folder):
    """Paths at which no file can be, and what the error says."""
    (folder / "file").write_bytes(b"old")
    (folder / "loop").symlink_to("loop")
    (folder / "away").symlink_to("no/file")
    os.mkfifo(folder / "pipe")
    return {
        folder / "no" / "file": "there is no folder",
        folder / "away": "there is no folder",
        folder / "file" / "file": "Not a directory",
        folder / ("long" * 100): "name too long",
        folder / "loop": "symbolic links",
        folder: "a directory",
        f"{folder}{os.sep}new{os.sep}": "a directory",
        "/dev/null": "a device",
        folder / "pipe": "a pipe",
    }


@needs_posix
def test_the_error_names_the_path_that_was_asked_for_and_nothing_is_left(tmp_path):
    for path, words in refused_paths(tmp_path).items():
        with pytest.raises(OSError, match=words) as error, replacing(path) as file:
            file.write(b"new")
        assert error.value.filename == os.fspath(path)
        assert ".nnlite-" not in str(error.value)
    assert sorted(os.listdir(tmp_path)) == ["away", "file", "loop", "pipe"]
    assert (tmp_path / "file").read_bytes() == b"old"


@needs_posix
def test_a_folder_that_cannot_be_written_is_named_with_the_path(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("every folder can be written by root")
    with pytest.raises(PermissionError, match="no file can be made in") as error, replacing(folder / "new"):
        pass
    assert error.value.filename == str(folder / "new")


def test_what_cannot_be_replaced_is_known_before_there_is_something_to_write(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    require_replaceable(tmp_path / "file")
    require_replaceable(tmp_path / "new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
    for path, words in ((tmp_path, "a directory"), (tmp_path / "no" / "file", "there is no folder")):
        with pytest.raises(OSError, match=words):
            require_replaceable(path)


def test_a_file_that_holds_something_else_must_stay(tmp_path):
    (tmp_path / "file").write_bytes(b"old words")
    require_replaceable(tmp_path / "file", b"old")
    with pytest.raises(FileExistsError, match="holds something else"):
        require_replaceable(tmp_path / "file", b"new")
    require_replaceable(tmp_path / "nothing", b"new")
    (tmp_path / "file").write_bytes(b"")
    require_replaceable(tmp_path / "file", b"new")


def test_a_failed_write_names_the_path_and_not_the_temporary_file(tmp_path):
    for filename in (None, "temporary"):
        with pytest.raises(OSError, match="No space left") as error, replacing(tmp_path / "new") as file:
            raise OSError(errno.ENOSPC, "No space left on device", filename and file.name)
        assert error.value.filename == str(tmp_path / "new")
    with pytest.raises(FileNotFoundError) as error, replacing(tmp_path / "new"):
        (tmp_path / "another").read_bytes()
    assert error.value.filename == str(tmp_path / "another")
    assert os.listdir(tmp_path) == []


def test_size_is_known_for_plain_files_only(tmp_path):
    for content, size in ((b"plain", 5), (gzip.compress(b"plain"), None)):
        (tmp_path / "file").write_bytes(content)
        with reading(tmp_path / "file") as (stream, found):
            assert (stream.read(), found) == (b"plain", size)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names Linux folders")
def test_cache_folder_follows_the_environment_and_without_home_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "nnlite"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/ada")
    assert user_cache() == Path("/home/ada/.cache/nnlite")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # what it does where no home is known
    assert user_cache() is None


HOLDS = """
import sys
from nnlite.files import held
with held(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["by a kill", "by itself"])
def test_a_file_is_held_until_the_process_ends_and_the_second_is_told_by_whom(tmp_path, end):
    path = tmp_path / "runs.jsonl"
    path.write_text("one\n")
    os.link(path, tmp_path / "link")
    command = [sys.executable, "-c", HOLDS, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        for name in (path, tmp_path / "link"):
            with pytest.raises(BlockingIOError, match=r"another nnlite.* is at work on it") as told, held(name):
                pass
            assert told.value.filename == str(name)
        if Path("/proc/locks").exists() and Path("/proc/locks").read_text(encoding="ascii"):
            assert f", process {other.pid}," in told.value.strerror
        if end == "by a kill":
            other.kill()
        else:
            other.stdin.close()
        other.wait(timeout=10)
    with held(path):
        pass
    assert path.read_text() == "one\n"


def test_a_file_that_was_made_to_be_held_goes_if_nothing_was_written(tmp_path):
    with held(tmp_path / "empty"), held(tmp_path / "used"):
        (tmp_path / "used").write_text("one\n")
        assert (tmp_path / "empty").exists()
    assert os.listdir(tmp_path) == ["used"]
    (tmp_path / "was there").touch()
    with held(tmp_path / "was there"):
        pass
    assert (tmp_path / "was there").exists()


def test_a_file_system_without_locks_goes_on_without_one(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr("msvcrt.locking" if sys.platform == "win32" else "fcntl.flock", refuse)
    with held(tmp_path / "runs.jsonl"), held(tmp_path / "runs.jsonl"):
        assert os.listdir(tmp_path) == ["runs.jsonl"]


def test_what_cannot_be_appended_to_is_not_held(tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "file", tmp_path / ("long" * 100)):
        with pytest.raises(OSError, match=r".") as told, held(path):
            pass
        assert told.value.filename == str(path)


def test_a_path_is_what_a_person_means_by_it_to_read_and_to_write(tmp_path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    assert Path(path_name("~/file")) == Path(path_name(Path("~") / "file")) == tmp_path / "file"
    assert path_name("./~") == "./~"
    with replacing("~/file") as file:
        file.write(b"at home")
    with reading("~/file") as (stream, _):
        assert stream.read() == b"at home"
    for path, words in (("", "an empty path: name a file"), ("a\0b", "a zero byte in the path")):
        for use in (replacing, reading):
            with pytest.raises(ValueError, match=words), use(path):
                pass

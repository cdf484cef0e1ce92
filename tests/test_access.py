"""Access: a new file never lets in whom the old one kept out, and what others can write is told."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from nnlite.access import keep_access, who_else_writes

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX")


@pytest.fixture
def pair(tmp_path):
    """An old file and a new one beside it, as an open with any umask makes them."""
    for name in ("old", "new"):
        (tmp_path / name).touch()
    return tmp_path / "old", tmp_path / "new"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("kept", [0o640, 0o606, 0o777])
def test_the_mode_is_kept(pair, kept):
    old, new = pair
    old.chmod(kept)
    keep_access(old, new)
    assert mode(new) == kept


@pytest.mark.parametrize(("before", "after"), [(0o640, 0o600), (0o664, 0o644), (0o606, 0o600), (0o666, 0o666)])
def test_another_group_gets_only_what_everybody_had(pair, before, after, monkeypatch):
    def chown(path, owner, group):
        raise PermissionError

    old, new = pair
    old.chmod(before)
    status = os.stat(old)
    monkeypatch.setattr("os.chown", chown)
    monkeypatch.setattr("os.stat", lambda path: status_of_group(status, 7 if path == old else 8))
    keep_access(old, new)
    monkeypatch.undo()
    assert mode(new) == after


def status_of_group(status, group):
    return os.stat_result([*status[:5], group, *status[6:10]])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_root_keeps_owner_and_group(pair):
    old, new = pair
    os.chown(old, 1234, 2345)
    keep_access(old, new)
    assert (new.stat().st_uid, new.stat().st_gid) == (1234, 2345)


@pytest.fixture
def attributes(pair):
    """Whether this system and file system keep what is said with a file."""
    old, _ = pair
    try:
        os.setxattr(old, "user.origin", b"seed 7")
    except (AttributeError, OSError):
        pytest.skip("no extended attributes here")


@pytest.mark.usefixtures("attributes")
def test_what_is_said_with_a_file_is_kept(pair):
    old, new = pair
    keep_access(old, new)
    assert os.getxattr(new, "user.origin") == b"seed 7"


ACCESS_LIST = bytes.fromhex(
    "02000000 01000600ffffffff 02000600e8030000 04000000ffffffff 10000600ffffffff 20000000ffffffff"
)
"""user::rw-, user:1000:rw-, group::---, mask::rw-, other::---: the mode says 0660, though the group has nothing."""


@pytest.mark.usefixtures("attributes")
@pytest.mark.parametrize("can", [True, False])
def test_an_access_list_is_kept_or_its_mask_is_not_taken_for_the_groups_rights(pair, can, monkeypatch):
    old, new = pair
    try:
        os.setxattr(old, "system.posix_acl_access", ACCESS_LIST)
    except OSError:
        pytest.skip("no access lists here")
    assert mode(old) == 0o660
    if not can:
        monkeypatch.setattr("os.setxattr", lambda *arguments: os.listxattr("/nowhere"))
    keep_access(old, new)
    monkeypatch.undo()
    assert mode(new) == (0o660 if can else 0o600)
    if can:
        assert os.getxattr(new, "system.posix_acl_access") == ACCESS_LIST


@pytest.fixture
def cache(tmp_path):
    """A folder with a file in a folder of its own, as the compile cache is."""
    folder = tmp_path.resolve() / "above" / "cache"
    (folder / "kernels").mkdir(mode=0o700, parents=True)
    (folder / "kernels" / "index").touch()
    folder.chmod(0o700)
    (tmp_path / "above").chmod(0o755)
    if who_else_writes(folder) is not None:
        pytest.skip("others can write to the folders that pytest was given")
    return folder


@pytest.mark.parametrize(("place", "mode"), [(".", 0o755), ("..", 0o1777), ("kernels/index", 0o666)])
def test_a_folder_of_ones_own_is_nobody_elses_nor_what_is_sticky_above_it_or_closed_in_it(cache, place, mode):
    """In a sticky folder nobody can replace what is another's; nobody gets into a closed one."""
    (cache / place).chmod(mode)
    assert who_else_writes(cache) is None


@pytest.mark.parametrize(
    ("place", "mode"),
    [(".", 0o702), (".", 0o777), (".", 0o1777), ("..", 0o757), ("kernels", 0o777), ("kernels/index", 0o666)],
)
def test_what_others_can_write_is_named(cache, place, mode):
    cache.chmod(0o755)
    (cache / place).chmod(mode)
    assert who_else_writes(cache) == f"others can write to {os.path.normpath(cache / place)}"


@pytest.mark.parametrize("place", [".", "kernels", "kernels/index"])
def test_a_symbolic_link_is_named(cache, place):
    (cache / place).rename(cache.parent / "elsewhere")
    (cache / place).symlink_to(cache.parent / "elsewhere")
    assert who_else_writes(cache) == f"{os.path.normpath(cache / place)} is a symbolic link"


def pretend(monkeypatch, path, **changes):
    """Let one path have another owner or group, which only root could give it."""
    lstat, at = Path.lstat, {"user": 4, "group": 5}

    def pretended(self):
        status = list(lstat(self)[:10])
        for name, number in changes.items():
            status[at[name]] = number if self == path else status[at[name]]
        return os.stat_result(status)

    monkeypatch.setattr(Path, "lstat", pretended)


@pytest.mark.parametrize("place", [".", "kernels", "kernels/index", ".."])
def test_another_users_is_named(cache, place, monkeypatch):
    path = (cache / place).resolve()
    pretend(monkeypatch, path, user=4321)
    assert who_else_writes(cache) == f"{path} belongs to another user, number 4321"


@pytest.mark.parametrize(("members", "shared"), [([], False), (["ada"], False), (["ada", "bob"], True)])
def test_a_group_counts_as_others_unless_the_user_is_its_only_member(cache, members, shared, monkeypatch):
    monkeypatch.setattr("pwd.getpwuid", lambda user: SimpleNamespace(pw_name="ada"))
    monkeypatch.setattr("grp.getgrgid", lambda group: SimpleNamespace(gr_name="ada", gr_mem=members))
    pretend(monkeypatch, cache.parent, group=4321)
    cache.parent.chmod(0o775)
    assert who_else_writes(cache) == (f"others can write to {cache.parent}" if shared else None)

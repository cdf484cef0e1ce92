"""Access: a new file never lets in whom the old one kept out."""

from __future__ import annotations

import os
import stat

import pytest

from nnlite.access import keep_access

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX")


@pytest.fixture
def pair(tmp_path):
    """An old file and a new one beside it, as an open with any umask makes them."""
    for name in ("old", "new"):
        (tmp_path / name).touch()
    return tmp_path / "old", tmp_path / "new"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("kept", [0o600, 0o640, 0o606, 0o400, 0o777])
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

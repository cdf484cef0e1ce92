"""Who may read and write a file: kept when the file is replaced, asked before code is loaded from it.

It knows permissions, owners and access lists of POSIX systems; elsewhere it keeps what Python can set, and trusts. It
opens no file.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import grp
    import pwd

_ACCESS_LIST = "system.posix_acl_access"  # as Linux names what setfacl sets


def keep_access(old: str | os.PathLike[str], new: str | os.PathLike[str]) -> None:
    """Give a new file the permissions of an old one, and its owner and group where this user can; never more than that.

    Where the group or the access list cannot be kept, group and others may do what both might before.

    Parameters
    ----------
    old, new : str or path-like - regular files; `new` is this user's

    Raises
    ------
    OSError - permissions cannot be set
    """
    status = os.stat(old)
    mode, is_kept = stat.S_IMODE(status.st_mode) & 0o777, True
    if hasattr(os, "chown"):
        for owner in (status.st_uid, -1):  # only root can give a file away; others can still give it to their groups
            with suppress(OSError):
                os.chown(new, owner, status.st_gid)
                break
        is_kept = os.stat(new).st_gid == status.st_gid
    if sys.platform == "linux":
        try:
            attributes = os.listxattr(old)
        except OSError:  # a file system without
            attributes = []
        with suppress(OSError):
            os.removexattr(new, _ACCESS_LIST)  # what the folder gives to new files
        for attribute in attributes:
            try:
                os.setxattr(new, attribute, os.getxattr(old, attribute))
            except OSError:
                is_kept = is_kept and attribute != _ACCESS_LIST
    if not is_kept:
        shared = mode & mode >> 3 & 0o007
        mode = mode & 0o700 | shared << 3 | shared
    os.chmod(new, mode)


def who_else_writes(folder: str | os.PathLike[str]) -> str | None:
    """Say why what is in a folder may come from another user than this one and root; None if it cannot.

    The folder and all that is in it must be theirs, without symbolic links, and writable by nobody else. So must every
    folder above, or its owner could put another in its place; a sticky one, such as /tmp, lets nobody do so. A group
    of which the user is the only member is no other.

    Parameters
    ----------
    folder : str or path-like - absolute, no symbolic link on the way to it

    Returns
    -------
    str or None - one path and what is wrong with it

    Raises
    ------
    OSError - the folder is not there
    """
    return next(filter(None, (_danger(*place) for place in _places(Path(folder)))), None)


def _places(folder: Path) -> list[tuple[Path, set[int], bool]]:
    """List what a folder's safety hangs on: a path, who may own it, whether something else than its mode guards it."""
    places: list[tuple[Path, set[int], bool]] = []
    if sys.platform != "win32":  # a profile's folders there are its user's, by access lists that Python does not show
        owners = {0, os.geteuid()}
        places.append((folder, owners, False))
        is_closed = not folder.lstat().st_mode & 0o077  # then nobody else gets at what is in it, whatever its modes
        for inside, folders, files in os.walk(folder):
            places += [(Path(inside, name), owners, is_closed) for name in (*folders, *files)]
        # In a container that maps no root the system's folders belong to a stranger: the one who owns /.
        owners = owners | {os.lstat("/").st_uid}
        places += [(above, owners, bool(above.lstat().st_mode & stat.S_ISVTX)) for above in folder.parents]
    return places


def _danger(path: Path, owners: set[int], is_guarded: bool) -> str | None:
    """What lets others than these owners write to one path, not counting its mode where something else guards it."""
    try:
        status = path.lstat()
    except FileNotFoundError:  # another process tidies up
        return None
    if stat.S_ISLNK(status.st_mode):
        return f"{path} is a symbolic link"
    if status.st_uid not in owners:
        return f"{path} belongs to another user, number {status.st_uid}"
    is_shared = status.st_mode & 0o020 and not _is_own_group(status.st_gid)
    return f"others can write to {path}" if not is_guarded and (status.st_mode & 0o002 or is_shared) else None


def _is_own_group(group: int) -> bool:
    """Whether a group is root's, or the private one that many systems make for each user, with a umask of 002."""
    if sys.platform != "win32" and group != 0:
        try:
            user, members = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
        except KeyError:  # without a name it is nobody's
            return False
        return members.gr_name == user.pw_name and set(members.gr_mem) <= {user.pw_name}
    return True

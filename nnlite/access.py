"""Who may read and write a file: kept when the file is replaced.

It knows permissions, owners and access lists of POSIX systems; elsewhere it keeps what Python can set. It opens no
file.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress

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

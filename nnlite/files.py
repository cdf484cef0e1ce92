"""Files opened by content and replaced whole, which is what every reader and writer of data here relies on.

The lowest stage of the data path: `idx` reads and writes through it, `download` writes through it. It knows bytes,
their compression and how a page begins, no other formats and no data sets.
"""

from __future__ import annotations

import errno
import gzip
import lzma
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, cast

from .access import keep_access

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

GZIP_MAGIC, XZ_MAGIC, PAGE_MAGIC = b"\x1f\x8b", b"\xfd7zXZ\x00", b"<!DOCTYPE html>"
TEMPORARY_PREFIX = ".nnlite-"  # what a killed process leaves behind can be told by its name


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[tuple[IO[bytes], int | None]]:
    """Open a regular file, decompressing gzip and xz, which are recognised by content and not by name.

    Parameters
    ----------
    path : str or path-like - the file; anything else is refused without opening it, so a pipe is never waited for

    Returns
    -------
    (stream, size) - a binary stream, and the bytes it holds, None if compressed; closed with the block

    Raises
    ------
    OSError - nothing there, no permission, a directory, a pipe, a socket or a device; a read that fails in the block
    """
    name = path_name(path)
    _require_regular(name)
    try:
        with open(name, "rb") as file:
            magic = file.read(len(XZ_MAGIC))
            file.seek(0)
            if magic.startswith(GZIP_MAGIC):
                with gzip.GzipFile(fileobj=file) as stream:
                    yield cast("IO[bytes]", stream), None
            elif magic == XZ_MAGIC:
                with lzma.LZMAFile(file, format=lzma.FORMAT_XZ) as stream:
                    yield stream, None
            else:
                yield file, os.fstat(file.fileno()).st_size
    except OSError as error:
        if error.filename is None:  # a read that fails does not know its file
            error.filename = name
        raise


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes the place of `path` when the block ends well, and vanishes when it does not.

    A reader, another writer or a power cut meets the old file or the new one, never a part of either. Whoever may not
    read or write the old file may not read or write the new one: it gets the permissions, and where this user can give
    them the owner and group, of the old one; a new file gets those of any new file. A symbolic link stays a link and
    its target is replaced; other hard links keep the old content.

    Parameters
    ----------
    path : str or path-like - the file to create or replace; its folder must exist

    Raises
    ------
    OSError - always naming `path`: the folder is missing or not writable, the disk is full, or `path` exists and is
        write-protected or no regular file

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with replacing(folder.name + "/greeting") as file:
    ...     _ = file.write(b"hello")
    >>> os.listdir(folder.name)
    ['greeting']
    >>> folder.cleanup()
    """
    name = path_name(path)
    replaces = _may_be_written(name)
    target = os.path.realpath(name)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb", opener=_private if replaces else None) as file:
            if replaces:
                keep_access(target, temporary)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):  # the first error is the one to report
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, temporary):
            raise OSError(error.errno, _cause(error, folder), name) from error  # who called knows no temporary file
        raise
    if os.name == "posix":  # the rename reaches the disk with its folder
        with suppress(OSError):  # some network file systems cannot sync a folder
            _sync_folder(folder)


def require_replaceable(path: str | os.PathLike[str], begins: bytes = b"") -> None:
    """Raise OSError where `replacing` would, or would lose something else: for who works for long before it writes.

    Parameters
    ----------
    path : str or path-like - stays as it is
    begins : bytes - how a file begins that may be replaced; one that begins otherwise, and is not empty, must stay
    """
    with suppress(_NothingToWrite), replacing(path):
        raise _NothingToWrite
    name = path_name(path)
    if not begins:
        return
    with suppress(FileNotFoundError), open(name, "rb") as file:
        if file.read(len(begins)) not in (b"", begins):
            raise FileExistsError(errno.EEXIST, "holds something else; choose another name", name)


class _NothingToWrite(Exception):
    """Leaves a file as it was."""


@contextmanager
def held(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a file for one program that appends to it, made if missing, until the block or the process ends.

    The system lets go of it however the process ends, kill -9 included. File systems without locks go on without one.
    A file that was made here and is still empty at the end is removed.

    Parameters
    ----------
    path : str or path-like - the file; its folder must exist

    Raises
    ------
    BlockingIOError - another program holds it
    OSError - `path` cannot be opened for appending, or is no regular file
    """
    name = os.fsdecode(path)
    made = not os.path.exists(name)
    if not made:
        _require_regular(name)
    with open(name, "ab") as file:
        if not _lock(file) or not _is_at(file, name):  # who held it may have replaced or removed it meanwhile
            raise BlockingIOError(errno.EAGAIN, f"another nnlite{_holder(file)} is at work on it", name)
        try:
            yield
        finally:
            if made and os.fstat(file.fileno()).st_size == 0:
                with suppress(OSError):  # Windows removes no open file
                    os.remove(name)


def compressing(file: IO[bytes], path: str | os.PathLike[str]) -> AbstractContextManager[IO[bytes]]:
    """Return a stream into `file` that compresses as the path's ending says; its end leaves `file` open.

    Parameters
    ----------
    file : binary file - open for writing
    path : str or path-like - .gz or .xz decides; the bytes written depend on neither its name nor the time
    """
    name = os.fsdecode(path)
    if name.endswith(".gz"):
        return cast("IO[bytes]", gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0))
    if name.endswith(".xz"):
        return lzma.LZMAFile(file, "wb")
    return nullcontext(file)


def user_cache() -> Path | None:
    """Return the user's cache folder for nnlite, which need not exist yet, or None where no home is known."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(os.path.expanduser(base))
    return folder / "nnlite" if folder.is_absolute() else None


def path_name(path: str | os.PathLike[str]) -> str:
    """Return a path as a person means it: ~ is a home folder, and an empty one is a mistake, not the current folder.

    Raises
    ------
    ValueError - an empty path, which an unset variable leaves behind, or one with a zero byte

    Examples
    --------
    >>> path_name("~/digits") == os.path.expanduser("~/digits"), path_name(Path("digits"))
    (True, 'digits')
    """
    name = os.fsdecode(path)
    if not name or "\0" in name:
        raise ValueError(f"{'a zero byte in the' if name else 'an empty'} path: name a file or a folder")
    return os.path.expanduser(name)


def _require_regular(path: str | os.PathLike[str]) -> None:
    """Raise OSError, naming what is there, unless `path` is a regular file; never open it, so never wait for it."""
    name = os.fsdecode(path)
    mode = os.stat(name).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "a directory, where a file was expected", name)
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(mode), "a device")
        raise OSError(errno.EINVAL, f"{kind}, where a file was expected; name a file on disk instead", name)


def _may_be_written(name: str) -> bool:
    """Return whether `name` is a file that may be replaced; False where nothing is there.

    Raises
    ------
    OSError - something is there that must stay, or `name` can be no file's
    """
    if not os.path.basename(name):
        raise IsADirectoryError(errno.EISDIR, "a directory, where a file was expected", name)
    try:
        _require_regular(name)  # else root would put a file in place of a device
    except FileNotFoundError:
        return False
    # A rename asks for the folder's permission alone, and would replace what its owner has protected.
    if not os.access(name, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, "write-protected; allow writing to it or choose another name", name)
    return True


def _private(path: str, flags: int) -> int:
    """Open a file for its owner alone, until it is known who else may read it."""
    return os.open(path, flags, 0o600)


def _cause(error: OSError, folder: str) -> str:
    """What went wrong with a file that is to be replaced, where its folder is the cause and the error does not say."""
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and error.filename is not None:
        return f"no file can be made in {folder} ({error.strerror})"
    return error.strerror or str(error)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_LOCKED_BYTE = (1 << 31) - 2  # where Windows locks: far behind every line, since what is locked nobody else can read


def _lock(file: IO[bytes]) -> bool:
    """Lock an open file; False if another process has it locked. What has no locks counts as locked."""
    try:
        if sys.platform == "win32":
            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


def _is_at(file: IO[bytes], name: str) -> bool:
    """Whether an open file is still what its name leads to."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(name))
    except FileNotFoundError:
        return False


def _holder(file: IO[bytes]) -> str:
    """Which process holds the lock on a file, as far as the system tells: Linux does, of its own processes."""
    with suppress(OSError), open("/proc/locks", encoding="ascii") as locks:
        inode = str(os.fstat(file.fileno()).st_ino)
        for line in locks:  # 1: FLOCK  ADVISORY  WRITE 4711 08:01:262148 0 EOF
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].split(":")[-1] == inode and fields[4] != "0":
                return f", process {fields[4]},"
    return ""

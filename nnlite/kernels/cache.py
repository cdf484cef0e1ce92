"""Compiled kernels on disk: found again by the next process, and never worse than compiling.

numba's own cache does not see a change in another file, dies without a writable folder and raises out of the kernel
call when a cache file is damaged or the disk is full. So the folder is named by a digest of all sources in kernels/ and
the versions of Python, NumPy, numba and llvmlite, and a damaged or unwritable cache only costs a compilation. The cache
is pickle, which can run anything: a folder that another user can write is not used.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import warnings
from contextlib import suppress

import numba
import numpy as np
from numba.core.caching import FunctionCache

from ..access import who_else_writes
from ..files import user_cache
from .dispatcher import CalleesFirst, Kernel

_FOLDERS_KEPT = 3  # an upgrade and a downgrade keep their compiled code; older folders go
_lock = threading.RLock()


def compiling(function):
    """Return the dispatcher that compiles a function, its compiled code kept on disk where that can be.

    Parameters
    ----------
    function : callable
        As `jit.kernel` takes it.

    Returns
    -------
    Kernel
    """
    dispatcher = Kernel(function)
    with _lock:  # numba reads the folder from its configuration when a cache is made
        folder = cache_folder()
        if folder is not None:
            saved, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
            try:
                dispatcher._cache = _ForgivingCache(function)
            except RuntimeError:  # no source file that could tell whether the code is still the same, as in a zip file
                _warn_once("kernels without a source file are compiled in each process")
            finally:
                numba.config.CACHE_DIR = saved
    return dispatcher


class _InTheFolder(FunctionCache._impl_class._locator_classes[0]):
    """numba's way to CACHE_DIR, except that a folder which is filled need not be writable."""

    def ensure_cache_path(self):
        with suppress(OSError):
            os.makedirs(self.get_cache_path(), mode=0o700, exist_ok=True)


class _Place(CalleesFirst):
    _locator_classes = [_InTheFolder]  # noqa: RUF012 - and nowhere else: numba would go on to folders nobody checked


class _ForgivingCache(FunctionCache):
    """numba's cache, except that a damaged file or a full disk means compiling, never an exception."""

    _impl_class = _Place

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # pickle raises nearly anything on damaged bytes
            self._forget()
            return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception as error:
            self._forget()
            reason = getattr(error, "strerror", None) or error  # without the file, or each would be another warning
            folder = os.path.dirname(self.cache_path)
            _warn_once(f"compiled kernels cannot be kept in {folder} ({reason}): they are compiled in each process")

    def _forget(self):
        """Empty the index, so that the next save does not read the damaged one."""
        try:
            self.flush()
        except OSError:
            self.disable()


@functools.cache
def _warn_once(message):
    warnings.warn(f"nnlite: {message}", RuntimeWarning, stacklevel=3)


@functools.cache
def cache_folder():
    """Return the folder of this source's compiled kernels, made if missing, or None (and one warning) if none can be.

    NUMBA_CACHE_DIR if set, else the user's cache folder, is its parent. The newest few of its siblings are kept. One
    that cannot be written, as in an image, is used if it is filled; one that others can write is not used.

    Returns
    -------
    pathlib.Path or None
    """
    parent = pathlib.Path(os.environ["NUMBA_CACHE_DIR"]) if os.environ.get("NUMBA_CACHE_DIR") else user_cache()
    if parent is None:
        _warn_once("no folder for compiled kernels (no home folder): they are compiled in each process")
        return None
    parent = pathlib.Path(os.path.realpath(parent))  # whoever leads a link elsewhere later leads nobody astray
    folder = parent / f"nnlite-{_digest()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if danger := who_else_writes(folder):
            remedy = "they are compiled in each process; name a folder of your own with NUMBA_CACHE_DIR"
            _warn_once(f"compiled kernels in {folder} may be somebody else's ({danger}): {remedy}")
            return None
        try:
            tempfile.TemporaryFile(dir=folder).close()
            os.utime(folder)  # the newest are kept by their time of use
            _sweep(parent)
        except OSError:
            if not any(folder.rglob("*.nbi")):
                raise
    except OSError as error:
        reason = f"{folder}: {error.strerror}"  # not the temporary file that the error names
        _warn_once(f"no writable folder for compiled kernels ({reason}): they are compiled in each process")
        return None
    return folder


def _digest():
    """A name for all that decides what a compiled kernel does: every source in kernels/ and the four versions."""
    digest = hashlib.sha256()
    root = pathlib.Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    llvmlite = sys.modules["llvmlite"].__version__
    digest.update(f"{sys.version} {np.__version__} {numba.__version__} {llvmlite}".encode())
    return digest.hexdigest()[:16]


def _sweep(parent):
    """Remove all but the user's newest folders of compiled kernels; another process may do the same at once."""
    try:
        own = getattr(os, "geteuid", lambda: 0)()  # Windows knows no number of a user and says 0 of every file
        found = [(path, path.lstat()) for path in parent.glob("nnlite-" + "[0-9a-f]" * 16)]
    except OSError:
        return
    folders = [(status.st_mtime, path) for path, status in found if status.st_uid == own]
    for _, old in sorted(folders, reverse=True)[_FOLDERS_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)  # which leaves symbolic links alone

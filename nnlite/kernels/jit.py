"""The one decorator of every kernel, and the compile cache behind it.

`kernel` is numba's njit without the GIL (threads train several runs over one copy of the data), with NumPy's division
(no exception inside a kernel) and with a cache of compiled code. No fastmath: a kernel rounds as it is written.

numba's own cache does not see a change in another file, dies without a writable folder and raises out of the kernel
call when a cache file is damaged or the disk is full. So the folder is named by a digest of all sources in kernels/ and
the versions of Python, NumPy, numba and llvmlite, and a damaged or unwritable cache only costs a compilation.

With NUMBA_DISABLE_JIT=1 every kernel runs as the plain Python it is written in.
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

import numpy as np

from ..files import user_cache

try:
    import numba
    from numba.core.caching import FunctionCache
except ImportError as error:
    # numba refuses a NumPy newer than it knows; its own message does not say what to install.
    raise ImportError(
        f"numba cannot be imported with NumPy {np.__version__}: {error}; "
        'try: python -m pip install -U numba "numpy>=2.0"'
    ) from error

_FOLDERS_KEPT = 3  # an upgrade and a downgrade keep their compiled code; older folders go
_lock = threading.RLock()


def kernel(function):
    """Compile a function over arrays and scalars into a kernel that holds no GIL and is cached on disk.

    Parameters
    ----------
    function : callable
        Plain loops; inputs, outputs, then the tally. It calls other kernels only as module globals: a kernel that
        closes over another is compiled again in every process.

    Returns
    -------
    callable
        numba's dispatcher; the function itself where NUMBA_DISABLE_JIT is set.
    """
    if numba.config.DISABLE_JIT:
        return _without_warnings(function)
    dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
    with _lock:  # numba reads the folder from its configuration when a cache is made
        folder = cache_folder()
        if folder is not None:
            saved, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
            try:
                dispatcher._cache = _ForgivingCache(function)
            finally:
                numba.config.CACHE_DIR = saved
    return dispatcher


def plain(kernel):
    """Return the plain Python form of a kernel, which also runs on numbers that count their own operations."""
    return getattr(kernel, "py_func", kernel)


def _without_warnings(function):
    """Compiled code overflows in silence, NumPy's scalars warn: make the plain form behave as the compiled one does."""

    @functools.wraps(function)
    def silent(*args):
        with np.errstate(all="ignore"):
            return function(*args)

    silent.py_func = function
    return silent


class _ForgivingCache(FunctionCache):
    """numba's cache, except that a damaged file or a full disk means compiling, never an exception."""

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
            _warn_once(
                f"compiled kernels cannot be kept in {self.cache_path} ({error}): they are compiled in each process"
            )

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

    NUMBA_CACHE_DIR if set, else the user's cache folder, is its parent. The newest few of its siblings are kept.

    Returns
    -------
    pathlib.Path or None
    """
    parent = pathlib.Path(os.environ["NUMBA_CACHE_DIR"]) if os.environ.get("NUMBA_CACHE_DIR") else user_cache()
    if parent is None:
        _warn_once("no folder for compiled kernels (no home folder): they are compiled in each process")
        return None
    folder = parent / f"nnlite-{_digest()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(folder)  # the newest are kept by their time of use
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        _warn_once(f"no writable folder for compiled kernels ({error}): they are compiled in each process")
        return None
    _sweep(parent)
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
    """Remove all but the newest folders of compiled kernels; another process may do the same at once."""
    try:
        folders = sorted(parent.glob("nnlite-" + "[0-9a-f]" * 16), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return
    for old in folders[_FOLDERS_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)

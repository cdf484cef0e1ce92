"""The one decorator of every kernel: compiled by numba, or the plain Python that it is written in.

`kernel` is numba's njit without the GIL (threads train several runs over one copy of the data), with NumPy's division
(no exception inside a kernel), with a `dispatcher` of our own and a `cache` of compiled code. No fastmath: a kernel
rounds as it is written.

With NUMBA_DISABLE_JIT=1, and where numba cannot be imported, every kernel runs as Python; there a first one says so.
"""

from __future__ import annotations

import functools
import warnings

import numpy as np

try:
    import numba

    from . import dispatcher
    from .cache import compiling
except (ImportError, OSError) as error:  # OSError: llvmlite without its library
    # numba refuses a NumPy newer than it knows; its own message does not say what to install.
    WITHOUT_NUMBA = f'numba cannot be imported ({error}); try: python -m pip install -U numba "numpy>=2.0"'
    COMPILES = False
else:
    WITHOUT_NUMBA = ""
    COMPILES = not numba.config.DISABLE_JIT


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
        numba's dispatcher; the function itself where nothing compiles.
    """
    return compiling(function) if COMPILES else _as_python(function)


def n_ready():
    """Return how many kernels, one for each signature, have been compiled or loaded in this process."""
    return dispatcher.n_ready() if COMPILES else 0


def plain(kernel):
    """Return the plain Python form of a kernel, which also runs on numbers that count their own operations."""
    return getattr(kernel, "py_func", kernel)


def _as_python(function):
    """Compiled code overflows in silence, NumPy's scalars warn: make the plain form behave as the compiled one does."""

    @functools.wraps(function)
    def silent(*args):
        if WITHOUT_NUMBA:
            _say_so()
        with np.errstate(all="ignore"):
            return function(*args)

    silent.py_func = function
    return silent


@functools.cache
def _say_so():
    problem = f"kernels run as plain Python, thousands of times slower: {WITHOUT_NUMBA}"
    warnings.warn_explicit(problem, RuntimeWarning, "nnlite", 0)  # one line, without that of a source file

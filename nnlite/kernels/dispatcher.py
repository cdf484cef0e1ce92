"""How a kernel is compiled: once, however many other kernels call it, and no harder than pays.

numba links the code of a function into all that call it, where it is optimised and emitted again, level after level:
half of the time that a first start took. A `Kernel` calls another by the name of its symbol instead: the engine, which
holds all code of the process, finds it there. LLVM works at level 1, not 3: kernels that name their SIMD operations
themselves gain nothing from the rest. Neither changes what a kernel computes, and a function that is no kernel is
compiled as its author configured it, with the code of the kernels that it calls.

The engine ends the process when a symbol is missing. So a kernel comes out of the compile cache only after those that
it calls, and only if they have the names by which it calls them (`CalleesFirst`). Where numba's insides are not as
known here, kernels are linked as numba does it.
"""

from __future__ import annotations

import gc

import llvmlite.binding as llvm
import numba
from numba.core.caching import CompileResultCacheImpl
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext
from numba.core.registry import CPUDispatcher

OPTIONS = {
    "nopython": True,
    "nogil": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,  # for callers in C, of which there are none
    "_nrt": False,  # no counting of references: a kernel allocates nothing, and its caller holds the arrays
}
"""How numba compiles kernels and all that is compiled into them."""

_LEVEL = 1  # of LLVM's optimisation
_BY_SYMBOL = hasattr(CPUContext, "remove_user_function") and hasattr(CPUCodeLibrary, "_get_module_for_linking")

_kernels: dict[tuple[str, str], Kernel] = {}  # every Kernel, by the module and the name of its function
_compiled: dict[str, tuple[Kernel, CompileResult]] = {}  # by symbol; kept for good, since others hold its address
_depth = 0  # kernels that are being compiled, each for the one before; only touched under numba's lock


class Kernel(CPUDispatcher):
    """numba's dispatcher of a function that calls, and is called by, others of its kind.

    Parameters
    ----------
    function : callable
    """

    def __init__(self, function):
        super().__init__(function, targetoptions=dict(OPTIONS))
        _kernels[function.__module__, function.__qualname__] = self

    def __reduce__(self):
        return self.__qualname__  # pickled by name, as functions are

    def compile(self, sig):
        """Compile for a signature or load from the cache: for a call from Python, or from a kernel being compiled."""
        global _depth
        with global_compiler_lock:
            level, collects = numba.config.OPT, gc.isenabled()
            numba.config.OPT = type(level)(min(level, _LEVEL))
            gc.disable()  # it would look a thousand times at numba's half a million objects: an eighth of the time
            _depth += 1
            try:
                return super().compile(sig)
            finally:
                _depth -= 1
                numba.config.OPT = level
                if collects:
                    gc.enable()

    def add_overload(self, cres):
        """Take what has been compiled or loaded, and give callers its symbol in place of its code."""
        super().add_overload(cres)
        # A function within another may be one of many with the same name.
        if _BY_SYMBOL and "<locals>" not in cres.fndesc.qualname:
            cres.target_context.remove_user_function(cres.entry_point)
            cres.target_context.insert_user_function(cres.entry_point, cres.fndesc, [_Symbol(cres.library)])
            _compiled[cres.fndesc.mangled_name] = self, cres


def n_ready():
    """Return how many kernels, one for each signature, have been compiled or loaded in this process."""
    return sum(len(kernel.overloads) for kernel in tuple(_kernels.values()))


class _Symbol:
    """A kernel's library as its callers see it: a kernel has nothing to link."""

    def __init__(self, library):
        self._library = library

    def __getattr__(self, name):
        return getattr(self._library, name)

    def _get_module_for_linking(self):
        if _depth:
            return llvm.parse_assembly("")
        # The caller is no kernel. It may be cached by itself, so it needs the code of all that it leads to.
        module = self._library._get_module_for_linking().clone()
        for symbol in _called(self._library):
            module.link_in(_Symbol(_compiled[symbol][1].library)._get_module_for_linking())
        return module


def _called(library):
    """The symbols of the kernels that a library calls."""
    functions = library._get_module_for_linking().functions
    return [function.name for function in functions if function.is_declaration and function.name in _compiled]


class CalleesFirst(CompileResultCacheImpl):
    """What the compile cache keeps of a kernel: numba's result, and which kernels it calls by which symbol."""

    def reduce(self, cres):
        """Return what is kept."""
        callees = []
        for symbol in _called(cres.library) if _BY_SYMBOL else ():
            kernel, its = _compiled[symbol]
            callees.append(((kernel.__module__, kernel.__qualname__), its.signature, symbol))
        return callees, super().reduce(cres)

    def rebuild(self, target_context, payload):
        """Return a kernel as it was kept, its callees loaded or compiled first; None if they are no longer the same."""
        callees, payload = payload
        for name, signature, symbol in callees:
            if name not in _kernels:
                return None
            _kernels[name].compile(signature.args)
            if symbol not in _compiled or _compiled[symbol][1].signature != signature:
                return None
        return super().rebuild(target_context, payload)

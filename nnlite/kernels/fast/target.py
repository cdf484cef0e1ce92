"""The processor that numba compiles for: the one thing about it that the fast kernels ask.

It is the processor at hand, or the one that NUMBA_CPU_NAME and NUMBA_CPU_FEATURES name.
"""

from __future__ import annotations

import functools

from llvmlite import binding
from numba.core.registry import cpu_target

_FUSED = """
declare float @llvm.fma.f32(float, float, float)
define float @one(float %a, float %b, float %c) {
  %total = call float @llvm.fma.f32(float %a, float %b, float %c)
  ret float %total
}
"""


@functools.cache
def has_fma() -> bool:
    """Return whether the processor has a fused multiply-add, as nearly all have since 2013.

    LLVM is asked what it makes of one: a list of features is empty where a processor's name implies them, and their
    names differ from one architecture to the next.
    """
    triple, name, features = cpu_target.target_context.codegen().magic_tuple()
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=name, features=features, codemodel="default")
    return "fmaf" not in machine.emit_assembly(binding.parse_assembly(_FUSED))  # the C library's, in software

"""The vector operations: compiled, they do lane by lane what their plain form does, with the instructions they name."""

from __future__ import annotations

import re
from collections import Counter

import numba
import numpy as np
import pytest
from llvmlite import binding
from numba.core.registry import cpu_target

from nnlite.kernels.fast import matmul
from nnlite.kernels.fast.simd import (
    add,
    at,
    bit_count,
    div,
    fma,
    fnma,
    load,
    lowest_bit,
    maximum,
    mul,
    put,
    splat,
    sqrt,
    store,
    where_positive,
)
from nnlite.kernels.fast.target import has_fma
from nnlite.kernels.jit import kernel, plain

pytestmark = pytest.mark.kernels

LANES = 16


@kernel
def every_operation(a, b, out):
    """Writes one vector for each operation, in the order of the list in the test."""
    x, y, s = load(a, 1, LANES), load(b, 0, LANES), at(b, 2)  # offset 1: no alignment is promised
    store(out, 0, fma(x, y, y))
    store(out, 16, fma(x, s, y))
    store(out, 32, fnma(x, y, y))
    store(out, 48, add(x, y))
    store(out, 64, mul(x, s))
    store(out, 80, div(x, y))
    store(out, 96, sqrt(mul(x, x)))
    store(out, 112, maximum(x, y))
    store(out, 128, where_positive(x, y))
    store(out, 144, splat(s, LANES))
    put(out, 160, at(a, 3))


@kernel
def bits_of(mask, out):
    samples, i = at(mask, 0), 1
    put(out, 0, bit_count(samples))
    while samples != np.uint64(0):
        put(out, i, lowest_bit(samples))
        samples &= samples - np.uint64(1)
        i += 1


def operands():
    rng = np.random.default_rng(0)
    return rng.standard_normal(20).astype(np.float32), rng.standard_normal(16).astype(np.float32)


def test_every_operation_is_the_lane_by_lane_one():
    a, b = operands()
    out = np.zeros(161, np.float32)
    every_operation(a, b, out)
    x, y, s = a[1:17].astype(np.float64), b.astype(np.float64), np.float64(b[2])
    expected = [x + y * y, x + s * y, x - y * y, x + y, x * s, x / y, np.abs(x), np.maximum(x, y)]
    expected += [np.where(x > 0, y, 0), np.full(16, s), [a[3]]]
    np.testing.assert_allclose(out, np.concatenate(expected), rtol=1e-6, atol=1e-6)


def test_compiled_and_plain_agree_to_the_bit_where_no_fma_rounds_once():
    a, b = operands()
    out, out_plain = np.zeros(161, np.float32), np.zeros(161, np.float32)
    every_operation(a, b, out)
    plain(every_operation)(a, b, out_plain)
    n_fused = 48 if has_fma() else 0
    np.testing.assert_array_equal(out[n_fused:], out_plain[n_fused:])
    np.testing.assert_allclose(out[:n_fused], out_plain[:n_fused], rtol=1e-6, atol=1e-6)


def test_maximum_lets_nan_pass_as_second_operand_and_where_positive_stops_it():
    @kernel
    def tests_of(a, b, out):
        store(out, 0, maximum(load(a, 0, LANES), load(b, 0, LANES)))
        store(out, 16, where_positive(load(b, 0, LANES), load(a, 0, LANES)))

    b = np.full(16, np.nan, np.float32)
    out = np.zeros(32, np.float32)
    tests_of(np.ones(16, np.float32), b, out)
    assert np.isnan(out[:16]).all()  # 1 > nan is false, so nan
    assert (out[16:] == 0).all()  # nan > 0 is false, so zero


def test_lowest_bit_walks_through_a_mask():
    out = np.zeros(8, np.int64)
    bits_of(np.array([2**63 + 2**40 + 2**5 + 1], np.uint64), out)
    assert out.tolist() == [4, 0, 5, 40, 63, 0, 0, 0]


_INSTRUCTIONS = {
    "x86_64": re.compile(r"^\tv?(fn?madd\w*|mul|add)ps\s.*%([xyz])mm", re.MULTILINE),
    "aarch64": re.compile(r"^\tf(mla|mul|add)(?:\.4s\s|\s+v\d+\.(4)s)", re.MULTILINE),
}
"""What multiplies and adds whole vectors of float32: its kind, and what tells its lanes."""
_LANES = {"x": 4, "y": 8, "z": 16}


def lanes_of(assembly, architecture):
    """Count the lanes of fused multiply-adds, multiplications and additions that stand in a kernel."""
    lanes = Counter()
    for kind, width in _INSTRUCTIONS[architecture].findall(assembly):
        lanes[kind if kind in ("mul", "add") else "fma"] += _LANES.get(width, 4)
    return lanes


def numba_target():
    """The triple of the processor that numba compiles for."""
    return cpu_target.target_context.codegen().magic_tuple()[0]


def for_numba(kernel):
    (assembly,) = kernel.inspect_asm().values()
    return assembly


def for_arm(kernel):
    """What LLVM makes of the same kernel for a 64-bit Arm."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    try:
        machine = binding.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(codemodel="default")
    except RuntimeError:
        pytest.skip("this llvmlite has no aarch64")
    ((_, overload),) = kernel.overloads.items()
    (source,) = kernel.inspect_llvm().values()
    module = binding.parse_assembly(re.sub(r"(?m)^target (triple|datalayout) = .*$", "", source))
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    for function in module.functions:
        if not function.is_declaration and function.name != overload.fndesc.llvm_func_name:
            function.linkage = "available_externally"  # numba's own, already for the processor at hand: left out
    return machine.emit_assembly(module)


@pytest.fixture(scope="module")
def compiled_product():
    fresh = numba.njit(error_model="numpy")(plain(matmul.matmul_forward))  # code from a cache has no assembly
    rows = np.zeros(8 * 16, np.float32)
    fresh(rows, 16, np.zeros(17 * 16, np.float32), 8, 16, 16, rows.copy(), np.zeros((2, 9), np.int64))
    return fresh


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="needs compiled kernels")
@pytest.mark.parametrize("assemble", [for_numba, for_arm])
def test_the_compiled_tile_is_made_of_the_fma_that_the_source_names(compiled_product, assemble):
    assembly = assemble(compiled_product)
    assert "fmaf" not in assembly  # the C library's, one lane a call
    architecture = "aarch64" if assemble is for_arm else numba_target().split("-")[0].replace("arm64", "aarch64")
    if architecture not in _INSTRUCTIONS:
        pytest.skip(f"cannot read the assembly of {architecture}")
    lanes = lanes_of(assembly, architecture)
    # A tile of 6 rows by 16 lanes: 12 x 8 or 6 x 16 or 24 x 4 of them, and a tile of one row has 16 more.
    if has_fma():
        assert lanes["fma"] >= 6 * 16 + 16
        assert lanes["mul"] == lanes["add"] == 0  # nothing is left to be fused
    else:
        assert lanes["mul"] == lanes["add"] >= 6 * 16 + 16
        assert lanes["fma"] == 0

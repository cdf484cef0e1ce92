"""The vector operations: compiled, they do lane by lane what their plain form does, with the instructions they name."""

from __future__ import annotations

import platform
import re

import numba
import numpy as np
import pytest

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
    np.testing.assert_array_equal(out[48:], out_plain[48:])
    np.testing.assert_allclose(out[:48], out_plain[:48], rtol=1e-6, atol=1e-6)


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


def _can_read_assembly():
    from llvmlite import binding

    if numba.config.DISABLE_JIT or platform.machine() not in ("x86_64", "AMD64"):
        return False
    features = binding.get_host_cpu_features()
    return bool(features.get("fma")) and bool(features.get("avx2"))


@pytest.mark.skipif(not _can_read_assembly(), reason="needs compiled kernels on an x86 with AVX2 and fma")
def test_the_compiled_tile_is_made_of_the_fma_that_the_source_names():
    fresh = numba.njit(error_model="numpy")(plain(matmul.matmul_forward))  # code from a cache has no assembly
    rows = np.zeros(8 * 16, np.float32)
    fresh(rows, 16, np.zeros(17 * 16, np.float32), 8, 16, 16, rows.copy(), np.zeros((2, 9), np.int64))
    (assembly,) = fresh.inspect_asm().values()
    fused = re.findall(r"\tvfmadd\w+ps\s.*ymm", assembly)
    # a tile of 6 rows by 16 lanes: 6 * 16 / 8 = 12 ymm registers of sums, and a row's tile has 2
    assert len(fused) >= 12 + 2
    assert not re.findall(r"\tv(mul|add)ps\s", assembly)  # nothing is left to be fused

"""What one core can do at most, measured: float32 multiply-adds in registers, and a copy through memory.

The yardstick of the kernel table. A multiply-add is two operations. Accumulators are independent, so the latency of
one is hidden by the others: 12 of 8 lanes fill AVX2's registers, 12 of 16 lanes AVX-512's; the faster of the two is
the peak.
"""

from __future__ import annotations

import time

import numba
import numpy as np

from nnlite.kernels.fast.simd import fma, load, store

_CHAINS = 12
_LOOPS = 2_000_000


@numba.njit
def _multiply_adds_8(n, array):
    factor = load(array, 0, 8)
    a = b = c = d = e = f = g = h = i = j = k = m = load(array, 8, 8)
    for _ in range(n):
        a, b, c, d = fma(a, factor, a), fma(b, factor, b), fma(c, factor, c), fma(d, factor, d)
        e, f, g, h = fma(e, factor, e), fma(f, factor, f), fma(g, factor, g), fma(h, factor, h)
        i, j, k, m = fma(i, factor, i), fma(j, factor, j), fma(k, factor, k), fma(m, factor, m)
    for p, v in enumerate((a, b, c, d, e, f, g, h, i, j, k, m)):
        store(array, 16 + 8 * p, v)


@numba.njit
def _multiply_adds_16(n, array):
    factor = load(array, 0, 16)
    a = b = c = d = e = f = g = h = i = j = k = m = load(array, 16, 16)
    for _ in range(n):
        a, b, c, d = fma(a, factor, a), fma(b, factor, b), fma(c, factor, c), fma(d, factor, d)
        e, f, g, h = fma(e, factor, e), fma(f, factor, f), fma(g, factor, g), fma(h, factor, h)
        i, j, k, m = fma(i, factor, i), fma(j, factor, j), fma(k, factor, k), fma(m, factor, m)
    for p, v in enumerate((a, b, c, d, e, f, g, h, i, j, k, m)):
        store(array, 32 + 16 * p, v)


def fma_peak(repeats: int = 50) -> float:
    """Measure the most float32 operations a second, in GFLOP/s, over both widths."""
    best = 0.0
    for kernel, lanes in ((_multiply_adds_8, 8), (_multiply_adds_16, 16)):
        array = np.zeros(lanes * (_CHAINS + 2), np.float32)  # zeros stay zeros: no infinities, no denormals
        kernel(1, array)
        for _ in range(repeats):
            start = time.perf_counter()
            kernel(_LOOPS, array)
            best = max(best, 2 * lanes * _CHAINS * _LOOPS / (time.perf_counter() - start))
    return best / 1e9


def memory_bandwidth(repeats: int = 7) -> float:
    """Measure bytes read and written a second by a copy far larger than the caches, in GB/s."""
    source, target = np.ones(16_000_000, np.float32), np.empty(16_000_000, np.float32)
    best = 0.0
    for _ in range(repeats):
        start = time.perf_counter()
        np.copyto(target, source)
        best = max(best, 2 * source.nbytes / (time.perf_counter() - start))
    return best / 1e9

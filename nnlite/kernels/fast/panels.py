"""How the fast path lays out a layer's parameters, and the way there and back.

A layer is one block of (n_in + 1) * width floats: its weight and, as one more row, its bias. `width` is n_out padded
with zero lanes. The block is cut by outputs into panels, [panel][row][lane], so that a product reads a panel from end
to end with its sums in registers. Panels have 16 lanes (two of AVX2's registers, for tiles of 6 samples by 16 lanes),
but 64 in a first layer on rows of nonzero pixels, whose last panel may have 32 or 16. Padding is zero and stays zero:
its gradient is zero, and every update of zero by zero with a zero state is zero.

    width 80, PANEL 64:     rows 0 .. n_in of lanes 0-63, then rows 0 .. n_in of lanes 64-79
"""

from __future__ import annotations

import numpy as np

from .simd import inlined

LANES = 16  # the lanes of a panel in a dense layer, and the unit of every width
PANEL = 64  # the lanes of a panel in a first layer on rows: eight registers of sums, eight for all else


def width_of(n_out, panel=LANES):
    """Return n_out padded to whole panels.

    Parameters
    ----------
    n_out : int
    panel : int - LANES or PANEL

    Returns
    -------
    int
        A multiple of LANES; with PANEL, a last panel of 48 becomes one of 64, which costs less than 32 and 16.

    Examples
    --------
    >>> [width_of(n_out) for n_out in (1, 16, 17, 100)], [width_of(n_out, PANEL) for n_out in (10, 32, 72, 100)]
    ([16, 16, 32, 112], [16, 32, 80, 128])
    """
    width = -(-n_out // LANES) * LANES
    return width + LANES if panel == PANEL and width % PANEL == PANEL - LANES else width


@inlined
def lanes_at(h, width):
    """The lanes of the panel that begins at lane h of a first layer on rows."""
    return min(PANEL, width - h)


def aligned_zeros(size, dtype=np.float32):
    """Return zeros that begin at a cache line, so that no aligned load crosses one.

    Parameters
    ----------
    size : int
    dtype : NumPy dtype

    Returns
    -------
    array (size,)
    """
    line = 64
    raw = np.zeros(size * np.dtype(dtype).itemsize + line, np.uint8)
    first = -raw.ctypes.data % line
    return raw[first : first + size * np.dtype(dtype).itemsize].view(dtype)


def pack(weight, bias, panel, block):
    """Write a layer's arrays into its block of panels.

    Parameters
    ----------
    weight : float32 array (n_in, n_out)
    bias : float32 array (n_out,)
    panel : int - LANES or PANEL
    block : float32 array ((n_in + 1) * width_of(n_out, panel),) - overwritten, padding with zero
    """
    n_in, n_out = weight.shape
    padded = np.zeros((n_in + 1, width_of(n_out, panel)), np.float32)
    padded[:n_in, :n_out] = weight
    padded[n_in, :n_out] = bias
    for h in range(0, padded.shape[1], panel):
        block[h * (n_in + 1) :][: padded[:, h : h + panel].size] = padded[:, h : h + panel].ravel()


def unpack(block, panel, weight, bias):
    """Read a layer's arrays back from its block of panels.

    Parameters
    ----------
    block : float32 array ((n_in + 1) * width_of(n_out, panel),)
    panel : int - LANES or PANEL
    weight : float32 array (n_in, n_out) - overwritten
    bias : float32 array (n_out,) - overwritten
    """
    n_in, n_out = weight.shape
    width = width_of(n_out, panel)
    for h in range(0, n_out, panel):
        lanes, real = min(panel, width - h), min(panel, n_out - h)
        rows = block[h * (n_in + 1) :][: (n_in + 1) * lanes].reshape(n_in + 1, lanes)
        weight[:, h : h + real] = rows[:n_in, :real]
        bias[h : h + real] = rows[n_in, :real]

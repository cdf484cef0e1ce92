"""Compiled loops over preallocated arrays, each counting its own floating-point operations.

Legend of the letters in every kernel (they are also the axes of the shapes):

    n      samples in this call (a batch, or a chunk of an evaluation)
    p      pixels of an image: the inputs of the first layer
    n_in   inputs of a layer         n_out   its outputs
    c      classes: the outputs of the last layer
    x      (n, n_in)      inputs of a layer
    weight (n_in, n_out)  bias (n_out,)
    z      (n, n_out)     x weight + bias, before the activation
    h      (n, n_out)     the activation of z, the next layer's x
    logits (n, c)         z of the last layer
    labels (n,)           int64 class of each sample
    grad_a the gradient of the loss with respect to a, in a's shape
    tally  (2, n_kinds)   int64, see `ops`; always the last argument

Inputs come first, then outputs, then the tally. A kernel allocates nothing, raises nothing and prints nothing: shapes,
dtypes and order are the caller's to check. Everything outside `fast/` is the reading path: one form of each operation,
plain loops that skip nothing. This module imports no numba.
"""

from __future__ import annotations

import os


def fast_kernels() -> bool:
    """Return whether the fast kernels are wanted: unless the environment says NNLITE_KERNELS=plain.

    Raises
    ------
    ValueError
        NNLITE_KERNELS is neither fast nor plain.
    """
    choice = os.environ.get("NNLITE_KERNELS", "fast")
    if choice not in ("fast", "plain"):
        raise ValueError(f"NNLITE_KERNELS={choice}: must be fast or plain")
    return choice == "fast"

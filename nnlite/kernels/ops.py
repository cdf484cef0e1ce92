"""The operation kinds and their slots in a kernel's tally.

A kernel's last argument is `tally`, an int64 array (2, N_KINDS): row DENSE holds the closed form of the mathematical
operation, row EXECUTED what this kernel ran. The slots are module constants, so that compiled kernels fold them into
plain stores. What a kind costs is decided in `nnlite.flops`, never here.
"""

from __future__ import annotations

KINDS = ("add", "mul", "fma", "div", "cmp", "exp", "log", "sqrt", "tanh")
"""Names of the kinds in slot order. A subtraction is an add; a test of relu, a maximum or argmax is a cmp."""

N_KINDS = len(KINDS)

ADD, MUL, FMA, DIV, CMP, EXP, LOG, SQRT, TANH = range(N_KINDS)

DENSE, EXECUTED = 0, 1
"""Rows of a tally: the closed form of the shapes, and what ran."""

ACTIVATIONS = {
    "relu": ({"cmp": 1}, {"cmp": 1}),  # max(z, 0); h > 0
    "tanh": ({"tanh": 1}, {"fma": 1, "mul": 1}),  # grad_h (1 - h h)
    "sigmoid": ({"add": 2, "exp": 1, "div": 1}, {"add": 1, "mul": 2}),  # 1 / (1 + exp(-z)); grad_h h (1 - h)
    "leaky_relu": ({"mul": 1, "cmp": 1}, {"cmp": 1, "mul": 1}),  # max(z, 0.01 z); grad_h times 1 or 0.01
}
"""The activations of a hidden layer: dense operations of one unit of one image, of the function and its derivative.

Whatever runs or counts an activation is made from this table, or from one of kernels with the same names and order in
`activation` and in `fast.activation`.
"""

KERNELS = (
    "matmul_forward",
    "matmul_grad_weight",
    "matmul_grad_x",
    *(f"{name}_{direction}" for name in ACTIVATIONS for direction in ("forward", "backward")),
    "softmax_cross_entropy_forward",
    "softmax_cross_entropy_backward",
    "softmax",
    "sgd_update",
    "momentum_update",
    "adam_coefficients",
    "adam_update",
    "argmax",
    "correct_count",
    "scale_pixels",
    "nonzero_pixels",
    "class_sums",
    "divide_sums",
    "squared_distances",
    "nearest",
    "euclidean_norms",
    "stretch_inplace",
    "pixel_moments",
    "scale_and_shift_inplace",
    "nearest_mean_layer",
)
"""Names under which operations are counted; a price may depend on the name, so a reader refuses any other."""

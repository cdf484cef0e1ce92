"""Softmax cross-entropy forward and backward in one pass over padded rows, and the number of right answers.

The plain forms are `nnlite.kernels.loss` and `argmax` with `correct_count` in `nnlite.kernels.reduce`. Labels are taken
through `order`, the rows of the batch, so that no batch of labels is copied. Padding lanes stay zero.
"""

from __future__ import annotations

import numpy as np

from ..jit import kernel
from ..ops import ADD, CMP, DENSE, DIV, EXECUTED, EXP, LOG
from .panels import LANES
from .simd import at, div, inlined, load, put, store


@kernel
def softmax_cross_entropy(logits, labels, order, c, width, forward_tally, tally):
    """Replace the logits by the gradient of their mean cross-entropy; return the mean.

    p[i, j] = exp(logits[i, j] - max) / sum, loss = mean over i of log(sum) - (logits[i, label] - max)
    grad_logits[i, j] = (p[i, j] - [j = label]) / n

    Parameters
    ----------
    logits : float32 array (at least n * width,) - overwritten with their gradient
    labels : int64 array - of all rows
    order : int64 array (n,) - the rows of the batch
    c, width : int
    forward_tally, tally : int64 array (2, n_kinds) - of softmax_cross_entropy_forward and _backward, added to

    Returns
    -------
    float32

    FLOPs
    -----
    forward: n (c - 1) cmp, n (2 c + 2) add, n c exp, n log, and div: dense n c + 1, executed n width + 1
    backward: n add, and div: dense n c, executed n width
    """
    n = order.shape[0]
    loss = np.float32(0)
    for s in range(n):
        first = s * width
        label = at(labels, at(order, s))
        top = at(logits, first)
        for j in range(first + 1, first + c):
            if at(logits, j) > top:
                top = at(logits, j)
        for j in range(first, first + c):
            put(logits, j, at(logits, j) - top)
        at_label = at(logits, first + label)
        total = np.float32(0)
        for j in range(first, first + c):
            power = np.exp(at(logits, j))
            put(logits, j, power)
            total += power
        for j in range(first, first + width, LANES):
            store(logits, j, div(load(logits, j, LANES), total))
        put(logits, first + label, at(logits, first + label) - np.float32(1))
        for j in range(first, first + width, LANES):
            store(logits, j, div(load(logits, j, LANES), np.float32(n)))
        loss += np.log(total) - at_label
    loss /= np.float32(n)
    for row, lanes in ((DENSE, c), (EXECUTED, width)):
        forward_tally[row, CMP] += n * (c - 1)
        forward_tally[row, ADD] += n * (2 * c + 2)
        forward_tally[row, EXP] += n * c
        forward_tally[row, LOG] += n
        forward_tally[row, DIV] += n * lanes + 1
        tally[row, ADD] += n
        tally[row, DIV] += n * lanes
    return loss


@inlined
def _is_right(logits, first, c, label):
    """Whether the largest of c logits, the first of equals, is the label's."""
    best, top = 0, at(logits, first)
    for j in range(1, c):
        if at(logits, first + j) > top:
            best, top = j, at(logits, first + j)
    return best == label


@kernel
def count_correct(logits, labels, order, c, width, tally):
    """Count the rows whose largest logit, the first of equals, is their label's.

    Parameters
    ----------
    logits : float32 array (at least n * width,)
    labels : int64 array - of all rows
    order : int64 array (n,) - the rows of this chunk
    c, width : int
    tally : int64 array (2, n_kinds) - of argmax, added to

    Returns
    -------
    int

    FLOPs
    -----
    dense and executed: n (c - 1) cmp
    """
    correct = 0
    for s in range(order.shape[0]):
        if _is_right(logits, s * width, c, at(labels, at(order, s))):
            correct += 1
    for row in (DENSE, EXECUTED):
        tally[row, CMP] += order.shape[0] * (c - 1)
    return correct


@kernel
def split_answers(logits, labels, order, c, width, missed, n_missed, right, n_right, tally):
    """Append each row of a chunk to the missed rows or to those whose largest logit is their label's.

    Parameters
    ----------
    logits, labels, order, c, width, tally : as for `count_correct`
    missed : int64 array - written from n_missed; may begin where order's own array does, since it never overtakes it
    right : int64 array - written from n_right
    n_missed, n_right : int

    Returns
    -------
    int
        n_missed after the chunk.

    FLOPs
    -----
    dense and executed: n (c - 1) cmp
    """
    for s in range(order.shape[0]):
        row = at(order, s)
        if _is_right(logits, s * width, c, at(labels, row)):
            put(right, n_right, row)
            n_right += 1
        else:
            put(missed, n_missed, row)
            n_missed += 1
    for row in (DENSE, EXECUTED):
        tally[row, CMP] += order.shape[0] * (c - 1)
    return n_missed

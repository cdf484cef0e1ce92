"""Softmax alone, to predict; with cross-entropy as one operation, to learn: together they have a short gradient.

The legend of letters is in `nnlite.kernels`. Source: Bishop, *Pattern Recognition and Machine Learning* (2006),
equations 4.104, 4.108 and 4.109.
"""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .ops import ADD, CMP, DENSE, DIV, EXECUTED, EXP, LOG


@kernel
def softmax(logits, probabilities, tally):
    """Compute the class probabilities.

    probabilities[i, j] = exp(logits[i, j] - m) / s with m = max over j of logits[i, j], s = sum over j of
    exp(logits[i, j] - m)

    Parameters
    ----------
    logits : float array (n, c)
    probabilities : float array (n, c) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense and executed: n (c - 1) cmp, 2 n c add, n c exp, n c div
    """
    n, c = logits.shape
    for i in range(n):
        maximum = logits[i, 0]
        for j in range(1, c):
            if logits[i, j] > maximum:
                maximum = logits[i, j]
        total = probabilities.dtype.type(0)
        for j in range(c):
            probabilities[i, j] = np.exp(logits[i, j] - maximum)
            total += probabilities[i, j]
        for j in range(c):
            probabilities[i, j] /= total
    for row in (DENSE, EXECUTED):
        tally[row, CMP] += n * (c - 1)
        tally[row, ADD] += 2 * n * c
        tally[row, EXP] += n * c
        tally[row, DIV] += n * c


@kernel
def softmax_cross_entropy_forward(logits, labels, probabilities, loss, tally):
    """Compute the class probabilities and their mean cross-entropy with the labels.

    probabilities[i, j] = exp(logits[i, j] - m) / s with m = max over j of logits[i, j], s = sum over j of
    exp(logits[i, j] - m) loss[0] = mean over i of log(s) - (logits[i, labels[i]] - m)

    Parameters
    ----------
    logits : float array (n, c)
    labels : int64 array (n,) - in 0..c-1
    probabilities : float array (n, c) - overwritten
    loss : float array (1,) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense and executed: n (c - 1) cmp, n (2 c + 2) add, n c exp, n log, n c + 1 div

    Notes
    -----
    Without the maximum subtracted, exp overflows float32 at logits above 88. The loss is written with log(s), not
    with the logarithm of a probability, which may have rounded to zero. Accumulates in the arrays' dtype.
    """
    n, c = logits.shape
    loss[0] = 0
    for i in range(n):
        maximum = logits[i, 0]
        for j in range(1, c):
            if logits[i, j] > maximum:
                maximum = logits[i, j]
        for j in range(c):
            probabilities[i, j] = logits[i, j] - maximum
        at_label = probabilities[i, labels[i]]
        total = loss.dtype.type(0)
        for j in range(c):
            probabilities[i, j] = np.exp(probabilities[i, j])
            total += probabilities[i, j]
        for j in range(c):
            probabilities[i, j] /= total
        loss[0] += np.log(total) - at_label
    loss[0] /= loss.dtype.type(n)
    for row in (DENSE, EXECUTED):
        tally[row, CMP] += n * (c - 1)
        tally[row, ADD] += n * (2 * c + 2)
        tally[row, EXP] += n * c
        tally[row, LOG] += n
        tally[row, DIV] += n * c + 1


@kernel
def softmax_cross_entropy_backward(probabilities, labels, grad_logits, tally):
    """Differentiate the mean cross-entropy of the softmax with respect to the logits.

    loss = mean over i of log(sum over j of exp(logits[i, j])) - logits[i, labels[i]], so
    grad_logits[i, j] = (probabilities[i, j] - [j = labels[i]]) / n

    Parameters
    ----------
    probabilities : float array (n, c) - the softmax of the logits, from the forward kernel
    labels : int64 array (n,) - in 0..c-1
    grad_logits : float array (n, c) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense and executed: n add (one class in each row is the label's) and n c div
    """
    n, c = probabilities.shape
    one = grad_logits.dtype.type(1)
    count = grad_logits.dtype.type(n)
    for i in range(n):
        for j in range(c):
            if j == labels[i]:
                grad_logits[i, j] = (probabilities[i, j] - one) / count
            else:
                grad_logits[i, j] = probabilities[i, j] / count
    for row in (DENSE, EXECUTED):
        tally[row, ADD] += n
        tally[row, DIV] += n * c

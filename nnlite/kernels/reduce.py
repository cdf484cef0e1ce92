"""Reductions: the sum and mean image of each class, the most probable class of each sample, the number right.

The legend of letters is in `nnlite.kernels`.
"""

from __future__ import annotations

from .jit import kernel
from .ops import ADD, CMP, DENSE, DIV, EXECUTED


@kernel
def class_sums(images, labels, sums, tally):
    """Add each image to the sum of its class.

    sums[labels[i], k] += images[i, k]

    Parameters
    ----------
    images : float array (n, p)
    labels : int64 array (n,) - in 0..c-1
    sums : float64 array (c, p) - added to, so that a large set can come in chunks
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense and executed: n p add
    """
    n, p = images.shape
    for i in range(n):
        label = labels[i]
        for k in range(p):
            sums[label, k] += images[i, k]
    tally[DENSE, ADD] += n * p
    tally[EXECUTED, ADD] += n * p


@kernel
def divide_sums(sums, counts, means, tally):
    """Divide each class's sum by its number of images.

    means[j, k] = sums[j, k] / counts[j], rounded to the dtype of means

    Parameters
    ----------
    sums : float64 array (c, p)
    counts : int64 array (c,) - all above 0
    means : float array (c, p) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense and executed: c p div
    """
    c, p = sums.shape
    for j in range(c):
        for k in range(p):
            means[j, k] = sums[j, k] / counts[j]
    tally[DENSE, DIV] += c * p
    tally[EXECUTED, DIV] += c * p


@kernel
def argmax(logits, predictions, tally):
    """Find the class with the largest logit, the first of equals.

    predictions[i] = the smallest j with logits[i, j] = max over j of logits[i, j]

    Parameters
    ----------
    logits : float array (n, c)
    predictions : int64 array (n,) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense and executed: n (c - 1) cmp
    """
    n, c = logits.shape
    for i in range(n):
        best = 0
        for j in range(1, c):
            if logits[i, j] > logits[i, best]:
                best = j
        predictions[i] = best
    tally[DENSE, CMP] += n * (c - 1)
    tally[EXECUTED, CMP] += n * (c - 1)


@kernel
def correct_count(predictions, labels, correct, tally):
    """Count the predictions that equal their labels.

    correct[0] = number of i with predictions[i] = labels[i]

    Parameters
    ----------
    predictions, labels : int64 array (n,)
    correct : int64 array (1,) - overwritten
    tally : int64 array (2, n_kinds) - unchanged

    FLOPs
    -----
    none: comparing and counting integers is free by convention
    """
    correct[0] = 0
    for i in range(predictions.shape[0]):
        if predictions[i] == labels[i]:
            correct[0] += 1

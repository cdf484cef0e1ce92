"""Distances, norms and spreads of images, and the nearest class mean written as a layer.

What the control sets are made with, see `nnlite.experiment.control_images`. Every sum is in float64 and is rounded
once, to the dtype of its output. The legend of letters is in `nnlite.kernels`; here c is the number of centres.
"""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .ops import ADD, CMP, DENSE, DIV, EXECUTED, FMA, MUL, SQRT


@kernel
def squared_distances(images, centers, distances, tally):
    """Compute the squared Euclidean distance of every image from every centre.

    distances[i, j] = sum over k of (images[i, k] - centers[j, k])^2

    Parameters
    ----------
    images : float array (n, p)
    centers : float array (c, p)
    distances : float64 array (n, c) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n c p add (the differences) and fma; executed: 2 n c p add, n c p mul
    """
    n, p = images.shape
    c = centers.shape[0]
    for i in range(n):
        for j in range(c):
            total = np.float64(0)
            for k in range(p):
                difference = images[i, k] - centers[j, k]
                total += difference * difference
            distances[i, j] = total
    terms = n * c * p
    tally[DENSE, ADD] += terms
    tally[DENSE, FMA] += terms
    tally[EXECUTED, ADD] += 2 * terms
    tally[EXECUTED, MUL] += terms


@kernel
def nearest(distances, index, tally):
    """Find the centre at the smallest distance, the first of equals.

    index[i] = the smallest j with distances[i, j] = min over j of distances[i, j]

    Parameters
    ----------
    distances : float64 array (n, c)
    index : int64 array (n,) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense and executed: n (c - 1) cmp
    """
    n, c = distances.shape
    for i in range(n):
        best = 0
        for j in range(1, c):
            if distances[i, j] < distances[i, best]:
                best = j
        index[i] = best
    tally[DENSE, CMP] += n * (c - 1)
    tally[EXECUTED, CMP] += n * (c - 1)


@kernel
def euclidean_norms(images, norms, tally):
    """Compute the Euclidean norm of every image.

    norms[i] = sqrt(sum over k of images[i, k]^2)

    Parameters
    ----------
    images : float array (n, p)
    norms : float array (n,) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n p fma, n sqrt; executed: n p mul and add, n sqrt
    """
    n, p = images.shape
    for i in range(n):
        total = np.float64(0)
        for k in range(p):
            total += images[i, k] * images[i, k]
        norms[i] = np.sqrt(total)
    tally[DENSE, FMA] += n * p
    tally[DENSE, SQRT] += n
    tally[EXECUTED, MUL] += n * p
    tally[EXECUTED, ADD] += n * p
    tally[EXECUTED, SQRT] += n


@kernel
def stretch_inplace(images, norms, wanted, tally):
    """Scale every image from the norm it has to the norm it shall have.

    images[i, k] *= wanted[i] / norms[i]

    Parameters
    ----------
    images : float array (n, p) - updated in place
    norms : float array (n,) - of the images, all above 0
    wanted : float array (n,)
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense and executed: n div, n p mul
    """
    n, p = images.shape
    for i in range(n):
        factor = wanted[i] / norms[i]
        for k in range(p):
            images[i, k] *= factor
    tally[DENSE, DIV] += n
    tally[DENSE, MUL] += n * p
    tally[EXECUTED, DIV] += n
    tally[EXECUTED, MUL] += n * p


@kernel
def pixel_moments(images, means, deviations, tally):
    """Compute the mean and the standard deviation over the pixels of every image.

    means[i] = sum over k of images[i, k] / p
    deviations[i] = sqrt(sum over k of (images[i, k] - means[i])^2 / p)

    Parameters
    ----------
    images : float array (n, p)
    means, deviations : float64 array (n,) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: 2 n p add, n p fma, 2 n div, n sqrt; executed: 3 n p add, n p mul, 2 n div, n sqrt

    Notes
    -----
    In two passes: the difference of two large sums, as the mean of the squares less the square of the mean has it,
    would lose digits and can come out negative.
    """
    n, p = images.shape
    for i in range(n):
        total = np.float64(0)
        for k in range(p):
            total += images[i, k]
        mean = total / p
        spread = np.float64(0)
        for k in range(p):
            difference = images[i, k] - mean
            spread += difference * difference
        means[i] = mean
        deviations[i] = np.sqrt(spread / p)
    for row in (DENSE, EXECUTED):
        tally[row, ADD] += 2 * n * p
        tally[row, DIV] += 2 * n
        tally[row, SQRT] += n
    tally[DENSE, FMA] += n * p
    tally[EXECUTED, MUL] += n * p
    tally[EXECUTED, ADD] += n * p


@kernel
def scale_and_shift_inplace(images, means, deviations, tally):
    """Turn standard normal draws into draws of the wanted mean and deviation, image by image.

    images[i, k] = means[i] + deviations[i] images[i, k]

    Parameters
    ----------
    images : float array (n, p) - overwritten
    means, deviations : float64 array (n,)
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: n p fma; executed: n p mul and add
    """
    n, p = images.shape
    for i in range(n):
        for k in range(p):
            images[i, k] = means[i] + deviations[i] * images[i, k]
    tally[DENSE, FMA] += n * p
    tally[EXECUTED, MUL] += n * p
    tally[EXECUTED, ADD] += n * p


@kernel
def nearest_mean_layer(means, scale, weight, bias, tally):
    """Write "which class mean is nearest?" as the weight and bias of a layer.

    weight[k, j] = scale means[j, k]
    bias[j] = scale (max over i of s[i] - s[j]), s[j] = sum over k of means[j, k]^2 / 2

    Parameters
    ----------
    means : float array (c, p)
    scale : float64
    weight : float array (p, c) - overwritten
    bias : float64 array (c,) - overwritten
    tally : int64 array (2, n_kinds) - added to

    FLOPs
    -----
    dense: c p fma, c p + c mul, c add, c div, c - 1 cmp; executed: 2 c p + c mul, c p + c add, c div, c - 1 cmp
    """
    c, p = means.shape
    for j in range(c):
        total = np.float64(0)
        for k in range(p):
            total += means[j, k] * means[j, k]
            weight[k, j] = scale * means[j, k]
        bias[j] = total / 2
    largest = bias[0]
    for j in range(1, c):
        if bias[j] > largest:
            largest = bias[j]
    for j in range(c):
        bias[j] = scale * (largest - bias[j])
    for row in (DENSE, EXECUTED):
        tally[row, MUL] += c * p + c
        tally[row, ADD] += c
        tally[row, CMP] += c - 1
        tally[row, DIV] += c
    tally[DENSE, FMA] += c * p
    tally[EXECUTED, MUL] += c * p
    tally[EXECUTED, ADD] += c * p

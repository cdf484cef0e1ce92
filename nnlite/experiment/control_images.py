"""Labelled images -> the control sets that stand against the class means.

Is it the averages that help, or would any cheap image do? Each function makes one set of images to pretrain on instead
(the last one a layer that needs no training) and books every operation of it in phase `data`, averaging included. To
draw numbers and to copy, choose and order images is free by convention. This module knows arrays and the tally, no
files, no networks, no experiment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import class_labels, real_array
from ..flops import Tally
from ..kernels import distance, reduce
from ..prototypes import class_means, counts_per_class

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_CHUNK = 4096  # images gathered at a time, so that a large set never exists twice


def medoids(images: Floats, labels: npt.NDArray[Any], n_classes: int, tally: Tally) -> Ints:
    """Find the image of each class that is nearest to its class mean, the first of equals.

    Parameters
    ----------
    images : float32 array (n_samples, n_features)
    labels : integer array (n_samples,) - in 0..n_classes-1
    n_classes : int
    tally : Tally - is added the class means, n_samples n_features add and fma (the distance of each image from its own
        class's mean) and n_samples - n_classes cmp

    Returns
    -------
    int64 array (n_classes,) - numbers of images

    Raises
    ------
    ValueError
        Images not float32, labels out of range or not one an image; as EmptyClassError, a class without images.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.float32([[0, 0], [3, 0], [9, 0], [1, 1]])  # the mean of class 0 is (4, 0)
    >>> medoids(images, np.array([0, 0, 0, 1]), 2, Tally())
    array([1, 3])
    """
    labels, _ = _checked(images, labels, n_classes)
    means = class_means(images, labels, n_classes, tally)
    found = np.empty(n_classes, np.int64)
    with tally.phase("data"):
        for j in range(n_classes):
            members = np.flatnonzero(labels == j)
            distances = np.empty((len(members), 1))
            for part, chunk in _chunks(images, members):
                distance.squared_distances(chunk, means[j : j + 1], distances[part], tally.kernel("squared_distances"))
            # The images of the class are the centres to choose from, seen from its mean.
            index = np.empty(1, np.int64)
            distance.nearest(distances.reshape(1, -1), index, tally.kernel("nearest"))
            found[j] = members[index[0]]
    return found


def k_means(
    images: Floats, labels: npt.NDArray[Any], n_classes: int, k: int, n_rounds: int, tally: Tally
) -> tuple[Floats, Ints]:
    """Part each class into k groups by Lloyd's algorithm and average the images of each group.

    Parameters
    ----------
    images, labels, n_classes : as for `medoids`
    k : int - centres a class; they start at the first k images of the class
    n_rounds : int - in each, every image goes to its nearest centre, then every centre to the mean of its images; one
        that has lost all its images stays where it is
    tally : Tally - is added in each round k n_samples n_features add and fma, (k - 1) n_samples cmp, n_samples
        n_features add, and n_features div for each centre that has images

    Returns
    -------
    (float32 array (n_classes k, n_features), int64 array (n_classes k,)) - centres and their classes: centre 0 of
        every class, then centre 1 of every class ..., so that a batch of n_classes holds every class

    Raises
    ------
    ValueError
        As `medoids`; a class of fewer than k images; k or n_rounds below 1.

    Source
    ------
    Lloyd, *Least squares quantization in PCM* (1982), method I.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.float32([[0], [8], [2], [6], [1], [5]])
    >>> centers, classes = k_means(images, np.array([0, 0, 0, 0, 1, 1]), 2, 2, 10, Tally())
    >>> centers.ravel(), classes
    (array([1., 1., 7., 5.], dtype=float32), array([0, 1, 0, 1]))
    """
    labels, counts = _checked(images, labels, n_classes)
    if min(k, n_rounds) < 1:
        raise ValueError(f"k {k}, n_rounds {n_rounds}: both must be 1 or more")
    if counts.min() < k:
        raise ValueError(f"class {counts.argmin()} has {counts.min()} images: too few for {k} centres")
    centers = np.empty((k, n_classes, images.shape[1]), np.float32)
    with tally.phase("data"):
        for j in range(n_classes):
            members = np.flatnonzero(labels == j)
            own = np.ascontiguousarray(images[members[:k]])
            for _ in range(n_rounds):
                _lloyd_round(images, members, own, tally)
            centers[:, j] = own
    return centers.reshape(k * n_classes, -1), np.tile(np.arange(n_classes), k)


def stretched_means(images: Floats, labels: npt.NDArray[Any], n_classes: int, tally: Tally) -> Floats:
    """Average the images of each class and stretch the mean to the norm that the images have on average.

    An average is blurred and so shorter than what it averages: this undoes the difference in length alone.

    Parameters
    ----------
    images, labels, n_classes : as for `medoids`
    tally : Tally - is added the class means, n_features fma and a sqrt for each of n_samples + n_classes norms,
        n_samples add and n_classes div (their averages), n_classes div and n_classes n_features mul (the stretching)

    Returns
    -------
    float32 array (n_classes, n_features)

    Raises
    ------
    ValueError
        As `medoids`; a class whose mean has norm 0, which no factor stretches.

    Examples
    --------
    >>> import numpy as np
    >>> stretched_means(np.float32([[2, 0], [0, 2], [3, 4]]), np.array([0, 0, 1]), 2, Tally()).round(4)
    array([[1.4142, 1.4142],
           [3.    , 4.    ]], dtype=float32)
    """
    labels, _ = _checked(images, labels, n_classes)
    means = class_means(images, labels, n_classes, tally)
    lengths, norms = np.empty(len(images), np.float32), np.empty(n_classes, np.float32)
    with tally.phase("data"):
        for part, chunk in _chunks(images, np.arange(len(images))):
            distance.euclidean_norms(chunk, lengths[part], tally.kernel("euclidean_norms"))
        distance.euclidean_norms(means, norms, tally.kernel("euclidean_norms"))
        if not norms.all():
            raise ValueError(f"class {norms.argmin()}: its mean image has norm 0, there is nothing to stretch")
        wanted = class_means(lengths[:, np.newaxis], labels, n_classes, tally)  # lengths as images of one pixel
        distance.stretch_inplace(means, norms, wanted.ravel(), tally.kernel("stretch_inplace"))
    return means


def matched_noise(means: npt.ArrayLike, rng: np.random.Generator, tally: Tally) -> Floats:
    """Draw one image of Gaussian noise a class, with the mean and variance over the pixels of that class's mean image.

    Parameters
    ----------
    means : float array (n_classes, n_features) - what they cost `class_means` books
    rng : Generator
    tally : Tally - is added 2 add and 2 fma a pixel (mean, variance, scale and shift), 2 div and a sqrt a class

    Returns
    -------
    float32 array (n_classes, n_features) - negative pixels included: to cut them off would change both moments

    Examples
    --------
    >>> import numpy as np
    >>> matched_noise([[0.5, 0.5], [0.25, 0.25]], np.random.default_rng(0), Tally())  # no variance, no noise
    array([[0.5 , 0.5 ],
           [0.25, 0.25]], dtype=float32)
    """
    means = _checked_means(means)
    noise = rng.standard_normal(means.shape, np.float32)
    averages, deviations = np.empty(len(means)), np.empty(len(means))
    with tally.phase("data"):
        distance.pixel_moments(means, averages, deviations, tally.kernel("pixel_moments"))
        distance.scale_and_shift_inplace(noise, averages, deviations, tally.kernel("scale_and_shift_inplace"))
    return noise


def pixel_moments(images: npt.NDArray[Any], tally: Tally) -> tuple[float, float]:
    """Return mean and standard deviation of all pixels of all images together.

    Parameters
    ----------
    images : array (n_samples, n_features) - of any number type
    tally : Tally - is added 2 add and 1 fma a pixel, 2 div and a sqrt

    Examples
    --------
    >>> import numpy as np
    >>> pixel_moments(np.uint8([[0, 2], [4, 2]]), Tally())  # squares of the differences: 4, 0, 4, 0
    (2.0, 1.4142135623730951)
    """
    mean, deviation = np.empty(1), np.empty(1)
    with tally.phase("data"):
        pixels = np.ascontiguousarray(images).reshape(1, -1)
        distance.pixel_moments(pixels, mean, deviation, tally.kernel("pixel_moments"))
    return float(mean[0]), float(deviation[0])


def global_mean(images: Floats, n_classes: int, tally: Tally) -> Floats:
    """Average all images whatever their class, and return that one image n_classes times.

    Parameters
    ----------
    images, n_classes : as for `medoids`
    tally : Tally - is added n_samples n_features add and n_features div

    Returns
    -------
    float32 array (n_classes, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> global_mean(np.float32([[0, 1], [1, 4]]), 2, Tally())
    array([[0.5, 2.5],
           [0.5, 2.5]], dtype=float32)
    """
    labels, _ = _checked(images, np.zeros(len(images), np.int64), 1)
    return np.repeat(class_means(images, labels, 1, tally), n_classes, axis=0)


def nearest_mean_start(means: npt.ArrayLike, n_hidden: int, scale: float, tally: Tally) -> tuple[Floats, Floats]:
    """Write the nearest class mean in closed form, as the first hidden units of a relu network.

    z_j = scale (m_j.x - |m_j|^2 / 2 + max over i of |m_i|^2 / 2), largest for the mean m_j that is nearest to x, since
    |x - m_j|^2 = |x|^2 - 2 (m_j.x - |m_j|^2 / 2). No pixel is negative, so no z_j is, and relu lets all pass.

    Parameters
    ----------
    means : float array (n_classes, n_features) - what they cost `class_means` books
    n_hidden : int - units of the layer, of which the first n_classes are written
    scale : float - above 0; decides how sharp a softmax over the z_j is
    tally : Tally - is added n_classes times n_features fma, n_features + 1 mul, an add and a div; n_classes - 1 cmp

    Returns
    -------
    (float32 array (n_features, n_classes), float32 array (n_classes,)) - columns of the weight, start of the bias

    Raises
    ------
    ValueError
        Fewer hidden units than classes; a scale that is not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> nearest_mean_start([[2, 0], [0, 4]], 3, 1.0, Tally())  # halves of squared norms: 2 and 8
    (array([[2., 0.],
           [0., 4.]], dtype=float32), array([6., 0.], dtype=float32))
    """
    means = _checked_means(means)
    n_classes, n_features = means.shape
    if n_hidden < n_classes:
        raise ValueError(f"{n_hidden} hidden units: the nearest of {n_classes} class means needs one a class")
    if not 0 < scale < np.inf:
        raise ValueError(f"scale {scale}: must be above 0 and finite")
    weight, bias = np.empty((n_features, n_classes), np.float32), np.empty(n_classes)
    with tally.phase("data"):
        distance.nearest_mean_layer(means, np.float64(scale), weight, bias, tally.kernel("nearest_mean_layer"))
    return weight, bias.astype(np.float32)


def _lloyd_round(images: Floats, members: Ints, centers: Floats, tally: Tally) -> None:
    """Give the images of one class to their nearest centres, then move the centres, in place."""
    sums, counts = np.zeros(centers.shape), np.zeros(len(centers), np.int64)
    for _, chunk in _chunks(images, members):
        distances, index = np.empty((len(chunk), len(centers))), np.empty(len(chunk), np.int64)
        distance.squared_distances(chunk, centers, distances, tally.kernel("squared_distances"))
        distance.nearest(distances, index, tally.kernel("nearest"))
        reduce.class_sums(chunk, index, sums, tally.kernel("class_sums"))
        counts += np.bincount(index, minlength=len(centers))
    kept = np.flatnonzero(counts)
    moved = np.empty((len(kept), centers.shape[1]), np.float32)
    reduce.divide_sums(sums[kept], counts[kept], moved, tally.kernel("divide_sums"))
    centers[kept] = moved


def _chunks(images: Floats, numbers: Ints) -> Iterator[tuple[slice, Floats]]:
    """Yield the images of these numbers, a chunk at a time, each with its place among the numbers."""
    for start in range(0, len(numbers), _CHUNK):
        part = slice(start, start + _CHUNK)
        yield part, np.ascontiguousarray(images[numbers[part]])


def _checked(images: Floats, labels: npt.NDArray[Any], n_classes: int) -> tuple[Ints, Ints]:
    """Return the labels as the kernels want them and the number of images of each class."""
    images = real_array("images", images)
    if images.ndim != 2 or len(images) == 0 or images.dtype != np.float32:
        expected = "float32 (n_samples, n_features), at least one sample"
        raise ValueError(f"images: expected {expected}, found {images.dtype} {images.shape}")
    labels = class_labels("labels", labels, len(images), n_classes)
    return labels, counts_per_class(labels, n_classes)


def _checked_means(means: npt.ArrayLike) -> Floats:
    """Return a float32 copy of one image a class."""
    copy = np.array(means, np.float32, order="C")
    if copy.ndim != 2 or copy.size == 0:
        raise ValueError(f"expected means (n_classes, n_features), found {copy.shape}")
    return copy

"""Normalisation of channels, or of groups of them: ``(x - mean) / sqrt(variance + epsilon)``.

:mod:`speedmetal.arrays.kernels.moments` has the moments. Affine weights are followers of what is
stored.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, own_index
from speedmetal.arrays.kernels.moments import WIDTH, add_up_strip


@sm.kernel
def scale(target: Any, source: Any, found: Any, axis: sm.static[int]) -> None:
    """Each element, normalised by what was found for its channel.

    Args:
        target: Of three axes; the grid are its elements.
        source: The same shape.
        found: ``(3, outer, channels)``: the means, the variances, and what distances are multiplied
            by.
        axis: Of the channels.
    """
    index = own_index(target)
    mean, factor = found[0, index[0], index[axis]], found[2, index[0], index[axis]]
    target[index] = convert((source[index] - mean) * factor, source.dtype, target.dtype)


@sm.kernel
def scale_strips(target: Any, source: Any, found: Any, vectors: Any, length: int) -> None:
    """The same of ``(outer, inner, channels)``: a threadgroup takes ``length`` rows of a strip.

    Threadgroups are those of :func:`speedmetal.arrays.kernels.moments.moments_of_strips`.
    """
    lane = sm.thread_index_in_threadgroup()
    strip, part, outer = sm.threadgroup_position_in_grid()
    left = strip * (WIDTH * vectors) + lane
    mean = sm.thread_array(vectors, source.dtype)
    factor = sm.thread_array(vectors, source.dtype)
    for v in sm.static_range(vectors):
        mean[v] = found[0, outer, left + WIDTH * v]
        factor[v] = found[2, outer, left + WIDTH * v]
    first = part * length
    store_strip(
        target, source, mean, factor, outer, left, first, min(first + length, source.shape[1])
    )


def store_strip(
    target: Any, source: Any, mean: Any, factor: Any, outer: Any, left: Any, first: Any, last: Any
) -> None:
    """Normalise rows of a strip."""
    for at in range(first, last):
        for v in sm.static_range(mean.shape[0]):
            place = (outer, at, left + WIDTH * v)
            result = (source[place] - mean[v]) * factor[v]
            target[place] = convert(result, source.dtype, target.dtype)


@sm.kernel
def normalise_strips(
    target: Any, source: Any, vectors: Any, group: sm.static[int], epsilon: Any
) -> None:
    """A threadgroup normalises a strip of an element of the outer axis, whose groups are whole.

    It reads the strip from the memory, then from the cache. Strips are those of
    :func:`speedmetal.arrays.kernels.moments.moments_of_strips`, and threadgroups count them along
    x, and the outer axis along y.
    """
    lane = sm.thread_index_in_threadgroup()
    strip, outer, _ = sm.threadgroup_position_in_grid()
    left = strip * (WIDTH * vectors) + lane
    mean = sm.thread_array(vectors, source.dtype)
    square = sm.thread_array(vectors, source.dtype)
    add_up_strip(mean, square, source[outer], left, 0, source.shape[1])
    join_groups(mean, square, source.dtype(source.shape[1]), group, lane)
    for v in sm.static_range(vectors):
        square[v] = 1.0 / math.sqrt(square[v] + epsilon)
    store_strip(target, source, mean, square, outer, left, 0, source.shape[1])


def join_groups(mean: Any, square: Any, size: Any, group: Any, lane: Any) -> None:
    """Put a group's mean and variance where those of a channel of ``size`` elements were."""
    vectors, kind = mean.shape[0], mean.dtype
    means = sm.threadgroup_array(WIDTH * vectors, kind)
    squares = sm.threadgroup_array(WIDTH * vectors, kind)
    for v in sm.static_range(vectors):
        means[WIDTH * v + lane] = mean[v]
        squares[WIDTH * v + lane] = square[v]
    sm.threadgroup_barrier()
    channels = kind(group)
    for v in sm.static_range(vectors):
        first = (WIDTH * v + lane) // group * group
        total = kind(0.0)
        for member in range(first, first + group):
            total += means[member]
        middle = total / channels
        rest = kind(0.0)
        more = kind(0.0)
        for member in range(first, first + group):
            distance = means[member] - middle
            rest += distance
            more += squares[member] + size * distance * distance
        mean[v] = middle + rest / channels
        square[v] = (more - size * rest * rest / channels) / (size * channels)

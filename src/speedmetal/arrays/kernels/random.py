"""Random numbers into fresh memory: each thread has one block of Philox, four words of 32 bits.

The counter's first two words are the place in the stream, the third an attempt of a method that
rejects, the fourth how often the stream was jumped. Logarithms and cosines are this library's own,
so that results have the same bits on every target.
"""

from __future__ import annotations

from typing import Any

import speedmetal as sm
from speedmetal.intrinsics.bits import mulhi
from speedmetal.intrinsics.exact import sqrt
from speedmetal.intrinsics.library.exponential import exp
from speedmetal.intrinsics.library.logarithm import log, log1p, log_double
from speedmetal.intrinsics.library.philox import philox
from speedmetal.intrinsics.library.trigonometry import cospi, cospi_double, sinpi, sinpi_double

MOST_ATTEMPTS = 64
"""Attempts of a method that accepts three of four at least: fewer than 1 in 10**38 need more."""
BOOST = 0xFFFFFFFF
"""The attempt whose words make a gamma variate of a shape below 1."""
SECOND = 0x10000
"""The first attempt of the second variate of an element."""


def block(stream: Any, i: Any, attempt: Any) -> Any:
    """Four random words.

    Args:
        stream: The key and the place in its stream, as uint64, and the jumps, as a uint32.
        i: The thread.
        attempt: A whole number.
    """
    key, start, jumps = stream
    place = start + sm.uint64(i)
    low, high = sm.uint32(place & 0xFFFFFFFF), sm.uint32(place >> 32)
    keys = sm.uint32(key & 0xFFFFFFFF), sm.uint32(key >> 32)
    return philox((low, high, sm.uint32(attempt), jumps), keys)


@sm.kernel
def draw(out: Any, make: Any, stream: Any) -> None:
    """What ``make`` makes of each block's words, one after the other.

    Args:
        out: ``(elements,)``.
        make: A function of four words and the dtype, which gives a tuple of one, two or four.
        stream: See :func:`block`.
    """
    i = sm.thread_position_in_grid().x
    values = make(block(stream, i, 0), out.dtype)
    count = len(values)
    for k in sm.static_range(count):
        if i * count + k < out.size:
            out[i * count + k] = values[k]


# --- What is made of four words ------------------------------------------------------------------


def uniforms(words: Any, dtype: Any) -> Any:
    """Four numbers in [0, 1), or two of float64, all multiples of the epsilon below 1."""
    if dtype == sm.float64:
        return _unit_double(words[0], words[1]), _unit_double(words[2], words[3])
    if dtype == sm.float16:
        return tuple((sm.int32(word >> 21) * 2.0**-11).astype(dtype) for word in words)
    if dtype == sm.bfloat16:
        return tuple((sm.int32(word >> 24) * 2.0**-8).astype(dtype) for word in words)
    return tuple(_unit(word) for word in words)


def normals(words: Any, dtype: Any) -> Any:
    """Two pairs of normal variates, or one of float64, by Box and Muller's formula."""
    a, b, c, d = words
    if dtype == sm.float64:
        radius = sqrt(sm.float64(-2.0) * log_double(_positive_double(a, b)))
        angle = sm.float64(2.0) * _unit_double(c, d)
        return radius * cospi_double(angle), radius * sinpi_double(angle)
    pairs = (*normal_pair(a, b), *normal_pair(c, d))
    return tuple(z.astype(dtype) for z in pairs)


def exponentials(words: Any, dtype: Any) -> Any:
    """Four numbers ``-log(u)``, or two of float64."""
    a, b, c, d = words
    if dtype == sm.float64:
        return -log_double(_positive_double(a, b)), -log_double(_positive_double(c, d))
    return tuple((-log(_positive(word))).astype(dtype) for word in words)


def below_32_bits(words: Any, dtype: Any, low: Any, count: Any) -> Any:
    """Two whole numbers from ``low`` on, of ``count``, which is 2**32 at most.

    ``floor(x * count / 2**64)`` of 64 random bits ``x``: two of them differ in their probability by
    less than one part in 2**32.

    Args:
        words: Four uint32.
        dtype: Of the result.
        low: uint64, modulo 2**64.
        count: uint32; 0 stands for 2**32.
    """
    a, b, c, d = words
    first, second = _below(a, b, count), _below(c, d, count)
    return (low + sm.uint64(first)).astype(dtype), (low + sm.uint64(second)).astype(dtype)


def below_64_bits(words: Any, dtype: Any, low: Any, count: Any) -> Any:
    """A whole number from ``low`` on, of ``count``; 0 stands for 2**64.

    It is made of 128 bits, as those of :func:`below_32_bits` are of 64.
    """
    high, rest = _wide(words[0], words[1]), _wide(words[2], words[3])
    if count == 0:
        return ((low + high).astype(dtype),)
    part = mulhi(rest, count)
    total = high * count + part
    carry = sm.uint64(1) if total < part else sm.uint64(0)
    return ((low + mulhi(high, count) + carry).astype(dtype),)


def words_of_64_bits(words: Any, _dtype: Any) -> Any:
    """Two uint64 of random bits."""
    return _wide(words[0], words[1]), _wide(words[2], words[3])


def _below(high: Any, low: Any, count: Any) -> Any:
    """The share of 64 random bits as a uint32; no product has more than 32 bits on each side."""
    total = sm.uint64(high) * sm.uint64(count) + sm.uint64(mulhi(low, count))
    return high if count == 0 else sm.uint32(total >> 32)


def _wide(high: Any, low: Any) -> Any:
    return sm.uint64(high) << 32 | sm.uint64(low)


def _unit(word: Any) -> Any:
    """A float32 in [0, 1), the same as :func:`sm.random.uniform` makes."""
    return sm.float32(sm.int32(word >> 8)) * sm.float32(2.0**-24)


def _positive(word: Any) -> Any:
    """A float32 in (0, 1]."""
    return sm.float32(word | sm.uint32(1)) * sm.float32(2.0**-32)


def _unit_double(high: Any, low: Any) -> Any:
    return sm.float64(_wide(high, low) >> 11) * 2.0**-53


def _positive_double(high: Any, low: Any) -> Any:
    return sm.float64((_wide(high, low) >> 11) + sm.uint64(1)) * 2.0**-53


def normal_pair(first: Any, second: Any) -> Any:
    """Two normal variates of float32, of which the first is that of :func:`sm.random.normal`."""
    radius = sqrt(sm.float32(-2.0) * log(_positive(first)))
    angle = sm.float32(sm.int32(second >> 8)) * sm.float32(2.0**-23)
    return radius * cospi(angle), radius * sinpi(angle)


# --- Methods that reject -------------------------------------------------------------------------


@sm.kernel
def draw_gamma(out: Any, shape: Any, stream: Any) -> None:
    """Gamma variates of scale 1.

    Args:
        out: ``(elements,)`` of float32.
        shape: The same: a positive number for each.
        stream: See :func:`block`.
    """
    i = sm.thread_position_in_grid().x
    variate, boost = gamma(sm.float32(shape[i]), stream, i, 0)
    out[i] = variate * exp(boost)


@sm.kernel
def draw_beta(out: Any, a: Any, b: Any, stream: Any) -> None:
    """Beta variates: ``x / (x + y)`` of gamma variates, by their logarithms, which never vanish.

    Args:
        out: ``(elements,)`` of float32.
        a: The same: a positive number for each, the shape of x.
        b: The shape of y.
        stream: See :func:`block`.
    """
    i = sm.thread_position_in_grid().x
    x, x_boost = gamma(sm.float32(a[i]), stream, i, 0)
    y, y_boost = gamma(sm.float32(b[i]), stream, i, SECOND)
    difference = (log(y) + y_boost) - (log(x) + x_boost)
    out[i] = sm.float32(1.0) / (sm.float32(1.0) + exp(difference))


def gamma(shape: Any, stream: Any, i: Any, first: Any) -> Any:
    """A gamma variate as ``variate * exp(boost)``.

    G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables" (2000), section
    6 for shapes below 1.
    """
    is_small = shape < 1.0
    d = (shape + 1.0 if is_small else shape) - sm.float32(1.0 / 3.0)
    c = sm.float32(1.0) / sqrt(sm.float32(9.0) * d)
    variate = d
    for attempt in range(MOST_ATTEMPTS):
        words = block(stream, i, first + attempt)
        x, _ = normal_pair(words[0], words[1])
        root = sm.float32(1.0) + c * x
        v = root * root * root
        if v > 0.0:
            bound = sm.float32(0.5) * x * x + d * (sm.float32(1.0) - v + log(v))
            if log(_positive(words[2])) < bound:
                variate = d * v
                break
    boost = sm.float32(0.0)
    if is_small:
        words = block(stream, i, sm.uint32(BOOST) - sm.uint32(first))
        boost = log(_positive(words[0])) / shape
    return variate, boost


@sm.kernel
def draw_poisson(out: Any, mean: Any, stream: Any) -> None:
    """Poisson variates.

    Args:
        out: ``(elements,)`` of an integer type.
        mean: ``(elements,)`` of float32, from 0 to 10**6.
        stream: See :func:`block`.
    """
    i = sm.thread_position_in_grid().x
    own = sm.float32(mean[i])
    if own < 10.0:
        out[i] = small_poisson(own, stream, i)
    else:
        out[i] = large_poisson(own, stream, i)


def small_poisson(mean: Any, stream: Any, i: Any) -> Any:
    """How many numbers in (0, 1] have a product that is not below ``exp(-mean)``."""
    limit, product, count, is_done = exp(-mean), sm.float32(1.0), 0, False
    for attempt in range(MOST_ATTEMPTS):
        words = block(stream, i, attempt)
        for k in sm.static_range(4):
            if not is_done:
                product *= _positive(words[k])
                is_done = product < limit
                if not is_done:
                    count += 1
        if is_done:
            break
    return count


def large_poisson(mean: Any, stream: Any, i: Any) -> Any:
    """W. Hoermann, "The transformed rejection method for generating Poisson random variables"
    (1993), algorithm PTRS.
    """
    b = sm.float32(0.931) + sm.float32(2.53) * sqrt(mean)
    a = sm.float32(-0.059) + sm.float32(0.02483) * b
    scale = log(sm.float32(1.1239) + sm.float32(1.1328) / (b - sm.float32(3.4)))
    sure = sm.float32(0.9277) - sm.float32(3.6224) / (b - sm.float32(2.0))
    found = mean
    for attempt in range(MOST_ATTEMPTS):
        words = block(stream, i, attempt)
        u, v = _unit(words[0]) - sm.float32(0.5), _positive(words[1])
        us = sm.float32(0.5) - abs(u)
        k = sm.floor((sm.float32(2.0) * a / us + b) * u + mean + sm.float32(0.43))
        if us >= 0.07 and v <= sure:
            found = k
            break
        if k >= 0.0 and (us >= 0.013 or v <= us):
            left = log(v) + scale - log(a / (us * us) + b)
            if left <= log_poisson(k, mean):
                found = k
                break
    return sm.int64(found)


def log_poisson(k: Any, mean: Any) -> Any:
    """``k * log(mean) - mean - log(k!)``, with Stirling's series, in terms that are all small."""
    if k < 1.0:
        return -mean
    t = (mean - k) / k
    series = (sm.float32(1.0 / 12.0) - sm.float32(1.0 / 360.0) / (k * k)) / k
    return k * (log1p(t) - t) - sm.float32(0.5) * log(sm.float32(6.2831853) * k) - series


@sm.kernel
def draw_categorical(out: Any, logits: Any, stream: Any) -> None:
    """For each element a category, of a row of logits: the rows repeat.

    Args:
        out: ``(elements,)`` of an integer type.
        logits: ``(rows, categories)`` of float32.
        stream: See :func:`block`.
    """
    i = sm.thread_position_in_grid().x
    row, categories = i % logits.shape[0], logits.shape[1]
    greatest = sm.float32(logits[row, 0])
    for k in range(1, categories):
        greatest = max(greatest, sm.float32(logits[row, k]))
    total = sm.float32(0.0)
    for k in range(categories):
        total += exp(sm.float32(logits[row, k]) - greatest)
    wanted = _unit(block(stream, i, 0)[0]) * total
    found, reached = 0, sm.float32(0.0)
    for k in range(categories):
        share = exp(sm.float32(logits[row, k]) - greatest)
        if reached <= wanted and share > 0.0:
            found = k
        reached += share
    out[i] = found

"""Random numbers without state: ``sm.random``.

Philox 4x32-10 of J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers:
as easy as 1, 2, 3" (SC11): ten rounds of products and exclusive ors turn a counter of 128 bits and
a key of 64 bits into four 32-bit words. The same seed and counter give the same number on every
target and outside kernels, so a thread may use its index as the counter, and needs no memory.

All functions are written in the kernel language; they run on numbers and NumPy arrays, too.
"""

from __future__ import annotations

from typing import Any

from speedmetal.dtypes import float32, int32, int64, uint32, uint64
from speedmetal.intrinsics.bits import mulhi
from speedmetal.intrinsics.exact import sqrt
from speedmetal.intrinsics.library.logarithm import log
from speedmetal.intrinsics.library.trigonometry import cospi

__all__ = ["bits", "bits4", "normal", "uniform"]

# The paper's multipliers and increments of the key (sections 3.3 and 3.4).
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
INCREMENTS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)


def philox(counter: tuple[Any, Any, Any, Any], key: tuple[Any, Any]) -> tuple[Any, Any, Any, Any]:
    """Philox 4x32-10: four uint32 from a counter of four uint32 and a key of two.

    Sums and low halves of products are formed in uint64, so that nothing overflows where NumPy
    would warn; compilers see that 32 bits do.
    """
    a, b, c, d = counter
    for number in ROUNDS:
        first = mulhi(a, uint32(MULTIPLIERS[0]))
        second = mulhi(c, uint32(MULTIPLIERS[1]))
        first_low = uint32((uint64(a) * MULTIPLIERS[0]) & 0xFFFFFFFF)
        second_low = uint32((uint64(c) * MULTIPLIERS[1]) & 0xFFFFFFFF)
        key_0 = uint32((uint64(key[0]) + number * INCREMENTS[0]) & 0xFFFFFFFF)
        key_1 = uint32((uint64(key[1]) + number * INCREMENTS[1]) & 0xFFFFFFFF)
        a = second ^ b ^ key_0
        b = second_low
        c = first ^ d ^ key_1
        d = first_low
    return a, b, c, d


def _halves(number: Any) -> tuple[Any, Any]:
    """A whole number's low and high 32 bits."""
    wide = uint64(int64(number))
    return uint32(wide & 0xFFFFFFFF), uint32(wide >> 32)


def bits4(seed: Any, counter: Any) -> tuple[Any, Any, Any, Any]:
    """Four words of 32 random bits, of which the first is :func:`bits`.

    Args:
        seed: Whole number of up to 64 bits: which stream.
        counter: Whole number of up to 64 bits: which place in it.

    Returns:
        Four uint32.

    >>> tuple(hex(word) for word in bits4(0, 0))
    ('0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8')
    """
    low, high = _halves(counter)
    return philox((low, high, uint32(0), uint32(0)), _halves(seed))


def bits(seed: Any, counter: Any) -> Any:
    """32 random bits, as a uint32.

    Args:
        seed: Whole number of up to 64 bits: which stream.
        counter: Whole number of up to 64 bits: which place in it.

    >>> bits(0, 0)
    np.uint32(1713891541)
    """
    return bits4(seed, counter)[0]


def uniform(seed: Any, counter: Any) -> Any:
    """A float32 in [0, 1), one of the 2**24 multiples of 2**-24, all equally likely.

    Args:
        seed: Whole number of up to 64 bits: which stream.
        counter: Whole number of up to 64 bits: which place in it.

    >>> uniform(0, 0)
    np.float32(0.39904642)
    """
    return float32(int32(bits(seed, counter) >> 8)) * float32(5.960464477539063e-08)


def normal(seed: Any, counter: Any) -> Any:
    """A float32 of the normal distribution with mean 0 and variance 1; |it| is at most 6.66.

    The cosine of G. E. P. Box and M. E. Muller, "A note on the generation of random normal
    deviates" (1958): ``sqrt(-2 * log(u)) * cos(2 * pi * v)`` with u in [2**-32, 1] and v in [0, 1).
    It is formed by this library alone, and so has the same bits on every target.

    Args:
        seed: Whole number of up to 64 bits: which stream.
        counter: Whole number of up to 64 bits: which place in it.

    >>> normal(0, 0)
    np.float32(0.99113744)
    """
    first, second, _, _ = bits4(seed, counter)
    u = float32(first | uint32(1)) * float32(2.3283064365386963e-10)
    v = float32(int32(second >> 8)) * float32(1.1920928955078125e-07)
    return sqrt(float32(-2.0) * log(u)) * cospi(v)

"""Errors in units in the last place: what bounds of intrinsics are stated and tested in."""

from __future__ import annotations

from typing import Any

import numpy as np


def ulp_errors(result: Any, exact: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How far results are from exact values, in units in the last place of the results' type.

    The unit is the distance between neighbouring floats at the exact value; for subnormal values
    it is the least subnormal. An infinity in the place of a finite value counts as the power of two
    behind the greatest float, as if the type went on. Where one is NaN and the other is not, where
    only the exact value is infinite, and where zeros differ in sign, the error is infinite.

    Args:
        result: float32 or float64 array.
        exact: The same shape, in a wider type: float64 or longdouble.

    Returns:
        float64 errors, none of them negative or NaN.

    >>> ulp_errors(np.float32([1, 2, 0]), np.float64([1 + 2**-24, 2, -0.0]))
    array([0.5, 0. , inf])
    """
    results, wide = np.asarray(result), np.asarray(exact)
    limits = np.finfo(results.dtype)
    with np.errstate(all="ignore"):
        rounded = wide.astype(results.dtype)
        # frexp gives 0 the exponent of 1/2.
        known = np.where(wide == 0, limits.tiny, np.where(np.isfinite(wide), wide, 1.0))
        exponents = np.frexp(known)[1] - 1
        units = np.ldexp(wide.dtype.type(1), np.maximum(exponents, limits.minexp) - limits.nmant)
        behind = np.copysign(np.ldexp(wide.dtype.type(1), limits.maxexp), results)
        errors = np.abs(np.where(np.isinf(results), behind, results) - wide) / units
        errors = np.where((rounded == results) & np.isinf(results), 0.0, errors)
        strange = np.isnan(rounded) != np.isnan(results)
        strange |= np.isinf(wide) & (rounded != results)
        strange |= (rounded == 0) & (results == 0) & (np.signbit(rounded) != np.signbit(results))
        errors = np.where(np.isnan(rounded) & np.isnan(results), 0.0, errors)
        return np.where(strange, np.inf, errors).astype(np.float64)


def make_stratified_floats(dtype: Any, per_exponent: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Floats of both signs with every exponent, subnormals, infinities and NaN included.

    Args:
        dtype: float32 or float64.
        per_exponent: How many of each sign and exponent, at least 3: the first two of a binade
            and its last are among them.
        seed: Of the fractions, which are uniformly distributed.

    >>> len(make_stratified_floats(np.float32, 4))
    2048
    """
    limits = np.finfo(dtype)
    word = np.dtype(f"u{limits.dtype.itemsize}").type
    count = 1 << (limits.dtype.itemsize * 8 - 1 - limits.nmant)
    random = np.random.default_rng(seed)
    fractions = random.integers(0, 1 << limits.nmant, (count, per_exponent), dtype=word)
    fractions[:, :3] = [0, 1, (1 << limits.nmant) - 1]
    exponents = np.arange(count, dtype=word)[:, None] << word(limits.nmant)
    bits = (exponents | fractions).ravel()
    sign = word(1) << word(limits.dtype.itemsize * 8 - 1)
    return np.concatenate([bits, bits | sign]).view(limits.dtype)

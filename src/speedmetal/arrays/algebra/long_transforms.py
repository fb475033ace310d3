"""A single long Fourier transform on all cores, as two passes of many short ones.

The four-step algorithm of Gentleman and Sande (1966): ``n = rows * columns`` numbers are a matrix,
whose columns are transformed, then multiplied by roots of unity, then its rows; the result is the
transpose. Short transforms stay in a core's cache as well, where one of 2^20 does not.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np

from speedmetal.arrays.algebra.pocketfft import write_transform
from speedmetal.arrays.host_routines import in_parts
from speedmetal.arrays.memory.strided import HostArray

LEAST_LENGTH = 1 << 17
"""Below, two passes and their threads take longer than one transform."""
MOST_LENGTH = 1 << 22
"""Beyond, the roots would take much memory, which is kept: 32 MiB of complex64."""
PIECE_ROWS = 64
"""Rows that are multiplied, transformed and transposed together, into whole lines of the result."""


def rows_of(length: int) -> int:
    """Into how many rows a transform is cut; 0: it is not.

    >>> rows_of(1 << 20), rows_of(1000), rows_of(2 * 999983)
    (1024, 0, 0)
    """
    if not LEAST_LENGTH <= length <= MOST_LENGTH:
        return 0
    root = math.isqrt(length)
    return next((rows for rows in range(root, root // 4, -1) if length % rows == 0), 0)


def write_long(name: str, host: HostArray, rows: int, norm: str, out: HostArray) -> None:
    """Write a transform of complex numbers.

    Args:
        name: ``"fft"`` or ``"ifft"``.
        host: Complex numbers, of one axis.
        rows: Of :func:`rows_of`.
        norm: Who divides.
        out: Of the same shape and dtype, contiguous.
    """
    columns = host.size // rows
    matrix, result = host.reshape(rows, columns), out.reshape(columns, rows).T
    roots = _roots(rows, columns, name == "ifft", out.dtype)
    between = np.empty_like(roots)

    def transform_columns(part: slice) -> None:
        write_transform(name, matrix[:, part], rows, 0, norm, between[:, part])

    def transform_rows(part: slice) -> None:
        done = np.empty((PIECE_ROWS, columns), out.dtype)
        ends = [*range(part.start, part.stop, PIECE_ROWS), part.stop]
        for start, stop in pairwise(ends):
            piece = between[start:stop]
            piece *= roots[start:stop]
            write_transform(name, piece, columns, 1, norm, done[: stop - start])
            result[start:stop] = done[: stop - start]

    operations = 5 * host.size * rows.bit_length()
    in_parts(transform_columns, columns, operations)
    in_parts(transform_rows, rows, operations)


@lru_cache(maxsize=2)
def _roots(rows: int, columns: int, is_inverse: bool, dtype: np.dtype) -> HostArray:  # noqa: FBT001
    """``exp(-2j * pi * row * column / (rows * columns))``; of the inverse, its conjugate."""
    result = np.empty((rows, columns), dtype)
    turn = (2j if is_inverse else -2j) * np.pi / (rows * columns)
    width = math.isqrt(columns)
    starts, steps = np.arange(0, columns, width), np.arange(width)

    def work(part: slice) -> None:
        for row in range(part.start, part.stop):
            # Products of few exponentials, in double precision, instead of one for each root.
            found = np.outer(np.exp(turn * row * starts), np.exp(turn * row * steps))
            result[row] = found.reshape(-1)[:columns]

    in_parts(work, rows, 20 * rows * columns)
    return result

"""What is computed from elements and their neighbours along an axis."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import common_dtype
from speedmetal.arrays.creation import array, asarray
from speedmetal.arrays.deferred.graph import apply, common_device
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.operands import arrays_of
from speedmetal.arrays.shaping.joining import concat
from speedmetal.dtypes import float32, int32
from speedmetal.errors import UserInputError


def diff(
    x: Any, /, n: int = 1, axis: int = -1, *, prepend: Any = None, append: Any = None
) -> Array:
    """The differences of neighbours, ``x[k + 1] - x[k]``, taken ``n`` times; of bools, whether
    they differ.

    Args:
        x: The array.
        n: How often.
        axis: Along which.
        prepend: What is put before ``x`` first: an array, or a number.
        append: What is put behind it.

    Raises:
        AxisError: There is no such axis.
        UserInputError: ``n`` is negative, or the arrays do not go together.

    Example:
        >>> import speedmetal as sm
        >>> sm.diff(sm.array([1, 4, 9, 16]))
        Array([3, 5, 7], dtype=int32, device='cpu')
    """
    result = asarray(x)
    (place,) = axes_of(axis, result.ndim)
    if n < 0:
        raise UserInputError(f"diff expected n of 0 or more, got {n}")
    ends = [_as_end(end, result, place) for end in (prepend, append)]
    if n and any(end is not None for end in ends):
        pieces = [piece for piece in (ends[0], result, ends[1]) if piece is not None]
        result = concat(pieces, axis=place)
    before = (slice(None),) * place
    operation = "ne" if result.layout.dtype.is_bool else "subtract"
    for _ in range(n):
        later, earlier = result[(*before, slice(1, None))], result[(*before, slice(0, -1))]
        result = apply(operation, later, earlier)
    return result


def _as_end(end: Any, x: Array, axis: int) -> Array | None:
    """What is put before or behind an array; a number has its dtype, and one position."""
    if end is None or isinstance(end, Array):
        wide = end
    else:
        dtype = None if hasattr(end, "__array__") else x.layout.dtype
        wide = array(end, dtype, x.device)
    if wide is None or wide.ndim:
        return wide
    return wide.broadcast_to((*x.shape[:axis], 1, *x.shape[axis + 1 :]))


def convolve(x1: Any, x2: Any, /, mode: str = "full") -> Array:
    """The discrete convolution of two arrays with one axis.

    ``result[k] = sum(x1[k - j] * x2[j])`` over all ``j`` where both are there. Numbers of 16 bits
    are summed in float32; the sums are in another order than NumPy's.

    Args:
        x1: Shape ``(n,)``.
        x2: Shape ``(m,)``.
        mode: ``full``: all ``n + m - 1`` sums; ``same``: the middle ``max(n, m)``; ``valid``: those
            to which the whole of the shorter one contributes, ``max(n, m) - min(n, m) + 1``.

    Raises:
        UserInputError: There is no such mode, an array is empty or has not one axis, or dtypes or
            devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> sm.convolve(sm.array([1, 2, 3]), sm.array([1, 1]))
        Array([1, 3, 5, 3], dtype=int32, device='cpu')
    """
    given = arrays_of("convolve", [x1, x2])
    for x in given:
        if x.ndim != 1 or not x.size:
            raise UserInputError(
                f"convolve expected arrays with one axis that are not empty, got shapes"
                f" {given[0].shape} and {given[1].shape}"
            )
    dtype = common_dtype("convolve", [x.layout.dtype for x in given])
    device = common_device("convolve", given)
    wide = int32 if dtype.is_bool else float32 if dtype.is_float and dtype.bits == 16 else dtype
    longer, shorter = sorted((x.astype(wide, copy=False) for x in given), key=_negative_size)
    first, length = _range_of_sums(longer.size, shorter.size, mode)

    def run() -> list[Any]:
        from speedmetal.arrays.kernels.convolution import convolve as kernel  # with its first use

        result = Array.allocate((length,), dtype, device)
        kernel(result, longer, shorter, first, grid=length, debug=0)
        return [result]

    node = Call("convolve", [longer, shorter], run, reads=shorter.size)
    found: Array = call(Array, node, [((length,), dtype)], device)[0]
    return found


def _negative_size(x: Array) -> int:
    return -x.size


def _range_of_sums(longer: int, shorter: int, mode: str) -> tuple[int, int]:
    """The first sum of a mode, and how many there are."""
    ranges = {
        "full": (0, longer + shorter - 1),
        "same": ((shorter - 1) // 2, longer),
        "valid": (shorter - 1, longer - shorter + 1),
    }
    if mode not in ranges:
        raise UserInputError(
            f"convolve: there is no mode {mode!r}; allowed are {', '.join(ranges)}"
        )
    return ranges[mode]

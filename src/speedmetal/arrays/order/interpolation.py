"""Values between given points."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray, full
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.elementwise.operands import cast, float_type
from speedmetal.arrays.kernels.interpolate import interpolate
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.dtypes import float32
from speedmetal.errors import UserInputError


def interp(x: Any, xp: Any, fp: Any, /, left: Any = None, right: Any = None) -> Any:
    """The heights at ``x`` of the line through the points ``(xp, fp)``, as NumPy's.

    Args:
        x: Floats, of any shape. NaN gives NaN.
        xp: Places, in ascending order: ``(points,)``, one at least.
        fp: The heights there: ``(points,)``.
        left: The result below all places; None: the first height.
        right: The result above them; None: the last height.

    Returns:
        Floats of the shape of ``x``, of the type that all three have together: float32 for
        integers. Elements of 16 bits are computed in float32 and rounded once.

    Raises:
        UserInputError: ``xp`` and ``fp`` are not of one shape with one axis, are empty or complex.

    Example:
        >>> import speedmetal as sm
        >>> points = sm.array([1.0, 2.0, 4.0]), sm.array([10.0, 20.0, 0.0])
        >>> sm.interp(sm.array([0.0, 1.5, 3.0, 9.0]), *points)
        Array([10., 15., 10.,  0.], dtype=float32, device='cpu')
    """
    x, places, heights = (asarray(each) for each in (x, xp, fp))
    if places.ndim != 1 or places.shape != heights.shape or not places.size:
        raise UserInputError(
            f"interp expected places and heights of one shape (points,), got {places.shape} and"
            f" {heights.shape}"
        )
    dtype = float_type("interp", (x, places, heights))
    inner = float32 if dtype.bits < float32.bits else dtype
    at, places, heights = (cast(each, inner) for each in (x, places, heights))
    ends = _end(left, heights[:1]), _end(right, heights[-1:])
    if not at.ndim:
        at = at.reshape(1)
    device = at.device
    operands = (at, places, heights, *ends)

    def run() -> list[Any]:
        target = Array.allocate(at.shape, inner, device)
        points = [_in_memory(each) for each in operands[1:]]
        interpolate(target, at, *points, grid=grid_of(at.shape))
        return [target]

    (found,) = call(Array, Call("interp", operands, run), [(at.shape, inner)], device)
    return cast(found.reshape(x.shape), dtype)


def _end(value: Any, height: Any) -> Any:
    """An array with the one height that is found beyond the places."""
    return height if value is None else full(1, value, height.dtype, height.device)


def _in_memory(x: Any) -> Any:
    """The array with its memory: each element is read many times."""
    return x.with_elements(x.elements)

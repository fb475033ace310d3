"""Discrete Fourier transforms: ``sm.fft``, with the names of the array API's extension.

NumPy's pocketfft transforms on the CPU, and where an array has other axes they are cut into parts
for all cores. On NVIDIA GPUs cuFFT transforms; where it is not installed, and on other devices that
do not share memory with the host, the elements are copied there and back. Either works in the
array's own precision: float32 gives complex64, float64 gives complex128; float16, bfloat16 and
integers are converted to float32. Results are lazy.

``norm`` says who divides by the number of elements: ``"backward"`` the inverse transforms,
``"forward"`` the others, ``"ortho"`` both by its root.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from speedmetal.arrays.algebra.library_transforms import (
    Axes,
    note,
    repeated,
    transformed,
    transforms,
)
from speedmetal.arrays.algebra.long_transforms import rows_of, write_long
from speedmetal.arrays.algebra.pocketfft import write_transform
from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import empty
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.host_routines import (
    computed_type,
    fresh_from,
    in_parts,
    longest_axis,
    operands_of,
)
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.arrays.shaping.rearranging import roll
from speedmetal.common.records import record
from speedmetal.dtypes import DEFAULT_FLOAT, DType, as_dtype, complex_of
from speedmetal.errors import UnknownNameError, UserInputError

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]

NORMS = ("backward", "ortho", "forward")

# --- One axis ------------------------------------------------------------------------------------


def fft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """``sum over j of x[j] * exp(-2j * pi * j * k / n)`` for each ``k``.

    Args:
        x: Of any dtype; the array API takes complex ones.
        n: The length: elements beyond it are left out, missing ones count as 0; None: the extent.
        axis: Along which.
        norm: Who divides, see the module.

    Returns:
        Complex numbers; ``n`` along the axis.

    Raises:
        UserInputError: ``n`` is less than 1, or the norm is another.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.fft.fft(sm.array([1.0, 0.0, 0.0]))
        Array([1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64, device='cpu')
    """
    return _along_one("fft", x, n, axis, norm)


def ifft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The inverse of :func:`fft`, with the same arguments.

    Example:
        >>> import speedmetal as sm
        >>> sm.fft.ifft(sm.array([2.0, 0.0]))
        Array([1.+0.j, 1.+0.j], dtype=complex64, device='cpu')
    """
    return _along_one("ifft", x, n, axis, norm)


def rfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """:func:`fft` of real numbers, of which half the results are enough.

    Args:
        x: Real numbers.
        n: As in :func:`fft`.
        axis: As in :func:`fft`.
        norm: As in :func:`fft`.

    Returns:
        Complex numbers; ``n // 2 + 1`` along the axis.

    Raises:
        UserInputError: ``x`` is complex; see also :func:`fft`.

    Example:
        >>> import speedmetal as sm
        >>> sm.fft.rfft(sm.array([1.0, 0.0, 0.0])).shape
        (2,)
    """
    _check_real("rfft", x)
    return _along_one("rfft", x, n, axis, norm)


def irfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The inverse of :func:`rfft`: real numbers.

    Args:
        x: Half of the results of a transform.
        n: How many real numbers; None: ``2 * (m - 1)`` for an extent ``m``.
        axis: As in :func:`fft`.
        norm: As in :func:`fft`.

    Returns:
        Real numbers; ``n`` along the axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.fft.irfft(sm.fft.rfft(sm.array([1.0, 2.0, 3.0])), n=3)
        Array([1., 2., 3.], dtype=float32, device='cpu')
    """
    return _along_axes("irfft", x, _single("irfft", x, n, axis, is_half=True), norm)


def hfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """:func:`fft` of a signal that is Hermitian, ``x[-j] == conj(x[j])``, given half: real numbers.

    The arguments are those of :func:`irfft`.

    Example:
        >>> import speedmetal as sm
        >>> sm.fft.hfft(sm.array([1.0, 2.0]))
        Array([ 3., -1.], dtype=float32, device='cpu')
    """
    return _along_axes("hfft", x, _single("hfft", x, n, axis, is_half=True), norm)


def ihfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The inverse of :func:`hfft`, of real numbers; with the arguments of :func:`rfft`."""
    _check_real("ihfft", x)
    return _along_axes("ihfft", x, _single("ihfft", x, n, axis), norm)


# --- Several axes --------------------------------------------------------------------------------


def fftn(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Array:
    """:func:`fft` along several axes.

    Args:
        x: As for :func:`fft`.
        s: The length along each of the axes; -1: the extent. None: the extents.
        axes: Which; None: the last ``len(s)``, or all without ``s``.
        norm: As in :func:`fft`.

    Raises:
        UserInputError: There are not as many lengths as axes; see also :func:`fft`.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.fft.fftn(sm.ones((2, 2))).tolist()
        [[(4+0j), 0j], [0j, 0j]]
    """
    return _along_axes("fft", x, _several("fftn", x, s, axes), norm)


def ifftn(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Array:
    """The inverse of :func:`fftn`, with the same arguments."""
    return _along_axes("ifft", x, _several("ifftn", x, s, axes), norm)


def rfftn(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Array:
    """:func:`rfft` along the last of several axes, then :func:`fft` along the others.

    The arguments are those of :func:`fftn`, of real numbers.
    """
    _check_real("rfftn", x)
    steps = _several("rfftn", x, s, axes)
    return _along_axes("fft", _along_axes("rfft", x, steps[-1:], norm), steps[:-1], norm)


def irfftn(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Array:
    """The inverse of :func:`rfftn`: real numbers.

    The arguments are those of :func:`fftn`; without ``s`` the last axis gets ``2 * (m - 1)``
    elements for an extent ``m``, as in :func:`irfft`.
    """
    steps = _several("irfftn", x, s, axes, is_half=True)
    return _along_axes("irfft", _along_axes("ifft", x, steps[:-1], norm), steps[-1:], norm)


# --- Frequencies ---------------------------------------------------------------------------------


def fftfreq(n: int, /, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies of the results of :func:`fft`, in turns per unit of ``d``.

    Args:
        n: The length.
        d: The distance between samples.
        dtype: Of the floats; None: float32.
        device: Where to; None: the default device.

    Returns:
        ``[0, 1, ..., (n - 1) // 2, -(n // 2), ..., -1] / (n * d)``.

    Raises:
        UserInputError: ``n`` is less than 1, or the dtype is none of real floats.

    Example:
        >>> import speedmetal as sm
        >>> sm.fft.fftfreq(4)
        Array([ 0.  ,  0.25, -0.5 , -0.25], dtype=float32, device='cpu')
    """
    count = _length("fftfreq", n)
    return _frequencies("fftfreq", np.fft.fftfreq(count, d), dtype, device)


def rfftfreq(n: int, /, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies of the results of :func:`rfft`; see :func:`fftfreq`.

    Example:
        >>> import speedmetal as sm
        >>> sm.fft.rfftfreq(4)
        Array([0.  , 0.25, 0.5 ], dtype=float32, device='cpu')
    """
    count = _length("rfftfreq", n)
    return _frequencies("rfftfreq", np.fft.rfftfreq(count, d), dtype, device)


def _frequencies(name: str, host: HostArray, dtype: Any, device: Any) -> Array:
    wanted = DEFAULT_FLOAT if dtype is None else as_dtype(dtype)
    if not wanted.is_float:
        raise UserInputError(f"{name} gives real floats, got dtype {wanted}")
    result = empty(host.shape, wanted, device)
    result[...] = host
    return result


def fftshift(x: Any, /, axes: int | Sequence[int] | None = None) -> Array:
    """The elements with that of frequency 0 in the middle: moved on by half an extent.

    Args:
        x: Of any shape and dtype.
        axes: Along which; None: all.

    Raises:
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.fft.fftshift(sm.array([0, 1, 2, -2, -1]))
        Array([-2, -1,  0,  1,  2], dtype=int32, device='cpu')
    """
    return _shifted("fftshift", x, axes, lambda extent: extent // 2)


def ifftshift(x: Any, /, axes: int | Sequence[int] | None = None) -> Array:
    """The inverse of :func:`fftshift`, with the same arguments.

    Example:
        >>> import speedmetal as sm
        >>> sm.fft.ifftshift(sm.array([-2, -1, 0, 1, 2]))
        Array([ 0,  1,  2, -2, -1], dtype=int32, device='cpu')
    """
    return _shifted("ifftshift", x, axes, lambda extent: extent - extent // 2)


def _shifted(name: str, x: Any, axes: Any, distance: Callable[[int], int]) -> Array:
    (array,) = operands_of(name, x)
    places = axes_of(range(array.ndim) if axes is None else axes, array.ndim)
    return roll(array, tuple(distance(array.shape[axis]) for axis in places), places)


# --- How it is done ------------------------------------------------------------------------------


@record
class Step:
    """A transform along one axis.

    Args:
        axis: Which.
        length: ``n``, of NumPy's functions.
    """

    axis: int
    length: int


_HALVING = ("rfft", "ihfft")
_TO_REAL = ("irfft", "hfft")


def _single(name: str, x: Any, n: int | None, axis: int, *, is_half: bool = False) -> list[Step]:
    (array,) = operands_of(name, x)
    (place,) = axes_of(axis, array.ndim)
    extent = array.shape[place]
    default = 2 * (extent - 1) if is_half else extent
    return [Step(place, _length(name, default if n is None else n))]


def _several(name: str, x: Any, s: Any, axes: Any, *, is_half: bool = False) -> list[Step]:
    (array,) = operands_of(name, x)
    count = array.ndim if s is None else len(s)
    if axes is None:
        if count > array.ndim:
            raise UserInputError(
                f"{name}: s has {count} lengths, but shape {array.shape} has {array.ndim} axes"
            )
        axes = range(array.ndim - count, array.ndim)
    places = axes_of(axes, array.ndim)
    lengths = [-1] * len(places) if s is None else [operator.index(length) for length in s]
    if len(lengths) != len(places):
        raise UserInputError(
            f"{name}: s has {len(lengths)} lengths for {len(places)} axes; give one for each"
        )
    if not places:
        raise UserInputError(f"{name} needs an axis, got none of shape {array.shape}")
    extents = [array.shape[place] for place in places]
    if is_half:
        extents[-1] = 2 * (extents[-1] - 1)
    pairs = zip(places, lengths, extents, strict=True)
    return [Step(axis, _length(name, extent if n == -1 else n)) for axis, n, extent in pairs]


def _length(name: str, n: Any) -> int:
    count = operator.index(n)
    if count < 1:
        raise UserInputError(f"{name} needs a length of 1 or more, got {count}")
    return count


def _check_real(name: str, x: Any) -> None:
    (array,) = operands_of(name, x)
    if array.layout.dtype.is_complex:
        raise UserInputError(
            f"{name} takes real numbers, got {array.layout.dtype}; take x.real, or use sm.fft.fft"
        )


def _along_one(name: str, x: Any, n: int | None, axis: int, norm: str) -> Array:
    """As :func:`_along_axes`; a library does what it has done before without another look."""
    known = repeated(name, x, n, axis, norm)
    if known is not None:
        return known
    steps = _single(name, x, n, axis)
    found = _along_axes(name, x, steps, norm)
    if isinstance(x, Array) and transforms(x.device):
        note(name, x, n, axis, norm, steps[0].length)
    return found


def _along_axes(name: str, x: Any, steps: Sequence[Step], norm: str) -> Array:
    """The lazy result of transforms along axes, the last first."""
    if norm not in NORMS:
        raise UnknownNameError("norm", str(norm), NORMS)
    (array,) = operands_of(name, x)
    array = array.astype(computed_type(array.layout.dtype), copy=False)
    if steps and transforms(array.device):
        axes = Axes(*zip(*((step.axis, step.length) for step in steps), strict=True))
        return transformed(name, array, axes, norm)
    for step in reversed(steps):
        array = _along_axis(name, array, step, norm)
    return array


def _along_axis(name: str, array: Array, step: Step, norm: str) -> Array:
    length = step.length // 2 + 1 if name in _HALVING else step.length
    shape = (*array.shape[: step.axis], length, *array.shape[step.axis + 1 :])
    dtype = _result_type(name, array.layout.dtype)

    def run() -> list[Array]:
        host = array.numpy()
        return [
            fresh_from(
                lambda out: _write_in_parts(name, host, step, norm, out),
                shape,
                dtype,
                array.device,
            )
        ]

    (result,) = call(type(array), Call(name, (array,), run), [(shape, dtype)], array.device)
    found: Array = result
    return found


def _result_type(name: str, dtype: DType) -> DType:
    return dtype.part if name in _TO_REAL else complex_of(dtype)


def _write_in_parts(name: str, host: HostArray, step: Step, norm: str, out: HostArray) -> None:
    """Write a transform along one axis, on all cores."""
    if not out.size:
        return
    is_whole = name in ("fft", "ifft") and host.dtype == out.dtype and host.size == out.size
    others = [extent if axis != step.axis else 1 for axis, extent in enumerate(out.shape)]
    axis = longest_axis(others)
    if others[axis] == 1:  # it may be the axis itself
        if is_whole and (rows := rows_of(step.length)):
            write_long(name, host.reshape(-1), rows, norm, out.reshape(-1))
        else:
            write_transform(name, host, step.length, step.axis, norm, out)
        return
    front = (slice(None),) * axis

    def work(part: slice) -> None:
        place = (*front, part)
        write_transform(name, host[place], step.length, step.axis, norm, out[place])

    # An element costs about five operations for each doubling of the length.
    in_parts(work, others[axis], out.size * 5 * step.length.bit_length())

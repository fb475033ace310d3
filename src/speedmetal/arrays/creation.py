"""Making arrays: from numbers, from other arrays, and filled."""

from __future__ import annotations

from typing import Any

import numpy as np

from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.conversion import convert_on_host
from speedmetal.arrays.dlpack import import_dlpack
from speedmetal.arrays.strided import HostArray
from speedmetal.backends.device import Device
from speedmetal.backends.registry import default_device
from speedmetal.backends.registry import device as find_device
from speedmetal.dtypes import DEFAULT_FLOAT, DEFAULT_INT, DType, as_dtype, complex64
from speedmetal.errors import UserInputError

Shape = int | tuple[int, ...]
DeviceLike = str | Device | None


def array(
    x: Any, dtype: Any = None, device: DeviceLike = None, *, copy: bool | None = True
) -> Array:
    """An array from numbers, nested lists, NumPy arrays, tensors or other arrays.

    Python's floats become float32, its integers int32 (int64 where one does not fit), its complex
    numbers complex64; NumPy's arrays and numbers, and arrays of other libraries, keep their dtype.

    Args:
        x: A number, nested lists of numbers, or an object with ``__dlpack__``, ``__array__`` or the
            buffer protocol.
        dtype: The elements' type; None: that of ``x``.
        device: Where to; None: the device of ``x`` if it is an :class:`Array`, else the default.
        copy: True: always copy. None: share memory where possible. False: share it, or raise.

    Raises:
        UserInputError: The dtype is not supported, or the lists are ragged.
        ValueError: ``copy`` is False and a copy is needed.

    Example:
        >>> array([1, 2, 3])
        Array([1, 2, 3], dtype=int32, device='cpu')
        >>> array(np.arange(3.0)).dtype
        dtype('float64')
        >>> array([1, 2, 3], "bf16")
        Array([1, 2, 3], dtype=bfloat16, device='cpu')
    """
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(x, Array):
        return _from_array(
            x, wanted, x.device if device is None else find_device(device), copy=copy
        )
    target = default_device() if device is None else find_device(device)
    host = _host_array(x, wanted)
    is_shareable = isinstance(x, np.ndarray) or _is_foreign(x)
    typed = host if wanted is None else convert_on_host(host, wanted)
    if not copy and typed is host and is_shareable:
        shared = Array.wrap(host, target)
        if shared is not None:
            return shared
    if copy is False:
        raise ValueError(
            f"a {type(x).__name__} cannot become this array without a copy; pass copy=None"
        )
    return upload(_native(typed), target)


def asarray(
    x: Any, dtype: Any = None, device: DeviceLike = None, *, copy: bool | None = None
) -> Array:
    """As :func:`array`, but sharing the memory of ``x`` where that is possible.

    Example:
        >>> host = np.zeros(2)
        >>> asarray(host)[0] = 5
        >>> host
        array([5., 0.])
    """
    return array(x, dtype, device, copy=copy)


def from_dlpack(x: Any, /, *, device: DeviceLike = None, copy: bool | None = None) -> Array:
    """An array on the memory of an object with ``__dlpack__``: a tensor of torch, JAX, MLX ...

    It is read-only where the object says so (JAX), or is too old to say anything.

    Args:
        x: In the host's memory.
        device: Where to; None: the default device.
        copy: As in :func:`array`.

    Raises:
        UserInputError: The object has no such method, is elsewhere, or its dtype is not supported.
    """
    if not hasattr(x, "__dlpack__"):
        raise UserInputError(
            f"from_dlpack expected an object with __dlpack__, got {type(x).__name__};"
            " use sm.asarray"
        )
    return array(x, None, device, copy=copy)


def empty(shape: Shape, dtype: Any = DEFAULT_FLOAT, device: DeviceLike = None) -> Array:
    """An array with undefined content.

    >>> empty((2, 3)).shape
    (2, 3)
    """
    target = default_device() if device is None else find_device(device)
    return Array.allocate(_check_shape(shape), as_dtype(dtype), target)


def full(shape: Shape, value: Any, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array with one value everywhere; the dtype follows the value as in :func:`array`.

    >>> full(2, 7)
    Array([7, 7], dtype=int32, device='cpu')
    """
    host = _host_array(value, None if dtype is None else as_dtype(dtype))
    if host.ndim:
        raise UserInputError(f"expected one value, got an array of shape {host.shape}")
    result = empty(shape, host.dtype, device)
    if not (result.buffer.is_zeroed and _is_zero(host)):
        result[...] = host
    return result


def zeros(shape: Shape, dtype: Any = DEFAULT_FLOAT, device: DeviceLike = None) -> Array:
    """An array of zeros.

    >>> zeros(2)
    Array([0., 0.], dtype=float32, device='cpu')
    """
    return full(shape, 0, dtype, device)


def ones(shape: Shape, dtype: Any = DEFAULT_FLOAT, device: DeviceLike = None) -> Array:
    """An array of ones.

    >>> ones(2, "i8")
    Array([1, 1], dtype=int8, device='cpu')
    """
    return full(shape, 1, dtype, device)


def empty_like(x: Any, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array with undefined content and the shape, dtype and device of ``x``."""
    like = asarray(x)
    return empty(like.shape, dtype or like.dtype, like.device if device is None else device)


def full_like(x: Any, value: Any, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array with one value everywhere and the shape, dtype and device of ``x``."""
    result = empty_like(x, dtype, device)
    result[...] = value
    return result


def zeros_like(x: Any, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array of zeros with the shape, dtype and device of ``x``."""
    return full_like(x, 0, dtype, device)


def ones_like(x: Any, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array of ones with the shape, dtype and device of ``x``."""
    return full_like(x, 1, dtype, device)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    dtype: Any = None,
    device: DeviceLike = None,
) -> Array:
    """The numbers ``start + k * step`` below ``stop`` (above it for a negative step).

    They are computed in float64 or int64 and then rounded to ``dtype``, which is float32 if one of
    the three is a float, else int32 (int64 where one does not fit).

    Raises:
        UserInputError: ``step`` is 0.

    Example:
        >>> arange(4)
        Array([0, 1, 2, 3], dtype=int32, device='cpu')
        >>> arange(1.0, 2.0, 0.25)
        Array([1.  , 1.25, 1.5 , 1.75], dtype=float32, device='cpu')
    """
    first, end = (0, start) if stop is None else (start, stop)
    if step == 0:
        raise UserInputError("arange: the step must not be 0")
    numbers = np.arange(first, end, step)
    wanted = _default_dtype_of(numbers) if dtype is None else as_dtype(dtype).numpy
    return upload(numbers.astype(wanted), _target(device))


def linspace(
    start: float,
    stop: float,
    num: int,
    dtype: Any = DEFAULT_FLOAT,
    device: DeviceLike = None,
    *,
    endpoint: bool = True,
) -> Array:
    """``num`` numbers at equal distances from ``start`` to ``stop``, computed in float64.

    Args:
        start: The first.
        stop: The last, or, where ``endpoint`` is False, the one that would come after the last.
        num: How many.
        dtype: To which they are rounded.
        device: Where to; None: the default device.
        endpoint: Whether ``stop`` is among them.

    Example:
        >>> linspace(0, 1, 5)
        Array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32, device='cpu')
    """
    if num < 0:
        raise UserInputError(f"linspace: expected 0 numbers or more, got {num}")
    numbers = np.linspace(start, stop, num, endpoint=endpoint)
    return upload(numbers.astype(as_dtype(dtype).numpy), _target(device))


def _target(device: DeviceLike) -> Device:
    return default_device() if device is None else find_device(device)


def _from_array(x: Array, wanted: DType | None, target: Device, *, copy: bool | None) -> Array:
    is_same = (wanted is None or wanted is x.layout.dtype) and target is x.device
    if is_same:
        return x.copy() if copy else x
    if copy is False:
        raise ValueError("another dtype or device needs a copy; pass copy=None")
    typed = x if wanted is None else x.astype(wanted, copy=False)
    return typed.to(target)


_TEXTS_AND_OBJECTS = "OSU"


def _host_array(x: Any, wanted: DType | None) -> HostArray:
    """``x`` as a NumPy array, on its own memory where it has one."""
    if isinstance(x, (np.ndarray, np.generic)):
        return np.asarray(x)
    if hasattr(x, "__dlpack__"):
        return import_dlpack(x)
    try:
        host = np.asarray(x, dtype=wanted.numpy if wanted and _is_python(x) else None)
    except (ValueError, OverflowError) as error:
        raise UserInputError(f"{type(x).__name__} cannot become an array: {error}") from error
    if host.dtype.kind in _TEXTS_AND_OBJECTS and not _is_foreign(x):
        raise UserInputError(_not_numbers(x))
    if wanted is None and _is_python(x):
        return host.astype(_default_dtype_of(host), copy=False)
    return host


def _not_numbers(x: Any) -> str:
    """Why Python's object is no array of numbers."""
    items = np.asarray(x, dtype=object).ravel().tolist()
    others = [item for item in items if not isinstance(item, (int, float, complex, np.generic))]
    if not others:
        large = max((item for item in items if isinstance(item, int)), key=abs)
        return f"the integer {large} does not fit into 64 bits; give floats in its place"
    where = "" if others[0] is x else f" in a {type(x).__name__}"
    is_lazy = hasattr(others[0], "__next__") or isinstance(others[0], (set, frozenset))
    return (
        "expected numbers, nested lists of numbers or an array,"
        f" got {type(others[0]).__name__}{where}" + ("; make it a list: list(x)" if is_lazy else "")
    )


def _is_foreign(x: Any) -> bool:
    return any(hasattr(x, name) for name in ("__dlpack__", "__array_interface__", "__array__")) or (
        isinstance(x, (bytearray, memoryview))
    )


def _is_python(x: Any) -> bool:
    """Whether all numbers in nested lists are Python's own, whose types are defaults only."""
    if isinstance(x, range):
        return True
    if not isinstance(x, (list, tuple)):
        return type(x) in (bool, int, float, complex)
    kinds = set(map(type, x))
    if kinds <= {bool, int, float, complex}:
        return True
    return all(_is_python(item) for item in x)


def _default_dtype_of(host: HostArray) -> np.dtype[Any]:
    """The default dtype for Python's numbers, which NumPy has made 64 bits wide."""
    if host.dtype.kind == "f":
        return DEFAULT_FLOAT.numpy
    if host.dtype.kind == "c":
        return complex64.numpy
    if host.dtype == np.int64:
        least, greatest = (int(host.min()), int(host.max())) if host.size else (0, 0)
        if DEFAULT_INT.minimum <= least and greatest <= DEFAULT_INT.maximum:
            return DEFAULT_INT.numpy
    kept: np.dtype[Any] = host.dtype
    return kept


def _native(host: HostArray) -> HostArray:
    return host if host.dtype.isnative else host.astype(host.dtype.newbyteorder("="))


def _is_zero(host: HostArray) -> bool:
    """Whether all bits are 0; those of -0.0 are not."""
    return not any(host.tobytes())


def _check_shape(shape: Any) -> tuple[int, ...]:
    if type(shape) is int and shape >= 0:  # the commonest, at once: arrays are made often
        return (shape,)
    extents = (shape,) if not isinstance(shape, (tuple, list)) else tuple(shape)
    for extent in extents:
        if type(extent) is not int or extent < 0:
            return _converted_shape(shape, extents)
    return extents


def _converted_shape(shape: Any, extents: tuple[Any, ...]) -> tuple[int, ...]:
    for extent in extents:
        if isinstance(extent, bool) or not hasattr(extent, "__index__") or extent < 0:
            raise UserInputError(f"expected a shape of integers that are 0 or more, got {shape!r}")
    return tuple(int(extent) for extent in extents)

"""Making arrays: from numbers, from other arrays, and filled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from speedmetal.arrays.arguments import (
    DeviceLike,
    Shape,
    checked_extents,
    device_of,
    from_numbers,
    on_host,
)
from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.assembling import Part, assemble, at, common_dtype
from speedmetal.arrays.deferred.graph import common_device
from speedmetal.arrays.memory.borrowing import Borrowed, borrowed, borrowed_by_dlpack
from speedmetal.arrays.memory.conversion import convert_on_host
from speedmetal.arrays.memory.dlpack import import_dlpack
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.device import Device
from speedmetal.backends.registry import default_device
from speedmetal.backends.registry import device as find_device
from speedmetal.dtypes import (
    DEFAULT_FLOAT,
    DEFAULT_INT,
    DType,
    as_dtype,
    complex64,
    from_numpy,
    int64,
    kind_rank,
    uint64,
)
from speedmetal.errors import NotNumbersError, UserInputError


def array(
    obj: Any, dtype: Any = None, device: DeviceLike = None, *, copy: bool | None = True
) -> Array:
    """An array from numbers, nested lists, NumPy arrays, tensors or other arrays.

    Python's floats become float32, its integers int32 (int64 where one does not fit), its complex
    numbers complex64; NumPy's arrays and numbers, and arrays of other libraries, keep their dtype.

    Args:
        obj: A number, nested lists of numbers and arrays, or an object with ``__dlpack__``,
            ``__cuda_array_interface__``, ``__array__`` or the buffer protocol. Arrays of this
            library in lists are put together on their device, lazily.
        dtype: The elements' type; None: that of ``obj``.
        device: Where to; None: the device of ``obj`` if it is an :class:`Array`, or on an NVIDIA
            GPU; else the default.
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
    if isinstance(obj, Array):
        return _from_array(
            obj, wanted, obj.device if device is None else find_device(device), copy=copy
        )
    if isinstance(obj, list | tuple) and (parts := _arrays_within(obj)):
        return _from_arrays(obj, parts, wanted, device, copy=copy)
    if (found := borrowed(obj)) is not None:
        return _from_borrowed(found, wanted, device, copy=copy)
    target = default_device() if device is None else find_device(device)
    host = _host_array(obj, wanted)
    is_shareable = isinstance(obj, np.ndarray) or _is_foreign(obj)
    typed = host if wanted is None else convert_on_host(host, wanted)
    if not copy and typed is host and is_shareable:
        shared = Array.wrap(host, target)
        if shared is not None:
            return shared
    if copy is False:
        raise ValueError(
            f"a {type(obj).__name__} cannot become this array without a copy; pass copy=None"
        )
    return upload(_native(typed), target)


def asarray(
    obj: Any, dtype: Any = None, device: DeviceLike = None, *, copy: bool | None = None
) -> Array:
    """As :func:`array`, but sharing the memory of ``obj`` where that is possible.

    Example:
        >>> host = np.zeros(2)
        >>> asarray(host)[0] = 5
        >>> host
        array([5., 0.])
    """
    return array(obj, dtype, device, copy=copy)


def from_dlpack(x: Any, /, *, device: DeviceLike = None, copy: bool | None = None) -> Array:
    """An array on the memory of an object with ``__dlpack__``: a tensor of torch, JAX, MLX ...

    It is read-only where the object says so (JAX), or is too old to say anything. On an NVIDIA GPU
    the object's library has our stream, or that of ``sm.cuda.stream``, wait for its own; the memory
    is kept until what was asked of it here is done.

    Args:
        x: In the host's memory, on an NVIDIA GPU, or an :class:`Array`.
        device: Where to; None: where ``x`` is.
        copy: As in :func:`array`.

    Raises:
        AttributeError: The object has no such method.
        UserInputError: It is elsewhere, or its dtype is not supported.
        ValueError: ``copy`` is False and a copy is needed.
    """
    if not hasattr(x, "__dlpack__"):
        raise AttributeError(
            f"from_dlpack expected an object with __dlpack__, got {type(x).__name__};"
            " use sm.asarray"
        )
    if isinstance(x, Array):
        return array(x, None, device, copy=copy)
    if (found := borrowed_by_dlpack(x)) is not None:
        return _from_borrowed(found, None, device, copy=copy)
    if device is None:
        device = "cpu"
    return array(x, None, device, copy=copy)


def empty(shape: Shape, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array with undefined content, of float32 if no dtype is given.

    >>> empty((2, 3)).shape
    (2, 3)
    """
    wanted = DEFAULT_FLOAT if dtype is None else as_dtype(dtype)
    return Array.allocate(checked_extents(shape), wanted, device_of(device))


def full(shape: Shape, fill_value: Any, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array with one value everywhere; the dtype follows the value as in :func:`array`.

    >>> full(2, 7)
    Array([7, 7], dtype=int32, device='cpu')
    """
    wanted = None if dtype is None else as_dtype(dtype)
    given = fill_value.numpy() if isinstance(fill_value, Array) else fill_value
    host = _host_array(given, wanted)
    if host.ndim:
        raise UserInputError(f"expected one value, got an array of shape {host.shape}")
    result = empty(shape, host.dtype if wanted is None else wanted, device)
    value = convert_on_host(host, result.layout.dtype)
    if not (result.buffer.is_zeroed and _is_zero(value)):
        result[...] = value
    return result


def zeros(shape: Shape, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array of zeros, of float32 if no dtype is given.

    >>> zeros(2)
    Array([0., 0.], dtype=float32, device='cpu')
    """
    return full(shape, 0, DEFAULT_FLOAT if dtype is None else dtype, device)


def ones(shape: Shape, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array of ones, of float32 if no dtype is given.

    >>> ones(2, "i8")
    Array([1, 1], dtype=int8, device='cpu')
    """
    return full(shape, 1, DEFAULT_FLOAT if dtype is None else dtype, device)


def empty_like(x: Any, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array with undefined content and the shape, dtype and device of ``x``."""
    like = asarray(x)
    return empty(
        like.shape,
        like.dtype if dtype is None else dtype,
        like.device if device is None else device,
    )


def full_like(x: Any, fill_value: Any, dtype: Any = None, device: DeviceLike = None) -> Array:
    """An array with one value everywhere and the shape, dtype and device of ``x``."""
    like = asarray(x)
    wanted = like.dtype if dtype is None else dtype
    return full(like.shape, fill_value, wanted, like.device if device is None else device)


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
        UserInputError: ``step`` is 0, or one of the three is no finite number.

    Example:
        >>> arange(4)
        Array([0, 1, 2, 3], dtype=int32, device='cpu')
        >>> arange(1.0, 2.0, 0.25)
        Array([1.  , 1.25, 1.5 , 1.75], dtype=float32, device='cpu')
    """
    first, end = (0, start) if stop is None else (start, stop)
    limits: list[Any] = [
        x.item() if isinstance(x, Array | np.generic) else x for x in (first, end, step)
    ]
    if limits[2] == 0:
        raise UserInputError("arange: the step must not be 0")
    are_integers = all(isinstance(limit, int) for limit in limits)
    if not are_integers and not all(map(_is_finite, limits)):
        raise UserInputError(f"arange expected finite numbers, got {', '.join(map(repr, limits))}")
    numbers = _integers(*limits) if are_integers else np.arange(*limits)
    wanted = _default_dtype_of(numbers) if dtype is None else dtype
    return from_numbers(numbers, wanted, device)


def _is_finite(number: Any) -> bool:
    return isinstance(number, int | float) and math.isfinite(number)


def _integers(start: int, stop: int, step: int) -> HostArray:
    """The integers of a range, of the default dtype or of 64 bits; they are exact."""
    numbers = range(start, stop, step)
    end = start + len(numbers) * step
    if DEFAULT_INT.minimum <= min(start, end) and max(start, end) <= DEFAULT_INT.maximum:
        return np.arange(start, end, step, dtype=np.int32)
    ends = (numbers[0], numbers[-1]) if numbers else (0,)
    least, greatest = min(ends), max(ends)
    wide = int64 if greatest <= int64.maximum else uint64
    if not wide.minimum <= least <= greatest <= wide.maximum:
        raise UserInputError(f"arange: {least} to {greatest} do not fit into 64 bits; give floats")
    places = np.arange(len(numbers), dtype=np.uint64)
    modulus = 1 << 64  # sums and products wrap, and what is left is right
    return (places * np.uint64(step % modulus) + np.uint64(start % modulus)).view(wide.numpy)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    dtype: Any = None,
    device: DeviceLike = None,
    *,
    endpoint: bool = True,
) -> Array:
    """``num`` numbers at equal distances from ``start`` to ``stop``, computed in float64.

    Args:
        start: The first: a number, or an array of them, each of which starts a column.
        stop: The last, or, where ``endpoint`` is False, the one that would come after the last.
        num: How many.
        dtype: To which they are rounded; None: float32, or complex64 where an end is complex.
        device: Where to; None: the default device.
        endpoint: Whether ``stop`` is among them.

    Example:
        >>> linspace(0, 1, 5)
        Array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32, device='cpu')
    """
    if num < 0:
        raise UserInputError(f"linspace: expected 0 numbers or more, got {num}")
    numbers = np.linspace(on_host(start), on_host(stop), num, endpoint=endpoint, dtype=None)
    if dtype is None:
        dtype = complex64 if numbers.dtype.kind == "c" else DEFAULT_FLOAT
    return from_numbers(numbers, dtype, device)


def _from_array(x: Array, wanted: DType | None, target: Device, *, copy: bool | None) -> Array:
    is_same = (wanted is None or wanted is x.layout.dtype) and target is x.device
    if is_same:
        return x.copy() if copy else x
    if copy is False:
        raise ValueError("another dtype or device needs a copy; pass copy=None")
    typed = x if wanted is None else x.astype(wanted, copy=False)
    return typed.to(target)


def _from_borrowed(
    found: Borrowed, wanted: DType | None, device: DeviceLike, *, copy: bool | None
) -> Array:
    there = Array(*found)
    place = there.device if device is None else find_device(device)
    return _from_array(there, wanted, place, copy=copy)


def _arrays_within(items: list[Any] | tuple[Any, ...]) -> list[Array]:
    """The arrays of this library in nested lists."""
    if set(map(type, items)) <= _PYTHONS_NUMBERS:
        return []
    found = []
    for item in items:
        if isinstance(item, Array):
            found.append(item)
        elif isinstance(item, list | tuple):
            found += _arrays_within(item)
    return found


def _from_arrays(
    items: list[Any] | tuple[Any, ...],
    arrays: list[Array],
    wanted: DType | None,
    device: DeviceLike,
    *,
    copy: bool | None,
) -> Array:
    """An array of lists that contain these arrays; Python's numbers follow the arrays' dtype."""
    if copy is False:
        raise ValueError("a list of arrays cannot become an array without a copy; pass copy=None")
    place = common_device("array", arrays)
    joined = _stacked(items, wanted or _dtype_within(items, arrays), place)
    return joined if device is None else joined.to(device)


def _dtype_within(items: Any, arrays: list[Array]) -> DType:
    strong, weak = [x.layout.dtype for x in arrays], []
    for item in _others_within(items):
        if _is_foreign(item):
            strong.append(from_numpy(_host_array(item, None).dtype))
        else:
            weak.append(item)
    dtype = common_dtype("array", strong)
    if weak:
        other = from_numpy(_host_array(weak, None).dtype)
        if kind_rank(other) > kind_rank(dtype) or other.is_complex:
            dtype = common_dtype("array", (dtype, other))
    return dtype


def _others_within(items: Any) -> list[Any]:
    """What is no array of this library in nested lists."""
    found = []
    for item in items:
        if isinstance(item, list | tuple):
            found += _others_within(item)
        elif not isinstance(item, Array):
            found.append(item)
    return found


def _stacked(items: Any, dtype: DType, device: Device) -> Array:
    rows = [
        _stacked(item, dtype, device)
        if isinstance(item, list | tuple)
        else array(item, dtype, device, copy=None)
        for item in items
    ]
    shapes = list({row.shape: None for row in rows})
    if len(shapes) > 1:
        raise UserInputError(
            f"a list cannot become an array: it has items of shapes {shapes[0]} and {shapes[1]}"
        )
    parts = [Part(at(position), row) for position, row in enumerate(rows)]
    shape = (len(rows), *(shapes[0] if shapes else ()))
    joined: Array = assemble(Array, "array", shape, dtype, device, parts)
    return joined


_PYTHONS_NUMBERS = {bool, int, float, complex}
_TEXTS_AND_OBJECTS = "OSU"


def _host_array(x: Any, wanted: DType | None) -> HostArray:
    """``x`` as a NumPy array, on its own memory where it has one."""
    if isinstance(x, (np.ndarray, np.generic)):
        return np.asarray(x)
    if hasattr(x, "__dlpack__"):
        return import_dlpack(x)
    try:
        host = np.asarray(x, dtype=wanted.numpy if wanted and _is_python(x) else None)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserInputError(f"{type(x).__name__} cannot become an array: {error}") from error
    if host.dtype.kind in _TEXTS_AND_OBJECTS and not _is_foreign(x):
        raise NotNumbersError(_not_numbers(x))
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
    """Whether it is an array or a buffer of another library, whose memory may be shared."""
    names = ("__dlpack__", "__array_interface__", "__array__")
    return any(hasattr(x, name) for name in names) or _has_buffer(x)


def _has_buffer(x: Any) -> bool:
    if isinstance(x, (bytes, list, tuple, str)):  # of them `bytes` is text, as in NumPy
        return False
    try:
        memoryview(x)
    except TypeError:
        return False
    return True


def _is_python(x: Any) -> bool:
    """Whether all numbers in nested lists are Python's own, whose types are defaults only."""
    if isinstance(x, range):
        return True
    if not isinstance(x, (list, tuple)):
        return type(x) in _PYTHONS_NUMBERS
    kinds = set(map(type, x))
    if kinds <= _PYTHONS_NUMBERS:
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

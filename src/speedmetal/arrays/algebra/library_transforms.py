"""Fourier transforms by the library of a GPU's vendor, cuFFT.

Several axes are transformed at once. The library neither pads nor divides: what is too short or too
long is copied first, in the pass that converts it, and the results are divided lazily, in the pass
of whatever comes next.

The transforms to real numbers write over what they read, and NumPy's take no notice of the
imaginary parts of the first element and, of an even length, the last one; so they read a copy
without these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from speedmetal.arrays.algebra.pocketfft import OTHER_WAY
from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.deferred.schedule import evaluate
from speedmetal.arrays.memory.copying import assign
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.shaping.padding import pad
from speedmetal.backends.device import Device
from speedmetal.common.records import record
from speedmetal.dtypes import DType, complex_of


def transforms(device: Device) -> bool:
    """Whether a device has a library that transforms."""
    routines = device.routines
    return routines is not None and bool(routines.has("cufft"))


@record
class Axes:
    """Axes that are transformed, with a length for each."""

    places: tuple[int, ...]
    lengths: tuple[int, ...]

    def parted(self, most: int) -> tuple[Axes, Axes]:
        """The last ones, at most so many, and those before."""
        first = max(len(self.places) - most, 0)
        return (
            Axes(self.places[first:], self.lengths[first:]),
            Axes(self.places[:first], self.lengths[:first]),
        )


def transformed(name: str, array: Array, axes: Axes, norm: str) -> Array:
    """The lazy result of a function of :mod:`speedmetal.arrays.algebra.fft`.

    Args:
        name: ``fft``, ``ifft``, ``rfft``, ``irfft``, ``hfft`` or ``ihfft``; the last four along one
            axis.
        array: Of the type that is computed in.
        axes: Which, and their lengths; of the real numbers, where these are on one side.
        norm: Who divides.
    """
    if name == "hfft":
        return transformed("irfft", array.conj(), axes, OTHER_WAY[norm])
    if name == "ihfft":
        half: Array = transformed("rfft", array, axes, OTHER_WAY[norm]).conj()
        return half
    from speedmetal.backends.cuda.libraries.transforms import MOST_AXES

    factor = _factor(name, math.prod(axes.lengths), norm)
    if name == "irfft":
        return _to_real(array, axes, factor)
    if name == "rfft":
        result = _transformed(name, fitted(array, axes), axes)
    else:
        result = fitted(array.astype(complex_of(array.layout.dtype), copy=False), axes)
        rest = axes
        while rest.places:
            part, rest = rest.parted(MOST_AXES)
            result = _transformed(name, result, part)
    scaled: Array = result if factor == 1 else result * factor
    return scaled


def _factor(name: str, count: int, norm: str) -> float:
    if norm == "ortho":
        return 1 / math.sqrt(count)
    is_inverse = name in ("ifft", "irfft")
    return 1 / count if is_inverse == (norm == "backward") else 1.0


def fitted(array: Array, axes: Axes) -> Array:
    """Without what is beyond the lengths, and with zeros for what is missing."""
    if all(array.shape[place] == n for place, n in zip(axes.places, axes.lengths, strict=True)):
        return array
    widths, index = [(0, 0)] * array.ndim, [slice(None)] * array.ndim
    for place, length in zip(axes.places, axes.lengths, strict=True):
        extent = array.shape[place]
        if extent > length:
            index[place] = slice(length)
        widths[place] = (0, max(length - extent, 0))
    cut = array[tuple(index)]
    return pad(cut, widths) if any(after for _, after in widths) else cut


def _to_real(array: Array, axes: Axes, factor: float) -> Array:
    """The numbers are divided in the pass that copies them."""
    (place,), (length,) = axes.places, axes.lengths
    half = length // 2 + 1
    source = fitted(
        array.astype(complex_of(array.layout.dtype), copy=False), Axes((place,), (half,))
    )
    moved = _moved_last(source, axes.places)
    own = Array.allocate(moved.shape, moved.layout.dtype, moved.layout.device)
    own[...] = moved if factor == 1 else moved * factor
    own[..., 0] = moved[..., 0].real * factor
    if length % 2 == 0:
        own[..., -1] = moved[..., -1].real * factor
    found = _transformed("irfft", own, Axes((own.ndim - 1,), axes.lengths))
    return _moved_back(found, axes.places)


def _moved_last(array: Array, places: Sequence[int]) -> Array:
    if tuple(places) == tuple(range(array.ndim - len(places), array.ndim)):
        return array
    others = [axis for axis in range(array.ndim) if axis not in places]
    return array.transpose((*others, *places))


def _moved_back(array: Array, places: Sequence[int]) -> Array:
    if tuple(places) == tuple(range(array.ndim - len(places), array.ndim)):
        return array
    order = [axis for axis in range(array.ndim) if axis not in places] + [*places]
    return array.transpose(tuple(order.index(axis) for axis in range(array.ndim)))


def _transformed(name: str, array: Array, axes: Axes) -> Array:
    """The lazy result, not divided; the axes are moved to the end and back, in views."""
    moved = _moved_last(array, axes.places)
    own = moved.layout.dtype
    kind = own.part if name == "irfft" else complex_of(own)
    ends = axes.lengths if name != "rfft" else (*axes.lengths[:-1], axes.lengths[-1] // 2 + 1)
    shape = (*moved.shape[: moved.ndim - len(ends)], *ends)

    def run() -> list[Array]:
        evaluate((moved,))
        result = Array.allocate(shape, kind, moved.layout.device)
        if result.size:
            _run(name, moved, axes.lengths, result)
        return [result]

    (found,) = call(type(array), Call(name, (moved,), run), [(shape, kind)], array.device)
    return _moved_back(found, axes.places)


@record
class _Way:
    """How elements that lie so are transformed.

    Args:
        plan: The library's.
        is_copied: Whether they are copied first.
    """

    plan: Any
    is_copied: bool


@record
class _Repeated:
    """A transform that was done before, of elements in memory that lie alike.

    Args:
        way: The library's.
        direction: Of it.
        shape: Of the result.
        dtype: Of the result.
        factor: What the result is multiplied by.
        is_in_place: Whether real numbers are first written to the result, as complex ones.
    """

    way: _Way
    direction: int
    shape: tuple[int, ...]
    dtype: DType
    factor: float
    is_in_place: bool


MOST_AT_ONCE = 1 << 16
"""Elements of a transform that is asked for at once, where it comes again."""
_repeated: Kept[_Repeated] = Kept(64)


def repeated(name: str, x: Any, n: int | None, axis: int, norm: str) -> Array | None:
    """A transform along the last axis of few elements in memory, as one before; None: it is new.

    Args:
        name: As in :func:`transformed`.
        x: What was given.
        n: The same.
        axis: The same.
        norm: The same.
    """
    if type(x) is not Array or x.pending is not None:
        return None
    known = _repeated.get((name, x.layout, n, axis, norm))
    if known is None or not (known.is_in_place or _is_aligned(x, known.dtype)):
        return None
    device = x.layout.device
    result = Array.allocate(known.shape, known.dtype, device)
    if known.is_in_place:
        assign(result, x)
        x = result
    addresses, kept = (x.address, result.address), (x.buffer, result.buffer)
    device.routines.transforms.run(known.way.plan, addresses, known.direction, kept)
    scaled: Array = result if known.factor == 1 else result * known.factor
    return scaled


def note(name: str, x: Any, n: int | None, axis: int, norm: str, length: int) -> None:
    """Note a transform, where the next one of the kind can be done at once.

    It reads the elements where they are, and writes them in C order. Where it is one of complex
    numbers and the elements are real, it reads what it writes.

    Args:
        name: As in :func:`transformed`.
        x: What was given.
        n: The same.
        axis: The same.
        norm: The same.
        length: Of the transform.
    """
    from speedmetal.backends.cuda.libraries.transforms import FORWARD, INVERSE

    is_plain = name in ("rfft", "fft", "ifft") and type(x) is Array and x.pending is None
    if not is_plain or x.size > MOST_AT_ONCE or not x.size or x.shape[-1] != length:
        return
    dtype = x.layout.dtype
    if axis % x.ndim != x.ndim - 1 or dtype.itemsize < 4 or dtype.is_integer:
        return
    is_real, kind = name == "rfft", complex_of(dtype)
    shape = (*x.shape[:-1], length // 2 + 1) if is_real else x.shape
    result = Array.allocate(shape, kind, x.layout.device)
    is_in_place = not is_real and not dtype.is_complex
    source = result if is_in_place else x
    way = _way_for(source, (length,), result, is_aligned=_is_aligned(source, kind))
    if not way.is_copied:
        direction, factor = INVERSE if name == "ifft" else FORWARD, _factor(name, length, norm)
        found = _Repeated(way, direction, shape, kind, factor, is_in_place)
        _repeated.keep((name, x.layout, n, axis, norm), found)


_plans: Kept[Any] = Kept(64)
"""A plan keeps memory of the GPU, a few times the lengths."""
_ways: Kept[_Way] = Kept(64)


def _run(name: str, array: Array, lengths: tuple[int, ...], result: Array) -> None:
    from speedmetal.backends.cuda.libraries.transforms import FORWARD, INVERSE

    is_aligned = _is_aligned(array, result.layout.dtype)
    key = (array.layout, result.layout, lengths, is_aligned)
    way = _ways.get(key)
    if way is None:
        way = _ways.keep(key, _way_for(array, lengths, result, is_aligned=is_aligned))
    if way.is_copied:
        copy = Array.allocate(array.shape, array.layout.dtype, array.layout.device)
        copy[...] = array
        array = copy
    direction = INVERSE if name in ("ifft", "irfft") else FORWARD
    addresses, kept = (array.address, result.address), (array.buffer, result.buffer)
    array.layout.device.routines.transforms.run(way.plan, addresses, direction, kept)


def _is_aligned(array: Array, result: DType) -> bool:
    """Whether the library can read it: real numbers may begin in the middle of two."""
    return not array.address % max(array.itemsize, result.itemsize)


def _way_for(array: Array, lengths: tuple[int, ...], result: Array, *, is_aligned: bool) -> _Way:
    from speedmetal.backends.cuda.libraries.transforms import Transform

    rank, device, dtype = len(lengths), array.layout.device, array.layout.dtype
    source = spread(array.elements, rank) if is_aligned else None
    is_copied = source is None
    if source is None:
        source = spread(Layout.c_contiguous(dtype, array.shape), rank)
    target = spread(result.elements, rank)
    count = result.size // math.prod(result.shape[result.ndim - rank :])
    transform = Transform(lengths, count, source, dtype, target, result.layout.dtype)
    plan = _plans.get((device, transform))
    if plan is None:
        plan = _plans.keep((device, transform), device.routines.transforms.plan(transform))
    return _Way(plan, is_copied)


def spread(layout: Layout, rank: int) -> Any:
    """Where the last axes, and the stack before them, are for the library; None: it takes a copy.

    >>> from speedmetal.dtypes import complex64
    >>> spread(Layout.c_contiguous(complex64, (5, 3, 4)), 2)
    Spread(extents=(3, 4), stride=1, distance=12)
    >>> spread(Layout(complex64, (4, 5), (8, 32)), 1)
    Spread(extents=(5,), stride=4, distance=1)
    >>> spread(Layout.c_contiguous(complex64, (5, 4))[:, ::-1], 1)
    """
    from speedmetal.backends.cuda.libraries.transforms import Spread

    size, first = layout.itemsize, layout.ndim - rank
    batch = Layout(layout.dtype, layout.shape[:first], layout.strides[:first])
    count = batch.size
    stack = batch.reshape((count,))
    if stack is None or any(step % size for step in layout.strides):
        return None
    shape = layout.shape[first:]
    strides = [step // size for step in layout.strides[first:]]
    stride = strides[-1] if shape[-1] > 1 else 1
    distance = stack.strides[0] // size if count > 1 else math.prod(shape) * stride
    extents, step = [shape[0]], stride
    for place in range(rank - 1, 0, -1):
        extent, beyond = (
            divmod(strides[place - 1], step) if shape[place - 1] > 1 else (shape[place], 0)
        )
        if beyond or extent < shape[place]:
            return None
        extents.insert(1, extent)
        step *= extent
    return None if stride < 1 or distance < 1 else Spread(tuple(extents), stride, distance)

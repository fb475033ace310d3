"""Maxima and means of windows that move over images of one to three dimensions."""

from __future__ import annotations

import math
import operator
from typing import Any

from speedmetal.arrays.along_axes import reductions
from speedmetal.arrays.along_axes.reducing import accumulator
from speedmetal.arrays.along_axes.sorted_axes import EXPRESSIONS_OF_OPERATION, known
from speedmetal.arrays.array import Array
from speedmetal.arrays.replaying import replayed
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.nn.images import EACH, Made, Placed, Prepared, image_of
from speedmetal.nn.windows import (
    DIMENSIONS,
    axis_names,
    borders,
    channels_of,
    check_floats,
    check_image,
    each_axis,
    shape_of,
    space_of,
)

_Steps = tuple[int, int, int, int, int]
"""A :class:`speedmetal.nn.kernels.pooling.Steps`."""
_ALONE: _Steps = (1, 1, 1, 0, 0)


@record
class _Pooling:
    """How windows are taken, and what of them.

    Args:
        pooling: A name of :mod:`speedmetal.nn.kernels.pooling`; ``window`` as well.
        window: See there.
        steps: Along each of three axes of space.
        counts_border: Whether elements of the border count for a mean.
    """

    pooling: str
    window: str
    steps: tuple[_Steps, ...]
    counts_border: bool


# --- Functions -----------------------------------------------------------------------------------


@replayed
def max_pool1d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    *,
    padding: Any = 0,
    dilation: Any = 1,
    layout: str = "channels_last",
) -> Array:
    """The greatest of each window of sequences. See :func:`max_pool2d`.

    Args:
        x: ``(batch, length, channels)``.
        kernel_size: Of the window.
        stride: From a window to the next one; None: ``kernel_size``.
        padding: As in :func:`max_pool2d`; the rest as well.
        dilation: See there.
        layout: See there.

    Raises:
        UserInputError: See :func:`max_pool2d`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.max_pool1d(sm.array([[[1.0], [3.0], [2.0], [0.0]]]), 2).reshape(-1)
        Array([3., 2.], dtype=float32, device='cpu')
    """
    return _max_pool("max_pool1d", 1, x, (kernel_size, stride, padding, dilation, layout))


@replayed
def max_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    *,
    padding: Any = 0,
    dilation: Any = 1,
    layout: str = "channels_last",
) -> Array:
    """The greatest element under each window of images.

        ``result[n, y, x, c] = max(image[n, y * stride + i * dilation - padding, x * ..., c])`` over
        the window's ``i`` and ``j``

    The border counts as ``-inf``, of integers as their least. NaN where the window has one.

    Args:
        x: ``(batch, rows, columns, channels)``; ``(batch, channels, rows, columns)`` where the
            layout is ``"channels_first"``. Of real numbers.
        kernel_size: Of the window, for both axes or each.
        stride: From a window to the next one, for both axes or each; None: ``kernel_size``.
        padding: Width of the border: a number, one for each axis, ``(before, after)`` for each,
            ``"same"`` or ``"valid"``, as in :func:`speedmetal.nn.conv2d`.
        dilation: From an element of a window to the next one.
        layout: ``"channels_last"``, or ``"channels_first"``.

    Returns:
        ``(batch, (rows + padding - reach) // stride + 1, the same of columns, channels)``, or with
        the channels first; ``reach = (kernel_size - 1) * dilation + 1``.

    Raises:
        UserInputError: ``x`` has other axes or a dtype without an order, a number is wrong, or the
            window is larger than the image with its border.
        UnknownNameError: There is no such layout or padding.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.max_pool2d(sm.arange(16.0).reshape((1, 4, 4, 1)), 2)[0, :, :, 0]
        Array([[ 5.,  7.],
               [13., 15.]], dtype=float32, device='cpu')
    """
    return _max_pool("max_pool2d", 2, x, (kernel_size, stride, padding, dilation, layout))


@replayed
def max_pool3d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    *,
    padding: Any = 0,
    dilation: Any = 1,
    layout: str = "channels_last",
) -> Array:
    """The greatest of each window of volumes. See :func:`max_pool2d`.

    Args:
        x: ``(batch, depth, rows, columns, channels)``.
        kernel_size: Of the window, for all axes or each.
        stride: From a window to the next one; None: ``kernel_size``.
        padding: As in :func:`max_pool2d`; the rest as well.
        dilation: See there.
        layout: See there.

    Raises:
        UserInputError: See :func:`max_pool2d`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.max_pool3d(sm.ones((1, 4, 4, 4, 2)), 2).shape
        (1, 2, 2, 2, 2)
    """
    return _max_pool("max_pool3d", 3, x, (kernel_size, stride, padding, dilation, layout))


@replayed
def avg_pool1d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    *,
    padding: Any = 0,
    count_include_pad: bool = True,
    layout: str = "channels_last",
) -> Array:
    """The mean of each window of sequences. See :func:`avg_pool2d`.

    Args:
        x: ``(batch, length, channels)``.
        kernel_size: Of the window.
        stride: From a window to the next one; None: ``kernel_size``.
        padding: As in :func:`avg_pool2d`; the rest as well.
        count_include_pad: See there.
        layout: See there.

    Raises:
        UserInputError: See :func:`avg_pool2d`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.avg_pool1d(sm.array([[[1.0], [3.0], [2.0], [0.0]]]), 2).reshape(-1)
        Array([2., 1.], dtype=float32, device='cpu')
    """
    return _avg_pool(
        "avg_pool1d", 1, x, (kernel_size, stride, padding, 1, layout), count_include_pad
    )


@replayed
def avg_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    *,
    padding: Any = 0,
    count_include_pad: bool = True,
    layout: str = "channels_last",
) -> Array:
    """The mean of what is under each window of images.

    Numbers of 16 bits are summed in float32.

    Args:
        x: ``(batch, rows, columns, channels)``; ``(batch, channels, rows, columns)`` where the
            layout is ``"channels_first"``. Of floats.
        kernel_size: Of the window, for both axes or each.
        stride: From a window to the next one, for both axes or each; None: ``kernel_size``.
        padding: Width of a border of zeros, as in :func:`max_pool2d`.
        count_include_pad: Whether these zeros count. Where they do not, a window of zeros alone
            gives NaN.
        layout: ``"channels_last"``, or ``"channels_first"``.

    Returns:
        As :func:`max_pool2d`.

    Raises:
        UserInputError: ``x`` has other axes or no floats, a number is wrong, or the window is
            larger than the image with its border.
        UnknownNameError: There is no such layout or padding.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.avg_pool2d(sm.arange(16.0).reshape((1, 4, 4, 1)), 2)[0, :, :, 0]
        Array([[ 2.5,  4.5],
               [10.5, 12.5]], dtype=float32, device='cpu')
    """
    return _avg_pool(
        "avg_pool2d", 2, x, (kernel_size, stride, padding, 1, layout), count_include_pad
    )


@replayed
def avg_pool3d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    *,
    padding: Any = 0,
    count_include_pad: bool = True,
    layout: str = "channels_last",
) -> Array:
    """The mean of each window of volumes. See :func:`avg_pool2d`.

    Args:
        x: ``(batch, depth, rows, columns, channels)``.
        kernel_size: Of the window, for all axes or each.
        stride: From a window to the next one; None: ``kernel_size``.
        padding: As in :func:`avg_pool2d`; the rest as well.
        count_include_pad: See there.
        layout: See there.

    Raises:
        UserInputError: See :func:`avg_pool2d`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.avg_pool3d(sm.ones((1, 4, 4, 4, 2)), 2).shape
        (1, 2, 2, 2, 2)
    """
    return _avg_pool(
        "avg_pool3d", 3, x, (kernel_size, stride, padding, 1, layout), count_include_pad
    )


@replayed
def adaptive_avg_pool1d(x: Any, output_size: Any, *, layout: str = "channels_last") -> Array:
    """The means of so many windows of sequences. See :func:`adaptive_avg_pool2d`.

    Args:
        x: ``(batch, length, channels)``.
        output_size: How many windows there are.
        layout: As in :func:`adaptive_avg_pool2d`.

    Raises:
        UserInputError: See :func:`adaptive_avg_pool2d`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.adaptive_avg_pool1d(sm.arange(5.0).reshape((1, 5, 1)), 2).reshape(-1)
        Array([1., 3.], dtype=float32, device='cpu')
    """
    return _adaptive("adaptive_avg_pool1d", 1, x, output_size, layout, "MEAN")


@replayed
def adaptive_avg_pool2d(x: Any, output_size: Any, *, layout: str = "channels_last") -> Array:
    """The means of so many windows of images, which together cover them.

    Window ``k`` of ``windows`` goes from ``floor(k * extent / windows)`` to before
    ``ceil((k + 1) * extent / windows)``, along each axis: where they do not divide it, windows
    overlap by one. Numbers of 16 bits are summed in float32.

    Args:
        x: ``(batch, rows, columns, channels)``; ``(batch, channels, rows, columns)`` where the
            layout is ``"channels_first"``. Of floats.
        output_size: How many windows there are along both axes, or each; None there: as many as
            elements.
        layout: ``"channels_last"``, or ``"channels_first"``.

    Returns:
        ``(batch, *output_size, channels)``, or with the channels first.

    Raises:
        UserInputError: ``x`` has other axes, no floats or nothing to share out, or a number is
            wrong.
        UnknownNameError: There is no such layout.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.adaptive_avg_pool2d(sm.ones((1, 7, 9, 3)), (2, None)).shape
        (1, 2, 9, 3)
    """
    return _adaptive("adaptive_avg_pool2d", 2, x, output_size, layout, "MEAN")


@replayed
def adaptive_avg_pool3d(x: Any, output_size: Any, *, layout: str = "channels_last") -> Array:
    """The means of so many windows of volumes. See :func:`adaptive_avg_pool2d`.

    Args:
        x: ``(batch, depth, rows, columns, channels)``.
        output_size: How many windows there are along all axes, or each.
        layout: As in :func:`adaptive_avg_pool2d`.

    Raises:
        UserInputError: See :func:`adaptive_avg_pool2d`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.adaptive_avg_pool3d(sm.ones((1, 4, 5, 6, 3)), 2).shape
        (1, 2, 2, 2, 3)
    """
    return _adaptive("adaptive_avg_pool3d", 3, x, output_size, layout, "MEAN")


@replayed
def adaptive_max_pool1d(x: Any, output_size: Any, *, layout: str = "channels_last") -> Array:
    """The greatest of so many windows of sequences. See :func:`adaptive_max_pool2d`.

    Args:
        x: ``(batch, length, channels)``.
        output_size: How many windows there are.
        layout: As in :func:`adaptive_avg_pool2d`.

    Raises:
        UserInputError: See :func:`adaptive_avg_pool2d`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.adaptive_max_pool1d(sm.arange(5.0).reshape((1, 5, 1)), 2).reshape(-1)
        Array([2., 4.], dtype=float32, device='cpu')
    """
    return _adaptive("adaptive_max_pool1d", 1, x, output_size, layout, "MAXIMUM")


@replayed
def adaptive_max_pool2d(x: Any, output_size: Any, *, layout: str = "channels_last") -> Array:
    """The greatest elements of so many windows of images, which together cover them.

    The windows are those of :func:`adaptive_avg_pool2d`. NaN where a window has one.

    Args:
        x: As there, of any real numbers.
        output_size: How many windows there are along both axes, or each.
        layout: ``"channels_last"``, or ``"channels_first"``.

    Raises:
        UserInputError: See :func:`adaptive_avg_pool2d`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.adaptive_max_pool2d(sm.ones((1, 7, 9, 3)), 2).shape
        (1, 2, 2, 3)
    """
    return _adaptive("adaptive_max_pool2d", 2, x, output_size, layout, "MAXIMUM")


@replayed
def adaptive_max_pool3d(x: Any, output_size: Any, *, layout: str = "channels_last") -> Array:
    """The greatest of so many windows of volumes. See :func:`adaptive_max_pool2d`.

    Args:
        x: ``(batch, depth, rows, columns, channels)``.
        output_size: How many windows there are along all axes, or each.
        layout: As in :func:`adaptive_avg_pool2d`.

    Raises:
        UserInputError: See :func:`adaptive_avg_pool2d`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.adaptive_max_pool3d(sm.ones((1, 4, 5, 6, 3)), 2).shape
        (1, 2, 2, 2, 3)
    """
    return _adaptive("adaptive_max_pool3d", 3, x, output_size, layout, "MAXIMUM")


# --- What they have in common --------------------------------------------------------------------

_Given = tuple[Any, Any, Any, Any, str]
"""Size, stride, padding, dilation and layout, as the user gives them."""


def _max_pool(name: str, rank: int, x: Any, given: _Given) -> Array:
    check_image(name, x, rank, given[-1])
    dtype = x.layout.dtype
    if dtype.is_complex or dtype.is_bool:
        raise UserInputError(f"{name} expected real numbers, got {dtype}; convert with x.astype")
    return _pooled(name, rank, x, given, "MAXIMUM", dtype, counts_border=False)


def _avg_pool(name: str, rank: int, x: Any, given: _Given, counts_border: bool) -> Array:  # noqa: FBT001
    check_image(name, x, rank, given[-1])
    dtype = x.layout.dtype
    check_floats(name, dtype)
    wide = x.astype(accumulator(dtype), copy=False)
    return _pooled(name, rank, wide, given, "MEAN", dtype, counts_border=counts_border)


def _pooled(
    name: str, rank: int, x: Any, given: _Given, pooling: str, dtype: DType, *, counts_border: bool
) -> Array:
    kernel_size, stride, padding, dilation, layout = given
    extents = space_of(x.shape, layout)
    sizes = each_axis(name, "kernel_size", kernel_size, rank)
    strides = sizes if stride is None else each_axis(name, "stride", stride, rank)
    dilations = each_axis(name, "dilation", dilation, rank)
    around = borders(name, padding, extents, sizes, strides, dilations)
    steps: list[_Steps] = []
    windows = []
    axes = zip(axis_names(rank), extents, sizes, strides, dilations, around, strict=True)
    for where, extent, size, step, apart, (before, after) in axes:
        reach = (size - 1) * apart + 1
        count = (extent + before + after - reach) // step + 1
        if count < 1:
            raise UserInputError(
                f"{name}: along {where} the window reaches over {reach} elements, but x {x.shape}"
                f" has {extent}, with its border {extent + before + after}; give more padding, or a"
                " smaller kernel_size"
            )
        steps.append((size, step, apart, before, after))
        windows.append(count)
    whole = (*(_ALONE,) * (DIMENSIONS - rank), *steps)
    how = _Pooling(pooling, "stepping", whole, counts_border)
    shape = shape_of(x.shape[0], tuple(windows), channels_of(x.shape, layout), layout)
    reads = math.prod(-(-size // step) for size, step, *_ in steps)
    return _pooled_by(name, x, Made(shape, dtype, layout), how, reads)


def _adaptive(name: str, rank: int, x: Any, output_size: Any, layout: str, pooling: str) -> Array:
    check_image(name, x, rank, layout)
    dtype = x.layout.dtype
    if pooling == "MEAN":
        check_floats(name, dtype)
    elif dtype.is_complex or dtype.is_bool:
        raise UserInputError(f"{name} expected real numbers, got {dtype}; convert with x.astype")
    extents = space_of(x.shape, layout)
    wanted = output_size if isinstance(output_size, list | tuple) else (output_size,) * rank
    if len(wanted) == rank:
        wanted = [n if own is None else own for own, n in zip(wanted, extents, strict=True)]
    windows = each_axis(name, "output_size", tuple(wanted), rank, 0)
    shape = shape_of(x.shape[0], windows, channels_of(x.shape, layout), layout)
    if 0 in extents and 0 not in shape:
        raise UserInputError(
            f"{name}: x {x.shape} has no elements to share out among {windows} windows"
        )
    axes = tuple(range(1, rank + 1)) if layout == "channels_last" else tuple(range(2, rank + 2))
    if all(count == 1 for count in windows) and 0 not in shape:
        reduce = reductions.mean if pooling == "MEAN" else reductions.max
        found: Array = reduce(x, axis=axes, keepdims=True)
        return found
    if all(
        operator.index(n) and not extent % n for n, extent in zip(windows, extents, strict=True)
    ):
        sizes = tuple(extent // n for n, extent in zip(windows, extents, strict=True))
        given = (sizes, None, 0, 1, layout)
        way = _avg_pool(name, rank, x, given, False) if pooling == "MEAN" else None
        return way if way is not None else _max_pool(name, rank, x, given)
    wide = x.astype(accumulator(dtype), copy=False) if pooling == "MEAN" else x
    steps = tuple((count, 1, 1, 0, 0) for count in windows)
    alone = (_ALONE,) * (DIMENSIONS - rank)
    how = _Pooling(pooling, "sharing", (*alone, *steps), counts_border=False)
    return _pooled_by(name, wide, Made(shape, dtype, layout), how, 2)


def _pooled_by(name: str, x: Any, made: Made, how: _Pooling, reads: int) -> Array:
    """What windows of an image give, lazily."""

    def prepare(placed: Placed) -> Prepared:
        from speedmetal.nn.kernels import pooling as kernels  # with its first use

        steps = tuple(kernels.Steps(*numbers) for numbers in how.steps)
        pooling, window = getattr(kernels, how.pooling), getattr(kernels, how.window)
        lanes = kernels.CHANNELS if placed.lanes_are_channels else kernels.COLUMNS
        volume = math.prod(size for size, *_ in how.steps)
        elements = x.elements.size if how.window == "sharing" else placed.size * volume
        is_whole = all(own[2:] == (1, 0, 0) for own in how.steps)
        flags = (known(how.counts_border), known(is_whole))
        return Prepared(
            kernels.pool,
            (pooling, window, steps, EACH, lanes, *flags),
            EXPRESSIONS_OF_OPERATION * elements,
            (*(number for own in how.steps for number in own), EACH),
        )

    return image_of(name, x, made, how, prepare, reads)

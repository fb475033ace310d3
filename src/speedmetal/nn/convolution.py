"""Convolutions of images of one to three dimensions, and their transposes.

They are cross-correlations, as in all libraries of layers: the window is not turned around.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from speedmetal.arrays.along_axes.reducing import accumulator
from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import common_dtype
from speedmetal.arrays.creation import full
from speedmetal.arrays.deferred.graph import common_device
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.replaying import replayed
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.frontend.signature import with_article
from speedmetal.nn.correlating import correlated
from speedmetal.nn.correlation import COLUMNS_FIRST, WHOLE, Correlation, Part, reads_of, way_of
from speedmetal.nn.tiling import LONGEST
from speedmetal.nn.transposing import parts_of_transposed
from speedmetal.nn.windows import (
    DIMENSIONS,
    LAYOUTS,
    Extents,
    Span,
    axis_names,
    borders,
    channels_of,
    check_floats,
    check_image,
    each_axis,
    shape_of,
    space_of,
    three,
    words,
)


@record
class _Options:
    """What a convolution is, beside its operands.

    Args:
        function: The user's.
        rank: Dimensions of space.
        is_transposed: Whether it is a transposed one.
        stride: As the user gives them; the rest as well.
        padding: See there.
        output_padding: Of a transposed one.
        dilation: See there.
        groups: See there.
        layout: See there.
    """

    function: str
    rank: int
    is_transposed: bool
    stride: Any
    padding: Any
    output_padding: Any
    dilation: Any
    groups: Any
    layout: str

    def key(self) -> tuple[Any, ...]:
        """Of what depends on them: lists that the user gave are none."""
        given = (self.stride, self.padding, self.output_padding, self.dilation)
        return (self.function, *map(_hashable, given), self.groups, self.layout)


def _hashable(given: Any) -> Any:
    return tuple(map(_hashable, given)) if isinstance(given, list | tuple) else given


# --- Functions -----------------------------------------------------------------------------------


@replayed
def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: str = "channels_last",
) -> Array:
    """The convolution of sequences. See :func:`conv2d`, of which this has one axis of space.

    Args:
        x: ``(batch, length, channels)``.
        weight: ``(outputs, kernel, channels / groups)``.
        bias: ``(outputs,)``; None: none.
        stride: From a window to the next one.
        padding: Zeros at the ends: a number, ``((before, after),)``, ``"same"`` or ``"valid"``.
        dilation: From an element of a window to the next one.
        groups: Into how many parts channels and outputs are divided.
        layout: ``"channels_last"``, or ``"channels_first"``.

    Returns:
        ``(batch, windows, outputs)``.

    Raises:
        UserInputError: See :func:`conv2d`.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[[1.0], [2.0], [4.0], [8.0]]])
        >>> sm.nn.conv1d(x, sm.array([[[-1.0], [1.0]]])).reshape(-1)
        Array([1., 2., 4.], dtype=float32, device='cpu')
    """
    return _convolution(
        _Options("conv1d", 1, False, stride, padding, 0, dilation, groups, layout), x, weight, bias
    )


@replayed
def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: str = "channels_last",
) -> Array:
    """The convolution of images: cross-correlation, as in other libraries of layers.

        ``result[n, y, x, o] = bias[o] + sum(image[n, y * stride + i * dilation - padding, x * ...,
        c] * weight[o, i, j, c])`` over the window's ``i`` and ``j``, and the ``c`` of its group

    Numbers of 16 bits are summed in float32, and rounded once, after the bias.

    An activation, a sum or a scale that follows is computed as the kernel stores. What ``x`` is
    computed from is computed as the kernel loads where it does so a few times, else stored first.

    Args:
        x: ``(batch, rows, columns, channels)``; ``(batch, channels, rows, columns)`` where the
            layout is ``"channels_first"``. Of floats.
        weight: ``(outputs, kernel_rows, kernel_columns, channels / groups)``;
            ``(outputs, channels / groups, kernel_rows, kernel_columns)``.
        bias: ``(outputs,)``; None: none.
        stride: From a window to the next one, for both axes or each.
        padding: Zeros around the image: a number, one for each axis, or ``(before, after)`` for
            each; ``"valid"``: none; ``"same"``: so many that there are ``ceil(extent / stride)``
            windows along each axis, half of them before, rounded down.
        dilation: From an element of a window to the next one, for both axes or each.
        groups: Into how many parts channels and outputs are divided: outputs of a part see its
            channels alone. As many as there are channels: a depthwise convolution.
        layout: Where an image's channels are, ``"channels_last"`` or ``"channels_first"``.

    Returns:
        ``(batch, (rows + padding - reach) // stride + 1, the same of columns, outputs)``, or with
        the outputs first, of the promoted dtype; ``reach = (kernel - 1) * dilation + 1``.

    Raises:
        UserInputError: Axes, channels, groups or dtypes do not go together, or the window is larger
            than the padded image.
        UnknownNameError: There is no such layout or padding.

    Example:
        >>> import speedmetal as sm
        >>> images = sm.ones((1, 5, 5, 3))
        >>> sm.nn.conv2d(images, sm.ones((8, 3, 3, 3)), stride=2, padding=1).shape
        (1, 3, 3, 8)
        >>> sm.nn.conv2d(images, sm.ones((1, 3, 3, 3)), padding="same")[0, :2, :2, 0]
        Array([[12., 18.],
               [18., 27.]], dtype=float32, device='cpu')
    """
    return _convolution(
        _Options("conv2d", 2, False, stride, padding, 0, dilation, groups, layout), x, weight, bias
    )


@replayed
def conv3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: str = "channels_last",
) -> Array:
    """The convolution of volumes. See :func:`conv2d`, of which this has three axes of space.

    Args:
        x: ``(batch, depth, rows, columns, channels)``.
        weight: ``(outputs, kernel_depth, kernel_rows, kernel_columns, channels / groups)``.
        bias: ``(outputs,)``; None: none.
        stride: From a window to the next one, for all axes or each.
        padding: As in :func:`conv2d`.
        dilation: From an element of a window to the next one, for all axes or each.
        groups: As in :func:`conv2d`.
        layout: As in :func:`conv2d`.

    Raises:
        UserInputError: See :func:`conv2d`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.conv3d(sm.ones((1, 4, 6, 6, 2)), sm.ones((5, 3, 3, 3, 2))).shape
        (1, 2, 4, 4, 5)
    """
    return _convolution(
        _Options("conv3d", 3, False, stride, padding, 0, dilation, groups, layout), x, weight, bias
    )


@replayed
def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: str = "channels_last",
) -> Array:
    """The transposed convolution of sequences. See :func:`conv_transpose2d`.

    Args:
        x: ``(batch, length, channels)``.
        weight: ``(outputs, kernel, channels / groups)``;
            ``(channels, outputs / groups, kernel)`` where the layout is ``"channels_first"``.
        bias: ``(outputs,)``; None: none.
        stride: As in :func:`conv_transpose2d`; the rest as well.
        padding: See there.
        output_padding: See there.
        dilation: See there.
        groups: See there.
        layout: See there.

    Raises:
        UserInputError: See :func:`conv_transpose2d`.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[[1.0], [2.0]]])
        >>> sm.nn.conv_transpose1d(x, sm.array([[[1.0], [10.0]]]), stride=2).reshape(-1)
        Array([ 1., 10.,  2., 20.], dtype=float32, device='cpu')
    """
    options = (stride, padding, output_padding, dilation, groups, layout)
    return _convolution(_Options("conv_transpose1d", 1, True, *options), x, weight, bias)


@replayed
def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: str = "channels_last",
) -> Array:
    """The transposed convolution of images: the gradient of :func:`conv2d` in respect of its image.

    Every pixel at ``p`` adds ``x[p] * weight[k]`` to the results at
    ``p * stride + k * dilation - padding``. Source: V. Dumoulin and F. Visin, "A guide to
    convolution arithmetic for deep learning", 2016, chapter 4.

    Args:
        x: ``(batch, rows, columns, channels)``; ``(batch, channels, rows, columns)`` where the
            layout is ``"channels_first"``. Of floats.
        weight: ``(outputs, kernel_rows, kernel_columns, channels / groups)``;
            ``(channels, outputs / groups, kernel_rows, kernel_columns)``.
        bias: ``(outputs,)``; None: none.
        stride: Of the convolution: how far neighbours are apart in the result.
        padding: Of the convolution: so much is left out at the ends of the result. A number, one
            for each axis, or ``(before, after)`` for each.
        output_padding: How many more rows and columns the result has at its end: sizes between two
            steps of the stride give the same image. Less than the stride or the dilation.
        dilation: From an element of a window to the next one.
        groups: As in :func:`conv2d`.
        layout: As in :func:`conv2d`.

    Returns:
        ``(batch, (rows - 1) * stride - padding + reach + output_padding, the same of columns,
        outputs)``, or with the outputs first; ``reach = (kernel - 1) * dilation + 1``, ``padding``
        that of both ends.

    Raises:
        UserInputError: Axes, channels, groups or dtypes do not go together, ``output_padding`` is
            too large, or nothing is left of the result.
        UnknownNameError: There is no such layout.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.conv_transpose2d(sm.ones((1, 4, 4, 3)), sm.ones((5, 3, 3, 3)), stride=2).shape
        (1, 9, 9, 5)
    """
    options = (stride, padding, output_padding, dilation, groups, layout)
    return _convolution(_Options("conv_transpose2d", 2, True, *options), x, weight, bias)


@replayed
def conv_transpose3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: str = "channels_last",
) -> Array:
    """The transposed convolution of volumes. See :func:`conv_transpose2d`.

    Args:
        x: ``(batch, depth, rows, columns, channels)``.
        weight: ``(outputs, kernel_depth, kernel_rows, kernel_columns, channels / groups)``;
            ``(channels, outputs / groups, kernel_depth, kernel_rows, kernel_columns)`` where the
            layout is ``"channels_first"``.
        bias: ``(outputs,)``; None: none.
        stride: As in :func:`conv_transpose2d`; the rest as well.
        padding: See there.
        output_padding: See there.
        dilation: See there.
        groups: See there.
        layout: See there.

    Raises:
        UserInputError: See :func:`conv_transpose2d`.

    Example:
        >>> import speedmetal as sm
        >>> x, weight = sm.ones((1, 2, 2, 2, 3)), sm.ones((5, 2, 2, 2, 3))
        >>> sm.nn.conv_transpose3d(x, weight, stride=2).shape
        (1, 4, 4, 4, 5)
    """
    options = (stride, padding, output_padding, dilation, groups, layout)
    return _convolution(_Options("conv_transpose3d", 3, True, *options), x, weight, bias)


# --- What they have in common --------------------------------------------------------------------


@record(eq=False)
class _Recipe:
    """What is done with operands of certain layouts.

    Args:
        work: The convolution; None: the result is empty.
        shape: Of the result.
        dtype: Of the result.
        bias: The bias' shape beside the sums.
        axes: What the result's axes are of those of the sums; None: the same.
    """

    work: Correlation | None
    shape: Extents
    dtype: DType
    bias: Extents
    axes: Extents | None


_recipes: Kept[_Recipe] = Kept(2048)


def _convolution(options: _Options, x: Any, weight: Any, bias: Any) -> Array:
    recipe = None
    operands = (x, weight) if bias is None else (x, weight, bias)
    is_usual = all(isinstance(operand, Array) for operand in operands)
    if is_usual:
        key = (*options.key(), *(operand.layout for operand in operands))
        recipe = _recipes.get(key)
    if recipe is None:
        recipe = _recipe_for(options, x, weight, bias)
        _recipes.keep(key, recipe)
    if recipe.work is None:
        return full(recipe.shape, 0.0, recipe.dtype, x.device)
    result = correlated(recipe.work, x, weight)
    if bias is not None:
        result = result + bias.astype(recipe.work.dtype, copy=False).reshape(recipe.bias)
    result = result.astype(recipe.dtype, copy=False)
    found: Array = result if recipe.axes is None else result.transpose(recipe.axes)
    return found


def _recipe_for(options: _Options, x: Any, weight: Any, bias: Any) -> _Recipe:
    dtype = _check_operands(options, x, weight, bias)
    spans = _spans(options, x.shape, weight.shape)
    rank, groups, layout = options.rank, options.groups, options.layout
    outputs = _outputs(options, weight.shape)
    space = tuple(span.windows for span in spans)
    shape = shape_of(x.shape[0], space, outputs, layout)
    if 0 in shape:
        return _Recipe(None, shape, dtype, (), None)
    parts: tuple[Part, ...] = (Part(three(spans), (WHOLE,) * 3, (WHOLE,) * 3),)
    if options.is_transposed:
        parts = parts_of_transposed(spans)
    total = accumulator(dtype)
    channels = channels_of(x.shape, layout)
    missing = (1,) * (DIMENSIONS - rank)
    sizes = (*missing, *space_of(weight.shape, layout))
    weights = (groups, outputs // groups, *sizes, channels // groups)
    # GPUs' kernels number elements in 32 bits.
    is_on_cpu = x.device.kind == "cpu" or max(math.prod(x.shape), math.prod(shape)) >= LONGEST
    way = way_of(parts[0].spans, weights, layout, total.bits, is_on_cpu=is_on_cpu)
    is_alike = x.layout.dtype is weight.layout.dtype
    own = layout if way == COLUMNS_FIRST else "channels_last"
    work = Correlation(
        name=options.function,
        parts=parts,
        image=(x.shape[0], *missing, *space_of(x.shape, layout), channels),
        weights=weights,
        shape=shape_of(x.shape[0], space, outputs, own),
        dtype=total,
        multiplied=x.layout.dtype if is_alike else total,
        layout=layout,
        has_inputs_first=options.is_transposed and layout == "channels_first",
        result_layout=own,
        way=way,
        reads=reads_of(way, parts, weights),
    )
    is_last = own == "channels_last"
    # As the channels lie, so they stay; they are seen from another side.
    axes = None if own == layout else (0, rank + 1, *range(1, rank + 1))
    return _Recipe(work, shape, dtype, (-1, *(1,) * (0 if is_last else rank)), axes)


def _outputs(options: _Options, weight: Extents) -> int:
    if options.is_transposed and options.layout == "channels_first":
        return weight[1] * int(options.groups)
    return weight[0]


def _spans(options: _Options, x: Extents, weight: Extents) -> list[Span]:
    """The window along each axis of space.

    Raises:
        UserInputError: It is larger than the padded image, or nothing is left of the result.
    """
    name, rank, layout = options.function, options.rank, options.layout
    extents, sizes = space_of(x, layout), space_of(weight, layout)
    strides = each_axis(name, "stride", options.stride, rank)
    dilations = each_axis(name, "dilation", options.dilation, rank)
    if options.is_transposed and options.padding == "same":
        raise UserInputError(
            f'{name} has no padding "same": say which part of the result is left out, by numbers'
        )
    around = borders(name, options.padding, extents, sizes, strides, dilations)
    more = each_axis(name, "output_padding", options.output_padding, rank, 0)
    spans = []
    names = axis_names(rank)
    axes = zip(extents, sizes, strides, dilations, around, more, strict=True)
    for axis, (extent, size, stride, dilation, (before, after), extra) in enumerate(axes):
        reach = (size - 1) * dilation + 1
        where = names[axis]
        if options.is_transposed:
            if extra and extra >= max(stride, dilation):
                raise UserInputError(
                    f"{name}: output_padding {extra} of {where} must be less than its stride"
                    f" {stride} or dilation {dilation}"
                )
            windows = (extent - 1) * stride + reach - before - after + extra
            if extent and windows < 1:
                raise UserInputError(
                    f"{name}: nothing is left of {where}: padding {before} + {after} of a result of"
                    f" {windows + before + after}; give less padding"
                )
        else:
            windows = (extent + before + after - reach) // stride + 1
            if windows < 1:
                raise UserInputError(
                    f"{name}: along {where} the window reaches over {reach} elements (kernel"
                    f" {size}, dilation {dilation}), but x has {extent}, with padding"
                    f" {extent + before + after}; give more padding, or a smaller kernel"
                    f"{_other_layout(options, x, weight)}"
                )
        spans.append(Span(size, stride, dilation, before, max(windows, 0)))
    return spans


# --- Operands ------------------------------------------------------------------------------------


def _check_operands(options: _Options, x: Any, weight: Any, bias: Any) -> DType:
    """The promoted dtype.

    Raises:
        UserInputError: They do not go together.
    """
    name, rank, layout = options.function, options.rank, options.layout
    check_image(name, x, rank, layout)
    for what, operand in (("weight", weight), ("bias", bias)):
        if not isinstance(operand, Array) and (what == "weight" or operand is not None):
            raise UserInputError(
                f"{name} expected an Array for {what}, got {with_article(type(operand).__name__)};"
                " convert with sm.asarray"
            )
    if weight.ndim != rank + 2 or 0 in weight.shape:
        raise UserInputError(
            f"{name} expected weight of {rank + 2} axes, {_weight_words(options)}, none of them"
            f" empty, got shape {weight.shape}"
        )
    arrays = [x, weight] if bias is None else [x, weight, bias]
    for array in arrays:
        check_floats(name, array.layout.dtype)
    dtype = common_dtype(name, [array.layout.dtype for array in arrays])
    common_device(name, arrays)
    _check_groups(options, x, weight)
    outputs = _outputs(options, weight.shape)
    if bias is not None and bias.shape != (outputs,):
        raise UserInputError(
            f"{name} expected bias of shape ({outputs},), one for each output, got {bias.shape}"
        )
    return dtype


def _check_groups(options: _Options, x: Array, weight: Array) -> None:
    name, groups = options.function, options.groups
    if not hasattr(groups, "__index__") or operator.index(groups) < 1:
        raise UserInputError(f"{name} expected groups of 1 or more, got {groups!r}")
    channels = channels_of(x.shape, options.layout)
    is_by_channels = options.is_transposed and options.layout == "channels_first"
    own = weight.shape[0]
    if channels % groups or own % groups:
        what = "channels" if is_by_channels else "outputs"
        raise UserInputError(
            f"{name}: {groups} groups must divide the {channels} channels of x {x.shape} and the"
            f" {own} {what} of weight {weight.shape}{_other_layout(options, x.shape, weight.shape)}"
        )
    given = own if is_by_channels else channels_of(weight.shape, options.layout) * groups
    if given != channels:
        each = f" ({groups} groups of {given // groups})" if groups > 1 else ""
        raise UserInputError(
            f"{name}: x {x.shape}, {words(options.rank, options.layout)}, has {channels} channels,"
            f" but weight {weight.shape}, {_weight_words(options)}, takes {given}{each}"
            f"{_other_layout(options, x.shape, weight.shape)}"
        )


def _weight_words(options: _Options) -> str:
    sizes = ("kernel_depth", "kernel_rows", "kernel_columns")[3 - options.rank :]
    window = ", ".join(sizes if options.rank > 1 else ("kernel",))
    if options.layout == "channels_last":
        return f"(outputs, {window}, channels / groups)"
    if options.is_transposed:
        return f"(channels, outputs / groups, {window})"
    return f"(outputs, channels / groups, {window})"


def _other_layout(options: _Options, x: Extents, weight: Extents) -> str:
    """Advice, where the operands would go together with the channels in another place."""
    other = LAYOUTS[options.layout == LAYOUTS[0]]
    channels = channels_of(x, other)
    if options.is_transposed and other == "channels_first":
        fits = weight[0] == channels
    else:
        fits = channels_of(weight, other) * options.groups == channels
    extents, sizes = space_of(x, other), space_of(weight, other)
    fits = fits and all(size <= extent for size, extent in zip(sizes, extents, strict=True))
    return f'; they go together with layout="{other}"' if fits else ""

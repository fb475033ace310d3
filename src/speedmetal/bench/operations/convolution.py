"""Convolutions over one and two dimensions: cross-correlation, no padding.

Canonical layout: input ``(batch, space..., channels)``, weight ``(out, kernel..., channels)``; in a
depthwise convolution, where every channel has a kernel of its own, ``(channels, kernel..., 1)``.

The transposed convolution is the gradient of a convolution with the given stride in respect of its
input: every input position p adds x[p] @ weight[k] to the output positions stride * p + k. Source:
V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter 4.
"""

from __future__ import annotations

import math

import numpy as np

from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Case,
    Layout,
    Operation,
    Params,
    Work,
    dims,
    elements,
    integer,
    layer,
    normal,
    published_cases,
    shape,
)


def _inputs(params: Params, generator: np.random.Generator) -> Arrays:
    fan_in = math.prod(params["weight"][1:])
    return {
        "x": normal(generator, params["x"]),
        "weight": normal(generator, params["weight"]) / np.float32(math.sqrt(fan_in)),
    }


def _output_shape(params: Params) -> list[int]:
    x, weight = params["x"], params["weight"]
    space = [n - k + 1 for n, k in zip(x[1:-1], weight[1:-1], strict=True)]
    return [x[0], *space, weight[0]]


def _reference(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    """Sum over kernel positions of (shifted input) @ (weight at that position)."""
    x, weight = inputs["x"], inputs["weight"]
    output = _output_shape(params)
    result = np.zeros((elements(output[:-1]), output[-1]), x.dtype)
    for position in np.ndindex(*weight.shape[1:-1]):
        window = tuple(slice(p, p + n) for p, n in zip(position, output[1:-1], strict=True))
        patch = x[(slice(None), *window)].reshape(-1, x.shape[-1])
        result += patch @ weight[(slice(None), *position)].T
    return (result.reshape(output),)


def _work(params: Params, itemsize: int) -> Work:
    output = _output_shape(params)
    moved = elements(params["x"], params["weight"], output) * itemsize
    return Work(moved, 2 * elements(output) * math.prod(params["weight"][1:]))


def _problem(params: Params) -> str | None:
    x, weight = params["x"], params["weight"]
    if x[-1] != weight[-1]:
        return f"weight: expected {x[-1]} input channels, as x {x} has, got {weight}"
    return _kernel_problem(params)


def _kernel_problem(params: Params) -> str | None:
    x, weight = params["x"], params["weight"]
    if any(k > n for n, k in zip(x[1:-1], weight[1:-1], strict=True)):
        return f"weight: expected a kernel no larger than x {x}, got {weight}"
    return None


def _label(params: Params) -> str:
    return f"{dims(params['x'])} {dims(params['weight'])}"


def _depthwise(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    """Sum over kernel positions of (shifted input) * (weight at that position)."""
    x, weight = inputs["x"], inputs["weight"]
    output = _output_shape(params)
    result = np.zeros(output, x.dtype)
    for position in np.ndindex(*weight.shape[1:-1]):
        window = tuple(slice(p, p + n) for p, n in zip(position, output[1:-1], strict=True))
        result += x[(slice(None), *window)] * weight[(slice(None), *position, 0)]
    return (result,)


def _depthwise_problem(params: Params) -> str | None:
    x, weight = params["x"], params["weight"]
    if [weight[0], weight[-1]] != [x[-1], 1]:
        return f"weight: expected [{x[-1]}, kernel, kernel, 1] for x {x}, got {weight}"
    return _kernel_problem(params)


def _transposed_shape(params: Params) -> list[int]:
    x, weight, stride = params["x"], params["weight"], params["stride"]
    space = [(n - 1) * stride + k for n, k in zip(x[1:-1], weight[1:-1], strict=True)]
    return [x[0], *space, weight[0]]


def _transposed_reference(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    x, weight, stride = inputs["x"], inputs["weight"], params["stride"]
    result = np.zeros(_transposed_shape(params), x.dtype)
    for position in np.ndindex(*weight.shape[1:-1]):
        targets = tuple(
            slice(p, p + (n - 1) * stride + 1, stride)
            for p, n in zip(position, x.shape[1:-1], strict=True)
        )
        result[(slice(None), *targets)] += x @ weight[(slice(None), *position)].T
    return (result,)


def _transposed_length(params: Params) -> int:
    """Terms of one output: the channels of every input position that adds to it."""
    *_, channels = params["x"]
    return int(channels) * math.prod(-(-k // params["stride"]) for k in params["weight"][1:-1])


def _transposed_work(params: Params, itemsize: int) -> Work:
    x, weight = params["x"], params["weight"]
    moved = elements(x, weight, _transposed_shape(params)) * itemsize
    return Work(moved, 2 * elements(x[:-1]) * elements(weight))


def _transposed_problem(params: Params) -> str | None:
    x, weight, stride = params["x"], params["weight"], params["stride"]
    if x[-1] != weight[-1]:
        return f"weight: expected {x[-1]} input channels, as x {x} has, got {weight}"
    if min(weight[1:-1]) < stride:
        # Frameworks differ in what they do with positions that nothing is added to.
        return f"stride: expected at most the kernel's size, got {stride} for weight {weight}"
    return None


def _convolution(name: str, title: str, rank: int, cases: tuple[Case, ...]) -> Operation:
    return Operation(
        name=name,
        title=title,
        family="convolution",
        parameters={"x": shape(rank, rank), "weight": shape(rank, rank)},
        problem=_problem,
        label=_label,
        inputs=_inputs,
        reference=_reference,
        work=_work,
        reduction_length=lambda params: math.prod(params["weight"][1:]),
        # FFT and Winograd algorithms spread a NaN over their whole tile: NaN is not checked.
        differentiable=("x", "weight"),
        layouts={"x": Layout.CHANNELS_LAST, "weight": Layout.CONVOLUTION_WEIGHT},
        output_layouts=(Layout.CHANNELS_LAST,),
        cases=cases,
    )


_DEPTHWISE = Operation(
    name="depthwise_conv2d",
    title="DepthwiseConv2d",
    family="convolution",
    parameters={"x": shape(4, 4), "weight": shape(4, 4)},
    problem=_depthwise_problem,
    label=_label,
    inputs=_inputs,
    reference=_depthwise,
    work=_work,
    reduction_length=lambda params: math.prod(params["weight"][1:]),
    # XLA may write it as a dense convolution with zeros, in which a NaN reaches all channels.
    nan_propagates=False,
    differentiable=("x", "weight"),
    layouts={"x": Layout.CHANNELS_LAST, "weight": Layout.CONVOLUTION_WEIGHT},
    output_layouts=(Layout.CHANNELS_LAST,),
    cases=layer(
        {"x": [8, 32, 32, 64], "weight": [64, 3, 3, 1]},
        {"x": [4, 112, 112, 96], "weight": [96, 3, 3, 1]},
        {"x": [8, 56, 56, 96], "weight": [96, 7, 7, 1]},
    ),
)

_TRANSPOSED = Operation(
    name="conv_transpose2d",
    title="ConvTranspose2d",
    family="convolution",
    parameters={"x": shape(4, 4), "weight": shape(4, 4), "stride": integer(1)},
    problem=_transposed_problem,
    label=lambda params: f"{_label(params)} str={params['stride']}",
    inputs=_inputs,
    reference=_transposed_reference,
    work=_transposed_work,
    reduction_length=_transposed_length,
    nan_propagates=True,
    differentiable=("x", "weight"),
    layouts={"x": Layout.CHANNELS_LAST, "weight": Layout.TRANSPOSED_CONVOLUTION_WEIGHT},
    output_layouts=(Layout.CHANNELS_LAST,),
    cases=layer(
        {"x": [4, 16, 16, 32], "weight": [16, 4, 4, 32], "stride": 2},
        {"x": [8, 32, 32, 64], "weight": [32, 4, 4, 64], "stride": 2},
        {"x": [4, 56, 56, 64], "weight": [32, 2, 2, 64], "stride": 2},
    ),
)


def _to_channels_first(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (np.ascontiguousarray(np.moveaxis(inputs["x"], -1, 1)),)


OPERATIONS = (
    _convolution(
        "conv1d",
        "Conv1d",
        3,
        published_cases(
            {"x": [100, 256, 3], "weight": [8, 3, 3]},
            {"x": [100, 256, 256], "weight": [8, 3, 256]},
            {"x": [16, 1000, 80], "weight": [128, 11, 80]},
            {"x": [16, 1000, 3], "weight": [128, 11, 3]},
            quick=0,
        ),
    ),
    _convolution(
        "conv2d",
        "Conv2d",
        4,
        published_cases(
            {"x": [100, 256, 256, 3], "weight": [8, 3, 3, 3]},
            {"x": [10, 256, 256, 12], "weight": [8, 3, 3, 12]},
            {"x": [1, 256, 256, 128], "weight": [8, 3, 3, 128]},
            {"x": [100, 28, 28, 3], "weight": [8, 3, 3, 3]},
            {"x": [1000, 28, 28, 3], "weight": [8, 3, 3, 3]},
            quick=3,
        ),
    ),
    _DEPTHWISE,
    _TRANSPOSED,
    # Frameworks are fed in their native layouts, outside the timed region; what the conversion
    # between them costs is this case of its own.
    Operation(
        name="channels_first",
        title="ChannelsFirst",
        family="data movement",
        parameters={"shape": shape(3)},
        label=lambda params: dims(params["shape"]),
        inputs=lambda params, generator: {"x": normal(generator, params["shape"])},
        reference=_to_channels_first,
        work=lambda params, itemsize: Work(2 * elements(params["shape"]) * itemsize, 0),
        exact=True,
        nan_propagates=True,
        cases=(
            Case({"shape": [100, 28, 28, 3]}, ("mlx-benchmark", "quick")),
            Case({"shape": [10, 256, 256, 12]}, ("mlx-benchmark",)),
            Case({"shape": [1, 256, 256, 128]}, ("mlx-benchmark",)),
        ),
    ),
)

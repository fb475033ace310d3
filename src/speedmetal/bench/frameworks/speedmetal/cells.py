"""speedmetal's column: each operation as a person who knows its arrays writes it."""

from __future__ import annotations

import math

import speedmetal as sm
from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor, chain_cell
from speedmetal.bench.frameworks.speedmetal.fused import FUSED_CELLS


def _unary(function: Function) -> Cell:
    return lambda _: function


def _bce(probability: Tensor, target: Tensor) -> Tensor:
    positive = target * sm.log(probability)
    return -sm.mean(positive + (1 - target) * sm.log1p(-probability))


def _standardise(x: Tensor, axis: int | tuple[int, ...]) -> Tensor:
    centred = x - sm.mean(x, axis=axis, keepdims=True)
    variance = sm.mean(sm.square(centred), axis=axis, keepdims=True)
    return centred * sm.rsqrt(variance + 1e-5)


def _layer_norm_affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _standardise(x, -1) * weight + bias


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return x * sm.rsqrt(sm.mean(sm.square(x), axis=-1, keepdims=True) + 1e-5) * weight


def _group_norm(params: Params) -> Function:
    groups = params["groups"]

    def group_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        grouped = x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
        return _standardise(grouped, (1, 3)).reshape(x.shape) * weight + bias

    return group_norm


def _batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _standardise(x, tuple(range(x.ndim - 1))) * weight + bias


def _selu(x: Tensor) -> Tensor:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return sm.where(x > 0, scale * x, (scale * alpha) * sm.expm1(x))


def _attention(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        scores = sm.matmul(query, key.mT) * scale
        return sm.matmul(sm.softmax(sm.where(mask, scores, -math.inf), axis=-1), value)

    return attention


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    right = sm.take_along_axis(logits, target[:, None], axis=-1)[:, 0]
    return sm.mean(sm.logsumexp(logits, axis=-1) - right)


def _lstm_cell(
    x: Tensor,
    hidden: Tensor,
    cell: Tensor,
    input_weight: Tensor,
    hidden_weight: Tensor,
    input_bias: Tensor,
    hidden_bias: Tensor,
) -> tuple[Tensor, Tensor]:
    return sm.nn.lstm_cell(x, (hidden, cell), input_weight, hidden_weight, input_bias, hidden_bias)


def _pooling(reduce: Function) -> Cell:
    def cell(params: Params) -> Function:
        size = params["window"]

        def pool(x: Tensor) -> Tensor:
            batch, height, width, channels = x.shape
            windows = x.reshape(batch, height // size, size, width // size, size, channels)
            return reduce(windows, axis=(2, 4))

        return pool

    return cell


def _depthwise(x: Tensor, weight: Tensor) -> Tensor:
    _, rows, columns, _ = weight.shape
    height, width = x.shape[1] - rows + 1, x.shape[2] - columns + 1
    return sum(
        x[:, i : i + height, j : j + width] * weight[:, i, j, 0]
        for i in range(rows)
        for j in range(columns)
    )


_STEPS: dict[str, Function] = {
    "multiply": sm.multiply,
    "add": sm.add,
    "tanh": sm.tanh,
    "sin": sm.sin,
    "square": sm.square,
    "sqrt": sm.sqrt,
    "exp": sm.exp,
    "log": sm.log,
    "reciprocal": sm.reciprocal,
    "negative": sm.negative,
}

_NO_CONVOLUTION = "speedmetal has no convolution of images with channels yet"
UNSUPPORTED = dict.fromkeys(("conv1d", "conv2d", "conv_transpose2d"), _NO_CONVOLUTION)

CELLS: dict[str, Cell] = {
    "argmax": lambda p: lambda x: sm.argmax(x, axis=p["axis"]),
    "sum": lambda p: lambda x: sm.sum(x, axis=p["axis"]),
    "sum_all": _unary(sm.sum),
    "bce": lambda _: _bce,
    "concat": lambda p: lambda a, b: sm.concat([a, b], axis=p["axis"]),
    "channels_first": _unary(lambda x: sm.moveaxis(x, -1, 1).copy()),
    "gather": lambda _: lambda x, index: x[index],
    "scatter": lambda _: sm.scatter,
    "scatter_sum": lambda _: sm.scatter_add,
    "scatter_max": lambda _: sm.scatter_max,
    "layer_norm": _unary(lambda x: _standardise(x, -1)),
    "leaky_relu": _unary(lambda x: sm.maximum(x, 0.01 * x)),
    "prelu": lambda _: lambda x, slope: sm.where(x >= 0, x, slope * x),
    "relu": _unary(sm.relu),
    "selu": _unary(_selu),
    "sigmoid": _unary(sm.sigmoid),
    "softplus": _unary(sm.softplus),
    "gelu": _unary(sm.gelu),
    "silu": _unary(sm.silu),
    "matmul": lambda _: sm.matmul,
    "linear": lambda _: lambda x, weight, bias: sm.matmul(x, weight) + bias,
    "attention": _attention,
    "softmax": lambda p: lambda x: sm.softmax(x, axis=p["axis"]),
    "sort": lambda p: lambda x: sm.sort(x, axis=p["axis"]),
    "layer_norm_affine": lambda _: _layer_norm_affine,
    "rms_norm": lambda _: _rms_norm,
    "group_norm": _group_norm,
    "batch_norm": lambda _: _batch_norm,
    "rope": lambda _: lambda x, cosine, sine: sm.nn.rope(x, cosine=cosine, sine=sine),
    "embedding": lambda _: lambda weight, token: sm.nn.embedding(token, weight),
    "cross_entropy": lambda _: _cross_entropy,
    "max_pool2d": _pooling(sm.max),
    "avg_pool2d": _pooling(sm.mean),
    "depthwise_conv2d": lambda _: _depthwise,
    "cumsum": lambda p: lambda x: sm.cumsum(x, axis=p["axis"]),
    "top_k": lambda p: lambda x: sm.topk(x, p["k"]).values,
    "rfft": _unary(sm.fft.rfft),
    "einsum": lambda _: lambda query, key: sm.einsum("bshd,bthd->bhst", query, key),
    "lstm_cell": lambda _: _lstm_cell,
    "chain5": chain_cell(_STEPS, 5),
    "chain20": chain_cell(_STEPS, 20),
    **FUSED_CELLS,
}

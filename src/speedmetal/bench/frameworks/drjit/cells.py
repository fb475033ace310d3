"""Dr.Jit's column: each operation as a person who knows its tensors writes it."""

from __future__ import annotations

import math
from collections.abc import Callable

import drjit as dr

from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor, chain_cell
from speedmetal.bench.frameworks.drjit.fused import FUSED_CELLS


def _unary(function: Function) -> Cell:
    return lambda _: lambda x: function(x)


def _along(reduce: Function) -> Cell:
    """A reduction along a case's axis, which Dr.Jit counts from the start."""
    return lambda p: lambda x: reduce(x, axis=p["axis"] % x.ndim)


def _bce(probability: Tensor, target: Tensor) -> Tensor:
    positive = target * dr.log(probability)
    total = dr.sum(positive + (1 - target) * dr.log(1 - probability), axis=None)
    return -total / math.prod(target.shape)  # dr.mean has an axis left in a frozen function


def _softmax_along(x: Tensor, axis: int) -> Tensor:
    powers = dr.exp(x - dr.max(x, axis=axis, keepdims=True))
    return powers / dr.sum(powers, axis=axis, keepdims=True)


def _standardise(x: Tensor, axis: int | tuple[int, ...]) -> Tensor:
    centred = x - dr.mean(x, axis=axis, keepdims=True)
    return centred * dr.rsqrt(dr.mean(dr.square(centred), axis=axis, keepdims=True) + 1e-5)


def _layer_norm(x: Tensor) -> Tensor:
    return _standardise(x, x.ndim - 1)


def _layer_norm_affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _layer_norm(x) * weight + bias


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    mean = dr.mean(dr.square(x), axis=x.ndim - 1, keepdims=True)
    return x * dr.rsqrt(mean + 1e-5) * weight


def _group_norm(params: Params) -> Function:
    batch, *space, channels = params["shape"]
    groups = params["groups"]
    grouped = (batch, math.prod(space), groups, channels // groups)

    def group_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        normalised = _standardise(dr.reshape(x, grouped), (1, 3))
        return dr.reshape(normalised, x.shape) * weight + bias

    return group_norm


def _batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _standardise(x, tuple(range(x.ndim - 1))) * weight + bias


def _sigmoid(x: Tensor) -> Tensor:
    return dr.rcp(1 + dr.exp(-x))


def _selu(x: Tensor) -> Tensor:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return dr.select(x > 0, scale * x, (scale * alpha) * (dr.exp(x) - 1))


def _relu(x: Tensor) -> Tensor:
    # Not dr.maximum: LLVM 15 has no such instruction for x86 ("Cannot select: fmaximum"), and ends
    # the process.
    return dr.select(x < 0, 0, x)


def _softplus(x: Tensor) -> Tensor:
    return _relu(x) + dr.log(1 + dr.exp(-dr.abs(x)))


def _gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + dr.erf(x * math.sqrt(0.5)))


def _attention(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        scores = dr.matmul(query, key, Bt=True) * scale
        weights = _softmax_along(dr.select(mask, scores, -math.inf), 3)
        return dr.matmul(weights, value)

    return attention


def _places(x: Tensor, index: Tensor) -> Tensor:
    """Where the elements of some rows of a matrix lie in its memory."""
    columns = x.shape[1]
    positions = dr.uint32_array_t(type(x.array))
    number = dr.arange(positions, index.shape[0] * columns)
    row = dr.gather(positions, positions(index.array), number // columns)
    return row * columns + number % columns


def _rows(x: Tensor, index: Tensor) -> Tensor:
    flat = dr.gather(type(x.array), x.array, _places(x, index))
    return type(x)(flat, (index.shape[0], x.shape[1]))


def _embedding(params: Params) -> Function:
    shape = (*params["tokens"], params["weight"][1])

    def embedding(weight: Tensor, token: Tensor) -> Tensor:
        return dr.reshape(_rows(weight, dr.reshape(token, (-1,))), shape)

    return embedding


def _scatter(write: Callable[..., None]) -> Cell:
    def scatter(x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
        flat = dr.copy(x.array)  # its memory is copied when it is written to
        write(flat, updates.array, _places(x, index))
        return type(x)(flat, x.shape)

    return lambda _: scatter


def _join(operation: dr.ReduceOp) -> Callable[..., None]:
    return lambda target, values, places: dr.scatter_reduce(operation, target, values, places)


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    rows, classes = logits.shape
    positions = dr.uint32_array_t(type(logits.array))
    places = dr.arange(positions, rows) * classes + positions(target.array)
    right = dr.gather(type(logits.array), logits.array, places)
    largest = dr.max(logits, axis=1, keepdims=True)
    total = dr.sum(dr.exp(logits - largest), axis=1, keepdims=True)
    log_sum = (dr.log(total) + largest)[:, 0]
    return dr.sum(log_sum - type(logits)(right, (rows,)), axis=None) / rows


def _pooling(reduce: Function) -> Cell:
    def cell(params: Params) -> Function:
        size = params["window"]
        batch, height, width, channels = params["shape"]
        windows = (batch, height // size, size, width // size, size, channels)
        return lambda x: reduce(dr.reshape(x, windows), axis=(2, 4))

    return cell


def _depthwise(x: Tensor, weight: Tensor) -> Tensor:
    _, rows, columns, _ = weight.shape
    height, width = x.shape[1] - rows + 1, x.shape[2] - columns + 1
    return sum(
        x[:, i : i + height, j : j + width, :] * weight[:, i, j, 0]
        for i in range(rows)
        for j in range(columns)
    )


def _rope(params: Params) -> Function:
    half = params["head_size"] // 2

    def rope(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        first, second = x[..., :half], x[..., half:]
        return dr.concat([first * cosine - second * sine, second * cosine + first * sine], axis=-1)

    return rope


def _lstm_cell(params: Params) -> Function:
    size = params["hidden_size"]

    def lstm_cell(
        x: Tensor,
        hidden: Tensor,
        cell: Tensor,
        input_weight: Tensor,
        hidden_weight: Tensor,
        input_bias: Tensor,
        hidden_bias: Tensor,
    ) -> tuple[Tensor, Tensor]:
        gates = dr.matmul(x, input_weight, Bt=True) + input_bias
        gates = gates + dr.matmul(hidden, hidden_weight, Bt=True) + hidden_bias
        i, f, g, o = (gates[:, k * size : (k + 1) * size] for k in range(4))
        cell = _sigmoid(f) * cell + _sigmoid(i) * dr.tanh(g)
        return _sigmoid(o) * dr.tanh(cell), cell

    return lstm_cell


def _top_k(params: Params) -> Function:
    return lambda x: dr.sort(x, axis=-1, descending=True)[..., : params["k"]]


_STEPS: dict[str, Function] = {
    "multiply": lambda x, constant: x * constant,
    "add": lambda x, constant: x + constant,
    "tanh": dr.tanh,
    "sin": dr.sin,
    "square": dr.square,
    "sqrt": dr.sqrt,
    "exp": dr.exp,
    "log": dr.log,
    "reciprocal": dr.rcp,
    "negative": lambda x: -x,
}

_NO_CONVOLUTION = "Dr.Jit convolves along an axis with one filter; it has no channels"
UNSUPPORTED = {
    **dict.fromkeys(("conv1d", "conv2d", "conv_transpose2d"), _NO_CONVOLUTION),
    "einsum": "Dr.Jit has no einsum",
    "rfft": "Dr.Jit has no Fourier transform",
}

CELLS: dict[str, Cell] = {
    "argmax": _along(dr.argmax),
    "sum": _along(dr.sum),
    "sum_all": _unary(lambda x: dr.sum(x, axis=None)),
    "bce": lambda _: _bce,
    "concat": lambda p: lambda a, b: dr.concat([a, b], axis=p["axis"]),
    "channels_first": _unary(lambda x: dr.moveaxis(x, -1, 1)),
    "gather": lambda _: _rows,
    "scatter": _scatter(dr.scatter),
    "scatter_sum": _scatter(_join(dr.ReduceOp.Add)),
    "scatter_max": _scatter(_join(dr.ReduceOp.Max)),
    "layer_norm": _unary(_layer_norm),
    "leaky_relu": _unary(lambda x: dr.select(x < 0, 0.01 * x, x)),
    "prelu": lambda _: lambda x, slope: dr.select(x >= 0, x, slope * x),
    "relu": _unary(_relu),
    "selu": _unary(_selu),
    "sigmoid": _unary(_sigmoid),
    "softplus": _unary(_softplus),
    "gelu": _unary(_gelu),
    "silu": _unary(lambda x: x / (1 + dr.exp(-x))),
    "matmul": lambda _: lambda a, b: a @ b,
    "linear": lambda _: lambda x, weight, bias: x @ weight + bias,
    "attention": _attention,
    "softmax": lambda p: lambda x: _softmax_along(x, p["axis"] % x.ndim),
    "sort": lambda p: lambda x: dr.sort(x, axis=p["axis"]),
    "layer_norm_affine": lambda _: _layer_norm_affine,
    "rms_norm": lambda _: _rms_norm,
    "group_norm": _group_norm,
    "batch_norm": lambda _: _batch_norm,
    "rope": _rope,
    "embedding": _embedding,
    "cross_entropy": lambda _: _cross_entropy,
    "max_pool2d": _pooling(dr.max),
    "avg_pool2d": _pooling(dr.mean),
    "depthwise_conv2d": lambda _: _depthwise,
    "cumsum": _along(dr.cumsum),
    "top_k": _top_k,
    "lstm_cell": _lstm_cell,
    "chain5": chain_cell(_STEPS, 5),
    "chain20": chain_cell(_STEPS, 20),
    **FUSED_CELLS,
}

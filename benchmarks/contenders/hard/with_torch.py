"""PyTorch: the operations it has; compiled as well where there are several to fuse."""

from __future__ import annotations

import torch
from side_by_side.contender import Inputs, Prepare, Ready, Table
from side_by_side.hard_cases import EPSILON, SUMMED, TABLE_COLUMNS, TABLE_ROWS
from torch import Tensor
from torch.nn import functional

from contenders.with_torch import TABLE as SIMPLER
from contenders.with_torch import both, fetch, on_tensors


def _layer_norm(x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[1:], eps=EPSILON)


def _softmax(x: Tensor) -> Tensor:
    return functional.softmax(x, 1)


def _convolution(memory: torch.memory_format) -> Prepare:
    """In one of the two layouts that PyTorch has; the result is NHWC again when it is proved."""

    def prepare(inputs: Inputs) -> Ready:
        x, weights = (
            torch.from_numpy(array).permute(0, 3, 1, 2).contiguous(memory_format=memory)
            for array in inputs.values()
        )
        return Ready(lambda: functional.conv2d(x, weights), lambda y: fetch(y.permute(0, 2, 3, 1)))

    return prepare


def _convolution_1d(inputs: Inputs) -> Ready:
    x, weights = (torch.from_numpy(array).transpose(1, 2).contiguous() for array in inputs.values())
    return Ready(lambda: functional.conv1d(x, weights), lambda y: fetch(y.transpose(1, 2)))


def _argmax(axis: int) -> Prepare:
    return on_tensors(lambda x: torch.argmax(x, axis))


def _transposed_sum(a: Tensor, b: Tensor) -> Tensor:
    return a.T + b


def _scatter_add(rows: Tensor, places: Tensor) -> Tensor:
    table = torch.zeros(TABLE_ROWS, TABLE_COLUMNS)
    return table.index_add_(0, places, rows)


def _sums_of_8(x: Tensor) -> Tensor:
    return x.view(-1, SUMMED).sum(1)


_CONVOLUTIONS: dict[str, Prepare | str] = {
    "eager": _convolution(torch.contiguous_format),
    "eager, channels last": _convolution(torch.channels_last),
}
_COLUMN_SUMS: dict[str, Prepare | str] = {"eager": on_tensors(lambda x: torch.sum(x, 0))}
_EXPONENTIAL: dict[str, Prepare | str] = {"eager": on_tensors(torch.exp)}
TABLE: Table = {
    "layer_norm": both(_layer_norm),
    **{f"softmax_{columns}": both(_softmax) for columns in (8, 64, 128, 1024)},
    "softmax_1000000": {"eager": on_tensors(_softmax)},
    "cross_entropy": both(functional.binary_cross_entropy),
    "convolution_3": _CONVOLUTIONS,
    "convolution_12": _CONVOLUTIONS,
    "convolution_128": _CONVOLUTIONS,
    "convolution_1d": {"eager": _convolution_1d},
    "attention": {"eager": on_tensors(functional.scaled_dot_product_attention)},
    "column_sums": _COLUMN_SUMS,
    "column_sums_wide": _COLUMN_SUMS,
    "column_sums_narrow": _COLUMN_SUMS,
    "sum_of_all": SIMPLER["reduction"],
    "argmax_rows": {"eager": _argmax(1)},
    "argmax_columns": {"eager": _argmax(0)},
    "sum_down_rows": {"eager": on_tensors(torch.add)},
    "transposed_sum": both(_transposed_sum),
    "strided_copy": {"eager": on_tensors(lambda a: a[::2].clone())},
    "reversed_copy": {"eager": on_tensors(lambda a: torch.flip(a, (0,)))},
    "sort_16": {"eager": on_tensors(lambda x: torch.sort(x, 0)[0])},
    "scatter_add": {"eager": on_tensors(_scatter_add)},
    "gather": {"eager": on_tensors(lambda table, places: torch.index_select(table, 0, places))},
    "product": {"eager": on_tensors(torch.matmul)},
    "exponential_by_floor": _EXPONENTIAL,
    "exponential_by_constant": _EXPONENTIAL,
    "sums_of_8": both(_sums_of_8),
}

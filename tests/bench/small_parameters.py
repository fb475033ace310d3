"""Small parameters for every operation, so that all of them can be proved in a test run.

They keep what makes an operation hard: odd sizes, axes that are not the last, kernels that are
not square, more updates than rows.
"""

from __future__ import annotations

from typing import Any

SMALL_PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "argmax": [{"shape": [4, 6, 5], "axis": axis} for axis in (0, 1, 2)],
    "sum": [{"shape": [3, 4, 5, 6], "axis": axis} for axis in range(4)],
    "sum_all": [{"shape": [7, 9]}],
    "bce": [{"shape": [10, 3]}],
    "concat": [{"a": [5, 4], "b": [5, 3], "axis": 1}, {"a": [5, 4], "b": [2, 4], "axis": 0}],
    "conv1d": [{"x": [2, 12, 3], "weight": [4, 3, 3]}],
    "conv2d": [{"x": [2, 9, 8, 3], "weight": [4, 3, 2, 3]}],
    "channels_first": [{"shape": [2, 5, 4, 3]}],
    "depthwise_conv2d": [{"x": [2, 9, 8, 4], "weight": [4, 3, 2, 1]}],
    "conv_transpose2d": [
        {"x": [2, 5, 4, 3], "weight": [6, 4, 3, 3], "stride": 2},
        {"x": [2, 5, 4, 3], "weight": [6, 2, 2, 3], "stride": 1},
    ],
    "gather": [{"shape": [8, 6], "count": 20}],
    "scatter": [{"shape": [8, 6], "count": 5}, {"shape": [8, 6], "count": 40}],
    "scatter_sum": [{"shape": [8, 6], "count": 40}],
    "scatter_max": [{"shape": [8, 6], "count": 40}],
    "layer_norm": [{"shape": [3, 4, 33]}],
    "layer_norm_affine": [{"shape": [3, 4, 33]}],
    "rms_norm": [{"shape": [3, 4, 33]}],
    "group_norm": [{"shape": [3, 5, 4, 8], "groups": 2}],
    "batch_norm": [{"shape": [3, 5, 4, 8]}],
    **{
        name: [{"shape": [4, 5, 32]}]
        for name in (
            "leaky_relu",
            "prelu",
            "relu",
            "selu",
            "sigmoid",
            "softplus",
            "gelu",
            "silu",
            "chain5",
            "chain20",
        )
    },
    "matmul": [
        {"a": [3, 4, 7], "b": [3, 7, 5]},
        {"a": [3, 4, 7], "b": [7, 5]},
        {"a": [6, 7], "b": [7, 5]},
    ],
    "linear": [{"x": [3, 4, 7], "weight": [7, 5]}],
    "einsum": [{"batch": 2, "query_length": 5, "key_length": 6, "heads": 3, "head_size": 4}],
    "attention": [
        {"batch": 2, "heads": 3, "query_length": n, "key_length": 8, "head_size": 16}
        for n in (8, 5)
    ],
    "rope": [{"batch": 2, "heads": 3, "length": 10, "head_size": 8}],
    "softmax": [{"shape": [4, 5, 33], "axis": -1}, {"shape": [4, 33, 5], "axis": 1}],
    "sort": [{"shape": [4, 6, 5], "axis": axis} for axis in range(3)],
    "top_k": [{"shape": [4, 33], "k": 5}, {"shape": [3, 4, 8], "k": 8}],
    "cumsum": [{"shape": [4, 33], "axis": -1}, {"shape": [4, 33, 5], "axis": 1}],
    "max_pool2d": [{"shape": [2, 6, 4, 3], "window": 2}],
    "avg_pool2d": [{"shape": [2, 6, 4, 3], "window": 2}, {"shape": [2, 6, 9, 3], "window": 3}],
    "embedding": [{"weight": [11, 6], "tokens": [3, 5]}],
    "cross_entropy": [{"shape": [9, 12]}],
    "lstm_cell": [{"batch": 5, "input_size": 7, "hidden_size": 6}],
    "rfft": [{"shape": [3, 32]}, {"shape": [2, 3, 15]}],
    **{
        name: [{"shape": [5, 33]}]
        for name in ("bias_gelu_dropout", "swiglu", "rms_norm_half", "residual_layer_norm")
    },
    "masked_softmax": [
        {"batch": 2, "heads": 3, "query_length": n, "key_length": 9, "head_size": 16}
        for n in (9, 5)
    ],
    "smoothed_cross_entropy": [{"shape": [9, 12]}],
    "adam": [{"shape": [4, 5, 33]}],
}

"""MLX's kernels for products of matrices and vectors, quantised numbers, attention."""

# ruff: noqa: E501 - declarations of templates read best in one line; flags of kernels

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from mlx_case import Array, Made, case, floats, int32, int64, random, wide
from mlx_rows import _softmax

# --- Products -------------------------------------------------------------------------------------

GEMM_CONSTANTS = {10: False, 100: False, 110: False}
_PARAMETERS = np.dtype(
    [(n, np.int32) for n in ("M", "N", "K", "lda", "ldb", "ldd", "tiles_n", "tiles_m")]
    + [(n, np.int64) for n in ("batch_stride_a", "batch_stride_b", "batch_stride_d")]
    + [(n, np.int32) for n in ("swizzle_log", "gemm_k_iterations_aligned", "batch_ndim")],
    align=True,
)


def _gemm(
    dtype: Any, shape: tuple[int, int, int], is_a_transposed: bool, is_b_transposed: bool, tile: int
) -> Made:
    m, n, k = shape
    a, b = floats(m, k, dtype=dtype), floats(k, n, seed=1, dtype=dtype)
    right = (wide(a) @ wide(b)).astype(dtype)
    a = a.T.copy() if is_a_transposed else a
    b = b.T.copy() if is_b_transposed else b
    tiles = -(-n // tile), -(-m // tile)
    parameters = np.array(
        [(m, n, k, a.shape[1], b.shape[1], n, *tiles, 0, 0, 0, 0, k // 16, 1)], _PARAMETERS
    )
    return {0: a, 1: b, 3: np.zeros((m, n), dtype), 4: parameters.tobytes()}, {3: right}


for _type, _dtype, _shape, _ta, _tb, _tolerance in (
    ("float", np.float32, (64, 64, 48), False, False, 1e-6),
    ("float", np.float32, (50, 70, 37), False, True, 1e-6),
    ("float", np.float32, (33, 40, 20), True, False, 1e-6),
    ("half", np.float16, (50, 70, 37), False, False, 2e-3),
    ("bfloat16_t", ml_dtypes.bfloat16, (50, 70, 37), False, False, 1e-2),
):
    _m, _n, _k = _shape
    case(
        f"matrix product {_m}x{_n}x{_k}, {_type}",
        "utils.h steel/gemm/gemm.h steel/gemm/kernels/steel_gemm_fused.h",
        f"gemm<{_type}, 32, 32, 16, 2, 2, {str(_ta).lower()}, {str(_tb).lower()}>",
        (32 * -(-_n // 32), 2 * -(-_m // 32), 2),
        (32, 2, 2),
        constants={**GEMM_CONSTANTS, 200: _m % 32 == 0, 201: _n % 32 == 0, 202: _k % 16 == 0},
        tolerance=_tolerance,
    )(lambda dtype=_dtype, shape=_shape, ta=_ta, tb=_tb: _gemm(dtype, shape, ta, tb, 32))


def _gemv(is_transposed: bool, dtype: Any) -> Made:
    matrix, x = floats(70, 101, dtype=dtype), floats(101, seed=1, dtype=dtype)
    right = (wide(matrix) @ wide(x)).astype(dtype)
    matrix = matrix.T.copy() if is_transposed else matrix
    arguments = {0: matrix, 1: x, 2: x, 3: np.zeros(70, dtype), 4: np.int32(101), 5: np.int32(70)}
    arguments |= {
        6: np.int32(matrix.shape[1]),
        7: np.float32(1),
        8: np.float32(0),
        9: np.int32(1),
        10: int32(1),
    }
    arguments |= {11: int64(0), 12: int64(0), 13: int64(0), 14: np.int32(1)}
    return arguments, {3: right}


case(
    "matrix times vector",
    "gemv.h",
    "gemv<float, 4, 1, 1, 32, 4, 4, false, false>",
    (32 * 5, 4),
    (32, 4),
    tolerance=1e-6,
)(lambda: _gemv(False, np.float32))
_GEMV_FAULT = "a barrier that a part of the threads reaches: `if (thrN == 0) { ... threadgroup_barrier(mem_none)`"
for _words, _settings in (
    ("", {"fault": _GEMV_FAULT}),
    (", barriers not counted", {"is_strict": False}),
):
    case(
        f"matrix times vector, half{_words}",
        "gemv.h",
        "gemv<half, 1, 8, 1, 32, 4, 4, false, false>",
        (32 * 18, 8),
        (32, 8),
        tolerance=2e-3,
        **_settings,
    )(lambda: _gemv(False, np.float16))
    case(
        f"transposed matrix times vector{_words}",
        "gemv.h",
        "gemv_t<float, 1, 4, 8, 4, 4, 4, false, false>",
        (32 * 2, 4),
        (32, 4),
        tolerance=1e-6,
        **_settings,
    )(lambda: _gemv(True, np.float32))


@case("inner product", "dot.h", "dot_product<float, 4, 64, 2>", 64 * 3, 64, tolerance=1e-6)
def _dot() -> Made:
    a, b = random().random(700).astype(np.float32), random(1).random(700).astype(np.float32)
    parts = np.zeros(3)
    for i in range(3):
        here = slice(256 * i, 256 * (i + 1))
        parts[i] = wide(a)[here] @ wide(b)[here]
    return {0: a, 1: b, 2: np.zeros(3, np.float32), 3: np.int32(700)}, {2: parts.astype(np.float32)}


@case(
    "Hadamard transform",
    "hadamard.h",
    "hadamard_n<float, 64, 8, 4>",
    (8, 3),
    (8, 1),
    tolerance=1e-6,
)
def _hadamard() -> Made:
    h = np.ones((1, 1))
    while len(h) < 64:
        h = np.block([[h, h], [h, -h]])
    x = floats(3, 64)
    return {0: x, 1: np.zeros_like(x), 2: np.float32(0.125)}, {
        1: (wide(x) @ h / 8).astype(np.float32)
    }


ATTENTION = {20: False, 21: False, 22: True, 23: False, 24: False, 25: False, 26: 1}


@case(
    "attention of few queries",
    "utils.h sdpa_vector.h",
    "sdpa_vector<float, 64>",
    (1024 * 4, 2),
    (1024, 1),
    constants=ATTENTION,
    tolerance=3e-6,
)
def _attention() -> Made:
    heads, queries, keys, width = 4, 2, 45, 64
    q, k, v = (
        floats(heads, queries, width),
        floats(2, keys, width, seed=1),
        floats(2, keys, width, seed=2),
    )
    right = np.zeros((heads, queries, width))
    for head in range(heads):
        scores = wide(q[head]) @ wide(k[head // 2]).T * 0.125
        for row in range(queries):
            seen = keys - queries + row + 1
            right[head, row] = _softmax(scores[row, :seen]) @ wide(v[head // 2, :seen])
    arguments = {0: q, 1: k, 2: v, 3: np.zeros_like(q), 4: np.int32(2), 5: np.int32(keys)}
    arguments |= {
        6: np.uint64(keys * width),
        7: np.uint64(width),
        8: np.uint64(keys * width),
        9: np.uint64(width),
    }
    return {**arguments, 10: np.float32(0.125)}, {3: right.astype(np.float32)}


# --- Quantized numbers ----------------------------------------------------------------------------

QUANTIZED = "utils.h steel/gemm/gemm.h quantized_utils.h quantized.h"


def _quantize_matrix(n: int, k: int) -> tuple[Array, Array, Array, Array]:
    """Packed 4-bit numbers, scales, biases, and the matrix that they stand for."""
    digits = random().integers(0, 16, (n, k)).astype(np.uint32)
    scales, biases = random(1).random((n, k // 64)).astype(np.float32), floats(n, k // 64, seed=2)
    packed = (
        (digits.reshape(n, k // 8, 8) << (4 * np.arange(8, dtype=np.uint32)))
        .sum(-1)
        .astype(np.uint32)
    )
    return (
        packed,
        scales,
        biases,
        digits * np.repeat(wide(scales), 64, 1) + np.repeat(wide(biases), 64, 1),
    )


@case("dequantize", QUANTIZED, "affine_dequantize<float, 64, 4>", (64, 6), (32, 2), tolerance=1e-6)
def _dequantize() -> Made:
    packed, scales, biases, matrix = _quantize_matrix(6, 128)
    return {0: packed.view(np.uint8), 1: scales, 2: biases, 3: np.zeros((6, 128), np.float32)}, {
        3: matrix.astype(np.float32)
    }


def _quantized_product(n: int, k: int) -> Made:
    packed, scales, biases, matrix = _quantize_matrix(n, k)
    x = floats(k, seed=3)
    arguments = {
        0: packed,
        1: scales,
        2: biases,
        3: x,
        4: np.zeros(n, np.float32),
        5: np.int32(k),
        6: np.int32(n),
    }
    arguments |= {
        7: np.int32(0),
        8: int32(1),
        9: int64(0),
        10: np.int32(0),
        11: int32(1),
        12: int64(0),
        13: int64(0),
        14: int64(0),
    }
    return arguments, {4: (matrix @ wide(x)).astype(np.float32)}


case(
    "quantized matrix times vector",
    QUANTIZED,
    "affine_qmv<float, 64, 4, false>",
    (32, 2 * 2),
    (32, 2),
    tolerance=2e-6,
)(lambda: _quantized_product(13, 192))

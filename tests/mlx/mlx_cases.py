"""All cases of `mlx_kernels.py`: importing a topic adds its launches."""

# ruff: noqa: E501 - declarations of templates read best in one line; flags of kernels

from __future__ import annotations

import mlx_elementwise  # noqa: F401
import mlx_indexing  # noqa: F401
import mlx_products
import mlx_reductions  # noqa: F401
import mlx_rows  # noqa: F401
from mlx_case import CASES, Case

STEEL = "utils.h steel/gemm/gemm.h"
COMPILED: tuple[tuple[str, str], ...] = (
    (
        f"{STEEL} steel/gemm/kernels/steel_gemm_splitk.h",
        "gemm_splitk<float, float, 32, 32, 16, 2, 2, false, false, false, false>",
    ),
    (f"{STEEL} steel/gemm/kernels/steel_gemm_splitk.h", "gemm_splitk_accum<float, float>"),
    (
        f"{STEEL} steel/gemm/kernels/steel_gemm_gather.h",
        "gather_mm<float, 32, 32, 16, 2, 2, false, false>",
    ),
    (
        f"{STEEL} steel/gemm/kernels/steel_gemm_gather.h",
        "gather_mm_rhs<float, 32, 32, 16, 2, 2, false, false>",
    ),
    (
        f"{STEEL} steel/gemm/kernels/steel_gemm_segmented.h",
        "segmented_mm<float, 32, 32, 16, 2, 2, false, false>",
    ),
    (
        f"{STEEL} steel/gemm/kernels/steel_gemm_masked.h",
        "block_masked_gemm<float, nomask_t, nomask_t, 32, 32, 16, 2, 2, false, false, false, false>",
    ),
    ("utils.h gemv_masked.h", "gemv_masked<float, bool, bool, 4, 1, 1, 32, 4, 4, false>"),
    (
        "utils.h steel/attn/attn.h steel/attn/kernels/steel_attention.h",
        "attention<half, 32, 32, 64, 4, 1, half, float>",
    ),
    ("utils.h sdpa_vector.h", "sdpa_vector_2pass_1<float, 64>"),
    ("utils.h sdpa_vector.h", "sdpa_vector_2pass_2<float, 64>"),
    (
        "utils.h steel/conv/conv.h steel/conv/kernels/steel_conv.h",
        "implicit_gemm_conv_2d<float, 32, 32, 16, 2, 2, 0, false>",
    ),
    (
        "utils.h steel/conv/conv.h steel/conv/kernels/steel_conv_general.h",
        "implicit_gemm_conv_2d_general<float, 32, 32, 16, 2, 2>",
    ),
    ("utils.h fft.h", "fft<1024, float2, float2>"),
    ("utils.h fft.h", "rader_fft<1024, float2, float2>"),
    ("utils.h fft.h", "bluestein_fft<1024, float2, float2>"),
    (mlx_products.QUANTIZED, "affine_qmm_t<float, 64, 4, false, false>"),
    (mlx_products.QUANTIZED, "affine_qvm<float, 64, 4, false>"),
    (mlx_products.QUANTIZED, "affine_quantize<float, 64, 4>"),
    (
        "utils.h steel/gemm/gemm.h quantized_utils.h fp_quantized.h",
        "fp_dequantize<float, 32, 4, false>",
    ),
    ("utils.h sort.h", "mb_block_sort<float, uint, true, 128, 8>"),
    ("utils.h sort.h", "mb_block_merge<float, uint, true, 128, 8>"),
    ("utils.h gated_delta_update.h", "gated_delta_seq<half, 128, 128, 4, 4, 0>"),
    ("conv.metal", "depthwise_conv_2d<float>"),
)

__all__ = ["CASES", "COMPILED", "Case"]

"""MLX's kernels for gather, scatter, random numbers, positions."""

from __future__ import annotations

import numpy as np
from mlx_case import Array, Made, case, floats, int32, int64, random, wide

# --- Indexing -------------------------------------------------------------------------------------

GATHER = "utils.h indexing/gather_front.h indexing/gather_axis.h"


@case("rows by index", GATHER, "gather_front<float, int32_t, int, 2>", (12, 9), (12, 9))
def _gather_front() -> Made:
    x, indices = floats(20, 23), random(1).integers(-20, 20, 9).astype(np.int32)
    arguments = {
        0: x,
        1: indices,
        2: np.zeros((9, 23), np.float32),
        3: np.int64(23),
        4: np.int32(20),
    }
    return arguments, {2: x[indices]}


@case(
    "elements of an axis by index",
    GATHER,
    "gather_axis<float, uint32_t, int, true, true>",
    (5, 7, 4),
    (5, 7, 4),
)
def _gather_axis() -> Made:
    x, indices = floats(4, 9, 5), random(1).integers(0, 9, (4, 7, 5)).astype(np.uint32)
    arguments = {
        0: x,
        1: indices,
        2: np.zeros((4, 7, 5), np.float32),
        3: int32(4, 5),
        4: int64(45, 1),
        5: int64(35, 1),
    }
    arguments |= {
        6: np.uint64(2),
        7: np.int32(1),
        8: np.int32(9),
        9: np.uint64(5),
        10: np.uint64(5),
    }
    return arguments, {2: np.take_along_axis(x, indices.astype(np.int64), 1)}


SCATTER = "utils.h atomic.h reduction/ops.h indexing/scatter_axis.h"


@case(
    "sums by index",
    SCATTER,
    "scatter_axis<float, uint32_t, int, Sum<float>, true, true>",
    (5, 7, 4),
    (5, 7, 4),
    tolerance=1e-6,
)
def _scatter_axis() -> Made:
    update, indices = floats(4, 7, 5), random(1).integers(0, 9, (4, 7, 5)).astype(np.uint32)
    right = np.zeros((4, 9, 5))
    a, _, c = np.indices(indices.shape)
    np.add.at(right, (a, indices, c), update)
    arguments = {
        0: update,
        1: indices,
        2: np.zeros((4, 9, 5), np.float32),
        3: int32(4, 5),
        4: int64(35, 1),
        5: int64(35, 1),
    }
    arguments |= {
        6: np.uint64(2),
        7: np.int32(1),
        8: np.int32(9),
        9: np.uint64(5),
        10: np.uint64(5),
    }
    return arguments, {2: right.astype(np.float32)}


@case(
    "elements under a mask",
    "utils.h indexing/masked_scatter.h",
    "masked_assign_impl<float, true>",
    60,
    32,
)
def _masked() -> Made:
    mask, x = floats(60) > 0, floats(60, seed=1)
    offsets = (np.cumsum(mask) - mask).astype(np.uint32)
    out = floats(60, seed=2)
    right = out.copy()
    right[mask] = x[: mask.sum()]
    arguments = {
        0: mask,
        1: offsets,
        2: x,
        3: out,
        4: int32(60),
        5: int64(1),
        6: np.int32(1),
        7: np.int64(60),
        8: np.int64(60),
    }
    return arguments, {3: right}


# --- Random numbers, positions --------------------------------------------------------------------


def _threefry(key: Array, count: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32 with 20 rounds: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3."""
    mask, turns = 0xFFFFFFFF, ((13, 15, 26, 6), (17, 29, 16, 24))
    ks = (int(key[0]), int(key[1]), int(key[0]) ^ int(key[1]) ^ 0x1BD11BDA)
    x, y = (count[0] + ks[0]) & mask, (count[1] + ks[1]) & mask
    for i in range(5):
        for turn in turns[i % 2]:
            x = (x + y) & mask
            y = ((y << turn | y >> 32 - turn) & mask) ^ x
        x, y = (x + ks[(i + 1) % 3]) & mask, (y + ks[(i + 2) % 3] + i + 1) & mask
    return x, y


@case("random bits", "random.metal", "rbitsc", (2, 8), (2, 8))
def _random_bits() -> Made:
    keys = random().integers(0, 2**32, (2, 2)).astype(np.uint32)
    right = np.zeros((2, 16), np.uint32)
    for row, key in enumerate(keys):
        for i in range(8):
            right[row, i], right[row, i + 8] = _threefry(key, (i, i + 8))
    out = np.zeros((2, 64), np.uint8)
    return {0: keys, 1: out, 2: np.bool_(False), 3: np.uint64(64)}, {1: right.view(np.uint8)}


@case(
    "rotary positions",
    "rope.metal",
    "rope_single<float>",
    (16, 3),
    (16, 3),
    constants={1: True, 2: False, 3: False},
    tolerance=1e-5,
)
def _rope() -> Made:
    x = floats(3, 32)
    angle = 7 * 10000.0 ** (-np.arange(16) / 16)
    a, b = wide(x)[:, :16], wide(x)[:, 16:]
    right = np.concatenate(
        [a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], 1
    )
    arguments = {
        0: x,
        1: np.zeros_like(x),
        2: np.int32(7),
        3: np.float32(1),
        4: np.int64(32),
        10: np.float32(np.log2(10000)),
    }
    return arguments, {1: right.astype(np.float32)}

"""Attention on GPUs: which kernel, with which tiles, and its launches.

Measured choices are told in :data:`MATRIX_TILES` and :data:`REGISTER_TILES`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from speedmetal.arrays.along_axes.sorted_axes import known
from speedmetal.arrays.creation import empty
from speedmetal.arrays.deferred.schedule import evaluate
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.backends.device import SIMDGROUP_SIZE
from speedmetal.common.records import record
from speedmetal.dtypes import DType, bfloat16, float16, float32
from speedmetal.launch.modes import math_mode

LONGEST = 256
"""Elements of a head, up to which tiles of whole rows are in threadgroup memory."""
NARROW = 64
"""Elements of a head, up to which blocks of keys are long and those of queries short."""
BUSY_GROUPS = 128
"""Threadgroups, about as many as an H200 has multiprocessors."""
SMALL_TILE = 32
"""Queries of a threadgroup, where there are not so many."""
MOST_SHARED = 8
"""Queries of all heads that share a key head, up to which threads divide the keys,"""
MOST_ROWS = 4
"""and how many of them a threadgroup takes,"""
FEW_ROWS = 64
"""but one where all are so few."""
WANTED_GROUPS = 256
"""Threadgroups: two for each multiprocessor of an H200."""
MOST_PARTS = 16
"""Of keys: more take longer to be joined than they save."""
LEAST_KEYS = 256
"""For which a threadgroup is worth its launch."""
COPIED_BYTES = 16
"""What a thread copies at once."""
HALVES = (float16, bfloat16)


@record
class MatrixTiles:
    """How a threadgroup divides its work among simdgroups that multiply matrices.

    Args:
        simdgroups: Of a threadgroup.
        rows: Queries of a simdgroup.
        block: Keys that are taken at a time.
    """

    simdgroups: int
    rows: int
    block: int

    @property
    def queries(self) -> int:
        """Of a threadgroup."""
        return self.simdgroups * self.rows

    @property
    def threads(self) -> int:
        """Of a threadgroup."""
        return self.simdgroups * SIMDGROUP_SIZE

    @property
    def statics(self) -> tuple[int, ...]:
        """As the kernel takes them."""
        return (self.simdgroups, self.rows, self.block)

    def memory(self, head_size: int, value_size: int, itemsize: int) -> int:
        """Bytes of a threadgroup's arrays, see the kernel."""
        long, wide = (-(-size // 16) * 16 + 8 for size in (head_size, value_size))
        of_block = 2 * self.block * (long + wide) * itemsize
        return of_block + self.queries * (
            4 * (self.block + 4) + itemsize * (self.block + 8) + itemsize * long
        )


@record
class RegisterTiles:
    """How a threadgroup divides its work among threads.

    Args:
        threads: Of a threadgroup.
        each: Queries of a thread.
        keys_each: Keys of a thread, of those that are taken at a time.
    """

    threads: int
    each: int
    keys_each: int

    @property
    def queries(self) -> int:
        """Of a threadgroup."""
        return self.threads // 16 * self.each

    @property
    def statics(self) -> tuple[int, ...]:
        """As the kernel takes them."""
        return (self.threads, self.each, self.keys_each)

    def memory(self, head_size: int, value_size: int, itemsize: int) -> int:
        """As above."""
        long, wide = -(-head_size // 4) * 4 + 4, -(-value_size // 64) * 64
        block = 16 * self.keys_each
        return itemsize * (self.queries * (long + block + 4) + block * (long + wide))


MATRIX_TILES = (
    MatrixTiles(4, 16, 64),  # of heads up to NARROW alone
    MatrixTiles(4, 16, 32),
    MatrixTiles(2, 16, 32),
    MatrixTiles(2, 16, 16),
)
REGISTER_TILES = (
    RegisterTiles(256, 8, 4),  # of longer heads alone
    RegisterTiles(128, 8, 4),
    RegisterTiles(128, 4, 4),
    RegisterTiles(64, 2, 4),
    RegisterTiles(64, 2, 2),
)


@record(eq=False)
class Options:
    """What there is beside query, key and value.

    Args:
        causal: Whether later keys are hidden.
        scale: Of the scores.
        mask: ``(batch, heads, queries, keys)``, in memory, or None.
    """

    causal: bool
    scale: float
    mask: Any


def attended(query: Any, key: Any, value: Any, options: Options) -> Any:
    """The result, in its dtype, or in that of sums; None: other kernels do it.

    Args:
        query: With four axes; the others as well.
        key: See above.
        value: See above.
        options: See there.
    """
    longest = max(key.shape[3], value.shape[3])
    if longest > LONGEST:
        return None
    queries, heads = query.shape[2], query.shape[1] // key.shape[1]
    if heads * queries <= MOST_SHARED:
        return _in_parts(_in_memory(query, key, value), options)
    operands, is_wide = (query, key, value), longest > NARROW
    dtype = query.layout.dtype
    if dtype in HALVES and key.layout.dtype is dtype and value.layout.dtype is dtype:
        tiles = _chosen(MATRIX_TILES[is_wide:], query, value, dtype.itemsize)
        if tiles is not None:
            from speedmetal.nn.kernels.attention_by_matrices import attend_by_matrices

            given = _in_memory(*operands)
            # The weights are rounded to 16 bits: exponentials need not be exact.
            with math_mode("fast") if query.device.kind == "cuda" else nullcontext():
                return _by_tiles(attend_by_matrices, tiles, given, options)
    kind = sum_type(dtype)
    tiles = _chosen(REGISTER_TILES[not is_wide :], query, value, kind.itemsize)
    if tiles is None:
        return None
    from speedmetal.nn.kernels.attention_by_tiles import attend_by_tiles

    wide = (each.astype(kind, copy=False) for each in operands)
    return _by_tiles(attend_by_tiles, tiles, _in_memory(*wide), options)


def sum_type(dtype: DType) -> DType:
    """The type of scores and sums."""
    return float32 if dtype in HALVES else dtype


def _chosen(choices: Sequence[Any], query: Any, value: Any, itemsize: int) -> Any:
    """The first tiles that keep the device busy; else some that are small; None: none fits."""
    batch, heads, queries, head_size = query.shape
    allowed = query.device.limits.threadgroup_memory_bytes
    sizes = (head_size, value.shape[3])
    fitting = [tiles for tiles in choices if tiles.memory(*sizes, itemsize) <= allowed]
    for tiles in fitting:
        groups = batch * heads * -(-queries // tiles.queries)
        if groups >= BUSY_GROUPS and tiles.queries <= 2 * queries:
            return tiles
    small = (tiles for tiles in fitting if tiles.queries <= SMALL_TILE)
    return next(small, fitting[-1] if fitting else None)


def _in_memory(*arrays: Any) -> list[Any]:
    """Arrays of which threads can copy elements side by side."""
    evaluate(arrays)
    found = [a if a.elements.strides[-1] == a.elements.itemsize else a.copy() for a in arrays]
    evaluate(found)
    return found


def _copied(key: Any, value: Any) -> int:
    """Elements that a thread copies at once."""
    most = COPIED_BYTES // key.layout.dtype.itemsize
    return math.gcd(key.shape[3], value.shape[3], most)


def _by_tiles(kernel: Any, tiles: Any, operands: Sequence[Any], options: Options) -> Any:
    query, key, value = operands
    batch, heads, queries, head_size = query.shape
    size = value.shape[3]
    out = empty((batch, heads, queries, size), query.layout.dtype, device=query.device)
    kernel(
        *(out, *operands, options.mask, options.scale),
        *map(known, (options.causal, head_size, size, *tiles.statics, _copied(key, value))),
        groups=batch * heads * -(-queries // tiles.queries),
        threads=tiles.threads,
    )
    return out


def _in_parts(operands: Sequence[Any], options: Options) -> Any:
    from speedmetal.nn.kernels import attention_in_parts as kernels  # with its first use

    query, key, value = operands
    batch, heads, queries, head_size = query.shape
    key_heads, keys, size = value.shape[1:]
    kind, device = sum_type(query.layout.dtype), query.device
    shared = heads // key_heads * queries
    is_alone = batch * key_heads * shared <= FEW_ROWS
    rows = 1 if is_alone else min(shared, MOST_ROWS)
    groups = batch * key_heads * -(-shared // rows)
    parts = max(1, min(-(-WANTED_GROUPS // groups), keys // LEAST_KEYS, MOST_PARTS))
    shape = (batch, heads, queries)
    sums = empty((parts, *shape, size), kind, device=device)
    tops = empty((2, parts, *shape), kind, device=device)
    out = empty((*shape, size), query.layout.dtype, device=device)
    piece = _copied(key, value)
    pieces = -(-max(head_size, size) // piece)
    team = min(SIMDGROUP_SIZE, max(2, 1 << (pieces - 1).bit_length()))
    together = 4 if rows < MOST_ROWS else 1
    memory = rows * (team * piece * -(-size // (team * piece)) + 2) * kind.itemsize
    simdgroups = 8 if 8 * memory <= device.limits.threadgroup_memory_bytes else 4
    kernels.attend_in_parts(
        *(sums, tops, query, key, value, options.mask, options.scale),
        *map(known, (options.causal, head_size, size, rows, team, piece, together, simdgroups)),
        -(-keys // parts),
        groups=(groups, parts),
        threads=SIMDGROUP_SIZE * simdgroups,
    )
    kernels.join_parts(out, sums, tops, grid=grid_of(out.shape))
    return out

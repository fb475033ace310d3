"""speedmetal: hand-written kernels of the hardest cases, and how they are launched.

Where several mappings onto threads are natural, each is a variant. Weights that a network would
keep are laid out once, before the timing; everything else is part of a call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from side_by_side.contender import Inputs, Prepare, Ready, Table, in_place
from side_by_side.hard_cases import OUTPUT_CHANNELS, SUMMED, TABLE_ROWS, TAPS

import speedmetal as sm
from contenders.hard.with_speedmetal import (
    arithmetic,
    attention,
    columns,
    places,
    rows,
    windows,
)
from contenders.with_speedmetal import TABLE as SIMPLER
from contenders.with_speedmetal import elementwise

Array = NDArray[Any]

ROWS_OF_A_PART = 2048  # of columns that are added up in parts
TABLES = 8  # of the scatter
ROWS_OF_A_GATHER = 1024


def _launch(
    kernel: Any, inputs: tuple[Array, ...], output: Array, *numbers: int, **sizes: Any
) -> Ready:
    """One launch, of inputs, the output and numbers."""
    arguments = (*inputs, output, *numbers)
    return Ready(lambda: kernel(*arguments, **sizes), lambda _: (output,), (output,))


# --- rows ------------------------------------------------------------------------------------


def _by_rows(kernel: Any, rows_of_a_group: int = rows.ROWS) -> Prepare:
    def prepare(inputs: Inputs) -> Ready:
        x = inputs["x"]
        groups = x.shape[0] // rows_of_a_group
        return _launch(kernel, (x,), np.empty_like(x), groups=groups, threads=rows.LANES)

    return prepare


def _softmax_by_threads(inputs: Inputs) -> Ready:
    x = inputs["x"]
    return _launch(rows.softmax_of_8_by_threads, (x,), np.empty_like(x), grid=x.shape[0])


def _softmax_by_lanes(inputs: Inputs) -> Ready:
    x, y = inputs["x"], np.empty_like(inputs["x"])
    flat = (x.reshape(-1), y.reshape(-1))
    return in_place(
        lambda _: rows.softmax_of_8_by_lanes(*flat, grid=x.size, threads=1024), (), (y,)
    )


def _cross_entropy(inputs: Inputs) -> Ready:
    predicted, wanted = inputs["predicted"], inputs["wanted"]
    groups = predicted.shape[0]
    sums = np.empty(groups, np.float32)

    def run(mean: Array) -> None:
        rows.cross_entropies(predicted, wanted, sums, groups=groups, threads=rows.LANES)
        rows.mean_of_sums(sums, mean, float(predicted.size), groups=1, threads=rows.LANES)

    return in_place(run, (), (np.empty(1, np.float32),))


# --- convolutions and attention --------------------------------------------------------------


def _convolution(kernel: Any, pixels: int, copies: int) -> Prepare:
    """A threadgroup for each row of the result, which takes tiles of so many pixels."""

    def prepare(inputs: Inputs) -> Ready:
        x, weights = inputs["x"], inputs["weights"]
        images, height, width, channels = x.shape
        high, wide = height - TAPS + 1, width - TAPS + 1
        y = np.empty((images, high, wide, OUTPUT_CHANNELS), np.float32)
        outputs_last = weights.transpose(1, 2, 3, 0).reshape(TAPS, TAPS * channels, OUTPUT_CHANNELS)
        arguments = (
            x.reshape(images, height, width * channels),
            np.concatenate([outputs_last] * copies, 2),
            y.reshape(images, high, wide * OUTPUT_CHANNELS),
        )
        sizes = {"groups": (high, images), "threads": copies * OUTPUT_CHANNELS}
        tiles = sm.cdiv(wide, pixels)
        return in_place(lambda _: kernel(*arguments, channels, tiles, **sizes), (), (y,))

    return prepare


_CONVOLUTIONS: dict[str, Prepare | str] = {
    "two pixels at once": _convolution(windows.convolution_by_pairs, 2 * windows.PAIRS, 2),
    "eight threads": _convolution(windows.convolution_by_eights, windows.PIXELS, 1),
}


def _convolution_1d(inputs: Inputs) -> Ready:
    """A product with the windows as overlapping rows."""
    x, weights = inputs["x"], inputs["weights"]
    outputs, taps, channels = weights.shape
    length = x.shape[1] - taps + 1
    shape = (x.shape[0], length, taps * channels)
    overlapping = as_strided(x, shape, (x.strides[0], x.strides[1], x.strides[2]))
    matrix = np.ascontiguousarray(weights.reshape(outputs, -1).T)
    groups = (
        outputs // (windows.LANES * windows.VECTORS),
        sm.cdiv(length, windows.ROWS),
        x.shape[0],
    )
    y = np.empty((x.shape[0], length, outputs), np.float32)
    sizes = {"groups": groups, "threads": windows.LANES}
    return _launch(windows.products, (overlapping, matrix), y, **sizes)


def _attention(inputs: Inputs) -> Ready:
    q, k, v = inputs.values()
    heads = q.shape[0]
    s = np.empty((heads, attention.QUERIES, attention.KEYS), np.float32)

    def run(y: Array) -> None:
        attention.scores(q, k, s, groups=heads, threads=attention.SIMDGROUP)
        attention.softmax_of_64(s, groups=heads, threads=attention.SIMDGROUP)
        attention.weighted_values(s, v, y, groups=heads, threads=attention.LANES)

    return in_place(run, (), (np.empty_like(q),))


# --- columns, places -------------------------------------------------------------------------


def _column_sums(rows_of_a_part: int) -> Prepare:
    """In one launch, or in parts, which a second launch adds up."""

    def prepare(inputs: Inputs) -> Ready:
        x = inputs["x"]
        height, width = x.shape
        count = sm.cdiv(height, rows_of_a_part)
        parts = np.empty((count, width), np.float32)

        def run(sums: Array) -> None:
            target = parts if count > 1 else sums
            columns.column_sums(x, target, height // count, grid=(width, count))
            if count > 1:
                columns.column_sums(parts, sums, count, grid=(width, 1))

        return _one_row(run, width)

    return prepare


def _one_row(run: Callable[[Array], None], width: int) -> Ready:
    """A call that writes the only row of a matrix; the result is that row."""
    matrix = np.empty((1, width), np.float32)
    return Ready(lambda: run(matrix), lambda _: (matrix[0],), (matrix,))


def _column_sums_by_vectors(inputs: Inputs) -> Ready:
    x = inputs["x"]
    groups = x.shape[1] // (columns.LANES * columns.VECTORS)
    sizes = {"groups": groups, "threads": columns.LANES}
    return _one_row(lambda sums: columns.column_sums_by_vectors(x, sums, **sizes), x.shape[1])


def _argmax_rows(inputs: Inputs) -> Ready:
    x = inputs["x"]
    found = np.empty(x.shape[0], np.int32)
    groups = x.shape[0] // columns.SIMDGROUP
    return _launch(columns.argmax_rows, (x,), found, groups=groups, threads=columns.SIMDGROUP)


def _argmax_columns(inputs: Inputs) -> Ready:
    x = inputs["x"]
    return _launch(columns.argmax_columns, (x,), np.empty(x.shape[1], np.int32), grid=x.shape[1])


def _sum_down_rows(inputs: Inputs) -> Ready:
    a, b = inputs["a"], inputs["b"]
    return _launch(columns.sum_down_rows, (a, b), np.empty_like(a), grid=a.shape[1])


def _transposed_sum(threads: tuple[int, int] | None) -> Prepare:
    """A thread for each element, in threadgroups of this shape; None: as they are chosen."""

    def prepare(inputs: Inputs) -> Ready:
        a, b = inputs["a"], inputs["b"]
        sizes = {"grid": b.shape[::-1], "threads": threads}  # x counts columns
        return _launch(arithmetic.sum_of_matrices, (a.T, b), np.empty_like(b), **sizes)

    return prepare


def _copy_by(step: int) -> Prepare:
    def prepare(inputs: Inputs) -> Ready:
        a = inputs["a"][::step]
        return _launch(elementwise.copy, (a,), np.empty(a.shape, np.float32), grid=a.size)

    return prepare


def _sort(inputs: Inputs) -> Ready:
    x = inputs["x"]
    return _launch(columns.sort_columns, (x,), np.empty_like(x), grid=x.shape[1])


def _scatter_add(inputs: Inputs) -> Ready:
    added, where = inputs["rows"], inputs["places"]
    width = added.shape[1]
    tables = np.empty((TABLES, TABLE_ROWS, width), np.float32)
    count = sm.cdiv(added.shape[0], TABLES)

    def run(table: Array) -> None:
        places.scatter_add(added, where, tables, count, groups=TABLES, threads=places.LANES)
        places.sum_of_tables(tables, table, grid=(width, TABLE_ROWS))

    return in_place(run, (), (np.empty((TABLE_ROWS, width), np.float32),))


def _gather(inputs: Inputs) -> Ready:
    table, where = inputs["table"], inputs["places"]
    found = np.empty((where.size, table.shape[1]), np.float32)
    return _launch(places.gather, (table, where), found, grid=found.shape[::-1])


def _gather_rows(inputs: Inputs) -> Ready:
    table, where = inputs["table"], inputs["places"]
    found = np.empty((where.size, table.shape[1]), np.float32)
    groups = sm.cdiv(where.size, ROWS_OF_A_GATHER)
    sizes = {"groups": groups, "threads": places.LANES}
    return _launch(places.gather_rows, (table, where), found, ROWS_OF_A_GATHER, **sizes)


# --- arithmetic ------------------------------------------------------------------------------


def _each(kernel: Any) -> Prepare:
    """A thread for each element."""

    def prepare(inputs: Inputs) -> Ready:
        x = inputs["x"]
        return _launch(kernel, (x,), np.empty_like(x), grid=x.size)

    return prepare


def _product(inputs: Inputs) -> Ready:
    a, b = inputs["a"], inputs["b"]
    c = np.empty((a.shape[0], b.shape[1]), np.float32)
    return _launch(arithmetic.product, (a, b), c, grid=c.shape[::-1])


def _sums_of_8(kernel: Any, elements_of_a_thread: int = 1) -> Prepare:
    def prepare(inputs: Inputs) -> Ready:
        x = inputs["x"]
        sums = np.empty(x.size // SUMMED, np.float32)
        return _launch(kernel, (x,), sums, grid=x.size // elements_of_a_thread)

    return prepare


TABLE: Table = {
    "layer_norm": {
        "row kept": _by_rows(rows.layer_norm_kept(1024 // rows.LANES)),
        "row read again": _by_rows(rows.layer_norm_read),
    },
    "softmax_8": {"a thread a row": _softmax_by_threads, "a lane an element": _softmax_by_lanes},
    "softmax_64": {"": _by_rows(rows.softmax_kept(64 // rows.LANES))},
    "softmax_128": {"": _by_rows(rows.softmax_kept(128 // rows.LANES))},
    "softmax_1024": {
        "row kept": _by_rows(rows.softmax_kept(1024 // rows.LANES)),
        "row read again": _by_rows(rows.softmax_in_place),
    },
    "softmax_1000000": {"": _by_rows(rows.softmax_long, 1)},
    "cross_entropy": {"": _cross_entropy},
    "convolution_3": _CONVOLUTIONS,
    "convolution_12": _CONVOLUTIONS,
    "convolution_128": _CONVOLUTIONS,
    "convolution_1d": {"": _convolution_1d},
    "attention": {"": _attention},
    "column_sums": {"": _column_sums(256)},
    "column_sums_wide": {
        "a thread a column": _column_sums(64),
        "vectors in registers": _column_sums_by_vectors,
    },
    "column_sums_narrow": {"": _column_sums(ROWS_OF_A_PART)},
    "sum_of_all": SIMPLER["reduction"],
    "argmax_rows": {"": _argmax_rows},
    "argmax_columns": {"": _argmax_columns},
    "sum_down_rows": {"": _sum_down_rows},
    "transposed_sum": {
        "threadgroups in rows": _transposed_sum(None),
        "threadgroups of 16 x 16": _transposed_sum((16, 16)),
    },
    "strided_copy": {"": _copy_by(2)},
    "reversed_copy": {"": _copy_by(-1)},
    "sort_16": {"": _sort},
    "scatter_add": {"": _scatter_add},
    "gather": {"a thread an element": _gather, "rows one by one": _gather_rows},
    "product": {"": _product},
    "exponential_by_floor": {"": _each(arithmetic.exponential_by_floor)},
    "exponential_by_constant": {"": _each(arithmetic.exponential_by_constant)},
    "sums_of_8": {
        "shuffles": _sums_of_8(arithmetic.sums_of_8_by_shuffles),
        "simd_sum of width 8": _sums_of_8(arithmetic.sums_of_8_by_width),
        "a thread a sum": _sums_of_8(arithmetic.sums_of_8_by_threads, SUMMED),
    },
}

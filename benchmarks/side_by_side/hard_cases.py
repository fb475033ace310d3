"""The cases that ask most of a code generator for CPUs.

Rows in simdgroups, columns, convolutions of few channels, strides, tables, networks of comparisons:
what a plain loop over elements is not. Sizes are such that arrays are larger than caches; those of
:data:`SMALL_HARD_CASES` keep the lengths that kernels are written for, and have less of the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from side_by_side.cases import Arrays, Case
from side_by_side.contender import Inputs

Array = NDArray[Any]
Shape = tuple[int, ...]

ELEMENTS = 1 << 24
EPSILON = 1e-5  # of layer norm, below the root
TAPS = 3  # side of the convolutions' windows
OUTPUT_CHANNELS = 8
SORTED = 16
TABLE_ROWS = 64  # of scatter-add
TABLE_COLUMNS = 16
SUMMED = 8


def _normal(**shapes: Shape) -> Callable[[np.random.Generator], dict[str, Array]]:
    """Inputs of a standard normal distribution."""
    return lambda generator: {
        name: generator.standard_normal(shape, np.float32) for name, shape in shapes.items()
    }


def _float64(inputs: Inputs) -> list[Array]:
    return [array.astype(np.float64) for array in inputs.values()]


# --- rows ------------------------------------------------------------------------------------


def _layer_norm(inputs: Inputs) -> Arrays:
    (x,) = _float64(inputs)
    centred = x - x.mean(1, keepdims=True)
    return (centred / np.sqrt((centred**2).mean(1, keepdims=True) + EPSILON),)


def softmax(x: Array) -> Array:
    """Along the last axis, in the type of x."""
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)  # type: ignore[no-any-return]


def _softmax(inputs: Inputs) -> Arrays:
    (x,) = _float64(inputs)
    return (softmax(x),)


def _probabilities(rows: int) -> Callable[[np.random.Generator], dict[str, Array]]:
    def make(generator: np.random.Generator) -> dict[str, Array]:
        shape = (rows, 1 << 16)
        return {
            "predicted": generator.random(shape, np.float32) * np.float32(0.98) + np.float32(0.01),
            "wanted": (generator.random(shape, np.float32) > 0.5).astype(np.float32),
        }

    return make


def _cross_entropy(inputs: Inputs) -> Arrays:
    p, t = _float64(inputs)
    return (np.atleast_1d(-(t * np.log(p) + (1 - t) * np.log1p(-p)).mean()),)


# --- convolutions and attention --------------------------------------------------------------


def _images(count: int, height: int, channels: int) -> Callable[..., dict[str, Array]]:
    """Images (image, row, column, channel), weights (output, row, column, channel)."""
    return _normal(
        x=(count, height, 256, channels), weights=(OUTPUT_CHANNELS, TAPS, TAPS, channels)
    )


def _convolution(inputs: Inputs) -> Arrays:
    x, weights = _float64(inputs)
    height, width = x.shape[1] - TAPS + 1, x.shape[2] - TAPS + 1
    y = np.zeros((x.shape[0], height, width, OUTPUT_CHANNELS))
    for i, j in np.ndindex(TAPS, TAPS):
        y += x[:, i : i + height, j : j + width] @ weights[:, i, j].T
    return (y,)


def _convolution_1d(inputs: Inputs) -> Arrays:
    x, weights = _float64(inputs)
    taps = weights.shape[1]
    length = x.shape[1] - taps + 1
    return (np.sum([x[:, t : t + length] @ weights[:, t].T for t in range(taps)], 0),)


def _attention(inputs: Inputs) -> Arrays:
    q, k, v = _float64(inputs)
    return (softmax(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])) @ v,)


# --- columns, orders, places -----------------------------------------------------------------


def _column_sums(inputs: Inputs) -> Arrays:
    return (inputs["x"].sum(0, dtype=np.float64),)


def _positive(count: int) -> Callable[[np.random.Generator], dict[str, Array]]:
    return lambda generator: {"x": generator.random(count, np.float32)}


def _sum_of_all(inputs: Inputs) -> Arrays:
    return (inputs["x"].sum(dtype=np.float64, keepdims=True),)


def _argmax(axis: int) -> Callable[[Inputs], Arrays]:
    return lambda inputs: (inputs["x"].argmax(axis).astype(np.int32),)


def _sum(inputs: Inputs) -> Arrays:
    a, b = _float64(inputs)
    return (a + b,)


def _transposed_sum(inputs: Inputs) -> Arrays:
    a, b = _float64(inputs)
    return (a.T + b,)


def _strided(step: int) -> Callable[[Inputs], Arrays]:
    return lambda inputs: (inputs["a"][::step].astype(np.float64),)


def _sorted(inputs: Inputs) -> Arrays:
    return (np.sort(inputs["x"], 0).astype(np.float64),)


def _rows_for_places(rows: int) -> Callable[[np.random.Generator], dict[str, Array]]:
    def make(generator: np.random.Generator) -> dict[str, Array]:
        return {
            "rows": generator.standard_normal((rows, TABLE_COLUMNS), np.float32),
            "places": generator.integers(0, TABLE_ROWS, rows, np.int32),
        }

    return make


def _scatter_add(inputs: Inputs) -> Arrays:
    columns = inputs["rows"].T.astype(np.float64)
    places = inputs["places"]
    return (np.stack([np.bincount(places, column, TABLE_ROWS) for column in columns], 1),)


def _table_and_places(rows: int) -> Callable[[np.random.Generator], dict[str, Array]]:
    def make(generator: np.random.Generator) -> dict[str, Array]:
        return {
            "table": generator.standard_normal((1024, 32), np.float32),
            "places": generator.integers(0, 1024, rows, np.int32),
        }

    return make


def _gather(inputs: Inputs) -> Arrays:
    return (inputs["table"][inputs["places"]].astype(np.float64),)


# --- arithmetic ------------------------------------------------------------------------------


def _product(inputs: Inputs) -> Arrays:
    a, b = _float64(inputs)
    return (a @ b,)


def _exponents(count: int) -> Callable[[np.random.Generator], dict[str, Array]]:
    return lambda generator: {"x": generator.random(count, np.float32) * 160 - 80}


def _exponential(inputs: Inputs) -> Arrays:
    (x,) = _float64(inputs)
    return (np.exp(x),)


def _sums_of_neighbours(inputs: Inputs) -> Arrays:
    return (inputs["x"].reshape(-1, SUMMED).sum(1, dtype=np.float64),)


def hard_cases(divisor: int = 1) -> tuple[Case, ...]:
    """All cases.

    Args:
        divisor: A power of two; of the lengths that no kernel is written for.
    """

    def part(length: int, least: int = 1) -> int:
        return max(least, length // divisor)

    return (
        *_row_cases(part),
        *_window_cases(part),
        *_column_cases(part),
        *_order_cases(part),
        *_arithmetic_cases(part),
    )


Part = Callable[..., int]


def _row_cases(part: Part) -> list[Case]:
    rows = part(4096, 8)
    total = part(128) << 16
    return [
        Case(
            *("layer_norm", "layer norm, 4096 x 1024"),
            *(_normal(x=(rows, 1024)), _layer_norm),
            absolute=2e-6,
            traffic_bytes=8 * rows * 1024,
        ),
        *(
            _softmax_case(part(ELEMENTS // columns, least), columns)
            for columns, least in ((8, 8), (64, 8), (128, 8), (1024, 8), (1_000_000, 1))
        ),
        Case(
            *("cross_entropy", "binary cross entropy, mean of 2^23"),
            *(_probabilities(part(128)), _cross_entropy),
            relative=1e-5,
            traffic_bytes=8 * total,
        ),
    ]


def _softmax_case(rows: int, columns: int) -> Case:
    return Case(
        *(f"softmax_{columns}", f"softmax, {max(16, ELEMENTS // columns)} x {columns}"),
        *(_normal(x=(rows, columns)), _softmax),
        relative=1e-4,
        traffic_bytes=8 * rows * columns,
    )


def _window_cases(part: Part) -> list[Case]:
    cases = []
    for count, channels in ((32, 3), (10, 12), (1, 128)):
        images, height = part(count), part(256, 6)
        pixels = images * (height - TAPS + 1) * (256 - TAPS + 1)
        cases.append(
            Case(
                f"convolution_{channels}",
                f"convolution 3 x 3, {count} x 256 x 256 x {channels} to 8 channels",
                *(_images(images, height, channels), _convolution),
                absolute=1e-5,
                operations=2.0 * pixels * OUTPUT_CHANNELS * TAPS**2 * channels,
            )
        )
    rows, heads = part(16), part(128)
    return [
        *cases,
        Case(
            *("convolution_1d", "convolution of 11, 16 x 1000 x 80 to 128 channels"),
            *(_normal(x=(rows, 1000, 80), weights=(128, 11, 80)), _convolution_1d),
            absolute=1e-5,
            operations=2.0 * rows * 990 * 128 * 11 * 80,
        ),
        Case(
            *("attention", "attention, 128 heads, 16 queries, 64 keys of 1024"),
            *(_normal(q=(heads, 16, 1024), k=(heads, 64, 1024), v=(heads, 64, 1024)), _attention),
            absolute=1e-5,
            operations=4.0 * heads * 16 * 64 * 1024,
        ),
    ]


def _column_cases(part: Part) -> list[Case]:
    def shaped(name: str, title: str, rows: int, columns: int) -> Case:
        return Case(
            *(name, title),
            *(_normal(x=(rows, columns)), _column_sums),
            absolute=1e-4,
            traffic_bytes=4 * rows * columns,
        )

    rows, columns = part(4096, 64), part(4096, 64)
    return [
        shaped("column_sums", "sums of columns, 4096 x 1024", part(4096, 256), 1024),
        shaped("column_sums_wide", "sums of columns, 64 x 2^20", 64, part(1 << 20)),
        shaped("column_sums_narrow", "sums of columns, 2^20 x 16", part(1 << 20), 16),
        Case(
            *("sum_of_all", "sum of 2^24, 256 threads in steps"),
            *(_positive(part(ELEMENTS)), _sum_of_all),
            relative=1e-4,
            traffic_bytes=4 * part(ELEMENTS),
        ),
        Case(
            *("argmax_rows", "argmax of rows, 8192 x 1024"),
            *(_normal(x=(part(8192, 64), 1024)), _argmax(1)),
            traffic_bytes=4 * part(8192, 64) * 1024,
        ),
        Case(
            *("argmax_columns", "argmax of columns, 1024 x 8192"),
            *(_normal(x=(1024, part(8192, 64))), _argmax(0)),
            traffic_bytes=4 * part(8192, 64) * 1024,
        ),
        Case(
            *("sum_down_rows", "a + b, a thread a column, 4096 x 4096"),
            *(_normal(a=(rows, 4096), b=(rows, 4096)), _sum),
            relative=1e-6,
            absolute=1e-7,
            traffic_bytes=12 * rows * 4096,
        ),
        Case(
            *("transposed_sum", "a.T + b, 4096 x 4096"),
            *(_normal(a=(4096, columns), b=(columns, 4096)), _transposed_sum),
            relative=1e-6,
            absolute=1e-7,
            traffic_bytes=12 * columns * 4096,
        ),
    ]


def _order_cases(part: Part) -> list[Case]:
    count, rows, picked = part(ELEMENTS), part(1 << 20), part(1 << 19)
    return [
        Case(
            *("strided_copy", "copy of every second of 2^25"),
            *(_normal(a=(2 * count,)), _strided(2)),
            traffic_bytes=12 * count,  # whole lines of the cache are read
        ),
        Case(
            *("reversed_copy", "copy of 2^24, backwards"),
            *(_normal(a=(count,)), _strided(-1)),
            traffic_bytes=8 * count,
        ),
        Case(
            *("sort_16", "sort of 16 values, 2^20 columns"),
            *(_normal(x=(SORTED, rows)), _sorted),
            traffic_bytes=8 * SORTED * rows,
        ),
        Case(
            *("scatter_add", "add 2^20 rows of 16 to a table of 64"),
            *(_rows_for_places(rows), _scatter_add),
            absolute=1e-4,
            traffic_bytes=4 * rows * (TABLE_COLUMNS + 1),
        ),
        Case(
            *("gather", "2^19 rows of 32 from a table of 1024"),
            *(_table_and_places(picked), _gather),
            traffic_bytes=4 * picked * 33,
        ),
    ]


def _arithmetic_cases(part: Part) -> list[Case]:
    count, rows = part(ELEMENTS), part(512)
    return [
        Case(
            *("product", "matrix product, 512 x 512, a thread an element"),
            *(_normal(a=(rows, 512), b=(512, 512)), _product),
            absolute=1e-5,
            operations=2.0 * rows * 512 * 512,
        ),
        *(
            Case(
                *(f"exponential_by_{name}", f"exponential by {title}, 2^24"),
                *(_exponents(count), _exponential),
                relative=2e-6,
                traffic_bytes=8 * count,
            )
            for name, title in (("floor", "floor and astype"), ("constant", "a large constant"))
        ),
        Case(
            *("sums_of_8", "sums of 8 neighbours among 2^24"),
            *(_normal(x=(count,)), _sums_of_neighbours),
            absolute=1e-6,
            traffic_bytes=4 * count + 4 * count // SUMMED,
        ),
    ]


HARD_CASES = hard_cases()
SMALL_HARD_CASES = hard_cases(64)

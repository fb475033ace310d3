"""NVIDIA's compiler takes every kernel of arrays and layers, of several types, with what is fused.

The driver behind them runs none: what kernels compute is in `tests/conformance`.
"""

from __future__ import annotations

import importlib
import operator
import pkgutil

import numpy as np
import pytest

import speedmetal as sm
import speedmetal.arrays.kernels
import speedmetal.nn.kernels
from cuda_machine import DryDriver, dry_device, forget_devices
from nvrtc import NEEDS_NVRTC
from speedmetal.arrays.algebra import products
from speedmetal.arrays.kernels import (
    extremes,
    matrices,
    moments,
    reduce,
    scan,
    scatter,
    softmax,
    tiles,
)
from speedmetal.backends import registry
from speedmetal.frontend.static import static
from speedmetal.nn import attention
from speedmetal.nn.kernels import channels, recurrent

pytestmark = NEEDS_NVRTC


def every_kernel() -> set[str]:
    """The names of all kernels of arrays and layers."""
    names = set()
    for kernels in (sm.arrays.kernels, sm.nn.kernels):
        for module in pkgutil.iter_modules(kernels.__path__):
            found = vars(importlib.import_module(f"{kernels.__name__}.{module.name}"))
            names |= {value.name for value in found.values() if isinstance(value, sm.Kernel)}
    return names


ROWS = np.array([3, 0, 1, -1])


def times_sparse(x, per_row):
    """A matrix of four rows with so many elements each, times vectors or a matrix."""
    columns = np.tile(np.arange(per_row), 4)
    starts = np.arange(5) * per_row
    data = sm.zeros(4 * per_row, x.dtype, device=x.device)
    return sm.sparse.csr_array(data, columns, starts, (4, x.shape[0]), x.device) @ x


def draw_all(x):
    with x.device:
        generator = sm.random.default_rng(1)
        return (
            *(generator.random(9), generator.normal(0, 1, 9), generator.integers(9, size=9)),
            *(generator.gamma(2.0, 1.0, 9), generator.beta(2.0, 3.0, 9), generator.poisson(3.0, 9)),
            generator.categorical(sm.asarray(x, sm.float32)),
        )


def large(x, shape):
    return sm.zeros(shape, x.dtype, device=x.device)


def write(x):
    x[ROWS] = x[:4] * 2
    return x


def fill_where(x):
    wide = large(x, 70_000)
    wide[wide * 2 > 1] = 0
    return wide


def join(x):
    sm.add_at(x, ROWS, x[:4] * 2)
    return x


def step(x, gates):
    """A step of a recurrent layer, with biases and without."""
    weights = large(x, (3 * gates, 90)), large(x, (3 * gates, 3))
    biases = large(x, 3 * gates), large(x, 3 * gates)
    h = x[:, :3] * 2
    if gates == 4:
        return (
            *sm.nn.lstm_cell(x, (h, h), *weights, *biases),
            *sm.nn.lstm_cell(x, (h, h), *weights),
        )
    return sm.nn.gru_cell(x, h, *weights, *biases), sm.nn.gru_cell(x, h, *weights)


def step_by_tiles(x, gates):
    """As the CPU does it: of two units and a vector of rows at once."""
    count = 3 * gates
    known = (
        *(large(x, (1, 90, 16)), large(x, (2, 3, 16))),
        *(large(x, (count, 90)), large(x, (count, 3)), large(x, count), None),
        *(large(x, (5, 3)), sm.static(2), sm.static(1), 0, -1, 0),
    )
    outputs, cells = large(x, (1, 5, 3)), large(x, (5, 3))
    if gates == 4:
        recurrent.lstm_tile(outputs, cells, *known, groups=(1, 2), threads=16)
    else:
        recurrent.gru_tile(outputs, *known, groups=(1, 2), threads=16)
    return (outputs,)


def by_tiles(x):
    """What the CPU alone chooses."""
    c, panels = large(x, (1, 70, 32)), large(x, (1, 1, 90, 32))
    tiles.lay_into_panels(panels, x.T[:, :30], grid=(32, 90, 1))
    tiles.turn_into_panels(panels, x.T[:, :30], groups=(2, 1), threads=tiles.LANES)
    tiles.multiply_panels(c, (x * 2)[None], panels, 6, 2, 70, groups=1, threads=16)
    return c


def matrices_around_routines(x):
    """What is done to matrices beside a library's routines."""
    whole, grid = large(x, (2, 5, 5)), 50
    factors = large(x, (2, 5))
    addresses = sm.zeros(2, sm.uint64, device=x.device)
    matrices.keep_triangle(whole, static(True), grid=grid)
    matrices.write_identity(whole, grid=grid)
    matrices.take_from_identity(whole, grid=grid)
    matrices.lay_reflections(large(x, (2, 5, 5)), whole, factors, grid=grid)
    matrices.weigh_reflections(whole, factors, grid=grid)
    pivots = sm.ones((2, 5), sm.int32, device=x.device)
    matrices.write_signs(factors[:, 0], pivots, grid=2)
    matrices.write_determinants(factors[:, 0], whole, pivots, grid=2)
    matrices.write_addresses(addresses, np.uint64(256), np.uint64(100), grid=2)
    return x


def strips_of_channels(x):
    """By the kernels that layers on the CPU alone use."""
    rows, target, parts = large(x, (2, 9, 64)), large(x, (2, 9, 64)), large(x, (3, 2, 1, 64))
    found = large(x, (3, 2, 64))
    sizes = {"groups": (2, 1, 2), "threads": moments.WIDTH}
    moments.moments_of_strips(parts, rows, static(2), 9, **sizes)
    moments.moments_of_columns(parts, rows, 9, grid=(64, 1, 2))
    moments.moments_of_rows(parts, rows, 9, groups=(64, 1, 2), threads=32)
    channels.scale_strips(target, rows, found, static(2), 9, **sizes)
    sizes["groups"] = (2, 2)
    channels.normalise_strips(target, rows, static(2), 8, 1e-5, **sizes)
    return target


def join_as_the_cpu_does(x):
    """By the kernels that arrays on the CPU alone use."""
    rows, values = sm.asarray(ROWS, device=x.device), sm.asarray(x[:4] * 2)
    table = large(x, (2, 4, *values.shape[1:]))
    last = sm.full((2, 4), -1, sm.int32, device=x.device)
    outside = sm.zeros(1, sm.int32, device=x.device)
    grid = (values.shape[1], 4)
    scatter.accumulate_in_order(
        x[None], values[None], rows, outside, scatter.add, grid=(x.shape[1], 1)
    )
    scatter.accumulate_rows_in_parts(table, values, rows, scatter.add, groups=2, threads=16)
    scatter.join_parts(x[:4], table, scatter.add, grid=grid)
    scatter.note_last_in_parts(last, rows, groups=2, threads=1)
    scatter.write_last_of_parts(x[:4], values, last, grid=grid)
    return x


def convolve_images(x):
    """By every kernel: lanes are few outputs, many, channels, columns; by tiles, by pieces."""
    few, image, more = (large(x, (1, 4, 40, channels)) for channels in (3, 6, 8))
    wide, half = large(x, (40, 3, 3, 6)), image.astype(sm.float16)
    return (
        sm.nn.conv2d(few * 2, large(x, (4, 3, 3, 3))) + 1,
        sm.nn.conv2d(few, large(x, (4, 3, 13, 3)), padding=1),
        sm.nn.conv2d(image, large(x, (6, 3, 3, 1)), groups=6, padding=1) * 2,
        sm.nn.conv2d(
            few.transpose(0, 3, 1, 2), large(x, (4, 3, 3, 3)), padding=1, layout="channels_first"
        ),
        sm.nn.conv2d(image * 2, wide) + 1,
        sm.nn.conv2d(half, wide.astype(sm.float16), padding=1),
        sm.nn.conv2d(more, large(x, (8, 3, 3, 1)), groups=8),
        *(sm.nn.conv_transpose2d(image, weight, stride=2) for weight in (wide[:4], wide)),
    )


def attend(x):
    """Many queries with a mask of bools and of numbers, few ones of two heads, and long heads."""
    query, mask = x[None, None], large(x, (70, 70))
    function = sm.nn.scaled_dot_product_attention
    half, long = query.astype(sm.float16), large(x, (1, 1, 70, 260))
    return (
        function(query * 2, query, query, mask=mask > 0, causal=True),
        function(query, query, query, mask=mask),
        function(half, half, half, mask=mask > 0),
        function(x[None, :2, None] * 2, query, query, mask=mask[:1] > 0, causal=True),
        function(x[None, :5, None], query, query),
        function(long, long, long, mask=mask),
    )


def attend_with_queries_of_each_thread(x):
    """By the kernels that the CPU, and GPUs with little threadgroup memory, use."""
    query, mask = x[None, None], large(x, (1, 1, 70, 70)) > 0
    options = attention._Options(False, 0.1, mask)
    return attention._by_queries(query, query, query, options)


def columns_as_the_cpu_takes_them(x):
    """By the kernels that arrays on the CPU alone use."""
    rows, sizes = large(x, (2, 9, 64)) * 2, {"groups": (1, 1, 2), "threads": reduce.COLUMNS}
    total, places = large(x, (2, 1, 64)), large(x, (2, 1, 64)).astype(sm.int32)
    reduce.reduce_whole_rows_of_columns(
        total, rows, reduce.SUM, reduce.as_it_is, 1, static(4), 1.0, 9, **sizes
    )
    extremes.places_in_whole_rows_of_columns(
        places, rows, None, extremes.GREATEST, 1, static(4), 9, **sizes
    )
    scan.scan_columns(rows.copy(), rows, None, scan.SUM, 1, 9, grid=(64, 1, 2))
    return total, places


def softmax_as_the_cpu_takes_it(x):
    rows, target = large(x, (2, 9, 64)) * 2, large(x, (2, 9, 64))
    softmax.columns(target, rows, softmax.SOFTMAX, 1, static(False), grid=(64, 2))
    return target


def several(x):
    """Results that share what one launch computes."""
    shared = x * 2
    return shared + 1, shared * shared


CASES = {
    "channels side by side": lambda x: sm.moveaxis(large(x, (2, 50, 3)), -1, 1).copy(),
    "matrices around routines": matrices_around_routines,
    "strips of channels": strips_of_channels,
    "reductions of rows": lambda x: (sm.sum(x * 2, axis=1), sm.max(x[:, :5], axis=1)),
    "reductions of columns": lambda x: (
        sm.sum(x * 2, axis=0),
        sm.sum(large(x, (70, 1100)) * 2, axis=0),
        sm.prod(x),
    ),
    "reductions of few columns": lambda x: sm.sum(large(x, (70_001, 3)) * 2, axis=0),
    "several results": several,
    "columns as the CPU takes them": columns_as_the_cpu_takes_them,
    "places of extremes": lambda x: (sm.argmax(x * 2, axis=1), sm.argmin(x, axis=0)),
    "scans": lambda x: [
        sm.cumulative_sum(part * 2, axis=k)
        for part in (x, x[:, :5], large(x, (3, 70_000)))
        for k in (0, 1)
    ],
    "scans of long columns": lambda x: sm.cumulative_sum(large(x, (40_000, 6)) * 2, axis=0),
    "softmax of long columns": lambda x: [
        sm.softmax(large(x, shape) * 2, axis=0) for shape in ((40_000, 6), (600, 40_000))
    ],
    "softmax as the CPU takes it": softmax_as_the_cpu_takes_it,
    "softmax": lambda x: [
        sm.softmax(part * 2, axis=k)
        for part in (x, x[:, :5], sm.concat([x] * 40, axis=1))
        for k in (0, 1)
    ],
    "sums of exponentials": lambda x: (sm.logsumexp(x * 2, axis=1), sm.logsumexp(x.T, axis=0)),
    "long rows": lambda x: [
        row(large(x, (130, 40_000)) * 2) for row in (sm.softmax, sm.nn.layer_norm, sm.nn.rms_norm)
    ],
    "repeated elements": lambda x: sm.repeat(x, 3, axis=-1),
    "transposes": lambda x: [
        part.T.copy()
        for part in (x, x[1:, 1:], x.astype("uint8"), large(x, (64, 88)).astype("uint8"))
    ],
    "products": lambda x: products.matmul(x + 1, x.T, algorithm="native"),
    "products by tiles": by_tiles,
    "gathers": lambda x: (x * 2)[sm.asarray(ROWS, device=x.device)],
    "small rows": lambda x: x[sm.asarray(ROWS, device=x.device)],
    "values joined to small rows": lambda x: x.at[sm.asarray(ROWS, device=x.device)].add(x[:4]),
    "values written to small rows": lambda x: x.at[sm.asarray(ROWS, device=x.device)].set(x[:4]),
    "gathers along an axis": lambda x: sm.take_along_axis(x * 2, large(x, x.shape).astype("i8"), 0),
    "writes by positions": write,
    "writes by masks": fill_where,
    "joins by positions": join,
    "joins as the CPU does them": join_as_the_cpu_does,
    "functions of users": lambda x: (
        sm.map(lambda a: a + a, x * 2),
        sm.reduce(operator.add, x * 2, 1),
        sm.accumulate(operator.add, x * 2, 1),
        sm.stencil(lambda at: at(0, 1) + at(0, -1), x),
    ),
    "convolutions of images": convolve_images,
    "sizes of images": lambda x: [
        sm.nn.upsample(large(x, (1, 9, 9, 20)) * 2, 12, mode=mode, layout=layout)
        for mode, layout in (("nearest", "channels_last"), ("bilinear", "channels_first"))
    ],
    "pooling": lambda x: (
        sm.nn.max_pool2d(large(x, (1, 9, 9, 20)) * 2, 3, padding=1) + 1,
        sm.nn.adaptive_avg_pool2d(large(x, (1, 9, 9, 20)), 4, layout="channels_first"),
    ),
    "convolutions": lambda x: sm.convolve(x[:, 0] * 2, x[:9, 1]),
    "interpolation": lambda x: sm.interp(x[0] * 2, x[1], x[2]),
    "sparse": lambda x: (
        [times_sparse(x, n)[:, k] for n in (2, 60) for k in (0, slice(5))]
        + [times_sparse(x[:, 0], n) for n in (2, 60)]
    ),
    "random": draw_all,
    "recurrent layers": lambda x: [
        found for gates in (3, 4) for each in (step, step_by_tiles) for found in each(x, gates)
    ],
    "rotary positions": lambda x: (
        sm.nn.rope(x * 2, offset=3) + 1,
        sm.nn.rope(x, positions=large(x, 70), traditional=True),
        sm.nn.rope(x, cosine=x[:, :45], sine=x[:, 45:]),
    ),
    "attention": attend,
    "attention, a thread each query": attend_with_queries_of_each_thread,
    "bags": lambda x: [
        sm.nn.embedding_bag(np.array([[0, 1], [2, 2]]), x * 2, reduction=reduction)
        for reduction in ("sum", "mean", "max")
    ],
    "normalisation": lambda x: [
        *(
            norm(part * 2, axis=k) * 3
            for part in (x, x[:, :5], sm.concat([x] * 40, axis=1))
            for k in (0, 1)
            for norm in (sm.nn.layer_norm, sm.nn.rms_norm)
        ),
        sm.nn.batch_norm(x * 2, x[0], x[1]),
        sm.nn.group_norm(x.reshape(1, 70, 90), 7, layout="channels_first"),
    ],
    "losses": lambda x: (
        sm.nn.binary_cross_entropy(x * 2, x),
        sm.nn.binary_cross_entropy_with_logits(x * 2, x, x[0], pos_weight=x[1]),
        sm.nn.cross_entropy(x * 2, large(x, 70).astype("i8")),
    ),
    "dropout": lambda x: (sm.nn.dropout(x * 2, 0.5, generator=sm.random.default_rng(1)) + 1,),
}
FLOATS_ALONE = {
    *("softmax of long columns", "softmax as the CPU takes it"),
    *(
        "softmax",
        "sums of exponentials",
        "long rows",
        "interpolation",
        "recurrent layers",
        "rotary positions",
        "bags",
    ),
    *("normalisation", "losses", "dropout", "attention", "strips of channels"),
    *("attention, a thread each query",),
    "matrices around routines",
    *("convolutions of images", "pooling", "sizes of images"),
}
DTYPES = ["float32", "int32", "float16", "int64"]


@pytest.fixture(scope="module")
def card():
    driver = DryDriver()
    return driver, dry_device(driver)


@pytest.fixture
def compiled(card, monkeypatch):
    """What compiles, and the names of all that was loaded so far."""
    driver, device = card
    monkeypatch.setitem(registry._present, "cuda", device)

    def run(name, dtype):
        x = sm.array(np.ones((70, 90), dtype), device=device)
        found = CASES[name](x)
        sm.eval(*(found if isinstance(found, (tuple, list)) else (found,)))
        device.synchronize()
        return set(driver.entries.values())

    yield run
    forget_devices()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_kernels_of_each_type_compile(compiled, name, dtype):
    if name in FLOATS_ALONE and not dtype.startswith("float"):
        pytest.skip("floats alone")
    if name == "sparse" and dtype != "float32":
        pytest.skip("floats of 32 bits and more alone")
    assert compiled(name, dtype)


COMPILED_ELSEWHERE = {
    *("sort_parts", "merge_runs", "pack_rows", "count_parts", "add_up", "write_places"),
    "combine_two",
}
"""In `test_cuda_order` and `test_cuda_compute`: whether they run depends on elements, and on a
library."""


def test_no_kernel_is_left_out(compiled):
    seen = set.union(*(compiled(name, "float32") for name in CASES))
    missing = every_kernel() - seen - COMPILED_ELSEWHERE
    assert not missing, missing

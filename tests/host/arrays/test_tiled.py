"""Products by tiles are products: of any sizes, strides and dtypes, and with what follows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_products import in_numpy, placed

import speedmetal as sm
from speedmetal.arrays.algebra import products, tiled
from speedmetal.arrays.algebra.products import Way
from speedmetal.dtypes import bfloat16, float16, float32, float64
from tiers import examples


@pytest.fixture(scope="module", autouse=True)
def of_any_size():
    """Small products go by tiles as well, and short inner axes are cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiled, "LEAST_WORK", 1)
        patch.setattr(tiled, "LEAST_WORK_OF_FEW", 1)
        patch.setattr(tiled, "PACKED_FROM", 32)
        patch.setattr(products, "_AT_ONCE", {})
        yield


def way_of(a, b):
    left, right = sm.asarray(a), sm.asarray(b)
    shape = np.matmul(np.empty(a.shape, "i1"), np.empty(b.shape, "i1")).shape
    return products._way(left, right, shape, "auto")


def exact(a, b):
    return in_numpy(a, b).astype(a.dtype)


@st.composite
def matrices(draw):
    """Factors that tiles take, broadcast stacks and ragged sizes among them."""
    dtype = draw(st.sampled_from([float32, float64, float16, bfloat16]))
    rows = draw(st.integers(32, 45))
    inner = draw(st.sampled_from([1, 2, 7, 40]))
    columns = draw(st.integers(16, 70))
    left, right = draw(st.sampled_from([((), ()), ((3,), ()), ((2, 1), (3,)), ((3,), (3,))]))
    a = draw(placed((*left, rows, inner), dtype))
    b = draw(placed((*right, inner, columns), dtype))
    return a, b


@given(matrices())
@settings(max_examples=examples(60), deadline=None)
def test_any_sizes_strides_and_dtypes(factors):
    """Sums of small whole numbers are exact, so that every element must be."""
    a, b = factors
    assert way_of(a, b) is Way.TILES
    found = sm.asarray(a) @ sm.asarray(b)
    assert found.dtype == a.dtype
    np.testing.assert_array_equal(found.numpy(), exact(a, b))


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 17])
@pytest.mark.parametrize("columns", [16, 96, 128])
def test_few_rows_of_many_matrices(rows, columns):
    generator = np.random.default_rng(rows)
    a = generator.integers(-3, 4, (9, rows, 33)).astype("f4")
    b = generator.integers(-3, 4, (9, 33, columns)).astype("f4")
    is_even = columns % (16 * tiled.tile_for(rows, columns, float32).vectors) == 0
    assert way_of(a, b) is (Way.TILES if is_even else Way.BLAS)
    np.testing.assert_array_equal((sm.asarray(a) @ sm.asarray(b)).numpy(), a @ b)


def test_half_precision_is_summed_in_float32():
    ones = sm.full((40, 4096), 0.1, sm.float16)
    total = (ones @ ones.T[:, :32]).numpy()
    wanted = np.float16(np.float64(np.float16(0.1)) ** 2 * 4096)
    np.testing.assert_array_equal(total, np.full((40, 32), wanted))


@pytest.mark.parametrize("shape", [(50,), (40, 1), (3, 40, 50), (3, 1, 1), ()])
def test_what_follows_is_computed_as_sums_are_stored(shape):
    """One kernel for the product, the sum and the function, and the bits of three."""
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(3, 40, 20)), generator.normal(size=(3, 20, 50))
    a, b, bias = (sm.asarray(x, sm.float32) for x in (a, b, generator.normal(size=shape)))
    found = sm.relu(a @ b + bias)
    assert "1 step" in str(sm.explain(found))
    with sm.no_fusion():
        apart = sm.relu(a @ b + bias)
    np.testing.assert_array_equal(found.numpy(), apart.numpy())


def test_a_follower_may_have_another_dtype():
    a, b = sm.ones((40, 20)), sm.ones((20, 50))
    np.testing.assert_array_equal((a @ b > 19.5).numpy(), np.ones((40, 50), bool))


def test_what_cannot_be_seen_as_one_stack_follows_in_a_kernel_of_its_own():
    """A bias of the first axis of two, where all matrices meet one, has no stride for both."""
    a, b, bias = sm.ones((2, 3, 40, 20)), sm.ones((20, 50)), sm.asarray([[[[1.0]]], [[[2.0]]]])
    found = a @ b + bias
    assert "2 steps" in str(sm.explain(found))
    np.testing.assert_array_equal(found.numpy()[:, 0, 0, 0], [21, 22])


def test_what_is_multiplied_may_be_an_expression():
    x = np.arange(40 * 20, dtype="f4").reshape(40, 20) % 7
    w = np.arange(20 * 50, dtype="f4").reshape(20, 50) % 5
    for columns in (20, 50):
        found = (sm.asarray(x) * 2 + 1) @ (sm.asarray(w[:, :columns]) - 2)
        np.testing.assert_array_equal(found.numpy(), (x * 2 + 1) @ (w[:, :columns] - 2))


@pytest.mark.parametrize("rest", [0, 1, 777])
def test_a_long_inner_axis_is_cut(rest):
    """Every element counts once, those behind the last whole part too."""
    inner = tiled.LONG_INNER + rest
    generator = np.random.default_rng(rest)
    a = generator.integers(-3, 4, (20, inner)).astype("f4")
    b = generator.integers(-3, 4, (inner, 17)).astype("f4")
    assert way_of(a, b) is Way.PARTS
    np.testing.assert_array_equal((sm.asarray(a) @ sm.asarray(b)).numpy(), a @ b)


def test_nan_and_infinity_stay_in_their_rows_and_columns():
    a, b = np.ones((40, 20), "f4"), np.ones((20, 50), "f4")
    a[3, 19], b[0, 49] = np.nan, np.inf
    found = (sm.asarray(a) @ sm.asarray(b)).numpy()
    np.testing.assert_array_equal(np.isnan(found).nonzero()[0], np.full(50, 3))
    np.testing.assert_array_equal(np.isinf(found[:3, 49]), True)
    np.testing.assert_array_equal(found[4:, :49], 20)


def test_the_rule():
    """What is measured to be faster by tiles goes by tiles, the rest to BLAS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiled, "LEAST_WORK", 1 << 24)
        patch.setattr(tiled, "LEAST_WORK_OF_FEW", 1 << 21)
        patch.setattr(tiled, "PACKED_FROM", 128)

        def way(a, b):
            shape = (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
            left = sm.broadcast_to(sm.zeros((1,) * len(a)), a)
            return products._way(left, sm.empty(b), shape, "auto")

        assert way((1000, 64, 1024), (1000, 1024, 32)) is Way.TILES
        assert way((32, 1, 1000), (32, 1000, 128)) is Way.TILES
        assert way((1000, 1024, 64), (1000, 64, 256)) is Way.TILES
        assert way((1_000_000, 64), (64, 1024)) is Way.TILES
        assert way((64, 1_000_000), (1_000_000, 32)) is Way.PARTS
        assert way((1024, 1024), (1024, 1024)) is Way.BLAS
        assert way((102_400, 512), (512, 1024)) is Way.BLAS
        assert way((100, 51_200), (51_200, 1)) is Way.BLAS
        assert way((128, 128), (128, 128)) is Way.BLAS
        assert way((64, 512), (512, 512)) is Way.BLAS


@pytest.mark.parametrize("is_wide", [True, False])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_sums_fit_into_registers(monkeypatch, is_wide, dtype):
    """A sum of 16 threads is a register of 512 bits, of float64 two; else two of 256, or four."""
    monkeypatch.setattr(tiled, "has_avx512", lambda: is_wide)
    for rows in range(1, 40):
        for columns in range(1, 200):
            tile = tiled.tile_for(rows, columns, dtype)
            sums = tile.rows * tile.vectors * (dtype.itemsize // 4)
            assert 1 <= tile.rows <= rows
            assert sums <= (28 if is_wide else 12)


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("columns", [64, 41])
def test_stacks_of_transposed_matrices(monkeypatch, dtype, columns):
    """Proves that stacks whose axes cannot be one are read as they lie, and columns are turned."""
    a, b = (
        np.random.default_rng(n).integers(-3, 4, (4, n, 3, 24)).astype(dtype.numpy)
        for n in (40, columns)
    )
    left, right = np.moveaxis(a, 1, 2), b.transpose(0, 2, 3, 1)
    monkeypatch.setattr(tiled, "default_threads", lambda: 2)
    assert way_of(left, right) is Way.TILES  # as of many rows
    found = sm.asarray(left) @ sm.asarray(right)
    np.testing.assert_array_equal(found.numpy(), left @ right)
    monkeypatch.setattr(tiled, "PACKED_FROM", 128)
    assert way_of(left, right) is (Way.TILES if columns == 64 else Way.BLAS)
    few = left[..., : tiled.TURNED_FROM - 1, :]
    assert way_of(few, right) is Way.BLAS
    found = sm.einsum("bqhd,bkhd->bhqk", sm.asarray(a), sm.asarray(b))
    np.testing.assert_array_equal(found.numpy(), left @ right)

"""The kernel of matrix products, on every device."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.algebra.products import matmul
from speedmetal.arrays.kernels.tiles import (
    LANES,
    lay_into_panels,
    multiply_panels,
    turn_into_panels,
)
from speedmetal.dtypes import ALL, DType

SHAPES = [((1, 1, 1), 1), ((64, 16, 64), 1), ((65, 33, 70), 1), ((3, 100, 5), 2)]


def whole_numbers(shape: tuple[int, ...], dtype: DType, seed: int) -> np.ndarray:
    low = 0 if dtype.kind.name in ("UNSIGNED", "BOOL") else -3
    numbers = np.random.default_rng(seed).integers(low, 4, shape)
    host = (numbers > 2 if dtype.is_bool else numbers).astype(dtype.numpy)
    return host * dtype.numpy.type(1 + 1j) if dtype.is_complex else host


@pytest.mark.parametrize("dtype", ALL, ids=str)
@pytest.mark.parametrize(("sizes", "stack"), SHAPES, ids=str)
def test_a_product_is_exact_where_sums_are(device, dtype, sizes, stack):
    if dtype.name in ("float64", "complex128") and not device.target.has_float64:
        pytest.skip("the device has no float64")
    rows, inner, columns = sizes
    a = whole_numbers((stack, rows, inner), dtype, 1)
    b = whole_numbers((stack, columns, inner), dtype, 2)
    product = matmul(
        sm.array(a, device=device),
        sm.array(b, device=device).transpose(0, 2, 1),
        algorithm="native",
    )
    wide = np.complex128 if dtype.is_complex else np.float64
    wanted = a.astype(wide) @ b.astype(wide).transpose(0, 2, 1)
    assert product.dtype == dtype
    if dtype.is_integer:
        wanted = wanted.astype(np.int64)
    np.testing.assert_array_equal(product.numpy(), wanted.astype(dtype.numpy))


def test_operands_may_be_expressions_and_stacks_are_broadcast(device):
    a = whole_numbers((2, 1, 5, 20), sm.float32, 1)
    b = whole_numbers((3, 20, 4), sm.float32, 2)
    left = sm.array(a, device=device) * 2.0 + 1.0
    product = matmul(left, sm.array(b, device=device), algorithm="native")
    np.testing.assert_array_equal(product.numpy(), (a * 2 + 1) @ b)


@pytest.mark.parametrize("dtype", [sm.float32, sm.float16], ids=str)
@pytest.mark.parametrize("tile", [(1, 2), (3, 1)], ids=str)
def test_tiles_of_panels(launch, dtype, tile):
    """Rows and columns fill neither the last tile nor the last panel."""
    rows, vectors = tile
    a = whole_numbers((2, 7, 5), dtype, 1)
    b = whole_numbers((2, 5, 40), sm.float32, 2)
    width = LANES * vectors
    panels = np.full((2, -(-40 // width), 5, width), 99, "f4")
    launch(lay_into_panels, panels, b, grid=(width, 5, 2 * panels.shape[1]))
    turned = np.full_like(panels, 99)
    groups = (vectors, 2 * panels.shape[1])
    launch(turn_into_panels, turned, b, groups=groups, threads=LANES)
    np.testing.assert_array_equal(turned, panels)
    c = np.full((2, 7, 40), 99, dtype.numpy)
    block = 2 * rows
    launch(multiply_panels, c, a, panels, *tile, block, groups=(-(-7 // block), 2), threads=LANES)
    np.testing.assert_array_equal(c, (a.astype("f4") @ b).astype(dtype.numpy))

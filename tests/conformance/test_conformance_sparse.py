"""Products of sparse matrices with vectors and matrices, on every device; sums are exact."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.dtypes import complex64, complex128, float32, float64


def random_matrix(rows, columns, per_row, dtype):
    """A dense matrix of small whole numbers, few of which are not 0; its third row is empty."""
    generator = np.random.default_rng(rows)
    dense = generator.integers(-3, 4, (rows, columns)).astype(dtype.numpy)
    if dtype.is_complex:
        dense = dense * dtype.numpy.type(1 + 2j)
    dense[generator.random((rows, columns)) >= per_row / columns] = 0
    dense[2] = 0
    return dense


def sparse_of(dense, device):
    rows, columns = dense.nonzero()
    return sm.sparse.coo_array(dense[rows, columns], rows, columns, dense.shape, device)


@pytest.mark.parametrize("dtype", [float32, float64, complex64, complex128], ids=str)
@pytest.mark.parametrize(("columns", "per_row"), [(33, 4), (200, 90)])
def test_products_are_those_of_dense_matrices(device, dtype, columns, per_row):
    """Rows that a thread takes, and rows that a simdgroup takes."""
    if dtype.part is float64 and not device.target.has_float64:
        pytest.skip("the device has no float64")
    dense = random_matrix(37, columns, per_row, dtype)
    a = sparse_of(dense, device)
    x = np.random.default_rng(1).integers(-3, 4, (columns, 5)).astype(dtype.numpy)
    there = sm.array(x, device=device)
    np.testing.assert_array_equal((a @ there).numpy(), dense @ x)
    np.testing.assert_array_equal((a @ there[:, 1]).numpy(), dense @ x[:, 1])
    np.testing.assert_array_equal(a.todense().numpy(), dense)


def test_operands_and_elements_may_be_expressions(device):
    dense = random_matrix(37, 40, 5, float32)
    a = sparse_of(dense, device) * 2
    x = sm.arange(40, dtype="f32", device=device)
    np.testing.assert_array_equal((a @ (x[::-1] + 1)).numpy(), dense @ np.arange(40, 0, -1) * 2)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_sums(device, axis):
    dense = random_matrix(37, 40, 5, float32)
    np.testing.assert_array_equal(sparse_of(dense, device).sum(axis).numpy(), dense.sum(axis))


def test_what_a_device_lacks_is_told(device):
    if device.target.has_float64:
        pytest.skip("the device has float64")
    a = sm.sparse.csr_array([1.0], [0], [0, 1], (1, 1), device)
    with pytest.raises(sm.UserInputError, match=r"has no float64; convert with a.astype"):
        a @ sm.array(np.ones(1), device=device)

"""Sparse matrices mean what SciPy's mean; wrong places are told when a matrix is made."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from test_array import RemoteDevice

import speedmetal as sm
from tiers import examples

DTYPES = ["float32", "float64", "complex64", "complex128"]


@st.composite
def edges(draw):
    """Whole numbers with their rows and columns, some of them several times, and a shape."""
    shape = draw(st.tuples(st.integers(0, 7), st.integers(0, 7)))
    count = draw(st.integers(0, 30)) if all(shape) else 0
    dtype = draw(st.sampled_from(DTYPES))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    data = generator.integers(-4, 5, count).astype(dtype)
    rows, columns = (generator.integers(0, max(extent, 1), count) for extent in shape)
    return data, rows.astype(draw(st.sampled_from(["i4", "u8"]))), columns, shape


@given(edges(), st.integers(0, 3))
@settings(max_examples=examples(150), deadline=None)
def test_matrices_of_edges_are_scipys(parts, width):
    data, rows, columns, shape = parts
    a = sm.sparse.coo_array(*parts)
    wanted = scipy.sparse.coo_array((data, (rows.astype("i8"), columns)), shape=shape).tocsr()
    dense = wanted.toarray()
    assert a.nnz == wanted.nnz
    assert a.dtype == data.dtype
    np.testing.assert_array_equal(a.indptr.numpy(), wanted.indptr)
    np.testing.assert_array_equal(a.todense().numpy(), dense)
    np.testing.assert_array_equal(a.T.todense().numpy(), dense.T)
    x = np.arange(shape[1] * width, dtype="f4").reshape(shape[1], width)
    product = a @ x
    assert product.dtype == (wanted @ x).dtype
    np.testing.assert_array_equal(product.numpy(), dense @ x)
    vector = np.arange(shape[0], dtype="f4")
    np.testing.assert_array_equal((vector @ a).numpy(), vector @ dense)
    for axis in (None, 0, 1, -1):
        np.testing.assert_array_equal(a.sum(axis).numpy(), dense.sum(axis))
    for scaled, by in ((a * 2, 2), (2 * a, 2), (-a, -1), (a / 0.5, 2)):
        assert scaled.dtype == data.dtype
        np.testing.assert_array_equal(scaled.todense().numpy(), dense * by)


@given(edges(), st.sampled_from(["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]))
@settings(max_examples=examples(100), deadline=None)
def test_scipys_matrices_are_taken_in_every_form(parts, form):
    data, rows, columns, shape = parts
    if form == "bsr" and not all(shape):
        return
    given_ = scipy.sparse.coo_array((data, (rows.astype("i8"), columns)), shape=shape)
    for matrix in (given_.asformat(form), scipy.sparse.coo_matrix(given_).asformat(form)):
        a = sm.sparse.asarray(matrix)
        np.testing.assert_array_equal(a.todense().numpy(), given_.toarray())


def test_columns_in_any_order_and_twice_count():
    a = sm.sparse.csr_array([1.0, 2.0, 4.0], [2, 0, 2], [0, 3, 3], (2, 3))
    assert (a @ sm.array([1.0, 1.0, 10.0])).tolist() == [52, 0]
    assert a.todense().tolist() == [[2, 0, 5], [0, 0, 0]]


def test_elements_are_shared_and_places_are_not():
    """What was checked cannot be changed behind our back."""
    matrix = scipy.sparse.csr_array(np.eye(3, dtype="f4"))
    a = sm.sparse.asarray(matrix)
    matrix.data[0] = 5
    matrix.indices[:] = 10**6
    matrix.indptr[:] = 10**6
    assert (a @ sm.ones(3)).tolist() == [5, 1, 1]
    for places in (a.indices, a.indptr):
        with pytest.raises(sm.UserInputError, match="read-only"):
            places[0] = 10**6


def test_results_are_lazy_and_see_what_was_before_a_write():
    a = sm.sparse.csr_array([1.0], [0], [0, 1], (1, 1))
    x = sm.array([1.0])
    product = a @ x
    x[0] = 7.0
    a.data[0] = 3.0
    assert product.tolist() == [1]
    assert (a @ x).tolist() == [21]


def test_conversions():
    a = sm.sparse.csr_array([1.0], [0], [0, 1], (1, 1))
    assert sm.sparse.asarray(a) is a
    assert a.astype("c64").dtype == np.complex64
    assert (a * 1j).dtype == np.complex64
    assert repr(a) == "CSRArray(shape=(1, 1), nnz=1, dtype=float32, device='cpu')"
    with pytest.raises(sm.UserInputError, match="a sparse matrix has elements of float32"):
        a.astype("i32")


MATRIX = ([1.0, 2.0], [0, 2], [0, 1, 2], (2, 3))
WRONG_PARTS = {
    r"indices\[1\] is 3, but there are 3 columns": (1, [0, 3]),
    r"indices\[0\] is -1, but there are 3 columns": (1, [-1, 0]),
    r"indptr goes from 0 to 3, expected 0 to 2": (2, [0, 1, 3]),
    r"indptr goes from 1 to 2, expected 0 to 2": (2, [1, 1, 2]),
    r"indptr\[2\] is 1, which is less than 2 before it": (2, [0, 2, 1, 2]),
}


@pytest.mark.parametrize("message", WRONG_PARTS)
def test_places_outside_are_told(message):
    where, part = WRONG_PARTS[message]
    parts = [*MATRIX]
    parts[where] = part
    parts[3] = (len(parts[2]) - 1, 3)
    with pytest.raises(IndexError, match=f"csr_array: {message}"):
        sm.sparse.csr_array(*parts)


def test_rows_and_columns_of_edges_outside_are_told():
    with pytest.raises(IndexError, match=r"coo_array: rows\[1\] is 2, but there are 2 rows"):
        sm.sparse.coo_array([1.0, 2.0], [0, 2], [0, 0], (2, 3))
    with pytest.raises(IndexError, match=r"coo_array: columns\[0\] is -1, but there are 3 columns"):
        sm.sparse.coo_array([1.0, 2.0], [0, 1], [-1, 0], (2, 3))


A = sm.sparse.csr_array(*MATRIX)
WRONG = {
    r"expected data with one axis, got shape \(1, 1\)": lambda: sm.sparse.csr_array(
        [[1.0]], [0], [0, 1], (1, 1)
    ),
    "elements of float32, float64, complex64, complex128, got int32; convert": (
        lambda: sm.sparse.csr_array([1], [0], [0, 1], (1, 1))
    ),
    "expected 1 integers as indices, got float64": lambda: sm.sparse.csr_array(
        [1.0], [0.0], [0, 1], (1, 1)
    ),
    r"expected 3 integers as indptr, got int64 of shape \(2,\)": lambda: sm.sparse.csr_array(
        [1.0], [0], [0, 1], (2, 1)
    ),
    r"expected a shape \(rows, columns\), got 3": lambda: sm.sparse.csr_array(
        [1.0], [0], [0, 1], 3
    ),
    r"shape \(2, 3\) is multiplied by an array of shape \(3,\) or \(3, n\), got \(2,\)": (
        lambda: A @ sm.ones(2)
    ),
    r"write a @ b.todense\(\)": lambda: A @ A,
    r"\* expects a number, got Array; write a.todense\(\) \* x": lambda: A * sm.ones(3),
    "sum: a matrix has the axes 0 and 1, got 2": lambda: A.sum(2),
    "expected a sparse matrix of SciPy's, got ndarray": lambda: sm.sparse.asarray(np.eye(2)),
}


@pytest.mark.parametrize("message", WRONG)
def test_other_mistakes_are_told(message):
    with pytest.raises(sm.UserInputError, match=message):
        WRONG[message]()


def test_on_another_device_places_stay_read_only():
    """The copy there has places that were checked, too; operands of two devices are told."""
    remote = RemoteDevice()
    there = A.to(remote)
    assert there.device is remote
    assert there.indices.is_readonly
    assert there.indptr.is_readonly
    assert A.to("cpu") is A
    with pytest.raises(sm.UserInputError, match=r"the sparse matrix is on .*write a @ x.to\("):
        there @ sm.ones(3)

"""What decompositions promise holds; errors say which matrix of a stack has what fault."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_array import RemoteDevice

import speedmetal as sm
from speedmetal.arrays.algebra import lapack
from speedmetal.arrays.array import upload
from speedmetal.dtypes import ALL
from tiers import examples

linalg = sm.linalg
REMOTE = RemoteDevice()
COMPUTED = [d for d in ALL if d.is_complex or d in (sm.float32, sm.float64)]
NARROW = [sm.float16, sm.bfloat16]


@st.composite
def stacks(draw, dtypes=COMPUTED, square=False, least=0):
    """Stacks of small matrices of normal variates, some of them transposed."""
    stack = tuple(draw(st.lists(st.integers(0, 3), max_size=2)))
    rows = draw(st.integers(least, 5))
    columns = rows if square else draw(st.integers(least, 5))
    dtype = draw(st.sampled_from(dtypes)).numpy
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    host = generator.standard_normal((*stack, rows, columns))
    if dtype.kind == "c":
        host = host + 1j * generator.standard_normal(host.shape)
    host = host.astype(dtype)
    return np.ascontiguousarray(host.mT).mT if draw(st.booleans()) else host


def adjoint(host):
    return host.mT.conj()


def close(actual, wanted, scale=1.0):
    """Equal but for a few roundings of numbers of this scale."""
    epsilon = np.finfo(actual.dtype).eps
    np.testing.assert_allclose(actual, wanted, rtol=100 * epsilon, atol=200 * epsilon * scale)


def laws(count=60):
    return settings(max_examples=examples(count), deadline=None)


@laws()
@given(stacks(square=True))
def test_cholesky(host):
    host = host @ adjoint(host) + np.eye(host.shape[-1], dtype=host.dtype)
    scale = np.abs(host).max(initial=1)
    lower = linalg.cholesky(sm.asarray(host)).numpy()
    np.testing.assert_array_equal(lower, np.tril(lower))
    close(lower @ adjoint(lower), host, scale)
    upper = linalg.cholesky(sm.asarray(host), upper=True).numpy()
    np.testing.assert_array_equal(upper, np.triu(upper))
    close(adjoint(upper) @ upper, host, scale)


@pytest.mark.parametrize("mode", ["reduced", "complete"])
@laws()
@given(host=stacks())
def test_qr(mode, host):
    q, r = (x.numpy() for x in linalg.qr(sm.asarray(host), mode=mode))
    assert q.shape[-1] == (host.shape[-2] if mode == "complete" else min(host.shape[-2:]))
    np.testing.assert_array_equal(r, np.triu(r))
    close(q @ r, host, np.abs(host).max(initial=1))
    close(adjoint(q) @ q, np.broadcast_to(np.eye(q.shape[-1]), (*q.shape[:-2], *2 * q.shape[-1:])))


@laws()
@given(host=stacks(least=1))
def test_svd(host):
    x, scale = sm.asarray(host), np.abs(host).sum(axis=(-1, -2)).max(initial=1)
    for full in (True, False):
        u, s, vh = (part.numpy() for part in linalg.svd(x, full_matrices=full))
        k = s.shape[-1]
        assert s.dtype == host.real.dtype
        assert (np.diff(s, axis=-1) <= 0).all()
        close((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], host, scale)
    close(linalg.svdvals(x).numpy(), s, scale)
    shares = np.broadcast_to(np.linalg.pinv(host), host.mT.shape)
    np.testing.assert_allclose(linalg.pinv(x).numpy(), shares, rtol=1e-2, atol=1e-3)
    wanted = np.linalg.matrix_rank(host)
    rank = linalg.matrix_rank(x)
    assert rank.dtype == np.int32
    np.testing.assert_array_equal(rank.numpy(), wanted)


@laws()
@given(host=stacks(square=True))
def test_eigenvalues_of_hermitian_matrices(host):
    host = host + adjoint(host)
    scale = np.abs(host).sum(axis=(-1, -2)).max(initial=1)
    values, vectors = (x.numpy() for x in linalg.eigh(sm.asarray(host)))
    assert values.dtype == host.real.dtype
    close(host @ vectors, vectors * values[..., None, :], scale)
    assert (np.diff(values, axis=-1) >= 0).all()
    close(linalg.eigvalsh(sm.asarray(host)).numpy(), values, scale)


@laws()
@given(host=stacks(square=True))
def test_eigenvalues_of_any_matrices_are_complex(host):
    if host.dtype == np.float64 and not has_complex128():
        return
    scale = np.abs(host).sum(axis=(-1, -2)).max(initial=1)
    values, vectors = (x.numpy() for x in linalg.eig(sm.asarray(host)))
    assert values.dtype == vectors.dtype == np.result_type(host.dtype, np.complex64)
    close(host @ vectors, vectors * values[..., None, :], 10 * scale)
    assert linalg.eigvals(sm.asarray(host)).dtype == values.dtype


def has_complex128():
    return any(dtype.name == "complex128" for dtype in ALL)


@laws()
@given(stacks(square=True), st.integers(0, 3))
def test_solve_and_inv(host, columns):
    host = host + 8 * np.eye(host.shape[-1], dtype=host.dtype)  # far from singular
    x = sm.asarray(host)
    one = np.broadcast_to(np.eye(host.shape[-1]), host.shape)
    close(host @ linalg.inv(x).numpy(), one, 10)
    right = np.random.default_rng(0).standard_normal((host.shape[-1], columns)).astype(host.dtype)
    close(
        host @ linalg.solve(x, sm.asarray(right)).numpy(),
        np.broadcast_to(right, (*host.shape[:-2], *right.shape)),
        10,
    )
    if columns:
        vector = linalg.solve(x, sm.asarray(right[:, 0])).numpy()
        assert vector.shape == host.shape[:-1]
        close((host @ vector[..., None])[..., 0], np.broadcast_to(right[:, 0], vector.shape), 10)


@laws()
@given(stacks(square=True))
def test_determinants(host):
    x = sm.asarray(host)
    found = linalg.det(x).numpy()
    scale = max(np.abs(np.linalg.det(np.abs(host).astype(np.complex128))).max(initial=1), 100)
    close(found, np.linalg.det(host.astype(np.result_type(host, np.float64))), scale)
    sign, logarithm = (part.numpy() for part in linalg.slogdet(x))
    assert logarithm.dtype == host.real.dtype
    close((sign * np.exp(logarithm)).astype(host.dtype), found, scale)


@laws()
@given(stacks(square=True), st.integers(-2, 5))
def test_powers(host, n):
    host = host / 4 + np.eye(host.shape[-1], dtype=host.dtype)
    found = linalg.matrix_power(sm.asarray(host), n)
    wide = host.astype(np.result_type(host, np.float64))
    np.testing.assert_allclose(found.numpy(), np.linalg.matrix_power(wide, n), rtol=1e-2, atol=0.1)
    assert found.dtype == host.dtype


@laws(30)
@given(stacks(square=True))
def test_the_exponential_turns_sums_into_products(host):
    x = sm.asarray(host)
    found = linalg.expm(x).numpy()
    close(
        linalg.expm(sm.asarray(2 * host)).numpy(),
        found @ found,
        10 * np.abs(found).max(initial=1) ** 2,
    )
    for index in np.ndindex(host.shape[:-2]):
        values, vectors = np.linalg.eig(host[index].astype(np.complex128))
        if values.size and np.linalg.cond(vectors) < 1e3:
            wanted = vectors @ np.diag(np.exp(values)) @ np.linalg.inv(vectors)
            np.testing.assert_allclose(found[index], wanted, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("order", [0, 1, 2, 3, -1, 0.5, math.inf, -math.inf])
@laws(40)
@given(host=stacks(least=1))
def test_vector_norms(order, host):
    x = sm.asarray(host)
    found = linalg.vector_norm(x, axis=-1, ord=order)
    assert found.dtype == host.real.dtype
    wanted = np.linalg.vector_norm(host, axis=-1, ord=order)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4)
    whole = linalg.vector_norm(x, ord=order, keepdims=True) if host.size else None
    if whole is not None:
        wanted = np.linalg.vector_norm(host, ord=order, keepdims=True)
        np.testing.assert_allclose(whole.numpy(), wanted, rtol=1e-4)


@pytest.mark.parametrize("order", ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf])
@laws(40)
@given(host=stacks(least=1))
def test_matrix_norms(order, host):
    x = sm.asarray(host)
    found = linalg.matrix_norm(x, ord=order)
    assert found.dtype == host.real.dtype
    wanted = np.linalg.matrix_norm(host, ord=order)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-3, atol=1e-4)
    kept = linalg.matrix_norm(x, ord=order, keepdims=True)
    assert kept.shape == (*host.shape[:-2], 1, 1)
    if host.ndim == 3:
        axes = (0, 2)
        wanted = np.linalg.norm(host, order, axes, keepdims=True) if host.shape[0] else None
        if wanted is not None:
            found = linalg.norm(x, order, axes, keepdims=True)
            np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-3, atol=1e-4)


@laws()
@given(stacks(dtypes=ALL), st.integers(-6, 6))
def test_diagonals_and_traces(host, offset):
    x = sm.asarray(host)
    diagonal = linalg.diagonal(x, offset=offset)
    np.testing.assert_array_equal(diagonal.numpy(), np.diagonal(host, offset, -2, -1))
    if diagonal.size and host.dtype.kind == "f":
        np.testing.assert_allclose(
            linalg.trace(x, offset=offset, dtype=sm.float64).numpy(),
            np.trace(host.astype(np.float64), offset, -2, -1),
            rtol=1e-6,
            atol=1e-9,
        )


@laws()
@given(st.data())
def test_cross(data):
    axis = data.draw(st.sampled_from([-1, -2]))
    shape = [2, 4]
    shape.insert(2 if axis == -1 else 1, 3)
    generator = np.random.default_rng(0)
    a = generator.integers(-3, 4, shape).astype(np.float32)
    b = generator.integers(-3, 4, shape[data.draw(st.integers(0, 1)) :]).astype(np.int32)
    found = linalg.cross(sm.asarray(a), sm.asarray(b), axis=axis)
    np.testing.assert_array_equal(found.numpy(), np.cross(a, b, axis=axis))


def test_least_squares():
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((9, 4)), generator.standard_normal((9, 2))
    for right in (b, b[:, 0]):
        found = linalg.lstsq(sm.asarray(a), sm.asarray(right))
        x, residuals, rank, values = np.linalg.lstsq(a, right)
        np.testing.assert_allclose(found.x.numpy(), x)
        np.testing.assert_allclose(found.residuals.numpy(), residuals)
        np.testing.assert_allclose(found.singular_values.numpy(), values)
        assert (found.rank.item(), found.rank.dtype) == (rank, np.int32)


@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_narrow_floats_are_computed_in_float32(dtype):
    x = sm.array([[4.0, 2.0], [2.0, 5.0]], dtype)
    assert linalg.cholesky(x).dtype == dtype
    assert linalg.inv(x).dtype == dtype
    assert linalg.eig(x).eigenvalues.dtype == np.complex64
    assert linalg.inv(x.astype(sm.int32)).dtype == np.float32
    np.testing.assert_allclose((linalg.inv(x) @ x).astype(sm.float32).numpy(), np.eye(2), atol=0.02)


def test_stacks_are_spread_over_the_cores(monkeypatch):
    monkeypatch.setattr("speedmetal.arrays.host_routines.default_threads", lambda: 3)
    host = np.random.default_rng(0).standard_normal((40, 2, 24, 24)).astype(np.float32)
    seen = []
    real = np.linalg.inv
    monkeypatch.setattr(np.linalg, "inv", lambda a: (seen.append(a.shape), real(a))[1])
    np.testing.assert_array_equal(linalg.inv(sm.asarray(host)).numpy(), real(host))
    assert sorted(shape[0] for shape in seen) == [26, 27, 27]


def test_a_device_with_memory_of_its_own():
    host = np.array([[4.0, 2.0], [2.0, 5.0]], np.float32)
    found = linalg.cholesky(upload(host, REMOTE))
    assert found.device is REMOTE
    np.testing.assert_array_equal(found.numpy(), np.linalg.cholesky(host))


def test_results_are_named_tuples():
    x = sm.ones((2, 2))
    assert linalg.svd(x)._fields == ("U", "S", "Vh")
    assert linalg.qr(x)._fields == ("Q", "R")
    assert linalg.slogdet(x)._fields == ("sign", "logabsdet")
    assert linalg.eigh(x)._fields == linalg.eig(x)._fields == ("eigenvalues", "eigenvectors")


SINGULAR = np.stack([np.eye(2), np.zeros((2, 2)), np.eye(2)]).astype(np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linalg.inv(sm.zeros((2, 2))), "inv: the matrix is singular"),
        (lambda: linalg.inv(sm.asarray(SINGULAR)), "inv: matrix [1] of the stack is singular"),
        (
            lambda: linalg.solve(sm.asarray(SINGULAR), sm.ones((3, 2, 1))),
            "solve: matrix [1] of the stack is singular",
        ),
        (
            lambda: linalg.cholesky(sm.asarray(-SINGULAR)),
            "cholesky: matrix [0] of the stack is not positive definite",
        ),
        (
            lambda: linalg.svd(sm.full((2, 2), math.nan)),
            "svd: the matrix has NaN or infinite elements, or no solution was found",
        ),
        (
            lambda: linalg.eig(sm.full((2, 2), math.nan)),
            "eig: the matrix has NaN or infinite elements",
        ),
    ],
)
def test_faults_of_matrices(call, message):
    with pytest.raises(linalg.LinAlgError) as caught:
        call()
    assert str(caught.value) == message
    assert isinstance(caught.value, np.linalg.LinAlgError)
    assert isinstance(caught.value, sm.UserInputError)
    assert str(copy.copy(caught.value)) == message  # as it is pickled


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: linalg.det(sm.ones((2, 3))),
            "det takes square matrices, (..., n, n), got shape (2, 3) of 2 rows and 3 columns",
        ),
        (
            lambda: linalg.svd(sm.ones(3)),
            "svd takes a matrix or a stack of them, (..., rows, columns), got shape (3,)",
        ),
        (lambda: linalg.qr(sm.ones((2, 2)), mode="raw"), "unknown mode 'raw'"),
        (
            lambda: linalg.solve(sm.ones((2, 2)), sm.ones(3)),
            "solve: 2 columns of shape (2, 2) do not go together with 3 rows of shape (3,)",
        ),
        (
            lambda: linalg.solve(sm.ones((3, 2, 2)), sm.ones((2, 2, 1))),
            "solve: the stacks of shapes (3, 2, 2) and (2, 2, 1) do not go together",
        ),
        (
            lambda: linalg.matrix_norm(sm.ones((2, 2)), ord="max"),
            "matrix_norm: expected ord to be one of 'fro', 'nuc', 1, -1, 2, -2, inf, -inf, got",
        ),
        (
            lambda: linalg.cross(sm.ones(2), sm.ones(3)),
            "cross takes vectors of three elements, got extent 2 of axis -1 of shape (2,)",
        ),
        (
            lambda: linalg.outer(sm.ones((2, 2)), sm.ones(3)),
            "sm.linalg.outer takes vectors, got shape (2, 2); sm.outer takes any shape",
        ),
        (
            lambda: linalg.norm(sm.ones((2, 2, 2)), 1),
            "norm: ord=1 is of one axis or two, got 3 of shape (2, 2, 2); name them with axis=",
        ),
        (
            lambda: linalg.lstsq(sm.ones((2, 2)), sm.ones(3)),
            "lstsq takes one matrix (rows, columns) and (rows,) or (rows, right_sides), got shapes",
        ),
        (
            lambda: linalg.matrix_power(sm.ones((2, 3)), 2),
            "matrix_power takes square matrices, (..., m, m), got shape (2, 3)",
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises(sm.UserInputError) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_every_function_of_the_extension_is_there():
    wanted = (
        "cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power"
        " matrix_rank matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace"
        " vecdot vector_norm"
    )
    assert set(wanted.split()) <= set(linalg.__all__)
    assert all(callable(getattr(linalg, name)) for name in linalg.__all__)
    assert lapack.LinAlgError is linalg.LinAlgError


@pytest.mark.parametrize("dtype", [sm.float16, sm.bfloat16])
def test_norms_of_halves_do_not_overflow_and_are_rounded_once(dtype):
    x = sm.full((3, 4), 600.0, dtype=dtype)
    found = sm.linalg.vector_norm(x, axis=1)
    assert found.dtype == dtype
    assert found.tolist() == [1200.0] * 3
    assert sm.linalg.vector_norm(x, axis=1, ord=4).tolist() == pytest.approx([848.5] * 3, rel=4e-3)
    row = sm.array(np.random.default_rng(0).standard_normal((64, 999)).astype("f4")).astype(dtype)
    exact = np.linalg.norm(row.astype(sm.float64).numpy(), axis=1)
    error = np.abs(sm.linalg.vector_norm(row, axis=1).astype(sm.float64).numpy() / exact - 1)
    assert error.max() <= 1.01 * (2.0**-11 if dtype == sm.float16 else 2.0**-8)

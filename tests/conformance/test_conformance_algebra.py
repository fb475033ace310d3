"""Products, transforms and decompositions on every device, against NumPy's in double precision.

Which library does them differs between devices, and with the sizes: what is asked for does not.
Errors are of whole arrays, ``norm(found - expected) / norm(expected)``; TF32 would give 3e-4.
"""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.dtypes import DType

FLOATS = (sm.float32, sm.float64, sm.complex64, sm.complex128)
HALVES = (sm.float16, sm.bfloat16)


@pytest.fixture(autouse=True)
def is_no_simulator(device):
    if device.name == "metal-sim":
        pytest.skip("NumPy does it there, and products take minutes: test_conformance_products")


def usable(device, dtype: DType):
    if dtype.name in ("float64", "complex128") and not device.target.has_float64:
        pytest.skip("the device has no float64")
    return dtype


def numbers(shape, dtype: DType, seed=0):
    random = np.random.default_rng(seed)
    found = random.uniform(-1, 1, shape)
    if dtype.is_complex:
        found = found + 1j * random.uniform(-1, 1, shape)
    return found.astype(dtype.numpy)


def wide(x):
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def precision(dtype: DType) -> float:
    if dtype.name == "bfloat16":
        return 2.0**-7
    return float(np.finfo(dtype.numpy).eps)


def error(found, expected) -> float:
    found = found.numpy() if isinstance(found, sm.Array) else found
    assert found.shape == expected.shape
    size = np.linalg.norm(expected.ravel()) or 1.0
    return float(np.linalg.norm((wide(found) - expected).ravel()) / size)


# --- Products ------------------------------------------------------------------------------------

PRODUCTS = [
    ((300, 200), (200, 150)),
    ((1, 1000), (1000, 1)),
    ((1, 300), (300, 500)),
    ((500, 300), (300, 1)),
    ((4, 33, 65), (4, 65, 17)),
    ((4, 33, 65), (65, 17)),
    ((33, 65), (4, 65, 17)),
    ((2, 1, 9, 8), (3, 8, 7)),
]


@pytest.mark.parametrize("shapes", PRODUCTS, ids=str)
@pytest.mark.parametrize("dtype", [*FLOATS, *HALVES], ids=str)
@pytest.mark.parametrize("turned", ["neither", "left", "right", "both"])
def test_products(device, dtype, shapes, turned):
    usable(device, dtype)
    a, b = numbers(shapes[0], dtype), numbers(shapes[1], dtype, 1)
    left = sm.array(a, device=device)
    right = sm.array(b, device=device)
    if turned in ("left", "both"):
        left = sm.array(np.ascontiguousarray(a.swapaxes(-1, -2)), device=device).mT
    if turned in ("right", "both"):
        right = sm.array(np.ascontiguousarray(b.swapaxes(-1, -2)), device=device).mT
    product = left @ right
    assert product.dtype == dtype
    assert error(product, wide(a) @ wide(b)) < 8 * precision(dtype)


def test_products_of_float32_are_no_products_of_tf32(device):
    """``(1 + 2**-20) - 1`` over an inner axis is 0 where operands have 10 bits."""
    a, b = np.zeros((256, 64), np.float32), np.ones((64, 256), np.float32)
    a[:, 0], a[:, 1] = 1 + 2.0**-20, -1
    product = sm.array(a, device=device) @ sm.array(b, device=device)
    np.testing.assert_array_equal(product.numpy(), np.float32(2.0**-20))


@pytest.mark.parametrize("mode", ["tf32", "fast"])
def test_products_of_float32_may_be_products_of_tf32(device, mode):
    """Of operands of 11 bits where the device has it, of all bits where not."""
    random = np.random.default_rng(0)
    a, b = (random.uniform(-1, 1, shape).astype(np.float32) for shape in ((64, 96), (96, 64)))
    with sm.math_mode(mode):
        product = sm.array(a, device=device) @ sm.array(b, device=device)
        found = product.numpy()
    error = np.abs(found - wide(a) @ wide(b)) / (np.abs(wide(a)) @ np.abs(wide(b)))
    assert error.max() < 2**-10


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_products_of_halves_are_summed_in_float32(device, dtype):
    """A sum of halves stays at 2048, or at 256, however many ones follow."""
    a, b = np.ones((64, 6000), dtype.numpy), np.ones((6000, 64), dtype.numpy)
    b[3001:] = -1
    product = sm.array(a, device=device) @ sm.array(b, device=device)
    np.testing.assert_array_equal(product.numpy().astype(np.float32), np.float32(2))


def test_what_follows_products_and_goes_before(device):
    a, b = numbers((70, 60), sm.float32), numbers((60, 50), sm.float32, 1)
    left, right = sm.array(a, device=device), sm.array(b, device=device)
    found = sm.maximum((2 * left) @ (right - 1) + right[0], 0.25) * 3
    expected = np.maximum((2 * wide(a)) @ (wide(b) - 1) + wide(b)[0], 0.25) * 3
    assert error(found, expected) < 1e-6


# --- Transforms ----------------------------------------------------------------------------------

SINGLE = {
    "fft": sm.complex64, "ifft": sm.complex64, "rfft": sm.float32, "irfft": sm.complex64,
    "hfft": sm.complex64, "ihfft": sm.float32,
}  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("length", [1, 2, 7, 16, 97, 1000])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_transforms_along_an_axis(device, name, length, axis):
    shape = [3, 4, 5]
    shape[axis] = length // 2 + 1 if name in ("irfft", "hfft") else length
    x = numbers(shape, SINGLE[name])
    found = getattr(sm.fft, name)(sm.array(x, device=device), n=length, axis=axis)
    assert error(found, getattr(np.fft, name)(wide(x), n=length, axis=axis)) < 2e-6


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 2), (2, 0), (0, 1, 2), (0, 1, 2, 3)], ids=str)
def test_transforms_along_several_axes(device, name, axes):
    x = numbers((6, 5, 4, 7), sm.float32 if name == "rfftn" else sm.complex64)
    transform = getattr(sm.fft, name)
    found = transform(sm.array(x, device=device), axes=axes, norm="ortho")
    assert error(found, getattr(np.fft, name)(wide(x), axes=axes, norm="ortho")) < 2e-6


@pytest.mark.parametrize("dtype", [sm.float64, sm.complex128, sm.float16, sm.int32], ids=str)
def test_transforms_of_other_dtypes(device, dtype):
    usable(device, dtype)
    x = (numbers((4, 30), sm.float32) * 9).astype(dtype.numpy)
    found = sm.fft.fft(sm.array(x, device=device), n=40)
    is_wide = dtype in (sm.float64, sm.complex128)
    assert found.dtype == (sm.complex128 if is_wide else sm.complex64)
    assert error(found, np.fft.fft(wide(x), n=40)) < (1e-14 if is_wide else 2e-6)


# --- Decompositions ------------------------------------------------------------------------------

SQUARE = [(5, 5), (300, 300), (7, 4, 4), (2, 40, 40), (2, 3, 6, 6), (2, 270, 270)]
WIDE = [(5, 3), (3, 5), (300, 40), (40, 300), (6, 5, 3), (6, 3, 5), (2, 40, 33), (2, 33, 40)]


def positive(shape, dtype):
    x = numbers(shape, dtype)
    return x @ x.conj().swapaxes(-1, -2) + np.eye(shape[-1], dtype=dtype.numpy) * shape[-1]


def adjoint(x):
    return x.conj().swapaxes(-1, -2)


def limit(dtype, shape):
    return 8 * precision(dtype) * max(shape[-2:])


@pytest.mark.parametrize("shape", SQUARE, ids=str)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_symmetric_matrices(device, dtype, shape):
    x = positive(shape, usable(device, dtype))
    ours = sm.array(x, device=device)
    lower, upper = sm.linalg.cholesky(ours).numpy(), sm.linalg.cholesky(ours, upper=True).numpy()
    assert error(lower @ adjoint(lower), wide(x)) < limit(dtype, shape)
    assert error(adjoint(upper) @ upper, wide(x)) < limit(dtype, shape)
    values, vectors = (part.numpy() for part in sm.linalg.eigh(ours))
    assert error(values, np.linalg.eigvalsh(wide(x))) < limit(dtype, shape)
    assert error((vectors * values[..., None, :]) @ adjoint(vectors), wide(x)) < limit(dtype, shape)
    assert error(sm.linalg.eigvalsh(ours), np.linalg.eigvalsh(wide(x))) < limit(dtype, shape)


@pytest.mark.parametrize("shape", SQUARE, ids=str)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_square_matrices(device, dtype, shape):
    n = shape[-1]
    x = numbers(shape, usable(device, dtype)) + 2 * np.sqrt(n) * np.eye(n, dtype=dtype.numpy)
    x = x.astype(dtype.numpy)
    b = numbers((*shape[:-1], 3), dtype, 1)
    ours, sides = sm.array(x, device=device), sm.array(b, device=device)
    assert error(sm.linalg.inv(ours), np.linalg.inv(wide(x))) < limit(dtype, shape)
    assert error(sm.linalg.solve(ours, sides), np.linalg.solve(wide(x), wide(b))) < limit(
        dtype, shape
    )
    small = sm.linalg.det(ours / (2 * np.sqrt(n)))
    expected = np.linalg.det(wide(x) / (2 * np.sqrt(n)))
    assert error(small, np.asarray(expected)) < 10 * limit(dtype, shape)
    sign, size = sm.linalg.slogdet(ours)
    wanted = np.linalg.slogdet(wide(x))
    assert error(sign, np.asarray(wanted.sign)) < 10 * limit(dtype, shape)
    assert error(size, np.asarray(wanted.logabsdet)) < limit(dtype, shape)


@pytest.mark.parametrize("shape", WIDE, ids=str)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_rectangular_matrices(device, dtype, shape):
    x = numbers(shape, usable(device, dtype))
    ours = sm.array(x, device=device)
    for mode in ("reduced", "complete"):
        q, r = (part.numpy() for part in sm.linalg.qr(ours, mode))
        assert error(q @ r, wide(x)) < limit(dtype, shape)
        side = np.broadcast_to(np.eye(q.shape[-1]), (*shape[:-2], q.shape[-1], q.shape[-1]))
        assert error(adjoint(q) @ q, side) < limit(dtype, shape)
    few = min(shape[-2:])
    for full in (True, False):
        u, s, vh = (part.numpy() for part in sm.linalg.svd(ours, full_matrices=full))
        kept = (u[..., :few] * s[..., None, :]) @ vh[..., :few, :]
        assert error(kept, wide(x)) < limit(dtype, shape)
        for own in (adjoint(u) @ u, vh @ adjoint(vh)):
            side = np.broadcast_to(np.eye(own.shape[-1]), own.shape)
            assert error(own, side) < limit(dtype, shape)
    assert error(sm.linalg.svdvals(ours), np.linalg.svd(wide(x))[1]) < limit(dtype, shape)
    assert error(sm.linalg.pinv(ours), np.linalg.pinv(wide(x))) < 30 * limit(dtype, shape)
    assert sm.linalg.matrix_rank(ours).tolist() == np.linalg.matrix_rank(wide(x)).tolist()


@pytest.mark.parametrize("shape", [(30, 4), (4, 30), (6, 6)], ids=str)
def test_least_squares(device, shape):
    a, b = numbers(shape, sm.float32), numbers((shape[0], 2), sm.float32, 1)
    found = sm.linalg.lstsq(sm.array(a, device=device), sm.array(b, device=device))
    x, residuals, rank, values = np.linalg.lstsq(wide(a), wide(b), rcond=None)
    assert error(found.x, x) < 1e-4
    assert error(found.residuals, residuals) < 1e-4
    assert found.rank.item() == rank
    assert error(found.singular_values, values) < 1e-5


def test_what_matrices_lack_is_told(device):
    x = np.broadcast_to(np.eye(3, dtype="f4"), (2, 3, 3)).copy()
    x[1, 2, 2] = 0
    ours = sm.array(x, device=device)
    for name, reason in (("inv", "is singular"), ("cholesky", "is not positive definite")):
        with pytest.raises(sm.linalg.LinAlgError) as raised:
            getattr(sm.linalg, name)(ours)
        assert str(raised.value) == f"{name}: matrix [1] of the stack {reason}"
    assert sm.linalg.det(ours).tolist() == [1.0, 0.0]
    assert sm.linalg.slogdet(ours).logabsdet.tolist() == [0.0, -np.inf]
    for name in ("svd", "eigh", "svdvals", "eigvalsh"):
        with pytest.raises(sm.linalg.LinAlgError, match="NaN or infinite"):
            getattr(sm.linalg, name)(sm.array(np.full((3, 3), np.nan, "f4"), device=device))


def test_half_matrices_come_back_as_such(device):
    x = positive((6, 6), sm.float32).astype(np.float16)
    found = sm.linalg.cholesky(sm.array(x, device=device))
    assert found.dtype == sm.float16
    assert error(found, np.linalg.cholesky(wide(x))) < 1e-3

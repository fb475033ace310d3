"""What users of arrays rely on, whatever the device: one test for each behaviour.

The numbers are those of a list of behaviours that begins with kernels; `test_portable_behaviours`
has the ones of these.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.algebra import products


def numbers(shape, dtype="float32", low=-9, high=9) -> np.ndarray:
    """Whole numbers, whose sums are exact in any order."""
    return np.random.default_rng(5).integers(low, high, shape).astype(dtype)


def add(a, b):
    return a + b


LENGTHS = [0, 1, 2, 3, 10, 10_000, 2**14, 2**14 + 1]


@pytest.mark.parametrize("length", LENGTHS)
def test_behaviour_35_scans_of_any_length_along_any_axis_with_an_initial_value(device, length):
    host = numbers(length, "int32")
    ours = sm.array(host, device=device)
    np.testing.assert_array_equal(sm.accumulate(add, ours).numpy(), np.cumsum(host, dtype="int32"))
    found = sm.cumulative_sum(ours, include_initial=True).numpy()
    np.testing.assert_array_equal(found, np.cumulative_sum(host, include_initial=True))
    if length <= 10:
        deep = numbers((2, length, 3), "int32")
        for axis in range(3):
            found = sm.accumulate(add, sm.array(deep, device=device), axis=axis).numpy()
            np.testing.assert_array_equal(found, np.cumsum(deep, axis, dtype="int32"))


@pytest.mark.parametrize("place", [0, 7, 299])
@pytest.mark.parametrize("axis", [0, 1])
def test_behaviour_36_a_nan_stays_in_running_extremes(device, axis, place):
    host = numbers((300, 4) if axis == 0 else (4, 300))
    np.moveaxis(host, axis, 0)[place, 2] = np.nan
    ours = sm.array(host, device=device)
    for found, function in ((sm.cummax, np.maximum), (sm.cummin, np.minimum)):
        expected = function.accumulate(host, axis=axis)
        np.testing.assert_array_equal(found(ours, axis).numpy(), expected)
    found = sm.accumulate(sm.maximum, ours, axis=axis).numpy()
    np.testing.assert_array_equal(found, np.maximum.accumulate(host, axis=axis))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool"])
@pytest.mark.parametrize("columns", [1, 2, 3, 5, 70])
def test_behaviour_37_reductions_of_bytes_over_two_rows_leave_them_intact(device, columns, dtype):
    host = numbers((2, columns), dtype, 0, 2)
    ours = sm.array(host, device=device)
    found = sm.max(ours, axis=0)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), host.max(0))
    out = sm.zeros((3, columns), dtype, device=device)
    out[1] = sm.max(ours, axis=0)  # bytes between others
    np.testing.assert_array_equal(out.numpy()[::2], np.zeros((2, columns)))
    np.testing.assert_array_equal(out.numpy()[1], host.max(0))
    np.testing.assert_array_equal(ours.numpy(), host)


PERMUTED = {
    "permuted": lambda a: a.transpose(2, 0, 1),
    "reshaped": lambda a: a.reshape(6, 28),
    "permuted and reshaped": lambda a: a.transpose(1, 0, 2).reshape(7, 24),
    "backwards": lambda a: a[:, ::-1, ::-1],
    "with gaps": lambda a: a[:, 1::3, ::2],
}


@pytest.mark.parametrize("view", PERMUTED.values(), ids=PERMUTED)
def test_behaviour_38_reductions_of_mixed_types_and_of_views(device, view):
    host = view(numbers((6, 7, 4), "int8"))
    ours = view(sm.array(numbers((6, 7, 4), "int8"), device=device))
    for axis in (None, *range(host.ndim)):
        found = sm.sum(ours, axis=axis, dtype=sm.float32)
        assert found.dtype == sm.float32
        np.testing.assert_array_equal(found.numpy(), host.sum(axis, dtype=np.float32))
        found = sm.mapreduce(lambda x: x.astype(sm.float32) * 0.5, add, ours, axis=axis)
        np.testing.assert_array_equal(found.numpy(), host.astype(np.float32).sum(axis) / 2)
    halves = sm.mapreduce(lambda x, y: x * y, add, ours, sm.full(host.shape, 0.5, device=device))
    assert halves.numpy() == host.astype(np.float32).sum() / 2


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_behaviour_39_sorting_has_the_hosts_order(device, axis, descending):
    host = numbers((3, 50, 4))
    host[1, 20] = host[2, :, 1] = np.nan
    ours = sm.array(host, device=device)
    order = sm.argsort(ours, axis=axis, descending=descending).numpy()
    expected = np.argsort(host, axis=axis, stable=True)
    if descending:  # equal ones stay in their order; NaN is the largest
        expected = np.flip(np.argsort(np.flip(host, axis), axis=axis, stable=True), axis)
        expected = host.shape[axis] - 1 - expected
    np.testing.assert_array_equal(order, expected)
    found = sm.sort(ours, axis=axis, descending=descending).numpy()
    np.testing.assert_array_equal(found, np.take_along_axis(host, expected, axis))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (1,), (1025,), (6, 7)])
def test_behaviour_40_places_and_masks_of_any_arrays_empty_ones_too(device, shape):
    host = numbers(shape, "int32")
    ours = sm.array(host, device=device)
    found = sm.findall(lambda x: x > 2, ours)
    found = found if isinstance(found, tuple) else (found,)
    for along, expected in zip(found, np.nonzero(host > 2), strict=True):
        np.testing.assert_array_equal(along.numpy(), expected)
    np.testing.assert_array_equal(ours[ours > 2].numpy(), host[host > 2])
    ours[ours > 2] = 0
    np.testing.assert_array_equal(ours.numpy(), np.where(host > 2, 0, host))
    assert sm.sum(ours[ours > 99]).item() == 0
    assert not sm.any(ours > 99).item()


def test_behaviour_41_shared_memory_shows_what_either_side_writes(device):
    ours = sm.zeros(8, sm.int32, device=device)
    seen = ours.numpy()
    ours[2] = 7
    sm.synchronize()
    assert seen[2] == (7 if ours.is_shared else 0)
    seen = ours.numpy()
    seen[3] = 9
    assert (ours + 1).numpy()[3] == (10 if ours.is_shared else 1)
    host = np.arange(4096, dtype=np.int32)
    wrapped = sm.asarray(host, device="cpu")
    host[5] = 70
    assert (wrapped + 1).numpy()[5] == 71
    wrapped[6] = 80
    sm.synchronize()
    assert host[6] == 80
    both = wrapped.to_device(device) + sm.ones(4096, sm.int32, device=device)
    assert both.device == device
    np.testing.assert_array_equal(both.numpy(), host + 1)


@pytest.mark.parametrize("offset", [1, 2, 3, 4, 8])
def test_behaviour_42_views_at_odd_places_are_read_right(device, offset):
    raw = np.random.default_rng(6).integers(0, 255, 64, np.uint8)
    odd = raw[offset : offset + 40].view(np.uint32)
    ours = sm.asarray(odd, device=device)
    np.testing.assert_array_equal((ours ^ 1).numpy(), odd ^ 1)
    np.testing.assert_array_equal(
        ours[1:].view(sm.float32).view(sm.int32).numpy(), odd[1:].view("i4")
    )
    with pytest.raises(sm.UserInputError, match="view expected a dtype of 1 bytes, as uint8 has"):
        sm.asarray(raw, device=device)[offset : offset + 4].view(sm.float32)


def test_behaviour_43_a_type_that_a_device_lacks_is_named_and_converts(device):
    with pytest.raises(sm.UnknownNameError, match="unknown dtype 'int128'"):
        sm.zeros(3, "int128", device=device)
    assert sm.array([1.5, 2.5], device=device).dtype == sm.float32
    host = np.array([1.5, 2.0**-40, 1e300])
    wide = sm.array(host, device=device)
    if device.target.has_float64:
        np.testing.assert_array_equal((wide * 2).numpy(), host * 2)
    else:
        with pytest.raises(sm.UserInputError, match=r"multiply of float64: .* does not compute"):
            (wide * 2).numpy()
    with np.errstate(over="ignore"):
        expected = host.astype(np.float32)
    np.testing.assert_array_equal(sm.array(host, sm.float32, device=device).numpy(), expected)


ORDERS = [*itertools.product([False, True], repeat=2)]


@pytest.mark.parametrize("algorithm", products.ALGORITHMS)
@pytest.mark.parametrize("transposed", ORDERS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_behaviour_44_products_of_views_by_every_algorithm(device, dtype, transposed, algorithm):
    if algorithm == "vendor" and device.kind == "cuda":
        pytest.importorskip("nvmath", reason="needs the extra cuda-libraries")

    def factor(rows, columns, is_transposed):
        """A part in the middle of a larger array."""
        whole = numbers(
            (columns + 5, rows + 3) if is_transposed else (rows + 5, columns + 3), dtype
        )
        ours = sm.array(whole, device=device)
        host, ours = whole[2:-3, 1:-2], ours[2:-3, 1:-2]
        return (host.T, ours.T) if is_transposed else (host, ours)

    (a, ours_a), (b, ours_b) = factor(17, 33, transposed[0]), factor(33, 20, transposed[1])
    c = numbers((17, 20), dtype)
    ours_c = sm.array(c, device=device)
    for alpha, beta in ((1, 0), (2, 1), (-1, 3), (0, 1)):
        found = alpha * products.matmul(ours_a, ours_b, algorithm=algorithm) + beta * ours_c
        np.testing.assert_array_equal(found.numpy(), alpha * (a @ b) + beta * c)
    with pytest.raises(sm.UserInputError, match="algorithm"):
        products.matmul(ours_a, ours_b, algorithm="strassen")


def test_behaviour_45_factors_give_their_matrix_back_and_bad_matrices_are_named(device):
    random = np.random.default_rng(7)
    host = random.standard_normal((160, 160)).astype(np.float32) + 14 * np.eye(160, dtype="float32")
    ours, right = sm.array(host, device=device), sm.ones(160, device=device)
    solved = sm.linalg.solve(ours, right).numpy()
    assert np.isfinite(solved).all()
    np.testing.assert_allclose(host @ solved, np.ones(160), atol=1e-4)
    q, r = sm.linalg.qr(ours)
    np.testing.assert_allclose((q @ r).numpy(), host, atol=1e-3)
    lower = sm.linalg.cholesky(ours @ ours.T)
    np.testing.assert_allclose((lower @ lower.T).numpy(), host @ host.T, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose((sm.linalg.inv(ours) @ ours).numpy(), np.eye(160), atol=1e-4)
    singular = sm.array([[1.0, 2.0], [2.0, 4.0]], device=device)
    for call, message in (
        (lambda: sm.linalg.solve(singular, right[:2]), "solve: the matrix is singular"),
        (lambda: sm.linalg.inv(singular), "inv: the matrix is singular"),
        (lambda: sm.linalg.cholesky(-ours), "cholesky: the matrix is not positive definite"),
    ):
        with pytest.raises(sm.linalg.LinAlgError, match=message):
            call().numpy()


@pytest.mark.parametrize("shape", [(8,), (15,), (97,), (3, 20), (2, 9, 8)], ids=str)
def test_behaviour_46_transforms_of_one_to_three_axes_batched_and_real(device, shape):
    random = np.random.default_rng(8)
    real = random.standard_normal(shape).astype(np.float32)
    host = (real + 1j * random.standard_normal(shape)).astype(np.complex64)
    ours, ours_real = sm.array(host, device=device), sm.array(real, device=device)
    axes = [tuple(range(first, len(shape))) for first in range(len(shape))]  # the others: batches
    for some in axes:
        for _ in range(2):  # once more, by what the first call prepared
            found = sm.fft.fftn(ours, axes=some)
            np.testing.assert_allclose(found.numpy(), np.fft.fftn(host, axes=some), atol=1e-4)
        back = sm.fft.ifftn(found, axes=some).numpy()
        np.testing.assert_allclose(back, host, atol=1e-5)
        half = sm.fft.rfftn(ours_real, axes=some)
        np.testing.assert_allclose(half.numpy(), np.fft.rfftn(real, axes=some), atol=1e-4)
        sizes = [shape[axis] for axis in some]
        back = sm.fft.irfftn(half, s=sizes, axes=some).numpy()
        np.testing.assert_allclose(back, real, atol=1e-5)
    with pytest.raises(sm.UserInputError, match="fft needs a length of 1 or more, got 0"):
        sm.fft.fft(ours, n=0)
    with pytest.raises(sm.UserInputError, match="s"):
        sm.fft.fftn(ours, s=[4] * (len(shape) + 1), axes=axes[0])

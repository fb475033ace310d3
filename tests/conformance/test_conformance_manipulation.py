"""Arrays joined, rolled, padded, repeated and convolved: on every device as NumPy does it."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm

DTYPES = [sm.bool_, sm.int8, sm.uint16, sm.int32, sm.uint64, sm.float16, sm.float32, sm.complex64]


def numbers(shape: tuple[int, ...], dtype: sm.DType) -> np.ndarray:
    return (np.arange(np.prod(shape)) % 7).reshape(shape).astype(dtype.numpy)


def pairs(device, dtype, shape=(3, 4)):
    """NumPy's array with ours: in memory, as an expression, and as a strided view of one."""
    host = numbers(shape, dtype)
    ours = sm.array(host, device=device)
    expression = ours | False if dtype.is_bool else ours + 0
    stored, lazy = sm.array(host, device=device), expression
    yield host, stored
    yield host, lazy
    yield host.T[::-1], expression.T[::-1]


FUNCTIONS = {
    "concat": lambda xp, x: xp.concat([x, x[::-1], x[:0]]),
    "concat along the last axis": lambda xp, x: xp.concat([x, x[:, :1]], axis=-1),
    "stack": lambda xp, x: xp.stack([x, x[::-1]], axis=1),
    "roll": lambda xp, x: xp.roll(x, (1, -1), axis=(0, 1)),
    "roll all": lambda xp, x: xp.roll(x, 5),
    "tile": lambda xp, x: xp.tile(x, (2, 1, 2)),
    "repeat": lambda xp, x: xp.repeat(x, 3, axis=1),
    "reshape": lambda xp, x: xp.reshape(xp.flip(x, axis=0), (2, 6)),
    "pad": lambda xp, x: xp.pad(x, ((1, 2), (0, 3)), constant_values=1),
    "pad symmetric": lambda xp, x: xp.pad(x, 6, "symmetric"),
    "pad reflect": lambda xp, x: xp.pad(x, 6, "reflect"),
    "triu": lambda xp, x: xp.triu(x, k=1),
    "diag": lambda xp, x: xp.diag(x[0], -1),
    "diff": lambda xp, x: xp.diff(x, axis=0),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_elements_go_where_numpy_puts_them(device, function, dtype):
    for host, ours in pairs(device, dtype):
        found, expected = function(sm, ours), function(np, host)
        assert (found.shape, found.dtype, found.device) == (expected.shape, expected.dtype, device)
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("axis", [0, 1])
def test_unequal_repeats(device, dtype, axis):
    for host, ours in pairs(device, dtype):
        counts = np.arange(host.shape[axis]) % 3
        found = sm.repeat(ours, sm.array(counts, device=device), axis=axis)
        np.testing.assert_array_equal(found.numpy(), np.repeat(host, counts, axis))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolutions(device, dtype, mode):
    host, window = numbers((40,), dtype), numbers((6,), dtype)[1:]
    ours, own = sm.array(host, device=device), sm.array(window, device=device)
    for x, y in [(ours, own), (own, ours), (ours[::-1], own | False if dtype.is_bool else own * 1)]:
        expected = np.convolve(x.numpy(), y.numpy(), mode)
        found = sm.convolve(x, y, mode)
        assert (found.dtype, found.device) == (expected.dtype, device)
        np.testing.assert_array_equal(found.numpy(), expected)


def test_made_on_the_device(device):
    for made, expected in [
        (sm.eye(3, 4, k=1, device=device), np.eye(3, 4, 1, np.float32)),
        (sm.indices((2, 3), device=device), np.indices((2, 3), np.int32)),
        (sm.arange(3, 9, 2, device=device), np.arange(3, 9, 2, np.int32)),
        (sm.asarray([sm.ones(2, device=device), [3, 4]]), np.array([[1, 1], [3, 4]], "f4")),
        (sm.fromfunction(lambda i: i * 2, (3,), device=device), np.array([0, 2, 4], "i4")),
    ]:
        assert made.device is device
        np.testing.assert_array_equal(made.numpy(), expected)


def test_arrays_of_two_devices_are_refused(device):
    other = sm.device("metal-sim" if device.name == "cpu" else "cpu")
    with pytest.raises(sm.UserInputError, match="concat: the arrays are on"):
        sm.concat([sm.zeros(2, device=device), sm.zeros(2, device=other)])

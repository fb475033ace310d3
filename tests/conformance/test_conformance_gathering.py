"""Kernels that read and write at places which arrays of integers tell, as NumPy does it."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.indices import choosers, scattering, writing
from speedmetal.arrays.kernels import scatter
from speedmetal.backends.device import Device
from speedmetal.metal_simulator.settings import simulator_settings


@pytest.fixture(params=["as it comes", "kernels"])
def place(request: pytest.FixtureRequest, device: Device, monkeypatch: pytest.MonkeyPatch):
    """A device where all is done by kernels, or as it is best done."""
    if request.param == "as it comes":
        yield device
        return
    monkeypatch.setattr(type(device), "host_copy_bytes", 0)
    for module in (choosers, scattering, writing):
        monkeypatch.setattr(module, "is_on_cpu", lambda _: False)
    private = sm.metal.storage("private") if device.kind == "metal" else contextlib.nullcontext()
    with private:
        yield device


def numbered(shape, dtype=np.float32) -> np.ndarray:
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)


ROWS = np.array([[0, -1, 2], [1, 1, 0]])
INDICES = {
    "rows": (ROWS,),
    "columns": (slice(None), ROWS % 3),
    "last axis": (..., np.array([4, 0, -5], np.int16)),
    "apart": (ROWS[0], slice(None, None, -1), np.array([0, 1, 4], np.uint64)),
    "together": (slice(1, None), np.array([[0], [2]], np.uint8), np.array([1, 3])),
    "an integer beside": (0, slice(None), np.array([1, 1], np.int8)),
    "new axes": (None, ROWS, None, 2),
    "a mask": (numbered((3, 4)) % 2 == 0,),
    "a mask and an array": (np.array([True, False, True]), slice(None), np.array([1, 2])),
    "none": (np.zeros((0, 2), int),),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize("dtype", [sm.float32, sm.int16, sm.complex64], ids=str)
def test_reading(place, index, dtype):
    host = numbered((3, 4, 5), dtype.numpy)
    ours = sm.array(host, device=place)
    np.testing.assert_array_equal(ours[index].numpy(), host[index])
    turned = ours.transpose(1, 0, 2)[::-1].transpose(1, 0, 2)
    np.testing.assert_array_equal(turned[index].numpy(), host[:, ::-1][index])
    fused = (ours[:, :, ::-1] + ours)[index]
    np.testing.assert_array_equal(fused.numpy(), (host[:, :, ::-1] + host)[index])


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize("dtype", [sm.float32, sm.int16], ids=str)
def test_writing(place, index, dtype):
    host = numbered((3, 4, 5), dtype.numpy)
    ours = sm.array(host, device=place)
    values = -1 - numbered(host[index].shape, np.int32)
    host[index] = values
    ours[index] = sm.array(values, device=place)
    np.testing.assert_array_equal(ours.numpy(), host)
    host[index] = 3
    ours[index] = 3
    np.testing.assert_array_equal(ours.numpy(), host)


@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_the_last_of_many_values_stays(place, order):
    random = np.random.default_rng(0)
    rows, columns = random.integers(0, 4, (2, 500))
    host = np.zeros((4, 4, 3), np.int32)
    ours = sm.array(host, device=place)
    values = numbered((500, 3), np.int32)
    host[rows, columns] = values
    with simulator_settings(order=order):  # of threads, which other devices have in any
        ours[rows, columns] = values
        np.testing.assert_array_equal(ours.numpy(), host)


def test_a_value_where_a_mask_is_true(place):
    host = numbered((300, 301))
    ours = sm.array(host, device=place)
    ours[ours % 3 == 1] = -1
    host[host % 3 == 1] = -1
    ours[::2][:, ours[0] > 100] = 5
    host[::2][:, host[0] > 100] = 5
    mask = host[:, 0] > 1000
    ours[mask] = 8
    host[mask] = 8
    np.testing.assert_array_equal(ours.numpy(), host)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.uint64])
def test_places_outside_are_found_by_the_device(place, dtype):
    ours = sm.zeros((70, 3), device=place)
    positions = np.arange(70).astype(dtype)
    index = sm.array(positions, device=place)
    assert ours[index].shape == (70, 3)
    positions[66] = 70
    index = sm.array(positions, device=place)
    for use in (lambda: ours[index], lambda: ours.at[index].add(1), lambda: ours.at[index].set(1)):
        with pytest.raises(IndexError, match="index 70 is out of bounds for axis 0 of extent 70"):
            use().numpy()
    assert not ours.numpy().any()  # what was told once is over


@pytest.mark.parametrize("row", [(), (1,), (3, 5), (300,)])
@pytest.mark.parametrize("shape", [(7,), (2, 3), ()])
def test_rows_again_with_other_numbers(place, row, shape):
    """What is kept of a call holds for others with arrays that lie alike."""
    random = np.random.default_rng(0)
    for _ in range(3):
        host = random.random((9, *row), np.float32)
        index = random.integers(-9, 9, shape)
        values = random.integers(0, 9, shape + row).astype(np.float32)
        ours, chosen, joined = (sm.array(each, device=place) for each in (host, index, values))
        np.testing.assert_array_equal(ours[chosen].numpy(), host[index])
        found, written = ours.at[chosen].max(joined), ours.at[chosen].set(joined)
        np.testing.assert_array_equal(ours.numpy(), host)
        expected = host.copy()
        expected[index] = values
        np.testing.assert_array_equal(written.numpy(), expected)
        np.maximum.at(host, index, values)
        np.testing.assert_array_equal(found.numpy(), host)


def test_a_place_outside_is_not_written_to(place):
    """Whenever it is found: what is written are the other values, or nothing."""
    index = sm.array([1, -4, 2], dtype=sm.int64, device=place)

    def write_and_wait(write, x):
        write(x, index, 7)
        sm.synchronize()

    for write in (sm.add_at, sm.Array.__setitem__):
        ours = sm.zeros((3, 2), device=place)
        with pytest.raises(IndexError, match="index -4 is out of bounds for axis 0 of extent 3"):
            write_and_wait(write, ours)
        assert not ours.numpy()[0].any()


def test_places_on_several_axes_outside(place):
    ours = sm.array(numbered((4, 5)), device=place)
    rows, columns = (sm.array(each, device=place) for each in ([0, 3, 9], [1, -6, 2]))
    with pytest.raises(IndexError, match="index 9 is out of bounds for axis 0 of extent 4"):
        ours[rows, columns].numpy()
    with pytest.raises(IndexError, match="index -6 is out of bounds for axis 1 of extent 5"):
        sm.take(ours, columns, axis=1).numpy()
    with pytest.raises(IndexError, match="it has no elements"):
        sm.zeros((0, 5), device=place)[rows].numpy()


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_along_an_axis(place, axis):
    host = numbered((3, 4, 5))
    order = np.random.default_rng(1).integers(-3, 3, (3, 4, 5))
    ours = sm.array(host, device=place)
    index = sm.array(order, device=place)
    expected = np.take_along_axis(host + 1, order, axis)
    np.testing.assert_array_equal(sm.take_along_axis(ours + 1, index, axis).numpy(), expected)
    sm.put_along_axis(ours, index, ours[::-1], axis)
    np.put_along_axis(host, order, host[::-1].copy(), axis)
    np.testing.assert_array_equal(ours.numpy(), host)


UFUNCS = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "min": np.minimum,
    "max": np.maximum,
}


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.parametrize("dtype", [sm.float32, sm.int32, sm.int64, sm.float16], ids=str)
@pytest.mark.parametrize("shape", [(), (3,)], ids=str)
def test_joining_counts_every_value(place, name, dtype, shape):
    if name == "divide" and not dtype.is_float:
        return
    random = np.random.default_rng(2)
    rows = random.integers(-4, 4, 300)
    host = (numbered((4, *shape)) + 1).astype(dtype.numpy)
    # Powers of two, so that no sum and no product is rounded, in whatever order it is.
    values = random.choice([1, 2] if name != "multiply" else [1, 1, 1, -1], (300, *shape))
    if name == "divide":
        values = random.choice([1, 1, 1, -1], (300, *shape))
    values = values.astype(dtype.numpy)
    found = getattr(sm.array(host, device=place).at[rows], name)(sm.array(values, device=place))
    UFUNCS[name].at(host, rows, values)
    np.testing.assert_array_equal(found.numpy(), host)


def test_joining_on_several_axes_and_from_expressions(place):
    host = numbered((3, 4, 5))
    ours = sm.array(host, device=place)
    x = sm.array(np.ones((2, 3), np.float32), device=place)
    sm.add_at(ours, (slice(1, None), ROWS[0], ROWS[0]), x * 2 + 1)
    np.add.at(host, (slice(1, None), ROWS[0], ROWS[0]), 3)
    sm.add_at(ours, (ROWS, slice(None), 0), 1)
    np.add.at(host, (ROWS, slice(None), 0), 1)
    np.testing.assert_array_equal(ours.numpy(), host)
    ids = sm.array([2, 0, 2], device=place)
    np.testing.assert_array_equal(sm.segment_sum(ours, ids).numpy()[2], host[0] + host[2])


# --- Kernels that the CPU's arrays alone use -----------------------------------------------------


def joined(host, rows, values, ufunc):
    expected = host.copy()
    ufunc.at(expected, rows, values)
    return expected


@pytest.mark.parametrize("dtype", ["f4", "i4", "f2"])
def test_rows_are_joined_in_order_or_nothing_is(device, dtype):
    host = numbered((1, 4, 5)).astype(dtype)
    rows, values = np.array([0, -1, 3, 3], np.int32), np.ones((1, 4, 5), dtype)
    outside = sm.zeros(1, sm.int32, device=device)
    target, given = sm.array(host, device=device), sm.array(values, device=device)
    for last, is_outside in ((3, 0), (4, 1), (-5, 1)):
        rows[-1] = last
        before = target.numpy().copy()
        positions = sm.array(rows, device=device)
        scatter.accumulate_in_order(target, given, positions, outside, scatter.add, grid=(5, 1))
        assert outside.tolist() == [is_outside]
        expected = before if is_outside else joined(before[0], rows, values[0], np.add)[None]
        np.testing.assert_array_equal(target.numpy(), expected)


@pytest.mark.parametrize("dtype", ["f4", "i4", "f2"])
@pytest.mark.parametrize("width", [1, 5, 16, 33])
def test_rows_are_joined_and_written_in_parts(device, dtype, width):
    """Parts of which the last ones are short, or empty."""
    count, parts = 21, 6
    rows = np.random.default_rng(0).integers(-4, 4, count).astype(np.int32)
    rows[rows % 4 == 2] = 1
    values = (numbered((count, width)) % 7).astype(dtype)
    host = numbered((4, width)).astype(dtype)
    target, given = sm.array(host, device=device), sm.array(values, device=device)
    positions = sm.array(rows, device=device)
    tables = sm.zeros((parts, 4, width), target.dtype, device=device)
    sizes = {"groups": parts, "threads": scatter.LANES}
    scatter.accumulate_rows_in_parts(tables, given, positions, scatter.add, **sizes)
    scatter.join_parts(target, tables, scatter.add, grid=(width, 4))
    np.testing.assert_array_equal(target.numpy(), joined(host, rows, values, np.add))
    last = sm.full((parts, 4), -1, sm.int32, device=device)
    scatter.note_last_in_parts(last, positions, groups=parts, threads=1)
    scatter.write_last_of_parts(target, given, last, grid=(width, 4))
    expected = joined(host, rows, values, np.add)
    expected[rows] = values
    np.testing.assert_array_equal(target.numpy(), expected)

"""Advanced indexing reads and writes what NumPy's does, on memory of any kind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_array import RemoteDevice

import speedmetal as sm
from speedmetal.arrays.array import upload
from tiers import examples

DEVICES = [sm.device("cpu"), RemoteDevice()]


@pytest.fixture(params=["host", "kernels"])
def place(request, monkeypatch):
    """The CPU, where small things are done by the host or by kernels; other memory."""
    device = sm.device("cpu")
    if request.param == "kernels":
        monkeypatch.setattr(device, "host_copy_bytes", 0)
    return device


def numbered(shape, dtype=np.float32):
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)


@st.composite
def advanced(draw, shape):
    """An index of an array of this shape with all kinds of parts."""
    parts, axis = [], 0
    batch = draw(st.sampled_from([(), (3,), (2, 3), (1, 3), (0,)]))
    while axis < len(shape):
        extent = shape[axis]
        kinds = ["slice", "none", "array"] + ["int"] * bool(extent) + ["mask"]
        kind = draw(st.sampled_from(kinds))
        if kind == "none":
            if len(parts) < 7:
                parts.append(None)
            continue
        if kind == "slice":
            parts.append(draw(st.slices(extent)))
        elif kind == "int":
            parts.append(draw(st.integers(-extent, extent - 1)))
        elif kind == "mask":
            count = draw(st.integers(1, len(shape) - axis))
            mask = draw(hnp.arrays(bool, shape[axis : axis + count]))
            parts.append(mask)
            axis += count - 1
        else:
            dtype = draw(st.sampled_from(["i1", "u2", "i4", "i8", "u8"]))
            least = 0 if dtype[0] == "u" else -extent
            own = batch if extent else (0,)
            own = draw(st.sampled_from([own, own[1:]])) if extent else own
            values = st.integers(least, max(extent - 1, 0))
            parts.append(draw(hnp.arrays(dtype, own, elements=values)))
        axis += 1
    if draw(st.booleans()) and parts:
        first = draw(st.integers(0, len(parts)))
        end = draw(st.integers(first, len(parts)))
        if all(part is None or isinstance(part, slice) for part in parts[first:end]):
            parts[first:end] = [...]
    return tuple(parts)


@st.composite
def cases(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
    return numbered(shape, np.int32), draw(advanced(shape))


def ours_of(index, device):
    """The index with arrays of ours in the place of every second of NumPy's."""
    return tuple(
        upload(part, device) if isinstance(part, np.ndarray) and number % 2 else part
        for number, part in enumerate(index)
    )


def is_nothing(host, index):
    try:
        host[index]
    except IndexError:
        return True
    return False


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(400), deadline=None)
@given(case=cases(), on_host=st.booleans(), is_lazy=st.booleans())
def test_reading_is_numpys(device, case, on_host, is_lazy):
    host, index = case
    before, device.host_copy_bytes = device.host_copy_bytes, (1 << 16) * on_host
    try:
        ours = upload(host, device)
        if is_lazy:
            ours, host = ours * 2 + 1, host * 2 + 1
        if is_nothing(host, index):
            with pytest.raises(IndexError):
                ours[ours_of(index, device)]
            return
        expected = host[index]
        found = ours[ours_of(index, device)]
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found.numpy(), expected)
    finally:
        device.host_copy_bytes = before


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(400), deadline=None)
@given(case=cases(), is_scalar=st.booleans(), strides=st.sampled_from([1, -1, 2]))
def test_writing_is_numpys(device, case, is_scalar, strides):
    host, index = case
    wide = np.repeat(host, 2, 0) if strides == 2 else host
    expected = wide.copy()
    base = upload(wide, device)
    ours = base[::strides]
    if is_nothing(host, index):
        with pytest.raises(IndexError):
            ours[ours_of(index, device)] = 1
        return
    value = -7 if is_scalar else -1 - numbered(host[index].shape)
    expected[::strides][index] = value
    ours[ours_of(index, device)] = value if is_scalar else upload(value, device)
    np.testing.assert_array_equal(base.numpy(), expected)


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_of_several_values_for_one_place_the_last_stays(device, data):
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=3, max_side=4))
    batch = data.draw(st.sampled_from([(9,), (4, 5)]))
    index = data.draw(hnp.integer_array_indices(shape[:2], result_shape=st.just(batch)))
    host = numbered(shape)
    ours = upload(host, device)
    values = numbered((*batch, *shape[2:])) + 100
    host[index] = values
    ours[index] = values
    np.testing.assert_array_equal(ours.numpy(), host)


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_what_is_written_is_what_was_there_before(device, data):
    """``x[i] = x[j]``, also with a view on the right, and with indices in the same memory."""
    host = data.draw(hnp.arrays(np.int32, (6, 6), elements=st.integers(0, 5)))
    ours = upload(host, device)
    into, of = (
        data.draw(hnp.integer_array_indices((6, 6), result_shape=st.just((6,)))) for _ in range(2)
    )
    for _ in range(2):
        ours[into] = ours[of]
        host[into] = host[of].copy()
        ours[ours[0]] = ours[::-1, ::-1].T
        host[host[0].copy()] = host[::-1, ::-1].T.copy()
        ours[ours[:, 1], ours[2]] = ours[3] + 1 - ours[3]
        host[host[:, 1].copy(), host[2].copy()] = 1
        ours[ours > 3] = ours[0, 0]
        host[host > 3] = host[0, 0]
    np.testing.assert_array_equal(ours.numpy(), host)


@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
def test_programs_of_many_steps_give_what_they_give_in_numpy(data):
    """Lazy results that wait while what they read is written to are as if they had been there."""
    device = sm.device("cpu")
    before, device.host_copy_bytes = (
        device.host_copy_bytes,
        data.draw(st.sampled_from([0, 1 << 16])),
    )
    try:
        theirs = [numbered((5, 4), np.int32)]
        ours = [upload(theirs[0], device)]
        for _ in range(data.draw(st.integers(2, 8))):
            number = data.draw(st.integers(0, len(ours) - 1))
            rows = data.draw(hnp.arrays(np.int32, (5,), elements=st.integers(-5, 4)))
            step = data.draw(st.sampled_from(["read", "write", "compute", "mask", "along"]))
            if step == "read":
                ours.append(ours[number][rows])
                theirs.append(theirs[number][rows])
            elif step == "compute":
                ours.append(ours[number] - ours[0])
                theirs.append(theirs[number] - theirs[0])
            elif step == "write":
                ours[number][rows] = ours[-1]
                theirs[number][rows] = theirs[-1].copy()
            elif step == "mask":
                ours[number][ours[-1] % 3 == 0] = -1
                theirs[number][theirs[-1] % 3 == 0] = -1
            else:
                order = data.draw(hnp.arrays(np.int64, (5, 1), elements=st.integers(-4, 3)))
                ours.append(sm.take_along_axis(ours[number], order, axis=1) + ours[number])
                theirs.append(np.take_along_axis(theirs[number], order, axis=1) + theirs[number])
        for mine, expected in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine.numpy(), expected)
    finally:
        device.host_copy_bytes = before


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@pytest.mark.parametrize("position", [5, -6, 2**31, -(2**40)])
def test_places_outside_are_named_before_anything_happens(device, position):
    host = numbered((3, 5))
    ours = upload(host, device)
    message = f"index {position} is out of bounds for axis 1 of extent 5: allowed are -5 to 4"
    positions = np.array([0, position, 1], np.int64)
    for index in (positions, upload(positions, device), positions.tolist()):
        with pytest.raises(IndexError) as raised:
            ours[:, index]
        assert str(raised.value) == message
        with pytest.raises(IndexError) as raised:
            ours[:, index] = 1
        assert str(raised.value) == message
        with pytest.raises(IndexError) as raised:
            (ours + 1)[:, index]
        assert str(raised.value) == message
        with pytest.raises(IndexError, match="out of bounds"):
            sm.take(ours, index, axis=1)
    np.testing.assert_array_equal(ours.numpy(), host)


def test_positions_that_numpy_changes_meanwhile_are_checked_again(monkeypatch):
    monkeypatch.setattr(sm.device("cpu"), "host_copy_bytes", 0)
    positions = np.array([[0, 1, 2]])
    index, x = sm.asarray(positions), sm.ones((2, 3))
    waiting = x[:, index], sm.take_along_axis(x, index, axis=1)
    positions[0, 1] = 1 << 40
    for one in waiting:
        with pytest.raises(IndexError, match="index 1099511627776 is out of bounds for axis 1"):
            one.numpy()


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "complex64", "bool", "bfloat16"])
@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
def test_rows_at_an_array_of_ours_are_numpys(dtype, data):
    """Few of them NumPy reads into memory that becomes the result's."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5))
    host = numbered(shape).astype(sm.array([0], dtype).dtype)
    kind = data.draw(st.sampled_from(["i4", "i8", "i1", "u2", "u8"]))
    least = 0 if kind[0] == "u" else -shape[0]
    batch = data.draw(st.sampled_from([(4,), (2, 3), (0,), (1, 1)]))
    rows = data.draw(hnp.arrays(kind, batch, elements=st.integers(least, shape[0] - 1)))
    step = data.draw(st.sampled_from([1, -1]))
    ours = sm.array(host)[::step]
    for _ in range(2):
        found = ours[sm.array(rows)]
        assert found.dtype == host.dtype
        np.testing.assert_array_equal(found.numpy(), host[::step][rows])
    found[...] = 0  # it has memory of its own
    np.testing.assert_array_equal(ours.numpy(), host[::step])
    if rows.size:
        rows.flat[-1] = shape[0]
        with pytest.raises(IndexError, match=f"index {shape[0]} is out of bounds for axis 0"):
            ours[sm.array(rows)]


def test_positions_are_checked_though_nothing_is_taken():
    with pytest.raises(IndexError, match="index 7"):
        sm.zeros((3, 0))[[7]]
    with pytest.raises(IndexError, match="no elements"):
        sm.zeros(0)[[0]]


def test_numbers_of_pythons_must_fit_arrays_are_converted():
    ours = sm.zeros(4, sm.int8)
    with pytest.raises(OverflowError):
        ours[[0, 1]] = 300
    ours[[0, 1]] = np.array([1e9, np.nan])
    ours[np.array([False, False, True, True])] = sm.array([-1e9, -2.5])
    assert ours.tolist() == [127, 0, -128, -2]


def test_a_value_that_cannot_be_broadcast_is_refused():
    for device in DEVICES:
        ours = sm.zeros((3, 4), device=device)
        with pytest.raises(ValueError, match="broadcast"):
            ours[[0, 1]] = sm.zeros(3, device=device)


def test_memory_that_may_not_be_written_to_is_not():
    with pytest.raises(sm.UserInputError, match="read-only"):
        sm.zeros(3).broadcast_to((2, 3))[[0]] = 1


def test_reading_is_lazy_for_integers_and_reads_an_expression(place):
    x = sm.arange(200_000).reshape(2, -1)
    expected = np.arange(200_000).reshape(2, -1)[:, 49_999::-1] * 2
    index = sm.arange(50_000)[::-1]
    found = (x * 2)[:, index]
    assert found.pending is not None
    x[0] = 0  # what waits is computed before
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("count", [70_000, 600_000])
def test_long_masks(count):
    host = np.random.default_rng(0).standard_normal(count).astype(np.float32)
    ours = sm.array(host)
    np.testing.assert_array_equal(ours[ours > 0.5].numpy(), host[host > 0.5])
    rows, mask = host.reshape(-1, 5), host[::5] > 0
    np.testing.assert_array_equal(ours.reshape(-1, 5)[mask].numpy(), rows[mask])
    ours[ours < 0] = 0.25
    host[host < 0] = 0.25
    np.testing.assert_array_equal(ours.numpy(), host)
    ours.reshape(-1, 5)[mask] = 3
    rows[mask] = 3
    np.testing.assert_array_equal(ours.numpy(), host)
    assert ours[np.zeros(count, bool)].shape == (0,)


# --- take and its like ---------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
def test_take_is_numpys(device):
    host = numbered((3, 4, 5))
    ours = upload(host, device)
    for axis in (None, 0, 1, -1):
        for index in ([1, 0, -1], [[0, 2], [1, 1]], 2, []):
            expected = np.take(host, np.array(index, int), axis)
            np.testing.assert_array_equal(sm.take(ours, index, axis).numpy(), expected)
            np.testing.assert_array_equal(ours.take(index, axis).numpy(), expected)
    with pytest.raises(sm.UserInputError, match="take expected integers as indices, got float64"):
        sm.take(ours, [0.5])


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_along_an_axis_is_numpys(device, data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    own = [data.draw(st.sampled_from([extent, 1])) for extent in shape]
    own[axis] = data.draw(st.integers(0, 5))
    extent = shape[axis]
    index = data.draw(hnp.arrays(np.int64, tuple(own), elements=st.integers(-extent, extent - 1)))
    host = numbered(shape)
    ours = upload(host, device)
    np.testing.assert_array_equal(
        sm.take_along_axis(ours, upload(index, device), axis).numpy(),
        np.take_along_axis(host, index, axis),
    )
    np.put_along_axis(host, index, -5, axis)
    sm.put_along_axis(ours, index, -5, axis)
    np.testing.assert_array_equal(ours.numpy(), host)


def test_along_an_axis_shapes_must_go_together():
    with pytest.raises(sm.UserInputError, match=r"indices of shape \(3,\) do not go with an array"):
        sm.take_along_axis(sm.zeros((2, 3)), [0, 1, 2], axis=1)
    with pytest.raises(sm.UserInputError, match=r"put_along_axis changes an sm\.Array"):
        sm.put_along_axis(np.zeros(2), [0], 1)
    with pytest.raises(IndexError, match="index 3 is out of bounds for axis 1 of extent 3"):
        sm.take_along_axis(sm.zeros((2, 3)), [[0, 3]], axis=1)


@pytest.mark.parametrize("mask_shape", [(0,), (0, 3), (2, 0), (0, 0)])
def test_a_mask_of_extent_0_chooses_nothing(mask_shape):
    host = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    ours, mask = sm.array(host), np.zeros(mask_shape, bool)
    chosen = ours[sm.array(mask)]
    assert chosen.shape == host[mask].shape == (0, *host.shape[mask.ndim :])
    ours[mask] = 9
    np.testing.assert_array_equal(ours.numpy(), host)

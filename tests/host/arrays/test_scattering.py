"""What is joined to elements counts as often as it is there, as in NumPy's ``ufunc.at``."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_array import RemoteDevice
from test_gathering import advanced, is_nothing, numbered, ours_of

import speedmetal as sm
from speedmetal.arrays.array import upload
from tiers import examples

DEVICES = [sm.device("cpu"), RemoteDevice()]
NAMES = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
}


@st.composite
def cases(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    return numbered(shape, draw(st.sampled_from(["i4", "f4", "i2", "i8"]))), draw(advanced(shape))


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(300), deadline=None)
@given(case=cases(), name=st.sampled_from(sorted(NAMES)))
def test_joining_is_numpys(device, case, name):
    host, index = case
    ours = upload(host, device)
    if is_nothing(host, index):
        with pytest.raises(IndexError):
            getattr(ours.at[ours_of(index, device)], name)(1)
        return
    values = (numbered(host[index].shape) % 3 + 1).astype(host.dtype)
    expected = host.copy()
    NAMES[name].at(expected, index, values)
    given_values = upload(values, device)
    found = getattr(ours.at[ours_of(index, device)], name)(given_values)
    assert found.dtype == host.dtype
    np.testing.assert_array_equal(found.numpy(), expected)
    np.testing.assert_array_equal(ours.numpy(), host)


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
def test_basic_indices_as_well(device):
    ours = upload(numbered((3, 4)), device)
    expected = numbered((3, 4))
    expected[1:, ::2] += 5
    np.testing.assert_array_equal(ours.at[1:, ::2].add(5).numpy(), expected)
    expected[0] = np.maximum(expected[0], 2)
    np.testing.assert_array_equal(ours.at[1:, ::2].add(5).at[0].max(2).numpy(), expected)
    assert ours.at[1, 1].set(9)[1, 1].item() == 9
    np.testing.assert_array_equal(ours.at[..., 1].get().numpy(), ours.numpy()[:, 1])
    np.testing.assert_array_equal(
        ours.at[[2, 0]].apply(lambda rows: -rows).numpy()[[2, 1, 0]],
        numbered((3, 4))[[2, 1, 0]] * [[-1], [1], [-1]],
    )


@pytest.mark.parametrize("count", [40, 5000])
@pytest.mark.parametrize("dtype", ["f32", "f64", "i32", "u8", "f16", "c64", "bf16"])
def test_many_values_for_few_places(count, dtype):
    """In parts of their own where there are few places; by columns where there are rows."""
    wanted = sm.array([0], dtype).dtype
    random = np.random.default_rng(1)
    rows = random.integers(-5, 5, count)
    values = random.integers(0, 3, (count, 3)).astype(wanted)
    for own in (values[:, 0], values):
        expected = np.zeros((5, *own.shape[1:]), np.complex128 if dtype == "c64" else np.float64)
        np.add.at(expected, rows, own.astype(expected.dtype))
        expected = expected.astype(np.int64).astype(np.uint8) if dtype == "u8" else expected
        found = sm.scatter_add(sm.zeros((5, *own.shape[1:]), dtype), rows, sm.array(own))
        tolerance = {"bf16": 0.05, "f16": 0.01}.get(dtype, 0)
        if dtype == "bf16" and count > 1000:
            continue  # whose sums stop growing
        np.testing.assert_allclose(found.numpy().astype(expected.dtype), expected, tolerance)


def test_sums_are_the_same_every_time():
    random = np.random.default_rng(2)
    rows, values = random.integers(0, 7, 50_000), random.standard_normal(50_000).astype("f4")
    found = [sm.scatter_add(sm.zeros(7), rows, sm.array(values)).numpy() for _ in range(3)]
    for one in found[1:]:
        np.testing.assert_array_equal(one, found[0])
    expected = np.zeros(7)
    np.add.at(expected, rows, values.astype(float))
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)


def test_nan_stays_in_the_least_and_the_greatest():
    x = sm.array([1.0, np.nan, 3.0])
    found = x.at[[0, 1, 2, 0]].max(sm.array([np.nan, 5.0, 4.0, 2.0]))
    np.testing.assert_array_equal(found.numpy(), [np.nan, np.nan, 4])


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
def test_in_place_and_values_from_the_same_memory(device):
    host = numbered((4, 4), np.int32)
    ours = upload(host, device)
    waiting = ours[0] + 0
    view = ours[:, ::2]
    sm.add_at(view, [0, 0, 3], ours[:3, 1:3])
    expected = host.copy()
    np.add.at(expected[:, ::2], [0, 0, 3], host[:3, 1:3])
    np.testing.assert_array_equal(ours.numpy(), expected)
    np.testing.assert_array_equal(waiting.numpy(), host[0])
    np.add.at(expected, expected[1].copy() % 4, 2)
    sm.add_at(ours, ours[1] % 4, 2)
    first = sm.arange(4).to(device)
    sm.add_at(first, first, first)  # positions and values change while they are read
    assert first.tolist() == [0, 2, 4, 6]
    host = expected.copy()
    mask = host % 3 == 0
    sm.add_at(ours, mask, 10)
    np.testing.assert_array_equal(ours.numpy(), expected + 10 * mask)


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
def test_nothing_is_written_where_a_place_is_outside(device):
    ours = sm.ones(4, device=device)
    with pytest.raises(IndexError, match="index 4 is out of bounds for axis 0 of extent 4"):
        sm.add_at(ours, [0, 4], 1)
    assert ours.tolist() == [1] * 4


REFUSED = [
    (lambda x: x.at[[0]].add(sm.array([0.5])), "values of float32 cannot be joined to .* int32"),
    (lambda x: x.at[[0]].divide(2), "divide of int32 gives floats"),
    (lambda x: sm.add_at([1, 2], [0], 1), r"add_at changes an sm\.Array, got list"),
    (lambda x: sm.add_at(x.broadcast_to((2, 3)), [0], 1), "read-only"),
    (lambda x: sm.segment_sum(x, [0, 1]), "segment_sum expected 3 integers as segment_ids"),
    (lambda x: sm.array([1j]).at[[0]].min(0), "complex numbers have no order"),
]


@pytest.mark.parametrize(("use", "message"), REFUSED, ids=lambda x: x if isinstance(x, str) else "")
def test_what_is_refused(use, message):
    with pytest.raises(sm.UserInputError, match=message):
        use(sm.array([1, 2, 3]))


def test_values_must_fit_what_is_chosen():
    with pytest.raises(ValueError, match=r"values of shape \(2,\) cannot be broadcast to \(3,\)"):
        sm.zeros(4).at[[0, 1, 2]].add(sm.zeros(2))


# --- Along an axis, segments ---------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_scatter_is_the_reverse_of_take(device, axis):
    x = upload(numbered((4, 5, 4)), device)
    index = np.array([[3, 0], [1, -2]])
    updates = -sm.take(x, index, axis) - 1
    found = sm.scatter(x, index, updates, axis)
    np.testing.assert_array_equal(sm.take(found, index, axis).numpy(), updates.numpy())
    names = [("add", np.add), ("sub", np.subtract), ("mul", np.multiply)]
    for name, ufunc in [*names, ("min", np.minimum), ("max", np.maximum)]:
        expected = x.numpy().copy()
        repeated = np.array([1, 1, 3])
        values = sm.take(x, repeated, axis)
        ufunc.at(expected, (*(slice(None),) * (axis % 3), repeated), values.numpy())
        found = getattr(sm, f"scatter_{name}")(x, repeated, values, axis)
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@pytest.mark.parametrize("is_sorted", [True, False])
def test_segments(device, is_sorted):
    random = np.random.default_rng(0)
    ids = random.integers(0, 6, 50)
    ids = np.sort(ids) if is_sorted else ids
    ids[ids == 4] = 5
    host = random.integers(-9, 9, (50, 3)).astype(np.float32)
    start = {"sum": 0, "prod": 1, "max": -np.inf, "min": np.inf}
    ufuncs = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}
    for name, first in start.items():
        for values in (host, host[:, 0]):
            expected = np.full((7, *values.shape[1:]), first, np.float32)
            ufuncs[name].at(expected, ids, values)
            segment = getattr(sm, f"segment_{name}")
            found = segment(upload(values, device), ids, 7)
            np.testing.assert_array_equal(found.numpy(), expected)
            assert segment(upload(values, device), ids).shape == expected[:6].shape
    assert sm.segment_max(sm.array([3]), [1]).tolist() == [-(2**31), 3]
    with pytest.raises(IndexError, match="expected segment_ids from 0 to 1, got 2"):
        sm.segment_sum(sm.ones(2), [0, 2], 2)
    with pytest.raises(IndexError, match="got -1"):
        sm.segment_sum(sm.ones(2), [0, -1])
    assert sm.segment_sum(sm.zeros((0, 2)), sm.zeros(0, sm.int32)).shape == (0, 2)

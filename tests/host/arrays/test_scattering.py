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
from speedmetal.arrays.indices import rows as rows_module
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


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i4", "i8", "u1", "c8", "?"])
@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
def test_changed_copies_of_small_arrays_are_numpys(dtype, data):
    """Whose plans are kept by layouts: the same call again, with other values and positions."""
    extent = data.draw(st.integers(1, 5))
    shape = (extent, *data.draw(st.sampled_from([(), (3,), (2, 2), (17,)])))
    batch = data.draw(st.sampled_from([(4,), (2, 3), (1,)]))
    kind = data.draw(st.sampled_from(["i4", "i8"]))
    names = ["set"] if dtype == "?" else ["set", "add", "subtract", "multiply"]
    for name in names if dtype in ("c8", "?") else [*names, "min", "max"]:
        for _ in range(2):
            host = (numbered(shape) % 3).astype(dtype)
            rows = data.draw(hnp.arrays(kind, batch, elements=st.integers(-extent, extent - 1)))
            values = (numbered((*batch, *shape[1:])) % 4 + 1).astype(dtype)
            ours, index = sm.array(host), sm.array(rows)
            found = getattr(ours.at[index], name)(sm.array(values))
            expected = host.copy()
            if name == "set":
                expected[rows] = values
            else:
                NAMES[name].at(expected, rows, values)
            np.testing.assert_array_equal(found.numpy(), expected)
            np.testing.assert_array_equal(ours.numpy(), host)
            outside = rows.copy()
            outside.flat[-1] = extent
            for _ in range(2):
                with pytest.raises(IndexError, match=f"index {extent} is out of bounds for axis 0"):
                    getattr(ours.at[sm.array(outside)], name)(sm.array(values))


@pytest.mark.parametrize("axes", [(40,), (3,), ()], ids=str)
@pytest.mark.parametrize("dtype", ["f4", "f2", "i8", "u1", "c8"])
@pytest.mark.parametrize("name", ["set", "add", "subtract", "multiply", "max"])
def test_many_rows_for_few_places(name, dtype, axes):
    """Each part has a table of its own; rows that no position has keep their bits."""
    count = 700 if name != "set" else 25_000 if axes else 70_000
    if dtype == "c8" and name == "max":
        return
    random = np.random.default_rng(3)
    rows = random.integers(-10, 10, count)
    rows[rows % 10 == 4] = 5
    choices = [1, 1, 1, -1] if name == "multiply" else [0, 1, 2]
    values = random.choice(choices, (count, *axes)).astype(dtype)
    host = np.full((10, 2, *axes), -0.0).astype(dtype)
    ours = sm.array(host)
    expected = host.copy()
    view, place = ours[:, 1], expected[:, 1]  # with gaps
    assert rows_module.meet_often(count, 10)
    if name == "set":
        view[sm.array(rows)] = sm.array(values)
        place[rows] = values
    else:
        ufunc = NAMES[name]
        whole = place.copy()
        ufunc.at(whole, rows, values)
        place[...] = whole
        found = getattr(view.at[rows], name)(sm.array(values))
        np.testing.assert_array_equal(view.numpy(), host[:, 1])
        view[...] = found
    np.testing.assert_array_equal(ours.numpy(), expected)
    signs = np.signbit(ours.numpy().real), np.signbit(expected.real)
    np.testing.assert_array_equal(signs[0][[4, 5]][0], signs[1][[4, 5]][0])


def test_nothing_of_many_rows_is_written_where_one_place_is_outside():
    rows = np.zeros(30_000, np.int64)
    rows[20_000] = -4
    x = sm.zeros((3, 4))
    for use in (x.__setitem__, lambda index, values: sm.add_at(x, index, values)):
        with pytest.raises(IndexError, match="index -4 is out of bounds for axis 0 of extent 3"):
            use(sm.array(rows), sm.ones((30_000, 4)))
    assert not x.numpy().any()


def test_many_rows_are_written_from_expressions_and_of_other_dtypes():
    rows = np.arange(30_000) % 3
    x = sm.zeros((3, 4), sm.int32)
    x[sm.array(rows)] = sm.arange(120_000).reshape(-1, 4) * 0.5 + 0.75
    expected = (np.arange(120_000).reshape(-1, 4)[-3:] * 0.5 + 0.75).astype(np.int32)
    np.testing.assert_array_equal(x.numpy(), expected)
    x[x[:, 0].broadcast_to((10_000, 3)).T.reshape(-1) % 3] = x[:1]  # of one row, and itself
    assert (x.numpy() == expected[0]).any()


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

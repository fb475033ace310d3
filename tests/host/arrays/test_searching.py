"""Where elements are, and where they belong: as in NumPy."""

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


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(100), deadline=None)
@given(
    host=hnp.arrays(
        st.sampled_from([np.bool_, np.int8, np.float32]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5),
        elements=st.sampled_from([0, 1]),
    )
)
def test_what_is_not_zero(device, host):
    ours = upload(host, device)
    for found, expected in zip(sm.nonzero(ours), np.nonzero(host), strict=True):
        np.testing.assert_array_equal(found.numpy(), expected)
    np.testing.assert_array_equal(sm.flatnonzero(ours).numpy(), np.flatnonzero(host))
    found = sm.argwhere(ours)
    assert found.shape == np.argwhere(host).shape
    np.testing.assert_array_equal(found.numpy(), np.argwhere(host))


def test_long_arrays_are_looked_through_in_parts():
    host = np.random.default_rng(0).integers(0, 3, (700_000, 2)) == 0
    for found, expected in zip(sm.array(host).nonzero(), np.nonzero(host), strict=True):
        np.testing.assert_array_equal(found.numpy(), expected)
    known = np.sort(np.random.default_rng(1).standard_normal(1000).astype(np.float32))
    wanted = np.random.default_rng(2).standard_normal((500, 200)).astype(np.float32)
    found = sm.searchsorted(sm.array(known), sm.array(wanted))
    np.testing.assert_array_equal(found.numpy(), np.searchsorted(known, wanted))


def test_arrays_without_axes_are_refused():
    for function in (sm.nonzero, sm.argwhere):
        with pytest.raises(sm.UserInputError, match="expected an array with axes"):
            function(sm.array(1))


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data(), side=st.sampled_from(["left", "right"]))
def test_places_in_sorted_arrays(device, data, side):
    few = st.sampled_from([0, 1, 2, 3, 5])
    dtypes = st.sampled_from([np.float32, np.int32, np.int8])
    known = data.draw(hnp.arrays(dtypes, st.integers(0, 6), elements=few))
    wanted = data.draw(hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=2), elements=few))
    order = np.argsort(known, kind="stable")
    for x1, sorter in ((known[order], None), (known, upload(order, device))):
        found = sm.searchsorted(
            upload(x1, device), upload(wanted, device), side=side, sorter=sorter
        )
        np.testing.assert_array_equal(found.numpy(), np.searchsorted(known[order], wanted, side))


def test_searching_is_refused_where_it_has_no_meaning():
    x = sm.arange(3)
    with pytest.raises(sm.UserInputError, match="x1 with one axis"):
        sm.searchsorted(sm.zeros((2, 2)), x)
    with pytest.raises(sm.UserInputError, match="side 'left' or 'right', got 'middle'"):
        sm.searchsorted(x, x, side="middle")
    with pytest.raises(sm.UserInputError, match=r"a sorter of shape \(3,\)"):
        sm.searchsorted(x, x, sorter=sm.arange(2))
    with pytest.raises(sm.UserInputError, match="the arrays are on"):
        sm.searchsorted(x, x.to(RemoteDevice()))
    assert sm.searchsorted(x, 1).item() == 1

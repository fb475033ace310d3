"""Arrays as sets: what NumPy says, with each NaN an element of its own."""

import itertools

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
FEW = {
    "f": st.sampled_from([0.0, 1.5, -2.0, np.inf, np.nan]),
    "i": st.sampled_from([0, 1, -2]),
    "u": st.sampled_from([0, 1, 255]),
    "b": st.booleans(),
    "c": st.sampled_from([0, 1j, 1 - 1j]),
}
ARRAYS = st.sampled_from(["f4", "f8", "i4", "i8", "u1", "?", "c8"]).flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=6),
        elements=FEW[np.dtype(dtype).kind],
    )
)


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(150), deadline=None)
@given(host=ARRAYS)
def test_what_is_in_an_array(device, host):
    ours = upload(host, device)
    options = {"return_index": True, "return_inverse": True, "return_counts": True}
    expected = np.unique(host, equal_nan=False, **options)
    found = sm.unique_all(ours)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs)
        assert mine.dtype == theirs.dtype
    assert found.inverse_indices.shape == host.shape
    if not np.isnan(host).any():
        values = found.values[found.inverse_indices]
        np.testing.assert_array_equal(values.numpy(), host)
    for mine, theirs in zip(sm.unique_counts(ours), expected[::3], strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs)
    for mine, theirs in zip(sm.unique_inverse(ours), expected[::2], strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs)
    np.testing.assert_array_equal(sm.unique_values(ours).numpy(), expected[0])


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(60), deadline=None)
@given(one=ARRAYS, other=ARRAYS, invert=st.booleans())
def test_what_is_among_others(device, one, other, invert):
    found = sm.isin(upload(one, device), upload(other, device), invert=invert)
    np.testing.assert_array_equal(found.numpy(), np.isin(one, other, invert=invert))


def test_bfloat16_and_numbers():
    x = sm.array([2, 1, 2], "bf16")
    assert sm.unique_values(x).dtype == sm.bfloat16
    assert sm.unique_all(x).counts.tolist() == [1, 2]
    assert sm.isin(x, 2).tolist() == [True, False, True]
    assert sm.isin(3, sm.array([1, 3])).item() is True


def test_unique_as_numpy_asks_for_it():
    host = np.random.default_rng(3).integers(-5, 5, (4, 7))
    ours = sm.array(host)
    np.testing.assert_array_equal(sm.unique(ours).numpy(), np.unique(host))
    for asked in itertools.product([False, True], repeat=3):
        options = dict(zip(["return_index", "return_inverse", "return_counts"], asked, strict=True))
        found, wanted = sm.unique(ours, **options), np.unique(host, **options)
        assert isinstance(found, tuple) == any(asked)
        pairs = zip(found, wanted, strict=True) if any(asked) else [(found, wanted)]
        for one, other in pairs:
            np.testing.assert_array_equal(one.numpy(), other)

"""Our kernels that find what is not 0, and different elements, on every device."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.indices import finding
from speedmetal.arrays.order import sets_on_device


@pytest.mark.parametrize("share", [0, 0.3, 1])
@pytest.mark.parametrize("shape", [(1,), (31,), (300,), (0, 3), (7, 9, 11)], ids=str)
@pytest.mark.parametrize("dtype", ["bool", "float32", "int64"])
def test_places(device, dtype, shape, share):
    x = (np.random.default_rng(5).random(shape) < share).astype(dtype)
    found = finding.places_on_device(sm.array(x, device=device)).numpy()
    np.testing.assert_array_equal(found, np.reshape(np.nonzero(x), (x.ndim, -1)))


def test_parts_of_any_length(device, monkeypatch):
    """Few long ones, and as many as one threadgroup adds up in several turns."""
    x = np.random.default_rng(6).random(5000) < 0.4
    if device.name != "metal-sim":
        x = np.random.default_rng(6).random(700_000) < 0.4
    ours = sm.array(x, device=device)
    for parts in (1, finding._PARTS):
        monkeypatch.setattr(finding, "_PARTS", parts)
        found = finding.places_on_device(ours).numpy()[0]
        np.testing.assert_array_equal(found, np.nonzero(x)[0])


@pytest.mark.parametrize("shape", [(1,), (40,), (3, 0), (3, 7, 11)], ids=str)
def test_sets(device, shape):
    x = np.random.default_rng(7).integers(0, 9, shape).astype(np.int32)
    expected = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    ours = sm.array(x, device=device)
    for found, wanted in zip(sets_on_device.all_about(ours), expected, strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted.reshape(found.shape))
    values, counts = sets_on_device.different(ours)
    np.testing.assert_array_equal(values.numpy(), expected[0])
    np.testing.assert_array_equal(counts.numpy(), expected[3])

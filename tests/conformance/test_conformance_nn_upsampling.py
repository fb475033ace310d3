"""The kernel that changes the size of images, on every device."""

from __future__ import annotations

import numpy as np
import pytest
from lacking import skip_where_lacking

import speedmetal as sm
from speedmetal.dtypes import float16, float32, float64

LAYOUTS = ("channels_last", "channels_first")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [float32, float16, float64], ids=str)
def test_twice_as_many_rows_and_columns(device, dtype, layout):
    """Factors are quarters, of which sums of small whole numbers are exact."""
    skip_where_lacking(device, dtype)
    host = np.random.default_rng(1).integers(-3, 4, (1, 3, 9, 3)).astype(dtype.numpy)
    given = host if layout == "channels_last" else np.moveaxis(host, 3, 1)
    x = sm.array(given, device=device)

    def seen(mode: str) -> np.ndarray:
        found = (sm.nn.upsample(x * 2, scale_factor=2, mode=mode, layout=layout) + 1).numpy()
        return found if layout == "channels_last" else np.moveaxis(found, 1, 3)

    wide = host.astype(np.float64) * 2
    np.testing.assert_array_equal(seen("nearest"), wide.repeat(2, 1).repeat(2, 2) + 1)
    for axis in (1, 2):
        edges = np.take(wide, [0], axis), np.take(wide, [-1], axis)
        before = np.concatenate([edges[0], np.delete(wide, -1, axis)], axis)
        after = np.concatenate([np.delete(wide, 0, axis), edges[1]], axis)
        pairs = np.stack([0.25 * before + 0.75 * wide, 0.75 * wide + 0.25 * after], axis + 1)
        wide = pairs.reshape([n * (1 + (k == axis)) for k, n in enumerate(wide.shape)])
    np.testing.assert_array_equal(seen("bilinear"), (wide + 1).astype(dtype.numpy))

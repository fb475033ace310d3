"""The kernel of pooling, on every device."""

from __future__ import annotations

import numpy as np
import pytest
from lacking import skip_where_lacking

import speedmetal as sm
from speedmetal.dtypes import float16, float32, float64

LAYOUTS = ("channels_last", "channels_first")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [float32, float16, float64], ids=str)
@pytest.mark.parametrize("name", ["max", "avg"])
def test_windows_with_and_without_a_border(device, name, dtype, layout):
    """Means of four elements, of which the border has some, are exact."""
    skip_where_lacking(device, dtype)
    host = np.random.default_rng(1).integers(-3, 4, (1, 5, 19, 3)).astype(dtype.numpy)
    given = host if layout == "channels_last" else np.moveaxis(host, 3, 1)
    x = sm.array(given, device=device)
    function = getattr(sm.nn, f"{name}_pool2d")
    for width in (0, 1):
        found = (function(x * 2, 2, 2, padding=width, layout=layout) + 1).numpy()
        border = ((0, 0), (width, width), (width, width), (0, 0))
        padded = np.pad(host * 2, border, constant_values=-np.inf if name == "max" else 0)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (2, 2), (1, 2))[:, ::2, ::2]
        expected = (windows.max if name == "max" else windows.mean)((-2, -1)) + 1
        wide = found if layout == "channels_last" else np.moveaxis(found, 1, 3)
        np.testing.assert_array_equal(wide, expected.astype(dtype.numpy))


def test_windows_that_share_an_image_out(device):
    host = np.arange(7, dtype=np.float32).reshape((1, 7, 1))
    found = sm.nn.adaptive_max_pool1d(sm.array(host, device=device), 3)
    assert found.numpy().ravel().tolist() == [2, 4, 6]
    found = sm.nn.adaptive_avg_pool1d(sm.array(host, device=device), 3)
    assert found.numpy().ravel().tolist() == [1, 3, 5]

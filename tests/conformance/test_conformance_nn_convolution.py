"""Every kernel of convolutions, on every device; sums of small whole numbers are exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lacking import skip_where_lacking

import speedmetal as sm
from speedmetal.dtypes import float16, float32, float64

CASES: dict[str, tuple[Any, ...]] = {
    "few outputs": ((1, 3, 17, 2), (5, 2, 3, 2), {"padding": (0, 1)}),
    "many outputs": ((2, 3, 8, 2), (18, 2, 3, 2), {"stride": (1, 2), "dilation": (1, 2)}),
    "many outputs in groups": ((1, 2, 5, 4), (34, 1, 2, 2), {"groups": 2, "padding": (0, 1)}),
    "several tiles": ((2, 9, 11, 24), (70, 3, 3, 24), {"padding": 1, "dilation": (2, 1)}),
    "tiles in groups": (
        (2, 5, 7, 32),
        (24, 3, 3, 16),
        {"groups": 2, "padding": (1, 0), "stride": 2},
    ),
    "pixels": ((3, 9, 70, 4), (7, 2, 3, 4), {"stride": (2, 1), "padding": 1}),
    "pieces of channels": (
        (2, 7, 20, 8),
        (8, 3, 2, 1),
        {"groups": 8, "padding": 1, "stride": (1, 2), "dilation": (2, 1)},
    ),
    "many pieces of channels": ((1, 4, 11, 100), (100, 3, 3, 1), {"groups": 100, "padding": 2}),
    "channel by channel": ((1, 3, 9, 6), (6, 2, 3, 1), {"groups": 6, "padding": 1, "stride": 2}),
}


def numbers(shape: tuple[int, ...], dtype: Any, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype.numpy)


def by_hand(x: np.ndarray, weight: np.ndarray, options: dict[str, Any]) -> np.ndarray:
    """Sum over the window of (what is under it) @ (its weights), a group after the other."""
    pair = {
        key: np.broadcast_to(options.get(key, least), 2).tolist()
        for key, least in (("stride", 1), ("dilation", 1), ("padding", 0))
    }
    groups = options.get("groups", 1)
    x, weight = x.astype(np.float64), weight.astype(np.float64)
    x = np.pad(x, ((0, 0), *((n, n) for n in pair["padding"]), (0, 0)))
    reach = [(k - 1) * d + 1 for k, d in zip(weight.shape[1:3], pair["dilation"], strict=True)]
    space = [(n - r) // s + 1 for n, r, s in zip(x.shape[1:3], reach, pair["stride"], strict=True)]
    result = np.zeros((x.shape[0], *space, weight.shape[0]))
    each, own = x.shape[3] // groups, weight.shape[0] // groups
    for place in np.ndindex(*weight.shape[1:3]):
        window = [
            slice(p * d, p * d + (n - 1) * s + 1, s)
            for p, d, n, s in zip(place, pair["dilation"], space, pair["stride"], strict=True)
        ]
        for group in range(groups):
            outputs = slice(group * own, (group + 1) * own)
            patch = x[:, window[0], window[1], group * each : (group + 1) * each]
            result[..., outputs] += patch @ weight[(outputs, *place)].T
    return result


@pytest.mark.parametrize("dtype", [float32, float16, float64], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_convolutions(device, name, dtype):
    skip_where_lacking(device, dtype)
    shape, kernel, options = CASES[name]
    x, weight = numbers(shape, dtype, 1), numbers(kernel, dtype, 2)
    bias = numbers(kernel[:1], dtype, 3)
    given = (sm.array(operand, device=device) for operand in (x, weight, bias))
    found = sm.nn.relu(sm.nn.conv2d(*given, **options))
    expected = np.maximum(by_hand(x, weight, options) + bias, 0)
    np.testing.assert_array_equal(found.numpy(), expected.astype(dtype.numpy))


def test_volumes_and_sequences(device):
    x, weight = numbers((1, 4, 5, 6, 8), float16, 1), numbers((9, 2, 3, 1, 8), float16, 2)
    found = sm.nn.conv3d(*(sm.array(a, device=device) for a in (x, weight)), stride=(1, 2, 1))
    expected = sum(
        by_hand(x[:, dz : dz + 3, :].reshape(3, 5, 6, 8), weight[:, dz], {"stride": (2, 1)})
        for dz in range(2)
    )
    np.testing.assert_array_equal(found.numpy()[0], expected)
    x, weight = x.reshape(2, 60, 8), numbers((16, 5, 8), float16, 2)
    found = sm.nn.conv1d(*(sm.array(a, device=device) for a in (x, weight)), padding=2)
    expected = by_hand(x[:, None], weight[:, None], {"padding": (0, 2)})[:, 0]
    np.testing.assert_array_equal(found.numpy(), expected.astype("f2"))


def test_operands_of_two_types_are_multiplied_in_the_wider_one(device):
    x, weight = numbers((1, 3, 17, 8), float16, 1), numbers((18, 2, 3, 8), float32, 2)
    found = sm.nn.conv2d(*(sm.array(a, device=device) for a in (x, weight)))
    assert found.dtype == float32
    np.testing.assert_array_equal(found.numpy(), by_hand(x, weight, {}))


def test_images_with_their_channels_first(device):
    x, weight = numbers((1, 2, 19, 3), float32, 1), numbers((3, 2, 3, 3), float32, 2)
    first = (sm.array(np.moveaxis(a, 3, 1).copy(), device=device) for a in (x, weight))
    found = sm.nn.conv2d(*first, padding=1, layout="channels_first") * 2.0
    expected = np.moveaxis(by_hand(x, weight, {"padding": 1}) * 2, 3, 1)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_transposed_convolutions(device):
    """Every pixel adds its products to the results under the window."""
    x, weight = numbers((1, 3, 4, 2), float32, 1), numbers((18, 2, 3, 2), float32, 2)
    found = sm.nn.conv_transpose2d(*(sm.array(a, device=device) for a in (x, weight)), stride=2)
    expected = np.zeros((1, 6, 9, 18))
    for row, column in np.ndindex(2, 3):
        expected[:, row : row + 5 : 2, column : column + 7 : 2] += x @ weight[:, row, column].T
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("debug", [0, 1])
def test_transposed_convolutions_of_each_channel(device, debug):
    """The windows' elements are taken in reverse, some of them for each result."""
    x, weight = numbers((1, 3, 4, 8), float32, 1), numbers((8, 4, 3, 1), float32, 2)
    with sm.debug_level(debug):
        operands = (sm.array(a, device=device) for a in (x, weight))
        found = sm.nn.conv_transpose2d(*operands, stride=2, groups=8).numpy()
    expected = np.zeros((1, 8, 9, 8))
    for row, column in np.ndindex(4, 3):
        own = weight[:, row, column, 0]
        expected[:, row : row + 5 : 2, column : column + 7 : 2] += x * own
    np.testing.assert_array_equal(found, expected)

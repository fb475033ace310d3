"""Images of another size against PyTorch's in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from tiers import examples

torch = pytest.importorskip("torch")

LAYOUTS = ("channels_last", "channels_first")
MODES = {
    1: ("nearest", "linear"),
    2: ("nearest", "bilinear", "bicubic"),
    3: ("nearest", "trilinear"),
}


def images(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


def given_as(layout: str, x: np.ndarray) -> sm.Array:
    return sm.asarray(x if layout == "channels_first" else np.moveaxis(x, 1, -1))


def seen_as(layout: str, found: sm.Array) -> np.ndarray:
    host = found.numpy()
    return host if layout == "channels_first" else np.moveaxis(host, -1, 1)


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[int, ...], str, dict[str, Any]]:
    rank = draw(st.integers(1, 3))
    mode = draw(st.sampled_from(MODES[rank]))
    space = tuple(draw(st.integers(1, 9)) for _ in range(rank))
    if draw(st.booleans()):
        options: dict[str, Any] = {"size": [draw(st.integers(1, 20)) for _ in range(rank)]}
    else:
        factors = [f for f in (0.5, 1, 1.7, 2, 3) if all(n * f >= 1 for n in space)]
        options = {"scale_factor": draw(st.sampled_from(factors))}
    if mode != "nearest":
        options["align_corners"] = draw(st.booleans())
    return space, mode, options


@given(case=cases(), layout=st.sampled_from(LAYOUTS))
@settings(max_examples=examples(150), deadline=None)
def test_they_are_pytorchs(case, layout):
    space, mode, options = case
    x = images(2, 3, *space)
    expected = torch.nn.functional.interpolate(torch.from_numpy(x), mode=mode, **options).numpy()
    found = sm.nn.upsample(given_as(layout, x)[:, ::1], mode=mode, layout=layout, **options)
    np.testing.assert_allclose(seen_as(layout, found), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("extent", [1, 3, 5, 7, 11, 41, 49])
def test_whole_multiples_repeat_each_element(layout, extent):
    """Proves that no quotient is rounded below a whole number."""
    x = np.arange(extent * 2.0).reshape((1, 2, extent)).astype(np.float32)
    for times in range(1, 50):
        found = sm.nn.upsample(given_as(layout, x), extent * times, layout=layout)
        np.testing.assert_array_equal(seen_as(layout, found), np.repeat(x, times, 2))


@pytest.mark.parametrize("dtype", ["int16", "uint8", "bool", "complex64", "float16"])
def test_nearest_takes_elements_of_any_type(dtype):
    x = np.random.default_rng(2).integers(0, 2, (1, 4, 5, 3)).astype(dtype)
    found = sm.nn.upsample(sm.asarray(x), scale_factor=2)
    assert found.dtype == sm.asarray(x).dtype
    np.testing.assert_array_equal(found.numpy(), x.repeat(2, 1).repeat(2, 2))


def test_numbers_of_16_bits_are_summed_in_float32():
    x = images(1, 4, 5, 3, dtype=np.float16)
    found = sm.nn.upsample(sm.asarray(x), (7, 9), mode="bicubic")
    wide = sm.nn.upsample(sm.asarray(x.astype(np.float32)), (7, 9), mode="bicubic")
    np.testing.assert_array_equal(found.numpy(), wide.numpy().astype(np.float16))


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_followers_are_fused(mode, layout):
    x = sm.asarray(images(2, 4, 5, 3, dtype=np.float32))
    lazy = sm.nn.relu(sm.nn.upsample(x, (6, 9), mode=mode, layout=layout)) + 1
    steps = sm.explain(lazy).steps
    assert len(steps) == 1
    plain = sm.nn.upsample(x, (6, 9), mode=mode, layout=layout).numpy()
    np.testing.assert_array_equal(lazy.numpy(), np.maximum(plain, 0) + 1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_channels_become_pixels(layout):
    x = images(2, 18, 4, 5)
    expected = torch.nn.functional.pixel_shuffle(torch.from_numpy(x), 3).numpy()
    found = sm.nn.pixel_shuffle(given_as(layout, x) * 1, 3, layout=layout)
    np.testing.assert_array_equal(seen_as(layout, found), expected)


def test_no_images_have_no_results():
    assert sm.nn.upsample(sm.zeros((0, 4, 4, 3)), 8).shape == (0, 8, 8, 3)
    assert sm.nn.pixel_shuffle(sm.zeros((0, 4, 4, 4)), 2).shape == (0, 8, 8, 1)


def test_errors_say_what_is_wrong():
    x = sm.zeros((1, 4, 4, 3))
    with pytest.raises(sm.UserInputError, match=r"takes size or scale_factor, got neither"):
        sm.nn.upsample(x)
    with pytest.raises(sm.UserInputError, match=r"takes size or scale_factor, got both"):
        sm.nn.upsample(x, 8, scale_factor=2)
    with pytest.raises(sm.UserInputError, match=r"unknown mode 'area'"):
        sm.nn.upsample(x, 8, mode="area")
    with pytest.raises(
        sm.UserInputError, match=r'"trilinear" is of 3 dimensions of space, x has 2'
    ):
        sm.nn.upsample(x, 8, mode="trilinear")
    with pytest.raises(sm.UserInputError, match=r'mode "nearest" has no corners to align'):
        sm.nn.upsample(x, 8, align_corners=True)
    with pytest.raises(sm.UserInputError, match=r'"bilinear" expected floats, got int32; convert'):
        sm.nn.upsample(x.astype(sm.int32), 8, mode="bilinear")
    with pytest.raises(
        sm.UserInputError, match=r"scale_factor a number above 0, or 2 of them, got 0"
    ):
        sm.nn.upsample(x, scale_factor=0)
    with pytest.raises(
        sm.UserInputError, match=r"the 3 channels of x \(1, 4, 4, 3\) must be a mult"
    ):
        sm.nn.pixel_shuffle(x, 2)
    with pytest.raises(sm.UserInputError, match=r"expected x of 4 axes"):
        sm.nn.upsample(sm.zeros(3), 8)

"""Textures: texels of NumPy arrays read, written and sampled as Metal has it."""

# ruff: noqa: E501 - the lines of kernels and of messages are as long as they are

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from right_case import HEADER

import speedmetal as sm
from speedmetal.errors import LaunchError, SimulationError, UserInputError
from speedmetal.metal_simulator.language.lint import lint
from speedmetal.metal_simulator.simulate import simulate
from speedmetal.metal_simulator.textures import Sampler
from speedmetal.msl.diagnostics import MslError

ACCESS = (
    HEADER
    + """
template <typename T>
void put(texture2d<T, access::write> out, uint2 p, vec<T, 4> color) {
  if (p.x < out.get_width() && p.y < out.get_height()) out.write(color, p);
}

kernel void colors(texture2d<float, access::read> in [[texture(0)]],
                   texture2d<float, access::write> out [[texture(1)]],
                   device float4* read [[buffer(0)]], uint2 p [[thread_position_in_grid]]) {
  float4 color = in.read(p);
  read[p.y * in.get_width() + p.x] = color;
  put(out, p, color);
}
kernel void whole(texture2d<int, access::read_write> t [[texture(3)]],
                  uint2 p [[thread_position_in_grid]]) {
  t.write(t.read(ushort2(p)) * 100, p);
}
kernel void halves(texture2d<half, access::read> in, texture2d<half, access::write> out,
                   constant half& factor [[buffer(0)]], uint2 p [[thread_position_in_grid]]) {
  out.write(in.read(p) * factor, p);
}
kernel void everywhere(texture2d<float, access::write> out [[texture(0)]], uint i [[thread_position_in_grid]]) {
  out.write(float(i), uint2(0, 0));
}
"""
)
SAMPLING = (
    HEADER
    + """
constexpr sampler outer(coord::pixel, filter::nearest);

kernel void chosen(texture2d<float> in [[texture(0)]], sampler s [[sampler(0)]],
                   device const float2* at [[buffer(0)]], device float4* out [[buffer(1)]],
                   uint i [[thread_position_in_grid]]) {
  out[i] = in.sample(s, at[i]);
}
kernel void stated(texture2d<float, access::sample> in [[texture(0)]], device float* out [[buffer(0)]]) {
  constexpr sampler s(mag_filter::linear, min_filter::nearest, s_address::repeat,
                      t_address::mirrored_repeat, mip_filter::none);
  out[0] = in.sample(s, float2(1.0, 0.0)).x;
  out[1] = in.sample(s, float2(0.5, -0.5), level(0)).x;
  out[2] = in.sample(outer, float2(1.5, 0.5)).x;
  out[3] = in.sample(outer, float2(0.5, 0.5), int2(1, 1)).x;
  out[4] = in.sample(outer, float2(7, -3), bias(1.0)).x;
  float4 corners = in.gather(outer, float2(1, 1));
  out[5] = corners.x; out[6] = corners.y; out[7] = corners.z; out[8] = corners.w;
  out[9] = is_null_texture(in);
}
kernel void numbers(texture2d<uint> in [[texture(0)]], device uint4* out [[buffer(0)]]) {
  out[0] = in.sample(sampler(filter::nearest), float2(0.9, 0.1));
}
"""
)


@pytest.fixture(scope="module")
def access() -> Any:
    return simulate(ACCESS)


@pytest.fixture(scope="module")
def sampling() -> Any:
    return simulate(SAMPLING)


@pytest.mark.parametrize("source", [ACCESS, SAMPLING])
def test_lint_has_nothing_to_say(source):
    assert lint(source) == ()


def full(array: np.ndarray[Any, Any], scale: float) -> np.ndarray[Any, Any]:
    """What a kernel reads: four channels, of which those that lack are 0 and alpha 1."""
    channels = array.reshape(*array.shape[:2], -1).astype(np.float64) / scale
    colors = np.zeros((*array.shape[:2], 4))
    colors[..., 3] = 1
    colors[..., : channels.shape[2]] = np.maximum(channels, -1) if scale > 1 else channels
    return colors.astype(np.float32)


@pytest.mark.parametrize("channels", [(), (1,), (2,), (4,)])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        ("float32", 1),
        ("float16", 1),
        ("uint8", 255),
        ("uint16", 65535),
        ("int8", 127),
        ("int16", 32767),
    ],
)
def test_formats_are_read_and_written(access, dtype, scale, channels):
    """Integers are parts of 1; writing back what was read changes none."""
    random = np.random.default_rng(len(channels))
    values = random.integers(-1 if scale == 1 else 0, scale + 1, (5, 7, *channels))
    image = (values if scale > 1 else random.standard_normal(values.shape)).astype(dtype)
    if np.dtype(dtype).kind == "i":
        image.flat[:2] = -scale, -1
    read, out = np.zeros((35, 4), np.float32), np.zeros_like(image)
    access.function("colors")(read, textures={0: image, 1: out}, grid=(7, 5), threads=(4, 4))
    np.testing.assert_allclose(read.reshape(5, 7, 4), full(image, scale), rtol=1e-6)
    np.testing.assert_array_equal(out, image)


def test_what_is_written_is_rounded_and_kept_in_range(access):
    image = np.array([[[0.5, -1, 2, np.nan]]], np.float32)
    out = np.full((1, 1, 4), 7, np.uint8)
    access.function("colors")(np.zeros(4, np.float32), textures={0: image, 1: out}, grid=(1, 1))
    np.testing.assert_array_equal(out, [[[128, 0, 255, 0]]])


def test_integers_are_kept_in_the_range_of_their_format(access):
    image = np.array([[-1, 0, 1, 127]], np.int8)
    access.function("whole")(textures={3: image}, grid=(4, 1))
    np.testing.assert_array_equal(image, [[-100, 0, 100, 127]])


def test_indices_follow_the_order_where_none_are_stated(access):
    image = np.arange(6, dtype=np.float16).reshape(2, 3)
    out = np.zeros_like(image)
    access.function("halves")(np.float16(3), textures={0: image, 1: out}, grid=(3, 2))
    np.testing.assert_array_equal(out, 3 * image)


def test_an_array_that_is_no_row_after_row_is_taken_and_given_back(access):
    image = np.arange(24, dtype=np.int32).reshape(4, 6)
    part = image[::2, 1::2]
    access.function("whole")(textures={3: part}, grid=(3, 2))
    np.testing.assert_array_equal(part, [[100, 300, 500], [1300, 1500, 1700]])


def test_one_array_may_be_read_and_written(access):
    image = np.array([[0.25, 0.5]], np.float32)
    read = np.zeros((2, 4), np.float32)
    access.function("colors")(read, textures={0: image, 1: image}, grid=(2, 1))
    np.testing.assert_array_equal(read[:, 0], [0.25, 0.5])
    np.testing.assert_array_equal(image, [[0.25, 0.5]])


def test_a_texture_and_a_buffer_share_no_memory(access):
    memory = np.zeros((6, 4), np.float32)
    with pytest.raises(LaunchError) as caught:
        access.function("colors")(memory, textures={0: memory[:2], 1: IMAGE}, grid=(3, 2))
    assert str(caught.value) == (
        "kernel 'colors': in [[texture(0)]] and a buffer share memory; give copies"
    )


def sampled(image: Any, x: float, y: float, sampler: Sampler) -> float:
    """A sample of one channel, by the specification's formulas."""
    height, width = image.shape
    if sampler.coord == "normalized":
        x, y = x * width, y * height
    if sampler.filter == "nearest":
        return texel(image, int(np.floor(x)), int(np.floor(y)), sampler)
    x, y = x - 0.5, y - 0.5
    i, j = int(np.floor(x)), int(np.floor(y))
    a, b = x - i, y - j
    return (
        (1 - a) * (1 - b) * texel(image, i, j, sampler)
        + a * (1 - b) * texel(image, i + 1, j, sampler)
        + (1 - a) * b * texel(image, i, j + 1, sampler)
        + a * b * texel(image, i + 1, j + 1, sampler)
    )


def texel(image: Any, i: int, j: int, sampler: Sampler) -> float:
    height, width = image.shape
    x, y = sampler.addresses
    places = [addressed(i, width, x), addressed(j, height, y)]
    if None in places:
        return float("clamp_to_border" in (x, y) and sampler.border_color == "opaque_white")
    return float(image[places[1], places[0]])


def addressed(place: int, size: int, mode: str) -> int | None:
    if mode == "repeat":
        return place % size
    if mode == "mirrored_repeat":
        return min(place % (2 * size), 2 * size - 1 - place % (2 * size))
    if mode == "clamp_to_edge":
        return min(max(place, 0), size - 1)
    return place if 0 <= place < size else None


SAMPLERS = [
    Sampler(kind, address=modes, coord=coord)
    for kind in ("nearest", "linear")
    for coord in ("normalized", "pixel")
    for modes in (
        "clamp_to_edge", "clamp_to_zero", "repeat", "mirrored_repeat",
        ("repeat", "clamp_to_edge"), ("clamp_to_zero", "mirrored_repeat"),
    )
] + [Sampler("linear", "clamp_to_border", border_color="opaque_white")]  # fmt: skip


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_samples_are_filtered_and_addressed(sampling, sampler):
    random = np.random.default_rng(3)
    image = random.integers(0, 100, (5, 7)).astype(np.float32)
    size = np.array([1, 1]) if sampler.coord == "normalized" else np.array([7, 5])
    at = (random.uniform(-1.7, 2.7, (200, 2)) * size).astype(np.float32)
    out = np.zeros((200, 4), np.float32)
    sampling.function("chosen")(at, out, textures={0: image}, samplers={0: sampler}, grid=200)
    right = [sampled(image, float(x), float(y), sampler) for x, y in at]
    np.testing.assert_allclose(out[:, 0], right, atol=2e-3)


def test_a_kernel_states_its_samplers(sampling):
    image = np.array([[0, 10], [20, 30]], np.float32)
    out = np.zeros(10, np.float32)
    sampling.function("stated")(out, textures={0: image}, grid=1)
    np.testing.assert_allclose(out, [5, 15, 10, 30, 10, 20, 30, 10, 0, 0])


def test_textures_of_integers_are_sampled(sampling):
    image = np.array([[[1, 2], [3, 4]]], np.uint16)
    out = np.zeros(4, np.uint32)
    sampling.function("numbers")(out, textures={0: image}, grid=1)
    np.testing.assert_array_equal(out, [3, 4, 0, 1])


@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_texels_that_several_threads_write_are_a_race(order):
    library = simulate(ACCESS, check_races=True, order=order)
    with pytest.raises(SimulationError) as caught:
        library.function("everywhere")(textures={0: np.zeros((1, 1), np.float32)}, grid=2)
    assert caught.value.kind == "race"
    assert "out [[texture(0)]], byte offset 0 (4 bytes): thread (" in str(caught.value)
    assert "wrote (line 25)" in str(caught.value)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (
            (2, 3),
            (
                "kernel 'halves': thread (3, 0, 0) of threadgroup (0, 0, 0) read in [[texture(0)]] at "
                "(3, 0), but its width is 3 and its height 2 (line 22); compare the coordinates with "
                "get_width() and get_height() first"
            ),
        ),
        (
            (2, 4),
            (
                "kernel 'halves': thread (3, 0, 0) of threadgroup (0, 0, 0) wrote out [[texture(1)]] at "
                "(3, 0), but its width is 3 and its height 2 (line 22); compare the coordinates with "
                "get_width() and get_height() first"
            ),
        ),
    ],
)
def test_a_texel_that_is_not_there_is_told(access, size, message):
    textures = {0: np.zeros(size, np.float16), 1: np.zeros((2, 3), np.float16)}
    with pytest.raises(SimulationError, match=re.escape(message)) as caught:
        access.function("halves")(np.float16(1), textures=textures, grid=(4, 1))
    assert str(caught.value) == message
    assert caught.value.kind == "out of bounds"


def test_a_texture_that_is_not_bound_is_told(access):
    with pytest.raises(
        SimulationError, match=r"read in \[\[texture\(0\)\]\] at \(0, 0\), but nothing"
    ):
        access.function("halves")(
            np.float16(1), textures={0: None, 1: np.zeros((2, 3), np.float16)}, grid=1
        )


IMAGE = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("textures", "message"),
    [
        ({0: IMAGE}, ("kernel 'colors' needs out [[texture(1)]]: textures={1: ...}, with an array of "
         "(height, width, channels)")),
        ({0: IMAGE, 1: IMAGE, 2: IMAGE}, ("textures has index 2, but kernel 'colors' has no "
         "[[texture(2)]]; it has in [[texture(0)]], out [[texture(1)]]")),
        ({0: [[1.0]], 1: IMAGE}, "kernel 'colors': in [[texture(0)]] needs a NumPy array, got list"),
        ({0: np.zeros((2, 3, 3), np.float32), 1: IMAGE}, ("kernel 'colors': in [[texture(0)]] needs an "
         "array of shape (height, width) or (height, width, channels) with 1, 2 or 4 channels, got "
         "(2, 3, 3); Metal has no textures of 3 channels: add one")),
        ({0: np.zeros(3, np.float32), 1: IMAGE}, ("kernel 'colors': in [[texture(0)]] needs an array of "
         "shape (height, width) or (height, width, channels) with 1, 2 or 4 channels, got (3,)")),
        ({0: np.zeros((2, 0), np.float32), 1: IMAGE}, ("kernel 'colors': in [[texture(0)]]: height and "
         "width must be 1 to 16384, got (2, 0)")),
        ({0: np.zeros((2, 3)), 1: IMAGE}, ("kernel 'colors': in [[texture(0)]] has elements float: its "
         "array can be float32, float16, uint8, uint16, int8, int16, got float64; convert it with "
         "x.astype(...)")),
        ({0: IMAGE, 1: np.broadcast_to(IMAGE[:1], (2, 3))}, ("kernel 'colors': out [[texture(1)]] is "
         "written, but the array is read-only; give a copy")),
        ({0: IMAGE, 1: IMAGE[:1]}, ("kernel 'colors': out [[texture(1)]] and in [[texture(0)]] share "
         "memory; give copies, or the same array for both textures")),
    ],
)  # fmt: skip
def test_arrays_that_fit_no_texture_are_refused(access, textures, message):
    with pytest.raises(LaunchError) as caught:
        access.function("colors")(np.zeros((6, 4), np.float32), textures=textures, grid=(3, 2))
    assert str(caught.value) == message


def test_what_a_sampler_cannot_be(sampling):
    with pytest.raises(LaunchError) as launch:
        sampling.function("chosen")(
            np.zeros(2, np.float32), np.zeros(4, np.float32), textures={0: IMAGE},
            samplers={0: "linear"}, grid=1,
        )  # fmt: skip
    assert str(launch.value) == (
        "kernel 'chosen': s [[sampler(0)]] needs sm.metal.Sampler(...), got 'linear'"
    )
    with pytest.raises(UserInputError) as word:
        sm.metal.Sampler(address=("repeat", "mirror"))
    assert str(word.value) == (
        "a sampler's address must be one of clamp_to_edge, clamp_to_zero, clamp_to_border, repeat, "
        "mirrored_repeat, got 'mirror'"
    )


@pytest.mark.parametrize(
    ("parameter", "body", "message"),
    [
        ("texture2d<float, access::read> t", "t.write(1.0f, p);",
         "this texture cannot be written; declare it with access::write"),
        ("texture2d<float, access::write> t", "t.read(p);",
         "this texture cannot be read; declare it with access::read"),
        ("texture2d<float, access::read> t", "t.sample(sampler(), float2(p));",
         "this texture cannot be sampled; declare it with access::sample"),
        ("array<texture2d<float>, 2> t [[texture(0)]]", "",
         "t: the simulator knows no arrays of textures; declare each by itself"),
        ("texture2d<long> t", "t.get_width();",
         "textures have elements float, half, int, uint, short or ushort"),
        ("texture2d<float> t [[texture(128)]]", "", "texture(128) of t: indices go from 0 to 127"),
    ],
)  # fmt: skip
def test_what_a_texture_cannot_do_is_told(parameter, body, message):
    source = f"{HEADER}kernel void k({parameter}, uint2 p [[thread_position_in_grid]]) {{ {body} }}"
    with pytest.raises(MslError) as caught:
        simulate(source)
    assert message in [d.message for d in caught.value.diagnostics]
    assert [d.message for d in lint(source)] == [message]

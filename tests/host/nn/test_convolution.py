"""Convolutions against PyTorch's in double precision; of small whole numbers all sums are exact."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.bench.operations import convolution as benchmark
from speedmetal.nn.correlation import (
    CHANNEL_BY_CHANNEL,
    COLUMNS_FIRST,
    FEW_OUTPUTS,
    MANY_OUTPUTS,
    way_of,
)
from speedmetal.nn.transposing import parts_of_transposed
from speedmetal.nn.windows import Span, three
from tiers import examples

torch = pytest.importorskip("torch")

LAYOUTS = ("channels_last", "channels_first")
DTYPES = [np.dtype(name) for name in ("float32", "float64", "float16")]
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def numbers(shape: tuple[int, ...], dtype: Any, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


class Case:
    """Operands with their channels first, and what PyTorch makes of them."""

    def __init__(
        self,
        space: tuple[int, ...],
        kernel: tuple[int, ...],
        channels: int = 3,
        outputs: int = 4,
        dtype: Any = np.float32,
        *,
        batch: int = 2,
        is_transposed: bool = False,
        **options: Any,
    ) -> None:
        self.rank, self.options, self.is_transposed = len(space), options, is_transposed
        groups = options.get("groups", 1)
        pair = (channels, outputs // groups) if is_transposed else (outputs, channels // groups)
        self.x = numbers((batch, channels, *space), dtype, 1)
        self.weight = numbers((*pair, *kernel), dtype, 2)
        self.bias = numbers((outputs,), dtype, 3)
        name = f"conv{'_transpose' * is_transposed}{self.rank}d"
        operands = (
            torch.from_numpy(a.astype(np.float64)) for a in (self.x, self.weight, self.bias)
        )
        self.expected = getattr(torch.nn.functional, name)(*operands, **options).numpy()
        self.function = getattr(sm.nn, name)

    def given(self, layout: str) -> tuple[Any, Any, Any]:
        x, weight = self.x, self.weight
        if layout == "channels_last":
            x = np.moveaxis(x, 1, -1)
            weight = _channels_last(weight, self.options.get("groups", 1), self.is_transposed)
        return (
            *map(sm.asarray, (np.ascontiguousarray(x), np.ascontiguousarray(weight))),
            sm.asarray(self.bias),
        )

    def check(self, layout: str, found: Any) -> None:
        expected = self.expected
        if layout == "channels_last":
            expected = np.moveaxis(expected, 1, -1)
        assert found.dtype == sm.asarray(self.x).dtype
        np.testing.assert_array_equal(found.numpy(), expected.astype(self.x.dtype))

    def run(self, layout: str) -> None:
        self.check(layout, self.function(*self.given(layout), layout=layout, **self.options))


def _channels_last(weight: np.ndarray, groups: int, is_transposed: bool) -> np.ndarray:
    if not is_transposed:
        return np.moveaxis(weight, 1, -1)
    channels, outputs, *kernel = weight.shape
    parts = np.moveaxis(weight.reshape((groups, channels // groups, outputs, *kernel)), 1, -1)
    return parts.reshape((groups * outputs, *kernel, channels // groups))


# --- Every kernel --------------------------------------------------------------------------------

CASES = {
    "few outputs": ((9, 40), (3, 3), 3, 8, {}),
    "few outputs, padded": ((9, 33), (3, 3), 3, 6, {"padding": 1, "stride": 2}),
    "few outputs in groups": ((7, 20), (3, 3), 4, 6, {"groups": 2, "dilation": (2, 1)}),
    "many outputs": ((6, 20), (3, 3), 5, 40, {}),
    "many outputs, padded": ((6, 20), (3, 2), 5, 33, {"padding": (1, 2), "stride": (1, 2)}),
    "many outputs, dilated": ((7, 9), (3, 3), 4, 16, {"padding": 2, "dilation": 2}),
    "many outputs in groups": ((5, 9), (3, 3), 8, 36, {"groups": 2, "padding": 1}),
    "one column": ((5, 1), (3, 1), 4, 6, {"padding": (1, 0)}),
    "pixels": ((5, 9), (1, 1), 20, 33, {}),
    "channel by channel": ((7, 20), (3, 3), 20, 20, {"groups": 20}),
    "channel by channel, padded": ((7, 9), (3, 3), 5, 5, {"groups": 5, "padding": 1, "stride": 2}),
    "channel by channel, several": ((7, 9), (3, 3), 3, 6, {"groups": 3, "dilation": 2}),
    "padding larger than the image": ((2, 3), (5, 5), 3, 4, {"padding": 4}),
    "one pixel": ((1, 1), (3, 3), 3, 20, {"padding": 1}),
    "length": ((50,), (11,), 8, 20, {}),
    "volume": ((4, 5, 6), (2, 3, 2), 3, 10, {"padding": (1, 0, 1), "stride": (1, 2, 1)}),
}
TRANSPOSED = {
    "two steps": ((6, 7), (4, 4), 8, 20, {"stride": 2}),
    "side by side": ((5, 6), (2, 2), 8, 4, {"stride": 2}),
    "padded": ((6, 7), (3, 3), 5, 4, {"stride": 2, "padding": 1, "output_padding": 1}),
    "longer steps than windows": ((5, 6), (1, 2), 4, 6, {"stride": 3, "groups": 2}),
    "dilated": ((5, 6), (3, 3), 8, 8, {"stride": (2, 3), "dilation": (3, 2), "groups": 8}),
    "length": ((9,), (5,), 3, 20, {"stride": 3, "padding": 2, "output_padding": 2, "dilation": 2}),
    "volume": ((3, 4, 5), (2, 3, 2), 4, 6, {"stride": (2, 1, 2), "padding": 1, "groups": 2}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_they_are_pytorchs(name, layout):
    space, kernel, channels, outputs, options = CASES[name]
    Case(space, kernel, channels, outputs, **options).run(layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_ones_are_pytorchs(name, layout):
    space, kernel, channels, outputs, options = TRANSPOSED[name]
    Case(space, kernel, channels, outputs, is_transposed=True, **options).run(layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [*DTYPES[1:], BFLOAT16], ids=str)
@pytest.mark.parametrize(
    "name", ["few outputs, padded", "many outputs, padded", "channel by channel, padded"]
)
def test_other_types_are_summed_in_float32_and_rounded_once(name, dtype, layout):
    space, kernel, channels, outputs, options = CASES[name]
    Case(space, kernel, channels, outputs, dtype, **options).run(layout)


@pytest.mark.parametrize("outputs", [4, 20])
def test_a_bias_is_added_before_rounding(outputs):
    """Proves it with a sum of 257, which bfloat16 does not hold, and a bias of -256."""
    x, weight = np.ones((1, 20, 257), BFLOAT16), np.ones((outputs, 1, 257), BFLOAT16)
    bias = sm.full(outputs, -256.0, sm.bfloat16)
    found = sm.nn.conv1d(sm.asarray(x), sm.asarray(weight), bias)
    assert (found.numpy() == 1).all()


def test_each_kernel_is_proved():
    """Proves that the cases above are of all kernels, in both layouts."""
    seen = set()
    for space, kernel, channels, outputs, options in CASES.values():
        groups = options.get("groups", 1)
        stride = options.get("stride", 1)
        steps = stride if isinstance(stride, tuple) else (stride,) * len(space)
        spans = three(
            [Span(k, s, 1, 0, n - k + 1) for n, k, s in zip(space, kernel, steps, strict=True)]
        )
        shape = (groups, outputs // groups, *kernel, channels // groups)
        seen |= {way_of(spans, shape, layout, 32) for layout in LAYOUTS}
    assert seen == {CHANNEL_BY_CHANNEL, COLUMNS_FIRST, FEW_OUTPUTS, MANY_OUTPUTS}


@st.composite
def cases(draw: st.DrawFn) -> tuple[Case, str]:
    rank = draw(st.integers(1, 3))
    axes = range(rank)
    is_transposed = draw(st.booleans())
    kernel = tuple(draw(st.integers(1, 3)) for _ in axes)
    groups = draw(st.sampled_from([1, 1, 2, 4]))
    options: dict[str, Any] = {
        "stride": tuple(draw(st.sampled_from([1, 1, 2])) for _ in axes),
        "dilation": tuple(draw(st.sampled_from([1, 1, 2])) for _ in axes),
        "padding": tuple(draw(st.integers(0, 2)) for _ in axes),
        "groups": groups,
    }
    least = [
        max(1, (k - 1) * d + 1 - (0 if is_transposed else 2 * p)) + is_transposed * 2 * p
        for k, d, p in zip(kernel, options["dilation"], options["padding"], strict=True)
    ]
    space = tuple(n + draw(st.sampled_from([0, 1, 4])) for n in least)
    case = Case(
        *(space, kernel, 4, draw(st.sampled_from([4, 20])), draw(st.sampled_from(DTYPES))),
        **options,
        batch=draw(st.integers(1, 2)),
        is_transposed=is_transposed,
    )
    return case, draw(st.sampled_from(LAYOUTS))


@given(drawn=cases(), steps=st.lists(st.sampled_from([1, 1, 2, -1]), min_size=10, max_size=10))
@settings(max_examples=examples(40), deadline=None)
def test_they_are_pytorchs_whatever_the_numbers_and_strides_are(drawn, steps):
    case, layout = drawn
    x, weight, bias = case.given(layout)
    x, weight = _stretched(x.numpy(), steps[:5]), _stretched(weight.numpy(), steps[5:])
    case.check(layout, case.function(x, weight, bias, layout=layout, **case.options))


def _stretched(host: np.ndarray, steps: list[int]) -> sm.Array:
    """The same elements with other strides."""
    index = tuple(slice(None, None, step) for step in steps[: host.ndim])
    whole = np.zeros([n * abs(s) for n, s in zip(host.shape, steps, strict=False)], host.dtype)
    whole[index] = host
    return sm.asarray(whole)[index]


@pytest.mark.parametrize("operation", benchmark.OPERATIONS[:4], ids=lambda o: o.name)
def test_they_are_the_benchmarks(operation):
    """Proves the layouts of weights against references that are written apart."""
    params = {"x": [2, 9, 8, 6], "weight": [6, 3, 2, 6]}
    if operation.name == "conv1d":
        params = {"x": [2, 9, 6], "weight": [20, 3, 6]}
    if operation.name.startswith("depthwise"):
        params["weight"] = [6, 3, 2, 1]
    options: dict[str, Any] = {"groups": 6} if operation.name.startswith("depthwise") else {}
    name = operation.name.removeprefix("depthwise_")
    if name.startswith("conv_transpose"):
        params["stride"] = options["stride"] = 2
    inputs = operation.inputs(params, np.random.default_rng(1))
    wide = {key: value.astype(np.float64) for key, value in inputs.items()}
    (expected,) = operation.reference(params, wide)
    found = getattr(sm.nn, name)(*map(sm.asarray, inputs.values()), **options)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


# --- Padding, and what is left of nothing --------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_gives_a_window_for_each_step(stride):
    x, weight = numbers((1, 10, 7, 3), np.float32), numbers((20, 4, 3, 3), np.float32)
    found = sm.nn.conv2d(sm.asarray(x), sm.asarray(weight), padding="same", stride=stride)
    assert found.shape == (1, -(-10 // stride), -(-7 // stride), 20)
    pads = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in ((10, 4), (7, 3))]
    around = tuple((p // 2, p - p // 2) for p in pads)
    by_hand = sm.nn.conv2d(
        sm.pad(sm.asarray(x), ((0, 0), *around, (0, 0))), sm.asarray(weight), stride=stride
    )
    pairs = sm.nn.conv2d(sm.asarray(x), sm.asarray(weight), padding=around, stride=stride)
    np.testing.assert_array_equal(found.numpy(), by_hand.numpy())
    np.testing.assert_array_equal(found.numpy(), pairs.numpy())


def test_no_images_have_no_results():
    found = sm.nn.conv2d(sm.zeros((0, 5, 5, 3)), sm.ones((8, 3, 3, 3)), sm.ones(8))
    assert found.shape == (0, 3, 3, 8)
    assert found.numpy().dtype == np.float32
    assert sm.nn.conv_transpose1d(sm.zeros((0, 5, 3)), sm.ones((8, 3, 3))).shape == (0, 7, 8)


def test_padding_is_not_multiplied():
    """Proves that an infinite weight beside the image does not make NaN of it."""
    weight = np.ones((1, 3, 3, 1), np.float32)
    weight[0, 0] = np.inf
    found = sm.nn.conv2d(sm.ones((1, 2, 20, 1)), sm.asarray(weight), padding=(1, 0)).numpy()
    assert found[0, 0].tolist() == [[6.0]] * 18
    assert np.isinf(found[0, 1]).all()


def test_transposing_takes_each_weight_once():
    """Proves that the parts of a transposed convolution share its weights and results out."""
    for size, stride, dilation, before, windows in [
        (5, 3, 2, 1, 11),
        (4, 2, 2, 0, 9),
        (1, 3, 1, 0, 7),
    ]:
        parts = parts_of_transposed([Span(size, stride, dilation, before, windows)])
        taps = [k for part in parts for k in range(size)[slice(*part.taps[2])]]
        places = [q for part in parts for q in range(windows)[slice(*part.place[2])]]
        assert sorted(taps) == list(range(size))
        assert sorted(places) == list(range(windows))


# --- Fusion --------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["few outputs", "many outputs, padded", "channel by channel"])
def test_what_follows_is_computed_as_the_kernel_stores(name, layout):
    space, kernel, channels, outputs, options = CASES[name]
    case = Case(space, kernel, channels, outputs, **options)
    x, weight, bias = case.given(layout)

    def make() -> sm.Array:
        return case.function(x, weight, bias, layout=layout, **options)

    lazy = make()  # with the bias
    steps = sm.explain(lazy).steps
    assert len(steps) == 1
    if layout == "channels_last" or name != "many outputs, padded":
        lazy = sm.nn.relu(make())
        steps = sm.explain(lazy).steps
        assert len(steps) == 1
    with sm.no_fusion():
        apart = sm.nn.relu(make()) * 2
    np.testing.assert_array_equal((sm.nn.relu(make()) * 2).numpy(), apart.numpy())


@pytest.mark.parametrize("is_transposed", [False, True])
def test_followers_of_a_transposed_one_go_to_each_part(is_transposed):
    options = {"stride": 2, "padding": 1}
    case = Case((6, 7), (4, 4), 5, 6, is_transposed=is_transposed, **options)
    x, weight, bias = case.given("channels_last")
    plain = case.function(x, weight, bias, **options).numpy()
    mask = sm.asarray(numbers(plain.shape, np.float32, 5))
    found = case.function(x, weight, bias, **options) * mask - 1
    np.testing.assert_array_equal(found.numpy(), plain * mask.numpy() - 1)


@pytest.mark.parametrize("name", ["few outputs", "many outputs, padded", "channel by channel"])
def test_what_comes_before_is_the_image(name):
    """Proves expressions that a kernel computes as it loads, and those that are stored first."""
    space, kernel, channels, outputs, options = CASES[name]
    case = Case(space, kernel, channels, outputs, **options)
    x, weight, bias = case.given("channels_last")
    row = sm.asarray(numbers((channels,), np.float32, 7))
    lazy = case.function(x * row + 1, weight * 2, bias, **options)
    stored = sm.asarray(x.numpy() * row.numpy() + 1)
    plain = case.function(stored, sm.asarray(weight.numpy() * 2), bias, **options)
    np.testing.assert_array_equal(lazy.numpy(), plain.numpy())


def test_what_was_written_before_is_read():
    """Proves that a lazy convolution does not see what is written to its operands afterwards."""
    x, weight = sm.ones((1, 4, 20, 3)), sm.ones((8, 3, 3, 3))
    lazy = sm.nn.conv2d(x, weight)
    weight[...] = 0
    x[...] = 5
    assert np.all(lazy.numpy() == 27)


# --- Errors --------------------------------------------------------------------------------------

X, WEIGHT = (2, 8, 8, 6), (4, 3, 3, 6)
ERRORS = {
    "x (2, 8, 8, 6), (batch, rows, columns, channels), has 6 channels, but weight (4, 3, 3, 5),"
    " (outputs, kernel_rows, kernel_columns, channels / groups), takes 5": (X, (4, 3, 3, 5), {}),
    'they go together with layout="channels_first"': ((2, 6, 8, 9), (4, 6, 3, 3), {}),
    'they go together with layout="channels_last"': (X, WEIGHT, {"layout": "channels_first"}),
    "3 groups must divide the 6 channels of x (2, 8, 8, 6) and the 4 outputs of weight"
    " (4, 3, 3, 2)": (X, (4, 3, 3, 2), {"groups": 3}),
    "expected groups of 1 or more, got 0": (X, WEIGHT, {"groups": 0}),
    "along rows the window reaches over 9 elements (kernel 3, dilation 4), but x has 8, with"
    " padding 8; give more padding": (X, WEIGHT, {"dilation": 4}),
    "expected for stride an integer of 1 or more or 2 of them, one for each axis, got (1, 2, 3)": (
        *(X, WEIGHT, {"stride": (1, 2, 3)}),
    ),
    "unknown padding 'full'": (X, WEIGHT, {"padding": "full"}),
    "expected x of 4 axes, (batch, rows, columns, channels), got shape (8, 8, 6); give one image as"
    " x[None]": (X[1:], WEIGHT, {}),
    "expected weight of 4 axes, (outputs, kernel_rows, kernel_columns, channels / groups)": (
        *(X, WEIGHT[1:], {}),
    ),
    "unknown layout 'NHWC'": (X, WEIGHT, {"layout": "NHWC"}),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors_say_what_does_not_go_together(message):
    x, weight, options = ERRORS[message]
    with pytest.raises(sm.UserInputError) as caught:
        sm.nn.conv2d(sm.zeros(x), sm.zeros(weight), **options)
    assert message.lower() in str(caught.value).lower()


def test_errors_of_types_and_of_transposed_ones():
    x, weight = sm.zeros(X), sm.zeros(WEIGHT)
    with pytest.raises(sm.UserInputError, match=r"expected bias of shape \(4,\), one for each out"):
        sm.nn.conv2d(x, weight, sm.zeros(5))
    with pytest.raises(sm.UserInputError, match=r"expected floats, got int32; convert with"):
        sm.nn.conv2d(sm.zeros(X, sm.int32), weight)
    with pytest.raises(sm.UserInputError, match=r"expected an Array for weight, got a list"):
        sm.nn.conv2d(x, [1.0])
    with pytest.raises(sm.UserInputError, match=r"output_padding 2 of rows must be less than its"):
        sm.nn.conv_transpose2d(x, weight, stride=2, output_padding=2)
    with pytest.raises(sm.UserInputError, match=r"nothing is left of rows: padding 5 \+ 5 of a"):
        sm.nn.conv_transpose2d(x, weight, padding=5)
    with pytest.raises(sm.UserInputError, match=r'conv_transpose2d has no padding "same"'):
        sm.nn.conv_transpose2d(x, weight, padding="same")

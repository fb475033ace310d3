"""Elementwise functions of arrays: their values, types and errors, against NumPy's."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal import dtypes
from speedmetal.arrays.elementwise.words import _OWN, function_named
from speedmetal.intrinsics import TABLE, constructs
from speedmetal.intrinsics.record import IntrinsicKind
from strategies import host_arrays, laid_out, pairs_of_shapes, shapes
from tiers import examples

FLOATS = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
WIDE = (dtypes.float32, dtypes.float64)
INTEGERS = dtypes.INTEGERS
BOOL = (dtypes.bool_,)
COMPLEX = tuple(dtype for dtype in dtypes.ALL if dtype.is_complex)
NAN, INF = math.nan, math.inf


def quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*operands: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*operands)

    return call


def in_float64(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function, evaluated wide enough to judge results of float32 and less."""

    def call(*operands: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*(np.asarray(x).astype(np.float64) for x in operands))

    return call


def standard_floor_divide(a: Any, b: Any) -> Any:
    """NumPy's, but for infinities, of which the array API says something else."""
    infinite = np.isinf(a) | np.isinf(b)
    return np.where(infinite, np.floor(a / b), np.floor_divide(a, b))


class Row(NamedTuple):
    """A function and NumPy's.

    Args:
        ours: By name.
        numpys: Of the same operands.
        dtypes: Of the operands.
        ulp: How far results may be off in units of the last place of float32, or of the type where
            that is wider; 0: the same bits (NaN for NaN, and zeros of one sign).
        arity: How many operands.
    """

    ours: str
    numpys: Callable[..., Any]
    dtypes: tuple[Any, ...]
    ulp: float = 0
    arity: int = 2


ROWS = (
    Row("add", np.add, (*INTEGERS, *FLOATS, *COMPLEX)),
    Row("subtract", np.subtract, (*INTEGERS, *FLOATS, *COMPLEX)),
    Row("multiply", np.multiply, (*INTEGERS, *FLOATS)),
    Row("divide", np.divide, FLOATS),
    Row("true_divide", np.divide, WIDE),
    Row("floor_divide", standard_floor_divide, WIDE),
    Row("remainder", np.remainder, WIDE),
    Row("mod", np.remainder, WIDE),
    Row("fmod", np.fmod, WIDE),
    Row("maximum", np.maximum, INTEGERS),
    Row("minimum", np.minimum, INTEGERS),
    Row("fmin", np.fmin, INTEGERS),
    Row("fmax", np.fmax, INTEGERS),
    Row("pow", np.power, WIDE, 2),
    Row("power", np.power, WIDE, 2),
    Row("float_power", np.float_power, WIDE, 2),
    Row("copysign", np.copysign, FLOATS),
    Row("nextafter", np.nextafter, WIDE),
    Row("hypot", np.hypot, WIDE, 2),
    Row("atan2", np.arctan2, WIDE, 3),
    Row("arctan2", np.arctan2, WIDE, 3),
    Row("logaddexp", np.logaddexp, FLOATS, 4),
    Row("logaddexp2", np.logaddexp2, FLOATS, 4),
    Row("heaviside", np.heaviside, FLOATS),
    Row("gcd", np.gcd, INTEGERS),
    Row("bitwise_and", np.bitwise_and, (*BOOL, *INTEGERS)),
    Row("bitwise_or", np.bitwise_or, (*BOOL, *INTEGERS)),
    Row("bitwise_xor", np.bitwise_xor, (*BOOL, *INTEGERS)),
    Row("equal", np.equal, dtypes.ALL),
    Row("not_equal", np.not_equal, dtypes.ALL),
    Row("less", np.less, (*BOOL, *INTEGERS, *FLOATS)),
    Row("less_equal", np.less_equal, (*BOOL, *INTEGERS, *FLOATS)),
    Row("greater", np.greater, (*BOOL, *INTEGERS, *FLOATS)),
    Row("greater_equal", np.greater_equal, (*BOOL, *INTEGERS, *FLOATS)),
    Row("logical_and", np.logical_and, dtypes.ALL),
    Row("logical_or", np.logical_or, dtypes.ALL),
    Row("logical_xor", np.logical_xor, dtypes.ALL),
    Row("logical_not", np.logical_not, dtypes.ALL, arity=1),
    Row("bitwise_invert", np.invert, (*BOOL, *INTEGERS), arity=1),
    Row("bitwise_not", np.invert, (*BOOL, *INTEGERS), arity=1),
    Row("invert", np.invert, (*BOOL, *INTEGERS), arity=1),
    Row("negative", np.negative, (*INTEGERS, *FLOATS, *COMPLEX), arity=1),
    Row("positive", np.positive, (*INTEGERS, *FLOATS, *COMPLEX), arity=1),
    Row("square", np.square, (*INTEGERS, *FLOATS), arity=1),
    Row("abs", np.abs, (*INTEGERS, *FLOATS), arity=1),
    Row("absolute", np.abs, WIDE, arity=1),
    Row("reciprocal", np.reciprocal, FLOATS, arity=1),
    Row("sign", lambda x: np.where(x == 0, x.dtype.type(0), np.sign(x)), FLOATS, arity=1),
    Row("sign", np.sign, INTEGERS, arity=1),
    Row("signbit", np.signbit, WIDE, arity=1),
    Row("floor", np.floor, (*INTEGERS, *FLOATS), arity=1),
    Row("ceil", np.ceil, (*INTEGERS, *FLOATS), arity=1),
    Row("trunc", np.trunc, (*INTEGERS, *FLOATS), arity=1),
    Row("rint", np.rint, FLOATS, arity=1),
    Row("round", np.round, (*INTEGERS, *WIDE), arity=1),
    Row("isnan", np.isnan, FLOATS, arity=1),
    Row("isinf", np.isinf, FLOATS, arity=1),
    Row("isfinite", np.isfinite, FLOATS, arity=1),
    Row("sqrt", np.sqrt, WIDE, arity=1),
    Row("deg2rad", np.deg2rad, WIDE, 2, arity=1),
    Row("rad2deg", np.rad2deg, WIDE, 2, arity=1),
    Row("relu", lambda x: np.maximum(x, x.dtype.type(0)), INTEGERS, arity=1),
    Row("nan_to_num", np.nan_to_num, (*INTEGERS, *WIDE), arity=1),
    Row("sigmoid", lambda x: 1 / (1 + np.exp(-x)), FLOATS, 4, arity=1),
    Row("silu", lambda x: x / (1 + np.exp(-x)), FLOATS, 4, arity=1),
    Row("softplus", lambda x: np.logaddexp(x, 0.0), FLOATS, 4, arity=1),
    *(
        Row(name, getattr(np, name), WIDE, 4, arity=1)
        for name in ("arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh")
    ),
)


def assert_close(found: np.ndarray, wanted: np.ndarray, ulp: float) -> None:
    """The same NaN, and numbers off by so many units; 0 units: the same zeros, too."""
    assert found.shape == wanted.shape
    rounded = quiet(wanted.astype)(found.dtype)
    is_float = found.dtype.kind == "f" or found.dtype == dtypes.bfloat16
    if not is_float:
        np.testing.assert_array_equal(found, rounded)
        return
    limits = sm.finfo(found.dtype)
    # NumPy's comparison knows no NaN of bfloat16.
    ours, theirs = found.astype(np.float64), rounded.astype(np.float64)
    if not ulp:
        np.testing.assert_array_equal(ours, theirs)
        kept = ~np.isnan(theirs)
        np.testing.assert_array_equal(np.signbit(ours)[kept], np.signbit(theirs)[kept])
        return
    units = ulp if limits.bits > 16 else 1  # rounded once from float32
    with np.errstate(all="ignore"):
        allowed = np.abs(ours - theirs) <= units * limits.eps * (
            np.abs(theirs) + limits.smallest_normal
        )
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    assert (allowed | same).all(), f"{found} is not {rounded}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.ours)
@settings(max_examples=examples(40))
@given(data=st.data())
def test_functions_agree_with_numpy(row: Row, data: st.DataObject) -> None:
    """Proves values and types of a function on arrays of all types, shapes and strides."""
    dtype = data.draw(st.sampled_from(row.dtypes))
    if row.arity == 1:
        hosts = [data.draw(host_arrays(dtype, data.draw(shapes)))]
    else:
        hosts = [data.draw(host_arrays(dtype, shape)) for shape in data.draw(pairs_of_shapes)]
    found = getattr(sm, row.ours)(*(data.draw(laid_out(host)) for host in hosts))
    narrow = (row.ulp and dtype.bits <= 32) or (dtype.is_float and dtype.bits == 16)
    exact = (in_float64 if narrow else quiet)(row.numpys)
    wanted = np.asarray(exact(*hosts))
    if wanted.dtype == bool:
        assert found.dtype == sm.bool_
    elif not row.ulp or dtype.is_float:
        assert found.dtype == dtype
        wanted = quiet(wanted.astype)(dtype.numpy)
    assert_close(found.numpy(), wanted, row.ulp)


@settings(max_examples=examples(60))
@given(data=st.data())
def test_integers_agree_with_python(data: st.DataObject) -> None:
    """Proves division, powers and shifts of integers, whose special cases are Python's."""
    dtype = data.draw(st.sampled_from(INTEGERS))
    a, b = (data.draw(host_arrays(dtype, (9,))) for _ in range(2))
    b[b == 0] = 5
    least = (a == dtype.minimum) & (b == b.dtype.type(-1)) if dtype.is_signed else np.zeros(9, bool)
    x, y = sm.array(np.where(least, 1, a).astype(dtype.numpy)), sm.array(b)
    left, right = x.tolist(), y.tolist()
    assert (x // y).tolist() == [p // q for p, q in zip(left, right, strict=True)]
    assert (x % y).tolist() == [p % q for p, q in zip(left, right, strict=True)]
    whole, rest = divmod(x, y)
    assert (whole * y + rest).tolist() == left
    rests = [_c_remainder(p, q) for p, q in zip(left, right, strict=True)]
    assert sm.fmod(x, y).tolist() == rests
    counts = sm.array((b % 70).astype(dtype.numpy))
    wrap = partial(_wrapped, dtype)
    many = counts.tolist()
    assert (x << counts).tolist() == [wrap(p << q) for p, q in zip(left, many, strict=True)]
    assert (x >> counts).tolist() == [p >> q for p, q in zip(left, many, strict=True)]
    assert (x**counts).tolist() == [wrap(p**q) for p, q in zip(left, many, strict=True)]
    assert sm.lcm(sm.abs(x), 3).tolist() == [wrap(math.lcm(abs(p), 3)) for p in left]


def _c_remainder(a: int, b: int) -> int:
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def _wrapped(dtype: Any, value: int) -> int:
    return (value - dtype.minimum) % (1 << dtype.bits) + dtype.minimum


# --- Words of the kernel language ----------------------------------------------------------------

WORDS = [name for name, record in TABLE.items() if record.kind is IntrinsicKind.MATH]
"""Intrinsics that act on elements."""


@pytest.mark.parametrize("name", [*WORDS, *(n for n, c in constructs.TABLE.items() if c.host)])
def test_every_word_has_a_meaning_for_arrays(name):
    """Proves that no word of the language that works on numbers refuses arrays."""
    if name != "static_range":
        assert callable(function_named(name))


@pytest.mark.parametrize("name", sorted(set(WORDS) - set(_OWN)))
def test_words_agree_with_their_reference(name):
    """Proves that an operation's operands come in the right order, and its values."""
    record = TABLE[name]
    is_real = dtypes.Kind.FLOAT in record.accepts
    host = np.array([0.25, 0.5, 0.75, 1.0], "f4") if is_real else np.array([1, 2, 3, 12], "i4")
    hosts = [host, host[::-1].copy(), host[[1, 0, 3, 2]]][: record.arity]
    wanted = np.asarray(record.reference(*hosts))
    found = getattr(sm, name)(*map(sm.array, hosts))
    assert found.dtype == wanted.dtype
    if wanted.dtype.kind == "f":
        assert_close(found.numpy(), wanted, record.ulp + 1)
    else:
        np.testing.assert_array_equal(found.numpy(), wanted)


def test_pairs():
    host = np.array([-2.75, 6.0, 0.0, -0.0, INF, NAN], "f4")
    x = sm.array(host)
    for ours, numpys in ((sm.frexp, np.frexp), (sm.modf, np.modf)):
        for found, wanted in zip(ours(x), numpys(host), strict=True):
            kept = np.isfinite(host) if found.dtype == sm.int32 else slice(None)
            np.testing.assert_array_equal(found.numpy()[kept], wanted[kept])
    sine, cosine = sm.sincos(x[:4])
    np.testing.assert_allclose(sine.numpy(), np.sin(host[:4]), rtol=1e-6)
    np.testing.assert_allclose(cosine.numpy(), np.cos(host[:4]), rtol=1e-6)
    assert np.signbit(sm.modf(x)[0].numpy()).tolist() == [True, False, False, True, False, False]
    mantissa, exponent = sm.frexp(x[:4])
    np.testing.assert_array_equal(sm.ldexp(mantissa, exponent).numpy(), host[:4])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: sm.sin(sm.ones(1), sm.ones(1)),
            "sm.sin expected 1 operands, got 2",
        ),
        (
            lambda: sm.add(1, 2.0),
            (
                "add expected an array among its operands, got an int and a float; make one with"
                " sm.asarray"
            ),
        ),
        (
            lambda: sm.add(sm.ones(1), [1]),
            "add takes arrays and numbers, got a list; make an array of it with sm.asarray",
        ),
        (
            lambda: sm.array([1]) ** -1,
            "pow: an integer to the power of -1 is no integer; write x.astype(sm.float32) ** -1",
        ),
        (
            lambda: sm.array([1]) << -1,
            "bitwise_left_shift expected a shift of 0 or more, got -1; shift the other way",
        ),
        (
            lambda: sm.clip(sm.array([1]), 0.5),
            "clip of int32 takes integers as bounds, got 0.5; convert x: x.astype(sm.float32)",
        ),
        (
            lambda: sm.clip(sm.array([1]), sm.array([0.5])),
            "clip of int32 takes integers as bounds, got float32; convert x: x.astype(sm.float32)",
        ),
        (
            lambda: sm.logaddexp(sm.array([1j]), 1.0),
            (
                "logaddexp expects real numbers, got complex64; take sm.real(x), sm.imag(x) or"
                " sm.abs(x)"
            ),
        ),
        (
            lambda: sm.logaddexp(sm.ones(1), 1j),
            (
                "logaddexp expects real numbers, got a complex number; take sm.real(x),"
                " sm.imag(x) or sm.abs(x)"
            ),
        ),
        (
            lambda: sm.gelu(sm.ones(1), "sigmoid"),
            "unknown approximation 'sigmoid'. Valid approximations: none, tanh",
        ),
        (
            lambda: sm.array([1], "i8") + 300,
            (
                "add: the number 300 does not fit into int8; convert the other operand to a wider"
                " type"
            ),
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(sm.UserInputError) as raised:
        call()
    assert str(raised.value) == message


# --- Numbers beside arrays -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "number", "wanted"),
    [
        ("i8", 1, "i8"),
        ("i8", True, "i8"),
        ("i8", 1.0, "f32"),
        ("u64", 1.5, "f32"),
        ("f16", 1, "f16"),
        ("f16", 1.0, "f16"),
        ("f64", 1.0, "f64"),
        ("f32", 1j, "c64"),
        ("i32", 1j, "c64"),
        ("c64", 1, "c64"),
        ("c64", 1.0, "c64"),
        ("f32", np.float64(1), "f64"),
        ("i8", np.int16(1), "i16"),
    ],
)
def test_numbers_take_the_type_beside_them(dtype, number, wanted):
    x = sm.ones(2, dtype)
    for found in (x + number, number + x, sm.add(x, number), sm.multiply(number, x)):
        assert isinstance(found, sm.Array)
        assert found.dtype == dtypes.as_dtype(wanted)
    assert sm.result_type(x, number) is dtypes.as_dtype(wanted)


def test_functions_take_numbers_on_either_side():
    x = sm.array([1.0, 4.0])
    assert sm.subtract(1, x).tolist() == [0.0, -3.0]
    assert sm.pow(2, x).tolist() == [2.0, 16.0]
    assert sm.atan2(0, x).tolist() == [0.0, 0.0]
    assert sm.where(x > 2, x, 0).tolist() == [0.0, 4.0]
    assert sm.where(x > 2, 1, 0).dtype == sm.int32
    assert sm.logical_and(True, x > 2).tolist() == [False, True]
    assert sm.equal(x, 1).tolist() == [True, False]
    assert sm.add(x, np.ones(2, "f4")).tolist() == [2.0, 5.0]
    assert sm.lerp(0, 10, sm.array([0.0, 0.3, 1.0])).tolist() == [0.0, 3.0, 10.0]


# --- In place ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ("x += 2", [5, 6]), ("x -= 2", [1, 2]), ("x *= 2", [6, 8]), ("x //= 2", [1, 2]),
        ("x %= 3", [0, 1]), ("x **= 2", [9, 16]), ("x &= 1", [1, 0]), ("x |= 8", [11, 12]),
        ("x ^= 1", [2, 5]), ("x <<= 1", [6, 8]), ("x >>= 1", [1, 2]),
    ],
)  # fmt: skip
def test_operators_in_place(operation, wanted):
    """Proves that they write to the array, which its views see, and what waits does not."""
    x = sm.array([3, 4])
    names = {"x": x}
    view, before = x[:], x + 0
    exec(operation, names)  # noqa: S102 - statements of this file
    assert names["x"] is x
    assert view.tolist() == wanted
    assert before.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("dtype", "other"), [("i32", 1.5), ("b1", 1), ("u8", np.int8(1)), ("f32", 1j), ("i32", 1j)]
)
def test_what_does_not_fit_in_place(dtype, other):
    """Proves that no array silently loses fractions, signs or imaginary parts."""
    x = sm.ones(2, "bool" if dtype == "b1" else dtype)
    with pytest.raises(sm.UserInputError, match="in place"):
        x += other
    x = sm.ones(2, "f32")
    x += sm.ones(2, "f64")  # a narrower float is still one
    assert x.dtype == sm.float32


def test_truth_of_many_is_an_error():
    with pytest.raises(sm.UserInputError, match="one element"):
        bool(sm.ones(2) == sm.ones(2))


# --- Composed functions --------------------------------------------------------------------------

COMPOSED: dict[str, Callable[..., Any]] = {
    "logaddexp": sm.logaddexp,
    "gelu": lambda x, _: sm.gelu(x),
    "gelu_tanh": lambda x, _: sm.gelu(x, "tanh"),
    "silu": lambda x, _: sm.silu(x) + sm.sigmoid(x),
    "lerp": lambda x, y: sm.lerp(x, y, 0.3),
    "heaviside": sm.heaviside,
    "round": lambda x, _: sm.round(x, 2),
    "clip": lambda x, y: sm.clip(x, -1.0, y) ** 3,
    "isclose": lambda x, y: sm.isclose(x, y, 0.1),
    "nan_to_num": lambda x, _: sm.nan_to_num(x) * 0.1,
    "modf": lambda x, _: sm.modf(x)[0],
    "mixed": lambda x, y: sm.where(x > y, x * y - x / (y + 3), sm.remainder(x, y + 2.5)),
}


@pytest.mark.parametrize("name", COMPOSED)
@pytest.mark.parametrize("dtype", FLOATS, ids=repr)
def test_fused_and_unfused_agree_bit_for_bit(name, dtype):
    """Proves that rounding does not depend on what is computed together."""
    random = np.random.default_rng(1)
    x, y = (sm.array(random.normal(size=67)).astype(dtype) for _ in range(2))
    fused = COMPOSED[name](x, y).numpy()
    with sm.no_fusion():
        apart = COMPOSED[name](x, y).numpy()
    assert fused.tobytes() == apart.tobytes()


@settings(max_examples=examples(40))
@given(data=st.data())
def test_round_to_decimals(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from((*INTEGERS, dtypes.float32, dtypes.float64)))
    host = data.draw(host_arrays(dtype, (8,)))
    decimals = data.draw(st.integers(-2, 2))
    found = sm.round(sm.array(host), decimals)
    if dtype.is_float:
        assert_close(found.numpy(), quiet(np.round)(host, decimals), 1)
    else:
        unit = 10 ** max(-decimals, 0)
        wanted = [_half_even(int(value), unit) for value in host]
        assert found.tolist() == [_wrapped(dtype, value) for value in wanted]


def _half_even(value: int, unit: int) -> int:
    quotient, rest = divmod(value, unit)
    return (quotient + (2 * rest > unit or (2 * rest == unit and quotient % 2 == 1))) * unit


@settings(max_examples=examples(40))
@given(data=st.data())
def test_clip_agrees_with_numpy(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from((*INTEGERS, *FLOATS)))
    shape, other = data.draw(pairs_of_shapes)
    x, low, high = (data.draw(host_arrays(dtype, s)) for s in (shape, other, ()))
    found = sm.clip(*map(sm.array, (x, low, high)))
    assert found.dtype == dtype
    wide = [each.astype(np.float64) if dtype.is_float else each for each in (x, low, high)]
    wanted = np.asarray(quiet(np.minimum)(np.maximum(*wide[:2]), wide[2]))
    np.testing.assert_array_equal(found.numpy().astype(wanted.dtype), wanted)
    assert sm.clip(sm.array(x)).numpy().tobytes() == x.tobytes()


def test_clip_by_numbers_that_the_type_does_not_hold():
    x = sm.array([0, 7, 255], "u8")
    assert sm.clip(x, -5, 300).tolist() == [0, 7, 255]
    assert sm.clip(x, 300).tolist() == [255] * 3
    assert x.clip(max=7).tolist() == [0, 7, 7]


@settings(max_examples=examples(40))
@given(data=st.data())
def test_isclose_agrees_with_numpy(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from((*INTEGERS, dtypes.float64)))
    equal_nan = data.draw(st.booleans())
    a, b = (data.draw(host_arrays(dtype, (6,))) for _ in range(2))
    found = sm.isclose(sm.array(a), sm.array(b), 0.5, 0.25, equal_nan=equal_nan)
    wanted = quiet(partial(np.isclose, rtol=0.5, atol=0.25, equal_nan=equal_nan))(
        a.astype(np.float64), b.astype(np.float64)
    )
    np.testing.assert_array_equal(found.numpy(), wanted)


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2"])
def test_sums_of_logarithms_of_special_values(name):
    """Proves infinities, of which differences are NaN, and numbers that exp takes out of range."""
    a = np.array([INF, -INF, INF, -INF, NAN, 1e4, -1e4, 0.0], "f4")
    b = np.array([INF, -INF, -INF, 2.0, INF, 1e4, -1e4, -1e4], "f4")
    found = getattr(sm, name)(sm.array(a), sm.array(b)).numpy()
    np.testing.assert_allclose(found, quiet(getattr(np, name))(a, b), rtol=1e-6)


# --- Interpolation -------------------------------------------------------------------------------


@settings(max_examples=examples(40))
@given(data=st.data())
def test_interp_agrees_with_numpy(data: st.DataObject) -> None:
    """Proves heights between, at and beyond points, whatever the places are."""
    numbers = st.floats(-10, 10, width=16)
    places = sorted(data.draw(st.lists(numbers, min_size=1, max_size=9, unique=True)))
    heights = data.draw(st.lists(numbers, min_size=len(places), max_size=len(places)))
    # Beside a single point NumPy takes NaN for the point.
    special = [INF, -INF, *places, *([NAN] if len(places) > 1 else [])]
    at = data.draw(st.lists(numbers | st.sampled_from(special), max_size=8))
    ends = data.draw(st.sampled_from([{}, {"left": -7.5}, {"left": 1.0, "right": NAN}]))
    arrays = [np.array(each, np.float64) for each in (at, places, heights)]
    found = sm.interp(*map(sm.array, arrays), **ends)
    assert found.dtype == sm.float64
    np.testing.assert_allclose(found.numpy(), np.interp(*arrays, **ends), rtol=1e-14, atol=1e-14)


def test_interp_of_other_shapes_and_types():
    points = sm.array([0, 10]), sm.array([0, 100])
    assert sm.interp(sm.array(2.5), *points).item() == 25.0
    found = sm.interp(sm.array([[1, 2], [3, 4]], "i8").T + 0, *points)
    assert found.dtype == sm.float32
    assert found.tolist() == [[10.0, 30.0], [20.0, 40.0]]
    assert (
        sm.interp(sm.array([0.5], "f16"), points[0].astype("f16"), points[1].astype("f16")).dtype
        == sm.float16
    )
    assert sm.interp(3.0, [0.0, 6.0], [1.0, 2.0]).item() == 1.5
    with pytest.raises(sm.UserInputError, match=r"one shape \(points,\)"):
        sm.interp(sm.ones(1), sm.ones(2), sm.ones(3))


@pytest.mark.parametrize(
    ("call", "name", "given", "advice"),
    [
        (lambda x: x + np.ones(3), "an operator", "float64", "np.float32(x)"),
        (lambda x: np.ones(3) + x, "add", "float64", "np.float32(x)"),
        (lambda x: x * np.float64(2), "an operator", "float64", "np.float32(x)"),
        (lambda x: sm.add(x, 1j * np.ones(3)), "add", "complex128", "np.complex64(x)"),
    ],
)
def test_numpys_float64_is_refused_where_a_device_has_none(call, name, given, advice):
    with pytest.raises(sm.UserInputError) as caught:
        call(sm.ones(3, device="metal-sim"))
    assert str(caught.value) == (
        f"{name}: metal-sim cannot compute with NumPy's {given}; convert it with {advice}"
    )

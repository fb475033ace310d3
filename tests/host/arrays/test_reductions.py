"""Reductions against NumPy's: every function, over any dtypes, shapes, strides and axes."""

from __future__ import annotations

import math
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.exceptions import AxisError

import speedmetal as sm
from speedmetal.arrays.along_axes import extremes, passes, sorted_axes
from speedmetal.arrays.along_axes.sorted_axes import LONG, SHORT, WHOLE, known
from speedmetal.arrays.along_axes.teams import ONE_SIMDGROUP
from speedmetal.arrays.kernels import reduce
from speedmetal.backends.cpu import driver
from speedmetal.errors import UserInputError
from speedmetal.launch.expressions import combine
from strategies import axes_for, views
from tiers import examples

INTEGERS = [np.dtype(f"{sign}{bits}") for sign in ("int", "uint") for bits in (8, 16, 32, 64)]
FLOATS = [np.dtype(name) for name in ("float16", "float32", "float64")]
REAL = [np.dtype(bool), *INTEGERS, *FLOATS]
ALL = [*REAL, np.dtype(np.complex64)]
WIDE = {"b": np.int32, "i": np.int32, "u": np.uint32}


def of(dtypes: list[np.dtype]) -> st.SearchStrategy[np.ndarray]:
    return views(st.sampled_from(dtypes))


def wide_type(dtype: np.dtype) -> np.dtype:
    """The dtype of a sum, by the standard."""
    small = dtype.kind in WIDE and dtype.itemsize < 4
    return np.dtype(WIDE[dtype.kind]) if small else dtype


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# --- Against NumPy -------------------------------------------------------------------------------


@given(st.data(), of(ALL), st.booleans())
@settings(max_examples=examples(600), deadline=None)
def test_sums_and_products_are_numpys(data, host, keepdims):
    """Proves sums and products of all dtypes, whose values are exact, and the dtypes of both."""
    axis = data.draw(axes_for(host.ndim))
    ours = sm.asarray(host)
    wanted = wide_type(host.dtype)
    found = sm.sum(ours, axis=axis, keepdims=keepdims)
    expected = host.sum(axis=axis, keepdims=keepdims, dtype=wanted)
    assert found.dtype == wanted
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.numpy(), expected)
    signs = np.sign(host) if host.dtype.kind in "if" else host != 0
    found = sm.prod(sm.asarray(signs), axis=axis, keepdims=keepdims)
    np.testing.assert_array_equal(
        found.numpy(), signs.prod(axis=axis, keepdims=keepdims, dtype=found.dtype)
    )


@given(st.data(), of(REAL), st.booleans())
@settings(max_examples=examples(400), deadline=None)
def test_extremes_are_numpys(data, host, keepdims):
    """Proves min and max, and that reducing nothing is refused where there would be a result."""
    axis = data.draw(axes_for(host.ndim))
    for ours, theirs in ((sm.min, np.min), (sm.max, np.max)):
        try:
            expected = theirs(host, axis=axis, keepdims=keepdims)
        except ValueError:
            with pytest.raises(UserInputError, match="of no elements"):
                ours(sm.asarray(host), axis=axis, keepdims=keepdims)
            continue
        found = ours(sm.asarray(host), axis=axis, keepdims=keepdims)
        assert (found.dtype, found.shape) == (host.dtype, expected.shape)
        np.testing.assert_array_equal(found.numpy(), expected)


@given(st.data(), of(ALL), st.booleans())
@settings(max_examples=examples(300), deadline=None)
def test_truth_is_numpys(data, host, keepdims):
    axis = data.draw(axes_for(host.ndim))
    ours = sm.asarray(host)
    for name in ("all", "any"):
        found = getattr(sm, name)(ours, axis=axis, keepdims=keepdims)
        assert found.dtype == np.bool_
        np.testing.assert_array_equal(
            found.numpy(), getattr(np, name)(host, axis=axis, keepdims=keepdims)
        )
    found = sm.count_nonzero(ours, axis=axis, keepdims=keepdims)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(
        found.numpy(), (host != 0).sum(axis=axis, keepdims=keepdims, dtype=int)
    )


@given(st.data(), of(ALL), st.booleans(), st.sampled_from([0.0, 1.0, 2]))
@settings(max_examples=examples(400), deadline=None)
def test_means_and_variances_are_numpys(data, host, keepdims, correction):
    """Proves mean, var and std; NaN where there are no elements, or fewer than the correction."""
    axis = data.draw(axes_for(host.ndim))
    ours = sm.asarray(host)
    wide = host.astype(np.complex128 if host.dtype.kind == "c" else np.float64)
    result = host.dtype if host.dtype.kind in "fc" else np.dtype(np.float32)
    tolerance = {"rtol": 2e-3 if result == np.float16 else 2e-5, "atol": 1e-5}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nothing
        found = sm.mean(ours, axis=axis, keepdims=keepdims)
        assert found.dtype == result
        expected = wide.mean(axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(found.numpy(), expected, **tolerance)
        for name in ("var", "std"):
            found = getattr(sm, name)(ours, axis=axis, keepdims=keepdims, correction=correction)
            expected = getattr(wide, name)(axis=axis, keepdims=keepdims, ddof=correction)
            np.testing.assert_allclose(found.numpy(), expected, **tolerance)


@given(st.data(), of([*INTEGERS, *FLOATS, np.dtype(bool)]), st.booleans())
@settings(max_examples=examples(400), deadline=None)
def test_places_of_extremes_are_numpys(data, host, keepdims):
    """Proves argmin and argmax: the first of several, whichever way the elements lie."""
    axis = (
        data.draw(st.one_of(st.none(), st.integers(-host.ndim, host.ndim - 1)))
        if host.ndim
        else None
    )
    for name in ("argmin", "argmax"):
        try:
            expected = getattr(np, name)(host, axis=axis, keepdims=keepdims)
        except ValueError:
            with pytest.raises(UserInputError, match="of no elements"):
                getattr(sm, name)(sm.asarray(host), axis=axis, keepdims=keepdims)
            continue
        found = getattr(sm, name)(sm.asarray(host), axis=axis, keepdims=keepdims)
        assert (found.dtype, found.shape) == (np.int64, expected.shape)
        np.testing.assert_array_equal(found.numpy(), expected)


SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -2.5]


@given(
    st.lists(st.sampled_from(SPECIAL), min_size=1, max_size=70),
    st.sampled_from([(-1,), (1, -1), (-1, 1)]),
)
@settings(max_examples=examples(300), deadline=None)
def test_special_values_are_numpys(values, shape):
    """Proves NaN, infinities and signed zeros, of rows as of columns."""
    host = np.array(values, np.float32).reshape(shape)
    axis = host.shape.index(max(host.shape))
    ours = sm.asarray(host)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name in ("sum", "min", "max", "argmin", "argmax", "nansum", "nanprod", "nanmean"):
            found = getattr(sm, name)(ours, axis=axis).numpy()
            np.testing.assert_array_equal(found, getattr(np, name)(host, axis=axis), name)
        for name in ("nanmin", "nanmax"):
            found = getattr(sm, name)(ours, axis=axis).numpy()
            np.testing.assert_array_equal(found, getattr(np, name)(host, axis=axis), name)
        for name in ("nanvar", "nanstd"):
            finite = np.where(np.isinf(host), np.nan, host)
            found = getattr(sm, name)(sm.asarray(finite), axis=axis).numpy()
            expected = getattr(np, name)(finite.astype(float), axis=axis)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@given(st.data(), of([np.dtype(np.float32), np.dtype(np.int32)]), st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_quantiles_are_numpys(data, host, keepdims):
    axis = data.draw(axes_for(host.ndim))
    ours = sm.asarray(host)
    if not host.size:
        with pytest.raises(UserInputError, match="no elements"):
            sm.median(ours)
        return
    found = sm.median(ours, axis=axis, keepdims=keepdims)
    np.testing.assert_array_equal(found.numpy(), np.median(host, axis=axis, keepdims=keepdims))
    shares = [0.25, 0.5]
    found = sm.quantile(ours, shares, axis=axis, keepdims=keepdims)
    expected = np.quantile(host, shares, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    found = sm.percentile(ours, 25, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(found.numpy(), expected[0], rtol=1e-6)


# --- Long axes: every way that elements are shared out --------------------------------------------

LENGTHS = [
    SHORT - 1,
    SHORT,
    511,
    512,
    WHOLE + 3,
    2 * passes.PART_OF_ROW,
    2 * passes.PART_OF_ROW + 1,
]
LONG_SHAPES = [
    *(((n,), 0) for n in LENGTHS),
    *(((3, n), 1) for n in LENGTHS),
    *(((n, 3), 0) for n in (2 * passes.PART_OF_COLUMN, 2 * passes.PART_OF_COLUMN + 1, 5000)),
    ((3, 700, 5), 1),
    ((50, LONG), None),
    ((300, SHORT), None),
    ((6000, 3), None),
    ((100, 7, 60), (0, 2)),
    ((70000,), None),
]


@pytest.mark.parametrize(("shape", "axis"), LONG_SHAPES, ids=str)
@pytest.mark.parametrize("is_transposed", [False, True])
def test_long_axes(shape, axis, is_transposed):
    """Proves rows, columns and parts of both, at the borders of what each takes."""
    host = np.random.default_rng(1).integers(-9, 9, shape).astype(np.float32)
    if is_transposed:
        host = host.T.copy().T
    ours = sm.asarray(host)
    for name in ("sum", "max"):
        found = getattr(sm, name)(ours, axis=axis)
        np.testing.assert_array_equal(found.numpy(), getattr(host, name)(axis=axis))
    if axis is None or isinstance(axis, int):
        host[host == 8] = np.nan
        ours = sm.asarray(host)
        np.testing.assert_array_equal(sm.argmax(ours, axis=axis).numpy(), host.argmax(axis=axis))
        np.testing.assert_array_equal(sm.argmin(ours, axis=axis).numpy(), host.argmin(axis=axis))


@pytest.mark.parametrize("shape", [(1 << 20,), (4096, 256), (256, 4096)])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_sums_are_as_accurate_as_numpys(shape, axis):
    """Proves that the root mean square of errors is not above that of NumPy's sums."""
    host = np.random.default_rng(2).random(shape, np.float32)
    exact = host.sum(axis=axis, dtype=np.float64)
    error = np.sqrt(np.mean((sm.sum(sm.asarray(host), axis=axis).numpy() / exact - 1) ** 2))
    theirs = np.sqrt(np.mean((host.sum(axis=axis) / exact - 1) ** 2))
    assert error <= max(theirs, 6e-8)


def test_means_of_large_integers_do_not_lose_them():
    """Proves that integers are not rounded to float32 before they are added up."""
    host = np.array([2**24 + 1, -(2**24), 1, 0], np.int32)
    assert float(sm.mean(sm.asarray(host))) == 0.5


# --- What is fused -------------------------------------------------------------------------------


@given(st.data(), of([np.dtype(np.float32)]))
@settings(max_examples=examples(400), deadline=None)
def test_fused_producers_change_no_bit(data, host):
    """Proves that sums of expressions are those of the same elements in memory, to the bit."""
    host = host + np.float32(0.1)
    axis = data.draw(axes_for(host.ndim))
    kinds = ["plain", "row", "column", "other order"]
    kind = data.draw(st.sampled_from(kinds))

    def produced():
        ours = sm.asarray(host)
        if kind == "row":
            return ours * sm.asarray(np.ascontiguousarray(host[..., :1]))
        if kind == "column":
            return ours - sm.asarray(np.ascontiguousarray(host[:1]))
        if kind == "other order":
            return ours * sm.asarray(np.asfortranarray(host))
        return ours * 1.7 + 0.3

    if host.ndim == 0:
        kind = "plain"
    stored = produced()
    sm.eval(stored)
    for name in ("sum", "mean", "var"):
        fused = getattr(sm, name)(produced(), axis=axis)
        assert same_bits(fused.numpy(), getattr(sm, name)(stored, axis=axis).numpy())


@pytest.mark.parametrize("shape", [(70, 3000), (3000, 70), (40000,), (20, 30, 40)])
def test_fused_producers_of_long_arrays_change_no_bit(shape):
    host = np.random.default_rng(3).random(shape, np.float32)
    for axis in (None, *range(len(shape))):
        column = np.ascontiguousarray(host[:1])
        stored = sm.asarray(host) - sm.asarray(column)
        sm.eval(stored)
        fused = sm.sum(sm.asarray(host) - sm.asarray(column), axis=axis)
        assert same_bits(fused.numpy(), sm.sum(stored, axis=axis).numpy())


@pytest.mark.parametrize(
    ("columns", "dtype"), [(32, "f4"), (64, "f8"), (96, "f4"), (128, "i4"), (256, "f2")]
)
def test_whole_rows_of_columns_are_reduced_as_columns_are(columns, dtype, monkeypatch):
    """To the bit, in parts too; and the first place of several, and of NaN, is found."""
    random = np.random.default_rng(4)
    for shape in ((3, 40, columns), (1, 700, columns)):
        host = (random.standard_normal(shape) * 9).astype(dtype)
        if dtype != "i4":
            host[:, 7:20:3, 5] = np.nan
        x = sm.array(host)
        found = []
        for most in (1 << 20, 0):
            monkeypatch.setattr(sorted_axes, "LONG_ROW_BYTES", most)
            passes._plans.clear()
            extremes._plans.clear()
            found.append([f(x * 1, axis=1).numpy() for f in (sm.sum, sm.max, sm.argmax, sm.argmin)])
        for one, other in zip(*found, strict=True):
            np.testing.assert_array_equal(one.view("u1"), other.view("u1"))
        np.testing.assert_array_equal(found[0][2], host.argmax(1))
        np.testing.assert_array_equal(found[0][3], host.argmin(1))


def test_producers_make_no_memory():
    """Proves that a mean square is computed without the squares."""
    x = sm.ones(1 << 20)
    sm.eval(sm.mean(x * x))  # what is compiled is there
    sm.memory_info()
    y = sm.mean(x * x)
    before = sm.memory_info().bytes_in_use
    sm.eval(y)
    assert sm.memory_info().bytes_in_use - before < 1 << 16


def test_results_are_lazy_and_know_their_shape():
    x = sm.ones((3, 4), dtype=sm.int8)
    y = sm.sum(x, axis=-1, keepdims=True)
    assert y.pending is not None
    assert (y.shape, y.dtype) == ((3, 1), sm.int32)


def test_reductions_of_reductions():
    host = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x = sm.asarray(host)
    found = sm.sum((x - sm.mean(x, axis=0)) / (sm.max(x, axis=(1, 2), keepdims=True) + 1), axis=1)
    expected = ((host - host.mean(0)) / (host.max((1, 2), keepdims=True) + 1)).sum(1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-6)


def test_writes_do_not_change_results_that_were_asked_for_before():
    """Proves that a lazy sum is of the elements at the time."""
    x = sm.ones(5)
    total = sm.sum(x)
    x[0] = 100.0
    assert float(total) == 5.0


# --- Dtypes and errors ---------------------------------------------------------------------------


def test_dtypes_that_are_asked_for():
    x = sm.array([1.5, 2.5])
    assert sm.sum(x, dtype=sm.int64).dtype == sm.int64
    assert int(sm.sum(x, dtype=sm.int64)) == 3
    assert sm.prod(x, dtype=sm.float64).dtype == sm.float64
    assert sm.mean(sm.array([1, 2]), dtype=sm.float64).dtype == sm.float64
    assert sm.sum(sm.array([1.5], "bf16")).dtype == sm.bfloat16


def test_small_floats_are_added_up_in_float32():
    x = sm.full(5000, 1.0, dtype=sm.float16)
    assert float(sm.sum(x)) == 5000.0
    assert float(sm.sum(x.astype(sm.bfloat16))) == float(sm.array([5000.0], "bf16")[0])
    assert float(sm.mean(sm.full(3, 60000.0, dtype=sm.float16))) == 60000.0


def test_quantiles_without_nan():
    host = np.random.default_rng(4).normal(size=(5, 9)).astype("f4")
    host[host > 1] = np.nan
    host[2] = np.nan
    ours = sm.array(host)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        wanted = [np.nanmedian(host, axis=1), np.nanquantile(host, [0.1, 0.9], axis=1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [sm.nanmedian(ours, axis=1), sm.nanquantile(ours, [0.1, 0.9], axis=1)]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-6)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_weighted_means_are_numpys(axis, keepdims):
    random = np.random.default_rng(6)
    host, each = random.normal(size=(4, 6)).astype("f4"), random.random((4, 6), "f4")
    weights = [None, each] if axis is None else [None, each, each[0] if axis % 2 else each[:, 0]]
    for one in weights:
        ours = None if one is None else sm.array(one)
        found = sm.average(sm.array(host), axis, ours, keepdims=keepdims)
        wanted = np.average(host, axis, one, keepdims=keepdims)
        np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-5)


@pytest.mark.parametrize("axis", [None, 1])
def test_weights_of_another_shape_are_refused(axis):
    with pytest.raises(sm.UserInputError, match=r"expected weights .* got shape \(4,\)"):
        sm.average(sm.zeros((4, 6)), axis, sm.ones(4))


@pytest.mark.parametrize(
    ("shape", "other", "axis"),
    [
        ((1000, 4, 5), (5,), 0),
        ((1000, 4, 5), (4, 1), 0),
        ((5, 330, 17, 2), (17, 1), (0, 1)),
        ((3, 4000, 2, 3), (3, 1, 2, 1), 1),
        ((900, 4, 5), (900, 1, 1), 0),
    ],
)
def test_what_is_fused_does_not_decide_which_columns_are_folded(shape, other, axis):
    random = np.random.default_rng(9)
    x, y = (sm.array(random.normal(size=n).astype("f4")) for n in (shape, other))
    fused = sm.sum(x * y, axis=axis)
    with sm.no_fusion():
        apart = sm.sum(x * y, axis=axis)
    np.testing.assert_array_equal(fused.numpy().view("u4"), apart.numpy().view("u4"))
    wanted = (x.numpy().astype("f8") * y.numpy()).sum(axis)
    np.testing.assert_allclose(fused.numpy(), wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("axis", "rows"), [(None, 1031), (0, 1033), (1, 1039)])
def test_launches_are_shared_out_by_the_elements_that_they_read(axis, rows, monkeypatch):
    """Not by the parts that they store, of which there are few."""
    seen = []
    share_out = driver._chunk
    x = sm.ones((rows, 1021))  # a shape of which nobody has a plan yet
    monkeypatch.setattr(driver, "_chunk", lambda launch: seen.append(launch) or share_out(launch))
    sm.eval(sm.sum(x, axis=axis))
    assert seen[0].work >= x.size


def test_methods():
    x = sm.array([[1.0, 2.0], [3.0, 5.0]])
    assert x.sum().item() == 11.0
    assert x.max(axis=0).tolist() == [3.0, 5.0]
    assert x.std(axis=1, correction=1).tolist() == pytest.approx([math.sqrt(0.5), math.sqrt(2)])
    assert x.argmax().item() == 3
    assert x.any().item() is True


MESSAGES = [
    (lambda: sm.sum([1.0]), UserInputError, "sum expected an Array for x, got a list"),
    (lambda: sm.var([1.0]), UserInputError, "var expected an Array for x, got a list"),
    (
        lambda: sm.max(sm.zeros((2, 0)), axis=1),
        UserInputError,
        (
            r"max of no elements: shape \(2, 0\) has none along axis 1, and nothing has no max;"
            r" check x\.size first"
        ),
    ),
    (
        lambda: sm.argmin(sm.zeros(0)),
        UserInputError,
        (
            r"argmin of no elements: shape \(0,\) has none along its axes, and nothing has no"
            r" argmin; check x\.size first"
        ),
    ),
    (
        lambda: sm.min(sm.array([1j])),
        UserInputError,
        r"complex numbers have no order, got complex64; take the extreme of abs\(x\) or of x\.real",
    ),
    (
        lambda: sm.mean(sm.zeros(2), dtype=sm.int32),
        UserInputError,
        "a mean is a float, got dtype int32; convert it with astype",
    ),
    (lambda: sm.sum(sm.zeros(2), axis=1), AxisError, "axis 1 is out of bounds for 1 axes"),
    (lambda: sm.sum(sm.zeros((2, 2)), axis=(0, -2)), ValueError, "one comes twice"),
    (lambda: sm.argmax(sm.zeros(()), axis=0), AxisError, "axis 0 is out of bounds for 0 axes"),
    (lambda: sm.softmax(sm.array([1j])), UserInputError, "softmax expected real numbers"),
    (lambda: sm.median(sm.array([1j])), UserInputError, "median expected real numbers"),
]


@pytest.mark.parametrize(("call", "error", "message"), MESSAGES)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.sum(1.0), "expected an integer or a tuple of integers as axis, got 1.0"),
        (lambda x: x.sum("x"), "expected an integer or a tuple of integers as axis, got 'x'"),
        (
            lambda x: x.argmax((0, 1)),
            "argmax expected one axis, an integer, or None for all, got (0, 1)",
        ),
    ],
)
def test_what_is_no_axis_is_named(call, message):
    with pytest.raises(TypeError) as caught:
        call(sm.ones((2, 2)))
    assert str(caught.value) == message


@pytest.mark.parametrize("reduction", [reduce.SUM, reduce.GREATEST, reduce.LEAST_NUMBER])
@pytest.mark.parametrize("vectors", [1, 4])
def test_code_reads_an_element_in_few_places(reduction, vectors):
    """Each place has a whole expression: those of the loop, and one for the rest of a row."""
    x, target = sm.ones((8, 1000), device="cpu"), sm.zeros((8, 1), device="cpu")
    source = combine("add", combine("multiply", x, x), 1.0)
    numbers = (known(1), ONE_SIMDGROUP.known(), known(vectors), 1.0, 1, 1, 1000)
    arguments = (target, source, reduction, reduce.as_it_is, *numbers)
    text = str(sm.code(reduce.reduce_rows, *arguments, target="cpu", stage="ir"))
    body = text[text.index("kernel reduce_rows") :]
    assert len(re.findall(r"\belement\(", body)) == vectors + 1

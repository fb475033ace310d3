"""How arrays are made: default dtypes, what is shared, what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm

TOO_LARGE = f"the integer {-(2**70)} does not fit into 64 bits; give floats in its place"
EXPECTED_NUMBERS = "expected numbers, nested lists of numbers or an array"


@pytest.mark.parametrize(
    ("given_value", "dtype"),
    [
        (1, sm.int32),
        (2**31, sm.int64),
        (-(2**31) - 1, sm.int64),
        (2**63, sm.uint64),
        (True, sm.bool_),
        (1.5, sm.float32),
        (1j, sm.complex64),
        ([], sm.float32),
        ([1, 2.0], sm.float32),
        (range(3), sm.int32),
        ([range(2**31, 2**31 + 2)], sm.int64),
        ([[1], (2,)], sm.int32),
        ([np.float64(1)], sm.float64),
        ([[1.0], [np.float64(1)]], sm.float64),
        (np.float16(1), sm.float16),
        (np.arange(3), sm.int64),
        ([sm.ones(2, "f64")], sm.float64),
        (b"ab", None),
        ("text", None),
        ([[1], [2, 3]], None),
        ([2**64], None),
        (np.zeros(2, "c16"), sm.complex128),
        ([np.complex128(1)], sm.complex128),
        (np.zeros(2, np.clongdouble), None),
        (object(), None),
    ],
)
def test_default_dtypes(given_value, dtype):
    if dtype is None:
        with pytest.raises(sm.UserInputError):
            sm.array(given_value)
    else:
        assert sm.array(given_value).dtype == dtype


@pytest.mark.parametrize(
    ("given_value", "message"),
    [
        ([[1, -(2**70)], [3, 4]], TOO_LARGE),
        ([1, None], f"{EXPECTED_NUMBERS}, got NoneType in a list"),
        (None, f"{EXPECTED_NUMBERS}, got NoneType"),
        ("text", f"{EXPECTED_NUMBERS}, got str"),
        ([1, "text"], f"{EXPECTED_NUMBERS}, got str in a list"),
        ((n for n in (1, 2)), f"{EXPECTED_NUMBERS}, got generator; make it a list: list(x)"),
        ({1, 2}, f"{EXPECTED_NUMBERS}, got set; make it a list: list(x)"),
    ],
)  # fmt: skip
def test_what_is_no_array_of_numbers(given_value, message):
    with pytest.raises(sm.UserInputError) as caught:
        sm.array(given_value)
    assert str(caught.value) == message


def test_a_given_dtype_converts():
    assert sm.array([1.0, 2.5], "f16").dtype == sm.float16
    assert sm.array(np.arange(3), float).dtype == sm.float32
    assert sm.asarray(sm.ones(2), "i8").tolist() == [1, 1]
    with pytest.raises(sm.UserInputError, match=r"300"):
        sm.array(300, "i8")


def test_array_copies_and_asarray_shares():
    host = np.zeros(3, np.float32)
    copied, shared = sm.array(host), sm.asarray(host)
    host[0] = 1
    assert (copied[0].item(), shared[0].item()) == (0, 1)
    assert shared.address == host.ctypes.data
    assert sm.asarray(shared) is shared
    assert sm.array(shared).address != shared.address
    raw = bytearray(8)
    sm.asarray(memoryview(raw))[1] = 5
    assert raw[1] == 5


@pytest.mark.parametrize(
    "host",
    [
        np.zeros(3, ">f4"),
        np.frombuffer(bytearray(13), np.float32, offset=1),
        np.zeros(4, [("a", "i1"), ("b", "f4")])["b"],
    ],
    ids=["byte order", "alignment", "stride"],
)
def test_what_kernels_cannot_read_is_copied(host):
    shared = sm.asarray(host)
    assert (shared.dtype, shared.tolist()) == (sm.float32, host.tolist())
    assert shared.address != host.__array_interface__["data"][0]
    with pytest.raises(ValueError, match="without a copy"):
        sm.asarray(host, copy=False)


def test_no_copy_means_no_copy():
    for source, dtype in (([1, 2], None), (np.zeros(2), "f32"), (sm.zeros(2), "f64")):
        with pytest.raises(ValueError, match="copy"):
            sm.asarray(source, dtype, copy=False)
    assert sm.asarray(np.zeros(2), copy=False).dtype == sm.float64


def test_readonly_sources_stay_readonly():
    host = np.zeros(2)
    host.flags.writeable = False
    assert sm.asarray(host).is_readonly
    assert not sm.asarray(host).numpy().flags.writeable
    assert not sm.array(host).is_readonly


def test_filled_arrays():
    assert sm.zeros((2, 2), "u8").tolist() == [[0, 0], [0, 0]]
    assert sm.full((), 1.5).item() == 1.5
    assert sm.empty(0).shape == (0,)
    like = sm.zeros((2, 3), "bf16")
    for make in (sm.empty_like, sm.zeros_like, sm.ones_like):
        assert (make(like).shape, make(like).dtype) == ((2, 3), sm.bfloat16)
    assert sm.full_like(np.zeros(2), 3, "i32").tolist() == [3, 3]
    for shape in (-1, (2, -3), 1.5, (True,), "ab"):
        with pytest.raises(sm.UserInputError, match="expected a shape"):
            sm.zeros(shape)
    with pytest.raises(sm.UserInputError, match="one value"):
        sm.full(2, [1, 2])


@given(start=st.integers(-50, 50), stop=st.integers(-50, 50), step=st.integers(-7, 7))
def test_arange_is_range(start, stop, step):
    if step == 0:
        with pytest.raises(sm.UserInputError, match="must not be 0"):
            sm.arange(start, stop, step)
    else:
        assert sm.arange(start, stop, step).tolist() == list(range(start, stop, step))


def test_arange_and_linspace_round_from_float64():
    assert sm.arange(2**31, 2**31 + 2).dtype == sm.int64
    np.testing.assert_array_equal(
        sm.arange(0, 1, 0.1).numpy(), np.arange(0, 1, 0.1).astype(np.float32)
    )
    np.testing.assert_array_equal(
        sm.linspace(0, 1, 7, "f16", endpoint=False).numpy(),
        np.linspace(0, 1, 7, endpoint=False).astype(np.float16),
    )
    with pytest.raises(sm.UserInputError, match="0 numbers or more, got -1"):
        sm.linspace(0, 1, -1)


# --- Lists of arrays -----------------------------------------------------------------------------


def test_lists_of_arrays_are_put_together():
    x = sm.arange(3)
    rows = sm.asarray([x, 2 * x, [7, 8, 9]])
    assert rows.pending is not None
    assert (rows.dtype, rows.tolist()) == (sm.int32, [[0, 1, 2], [0, 2, 4], [7, 8, 9]])
    assert sm.array([[x[1], 2.5], (x[2], True)]).tolist() == [[1.0, 2.5], [2.0, 1.0]]
    assert sm.array((x, np.zeros(3))).dtype == sm.float64
    assert sm.array([sm.ones(2, "i8"), [1, 2]], "f16").dtype == sm.float16
    assert sm.array([sm.ones((), "bf16"), 2]).dtype == sm.bfloat16
    assert sm.array([sm.ones(2), [1j, 2]]).dtype == sm.complex64


def test_lists_of_arrays_that_do_not_go_together():
    message = r"a list cannot become an array: it has items of shapes \(3,\) and \(2,\)"
    with pytest.raises(sm.UserInputError, match=message):
        sm.array([sm.zeros(3), sm.zeros(2)])
    with pytest.raises(ValueError, match="a list of arrays cannot become an array without a copy"):
        sm.asarray([sm.zeros(3)], copy=False)


# --- By the array API's rules --------------------------------------------------------------------


def test_no_dtype_is_the_default_one():
    like = sm.zeros(2, "i8")
    for made in (sm.empty(2, None), sm.zeros(2, None), sm.ones(2, dtype=None)):
        assert made.dtype == sm.float32
    assert sm.full(2, 1, dtype=None).dtype == sm.int32
    for made in (sm.empty_like(like, None), sm.full_like(like, 1, None)):
        assert made.dtype == sm.int8


def test_a_value_may_be_a_number_of_numpys_or_an_array():
    for value in (np.float64(2), sm.array(2.0, "f64"), sm.array(1) + 1):
        assert sm.full(2, value).dtype == value.dtype
        assert sm.full(2, fill_value=value, dtype="f32").dtype == sm.float32
        assert sm.full_like(sm.zeros(2, "i8"), value).tolist() == [2, 2]


def test_what_dlpack_gives_stays_where_it_is():
    host = np.arange(3.0)
    shared = sm.from_dlpack(host)
    assert shared.device is sm.device("cpu")
    host[0] = 5
    assert shared[0].item() == 5
    x = sm.arange(3)
    assert sm.from_dlpack(x) is x
    assert sm.from_dlpack(x, copy=True).address != x.address
    with pytest.raises(AttributeError, match="expected an object with __dlpack__, got list"):
        sm.from_dlpack([1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sm.arange(float("nan")), "arange expected finite numbers, got 0, nan, 1"),
        (lambda: sm.arange("a"), "arange expected finite numbers, got 0, 'a', 1"),
        (
            lambda: sm.array([1j], "float32"),
            (
                "list cannot become an array: float() argument must be a string or a real number,"
                " not 'complex'"
            ),
        ),
    ],
)
def test_what_makes_no_numbers_is_told(call, message):
    with pytest.raises(sm.UserInputError) as caught:
        call()
    assert str(caught.value) == message

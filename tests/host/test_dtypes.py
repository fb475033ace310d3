"""dtypes beside NumPy's: equal, with one hash, taken by both sides, in kernels and outside."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.dtypes import ALL, COMPLEX, DType, as_dtype, complex_of, promote
from speedmetal.frontend.signature import signature_of

every_dtype = pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


@every_dtype
def test_a_dtype_equals_numpys_both_ways_with_one_hash(dtype: DType) -> None:
    theirs = dtype.numpy
    assert dtype == theirs
    assert theirs == dtype
    assert hash(dtype) == hash(theirs)
    assert {theirs: "found"}[dtype] == {dtype: "found"}[theirs] == "found"
    assert len({dtype, theirs}) == 1


@every_dtype
def test_a_dtype_differs_from_all_others_of_numpy_and_ours(dtype: DType) -> None:
    others = [other for other in ALL if other is not dtype]
    assert all(dtype not in (other, other.numpy) for other in others)
    assert all(other.numpy != dtype for other in others)
    assert dtype != dtype.name
    assert dtype != dtype.numpy.type


def test_another_byte_order_is_another_dtype() -> None:
    assert sm.float32 != np.dtype("f4").newbyteorder()
    assert np.dtype("f4").newbyteorder() != sm.float32


@every_dtype
def test_numpy_takes_a_dtype_where_it_takes_its_own(dtype: DType) -> None:
    assert np.dtype(dtype) == dtype.numpy
    assert np.zeros(2, dtype).dtype == dtype
    assert np.ones(2).astype(dtype).dtype == dtype


@every_dtype
def test_an_array_has_numpys_dtype(dtype: DType) -> None:
    x = sm.zeros(3, dtype)
    assert isinstance(x.dtype, np.dtype)
    assert x.dtype == dtype
    assert sm.zeros(2, x.dtype).dtype == dtype
    assert sm.ones(2).astype(x.dtype).dtype == dtype
    assert as_dtype(x.dtype) is dtype


def test_bfloat16_is_that_of_ml_dtypes() -> None:
    assert sm.zeros(1, "bf16").dtype == BFLOAT16
    assert np.dtype(sm.bfloat16) == BFLOAT16


# --- Complex types -------------------------------------------------------------------------------


@every_dtype
def test_parts_are_numpys(dtype: DType) -> None:
    assert np.zeros(1, dtype).real.dtype == dtype.part
    assert dtype.part.is_complex is False
    assert (dtype.part is dtype) is not dtype.is_complex


@pytest.mark.parametrize("dtype", COMPLEX, ids=str)
def test_a_complex_type_has_its_parts_type_and_names(dtype: DType) -> None:
    assert complex_of(dtype.part) is complex_of(dtype) is dtype
    assert as_dtype(dtype.short) is as_dtype(dtype.name) is as_dtype(dtype.numpy) is dtype
    assert dtype.bits == 8 * dtype.itemsize == 2 * dtype.part.bits
    assert getattr(sm, dtype.name) is dtype


FLOATING = [d for d in ALL if (d.is_float or d.is_complex) and d is not sm.bfloat16]


@given(st.sampled_from(FLOATING), st.sampled_from(FLOATING))
def test_floats_and_complex_types_promote_as_numpys(left: DType, right: DType) -> None:
    assert promote(left, right) == np.promote_types(left.numpy, right.numpy)


every_pair = st.tuples(st.sampled_from(ALL), st.sampled_from(COMPLEX))


@given(every_pair)
def test_beside_a_complex_type_all_are_complex_and_no_float_is_narrowed(pair) -> None:
    other, dtype = pair
    found = promote(other, dtype)
    assert found is promote(dtype, other)
    wide = sm.float64 in (other.part, dtype.part)
    assert found is (sm.complex128 if wide else sm.complex64)


def test_two_parts_make_a_complex_number() -> None:
    for dtype in COMPLEX:
        z = dtype(0.1, np.float64([1, 2]))
        assert z.dtype == dtype
        assert z.tolist() == [dtype.numpy.type(complex(0.1, y)) for y in (1, 2)]
        assert dtype(1, -0.0).imag.tobytes() == dtype.part.numpy.type(-0.0).tobytes()
    with pytest.raises(sm.UserInputError) as caught:
        sm.float32(1, 2)
    assert str(caught.value) == (
        "sm.float32 takes one number, got two; two parts make a complex64 or a complex128"
    )
    with pytest.raises(sm.UserInputError) as caught:
        sm.complex128(1j, 2)
    assert str(caught.value) == (
        "sm.complex128 takes two real numbers, or one of any kind; got a complex one among two"
    )


CAPTURED = np.dtype("float16")


@sm.kernel
def choose(a, out, dtype):
    i = sm.thread_position_in_grid().x
    scratch = sm.thread_array(1, CAPTURED)
    scratch[0] = a[i]
    if a.dtype == dtype:
        out[i] = 1
    elif dtype == CAPTURED:
        out[i] = 2
    out[i] += scratch[0].astype(dtype)


@pytest.mark.parametrize("spell", [lambda d: d, np.dtype], ids=["ours", "numpy"])
def test_kernels_take_numpys_dtypes_as_ours(spell) -> None:
    for dtype, expected in ((sm.float32, 1.5), (sm.float16, 2.5), (sm.int32, 0.0)):
        a, out = sm.full(4, 0.5), sm.zeros(4)
        choose(a, out, spell(dtype), grid=4)
        assert out.tolist() == [expected] * 4


def test_a_dtype_as_argument_makes_no_float64_of_pythons_floats() -> None:
    for dtype in (sm.float64, np.dtype("f8")):
        number, _ = signature_of((1.5, dtype))
        assert str(number) == "f32"
    number, _ = signature_of((1.5, sm.zeros(1, sm.float64)))
    assert str(number) == "f64"


def test_numpys_dtype_states_a_type_as_ours_does() -> None:
    @sm.kernel
    def store(out, x):
        out[0] = x

    texts = [sm.code(store, "f32[:]", d, stage="ir") for d in (sm.int16, np.dtype("int16"), "i16")]
    assert texts[0] == texts[1] == texts[2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "<f4",
            (
                "unknown dtype '<f4': NumPy's short names count bytes, ours count bits; write"
                " 'float32' or np.dtype('<f4')"
            ),
        ),
        (
            3,
            (
                "3 is not a dtype; allowed are bool_, int8, int16, int32, int64, uint8, uint16,"
                " uint32, uint64, float16, bfloat16, float32, float64, complex64, complex128; a"
                " shape of several extents is a tuple, as in zeros((2, 3))"
            ),
        ),
    ],
)
def test_what_is_no_dtype_is_answered_with_one(given: object, message: str) -> None:
    with pytest.raises(sm.UserInputError) as caught:
        sm.zeros(2, given)  # type: ignore[arg-type]
    assert str(caught.value) == message

"""Each intrinsic has a meaning, a reference, and a word or a reason on each target."""

import math
from dataclasses import fields

import numpy as np
import pytest

from speedmetal.common.target_names import TARGETS
from speedmetal.dtypes import ALL, float32, float64
from speedmetal.errors import UserInputError
from speedmetal.intrinsics import TABLE, by_object, find_intrinsic
from speedmetal.intrinsics.record import Intrinsic, IntrinsicKind, Result, Unsupported, Varies

RECORDS = pytest.mark.parametrize("record", TABLE.values(), ids=TABLE)
MATH = [r for r in TABLE.values() if r.kind is IntrinsicKind.MATH]


@RECORDS
def test_a_record_says_what_it_means(record):
    assert TABLE[record.name] is record
    assert record.meaning.endswith(".")
    assert len(set(record.operands)) == record.arity
    assert record.accepts or not record.operands
    assert all(index < record.arity for index in record.scalar_operands)


@RECORDS
def test_a_record_says_how_its_results_vary(record):
    """Whether it says so truly is found by running it: tests/conformance/..._variation.py."""
    kind = record.kind
    assert isinstance(record.varies, Varies)
    assert (record.varies is Varies.NOWHERE) >= (kind is IntrinsicKind.MATH)
    assert (record.bounds is not None) == (kind is IntrinsicKind.POSITION)
    assert (record.exchange is not None) == (kind is IntrinsicKind.COLLECTIVE)
    if kind in (IntrinsicKind.COLLECTIVE, IntrinsicKind.MATRIX):
        assert record.tells_simdgroups
    if record.exchange is not None:
        family = "quad" if record.exchange.is_of_quads else "simd"
        assert record.name == f"{family}_{record.exchange.operation}"
    assert {*record.united, *record.scalar_operands} <= {*range(record.arity)}
    assert record.matrix_operands in ((), tuple(range(record.arity)))
    assert bool(record.matrix_operands) <= (kind is IntrinsicKind.MATRIX)


@RECORDS
def test_parts_of_a_simdgroup_are_records_of_their_own(record):
    assert bool(record.parts) == (record.united == (0,) and record.calls[0].endswith("width=32)"))
    for lanes, part in record.parts.items():
        exchange, whole = part.exchange, record.exchange
        assert exchange.lanes == lanes
        assert (exchange.operation, exchange.takes_parts) == (whole.operation, whole.takes_parts)
        assert part.public_name in (record.name, record.name.replace("simd", "quad"))
        assert find_intrinsic(part.name) is part
        assert part.varies is Varies.THREADS
        assert part.tells_simdgroups
        assert (part.accepts, part.united, part.calls) == (
            record.accepts,
            record.united,
            (f"{part.name}(x)",),
        )
        assert all(part.spelling(target) for target in TARGETS)


def test_a_record_cannot_leave_out_how_its_results_vary():
    known = {field.name: getattr(TABLE["fma"], field.name) for field in fields(Intrinsic)}
    Intrinsic(**known)
    del known["varies"]
    with pytest.raises(TypeError, match="varies"):
        Intrinsic(**known)


@RECORDS
def test_a_record_has_a_cell_for_every_target(record):
    assert {*record.spellings} == {*TARGETS}
    assert {target for target, _ in record.by_type} <= {*TARGETS}


@RECORDS
@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_word_or_a_reason(record, target):
    for dtype in (None, *(d for d in ALL if d.kind in record.accepts)):
        spelling = record.spelling(target, dtype)
        if isinstance(spelling, Unsupported):
            assert len(spelling.because) > 10
        elif isinstance(spelling, str):
            assert spelling
            if target == "cpu":
                assert spelling.startswith(("llvm.", "@"))
        else:
            assert spelling.__doc__


COMPOSED = [r for r in TABLE.values() if callable(r.spelling("metal", float32))]


@pytest.mark.parametrize("record", COMPOSED, ids=lambda r: r.name)
def test_metal_is_never_given_a_library_function_of_float64(record):
    """Metal has no float64: whatever the library computes there must do without."""
    spelling = record.spelling("metal", float32)
    assert not spelling.__name__.endswith("_double")
    assert spelling.__name__ not in {"pow", "sin", "cos", "tan"}


@pytest.mark.parametrize("record", MATH, ids=lambda r: r.name)
def test_a_reference_takes_numbers_and_arrays(record):
    integers = float32.kind not in record.accepts
    one = np.int32(1) if integers else np.float32(0.5)
    operands = [np.int32(1) if i in record.scalar_operands else one for i in range(record.arity)]
    scalar = np.asarray(record(*operands))
    array = record(*(np.full((2, 3), operand) for operand in operands))
    assert array.shape == (2, 3)
    np.testing.assert_array_equal(array, np.full((2, 3), scalar))
    if record.result is Result.SAME:
        assert scalar.dtype == one.dtype == array.dtype


@pytest.mark.parametrize(
    "record",
    [r for r in MATH if float32.kind in r.accepts and r.result is Result.SAME],
    ids=lambda r: r.name,
)
def test_a_reference_keeps_float16(record):
    operands = [
        np.int32(1) if i in record.scalar_operands else np.float16(0.5) for i in range(record.arity)
    ]
    assert np.asarray(record(*operands)).dtype == np.float16


@pytest.mark.parametrize(
    "record", [r for r in TABLE.values() if r.kind is not IntrinsicKind.MATH], ids=lambda r: r.name
)
def test_what_has_no_meaning_outside_kernels_says_so(record):
    with pytest.raises(UserInputError) as caught:
        record(*record.operands)
    assert str(caught.value) == (
        f"{record.name} is defined only inside a kernel; call it in a function decorated with"
        " @sm.kernel or in a function that one calls"
    )


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        (math.sin, "sin"), (np.sin, "sin"), (np.arctan2, "atan2"), (math.atan2, "atan2"),
        (np.power, "pow"), (math.pow, "pow"), (np.abs, "abs"), (math.fabs, "abs"),
        (np.clip, "clamp"), (np.deg2rad, "radians"), (np.floor, "floor"), (np.rint, "rint"),
        (math.remainder, "ieee_remainder"), (math.lgamma, "lgamma"), (np.fmin, "fmin"),
    ],
)  # fmt: skip
def test_names_of_math_and_numpy_are_known(alias, name):
    assert by_object(alias) is TABLE[name]


def test_an_alias_means_one_intrinsic():
    aliases = [id(alias) for record in TABLE.values() for alias in record.aliases]
    assert len(aliases) == len(set(aliases))


@pytest.mark.parametrize("stranger", [print, math.floor, [1], {}, None, "sin"])
def test_other_objects_mean_no_intrinsic(stranger):
    """math.floor is no alias: it gives an int, and floor a float."""
    assert by_object(stranger) is None


@RECORDS
def test_an_intrinsic_means_itself(record):
    assert by_object(record) is record
    assert repr(record) == f"<intrinsic {record.name}>"
    assert isinstance(record, Intrinsic)


def test_positions_have_the_index_type_and_no_operands():
    positions = [r for r in TABLE.values() if r.kind is IntrinsicKind.POSITION]
    assert len(positions) == 11
    assert all(r.result is Result.INDEX and r.arity == 0 for r in positions)
    assert {r.name for r in positions if not r.axes} == {
        "thread_index_in_threadgroup",
        "thread_index_in_simdgroup",
        "simdgroup_index_in_threadgroup",
        "threads_per_simdgroup",
        "simdgroups_per_threadgroup",
    }


def test_float64_functions_are_bounded_apart():
    assert TABLE["exp"].spelling("cpu", float64) is not TABLE["exp"].spelling("cpu", float32)

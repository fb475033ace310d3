"""The rules by which a result is proved, each alone."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.record import CaseSpec
from speedmetal.bench.runner import proof
from speedmetal.bench.runner.data import make_inputs, reference_of
from speedmetal.bench.runner.proof import GradientData, Tolerance
from speedmetal.bench.suites import SuiteEntry, make_case

RELU = OPERATIONS["relu"]
SORT = OPERATIONS["sort"]
ARGMAX = OPERATIONS["argmax"]


def case_of(operation: str, dtype: str = "float32", **parameters: Any) -> CaseSpec:
    return make_case(SuiteEntry(OPERATIONS[operation], parameters), dtype, "forward", "ieee")


CASE = case_of("relu", shape=[4, 5])
REFERENCE = np.random.default_rng(0).standard_normal((4, 5))
RIGHT = REFERENCE.astype(np.float32)


def failures(output: np.ndarray, reference: np.ndarray = REFERENCE) -> list[str]:
    return proof.compare_outputs(RELU, CASE, [output], [reference]).failures


# -- Form --------------------------------------------------------------------------------------


def test_the_right_result_passes() -> None:
    """Proves that rounding to the dtype is no error, and that all elements are counted."""
    errors = proof.compare_outputs(RELU, CASE, [RIGHT], [REFERENCE])
    assert errors.failures == []
    assert errors.elements == 20
    assert 0 < errors.rms_relative < errors.largest_relative < 1e-6


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (RIGHT.T, "output has shape (5, 4), expected (4, 5)"),
        (RIGHT[:, :1], "output has shape (4, 1), expected (4, 5)"),
        (RIGHT[None], "output has shape (1, 4, 5), expected (4, 5)"),
        (np.float32(0.0)[()] * np.ones(()), "output has shape (), expected (4, 5)"),
        (RIGHT.astype(np.float64), "output has dtype float64, expected float32"),
        (RIGHT.astype(np.float16), "output has dtype float16, expected float32"),
        (RIGHT.astype(ml_dtypes.bfloat16), "output has dtype bfloat16, expected float32"),
        (RIGHT.astype(np.int32), "output has dtype int32, expected float32"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_form_is_told(output: np.ndarray, told: str) -> None:
    """Proves that shape and dtype must be the reference's and the case's, with the full text."""
    assert failures(output) == [told]


def test_another_number_of_outputs_is_told() -> None:
    """Proves that neither more nor fewer outputs pass."""
    for outputs in ([], [RIGHT, RIGHT]):
        errors = proof.compare_outputs(RELU, CASE, outputs, [REFERENCE])
        assert errors.failures == [f"{len(outputs)} outputs, expected 1"]


def test_several_outputs_are_told_apart() -> None:
    """Proves that the message names which output differs."""
    errors = proof.compare_outputs(RELU, CASE, [RIGHT, RIGHT.T], [REFERENCE, REFERENCE])
    assert errors.failures == ["output 1 has shape (5, 4), expected (4, 5)"]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32])
def test_positions_may_have_any_integer_type(dtype: type) -> None:
    """Proves that frameworks may count in their own integers, but not in floats or booleans."""
    case = case_of("argmax", shape=[3, 4], axis=1)
    reference = np.array([0, 3, 1])
    assert (
        proof.compare_outputs(ARGMAX, case, [reference.astype(dtype)], [reference]).failures == []
    )
    for other in (np.float32, np.bool_):
        (told,) = proof.compare_outputs(
            ARGMAX, case, [reference.astype(other)], [reference]
        ).failures
        assert told == f"output has dtype {np.dtype(other)}, expected the kind of int64"


# -- Values ------------------------------------------------------------------------------------


@given(index=st.integers(min_value=0, max_value=19), error=st.sampled_from([1e-3, -0.5, 1e30]))
def test_one_wrong_element_is_found(index: int, error: float) -> None:
    """Proves that every element counts, wherever it is."""
    output = RIGHT.copy()
    output.reshape(-1)[index] += error
    assert failures(output)


@given(
    index=st.integers(min_value=0, max_value=19),
    value=st.sampled_from([math.nan, math.inf, -math.inf]),
)
def test_what_is_not_finite_is_found(index: int, value: float) -> None:
    """Proves that NaN and infinities pass where the reference has the same, and only there."""
    output, reference = RIGHT.copy(), REFERENCE.copy()
    output.reshape(-1)[index] = value
    assert failures(output)
    reference.reshape(-1)[index] = value
    assert failures(RIGHT, reference)
    assert failures(output, reference) == []
    if math.isinf(value):
        assert failures(output, np.where(np.isinf(reference), -reference, reference))


def test_a_nan_elsewhere_is_told_as_such() -> None:
    """Proves the full text for a NaN that was swallowed and for one that was made."""
    with_nan = REFERENCE.copy()
    with_nan[1, 2] = np.nan
    assert failures(np.nan_to_num(with_nan).astype(np.float32), with_nan) == [
        "NaN is not where the reference has it"
    ]
    assert "NaN is not where the reference has it" in failures(with_nan.astype(np.float32))


def test_exact_operations_allow_no_error() -> None:
    """Proves that moving data must keep every bit, though zeros may lose their sign."""
    case = case_of("sort", shape=[4], axis=0)
    reference = np.array([-1.0, 0.0, 1.0, 2.0], np.float32)
    assert proof.tolerance_of(SORT, case) == Tolerance(0.0, 0.0)
    good = np.array([-1.0, -0.0, 1.0, 2.0], np.float32)
    assert proof.compare_outputs(SORT, case, [good], [reference]).failures == []
    off = reference.copy()
    off[3] = np.nextafter(off[3], np.float32(3))
    assert proof.compare_outputs(SORT, case, [off], [reference]).failures


def test_large_results_are_compared_whole() -> None:
    """Proves that an error is found in the last of many chunks, and in views of any order."""
    case = case_of("relu", shape=[3000, 700])
    reference = np.random.default_rng(1).standard_normal((3000, 700))
    output = np.asfortranarray(reference.astype(np.float32))
    assert proof.compare_outputs(RELU, case, [output], [reference]).failures == []
    output[-1, -1] += 1
    errors = proof.compare_outputs(RELU, case, [output], [reference])
    assert errors.failures
    assert errors.largest == pytest.approx(1.0, rel=1e-6)
    assert errors.elements == 2_100_000


@pytest.mark.parametrize("size", [0, 1])
def test_small_results_are_compared(size: int) -> None:
    """Proves that empty results and those without axes have no special danger."""
    case = case_of("relu", shape=[1])
    shape = (0, 3) if size == 0 else ()
    reference = np.full(shape, 2.0)
    errors = proof.compare_outputs(RELU, case, [reference.astype(np.float32)], [reference])
    assert errors.failures == []
    if size:
        wrong = proof.compare_outputs(
            RELU, case, [np.float32(3.0) * np.ones((), np.float32)], [reference]
        )
        assert wrong.failures


# -- Tolerances --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("length", [1, 100, 1_000_000])
def test_tolerances_grow_with_the_sum(dtype: str, length: int) -> None:
    """Proves the formulas of the module's text."""
    case = case_of("sum", dtype, shape=[length], axis=0)
    eps = float(ml_dtypes.finfo(dtype).eps)
    root = math.sqrt(length)
    found = proof.tolerance_of(OPERATIONS["sum"], case)
    assert found.largest == pytest.approx(eps * (16 + 4 * root))
    assert found.rms == pytest.approx(eps * (4 + root / 2))


@pytest.mark.parametrize("length", [16, 256, 1024, 20_000])
def test_a_product_of_rounded_operands_is_never_within_tolerance(length: int) -> None:
    """Proves that products as of TF32 units are told from those in float32 at all lengths at which
    matrices come, while float32 itself passes, whatever the order of its sums."""
    case = case_of("matmul", a=[8, length], b=[length, 8])
    operation = OPERATIONS["matmul"]
    inputs = make_inputs(case, 1)
    reference = reference_of(operation, case, inputs)
    a, b = inputs["a"], inputs["b"]
    sequential = np.zeros((8, 8), np.float32)
    for k in range(length):
        sequential += a[:, k, None] * b[None, k]
    for output in (a @ b, sequential):
        assert proof.compare_outputs(operation, case, [output], reference).failures == []
    rounded = _ten_bits(a) @ _ten_bits(b)
    assert proof.compare_outputs(operation, case, [rounded], reference).failures


def _ten_bits(x: np.ndarray) -> np.ndarray:
    bits = x.view(np.uint32)
    return ((bits + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)).view(np.float32)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_reference_passes_its_own_proof(name: str) -> None:
    """Proves that each operation's reference, rounded to float32, is right: no rule forbids it."""
    operation = OPERATIONS[name]
    parameters = min(
        (dict(c.parameters) for c in operation.cases),
        key=lambda p: operation.work(p, 4).bytes_minimum,
    )
    entry = SuiteEntry(operation, parameters)
    case = make_case(entry, "float32", "forward", "ieee")
    if case.bytes_minimum > 1 << 26:
        pytest.skip(f"the smallest case of {name} moves {case.bytes_minimum >> 20} MiB")
    reference = reference_of(operation, case, make_inputs(case, 1))
    outputs = [
        r.astype(np.float32) if r.dtype == np.float64 and not operation.exact else r
        for r in reference
    ]
    assert proof.compare_outputs(operation, case, outputs, reference).failures == []


# -- Sameness ----------------------------------------------------------------------------------


def test_sameness_is_of_bits() -> None:
    """Proves that NaN is the same as itself, and that a sign, dtype or shape is a difference."""
    x = np.array([[1.0, np.nan], [0.0, -np.inf]], np.float32)
    assert proof.same_values(x, x.copy())
    assert proof.same_values(x.T, x.T.copy())
    assert not proof.same_values(x, x * np.float32(-1))
    assert not proof.same_values(x, x.astype(np.float64))
    assert not proof.same_values(x, x.reshape(-1))
    assert not proof.same_values(np.float32(0.0) * np.ones(()), -0.0 * np.ones(()))


@given(index=st.integers(min_value=0, max_value=99_999))
def test_sameness_is_of_all_elements(index: int) -> None:
    """Proves that one bit anywhere makes a difference."""
    x = np.arange(100_000, dtype=np.int32).reshape(1000, 100)
    y = x.copy()
    y.reshape(-1)[index] ^= 1
    assert not proof.same_values(x, y)


# -- Gradients ---------------------------------------------------------------------------------


@pytest.fixture
def gradient() -> tuple[CaseSpec, np.ndarray, GradientData]:
    """A gradient of relu, with the slopes that it must have."""
    case = make_case(SuiteEntry(RELU, {"shape": [30, 20]}), "float32", "backward", "ieee")
    right = np.random.default_rng(2).standard_normal((30, 20)).astype(np.float32)
    slopes = [
        float(np.sum(right * proof.direction_of(case, 1, "x", k, (30, 20))))
        for k in range(proof.DIRECTIONS)
    ]
    return case, right, GradientData([(30, 20)], slopes)


def test_the_right_gradient_passes(gradient: tuple[CaseSpec, np.ndarray, GradientData]) -> None:
    """Proves that slopes along random directions accept the gradient that they are of."""
    case, right, data = gradient
    assert proof.compare_gradients(RELU, case, 1, [right], data).failures == []


@pytest.mark.parametrize(
    "fault",
    ["zero", "sign", "scaled", "row", "transposed", "none", "nan", "one nan", "infinite", "wide"],
)
def test_a_wrong_gradient_is_found(
    fault: str, gradient: tuple[CaseSpec, np.ndarray, GradientData]
) -> None:
    """Proves that slopes tell gradients that are zero, of wrong sign or size, wrong in one row of
    thirty, of another shape or dtype, missing, or not numbers."""
    case, right, data = gradient
    row = right.copy()
    row[7] = 0
    spotted, infinite = right.copy(), right.copy()
    spotted[3, 4], infinite[3, 4] = np.nan, np.inf
    wrong = {
        "zero": [np.zeros_like(right)],
        "sign": [-right],
        "scaled": [right * np.float32(1.01)],
        "row": [row],
        "transposed": [right.T],
        "none": [],
        "nan": [np.full_like(right, np.nan)],
        "one nan": [spotted],
        "infinite": [infinite],
        "wide": [right.astype(np.float64)],
    }[fault]
    told = proof.compare_gradients(RELU, case, 1, wrong, data).failures
    assert told
    full_texts = {
        "transposed": ["gradient of x has shape (20, 30), expected (30, 20)"],
        "none": ["0 gradients, expected 1"],
        "one nan": ["gradient of x is not finite"],
        "wide": ["gradient of x has dtype float64, expected float32"],
    }
    assert told == full_texts.get(fault, told)


def test_a_proof_is_recorded_with_its_figures() -> None:
    """Proves that the record of a proof has the errors, the tolerances, and all reasons."""
    errors = proof.compare_outputs(RELU, CASE, [RIGHT + np.float32(1)], [REFERENCE])
    check = proof.check_of(errors, Tolerance(1e-5, 1e-6), 1, "reference", ["one", "two"])
    assert (check.passed, check.failure) == (False, "one; two")
    assert check.max_absolute == pytest.approx(1.0, rel=1e-6)
    assert (check.tolerance_max, check.tolerance_rms, check.elements) == (1e-5, 1e-6, 20)
    assert proof.check_of(errors, Tolerance(1.0, 1.0), 1, "changed", []).passed


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_errors_are_summed_without_blas(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that threads of the proof call nothing that has threads of its own, and that the sums
    are right of complex numbers too."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("BLAS was called")

    values = np.arange(5 * proof.CHUNK, dtype=np.float64).reshape(5, -1).astype(dtype)
    values = values * (1 + 1j) if dtype == "complex128" else values
    expected = float(np.sqrt(np.mean(np.abs(values) ** 2)))
    for name in ("vdot", "dot", "inner", "matmul"):
        monkeypatch.setattr(np, name, fail)
    assert proof.root_mean_square(values) == pytest.approx(expected, rel=1e-12)
    errors = proof._slab_errors(values, np.zeros_like(values), scale=1.0)
    assert np.sqrt(errors.squares / values.size) == pytest.approx(expected, rel=1e-12)

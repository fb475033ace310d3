"""Every mathematical intrinsic is its NumPy reference, in every type, within its stated bound."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from elementwise_kernels import elementwise

import speedmetal as sm
from speedmetal import dtypes
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import Intrinsic, IntrinsicKind, Result

RECORDS = [r for r in TABLE.values() if r.kind is IntrinsicKind.MATH]
CASES = [
    pytest.param(record, dtype, id=f"{record.name}-{dtype.name}")
    for record in RECORDS
    for dtype in (*dtypes.INTEGERS, *dtypes.FLOATS)
    if dtype.kind in record.accepts
]
ANY_ZERO = {"minimum", "maximum", "fmin", "fmax", "clamp"}
"""Which zero they give is left open."""
LGAMMA_ABSOLUTE = 2e-7  # its stated bound near its zeros left of 0
DOUBLE_REFERENCE_ULP = 3.0  # NumPy's and Python's own float64 functions, and ours beyond float32
GAMMA_REFERENCE_ULP = 8.0  # Python's: 5 measured against mpmath, ours 3
# Without float64, and with any sine. 3.61 measured in the simulator, against SciPy's, rounded.
METAL_ULP = {"gamma": 4.5}
NVIDIA_ULP: dict[str, tuple[float, float]] = {
    "sqrt": (0, 0), "rsqrt": (2, 1), "cbrt": (1, 1), "hypot": (3, 2), "exp": (2, 1), "exp2": (2, 1),
    "exp10": (2, 1), "expm1": (1, 1), "log": (1, 1), "log2": (1, 1), "log10": (2, 1),
    "log1p": (1, 1), "sin": (2, 2), "cos": (2, 2), "tan": (4, 2), "sinpi": (1, 2), "cospi": (1, 2),
    "asin": (2, 2), "acos": (2, 2), "atan": (2, 2), "atan2": (3, 2), "sinh": (3, 2), "cosh": (2, 1),
    "tanh": (2, 1), "asinh": (3, 3), "acosh": (4, 3), "atanh": (3, 2), "pow": (4, 2),
    "erf": (2, 2), "erfc": (4, 5), "erfinv": (2, 5), "lgamma": (6, 4), "gamma": (5, 10),
}  # fmt: skip
"""Greatest errors of NVIDIA's functions, float32 and float64: CUDA C++ Programming Guide, tables of
its appendix on mathematical functions."""
RANDOM_VALUES = 300


@functools.cache
def float_values(dtype: dtypes.DType) -> np.ndarray:
    """Special values, values around 1, and values of all magnitudes."""
    facts = np.finfo(np.float32 if dtype is sm.bfloat16 else dtype.numpy)
    special = [0.0, 1.0, 0.5, 2.0, 3.0, 0.1, 10.0, 100.0, 1e-3, np.pi, np.pi / 2, np.e, np.inf]
    special += [facts.tiny, facts.smallest_subnormal, facts.max, 1.0 - facts.epsneg, 1 + facts.eps]
    random = np.random.default_rng(11)
    sizes = 10.0 ** random.uniform(-4, 4, RANDOM_VALUES)
    signs = random.choice([-1.0, 1.0], RANDOM_VALUES)
    positive = np.array(special)
    with np.errstate(over="ignore"):
        values = np.concatenate(
            [positive, -positive, [np.nan], random.uniform(-2, 2, RANDOM_VALUES), sizes * signs]
        )
        return values.astype(dtype.numpy)


@functools.cache
def int_values(dtype: dtypes.DType) -> np.ndarray:
    edges = [0, 1, 2, 3, 7, 8, dtype.maximum, dtype.maximum - 1, dtype.minimum, dtype.minimum + 1]
    if dtype.is_signed:
        edges += [-1, -2, -8]
    random = np.random.default_rng(12)
    some = random.integers(dtype.minimum, dtype.maximum, 200, dtype.numpy, endpoint=True)
    return np.concatenate([np.array(edges, dtype.numpy), some])


def operands_of(record: Intrinsic, dtype: dtypes.DType) -> list[np.ndarray]:
    values = float_values(dtype) if dtype.is_float else int_values(dtype)
    if record.arity == 1:
        return [values]
    few = values[:: max(1, values.size // 40)] if record.arity == 3 else values[::2]
    edges = values[: 12 if record.arity == 3 else 35]
    chosen = np.unique(np.concatenate([edges, few]).view(f"u{dtype.itemsize}")).view(dtype.numpy)
    rows = np.array(list(itertools.product(range(chosen.size), repeat=record.arity)))
    if len(rows) > 20_000:
        rows = np.random.default_rng(13).permutation(rows)[:20_000]
    columns = [chosen[rows[:, k]] for k in range(record.arity)]
    random = np.random.default_rng(14)
    if record.name == "int_pow":
        columns[1] = random.integers(-3 if dtype.is_signed else 0, 40, len(rows)).astype(
            dtype.numpy
        )
    for k in record.scalar_operands:
        columns[k] = random.integers(-300, 300, len(rows)).astype(np.int32)
    return columns


def result_type(record: Intrinsic, dtype: dtypes.DType) -> np.dtype:
    kinds = {Result.SAME: dtype, Result.BOOL: sm.bool_, Result.INT32: sm.int32}
    return kinds[record.result].numpy


def ulp_errors(found: np.ndarray, wanted: np.ndarray, dtype: dtypes.DType) -> np.ndarray:
    """Differences in units of the last place of what is wanted; 0 where both are the same."""
    ours, theirs = found.astype(np.float64), wanted.astype(np.float64)
    with np.errstate(all="ignore"):
        if dtype is sm.bfloat16:
            exponent = np.floor(np.log2(np.maximum(np.abs(theirs), 2.0**-126)))
            spacing = 2.0 ** (exponent - 7)
        else:
            spacing = np.spacing(np.abs(wanted)).astype(np.float64)
        errors = np.abs(ours - theirs) / spacing
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return np.where(same, 0.0, np.where(np.isnan(errors), np.inf, errors))


def nvidia_ulp(record: Intrinsic, dtype: dtypes.DType, kind: str) -> float:
    """The greatest error of NVIDIA's function, where that is what a device runs; else 0."""
    if kind != "cuda" or dtype.bits == 16 or callable(record.spelling(kind, dtype)):
        return 0.0
    return NVIDIA_ULP.get(record.name, (0.0, 0.0))[dtype is sm.float64]


def overflow_errors(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The same of infinities in the place of finite numbers, as if the exponent went on."""
    greatest = np.finfo(wanted.dtype).max
    unit = greatest - np.nextafter(greatest, 0, dtype=wanted.dtype)
    is_over = np.isinf(found) & np.isfinite(wanted) & (np.signbit(found) == np.signbit(wanted))
    distances = (greatest - np.abs(wanted, where=is_over, out=np.zeros_like(wanted))) / unit
    return np.where(is_over, distances + 1, np.inf)


def allowed_ulp(record: Intrinsic, dtype: dtypes.DType, kind: str) -> float:
    if kind == "metal" and record.name in METAL_ULP:
        return METAL_ULP[record.name]
    if record.ulp == 0:
        return 0.0
    if dtype.bits == 16:
        return 1.0  # rounded to float32 first
    stated = max(record.ulp, nvidia_ulp(record, dtype, kind))
    # The reference is rounded, too.
    if dtype is sm.float32:
        return stated + 0.5
    return stated + (GAMMA_REFERENCE_ULP if record.name == "gamma" else DOUBLE_REFERENCE_ULP)


def unexpected(record: Intrinsic, dtype: dtypes.DType, kind: str, found, wanted) -> np.ndarray:
    """Which results are not within the bound."""
    if record.result is not Result.SAME or not dtype.is_float:
        return found != wanted
    wrong = ulp_errors(found, wanted, dtype) > allowed_ulp(record, dtype, kind)
    if bound := nvidia_ulp(record, dtype, kind):
        wrong &= overflow_errors(found, wanted) > bound
    if record.name == "lgamma":
        with np.errstate(invalid="ignore"):
            difference = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
        close = difference < LGAMMA_ABSOLUTE
        wrong &= ~close
    if record.name not in ANY_ZERO:
        zeros = (found == 0) & (wanted == 0)
        wrong |= zeros & (np.signbit(found) != np.signbit(wanted))
    return wrong


@pytest.mark.parametrize(("record", "dtype"), CASES)
def test_an_intrinsic_is_its_reference(device, launch, record, dtype):
    operands = operands_of(record, dtype)
    wanted = np.asarray(record.reference(*operands))
    found = np.zeros(operands[0].size, result_type(record, dtype))
    launch(elementwise(record, record.arity), *operands, found, grid=found.size)
    assert wanted.dtype == found.dtype
    wrong = np.flatnonzero(unexpected(record, dtype, device.kind, found, wanted))
    shown = [
        f"{record.name}({', '.join(str(o[k]) for o in operands)}) is {found[k]}, not {wanted[k]}"
        for k in wrong[:8]
    ]
    assert not shown, f"{wrong.size} of {found.size}:\n" + "\n".join(shown)


def test_a_fault_of_one_unit_is_seen():
    values = np.array([1.0, 2.5, 1e-40], np.float32)
    moved = np.nextafter(values, np.float32(np.inf))
    record = TABLE["floor"]
    assert unexpected(record, sm.float32, "cpu", moved, values).all()
    assert not unexpected(record, sm.float32, "cpu", values, values).any()
    signs = np.array([-0.0], np.float32)
    assert unexpected(record, sm.float32, "cpu", signs, -signs).all()


def test_beside_the_greatest_number_a_bound_of_nvidias_reaches_infinity():
    """Its hypot of float64, right to 2 units, was seen to be infinite there."""
    greatest = np.finfo(np.float64).max
    third = np.nextafter(np.nextafter(greatest, 0), 0)
    wanted = np.array([greatest, -greatest, third, np.nan, greatest])
    found = np.array([np.inf, -np.inf, np.inf, np.inf, -np.inf])
    hypot = TABLE["hypot"]
    assert unexpected(hypot, sm.float64, "cuda", found, wanted).tolist() == [False] * 2 + [True] * 3
    for kind in ("cpu", "metal"):
        assert unexpected(hypot, sm.float64, kind, found, wanted).all()
    assert unexpected(TABLE["fma"], sm.float64, "cuda", found, wanted).all()


@pytest.mark.tier("default")
@pytest.mark.parametrize("record", [r for r in RECORDS if r.aliases], ids=lambda r: r.name)
def test_an_alias_is_the_intrinsic(launch, record):
    dtype = sm.float32 if dtypes.Kind.FLOAT in record.accepts else sm.int32
    operands = [column[:40] for column in operands_of(record, dtype)]
    wanted = np.zeros(operands[0].size, result_type(record, dtype))
    launch(elementwise(record, record.arity), *operands, wanted, grid=wanted.size)
    for alias in record.aliases:
        found = np.zeros_like(wanted)
        launch(elementwise(alias, record.arity), *operands, found, grid=found.size)
        np.testing.assert_array_equal(found, wanted, err_msg=str(alias))


def test_an_intrinsic_of_floats_takes_integers_as_float32(launch):
    values = np.array([0, 1, 2, 100, 2**24 + 1], np.int32)
    found = np.zeros(values.size, np.float32)
    launch(elementwise(sm.sqrt, 1), values, found, grid=values.size)
    np.testing.assert_array_equal(found, np.sqrt(values.astype(np.float32)))

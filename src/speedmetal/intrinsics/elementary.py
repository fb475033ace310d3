"""Elementary and special functions: records over the library written in the kernel language."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.common.records import record
from speedmetal.dtypes import float32, float64
from speedmetal.intrinsics.define import aliases, elementwise, spell_per_target
from speedmetal.intrinsics.library import (
    exponential,
    logarithm,
    power,
    special,
    trigonometry,
)
from speedmetal.intrinsics.record import Intrinsic, Spelling
from speedmetal.intrinsics.reference import of_floats, one_by_one

_X = ("x",)


@record
class _Function:
    """A row of the table below.

    Args:
        meaning: Formula, range, special values.
        reference: Of float64 arrays.
        ulp: Measured bound in float32 on the CPU, rounded up (docs/accuracy.md has the table).
        names: What ``math`` and ``numpy`` call it, where they do.
        cuda, metal: Their function; None where there is none and the library serves.
    """

    meaning: str
    reference: Callable[..., Any]
    ulp: float
    names: tuple[str, ...]
    cuda: str | None
    metal: str | None
    operands: tuple[str, ...] = _X


def _sinpi(x: float) -> float:
    if not math.isfinite(x):
        return math.nan
    rest = math.fmod(abs(x), 2.0)
    if rest in {0.0, 1.0}:
        return math.copysign(0.0, x)
    folded = rest if rest <= 1.0 else rest - 2.0
    inner = folded if abs(folded) <= 0.5 else math.copysign(1.0, folded) - folded
    value = (
        math.sin(math.pi * inner)
        if abs(inner) <= 0.25
        else math.copysign(math.cos(math.pi * (0.5 - abs(inner))), inner)
    )
    return math.copysign(1.0, x) * value


def _cospi(x: float) -> float:
    if not math.isfinite(x):
        return math.nan
    rest = math.fmod(abs(x), 2.0)
    folded = min(rest, 2.0 - rest)  # in [0, 1]
    if folded == 0.5:
        return 0.0
    if folded <= 0.25:
        return math.cos(math.pi * folded)
    if folded >= 0.75:
        return -math.cos(math.pi * (1.0 - folded))
    return math.sin(math.pi * (0.5 - folded))


def _tanpi(x: float) -> float:
    cosine = _cospi(x)
    if cosine == 0.0:
        return math.copysign(math.inf, _sinpi(x))
    return _sinpi(x) / cosine


def _erfinv(x: float) -> float:
    """Newton's and Halley's steps on erf, from Winitzki's closed form (2008)."""
    if math.isnan(x) or abs(x) > 1:
        return math.nan
    if abs(x) in {0.0, 1.0}:
        return math.copysign(math.inf if x else 0.0, x)
    tail = math.log1p(-x * x)
    middle = 2 / (math.pi * 0.147) + tail / 2
    y = math.sqrt(math.sqrt(middle * middle - tail / 0.147) - middle)
    if y == 0.0:
        return x * math.sqrt(math.pi) / 2
    target = 1 - abs(x)
    for _ in range(4):
        error = math.erf(y) - abs(x) if y < 0.5 else target - math.erfc(y)
        step = error * math.sqrt(math.pi) / 2 * math.exp(y * y)
        y -= step / (1 + y * step)
    return math.copysign(y, x)


def _gamma(x: float) -> float:
    if x == 0.0:
        return math.copysign(math.inf, x)
    try:
        return math.gamma(x)
    except OverflowError:  # at 0 from below, or far above it
        return math.copysign(math.inf, x)


def _lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except ValueError:
        return math.inf


_ROWS: dict[str, _Function] = {
    "sin": _Function(
        "The sine of x radians. NaN at the infinities; -0.0 stays.",
        of_floats(np.sin), 2, ("sin",), "sin", "precise::sin",
    ),
    "cos": _Function(
        "The cosine of x radians. NaN at the infinities.",
        of_floats(np.cos), 2, ("cos",), "cos", "precise::cos",
    ),
    "tan": _Function(
        "The tangent of x radians. NaN at the infinities; -0.0 stays.",
        of_floats(np.tan), 3.25, ("tan",), "tan", "precise::tan",
    ),
    "sinpi": _Function(
        "sin(pi * x). NaN at the infinities; a zero with the sign of x at whole numbers.",
        one_by_one(_sinpi), 2.5, ("sinpi",), "sinpi", "precise::sinpi",
    ),
    "cospi": _Function(
        "cos(pi * x). NaN at the infinities; +0.0 at halves.",
        one_by_one(_cospi), 2.5, ("cospi",), "cospi", "precise::cospi",
    ),
    "tanpi": _Function(
        "tan(pi * x): sinpi(x) / cospi(x). NaN at the infinities.",
        one_by_one(_tanpi), 3.5, ("tanpi",), None, "precise::tanpi",
    ),
    "asin": _Function(
        "The angle in [-pi/2, pi/2] whose sine is x. NaN where |x| > 1; -0.0 stays.",
        of_floats(np.arcsin), 2.5, ("asin", "arcsin"), "asin", "precise::asin",
    ),
    "acos": _Function(
        "The angle in [0, pi] whose cosine is x. NaN where |x| > 1.",
        of_floats(np.arccos), 1.25, ("acos", "arccos"), "acos", "precise::acos",
    ),
    "atan": _Function(
        "The angle in [-pi/2, pi/2] whose tangent is x; the ends at the infinities.",
        of_floats(np.arctan), 1.5, ("atan", "arctan"), "atan", "precise::atan",
    ),
    "atan2": _Function(
        "The angle in [-pi, pi] of the point (x, y). Zeros and infinities as in C99, annex F.",
        of_floats(np.arctan2), 2, ("atan2", "arctan2"), "atan2", "precise::atan2", ("y", "x"),
    ),
    "sinh": _Function(
        "(exp(x) - exp(-x)) / 2. Overflows to an infinity from |x| > 89.4159; -0.0 stays.",
        of_floats(np.sinh), 2, ("sinh",), "sinh", "precise::sinh",
    ),
    "cosh": _Function(
        "(exp(x) + exp(-x)) / 2. Overflows to inf from |x| > 89.4159.",
        of_floats(np.cosh), 2, ("cosh",), "cosh", "precise::cosh",
    ),
    "tanh": _Function(
        "sinh(x) / cosh(x). -1 and 1 at the infinities; -0.0 stays.",
        of_floats(np.tanh), 3, ("tanh",), "tanh", "precise::tanh",
    ),
    "asinh": _Function(
        "log(x + sqrt(x * x + 1)). Infinities and -0.0 stay.",
        of_floats(np.arcsinh), 2, ("asinh", "arcsinh"), "asinh", "precise::asinh",
    ),
    "acosh": _Function(
        "log(x + sqrt(x * x - 1)). NaN where x < 1; inf at inf.",
        of_floats(np.arccosh), 2.25, ("acosh", "arccosh"), "acosh", "precise::acosh",
    ),
    "atanh": _Function(
        "log((1 + x) / (1 - x)) / 2. Infinite at -1 and 1; NaN where |x| > 1.",
        of_floats(np.arctanh), 2.25, ("atanh", "arctanh"), "atanh", "precise::atanh",
    ),
    "exp": _Function(
        "e ** x. inf above 88.7228, 0 below -103.972 (float32); 0 at -inf.",
        of_floats(np.exp), 1, ("exp",), "exp", "precise::exp",
    ),
    "exp2": _Function(
        "2 ** x, exact at whole numbers. inf from 128, 0 from -150 (float32).",
        of_floats(np.exp2), 1, ("exp2",), "exp2", "precise::exp2",
    ),
    "exp10": _Function(
        "10 ** x. inf above 38.5318, 0 below -45.1545 (float32).",
        of_floats(lambda x: np.power(10.0, x)), 1, ("exp10",), "exp10", "precise::exp10",
    ),
    "expm1": _Function(
        "e ** x - 1, without cancellation near 0. -1 at -inf; -0.0 stays.",
        of_floats(np.expm1), 1.5, ("expm1",), "expm1", None,
    ),
    "log": _Function(
        "The natural logarithm. -inf at 0, NaN below 0, inf at inf.",
        of_floats(np.log), 1, ("log",), "log", "precise::log",
    ),
    "log2": _Function(
        "The logarithm of base 2, exact at powers of 2. -inf at 0, NaN below 0, inf at inf.",
        of_floats(np.log2), 1, ("log2",), "log2", "precise::log2",
    ),
    "log10": _Function(
        "The logarithm of base 10. -inf at 0, NaN below 0, inf at inf.",
        of_floats(np.log10), 1, ("log10",), "log10", "precise::log10",
    ),
    "log1p": _Function(
        "log(1 + x), without cancellation near 0. -inf at -1, NaN below; -0.0 stays.",
        of_floats(np.log1p), 1.5, ("log1p",), "log1p", None,
    ),
    "pow": _Function(
        "a ** b. NaN for a < 0 with b not whole; zeros, infinities and NaN as in C99, annex F:"
        " pow(1, b) and pow(a, 0) are 1 whatever the other is.",
        of_floats(np.power), 1, ("pow", "power"), "pow", "precise::pow", ("a", "b"),
    ),
    "rsqrt": _Function(
        "1 / sqrt(x). inf at 0.0, -inf at -0.0, NaN below 0, 0 at inf.",
        of_floats(lambda x: 1 / np.sqrt(x)), 1.5, (), "rsqrt", "precise::rsqrt",
    ),
    "cbrt": _Function(
        "The real cube root, of negative numbers too. Infinities and zeros stay.",
        of_floats(np.cbrt), 1, ("cbrt",), "cbrt", None,
    ),
    "hypot": _Function(
        "sqrt(a * a + b * b) without overflow on the way. inf where either is infinite.",
        of_floats(np.hypot), 1.25, ("hypot",), "hypot", None, ("a", "b"),
    ),
    "erf": _Function(
        "2 / sqrt(pi) times the integral of exp(-t * t) from 0 to x. -1 and 1 at the infinities.",
        one_by_one(math.erf), 2, ("erf",), "erf", None,
    ),
    "erfc": _Function(
        "1 - erf(x), without cancellation. 0 at inf, 2 at -inf.",
        one_by_one(math.erfc), 3.75, ("erfc",), "erfc", None,
    ),
    "erfinv": _Function(
        "The y with erf(y) = x. Infinite at -1 and 1; NaN where |x| > 1.",
        one_by_one(_erfinv), 2.5, (), "erfinv", None,
    ),
    "gamma": _Function(
        "The gamma function. inf at 0.0, -inf at -0.0; NaN at negative whole numbers and at -inf;"
        " inf above 35.0401 (float32).",
        one_by_one(_gamma), 1, ("gamma",), "tgamma", None,
    ),
    "lgamma": _Function(
        "log(|gamma(x)|). inf at 0, at negative whole numbers and at the infinities. Left of 0,"
        " where it has zeros, the bound is in units in the last place of lgamma(-x) + 4.",
        one_by_one(_lgamma), 4, ("lgamma",), "lgamma", None,
    ),
}  # fmt: skip


def _float_and_double(module: Any, name: str) -> tuple[Spelling, Spelling]:
    """The module's functions of float32 and of float64."""
    return getattr(module, name), getattr(module, f"{name}_double")


_MODULES: dict[Any, tuple[str, ...]] = {
    exponential: ("exp", "exp2", "exp10", "expm1", "sinh", "cosh", "tanh"),
    logarithm: ("log", "log2", "log10", "log1p", "asinh", "acosh", "atanh"),
    trigonometry: (
        *("sin", "cos", "tan", "sinpi", "cospi", "tanpi"),
        *("asin", "acos", "atan", "atan2"),
    ),
    power: ("cbrt", "hypot"),
    special: ("erf", "erfc", "erfinv", "gamma", "lgamma"),
}
_CPU: dict[str, tuple[Spelling, Spelling]] = {
    name: _float_and_double(module, name) for module, names in _MODULES.items() for name in names
} | {
    "rsqrt": ("@rsqrt", "@rsqrt"),
    # The C library's power of float64 is correct to 1 ULP, one thread at a time.
    "pow": (power.pow, "llvm.pow"),
}
# Where float32 is not enough for its own results; Metal, which has no float64, makes do with it.
_CPU_BY_DOUBLE: dict[str, Spelling] = {"gamma": special.gamma_by_double}


def _record(name: str, row: _Function) -> Intrinsic:
    single, double = _CPU[name]
    by_type: dict[tuple[str, str], Spelling] = {("cpu", float64.name): double}
    if name in _CPU_BY_DOUBLE:
        by_type["cpu", float32.name] = _CPU_BY_DOUBLE[name]
    if row.cuda is None:
        by_type["cuda", float64.name] = double
    return elementwise(
        name,
        row.operands,
        row.meaning,
        row.reference,
        spell_per_target(single, row.cuda or single, row.metal or single),
        ulp=row.ulp,
        aliases=aliases(*row.names, modules=(math, np)),
        by_type=by_type,
    )


RECORDS = tuple(_record(name, row) for name, row in _ROWS.items())

"""Fit the polynomials of the mathematical library; write ``intrinsics/library/coefficients.py``.

Each polynomial is the weighted least-squares fit at Chebyshev points, which is nearly the minimax
one, in 60-digit arithmetic. Coefficients are rounded to the format one after another, the lowest
power first, and the others are fitted again after each rounding, so that they make good for it.

Run: ``python benchmarks/fit_polynomials.py``. It needs mpmath, takes some minutes, and prints the
largest weighted error of each polynomial as a power of two.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpmath import matrix, mp, mpf

mp.dps = 60
Real = Any  # mpmath's numbers have no annotations

TARGET = Path(__file__).parent.parent / "src/speedmetal/intrinsics/library/coefficients.py"


@dataclass(frozen=True)
class Fit:
    """A function to approximate.

    Args:
        name: Field of ``Coefficients``.
        function: What the polynomial stands for.
        weight: Factor of the error; one over the final result makes it relative.
        low, high: Interval.
        single, double: How many coefficients in float32 and float64.
        meaning: For the comment above the numbers.
    """

    name: str
    function: Callable[[Real], Real]
    weight: Callable[[Real], Real]
    low: Real
    high: Real
    single: int
    double: int
    meaning: str


def _series(function: Callable[[Real], Real], order: int) -> Callable[[Real], Real]:
    """``(function(x) - its first terms) / x**order``, safe near 0."""
    terms = mp.taylor(function, 0, order + 14)

    def quotient(x: Real) -> Real:
        if abs(x) < mpf(10) ** -3:
            return mp.polyval(terms[: order - 1 : -1], x)
        return (function(x) - mp.polyval(terms[order - 1 :: -1] if order else [0], x)) / x**order

    return quotient


def _of_square(function: Callable[[Real], Real], order: int) -> Callable[[Real], Real]:
    """As :func:`_series` for an odd function, in terms of u = x * x."""
    inner = _series(function, order)
    return lambda u: inner(mp.sqrt(u))


def _chebyshev(low: Real, high: Real, count: int) -> list[Real]:
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle - half * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]


def _round_to_format(value: Real, letter: str) -> float:
    """The nearest float of the format, as a Python float."""
    if letter == "d":
        return float(value)
    nearest = struct.unpack("f", struct.pack("f", float(value)))[0]
    return float(nearest)


def fit(task: Fit, count: int, letter: str) -> tuple[tuple[float, ...], Real]:
    """Rounded coefficients, the lowest power first, and the largest weighted error."""
    points = _chebyshev(mpf(task.low), mpf(task.high), 12 * (count + 2))
    weights = [mpf(task.weight(x)) for x in points]
    columns = [[w * x**k for x, w in zip(points, weights, strict=True)] for k in range(count)]
    target = [mpf(task.function(x)) * w for x, w in zip(points, weights, strict=True)]
    gram = [[mp.fdot(a, b) for b in columns] for a in columns]
    right = [mp.fdot(column, target) for column in columns]
    fixed: list[float] = []
    while len(fixed) < count:
        done = len(fixed)
        system = matrix([row[done:] for row in gram[done:]])
        rest = [r - mp.fdot(row[:done], fixed) for r, row in zip(right, gram, strict=True)]
        fixed.append(_round_to_format(mp.lu_solve(system, matrix(rest[done:]))[0], letter))
    errors = [mp.fdot(terms, fixed) - t for *terms, t in zip(*columns, target, strict=True)]
    return tuple(fixed), max(abs(e) for e in errors)


def _relative(function: Callable[[Real], Real], power: int) -> Callable[[Real], Real]:
    """Weight of a polynomial that ``x**power`` multiplies in the result ``function(x)``."""
    tiny = mpf(10) ** -30

    def weight(x: Real) -> Real:
        at = x if abs(x) > tiny else tiny
        return abs(at**power / function(at))

    return weight


def _odd(function: Callable[[Real], Real], power: int) -> Callable[[Real], Real]:
    inner = _relative(function, power)
    return lambda u: inner(mp.sqrt(u))


_HALF_LN2 = mp.log(2) / 2 * mpf("1.002")
_LOG_LOW, _LOG_HIGH = mp.sqrt(mpf(1) / 2) - 1, mp.sqrt(2) - 1


def _exp(x: Real) -> Real:
    return mp.exp(x)


# Where the constant coefficient is a float32, all but 2**-35 of it.
_ERFC_CENTER = mpf("3.2265625")
_ERFC_SLOPE = mpf("0.6875")


def _erfc_place(x: Real) -> Real:
    """The variable of M. M. Shepherd and J. G. Laframboise, "Chebyshev approximation of
    (1 + 2x) exp(x**2) erfc x in 0 <= x < infinity", Mathematics of Computation 36 (1981).
    """
    return (x - _ERFC_CENTER) / (x + _ERFC_CENTER)


def _scaled_erfc(t: Real) -> Real:
    x = _ERFC_CENTER * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def _scaled_erfc_of_share(c: Real) -> Real:
    t = c + mpf("0.5")
    x = (1 / t - 1) / _ERFC_SLOPE
    return mp.exp(x * x) * mp.erfc(x) / t


def _erfinv_ratio(w: Real) -> Real:
    """erfinv(x) / x, both functions of w alone (M. Giles, "Approximating the erfinv function")."""
    if w < mpf(10) ** -20:
        return mp.sqrt(mp.pi) / 2
    tail = mp.exp(-w)  # 1 - x**2
    x = mp.sqrt(1 - tail)
    rest = tail / (1 + x)  # 1 - x
    y = mp.sqrt(w) * mpf("0.9")
    for _ in range(60):
        step = (mp.erfc(y) - rest) * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
        y += step / (1 - y * step)
        if abs(step) < mpf(10) ** -45:
            break
    return y / x


def _lgamma_ratio(d: Real) -> Real:
    if abs(d) < mpf(10) ** -12:
        return mp.digamma(2) + d * (mp.polygamma(1, 2) / 2 - mp.digamma(2))
    if abs(d + 1) < mpf(10) ** -12:
        return -mp.digamma(1)
    return mp.loggamma(2 + d).real / (d * (d + 1))


def _stirling(u: Real) -> Real:
    x = 1 / mp.sqrt(u)
    if x > 1000:
        return mpf(1) / 12 - u / 360 + u * u / 1260
    return (
        mp.loggamma(x).real - (x - mpf("0.5")) * (mp.log(x) - 1) - (mp.log(2 * mp.pi) - 1) / 2
    ) * x


FITS = (
    Fit("exp", _series(_exp, 2), _relative(_exp, 2), -_HALF_LN2, _HALF_LN2, 5, 10,
        "(exp(r) - 1 - r) / r**2"),
    Fit("cosh", _of_square(mp.cosh, 2), lambda u: u / mp.cosh(mp.sqrt(u)),
        mpf(0), _HALF_LN2**2, 3, 6, "(cosh(r) - 1) / r**2 in r**2"),
    Fit("sinh", _of_square(mp.sinh, 3), _odd(mp.sinh, 3), mpf(0), _HALF_LN2**2, 3, 6,
        "(sinh(r) - r) / r**3 in r**2"),
    Fit("exp2", _series(lambda x: mpf(2) ** x, 1), _relative(lambda x: mpf(2) ** x, 1),
        mpf("-0.5"), mpf("0.5"), 6, 11, "(2**r - 1) / r"),
    Fit("exp10", _series(lambda x: mpf(10) ** x, 1), _relative(lambda x: mpf(10) ** x, 1),
        mpf("-0.151"), mpf("0.151"), 6, 11, "(10**r - 1) / r"),
    Fit("log", _series(mp.log1p, 3), _relative(mp.log1p, 3), _LOG_LOW, _LOG_HIGH, 9, 20,
        "(log(1 + f) - f + f**2 / 2) / f**3"),
    Fit("log2", lambda x: _series(lambda y: mp.log1p(y) / mp.log(2), 1)(x) - 1,
        _relative(lambda y: mp.log1p(y) / mp.log(2), 1), _LOG_LOW, _LOG_HIGH, 10, 21,
        "log2(1 + f) / f - 1"),
    Fit("log10", _series(lambda y: mp.log1p(y) / mp.log(10), 2),
        _relative(lambda y: mp.log1p(y) / mp.log(10), 2), _LOG_LOW, _LOG_HIGH, 9, 21,
        "(log10(1 + f) - f / log(10)) / f**2"),
    Fit("sin", _of_square(mp.sin, 3), _odd(mp.sin, 3), mpf(0), mpf("1.60") ** 2, 4, 8,
        "(sin(r) - r) / r**3 in r**2"),
    Fit("tan", _of_square(mp.tan, 3), _odd(mp.tan, 3), mpf(0), mpf("0.80") ** 2, 7, 15,
        "(tan(r) - r) / r**3 in r**2"),
    Fit("sinpi", _of_square(lambda x: mp.sin(mp.pi * x), 3), _odd(lambda x: mp.sin(mp.pi * x), 3),
        mpf(0), mpf("0.25"), 4, 8, "(sin(pi * r) - pi * r) / r**3 in r**2"),
    Fit("asin", _of_square(mp.asin, 3), _odd(mp.asin, 3), mpf(0), mpf("0.25"), 5, 13,
        "(asin(s) - s) / s**3 in s**2"),
    Fit("atan", _of_square(mp.atan, 3), _odd(mp.atan, 3), mpf(0), mpf(1), 9, 21,
        "(atan(t) - t) / t**3 in t**2"),
    Fit("pow_log2", _series(lambda y: mp.log1p(y) / mp.log(2), 1),
        _relative(lambda y: mp.log1p(y) / mp.log(2), 1), _LOG_LOW, _LOG_HIGH, 0, 13,
        "log2(1 + f) / f, as far as float32's power needs it"),
    Fit("pow_exp2", lambda r: mpf(2) ** r, lambda r: mpf(2) ** -r, mpf("-0.5"), mpf("0.5"), 0, 7,
        "2**r, as far as float32's power needs it"),
    Fit("erf", lambda u: _of_square(mp.erf, 1)(u) - 1, _odd(mp.erf, 1), mpf(0), mpf(1), 7, 14,
        "erf(x) / x - 1 in x**2"),
    Fit("erf_tail", lambda c: -mp.log(mp.erfc(c + mpf("2.5"))), lambda c: mp.erfc(c + mpf("2.5")),
        mpf("-1.5"), mpf("1.5"), 7, 0, "-log(erfc(c + 2.5)) for c + 2.5 from 1 to 4"),
    Fit("erfc", _scaled_erfc_of_share, lambda t: 1 / _scaled_erfc_of_share(t),
        1 / (1 + 11 * _ERFC_SLOPE) - mpf("0.5"), mpf("0.5"), 12, 0,
        "exp(x**2) * erfc(x) / t in t - 0.5, t = 1 / (1 + 0.6875x)"),
    Fit("erfc_tail", _scaled_erfc, lambda t: 1 / _scaled_erfc(t), _erfc_place(mpf("0.49")),
        _erfc_place(mpf("27.5")), 0, 26,
        "(1 + 2x) * exp(x**2) * erfc(x) in (x - c) / (x + c), c = 3.2265625"),
    Fit("erfinv", lambda c: _erfinv_ratio(c + mpf("2.5")),
        lambda c: 1 / _erfinv_ratio(c + mpf("2.5")), mpf("-2.5"), mpf("2.5"), 11, 0,
        "erfinv(x) / x in w - 2.5, w = -log(1 - x**2) up to 5"),
    Fit("erfinv_tail", lambda c: _erfinv_ratio((c + 3) ** 2),
        lambda c: 1 / _erfinv_ratio((c + 3) ** 2), mpf("-0.77"), mpf("1.2"), 10, 0,
        "erfinv(x) / x in sqrt(w) - 3, w above 5"),
    Fit("gamma", lambda c: mp.gamma(c + mpf("1.5")), lambda c: 1 / mp.gamma(c + mpf("1.5")),
        mpf("-0.5"), mpf("0.5"), 11, 24, "gamma(c + 1.5)"),
    Fit("lgamma", _lgamma_ratio, lambda d: 1 / _lgamma_ratio(d), mpf(-1), mpf(1), 14, 29,
        "lgamma(2 + d) / (d * (d + 1))"),
    Fit("stirling", _stirling, lambda u: mp.sqrt(u) / mp.loggamma(1 / mp.sqrt(u)).real
        if u > 1e-12 else mpf(0), mpf("1e-9"), mpf(1) / 9, 4, 10,
        "(log(gamma(x)) - (x - 1/2) * (log(x) - 1) - (log(2 * pi) - 1) / 2) * x in 1 / x**2"),
)  # fmt: skip


def _source(results: dict[str, tuple[Fit, dict[str, tuple[float, ...]]]]) -> str:
    lines = [
        '"""Coefficients of the mathematical library: written by benchmarks/fit_polynomials.py.',
        "",
        "Each tuple starts with the highest power, as Horner's scheme wants it.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from dataclasses import dataclass",
        "",
        "",
        "@dataclass(frozen=True, slots=True)",
        "class Coefficients:",
        '    """The polynomials of one float format."""',
        "",
    ]
    lines += [
        f"    {name}: tuple[float, ...]  # {task.meaning}" for name, (task, _) in results.items()
    ]
    for title, letter in (("SINGLE", "f"), ("DOUBLE", "d")):
        lines += ["", "", f"{title} = Coefficients("]
        for name, (_, numbers) in results.items():
            if not numbers[letter]:
                lines.append(f"    {name}=(),  # the other format alone uses it")
                continue
            lines.append(f"    {name}=(")
            lines += [f"        {c!r}," for c in reversed(numbers[letter])]
            lines.append("    ),")
        lines.append(")")
    return (
        "\n".join(lines)
        .replace("\n\n\nSINGLE", "\n\nSINGLE")
        .replace(")\n\n\nDOUBLE", ")\n\nDOUBLE")
        + "\n"
    )


def _present(name: str, letter: str) -> tuple[float, ...]:
    """What the module has now."""
    space: dict[str, Any] = {"__name__": __name__}
    exec(TARGET.read_text(), space)  # noqa: S102 - our own file, which must not need speedmetal
    return tuple(reversed(getattr(space[{"f": "SINGLE", "d": "DOUBLE"}[letter]], name)))


def main(names: list[str]) -> None:
    """Fit all, or those that are named while the others stay, and write the module."""
    results = {}
    for task in FITS:
        numbers = {}
        for letter, count in (("f", task.single), ("d", task.double)):
            if not count:
                numbers[letter] = ()
                continue
            if names and task.name not in names:
                numbers[letter] = _present(task.name, letter)
                continue
            numbers[letter], error = fit(task, count, letter)
            print(f"{task.name:12} {letter} {count:3} 2**{float(mp.log(error, 2)):.1f}", flush=True)
        results[task.name] = (task, numbers)
    TARGET.write_text(_source(results))


if __name__ == "__main__":
    main(sys.argv[1:])

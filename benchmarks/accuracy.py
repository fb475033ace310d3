"""Measure the errors of the mathematical functions, compiled for the CPU.

float32 functions of one operand are evaluated at every one of the 2**32 floats and compared with
the float64 functions of the same name, which are themselves compared with mpmath at thousands of
points; float32 functions of two operands are compared at random pairs of every exponent.

Run: ``python benchmarks/accuracy.py --jobs 16 --json results.json``, which takes about an hour of
one core, shared by the processes; then ``--merge results.json`` puts what was measured into
docs/accuracy.md, which keeps its other rows (``--write`` does both at once). ``--every 61`` takes
each 61st float only; names choose functions. The file is written anew after each part, so that a
run that is stopped leaves the functions that it finished. The exit status is the number of
functions beyond their bound.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

import speedmetal as sm
from speedmetal.backends.cpu.pool import THREADS_VARIABLE
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.accuracy import make_stratified_floats, ulp_errors
from speedmetal.intrinsics.record import Intrinsic, IntrinsicKind, Result

PAGE = Path(__file__).parent.parent / "docs/accuracy.md"
FLOATS = 1 << 32
BLOCK = 1 << 22
PARTS = 16  # of the floats, for a function of one operand
PAIRS = 1 << 22
POINTS = 3000

# mpmath's functions, where they have another name or none.
_MPMATH: dict[str, Callable[..., Any]] = {
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "exp10": lambda x: mpmath.mpf(10) ** x,
    "tanpi": lambda x: mpmath.sinpi(x) / mpmath.cospi(x),
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "pow": lambda a, b: mpmath.mpf(a) ** b,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))) if x < 0 else mpmath.loggamma(x),
    "degrees": lambda x: x * 180 / mpmath.pi,
    "radians": lambda x: x * mpmath.pi / 180,
}
# Where float64 has a result that is neither 0, 1, infinite nor NaN.
_INTERVALS = {
    "exp": (-745, 709), "exp2": (-1074, 1024), "exp10": (-323, 308), "expm1": (-40, 709),
    "sinh": (-710, 710), "cosh": (-710, 710), "tanh": (-20, 20),
    "log": (5e-324, 1e308), "log2": (5e-324, 1e308), "log10": (5e-324, 1e308),
    "log1p": (-1, 1e308), "asinh": (-1e308, 1e308), "acosh": (1, 1e308), "atanh": (-1, 1),
    "sin": (-1e308, 1e308), "cos": (-1e308, 1e308), "tan": (-1e308, 1e308),
    "sinpi": (-1e15, 1e15), "cospi": (-1e15, 1e15), "tanpi": (-1e15, 1e15),
    "asin": (-1, 1), "acos": (-1, 1), "atan": (-1e308, 1e308), "rsqrt": (5e-324, 1e308),
    "cbrt": (-1e308, 1e308), "erf": (-6, 6), "erfc": (-6, 26), "erfinv": (-1, 1),
    "gamma": (-170, 171), "lgamma": (-1e4, 1e300), "degrees": (-1e300, 1e300),
    "radians": (-1e300, 1e300),
}  # fmt: skip
# Functions with zeros left of 0 that have absolute bounds there, which the tests hold.
_ABSOLUTE_LEFT_OF_ZERO = {"lgamma"}


@dataclass(frozen=True)
class Worst:
    """The largest error found, and the operands."""

    ulp: float
    at: tuple[float, ...]


def _error(result: Any, exact: Any) -> Any:
    """``ulp_errors`` in the kernel language."""
    rounded = sm.float32(exact)
    field = (sm.bitcast(exact, sm.int64) >> 52) & 2047
    exponent = max(field - 1023, -126)
    scale = sm.bitcast((1046 - exponent) << 52, sm.float64)
    is_infinite = abs(result) == np.inf
    behind = sm.copysign(sm.float64(2.0**128), sm.float64(result))
    distance = abs((behind if is_infinite else sm.float64(result)) - exact) * scale
    same = (rounded == result) and is_infinite
    both_nan = sm.isnan(rounded) and sm.isnan(result)
    strange = sm.isnan(rounded) != sm.isnan(result)
    strange = strange or (abs(exact) == np.inf and rounded != result)
    both_zero = rounded == 0.0 and result == 0.0
    strange = strange or (both_zero and sm.signbit(rounded) != sm.signbit(result))
    return np.inf if strange else 0.0 if (same or both_nan) else distance


@functools.cache
def _errors_of(name: str) -> sm.Kernel:
    """The kernel that finds a function's errors; compiled once in a process."""
    function, right_only = TABLE[name], name in _ABSOLUTE_LEFT_OF_ZERO

    @sm.kernel
    def errors(start: Any, step: Any, worst: Any) -> None:
        i = sm.thread_position_in_grid().x
        x = sm.bitcast(sm.uint32(sm.int64(i) * step + start), sm.float32)
        if right_only:
            x = abs(x)
        worst[i] = sm.float32(_error(function(x), function(sm.float64(x))))

    return errors


def _part(function: Intrinsic, every: int, part: int) -> Worst:
    """The largest error at one of ``PARTS`` shares of the floats."""
    errors, found = _errors_of(function.name), Worst(-1.0, ())
    output = np.zeros(BLOCK, np.float32)
    starts = range(0, FLOATS, BLOCK * every)
    for start in starts[part::PARTS]:
        errors(np.int64(start), np.int64(every), output, grid=BLOCK)
        place = int(np.argmax(output))
        if output[place] > found.ulp:
            x = np.uint32((start + place * every) % FLOATS).view(np.float32)
            found = Worst(float(output[place]), (float(x),))
    return found


def _run_compiled(
    function: Intrinsic, operands: list[np.ndarray[Any, Any]]
) -> np.ndarray[Any, Any]:
    @sm.kernel
    def unary(a: Any, c: Any) -> None:
        i = sm.thread_position_in_grid().x
        c[i] = function(a[i])

    @sm.kernel
    def binary(a: Any, b: Any, c: Any) -> None:
        i = sm.thread_position_in_grid().x
        c[i] = function(a[i], b[i])

    result = np.empty_like(operands[0])
    (unary if len(operands) == 1 else binary)(*operands, result, grid=result.size)
    return result


def _pairs(function: Intrinsic) -> Worst:
    """float32 at pairs of all exponents, and at pairs of moderate size."""
    random = np.random.default_rng(1)
    wild = make_stratified_floats(np.float32, 64)
    wild = wild[np.abs(wild) != 0]
    tame = random.uniform(-20, 20, wild.size).astype(np.float32)
    pool = np.concatenate([wild, tame, np.float32([0.0, -0.0, 1.0, -1.0])])
    a, b = random.choice(pool, PAIRS), random.choice(pool, PAIRS)
    result = _run_compiled(function, [a, b])
    with np.errstate(all="ignore"):
        exact = function.reference(a.astype(np.float64), b.astype(np.float64))
    errors = ulp_errors(result, exact)
    place = int(np.argmax(errors))
    return Worst(float(errors[place]), (float(a[place]), float(b[place])))


def _points(name: str) -> np.ndarray[Any, Any]:
    """Points of all magnitudes within the interval, and uniform ones of moderate size."""
    random = np.random.default_rng(2)
    low, high = _INTERVALS[name]
    every = make_stratified_floats(np.float64, 3)[: 1 << 20]
    drawn = random.choice(every[(every >= low) & (every <= high)], POINTS // 3)
    near = random.uniform(max(low, -30), min(high, 30), POINTS // 3)
    broad = random.uniform(max(low, -750), min(high, 750), POINTS // 3)
    return np.concatenate([drawn, near, broad])


def _longdouble(value: Any) -> np.longdouble:
    if isinstance(value, mpmath.mpc):
        return np.longdouble("nan")
    high = float(value)
    low = float(value - mpmath.mpf(high)) if np.isfinite(high) else 0.0
    return np.longdouble(high) + np.longdouble(low)


def _exactly(function: Callable[..., Any], *operands: float) -> np.longdouble:
    try:
        return _longdouble(function(*(mpmath.mpf(x) for x in operands)))
    except (ZeroDivisionError, ValueError):
        return np.longdouble("nan")


def _double(function: Intrinsic) -> Worst:
    exact_function = _MPMATH.get(function.name) or getattr(mpmath, function.name)
    random = np.random.default_rng(3)
    if function.arity == 1:
        operands = [_points(function.name)]
    else:
        operands = [np.exp(random.uniform(-5, 5, POINTS)), random.uniform(-100, 100, POINTS)]
    result = _run_compiled(function, operands)
    with mpmath.workprec(160):
        exact = np.array([_exactly(exact_function, *xs) for xs in zip(*operands, strict=True)])
    errors = ulp_errors(result, exact)
    errors[~np.isfinite(exact) | (exact == result)] = 0.0  # mpmath has one zero
    if function.name in _ABSOLUTE_LEFT_OF_ZERO:
        errors[operands[0] < 0] = 0.0
    place = int(np.argmax(errors))
    return Worst(float(errors[place]), tuple(float(x[place]) for x in operands))


def _is_measured(function: Intrinsic) -> bool:
    return (
        function.kind is IntrinsicKind.MATH and function.ulp > 0 and function.result is Result.SAME
    )


# --- All of it -----------------------------------------------------------------------------------

Task = tuple[str, str, int, int]
"""A function, what is measured of it, every which float is taken, and the share of them."""
Results = dict[str, dict[str, Any]]
"""For each function what a row of the page says."""


def _tasks(names: list[str], every: int) -> Iterator[Task]:
    """Those of a function together, which each process compiles once."""
    yield from ((name, "double", 1, 0) for name in names)
    for name in names:
        if TABLE[name].arity == 1:
            yield from ((name, "single", every, part) for part in range(PARTS))
        else:
            yield name, "single", 1, 0


def _measure(task: Task) -> Worst:
    name, precision, every, part = task
    function = TABLE[name]
    if precision == "double":
        return _double(function)
    return _part(function, every, part) if function.arity == 1 else _pairs(function)


def _measure_tasks(tasks: list[Task], jobs: int) -> Iterator[tuple[Task, Worst]]:
    """What each task finds, as it comes."""
    if jobs == 1:
        yield from ((task, _measure(task)) for task in tasks)
        return
    os.environ[THREADS_VARIABLE] = "1"  # of each process; they are what runs side by side
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting = {pool.submit(_measure, task): task for task in tasks}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


def _results(found: dict[Task, Worst], tasks: list[Task]) -> Results:
    """Of the functions of which all is measured."""
    results: Results = {}
    for name, own in itertools.groupby(sorted(tasks), key=lambda task: task[0]):
        parts = list(own)
        if not all(task in found for task in parts):
            continue
        # The first of equals, whichever process was faster.
        single = max((found[t] for t in parts if t[1] == "single"), key=lambda worst: worst.ulp)
        double = next(found[t] for t in parts if t[1] == "double")
        every = max(task[2] for task in parts)
        share = "pairs" if TABLE[name].arity > 1 else "all" if every == 1 else f"1 in {every}"
        results[name] = {
            "bound": TABLE[name].ulp,
            "single": {"ulp": single.ulp, "at": [_format_number(x) for x in single.at]},
            "floats": share,
            "double": {"ulp": double.ulp, "at": [_format_number(x) for x in double.at]},
        }
    return results


def _is_measured(function: Intrinsic) -> bool:
    return (
        function.kind is IntrinsicKind.MATH and function.ulp > 0 and function.result is Result.SAME
    )


def _format_number(x: float) -> str:
    return f"{x:.9g}"


def _row(name: str, result: dict[str, Any]) -> str:
    single, double = result["single"], result["double"]
    cells = (
        *(f"`{name}`", f"{result['bound']:g}", f"{single['ulp']:.2f}", ", ".join(single["at"])),
        *(result["floats"], f"{double['ulp']:.2f}", ", ".join(double["at"])),
    )
    return f"| {' | '.join(cells)} |"


def _page(results: Results) -> str:
    """The page with these results; rows of other functions, and what follows, stay as they are."""
    own, heading, rest = PAGE.read_text().partition(_NEXT)
    lines = own.splitlines()
    rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    rows |= {name: _row(name, result) for name, result in results.items()}
    ordered = [rows[function.name] for function in TABLE.values() if function.name in rows]
    head = _HEAD.format(pairs=f"{PAIRS:,}", points=f"{POINTS:,}")
    return head + "\n".join(ordered) + "\n" + heading + rest


_NEXT = "\n## Reductions\n"


_HEAD = """# Accuracy of the mathematical functions

Errors in units in the last place (ULP) of the functions as the CPU runs them. They are branch-free
code of our own ([`intrinsics/library`](../src/speedmetal/intrinsics/library)), compiled into each
kernel, of IEEE operations alone: the same bits on every CPU. On NVIDIA and Apple GPUs the vendors'
precise functions are used where there are any, whose bounds are in the CUDA C++ Programming Guide
and in the Metal Shading Language Specification; what Metal lacks (`erf`, `gamma`, `expm1`, ...) is
ours there, too. Without float64, on Apple GPUs, `gamma` has 4 ULP (3.61 measured, simulated).

float32: the largest error over the 2^32 floats for functions of one operand, NaN, infinities,
subnormals and the signs of zeros included (all of them, or the share in the column *floats*), and
over {pairs} pairs for functions of two. float64: the largest error at {points} points against
mpmath. float16 and bfloat16 go through float32, and so are right to 0.501 ULP. Left of 0, where
`lgamma` has zeros, its error is at most 4 ULP of `lgamma(-x) + 4`; the table has it right of 0.

Of float64, `pow`, and `sin`, `cos` and `tan` beyond 2^45, ask the C library, one thread at a time;
all else is vector code.

This page is written by `python benchmarks/accuracy.py --write`.

| function | bound, float32 | measured, float32 | at | floats | measured, float64 | at |
| --- | --- | --- | --- | --- | --- | --- |
"""


def _failures(results: Results) -> int:
    return sum(result["single"]["ulp"] > result["bound"] for result in results.values())


def _run(names: list[str], every: int, jobs: int, file: Path | None) -> Results:
    """Measure; show each function, and write the file, when all of it is there."""
    tasks = list(_tasks(names, every))
    found: dict[Task, Worst] = {}
    results: Results = {}
    begin = time.monotonic()
    for task, worst in _measure_tasks(tasks, jobs):
        found[task] = worst
        known, results = set(results), _results(found, tasks)
        for name in results.keys() - known:
            print(f"{time.monotonic() - begin:5.0f} s {_row(name, results[name])}", flush=True)
            if file:
                file.write_text(json.dumps(results, indent=1))
    return results


def main() -> int:
    """Measure or read, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="functions; all, if there is none")
    parser.add_argument("--every", type=int, default=1, help="take each n-th float only; odd")
    parser.add_argument("--jobs", type=int, default=1, help="processes of one thread each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to a file")
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md")
    parser.add_argument(
        "--merge", type=Path, metavar="FILE", help="write docs/accuracy.md from a file's results"
    )
    options = parser.parse_args()
    if options.merge:
        results: Results = json.loads(options.merge.read_text())
    else:
        known = [function.name for function in TABLE.values() if _is_measured(function)]
        names = [name for name in known if name in options.names or not options.names]
        results = _run(names, options.every, options.jobs, options.json)
    if options.write or options.merge:
        PAGE.write_text(_page(results))
    return _failures(results)


if __name__ == "__main__":
    sys.exit(main())

"""The cases: inputs, a reference in double precision, and how close a result must come to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from side_by_side.contender import Inputs

Arrays = tuple[NDArray[Any], ...]

_CHUNK = 1 << 18  # elements compared at once: what fits into a cache

MANDELBROT_SIZE = 1024
MANDELBROT_ITERATIONS = 200
BODIES = 4096
SOFTENING = 1e-4  # squared length
HEAT_RATE = 0.1
RATE = 0.05  # of interest, a year
VOLATILITY = 0.3
BINS = 256


@dataclass(frozen=True)
class Case:
    """One case.

    Args:
        name: Key of the frameworks' tables, unless there is a family.
        title: For the page.
        inputs: Makes the inputs from a seeded generator.
        reference: The results, in float64 or integers.
        relative: Allowed error as a share of each value of the reference.
        absolute: Allowed error as a share of the reference's greatest magnitude.
        differing: Share of the elements that may be off by more: 0, but where the result is
            chaotic.
        traffic_bytes: Bytes that must be read and written at least; 0 where that is no limit.
        operations: Floating-point operations (or counted items), for the rate.
        unit: Of the rate: "Gflop/s", "Gitem/s".
        family: Key of the frameworks' tables where several cases, of different sizes, have one.
    """

    name: str
    title: str
    inputs: Callable[[np.random.Generator], dict[str, NDArray[Any]]]
    reference: Callable[[Inputs], Arrays]
    relative: float = 0.0
    absolute: float = 0.0
    differing: float = 0.0
    traffic_bytes: int = 0
    operations: float = 0.0
    unit: str = "Gflop/s"
    family: str = ""

    @property
    def key(self) -> str:
        """Under which the frameworks' tables have it."""
        return self.family or self.name

    def fault(self, results: Arrays, reference: Arrays) -> str:
        """What is wrong with results, or "" where they are correct."""
        if len(results) != len(reference):
            return f"{len(results)} results instead of {len(reference)}"
        for result, wanted in zip(results, reference, strict=True):
            fault = self._fault(np.asarray(result), wanted)
            if fault:
                return fault
        return ""

    def _fault(self, result: NDArray[Any], wanted: NDArray[Any]) -> str:
        if result.shape != wanted.shape:
            return f"shape {result.shape} instead of {wanted.shape}"
        if np.iscomplexobj(wanted):  # real and imaginary parts, each by itself
            result, wanted = (
                np.ascontiguousarray(x, np.complex128).view(np.float64) for x in (result, wanted)
            )
        greatest = max(float(wanted.max()), -float(wanted.min()))
        count, first = 0, ""
        result, wanted = result.ravel(), wanted.ravel()
        for start in range(0, wanted.size, _CHUNK):
            part, wanted_part = result[start : start + _CHUNK], wanted[start : start + _CHUNK]
            allowed = self.relative * np.abs(wanted_part) + self.absolute * greatest
            wrong = ~(np.abs(part - wanted_part) <= allowed)  # NaN is wrong
            count += int(np.count_nonzero(wrong))
            if not first and wrong.any():
                at = int(np.argmax(wrong))
                first = f"element {start + at} is {part[at]:g} instead of {wanted_part[at]:g}"
        if count <= self.differing * wanted.size:
            return ""
        return f"{count} of {wanted.size} elements are wrong; {first}"


# --- elementwise -----------------------------------------------------------------------------

ELEMENTS = 1 << 24


def _elementwise_inputs(generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    return {
        "a": generator.random(ELEMENTS, np.float32) * 4 - 2,
        "b": generator.random(ELEMENTS, np.float32) * 12 - 6,
    }


def _copy_reference(inputs: Inputs) -> Arrays:
    return (inputs["a"].astype(np.float64),)


def _elementwise(inputs: Inputs) -> Arrays:
    a, b = (inputs[name].astype(np.float64) for name in "ab")
    return (a * a + np.exp(np.sin(b)),)


# --- Mandelbrot ------------------------------------------------------------------------------


def _mandelbrot_inputs(_: np.random.Generator) -> dict[str, NDArray[Any]]:
    return {
        "x": np.linspace(-2.0, 0.5, MANDELBROT_SIZE, dtype=np.float32),
        "y": np.linspace(-1.25, 1.25, MANDELBROT_SIZE, dtype=np.float32),
    }


def _mandelbrot(inputs: Inputs) -> Arrays:
    c = inputs["x"].astype(np.float64)[None, :] + 1j * inputs["y"].astype(np.float64)[:, None]
    counts = np.zeros(c.shape, np.int32)
    rows, columns = np.indices(c.shape).reshape(2, -1)
    c = c.ravel()
    z = np.zeros_like(c)
    for _ in range(MANDELBROT_ITERATIONS):
        inside = z.real**2 + z.imag**2 <= 4
        rows, columns, c, z = rows[inside], columns[inside], c[inside], z[inside]
        counts[rows, columns] += 1
        z = z * z + c
    return (counts,)


# --- n-body ----------------------------------------------------------------------------------


def _bodies(generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    place = {name: generator.random(BODIES, np.float32) * 2 - 1 for name in "xyz"}
    return {**place, "mass": generator.random(BODIES, np.float32)}


def _accelerations(inputs: Inputs) -> Arrays:
    place = np.stack([inputs[name] for name in "xyz"]).astype(np.float64)
    mass = inputs["mass"].astype(np.float64)
    result = np.empty_like(place)
    for start in range(0, BODIES, 256):
        rows = slice(start, start + 256)
        offset = place[:, None, :] - place[:, rows, None]
        pull = mass * ((offset**2).sum(0) + SOFTENING) ** -1.5
        result[:, rows] = (offset * pull).sum(2)
    return tuple(result)


# --- stencil ---------------------------------------------------------------------------------

SIDE = 4096


def _plate(generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    return {"u": generator.random((SIDE, SIDE), np.float32)}


def _heat_step(inputs: Inputs) -> Arrays:
    u = inputs["u"].astype(np.float64)
    result = u.copy()
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    result[1:-1, 1:-1] += HEAT_RATE * (around - 4 * u[1:-1, 1:-1])
    return (result,)


# --- Black-Scholes ---------------------------------------------------------------------------

OPTIONS = 1 << 22


def _options(generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    return {
        "spot": generator.random(OPTIONS, np.float32) * 90 + 10,
        "strike": generator.random(OPTIONS, np.float32) * 90 + 10,
        "years": generator.random(OPTIONS, np.float32) * 1.8 + np.float32(0.2),
    }


def _black_scholes(inputs: Inputs) -> Arrays:
    from scipy.special import ndtr

    spot, strike, years = (inputs[k].astype(np.float64) for k in ("spot", "strike", "years"))
    spread = VOLATILITY * np.sqrt(years)
    d1 = (np.log(spot / strike) + (RATE + VOLATILITY**2 / 2) * years) / spread
    d2 = d1 - spread
    present = strike * np.exp(-RATE * years)
    call = spot * ndtr(d1) - present * ndtr(d2)
    return call, call + present - spot


# --- histogram, products, reduction, scan ----------------------------------------------------

PIXELS = 1 << 24


def _image(generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    values = generator.normal(128, 40, PIXELS)
    return {"image": np.clip(np.rint(values), 0, 255).astype(np.uint8)}


def _histogram(inputs: Inputs) -> Arrays:
    return (np.bincount(inputs["image"], minlength=BINS),)


def _matrices(size: int) -> Callable[[np.random.Generator], dict[str, NDArray[Any]]]:
    def make(generator: np.random.Generator) -> dict[str, NDArray[Any]]:
        return {name: generator.random((size, size), np.float32) - 0.5 for name in "ab"}

    return make


def _product(inputs: Inputs) -> Arrays:
    return (inputs["a"].astype(np.float64) @ inputs["b"].astype(np.float64),)


def _numbers(count: int) -> Callable[[np.random.Generator], dict[str, NDArray[Any]]]:
    return lambda generator: {"x": generator.random(count, np.float32)}


def _total(inputs: Inputs) -> Arrays:
    return (inputs["x"].sum(dtype=np.float64, keepdims=True),)


def _running_total(inputs: Inputs) -> Arrays:
    return (np.cumsum(inputs["x"], dtype=np.float64),)


SUMMANDS = 1 << 24
SCANNED = 1 << 22

CASES = (
    Case(
        *("copy", "copy of 2^24 float32"),
        *(lambda generator: {"a": generator.random(ELEMENTS, np.float32)}, _copy_reference),
        traffic_bytes=8 * ELEMENTS,
        operations=8 * ELEMENTS,
        unit="GB/s",
    ),
    Case(
        *("elementwise", "c = a*a + exp(sin(b)), 2^24 float32"),
        *(_elementwise_inputs, _elementwise),
        relative=4e-6,
        traffic_bytes=12 * ELEMENTS,
        operations=4 * ELEMENTS,
        unit="Gop/s",
    ),
    Case(
        *("mandelbrot", "Mandelbrot set, 1024 x 1024, 200 iterations"),
        *(_mandelbrot_inputs, _mandelbrot),
        differing=0.01,  # rounding decides where a chaotic orbit escapes
        operations=MANDELBROT_SIZE**2,
        unit="Gpixel/s",
    ),
    Case(
        *("nbody", "gravity among 4096 bodies, float32"),
        *(_bodies, _accelerations),
        absolute=2e-5,
        operations=20.0 * BODIES**2,  # as usually counted for this sum
    ),
    Case(
        *("stencil", "heat step (5 points), 4096 x 4096 float32"),
        *(_plate, _heat_step),
        absolute=1e-6,
        traffic_bytes=8 * SIDE**2,
        operations=6.0 * SIDE**2,
    ),
    Case(
        *("black_scholes", "Black-Scholes prices, 2^22 calls and puts, float32"),
        *(_options, _black_scholes),
        absolute=1e-6,
        traffic_bytes=20 * OPTIONS,
        operations=OPTIONS,
        unit="Goption/s",
    ),
    Case(
        *("histogram", "256 bins of 2^24 uint8"),
        *(_image, _histogram),
        traffic_bytes=PIXELS,
        operations=PIXELS,
        unit="Gitem/s",
    ),
    Case(
        *("matmul_512", "matrix product, 512 x 512 float32"),
        *(_matrices(512), _product),
        absolute=1e-5,
        operations=2.0 * 512**3,
    ),
    Case(
        *("matmul_1024", "matrix product, 1024 x 1024 float32"),
        *(_matrices(1024), _product),
        absolute=1e-5,
        operations=2.0 * 1024**3,
    ),
    Case(
        *("reduction", "sum of 2^24 float32"),
        *(_numbers(SUMMANDS), _total),
        relative=1e-4,
        traffic_bytes=4 * SUMMANDS,
        operations=SUMMANDS,
        unit="Gitem/s",
    ),
    Case(
        *("scan", "inclusive scan (running sum) of 2^22 float32"),
        *(_numbers(SCANNED), _running_total),
        absolute=1e-4,
        traffic_bytes=8 * SCANNED,
        operations=SCANNED,
        unit="Gitem/s",
    ),
)

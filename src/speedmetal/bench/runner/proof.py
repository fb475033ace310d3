"""The proof that the work was done: shape, dtype, values, inputs unchanged, inputs used.

Tolerances, with eps the dtype's machine epsilon and L the length of the operation's longest sum:

- largest error:  eps * (16 + 4 sqrt(L)), relative to max(|reference|, scale) per element
- root mean square:  eps * (4 + sqrt(L) / 2), relative to scale

A sequential float sum of L terms with random signs has an error of about eps sqrt(L) / 3 of its
result (N. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., section 4.2), so the
first leaves room for any order of summation; the second is what catches a reduced precision such
as TF32, whose error of about 3e-4 does not shrink with L.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from types import EllipsisType
from typing import TypeVar

import ml_dtypes
import numpy as np
from msgspec.structs import replace

from speedmetal.bench.operations.base import Array, Operation
from speedmetal.bench.record import CaseSpec, Check
from speedmetal.bench.runner.data import DIRECTIONS, direction_of, is_float, open_array
from speedmetal.bench.runner.protocol import Dataset

_Result = TypeVar("_Result")

# Elements compared at a time: the temporaries stay in a core's own cache.
CHUNK = 1 << 16
# Elements of a result on hard inputs that are compared.
PART_ELEMENTS = 1 << 18


@dataclass(frozen=True)
class Tolerance:
    """Allowed errors, as in the module's text."""

    largest: float
    rms: float


def tolerance_of(operation: Operation, case: CaseSpec, leniency: float = 1.0) -> Tolerance:
    """Tolerance of a case; zero where the operation is exact.

    ``leniency`` is a factor beside the operation's own, of inputs that are harder than random
    numbers.
    """
    if operation.exact:
        return Tolerance(0.0, 0.0)
    eps = float(ml_dtypes.finfo(case.dtype).eps)
    root = math.sqrt(operation.reduction_length(case.parameters))
    factor = leniency * operation.leniency * eps
    return Tolerance(factor * (16 + 4 * root), factor * (4 + root / 2))


@dataclass
class Errors:
    """Errors of outputs against references, gathered chunk by chunk."""

    largest: float = 0.0
    largest_relative: float = 0.0
    rms_relative: float = 0.0
    elements: int = 0
    nan_matches: bool = True
    failures: list[str] = field(default_factory=list)


def compare_outputs(
    operation: Operation,
    case: CaseSpec,
    outputs: Sequence[Array],
    references: Sequence[Array],
    leniency: float = 1.0,
    rms: Sequence[float] = (),
) -> Errors:
    """Compare all elements of all outputs; what differs is told in ``failures``.

    ``rms`` are the root mean squares of the references, as far as they are known (above zero).
    """
    errors = Errors()
    if len(outputs) != len(references):
        errors.failures.append(f"{len(outputs)} outputs, expected {len(references)}")
        return errors
    for index, (output, reference) in enumerate(zip(outputs, references, strict=True)):
        name = f"output {index}" if len(outputs) > 1 else "output"
        problem = _form_problem(name, case, output, reference)
        if problem:
            errors.failures.append(problem)
            continue
        known = rms[index] if rms else 0.0
        _compare_values(operation, case, output, reference, errors, known)
    if not errors.failures:
        errors.failures.extend(_value_problems(errors, tolerance_of(operation, case, leniency)))
    return errors


def with_rms(dataset: Dataset) -> Dataset:
    """The dataset with the root mean squares of its references, for all who are compared."""
    outputs = []
    for file in dataset.outputs:
        reference = open_array(file)
        rms = root_mean_square(reference) if is_float(reference) else 0.0
        outputs.append(replace(file, rms=rms))
    return replace(dataset, outputs=outputs)


def telling_parts(
    outputs: Sequence[Array], references: Sequence[Array]
) -> tuple[list[Array], list[Array]]:
    """Parts of large outputs along their first axis, and of their references.

    Hard rows are mixed at random, so that any part has all of their kinds; this one has a NaN where
    the whole has one. Outputs of another shape are left as they are, to be told.
    """
    if len(outputs) != len(references):
        return list(outputs), list(references)
    parts = [_telling_part(reference) for reference in references]
    return (
        [
            out[part] if out.shape == ref.shape else out
            for out, ref, part in zip(outputs, references, parts, strict=True)
        ],
        [
            ref[part] if out.shape == ref.shape else ref
            for out, ref, part in zip(outputs, references, parts, strict=True)
        ],
    )


def _telling_part(reference: Array) -> slice | EllipsisType:
    if reference.size <= PART_ELEMENTS or reference.ndim == 0:
        return ...
    rows = reference.shape[0]
    count = max(1, PART_ELEMENTS * rows // reference.size)
    with_nan = np.flatnonzero(np.isnan(reference).reshape(rows, -1).any(axis=1))
    middle = int(with_nan[0]) if with_nan.size else rows // 2
    start = max(0, min(rows - count, middle - count // 2))
    return slice(start, start + count)


def _form_problem(name: str, case: CaseSpec, output: Array, reference: Array) -> str | None:
    if output.shape != reference.shape:
        return f"{name} has shape {output.shape}, expected {reference.shape}"
    if is_float(reference) and output.dtype.name != case.dtype:
        return f"{name} has dtype {output.dtype.name}, expected {case.dtype}"
    kinds = {"i": "iu", "u": "iu", "c": "c", "b": "b"}
    if not is_float(reference) and output.dtype.kind not in kinds[reference.dtype.kind]:
        return f"{name} has dtype {output.dtype.name}, expected the kind of {reference.dtype.name}"
    return None


def _compare_values(
    operation: Operation,
    case: CaseSpec,
    output: Array,
    reference: Array,
    errors: Errors,
    rms: float,
) -> None:
    errors.elements += output.size
    if operation.exact and same_values(output, reference):
        return
    scale = max(rms or root_mean_square(reference), operation.scale(case.parameters)) or 1.0
    total = 0.0
    for slab in _in_threads(lambda *slabs: _slab_errors(*slabs, scale=scale), output, reference):
        errors.largest = max(errors.largest, slab.largest)
        errors.largest_relative = max(errors.largest_relative, slab.largest_relative)
        errors.nan_matches = errors.nan_matches and slab.nan_matches
        total += slab.squares
    error = math.sqrt(total / max(output.size, 1)) / scale
    errors.rms_relative = max(errors.rms_relative, error)


@dataclass
class _SlabErrors:
    largest: float = 0.0
    largest_relative: float = 0.0
    squares: float = 0.0
    nan_matches: bool = True


def _slab_errors(output: Array, reference: Array, *, scale: float) -> _SlabErrors:
    errors = _SlabErrors()
    for out, ref in _chunks(output, reference):
        difference = _differences(out, ref, errors)
        if difference.size == 0:
            continue
        errors.largest = max(errors.largest, float(difference.max()))
        errors.squares += _sum_of_squares(difference)
        np.abs(ref, out=ref)
        np.maximum(ref.real, scale, out=ref.real)
        difference /= ref.real
        errors.largest_relative = max(errors.largest_relative, float(difference.max()))
    return errors


def _in_threads(function: Callable[..., _Result], *arrays: Array) -> list[_Result]:
    """Results of ``function`` on slabs of rows of equal-shaped arrays, one thread a processor.

    NumPy lets go of the interpreter in its loops, so the proof of a large result takes all cores.
    """
    rows = arrays[0].shape[0] if arrays[0].ndim else 1
    threads = min(os.cpu_count() or 1, rows)
    if threads == 1 or arrays[0].size < 16 * CHUNK:
        return [function(*arrays)]
    edges = np.linspace(0, rows, threads + 1, dtype=np.int64)
    slabs = [[array[low:high] for array in arrays] for low, high in pairwise(edges)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda slab: function(*slab), slabs))


def _sum_of_squares(flat: Array) -> float:
    """Sum of |x|^2, without BLAS: its threads, asked by ours, wait for each other for seconds."""
    parts = flat.view(np.float64)
    return float(np.einsum("i,i->", parts, parts))


def _differences(out: Array, ref: Array, errors: _SlabErrors) -> Array:
    """|out - ref|, with elements that are NaN in both, or the same infinity in both, as zero."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(np.subtract(out, ref))
    if np.isfinite(difference.sum()):
        return difference
    out_nan, ref_nan = np.isnan(out), np.isnan(ref)
    if not np.array_equal(out_nan, ref_nan):
        errors.nan_matches = False
    difference[(out == ref) | out_nan | ref_nan] = 0.0
    ref[~np.isfinite(ref)] = 0.0
    return difference


def _chunks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Chunks of equal-shaped arrays, side by side, as flat float64 (or complex128).

    Rows along the first axis: a view of a transposed result is not copied whole.
    """
    arrays = tuple(array.reshape(1) if array.ndim == 0 else array for array in arrays)
    step = _rows_per_chunk(arrays[0])
    for start in range(0, arrays[0].shape[0], step):
        yield tuple(_widen_array(array[start : start + step]) for array in arrays)


def _rows_per_chunk(array: Array) -> int:
    row = array.size // max(array.shape[0], 1)
    return max(1, int(CHUNK // max(1, row)))


def _widen_array(array: Array) -> Array:
    kind = np.complex128 if array.dtype.kind == "c" else np.float64
    return np.asarray(array).astype(kind).reshape(-1)


def root_mean_square(array: Array) -> float:
    """Root mean square of the finite elements."""
    sums = _in_threads(_finite_squares, array)
    count = sum(n for _, n in sums)
    return math.sqrt(sum(total for total, _ in sums) / count) if count else 0.0


def _finite_squares(array: Array) -> tuple[float, int]:
    """Sum of squares of the finite elements, and their number."""
    total, count = 0.0, 0
    for (chunk,) in _chunks(array):
        square = _sum_of_squares(chunk)
        finite = chunk
        if not math.isfinite(square):
            finite = chunk[np.isfinite(chunk)]
            square = _sum_of_squares(finite)
        total += square
        count += finite.size
    return total, count


def _value_problems(errors: Errors, tolerance: Tolerance) -> list[str]:
    problems = []
    if not errors.nan_matches:
        problems.append("NaN is not where the reference has it")
    if not errors.largest_relative <= tolerance.largest:
        problems.append(
            f"largest relative error {errors.largest_relative:.3g}, allowed {tolerance.largest:.3g}"
        )
    if not errors.rms_relative <= tolerance.rms:
        problems.append(
            f"root mean square error {errors.rms_relative:.3g}, allowed {tolerance.rms:.3g}"
        )
    return problems


def same_values(first: Array, second: Array) -> bool:
    """Whether two arrays are equal bit for bit, NaN equal to NaN, without large temporaries."""
    if first.shape != second.shape or first.dtype.name != second.dtype.name:
        return False
    return all(_in_threads(_same_bytes, first, second))


def _same_bytes(first: Array, second: Array) -> bool:
    if first.ndim == 0:
        return first.tobytes() == second.tobytes()
    step = _rows_per_chunk(first)
    return all(
        np.ascontiguousarray(first[i : i + step]).tobytes()
        == np.ascontiguousarray(second[i : i + step]).tobytes()
        for i in range(0, first.shape[0], step)
    )


def compare_gradients(
    operation: Operation, case: CaseSpec, seed: int, gradients: Sequence[Array], data: GradientData
) -> Errors:
    """Check gradients by their slopes along the directions of ``data``.

    |<gradient, v> - slope| is compared with the norm of the gradient: for standard normal v, an
    error in any part of the gradient shows with its share of the norm.
    """
    errors = Errors()
    names = operation.differentiable
    if len(gradients) != len(names):
        errors.failures.append(f"{len(gradients)} gradients, expected {len(names)}")
        return errors
    allowed = gradient_tolerance(operation, case)
    for index, (name, gradient, shape) in enumerate(
        zip(names, gradients, data.shapes, strict=True)
    ):
        if gradient.shape != shape:
            errors.failures.append(
                f"gradient of {name} has shape {gradient.shape}, expected {shape}"
            )
            continue
        if gradient.dtype.name != case.dtype:
            errors.failures.append(
                f"gradient of {name} has dtype {gradient.dtype.name}, expected {case.dtype}"
            )
            continue
        wide = np.asarray(gradient).astype(np.float64)
        if not np.isfinite(wide).all():  # inputs are finite, and no comparison is true of NaN
            errors.failures.append(f"gradient of {name} is not finite")
            continue
        norm = float(np.linalg.norm(wide)) or 1.0
        errors.elements += gradient.size
        for k in range(DIRECTIONS):
            direction = direction_of(case, seed, name, k, shape)
            slope = data.slopes[index * DIRECTIONS + k]
            error = abs(float(np.sum(wide * direction)) - slope)
            errors.largest = max(errors.largest, error)
            errors.largest_relative = max(errors.largest_relative, error / norm)
        if not errors.largest_relative <= allowed:
            errors.failures.append(
                f"gradient of {name}: slope differs by {errors.largest_relative:.3g} of its norm,"
                f" allowed {allowed:.3g}"
            )
    errors.rms_relative = errors.largest_relative
    return errors


@dataclass(frozen=True)
class GradientData:
    """Shapes of the differentiable inputs, and the reference slopes."""

    shapes: Sequence[tuple[int, ...]]
    slopes: Sequence[float]


def gradient_tolerance(operation: Operation, case: CaseSpec) -> float:
    """Allowed error of a slope, relative to the gradient's norm: 1e-4 is what the differences of
    functions with kinks reach; the rest is the dtype's own.
    """
    eps = float(ml_dtypes.finfo(case.dtype).eps)
    root = math.sqrt(operation.reduction_length(case.parameters))
    return 1e-4 + 4 * operation.leniency * eps * (16 + 4 * root)


def check_of(
    errors: Errors,
    tolerance: Tolerance,
    outputs: int,
    second_seed: str,
    failures: Sequence[str],
) -> Check:
    """The record of a proof."""
    return Check(
        max_absolute=errors.largest,
        max_relative=errors.largest_relative,
        rms_relative=errors.rms_relative,
        tolerance_max=tolerance.largest,
        tolerance_rms=tolerance.rms,
        elements=errors.elements,
        outputs=outputs,
        nan_matches=errors.nan_matches,
        second_seed=second_seed,
        passed=not failures,
        failure="; ".join(failures),
    )

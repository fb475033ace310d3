"""The arrays of a case: made once a run from a seed, mapped by every process that needs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.operations.base import Array, Arrays, Operation
from speedmetal.bench.record import CaseSpec
from speedmetal.bench.runner.protocol import ArrayFile, Dataset

# Step of the central differences that stand for a derivative. Small, because functions with a
# kink are wrong for every element within a step of it; float64 leaves 7 digits at this size.
STEP = 1e-9
DIRECTIONS = 2
# A reference of more elements is kept in float32: half the memory and disk, for an error of half
# a unit in the last place, which is a sixteenth of the least tolerance.
WIDE_ELEMENTS = 1 << 26


def dtype_of(name: str) -> np.dtype[Any]:
    """NumPy's dtype of a name, bfloat16 included."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def generator_of(case: CaseSpec, seed: int, stream: int = 0) -> np.random.Generator:
    """The random generator of a case and seed: the same on every machine."""
    return np.random.Generator(np.random.SFC64([seed, stream, int(case.key, 16)]))


def is_float(array: Array) -> bool:
    """Whether an array holds floating-point numbers (bfloat16 included)."""
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def make_inputs(case: CaseSpec, seed: int, *, stress: bool = False) -> Arrays:
    """Inputs of a case in its dtype; with ``stress``, made as hard as the operation says."""
    operation = OPERATIONS[case.operation]
    arrays = operation.inputs(case.parameters, generator_of(case, seed))
    if stress and operation.stress is not None:
        generator = generator_of(case, seed, stream=1)
        arrays = operation.stress.inputs(case.parameters, arrays, case.dtype, generator)
    target = dtype_of(case.dtype)
    return {
        name: array.astype(target) if is_float(array) and array.dtype != target else array
        for name, array in arrays.items()
    }


def plant_nan(case: CaseSpec, seed: int, inputs: Arrays) -> Arrays:
    """The inputs with one NaN in the first of them."""
    name, first = next(iter(inputs.items()))
    planted = first.copy()
    planted.reshape(-1)[generator_of(case, seed, stream=2).integers(0, first.size)] = np.nan
    return {**inputs, name: planted}


def reference_of(operation: Operation, case: CaseSpec, inputs: Arrays) -> tuple[Array, ...]:
    """The operation's reference in float64, or in the case's own dtype where it is exact."""
    if not operation.exact:
        inputs = _widen_inputs(inputs)
    with np.errstate(all="ignore"):
        return operation.reference(case.parameters, inputs)


def _widen_inputs(inputs: Arrays) -> Arrays:
    return {n: a.astype(np.float64) if is_float(a) else a for n, a in inputs.items()}


def make_dataset(
    case: CaseSpec, seed: int, folder: Path, *, reference: bool, stress: bool = False
) -> Dataset:
    """Make inputs, and the reference where asked, as files in ``folder``.

    Args:
        case: What for.
        seed: Of the random numbers.
        folder: Where the files go.
        reference: Whether to compute it.
        stress: Whether the inputs are to be hard, with a NaN where it must propagate.

    Raises:
        OSError: The files cannot be written (a full disk).
        MemoryError: The arrays do not fit.
    """
    try:
        return _make_dataset(case, seed, folder, reference=reference, stress=stress)
    except BaseException:  # files of a case that is given up would fill the disk for the next
        for path in folder.glob(f"{case.key}-*"):
            path.unlink(missing_ok=True)
        raise


def _make_dataset(
    case: CaseSpec, seed: int, folder: Path, *, reference: bool, stress: bool
) -> Dataset:
    operation = OPERATIONS[case.operation]
    inputs = make_inputs(case, seed, stress=stress)
    outputs: tuple[Array, ...] | None = None
    if stress and operation.nan_propagates:
        planted = plant_nan(case, seed, inputs)
        outputs = reference_of(operation, case, planted)
        # A NaN that swallowed the whole result would leave nothing to compare.
        inputs, outputs = (planted, outputs) if _is_partly_nan(outputs) else (inputs, None)
    prefix = f"{case.key}-{seed}"
    files = [_write(folder / f"{prefix}-in-{name}", name, a) for name, a in inputs.items()]
    if case.direction == "backward":
        return _with_slopes(operation, case, seed, folder, inputs, files)
    has_nan = outputs is not None
    if outputs is None:
        outputs = reference_of(operation, case, inputs) if reference else ()
    return Dataset(
        seed=seed,
        inputs=files,
        outputs=[
            _write(folder / f"{prefix}-out-{i}", str(i), _shrink_reference(array))
            for i, array in enumerate(outputs)
        ],
        has_nan=has_nan,
    )


def _is_partly_nan(outputs: Sequence[Array]) -> bool:
    return not all(np.isnan(output).all() for output in outputs)


def _shrink_reference(reference: Array) -> Array:
    is_large = reference.dtype == np.float64 and reference.size > WIDE_ELEMENTS
    return reference.astype(np.float32) if is_large else reference


def _with_slopes(
    operation: Operation,
    case: CaseSpec,
    seed: int,
    folder: Path,
    inputs: Arrays,
    files: list[ArrayFile],
) -> Dataset:
    """Cotangents, and derivatives of sum(cotangent * output) along random directions.

    Formula: (L(x + h v) - L(x - h v)) / (2 h), with h = 1e-9 and v standard normal.
    """
    wide = _widen_inputs(inputs)
    outputs = operation.reference(case.parameters, dict(wide))
    generator = generator_of(case, seed, stream=2)
    cotangents = [
        np.asarray(generator.standard_normal(o.shape, dtype=np.float32)).astype(
            dtype_of(case.dtype)
        )
        for o in outputs
    ]
    wide_cotangents = [c.astype(np.float64) for c in cotangents]

    def difference(name: str, direction: NDArray[np.float64]) -> float:
        upper = operation.reference(case.parameters, {**wide, name: wide[name] + STEP * direction})
        lower = operation.reference(case.parameters, {**wide, name: wide[name] - STEP * direction})
        # Differences before sums: the terms are of the order of the step, and keep their digits.
        return sum(
            float(np.sum(c * (u - low)))
            for c, u, low in zip(wide_cotangents, upper, lower, strict=True)
        ) / (2 * STEP)

    prefix = f"{case.key}-{seed}"
    return Dataset(
        seed=seed,
        inputs=files,
        outputs=[],
        cotangents=[
            _write(folder / f"{prefix}-cot-{i}", str(i), c) for i, c in enumerate(cotangents)
        ],
        slopes=[
            difference(name, direction_of(case, seed, name, k, wide[name].shape))
            for name in operation.differentiable
            for k in range(DIRECTIONS)
        ],
    )


def direction_of(
    case: CaseSpec, seed: int, name: str, number: int, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """The random direction along which an input's gradient is checked."""
    stream = 3 + 16 * number + sum(name.encode())
    return generator_of(case, seed, stream).standard_normal(shape)


def _write(path: Path, name: str, array: Array) -> ArrayFile:
    array = np.asarray(array, order="C")
    array.tofile(path)
    return ArrayFile(name, str(path), array.dtype.name, list(array.shape))


def open_array(file: ArrayFile) -> Array:
    """Map an array file into memory, read-only."""
    dtype = dtype_of(file.dtype)
    shape = tuple(file.shape)
    if not shape:
        return np.fromfile(file.path, dtype).reshape(())
    return np.memmap(file.path, dtype, mode="r", shape=shape)

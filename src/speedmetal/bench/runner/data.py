"""The arrays of a case: made once a run from a seed, mapped by every process that needs them."""

from __future__ import annotations

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


def make_inputs(case: CaseSpec, seed: int, *, plant_nan: bool) -> Arrays:
    """Inputs of a case in its dtype; with ``plant_nan``, one NaN in the first of them."""
    operation = OPERATIONS[case.operation]
    arrays = operation.inputs(case.parameters, generator_of(case, seed))
    if plant_nan:
        first = next(iter(arrays.values()))
        position = generator_of(case, seed, stream=1).integers(0, first.size)
        first.reshape(-1)[position] = np.nan
    target = dtype_of(case.dtype)
    return {
        name: array.astype(target) if is_float(array) and array.dtype != target else array
        for name, array in arrays.items()
    }


def reference_of(operation: Operation, case: CaseSpec, inputs: Arrays) -> tuple[Array, ...]:
    """The operation's reference in float64, or in the case's own dtype where it is exact."""
    if not operation.exact:
        inputs = _widen_inputs(inputs)
    with np.errstate(all="ignore"):
        return operation.reference(case.parameters, inputs)


def _widen_inputs(inputs: Arrays) -> Arrays:
    return {n: a.astype(np.float64) if is_float(a) else a for n, a in inputs.items()}


def make_dataset(
    case: CaseSpec, seed: int, folder: Path, *, reference: bool, plant_nan: bool
) -> Dataset:
    """Make inputs, and the reference where asked, as files in ``folder``.

    Raises:
        OSError: The files cannot be written (a full disk).
        MemoryError: The arrays do not fit.
    """
    try:
        return _make_dataset(case, seed, folder, reference=reference, plant_nan=plant_nan)
    except BaseException:  # files of a case that is given up would fill the disk for the next
        for path in folder.glob(f"{case.key}-*"):
            path.unlink(missing_ok=True)
        raise


def _make_dataset(
    case: CaseSpec, seed: int, folder: Path, *, reference: bool, plant_nan: bool
) -> Dataset:
    operation = OPERATIONS[case.operation]
    inputs = make_inputs(case, seed, plant_nan=plant_nan)
    prefix = f"{case.key}-{seed}"
    files = [_write(folder / f"{prefix}-in-{name}", name, a) for name, a in inputs.items()]
    if case.direction == "backward":
        return _with_slopes(operation, case, seed, folder, inputs, files)
    outputs = reference_of(operation, case, inputs) if reference else ()
    return Dataset(
        seed=seed,
        inputs=files,
        outputs=[
            _write(folder / f"{prefix}-out-{i}", str(i), _shrink_reference(array))
            for i, array in enumerate(outputs)
        ],
        has_nan=plant_nan,
    )


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

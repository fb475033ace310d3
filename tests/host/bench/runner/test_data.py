"""The arrays of a case: reproducible, mapped, and gone when they are not needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.record import CaseSpec
from speedmetal.bench.runner import data
from speedmetal.bench.runner.proof import with_rms
from speedmetal.bench.suites import SuiteEntry, make_case


def case_of(
    operation: str, dtype: str = "float32", direction: str = "forward", **parameters: Any
) -> CaseSpec:
    return make_case(SuiteEntry(OPERATIONS[operation], parameters), dtype, direction, "ieee")


RELU = case_of("relu", shape=[5, 7])


def test_a_seed_gives_the_same_inputs_always() -> None:
    """Proves that inputs depend on the case and the seed alone, and on both."""
    x = data.make_inputs(RELU, 3)["x"]
    assert np.array_equal(x, data.make_inputs(RELU, 3)["x"])
    assert not np.array_equal(x, data.make_inputs(RELU, 4)["x"])
    other = case_of("silu", shape=[5, 7])
    assert not np.array_equal(x, data.make_inputs(other, 3)["x"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_inputs_have_the_dtype_of_the_case(dtype: str) -> None:
    """Proves that floats are in the case's dtype, and indices and masks in their own."""
    case = case_of("gather", dtype, shape=[5, 7], count=3)
    inputs = data.make_inputs(case, 1)
    assert {name: array.dtype.name for name, array in inputs.items()} == {
        "x": dtype,
        "index": "int32",
    }


def test_one_nan_is_planted() -> None:
    """Proves that exactly one element of the first input is NaN, and the others are as before."""
    plain = data.make_inputs(RELU, 3)["x"]
    planted = data.plant_nan(RELU, 3, {"x": plain})["x"]
    assert np.isnan(planted).sum() == 1
    assert np.array_equal(plain[~np.isnan(planted)], planted[~np.isnan(planted)])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_files_hold_what_was_made(dtype: str, tmp_path: Path) -> None:
    """Proves that inputs and the float64 reference come back from their files, read-only."""
    case = case_of("sum_all", dtype, shape=[5, 7])
    made = data.make_dataset(case, 1, tmp_path, reference=True)
    (x,) = [data.open_array(file) for file in made.inputs]
    (total,) = [data.open_array(file) for file in made.outputs]
    assert np.array_equal(x, data.make_inputs(case, 1)["x"])
    assert (total.dtype, total.shape) == (np.float64, ())
    assert total == x.astype(np.float64).sum()
    with pytest.raises(ValueError, match="read-only"):
        x[0, 0] = 1


def test_a_reference_is_made_only_where_it_is_asked_for(tmp_path: Path) -> None:
    """Proves that a second seed may do without its reference."""
    made = data.make_dataset(RELU, 2, tmp_path, reference=False)
    assert (made.outputs, made.has_nan, made.seed) == ([], False, 2)


def test_a_nan_that_swallows_the_whole_result_is_left_out(tmp_path: Path) -> None:
    """Proves that hard inputs have a NaN where the result shows where it went, and only there."""
    spread = data.make_dataset(RELU, 3, tmp_path, reference=True, stress=True)
    assert spread.has_nan
    assert np.isnan(data.open_array(spread.outputs[0])).sum() == 1
    total = case_of("sum_all", shape=[5, 7])
    swallowed = data.make_dataset(total, 3, tmp_path, reference=True, stress=True)
    assert not swallowed.has_nan
    assert np.isfinite(data.open_array(swallowed.outputs[0]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_hard_inputs_are_of_every_kind(dtype: str) -> None:
    """Proves that rows are far from zero, large, constant, tiny and plain, in each dtype, and that
    every one is finite."""
    case = case_of("layer_norm", dtype, shape=[10, 33])
    x = data.make_inputs(case, 3, stress=True)["x"]
    assert x.dtype.name == dtype
    rows = x.astype(np.float64)
    assert np.isfinite(rows).all()
    size = np.abs(rows).mean(axis=1)
    assert (rows.std(axis=1) == 0).sum() >= 2  # constant, or tiny enough to be
    tiny = float(ml_dtypes.finfo(dtype).tiny)
    assert ((size > 0) & (size < tiny)).sum() == 2
    assert (rows.mean(axis=1) > 7 * rows.std(axis=1)).sum() >= 4  # far from zero, and constant
    assert (size > 2.5).sum() >= 4


def test_an_exact_reference_keeps_the_dtype(tmp_path: Path) -> None:
    """Proves that data movement is compared in the case's own dtype, without widening."""
    case = case_of("sort", "bfloat16", shape=[9], axis=0)
    made = data.make_dataset(case, 1, tmp_path, reference=True)
    assert made.outputs[0].dtype == "bfloat16"
    assert data.open_array(made.outputs[0]).dtype == ml_dtypes.bfloat16


def test_slopes_are_derivatives(tmp_path: Path) -> None:
    """Proves that the slopes of a product, whose gradient is known, are those of its gradient."""
    case = case_of("matmul", direction="backward", a=[4, 5], b=[5, 3])
    made = data.make_dataset(case, 1, tmp_path, reference=True)
    a, b = (data.open_array(file).astype(np.float64) for file in made.inputs)
    (cotangent,) = (data.open_array(file).astype(np.float64) for file in made.cotangents)
    gradients = {"a": cotangent @ b.T, "b": a.T @ cotangent}
    expected = [
        np.sum(gradient * data.direction_of(case, 1, name, k, gradient.shape))
        for name, gradient in gradients.items()
        for k in range(data.DIRECTIONS)
    ]
    assert made.slopes == pytest.approx(expected, rel=1e-5, abs=1e-4)
    assert made.outputs == []


def test_what_cannot_be_made_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that a full disk keeps nothing of the case, nor of its first seed, and that files of
    other cases stay."""
    other = data.make_dataset(case_of("silu", shape=[3]), 1, tmp_path, reference=True)
    data.make_dataset(RELU, 1, tmp_path, reference=True)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data, "reference_of", fail)
    with pytest.raises(OSError, match="No space left"):
        data.make_dataset(RELU, 2, tmp_path, reference=True)
    kept = {str(path) for path in tmp_path.iterdir()}
    assert kept == {file.path for file in [*other.inputs, *other.outputs]}


def test_a_reference_comes_with_its_root_mean_square(tmp_path: Path) -> None:
    """Proves that who is compared with a reference is told its root mean square, and that integers
    have none."""
    case = make_case(
        SuiteEntry(OPERATIONS["softmax"], {"shape": [8, 9], "axis": -1}),
        "float32",
        "forward",
        "ieee",
    )
    (output,) = with_rms(data.make_dataset(case, 1, tmp_path, reference=True)).outputs
    values = data.open_array(output)
    assert output.rms == pytest.approx(float(np.sqrt(np.mean(values**2))), rel=1e-12)
    argmax = SuiteEntry(OPERATIONS["argmax"], {"shape": [8, 9], "axis": 1})
    case = make_case(argmax, "float32", "forward", "ieee")
    (output,) = with_rms(data.make_dataset(case, 1, tmp_path, reference=True)).outputs
    assert output.rms == 0.0

"""Every operation on every framework: there is a cell, and it computes what the reference says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from proving import Datasets, adapter_of, adapter_or_skip, case_of, prove, restore_settings
from small_parameters import SMALL_PARAMETERS

from speedmetal.bench.contract import CHAIN_STEPS
from speedmetal.bench.frameworks import FRAMEWORKS
from speedmetal.bench.frameworks.base import Framework
from speedmetal.bench.measure import calibrate
from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.runner import finished, remembered
from speedmetal.bench.suites import BUILT_IN, cases_of, load_suite

PUBLISHED_LABELS = Path(__file__).parent / "published_labels.txt"

# In modes in which a first call takes long, an operation's first parameters alone are proved:
# MLX's compiler runs a C++ compiler, and JAX compiles every primitive of an eager call.
FAST_MODES = (
    *(("numpy", "eager"), ("torch", "eager"), ("mlx", "eager"), ("jax", "compiled")),
    *(("speedmetal", "compiled"), ("drjit", "eager"), ("drjit", "compiled")),
)
SLOW_MODES = (("mlx", "compiled"), ("jax", "eager"), ("speedmetal", "eager"))
# By default of each kind of operation one; in their fast modes all of them are proved.
OFTEN_IN_SLOW_MODES = {
    *("sum", "argmax", "conv2d", "gather", "scatter_sum", "layer_norm_affine", "sigmoid", "chain5"),
    *("matmul", "attention", "softmax", "sort", "cumsum", "max_pool2d", "lstm_cell", "rfft"),
    *("bias_gelu_dropout", "adam"),
}
BACKWARD_MODES = (("torch", "eager"), ("mlx", "eager"))
# Each takes seconds.
TORCH_COMPILED = (
    "chain5",
    *(pytest.param(name, marks=pytest.mark.tier("nightly")) for name in ("rms_norm", "top_k")),
)

QUICK_ELEMENTS = 1 << 22


def _small(
    *, first_only: bool = False, backward: bool = False, often: Collection[str] = OPERATIONS
) -> list[Any]:
    """Operations with small parameters, identified by name and number; all but some at night."""
    nightly = [pytest.mark.tier("nightly")]
    return [
        pytest.param(
            name, parameters, id=f"{name}-{number}", marks=[] if name in often else nightly
        )
        for name, table in SMALL_PARAMETERS.items()
        if not backward or OPERATIONS[name].differentiable
        for number, parameters in enumerate(table[:1] if first_only else table)
    ]


@pytest.fixture(scope="module")
def datasets() -> Iterator[Datasets]:
    made = Datasets()
    yield made
    made.folder.cleanup()
    restore_settings()


@pytest.fixture(autouse=True)
def _no_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what depends on time: warming up, and telling late and remembered results by it."""
    monkeypatch.setattr(calibrate, "WARM_SECONDS", 0.0)
    monkeypatch.setattr(finished, "UNFINISHED_FLOOR_SECONDS", 3600.0)
    monkeypatch.setattr(remembered, "REMEMBERED_SHARE", 0.0)


# -- completeness ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_operation_has_a_cell_or_a_reason(name: str) -> None:
    """The table operation x framework has no hole, and nothing that is no operation."""
    adapter = adapter_or_skip(name)
    assert sorted([*adapter.cells, *adapter.unsupported]) == sorted(OPERATIONS)
    assert all(adapter.unsupported.values())


def test_a_missing_cell_is_reported() -> None:
    """An adapter without a cell declines the operation and says so."""
    adapter = adapter_of("numpy")
    assert not isinstance(adapter, str)
    assert adapter.reason_against("no_such", "float32", "forward") == "no cell for no_such"


def test_a_framework_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A skip says which framework is not there, and why."""
    missing = Framework("missing", "no_such_module:Adapter", ("missing",), ("eager",), ("eager",))
    monkeypatch.setitem(FRAMEWORKS, "missing", missing)
    assert adapter_of("missing") == ("missing is not installed: No module named 'no_such_module'")


def test_small_parameters_cover_every_operation() -> None:
    """No operation escapes the proofs below."""
    assert sorted(SMALL_PARAMETERS) == sorted(OPERATIONS)
    assert OPERATIONS.keys() >= OFTEN_IN_SLOW_MODES


@pytest.mark.parametrize("name", OPERATIONS)
def test_records_are_consistent(name: str) -> None:
    """Parameters of all cases are valid, and layouts and gradients are those of real inputs."""
    operation = OPERATIONS[name]
    for parameters in [*(case.parameters for case in operation.cases), *SMALL_PARAMETERS[name]]:
        assert set(parameters) == set(operation.parameters)
        for key, parameter in operation.parameters.items():
            assert parameter.is_valid(parameters[key]), key
        assert operation.problem(parameters) is None
    parameters = SMALL_PARAMETERS[name][0]
    inputs = operation.inputs(parameters, np.random.default_rng(0))
    assert set(operation.layouts) <= set(inputs)
    assert set(operation.differentiable) <= set(inputs)
    assert {array.dtype.name for array in inputs.values()} <= {"float32", "int32", "bool"}
    outputs = operation.reference(parameters, inputs)
    assert len(operation.output_layouts) in {0, len(outputs)}
    work = operation.work(parameters, 4)
    assert work.bytes_minimum >= sum(output.nbytes for output in outputs if output.size > 1)


@pytest.mark.parametrize(
    ("name", "parameters", "problem"),
    [
        (
            "group_norm",
            {"shape": [2, 3, 6], "groups": 4},
            "groups: expected a divisor of 6, the channels, got 4",
        ),
        (
            "max_pool2d",
            {"shape": [1, 6, 9, 1], "window": 2},
            "window: expected a divisor of height 6 and width 9, got 2",
        ),
        (
            "depthwise_conv2d",
            {"x": [1, 5, 5, 4], "weight": [4, 3, 3, 4]},
            "weight: expected [4, kernel, kernel, 1] for x [1, 5, 5, 4], got [4, 3, 3, 4]",
        ),
        (
            "depthwise_conv2d",
            {"x": [1, 2, 5, 4], "weight": [4, 3, 3, 1]},
            "weight: expected a kernel no larger than x [1, 2, 5, 4], got [4, 3, 3, 1]",
        ),
        (
            "conv_transpose2d",
            {"x": [1, 5, 5, 4], "weight": [4, 3, 3, 3], "stride": 2},
            "weight: expected 4 input channels, as x [1, 5, 5, 4] has, got [4, 3, 3, 3]",
        ),
        (
            "conv_transpose2d",
            {"x": [1, 5, 5, 4], "weight": [4, 3, 3, 4], "stride": 4},
            "stride: expected at most the kernel's size, got 4 for weight [4, 3, 3, 4]",
        ),
        (
            "rope",
            {"batch": 1, "heads": 1, "length": 4, "head_size": 5},
            "head_size: expected an even number, got 5",
        ),
        ("top_k", {"shape": [4, 5], "k": 6}, "k: expected at most 5, the last axis, got 6"),
    ],
)
def test_parameters_that_do_not_fit_are_told(
    name: str, parameters: dict[str, Any], problem: str
) -> None:
    """What is wrong with parameters that are each valid alone."""
    assert OPERATIONS[name].problem(parameters) == problem


# -- proofs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("framework", "mode"), FAST_MODES)
@pytest.mark.parametrize(("name", "parameters"), _small())
def test_forward(
    datasets: Datasets, name: str, parameters: dict[str, Any], framework: str, mode: str
) -> None:
    """A cell gives the reference's values on two seeds, NaN included, and keeps its inputs."""
    prove(datasets, case_of(name, parameters), framework, mode)


@pytest.mark.parametrize(("framework", "mode"), SLOW_MODES)
@pytest.mark.parametrize(("name", "parameters"), _small(first_only=True, often=OFTEN_IN_SLOW_MODES))
def test_forward_in_slow_modes(
    datasets: Datasets, name: str, parameters: dict[str, Any], framework: str, mode: str
) -> None:
    """The same in a framework's other mode."""
    prove(datasets, case_of(name, parameters), framework, mode)


@pytest.mark.parametrize("name", TORCH_COMPILED)
def test_forward_compiled_by_torch(datasets: Datasets, name: str) -> None:
    """A chain of functions, a layer and an operation with parameters can be compiled."""
    config = pytest.importorskip("torch._inductor.config")
    # What the processor says it has is used; else a program is compiled for each set of vectors.
    with config.patch("cpp.vec_isa_ok", True):
        prove(datasets, case_of(name, SMALL_PARAMETERS[name][0]), "torch", "compiled")


@pytest.mark.parametrize(("framework", "mode"), BACKWARD_MODES)
@pytest.mark.parametrize(("name", "parameters"), _small(backward=True, first_only=True))
def test_backward(
    datasets: Datasets, name: str, parameters: dict[str, Any], framework: str, mode: str
) -> None:
    """Gradients of all differentiable inputs have the reference's slopes."""
    prove(datasets, case_of(name, parameters, direction="backward"), framework, mode)


@pytest.mark.parametrize(
    ("name", "parameters"), _small(backward=True, first_only=True, often=OFTEN_IN_SLOW_MODES)
)
def test_backward_compiled_by_jax(
    datasets: Datasets, name: str, parameters: dict[str, Any]
) -> None:
    """The same of JAX, which compiles each gradient; by default of each kind of operation one."""
    prove(datasets, case_of(name, parameters, direction="backward"), "jax", "compiled")


@pytest.mark.parametrize("framework", ["numpy", "torch", "speedmetal"])
@pytest.mark.parametrize(("name", "parameters"), _small(first_only=True))
def test_half_precision(
    datasets: Datasets, name: str, parameters: dict[str, Any], framework: str
) -> None:
    """No cell widens float16 on the way, nor loses more digits than float16 must."""
    prove(datasets, case_of(name, parameters, dtype="float16"), framework, "eager")


# -- chains ------------------------------------------------------------------------------------


def test_chains_share_their_steps() -> None:
    """``chain20`` continues where ``chain5`` ends."""
    assert len(CHAIN_STEPS) == 20
    x = np.linspace(-3, 3, 11)
    (five,) = OPERATIONS["chain5"].reference({}, {"x": x})
    np.testing.assert_allclose(five, np.sin(np.tanh(x * 0.9 + 0.2) * 1.5), rtol=1e-14)


# -- suites ------------------------------------------------------------------------------------


def test_the_published_experiments_are_there() -> None:
    """Exactly the 91 experiments of the published benchmark, spelled as it spells them."""
    labels = PUBLISHED_LABELS.read_text(encoding="utf-8").splitlines()
    cases = cases_of(load_suite("mlx-benchmark"))
    assert len(labels) == 91
    assert sorted(case.label for case in cases if case.published) == sorted(labels)


def test_the_variants_of_the_published_benchmark_are_there() -> None:
    """Attention with head sizes that fused kernels take, and layout conversions."""
    variants = [case for case in cases_of(load_suite("mlx-benchmark")) if not case.published]
    assert Counter(case.operation for case in variants) == {"attention": 2, "channels_first": 3}
    head_sizes = [c.parameters["head_size"] for c in variants if c.operation == "attention"]
    assert head_sizes == [64, 128]


def test_every_operation_has_exactly_one_quick_case() -> None:
    """``quick`` touches everything once."""
    counts = Counter(case.operation for case in cases_of(load_suite("quick")))
    assert counts == dict.fromkeys(OPERATIONS, 1)


def test_every_operation_is_in_a_full_suite() -> None:
    """``mlx-benchmark``, ``layers`` and ``fused`` together contain every operation."""
    full = ("mlx-benchmark", "layers", "fused")
    cases = [case for name in full for case in cases_of(load_suite(name))]
    assert {case.operation for case in cases} == set(OPERATIONS)


@pytest.mark.parametrize("suite", BUILT_IN)
def test_no_two_cases_of_a_suite_look_alike(suite: str) -> None:
    """Reports tell cases apart by their labels."""
    labels = [case.label for case in cases_of(load_suite(suite))]
    assert len(labels) == len(set(labels))


def test_quick_layers_are_small() -> None:
    """The quick cases of ``layers`` and ``fused`` fit the quick suite's three minutes."""
    full = {case.key for name in ("layers", "fused") for case in cases_of(load_suite(name))}
    quick = [case for case in cases_of(load_suite("quick")) if case.key in full]
    assert quick
    for case in quick:
        assert case.bytes_minimum / 4 <= 2 * QUICK_ELEMENTS, case.label

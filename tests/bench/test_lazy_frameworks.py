"""The adapters of speedmetal and Dr.Jit: their modes are what they say, and settings are kept."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from proving import Datasets, adapter_or_skip, case_of, settled
from small_parameters import SMALL_PARAMETERS

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks import FRAMEWORKS
from speedmetal.bench.frameworks.base import Adapter, Settings
from speedmetal.bench.measure import calibrate
from speedmetal.bench.record import CaseSpec, Status
from speedmetal.bench.runner import finished, remembered
from speedmetal.bench.runner.protocol import Prepare, Prepared, Sample
from speedmetal.bench.runner.task import Task

X = np.linspace(-2, 2, 48, dtype=np.float32).reshape(6, 8)


def _steps(array: Any) -> int:
    """Steps that an array of speedmetal's needs before it has its values."""
    import speedmetal as sm

    return len(sm.explain(array).steps)


@pytest.mark.parametrize(("mode", "steps"), [("eager", 0), ("compiled", 1)])
def test_a_chain_is_one_expression_in_compiled_mode_alone(mode: str, steps: int) -> None:
    """Proves that the eager mode computes each operation where it is written, and that the other
    leaves the whole chain to one kernel, which is not run before it is forced."""
    adapter = adapter_or_skip("speedmetal")
    function = adapter.cells["chain20"]({})
    chain = adapter.compile(function) if mode == "compiled" else function
    result = chain(adapter.to_device(X, Layout.PLAIN))
    assert _steps(result) == steps
    adapter.force([result])
    assert _steps(result) == 0


def test_the_two_modes_give_the_same_bits() -> None:
    """Proves that fusing changes no result: the modes differ in time alone."""
    adapter = adapter_or_skip("speedmetal")
    function = adapter.cells["chain20"]({})
    x = adapter.to_device(X, Layout.PLAIN)
    eager, compiled = function(x), adapter.compile(function)(x)
    np.testing.assert_array_equal(eager.numpy(), compiled.numpy())


def test_peeking_computes_the_whole_result() -> None:
    """Proves that a view of a lazy array, by which one element is read, is not computed alone: a
    `force` that does nothing would pass then."""
    adapter = adapter_or_skip("speedmetal")
    lazy = adapter.compile(adapter.cells["relu"]({}))(adapter.to_device(X, Layout.PLAIN))
    assert adapter.peek(lazy) == 0
    assert _steps(lazy) == 0


@pytest.mark.parametrize("name", ["speedmetal", "drjit"])
def test_tensors_do_not_share_the_memory_of_the_host(name: str) -> None:
    """Proves that what becomes of the array that inputs were made of does not change them, and
    that other values reach their tensor."""
    adapter = adapter_or_skip(name)
    host = X.copy()
    tensor = adapter.to_device(host, Layout.PLAIN)
    host[:] = 7
    np.testing.assert_array_equal(adapter.to_host(tensor, Layout.PLAIN), X)
    again = adapter.rewrite(tensor, host, Layout.PLAIN)
    adapter.force([again])
    np.testing.assert_array_equal(adapter.to_host(again, Layout.PLAIN), host)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_masks_can_be_touched(name: str) -> None:
    """Proves that large inputs of truth values can be read before a sample, as numbers are."""
    adapter = adapter_or_skip(name)
    result = adapter.read(adapter.to_device(X > 0, Layout.PLAIN))
    adapter.force([result])
    assert adapter.to_host(result, Layout.PLAIN).all()


def test_threads_and_caches_are_those_of_the_run() -> None:
    """Proves that a worker computes on as many threads as the run says, and that its first call
    compiles: nothing of other runs is found."""
    environment = FRAMEWORKS["speedmetal"].environment
    assert environment(Settings(threads=3)) == {
        "SPEEDMETAL_NUM_THREADS": "3",
        "SPEEDMETAL_CACHE": "0",
    }
    assert environment(Settings(threads=1, scratch="run")) == {
        "SPEEDMETAL_NUM_THREADS": "1",
        "SPEEDMETAL_CACHE_DIR": "run/speedmetal",
    }
    assert FRAMEWORKS["drjit"].environment(Settings(threads=1, scratch="run"))["HOME"] == (
        "run/drjit"
    )


def test_threads_are_reported_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that the record has the threads of kernels, of products, and of Dr.Jit."""
    monkeypatch.setenv("SPEEDMETAL_NUM_THREADS", "3")
    assert adapter_or_skip("speedmetal").report_settings()["threads"].startswith("3, ")
    assert adapter_or_skip("drjit").report_settings()["threads"] == "2"


def test_dr_jit_says_why_it_has_no_gradients_here() -> None:
    """Proves that it is not said to have none."""
    adapter = adapter_or_skip("drjit")
    told = adapter.reason_against("relu", "float32", "backward")
    assert told == "its types with gradients (drjit.llvm.ad) are not driven here"


def _request(datasets: Datasets, case: CaseSpec, timing: str = "latency") -> Prepare:
    data, second, stress = datasets.of(case)
    return Prepare(
        case=case,
        data=data,
        second=second,
        stress=stress,
        timing_mode=timing,
        cache="warm",
        cache_bytes=1,
    )


def _prepared(adapter: Adapter, mode: str, case: CaseSpec) -> Prepared:
    """What comes of proving a case on an adapter."""
    datasets = Datasets()
    prepared = settled(Task(adapter, mode, _request(datasets, case)))
    datasets.folder.cleanup()
    return prepared


def test_an_unevaluated_trace_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that the proof finds a Dr.Jit adapter whose `force` does nothing."""
    adapter = adapter_or_skip("drjit")
    monkeypatch.setattr(type(adapter), "force", lambda *_: None)
    prepared = _prepared(adapter, "eager", case_of("relu", {"shape": [1024, 1024]}))
    assert prepared.status is Status.WRONG
    assert "the result was not finished when its call had been forced" in prepared.reason


def test_calls_in_flight_are_each_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that the work of each call of a throughput's sample begins before the next call is
    made: Dr.Jit computes calls that are alike as one where it sees them together."""
    adapter = adapter_or_skip("drjit")
    kernels: list[int] = []
    force = type(adapter).force

    def counted(self: Adapter, outputs: Any) -> None:
        force(self, outputs)
        kernels.append(len(drjit.kernel_history([drjit.KernelType.JIT])))

    drjit = pytest.importorskip("drjit")
    case = case_of("relu", {"shape": [64, 96]})
    datasets = Datasets()
    task = Task(adapter, "eager", _request(datasets, case, "throughput"))
    assert settled(task).status is Status.OK
    monkeypatch.setattr(type(adapter), "force", counted)
    with drjit.scoped_set_flag(drjit.JitFlag.KernelHistory):
        drjit.kernel_history_clear()
        task.sample(Sample(calls=4, wake=False, verify=False, processors=[]))
    task.close()
    datasets.folder.cleanup()
    assert kernels[-1] == 4


@pytest.mark.parametrize("name", ["chain5", "sum", "gather", "matmul", "adam"])
def test_cells_are_right_on_a_gpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that the adapter drives a device with memory and a queue of its own, in the simulator
    of Metal, which is no device to time."""
    from speedmetal.bench.frameworks.speedmetal.adapter import SpeedmetalAdapter

    monkeypatch.setattr(calibrate, "WARM_SECONDS", 0.0)
    monkeypatch.setattr(finished, "UNFINISHED_FLOOR_SECONDS", 3600.0)
    monkeypatch.setattr(remembered, "REMEMBERED_SHARE", 0.0)
    adapter = SpeedmetalAdapter("metal-sim", Settings(threads=2))
    prepared = _prepared(adapter, "compiled", case_of(name, SMALL_PARAMETERS[name][0]))
    assert prepared.status is Status.OK, prepared.reason


def test_a_gpu_without_float64_says_so() -> None:
    """Proves the full text, and that the simulator is not among the devices to time."""
    from speedmetal.bench.frameworks.speedmetal.adapter import SpeedmetalAdapter

    adapter = SpeedmetalAdapter("metal-sim", Settings(threads=2))
    assert adapter.reason_against("relu", "float64", "forward") == "metal-sim has no float64"
    assert "metal-sim" not in [device.name for device in SpeedmetalAdapter.devices()]


def test_a_compiler_that_was_not_used_is_not_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that PyTorch's compiler, which takes seconds to import, is reset once after each case
    that was compiled, and not after eager ones."""
    adapter = adapter_or_skip("torch")
    resets: list[None] = []
    compiler = importlib.import_module("torch").compiler
    monkeypatch.setattr(compiler, "reset", lambda: resets.append(None))
    adapter.release()
    assert resets == []
    adapter.compile(lambda x: x)
    adapter.release()
    adapter.release()
    assert resets == [None]

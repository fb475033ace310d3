"""Sorts and scans by NVIDIA's cuda.compute, of which NumPy stands in (`cuda_compute`)."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import speedmetal as sm
from cuda_compute import Compute
from cuda_machine import DryDriver, dry_device
from cuda_on_the_host import HostCode
from speedmetal.arrays.kernels.scan import combine_two, log_add
from speedmetal.arrays.order import by_kernels, by_library, ways
from speedmetal.arrays.user_functions import scans_by_library
from speedmetal.backends.cuda import nvrtc
from speedmetal.backends.cuda.driver import build
from speedmetal.backends.cuda.libraries import compute
from speedmetal.system.disk_cache import DiskCache


class Machine:
    """A device, and the package that it has."""

    def __init__(self, patch, folder):
        code = HostCode()
        patch.setattr(build, "compile_cubin", code.compile_cubin)
        patch.setattr(compute, "compile_for_linking", lambda source, _: source.encode())
        cache = DiskCache(folder)
        patch.setattr(compute, "default_cache", lambda: cache)
        self.driver = DryDriver()
        self.driver.on_launch, self.driver.untold = code.run, ()
        self.package = Compute(self.driver)
        for name, module in self.package.modules.items():
            patch.setitem(sys.modules, name, module)
        compute.load.cache_clear()
        self.device = dry_device(self.driver)
        self.device.time_limit_seconds = 20


@pytest.fixture
def machine(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        yield Machine(patch, tmp_path / "cache")
    compute.load.cache_clear()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield Machine(patch, tmp_path_factory.mktemp("compute") / "cache")
    compute.load.cache_clear()


DTYPES = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
          "float32", "float64")  # fmt: skip
_LTO_IR = b"\xedCN\x7f"
"""How NVIDIA's files of that form begin."""
SPECIAL = (-np.inf, -2.5, -0.0, 0.0, 1.0, np.inf, np.nan, -np.nan, 1e-42, -1e-42)


def elements(shape, dtype, seed):
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.choice(SPECIAL, shape).astype(dtype)
    high = 1 if dtype == "bool" else np.iinfo(dtype).max
    low = 0 if dtype == "bool" else np.iinfo(dtype).min
    few = random.integers(low, high, 5, np.uint64 if low == 0 else np.int64, endpoint=True)
    return random.choice(few, shape).astype(dtype)


def in_order(x, *, descending):
    if not descending:
        return np.argsort(x, axis=-1, kind="stable")
    return x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_rows(shared, data):
    """Keys, bits that are looked at, positions and rows: NaN last, ties as they were."""
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple))
    descending = data.draw(st.booleans())
    x = elements(shape, dtype, data.draw(st.integers(0, 50)))
    ours = sm.array(x, device=shared.device)
    places = in_order(x, descending=descending)
    options = {"descending": descending, "algorithm": "vendor"}
    np.testing.assert_array_equal(sm.argsort(ours, **options).numpy(), places)
    expected = np.take_along_axis(x, places, -1)
    found = sm.sort(ours, **options).numpy()
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found, expected)
    assert set(shared.package.called) <= {"sort"}


def test_a_row_of_integers_is_sorted_as_it_is(machine):
    """No keys are made: one call, and no launch."""
    x = sm.array(np.array([3, -1, 2], np.int32), device=machine.device)
    found = sm.sort(x, algorithm="vendor")
    np.testing.assert_array_equal(found.numpy(), [-1, 2, 3])
    np.testing.assert_array_equal(x.numpy(), [3, -1, 2])
    assert machine.package.called == ["sort"]


def test_auto_asks_for_long_rows(machine, monkeypatch):
    """Up to a part, and few elements, our kernels sort; more in longer rows cuda.compute."""
    asked = []
    monkeypatch.setattr(by_kernels, "sorted_rows", lambda rows, **_: asked.append("ours") or rows)
    monkeypatch.setattr(by_library, "sorted_rows", lambda rows, **_: asked.append("its") or rows)
    many = ways.FEW // by_kernels.PART
    for shape in ((1,), (2 * many, by_kernels.PART), (ways.FEW,), (many, by_kernels.PART + 1)):
        sm.sort(sm.zeros(shape, device=machine.device) + 1)
    assert asked == ["ours", "ours", "ours", "its"]
    x = sm.zeros((2, 3), dtype=sm.complex64, device=machine.device)
    assert ways.way_of("sort", x, "auto") is ways.Way.HOST


def test_auto_leaves_the_scans_that_we_have_to_our_kernels(machine):
    """And what users' operations combine to cuda.compute, where a row is long."""
    x, few = (sm.zeros(n, device=machine.device) for n in (scans_by_library.LONG, 100))
    for name in scans_by_library.OWN_ARE_FASTER:
        assert not scans_by_library.scans(name, x, 0, "auto")
        assert scans_by_library.scans(name, x, 0, "vendor")
    assert scans_by_library.scans("accumulate", x, 0, "auto")
    assert not scans_by_library.scans("accumulate", few, 0, "auto")


def test_what_was_compiled_is_kept_on_disk(machine, monkeypatch):
    """Another process, which has another device and none of the algorithms, compiles nothing."""
    x = np.array([2.0, 1.0], np.float32)
    sm.sort(sm.array(x, device=machine.device), algorithm="vendor")
    assert machine.package.built == ["sort"]
    sm.sort(sm.array(x, device=machine.device), algorithm="vendor")
    other = dry_device(machine.driver)
    found = sm.sort(sm.array(x, device=other), algorithm="vendor")
    np.testing.assert_array_equal(found.numpy(), [1.0, 2.0])
    assert machine.package.built == ["sort"]


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_sums(machine, dtype):
    x = np.arange(1, 9, dtype=dtype)
    ours = sm.array(x, device=machine.device)
    found = sm.cumulative_sum(ours[::-1] + 1, dtype=ours.dtype, algorithm="vendor")
    np.testing.assert_array_equal(found.numpy(), np.cumsum(x[::-1] + 1, dtype=dtype))
    found = sm.cumulative_sum(ours, dtype=ours.dtype, include_initial=True, algorithm="vendor")
    np.testing.assert_array_equal(found.numpy(), [0, *np.cumsum(x)])
    assert machine.package.called == ["scan", "scan"]
    assert machine.package.built == ["scan"]


def test_operations_are_printed_and_compiled(machine):
    """The user's, which does not commute, and those of the scans."""
    x = np.array([0, 3, 0, 0, 5, 0], np.int32)
    ours = sm.array(x, device=machine.device)
    found = sm.accumulate(lambda a, b: b if b != 0 else a, ours, algorithm="vendor")
    np.testing.assert_array_equal(found.numpy(), [0, 3, 3, 3, 5, 5])
    y = np.array([1, 5, np.nan, 2], np.float32)
    found = sm.cummax(sm.array(y, device=machine.device), algorithm="vendor")
    np.testing.assert_array_equal(found.numpy(), [1, 5, np.nan, np.nan])
    assert machine.package.called == ["scan", "scan"]


def test_what_is_closed_over_is_looked_at_again(machine):
    x = sm.array(np.array([4, 9, 7], np.int32), device=machine.device)
    for limit in (8, 5, 8):
        found = sm.accumulate(lambda a, b: min(max(a, b), limit), x, algorithm="vendor")  # noqa: B023
        np.testing.assert_array_equal(found.numpy(), [4, min(9, limit), min(9, limit)])


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64", "i8", "i64", "bool"])
@pytest.mark.parametrize("combine", [max, log_add], ids=["max", "log_add"])
def test_nvrtc_makes_code_for_linking(dtype, combine):
    """Of every operation's text; it has the function under the name that is told."""
    if not nvrtc.is_available():
        pytest.skip("NVRTC is not installed")
    if dtype == "bool" and combine is log_add:
        pytest.skip("bools are converted before")
    text = sm.code(combine_two, *[f"{dtype}[:]"] * 3, combine, target="cuda")
    operation = compute.operation_of(text, "combine_two")
    ptx = nvrtc._compile(operation.source, "compute_90", "PTX", "-rdc=true").decode()
    assert f".visible .func {operation.name}(" in ptx.replace("\n", "")
    assert nvrtc.compile_for_linking(operation.source, "sm_90").startswith(_LTO_IR)


def test_a_text_without_the_kernel():
    with pytest.raises(sm.InternalError, match="the text has no kernel 'combine_two'"):
        compute.operation_of("int x;", "combine_two")


def test_the_package_is_missing(machine, monkeypatch):
    """Then our kernels are asked, silently; who asks for the package is told what to install."""
    monkeypatch.setitem(sys.modules, "cuda.compute", None)
    compute.load.cache_clear()
    x = sm.zeros(ways.FEW + 1, device=machine.device)
    assert ways.way_of("sort", x, "auto") is ways.Way.KERNELS
    for call in (sm.sort, sm.argsort, sm.cumulative_sum, sm.cummax):
        with pytest.raises(sm.DeviceError) as caught:
            call(x, algorithm="vendor")
        assert str(caught.value) == (
            "NVIDIA's cuda.compute was not found (ModuleNotFoundError: import of cuda.compute"
            " halted; None in sys.modules); install it with pip install 'cuda-cccl[minimal-cu13]',"
            " or ask for algorithm='native'"
        )


def test_it_cannot_be_compiled(machine):
    """The package's own words, and what can be done."""
    machine.package.refusal = "Failed building radix_sort, error code: 1"
    with pytest.raises(sm.DeviceError) as caught:
        sm.sort(sm.zeros(3, device=machine.device), algorithm="vendor")
    assert str(caught.value) == (
        "radix_sort uint32 of NVIDIA's cuda.compute answered: Failed building radix_sort, error"
        " code: 1; ask for algorithm='native', and please report this with the shapes and dtypes"
    )


def test_operations_that_print_or_are_looked_after(machine):
    """They need more than two elements: our kernels are asked."""

    def told(a, b):
        print(a)  # noqa: T201 - the kernel does
        return a + b

    x = sm.zeros(3, device=machine.device)
    assert scans_by_library._operation_of(told, x) is None
    assert scans_by_library._operation_of(max, x) is not None
    with sm.debug_level(1):
        assert scans_by_library._operation_of(max, x) is None

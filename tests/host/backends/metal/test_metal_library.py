"""`sm.metal`: hand-written Metal source on arrays."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import speedmetal as sm
from metal_machine import machine
from speedmetal import metal
from speedmetal.errors import DeviceError, LaunchError, UnknownNameError, UserInputError

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
SOURCE = (
    HEAD
    + """
constant int kind [[function_constant(0)]];
constant float extra [[function_constant(3)]];
struct Params { float scale; int shift; };
kernel void scale(device float* x [[buffer(0)]], constant float& factor [[buffer(1)]],
                  uint i [[thread_position_in_grid]]) { x[i] *= factor; }
kernel void transform(device const int* x [[buffer(0)]], device int* out [[buffer(1)]],
                      constant Params& p [[buffer(2)]], uint i [[thread_position_in_grid]]) {
    out[i] = int(x[i] * p.scale) + p.shift;
}
kernel void reverse(device float* x [[buffer(0)]], threadgroup float* shared [[threadgroup(0)]],
                    uint i [[thread_position_in_threadgroup]],
                    uint n [[threads_per_threadgroup]]) {
    shared[i] = x[i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    x[i] = shared[n - 1 - i];
}
kernel void where(device uint* out [[buffer(0)]], uint3 p [[thread_position_in_grid]],
                  uint3 size [[threads_per_grid]]) {
    out[(p.z * size.y + p.y) * size.x + p.x] = p.x + 10 * p.y + 100 * p.z;
}
kernel void chosen(device float* out [[buffer(0)]]) { out[0] = kind == 1 ? 1.0f : 2.0f; }
kernel void summed(device float* out [[buffer(0)]]) { out[0] = float(kind) + extra; }
"""
)


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "0")


@pytest.fixture(scope="module")
def device():
    return sm.device("metal-sim")


@pytest.fixture(scope="module")
def library(device):
    return metal.library(SOURCE, device=device)


def ones(device, count=8):
    return sm.array(np.ones(count, np.float32), device=device)


def test_what_a_library_has(library):
    assert set(library.functions) == {
        *("scale", "transform", "reverse", "where", "chosen", "summed")
    }
    assert repr(library).startswith("<Metal library on metal-sim: ")
    function = library.function("scale")
    assert repr(function) == "<Metal function scale on metal-sim>"
    assert (function.threads_per_threadgroup, function.threads_per_simdgroup) == (1024, 32)


def test_a_function_on_arrays_and_views(library, device):
    x = ones(device)
    library.function("scale")(x, 3.0, grid=8)
    library.function("scale")(x[2:5], np.float32(2), grid=3, threads=2)
    sm.synchronize()
    assert x.numpy().tolist() == [3, 3, 6, 6, 6, 3, 3, 3]


def test_what_waits_to_read_an_array_is_computed_before_a_function_writes_to_it(library, device):
    """Also where the array is itself not computed yet."""
    x = sm.array([1.0, 2.0, 3.0], device=device)
    for given, values in ((x, [1.0, 2.0, 3.0]), (x * 2, [2.0, 4.0, 6.0])):
        later = given + 1
        library.function("scale")(given, 10.0, grid=3)
        assert later.tolist() == [value + 1 for value in values]
        assert given.tolist() == [value * 10 for value in values]


def test_structures(library, device):
    x = sm.array(np.arange(5, dtype=np.int32), device=device)
    params = np.array((2.5, 7), dtype=[("scale", "<f4"), ("shift", "<i4")])
    expected = (np.arange(5) * 2.5).astype(np.int32) + 7
    for given in (params[()], params.tobytes()):
        out = sm.zeros(5, dtype=sm.int32, device=device)
        library.function("transform")(x, out, given, grid=5)
        sm.synchronize()
        np.testing.assert_array_equal(out.numpy(), expected)


def test_threadgroup_memory(library, device):
    x = sm.array(np.arange(10, dtype=np.float32), device=device)
    library.function("reverse")(x, grid=10, threads=10, threadgroup_bytes={0: 40})
    sm.synchronize()
    assert x.numpy().tolist() == list(range(9, -1, -1))


def test_grids_and_groups_of_three_axes(library, device):
    where = library.function("where")
    expected = (
        np.arange(4) + 10 * np.arange(3)[:, None] + 100 * np.arange(2)[:, None, None]
    ).ravel()
    for sizes in ({"grid": (4, 3, 2)}, {"groups": (2, 3, 1), "threads": (2, 1, 2)}):
        out = sm.zeros(24, dtype=sm.uint32, device=device)
        where(out, **sizes)
        sm.synchronize()
        np.testing.assert_array_equal(out.numpy(), expected)


def test_more_than_a_command_buffer_of_launches(library, device):
    x = ones(device, 1)
    for _ in range(100):
        library.function("scale")(x, 1.0, grid=1)
    library.function("scale")(x, 5.0, grid=1)
    assert x.numpy().tolist() == [5.0]


# --- Constants and macros ------------------------------------------------------------------------


@pytest.mark.parametrize("constants", [{"kind": 1}, {0: 1}, {"kind": np.int32(1)}])
def test_constants_by_name_and_by_index(library, device, constants):
    out = sm.zeros(1, device=device)
    library.function("chosen", constants)(out, grid=1)
    assert out.numpy().tolist() == [1.0]


def test_constants_of_the_library_serve_the_functions_that_have_them(device):
    general = metal.library(SOURCE, device=device, constants={"kind": 4, "extra": 0.5, "other": 1})
    out = sm.zeros(1, device=device)
    general.function("summed")(out, grid=1)
    assert out.numpy().tolist() == [4.5]
    general.function("summed", {"kind": 6})(out, grid=1)
    assert out.numpy().tolist() == [6.5]
    x = ones(device)
    general.function("scale")(x, 2.0, grid=8)


def test_each_choice_of_constants_has_an_archive_of_its_own(library, monkeypatch, tmp_path):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path / "cache"))
    for kind in (1, 2, 1):
        library.function("chosen", {"kind": kind})
    entries = [file.read_bytes() for file in (tmp_path / "cache").iterdir()]
    assert sum(b"metal archive 1 " in entry[:100] for entry in entries) == 2


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        (
            None,
            "function 'summed' needs the function constants kind, extra: constants={'kind': ...}",
        ),
        ({"kind": 1}, "function 'summed' needs the function constants extra: constants="),
        ({"kin": 1}, "unknown function constant 'kin'; did you mean kind?"),
        ({5: 1}, "unknown function constant '5'"),
        ({"kind": 1.5, "extra": 1}, "function constant 'kind': expected a int32, got 1.5"),
        ({"kind": 2**31, "extra": 1}, "function constant 'kind': expected a int32, got 2147483648"),
        ({"kind": "1", "extra": 1}, "function constant 'kind': expected a int32, got '1'"),
        ({"kind": float("nan"), "extra": 1}, "function constant 'kind': expected a int32, got nan"),
    ],
)
def test_wrong_constants(library, constants, message):
    with pytest.raises(UserInputError) as caught:
        library.function("summed", constants)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bool", True),
        ("uchar", 200),
        ("short", -3),
        ("half", 0.5),
        ("bfloat", 1.5),
        ("ulong", 2**63),
    ],
)
def test_constants_of_every_kind(device, kind, value):
    text = f"{HEAD}constant {kind} c [[function_constant(2)]];\n"
    text += f"kernel void f(device {kind}* out [[buffer(0)]]) {{ out[0] = c; }}"
    dtypes = {"bool": sm.bool_, "uchar": sm.uint8, "short": sm.int16, "half": sm.float16}
    dtypes |= {"bfloat": sm.bfloat16, "ulong": sm.uint64}
    out = sm.zeros(1, dtype=dtypes[kind], device=device)
    metal.library(text, device=device).function("f", {"c": value})(out, grid=1)
    assert out.numpy()[0] == value


def test_macros(device):
    text = HEAD + "kernel void f(device float* out [[buffer(0)]]) { out[0] = TWICE(VALUE); }"
    library = metal.library(
        text, device=device, defines={"VALUE": 3, "TWICE(x)": "(2 * (x))", "FLAG": True}
    )
    out = sm.zeros(1, device=device)
    library.function("f")(out, grid=1)
    assert out.numpy().tolist() == [6.0]


@pytest.mark.parametrize("defines", [{"1X": 1}, {"X": "1\n2"}, {"X Y": 1}])
def test_wrong_macros(device, defines):
    with pytest.raises(UserInputError, match="defines: expected a macro's name and a text of one"):
        metal.library(SOURCE, device=device, defines=defines)


# --- Errors of the source ------------------------------------------------------------------------

BAD = HEAD + "kernel void f(device float* out [[buffer(0)]]) {\n    out[0] = nowhere;\n}\n"


@pytest.mark.parametrize("defines", [None, {"A": 1, "B": 2}])
def test_errors_show_line_and_caret(device, defines):
    with pytest.raises(sm.CompileError) as caught:
        metal.library(BAD, device=device, defines=defines)
    text = str(caught.value)
    assert text.startswith("1 error in Metal source\n\nprogram_source:4:14: error: ")
    assert "    4 |     out[0] = nowhere;\n      |              ^^^^^^^" in text
    assert isinstance(caught.value, metal.MetalSourceError)
    (fault,) = caught.value.diagnostics
    assert (fault.span.line, fault.span.column) == (4, 13)


def test_a_compiler_without_places():
    broken = machine(fail_compile="no service")
    with pytest.raises(metal.MetalSourceError, match="program_source:1:1: error: no service"):
        metal.library(SOURCE, device=broken)


def test_a_function_that_is_not_there(library):
    with pytest.raises(UnknownNameError, match="unknown function 'scal'; did you mean scale"):
        library.function("scal")


# --- Options -------------------------------------------------------------------------------------


def test_language_versions():
    older, newer = machine(os_version=(14, 2, 0)), machine(os_version=(15, 0, 0))
    assert metal.library(SOURCE, device=newer, language_version=(3, 2)).functions
    with pytest.raises(UserInputError) as caught:
        metal.library(SOURCE, device=older, language_version=(3, 2))
    assert str(caught.value) == (
        "language version 3.2 is newer than what macOS 14.2 on metal-sim has, 3.1"
    )
    for wrong in ("3.1", (3,), (3.0, 1), 3):
        with pytest.raises(UserInputError, match=r"expected a language version such as \(3, 1\)"):
            metal.library(SOURCE, device=newer, language_version=wrong)


def test_math_modes(device):
    for mode in ("safe", "relaxed", "fast"):
        assert metal.library(SOURCE, device=device, math_mode=mode).functions
    with pytest.raises(UnknownNameError, match="unknown math mode 'faster'; did you mean fast"):
        metal.library(SOURCE, device=device, math_mode="faster")


def test_devices(device):
    assert metal.device("metal-sim") is device
    assert metal.device(device) is device
    assert "metal-sim" in metal.available()
    with pytest.raises(DeviceError) as caught:
        metal.device("cpu")
    assert str(caught.value) == "cpu is no Metal device; those are metal, metal-sim"
    with device:
        assert metal.library("kernel void f() {}").device is device


# --- Calls that are wrong ------------------------------------------------------------------------


def test_a_wrong_call_sends_nothing(library, device):
    scale = library.function("scale")
    x = ones(device)
    sm.synchronize()
    before = device.bridge.simulation.messages
    for arguments, sizes in (
        ((x,), {"grid": 8}),
        ((x, 1.0), {}),
        ((x, 1.0), {"grid": -1}),
        ((x, "1"), {"grid": 0}),
        ((x, 1.0), {"grid": 8, "threads": 2048}),
        ((x, "1"), {"grid": 8}),
        ((x, 1.0), {"grid": 8, "threadgroup_bytes": {0: 16}}),
        ((sm.zeros(8, device="cpu"), 1.0), {"grid": 8}),
    ):
        with pytest.raises(LaunchError):
            scale(*arguments, **sizes)
    for empty in ({"grid": 0}, {"grid": (8, 0)}, {"groups": 0, "threads": 32}):
        scale(x, 1.0, **empty)
    assert device.bridge.simulation.messages == before


def test_no_threads_send_nothing(library, device):
    x, scale = ones(device), library.function("scale")
    sm.synchronize()
    before = device.bridge.simulation.messages
    scale(x, 2.0, grid=0)
    scale(x, 2.0, grid=(8, 0))
    assert device.bridge.simulation.messages == before
    assert x.numpy().tolist() == [1.0] * 8


def test_a_pipeline_with_fewer_threads(device):
    text = HEAD + "[[max_total_threads_per_threadgroup(64)]] kernel void f(device float* x"
    text += " [[buffer(0)]], uint i [[thread_position_in_grid]]) { x[i] = 1; }"
    function = metal.library(text, device=device).function("f")
    assert function.threads_per_threadgroup == 64
    with pytest.raises(LaunchError) as caught:
        function(ones(device), grid=100, threads=100)
    assert str(caught.value) == (
        "kernel 'f': 100 threads per threadgroup requested; metal-sim allows 64 for this kernel,"
        " because of the registers that it needs; use fewer, or leave threads out"
    )
    x = sm.zeros(100, device=device)
    function(x, grid=100)
    assert x.numpy().sum() == 100


def test_too_much_threadgroup_memory(library, device):
    with pytest.raises(LaunchError) as caught:
        library.function("reverse")(ones(device), grid=8, threadgroup_bytes={0: 40_000})
    assert str(caught.value) == (
        "kernel 'reverse' needs 40000 bytes of threadgroup memory, metal-sim allows 32768; make its"
        " threadgroup arrays smaller"
    )


def test_a_failure_on_the_device_names_the_function(library, device):
    with sm.profile.label("loop"):
        library.function("scale")(ones(device, 4), 1.0, grid=100_000)
    with pytest.raises(sm.KernelError, match="loop/scale"):
        sm.synchronize()


def test_storage_modes_and_types_come_along(device):
    with metal.storage("private"):
        x = sm.array(np.ones(4, np.float32), device=device)
    metal.library(SOURCE, device=device).function("scale")(x, 4.0, grid=4)
    assert x.numpy().tolist() == [4.0] * 4
    text = HEAD + "kernel void f(device bfloat* x [[buffer(0)]], constant bfloat& y [[buffer(1)]])"
    y = sm.zeros(1, dtype=sm.bfloat16, device=device)
    metal.library(text + " { x[0] = y; }", device=device).function("f")(
        y, ml_dtypes.bfloat16(2.5), grid=1
    )
    assert float(y.numpy()[0]) == 2.5


def test_the_simulators_tools_are_at_hand():
    from speedmetal.metal_simulator.language.lint import lint
    from speedmetal.metal_simulator.simulate import simulate

    assert metal.lint is lint
    assert metal.simulate is simulate
    with pytest.raises(
        AttributeError, match=r"module 'speedmetal\.metal' has no attribute 'nothing'"
    ):
        _ = metal.nothing


@pytest.mark.parametrize("version", ["12.2.2", "13.0"])
def test_nothing_is_left_behind(monkeypatch, tmp_path, version):
    """No object is retained once too often, or autoreleased outside of a pool."""
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path / "cache"))
    device = machine(core_version=version)
    simulation = device.bridge.simulation
    before = simulation.unpooled, simulation.over_retained
    for _ in range(2):
        library = metal.library(SOURCE, device=device)
        library.function("chosen", {"kind": 1})
        library.function("scale")
    with pytest.raises(metal.MetalSourceError):
        metal.library(BAD, device=device)
    assert (simulation.unpooled, simulation.over_retained) == before

"""From kernels to bytes and to pipelines: what is kept, what is compiled, who is blamed."""

from __future__ import annotations

import dataclasses
import gc
import threading

import numpy as np
import pytest

import speedmetal as sm
from metal_machine import machine
from speedmetal.backends.device import BuildOptions
from speedmetal.backends.metal.codegen.spellings import TYPES
from speedmetal.backends.metal.driver import archive, libraries, program
from speedmetal.backends.metal.driver.build import build_code
from speedmetal.backends.metal.driver.kernel_code import packed, unpacked
from speedmetal.backends.metal.driver.libraries import RefusedSourceError, compile_library
from speedmetal.backends.metal.driver.pipelines import pipeline_of
from speedmetal.backends.metal.handwritten import constants
from speedmetal.backends.metal.profiling import capture
from speedmetal.compiler import pipeline
from speedmetal.errors import CompileError, InternalError
from speedmetal.metal_simulator.api.sdk import ENUMERATIONS


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "0")


def add(a, b, c, factor):
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + factor * b[i]


def lowered(function, *types):
    kernel = sm.kernel(function)
    return pipeline.lower(kernel.specialisation(kernel.signature_for(types)), "metal")[0]


def code_of(device, function=add, types=("f32[:]", "f32[:]", "f32[:]", "f32"), **options):
    return build_code(device.context, lowered(function, *types), BuildOptions(**options))


# --- What is kept --------------------------------------------------------------------------------


def test_the_bytes_are_read_back_as_they_were():
    code = unpacked(code_of(machine()))
    assert code.printed.arrays == (0, 1, 2)
    assert code.element_bytes == (4, 4, 4)
    assert (code.language, code.math_mode) == ((3, 1), "safe")
    assert unpacked(packed(code)) == code


def test_a_device_without_a_feature_refuses_the_kernel():
    def reduced(a):
        i = sm.thread_position_in_grid().x
        a[i] = sm.simd_sum(a[i])

    old = machine(families=frozenset(range(1001, 1006)), name="Old GPU")
    with pytest.raises(CompileError) as caught:
        code_of(old, reduced, ("f32[:]",))
    text = str(caught.value)
    assert text.startswith("1 error in kernel 'reduced'\n\n")
    assert "simdgroup reductions cannot be used: it needs a GPU of family Apple7" in text
    assert "Old GPU does not report that" in text
    assert "a[i] = sm.simd_sum(a[i])" in text


def test_a_virtual_machine_is_given_the_benefit_of_the_doubt():
    def reduced(a):
        i = sm.thread_position_in_grid().x
        a[i] = sm.simd_sum(a[i])

    virtual = machine(families=frozenset(range(1001, 1006)), name="Apple Paravirtual device")
    assert code_of(virtual, reduced, ("f32[:]",))


# --- Libraries -----------------------------------------------------------------------------------

TEXT = "#include <metal_stdlib>\nusing namespace metal;\n"
GOOD = TEXT + "kernel void f(device float* a [[buffer(0)]]) { a[0] = 1.0f; }\n"


class Options:
    """``MTLCompileOptions`` that notes what is set."""

    def __init__(self):
        self.seen = {}

    def __getattr__(self, name):
        if name in ("alloc", "init"):
            return lambda: self
        return lambda value: self.seen.__setitem__(name, value)


@pytest.mark.parametrize(
    ("system", "mode", "expected"),
    [
        ((14, 5, 0), "safe", {"setFastMathEnabled_": False}),
        ((14, 5, 0), "relaxed", {"setFastMathEnabled_": False}),
        ((14, 5, 0), "fast", {"setFastMathEnabled_": True}),
        ((15, 0, 0), "safe", {"setMathMode_": 0}),
        ((15, 0, 0), "relaxed", {"setMathMode_": 1}),
        ((15, 0, 0), "fast", {"setMathMode_": 2}),
    ],
)
def test_the_math_mode_is_set_in_the_words_of_the_system(monkeypatch, system, mode, expected):
    device = machine(os_version=system)
    options = Options()
    monkeypatch.setattr(device.bridge.Metal, "MTLCompileOptions", options)

    def stop(*_):
        raise KeyboardInterrupt

    fake = type("Fake", (), {"newLibraryWithSource_options_error_": stop})()
    monkeypatch.setattr(device.context, "native", fake)
    with pytest.raises(KeyboardInterrupt):
        compile_library(device.context, GOOD, language=(3, 1), math_mode=mode, label="x")
    assert options.seen == {"setLanguageVersion_": 0x30001, **expected}


def test_our_numbers_are_the_sdks():
    sdk = ENUMERATIONS
    assert {
        name: sdk[f"MTLMathMode{name.title()}"] for name in libraries.MATH_MODES
    } == libraries.MATH_MODES
    assert sdk["MTLCaptureErrorNotSupported"] == capture._NOT_SUPPORTED
    assert sdk["MTLCaptureErrorAlreadyCapturing"] == capture._ALREADY_CAPTURING
    assert sdk["MTLPipelineOptionNone"] == archive._NO_OPTIONS
    assert [sdk[f"MTLGPUFamilyApple{n}"] for n in range(1, 11)] == list(range(1001, 1011))
    assert sdk["MTLGPUFamilyMac2"] == 2002
    words = {"bool": "Bool", "half": "Half", "bfloat": "BFloat", "float": "Float"}
    words |= {f"u{w}": f"U{w.title()}" for w in ("char", "short", "int", "long")}
    words |= {w: w.title() for w in ("char", "short", "int", "long")}
    expected = {sdk[f"MTLDataType{words[TYPES[dtype]]}"]: dtype for dtype in TYPES}
    assert expected == constants.DTYPES


@pytest.mark.parametrize("system", [(14, 0, 0), (15, 4, 0), (26, 0, 0)])
def test_libraries_are_made_on_every_system(system):
    device = machine(os_version=system)
    for mode in libraries.MATH_MODES:
        library = compile_library(device.context, GOOD, language=(3, 1), math_mode=mode, label="x")
        assert list(library.functionNames()) == ["f"]


def test_a_refused_source_is_taken_apart():
    bad = GOOD.replace("1.0f", "nowhere")
    with pytest.raises(RefusedSourceError) as caught:
        compile_library(machine().context, bad, language=(3, 1), math_mode="safe", label="x")
    (complaint,) = caught.value.complaints
    assert (complaint.line, complaint.column) == (3, GOOD.splitlines()[2].index("1.0f") + 1)
    assert "nowhere" in complaint.message


def test_messages_of_apples_compiler():
    error = RefusedSourceError(
        "program_source:7:12: error: use of undeclared identifier 'x'\n"
        "    c[i] = x;\n           ^\n"
        "program_source:3:1: warning: unused variable 'y'\n"
        "program_source:9:2: fatal error: too many errors emitted\n"
        "/System/Library/metal_stdlib:12:3: note: candidate\n"
    )
    assert [(c.line, c.column, c.message) for c in error.complaints] == [
        (7, 12, "use of undeclared identifier 'x'"),
        (9, 2, "too many errors emitted"),
    ]


class WarnedDevice:
    """Answers as Metal does where a source has warnings: a library and an error."""

    def __init__(self, library, error):
        self.answer = library, error

    def newLibraryWithSource_options_error_(self, *_):  # noqa: N802 - Metal's
        return self.answer


def test_warnings_set_an_error_beside_the_library_and_are_no_failure(monkeypatch):
    device = machine()
    library = compile_library(device.context, GOOD, language=(3, 1), math_mode="safe", label="x")
    monkeypatch.setattr(device.context, "native", WarnedDevice(library, object()))
    again = compile_library(device.context, GOOD, language=(3, 1), math_mode="safe", label="x")
    assert again is library


def test_no_library_and_no_error_is_a_failure(monkeypatch):
    device = machine()
    monkeypatch.setattr(device.context, "native", WarnedDevice(None, None))
    with pytest.raises(RefusedSourceError, match="Metal gave no reason"):
        compile_library(device.context, GOOD, language=(3, 1), math_mode="safe", label="x")


# --- Pipelines -----------------------------------------------------------------------------------


def test_a_kernel_is_compiled_once_for_a_device():
    device = machine()
    code = unpacked(code_of(device))
    first = pipeline_of(device.context, code, "add")
    before = device.bridge.simulation.compilations
    assert before == 1
    assert pipeline_of(device.context, unpacked(packed(code)), "again") is first
    assert device.bridge.simulation.compilations == before
    assert pipeline_of(machine().context, code, "add") is not first


def test_threads_that_ask_at_once_compile_once():
    device = machine()
    code = unpacked(code_of(device))
    found = []
    asking = [
        threading.Thread(target=lambda: found.append(pipeline_of(device.context, code, "add")))
        for _ in range(4)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert device.bridge.simulation.compilations == 1


def test_pipelines_go_with_the_last_program():
    device = machine()
    data = code_of(device)
    first = program.load(device.context, device.queue, data, "add")
    second = program.load(device.context, device.queue, data, "add")
    assert device.bridge.simulation.compilations == 1
    del first, second
    gc.collect()
    program.load(device.context, device.queue, data, "add")
    assert device.bridge.simulation.compilations == 2


def test_math_modes_make_other_code():
    device = machine()
    safe = unpacked(code_of(device))
    fast = unpacked(code_of(device, math_mode="fast"))
    assert fast.math_mode == "fast"
    assert pipeline_of(device.context, safe, "add") is not pipeline_of(device, fast, "add")
    same_text = dataclasses.replace(safe, math_mode="relaxed")
    assert pipeline_of(device.context, safe, "add") is not pipeline_of(device, same_text, "add")


def test_our_faulty_text_is_blamed_on_us_at_the_users_line():
    device = machine()
    code = unpacked(code_of(device))
    text = code.printed
    (line,) = [n for n, t in enumerate(text.text.splitlines(), 1) if "c[" in t and "=" in t]
    lines = text.text.splitlines()
    lines[line - 1] = lines[line - 1].replace("c[", "unknown[")
    broken = dataclasses.replace(
        code, printed=dataclasses.replace(text, text="\n".join(lines) + "\n")
    )
    with pytest.raises(CompileError) as caught:
        pipeline_of(device.context, broken, "add of mine")
    message = str(caught.value)
    assert message.startswith("1 error in kernel 'add of mine'\n\n")
    assert f"{__file__}:" in message
    assert "| " + "    c[i] = a[i] + factor * b[i]" in message
    assert f"(line {line} of the Metal source: {lines[line - 1].strip()})" in message
    assert "a fault of speedmetal: please report it" in message


def test_a_compiler_that_says_no_place():
    device = machine(fail_compile="the compiler service crashed")
    with pytest.raises(CompileError) as caught:
        pipeline_of(device.context, unpacked(code_of(device)), "add")
    assert "Metal's compiler: the compiler service crashed; what speedmetal" in str(caught.value)


def test_an_entry_that_is_not_in_the_library():
    device = machine()
    code = unpacked(code_of(device))
    wrong = dataclasses.replace(code, printed=dataclasses.replace(code.printed, entry="other"))
    with pytest.raises(InternalError, match=r"no function 'other', only \['add'\]"):
        pipeline_of(device.context, wrong, "add")


def test_too_much_threadgroup_memory_is_no_pipeline():
    def large(a):
        shared = sm.threadgroup_array(4096, sm.float32)
        i = sm.thread_position_in_grid().x
        shared[i] = a[i]
        sm.threadgroup_barrier()
        a[i] = shared[i]

    device = machine(max_threadgroup_memory=8192)
    code = unpacked(code_of(device, large, ("f32[:]",)))
    with pytest.raises(CompileError, match=r"Metal makes no pipeline of it: .*16384 bytes"):
        pipeline_of(device.context, code, "large")


def test_loaded_code_computes():
    device = sm.device("metal-sim")
    a, b = (sm.array(np.arange(10, dtype=np.float32), device=device) for _ in range(2))
    c = sm.zeros(10, device=device)
    sm.kernel(add)(a, b, c, 0.5, grid=10)
    sm.synchronize()
    np.testing.assert_array_equal(c.numpy(), np.arange(10) * np.float32(1.5))

"""LLVM text becomes code of this computer: right, loaded anywhere, unloaded, or refused."""

from __future__ import annotations

import ctypes
import gc
import math
import subprocess
import sys
import weakref

import numpy as np
import pytest

from speedmetal.backends.cpu.driver import CpuProgram
from speedmetal.backends.cpu.jit import (
    LARGE_TEXT_CHARACTERS,
    Effort,
    assembly,
    compile_object,
    load,
    optimised_text,
    prepare_for_loading,
)
from speedmetal.errors import InternalError

EFFORTS = list(Effort)

# Code as LLVM's linker takes it, and as it is kept where it can be linked without.
in_both_forms = pytest.mark.parametrize(
    "form", [bytes, prepare_for_loading], ids=["object", "image"]
)

# Squares the float32 elements of a range, 16 at a time, with a variable as the printer writes it.
SQUARE = """
define internal <16 x float> @square(<16 x float> %x) alwaysinline {
  %r = fmul <16 x float> %x, %x
  ret <16 x float> %r
}
define void @sm_entry(ptr %args, i64 %begin, i64 %end) {
entry:
  %v = alloca <16 x float>
  %data = load ptr, ptr %args
  br label %head
head:
  %g = phi i64 [ %begin, %entry ], [ %next, %body ]
  %more = icmp slt i64 %g, %end
  br i1 %more, label %body, label %done
body:
  %at = mul i64 %g, 16
  %p = getelementptr float, ptr %data, i64 %at
  %x = load <16 x float>, ptr %p, align 4
  store <16 x float> %x, ptr %v
  %y = load <16 x float>, ptr %v
  %z = call <16 x float> @square(<16 x float> %y)
  store <16 x float> %z, ptr %p, align 4
  %next = add i64 %g, 1
  br label %head
done:
  ret void
}
"""


def _arguments(array: np.ndarray) -> bytes:
    return array.ctypes.data.to_bytes(8, sys.byteorder)


@in_both_forms
@pytest.mark.parametrize("effort", EFFORTS)
def test_a_program_computes_what_its_text_says(effort, form):
    values = np.arange(160, dtype=np.float32)
    CpuProgram(form(compile_object(SQUARE, effort=effort))).launch(_arguments(values), 10, 10)
    np.testing.assert_array_equal(values, np.arange(160, dtype=np.float32) ** 2)


@in_both_forms
@pytest.mark.parametrize("effort", EFFORTS)
def test_only_the_stated_range_is_run(effort, form):
    values = np.full(64, 2, np.float32)
    code = load(form(compile_object(SQUARE, effort=effort)))
    entry = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64)
    entry(code.address("sm_entry"))(_arguments(values), 1, 3)
    np.testing.assert_array_equal(values, np.repeat([2, 4, 4, 2], 16))


@pytest.mark.parametrize("effort", EFFORTS)
def test_variables_and_marked_calls_leave_no_trace(effort):
    text = optimised_text(SQUARE, effort=effort)
    assert "alloca" not in text
    assert "@square" not in text


@pytest.mark.parametrize("effort", EFFORTS)
def test_multiply_and_add_stay_two_operations(effort):
    """IEEE: x*y+z rounds twice; a fused operation would give the rounding error of x*y."""
    text = """define float @f(float %x, float %y, float %z) {
      %p = fmul float %x, %y
      %s = fadd float %p, %z
      ret float %s
    }"""
    code = load(compile_object(text, effort=effort), "f")
    function = ctypes.CFUNCTYPE(*[ctypes.c_float] * 4)(code.address("f"))
    x = np.float32(1) + np.float32(2) ** -12
    assert function(x, x, -(x * x)) == 0.0


def test_long_modules_get_the_short_pipeline():
    """Two branches load the same value: only the longer pipelines load it once, before them."""

    def module(volatile_loads: int) -> str:
        loads = "\n".join(f"  %v{n} = load volatile i32, ptr %q" for n in range(volatile_loads))
        return f"""define i32 @f(ptr %p, ptr %q, i1 %c) {{
          %x = load i32, ptr %p
          br i1 %c, label %a, label %b
        a:
          %y = load i32, ptr %p
          %s = add i32 %x, %y
          ret i32 %s
        b:
        {loads}
          ret i32 %x
        }}"""

    def loads_of_p(text: str) -> int:
        return optimised_text(text).count("load i32, ptr %p")

    assert loads_of_p(module(1)) == 1
    assert len(module(8000)) > LARGE_TEXT_CHARACTERS
    assert loads_of_p(module(8000)) == 2


@in_both_forms
def test_functions_of_the_mathematics_library_are_found(form):
    text = """declare float @expf(float)
    define float @f(float %x) {
      %r = call float @expf(float %x)
      ret float %r
    }"""
    code = load(form(compile_object(text)), "f")
    result = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_float)(code.address("f"))(1.0)
    assert result == pytest.approx(math.e, rel=1e-6)


@in_both_forms
def test_constants_and_variables_of_the_module_work_wherever_it_lies(form):
    text = """@table = internal constant [4 x i32] [i32 3, i32 1, i32 4, i32 1]
    @count = internal global i32 0
    define i32 @f(i64 %i) {
      %c = load i32, ptr @count
      %d = add i32 %c, 10
      store i32 %d, ptr @count
      %p = getelementptr [4 x i32], ptr @table, i64 0, i64 %i
      %v = load i32, ptr %p
      %r = add i32 %v, %d
      ret i32 %r
    }"""
    compiled = form(compile_object(text))
    signature = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64)
    copies = [load(compiled, "f") for _ in range(20)]
    for code in copies:
        function = signature(code.address("f"))
        assert [function(2), function(0)] == [14, 23]  # each copy has its own count


@in_both_forms
def test_a_loaded_object_dies_with_its_last_reference(form):
    code = load(form(compile_object(SQUARE)))
    owner = weakref.ref(code._owner)
    del code
    gc.collect()
    assert owner() is None


@in_both_forms
def test_unloading_gives_memory_back(form):
    """A thousand loads of 64 KiB of data would be seen in the process's size."""
    text = """@data = global [65536 x i8] zeroinitializer
    define ptr @f() {
      ret ptr @data
    }"""
    compiled = form(compile_object(text))
    resource = pytest.importorskip("psutil").Process()
    signature = ctypes.CFUNCTYPE(ctypes.c_void_p)

    def load_and_touch():
        code = load(compiled, "f")
        ctypes.memset(signature(code.address("f"))(), 1, 65536)

    for _ in range(20):
        load_and_touch()
    before = resource.memory_info().rss
    for _ in range(1000):
        load_and_touch()
    assert resource.memory_info().rss - before < 32 << 20


def test_text_that_llvm_refuses_is_an_internal_error_with_the_line():
    with pytest.raises(InternalError, match=r"(?s)cpu build: LLVM refuses .*%missing"):
        compile_object("define i32 @f() {\n  ret i32 %missing\n}")


def test_invalid_modules_are_refused_by_the_verifier():
    text = "define void @f() {\n  br label %a\na:\n  %x = add i32 %y, 1\n  %y = add i32 1, 1\n"
    with pytest.raises(InternalError, match="does not dominate"):
        compile_object(text + "  ret void\n}")


@in_both_forms
def test_an_object_that_needs_an_unknown_symbol_is_refused(form):
    text = """declare void @nobody_has_this_symbol()
    define void @sm_entry(ptr %a, i64 %b, i64 %c) {
      call void @nobody_has_this_symbol()
      ret void
    }"""
    with pytest.raises(InternalError, match="cpu link: "):
        load(form(compile_object(text)))


@pytest.mark.parametrize("damaged", [b"", b"no object", b"\x7fELF" + bytes(60)])
def test_damaged_objects_are_refused(damaged):
    with pytest.raises(InternalError, match="cpu link"):
        load(damaged)


def test_assembly_shows_the_entry():
    assert "sm_entry" in assembly(SQUARE)


def test_importing_the_driver_does_not_import_llvm():
    check = (
        "import sys, speedmetal.backends.cpu.driver; "
        "sys.exit(any(name.split('.')[0] == 'llvmlite' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0

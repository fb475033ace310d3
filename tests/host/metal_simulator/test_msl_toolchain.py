"""The simulator's compiler is found, or said to be missing; nothing stays behind."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from speedmetal.errors import DeviceError, InternalError
from speedmetal.metal_simulator import toolchain


def test_c_becomes_a_shared_library(tmp_path):
    (tmp_path / "part.h").write_text("#include <stdint.h>\nint32_t twice(int32_t x);\n")
    first, second = tmp_path / "first.c", tmp_path / "second.c"
    first.write_text('#include "part.h"\nint32_t twice(int32_t x) { return 2 * x; }\n')
    second.write_text('#include "part.h"\n#include <math.h>\nint four(void) { return twice(N); }\n')
    content = toolchain.find().compile_shared_library([first, second], ["-O1", "-DN=2"])
    path = tmp_path / "library.so"
    path.write_bytes(content)
    assert ctypes.CDLL(str(path)).four() == 4
    second.write_text("int four(void) { return missing; }\n")
    with pytest.raises(
        InternalError, match=r"compiling second\.c failed:\n.*undeclared identifier"
    ):
        toolchain.find().compile_shared_library([first, second])


def test_identity_is_of_the_compiler():
    found = toolchain.find()
    assert found is toolchain.find()
    assert len(found.identity) == 24


def test_a_stated_compiler_that_is_not_there(monkeypatch):
    monkeypatch.setenv(toolchain.COMPILER_VARIABLE, "/nowhere/clang")
    with pytest.raises(DeviceError, match="there is no program '/nowhere/clang'; install it with"):
        toolchain.find()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("gcc (GCC) 14", "is not clang; install"),
        ("Debian clang version 16.0.6", "is clang 16, the Metal simulator needs >= 19"),
    ],
)
def test_another_compiler(monkeypatch, tmp_path, answer, message):
    fake = tmp_path / "clang"
    fake.write_text(f"#!/bin/sh\necho '{answer}'\n")
    fake.chmod(0o755)
    monkeypatch.setenv(toolchain.COMPILER_VARIABLE, str(fake))
    with pytest.raises(DeviceError, match=message):
        toolchain.find()


def test_no_compiler_at_all(monkeypatch, tmp_path):
    monkeypatch.setattr(toolchain, "_zig", lambda: None)
    monkeypatch.delenv(toolchain.COMPILER_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError) as caught:
        toolchain.find()
    assert str(caught.value) == (
        "the Metal simulator needs a C++ compiler and found none; install it with `pip install "
        '"speedmetal[metal-simulator]"` (the clang inside the `ziglang` wheel), or put clang >= 19 '
        "with lld on PATH, or name one in SPEEDMETAL_CLANG"
    )


def test_nothing_is_left_behind(tmp_path):
    """A process that compiles leaves no files, neither in its home nor among temporary ones."""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    source = "kernel void k(device int* o) { o[0] = 1; }"
    program = (
        "from speedmetal.metal_simulator.language.program import compile_source\n"
        f"compile_source({source!r})\n"
    )
    environment = os.environ | {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "SPEEDMETAL_CACHE": "0",
    }
    environment.pop("XDG_CACHE_HOME", None)
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, cwd=tmp_path)
    assert list(home.rglob("*")) == []
    assert list(temporary.rglob("*")) == []


def test_results_are_kept(tmp_path):
    """A second process takes the library from the cache, without a compiler."""
    source = "kernel void k(device int* o) { o[0] = 1; }"
    program = (
        "from speedmetal.metal_simulator.language.program import compile_source\n"
        f"from speedmetal.metal_simulator.language.lint import lint\n"
        f"print(compile_source({source!r}).functions['k'].entry > 0, lint({source!r}))\n"
    )
    environment = os.environ | {"SPEEDMETAL_CACHE": "1", "SPEEDMETAL_CACHE_DIR": str(tmp_path)}
    run = [sys.executable, "-c", program]
    first = subprocess.run(run, env=environment, check=True, capture_output=True, text=True)
    blocked = (
        "import subprocess\n"
        "def run(*_, **__): raise AssertionError('a process was started')\n"
        "subprocess.run = run\n"
    )
    second = subprocess.run(
        [*run[:2], blocked + program], env=environment, check=True, capture_output=True, text=True
    )
    assert first.stdout == second.stdout == "True ()\n"
    assert Path(tmp_path).stat().st_mode & 0o077 == 0

"""What a process has imported after a first launch: with code on disk, nothing that compiles."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from speedmetal.backends.cpu.image import CAN_MAP

LAUNCH = """
import sys
import numpy as np
import speedmetal as sm

scale = 3

def scaled(x):
    return scale * x

@sm.kernel
def k(a, n, pair):
    '''What it does.'''
    i = sm.thread_position_in_grid().x
    for step in range(n):
        a[i] = scaled(a[i]) + pair[1]

a = np.ones(100_000, np.float32)
k(a, 2, (1, 0.5), grid=a.size)
assert (a == 11).all()
copied = sm.asarray(a)[::-1].astype("i32")
assert (copied.numpy() == 11).all()
print(*sorted(sys.modules))
"""

COMPILING = (
    *("speedmetal.frontend.infer", "speedmetal.frontend.parse", "speedmetal.passes"),
    *("speedmetal.ir.nodes", "speedmetal.intrinsics", "speedmetal.backends.cpu.codegen.printer"),
    *("speedmetal.backends.cpu.linker", "pathlib"),
)
NEVER = (
    *("speedmetal.backends.c_family", "speedmetal.bench", "speedmetal.doctor"),
    *("speedmetal.metal_simulator", "difflib", "ml_dtypes", "platformdirs"),
)
BUDGET = {
    *("speedmetal", "array", "atexit", "copyreg", "errno", "gc", "mmap", "signal", "threading"),
    *("typing", "weakref"),
}
"""What a launch from disk may import beside NumPy, and what that imports: packages, by name."""

needs_images = pytest.mark.skipif(not CAN_MAP, reason="elsewhere LLVM loads what is compiled")


def _modules(program: Path, cache: Path) -> set[str]:
    environment = {
        **os.environ,
        "SPEEDMETAL_CACHE_DIR": str(cache),
        "SPEEDMETAL_CACHE": "1",
        "SPEEDMETAL_NUM_THREADS": "2",  # so that the pool is loaded as well
    }
    command = [sys.executable, str(program)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str]]:
    """The modules of a process that compiles, and of the next one."""
    folder = tmp_path_factory.mktemp("first")
    program = folder / "program.py"
    program.write_text(LAUNCH)
    first, second = (_modules(program, folder / "cache") for _ in range(2))
    return first, second


@pytest.mark.parametrize("module", COMPILING)
def test_code_from_disk_runs_without_what_compiles(
    imported: tuple[set[str], set[str]], module: str
) -> None:
    compiling, loading = imported
    assert module in compiling
    assert module not in loading


@needs_images
def test_code_from_disk_runs_without_llvm(imported: tuple[set[str], set[str]]) -> None:
    compiling, loading = imported
    assert "llvmlite" in compiling
    assert "llvmlite" not in loading


@pytest.mark.parametrize("module", NEVER)
def test_no_launch_imports_what_it_has_no_use_for(
    imported: tuple[set[str], set[str]], module: str
) -> None:
    assert module not in set.union(*imported)


@needs_images
def test_code_from_disk_needs_little_beside_numpy(
    imported: tuple[set[str], set[str]], tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys, numpy; print(*sorted(sys.modules))")
    _, loading = imported
    more = {name.partition(".")[0] for name in loading - _modules(program, tmp_path / "cache")}
    assert {name for name in more if not name.startswith("_")} <= BUDGET


def test_the_package_alone_imports_nothing(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    found = []
    for statement in ("pass", "import speedmetal"):
        program.write_text(f"{statement}\nimport sys; print(*sorted(sys.modules))")
        found.append(_modules(program, tmp_path / "cache"))
    before, after = found
    assert after - before == {"speedmetal"}


def test_small_copies_import_no_kernels(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
import sys
import speedmetal as sm

a = sm.zeros((3, 4))
a[1, ::2] = 5.5
a[0] = a[1]
assert a.T.copy().astype("i32").tolist() == [[5, 5, 0], [0, 0, 0], [5, 5, 0], [0, 0, 0]]
print(*sorted(sys.modules))
"""
    )
    modules = _modules(program, tmp_path / "cache")
    assert "speedmetal.arrays.memory.copying" in modules
    assert not {"speedmetal.arrays.kernels", "speedmetal.launch.launcher", *COMPILING} & modules


BFLOAT16 = """
import sys
import numpy as np
import speedmetal as sm

@sm.kernel
def k(a, b):
    i = sm.thread_position_in_grid().x
    a[i] = a[i] + b

a = np.ones(3, np.float32)
k(a, 1.5, grid=3)
assert "ml_dtypes" not in sys.modules
assert sm.bfloat16 == np.dtype("bfloat16")
assert hash(sm.bfloat16) == hash(np.dtype("bfloat16"))
"""
BFLOAT16_OF_OTHERS = """
import sys
import numpy as np
import speedmetal as sm

@sm.kernel
def k(a, b):
    i = sm.thread_position_in_grid().x
    a[i] = a[i] + b

k(np.ones(3, np.float32), np.float32(1), grid=3)
import ml_dtypes
a = np.ones(3, ml_dtypes.bfloat16)
k(a, ml_dtypes.bfloat16(1.5), grid=3)
assert a.tolist() == [2.5] * 3
assert sm.asarray(a).dtype == "bfloat16"
try:
    k(a.view(a.dtype.newbyteorder()), 1, grid=3)
except sm.LaunchError as error:
    assert "foreign byte order" in str(error)
else:
    raise AssertionError("bytes in another order were taken")
"""


@pytest.mark.parametrize("program", [BFLOAT16, BFLOAT16_OF_OTHERS])
def test_bfloat16_is_known_whenever_it_comes(tmp_path: Path, program: str) -> None:
    file = tmp_path / "program.py"
    file.write_text(program)
    _modules(file, tmp_path / "cache")


def test_arithmetic_of_arrays_from_disk_imports_nothing_that_compiles(tmp_path: Path) -> None:
    """Proves that dtypes of results are kept as well as code: the second process has no front
    end."""
    program = tmp_path / "program.py"
    program.write_text(
        """
import sys
import speedmetal as sm

a = sm.array([1.0, 2.0])
assert (2 * (a + 1) / a).tolist() == [4.0, 3.0]
print(*sorted(sys.modules))
"""
    )
    assert set(COMPILING) & _modules(program, tmp_path / "cache")
    modules = _modules(program, tmp_path / "cache")
    assert "speedmetal.arrays.kernels.copy" in modules
    assert not {"speedmetal.frontend.elements", *COMPILING} & modules

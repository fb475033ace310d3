"""``sm.code`` and its command: every target and stage, on a machine with no device."""

import contextlib
import functools
import os
import runpy
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

import speedmetal as sm
from speedmetal import cli
from speedmetal.backends.targets import TARGETS, find_target


@sm.kernel
def vadd(a, b, c):
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


TYPES = "f32[:] f32[:] f32[:]"


@pytest.mark.parametrize(
    ("target", "stage", "words"),
    [
        ("cpu", "ir", ["kernel vadd(a: f32[:], b: f32[:], c: f32[:])", "c[i] = a[i] + b[i]"]),
        ("cpu", "source", ["define void @sm_entry(", "fadd"]),
        ("cpu", "assembly", ["sm_entry:"]),
        ("cuda", "ir", ["kernel vadd"]),
        ("cuda", "source", ["__global__", "vadd"]),
        ("metal", "ir", ["kernel vadd"]),
        ("metal", "source", ["#include <metal_stdlib>", "[[thread_position_in_grid]]"]),
    ],
)
def test_every_target_and_stage(target, stage, words):
    text = sm.code(vadd, TYPES, target=target, stage=stage)
    for word in words:
        assert word in text
    assert repr(text) == str(text)
    assert text == sm.code(vadd, TYPES, target=target, stage=stage)


def test_ptx():
    try:
        text = sm.code(vadd, TYPES, target="cuda", stage="assembly")
    except sm.DeviceError as error:
        pytest.skip(f"NVRTC is not installed: {error}")
    assert ".entry vadd" in text


def test_metals_assembly_is_declared_unsupported():
    with pytest.raises(sm.UserInputError, match=r"only Apple's compiler, on a Mac.*source"):
        sm.code(vadd, TYPES, target="metal", stage="assembly")


def test_arguments_of_every_kind_mean_types():
    @sm.kernel
    def scale(a, x, n):
        a[n] = a[n] * x

    expected = sm.code(scale, "f32[:] f32 i32", stage="ir")
    assert sm.code(scale, sm.zeros(3), sm.float32, "i32", stage="ir") == expected
    assert sm.code(scale, np.zeros(3, "f4"), np.float32(1), 2, stage="ir") == expected
    assert "f64" in sm.code(scale, np.zeros(3), 0.5, 2, stage="ir")
    assert "f32[:]/strided" in sm.code(scale, np.zeros(6, "f4")[::2], "f32 i32", stage="ir")
    assert sm.code(scale.function, "f32[:] f32 i32", stage="ir") == expected


def test_debug_levels_add_checks():
    plain, checked = (sm.code(vadd, TYPES, stage="ir", debug=level) for level in (0, 1))
    assert "assert" not in plain
    assert "assert" in checked


def test_wrong_words():
    with pytest.raises(sm.UnknownNameError, match=r"unknown target 'mtal'; did you mean metal\?"):
        sm.code(vadd, TYPES, target="mtal")
    with pytest.raises(sm.UnknownNameError, match=r"unknown stage 'src'"):
        sm.code(vadd, TYPES, stage="src")
    with pytest.raises(sm.UserInputError, match="expected a kernel or a plain Python function"):
        sm.code(3, TYPES)
    with pytest.raises(sm.LaunchError, match="missing: c"):
        sm.code(vadd, "f32[:] f32[:]")


def test_notebooks_show_colours():
    html = sm.code(vadd, TYPES, target="metal")._repr_html_()
    assert "<span" in html
    assert "metal_stdlib" in html


KERNELS = """
import speedmetal as sm
@sm.kernel
def double(a):
    i = sm.thread_position_in_grid().x
    a[i] = 2 * a[i]
"""


COMMAND = [sys.executable, "-m", "speedmetal", "code"]
OLD_COMMAND = [sys.executable, "-m", "speedmetal.code"]


@pytest.mark.tier("default")
@pytest.mark.parametrize("command", [COMMAND, OLD_COMMAND], ids=["new", "old"])
def test_the_command_prints_what_the_function_returns(tmp_path, command):
    path = tmp_path / "kernels.py"
    path.write_text(KERNELS)
    options = ["--target", "metal", "--debug", "1"]
    done = subprocess.run(
        [*command, f"{path}:double", "f16[:]", *options],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    made = runpy.run_path(str(path))["double"]
    assert done.stdout == f"{sm.code(made, 'f16[:]', target='metal', debug=1)}\n"
    assert "half* a [[buffer(0)]]" in done.stdout


@pytest.mark.tier("default")
def test_what_the_file_prints_is_no_code_and_its_neighbours_are_modules(tmp_path):
    (tmp_path / "neighbour.py").write_text("WORD = 'from the file'\n")
    printing = "from neighbour import WORD\nprint(WORD)\n"
    (tmp_path / "kernels.py").write_text(printing + KERNELS)
    done = subprocess.run(
        [*COMMAND, f"{tmp_path / 'kernels.py'}:double", "f16[:]", "--target", "metal"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == "from the file\n"
    assert done.stdout.startswith("#include <metal_stdlib>")


@pytest.mark.tier("default")
@pytest.mark.parametrize("command", [COMMAND, OLD_COMMAND], ids=["new", "old"])
def test_the_command_ends_with_status_2_where_the_input_is_wrong(tmp_path, command):
    done = subprocess.run(
        [*command, "none.py:double", "f16[:]"],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "speedmetal: there is no file 'none.py'\n"


@pytest.mark.tier("default")
@pytest.mark.parametrize("command", [COMMAND, OLD_COMMAND], ids=["new", "old"])
def test_the_command_ends_with_status_3_where_something_else_is_wrong(tmp_path, command):
    """NVRTC is nowhere to be found: its kernel's file sees to that."""
    hidden = "from speedmetal.backends.cuda import nvrtc\nnvrtc._candidates = list\n"
    (tmp_path / "kernels.py").write_text(KERNELS + hidden)
    options = ["--target", "cuda", "--stage", "assembly"]
    done = subprocess.run(
        [*command, "kernels.py:double", "f16[:]", *options],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("speedmetal: NVIDIA's run-time compiler was not found")


@pytest.mark.tier("default")
def test_the_command_colours_what_it_prints_to_a_terminal(tmp_path):
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    path = tmp_path / "kernels.py"
    path.write_text(KERNELS)
    reader, writer = pty.openpty()
    command = [*COMMAND, f"{path}:double", "f16[:]"]
    environment = os.environ | {"TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(command, stdout=writer, env=environment) as running:
        os.close(writer)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal's end
            while part := os.read(reader, 4096):
                shown += part
        os.close(reader)
    assert running.returncode == 0
    assert b"\x1b[" in shown


@pytest.mark.parametrize(
    ("place", "rest", "words"),
    [
        ("kernels.py:dubble", "f16[:]", "unknown kernel 'dubble'; did you mean double?"),
        ("none.py:double", "f16[:]", "there is no file 'none.py'"),
        ("double", "f16[:]", "expected FILE.py:KERNEL, got 'double'"),
        ("kernels.py:double", "f17[:]", "unknown dtype 'f17'"),
        ("kernels.py:double", "f16[:] --target mettal", "did you mean metal?"),
        ("kernels.py:double", "f16[:] --stage sauce", "did you mean source?"),
        ("kernels.py:double", "f16[:] --debug 3", "debug"),
        ("kernels.py:double", "f64[:] --target metal", "float64 is not available on Metal"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, monkeypatch, capsys, place, rest, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kernels.py").write_text(KERNELS)
    with pytest.raises(SystemExit) as caught:
        cli.main(["code", place, *rest.split()])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_the_commands_module_never_hides_the_function():
    program = (
        "import speedmetal as sm\n"
        "try:\n    import speedmetal.code\n"
        "except ImportError as error:\n    print(error)\n"
        "from speedmetal import code\n"
        "assert callable(sm.code) and code is sm.code\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == (
        "speedmetal.code is a function: `from speedmetal import code`; as a module it is only a"
        " command: python -m speedmetal.code\n"
    )


RATIO = np.float64(0.1)


def test_float64_numbers_of_numpy_are_pythons_where_there_is_no_float64():
    @sm.kernel
    def scaled(a, x):
        a[0] = a[0] * x * RATIO

    a, x = np.zeros(1, np.float32), np.float64(0.1)
    for target, kind in (("cpu", "f64"), ("cuda", "f64"), ("metal", "f32")):
        text = sm.code(scaled, a, x, target=target, stage="ir")
        assert text.startswith(f"kernel scaled(a: f32[:], x: {kind}):")
        assert f"0.1{kind}" in text
    with pytest.raises(sm.CompileError, match="float64 is not available on Metal GPUs"):
        sm.code(scaled, a, sm.float64, target="metal")


def test_the_targets_without_float64_are_those_whose_printers_refuse_it():
    @sm.kernel
    def copy(a, b):
        a[0] = b[0]

    for target in TARGETS:
        refuses = False
        try:
            sm.code(copy, "f64[:] f64[:]", target=target)
        except sm.CompileError:
            refuses = True
        assert refuses is (not find_target(target).has_float64)


@dataclass(frozen=True)
class Scale:
    factor: float

    @sm.kernel
    def apply(self, a):
        a[0] = a[0] * self.factor


def test_methods_and_partials_show_their_kernels():
    a = np.zeros(1, np.float32)
    text = sm.code(Scale(2.0).apply, a, stage="ir")
    assert text.startswith("kernel apply(self_factor: f32, a: f32[:]):")
    assert sm.code(functools.partial(Scale.apply, Scale(3.0)), a, stage="ir") == text
    with pytest.raises(sm.UserInputError) as caught:
        sm.code(functools.partial(Scale.apply, a=a), Scale(3.0))
    assert str(caught.value) == (
        "sm.code expected a kernel or a plain Python function, got partial"
    )

"""NVRTC: found, called, and its complaints passed on."""

from __future__ import annotations

import pytest

import speedmetal as sm
from nvrtc import needs_nvrtc
from speedmetal.backends.cuda import nvrtc as build
from speedmetal.errors import DeviceError, InternalError

SOURCE = 'extern "C" __global__ void k(float* x, float y) { x[0] = x[1] * y + x[2]; }'


@needs_nvrtc
def test_ptx_of_an_architecture():
    text = build.compile_ptx(SOURCE, "sm_90")
    assert ".target sm_90" in text
    assert ".entry k(" in text
    assert not text.endswith("\0")


@needs_nvrtc
def test_products_and_sums_are_not_contracted():
    text = build.compile_ptx(SOURCE, "compute_80")
    assert "fma" not in text
    assert "mul.rn.f32" in text


@needs_nvrtc
def test_machine_code_is_an_elf_file():
    assert build.compile_cubin(SOURCE, "sm_80")[:4] == b"\x7fELF"


@needs_nvrtc
def test_an_error_has_the_log_and_the_numbered_source():
    with pytest.raises(InternalError) as caught:
        build.compile_ptx("int a;\nint b = unknown;\n")
    text = str(caught.value)
    assert 'kernel.cu(2): error: identifier "unknown" is undefined' in text
    assert "2 | int b = unknown;" in text


@needs_nvrtc
def test_an_architecture_that_nvrtc_does_not_know():
    with pytest.raises(DeviceError, match="does not compile for 'sm_20'"):
        build.compile_ptx(SOURCE, "sm_20")


@needs_nvrtc
def test_version_is_two_numbers():
    major, minor = build.nvrtc_version().split(".")
    assert int(major) >= 11
    assert int(minor) >= 0


def test_without_nvrtc_the_error_says_what_to_install(monkeypatch, tmp_path):
    broken = tmp_path / "libnvrtc.so"
    broken.write_text("no library")
    build._load.cache_clear()
    monkeypatch.setattr(build, "_candidates", lambda: [str(broken)])
    try:
        assert not build.is_available()
        with pytest.raises(DeviceError, match=r"pip install nvidia-cuda-nvrtc") as caught:
            build.compile_ptx(SOURCE)
        assert str(broken) in str(caught.value)
    finally:
        build._load.cache_clear()


class Library:
    """An NVRTC of some version, as far as it is looked at before anything is compiled."""

    def __init__(self, path):
        self.path = path
        self.nvrtcGetErrorString = lambda _code: b""

    def nvrtcVersion(self, major, minor):  # noqa: N802 - its name
        major._obj.value, minor._obj.value = map(int, self.path.split("."))
        return 0


@pytest.fixture
def installed(monkeypatch):
    """Sets the versions that are installed, in the order of looking."""

    def install(*versions):
        monkeypatch.setattr(build, "_candidates", lambda: versions)
        monkeypatch.setattr(build.ctypes, "CDLL", Library)
        monkeypatch.setattr(build, "_newest", None)
        build._load.cache_clear()

    yield install
    build._load.cache_clear()


@pytest.mark.parametrize(
    ("versions", "driver", "taken"),
    [
        (("13.0", "12.9"), 13000, "13.0"),
        (("13.0", "12.9"), 12040, "12.9"),
        (("12.9",), 13010, "12.9"),
        (("13.1",), 13000, "13.1"),
    ],
)
def test_nvrtc_suits_the_driver(installed, versions, driver, taken):
    """Of packages of CUDA 12 and 13 beside each other that one whose code the driver runs."""
    installed(*versions)
    assert build.nvrtc_version() == versions[0]
    build.suit_driver(driver)
    assert build.nvrtc_version() == taken


def test_a_driver_that_is_too_old_for_nvrtc_is_told(installed):
    installed("13.0", "13.1")
    with pytest.raises(DeviceError) as caught:
        build.suit_driver(12040)
    assert str(caught.value) == (
        "NVIDIA's driver is of CUDA 12.4, and runs nothing that a newer NVRTC compiles: found 13.0"
        " (13.0), 13.1 (13.1); pip install nvidia-cuda-nvrtc-cu12, or install a newer driver"
    )


def test_the_toolkit_that_the_environment_names_is_searched(monkeypatch, tmp_path):
    folder = tmp_path / "lib64"
    folder.mkdir()
    for name in ("libnvrtc.so.12", "libnvrtc.so.13", "libnvrtc-builtins.so.13"):
        (folder / name).touch()
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    found = [path for path in build._candidates() if path.startswith(str(tmp_path))]
    assert found == [str(folder / "libnvrtc.so.13"), str(folder / "libnvrtc.so.12")]


@needs_nvrtc
def test_the_fast_mode_takes_less_exact_functions():
    """Its text says how it is to be compiled; the safe one's is rounded as IEEE 754 has it."""

    def kernel(a, b):
        i = sm.thread_position_in_grid().x
        b[i] = sm.exp(a[i]) / a[i]

    def assembly():
        return sm.code(kernel, "f32[:]", "f32[:]", target="cuda", stage="assembly")

    with sm.math_mode("fast"):
        text = sm.code(kernel, "f32[:]", "f32[:]", target="cuda")
        fast = assembly()
    assert text.startswith("// To be compiled with --use_fast_math.\n")
    assert "div.approx.ftz.f32" in fast
    assert "div.rn.f32" in assembly()
    with sm.math_mode("tf32"):  # which rounds products of matrices, and nothing else
        assert sm.code(kernel, "f32[:]", "f32[:]", target="cuda") != text
        assert "div.rn.f32" in assembly()

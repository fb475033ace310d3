"""NVRTC: found, called, and its complaints passed on."""

from __future__ import annotations

import pytest

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


def test_the_toolkit_that_the_environment_names_is_searched(monkeypatch, tmp_path):
    folder = tmp_path / "lib64"
    folder.mkdir()
    for name in ("libnvrtc.so.12", "libnvrtc.so.13", "libnvrtc-builtins.so.13"):
        (folder / name).touch()
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    found = [path for path in build._candidates() if path.startswith(str(tmp_path))]
    assert found == [str(folder / "libnvrtc.so.13"), str(folder / "libnvrtc.so.12")]

"""Code of another processor, another LLVM or other pipelines has another key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from speedmetal.backends.cpu import identity
from speedmetal.backends.cpu.identity import code_identity
from speedmetal.backends.cpu.jit import CPU_VARIABLE

X86 = """processor	: {number}
vendor_id	: AuthenticAMD
model name	: AMD EPYC
cpu MHz		: {frequency}
flags		: fpu vme {flags}
"""
ARM = """processor	: {number}
BogoMIPS	: 50.00
Features	: fp asimd {flags}
CPU implementer	: 0x41
CPU part	: {part}
"""


def _identity() -> str:
    code_identity.cache_clear()
    return code_identity()


@pytest.fixture(autouse=True)
def _forget():
    yield
    code_identity.cache_clear()


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(identity, "_TABLE", str(path))
    return path


def _x86(*frequencies: str, flags: str = "avx2") -> str:
    return "".join(
        X86.format(number=number, frequency=frequency, flags=flags) + "\n"
        for number, frequency in enumerate(frequencies)
    )


def test_it_does_not_change_with_time_nor_with_the_count_of_processors(table: Path) -> None:
    found = set()
    for text in (_x86("998.1"), _x86("1000.123", "2600"), _x86(*["2600"] * 500)):
        table.write_text(text)
        found.add(_identity())
    assert len(found) == 1


def test_what_a_processor_can_do_tells_it_apart(table: Path) -> None:
    found = set()
    for text in (
        _x86("1", flags="avx2"),
        _x86("1", flags="avx512f"),
        ARM.format(number=0, flags="", part="0xd0c") + "\n",
        ARM.format(number=0, flags="sve", part="0xd0c") + "\n",
        # Two kinds of processors in one machine, of which only the second is another one.
        "".join(ARM.format(number=n, flags="", part=p) + "\n" for n, p in ((0, "1"), (1, "2"))),
        "".join(ARM.format(number=n, flags="", part=p) + "\n" for n, p in ((0, "1"), (1, "3"))),
    ):
        table.write_text(text)
        found.add(_identity())
    assert len(found) == 6


def test_the_processor_that_is_stated_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CPU_VARIABLE, raising=False)
    before = _identity()
    monkeypatch.setenv(CPU_VARIABLE, "x86-64-v3")
    assert _identity() != before


@pytest.mark.parametrize("name", ["PIPELINE_VERSION", "IMAGE_VERSION"])
def test_our_own_versions_count(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = _identity()
    monkeypatch.setattr(identity, name, 1000)
    assert _identity() != before


def test_the_file_of_llvm_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "llvmlite"
    library = package / "binding" / "libllvmlite.so"
    library.parent.mkdir(parents=True)
    (package / "__init__.py").touch()
    library.write_bytes(b"one")
    monkeypatch.syspath_prepend(tmp_path)
    found = {_identity()}
    os.utime(library, ns=(1, 1))
    found.add(_identity())
    library.write_bytes(b"longer")
    os.utime(library, ns=(1, 1))
    found.add(_identity())
    assert len(found) == 3


def test_without_a_table_it_is_llvm_that_tells(table: Path) -> None:
    from llvmlite import binding

    assert not table.exists()
    found = _identity()
    assert binding.get_host_cpu_name() in found
    assert ".".join(map(str, binding.llvm_version_info)) in found


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="no table of processors")
def test_finding_it_does_not_import_llvm() -> None:
    check = (
        "import sys; from speedmetal.backends.cpu.identity import code_identity; code_identity();"
        "sys.exit('llvmlite' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0

"""What machine code depends on beside its source, found without LLVM, which takes 30 ms to load."""

from __future__ import annotations

import functools
import os
import sys
from importlib.machinery import PathFinder

from speedmetal.backends.cpu.image import VERSION as IMAGE_VERSION
from speedmetal.backends.cpu.jit import CPU_VARIABLE, PIPELINE_VERSION

_TABLE = "/proc/cpuinfo"
_TABLE_BYTES = 16384
"""Read of Linux's table: some processors of it. On a large machine all of it takes milliseconds."""
_FIELDS = frozenset(
    (
        *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
        *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision"),
        "Features",
    )
)
"""The fields that tell kinds of processors apart, on x86-64 and on ARM; others change with time."""


@functools.cache
def code_identity() -> str:
    """The part of a key in the disk cache that says which processor, LLVM and pipelines made code.

    Where Linux's table of processors or LLVM's file is not to be found, it is LLVM that tells.
    """
    processor, llvm = _processor(), _llvm()
    if not processor or not llvm:
        processor, llvm = _told_by_llvm()
    stated = os.environ.get(CPU_VARIABLE, "")
    parts = (sys.platform, os.uname().machine, processor, llvm, stated)
    return f"{' '.join(parts)} p{PIPELINE_VERSION} i{IMAGE_VERSION}"


@functools.cache
def has_avx512() -> bool:
    """Whether code has vectors of 512 bits, and twice as many registers as with 256.

    Where Linux's table is not to be found, it has not: such processors are not met there.
    """
    return not os.environ.get(CPU_VARIABLE) and "avx512f" in _processor()


def _processor() -> str:
    """The kinds of this computer's processors, and what they can do; empty where unknown."""
    try:
        with open(_TABLE, "rb", buffering=0) as table:  # noqa: PTH123 - a file of the kernel
            text = table.read(_TABLE_BYTES).decode(errors="replace")
    except OSError:
        return ""
    whole, _, _ = text.rpartition("\n\n")  # the last processor may be cut
    return " ".join(dict.fromkeys(filter(None, map(_kind_of, whole.split("\n\n")))))


def _kind_of(processor: str) -> str:
    pairs = (line.partition(":") for line in processor.splitlines())
    return ",".join(value.strip() for name, _, value in pairs if name.strip() in _FIELDS)


def _llvm() -> str:
    """The library of llvmlite, by size and time of its file; empty where it is not found."""
    spec = PathFinder.find_spec("llvmlite")
    for folder in (spec and spec.submodule_search_locations) or ():
        for name in ("libllvmlite.so", "libllvmlite.dylib"):
            try:
                found = os.stat(f"{folder}/binding/{name}")  # noqa: PTH116 - without pathlib
            except OSError:
                continue
            return f"llvm-{found.st_size}-{found.st_mtime_ns}"
    return ""


def _told_by_llvm() -> tuple[str, str]:
    from llvmlite import binding

    processor = f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"
    return processor, f"llvm-{'.'.join(map(str, binding.llvm_version_info))}"

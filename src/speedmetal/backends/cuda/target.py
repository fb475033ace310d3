"""NVIDIA GPUs as a target: CUDA C++, PTX by NVRTC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speedmetal.backends.target import Target
from speedmetal.errors import Diagnostic

if TYPE_CHECKING:
    from speedmetal.ir.nodes import Kernel


# What checks, prints and assembles is loaded late: code that comes from disk needs none of it.
def _check(kernel: Kernel) -> list[Diagnostic]:
    from speedmetal.backends.cuda.codegen.printer import check_kernel

    return check_kernel(kernel)


def _print(kernel: Kernel, math_mode: str) -> str:
    from speedmetal.backends.cuda.codegen.printer import print_kernel

    return print_kernel(kernel, math_mode=math_mode)


def _assemble(source: str) -> str:
    """The PTX text of a CUDA source.

    Raises:
        DeviceError: NVRTC is not installed.
    """
    from speedmetal.backends.cuda.nvrtc import compile_ptx

    return compile_ptx(source)


TARGET = Target(
    "cuda",
    has_float64=True,
    math_modes=("safe", "tf32", "fast"),
    check=_check,
    print=_print,
    assemble=_assemble,
    source_language="cuda",
    assembly_language="ptx",
    has_async_copies=True,
    has_large_matrices=True,
)

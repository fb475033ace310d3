"""The CPU as a target: LLVM assembly, machine code by LLVM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speedmetal.backends.target import Target, has_everything

if TYPE_CHECKING:
    from speedmetal.ir.nodes import Kernel


# What prints and assembles is loaded late: code that comes from disk needs none of it.
def _print(kernel: Kernel, _math_mode: str) -> str:
    from speedmetal.backends.cpu.codegen.printer import print_kernel
    from speedmetal.backends.cpu.jit import vector_unit

    return print_kernel(kernel, unit=vector_unit())


def _assemble(source: str) -> str:
    from speedmetal.backends.cpu.jit import assembly

    return assembly(source)


TARGET = Target(
    "cpu",
    has_float64=True,
    math_modes=("safe",),
    check=has_everything,
    print=_print,
    assemble=_assemble,
    source_language="llvm",
    assembly_language="gas",
    replaces_thread_arrays=True,
)

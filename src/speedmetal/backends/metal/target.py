"""Apple GPUs as a target: Metal Shading Language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speedmetal.backends.target import Target
from speedmetal.errors import Diagnostic, UserInputError

if TYPE_CHECKING:
    from speedmetal.ir.nodes import Kernel


# What checks and prints is loaded late: code that comes from disk needs none of it.
def _check(kernel: Kernel) -> list[Diagnostic]:
    from speedmetal.backends.metal.codegen.printer import check_kernel

    return check_kernel(kernel)


def _print(kernel: Kernel, math_mode: str) -> str:
    from speedmetal.backends.metal.codegen.printer import print_kernel

    return print_kernel(kernel, math_mode=math_mode)


def _assemble(_source: str) -> str:
    raise UserInputError(
        'Metal has no stage="assembly": only Apple\'s compiler, on a Mac, makes it; use'
        ' stage="source"'
    )


TARGET = Target(
    "metal",
    has_float64=False,
    math_modes=("safe", "fast"),
    check=_check,
    print=_print,
    assemble=_assemble,
    source_language="cpp",
    assembly_language="",
)

"""What the compiler knows of a target: how its text is checked, printed and made machine code.

Each backend's folder has one such record, in its ``target.py``; :mod:`speedmetal.backends.targets`
finds it by name. Nothing else tells targets apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from speedmetal.common.records import record

if TYPE_CHECKING:
    from speedmetal.dtypes import DType
    from speedmetal.errors import Diagnostic
    from speedmetal.intrinsics.record import Intrinsic, Spelling
    from speedmetal.ir.nodes import Kernel


def has_everything(_kernel: Kernel) -> list[Diagnostic]:
    """The check of a target that can do all that the kernel language has."""
    return []


@record
class Target:
    """One target of the compiler. No part of it needs a device.

    Args:
        name: What the user writes: ``"cpu"``.
        has_float64: Whether kernels can use it; where not, NumPy's float64 numbers are what
            Python's floats are.
        math_modes: Those of :func:`speedmetal.launch.modes.math_mode` that make different code.
        check: What of a typed kernel, as it comes from the front end, the target cannot do.
        print: The text of a kernel, as it comes from the passes, in a mode of mathematics
            (one of ``math_modes``).
        assemble: Machine code's text from the target's text.
        source_language: Pygments' name of the text's language.
        assembly_language: Pygments' name of the language of machine code's text.
        replaces_thread_arrays: Whether small thread arrays go to the printer as variables
            (:mod:`speedmetal.passes.scalar_replacement`); not where the compiler of the target's
            text puts them into registers itself.
        has_async_copies: Whether asynchronous copies go to the printer as such; where not, as loads
            and stores (:mod:`speedmetal.passes.async_copies`).
        has_large_matrices: Whether simdgroup matrices of more than 8x8 go to the printer as such;
            where not, as several (:mod:`speedmetal.passes.matrices`).
    """

    name: str
    has_float64: bool
    math_modes: tuple[str, ...]
    check: Callable[[Kernel], list[Diagnostic]]
    print: Callable[[Kernel, str], str]
    assemble: Callable[[str], str]
    source_language: str
    assembly_language: str
    replaces_thread_arrays: bool = False
    has_async_copies: bool = False
    has_large_matrices: bool = False

    def mode_for(self, stated: str) -> str:
        """The mode of mathematics that code is made in, where users state one."""
        return stated if stated in self.math_modes else "safe"

    def spelling(self, intrinsic: Intrinsic, dtype: DType | None) -> Spelling:
        """How the target says an intrinsic on operands of a type."""
        return intrinsic.spelling(self.name, dtype)

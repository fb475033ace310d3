"""What a kernel becomes: its typed IR, the target's source, and machine code, without a launch."""

from __future__ import annotations

import functools
import types
from typing import Any, Self

from speedmetal.backends.targets import TARGETS, find_target
from speedmetal.compiler import pipeline
from speedmetal.errors import UnknownNameError, UserInputError
from speedmetal.frontend.signature import keywords_of, record_items
from speedmetal.ir.text import kernel_text
from speedmetal.launch.kernel import Kernel, kernel_of
from speedmetal.launch.modes import current_math_mode

STAGES = ("ir", "source", "assembly")


class Code(str):
    """Text of a program; notebooks show it highlighted.

    Attributes:
        language: Pygments' name of the language.
    """

    __slots__ = ("language",)

    language: str

    def __new__(cls, text: str, language: str) -> Self:
        """The text, in that language."""
        made = super().__new__(cls, text)
        made.language = language
        return made

    def __reduce__(self) -> tuple[type[Code], tuple[str, str]]:
        return type(self), (str.__str__(self), self.language)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """For notebooks: coloured where Pygments is installed (rich brings it)."""
        from html import escape

        try:
            from pygments import highlight  # type: ignore[import-untyped]
            from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
            from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
        except ImportError:
            return f"<pre>{escape(self)}</pre>"
        formatted: str = highlight(
            self, get_lexer_by_name(self.language), HtmlFormatter(noclasses=True)
        )
        return formatted


def code(
    kernel: Any,
    *args: Any,
    target: str = "cpu",
    stage: str = "source",
    debug: int = 0,
) -> Code:
    """What a kernel becomes for arguments of these types; needs no device.

    Inside ``with sm.math_mode("fast")`` it is what the target gets in that mode.

    Args:
        kernel: A kernel, or a plain function written in the kernel language; bound to its instance
            as a method, or to its first arguments by functools.partial.
        args: For each parameter an array, a number, a dtype (a scalar of it), or a type in text:
            ``"f32[:,:]"``, ``"f32[:]/strided"``, ``"i32"``, ``"(f32,i32)"``; one text may hold
            several, with blanks between them.
        target: ``"cpu"``, ``"cuda"`` or ``"metal"``.
        stage: ``"ir"``, the typed IR as the target's printer gets it; ``"source"``, LLVM assembly,
            CUDA C++ or Metal Shading Language; ``"assembly"``, machine code's text (CUDA: PTX).
        debug: 0, 1 or 2; see :func:`speedmetal.debug_level`.

    Raises:
        CompileError: The kernel is wrong, or the target cannot do what it asks for.
        DeviceError: CUDA's assembly needs NVRTC, which is not installed.
        UserInputError: Another target or stage; Metal's assembly.

    Example:
        >>> import speedmetal as sm
        >>> def twice(a):
        ...     i = sm.thread_position_in_grid().x
        ...     a[i] = 2 * a[i]
        >>> print(code(sm.kernel(twice), sm.zeros(3), stage="ir").rstrip())
        kernel twice(a: f32[:]):
            i: i32 = thread_position_in_grid().x
            a[i] = 2.0f32 * a[i]
    """
    if isinstance(kernel, functools.partial | types.MethodType) and not keywords_of(kernel):
        kernel, *bound = record_items(kernel)
        args = (*bound, *args)
    made = kernel_of(kernel) or Kernel(_function(kernel))
    _check_choice("target", target, TARGETS)
    _check_choice("stage", stage, STAGES)
    specialisation = made.specialisation(made.signature_for(args, target), debug)
    lowered, _ = pipeline.lower(specialisation, target)
    if stage == "ir":
        return Code(kernel_text(lowered).rstrip(), "python")
    source = pipeline.print_source(
        lowered, target, name=specialisation.source.name, math_mode=current_math_mode()
    )
    record = find_target(target)
    if stage == "source":
        return Code(source.rstrip(), record.source_language)
    return Code(record.assemble(source).rstrip(), record.assembly_language)


def _function(given: Any) -> Any:
    if not isinstance(given, types.FunctionType):
        raise UserInputError(
            f"sm.code expected a kernel or a plain Python function, got {type(given).__name__}"
        )
    return given


def _check_choice(kind: str, given: str, valid: tuple[str, ...]) -> None:
    if given not in valid:
        raise UnknownNameError(kind, str(given), valid)

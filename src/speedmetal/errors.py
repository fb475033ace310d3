"""Every exception of speedmetal, and the one way in which a wrong word is answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from speedmetal.common.records import record
from speedmetal.source import SourceSpan


class SpeedmetalError(Exception):
    """Base of all exceptions that speedmetal raises on purpose.

    All of them can be pickled: an error in a pool's process is told in the one that asked.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # By what was made of the arguments, which not every exception keeps.
        return _restore_error, (type(self), self.args, vars(self))


def _restore_error(
    kind: type[SpeedmetalError], args: tuple[Any, ...], state: dict[str, Any]
) -> Any:
    # Not the class's own: it may be that of a built-in base, which refuses subclasses of others.
    error = BaseException.__new__(kind, *args)
    vars(error).update(state)
    return error


class UserInputError(SpeedmetalError):
    """Something that the user gave is not valid; the command line exits with status 2."""


class UnknownNameError(UserInputError):
    """A name is not among the valid ones.

    Args:
        kind: What was named, for example ``"operation"``.
        given: The name as the user wrote it.
        valid: The names that exist.

    Example:
        >>> print(UnknownNameError("operation", "sofmax", ["softmax", "sort"]))
        unknown operation 'sofmax'; did you mean softmax? Valid operations: softmax, sort
    """

    def __init__(self, kind: str, given: str, valid: Iterable[str]) -> None:
        import difflib  # most programs never name what is not there

        names = sorted(valid)
        near = difflib.get_close_matches(given.lower(), names, n=3, cutoff=0.5)
        guess = f"; did you mean {' or '.join(near)}?" if near else "."
        super().__init__(f"unknown {kind} {given!r}{guess} Valid {kind}s: {', '.join(names)}")


class NoElementsError(UserInputError, ValueError):
    """What is asked of some elements, such as their greatest, was asked of none.

    It is NumPy's exception and has NumPy's words, which Dask waits for.
    """


class ElementCountError(UserInputError, ValueError):
    """The truth of an array, or its only element, was asked for, and it has none or several.

    As in NumPy and the array API it is a ``ValueError``.
    """


class ScalarConversionError(UserInputError, TypeError):
    """An array was to become a number of Python's that it is not: it has several elements, say.

    As in NumPy and the array API it is a ``TypeError``.
    """


class NotNumbersError(UserInputError, TypeError):
    """What is given where arrays and numbers are taken is neither."""


class SuiteFileError(UserInputError):
    """A suite file is wrong at a line; the message is ``FILE:LINE: what was expected``."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")


class FileFormatError(UserInputError):
    """A file of arrays is of no known format, or damaged; the message says what was found."""


class StoreError(SpeedmetalError):
    """A record file cannot be read or written."""


class InternalError(SpeedmetalError):
    """An invariant of speedmetal is broken: a bug of ours, to be reported with the message."""


@record
class Diagnostic:
    """One fault in a user's program: where, what was expected and found, and what to do.

    Args:
        span: The guilty text.
        message: What was expected, what was found, what to do; one line.
        related: Other places that belong to the fault, each with a line that says why.
    """

    span: SourceSpan
    message: str
    related: tuple[tuple[SourceSpan, str], ...] = ()

    def render(self) -> str:
        """``file:line:column: error: message``, the source line with carets, the related places."""
        parts = [f"{self.span.place}: error: {self.message}"]
        if self.span.text.lines:  # none: the source is not there, which the message says
            parts.append(_indent_text(self.span.excerpt()))
        for span, why in self.related:
            parts += [f"{span.place}: note: {why}", _indent_text(span.excerpt())]
        return "\n".join(parts)


class CompileError(UserInputError):
    """A kernel is not valid; ``diagnostics`` has every fault that the stage found, in order."""

    def __init__(self, kernel: str, diagnostics: Sequence[Diagnostic]) -> None:
        self.kernel = kernel
        self.diagnostics = tuple(diagnostics)
        count = f"{len(self.diagnostics)} error{'s' if len(self.diagnostics) != 1 else ''}"
        body = "\n\n".join(diagnostic.render() for diagnostic in self.diagnostics)
        super().__init__(f"{count} in kernel {kernel!r}\n\n{body}")


class NestingError(CompileError):
    """A kernel is nested more deeply than Python's stack allows."""

    @classmethod
    def at(cls, kernel: str, span: SourceSpan) -> NestingError:
        """The error of a kernel whose code is nested too deeply at a place."""
        message = "the code is nested too deeply; put a part of it into a function"
        return cls(kernel, [Diagnostic(span, message)])


class LaunchError(UserInputError):
    """The arguments, grid or options of a call are wrong; nothing was launched."""


class DeviceError(SpeedmetalError):
    """A device is not there, or a request goes beyond what it has."""


class OutOfMemoryError(DeviceError, MemoryError):
    """A device has not as much memory as is asked for; nothing was allocated."""


class CacheError(SpeedmetalError):
    """The folder of compiled kernels cannot be trusted."""


class KernelError(SpeedmetalError):
    """A kernel failed while it ran: an assertion, an index out of bounds, a division by zero."""


class SimulationError(KernelError):
    """The Metal simulator found a fault in a kernel while it ran, or a limit of Metal's exceeded.

    Attributes:
        kind: ``"out of bounds"``, ``"misaligned"``, ``"divergence"``, ``"race"``, ``"timeout"``,
            ``"threadgroup memory"``, ``"limits"`` or ``"failed"``.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def _indent_text(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())

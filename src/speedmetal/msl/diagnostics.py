"""What is wrong with Metal Shading Language text, shown at its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from speedmetal.errors import UserInputError
from speedmetal.source import SourceSpan, SourceText

Severity = Literal["error", "warning"]
NAME = "program_source"
"""What Metal calls a text that has no file."""


@dataclass(frozen=True, slots=True)
class MslDiagnostic:
    """One fault: line and column, from 1, in the user's text."""

    line: int
    column: int
    severity: Severity
    message: str

    def render(self, source: str) -> str:
        """``program_source:line:column: error: message``, the line and a caret."""
        text = SourceText(NAME, 1, tuple(source.split("\n")))
        span = SourceSpan(text, self.line, self.column - 1, self.line, self.column)
        shown = "\n".join(f"    {line}" for line in span.excerpt().splitlines())
        return f"{NAME}:{self.line}:{self.column}: {self.severity}: {self.message}\n{shown}"


class MslError(UserInputError):
    """Metal Shading Language text that is not valid, or that the simulator does not know.

    Attributes:
        diagnostics: Every fault found, in the text's order.
    """

    def __init__(self, diagnostics: Sequence[MslDiagnostic], source: str) -> None:
        self.diagnostics = tuple(diagnostics)
        self.source = source
        super().__init__("\n".join(found.render(source) for found in self.diagnostics))

    def __reduce__(self) -> tuple[type, tuple[tuple[MslDiagnostic, ...], str]]:
        return type(self), (self.diagnostics, self.source)

"""Source text and places in it: what every node of the IR and every message points at."""

from __future__ import annotations

from speedmetal.common.records import record


@record
class SourceText:
    """Lines of a user's file.

    Args:
        name: File name as Python knows it, for example ``"model.py"`` or ``"<ipython-input-3>"``.
        first_line: Number, from 1, that the first of ``lines`` has in the file.
        lines: The lines, without their ends.
    """

    name: str
    first_line: int
    lines: tuple[str, ...]

    def line(self, number: int) -> str:
        """The line with this number in the file; empty where the text does not have it.

        >>> SourceText("a.py", 10, ("x = 1", "y = 2")).line(11)
        'y = 2'
        """
        index = number - self.first_line
        return self.lines[index] if 0 <= index < len(self.lines) else ""


@record
class SourceSpan:
    """A stretch of source text: lines from 1, columns in characters from 0, end excluded."""

    text: SourceText
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def place(self) -> str:
        """``file:line:column``, the column from 1, as editors count.

        >>> text = SourceText("a.py", 10, ("x = 1", "y = two"))
        >>> SourceSpan(text, 11, 4, 11, 7).place
        'a.py:11:5'
        """
        return f"{self.text.name}:{self.line}:{self.column + 1}"

    def excerpt(self) -> str:
        """The source line with its number, and carets under the span.

        >>> text = SourceText("a.py", 10, ("x = 1", "y = two"))
        >>> print(SourceSpan(text, 11, 4, 11, 7).excerpt())
        11 | y = two
           |     ^^^
        """
        source = self.text.line(self.line)
        last = self.end_column if self.end_line == self.line else len(source)
        width = max(1, min(last, len(source)) - self.column)
        margin = " " * len(str(self.line))
        # Tabs stay tabs, so that the caret stands under its character whatever a tab's width.
        indent = "".join("\t" if c == "\t" else " " for c in source[: self.column])
        return f"{self.line} | {source}\n{margin} | {indent}{'^' * width}"


NOWHERE = SourceSpan(SourceText("<speedmetal>", 1, ()), 1, 0, 1, 0)
"""The span of what speedmetal itself puts into a program."""

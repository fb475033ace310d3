"""What a kernel may report to the host: its asserts and prints, as data kept with its code."""

from __future__ import annotations

from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.source import SourceSpan

POSITIONS_LEVEL = 2
"""The debug level from which a failing kernel tells the thread, and looks at barriers."""


@record
class AssertSite:
    """One check in a kernel, and what to say where it fails."""

    kind: str
    reason: str
    span: SourceSpan


@record
class PrintSite:
    """One ``print`` of a kernel: its texts (None for the next value) and its values' types."""

    parts: tuple[str | None, ...]
    dtypes: tuple[DType, ...]


@record
class ReportSites:
    """Everything that a kernel may report, in the order of the mailbox's numbers.

    Args:
        kernel: The user's name of it.
        debug: Its debug level.
        asserts: Its checks; those of control flow round barriers are the last.
        prints: Its prints, which are numbered on their own.
    """

    kernel: str
    debug: int
    asserts: tuple[AssertSite, ...]
    prints: tuple[PrintSite, ...]

    def __bool__(self) -> bool:
        """Whether there is anything to report, so that a launch needs a mailbox."""
        return bool(self.asserts or self.prints or self.debug >= POSITIONS_LEVEL)

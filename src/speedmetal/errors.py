"""Every exception of speedmetal, and the one way in which a wrong word is answered."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SpeedmetalError(Exception):
    """Base of all exceptions that speedmetal raises on purpose."""


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
        names = sorted(valid)
        near = difflib.get_close_matches(given.lower(), names, n=3, cutoff=0.5)
        guess = f"; did you mean {' or '.join(near)}?" if near else "."
        super().__init__(f"unknown {kind} {given!r}{guess} Valid {kind}s: {', '.join(names)}")


class SuiteFileError(UserInputError):
    """A suite file is wrong at a line; the message is ``FILE:LINE: what was expected``."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")


class StoreError(SpeedmetalError):
    """A record file cannot be read or written."""


class InternalError(SpeedmetalError):
    """An invariant of speedmetal is broken: a bug of ours, to be reported with the message."""

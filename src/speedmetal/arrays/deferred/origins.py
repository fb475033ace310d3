"""Where lazy operations were written, for the errors that come when they are computed.

An *origin* is the code object of the user's function, or module, and the place of the instruction
in it. Neither keeps a frame, or what is in it, alive. What is only needed for a message (the line,
its text, the columns) is found when there is one.

A call looks for the nearest frame of the user's. A node of an expression, which is made in less
than a microsecond, looks where the user's frame is if he wrote an operator or a word: that takes a
tenth of it. Where it finds speedmetal's own code instead, in functions that are composed of
operations, the place stands in for it where an expression of this structure was first written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any, TypeVar

from speedmetal.arrays.memory.kept import Kept
from speedmetal.frontend.structure import Structure

_FOLDER = __file__.removesuffix(__name__.partition(".")[2].replace(".", os.sep) + ".py")
"""Of speedmetal, with the separator: code in it is none of the user's."""

_getframe = sys._getframe  # noqa: SLF001 - documented; nothing else is as fast

_own: dict[int, bool] = {}
"""By the identity of code of speedmetal's: whether it computes arrays."""
_kept: list[CodeType] = []
"""The code in :data:`_own`, whose identities stay its own as long as it is there."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Latest:
    """The user's code that wrote the latest call: most likely that of the next one, too."""

    code: CodeType | None = None


class Nobody:
    """The frame of what the user did not write."""

    f_code = None
    f_lasti = -1


def evaluates(function: _Function) -> _Function:
    """Mark a function: what is written in calls of it is no operation of the user's."""
    _note_own(function.__code__, computes=True)
    return function


def _note_own(code: CodeType, *, computes: bool) -> bool:
    _kept.append(code)
    _own[id(code)] = computes
    return computes


def outside(callers: int) -> Any:
    """The nearest frame that is none of speedmetal's.

    Where there is none, or arrays are being computed, it is one without code.

    Args:
        callers: How many calls it is away from the caller, at least.
    """
    try:
        frame: Any = _getframe(callers + 1)
    except ValueError:  # called by no code of Python's, at its exit for example
        return Nobody
    while frame is not None:
        code = frame.f_code
        if code is Latest.code:
            return frame
        computes = _own.get(id(code))
        if computes is None:
            if not code.co_filename.startswith(_FOLDER):
                Latest.code = code
                return frame
            computes = _note_own(code, computes=False)
        if computes:
            break
        frame = frame.f_back
    return Nobody


_first: Kept[tuple[CodeType, int]] = Kept(4096)
"""Where an expression of a structure was first written, for those that speedmetal composes."""


def note_first(structure: Structure) -> Any:
    """Remember where an expression of a new form is written, and give the frame.

    Where the user does not write it, it is one without code, as of :func:`outside`.
    """
    frame = outside(2)
    if frame.f_code is not None and (structure,) not in _first:
        _first.keep((structure,), (frame.f_code, frame.f_lasti))
    return frame


def origin_of(array: Any) -> tuple[CodeType, int] | None:
    """Where the user wrote an expression or a call; None where it was speedmetal."""
    owner = array if type(array.pending) is Structure else array.pending
    code = getattr(owner, "written_in", None)
    if code is None or code.co_filename.startswith(_FOLDER):
        return None
    return code, owner.written_at


def first_origin_of(structure: Structure) -> tuple[CodeType, int] | None:
    """Where the user first wrote an expression of this structure, if that is known."""
    return _first.get((structure,))

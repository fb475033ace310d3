"""What an error says of an evaluation that failed: where the user wrote what was being computed."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from itertools import islice
from types import CodeType
from typing import Any

from speedmetal.arrays.deferred.origins import Nobody, first_origin_of, origin_of, outside
from speedmetal.source import SourceSpan, SourceText

_CODE_UNIT_BYTES = 2
"""Of CPython's bytecode: places of instructions are in bytes, tables of lines count these."""

_PREFIX = "while computing "


def note_origins(error: Exception, arrays: Iterable[Any]) -> None:
    """Have an error say where the operations were written that it came of.

    Args:
        error: It keeps the first such note, that of the innermost evaluation.
        arrays: The lazy ones that were being computed, in a function that :func:`evaluates`.
    """
    if any(note.startswith(_PREFIX) for note in getattr(error, "__notes__", ())):
        return
    is_within_another = outside(2) is Nobody
    told = [_note_on(array, is_exact=is_within_another) for array in arrays]
    found = [note for note in dict.fromkeys(told) if note is not None]
    if found:
        error.add_note("\n".join(found))


def _note_on(array: Any, *, is_exact: bool) -> str | None:
    """What was computed, where it was written, and the text there; None: that is not known.

    Args:
        array: That was being computed.
        is_exact: Whether the place has to be that of this array.
    """
    from speedmetal.arrays.deferred.wording import described  # most programs never fail

    known = origin_of(array)
    how = "written here"
    if known is None and not is_exact:
        known = first_origin_of(array.pending)
        how = "the first of this form was written here"
    if known is None:
        return None
    code, instruction = known
    span = _span_of(code, instruction)
    lines = [f"{_PREFIX}{described(array)}, {how}:", f"{span.place}: in {code.co_qualname}"]
    if span.text.lines:
        lines += [f"    {line}" for line in span.excerpt().splitlines()]
    return "\n".join(lines)


def _span_of(code: CodeType, instruction: int) -> SourceSpan:
    """The stretch of source that an instruction belongs to, as far as Python knows it."""
    place = max(instruction, 0) // _CODE_UNIT_BYTES
    positions = next(islice(code.co_positions(), place, None), (None,) * 4)
    line, end_line, start, end = positions
    number = line or code.co_firstlineno
    text = linecache.getline(code.co_filename, number).rstrip("\n")
    source = SourceText(code.co_filename, number, (text,) if text else ())
    if start is None or end is None:  # Python was told to keep no columns
        first = len(text) - len(text.lstrip())
        return SourceSpan(source, number, first, number, len(text))
    if text and (end_line or number) == number:  # Python counts bytes
        encoded = text.encode()
        start, end = (len(encoded[:count].decode(errors="ignore")) for count in (start, end))
    return SourceSpan(source, number, start, end_line or number, end)

"""Divisions and shifts in which C++ leaves to the processor what Metal says.

``a / b`` becomes ``a / smr::by / b``, which binds as before: see headers/operators.h.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Final

from speedmetal.metal_simulator.language.rewriting import Rewriter
from speedmetal.msl.tokens import Kind, Tokens

_HEADERS: Final = Path(__file__).parent / "headers"
_DIVISIONS = frozenset({"/", "%", "/=", "%="})
_GUARDED = _DIVISIONS | {"<<", "<<="}  # `>>` is two tokens
_WIDTH = 32  # of the narrowest integer that is shifted: narrower ones become int before
_BINDS_CLOSER = frozenset({"+", "-", "*", "/", "%"})  # than a shift does
_ENDS = frozenset({";", ",", ")"})


def guard_operators(tokens: Tokens, rewriter: Rewriter) -> None:
    """Mark the divisions and shifts of a text, but for those whose literals show them right."""
    closing = _closing_angles(tokens)
    for index, word in enumerate(tokens.words):
        begin, right, operator = index, index + 1, word
        if word == ">" and _touches(tokens, index - 1, ">") and index - 1 not in closing:
            begin, operator = index - 1, ">>"
            if _touches(tokens, index, "="):
                right, operator = index + 2, ">>="
        elif word not in _GUARDED:
            continue
        if tokens.word(begin - 1) == "operator" or _is_right(tokens, begin, operator, right):
            continue
        rewriter.replace(right - 1, f"{tokens.word(right - 1)} smr::by {operator}")


def _touches(tokens: Tokens, index: int, follows: str) -> bool:
    """Whether at ``index`` is a ``>``, and the sign ``follows`` behind it without a space."""
    if tokens.word(index) != ">" or tokens.word(index + 1) != follows:
        return False
    return tokens.list[index].end == tokens.list[index + 1].start


def _is_right(tokens: Tokens, begin: int, operator: str, right: int) -> bool:
    """Whether the operands' literals show that there is nothing to guard."""
    if _literal(tokens, begin - 1) is float:
        return True
    value = _literal(tokens, right)
    follows = tokens.word(right + 1)
    if value is None or (operator[-1] == "=" and follows not in _ENDS):
        return False
    if operator in _DIVISIONS:
        return value != 0
    is_whole = operator[-1] == "=" or follows not in _BINDS_CLOSER
    return is_whole and isinstance(value, int) and value < _WIDTH


def _literal(tokens: Tokens, index: int) -> int | type[float] | None:
    """The value of a whole literal; float for one of a float; None: it is no literal."""
    if not 0 <= index < len(tokens) or tokens.list[index].kind is not Kind.NUMBER:
        return None
    text = tokens.words[index].replace("'", "")
    try:
        return int(text.rstrip("uUlL"), 0)
    except ValueError:
        is_octal = re.fullmatch(r"0[0-7]+[uUlL]*", text) is not None
        return None if is_octal else float


def _closing_angles(tokens: Tokens) -> set[int]:
    """The ``>`` that close lists of templates and stand in pairs, so that they look like shifts.

    A name before ``<`` that is no template's is compared.
    """
    known = _library_names() | _template_names(tokens)
    closing: set[int] = set()
    levels: list[list[int]] = [[]]
    for index, word in enumerate(tokens.words):
        if word in ("(", "[", "{"):
            levels.append([])
        elif word in (")", "]", "}"):
            levels.pop()
        elif word == ";":
            levels[-1].clear()
        elif word == "<" and tokens.word(index - 1) in known:
            levels[-1].append(index)
        elif word == ">" and levels[-1]:
            levels[-1].pop()
            closing.add(index)
    return {index for index in closing if index + 1 in closing or index - 1 in closing}


@functools.cache
def _library_names() -> frozenset[str]:
    """Names of the library that may stand before ``<``."""
    text = "".join(path.read_text("utf-8") for path in sorted(_HEADERS.glob("*.h")))
    names = re.findall(r"\b(?!smr|SMR)([A-Za-z]\w{2,})\s*[<(]", text)
    kinds = re.findall(r"\b(?:struct|class|using|SMR_\w+\() ?(\w+)", text)
    casts = ("static_cast", "const_cast", "reinterpret_cast", "template")
    return frozenset((*names, *kinds, *casts))


def _template_names(tokens: Tokens) -> set[str]:
    """Names in the heads of the text's templates, the templates' own among them."""
    names: set[str] = {"template"}
    for index, word in enumerate(tokens.words):
        if word != "template":
            continue
        end = index + 1
        if tokens.word(end) == "<":
            end = tokens.angle_partner(end, certain=True) or end
        while tokens.word(end) not in ("(", "{", ";", "=", ":", ""):
            end += 1
        names.update(tokens.words[i] for i in range(index + 1, end) if tokens.is_name(i))
    return names

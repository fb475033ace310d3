"""Argument types from text: ``f32[:,:]``, ``(f32,i32)``, ``static(16)``."""

from __future__ import annotations

import ast
import re

from speedmetal import dtypes
from speedmetal.errors import UserInputError
from speedmetal.frontend.signature import (
    Argument,
    ArrayArgument,
    ScalarArgument,
    StaticArgument,
    TupleArgument,
)
from speedmetal.frontend.static import static
from speedmetal.ir.types import ArrayType

_LEXEME = r"\s*(static\((?:[^()]|\([^()]*\))*\)|[A-Za-z_]\w*|\[[^\]]*\]|/[a-z]+\d*|[(),])"


def parse_signature(text: str) -> tuple[Argument, ...]:
    """Argument types from text, separated by blanks; the inverse of ``str``.

    ``f32`` is a scalar, ``f32[:,:]`` an array in C order (its last axis has unit stride),
    ``f32[:,:]/strided`` one with any strides, ``f32[:,:]/unit0`` one whose axis 0 has unit stride,
    ``(f32,i32)`` a tuple, ``static(16)`` a number that is known while compiling.

    Raises:
        UserInputError: The text is not of this form.
        UnknownNameError: A dtype does not exist.

    >>> [str(a) for a in parse_signature("f32[:,:] f32 i32[:]/strided (f32,i32[:])")]
    ['f32[:,:]', 'f32', 'i32[:]/strided', '(f32,i32[:])']
    """
    token = re.compile(_LEXEME)  # not while importing: first launches have no signatures
    tokens, position = [], 0
    while text[position:].strip():
        match = token.match(text, position)
        if match is None:
            raise UserInputError(
                f"cannot read {text[position:].strip()!r} in the signature {text!r};"
                " expected types such as f32, f32[:,:], f32[:]/strided or (f32,i32)"
            )
        tokens.append(match[1])
        position = match.end()
    reader = _Reader(text, tokens)
    found = []
    while reader.rest():
        found.append(reader.argument())
    return tuple(found)


class _Reader:
    """Reads tokens of a signature from left to right."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self._text = text
        self._tokens = tokens
        self._next = 0

    def rest(self) -> bool:
        return self._next < len(self._tokens)

    def argument(self) -> Argument:
        token = self._take()
        if token == "(":  # noqa: S105 - no password
            return self._tuple()
        if token.startswith("static("):
            return self._static(token)
        if not token[0].isalpha():
            raise self._wrong(token, "a dtype or '('")
        dtype = dtypes.find_dtype(token)
        if not (self.rest() and self._tokens[self._next].startswith("[")):
            return ScalarArgument(dtype)
        rank = self._rank(self._take())
        layout = "/"
        if self.rest() and self._tokens[self._next].startswith("/"):
            layout = self._take()
        return ArrayArgument(ArrayType(dtype, rank, self._unit_axis(layout, rank)))

    def _tuple(self) -> TupleArgument:
        items = []
        while self.rest() and self._tokens[self._next] != ")":
            items.append(self.argument())
            if self.rest() and self._tokens[self._next] == ",":
                self._next += 1
        if not self.rest():
            raise self._wrong("the end", "')'")
        self._next += 1
        return TupleArgument(tuple(items))

    def _static(self, token: str) -> StaticArgument:
        try:
            value = ast.literal_eval(token.removeprefix("static"))
        except (ValueError, SyntaxError):
            raise self._wrong(token, "a number, or a tuple of numbers, in static(...)") from None
        return StaticArgument(static(value))

    def _rank(self, token: str) -> int:
        inner = token[1:-1].replace(" ", "")
        axes = inner.split(",") if inner else []
        if any(axis != ":" for axis in axes):
            raise self._wrong(token, "a ':' for each axis")
        return len(axes)

    def _unit_axis(self, layout: str, rank: int) -> int | None:
        if layout in {"/", "/c"}:
            return rank - 1 if rank else None
        if layout == "/strided":
            return None
        axis = layout.removeprefix("/unit")
        if axis.isdigit() and int(axis) < rank:
            return int(axis)
        raise self._wrong(layout, "/strided, /c or /unitN with an axis N")

    def _take(self) -> str:
        token = self._tokens[self._next] if self.rest() else "the end"
        self._next += 1
        return token

    def _wrong(self, found: str, expected: str) -> UserInputError:
        return UserInputError(
            f"in the signature {self._text!r}: expected {expected}, found {found!r}"
        )

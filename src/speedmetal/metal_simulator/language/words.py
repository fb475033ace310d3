"""Words of Metal that mean something else, or nothing, to the compiler."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum

from speedmetal.metal_simulator.language.casts import vector_casts
from speedmetal.metal_simulator.language.constants import FunctionConstant
from speedmetal.metal_simulator.language.rewriting import Rewriter
from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.structure import (
    SPACES,
    Declaration,
    Sort,
    is_attribute,
    member_names,
)
from speedmetal.msl.tokens import Kind, Tokens

_HALF = re.compile(r"([\d.][\w.+-]*?)[hH]")
_BFLOAT = re.compile(r"([\d.][\w.+-]*?)(?:bf|BF)")
_HEXADECIMAL = re.compile(r"0[xX](?!.*[pP])")
_SWIZZLE = re.compile(r"[xyzw]{2,4}|[rgba]{2,4}")
_LETTERS = {letter: i for letters in ("xyzw", "rgba") for i, letter in enumerate(letters)}
_ASSIGNING = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", "++", "--"})
_SCALARS = "bool char uchar short ushort int uint long ulong half bfloat float"
VECTORS = frozenset(f"{scalar}{size}" for scalar in _SCALARS.split() for size in (2, 3, 4))
_OTHER_ATTRIBUTES = (
    "clang gnu likely unlikely maybe_unused nodiscard fallthrough noreturn deprecated unroll"
)
_STANDARD_ATTRIBUTES = frozenset(_OTHER_ATTRIBUTES.split())
_AFTER_COHERENT = frozenset({"const", "volatile", *SPACES})
_CHANGED_BY_CONSTRUCTION = VECTORS - {"bool2", "bool3", "bool4"}


class Reading(Enum):
    """What the C++ is for: see headers/words.h."""

    SIMULATED = "simulated"
    CHECKED = "checked"


class Words:
    """Rewrites literals, swizzles, constructors and questions about function constants."""

    def __init__(
        self,
        tokens: Tokens,
        rewriter: Rewriter,
        reading: Reading,
        declarations: Sequence[Declaration],
    ) -> None:
        self.tokens = tokens
        self.rewriter = rewriter
        self.reading = reading
        self.declarations = declarations

    def rewrite(self, constants: Mapping[str, FunctionConstant]) -> None:
        """Rewrite the whole text.

        Raises:
            MslError: The text asks about a function constant that there is none of.
        """
        tokens = self.tokens
        members = member_names(list(self.declarations), tokens)
        if self.reading is Reading.CHECKED:
            self._casts()
        for index, token in enumerate(tokens.list):
            if token.text == "[" and is_attribute(tokens, index):
                self._attribute(index)
            elif token.kind is Kind.NUMBER:
                self._number(index, token.text)
            elif token.kind is Kind.NAME:
                word = token.text
                if word == "coherent" and tokens.word(index + 1) in _AFTER_COHERENT:
                    self.rewriter.replace(index, "")  # as volatile is; memory is one here
                elif word == "is_function_constant_defined" and tokens.word(index + 1) == "(":
                    self._question(index, constants)
                elif self.reading is Reading.CHECKED:
                    self._constructor(index, word)
                elif (
                    len(word) > 1
                    and _SWIZZLE.fullmatch(word)
                    and tokens.word(index - 1) in (".", "->")
                    and word not in members
                ):
                    self._swizzle(index, word)

    def _attribute(self, index: int) -> None:
        """Metal's own attributes mean nothing to the compiler, and some are words that it knows."""
        close = self.tokens.partner[index]
        if not _STANDARD_ATTRIBUTES.isdisjoint(self.tokens.words[index + 2 : close - 1]):
            return
        self.rewriter.drop(index, close + 1)

    def _number(self, index: int, text: str) -> None:
        """Literals of half and bfloat; those without a suffix are float.

        (The compiler's own option for that forgets them in templates.)
        """
        is_hexadecimal = _HEXADECIMAL.match(text) is not None
        if text[-1] in "hH" and not is_hexadecimal and (found := _HALF.fullmatch(text)):
            self.rewriter.replace(index, f"half({_with_point(found[1])}f)")
        elif not is_hexadecimal and (found := _BFLOAT.fullmatch(text)):
            self.rewriter.replace(index, f"bfloat({_with_point(found[1])}f)")
        elif not is_hexadecimal and _is_float(text) and text[-1] not in "fFlL":
            self.rewriter.insert_after(index, "f")

    def _question(self, index: int, constants: Mapping[str, FunctionConstant]) -> None:
        close = self.tokens.partner[index + 1]
        constant = constants.get(self.tokens.source(index + 2, close))
        if constant is None:
            message = "is_function_constant_defined needs a function constant's name"
            place = self.tokens.place(index)
            raise MslError([MslDiagnostic(*place, "error", message)], self.tokens.text)
        self.rewriter.drop(index, close + 1)
        self.rewriter.replace(index, "true" if constant.is_given else "false")

    def _swizzle(self, index: int, word: str) -> None:
        tokens = self.tokens
        if tokens.word(index + 1) == "(":
            return
        places = ", ".join(str(_LETTERS[letter]) for letter in word)
        follows = tokens.words[index + 1 : index + 4]
        is_target = bool(follows) and (follows[0] in _ASSIGNING or follows == [">", ">", "="])
        method = "smr_at" if is_target else "smr_get"
        self.rewriter.replace(index, f"template {method}<{places}>()")

    def _casts(self) -> None:
        """``(float4)v``, which would keep the bits of a vector."""
        for cast in vector_casts(self.tokens, _CHANGED_BY_CONSTRUCTION):
            self.rewriter.replace(cast.open, "smr::make<")
            self.rewriter.replace(cast.close, ">(")
            self.rewriter.insert_after(cast.end - 1, ")")

    def _rewrite_bool_vector(self, index: int) -> bool:
        """``vec<bool, N>``: vectors of bool are no vectors of the compiler's."""
        tokens = self.tokens
        if tokens.words[index : index + 4] != ["vec", "<", "bool", ","]:
            return False
        self.rewriter.replace(index, "smr::truth")
        self.rewriter.drop(index + 2, index + 4)
        while tokens.word(index - 1) == "::":
            self.rewriter.drop(index - 2, index)
            index -= 2
        return True

    def _rewrite_reinterpret_cast(self, index: int) -> bool:
        """Pointers into thread memory: the other language has them by a cast in C's way alone."""
        tokens = self.tokens
        if tokens.words[index : index + 2] != ["reinterpret_cast", "<"]:
            return False
        close = tokens.angle_partner(index + 1)
        if close is None or "thread" not in tokens.words[index + 2 : close]:
            return False
        self.rewriter.replace(index, "")
        self.rewriter.replace(index + 1, "(")
        self.rewriter.replace(close, ")")
        return True

    def _constructor(self, index: int, word: str) -> None:
        """``float4(...)`` for the compiler's own vectors, which have no constructors."""
        tokens = self.tokens
        begin, end = index, index + 1
        if self._rewrite_bool_vector(index) or self._rewrite_reinterpret_cast(index):
            return
        if word == "vec" and tokens.word(end) == "<":
            close = tokens.angle_partner(end)
            if close is None:
                return
            end = close + 1
        elif word not in _CHANGED_BY_CONSTRUCTION:
            return
        while tokens.word(begin - 1) == "::" and tokens.is_name(begin - 2):
            begin -= 2
        if tokens.words[begin - 2 : begin] == ["static_cast", "<"]:
            self.rewriter.replace(begin - 2, "smr::make")
        elif tokens.word(end) == "(":
            if tokens.word(begin - 1) == "operator" or tokens.word(end + 1) in ("*", "&"):
                return
            self.rewriter.insert_before(begin, "smr::make<")
            self.rewriter.insert_after(end - 1, ">")
        elif tokens.is_name(end) and tokens.word(end + 1) == "(":
            self._rewrite_constructed_variable(begin, end)

    def _rewrite_constructed_variable(self, begin: int, name: int) -> None:
        """``float4 v(a, b);`` inside a function; outside it declares a function."""
        tokens = self.tokens
        close = tokens.partner[name + 1]
        inside = any(
            d.body and d.body[0] < begin < d.body[1]
            for d in self.declarations
            if d.sort is Sort.FUNCTION
        )
        if inside and tokens.word(close + 1) in (";", ","):
            self.rewriter.insert_after(
                name, f" = smr::make<{self.rewriter.render_tokens(begin, name)}>"
            )


def _with_point(number: str) -> str:
    return number if _is_float(number) else f"{number}."


def _is_float(number: str) -> bool:
    if number[:2] in ("0x", "0X"):
        return any(sign in number for sign in "pP")
    return any(sign in number for sign in ".eE")

"""Declarations of threadgroup memory become references into the runtime's memory.

``threadgroup float tile[8][16];`` becomes
``auto& tile = smr::threadgroup_memory<float[8][16]>(site);``, and a record of its size goes into a
table of the compiled library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from speedmetal.metal_simulator.language.rewriting import Rewriter
from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.structure import Declaration, is_attribute
from speedmetal.msl.tokens import Tokens

SITES = "smr_sites"
LIMIT_BYTES = 32768
"""Threadgroup memory of a threadgroup: Metal feature set tables, all Apple GPUs from Apple4 on."""

_BEFORE_STATEMENT = frozenset({"{", "}", ";", ")", ":", "else", "do"})
_SPECIFIERS = frozenset({"static", "const", "volatile", "alignas", "constexpr"})
_OF_TYPES = frozenset({"const", "volatile", "unsigned", "signed", "typename", "struct"})
_AFTER_LIST = frozenset({"const", "volatile", "noexcept"})
_BEHIND_MEMBERS = frozenset({"{", ";", ":", "=", *_AFTER_LIST})


def record(entry: str, site: int, size: str, alignment: str, element: str = "1") -> str:
    """A row of the table of sites, inside a kernel."""
    name = f"smr_site_{site}"
    # Of six words, the last unused: the compiler puts arrays at multiples of 16 bytes.
    values = f"{entry}, {site}, {size}, {alignment}, {element}, 0"
    return (
        f'static unsigned long {name}[6] __attribute__((section("{SITES}"), used)) = {{{values}}};'
    )


@dataclass(frozen=True, slots=True)
class Array:
    """A declaration of threadgroup memory: for messages.

    Args:
        name: Its name.
        element: The type of an element, as the text has it.
    """

    name: str
    element: str


@dataclass(frozen=True, slots=True)
class _Declarator:
    name: int
    begin: int  # of the dimensions
    end: int
    stop: int  # the comma or semicolon


class Variables:
    """Rewrites the threadgroup variables of one kernel.

    Args:
        tokens: The text.
        rewriter: Where the changes go.
        entry: The number of the kernel's instance, as an expression of its body.
        reading: ``"simulated"`` or ``"checked"``.
        first_site: The number of its first declaration.
    """

    def __init__(
        self, tokens: Tokens, rewriter: Rewriter, entry: str, reading: str, first_site: int
    ) -> None:
        self.tokens = tokens
        self.next_site = first_site
        self.arrays: list[Array] = []  # by number, from the first on
        self.rewriter = rewriter
        self.entry = entry
        self.is_simulated = reading == "simulated"
        self._totals = ["0ul"]  # the bytes declared so far, for each open brace

    def rewrite(self, begin: int, end: int) -> set[int]:
        """Rewrite the declarations among tokens; returns their ``threadgroup`` tokens."""
        handled = set()
        for index in range(begin, end):
            word = self.tokens.words[index]
            if word == "{":
                self._totals.append(self._totals[-1])
            elif word == "}":
                self._totals.pop()
            elif word == "threadgroup" and self._is_variable(index):
                self._variable(index)
                handled.add(index)
        return handled

    def _is_variable(self, index: int) -> bool:
        first = self._first_token(index)
        return self.tokens.word(first - 1) in _BEFORE_STATEMENT and not is_indirect(
            self.tokens, index
        )

    def _first_token(self, index: int) -> int:
        """The index of a declaration's first token, its specifiers and attributes included."""
        tokens = self.tokens
        while True:
            if tokens.word(index - 1) in _SPECIFIERS:
                index -= 1
            elif tokens.word(index - 1) == ")" and (
                tokens.word(tokens.partner[index - 1] - 1) == "alignas"
            ):
                index = tokens.partner[index - 1] - 1
            elif tokens.word(index - 1) == "]" and is_attribute(tokens, tokens.partner[index - 1]):
                index = tokens.partner[index - 1]
            else:
                return index

    def _variable(self, index: int) -> None:
        tokens, rewriter = self.tokens, self.rewriter
        first = self._first_token(index)
        alignment = ""
        cursor = first
        type_begin = -1
        qualifiers = []
        while True:  # what stands before and after the word, up to the type
            word = tokens.word(cursor)
            if word == "alignas":
                alignment = tokens.source(cursor + 1, tokens.partner[cursor + 1] + 1)
                rewriter.drop(cursor, tokens.partner[cursor + 1] + 1)
                cursor = tokens.partner[cursor + 1]
            elif is_attribute(tokens, cursor):
                rewriter.drop(cursor, tokens.partner[cursor] + 1)
                cursor = tokens.partner[cursor]
            elif word in _SPECIFIERS or cursor == index:
                if word in ("const", "volatile"):
                    qualifiers.append(word)
                rewriter.replace(cursor, "")
            else:
                type_begin = cursor
                break
            cursor += 1
        type_end = self._type_end(type_begin, index)
        declarators = self._declarators(type_end, index)
        element = tokens.source(type_begin, type_end)
        self.arrays += [Array(tokens.words[found.name], element) for found in declarators]
        rewriter.replace(first, "")
        qualifier = "".join(f"{word} " for word in qualifiers if word == "volatile")
        type_text = qualifier + rewriter.render_tokens(type_begin, type_end)
        for number, declarator in enumerate(declarators):
            self._declarator(declarator, type_text, alignment, is_first=number == 0)
        opening = f"auto& {tokens.words[declarators[0].name]} = smr::threadgroup_memory<{qualifier}"
        rewriter.insert_before(first, opening)

    def _declarator(
        self, found: _Declarator, type_text: str, alignment: str, *, is_first: bool
    ) -> None:
        tokens, rewriter = self.tokens, self.rewriter
        name = tokens.words[found.name]
        site = self.next_site
        self.next_site += 1
        if is_first:
            rewriter.replace(found.name, "")
        else:
            rewriter.replace(found.name, f"auto& {name} = smr::threadgroup_memory<{type_text}")
        cursor = found.begin
        while cursor < found.end:  # what is greater than something must not end the list
            close = tokens.partner[cursor]
            rewriter.insert_after(cursor, "(")
            rewriter.insert_before(close, ")")
            cursor = close + 1
        rewriter.drop(found.end, found.stop)
        argument = f"{site}u, {alignment}" if alignment else f"{site}u"
        closing = f">({argument})"
        if self.is_simulated:
            row = record(
                self.entry,
                site,
                f"sizeof({name})",
                alignment or f"alignof(decltype({name}))",
                f"sizeof(smr::element_of<decltype({name})>)",
            )
            closing += f"; {row}"
        else:
            closing += f"; {self._total(name, site)}"
        if tokens.words[found.stop] == ",":
            rewriter.replace(found.stop, f"{closing}; ".replace(";;", ";"))
        else:
            rewriter.insert_before(found.stop, closing.rstrip(";"))

    def _total(self, name: str, site: int) -> str:
        """A check of the bytes that are declared up to here."""
        total = f"smr_total_{site}"
        before, self._totals[-1] = self._totals[-1], total
        message = (
            f"the kernel declares more than {LIMIT_BYTES} bytes of threadgroup memory, which is "
            "what Apple's GPUs have for a threadgroup"
        )
        return (
            f"enum : unsigned long {{ {total} = {before} + sizeof({name}) }}; "
            f'static_assert({total} <= {LIMIT_BYTES}, "{message}")'
        )

    def _type_end(self, begin: int, index: int) -> int:
        """The index of the token behind the type with which a declaration begins."""
        tokens = self.tokens
        cursor = begin
        has_name = False
        while True:
            word = tokens.word(cursor)
            if word in _OF_TYPES:
                has_name = has_name or word in ("unsigned", "signed")
            elif word == "::":
                has_name = False
            elif word == "<":
                close = tokens.angle_partner(cursor)
                if close is None:
                    self._fail(index)
                assert close is not None
                cursor = close
            elif word == "decltype" and not has_name:
                cursor = tokens.partner[cursor + 1]
                has_name = True
            elif tokens.is_name(cursor) and not has_name:
                has_name = True
            elif tokens.is_name(cursor) and word in ("int", "char", "short", "long"):
                pass  # unsigned int
            else:
                break
            cursor += 1
        if not has_name or not tokens.is_name(cursor):
            self._fail(index)
        return cursor

    def _declarators(self, begin: int, index: int) -> list[_Declarator]:
        tokens = self.tokens
        found = []
        cursor = begin
        while True:
            if not tokens.is_name(cursor):
                self._fail(index)
            name = cursor
            cursor += 1
            dimensions = cursor
            while tokens.word(cursor) == "[" and not is_attribute(tokens, cursor):
                cursor = tokens.partner[cursor] + 1
            end = cursor
            cursor = self._behind_value(cursor, index)
            found.append(_Declarator(name, dimensions, end, cursor))
            if tokens.word(cursor) == ";":
                return found
            cursor += 1

    def _behind_value(self, cursor: int, index: int) -> int:
        """The comma or semicolon.

        An initial value is dropped: Metal accepts one, but nothing says which thread writes it,
        and a kernel that needs it meets the runtime's poison.
        """
        tokens = self.tokens
        if is_attribute(tokens, cursor):
            cursor = tokens.partner[cursor] + 1
        if tokens.word(cursor) in ("=", "{"):
            while tokens.word(cursor) not in (",", ";"):
                if tokens.word(cursor) in ("(", "[", "{"):
                    cursor = tokens.partner[cursor]
                cursor += 1
                if cursor >= len(tokens):
                    self._fail(index)
        if tokens.word(cursor) not in (",", ";"):
            self._fail(index)
        return cursor

    def _fail(self, index: int) -> None:
        _fail(
            self.tokens,
            index,
            "the simulator does not understand this declaration of threadgroup memory; write "
            "`threadgroup type name[size];`",
        )


def is_indirect(tokens: Tokens, index: int) -> bool:
    """Whether a ``threadgroup`` is that of a pointer's or reference's target."""
    cursor = index + 1
    while cursor < len(tokens):
        word = tokens.words[cursor]
        if word in ("*", "&"):
            return tokens.word(cursor + 1) != "threadgroup"
        if word == "<" and tokens.is_name(cursor - 1):
            close = tokens.angle_partner(cursor)
            if close is None:
                return False
            cursor = close
        elif word == "(":
            return tokens.word(cursor + 1) in ("*", "&")
        elif not (tokens.is_name(cursor) or word == "::"):
            return False
        cursor += 1
    return False


def check_all(tokens: Tokens, handled: set[int], found: Sequence[Declaration]) -> None:
    """See that no other ``threadgroup`` declares memory.

    Args:
        tokens: The text.
        handled: Tokens to leave alone.
        found: The declarations of the text.

    Raises:
        MslError: One does, outside a kernel or in a way that is not understood.
    """
    others = [i for i, word in enumerate(tokens.words) if word == "threadgroup"]
    others = [i for i in others if i not in handled and not _is_harmless(tokens, i)]
    parameters = list(_parameters(found)) if others else []
    for index in others:
        # `threadgroup float* a`, written as `threadgroup float a[4]`
        if not any(begin < index < end for begin, end in parameters):
            _fail(
                tokens,
                index,
                "memory of a threadgroup is declared inside a kernel's braces, as "
                "`threadgroup type name[size];`; hand it to other functions as a pointer",
            )


def _parameters(found: Sequence[Declaration]) -> Iterator[tuple[int, int]]:
    """The parentheses of all functions and members."""
    for declaration in found:
        if declaration.parameters is not None:
            yield declaration.parameters
        yield from _parameters(declaration.members)


def _is_harmless(tokens: Tokens, index: int) -> bool:
    before, after = tokens.word(index - 1), tokens.word(index + 1)
    if is_indirect(tokens, index):
        return True
    if before in (")", *_AFTER_LIST) and after in _BEHIND_MEMBERS:
        return True  # of a member function
    if before in ("[", ",") and after in ("(", "]"):
        return True  # an attribute: [[threadgroup(0)]]
    if after in ("*", "&"):
        return True
    # `T threadgroup*` and an argument of a template: `remove_addrspace_t<threadgroup T>`
    return before in ("<", ",") and _ends_argument(tokens, index + 1)


def _ends_argument(tokens: Tokens, cursor: int) -> bool:
    while tokens.is_name(cursor) or tokens.word(cursor) == "::":
        cursor += 1
        if tokens.word(cursor) == "<":
            close = tokens.angle_partner(cursor)
            if close is None:
                return False
            cursor = close + 1
    return tokens.word(cursor) in (">", ",")


def _fail(tokens: Tokens, index: int, message: str) -> None:
    raise MslError([MslDiagnostic(*tokens.place(index), "error", message)], tokens.text)

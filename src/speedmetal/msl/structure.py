"""The declarations of a text: functions, kernels, types and variables of its namespaces."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.tokens import Kind, Tokens

SPACES = frozenset({"device", "constant", "threadgroup", "thread"})
_RECORDS = frozenset({"struct", "class", "union", "enum"})
_NO_NAMES = frozenset({"alignas", "decltype", "__attribute__", "noexcept", "sizeof", "__declspec"})
_SIMPLE = frozenset({"using", "typedef", "static_assert", "namespace", "friend", "extern"})
_AFTER_PARAMETERS = frozenset({"const", "volatile", "noexcept", "override", "final", *SPACES})


class Sort(Enum):
    """What a declaration declares."""

    FUNCTION = "function"
    RECORD = "record"
    VARIABLE = "variable"
    ALIAS = "alias"
    INSTANTIATION = "instantiation"


@dataclass(frozen=True, slots=True)
class Attribute:
    """``name`` or ``name(arguments)`` inside ``[[...]]``: token indices."""

    name: str
    index: int
    arguments: tuple[int, int] | None  # tokens between the parentheses


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declaration; all numbers are token indices, ends excluded.

    Args:
        sort: What it declares.
        name: Its name; empty where it has none.
        name_index: The name's token.
        begin: Its first token, ``template`` included.
        head: The first token behind the template's parameters.
        end: Behind its last token.
        scope: Names of the enclosing namespaces.
        template: Tokens of the template's parameters, brackets excluded; None: no template.
        parameters: The parentheses of a function.
        body: The braces of a function or type.
        members: Declarations inside a type.
        attributes: Of the head, and behind a function's parameters.
    """

    sort: Sort
    name: str
    name_index: int
    begin: int
    head: int
    end: int
    scope: tuple[str, ...]
    template: tuple[int, int] | None = None
    parameters: tuple[int, int] | None = None
    body: tuple[int, int] | None = None
    members: tuple[Declaration, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    is_kernel: bool = False

    @property
    def qualified_name(self) -> str:
        return "::".join((*self.scope, self.name))

    def attribute(self, name: str) -> Attribute | None:
        return next((found for found in self.attributes if found.name == name), None)


def attributes_in(tokens: Tokens, begin: int, end: int) -> list[Attribute]:
    """All attributes in ``[[...]]`` among tokens, none inside brackets."""
    found: list[Attribute] = []
    index = begin
    while index < end:
        word = tokens.words[index]
        if is_attribute(tokens, index):
            found += _attributes(tokens, index + 2, tokens.partner[index + 1])
            index = tokens.partner[index]
        elif word in ("(", "{", "["):
            index = tokens.partner[index]
        index += 1
    return found


def is_attribute(tokens: Tokens, index: int) -> bool:
    """Whether ``[[...]]`` begins here."""
    return tokens.word(index) == "[" and tokens.word(index + 1) == "["


def _attributes(tokens: Tokens, begin: int, end: int) -> list[Attribute]:
    found = []
    index = begin
    while index < end:
        if tokens.is_name(index):
            name, place = tokens.words[index], index
            while tokens.word(index + 1) == "::":
                index += 2
                name = tokens.word(index)
            arguments = None
            if tokens.word(index + 1) == "(":
                arguments = (index + 2, tokens.partner[index + 1])
                index = tokens.partner[index + 1]
            found.append(Attribute(name, place, arguments))
        index += 1
    return found


def declarations(tokens: Tokens) -> list[Declaration]:
    """The declarations of all namespaces of a text, in its order.

    Raises:
        MslError: The text ends inside a declaration.
    """
    return _Reader(tokens).read_declarations(0, len(tokens), ())


@dataclass(slots=True)
class _Head:
    """What the tokens of a declaration have shown so far."""

    template: tuple[int, int] | None = None
    parameters: tuple[int, int] | None = None
    name_index: int = -1
    has_value: bool = False
    has_initialisers: bool = False  # of a constructor's members
    words: set[str] = field(default_factory=set)


class _Reader:
    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def read_declarations(self, begin: int, end: int, scope: tuple[str, ...]) -> list[Declaration]:
        """The declarations among tokens of a namespace or a type."""
        found: list[Declaration] = []
        index = begin
        word = self.tokens.word
        while index < end:
            inner = self._block(index, end)
            if inner is not None:
                name, brace = inner
                names = (*scope, name) if name else scope
                found += self.read_declarations(brace + 1, self.tokens.partner[brace], names)
                index = self.tokens.partner[brace] + 1
            elif word(index) == ";":
                index += 1
            elif word(index + 1) == ":" and self.tokens.is_name(index):
                index += 2  # `public:`
            else:
                declaration = self._declaration(index, end, scope)
                found.append(declaration)
                index = declaration.end
        return found

    def _block(self, index: int, end: int) -> tuple[str, int] | None:
        """Name and brace of a namespace or an `extern "C"` block."""
        tokens = self.tokens
        if tokens.word(index) == "extern" and tokens.word(index + 2) == "{":
            return "", index + 2
        if tokens.word(index) == "inline" and tokens.word(index + 1) == "namespace":
            index += 1
        if tokens.word(index) != "namespace":
            return None
        names = []
        index += 1
        while index < end and tokens.word(index) != "{":
            if tokens.word(index) in ("=", ";"):
                return None  # an alias
            if tokens.is_name(index):
                names.append(tokens.words[index])
            index += 1
        return ("::".join(names), index) if index < end else None

    def _declaration(self, begin: int, end: int, scope: tuple[str, ...]) -> Declaration:
        tokens = self.tokens
        index = begin
        template = None
        while tokens.word(index) == "template" and tokens.word(index + 1) == "<":
            close = tokens.angle_partner(index + 1, certain=True)
            if close is None:
                raise self._fault(index + 1, "this '<' of a template is not closed; add '>'")
            template = (index + 2, close)
            index = close + 1
        head = index
        first = tokens.word(head)
        if first == "template":
            return self._simple(Sort.INSTANTIATION, begin, head, end, scope)
        if first == "extern" and tokens.word(head + 1).startswith('"'):
            head += 2
            first = tokens.word(head)
        if first == "typedef" and (record := self._typedef_record(begin, head, end, scope)):
            return record
        if first in _SIMPLE:
            return self._simple(Sort.ALIAS, begin, head, end, scope, template)
        if record := self._record(begin, head, end, scope, template):
            return record
        return self._function_or_variable(begin, head, end, scope, template)

    def _simple(
        self,
        sort: Sort,
        begin: int,
        head: int,
        end: int,
        scope: tuple[str, ...],
        template: tuple[int, int] | None = None,
    ) -> Declaration:
        """A declaration up to its semicolon."""
        stop = self._semicolon(head, end)
        tokens = self.tokens
        index = head + 1
        if tokens.words[head] != "using":
            names = [i for i in range(head, stop) if tokens.is_name(i)]
            index = names[-1] if names else head
        attributes = tuple(attributes_in(tokens, head, stop))
        name = tokens.word(index) if tokens.is_name(index) else ""
        return Declaration(
            sort, name, index, begin, head, stop + 1, scope, template, attributes=attributes
        )

    def _semicolon(self, index: int, end: int) -> int:
        start = index
        while index < end:
            word = self.tokens.words[index]
            if word == ";":
                return index
            if word in ("(", "[", "{"):
                index = self.tokens.partner[index]
            index += 1
        raise self._fault(start, "this declaration does not end; add ';'")

    def _typedef_record(
        self, begin: int, head: int, end: int, scope: tuple[str, ...]
    ) -> Declaration | None:
        """``typedef struct {...} name;``; None: another typedef."""
        record = self._record(begin, head + 1, end, scope, None)
        if record is None or record.body is None or record.name:
            return record if record and record.body else None
        alias = next(
            (i for i in range(record.end - 2, record.body[1], -1) if self.tokens.is_name(i)), -1
        )
        return replace(record, name=self.tokens.word(alias), name_index=alias)

    def _record(
        self,
        begin: int,
        head: int,
        end: int,
        scope: tuple[str, ...],
        template: tuple[int, int] | None,
    ) -> Declaration | None:
        """A type with its body, or its announcement; None: something else."""
        tokens = self.tokens
        index = head
        while tokens.word(index) in ("constexpr", "constant", "const", "static"):
            index += 1
        if tokens.word(index) not in _RECORDS:
            return None
        is_enum = tokens.words[index] == "enum"
        name_index = self._record_name(index + 1, end)
        while index < end and tokens.words[index] not in ("{", ";", "(", "="):
            index = self._group_end(index) + 1
        if name_index is None or tokens.word(index) in ("(", "="):
            return None  # `struct S s = ...`, `struct S f(...)`
        body = None
        members: tuple[Declaration, ...] = ()
        name = tokens.word(name_index)
        if tokens.word(index) == "{":
            body = (index, tokens.partner[index])
            if not is_enum:
                members = tuple(self.read_declarations(index + 1, body[1], (*scope, name)))
            index = body[1]
        stop = self._semicolon(index, end) + 1
        return Declaration(
            Sort.RECORD, name, name_index, begin, head, stop, scope, template, None, body, members
        )

    def _group_end(self, index: int) -> int:
        """The last token of the attribute, call or template arguments that begin here, or this."""
        tokens = self.tokens
        word = tokens.words[index]
        if is_attribute(tokens, index):
            return tokens.partner[index]
        if word in _NO_NAMES and tokens.word(index + 1) == "(":
            return tokens.partner[index + 1]
        if word == "<":
            return tokens.angle_partner(index, certain=True) or index
        return index

    def _record_name(self, index: int, end: int) -> int | None:
        """The name's token, -1 where the type has none; None: this declares something else."""
        tokens = self.tokens
        found = -1
        while index < end and tokens.words[index] not in ("{", ";", "=", "(", ":"):
            word = tokens.words[index]
            last = self._group_end(index)
            if last > index:
                index = last
            elif tokens.is_name(index) and word not in ("class", "final", "struct"):
                if found >= 0 and tokens.words[index - 1] != "::":
                    return None
                found = index
            index += 1
        return found

    def _function_or_variable(
        self,
        begin: int,
        head: int,
        end: int,
        scope: tuple[str, ...],
        template: tuple[int, int] | None,
    ) -> Declaration:
        tokens = self.tokens
        found = _Head(template)
        index = head
        body = None
        while index < end:
            word = tokens.words[index]
            if word == ";":
                break
            is_body = found.parameters and not found.has_value
            if found.has_initialisers and (
                tokens.is_name(index - 1) or tokens.words[index - 1] == ">"
            ):
                is_body = False  # a member's value
            if word == "{" and is_body:
                body = (index, tokens.partner[index])
                index = body[1]
                break
            index = self._head_token(index, found)
            index += 1
        else:
            raise self._fault(head, "this declaration does not end; add ';'")
        sort = Sort.FUNCTION if found.parameters else Sort.VARIABLE
        attributes = tuple(attributes_in(tokens, head, body[0] if body else index))
        is_kernel = "kernel" in found.words or any(a.name == "kernel" for a in attributes)
        name = tokens.word(found.name_index)
        if name == "operator":
            name = "operator" + tokens.word(found.name_index + 1)
        return Declaration(
            sort,
            name,
            found.name_index,
            begin,
            head,
            index + 1,
            scope,
            template,
            found.parameters,
            body,
            attributes=attributes,
            is_kernel=is_kernel and sort is Sort.FUNCTION,
        )

    def _head_token(self, index: int, found: _Head) -> int:
        """Take note of one token of a head; the index of the last that belongs to it."""
        tokens = self.tokens
        word = tokens.words[index]
        last = index
        if word in ("{", "["):
            last = tokens.partner[index]
        elif word == "(":
            last = tokens.partner[index]
            is_list = tokens.is_name(index - 1) or found.name_index >= 0
            if is_list and not found.parameters and not found.has_value:
                found.parameters = (index, last)
        elif word in _NO_NAMES and tokens.word(index + 1) == "(":
            last = tokens.partner[index + 1]
        elif word == "operator":
            found.name_index = index
            last = self._operator_end(index)
        elif word in ("=", ":"):
            found.has_value = found.has_value or word == "="
            found.has_initialisers = found.has_initialisers or word == ":"
        elif word == "<" and tokens.is_name(index - 1):
            last = tokens.angle_partner(index) or index
        elif tokens.is_name(index):
            found.words.add(word)
            if not found.parameters and not found.has_value and word not in _AFTER_PARAMETERS:
                found.name_index = index
        return last

    def _operator_end(self, index: int) -> int:
        """The last token of an operator's name, before its parameters."""
        end = index + 1
        while self.tokens.word(end + 1) != "(" or self.tokens.word(end) == "(":
            end += 1
            if end >= len(self.tokens):
                raise self._fault(index, "this operator has no parameters")
        return end

    def _fault(self, index: int, message: str) -> MslError:
        line, column = self.tokens.place(index)
        return MslError([MslDiagnostic(line, column, "error", message)], self.tokens.text)


def split_arguments(tokens: Tokens, begin: int, end: int) -> list[tuple[int, int]]:
    """Begin and end of each part between commas, none inside brackets."""
    parts = []
    start = index = begin
    while index < end:
        word = tokens.words[index]
        if word in ("(", "[", "{"):
            index = tokens.partner[index]
        elif word == "<" and tokens.is_name(index - 1):
            index = tokens.angle_partner(index) or index
        elif word == ",":
            parts.append((start, index))
            start = index + 1
        index += 1
    if start < end:
        parts.append((start, end))
    return parts


def declared_names(tokens: Tokens, declaration: Declaration) -> frozenset[str]:
    """All names that a declaration of types, variables or aliases gives."""
    begin = declaration.head
    if declaration.sort is Sort.RECORD:
        if declaration.body is None:
            return frozenset({declaration.name})
        behind = range(declaration.body[1] + 1, declaration.end)
        return frozenset(
            {declaration.name, *(tokens.words[i] for i in behind if tokens.is_name(i))}
        )
    if tokens.words[begin] == "using":
        return frozenset({declaration.name})
    parts = split_arguments(tokens, begin, declaration.end - 1)
    return frozenset(_declarator_name(tokens, first, last) for first, last in parts)


def _declarator_name(tokens: Tokens, first: int, last: int) -> str:
    """The name in ``type name[3] = value`` or ``type (name)(parameters)``."""
    found = ""
    index = first
    while index < last and tokens.words[index] not in ("=", "{"):
        word = tokens.words[index]
        if word in _NO_NAMES and tokens.word(index + 1) == "(":
            index = tokens.partner[index + 1]
        elif word == "[":
            index = tokens.partner[index]
        elif word == "(":
            close = tokens.partner[index]
            inner = [i for i in range(index + 1, close) if tokens.words[i] not in ("*", "&")]
            if tokens.word(close + 1) == "(" and len(inner) == 1:
                return tokens.words[inner[0]]
            break  # parameters
        elif word == "<" and tokens.is_name(index - 1):
            index = tokens.angle_partner(index) or index
        elif tokens.is_name(index):
            found = word
        index += 1
    return found


def member_names(found: list[Declaration], tokens: Tokens) -> set[str]:
    """The names of all variables inside types, however deep."""
    names: set[str] = set()
    for declaration in found:
        if declaration.sort is Sort.RECORD:
            names |= member_names(list(declaration.members), tokens)
            for member in declaration.members:
                if member.sort is Sort.VARIABLE:
                    names |= {
                        tokens.words[i]
                        for i in range(member.begin, member.end)
                        if tokens.list[i].kind is Kind.NAME
                    }
    return names

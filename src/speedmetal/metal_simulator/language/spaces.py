"""Address spaces are empty words where a text is simulated: what differs in them alone is one.

Overloads, member functions and specialisations that exist once for each address space would be
defined twice. The first stays; the others must say the same, or else are an error.
"""

from __future__ import annotations

from collections.abc import Sequence

from speedmetal.metal_simulator.language.rewriting import Rewriter
from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.structure import SPACES, Declaration, Sort
from speedmetal.msl.tokens import Tokens

_QUALIFIERS = SPACES | {"const", "volatile", "noexcept"}


def erase(tokens: Tokens, rewriter: Rewriter, found: Sequence[Declaration]) -> None:
    """Drop what would be a second definition, and the address spaces of member functions.

    Raises:
        MslError: Two such definitions do different things.
    """
    seen: dict[tuple[str, ...], Declaration] = {}
    for declaration in found:
        if declaration.sort not in (Sort.FUNCTION, Sort.RECORD) or declaration.body is None:
            continue
        head = tokens.words[declaration.begin : declaration.body[0]]
        key = (*declaration.scope, "::", *_without_spaces(head))
        other = seen.setdefault(key, declaration)
        if other is not declaration and not SPACES.isdisjoint(head):
            _check_same(tokens, declaration, other)
            rewriter.drop(declaration.begin, declaration.end)
            continue
        if declaration.sort is Sort.RECORD:
            _erase_members(tokens, rewriter, declaration)


def _erase_members(tokens: Tokens, rewriter: Rewriter, record: Declaration) -> None:
    seen: dict[tuple[str, ...], Declaration] = {}
    for member in record.members:
        if member.sort is Sort.RECORD:
            _erase_members(tokens, rewriter, member)
        if member.sort is not Sort.FUNCTION or member.parameters is None:
            continue
        qualifiers = _qualifiers(tokens, member)
        words = {tokens.words[i] for i in qualifiers}
        is_const = member.name != record.name and not words.isdisjoint(("const", "constant"))
        head = _without_spaces(tokens.words[member.begin : member.parameters[1]])
        other = seen.setdefault((*head, "const" if is_const else ""), member)
        if other is not member:
            _check_same(tokens, member, other)
            rewriter.drop(member.begin, member.end)
            continue
        for index in qualifiers:
            if tokens.words[index] in SPACES:
                # What lies in constant memory is const.
                needs_const = tokens.words[index] == "constant" and "const" not in words
                rewriter.replace(index, "const" if needs_const and is_const else "")


def free_members(tokens: Tokens, rewriter: Rewriter, found: Sequence[Declaration]) -> None:
    """Members of thread memory alone, which the checking language keeps from more than Metal does.

    There they could make no temporaries, and members without an address space could not call them.
    """
    freed = _free_members_of(tokens, rewriter, found)
    for function in found:
        if function.sort is not Sort.FUNCTION or tokens.word(function.name_index - 1) != "::":
            continue
        _return_thread_memory(tokens, rewriter, function)
        if (_type_before(tokens, function.name_index - 2), function.name) in freed:
            _remove_thread_qualifiers(tokens, rewriter, function)


def refer_to_functions(tokens: Tokens, rewriter: Rewriter, found: Sequence[Declaration]) -> None:
    """``template <void (*F)(int)>``: references, as the checking language's pointers to functions
    have an address space that functions have not.
    """
    for declaration in found:
        refer_to_functions(tokens, rewriter, declaration.members)
        for index in range(*(declaration.template or (0, 0))):
            words = tokens.words[index : index + 5]
            if words[:2] == ["(", "*"] and words[3:] == [")", "("]:
                rewriter.replace(index + 1, "&")


def _type_before(tokens: Tokens, index: int) -> str:
    """The name of the type in ``Type<arguments>::``, whose last token is ``index``."""
    depth = 0
    while index >= 0 and (depth or tokens.words[index] == ">"):
        depth += (tokens.words[index] == ">") - (tokens.words[index] == "<")
        index -= 1
    return tokens.word(index)


def _free_members_of(
    tokens: Tokens, rewriter: Rewriter, found: Sequence[Declaration]
) -> set[tuple[str, str]]:
    """Free the members of types; the names of both."""
    freed: set[tuple[str, str]] = set()
    for record in found:
        if record.sort is not Sort.RECORD:
            continue
        freed |= _free_members_of(tokens, rewriter, record.members)
        functions = [member for member in record.members if member.sort is Sort.FUNCTION]
        names = [member.name for member in functions]
        for member in functions:
            _return_thread_memory(tokens, rewriter, member)
            is_constructor = member.name == record.name
            for index in _qualifiers(tokens, member) if is_constructor else ():
                if tokens.words[index] == "constant":
                    rewriter.replace(index, "__constant")  # elsewhere the word says const too
            if is_constructor or names.count(member.name) == 1:
                _remove_thread_qualifiers(tokens, rewriter, member)
                freed.add((record.name, member.name))
    return freed


def _return_thread_memory(tokens: Tokens, rewriter: Rewriter, member: Declaration) -> None:
    """``thread T& at(int i) { return values[i]; }``: the checking language does not know that an
    object is in thread memory where the member says nothing else.
    """
    is_stated = any(tokens.words[i] in SPACES for i in _qualifiers(tokens, member))
    if member.body is None or is_stated:
        return
    if "thread" not in tokens.words[member.head : member.name_index]:
        return
    for index in range(*member.body):
        if tokens.words[index] == "return" and tokens.word(index + 1) != ";":
            rewriter.insert_after(index, " smr::in_thread(")
            rewriter.insert_before(_statement_end(tokens, index), ")")


def _statement_end(tokens: Tokens, index: int) -> int:
    """The semicolon of the statement that begins there."""
    while tokens.words[index] != ";":
        if tokens.words[index] in ("(", "[", "{"):
            index = tokens.partner[index]
        index += 1
    return index


def _remove_thread_qualifiers(tokens: Tokens, rewriter: Rewriter, member: Declaration) -> None:
    for index in _qualifiers(tokens, member):
        if tokens.words[index] == "thread":
            rewriter.replace(index, "")


def _qualifiers(tokens: Tokens, member: Declaration) -> list[int]:
    """The tokens of a member function's qualifiers."""
    assert member.parameters is not None
    found = []
    index = member.parameters[1] + 1
    while tokens.word(index) in _QUALIFIERS:
        found.append(index)
        index += 1
    return found


def _without_spaces(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for word in words:
        plain = "const" if word == "constant" else word
        if plain in SPACES or (plain == "const" and kept and kept[-1] == "const"):
            continue
        kept.append(plain)
    return kept


def _check_same(tokens: Tokens, declaration: Declaration, other: Declaration) -> None:
    if declaration.body is None or other.body is None:
        return
    bodies = [
        _without_spaces(tokens.words[d.body[0] : d.body[1]])
        for d in (declaration, other)
        if d.body is not None
    ]
    if bodies[0] != bodies[1]:
        line, _ = tokens.place(other.name_index)
        message = (
            f"{declaration.name} differs from that of line {line} in address spaces and in what it "
            "does: the simulator cannot tell them apart; give them different names"
        )
        place = tokens.place(max(declaration.name_index, declaration.begin))
        raise MslError([MslDiagnostic(*place, "error", message)], tokens.text)

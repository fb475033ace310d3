"""Rules of Metal that a compiler of another language does not know, on tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from speedmetal.metal_simulator.language.casts import vector_casts
from speedmetal.msl.diagnostics import MslDiagnostic
from speedmetal.msl.structure import (
    SPACES,
    Declaration,
    Sort,
    declarations,
)
from speedmetal.msl.tokens import Kind, Tokens

_FORBIDDEN = {
    "goto": "Metal has no goto; use loops, break and continue",
    "virtual": "Metal has no virtual functions",
    "dynamic_cast": "Metal has no dynamic_cast",
    "typeid": "Metal has no typeid",
    "throw": "Metal has no exceptions",
    "try": "Metal has no exceptions",
    "catch": "Metal has no exceptions",
    "new": "Metal has no memory to allocate; declare arrays of fixed size",
    "delete": "Metal has no memory to allocate",
    "asm": "Metal has no inline assembly",
    "__asm__": "Metal has no inline assembly",
    "double": "Metal has no double; use float",
    "thread_local": "Metal has no thread_local",
    "wchar_t": "Metal has no wchar_t",
}
_STANDARD = {"std": "Metal has no C++ library; its own is in the namespace metal"}
_SCALAR_NAMES = (
    "bool char uchar short ushort int uint long ulong half bfloat float size_t ptrdiff_t int8_t "
    "uint8_t int16_t uint16_t int32_t uint32_t int64_t uint64_t"
)
_SCALARS = tuple(_SCALAR_NAMES.split())
_VECTORS = frozenset(
    f"{packed}{scalar}{size}"
    for packed in ("", "packed_")
    for scalar in _SCALARS
    for size in (2, 3, 4)
)
_TYPES = frozenset(_SCALARS) | _VECTORS | {"void", "unsigned", "signed"}
_FLOAT = re.compile(r"(?:[\d.]*\.[\d.]*(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+)[fF]?")


def faults(tokens: Tokens, language_version: tuple[int, int]) -> list[MslDiagnostic]:
    """What the rules find, in the text's order."""
    found: list[MslDiagnostic] = []
    known = declarations(tokens)

    def fault(index: int, message: str) -> None:
        found.append(MslDiagnostic(*tokens.place(index), "error", message))

    for rule in _RULES:
        for index, message in rule(tokens, known):
            fault(index, message)
    for since, late_rule in _FROM_VERSION:
        if language_version < since:
            for index, message in late_rule(tokens):
                fault(index, message)
    return sorted(set(found), key=lambda d: (d.line, d.column))


Findings = Iterator[tuple[int, str]]


def _words(tokens: Tokens, _known: list[Declaration]) -> Findings:
    for index, word in enumerate(tokens.words):
        if word in _FORBIDDEN and tokens.is_name(index):
            if word == "delete" and tokens.word(index - 1) == "=":
                continue
            yield index, _FORBIDDEN[word]
        elif word in _STANDARD and tokens.word(index + 1) == "::":
            yield index, _STANDARD[word]


def _vector_casts(tokens: Tokens, _known: list[Declaration]) -> Findings:
    for cast in vector_casts(tokens, _VECTORS):
        if cast.takes_the_last(tokens):
            name = tokens.source(cast.open + 1, cast.close)
            yield (
                cast.open + 1,
                f"({name})(..., ...) is a cast of the last number alone; write {name}(..., ...)",
            )


def _lambdas(tokens: Tokens) -> Findings:
    for index, word in enumerate(tokens.words):
        if word != "[" or tokens.word(index - 1) == "[" or tokens.word(index + 1) == "[":
            continue
        before = tokens.word(index - 1)
        is_value = before in ("=", "(", ",", "return", "{", ";", "&&", "||", "?", ":")
        after = tokens.word(tokens.partner[index] + 1)
        if is_value and after in ("(", "{"):
            yield index, "Metal has lambdas from version 4.0 on; write a function or a functor"


def _recursion(tokens: Tokens, known: list[Declaration]) -> Findings:
    """A cycle among functions by their names."""
    named: dict[str, list[Declaration]] = {}
    for declaration in known:
        # Templates may end by their arguments, each instance a function of its own.
        if declaration.sort is Sort.FUNCTION and declaration.body and not declaration.template:
            named.setdefault(declaration.name, []).append(declaration)
    calls = {name: _find_callees(tokens, bodies, named) for name, bodies in named.items()}
    for name, bodies in named.items():
        if len(bodies) > 1:
            continue  # overloads may call each other
        if name in _find_reachable(name, calls):
            yield bodies[0].name_index, f"{name} calls itself; Metal has no recursion, use a loop"


def _find_callees(
    tokens: Tokens, bodies: list[Declaration], named: dict[str, list[Declaration]]
) -> set[str]:
    found = set()
    for declaration in bodies:
        assert declaration.body is not None
        begin, end = declaration.body
        for index in range(begin, end):
            word = tokens.words[index]
            if word in named and _is_call(tokens, index):
                found.add(word)
    return found


def _is_call(tokens: Tokens, index: int) -> bool:
    """Whether a function's name is called there; a variable may have the same name."""
    if tokens.word(index - 1) in (".", "->", "::"):
        return False
    if tokens.word(index + 1) == "<":
        close = tokens.angle_partner(index + 1)
        return close is not None and tokens.word(close + 1) == "("
    return tokens.word(index + 1) == "("


def _called_kernels(tokens: Tokens, known: list[Declaration]) -> Findings:
    kernels = {d.name for d in known if d.is_kernel}
    for declaration in known:
        if declaration.sort is not Sort.FUNCTION or declaration.body is None:
            continue
        for index in range(*declaration.body):
            is_declared = tokens.is_name(index - 1) and tokens.word(index - 1) != "return"
            if tokens.words[index] in kernels and not is_declared and _is_call(tokens, index):
                name = tokens.words[index]
                yield (
                    index,
                    f"{name} is a kernel; functions cannot call kernels, the host launches them",
                )


def _atomic_floats(tokens: Tokens, _known: list[Declaration]) -> Findings:
    for index, word in enumerate(tokens.words):
        is_atomic = word == "atomic_float" or (
            word == "atomic" and tokens.words[index + 1 : index + 3] == ["<", "float"]
        )
        if is_atomic and "threadgroup" in tokens.words[max(index - 2, 0) : index]:
            yield index, "atomic_float is for device memory; compare and exchange an atomic_uint"


def _find_reachable(start: str, calls: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(calls[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += calls.get(name, ())
    return seen


def _pointers_without_space(tokens: Tokens, known: list[Declaration]) -> Findings:
    """``float* p``: each pointer and reference to memory names its address space."""
    types = _TYPES | {d.name for d in known if d.sort is Sort.RECORD and d.name}
    for index, word in enumerate(tokens.words):
        if word not in ("*", "&") or tokens.word(index - 1) not in types:
            continue
        if tokens.list[index - 1].kind is not Kind.NAME:
            continue
        begin = _type_begin(tokens, index - 1)
        if _is_declared_there(tokens, begin, index) and not _has_space(tokens, begin, index):
            shown = tokens.source(begin, index + 1)
            what = "pointer" if word == "*" else "reference"
            message = (
                f"this {what} does not say where its memory is: write device, constant, "
                f"threadgroup or thread before {shown}"
            )
            yield begin, message


def _type_begin(tokens: Tokens, index: int) -> int:
    while tokens.word(index - 1) in (
        "const",
        "volatile",
        "unsigned",
        "signed",
        "struct",
        *SPACES,
    ) or (tokens.word(index - 1) == "::" and tokens.is_name(index - 2)):
        index -= 2 if tokens.word(index - 1) == "::" else 1
    return index


def _is_declared_there(tokens: Tokens, begin: int, sign: int) -> bool:
    before, after = tokens.word(begin - 1), tokens.word(sign + 1)
    if before == "(" and after == ")":
        return True  # a cast
    starts = before in (
        "{",
        "}",
        ";",
        "(",
        ",",
        "<",
        "inline",
        "static",
        "constexpr",
        "using",
        "=",
        "typedef",
        "",
    )
    return starts and (tokens.is_name(sign + 1) or after in (">", ",", ")")) and before != "="


def _has_space(tokens: Tokens, begin: int, sign: int) -> bool:
    return not SPACES.isdisjoint(tokens.words[begin:sign])


def _bfloat_values(tokens: Tokens, _known: list[Declaration]) -> Findings:
    """``bfloat b = 1.0``: a float does not become a bfloat by itself, be it ever so round."""
    for index, word in enumerate(tokens.words):
        if word != "bfloat" or not tokens.is_name(index + 1) or tokens.word(index + 2) != "=":
            continue
        place = index + 3 + (tokens.word(index + 3) == "-")
        is_alone = tokens.word(place + 1) in (";", ",")
        if is_alone and _FLOAT.fullmatch(tokens.word(place)):
            number = tokens.word(place)
            yield place, f"a float does not become a bfloat by itself: write bfloat({number})"


def _global_variables(tokens: Tokens, known: list[Declaration]) -> Findings:
    """Variables of a namespace, and static ones of a type, lie in constant memory."""
    for declaration in known:
        if declaration.sort is Sort.RECORD:
            members = declaration.members
            statics = [m for m in members if "static" in tokens.words[m.head : m.name_index]]
            yield from _global_variables(tokens, statics)
        is_variable = declaration.sort is Sort.VARIABLE and declaration.name
        if is_variable and "constant" not in tokens.words[declaration.head : declaration.end]:
            yield (
                declaration.name_index,
                f"{declaration.name} is outside a function: write constant before its type",
            )


def _local_statics(tokens: Tokens, known: list[Declaration]) -> Findings:
    for declaration in known:
        bodies = [d.body for d in (declaration, *declaration.members) if d.sort is Sort.FUNCTION]
        for body in bodies:
            if body is None:
                continue
            for index in range(*body):
                words = tokens.words[index : index + 6]
                if words[0] == "static" and "constant" not in words:
                    yield index, "Metal has no static variables in functions, but constant ones"


def _function_pointers(tokens: Tokens, known: list[Declaration]) -> Findings:
    """Variables; types of function pointers are known as parameters of templates."""
    for declaration in known:
        bodies = [d.body for d in (declaration, *declaration.members) if d.sort is Sort.FUNCTION]
        for body in filter(None, bodies):
            for index in range(*body):
                words = tokens.words[index : index + 5]
                is_pointer = (words[:2], words[3:]) == (["(", "*"], [")", "("])
                if is_pointer and tokens.is_name(index - 1) and tokens.is_name(index + 2):
                    yield index + 1, "Metal has no variables that are pointers to functions"


def _names(tokens: Tokens, _known: list[Declaration]) -> Findings:
    """Words of Metal that other compilers take for free names."""
    for index, word in enumerate(tokens.words):
        if word not in ("vertex", "fragment", "kernel"):
            continue
        is_variable = tokens.word(index + 1) in ("=", ";", ",", ")", "[", "+", "-", "*", "/", ".")
        if is_variable and tokens.word(index - 1) not in ("[", ",", "::"):
            yield index, f"{word} is a word of Metal's; give the variable another name"


def _bfloat_before_its_time(tokens: Tokens) -> Findings:
    for index, word in enumerate(tokens.words):
        if word in ("bfloat", "bfloat2", "bfloat3", "bfloat4", "simdgroup_bfloat8x8"):
            yield index, "bfloat needs version 3.1 of the Metal language (macOS 14)"


_RULES: tuple[Callable[[Tokens, list[Declaration]], Findings], ...] = (
    _words,
    _vector_casts,
    _recursion,
    _pointers_without_space,
    _bfloat_values,
    _global_variables,
    _local_statics,
    _function_pointers,
    _names,
    _called_kernels,
    _atomic_floats,
)
_FROM_VERSION: tuple[tuple[tuple[int, int], Callable[[Tokens], Findings]], ...] = (
    ((3, 1), _bfloat_before_its_time),
    ((4, 0), _lambdas),
)

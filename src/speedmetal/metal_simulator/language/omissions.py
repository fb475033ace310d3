"""What of a text is left out, because the simulator does not run it.

A function of a graphics stage, or one that reads a texture, must not stop the kernel beside it:
such declarations, and those that need them, are not compiled. A kernel among them is an error for
whoever asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from speedmetal.msl.structure import Declaration, Sort
from speedmetal.msl.tokens import Tokens

STAGES = ("vertex", "fragment", "mesh", "object", "intersection")
_WORDS = frozenset({"vertex", "fragment"})  # the others are attributes alone

_TYPES = {
    "textures other than texture2d": re.compile(
        r"(?!texture2d$)(?:texture|depth)(?:1d|2d|3d|cube|_buffer)\w*"
    ),
    "ray tracing": re.compile(
        r"raytracing|intersector|intersection_(?:query|params|result)|intersection_function_table|"
        r"acceleration_structure|(?:instance|primitive)_acceleration_structure"
    ),
    "tensors": re.compile(r"tensor|mpp|tensor_(?:ops|inline)|cooperative_tensor|matmul2d\w*"),
    "function tables": re.compile(r"visible_function_table"),
    "tessellation": re.compile(r"patch_control_point"),
    "imageblocks": re.compile(r"imageblock|threadgroup_imageblock"),
    "command buffers of the GPU": re.compile(r"command_buffer|compute_command|render_command"),
}
_WITH_ARGUMENTS = frozenset(
    {"textures other than texture2d", "function tables", "tessellation", "imageblocks"}
)
_ANY = re.compile("|".join(f"(?:{pattern.pattern})" for pattern in _TYPES.values()))


def omissions(tokens: Tokens, found: Sequence[Declaration]) -> dict[int, str]:
    """Why declarations are left out, by their first token: words that follow the name."""
    named = {declaration.name for declaration in found}
    words = {word for word in set(tokens.words) - named if _ANY.fullmatch(word)}
    reasons: dict[int, str] = {}
    for declaration in found:
        reason = _stage(tokens, declaration) or _unknown(tokens, declaration, words)
        if reason:
            reasons[declaration.begin] = reason
    if reasons:
        _spread_omissions(tokens, found, reasons)
    return reasons


def stage_of(tokens: Tokens, declaration: Declaration) -> str:
    """The stage that a function is of, other than compute; empty for other declarations."""
    if declaration.sort is not Sort.FUNCTION or declaration.is_kernel:
        return ""
    before = tokens.words[declaration.head : declaration.name_index]
    by_word = next((name for name in STAGES if name in _WORDS and name in before), "")
    return by_word or next((name for name in STAGES if declaration.attribute(name)), "")


def _stage(tokens: Tokens, declaration: Declaration) -> str:
    stage = stage_of(tokens, declaration)
    return f"is a {stage} function; the simulator runs compute kernels alone" if stage else ""


def _unknown(tokens: Tokens, declaration: Declaration, words: set[str]) -> str:
    """The reason for a declaration that needs a type which the simulator does not have."""
    if declaration.is_kernel and declaration.parameters is not None:
        begin, end = declaration.parameters
        if "stage_in" in tokens.words[begin:end]:
            return "gets [[stage_in]], which the simulator does not know"
    if declaration.sort is Sort.RECORD and _holds_textures(tokens, declaration):
        return "needs textures in argument buffers, which the simulator does not know"
    if words.isdisjoint(tokens.words[declaration.begin : declaration.end]):
        return ""
    for index in range(declaration.begin, declaration.end):
        feature = _feature(tokens, index) if tokens.words[index] in words else ""
        if feature:
            return f"needs {feature}, which the simulator does not know"
    return ""


def _holds_textures(tokens: Tokens, declaration: Declaration) -> bool:
    """Whether a structure has members with ``[[id(n)]]``, and textures or samplers."""
    words = tokens.words[declaration.begin : declaration.end]
    has_ids = any(words[i : i + 3] == ["[", "[", "id"] for i in range(len(words)))
    return has_ids and not {"texture2d", "sampler"}.isdisjoint(words)


def _feature(tokens: Tokens, index: int) -> str:
    """What the type at a token belongs to; empty where the word is no type there."""
    word = tokens.words[index]
    feature = next(name for name, pattern in _TYPES.items() if pattern.fullmatch(word))
    if feature in _WITH_ARGUMENTS:
        return feature if tokens.word(index + 1) == "<" else ""
    is_scope = "::" in (tokens.word(index - 1), tokens.word(index + 1))
    is_space = is_scope and word in ("raytracing", "mpp", "tensor_ops")
    is_type = is_space or tokens.word(index + 1) == "<" or _names_a_type(tokens, index)
    return feature if is_type else ""


def _names_a_type(tokens: Tokens, index: int) -> bool:
    """Whether a name stands where a type does: before a declared name, or among arguments."""
    before, after = tokens.word(index - 1), tokens.word(index + 1)
    is_argument = before in ("<", ",", "::") and after in (">", ",")
    return tokens.is_name(index + 1) or after in ("&", "*") or is_argument


def _spread_omissions(
    tokens: Tokens, found: Sequence[Declaration], reasons: dict[int, str]
) -> None:
    """Leave out also what needs what is left out."""
    users = _users(tokens, found)
    waiting = [declaration for declaration in found if declaration.begin in reasons]
    while waiting:
        omitted = waiting.pop()
        if not _is_gone(omitted, found, reasons):
            continue
        for user in users(omitted.name):
            if user.begin not in reasons:
                reasons[user.begin] = f"needs {omitted.name}, which {reasons[omitted.begin]}"
                waiting.append(user)


def _is_gone(omitted: Declaration, found: Sequence[Declaration], reasons: dict[int, str]) -> bool:
    """Whether nothing else bears the name, such as another overload."""
    is_named = bool(omitted.name) and omitted.sort is not Sort.INSTANTIATION
    return is_named and all(
        other.begin in reasons or other.sort is Sort.INSTANTIATION
        for other in found
        if other.name == omitted.name
    )


def _users(tokens: Tokens, found: Sequence[Declaration]) -> Callable[[str], Sequence[Declaration]]:
    """Gives the declarations that use a name, and have nothing of their own under it."""

    def users(name: str) -> list[Declaration]:
        return [
            declaration
            for declaration in found
            if name in tokens.words[declaration.begin : declaration.end]
            and (declaration.name != name or declaration.sort is Sort.INSTANTIATION)
            and not _has_its_own(tokens, declaration, name)
        ]

    return users


def _has_its_own(tokens: Tokens, declaration: Declaration, name: str) -> bool:
    """Whether a parameter, variable or member of the name is declared inside."""
    for index in range(declaration.begin, declaration.end):
        if tokens.words[index] != name or index == declaration.name_index:
            continue
        before, after = tokens.word(index - 1), tokens.word(index + 1)
        is_declared = (
            (tokens.is_name(index - 1) and before not in ("return", "case", "else", "do"))
            or before in ("*", "&", ">")
        ) and after in ("=", ";", "[", ",", ")", "{")
        if is_declared or before in (".", "->"):
            return True
    return False

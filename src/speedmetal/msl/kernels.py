"""Kernels: what each parameter is for, and what the text says of them to Metal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.parameters import Parameter, Role
from speedmetal.msl.structure import (
    SPACES,
    Attribute,
    Declaration,
    attributes_in,
    is_attribute,
    split_arguments,
)
from speedmetal.msl.tokens import Tokens

_LIMITS = {"buffer": 31, "threadgroup": 31, "texture": 128, "sampler": 16}
_TEXTURE = re.compile(r"(?:metal::)?(?:depth|texture)(?:1d|2d|3d|cube|_buffer)\w*<.*")
BUFFERS = _LIMITS["buffer"]


_VECTOR_POSITIONS = frozenset(
    {
        "thread_position_in_grid",
        "thread_position_in_threadgroup",
        "threadgroup_position_in_grid",
        "threads_per_grid",
        "grid_size",
        "grid_origin",
        "threads_per_threadgroup",
        "dispatch_threads_per_threadgroup",
        "threadgroups_per_grid",
    }
)
_NUMBER_POSITIONS = frozenset(
    {
        "thread_index_in_threadgroup",
        "thread_index_in_simdgroup",
        "thread_index_in_quadgroup",
        "simdgroup_index_in_threadgroup",
        "quadgroup_index_in_threadgroup",
        "simdgroups_per_threadgroup",
        "dispatch_simdgroups_per_threadgroup",
        "quadgroups_per_threadgroup",
        "dispatch_quadgroups_per_threadgroup",
        "threads_per_simdgroup",
        "thread_execution_width",
    }
)
POSITIONS = _VECTOR_POSITIONS | _NUMBER_POSITIONS
"""Attributes of parameters that get a position of the thread, or a size of the launch."""

_NUMBER_TYPES = ("uint", "ushort")
_VECTOR_TYPES = (*_NUMBER_TYPES, "uint2", "uint3", "ushort2", "ushort3")
# Types that a position surely cannot have; others are left to the compiler, which knows typedefs.
_WRONG_POSITION_TYPES = frozenset(
    f"{scalar}{size}"
    for scalar in ("bool", "char", "uchar", "short", "int", "long", "ulong", "half", "float")
    for size in ("", "2", "3", "4")
) | {"uint4", "ushort4", "size_t"}


@dataclass(frozen=True, slots=True)
class Signature:
    """One parameter of a kernel, as the text has it.

    Args:
        name: Its name.
        role: What it gets.
        index: Of the buffer, threadgroup memory, texture or sampler; -1 for positions.
        place: Its first token.
        type_text: Its type without attributes.
        space: The address space of what it refers to.
        is_const: Whether the kernel cannot write through it.
        is_reference: Whether it is a reference.
        position: The attribute that says which position it is.
        condition: A function constant without which the parameter is not there.
    """

    name: str
    role: Role
    index: int
    place: int
    type_text: str
    space: str
    is_const: bool
    is_reference: bool
    position: str = ""
    condition: str = ""

    @property
    def parameter(self) -> Parameter:
        """What a call has to know of it to give its argument."""
        return Parameter(
            self.name,
            self.role,
            self.index,
            self.type_text,
            self.space,
            self.is_const,
            self.is_reference,
            is_optional=bool(self.condition),
        )


class KernelReader:
    """Reads the signatures of kernels and collects what is wrong with them."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.faults: list[MslDiagnostic] = []

    def fault(self, index: int, message: str) -> None:
        line, column = self.tokens.place(index)
        self.faults.append(MslDiagnostic(line, column, "error", message))

    def finish(self) -> None:
        """Raises what was found.

        Raises:
            MslError: Something is wrong with a kernel.
        """
        if self.faults:
            raise MslError(self.faults, self.tokens.text)

    def signature(self, kernel: Declaration) -> tuple[Signature, ...]:
        """The parameters of a kernel."""
        assert kernel.parameters is not None
        self._check_result(kernel)
        begin, end = kernel.parameters
        parts = split_arguments(self.tokens, begin + 1, end)
        if self.tokens.source(begin + 1, end) == "void":
            parts = []
        read = [self._parameter(first, last) for first, last in parts]
        return tuple(self._with_indices(kernel, [found for found in read if found]))

    def types(self, begin: int, end: int) -> list[str]:
        """The types of the parameters between parentheses."""
        found = []
        for first, last in split_arguments(self.tokens, begin + 1, end):
            plain = list(_outside_attributes(self.tokens, first, last))
            name = _name_index(self.tokens, plain)
            found.append(_type_text(self.tokens, plain, -1 if name is None else name))
        return found

    def _check_result(self, kernel: Declaration) -> None:
        words = self.tokens.words[kernel.head : kernel.name_index]
        if "void" not in words:
            self.fault(
                kernel.name_index,
                f"the kernel {kernel.name} must return void; it gives results through buffers",
            )

    def _parameter(self, begin: int, end: int) -> Signature | None:
        tokens = self.tokens
        attributes = attributes_in(tokens, begin, end)
        plain = list(_outside_attributes(tokens, begin, end))
        name_index = _name_index(tokens, plain)
        if name_index is None:
            self.fault(begin, "this parameter has no name")
            return None
        name = tokens.words[name_index]
        text = _type_text(tokens, plain, name_index)
        words = [tokens.words[i] for i in plain if i < name_index]
        found = {attribute.name: attribute for attribute in attributes}
        position = next((n for n in found if n in POSITIONS), None)
        if position:
            self._check_position(name_index, name, position, words)
            return Signature(name, "position", -1, begin, text, "", False, False, position)
        if (role := _role_of_value(text, found)) is not None:
            if re.match(r"(?:const )?(?:metal::)?array<", text):
                self.fault(
                    begin,
                    f"{name}: the simulator knows no arrays of {role}s; declare each by itself",
                )
                return None
            index, condition = self._index(found), self._condition(found)
            return Signature(name, role, index, begin, text, "", False, False, "", condition)
        signs = {tokens.words[i] for i in _outside_angles(tokens, plain)}
        is_array = any(tokens.words[i] == "[" and i > name_index for i in plain)
        if not (is_array or "*" in signs or "&" in signs):
            self._without_role(begin, name, text, found)
            return None
        return self._memory(begin, name, text, words, found, is_reference="&" in signs)

    def _memory(
        self,
        begin: int,
        name: str,
        text: str,
        words: list[str],
        found: dict[str, Attribute],
        *,
        is_reference: bool,
    ) -> Signature | None:
        """A parameter that is a pointer or a reference."""
        index = self._index(found)
        space = next((word for word in words if word in SPACES), "")
        role: Role = "threadgroup" if space == "threadgroup" else "buffer"
        stated = next((name for name in ("threadgroup", "buffer") if name in found), role)
        wrong = ""
        if not space:
            wrong = (
                f"the parameter {name} of a kernel must say where its memory is: write device, "
                f"constant or threadgroup before {text}"
            )
        elif space == "thread":
            wrong = f"the parameter {name} of a kernel cannot refer to thread memory"
        elif stated != role:
            wrong = f"{name} is in {space} memory: write [[{role}(n)]], not [[{stated}(n)]]"
        if wrong:
            self.fault(begin, wrong)
            return None
        is_const = "const" in words or space == "constant"
        condition = self._condition(found)
        return Signature(
            name, role, index, begin, text, space, is_const, is_reference, "", condition
        )

    def _condition(self, found: dict[str, Attribute]) -> str:
        attribute = found.get("function_constant")
        if attribute is None or attribute.arguments is None:
            return ""
        return self.tokens.source(*attribute.arguments)

    def _check_position(self, index: int, name: str, position: str, words: list[str]) -> None:
        is_vector = position in _VECTOR_POSITIONS
        allowed = _VECTOR_TYPES if is_vector else _NUMBER_TYPES
        stated = [word for word in words if word not in ("const", "metal", "::")]
        text = " ".join(stated)
        wrong = text in _WRONG_POSITION_TYPES or (
            not is_vector and text in _VECTOR_TYPES and text not in _NUMBER_TYPES
        )
        if wrong or "*" in words or "&" in words:
            self.fault(
                index,
                f"{name} [[{position}]] has the type {text}; declare it as "
                f"{', '.join(allowed[:-1])} or {allowed[-1]}",
            )

    def _without_role(self, begin: int, name: str, text: str, found: dict[str, Attribute]) -> None:
        if "stage_in" in found:
            self.fault(begin, f"{name}: the simulator does not know [[stage_in]]")
        elif "buffer" in found:
            self.fault(
                begin,
                f"{name}: a buffer is passed as a pointer or reference: constant {text}& {name}",
            )
        else:
            unknown = next(iter(found), None)
            shown = f"[[{unknown}]] is not known" if unknown else "it has no attribute"
            self.fault(
                begin,
                f"the kernel gets nothing for its parameter {name}: {shown}; write "
                f"constant {text}& {name} [[buffer(n)]], or a position such as "
                "[[thread_position_in_grid]]",
            )

    def _index(self, found: dict[str, Attribute]) -> int:
        """The index in ``[[buffer(n)]]`` and the like; -1 where the parameter has none."""
        attribute = next((found[role] for role in _LIMITS if role in found), None)
        if attribute is None:
            return -1
        if attribute.arguments is None:
            self.fault(attribute.index, f"[[{attribute.name}]] needs an index: {attribute.name}(0)")
            return -1
        value = constant_integer(self.tokens, *attribute.arguments)
        if value is None:
            self.fault(attribute.index, f"the index of [[{attribute.name}(...)]] must be a number")
            return -1
        return value

    def _with_indices(self, kernel: Declaration, found: list[Signature]) -> Iterator[Signature]:
        """Indices for those without, in order; each must be its parameter's alone."""
        taken = {
            role: {p.index for p in found if p.role == role and p.index >= 0} for role in _LIMITS
        }
        seen: dict[tuple[str, int], str] = {}
        for parameter in found:
            if parameter.role == "position":
                yield parameter
                continue
            index = parameter.index
            if index < 0:
                index = next(i for i in range(1000) if i not in taken[parameter.role])
                taken[parameter.role].add(index)
            if index >= _LIMITS[parameter.role]:
                self.fault(
                    parameter.place,
                    f"{parameter.role}({index}) of {parameter.name}: indices go from 0 to "
                    f"{_LIMITS[parameter.role] - 1}",
                )
            other = seen.setdefault((parameter.role, index), parameter.name)
            if other != parameter.name and not parameter.condition:
                self.fault(
                    parameter.place,
                    f"{parameter.name} and {other} of {kernel.name} both have "
                    f"{parameter.role}({index})",
                )
            yield replace(parameter, index=index)


def _role_of_value(text: str, found: Mapping[str, Attribute]) -> Role | None:
    """What a parameter gets that is passed by its value; None: it is none of these."""
    if "texture" in found or _TEXTURE.match(text):
        return "texture"
    is_sampler = text.removeprefix("const ").removeprefix("metal::") == "sampler"
    return "sampler" if "sampler" in found or is_sampler else None


def constant_integer(tokens: Tokens, begin: int, end: int) -> int | None:
    """A number, or a sum of numbers, as macros leave them."""
    total, sign = 0, 1
    words = [word for word in tokens.words[begin:end] if word not in ("(", ")")]
    for position, word in enumerate(words):
        if position % 2 == 1:
            if word not in ("+", "-"):
                return None
            sign = 1 if word == "+" else -1
            continue
        try:
            digits = word.rstrip("uUlL")
            is_octal = digits.startswith("0") and digits.isdigit()
            total += sign * int(digits, 8 if is_octal else 0)
        except ValueError:
            return None
    return total if len(words) % 2 == 1 else None


def _outside_attributes(tokens: Tokens, begin: int, end: int) -> Iterator[int]:
    index = begin
    while index < end:
        if is_attribute(tokens, index):
            index = tokens.partner[index]
        elif tokens.words[index] == "coherent":  # a word about memory, before its space
            index = tokens.partner[index + 1] if tokens.word(index + 1) == "(" else index
        else:
            yield index
        index += 1


def _outside_angles(tokens: Tokens, plain: list[int]) -> Iterator[int]:
    """The tokens that belong to no template argument."""
    closed = -1
    for index in plain:
        if index <= closed:
            continue
        if tokens.words[index] == "<" and (partner := tokens.angle_partner(index)) is not None:
            closed = partner
            continue
        yield index


def _name_index(tokens: Tokens, plain: list[int]) -> int | None:
    """The last name that stands in no brackets."""
    found = None
    closed = -1
    for index in _outside_angles(tokens, plain):
        if index <= closed:
            continue
        word = tokens.words[index]
        if word == "[":
            closed = tokens.partner[index]
        elif word == "=":
            break
        elif tokens.is_name(index) and word not in SPACES and word not in ("const", "restrict"):
            found = index
    return found


def _type_text(tokens: Tokens, plain: list[int], name_index: int) -> str:
    words = [tokens.words[i] for i in plain if i != name_index]
    text = ""
    for word in words:
        glued = (
            not text
            or word in ("*", "&", ",", ">", "::", "[", "]", "<")
            or text.endswith(("<", "::", "["))
        )
        text += word if glued else f" {word}"
    return text

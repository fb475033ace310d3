"""Function constants: values that the host gives when it asks for a function."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from speedmetal.errors import UserInputError
from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.kernels import constant_integer
from speedmetal.msl.structure import Declaration, Sort
from speedmetal.msl.tokens import Tokens

_NOT_OF_THE_TYPE = frozenset({"constant", "const", "static", "constexpr"})
_SUFFIXES = {"uint": "u", "long": "l", "ulong": "ul", "uint32_t": "u"}


@dataclass(frozen=True, slots=True)
class FunctionConstant:
    """One ``constant type name [[function_constant(index)]]``.

    Args:
        name: Its name.
        index: Its index.
        type_text: Its type.
        is_required: Whether functions that use it need a value: the text never asks whether it
            has one.
        is_given: Whether it has a value.
        value: The value.
        declaration: Where it is declared.
    """

    name: str
    index: int
    type_text: str
    is_required: bool
    is_given: bool
    value: object
    declaration: Declaration


def read_constants(
    tokens: Tokens, found: Sequence[Declaration], values: Mapping[int | str, object]
) -> dict[str, FunctionConstant]:
    """The function constants of a text, by name.

    Raises:
        MslError: One has no index, or a value is for a constant that is not there.
    """
    asked = _find_queried_constants(tokens)
    constants: dict[str, FunctionConstant] = {}
    for declaration in found:
        attribute = declaration.attribute("function_constant")
        if declaration.sort is not Sort.VARIABLE or attribute is None:
            continue
        index = constant_integer(tokens, *attribute.arguments) if attribute.arguments else None
        if index is None:
            place = tokens.place(attribute.index)
            message = "[[function_constant(...)]] needs a number"
            raise MslError([MslDiagnostic(*place, "error", message)], tokens.text)
        name = declaration.name
        words = tokens.words[declaration.head : declaration.name_index]
        type_text = "".join(word for word in words if word not in _NOT_OF_THE_TYPE)
        key = index if index in values else name
        constants[name] = FunctionConstant(
            name, index, type_text, name not in asked, key in values, values.get(key), declaration
        )
    return constants


def _find_queried_constants(tokens: Tokens) -> set[str]:
    """The names in ``is_function_constant_defined(name)``."""
    return {
        tokens.word(index + 2)
        for index, word in enumerate(tokens.words)
        if word == "is_function_constant_defined"
    }


def constant_text(constant: FunctionConstant) -> str:
    """The constant's value as the text would have it.

    Raises:
        UserInputError: The type cannot hold it.
    """
    type_text = constant.type_text
    if constant.is_given:
        _check_value(constant)
    if not constant.is_given:
        return f"{type_text}()" if type_text[-1].isdigit() else f"({type_text})0"
    if isinstance(constant.value, list | tuple | np.ndarray):
        values = ", ".join(_number(value, "") for value in constant.value)
        return f"{type_text}({values})"
    return f"({type_text})({_number(constant.value, _SUFFIXES.get(type_text, ''))})"


_VECTOR = re.compile(r"(?:metal::)?([a-z]+(?:\d+_t)?)([234])?")
_BITS = {"char": 8, "short": 16, "int": 32, "long": 64}
_INTEGERS = {
    **{name: (-(1 << bits - 1), (1 << bits - 1) - 1) for name, bits in _BITS.items()},
    **{f"u{name}": (0, (1 << bits) - 1) for name, bits in _BITS.items()},
    **{f"int{bits}_t": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in _BITS.values()},
    **{f"uint{bits}_t": (0, (1 << bits) - 1) for bits in _BITS.values()},
    "bool": (0, 1),
}


def _check_value(constant: FunctionConstant) -> None:
    """A number for each component, of which an integer type holds whole ones in its range."""
    found = _VECTOR.fullmatch(constant.type_text)
    count = int(found[2] or 1) if found else 1
    limits = _INTEGERS.get(found[1]) if found else None
    value = constant.value
    is_list = isinstance(value, list | tuple | np.ndarray)
    plain = value.tolist() if isinstance(value, np.ndarray) else value
    values = list(plain) if isinstance(plain, list | tuple) else [plain]
    if is_list == (count > 1) and len(values) == count and all(_fits(v, limits) for v in values):
        return
    raise UserInputError(
        f"the function constant {constant.name} (index {constant.index}) is {constant.type_text}, "
        f"which cannot hold {value!r}"
    )


def _fits(value: object, limits: tuple[int, int] | None) -> bool:
    if isinstance(value, str) or not isinstance(value, bool | int | float | np.generic):
        return False
    if limits is None:
        return True
    return float(value).is_integer() and limits[0] <= int(value) <= limits[1]


def _number(value: object, suffix: str) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        whole = int(value)
        return f"({whole + 1}{suffix} - 1)" if whole == -(1 << 63) else f"{whole}{suffix}"
    number = float(value)  # type: ignore[arg-type]  # checked by float itself
    if math.isnan(number):
        return "NAN"
    if math.isinf(number):
        return "INFINITY" if number > 0 else "-INFINITY"
    return f"{number.hex()}f"

"""Function constants: values that the host gives when it asks for a function."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from speedmetal.metal_simulator.language.diagnostics import MslDiagnostic, MslError
from speedmetal.metal_simulator.language.kernels import constant_integer
from speedmetal.metal_simulator.language.structure import Declaration, Sort
from speedmetal.metal_simulator.language.tokens import Tokens

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
    asked = _asked_about(tokens)
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


def _asked_about(tokens: Tokens) -> set[str]:
    """The names in ``is_function_constant_defined(name)``."""
    return {
        tokens.word(index + 2)
        for index, word in enumerate(tokens.words)
        if word == "is_function_constant_defined"
    }


def constant_text(constant: FunctionConstant) -> str:
    """The constant's value as the text would have it."""
    type_text = constant.type_text
    if not constant.is_given:
        return f"{type_text}()" if type_text[-1].isdigit() else f"({type_text})0"
    if isinstance(constant.value, list | tuple | np.ndarray):
        values = ", ".join(_number(value, "") for value in constant.value)
        return f"{type_text}({values})"
    return f"({type_text})({_number(constant.value, _SUFFIXES.get(type_text, ''))})"


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

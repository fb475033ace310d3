"""The types of operations in expressions: those of the kernel language, which evaluates them."""

from __future__ import annotations

import types
from functools import lru_cache
from typing import cast

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.frontend import calls, loops, statements
from speedmetal.frontend.convert import as_number
from speedmetal.frontend.elements import OPERATIONS, new_number
from speedmetal.frontend.frames import Env, Frame
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.parse import parse
from speedmetal.frontend.session import Session, Unit
from speedmetal.frontend.values import Value
from speedmetal.source import NOWHERE


def _nowhere() -> None:
    return


_NOWHERE = cast(types.FunctionType, _nowhere)
"""What stands for the function that is evaluated, where a type is asked for outside kernels."""
_LANGUAGE = (calls, loops, statements)
"""What evaluates the library's functions of complex numbers registers itself when imported."""


@lru_cache(maxsize=4096)
def result_type(operation: str, operand_types: tuple[DType, ...]) -> DType:
    """The dtype of an operation on operands of these types: the kernel language's.

    Args:
        operation: A name of :data:`speedmetal.frontend.elements.OPERATIONS`.
        operand_types: One for each operand.

    Raises:
        UserInputError: It does not take them.

    >>> result_type("divide", (dtypes.int32, dtypes.int32))
    float32
    >>> result_type("exp", (dtypes.complex128,))
    complex128
    """
    run = AbstractInterpreter(Unit(Session("expression", dtypes.int32, 0), "x", is_function=True))
    # Functions of the library are called.
    if operation == "rect" or any(dtype.is_complex for dtype in operand_types):
        run.frame = Frame(parse(_NOWHERE), _NOWHERE, 0, Env())
    values: list[Value] = [new_number(run, "x", dtype)[0] for dtype in operand_types]
    try:
        value = OPERATIONS[operation](run, values, NOWHERE)
    except Fault as fault:
        raise UserInputError(str(fault.message)) from None
    return as_number(run, value, NOWHERE).dtype

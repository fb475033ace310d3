"""Special methods that a program's named tuples and dataclasses define themselves."""

from __future__ import annotations

import types

from speedmetal.frontend.capture import look_up_attribute
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.values import Aggregate, Value, describe
from speedmetal.frontend.wrapped import plain_function
from speedmetal.source import SourceSpan

_GENERATED = "__create_fn__."
"""How the code of methods that ``@dataclass`` writes is named; they mean what kernels do anyway."""


def own_method(run: AbstractInterpreter, value: Value, name: str) -> types.FunctionType | None:
    """The method of a record's class that the program wrote; None where it wrote none."""
    if not isinstance(value, Aggregate) or not hasattr(value.cls, name):
        return None
    function = plain_function(look_up_attribute(value.cls, name, run.session.dependencies))
    if function is None or function.__code__.co_qualname.startswith(_GENERATED):
        return None
    return function


def refuse_own(
    run: AbstractInterpreter, value: Value, names: tuple[str, ...], span: SourceSpan
) -> None:
    """Refuse a record whose own method Python would call here, and kernels do not.

    Raises:
        Fault: It has one of these methods.
    """
    for name in names:
        if own_method(run, value, name) is not None:
            raise Fault(
                span,
                f"{describe(value)} has {name} of its own, which kernels do not call here; use its"
                f" fields, or call it by its name: x.{name}(...)",
            )

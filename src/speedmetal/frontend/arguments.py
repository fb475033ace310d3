"""Arguments of a call: what stands at which parameter."""

from __future__ import annotations

import ast

from speedmetal.common.records import field, record
from speedmetal.frontend.interpreter import AbstractInterpreter
from speedmetal.frontend.suggestions import suggest_names
from speedmetal.frontend.values import Value


def format_argument_count(count: int) -> str:
    """``1 argument``, ``2 arguments``."""
    return f"{count} argument{'s' if count != 1 else ''}"


@record(frozen=False)
class Arguments:
    """The evaluated arguments of a call."""

    node: ast.expr
    positional: list[Value] = field(default_factory=list)
    named: dict[str, Value] = field(default_factory=dict)

    def take(self, run: AbstractInterpreter, name: str, parameters: str) -> list[Value]:
        """The values of the parameters, which are separated by blanks, in order.

        Raises:
            Fault: Too few, too many, or one given twice.
        """
        found = self.take_some(run, name, parameters, "")
        return [value for value in found if value is not None]

    def take_some(
        self, run: AbstractInterpreter, name: str, required: str, optional: str
    ) -> list[Value | None]:
        """The values of required parameters, then of optional ones, None where left out."""
        must, may = required.split(), optional.split()
        names = must + may
        shown = f"{name}({', '.join(must + [f'{n}=...' for n in may])})"
        given: dict[str, Value] = {}
        if len(self.positional) > len(names):
            raise run.fault(
                self.node,
                f"expected {shown}, found {format_argument_count(len(self.positional))}",
            )
        given.update(zip(names, self.positional, strict=False))
        for key, value in self.named.items():
            if key not in names:
                raise run.fault(
                    self.node,
                    f"expected {shown}, found an argument {key!r}{suggest_names(key, names)}",
                )
            if key in given:
                raise run.fault(self.node, f"the argument {key!r} of {shown} was given twice")
            given[key] = value
        missing = [key for key in must if key not in given]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise run.fault(self.node, f"expected {shown}; {' and '.join(missing)} {verb} missing")
        return [given.get(key) for key in names]

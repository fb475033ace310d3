"""What ``inspect.signature`` says of the constructs of the kernel language.

Editors and notebooks ask it, and so do tools that check a library against the array API standard.
"""

from __future__ import annotations

import ast
from inspect import Parameter, Signature
from typing import Any


class CallSignature:
    """``__signature__`` of a construct; None where it is called in several ways.

    The class itself has none: ``inspect.signature(Construct)`` is about making records.
    """

    def __get__(self, construct: Any, kind: type) -> Signature | None:
        if construct is None:
            raise AttributeError(f"{kind.__name__} has no __signature__ of its own")
        return signature_of(construct.calls[0]) if len(construct.calls) == 1 else None


def signature_of(call: str) -> Signature:
    """The signature that a call stands for, with constants as defaults.

    >>> signature_of("f(a, b=2, /)")
    <Signature (a, b=2, /)>
    """
    definition = ast.parse(f"def {call}: ...").body[0]
    assert isinstance(definition, ast.FunctionDef)
    every = definition.args
    parameters = (*every.posonlyargs, *every.args)
    given = [ast.literal_eval(default) for default in every.defaults]
    defaults = [Parameter.empty] * (len(parameters) - len(given)) + given
    return Signature(
        [
            Parameter(
                parameter.arg,
                Parameter.POSITIONAL_ONLY
                if parameter in every.posonlyargs
                else Parameter.POSITIONAL_OR_KEYWORD,
                default=default,
            )
            for parameter, default in zip(parameters, defaults, strict=True)
        ]
    )

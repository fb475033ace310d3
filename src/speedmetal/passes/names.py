"""The names of a kernel: a pass that makes a new one must not meet another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from speedmetal.ir import walk
from speedmetal.ir.nodes import Kernel


def free_name(name: str, taken: set[str]) -> str:
    """The name, or the first with a number behind it, that is not taken."""
    if name not in taken:
        return name
    return next(found for n in itertools.count(2) if (found := f"{name}_{n}") not in taken)


def used_names(kernel: Kernel) -> Iterator[str]:
    """Every name of a kernel."""
    yield from names_but_functions(kernel)
    yield from (function.name for function in kernel.functions)


def names_but_functions(kernel: Kernel) -> Iterator[str]:
    """The names of everything but functions: in C a variable hides the function of its name."""
    yield kernel.name
    yield from (item.name for item in (*kernel.parameters, *kernel.arrays))
    for function in kernel.functions:
        yield from (parameter.name for parameter in function.parameters)
    for body in (kernel.body, *(function.body for function in kernel.functions)):
        for statement in walk.statements(body):
            variable = walk.assigned_variable(statement)
            if variable is not None:
                yield variable.name

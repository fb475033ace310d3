"""Puts the elements of small thread arrays into variables of their own, and so into registers.

Known as scalar replacement of aggregates. ``sm.thread_array`` is how a kernel writes a tile of
accumulators; once loops over `sm.static_range` are unrolled, each index of such an array is a
constant, and its elements are variables in all but their spelling.

Only a target that asks for it gets it, which the CPU's does: there a thread array is memory of all
lanes of a vector, and of all vectors of a threadgroup where it has barriers, which LLVM does not
take apart, and whatever is stored under a mask stays in memory. The compilers of GPUs do the same
themselves, so that their text keeps the arrays that the user wrote. It must: a variable read in
indices alone falls under the exception from wrapping (:mod:`speedmetal.ir.overflow`), by which
those targets compute and the CPU's does not, and elements of arrays do not.

Left in memory are

* arrays with an index that only the running program knows: no variable can be chosen by it. (One
  such index keeps the whole array there; elements that live in both places would have to be moved
  around each access.)
* arrays of more than `MOST_REPLACED_ELEMENTS`;
* arrays that matrices are loaded from or stored to, which want memory. Atomics on thread arrays
  there are none.

The two halves of a complex number are two variables.

A thread array's first values are unspecified, those of a variable must be known to whoever prints
it. So an element that some way leads to without having assigned it is 0 at first; and it keeps
what a turn of a loop gives it for the next one, as memory does.
"""

from __future__ import annotations

import math
from collections import Counter

from speedmetal.common.records import replace
from speedmetal.dtypes import DType
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Array,
    Assign,
    Atomic,
    Break,
    Constant,
    Continue,
    Expression,
    Extent,
    If,
    Kernel,
    Load,
    MatrixLoad,
    MatrixStore,
    Read,
    Return,
    Statement,
    Store,
    Variable,
)
from speedmetal.ir.types import Space
from speedmetal.passes.names import free_name, used_names

MOST_REPLACED_ELEMENTS = 256
"""The largest array that is replaced, in elements.

Measured on rows of a layer normalisation, Zen 4 with AVX-512: at 256 elements a kernel takes half
the time that it takes in memory, though most are then spilled (under no mask), and compiles in half
the time; at 512 it runs no faster.
"""

Body = tuple[Statement, ...]
Element = tuple[Array, tuple[int, ...], int | None]
"""An array, constant indices, and which half of a complex number."""


def replace_thread_arrays(kernel: Kernel) -> Kernel:
    """The kernel with a variable for each element of its small thread arrays."""
    arrays = _replaceable(kernel)
    if not arrays:
        return kernel
    elements = _Elements(kernel)

    def load(node: Expression) -> Expression:
        if isinstance(node, Load) and node.array in arrays:
            return Read(elements.variable(node), node.span)
        return node

    def store(node: Statement) -> Body:
        if isinstance(node, Store) and node.array in arrays:
            return (Assign(elements.variable(node), node.value, node.span),)
        return (node,)

    body = walk.rewrite_body(kernel.body, load, store)
    variables = elements.variables
    unassigned = _read_unassigned(body, frozenset(variables))
    body = _with_first_values(body, [v for v in variables if v in unassigned])
    kept = tuple(array for array in kernel.arrays if array not in arrays)
    return replace(kernel, body=body, arrays=kept)


# --- what can be replaced


def _replaceable(kernel: Kernel) -> frozenset[Array]:
    """The small thread arrays of which every use is an element that is known."""
    found = {array for array in kernel.arrays if _is_small(array)}
    if not found:
        return frozenset()
    for statement in walk.statements(kernel.body):
        for node in (statement, *walk.expressions(statement)):
            if _needs_memory(node):
                found.discard(node.array)  # type: ignore[union-attr]
    return frozenset(found)


def _is_small(array: Array) -> bool:
    if array.type.space is not Space.THREAD or array.is_sized_at_launch:
        return False
    return math.prod(map(_constant_size, array.shape or ())) <= MOST_REPLACED_ELEMENTS


def _constant_size(size: int | Expression) -> int:
    assert isinstance(size, int)
    return size


def _needs_memory(node: Expression | Statement) -> bool:
    match node:
        case Load() | Store():
            return not _is_element(node)
        case MatrixLoad() | MatrixStore() | Atomic() | Extent():
            return True
    return False


def _is_element(node: Load | Store) -> bool:
    """Whether the indices are constants, inside the array."""
    return all(
        isinstance(index, Constant) and isinstance(size, int) and 0 <= index.value < size
        for index, size in zip(node.indices, node.array.shape or (), strict=False)
    )


class _Elements:
    """Owns the variables, one for each element that the kernel touches."""

    def __init__(self, kernel: Kernel) -> None:
        self._taken = set(used_names(kernel))
        self._of: dict[Element, Variable] = {}

    @property
    def variables(self) -> tuple[Variable, ...]:
        """In the order in which the kernel first touches them."""
        return tuple(self._of.values())

    def variable(self, node: Load | Store) -> Variable:
        """The variable of the element that is loaded or stored to."""
        places = tuple(int(i.value) for i in node.indices if isinstance(i, Constant))
        element = node.array, places, node.part
        if element not in self._of:
            self._of[element] = self._make(element, node)
        return self._of[element]

    def _make(self, element: Element, node: Load | Store) -> Variable:
        array, places, part = element
        half = () if part is None else (("real", "imag")[part],)
        name = free_name("_".join((array.name, *map(str, places), *half)), self._taken)
        self._taken.add(name)
        dtype = array.type.dtype if part is None else array.type.dtype.part
        return Variable(name, dtype, node.span)


# --- elements that are read before they are assigned


def _read_unassigned(body: Body, variables: frozenset[Variable]) -> set[Variable]:
    """The variables that are read where some way leads without having assigned them."""
    found: set[Variable] = set()

    def visit(block: Body, assigned: set[Variable]) -> set[Variable]:
        """What is assigned at a block's end; everything, where no way leads to its end."""
        ends = False
        for statement in block:
            found.update(v for v in _read_in(statement) & variables if v not in assigned)
            match statement:
                case Assign(variable) if variable in variables:
                    assigned.add(variable)
                case If(body=then, orelse=orelse):
                    assigned = visit(then, set(assigned)) & visit(orelse, set(assigned))
                case Break() | Continue() | Return():
                    ends = True
                case _:  # a loop's body may never be run
                    for inner in walk.blocks(statement):
                        visit(inner, set(assigned))
        return set(variables) if ends else assigned

    visit(body, set())
    return found


def _read_in(statement: Statement) -> set[Variable]:
    """The variables that a statement reads itself."""
    return {e.variable for e in walk.expressions(statement) if isinstance(e, Read)}


def _touched_in(body: Body) -> set[Variable]:
    """The variables that a body reads or assigns."""
    touched: set[Variable] = set()
    for statement in walk.statements(body):
        touched |= _read_in(statement)
        target = walk.assigned_variable(statement)
        if target is not None:
            touched.add(target)
    return touched


def _with_first_values(body: Body, variables: list[Variable]) -> Body:
    """The body with variables that are 0 before what touches them.

    As far inside branches as all that touches them stands, so that no lane that goes another way
    has to be spared; but before loops, whose turns hand them on.
    """
    if not variables:
        return body
    touched = [_touched_in((statement,)) for statement in body]
    count = Counter(variable for some in touched for variable in some)
    result: list[Statement] = []
    for statement, some in zip(body, touched, strict=True):
        here = [variable for variable in variables if variable in some]
        variables = [variable for variable in variables if variable not in some]
        new = statement
        if isinstance(statement, If) and here:
            alone = [variable for variable in here if count[variable] == 1]
            new, inside = _with_first_values_inside(statement, alone)
            here = [variable for variable in here if variable not in inside]
        result += (*map(_first_value, here), new)
    return tuple(result)


def _with_first_values_inside(branch: If, variables: list[Variable]) -> tuple[If, set[Variable]]:
    """A branch, with those variables 0 at first that one of its two bodies alone touches."""
    condition, then, orelse = _read_in(branch), *map(_touched_in, walk.blocks(branch))
    in_then = [v for v in variables if v not in condition | orelse]
    in_orelse = [v for v in variables if v not in condition | then]
    new = replace(
        branch,
        body=_with_first_values(branch.body, in_then),
        orelse=_with_first_values(branch.orelse, in_orelse),
    )
    return new, {*in_then, *in_orelse}


def _first_value(variable: Variable) -> Assign:
    dtype = variable.type
    assert isinstance(dtype, DType)
    zero: bool | int | float = False if dtype.is_bool else 0 if dtype.is_integer else 0.0
    return Assign(variable, Constant(zero, dtype, variable.span), variable.span)

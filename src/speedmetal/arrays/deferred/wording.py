"""Lazy operations in words: as Python writes them, with letters for the arrays that they read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from speedmetal.arrays.deferred.pending import Call
from speedmetal.frontend.arithmetic import SIGNS as ARITHMETIC
from speedmetal.frontend.comparison import SIGNS as COMPARISONS
from speedmetal.frontend.structure import CAST, Node, Structure, operands, ordered_nodes
from speedmetal.launch.expressions import Number

_SIGNS = {**ARITHMETIC, **COMPARISONS}
_LONGEST = 80


def described(array: Any) -> str:
    """What a lazy array is computed by, in a line: ``sum(a * b)``.

    Args:
        array: An expression or the result of a call; no leaf is lazy, but for the result of a call
            that it follows.
    """
    names: dict[int, str] = {}

    def name(leaf: Any) -> str:
        if type(leaf.pending) is Call:
            return of_call(leaf.pending)
        return names.setdefault(id(leaf), letter(len(names)))

    def of_call(call: Call) -> str:
        given = [
            text_of(operand, name) if type(operand.pending) is Structure else name(operand)
            for operand in call.operands
        ]
        return f"{call.name}({', '.join(given)})"

    is_call = type(array.pending) is Call
    return shortened(of_call(array.pending) if is_call else text_of(array, name), _LONGEST)


def shortened(text: str, longest: int) -> str:
    """A text with its end left out, if it is longer.

    >>> shortened("exp(a) + exp(b) * 2.0", 15), shortened("exp(a)", 15)
    ('exp(a) + exp(b) ...', 'exp(a)')
    """
    return text if len(text) <= longest else f"{text[:longest]} ..."


def letter(number: int) -> str:
    """The name of an array, by its place among others.

    >>> letter(0), letter(16)
    ('a', 'a16')
    """
    return chr(ord("a") + number) if number < 16 else f"a{number}"


def text_of(array: Any, name: Callable[[Any], str]) -> str:
    """An expression as Python writes it.

    Args:
        array: A lazy one.
        name: What an array is called that the expression reads. It is asked for them in the order
            in which they stand there.
    """
    for leaf in array.leaves:
        if type(leaf) is not Number:
            name(leaf)
    texts: dict[Node, tuple[str, bool]] = {}
    nodes = ordered_nodes(array.pending)
    for node in nodes:
        texts[node] = _node_text(node, texts, array.leaves, name)
    return texts[nodes[-1]][0]


def _node_text(
    node: Node,
    texts: dict[Node, tuple[str, bool]],
    leaves: Sequence[Any],
    name: Callable[[Any], str],
) -> tuple[str, bool]:
    """The text of a node, and whether it needs parentheses beside an operator."""
    part, numbers = node
    if not part.children:
        leaf = leaves[numbers[0]]
        return (str(leaf.value) if type(leaf) is Number else name(leaf)), False
    given = [texts[operand] for operand in operands(node)]
    plain = ", ".join(text for text, _ in given)
    if part.operation == CAST:
        return f"{part.dtype.name}({plain})", False
    if part.operation in _SIGNS:
        left, right = (
            f"({text})" if is_open and not _binds(part, side) else text
            for side, (text, is_open) in enumerate(given)
        )
        return f"{left} {_SIGNS[part.operation]} {right}", True
    if part.operation == "negate":
        return f"-{_closed(given[0])}", True
    if part.operation == "invert":
        return f"~{_closed(given[0])}", True
    return f"{part.operation}({plain})", False


_TIGHT = frozenset({"multiply", "divide", "power"})


def _binds(part: Structure, side: int) -> bool:
    """Whether an operand with an operator of its own needs no parentheses there."""
    inner = part.children[side].operation
    if part.operation == "add":
        return inner in _TIGHT or (inner in ("add", "subtract") and side == 0)
    if part.operation in ("multiply", "divide"):
        return inner in ("multiply", "divide") and side == 0
    return part.operation == "subtract" and (inner in _TIGHT or side == 0)


def _closed(given: tuple[str, bool]) -> str:
    text, is_open = given
    return f"({text})" if is_open else text

"""Functions that are being evaluated: the values of their names, and what can be left in them."""

from __future__ import annotations

import ast
import dataclasses
import types
from collections.abc import Callable

from speedmetal.common.records import field, record
from speedmetal.frontend.emit import Block, Flag
from speedmetal.frontend.parse import Parsed
from speedmetal.frontend.values import Value


class Env:
    """Values of names, as an overlay over the values at the start of a region."""

    __slots__ = ("base", "own")

    def __init__(self, base: Env | None = None) -> None:
        self.base = base
        self.own: dict[str, Value] = {}

    def get(self, name: str) -> Value | None:
        env: Env | None = self
        while env is not None:
            found = env.own.get(name)
            if found is not None:
                return found
            env = env.base
        return None

    def names(self) -> set[str]:
        """Every name that has a value."""
        return {*self.own, *(self.base.names() if self.base is not None else ())}

    def changes_since(self, base: Env) -> dict[str, Value]:
        """What was bound since ``base`` was the environment."""
        layers = []
        env: Env | None = self
        while env is not None and env is not base:
            layers.append(env.own)
            env = env.base
        changes: dict[str, Value] = {}
        for layer in reversed(layers):
            changes.update(layer)
        return changes


@record(frozen=False, eq=False)
class Label:
    """A region that can be left early without a jump of the IR: an inlined call, an unrolled turn.

    Args:
        flag: Tells the code after a partial exit whether the region was left.
        home: The block in which the region stands.
        depth: Number of the IR's loops around it.
        env: The environment at its start.
        exits: What was bound, at each exit, since then.
    """

    flag: Flag
    home: Block
    depth: int
    env: Env
    exits: list[dict[str, Value]] = field(default_factory=list)


@record(frozen=False, eq=False)
class Loop:
    """A loop of the IR: what was bound at each way round and out, and labels left from inside."""

    env: Env
    continues: list[dict[str, Value]] = field(default_factory=list)
    breaks: list[dict[str, Value]] = field(default_factory=list)
    exits: set[Label] = field(default_factory=set)


@record(frozen=False, eq=False)
class Unrolled:
    """A loop that is unrolled: what ``break`` and ``continue`` leave."""

    leave: Label
    turn: Label | None = None


@record(eq=False)
class Consumer:
    """What becomes of the items of a generator.

    Args:
        each: Takes one, with the expression that it comes from.
        counts: Whether it has to know while compiling how many they are.
    """

    each: Callable[[Value, ast.expr], None]
    counts: bool = False


@record(eq=False)
class Pin:
    """A name's value in a turn of an unrolled loop, and the variable that holds it afterwards."""

    value: Value
    variable: Value


@dataclasses.dataclass(slots=True, eq=False)  # to mypy, a record's function would be a method
class Frame:
    """A function that is being evaluated.

    Args:
        parsed: Its tree.
        function: The Python function whose globals it sees.
        number: Identifies the frame; the same from run to run.
        env: Values of its names.
        parent: The frame around it, for a function defined inside a kernel.
        label: What ``return`` leaves; None where ``return`` is the IR's.
        pinned: Names of the turns around that are known while compiling, though variables.
    """

    parsed: Parsed
    function: types.FunctionType
    number: int
    env: Env
    parent: Frame | None = None
    label: Label | None = None
    result: Value | None = None  # of a return that ends the function on every way
    loops: list[Loop | Unrolled] = dataclasses.field(default_factory=list)
    pinned: dict[str, Pin] = dataclasses.field(default_factory=dict)
    consumer: Consumer | None = None  # where the frame is a generator

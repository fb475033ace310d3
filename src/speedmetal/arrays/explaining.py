"""What an evaluation would do, told before it is done: :func:`explain`."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred import schedule
from speedmetal.arrays.deferred.following import Follower, follower_of
from speedmetal.arrays.deferred.pending import Call, View
from speedmetal.arrays.deferred.wording import letter, shortened, text_of
from speedmetal.common.records import record
from speedmetal.errors import UserInputError
from speedmetal.frontend.signature import with_article
from speedmetal.frontend.structure import Structure
from speedmetal.launch.expressions import Number


@record
class Step:
    """One kernel, or one call of a routine.

    Args:
        name: ``"elementwise"``, or the name of the operation that has a kernel of its own.
        results: The names of what it makes.
        text: What it computes.
        reads: The names of the arrays in memory that it reads.
        bytes_read: Of these, each counted once.
        bytes_written: Of the results.
        reasons: Why each of the results gets memory.
    """

    name: str
    results: tuple[str, ...]
    text: str
    reads: tuple[str, ...]
    bytes_read: int
    bytes_written: int
    reasons: tuple[str, ...]


class Explanation:
    """The steps of an evaluation; printed as text, and drawn in notebooks.

    Attributes:
        steps: In the order in which they would run.
        given: The arrays in memory that they read: name, shape, dtype.
    """

    def __init__(self, steps: Sequence[Step], given: Sequence[tuple[str, str]]) -> None:
        self.steps = tuple(steps)
        self.given = tuple(given)

    def __str__(self) -> str:
        if not self.steps:
            return "nothing to compute: the memory is there"
        lines = [f"in memory: {', '.join(f'{name} {kind}' for name, kind in self.given)}"]
        for number, step in enumerate(self.steps, 1):
            lines.append(f"{number}. {step.name}: {', '.join(step.results)} = {step.text}")
            lines.append(
                f"   reads {_size(step.bytes_read)} ({', '.join(step.reads) or 'nothing'}),"
                f" writes {_size(step.bytes_written)}"
            )
            lines += [
                f"   {name} gets memory: {reason}"
                for name, reason in zip(step.results, step.reasons, strict=True)
            ]
        total = sum(step.bytes_read + step.bytes_written for step in self.steps)
        lines.append(f"{_count(len(self.steps), 'step')}, {_size(total)} moved")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Boxes from top to bottom, one for each step, with what it reads and makes."""
        boxes = [
            '<div style="border:1px solid #8888;border-radius:6px;padding:6px 10px;margin:4px 0;'
            'display:inline-block">'
            f"<b>{html.escape(', '.join(step.results))}</b> = <code>{html.escape(step.text)}</code>"
            f"<br><small>{html.escape(step.name)}: reads {_size(step.bytes_read)}"
            f" ({html.escape(', '.join(step.reads) or 'nothing')}), writes"
            f" {_size(step.bytes_written)}; {html.escape('; '.join(step.reasons))}</small></div>"
            for step in self.steps
        ]
        given = ", ".join(f"<b>{html.escape(n)}</b> {html.escape(k)}" for n, k in self.given)
        arrow = '<div style="padding-left:2em">&#8595;</div>'
        return f"<div>{given}</div>{arrow}{arrow.join(boxes)}"


def explain(*arrays: Any) -> Explanation:
    """What :func:`speedmetal.eval` of these arrays would do; nothing is computed.

    It tells the kernels and routines in their order, what each computes from which arrays, the
    bytes that it moves, and why each piece of memory is made.

    Args:
        arrays: Lazy ones, or such whose memory is there.

    Raises:
        UserInputError: Something else was given.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.ones(1000)
        >>> sm.explain(2 * x + sm.sin(x))
        in memory: a (1000,) float32
        1. elementwise: r = 2.0 * a + sin(a)
           reads 4.0 KB (a), writes 4.0 KB
           r gets memory: it is asked for
        1 step, 8.0 KB moved
    """
    for array in arrays:
        if not isinstance(array, Array):
            raise UserInputError(f"explain takes arrays, got {with_article(type(array).__name__)}")
    return _Explainer(arrays).explain()


class _Explainer:
    """Walks as :func:`speedmetal.arrays.deferred.schedule.evaluate` does, and computes nothing."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.asked = arrays
        self.names: dict[int, str] = {}
        self.given: list[tuple[str, str]] = []
        self.made: dict[int, Any] = {}
        self.steps: list[Step] = []

    def explain(self) -> Explanation:
        for number, array in enumerate(self.asked):
            if array.pending is not None:
                self.names[id(array)] = "r" if len(self.asked) == 1 else f"r{number + 1}"
        waiting = list(self.asked)
        while waiting:
            array = waiting[-1]
            together = self._computed_with(waiting)
            known = {*self.made, *map(id, together)}
            needed = [x for x in schedule.needed_before(array) if id(x) not in known]
            if needed:
                waiting += needed
                continue
            waiting.pop()
            if array.pending is not None and id(array) not in self.made:
                self._note(array, together)
        return Explanation(self.steps, self.given)

    def _computed_with(self, waiting: list[Any]) -> list[Any]:
        """The arrays of the step that makes the last of those that wait."""
        array = waiting[-1]
        is_alone = type(array.pending) is not Structure or follower_of(array) is not None
        is_alone = is_alone or id(array) in self.made
        return [array] if is_alone else schedule.computed_with(waiting, self.made)

    def _note(self, array: Any, together: list[Any]) -> None:
        self.made.update((id(each), each) for each in together)
        pending = array.pending
        follower = follower_of(array)
        if follower is not None:
            self._note_follower(follower)
        elif type(pending) is Structure:
            text = "; ".join(text_of(each, self._name) for each in together)
            made = set(map(id, together))
            leaves = [leaf for each in together for leaf in each.leaves if id(leaf) not in made]
            self._note_step("elementwise", together, text, leaves)
        elif type(pending) is Call:
            self._note_step(pending.name, [array], self._call(pending), self._read_by(pending))

    def _note_follower(self, follower: Follower) -> None:
        """The call's kernel, which computes the follower as it stores."""
        array, call = follower.array, follower.call
        result = id(array.leaves[follower.hole])
        shown = self._call(call)
        text = text_of(array, lambda leaf: shown if id(leaf) == result else self._name(leaf))
        self._note_step(call.name, [array], text, self._read_by(call) + follower.arrays)

    def _call(self, call: Call) -> str:
        """A call as Python writes it."""
        shown = ", ".join(
            text_of(x, self._name)
            if type(x.pending) is Structure and id(x) not in self.made
            else self._name(x)
            for x in call.operands
        )
        return f"{call.name}({shown})"

    def _read_by(self, call: Call) -> list[Any]:
        return [leaf for operand in call.operands for leaf in self._read(operand)]

    def _read(self, operand: Any) -> list[Any]:
        is_fused = type(operand.pending) is Structure and id(operand) not in self.made
        return list(operand.leaves) if is_fused else [operand]

    def _note_step(self, name: str, results: list[Any], text: str, leaves: list[Any]) -> None:
        read = {self._name(leaf): leaf for leaf in leaves if type(leaf) is not Number}
        self.steps.append(
            Step(
                name,
                tuple(map(self._name, results)),
                shortened(text, 200),
                tuple(read),
                sum(_bytes_of(leaf) for leaf in read.values()),
                sum(array.elements.nbytes for array in results),
                tuple(map(self._reason, results)),
            )
        )

    def _reason(self, array: Any) -> str:
        if any(array is asked for asked in self.asked):
            return "it is asked for"
        if type(array.pending) is Structure and schedule.is_costly(array.pending):
            return (
                "it is read several times, and an element costs more to compute"
                f" ({array.pending.cost} additions) than to store"
            )
        if type(array.pending) is Call:
            return "a kernel of its own makes it"
        return "another array is a view of it"

    def _name(self, array: Any) -> str:
        if type(array.pending) is View:
            base = self._name(array.pending.base)
            return f"{base}[view]"
        if id(array) not in self.names:
            is_given = array.pending is None
            taken = len(self.given) if is_given else len(self.names) - len(self.given)
            name = letter(taken) if is_given else f"t{taken}"
            self.names[id(array)] = name
            if is_given:
                self.given.append((name, f"{array.shape} {array.layout.dtype.name}"))
        return self.names[id(array)]


def _bytes_of(array: Any) -> int:
    """Of the elements that lie apart in memory."""
    size = array.elements.itemsize
    for extent, stride in zip(array.elements.shape, array.elements.strides, strict=True):
        size *= extent if stride else 1
    return int(size)


def _size(count: int) -> str:
    """Bytes in decimal units.

    >>> _size(999), _size(4000), _size(1_500_000)
    ('999 B', '4.0 KB', '1.5 MB')
    """
    size, units = float(count), ["B", "KB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{count} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")

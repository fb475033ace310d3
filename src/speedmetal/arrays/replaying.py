"""Small calls, made again: the launches of the first time, with other arrays.

On a GPU the work of a call of few bytes is done before the host has asked for it: what it costs is
Python, which finds out once more what it found out before. So a function that is marked
:func:`replayed` is called twice for each way in which its arguments can lie, and traced the second
time (:meth:`speedmetal.backends.device.Device.trace`); later calls take one look-up, memory for
what it makes, and its launches. Their results are in memory, not lazy.

It is for functions that do the same for all arrays that lie alike: no function of it draws random
numbers, looks at elements on the host, or writes to what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from math import copysign, isnan
from typing import Any, TypeVar, cast

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred import schedule
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.backends.device import Buffer, Device, LaunchLayout, Replay
from speedmetal.backends.launch_names import Naming
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.launch.direct import watched
from speedmetal.launch.modes import stated_debug_level, stated_math_mode

FEW_BYTES = 1 << 24
"""Of the arrays of a call together, and of its results: an H200 moves as many in 4 us, where Python
takes 10 to find the launches that it knows, and 20 to 80 to find out about them. What follows would
have been computed along with a lazy result; so it costs as many microseconds more."""

MORE_BYTES = 1 << 28
"""Of the arrays of a call whose results are small beside them, as a reduction's: what the host does
for more, the card's own time hides."""

MANY_TIMES = 64
"""Smaller must these results be."""

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PLAIN = frozenset({int, bool, str, type(None), type, DType})
_math_mode, _debug_level = stated_math_mode, stated_debug_level


def replayed(function: _Function) -> _Function:
    """Mark a function whose small calls are replayed: its first argument is, or has, an array."""

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        first: Any = arguments[0] if arguments else None
        if type(first) is list or type(first) is tuple:
            first = first[0] if first else None
        is_there = type(first) is Array and first.pending is None
        if not is_there or not first.layout.device.has_traces:
            return function(*arguments, **named)
        return _called(function, first.layout.device, arguments, named)

    call.is_replayed = True  # type: ignore[attr-defined]
    return cast("_Function", call)


@record(eq=False)
class _Known:
    """How a call is made again.

    Args:
        replay: Its launches.
        given: Which of its arrays they are told of.
        kind: What it gives: an array, or a tuple of them.
        results: Their elements' layouts, and those for launches.
    """

    replay: Replay
    given: tuple[int, ...]
    kind: type
    results: tuple[tuple[Layout, LaunchLayout], ...]


_known: Kept[_Known | None] = Kept(4096)
_met: Kept[bool] = Kept(4096)
"""Calls that were made once: what is different each time, as an offset may be, is not traced."""


def _called(
    function: Callable[..., Any],
    device: Device,
    arguments: tuple[Any, ...],
    named: dict[str, Any],
) -> Any:
    arrays: list[Array] = []
    key: list[Any] = [function, _math_mode.get(), _debug_level.get(), *named]
    is_plain = _read(arguments, key, arrays) and _read(tuple(named.values()), key, arrays)
    if not is_plain or Naming.count or schedule.AtOnce.count:
        return function(*arguments, **named)
    if len(arrays) > 1:
        _read_memory(arrays, key)
    known = _known.get(tuple(key))
    if known is not None:
        return _made_again(known, device, arrays)
    if tuple(key) in _known or not _may_be_small(arrays, device):
        return function(*arguments, **named)
    if tuple(key) not in _met:
        _met.keep(tuple(key), True)
        return function(*arguments, **named)
    return _traced(function, device, arguments, named, arrays, tuple(key))


def _read(values: tuple[Any, ...], key: list[Any], arrays: list[Array]) -> bool:
    """Add to a key what arguments are, and arrays to the others; whether all are plain."""
    for value in values:
        kind = type(value)
        if kind is Array:
            if value.pending is not None:
                return False
            key.append(value.layout)
            arrays.append(value)
        elif kind in _PLAIN:
            key += (kind, value)
        elif kind is float and not isnan(value):  # which no key has again
            key += (kind, value, copysign(1.0, value))
        elif kind is tuple or kind is list:
            key += (kind, len(value))
            if not _read(tuple(value), key, arrays):
                return False
        else:
            return False
    return True


def _read_memory(arrays: Sequence[Array], key: list[Any]) -> None:
    """Add to a key which arrays have memory in common, and how they lie in it."""
    first: dict[int, int] = {}
    for number, array in enumerate(arrays):
        known = first.setdefault(id(array.buffer), number)
        if known != number:
            key.append((number, known, array.address - arrays[known].address))


def _may_be_small(arrays: Sequence[Array], device: Device) -> bool:
    """Whether a call can be, by its arguments; see :func:`_are_few`, which its results decide."""
    total = sum(array.elements.nbytes for array in arrays)
    return 0 < total <= MORE_BYTES and all(
        array.elements.nbytes and array.layout.device is device for array in arrays
    )


def _traced(
    function: Callable[..., Any],
    device: Device,
    arguments: tuple[Any, ...],
    named: dict[str, Any],
    arrays: Sequence[Array],
    key: tuple[Any, ...],
) -> Any:
    """What the function gives, and how that is made is kept."""
    with device.trace() as trace:
        found = function(*arguments, **named)
        if trace is None:
            return found
        results = found if isinstance(found, tuple) else (found,)
        if all(type(result) is Array for result in results) and _are_few(results, arrays):
            schedule.evaluate(results)
            owners = {id(array.buffer): number for number, array in reversed([*enumerate(arrays)])}
            given = tuple(sorted(owners.values()))
            replay = trace.finish(
                [(arrays[number].address, arrays[number].buffer) for number in given],
                [result.buffer for result in results],
            )
            layouts = tuple((result.elements, result.layout) for result in results)
            if replay is None:
                known = None
            else:
                steps = [watched(step) for step in replay.steps]
                known = _Known(replay._replace(steps=steps), given, type(found), layouts)
        else:
            known = None
    _known.keep(key, known)
    return found


def _are_few(results: Sequence[Array], arrays: Sequence[Array]) -> bool:
    """Whether the results of a call are worth to be made at once."""
    made, given = (sum(array.elements.nbytes for array in each) for each in (results, arrays))
    is_small = given <= FEW_BYTES or made * MANY_TIMES <= given
    return 0 < made <= FEW_BYTES and is_small and all(r.elements.nbytes for r in results)


def _made_again(known: _Known, device: Device, arrays: Sequence[Array]) -> Any:
    replay = known.replay
    memory: list[Buffer] = [device.allocate(size) for size in replay.sizes]
    values = [arrays[number].address for number in known.given]
    values += [buffer.address for buffer in memory]
    values.append(0)
    for run in replay.steps:
        run(values)
    if known.kind is Array:
        return Array(memory[replay.results[0]], *known.results[0])
    results = [
        Array(memory[number], *layouts)
        for number, layouts in zip(replay.results, known.results, strict=True)
    ]
    return tuple(results) if known.kind is tuple else known.kind(*results)

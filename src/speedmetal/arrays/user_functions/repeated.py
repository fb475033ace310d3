"""Calls with functions of the user's that are made again, on operands that lie as others did.

The types of what is computed, its shape, the order in which a kernel walks over it and the kernel
are found once. What is kept of them is known by the functions and by a look at each operand, as a
launch's plan is: so a call that is made again makes memory and launches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.backends.device import Device, LaunchLayout
from speedmetal.common.records import record
from speedmetal.frontend.forms import Tree, rebuild
from speedmetal.launch.modes import stated_debug_level, stated_math_mode
from speedmetal.launch.plan import Plan, is_current, run_with_care
from speedmetal.launch.readers import read_argument

_debug_level, _math_mode = stated_debug_level, stated_math_mode

Fresh = tuple[Layout, LaunchLayout, int]
"""Where the elements of a new array are, for views and for launches, and its bytes."""


@record(eq=False)
class Step:
    """A launch. Its values are addresses of what it makes, numbers of the functions that it is
    given, values of what it reads, and numbers.

    Arrays may have other axes there than the operands. But results are new and have no axis that
    goes backwards, so none is turned around, and the first element is the first one here as there.

    Args:
        plan: Of the launch.
        made: What it writes to.
        functions: Which of the call's functions it is given.
        init: The numbers that come after those of the functions.
        numbers: The last of the values.
    """

    plan: Plan
    made: tuple[Fresh, ...]
    functions: tuple[int, ...]
    init: tuple[Any, ...]
    numbers: tuple[int, ...]


@record(eq=False)
class Known:
    """What is kept of a call.

    Args:
        steps: Its launches. The first reads the operands, the others what the one before made.
        form: Of its results, with anything in their places.
    """

    steps: tuple[Step, ...]
    form: Tree


@record(eq=False)
class Given:
    """What a call is given, read once.

    Args:
        key: All that its launches depend on.
        functions: The values of each function's numbers.
        operands: Those of the operands.
        device: Where the operands are.
    """

    key: tuple[Any, ...]
    functions: tuple[list[Any], ...]
    operands: list[Any]
    device: Device


_kept: Kept[Known] = Kept(1024)


def are_in_memory(operands: Sequence[Any]) -> bool:
    """Whether they are arrays in memory, one at least, and Python's numbers."""
    arrays = [x for x in operands if isinstance(x, Array)]
    return bool(arrays) and all(
        x.pending is None if isinstance(x, Array) else type(x) in _NUMBERS for x in operands
    )


_NUMBERS = frozenset({bool, int, float, complex})


def read(what: tuple[Any, ...], functions: Sequence[Any], operands: Sequence[Any]) -> Given:
    """Read what a call is given.

    Args:
        what: All that its launches depend on besides the functions and the operands.
        functions: The user's, one and the same for all that mean the same; None for none.
        operands: Arrays whose leaves are in memory, and numbers.
    """
    key: list[Any] = [*what, _math_mode.get(), _debug_level.get()]
    numbers: list[list[Any]] = []
    for function in functions:
        own: list[Any] = []
        read_argument(function, key, own)
        numbers.append(own)
    values: list[Any] = []
    device = None
    for operand in operands:
        read_argument(operand, key, values)
        if isinstance(operand, Array):
            device = operand.layout.device
            if operand.pending is not None:
                key.append(operand.layout)  # how an expression's elements are said to lie
    assert device is not None
    return Given(tuple(key), tuple(numbers), values, device)


def known(given: Given) -> Known | None:
    """What is kept of such a call; None: there was none, or its functions mean something else."""
    try:
        found = _kept.get(given.key)
    except TypeError:  # a function without a hash
        return None
    if found is None or not all(is_current(step.plan) for step in found.steps):
        return None
    return found


def keep(given: Given, steps: Sequence[Step], form: Tree) -> Known:
    """Keep what such calls are."""
    found = Known(tuple(steps), form)
    try:
        return _kept.keep(given.key, found)
    except TypeError:
        return found


def launched(call: Known, given: Given) -> list[Array]:
    """The results of a call, in memory."""
    read_values, made = given.operands, []
    for step in call.steps:
        made = [
            Array(given.device.allocate(size_bytes), elements, layout)
            for elements, layout, size_bytes in step.made
        ]
        values: list[Any] = [0]
        values += [x.address for x in made]
        for place in step.functions:
            values += given.functions[place]
        values += step.init
        values += read_values
        values += step.numbers
        run_with_care(step.plan, values)
        read_values = [x.address for x in made]
    return made


def computed(given: Given, find: Callable[[], Sequence[Step]], form: Tree) -> list[Array]:
    """The results of a call, in memory.

    Args:
        given: What it is given.
        find: Finds its launches, where such a call was not made before.
        form: Of the results.
    """
    return launched(known(given) or keep(given, find(), form), given)


def called_again(given: Given) -> Any:
    """The results of a call in their form, where such a call was made before; else None."""
    found = known(given)
    return None if found is None else rebuild(found.form, launched(found, given))


def fresh(arrays: Sequence[Array]) -> tuple[Fresh, ...]:
    """Where elements of new arrays are to be as those of these are."""
    return tuple((x.elements, x.layout, x.elements.nbytes) for x in arrays)

"""Launches made again by machine code: what Python finds out about one takes as long as the driver.

A backend may say of what launches a plan how machine code does it (:class:`DirectLaunch`, the
attribute ``direct`` of a :data:`~speedmetal.backends.device.BoundLaunch`). When a plan was launched
some times, two builtins are made of it, from ``direct.c``: one takes the values of a launch, and
stands for what the backend gave; the other takes the arguments of a kernel's call, and says whether
it was the launch that it knows. Both do what Python would do, in the same order, or nothing: where
anything is unusual, Python goes on as ever.

What they read of objects they read through CPython's interface, but for the type of an object and
an array's own slots, whose offsets are found, and tried, once. Where these are not as they should
be, on other interpreters, and where threads run without a global lock, there are no such builtins.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from speedmetal.backends.device import (
    BoundLaunch,
    DirectLaunch,
    entered_devices,
)
from speedmetal.backends.stream import Batch
from speedmetal.launch.modes import stated_debug_level, stated_math_mode
from speedmetal.launch.waiting import WAITING
from speedmetal.system.digest import blake2b

SOURCE = Path(__file__).with_name("direct.c")
TEXT = Path(__file__).with_name("direct.ll")
IMAGE = Path(__file__).with_name("direct.image")
"""For x86-64 and Linux: a line with the digest of the text that it was made from; then an image."""

LAUNCHES_BEFORE = 32
"""Of a plan: machine code is made for what goes on, since to load it takes some milliseconds."""

MOST_CALLS = 4
"""Plans of one kernel that are kept so, the newest first: each that does not fit takes time."""

_WITH_ONE, _WITH_VECTOR = 0x0008, 0x0080  # METH_O, METH_FASTCALL
_BYTES_OFFSET = 32  # of the content of a bytes object, as direct.c has it

# struct api, in its order: objects first.
_FUNCTIONS = (
    *("PyObject_GetAttr", "PyDict_GetItemWithError", "PyContextVar_Get"),
    *("PyObject_RichCompareBool", "PyTuple_Size", "PyTuple_GetItem"),
    *("PyList_Size", "PyList_GetItem", "PyList_Append", "PyList_SetSlice"),
    *("PyLong_AsUnsignedLongLong", "PyLong_AsLongLong", "PyFloat_AsDouble"),
    *("PyErr_Occurred", "PyErr_Clear", "PyObject_Vectorcall", "Py_IncRef", "Py_DecRef"),
    *("PyBool_FromLong", "PyEval_SaveThread", "PyEval_RestoreThread"),
)
_OBJECTS = (None, False, True, int, float, list, tuple)
_ARGUMENT_KINDS = {int: "i", float: "f"}
"""How numbers among a kernel's arguments are packed; large integers are packed otherwise."""
_KINDS = {"Q": 0, "i": 1, "q": 2, "I": 3, "f": 4, "d": 5}  # how struct packs them; enum


def digest_of(source: bytes) -> str:
    """What tells states of the source apart."""
    return blake2b(source, digest_size=10).hexdigest()


def machine_code() -> bytes:
    """Of ``direct.ll``: as it comes along, or compiled here once, in a third of a second."""
    from speedmetal.backends.cpu.image import CAN_MAP

    text = TEXT.read_bytes()
    made_of, _, image = IMAGE.read_bytes().partition(b"\n")
    if CAN_MAP and made_of.decode() == digest_of(text):
        return image
    from speedmetal.backends.cpu.identity import code_identity
    from speedmetal.system.disk_cache import default_cache

    key = f"direct launches {digest_of(text)} {code_identity()}"
    return default_cache().get_or_build(key, lambda: compiled(text.decode()))


def compiled(text: str) -> bytes:
    """The machine code of such a text for this computer."""
    from speedmetal.backends.cpu.jit import compile_object, prepare_for_loading

    return prepare_for_loading(compile_object(text))


class _Method(ctypes.Structure):
    """``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("text", ctypes.c_char_p),
    )


class _Code:
    """The machine code, and what it is given of the interpreter."""

    def __init__(self) -> None:
        from speedmetal.backends.cpu.jit import load  # a program may run nothing on the CPU

        self._loaded = load(machine_code(), "sm_run", "sm_launch")
        self._run = self._method(b"sm_run", _WITH_ONE)
        self._launch = self._method(b"sm_launch", _WITH_VECTOR)
        python = ctypes.pythonapi
        functions = [ctypes.cast(getattr(python, name), ctypes.c_void_p) for name in _FUNCTIONS]
        self.api = _words(*map(id, _OBJECTS), *(function.value for function in functions))
        self._make = python.PyCFunction_NewEx
        self._make.restype = ctypes.py_object
        self._make.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.py_object)
        # For good: builtins run it, and look into their methods as they end, which some do when the
        # interpreter has let go of modules.
        python.Py_IncRef(ctypes.py_object(self))

    def _method(self, name: bytes, flags: int) -> _Method:
        return _Method(name, self._loaded.address(name.decode()), flags, None)

    def run(self, words: Any, kept: tuple[Any, ...]) -> Any:
        """The builtin ``sm_run`` of a ``struct launch``, which keeps some objects."""
        return self._builtin(self._run, words, kept)

    def launch(self, words: Any, kept: tuple[Any, ...]) -> Any:
        """The same of ``sm_launch`` and a ``struct kernel``."""
        return self._builtin(self._launch, words, kept)

    def _builtin(self, method: _Method, words: Any, kept: tuple[Any, ...]) -> Any:
        # In tuples alone, which the collector of cycles leaves as they are: a finaliser may launch
        # a kernel that nothing else refers to any more.
        given = ctypes.addressof(words).to_bytes(8, sys.byteorder)
        return self._make(ctypes.addressof(method), given, (words, kept))


@functools.cache
def _code() -> _Code | None:
    """The machine code; None where there can be none."""
    is_locked = getattr(sys, "_is_gil_enabled", lambda: True)()
    is_usual = sys.implementation.name == "cpython" and sys.maxsize > 1 << 32
    # The cache of machine code is not for Windows.
    if not is_locked or not is_usual or sys.platform == "win32" or not _is_as_known():
        return None
    try:
        return _Code()
    except Exception:  # noqa: BLE001 - memory that may not be executed, no folder for the cache
        return None


def _is_as_known() -> bool:
    """Whether objects have their types, bytes their content, and slots their values where we look.

    Which is so on all versions of CPython with a lock for the interpreter.
    """

    class Slotted:
        __slots__ = ("first", "second")

    probe, content, found = Slotted(), b"speedmetal", Slotted
    probe.first, probe.second = content, found  # type: ignore[attr-defined]
    places = _offset(Slotted, "first"), _offset(Slotted, "second")
    return (
        bytes.__basicsize__ - 1 == _BYTES_OFFSET
        and ctypes.string_at(id(content) + _BYTES_OFFSET, len(content)) == content
        and all(_word_at(id(each) + 8) == id(type(each)) for each in (probe, content, 1, 1.0))
        and [_word_at(id(probe) + place) for place in places] == [id(content), id(found)]
    )


def _word_at(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def _offset(cls: type, name: str) -> int:
    """Where instances have a slot, as its descriptor says: ``PyMemberDescrObject.d_member``."""
    descriptor = getattr(cls, name)
    assert type(descriptor).__name__ == "member_descriptor"
    member = _word_at(id(descriptor) + 40)
    return ctypes.c_ssize_t.from_address(member + 16).value


def _words(*values: int | None) -> Any:
    return (ctypes.c_uint64 * max(len(values), 1))(*[(v or 0) & (1 << 64) - 1 for v in values])


def _table(rows: Sequence[Sequence[int]]) -> Any:
    return _words(*[value for row in rows for value in row])


def _facts(facts: Sequence[tuple[Any, str, Any]]) -> tuple[int, Any]:
    """How many there are, and ``struct fact`` of each."""
    return len(facts), _table([tuple(map(id, fact)) for fact in facts])


def _place(owner: Any, name: str) -> int:
    """The address of an object's slot."""
    return id(owner) + _offset(type(owner), name)


def _sorted(facts: Sequence[tuple[Any, str, Any]]) -> tuple[list[Any], list[Any]]:
    """Those about slots, as ``struct slot``, and the others."""
    slots, others = [], []
    for owner, name, value in facts:
        if type(getattr(type(owner), name, None)).__name__ == "member_descriptor":
            slots.append((_place(owner, name), id(value)))
        else:
            others.append((owner, name, value))
    return slots, others


class Direct:
    """The machine code's view of a plan.

    Args:
        code: The machine code.
        offer: The backend's.
        slow: What else launches it.

    Attributes:
        run: The builtin, which is a ``BoundLaunch``.
        numbers: The ``struct number`` of each value that the kernel takes, by the value's place.
        words: The ``struct launch``.
    """

    def __init__(self, code: _Code, offer: DirectLaunch, slow: BoundLaunch) -> None:
        self.code = code
        self.offer = offer
        methods = offer.lock.acquire, offer.lock.release
        slots, facts = _sorted(offer.facts)
        words = _table(slots), _table([tuple(map(id, fact)) for fact in facts])
        stream = _words(
            *(_place(offer.stream, name) for name in ("_batch", "_pending", "limits", "_is_busy")),
            *(_offset(Batch, name) for name in ("submission", "labels")),
            *(_offset(type(offer.stream.limits), "launches"), *map(id, methods)),
            *(len(slots), ctypes.addressof(words[0]), len(facts), ctypes.addressof(words[1])),
        )
        rows = [(place, more, _KINDS[kind], target) for place, kind, target, more in offer.numbers]
        numbers = _table(rows)
        self.numbers = {row[0]: row for row in rows}
        pairs = _table(
            [(self.numbers[p[0]][3], self.numbers[p[1]][3], p[2], p[3]) for p in offer.pairs]
        )
        self.words = _words(
            *(ctypes.addressof(code.api), ctypes.addressof(stream), id(offer.label)),
            *(offer.driver, offer.given, offer.entry, offer.parameters),
            *(len(offer.numbers), ctypes.addressof(numbers)),
            *(len(offer.pairs), ctypes.addressof(pairs), id(slow)),
        )
        self.kept = (
            *offer.everything(),
            slow,
            methods,
            tuple(facts),
            words,
            stream,
            numbers,
            pairs,
        )
        self.run = code.run(self.words, self.kept)

    def takes(self, arguments: Sequence[tuple[type, Any]]) -> bool:
        """Whether it packs the numbers among a kernel's arguments as their classes say.

        Args:
            arguments: As for :func:`direct_call`.
        """
        return all(
            self.numbers[place][2] == _KINDS[_ARGUMENT_KINDS[kind]]
            for place, (kind, layout) in enumerate(arguments, 1)
            if layout is None and place in self.numbers
        )


class _Call:
    """A ``struct kernel``.

    Attributes:
        call: Its builtin.
        words: The structure.
    """

    def __init__(self, code: _Code, words: Any, kept: tuple[Any, ...]) -> None:
        self.words = words
        self.call = code.launch(words, kept)


def direct_call(
    direct: Direct,
    arguments: tuple[tuple[type, Any], ...],
    key: Sequence[Any],
    dependencies: tuple[tuple[tuple[Any, str, Any], ...], ...],
    before: _Call | None,
    *,
    writes: bool,
) -> _Call:
    """What takes the arguments of a kernel's call.

    Args:
        direct: Of the plan.
        arguments: The class and the layout of each; None for numbers. The arrays have one class.
        key: Of the plan: grid, threads, debug level, device, devices entered, mathematics.
        dependencies: The names and the attributes that the plan depends on.
        before: What was made of this for another plan of the kernel, which is asked next.
        writes: Whether it writes to arrays, which lazy ones may wait to read.
    """
    grid, threads, _, _, entered, mode, *_ = key
    unused = _words(0)  # where what the kernel does not take goes
    rows = []
    for place, (kind, layout) in enumerate(arguments, 1):
        packed = _KINDS[_ARGUMENT_KINDS.get(kind, "Q")]
        number = direct.numbers.get(place, (0, 0, packed, ctypes.addressof(unused)))
        rows.append((id(kind), 0 if layout is None else id(layout), *number))
    table, cls = _table(rows), next(kind for kind, layout in arguments if layout is not None)
    variables: tuple[tuple[Any, str, Any], ...] = (
        (stated_debug_level, "", None),
        (entered_devices, "", entered),
        (stated_math_mode, "", mode),
    )
    tables = tuple(map(_facts, (variables, *dependencies)))
    words = _words(
        *(ctypes.addressof(direct.words), ctypes.addressof(before.words) if before else 0),
        *(id(grid), id(threads), id(WAITING) if writes else 0),
        *[word for count, facts in tables for word in (count, ctypes.addressof(facts))],
        *(len(arguments), ctypes.addressof(table)),
        *(_offset(cls, name) for name in ("pending", "layout", "address")),
    )
    others = None if before is None else (before.words, before.call)
    facts = variables, dependencies
    kept = (direct.words, direct.run, arguments, tuple(key), facts, tables, table, unused, others)
    return _Call(direct.code, words, kept)


def watched(run: BoundLaunch, then: Callable[[Direct], None] | None = None) -> BoundLaunch:
    """What launches a plan: Python at first, machine code when it was launched some times.

    Args:
        run: The backend's; where it has no ``direct``, it is what is given back.
        then: Called with what was made of it.
    """
    if not hasattr(run, "direct"):
        return run
    count, launch_it = 0, run

    def run_watched(values: list[Any]) -> None:
        nonlocal count, launch_it
        if count < LAUNCHES_BEFORE:
            count += 1
            if count >= LAUNCHES_BEFORE and (direct := _direct(run)) is not None:
                launch_it = direct.run
                if then is not None:
                    then(direct)
        launch_it(values)

    return run_watched


def _direct(run: BoundLaunch) -> Direct | None:
    """What launches a plan by machine code; None where that cannot be."""
    offer: DirectLaunch | None = run.direct()  # type: ignore[attr-defined]
    if offer is None or any(kind not in _KINDS for _, kind, _, _ in offer.numbers):
        return None
    code = _code()
    return None if code is None else Direct(code, offer, run)

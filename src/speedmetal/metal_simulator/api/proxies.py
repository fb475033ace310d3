"""The bridge: classes whose methods check each message against the table before it is sent.

A proxy is what Python holds of a native object. Its methods are generated from the table's rows, as
plain functions: a launch sends several messages, and each may cost about a microsecond.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import CodeType
from typing import Any, NoReturn, Self
from weakref import ref

from speedmetal.metal_simulator.api import conversions, sdk
from speedmetal.metal_simulator.api.conversions import LARGEST_UINT, Place
from speedmetal.metal_simulator.api.facts import Argument, Owner, Selector, Version
from speedmetal.metal_simulator.api.native import Native, System
from speedmetal.metal_simulator.api.structures import STRUCTURES
from speedmetal.metal_simulator.api.validation import MetalValidationError

_STRUCTURE_KINDS = {
    structure.name: tuple(kind for _, kind in structure.fields)
    for structure in sdk.STRUCTURES.values()
}
_PLAIN_CONVERSIONS = {
    "int": "to_int",
    "byte": "to_byte",
    "address": "to_address",
    "bool": "to_bool",
    "double": "to_double",
    "string": "to_string",
    "dict": "to_dict",
    "selector": "to_selector",
    "null": "to_nothing",
}
_PLAIN_RESULTS = frozenset(
    {"", "uint", "int", "bool", "double", "string", "memory", "NSData", "object"}
)


class ObjectProxy:
    """What Python holds of an Objective-C object."""

    __slots__ = ("__weakref__", "native")

    def __new__(cls, *_: object) -> Self:
        raise TypeError(f"{cls.__name__} is made with alloc().init(), or by another object")

    def __setattr__(self, name: str, _: object) -> NoReturn:
        setter = f"set{name[:1].upper()}{name[1:]}_"
        raise AttributeError(
            f"{type(self).__name__}: attributes of Objective-C objects are not assigned; "
            f"send {setter}(value)"
        )

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(_explain_missing(type(self).__name__, name))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {id(self):#x}>"


def _explain_missing(owner: str, name: str) -> str:
    """Why an owner has no such attribute: it is nowhere, elsewhere, or younger than the system."""
    shown = f"{owner} has no selector {name.replace('_', ':')!r}"
    known = {selector.name: selector for _, selector in sdk.selectors(owner)}
    if name in known:
        since = ".".join(map(str, known[name].introduced))
        return f"{shown} on this macOS: it came with {since}; guard its use"
    holders = [holder.name for holder, _ in sdk.find_selectors(name)]
    if holders:
        return f"{shown}; {' and '.join(holders)} has it"
    near = difflib.get_close_matches(name, known, n=2)
    return f"{shown}; did you mean {' or '.join(near)}?" if near else shown


class Bridge:
    """The proxy classes of one simulated Mac.

    Args:
        system: What the native objects share.
        natives: The class of native objects of each owner.
    """

    def __init__(self, system: System, natives: Mapping[str, type[Native]]) -> None:
        self.system = system
        self.classes: dict[str, type[ObjectProxy]] = {}
        # Selectors whose metadata says that their result is already retained.
        self.already_retained: set[str] = set()
        system.wrap = self.wrap
        self._create = object.__new__
        self._set_native = vars(ObjectProxy)["native"].__set__
        for owner in sdk.OWNERS.values():
            if owner.introduced <= system.configuration.os_version:
                self._add(owner, natives[owner.name])

    def wrap(self, native: Any) -> Any:
        """The proxy of a native object, the same one for as long as Python holds it."""
        if native is None:
            return None
        held = native.proxy
        if held is not None:
            proxy = held()
            if proxy is not None:
                return proxy
        proxy = self._create(self.classes[native.OWNER])
        self._set_native(proxy, native)
        native.proxy = ref(proxy)
        return proxy

    def wrap_any(self, value: Any) -> Any:
        """A value as Python sees it: objects wrapped, also inside lists and dictionaries."""
        if isinstance(value, Native):
            return self.wrap(value)
        if isinstance(value, list | tuple):
            return tuple(self.wrap_any(item) for item in value)
        if isinstance(value, dict):
            return {key: self.wrap_any(item) for key, item in value.items()}
        return value

    def unwrap_all(self, values: Iterable[Any] | None) -> list[Any] | None:
        """The native objects of a list; values of Python stay as they are."""
        return None if values is None else [self.unwrap(value) for value in values]

    def unwrap(self, value: Any) -> Any:
        """The native object of a proxy; a value of Python stays as it is."""
        return value.native if isinstance(value, ObjectProxy) else value

    def block(self, function: Callable[..., Any] | None) -> Callable[..., None] | None:
        """A Python function as Objective-C calls it."""
        if function is None:
            return None

        def call(*arguments: Any) -> None:
            function(*(self.wrap_any(argument) for argument in arguments))

        return call

    def own(self, native: Any, selector: str) -> Any:
        """The proxy of what a ``new...`` method gave, retained once too often by an old bridge."""
        if (
            native is not None
            and self.system.configuration.over_retains
            and selector not in self.already_retained
        ):
            self.system.over_retained.append(native)
        return self.wrap(native)

    def _add(self, owner: Owner, native: type[Native]) -> None:
        parents = tuple(self.classes[name] for name in owner.parents if name in self.classes)
        members: dict[str, Any] = {"__slots__": ()}
        available = self.system.configuration.os_version
        for selector in _available(owner, available):
            code = _compile_method(owner, selector, _sends_property(native, selector))
            members[selector.name] = self._method(owner, selector, code, native)
        if not parents:
            parents = (self.classes.get("NSObject", ObjectProxy),)
        proxy = type(owner.name, parents, members)
        self.classes[owner.name] = proxy
        if owner.is_class:
            self._add_creation(proxy, native)

    def _add_creation(self, proxy: Any, native: type[Native]) -> None:
        system, wrap = self.system, self.wrap

        class Allocated:
            """An object between ``alloc`` and ``init``."""

            __slots__ = ()

            def init(self) -> Any:
                system.messages += 1
                return wrap(native.create(system))

        def alloc() -> Allocated:
            system.messages += 1
            return Allocated()

        def new() -> Any:
            system.messages += 1
            return wrap(native.create(system))

        proxy.alloc = staticmethod(alloc)
        proxy.new = staticmethod(new)

    def _method(self, owner: Owner, selector: Selector, code: CodeType, native: Any) -> Any:
        names: dict[str, Any] = {
            "system": self.system,
            "bridge": self,
            "wrap": self.wrap,
            "native_class": native,
            "LARGEST_UINT": LARGEST_UINT,
            "MetalValidationError": MetalValidationError,
            **{name: getattr(conversions, name) for name in dir(conversions) if name[:2] == "to"},
            "check_bytes": conversions.check_bytes,
            "STRUCTURES": STRUCTURES,
            "STRUCTURE_KINDS": _STRUCTURE_KINDS,
            "classes": self.classes,
        }
        for index, argument in enumerate(selector.arguments):
            names[f"place{index}"] = Place(owner.name, selector.objective_c, index, argument.text)
        exec(code, names)  # noqa: S102 - written below from the table's own rows
        function = names[selector.name]
        return staticmethod(function) if selector.of_class else function


def _available(owner: Owner, system: Version) -> Iterator[Selector]:
    return (selector for selector in owner.selectors if selector.introduced <= system)


def _sends_property(native: type[Native], selector: Selector) -> str | None:
    """The property that a selector reads or sets, where its native class has no method for it."""
    if hasattr(native, selector.name):
        return None
    name = selector.name
    if name.startswith("set") and name.endswith("_"):
        name = name[3].lower() + name[4:-1]
        if name[:3] == "uRL":
            name = "URL" + name[3:]
    elif selector.arguments:
        raise MetalValidationError(f"{native.__name__} has no {selector.name}")
    if name not in native.PROPERTIES:
        raise MetalValidationError(f"{native.__name__} has neither {selector.name} nor {name}")
    return name


@cache
def _compile_method(owner: Owner, selector: Selector, attribute: str | None) -> CodeType:
    """The function of a row: counts the message, checks the arguments, sends it, wraps a result."""
    names = [f"a{index}" for index in range(len(selector.arguments))]
    receiver = [] if selector.of_class else ["self"]
    header = ", ".join([*receiver, *names, *(["/"] if names or receiver else [])])
    lines = ["system.messages += 1"]
    # The length of a C array may stand behind it, so arrays are checked last.
    for index, argument in sorted(
        enumerate(selector.arguments), key=lambda item: item[1].length_from is not None
    ):
        lines += _check(index, argument, selector)
    sent = [
        name
        for name, argument in zip(names, selector.arguments, strict=True)
        if not argument.out and argument.kind != "null"
    ]
    lines += _send(selector, attribute, sent)
    source = "\n".join(
        [
            f"def {selector.name}({header}):",
            "    try:",
            *(f"        {line}" for line in lines),
            "    except MetalValidationError as error:",
            "        system.violations.append(str(error))",
            "        raise",
        ]
    )
    return compile(source, f"<{owner.name} {selector.objective_c}>", "exec")


def _check(index: int, argument: Argument, selector: Selector) -> Iterator[str]:
    name, place, kind = f"a{index}", f"place{index}", argument.kind
    if argument.out:
        yield f"if {name} is not None: to_nothing({name}, {place})"
    elif argument.length_from is not None:
        count = f"a{argument.length_from}"
        if selector.arguments[argument.length_from].kind == "NSRange":
            count += "[1]"
        yield from _check_array(name, place, kind, count)
    elif kind == "uint":
        yield f"if {name}.__class__ is not int or not 0 <= {name} <= LARGEST_UINT:"
        yield f"    {name} = to_uint({name}, {place})"
    elif kind in _PLAIN_CONVERSIONS:
        yield f"{name} = {_PLAIN_CONVERSIONS[kind]}({name}, {place})"
    elif kind == "list":
        yield f"{name} = bridge.unwrap_all(to_sequence({name}, {place}))"
    elif kind == "object":
        yield f"{name} = bridge.unwrap({name})"
    elif kind == "block":
        yield f"{name} = bridge.block(to_block({name}, {place}))"
    elif kind in _STRUCTURE_KINDS:
        fields = len(_STRUCTURE_KINDS[kind])
        integers = " and ".join(
            f"{name}[{i}].__class__ is int and {name}[{i}] >= 0" for i in range(fields)
        )
        yield f"if not ({name}.__class__ is tuple and len({name}) == {fields} and {integers}):"
        yield f"    {name} = to_structure({name}, STRUCTURE_KINDS[{kind!r}], {place})"
    else:
        proxy = f"classes[{kind!r}]"
        yield f"if {name}.__class__ is {proxy}: {name} = {name}.native"
        yield f"else: {name} = to_native({name}, {proxy}, {place})"


def _check_array(name: str, place: str, kind: str, count: str) -> Iterator[str]:
    if kind == "bytes":
        yield f"if {name}.__class__ is not bytes or len({name}) < {count}:"
        yield f"    check_bytes({name}, {count}, {place})"
    elif kind == "uint":
        yield f"if {name}.__class__ is not list or len({name}) != {count} or not all("
        yield f"    [n.__class__ is int and n >= 0 for n in {name}]"
        yield f"): {name} = to_numbers({name}, {count}, {place})"
    else:
        yield f"proxy = classes[{kind!r}]"
        yield f"if {name}.__class__ is list and len({name}) == {count}:"
        yield f"    {name} = ["
        yield "        o.native if o.__class__ is proxy else to_native(o, proxy, "
        yield f"{place}) for o in {name}"
        yield "    ]"
        yield f"else: {name} = to_objects({name}, {count}, proxy, {place})"


def _send(selector: Selector, attribute: str | None, sent: list[str]) -> Iterator[str]:
    if attribute is not None:
        target = f"self.native.properties[{attribute!r}]"
        yield f"{target} = {sent[0]}" if sent else f"return {_wrap_result(selector, target)}"
        return
    receiver = "native_class" if selector.of_class else "self.native"
    arguments = ["system", *sent] if selector.of_class else sent
    call = f"{receiver}.{selector.name}({', '.join(arguments)})"
    if not selector.outputs:
        yield f"return {_wrap_result(selector, call)}"
        return
    yield f"result = {call}"
    parts = [_wrap_result(selector, "result[0]")] if selector.result else []
    first = len(parts)
    for index, output in enumerate(selector.outputs, first):
        parts.append(f"result[{index}]" if output.kind == "uint" else f"wrap(result[{index}])")
    yield f"return ({', '.join(parts)})"


def _wrap_result(selector: Selector, value: str) -> str:
    kind = selector.result
    if kind == "object" or kind in {"list", "dict"}:
        return f"bridge.wrap_any({value})"
    if kind in _PLAIN_RESULTS:
        return value
    if kind in _STRUCTURE_KINDS:
        return f"STRUCTURES[{kind!r}](*{value})"
    if selector.gives_ownership and not selector.of_class:
        return f"bridge.own({value}, {selector.objective_c!r})"
    return f"wrap({value})"

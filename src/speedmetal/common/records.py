"""Records: dataclasses with slots whose classes cost next to nothing to make.

``dataclass`` writes and compiles the text of six methods for each class, 0.4 ms, and compiling a
kernel needs a hundred classes. Here a method is written when it is first called, and its text is
compiled once for all classes with as many fields: each gets a copy of the code with the names of
its own. Instances are made, compared and hashed as fast as those of dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from reprlib import recursive_repr
from types import CodeType, FunctionType
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

_Class = TypeVar("_Class")

_set = object.__setattr__


class _Factory:
    """Stands for a value that is made anew for each instance."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def field(*, default_factory: Callable[[], Any]) -> Any:
    """A field of a record whose default is made anew for each instance.

    >>> @record
    ... class Notes:
    ...     lines: list[str] = field(default_factory=list)
    >>> Notes()
    Notes(lines=[])
    """
    return _Factory(default_factory)


def replace(instance: _Class, /, **changes: Any) -> _Class:
    """An instance like another of a record or a dataclass, with other values of some fields.

    It is ``dataclasses.replace``, for records without what makes these dataclasses.

    Raises:
        TypeError: There is no such field.

    >>> @record
    ... class Point:
    ...     x: float
    ...     y: float
    >>> replace(Point(1.0, 2.0), y=3.0)
    Point(x=1.0, y=3.0)
    """
    cls: Any = type(instance)
    if not hasattr(cls, "__record_is_frozen__"):
        import dataclasses

        changed: _Class = dataclasses.replace(instance, **changes)  # type: ignore[type-var]
        return changed
    for name in cls.__match_args__:
        if name not in changes:
            changes[name] = getattr(instance, name)
    made: _Class = cls(**changes)
    return made


@overload
def record(cls: type[_Class], /) -> type[_Class]: ...
@overload
def record(
    *, eq: bool = True, frozen: bool = True, weakref_slot: bool = False
) -> Callable[[type[_Class]], type[_Class]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(
    cls: type[_Class] | None = None,
    /,
    *,
    eq: bool = True,
    frozen: bool = True,
    weakref_slot: bool = False,
) -> type[_Class] | Callable[[type[_Class]], type[_Class]]:
    """Make a class what ``@dataclass(frozen=True, slots=True)`` makes it.

    `dataclasses.fields`, `replace` and the like know it as a dataclass. It has no fields but its
    own; `field` gives one a default that is made anew.

    Args:
        cls: With annotated fields.
        eq: Whether instances with equal fields are equal; else each is equal to itself alone.
        frozen: Whether fields keep their values; where they do not, there is no hash of them.
        weakref_slot: Whether there can be weak references to instances.

    Raises:
        TypeError: A field without a default follows one that has one, or is one of ``dataclasses``.

    Example:
        >>> @record
        ... class Point:
        ...     '''A point.'''
        ...     x: float
        ...     y: float = 0.0
        >>> Point(1.0), Point(x=1.0) == Point(1.0, 0.0)
        (Point(x=1.0, y=0.0), True)
    """
    slots = ("__weakref__",) if weakref_slot else ()
    comparison = {} if not eq else _COMPARISON if frozen else _COMPARISON_OF_CHANGING
    methods = {**_METHODS, **(_REFUSALS if frozen else {}), **comparison}
    own = {"__record_is_frozen__": frozen, **_LIKE_DATACLASSES}

    def made(given: type[_Class]) -> type[_Class]:
        return _make_record(given, slots, methods, own)

    return made if cls is None else made(cls)


def _make_record(
    cls: type[Any], slots: tuple[str, ...], methods: dict[str, Any], own: dict[str, Any]
) -> type[Any]:
    """The class again, with slots, and with methods where it has none of its own."""
    contents = dict(vars(cls))
    names = tuple(cls.__annotations__)
    defaults = {name: contents.pop(name) for name in names if name in contents}
    if tuple(defaults) != names[len(names) - len(defaults) :]:
        raise TypeError(f"{cls.__name__}: fields without defaults stand first")
    if any(type(default).__module__ == "dataclasses" for default in defaults.values()):
        raise TypeError(f"{cls.__name__}: expected `field` of records, got that of dataclasses")
    for name in ("__dict__", "__weakref__"):
        contents.pop(name, None)
    own = {
        **own,
        "__slots__": names + slots,
        "__match_args__": names,
        "__record_defaults__": defaults,
    }
    metaclass: Callable[..., type[Any]] = type(cls)
    made = metaclass(cls.__name__, cls.__bases__, {**methods, **contents, **own})
    made.__qualname__ = cls.__qualname__
    return made


class _LikeDataclass:
    """An attribute that a dataclass of the same fields has; found when somebody asks for it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _instance: Any, cls: type) -> Any:
        import dataclasses  # 2 ms, with what it imports

        owner = _owner(cls)
        defaults = {
            name: dataclasses.field(default_factory=value.make)
            if isinstance(value, _Factory)
            else value
            for name, value in owner.__record_defaults__.items()
        }
        contents = {
            "__doc__": "Fields.",  # where there is none, `dataclass` takes long to write one
            "__annotations__": owner.__annotations__,
            **defaults,
        }
        like = type(owner.__name__, (), contents)
        frozen = self._name == "__dataclass_params__" and owner.__record_is_frozen__
        made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, frozen=frozen)(like)
        found = getattr(made, self._name)
        setattr(owner, self._name, found)
        return found


_LIKE_DATACLASSES = {
    name: _LikeDataclass(name) for name in ("__dataclass_fields__", "__dataclass_params__")
}


def _owner(cls: type) -> Any:
    """The record that a class is, or is derived from."""
    return next(c for c in cls.__mro__ if "__record_defaults__" in vars(c))


# --- Methods that are written when they are first called -----------------------------------------


def _init(self: Any, /, *positional: Any, **named: Any) -> None:
    owner = _owner(type(self))
    defaults = owner.__record_defaults__
    names = owner.__match_args__
    kinds = tuple([isinstance(defaults.get(name), _Factory) for name in names])
    code = _init_code(kinds, frozen=owner.__record_is_frozen__)
    scope = {"_set": _set, "_Factory": _Factory}
    _write(owner, "__init__", code, scope, tuple(defaults.values()))(self, *positional, **named)


def _is_equal(self: Any, other: Any) -> Any:
    owner = _owner(type(self))
    code = _equality_code(len(owner.__match_args__))
    return _write(owner, "__eq__", code, {})(self, other)


def _hash(self: Any) -> int:
    owner = _owner(type(self))
    found: int = _write(owner, "__hash__", _hash_code(len(owner.__match_args__)), {})(self)
    return found


def _write(
    owner: Any, name: str, code: CodeType, scope: dict[str, Any], defaults: tuple[Any, ...] = ()
) -> Callable[..., Any]:
    """Give a class its method: code for as many fields, with the names of its own."""
    places = {f"_{place}": field_name for place, field_name in enumerate(owner.__match_args__)}

    def own_names(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple([places.get(v, v) if type(v) is str else v for v in values])

    own_code = code.replace(
        co_names=own_names(code.co_names),
        co_varnames=own_names(code.co_varnames),
        co_consts=own_names(code.co_consts),
        co_qualname=f"{owner.__qualname__}.{name}",
    )
    method = FunctionType(own_code, scope, name, defaults)
    method.__qualname__ = own_code.co_qualname
    setattr(owner, name, method)
    return method


@cache
def _init_code(are_made: tuple[bool, ...], *, frozen: bool) -> CodeType:
    names = [f"_{place}" for place in range(len(are_made))]
    lines = [f"def __init__({', '.join(['self', *names])}):"]
    for name, is_made in zip(names, are_made, strict=True):
        value = f"{name}.make() if type({name}) is _Factory else {name}" if is_made else name
        lines.append(f"_set(self, '{name}', {value})" if frozen else f"self.{name} = {value}")
    return _compile("\n ".join(lines) + ("" if names else " pass"))


@cache
def _equality_code(count: int) -> CodeType:
    left, right = _fields_of("self", count), _fields_of("other", count)
    return _compile(
        "def __eq__(self, other):\n"
        f" return {left} == {right} if type(other) is type(self) else NotImplemented"
    )


@cache
def _hash_code(count: int) -> CodeType:
    return _compile(f"def __hash__(self): return hash({_fields_of('self', count)})")


def _fields_of(instance: str, count: int) -> str:
    return f"({''.join(f'{instance}._{place}, ' for place in range(count))})"


def _compile(text: str) -> CodeType:
    module = compile(text, "<record>", "exec")
    return next(found for found in module.co_consts if isinstance(found, CodeType))


# --- Methods that all records share --------------------------------------------------------------


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__match_args__])


@recursive_repr()
def _repr(self: Any) -> str:
    inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
    return f"{type(self).__qualname__}({inner})"


def _refuse_assignment(self: Any, name: str, *_: Any) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r} of a {type(self).__name__}")


def _set_state(self: Any, state: tuple[Any, ...]) -> None:
    for name, value in zip(self.__match_args__, state, strict=True):
        _set(self, name, value)


_METHODS = {
    "__init__": _init,
    "__repr__": _repr,
    "__getstate__": _values,
    "__setstate__": _set_state,
}
_REFUSALS = {"__setattr__": _refuse_assignment, "__delattr__": _refuse_assignment}
_COMPARISON: dict[str, Any] = {"__eq__": _is_equal, "__hash__": _hash}
_COMPARISON_OF_CHANGING: dict[str, Any] = {"__eq__": _is_equal, "__hash__": None}

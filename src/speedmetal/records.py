"""Frozen records whose classes cost next to nothing to make: for what a first launch imports.

``dataclass`` writes and compiles the text of six methods for each class, 0.4 ms; a first launch
would wait for forty of them. Records share one method of each kind, which looks the fields up. That
makes an instance in 2 us instead of 0.6: classes with many instances stay dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

_Class = TypeVar("_Class")

_set = object.__setattr__


@overload
def record(cls: type[_Class], /) -> type[_Class]: ...
@overload
def record(*, eq: bool = True) -> Callable[[type[_Class]], type[_Class]]: ...
@dataclass_transform(frozen_default=True)
def record(
    cls: type[_Class] | None = None, /, *, eq: bool = True
) -> type[_Class] | Callable[[type[_Class]], type[_Class]]:
    """Make a class what ``@dataclass(frozen=True, slots=True)`` makes it.

    `dataclasses.fields`, `replace` and the like know it as a dataclass. Its defaults are values.

    Args:
        cls: With annotated fields and a docstring.
        eq: Whether instances with equal fields are equal; else each is equal to itself alone.

    Example:
        >>> @record
        ... class Point:
        ...     '''A point.'''
        ...     x: float
        ...     y: float = 0.0
        >>> Point(1.0), Point(x=1.0) == Point(1.0, 0.0)
        (Point(x=1.0, y=0.0), True)
    """
    if cls is None:
        return lambda given: _made(given, eq=eq)
    return _made(cls, eq=eq)


def _made(cls: type[_Class], *, eq: bool) -> type[_Class]:
    methods: dict[str, Any] = {**_METHODS, **(_COMPARISON if eq else {})}
    for name, method in methods.items():
        if name not in vars(cls):
            setattr(cls, name, method)
    made = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    fields = made.__dataclass_fields__  # type: ignore[attr-defined]
    defaults = {name: field.default for name, field in fields.items()}
    made.__record_defaults__ = {  # type: ignore[attr-defined]
        name: value for name, value in defaults.items() if value is not MISSING
    }
    return made


def _init(self: Any, /, *positional: Any, **named: Any) -> None:
    names = self.__match_args__
    if named or len(positional) != len(names):
        positional = _completed(self, positional, named)
    for name, value in zip(names, positional, strict=True):
        _set(self, name, value)


def _completed(self: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """A value for each field: by position, by name, or by default.

    Raises:
        TypeError: They do not go together, or some are missing.
    """
    names = self.__match_args__
    by_place = dict(zip(names, positional, strict=False))
    values = {**self.__record_defaults__, **by_place, **named}
    are_given_once = len(by_place) == len(positional) and not by_place.keys() & named
    if not are_given_once or values.keys() != set(names):
        raise TypeError(
            f"{type(self).__name__}({', '.join(names)}) got {len(positional)} values without a name"
            f" and {', '.join(named) or 'none'} by name"
        )
    return tuple([values[name] for name in names])


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__match_args__])


def _repr(self: Any) -> str:
    inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
    return f"{type(self).__qualname__}({inner})"


def _is_equal(self: Any, other: Any) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse_assignment(self: Any, name: str, *_: Any) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r} of a {type(self).__name__}")


def _state(self: Any) -> tuple[Any, ...]:
    return _values(self)


def _set_state(self: Any, state: tuple[Any, ...]) -> None:
    for name, value in zip(self.__match_args__, state, strict=True):
        _set(self, name, value)


_METHODS = {
    "__init__": _init,
    "__repr__": _repr,
    "__setattr__": _refuse_assignment,
    "__delattr__": _refuse_assignment,
    "__getstate__": _state,
    "__setstate__": _set_state,
}
_COMPARISON = {"__eq__": _is_equal, "__hash__": _hash}

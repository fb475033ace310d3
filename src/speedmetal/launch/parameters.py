"""The parameters of a kernel, and how the arguments of a call reach them: as Python binds them."""

from __future__ import annotations

import builtins
import inspect
import sys
import types
from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args, get_origin

from speedmetal.common.records import record
from speedmetal.errors import LaunchError, UserInputError
from speedmetal.frontend.signature import Argument, StaticArgument, with_article
from speedmetal.frontend.static import KINDS, static

OPTIONS = ("grid", "groups", "threads", "debug", "device")
"""What a launch says besides the kernel's arguments."""

_FOREIGN_OPTIONS = {
    "blocks": "groups",
    "threadgroups": "groups",
    "blockDim": "threads",
    "block": "threads",
    "gridDim": "groups",
    "threads_per_threadgroup": "threads",
    "global_size": "grid",
    "local_size": "threads",
}
"""What other systems call the options, with our words for them."""

_MISSING = inspect.Parameter.empty


_WRAPPED_KEPT = 256
"""Values of one static parameter that are remembered; beyond them all are forgotten."""


class StaticParameter:
    """A parameter whose annotation is ``static``: plain numbers given to it are wrapped.

    Args:
        position: Among the kernel's parameters.
        where: The kernel and the parameter, for messages.
        annotation: ``static``, or ``static[int]`` and the like.

    Attributes:
        ints: Those that were wrapped.
        others: What else was wrapped, by the ``id`` of what it keeps: values may be equal that are
            not the same for a kernel (1, True and 1.0; 0.0 and -0.0; (1,) and (True,)).
    """

    __slots__ = ("_kind", "_shown", "_where", "ints", "others", "position")

    def __init__(self, position: int, where: str, annotation: Any) -> None:
        self.position = position
        self._where = where
        self._kind: type | None = next(iter(get_args(annotation)), None)
        self._shown = "static" if self._kind is None else f"static[{self._kind.__name__}]"
        self.ints: dict[int, static[Any]] = {}
        self.others: dict[int, static[Any]] = {}

    def at(self, position: int) -> StaticParameter:
        """The same parameter where others are left out."""
        moved = object.__new__(StaticParameter)  # the module `copy` takes a launch time to import
        for name in self.__slots__:
            setattr(moved, name, getattr(self, name))
        moved.position = position
        return moved

    def wrap(self, value: Any) -> static[Any] | StaticArgument:
        """A value as a static one; remembered.

        Raises:
            LaunchError: It is no number and no tuple of numbers, or not of the annotation's type.
        """
        found = self._wrap(value)
        if not isinstance(found, static):
            return found
        if len(self.ints) + len(self.others) >= _WRAPPED_KEPT:
            self.ints.clear()
            self.others.clear()
        if type(value) is int:
            self.ints[value] = found
        elif found is value or found.value is value:  # else the id could become another's
            self.others[id(value)] = found
        return found

    def _wrap(self, value: Any) -> static[Any] | StaticArgument:
        if isinstance(value, Argument) and not isinstance(value, StaticArgument):
            raise LaunchError(
                f"{self._where} is {self._shown} by its annotation, got the type {value}; give a"
                ' value, such as 16, or "static(16)"'
            )
        given = value.value if isinstance(value, StaticArgument) else value
        try:
            found: static[Any] = given if isinstance(given, static) else static(given)
        except UserInputError as error:
            if self._kind is None:
                raise LaunchError(f"{self._where} is static by its annotation: {error}") from None
            raise self._wrong_type(given) from None
        if self._kind is not None and type(found.value) is not self._kind:
            raise self._wrong_type(found.value)
        return value if isinstance(value, StaticArgument) else found

    def _wrong_type(self, given: Any) -> LaunchError:
        assert self._kind is not None
        return LaunchError(
            f"{self._where} is {self._shown} by its annotation, got"
            f" {with_article(type(given).__name__)}: {given!r}; give"
            f" {with_article(self._kind.__name__)}, or write sm.static for values of any type"
        )


@record(eq=False)
class Parameters:
    """What the arguments of a kernel's calls are bound to.

    Args:
        kernel: Its name, for messages.
        all: In the order of its ``def``.
        static: Those whose annotation is ``static``.
    """

    kernel: str
    all: tuple[inspect.Parameter, ...]
    static: tuple[StaticParameter, ...] = ()

    @property
    def names(self) -> list[str]:
        return [parameter.name for parameter in self.all]

    @property
    def arity(self) -> int:
        """How many arguments by position are a whole call; -1 where some must have their name."""
        return -1 if any(map(_is_keyword_only, self.all)) else len(self.all)

    def without(self, names: Collection[str]) -> Parameters:
        """The parameters without some."""
        kept = [(place, p) for place, p in enumerate(self.all) if p.name not in names]
        places = {place: new for new, (place, _) in enumerate(kept)}
        static = [s.at(places[s.position]) for s in self.static if s.position in places]
        return Parameters(self.kernel, tuple(p for _, p in kept), tuple(static))

    def in_order(self, arguments: tuple[Any, ...]) -> list[Any]:
        """One argument for each parameter, all of them given by position; defaults fill in.

        Those that are static by their annotation are wrapped.

        Raises:
            LaunchError: There are too few or too many, or one cannot be static.
        """
        rest = self.all[len(arguments) :]
        missing = [parameter.name for parameter in rest if parameter.default is _MISSING]
        if missing or len(arguments) > len(self.all):
            raise self._wrong_count(len(arguments), missing)
        return self._wrap_static([*arguments, *(parameter.default for parameter in rest)])

    def wrapped(self, bound: Sequence[Any]) -> list[Any]:
        """Arguments in order, those wrapped that are static by their annotation.

        Raises:
            LaunchError: One cannot be static.
        """
        return self._wrap_static([*bound])

    def _wrap_static(self, bound: list[Any]) -> list[Any]:
        for parameter in self.static:
            bound[parameter.position] = parameter.wrap(bound[parameter.position])
        return bound

    def bind(self, positional: tuple[Any, ...], named: Mapping[str, Any]) -> list[Any]:
        """One argument for each parameter: by position, by name, or by default.

        Raises:
            LaunchError: They do not go together, or some are missing.
        """
        unused = dict(named)
        bound, missing = [*positional], []
        for parameter in self.all[len(positional) :]:
            name = "" if parameter.kind is parameter.POSITIONAL_ONLY else parameter.name
            value = unused.pop(name, parameter.default)
            if value is _MISSING:
                missing.append(parameter.name)
            bound.append(value)
        if unused:
            raise self._unexpected_argument_error(next(iter(unused)))
        if missing or len(positional) > len(self.all):
            raise self._wrong_count(len(positional) + len(named), missing)
        by_name = [p.name for p in self.all[: len(positional)] if _is_keyword_only(p)]
        if by_name:
            options = ", ".join(f"{name}=..." for name in by_name)
            raise LaunchError(
                f"kernel {self.kernel!r}: parameters behind the * in its def are given by name:"
                f" {options}"
            )
        return self._wrap_static(bound)

    def _wrong_count(self, given: int, missing: list[str]) -> LaunchError:
        what = f"missing: {', '.join(missing)}" if missing else "remove the last ones"
        options = [name for name in missing if name in OPTIONS]
        if options:
            what += (
                f". {options[0]}=... in a call is the launch's option: give the parameter"
                f" {options[0]} by position, or rename it"
            )
        plural = "" if len(self.all) == 1 else "s"
        return LaunchError(
            f"kernel {self.kernel!r} takes {len(self.all)} argument{plural}"
            f" ({', '.join(self.names)}), got {given}; {what}"
        )

    def _unexpected_argument_error(self, name: str) -> LaunchError:
        """What is wrong with an argument whose name is left over."""
        known = next((p for p in self.all if p.name == name), None)
        if known is not None and known.kind is known.POSITIONAL_ONLY:
            return LaunchError(
                f"kernel {self.kernel!r}: the parameter {name} stands before the / in its def:"
                " give it by position"
            )
        if known is not None:
            return LaunchError(
                f"kernel {self.kernel!r}: {name} is given twice, by position and by name; leave"
                " one of them out"
            )
        import difflib  # for calls that are wrong alone

        words = [*OPTIONS, *_FOREIGN_OPTIONS, *self.names]
        near = difflib.get_close_matches(name, words, n=1, cutoff=0.65)
        meant = "".join(f"; did you mean {_FOREIGN_OPTIONS.get(word, word)}?" for word in near)
        return LaunchError(
            f"kernel {self.kernel!r}: unknown argument {name!r}{meant or '.'} Its parameters are"
            f" {', '.join(self.names) or 'none'}; the options of a launch are {', '.join(OPTIONS)}"
        )


def parameters_of(function: types.FunctionType, kernel: str) -> Parameters:
    """The parameters of a function that is to be a kernel.

    Raises:
        LaunchError: They cannot be counted, or the options of a launch would hide one of them.
    """
    parameters = tuple(_signature(function).parameters.values())
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise LaunchError(
                f"kernel {kernel!r} has the parameter {parameter}: a kernel's arguments"
                " are counted; take a tuple, or name each parameter"
            )
        may_be_left_out = parameter.default is not _MISSING
        if parameter.name in OPTIONS and (may_be_left_out or _is_keyword_only(parameter)):
            raise LaunchError(
                f"kernel {kernel!r}: {parameter.name}=... in a call is an option of the launch, and"
                f" would not reach the parameter {parameter.name}; rename it. (By position, and"
                " without a default, it may have this name.)"
            )
    known = [
        StaticParameter(n, f"kernel {kernel!r}: argument {p.name}", annotation)
        for n, p in enumerate(parameters)
        if (annotation := _static_annotation(p, function, kernel)) is not None
    ]
    return Parameters(kernel, parameters, tuple(known))


def static_annotations(function: types.FunctionType) -> dict[str, Any]:
    """The annotations that say ``static``, by the names of their parameters."""
    found = {
        name: _static_annotation(parameter, function, function.__name__)
        for name, parameter in _signature(function).parameters.items()
    }
    return {name: annotation for name, annotation in found.items() if annotation is not None}


def _static_annotation(
    parameter: inspect.Parameter, function: types.FunctionType, kernel: str
) -> Any:
    """The annotation of a parameter where it is ``static`` or ``static[int]``, else None.

    Its text is looked up where it was not evaluated.

    Raises:
        LaunchError: It is static of what no value can be.
    """
    annotation = parameter.annotation
    if isinstance(annotation, str):
        text, _, kind = annotation.removesuffix("]").partition("[")
        if not _is_static(text, function):
            return None
        named = function.__globals__.get(kind, getattr(builtins, kind, None))
        allowed = named if named in KINDS else None
        annotation = static[allowed] if kind else static  # type: ignore[valid-type]
    elif annotation is not static and get_origin(annotation) is not static:
        return None
    if annotation is not static and get_args(annotation)[0] not in KINDS:
        raise LaunchError(
            f"kernel {kernel!r}: the annotation of {parameter.name} is {parameter.annotation};"
            " static values are sm.static[int], [bool], [float] and [tuple], or sm.static for any"
        )
    return annotation


def _is_static(text: str, function: types.FunctionType) -> bool:
    module, _, name = text.rpartition(".")
    if not module:
        return function.__globals__.get(name) is static
    # Text of this name alone is looked up: nothing else is asked for an attribute.
    return name == "static" and getattr(function.__globals__.get(module), name, None) is static


def _signature(function: types.FunctionType) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        # Annotations are evaluated when somebody asks (PEP 649): names that only type checkers
        # import are not there, and no launch needs them.
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _is_keyword_only(parameter: inspect.Parameter) -> bool:
    return parameter.kind is parameter.KEYWORD_ONLY

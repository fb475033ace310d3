"""The parameters of a kernel, and how the arguments of a call reach them: as Python binds them."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Mapping
from typing import Any

from speedmetal.common.records import record
from speedmetal.errors import LaunchError, UserInputError
from speedmetal.frontend.signature import Argument, StaticArgument
from speedmetal.frontend.static import static

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


@record(eq=False)
class Parameters:
    """What the arguments of a kernel's calls are bound to.

    Args:
        kernel: Its name, for messages.
        all: In the order of its ``def``.
        static: The positions of those whose annotation is ``static``.
    """

    kernel: str
    all: tuple[inspect.Parameter, ...]
    static: tuple[int, ...] = ()

    @property
    def names(self) -> list[str]:
        return [parameter.name for parameter in self.all]

    @property
    def arity(self) -> int:
        """How many arguments by position are a whole call; -1 where more is to be done.

        That is where some must have their name, or some are static by their annotation.
        """
        return -1 if self.static or any(map(_is_keyword_only, self.all)) else len(self.all)

    def in_order(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """One argument for each parameter, all of them given by position; defaults fill in.

        Raises:
            LaunchError: There are too few or too many.
        """
        rest = self.all[len(arguments) :]
        missing = [parameter.name for parameter in rest if parameter.default is _MISSING]
        if missing or len(arguments) > len(self.all):
            raise self._wrong_count(len(arguments), missing)
        return self._with_static([*arguments, *(parameter.default for parameter in rest)])

    def bind_arguments(
        self, positional: tuple[Any, ...], named: Mapping[str, Any]
    ) -> tuple[Any, ...]:
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
        return self._with_static(bound)

    def _with_static(self, bound: list[Any]) -> tuple[Any, ...]:
        """The arguments, the plain numbers wrapped where the annotation says ``static``."""
        for position in self.static:
            value = bound[position]
            if isinstance(value, static | StaticArgument):
                continue
            where = f"kernel {self.kernel!r}: argument {self.all[position].name}"
            if isinstance(value, Argument):
                raise LaunchError(
                    f"{where} is static by its annotation, got the type {value}; give a value,"
                    ' such as 16, or "static(16)"'
                )
            try:
                bound[position] = static(value)
            except UserInputError as error:
                raise LaunchError(f"{where} is static by its annotation: {error}") from None
        return tuple(bound)

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
    known = tuple(n for n, p in enumerate(parameters) if _is_static(p.annotation, function))
    return Parameters(kernel, parameters, known)


def static_names(function: types.FunctionType) -> tuple[str, ...]:
    """The parameters whose annotation is ``static``."""
    parameters = _signature(function).parameters
    return tuple(n for n, p in parameters.items() if _is_static(p.annotation, function))


def _is_static(annotation: Any, function: types.FunctionType) -> bool:
    """Whether an annotation is ``static``; its text is looked up where it was not evaluated."""
    if not isinstance(annotation, str):
        return annotation is static
    module, _, name = annotation.rpartition(".")
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

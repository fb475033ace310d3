"""What kernels do with the functions of :mod:`speedmetal.frontend.forms`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from speedmetal.common.records import replace
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.convert import unwrap
from speedmetal.frontend.forms import flatten, is_within, rebuild
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.unpack import items_of
from speedmetal.frontend.values import Aggregate, Static, Value

Handler = Callable[[AbstractInterpreter, Arguments], Value]


def _flatten(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "flatten", "value")
    return Aggregate(tuple(_parts(unwrap(value, run.span(arguments.node)))))


def _parts(value: Value) -> Iterator[Value]:
    if isinstance(value, Aggregate):
        for item in value.items:
            yield from _parts(item)
    else:
        yield value


def _rebuild(run: AbstractInterpreter, arguments: Arguments) -> Value:
    like, given = arguments.take(run, "rebuild", "like parts")
    return _rebuilt_value(like, iter(items_of(run, arguments.node, given, "rebuild")))


def _rebuilt_value(like: Value, parts: Iterator[Value]) -> Value:
    if isinstance(like, Aggregate):
        return replace(like, items=tuple([_rebuilt_value(item, parts) for item in like.items]))
    return next(parts)


def _is_within(run: AbstractInterpreter, arguments: Arguments) -> Value:
    given, most = arguments.take(run, "is_within", "offsets radius")
    offsets = items_of(run, arguments.node, given, "is_within")
    radius = [_known(part) for part in items_of(run, arguments.node, most, "is_within")]
    span = run.calls[-1][0] if run.calls else run.span(arguments.node)  # where the user asks
    if len(offsets) != len(radius):
        raise Fault(
            span,
            f"expected an offset for each of {len(radius)} axes, found {len(offsets)}",
        )
    known = [_known(unwrap(offset, span)) for offset in offsets]
    for axis, (offset, extent) in enumerate(zip(known, radius, strict=True)):
        if isinstance(offset, int) and abs(offset) > extent:
            raise Fault(
                span,
                f"the offset {offset} along axis {axis} is beyond the radius {extent};"
                " give sm.stencil a larger radius",
            )
    return Static(all(isinstance(offset, int) for offset in known))


def _known(value: Value) -> Any:
    return value.value if isinstance(value, Static) else None


FLATTENING: dict[Any, Handler] = {flatten: _flatten, rebuild: _rebuild, is_within: _is_within}
"""What a kernel does with them."""

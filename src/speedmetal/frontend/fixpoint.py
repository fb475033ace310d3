"""Abstract interpretation, repeated until the types assumed of names are those found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from speedmetal.errors import Diagnostic, InternalError
from speedmetal.frontend.interpreter import RETURN, AbstractInterpreter, Binding, Record
from speedmetal.frontend.session import Unit
from speedmetal.frontend.variable_types import Key, VariableType, is_variable, join

MOST_RUNS = 200
"""Two or three are usual. A chain of names that widen one another takes one run for each link."""


def solve(unit: Unit, start: Callable[[AbstractInterpreter], None]) -> AbstractInterpreter:
    """Interpret a function until an interpretation finds the types that it assumed; returns it.

    Raises:
        InternalError: None does within `MOST_RUNS`.
    """
    for _ in range(MOST_RUNS):
        run = AbstractInterpreter(unit)
        start(run)
        if not _learn(unit, run):
            for diagnostic in unit.conflicts.values():
                run.diagnostics.setdefault((diagnostic.span, diagnostic.message), diagnostic)
            return run
    raise InternalError(f"the types of {unit.name!r} did not settle in {MOST_RUNS} runs of infer")


def _learn(unit: Unit, run: AbstractInterpreter) -> bool:
    """Change the assumed types to what the interpretation found; whether that changed any.

    What cannot be is believed only when all else is settled: an early run may have taken branches
    and values that the last one does not.
    """
    changed = run.newly_fixed
    conflicts: dict[Key, Diagnostic] = {}
    for key, record in run.records.items():
        if key in unit.fixed or key in unit.conflicts:
            continue
        if key in unit.assumed or key in run.demoted or _needs_variable(record):
            found = _slot_of(record, unit.assumed.get(key))
            if isinstance(found, Diagnostic):
                conflicts[key] = found
            elif found is not None:
                changed |= found != unit.assumed.get(key)
                unit.assumed[key] = found
    return changed or _give_up(unit, run, conflicts)


def _give_up(unit: Unit, run: AbstractInterpreter, conflicts: dict[Key, Diagnostic]) -> bool:
    """Break the names for which there is no type, and those that a loop makes impossible."""
    changed = bool(conflicts)
    unit.conflicts.update(conflicts)
    for place, names in run.broken_by.items():
        known = unit.broken_by.setdefault(place, {})
        for name, broken in names.items():
            changed |= name not in known
            known.setdefault(name, broken)
    return changed


def _needs_variable(record: Record) -> bool:
    """Whether several bindings have to share a variable that the run had not made."""
    bindings = record.bindings
    if len(bindings) < 2 or all(binding.compile_time for binding in bindings):
        return False
    some_known = any(binding.compile_time and is_variable(binding.slot) for binding in bindings)
    slots = {binding.slot for binding in bindings if is_variable(binding.slot)}
    return some_known or len(slots) > 1


def _slot_of(record: Record, assumed: VariableType | None) -> VariableType | Diagnostic | None:
    """The slot of everything that a run bound to a name, or what contradicts what.

    It is no narrower than what was assumed, unless nothing holds both.
    """
    bindings = [binding for binding in record.bindings if is_variable(binding.slot)]
    found = _join_bindings(record, bindings, assumed)
    if assumed is not None and isinstance(found, Diagnostic):
        return _join_bindings(record, bindings, None)
    return found


def _join_bindings(
    record: Record, bindings: Sequence[Binding], joined: VariableType | None
) -> VariableType | Diagnostic | None:
    """The slot that holds the values of all bindings, by itself, or what contradicts what.

    Of three slots the join may hold less than each two of them have: int8, a running int32, uint32.
    Hence each one is met again until nothing changes.
    """
    if not bindings:
        return joined
    last = bindings[0]
    while True:
        before = joined
        for binding in bindings:
            wider = binding.slot if joined is None else join(joined, binding.slot)
            if wider is None:
                return _conflict(record, binding, last)
            if wider != joined:
                joined, last = wider, binding
        if joined == before:
            return joined


def _conflict(record: Record, binding: Binding, other: Binding) -> Diagnostic:
    is_result = record.name == RETURN
    name = "the result" if is_result else repr(record.name)
    way_out = (
        "the results of a function have one type: convert one of them"
        if is_result
        else "a name that changes has one type: convert the value, or use another name"
    )
    return Diagnostic(
        binding.span,
        f"expected {other.slot} for {name}, as in line {other.span.line}, found {binding.slot};"
        f" {way_out}",
        ((other.span, f"{name} is {other.slot} here"),),
    )

"""Runs repeated until what they assume about names is what they find."""

from __future__ import annotations

from collections.abc import Callable

from speedmetal.errors import Diagnostic, InternalError
from speedmetal.frontend.run import RETURN, Binding, Key, Record, Run
from speedmetal.frontend.session import Unit
from speedmetal.frontend.slots import Slot, is_variable, join

MOST_RUNS = 200
"""Two or three are usual. A chain of names that widen one another takes one run for each link."""


def solve(unit: Unit, start: Callable[[Run], None]) -> Run:
    """The first run that finds what it assumed.

    Raises:
        InternalError: There is none.
    """
    for _ in range(MOST_RUNS):
        run = Run(unit)
        start(run)
        if not _learn(unit, run):
            for diagnostic in unit.conflicts.values():
                run.diagnostics.setdefault((diagnostic.span, diagnostic.message), diagnostic)
            return run
    raise InternalError(f"the types of {unit.name!r} did not settle in {MOST_RUNS} runs of infer")


def _learn(unit: Unit, run: Run) -> bool:
    """Widen the assumptions by what the run found; whether they changed."""
    changed = run.newly_fixed
    for key, record in run.records.items():
        if key in unit.fixed or key in unit.conflicts:
            continue
        if key in unit.assumed or key in run.demoted or _needs_variable(record):
            changed |= _widen(unit, key, record)
    for place, names in run.broken_by.items():
        known = unit.broken_by.setdefault(place, {})
        for name, broken in names.items():
            if name not in known:
                known[name] = broken
                changed = True
    return changed


def _needs_variable(record: Record) -> bool:
    """Whether several bindings have to share a variable that the run had not made."""
    bindings = record.bindings
    if len(bindings) < 2 or all(binding.compile_time for binding in bindings):
        return False
    some_known = any(binding.compile_time and is_variable(binding.slot) for binding in bindings)
    slots = {binding.slot for binding in bindings if is_variable(binding.slot)}
    return some_known or len(slots) > 1


def _widen(unit: Unit, key: Key, record: Record) -> bool:
    before = unit.assumed.get(key)
    joined: Slot | None = before
    last: Binding | None = None
    for binding in record.bindings:
        if not is_variable(binding.slot):
            continue
        wider = binding.slot if joined is None else join(joined, binding.slot)
        if wider is None:
            unit.conflicts[key] = _conflict(record, binding, last)
            return True
        if last is None or wider != joined:
            last = binding
        joined = wider
    if joined is None or joined == before:
        return False
    unit.assumed[key] = joined
    return True


def _conflict(record: Record, binding: Binding, other: Binding | None) -> Diagnostic:
    if other is None:
        other = next(b for b in record.bindings if join(b.slot, binding.slot) is None)
    name = "the result" if record.name == RETURN else repr(record.name)
    return Diagnostic(
        binding.span,
        f"expected {other.slot} for {name}, as in line {other.span.line}, found {binding.slot};"
        " a name that changes has one type: convert the value, or use another name",
        ((other.span, f"{name} is {other.slot} here"),),
    )

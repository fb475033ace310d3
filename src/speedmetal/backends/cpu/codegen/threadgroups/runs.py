"""The runs between barriers: what each vector goes through without waiting."""

from __future__ import annotations

from collections.abc import Iterable

from speedmetal.backends.cpu.codegen.decisions.plan import Plan
from speedmetal.backends.cpu.codegen.decisions.regions import BarrierRegion
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.values import Lanes
from speedmetal.backends.cpu.codegen.threadgroups.places import Places
from speedmetal.backends.cpu.codegen.threadgroups.vectors import Vectors
from speedmetal.backends.cpu.codegen.threads.exits import Exits
from speedmetal.backends.cpu.codegen.threads.statements import Statements
from speedmetal.backends.cpu.codegen.threads.variables import Variables
from speedmetal.common.records import record
from speedmetal.ir.nodes import Variable


@record
class Entered:
    """A vector's code between its begin and its end.

    Args:
        end: Label of what follows it.
        live: Slot of the lanes that have not returned, where some do so by a mask.
    """

    end: str
    live: str


class Runs:
    """Writes runs. Owns nothing.

    Asks for a loop over the vectors, and for the places of what lives on from run to run.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        active: ActiveLanes,
        variables: Variables,
        statements: Statements,
        exits: Exits,
        vectors: Vectors,
        places: Places,
        plan: Plan,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._active = active
        self._variables = variables
        self._statements = statements
        self._exits = exits
        self._vectors = vectors
        self._places = places
        self._strides = plan.strides
        self._written_twice = plan.written_twice

    def write(self, run: BarrierRegion) -> None:
        own, changed = self._places.touched_by(run), self._places.changed_by(run)

        def write(number: str) -> None:
            entered = self.enter(own, number)
            self._statements.block(run.statements, run.path)
            self.leave(entered, changed, number)

        self._vectors.each(write, twice=run in self._written_twice)

    def enter(self, variables: Iterable[Variable], number: str) -> Entered:
        """Begin a vector's code.

        Args:
            variables: Whose values it needs, of those that have places.
            number: Of the vector.
        """
        self._variables.forget()
        end = self._emit.label("vector.end")
        self._places.fetch(variables, number)
        live = ""
        if self._strides.has_masked_return:
            kind = self._lanes.mask_type
            live = self._emit.slot(kind, "live")
            if self._places.has_masks:
                self._drop_failed(live, end, number)
            self._emit.do(f"store {kind} {self._active.text()}, ptr {live}")
        self._exits.begin(end, live)
        return Entered(end, live)

    def _drop_failed(self, live: str, end: str, number: str) -> None:
        mask = self._active.narrowed(self._places.fetch_mask(number))
        self._active.mask = mask
        self._emit.do(f"store {self._lanes.mask_type} {mask}, ptr {live}")
        some = self._emit.label("alive")
        self._emit.branch(self._active.any_of(mask), some, end)
        self._emit.start(some)

    def leave(self, entered: Entered, variables: Iterable[Variable], number: str) -> None:
        """End a vector's code.

        Args:
            entered: Its begin.
            variables: That it has changed, of those that have places.
            number: Of the vector.
        """
        self._emit.jump(entered.end)
        self._emit.start(entered.end)
        self._places.keep(variables, number)
        if entered.live and self._places.has_masks:
            self._places.keep_mask(entered.live, number)

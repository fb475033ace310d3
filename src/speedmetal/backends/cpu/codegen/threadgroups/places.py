"""What each vector of a threadgroup keeps from run to run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from speedmetal.backends.cpu.codegen.decisions.lane_strides import LaneStrides, Path
from speedmetal.backends.cpu.codegen.decisions.plan import Plan
from speedmetal.backends.cpu.codegen.decisions.regions import Piece, Shared
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import MATRIX_ELEMENTS
from speedmetal.backends.cpu.codegen.operations.values import Lanes
from speedmetal.backends.cpu.codegen.threadgroups.positions import Positions
from speedmetal.backends.cpu.codegen.threadgroups.rooms import ALIGNMENT, Rooms
from speedmetal.backends.cpu.codegen.threads.variables import Variables
from speedmetal.ir.analysis import facts
from speedmetal.ir.nodes import For, Variable
from speedmetal.ir.types import MatrixType


class Places:
    """Moves what lives on between its slot and a place for each vector.

    Owns the places: of variables that several runs touch, and of the masks of the threads that
    have not failed. Asks for room, and for the variables' slots.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        variables: Variables,
        positions: Positions,
        rooms: Rooms,
        plan: Plan,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._variables = variables
        self._positions = positions
        self._rooms = rooms
        self._strides: LaneStrides = plan.strides
        self._has_masks = facts(plan.kernel).may_fail
        self._of_variables: dict[Variable, str] = {}
        self._masks = ""

    # --- room for all vectors

    def make(self) -> None:
        """Make the places, once for all threadgroups."""
        lasting = list(self._lasting_variables())
        sizes = [self._bytes_of(variable) for variable in lasting]
        if self._has_masks:
            sizes.append(ALIGNMENT)
        if not sizes:
            return
        count = self._positions.vector_count()
        base = self._rooms.make(f"[{sum(sizes)} x i8]", sum(sizes), count, "places")
        for variable, before in zip(lasting, accumulate(sizes, initial=0), strict=False):
            place = self._inside(base, before, count, f"{variable.name}.all")
            self._of_variables[variable] = place
        if self._has_masks:
            self._masks = self._inside(base, sum(sizes) - ALIGNMENT, count, "alive")

    def _lasting_variables(self) -> Iterator[Variable]:
        for variable, accesses in self._strides.accesses.items():
            if self._variables.is_fixed(variable) or not accesses.assigned:
                continue
            pieces = {path[0] for path in accesses.assigned + accesses.read}
            if any(isinstance(p, Shared) and _counts(p, variable) for p in pieces):
                continue
            # What one run alone touches, it gives a value before it reads it, every time.
            if len(pieces) > 1:
                yield variable

    def _bytes_of(self, variable: Variable) -> int:
        """What a variable takes for each vector, with room for what follows it to be aligned."""
        kind = variable.type
        if isinstance(kind, MatrixType):
            size = MATRIX_ELEMENTS * kind.dtype.itemsize
        else:
            size = kind.itemsize * (self._variables.lanes_of(variable) or 1)
        return -(-size // ALIGNMENT) * ALIGNMENT

    def _inside(self, base: str, before: int, count: str, hint: str) -> str:
        offset = self._emit.product(count, str(before))
        return self._emit.let(f"getelementptr i8, ptr {base}, i64 {offset}", hint)

    # --- variables

    def among(self, variables: Iterable[Variable]) -> list[Variable]:
        """Those of some variables that have places."""
        wanted = set(variables)
        return [v for v in self._of_variables if v in wanted]

    def touched_by(self, piece: Piece) -> list[Variable]:
        """The variables with places that a piece reads or assigns."""
        of = self._strides.accesses
        return [v for v in self._of_variables if _leads_into(piece, of[v].assigned + of[v].read)]

    def changed_by(self, piece: Piece) -> list[Variable]:
        """The variables with places that a piece assigns."""
        of = self._strides.accesses
        return [v for v in self._of_variables if _leads_into(piece, of[v].assigned)]

    def fetch(self, variables: Iterable[Variable], number: str) -> None:
        """Load a vector's values into the variables' slots."""
        for variable in variables:
            kind = self._variables.type_of(variable)
            text = self._emit.let(f"load {kind}, ptr {self._place(variable, number)}")
            self._emit.do(f"store {kind} {text}, ptr {self._variables.slot_of(variable)}")

    def keep(self, variables: Iterable[Variable], number: str) -> None:
        """Store what is in the variables' slots as a vector's values."""
        for variable in variables:
            kind = self._variables.type_of(variable)
            text = self._emit.let(f"load {kind}, ptr {self._variables.slot_of(variable)}")
            self._emit.do(f"store {kind} {text}, ptr {self._place(variable, number)}")

    def _place(self, variable: Variable, number: str) -> str:
        kind, every = self._variables.type_of(variable), self._of_variables[variable]
        return self._emit.let(f"getelementptr {kind}, ptr {every}, i64 {number}")

    # --- threads that have not failed

    @property
    def has_masks(self) -> bool:
        """Whether masks are kept: threads may fail in one run and be missing in the next."""
        return bool(self._masks)

    def fill_masks(self) -> None:
        """No thread of a threadgroup has failed yet."""
        bits = self._lanes.bits_type
        with self._emit.counting("i64", "0", self._positions.vector_count(), 1) as number:
            self._emit.do(f"store {bits} -1, ptr {self._mask_place(number)}")

    def fetch_mask(self, number: str) -> str:
        """The threads of a vector that have not failed, as a vector."""
        bits = self._lanes.bits_type
        place = self._mask_place(number)
        alive = self._emit.let(f"load {bits}, ptr {place}")
        return self._emit.let(f"bitcast {bits} {alive} to {self._lanes.mask_type}")

    def keep_mask(self, slot: str, number: str) -> None:
        """Store the mask in a slot as the threads of a vector that have not failed."""
        bits, kind = self._lanes.bits_type, self._lanes.mask_type
        live = self._emit.let(f"load {kind}, ptr {slot}")
        text = self._emit.let(f"bitcast {kind} {live} to {bits}")
        self._emit.do(f"store {bits} {text}, ptr {self._mask_place(number)}")

    def _mask_place(self, number: str) -> str:
        bits = self._lanes.bits_type
        return self._emit.let(f"getelementptr {bits}, ptr {self._masks}, i64 {number}")


def _counts(piece: Shared, variable: Variable) -> bool:
    return isinstance(piece.statement, For) and piece.statement.counter is variable


def _leads_into(piece: Piece, paths: list[Path]) -> bool:
    return any(path[0] is piece for path in paths)

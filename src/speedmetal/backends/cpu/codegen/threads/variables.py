"""The variables of what is being written: bound to a value, or kept in a stack slot."""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.decisions.lane_strides import (
    UNIFORM,
    VARYING,
    LaneStrides,
    Path,
    Stride,
)
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import value_type
from speedmetal.backends.cpu.codegen.operations.select_chains import SelectChains
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.ir.nodes import Variable


class Variables:
    """Reads and assigns variables. Owns their values and slots; asks how they vary.

    Values are bound until `forget`, which fixed ones outlive.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        active: ActiveLanes,
        strides: LaneStrides,
        chains: SelectChains,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._active = active
        self._strides = strides
        self._chains = chains
        self._fixed: dict[Variable, Value] = {}
        self._bound: dict[Variable, Value] = {}
        self._slots: dict[Variable, str] = {}

    # --- values

    def bind(self, variable: Variable, value: Value) -> None:
        """From here on, the variable has this value."""
        self._bound[variable] = value

    def fix(self, variable: Variable, value: Value) -> None:
        """The variable has this value, the same for all vectors of a threadgroup."""
        self._fixed[variable] = value

    def is_fixed(self, variable: Variable) -> bool:
        return variable in self._fixed

    def forget(self) -> None:
        """Another vector's code begins: only fixed values remain bound."""
        self._bound = dict(self._fixed)

    # --- slots

    def stride_of(self, variable: Variable) -> Stride:
        return self._strides.of.get(variable, UNIFORM)

    def lanes_of(self, variable: Variable) -> int:
        """The lanes of a variable's slot: 0 where it is kept as a scalar."""
        return self._lanes.count if self.stride_of(variable) is VARYING else 0

    def type_of(self, variable: Variable) -> str:
        """LLVM's type of a variable's slot."""
        return value_type(variable.type, self.lanes_of(variable))

    def slot_of(self, variable: Variable) -> str:
        """The stack slot of a variable that is not bound to one value."""
        slot = self._slots.get(variable)
        if slot is None:
            slot = self._slots[variable] = self._emit.slot(self.type_of(variable), variable.name)
        return slot

    # --- reads and assignments

    def read(self, variable: Variable) -> Value:
        value = self._bound.get(variable)
        if value is not None:
            return value
        slot, stride = self.slot_of(variable), self.stride_of(variable)
        kind = value_type(variable.type, self._lanes.count if stride is VARYING else 0)
        text = self._emit.let(f"load {kind}, ptr {slot}", variable.name)
        self._chains.carry(slot, text)
        return Value(text, variable.type, stride)

    def assign(self, variable: Variable, value: Value, path: Path) -> None:
        """Give a variable a value in the active lanes.

        Args:
            variable: Assigned to.
            value: In all lanes.
            path: The blocks around the assignment.
        """
        accesses = self._strides.accesses[variable]
        if accesses.is_single:
            if accesses.read:
                self._bound[variable] = value
            return
        left_behind = self._strides.leaves_lanes_behind
        slot, lanes = self.slot_of(variable), self.lanes_of(variable)
        kind = value_type(variable.type, lanes)
        text = self._lanes.operand(value, lanes)
        self._chains.carry(text, slot)
        if lanes and self._active.mask is not None and left_behind(variable, path):
            before = self._emit.let(f"load {kind}, ptr {slot}")
            text = self._active.select(kind, text, before)
        self._emit.do(f"store {kind} {text}, ptr {slot}")

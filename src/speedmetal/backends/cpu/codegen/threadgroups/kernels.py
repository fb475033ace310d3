"""A whole kernel: what it is given, and a loop over threadgroups."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.plan import Plan
from speedmetal.backends.cpu.codegen.operations.addresses import Addresses, Storage
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import memory_type
from speedmetal.backends.cpu.codegen.operations.loads_stores import Memory
from speedmetal.backends.cpu.codegen.operations.values import Lanes
from speedmetal.backends.cpu.codegen.threadgroups import arguments
from speedmetal.backends.cpu.codegen.threadgroups.arguments import Arguments
from speedmetal.backends.cpu.codegen.threadgroups.arrays import OwnArrays
from speedmetal.backends.cpu.codegen.threadgroups.barrier_control_flow import BarrierControlFlow
from speedmetal.backends.cpu.codegen.threadgroups.blocks import Blocks
from speedmetal.backends.cpu.codegen.threadgroups.places import Places
from speedmetal.backends.cpu.codegen.threadgroups.positions import Positions
from speedmetal.backends.cpu.codegen.threadgroups.reporting import Reporting
from speedmetal.backends.cpu.codegen.threadgroups.rooms import Rooms
from speedmetal.backends.cpu.codegen.threadgroups.runs import Runs
from speedmetal.backends.cpu.codegen.threadgroups.vectors import Vectors
from speedmetal.backends.cpu.codegen.threads.expressions import FunctionTable
from speedmetal.backends.cpu.codegen.threads.parts import (
    expression_parts,
    statement_part,
    value_parts,
)
from speedmetal.backends.cpu.codegen.threads.variables import Variables
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.ir.float_bounds import FloatBounds
from speedmetal.ir.nodes import Array

STREAMED_BYTES = 32 << 20
"""Size from which an array is taken to be larger than the caches."""


class Parameters:
    """Reads what a kernel is given. Owns nothing.

    Tells the addresses where arrays are, the variables their values, and the memory what is large.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        variables: Variables,
        addresses: Addresses,
        memory: Memory,
        plan: Plan,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._variables = variables
        self._addresses = addresses
        self._memory = memory
        self._plan = plan

    def read(self, given: Arguments) -> None:
        slot = arguments.FIRST_PARAMETER
        for parameter in self._plan.kernel.parameters:
            if isinstance(parameter, Array):
                rank = parameter.type.rank
                sizes = tuple([given.load(slot + 1 + n) for n in range(2 * rank)])
                pointer = given.load(slot, "ptr")
                self._addresses.place(parameter, Storage(pointer, sizes[:rank], sizes[rank:]))
                slot += 1 + 2 * rank
                continue
            assert isinstance(parameter.type, dtypes.DType)
            text = given.load(slot, memory_type(parameter.type))
            self._variables.fix(parameter, self._lanes.loaded(text, parameter.type, 0))
            slot += 1
        self._variables.forget()
        for array in self._plan.streamable:
            self._decide_streaming(array)

    def _decide_streaming(self, array: Array) -> None:
        """Stream to arrays that are larger than the caches: they would not stay there anyway."""
        self._emit.module.metadata("!1", "!{i32 1}")
        count = "1"
        for extent in self._addresses.of(array).extents:
            count = self._emit.product(count, extent)
        least = STREAMED_BYTES // array.type.dtype.itemsize
        self._memory.stream(array, self._emit.let(f"icmp sge i64 {count}, {least}"))


class KernelCode:
    """Writes the function of a kernel.

    Makes the parts, each with those that it asks; owns the loop over threadgroups.
    """

    def __init__(
        self, emit: Emitter, plan: Plan, functions: FunctionTable, unit: VectorUnit
    ) -> None:
        values = value_parts(emit, plan.lanes, unit)
        lanes, active = values.lanes, values.active
        conversions, arithmetic = values.conversions, values.arithmetic
        bounds = FloatBounds(plan.kernel.parameters, plan.kernel.body)
        positions = Positions(emit, lanes, conversions, arithmetic, plan)
        parts = expression_parts(values, plan.strides, bounds, functions, unit, positions.value)
        variables, expressions, exits = parts.variables, parts.expressions, parts.exits
        reporting = Reporting(
            emit, lanes, active, conversions, parts.singles, expressions, exits, positions, plan
        )
        statements = statement_part(values, parts, plan.strides, unit, reporting)
        rooms = Rooms(emit)
        arrays = OwnArrays(
            emit, lanes, conversions, parts.addresses, expressions, positions, rooms, plan
        )
        places = Places(emit, lanes, variables, positions, rooms, plan)
        blocks = Blocks(emit, lanes, parts.addresses, expressions, parts.memory, plan)
        vectors = Vectors(emit, lanes, active, positions, arrays, blocks, plan)
        runs = Runs(emit, lanes, active, variables, statements, exits, vectors, places, plan)
        self._emit = emit
        self._plan = plan
        self._positions = positions
        self._reporting = reporting
        self._parameters = Parameters(emit, lanes, variables, parts.addresses, parts.memory, plan)
        self._memory = parts.memory
        self._rooms = rooms
        self._arrays = arrays
        self._places = places
        self._flow = BarrierControlFlow(
            emit,
            lanes,
            active,
            variables,
            arithmetic,
            expressions,
            parts.ranges,
            positions,
            arrays,
            places,
            vectors,
            runs,
            reporting,
        )

    def write(self) -> None:
        """Write the whole function."""
        self._prepare()
        emit = self._emit
        number = emit.slot("i64", "group")
        emit.do(f"store i64 %begin, ptr {number}")
        head, body, done = (emit.label(n) for n in ("groups", "group", "done"))
        end = emit.label("group.end")
        emit.jump(head)
        emit.start(head)
        current = emit.let(f"load i64, ptr {number}")
        emit.branch(emit.let(f"icmp slt i64 {current}, %end"), body, done)
        emit.start(body)
        self._write_group(current, end)
        emit.jump(end)
        emit.start(end)
        following = emit.let(f"add i64 {current}, 1")
        emit.do(f"store i64 {following}, ptr {number}")
        emit.jump(head)
        emit.start(done)
        if self._memory.streams:
            emit.call("void", "llvm.x86.sse.sfence")
        self._rooms.free()
        emit.do("ret void")

    def _prepare(self) -> None:
        """What is the same for all threadgroups."""
        given = Arguments(self._emit)
        self._positions.read_launch(given)
        self._reporting.read_mailbox(given)
        self._parameters.read(given)
        self._arrays.make()
        if not self._plan.is_flat:
            self._places.make()

    def _write_group(self, number: str, end: str) -> None:
        self._positions.place_group(number)
        if self._places.has_masks:
            self._places.fill_masks()
        self._flow.write_group(self._plan.pieces, end)

"""Makes the parts that kernels and functions have in common, each with those that it asks.

The records are for whoever puts a writer together: no part holds one.
"""

from __future__ import annotations

from collections.abc import Callable

from speedmetal.backends.cpu.codegen.decisions.lane_strides import LaneStrides
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.addresses import Addresses
from speedmetal.backends.cpu.codegen.operations.arithmetic import Arithmetic
from speedmetal.backends.cpu.codegen.operations.atomics import Atomics
from speedmetal.backends.cpu.codegen.operations.collectives import Collectives
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.loads_stores import Memory
from speedmetal.backends.cpu.codegen.operations.mathematics import Mathematics
from speedmetal.backends.cpu.codegen.operations.matrices import Matrices
from speedmetal.backends.cpu.codegen.operations.permutations import Permutations
from speedmetal.backends.cpu.codegen.operations.ranges import Ranges
from speedmetal.backends.cpu.codegen.operations.select_chains import SelectChains
from speedmetal.backends.cpu.codegen.operations.single_lanes import SingleLanes
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.threads.exits import Exits
from speedmetal.backends.cpu.codegen.threads.expressions import Expressions, FunctionTable
from speedmetal.backends.cpu.codegen.threads.statements import Reports, Statements
from speedmetal.backends.cpu.codegen.threads.variables import Variables
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.common.records import record
from speedmetal.ir.float_bounds import FloatBounds
from speedmetal.ir.nodes import Call


@record
class ValueParts:
    """What writes operations on values."""

    emit: Emitter
    lanes: Lanes
    active: ActiveLanes
    conversions: Conversions
    arithmetic: Arithmetic
    chains: SelectChains


@record
class ExpressionParts:
    """What writes expressions, accesses and exits."""

    variables: Variables
    singles: SingleLanes
    addresses: Addresses
    memory: Memory
    atomics: Atomics
    matrices: Matrices
    ranges: Ranges
    expressions: Expressions
    exits: Exits


def value_parts(emit: Emitter, count: int, unit: VectorUnit) -> ValueParts:
    """The parts for one function of the module.

    Args:
        emit: Of the function.
        count: Lanes of a vector; 0 in functions of uniform values alone.
        unit: The processor's.
    """
    lanes = Lanes(emit, count)
    conversions = Conversions(emit, lanes, unit)
    chains = SelectChains(emit)
    arithmetic = Arithmetic(emit, lanes, conversions, chains)
    return ValueParts(emit, lanes, ActiveLanes(emit, lanes), conversions, arithmetic, chains)


def expression_parts(
    values: ValueParts,
    strides: LaneStrides,
    bounds: FloatBounds,
    functions: FunctionTable,
    unit: VectorUnit,
    position: Callable[[Call], Value],
) -> ExpressionParts:
    """The parts for one function of the module.

    Args:
        values: Of the function.
        strides: How the variables vary.
        bounds: Where the body's floats lie.
        functions: The module's functions.
        unit: The processor's.
        position: The value of a position intrinsic.
    """
    emit, lanes, active = values.emit, values.lanes, values.active
    conversions, arithmetic = values.conversions, values.arithmetic
    variables = Variables(emit, lanes, active, strides, values.chains)
    singles = SingleLanes(emit, lanes, conversions)
    addresses = Addresses(emit, lanes, conversions, arithmetic)
    memory = Memory(emit, lanes, active, addresses)
    matrices = Matrices(emit, lanes, conversions, addresses)
    expressions = Expressions(
        emit,
        lanes,
        active,
        variables,
        conversions,
        arithmetic,
        Mathematics(emit, lanes, conversions, arithmetic, unit),
        addresses,
        memory,
        Collectives(emit, lanes, active, conversions, arithmetic, Permutations(emit, lanes, unit)),
        matrices,
        strides,
        bounds,
        functions,
        position,
    )
    return ExpressionParts(
        variables,
        singles,
        addresses,
        memory,
        Atomics(emit, lanes, active, conversions, arithmetic, singles, addresses),
        matrices,
        Ranges(emit, lanes, conversions, arithmetic),
        expressions,
        Exits(emit, lanes, active, strides),
    )


def statement_part(
    values: ValueParts,
    parts: ExpressionParts,
    strides: LaneStrides,
    unit: VectorUnit,
    reports: Reports | None,
) -> Statements:
    """What writes statements, with the parts that a function has.

    Args:
        values: Of the function.
        parts: Of the function.
        strides: How the variables vary.
        unit: The processor's.
        reports: Of a kernel; None in functions.
    """
    return Statements(
        values.emit,
        values.lanes,
        values.active,
        parts.variables,
        parts.expressions,
        parts.memory,
        parts.atomics,
        parts.matrices,
        parts.ranges,
        parts.exits,
        strides,
        unit,
        reports,
    )

"""Metal Shading Language: the source of a kernel.

How a launch binds the buffers: the array parameters in their order from 0, then the arguments
(:func:`speedmetal.backends.c_family.layout.argument_layout`), then the mailbox where there is one.
Threadgroup arrays sized at launch have the threadgroup indices 0, 1 ... in the kernel's order, and
lengths rounded up to 16 bytes. Dispatch with ``dispatchThreads``: no thread beyond the grid runs,
and the threadgroups at its edge are smaller.

The text keeps to the part of the language that every version since 2.3 has (3.1 for bfloat): each
buffer has its index, each pointer its address space, threadgroup arrays are declared in the kernel
and have no initialiser, and there are no templates of our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from speedmetal.backends.c_family.check import check
from speedmetal.backends.c_family.collectives import Collectives, Primitives
from speedmetal.backends.c_family.kernels import KernelPrinter
from speedmetal.backends.c_family.layout import AXES, ArgumentLayout, distance_field
from speedmetal.backends.c_family.operators import PRIMARY, Text
from speedmetal.backends.c_family.statements import Line
from speedmetal.backends.metal.codegen.spellings import (
    DIALECT,
    HEADS,
    LIMITS,
    MATRIX_TYPES,
    NATIVE_ATOMICS,
)
from speedmetal.dtypes import DType, bfloat16, bool_, float16, uint32
from speedmetal.errors import CompileError, Diagnostic, InternalError
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import SIMDGROUP_LANES, Exchange
from speedmetal.ir.nodes import (
    Array,
    Assign,
    Barrier,
    Call,
    Expression,
    Kernel,
    MatrixLoad,
    MatrixStore,
    Variable,
)
from speedmetal.ir.types import SIMDGROUP_MATRIX_SIZE, MatrixType, Space

_LANE = "thread_index_in_simdgroup"
_ARITHMETIC = ("sum", "product")
_MEMORY = {
    Space.DEVICE: "mem_flags::mem_device",
    Space.THREADGROUP: "mem_flags::mem_threadgroup",
}
_SMALL_SHUFFLES = ("simd_shuffle({0}, ushort({1}))", "simd_shuffle_xor({0}, ushort({1}))")
_LONG_SHUFFLES = ("shuffle_long({0}, ushort({1}))", "shuffle_long({0}, ushort(lane ^ {1}))")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the printed text, and the line of Python that it comes from."""

    printed_line: int
    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class PrintedKernel:
    """The Metal source of a kernel, and what a launch must bind.

    Args:
        text: The source.
        entry: The name of the kernel in it: the kernel's own, or that with ``_kernel`` behind it
            where the name means something in Metal.
        layout: The structure of the arguments, which is bound behind the arrays.
        arrays: The kernel's parameters that have a buffer, by number, in the order of the buffers.
        has_mailbox: Whether a mailbox is bound behind the arguments.
        sized_arrays: How many threadgroup arrays are sized at launch.
        places: Where lines of the source come from.
    """

    text: str
    entry: str
    layout: ArgumentLayout
    arrays: tuple[int, ...]
    has_mailbox: bool
    sized_arrays: int
    places: tuple[Place, ...]


def print_kernel_with_places(kernel: Kernel, *, math_mode: str = "safe") -> PrintedKernel:
    """A kernel as Metal source.

    Args:
        kernel: As it comes from the passes.
        math_mode: ``"safe"``, or ``"fast"`` to let the compiler change results.

    Raises:
        CompileError: Metal GPUs cannot do what the kernel asks for.
    """
    if faults := check_kernel(kernel):
        raise CompileError(kernel.name, faults)
    printer = MetalPrinter(kernel, math_mode)
    lines = printer.source_lines()
    return PrintedKernel(
        "\n".join(lines) + "\n",
        printer.entry,
        printer.layout,
        tuple(n for n, p in enumerate(kernel.parameters) if is_bound(p)),
        printer.has_mailbox,
        len(printer.facts.sized_arrays),
        tuple(_places(lines)),
    )


def is_bound(parameter: Variable | Array) -> bool:
    """Whether a launch binds a buffer for a parameter: those in another's memory have none."""
    return isinstance(parameter, Array) and parameter.memory is None


def _places(lines: list[str]) -> Iterator[Place]:
    for number, line in enumerate(lines, start=1):
        if isinstance(line, Line) and (span := line.span) is not None:
            yield Place(number, span.text.name, span.line, span.text.line(span.line))


def print_kernel(kernel: Kernel, *, math_mode: str = "safe") -> str:
    """The text of :func:`print_kernel_with_places`.

    Raises:
        CompileError: Metal GPUs cannot do what the kernel asks for.
    """
    return print_kernel_with_places(kernel, math_mode=math_mode).text


def check_kernel(kernel: Kernel) -> list[Diagnostic]:
    """Everything in a kernel that Metal GPUs cannot do."""
    return check(kernel, LIMITS)


class MetalPrinter(KernelPrinter):
    """Prints one kernel for Metal."""

    def __init__(self, kernel: Kernel, math_mode: str = "safe") -> None:
        super().__init__(DIALECT, kernel)
        self._math_mode = math_mode
        self.atomics.native = NATIVE_ATOMICS
        self._attributes: dict[str, str] = {}  # position -> type of the kernel's parameter

    def head(self) -> str:
        return HEADS[self._math_mode]

    # --- Positions -----------------------------------------------------------------------------

    def _attribute(self, name: str) -> str:
        self._attributes[name] = "uint3" if TABLE[name].axes else "uint"
        return name

    def position(self, node: Call) -> Text:
        name, axis = node.intrinsic.name, node.axis or 0
        assert isinstance(node.type, DType)
        if name == "threads_per_grid":
            return Text(f"arguments.grid_{AXES[axis]}", PRIMARY)
        if name == "threads_per_simdgroup":
            return Text(f"32{self.dialect.suffixes[node.type]}", PRIMARY)
        member = f".{AXES[axis]}" if node.intrinsic.axes else ""
        return self.cast_text(node.type, self._attribute(name) + member)

    def failure_arguments(self) -> str:
        where = ("thread_position_in_threadgroup", "threadgroup_position_in_grid")
        return "".join(f", {self._attribute(name)}.{axis}" for name in where for axis in AXES)

    # --- Simdgroups ----------------------------------------------------------------------------

    def collective(self, node: Call) -> Text:
        dtype = node.arguments[0].type if node.arguments else bool_
        assert isinstance(dtype, DType)
        if dtype in (float16, bfloat16):
            raise InternalError(f"printing metal: {node.intrinsic.name} of {dtype}, not float32")
        arguments = [self.expression_text(a) for a in node.arguments]
        spelling = node.intrinsic.spelling("metal", dtype)
        if isinstance(spelling, str) and not spelling.startswith("@"):
            arguments[1:] = [f"ushort({a})" for a in arguments[1:]]
            if dtype.is_integer and dtype is not uint32 and spelling.endswith(_ARITHMETIC):
                # By way of uint, of which alone the language says that it wraps: products of
                # ushort are computed as int.
                text = f"{spelling}({self.type(uint32)}({arguments[0]}))"
                return self.cast_text(dtype, text)
            return Text(f"{spelling}({', '.join(arguments)})", PRIMARY)
        return self._own_collective(node, dtype, arguments)

    def _own_collective(self, node: Call, dtype: DType, arguments: list[str]) -> Text:
        exchange = node.intrinsic.exchange
        assert exchange is not None
        is_part = exchange.lanes < SIMDGROUP_LANES and not exchange.is_of_quads
        if exchange.operation in _EXTREMA and dtype.bits < 64 and not is_part:
            return Text(f"{self._extremum(exchange, dtype)}({arguments[0]})", PRIMARY)
        if dtype.bits == 64:
            t = self.helpers.type(dtype)
            self.helpers.function("shuffle_long", t, f"{t} x, ushort lane", _LONG_BODY.format(t))
        shuffles = _LONG_SHUFFLES if dtype.bits == 64 else _SMALL_SHUFFLES
        function = Collectives(self.helpers, _primitives(*shuffles)).function(exchange, dtype)
        lane = self._attribute(_LANE)
        return Text(f"{function}({', '.join([lane, *arguments])})", PRIMARY)

    def _extremum(self, exchange: Exchange, dtype: DType) -> str:
        """Metal's own min or max, made to give NaN where an operand is NaN."""
        family = "quad" if exchange.is_of_quads else "simd"
        name = f"{family}_{exchange.operation}"
        if not dtype.is_float:
            return name
        t = self.helpers.type(dtype)
        own_name = f"{family}group_{exchange.operation}"
        # Outside the condition: threads must not part in front of it.
        body = f"{t} extremum = {name}(x);\nreturn {family}_any(isnan(x)) ? NAN : extremum;"
        self.helpers.function(own_name, t, f"{t} x", body, "NaN where any thread has NaN.")
        return own_name

    # --- Matrices ------------------------------------------------------------------------------

    def matrix_type(self, kind: MatrixType) -> str:
        return MATRIX_TYPES[kind.dtype]

    def _assign(self, node: Assign) -> None:
        """Metal's functions on matrices fill their first argument."""
        if not _fills_a_matrix(node.value):
            super()._assign(node)
            return
        target = self._target(node, node.variable)
        name = self.variable(node.variable)
        if target != name:
            self.line(f"{target};")
        if isinstance(node.value, MatrixLoad):
            self.line(f"simdgroup_load({name}, {self._print_load_arguments(node.value)});")
        else:
            assert isinstance(node.value, Call)
            arguments = ", ".join(map(self.expression_text, node.value.arguments))
            self.line(f"{node.value.intrinsic.name}({name}, {arguments});")

    def matrix_call(self, node: Call) -> Text:
        assert isinstance(node.type, MatrixType)
        if node.intrinsic.matrix_operands:
            raise InternalError(f"printing metal: {node.intrinsic.name} inside an expression")
        element, size = self.type(node.type.dtype), SIMDGROUP_MATRIX_SIZE
        value = self.expression_text(node.arguments[0])
        filled = f"make_filled_simdgroup_matrix<{element}, {size}, {size}>({value})"
        return Text(filled, PRIMARY)

    def matrix_load(self, node: MatrixLoad) -> Text:
        """A matrix inside an expression is loaded before the statement."""
        name = self.names.fresh("loaded")
        self.line(f"{self.type(node.type)} {name};")
        self.line(f"simdgroup_load({name}, {self._print_load_arguments(node)});")
        return Text(name, PRIMARY)

    def _print_load_arguments(self, node: MatrixLoad) -> str:
        """What is loaded: the first element, the rows' distance, the origin, whether transposed."""
        row, transpose = self._row(node.array, transpose=node.transpose)
        return f"{self.address(node.array, node.indices)}, {row}, ulong2(0, 0), {transpose}"

    def matrix_store(self, node: MatrixStore) -> str:
        row, transpose = self._row(node.array, transpose=False)
        address = self.address(node.array, node.indices)
        value = self.expression_text(node.value)
        return f"simdgroup_store({value}, {address}, {row}, ulong2(0, 0), {transpose})"

    def _row(self, array: Array, *, transpose: bool) -> tuple[str, str]:
        """Elements from row to row as they lie in memory, and whether rows and columns change."""
        rows, columns = array.type.matrix_axes
        columns_first = array.shape is None and array.type.unit_axis == rows
        stride = self.stride(array, columns if columns_first else rows)
        return f"ulong({stride or 1})", "true" if transpose is not columns_first else "false"

    # --- Memory --------------------------------------------------------------------------------

    def barrier(self, node: Barrier) -> str:
        flags = " | ".join(words for space, words in _MEMORY.items() if space in node.memory)
        return f"{node.scope}_barrier({flags or 'mem_flags::mem_none'})"

    def exchange_word(self, word: str, value: str) -> str:
        return (
            f"atomic_exchange_explicit((device atomic_uint*){word}, {value}, memory_order_relaxed)"
        )

    def add_to_word(self, word: str, value: str) -> str:
        pointer = f"(device atomic_uint*)({word})"
        return f"atomic_fetch_add_explicit({pointer}, {value}, memory_order_relaxed)"

    def record_type(self) -> str:
        return f"device {self.helpers.type(uint32)}*"

    def conversion_texts(self) -> dict[DType, tuple[str, str]]:
        return {bool_: ("{type}({0})", "uchar({0})")}

    # --- The kernel ----------------------------------------------------------------------------

    def signature(self) -> list[str]:
        parameters = []
        bound = list(filter(is_bound, self.arrays_parameters))
        for number, array in enumerate(bound):
            pointer = self.pointer(array, constant=array not in self.facts.stored)
            parameters.append(f"{pointer} {self.array(array)} [[buffer({number})]]")
        number = len(bound)
        parameters.append(f"constant Arguments& arguments [[buffer({number})]]")
        if self.has_mailbox:
            parameters.append(f"device uint* mailbox [[buffer({number + 1})]]")
        dynamic = (a for a in self.arrays_in(Space.THREADGROUP) if a.is_sized_at_launch)
        for number, array in enumerate(dynamic):
            name = f"{self.pointer(array)} {self.array(array)}"
            parameters.append(f"{name} [[threadgroup({number})]]")
        for name, t in sorted(self._attributes.items()):
            parameters.append(f"{t} {name} [[{name}]]")
        lines = [f"    {p}{',' if p is not parameters[-1] else ') {'}" for p in parameters]
        return [f"kernel void {self.entry}(", *lines]

    def prologue(self) -> None:
        for array in self.arrays_parameters:
            if array.memory is not None:
                pointer = self.pointer(array, constant=True)
                start = f"(device const uchar*){self.array(array.memory)}"
                distance = f"arguments.{self.field(distance_field(array))}"
                self.line(f"{pointer} {self.array(array)} = ({pointer})({start} + {distance});")
        for array in self.arrays_in(Space.THREADGROUP):
            if array.is_sized_at_launch:
                self.extent_lines(array)
            else:
                self.line(self.static_array(array, "threadgroup "))
        for array in self.arrays_in(Space.THREAD):
            self.line(self.static_array(array, ""))


def _fills_a_matrix(value: Expression) -> bool:
    if isinstance(value, Call):
        return bool(value.intrinsic.matrix_operands)
    return isinstance(value, MatrixLoad)


_EXTREMA = frozenset({"min", "max"})
_LONG_BODY = """uint2 halves = as_type<uint2>(x);
halves.x = simd_shuffle(halves.x, lane);
halves.y = simd_shuffle(halves.y, lane);
return as_type<{0}>(halves);"""


def _primitives(shuffle: str, shuffle_xor: str) -> Primitives:
    return Primitives(
        context="uint lane",
        active="uint(simd_vote::vote_t(simd_ballot(true)))",
        lane="lane",
        lowest="ctz({0})",
        shuffle=shuffle,
        shuffle_xor=shuffle_xor,
        ballot="uint(simd_vote::vote_t(simd_ballot({0})))",
    )


__all__ = [
    "MetalPrinter",
    "Place",
    "PrintedKernel",
    "check_kernel",
    "print_kernel",
    "print_kernel_with_places",
]

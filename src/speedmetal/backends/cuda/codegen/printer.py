"""CUDA C++: the source of a kernel.

How a launch passes parameters: a pointer for each array parameter in their order, then the
arguments (:func:`speedmetal.backends.c_family.layout.argument_layout`) by value, then the mailbox's
address where there is one. A launch covers the grid with whole blocks of the wanted size, which the
kernel cuts down to the grid:

* No thread beyond the grid gets past the first lines. Barriers wait for the others only (compute
  capability 7.0 and later).
* Where all blocks lie in the grid, and are of whole warps, that is all
  (:mod:`speedmetal.backends.cuda.codegen.threadgroups`); what follows is for other launches.
* ``threads_per_threadgroup`` is the size of what is left of the block. In kernels that use thread
  indices or simdgroups, the threads left are numbered anew without gaps: a simdgroup is 32 threads
  of consecutive index, and a warp, in edge threadgroups too. A thread's position in the threadgroup
  follows from its index there.
* A collective that all threads of a simdgroup reach together, as far as the source shows it, acts
  over exactly these threads, and brings them together first. So does one directly inside an
  ``if``, over those that take the branch. Elsewhere (after a ``return`` or ``break`` that some
  threads take, in loops of different lengths) it acts over the threads that the hardware runs
  together there.

More than 65535 threadgroups along y or z lie along the hardware's x.
"""

from __future__ import annotations

from dataclasses import dataclass

from speedmetal.backends.c_family.check import check
from speedmetal.backends.c_family.collectives import Collectives, Primitives
from speedmetal.backends.c_family.layout import ArgumentLayout
from speedmetal.backends.c_family.operators import PRIMARY, Text
from speedmetal.backends.cuda.codegen.positions import PositionsPrinter, numbers_threads
from speedmetal.backends.cuda.codegen.spellings import (
    DIALECT,
    LIMITS,
    NATIVE_ATOMICS,
    STATIC_THREADGROUP_BYTES,
)
from speedmetal.backends.cuda.codegen.threadgroups import Threadgroups, of_variant
from speedmetal.backends.cuda.fast_mode import FAST_HEAD
from speedmetal.common.records import replace
from speedmetal.dtypes import DType, bool_, uint8, uint32
from speedmetal.errors import CompileError, Diagnostic
from speedmetal.intrinsics.record import Varies
from speedmetal.ir import analysis
from speedmetal.ir.aliasing import loads_behind_stores
from speedmetal.ir.nodes import (
    Array,
    Assign,
    Barrier,
    Call,
    If,
    Kernel,
    Statement,
)
from speedmetal.ir.types import Space
from speedmetal.ir.uniformity import Uniformities, may_leave
from speedmetal.ir.walk import statements

_FULL_PREFIX = """if (active == 0xffffffff) {{
    for (unsigned int offset = 1; offset < 32; offset *= 2) {{
        {type} other = {type}(__shfl_up_sync(mask, x, offset));
        if (lane >= offset) x = {combined};
    }}
    {ending}
}}"""
_PRIMITIVES = Primitives(
    context="uint32 mask",
    active="mask",
    lane="lane_index()",
    lowest="__ffs({0}) - 1",
    shuffle="__shfl_sync(mask, {0}, {1})",
    shuffle_xor="__shfl_xor_sync(mask, {0}, {1})",
    ballot="__ballot_sync(mask, {0})",
    full_prefix=_FULL_PREFIX,
)


@dataclass(frozen=True, slots=True)
class PrintedKernel:
    """The CUDA source of a kernel, and what a launch must pass.

    Args:
        text: The source.
        entry: The name of the kernel in it: the kernel's own, or that with ``_kernel`` behind it
            where the name means something in CUDA C++.
        layout: Of the arguments, which are passed behind the arrays.
        arrays: The kernel's parameters that are arrays, by number, in the order of the pointers.
        has_mailbox: Whether the mailbox's address is passed behind the arguments.
        dynamic_bytes: Of each of :func:`dynamic_arrays` its size, or 0 where only a launch knows.
        neighbours: How many positions along x a thread takes.
        written: The pointers, by place, that are written through, where the text takes all arrays
            to lie apart from these; empty: it does not. Without the word :data:`APART` the same
            text is for any arrays.
        item_bytes: Of each pointer the size of an element.
    """

    text: str
    entry: str
    layout: ArgumentLayout
    arrays: tuple[int, ...]
    has_mailbox: bool
    dynamic_bytes: tuple[int, ...]
    neighbours: int
    written: tuple[int, ...]
    item_bytes: tuple[int, ...]


APART = "__restrict__ "
_ANY = Threadgroups()


def printed(
    kernel: Kernel, threadgroups: Threadgroups = _ANY, *, math_mode: str = "safe"
) -> PrintedKernel:
    """A kernel as CUDA source.

    Args:
        kernel: As it comes from the passes.
        threadgroups: Of the launches that it is for.
        math_mode: ``"safe"``; ``"tf32"`` to let tensor cores round float32 to TF32; ``"fast"`` to
            let the compiler take its less exact functions as well.

    It needs no header. How it is to be compiled, without contraction of products and sums, or as
    its first line says, :mod:`speedmetal.backends.cuda.nvrtc` knows.

    Raises:
        CompileError: NVIDIA GPUs cannot do what the kernel asks for.
    """
    if faults := check_kernel(kernel):
        raise CompileError(kernel.name, faults)
    printer = CudaPrinter(kernel, threadgroups, math_mode)
    arrays = [p for p in kernel.parameters if isinstance(p, Array)]
    stored = (n for n, a in enumerate(arrays) if a in printer.facts.stored)
    return PrintedKernel(
        printer.source(),
        printer.entry,
        printer.layout,
        tuple(n for n, p in enumerate(kernel.parameters) if isinstance(p, Array)),
        printer.has_mailbox,
        tuple(0 if a.is_sized_at_launch else a.size_bytes for a in printer.dynamic),
        printer.neighbours,
        tuple(stored) if printer.are_apart else (),
        tuple(array.type.dtype.itemsize for array in arrays),
    )


def print_kernel(kernel: Kernel, *, math_mode: str = "safe") -> str:
    """The text of :func:`printed`.

    Raises:
        CompileError: NVIDIA GPUs cannot do what the kernel asks for.
    """
    return printed(kernel, math_mode=math_mode).text


def variants_served(kernel: Kernel, variant: str) -> tuple[str, ...]:
    """The variants that the code for one does for: also whole ones where nothing is numbered."""
    if numbers_threads(kernel):
        return (variant,)
    known = of_variant(variant)
    return tuple(str(replace(known, are_whole=are_whole)) for are_whole in (False, True))


def check_kernel(kernel: Kernel) -> list[Diagnostic]:
    """Everything in a kernel that NVIDIA GPUs cannot do."""
    return check(kernel, LIMITS)


def dynamic_arrays(kernel: Kernel) -> tuple[Array, ...]:
    """The threadgroup arrays whose memory a launch has to ask for, in their order there.

    Each begins at a multiple of 16 bytes; the first at 0. They are those sized at launch, or all
    where the others are too large to be declared in a kernel.
    """
    shared = [a for a in kernel.arrays if a.type.space is Space.THREADGROUP]
    if analysis.facts(kernel).threadgroup_bytes > STATIC_THREADGROUP_BYTES:
        return tuple(shared)
    return tuple(a for a in shared if a.is_sized_at_launch)


class CudaPrinter(PositionsPrinter):
    """Prints one kernel for CUDA, for launches with such threadgroups."""

    def __init__(
        self, kernel: Kernel, threadgroups: Threadgroups = _ANY, math_mode: str = "safe"
    ) -> None:
        super().__init__(DIALECT, kernel, threadgroups, math_mode)
        self._is_fast = math_mode == "fast"
        self.are_apart = not self.has_mailbox and self.taken is None and _gains_apart(kernel)
        self.atomics.native = NATIVE_ATOMICS
        self.dynamic = dynamic_arrays(kernel)
        self.collectives = Collectives(self.helpers, _PRIMITIVES)
        self._masks: dict[Statement, str] = {}

    def head(self) -> str:
        return FAST_HEAD if self._is_fast else ""

    # --- Simdgroups ----------------------------------------------------------------------------

    def _mask(self, statement: Statement | None) -> str:
        """The threads that come to a statement together."""
        if statement in self._masks:
            return self._masks[statement]
        if statement is None or not self._agreed.is_reached_together(statement):
            return "__activemask()"
        return "simdgroup_mask"

    @property
    def _agreed(self) -> Uniformities:
        """What all threads of a simdgroup agree on."""
        return self.facts.uniformities(Varies.SIMDGROUPS)

    def _if(self, node: If) -> None:
        """Where only some take the branch, and exchange values in it, they are found first."""
        if _collectives_in(node) and self._agreed.splits(node):
            word = self.helpers.type(uint32)
            mask = self.names.fresh("branch_mask")
            condition = self.expression_text(node.condition)
            self.line(f"{word} {mask} = __ballot_sync(simdgroup_mask, {condition});")
            for statement in _statements_reached_together(node.body):
                self._masks[statement] = mask
            for statement in _statements_reached_together(node.orelse):
                self._masks[statement] = f"simdgroup_mask & ~{mask}"
        super()._if(node)

    def collective(self, node: Call) -> Text:
        dtype = node.arguments[0].type if node.arguments else bool_
        assert isinstance(dtype, DType)
        self.helpers.type(uint32)
        self.helpers.prelude("lane_index")
        assert node.intrinsic.exchange is not None
        function = self.collectives.function(node.intrinsic.exchange, dtype)
        arguments = [self._mask(self.current), *map(self.expression_text, node.arguments)]
        return Text(f"{function}({', '.join(arguments)})", PRIMARY)

    def barrier(self, node: Barrier) -> str:
        if node.scope == "threadgroup":
            return "__syncthreads()"
        return f"__syncwarp({self._mask(node)})"

    # --- Memory --------------------------------------------------------------------------------

    def exchange_word(self, word: str, value: str) -> str:
        return f"atomicExch({word}, {value})"

    def add_to_word(self, word: str, value: str) -> str:
        return f"atomicAdd({word}, {value})"

    def record_type(self) -> str:
        return f"{self.helpers.type(uint32)}*"

    def conversion_texts(self) -> dict[DType, tuple[str, str]]:
        return {bool_: ("{type}({0})", f"{self.helpers.dialect.types[uint8]}({{0}})")}

    # --- The kernel ----------------------------------------------------------------------------

    def signature(self) -> list[str]:
        apart = APART if self.are_apart else ""
        parameters = [
            f"{self.pointer(array, constant=array not in self.facts.stored)} {apart}"
            f"{self.array(array)}"
            for array in self.arrays_parameters
        ]
        parameters.append("const Arguments arguments")
        if self.has_mailbox:
            parameters.append(f"{self.helpers.type(uint32)}* mailbox")
        lines = [f"    {p}{',' if p is not parameters[-1] else ') {'}" for p in parameters]
        bounds = f"__launch_bounds__({self._threads})"
        return [f'extern "C" __global__ void {bounds} {self.entry}(', *lines]

    def prologue(self) -> None:
        in_pieces = self.facts.accessed_in_pieces
        for array in self.arrays_in(Space.THREADGROUP):
            if array not in self.dynamic:
                # Pieces of 16 bytes go to and come from multiples of 16.
                words = "__shared__ __align__(16) " if array in in_pieces else "__shared__ "
                self.line(self.static_array(array, words))
        if self.dynamic:
            self.line("extern __shared__ __align__(16) unsigned char threadgroup_memory[];")
        for array in self.arrays_in(Space.THREAD):
            self.line(self.static_array(array, ""))
        self.find_thread()
        self._carve()
        self.find_conditions()

    def _carve(self) -> None:
        """Pointers to the arrays of which only a launch knows the sizes, one behind another."""
        start = ""
        for number, array in enumerate(self.dynamic):
            self.extent_lines(array)
            name = self.array(array)
            pointer, declared = self._carved(array, name)
            self.line(f"{declared} = ({pointer})(threadgroup_memory{start});")
            if number + 1 < len(self.dynamic):
                sizes = [self.extent(array, axis) for axis in range(array.type.rank)]
                count = " * ".join([*sizes, f"sizeof({self.element_type(array.type.dtype)})"])
                end = f"{name}_end"
                before = f"{start.removeprefix(' + ')} + " if start else ""
                self.line(f"size_t {end} = {before}(({count} + 15) & ~size_t(15));")
                start = f" + {end}"

    def _carved(self, array: Array, name: str) -> tuple[str, str]:
        """The type of a pointer to such an array, and the pointer's declaration.

        Where the shape is known, it is one to the array's rows, so that all indices can follow it.
        """
        if array.is_sized_at_launch or array.type.rank == 1:
            return self.pointer(array), f"{self.pointer(array)} {name}"
        element = self.element_type(array.type.dtype)
        row = "".join(f"[{size}]" for size in (array.shape or ())[1:])
        return f"{element} (*){row}", f"{element} (*{name}){row}"


def _gains_apart(kernel: Kernel) -> bool:
    """Whether it helps to know that arrays lie apart; some are known to lie together."""
    arrays = (p for p in kernel.parameters if isinstance(p, Array))
    return loads_behind_stores(kernel) and all(array.memory is None for array in arrays)


def _collectives_in(node: If) -> bool:
    """Whether threads exchange values directly in a branch."""
    return any(
        _is_collective(s)
        for body in (node.body, node.orelse)
        for s in _statements_reached_together(body)
    )


def _statements_reached_together(body: tuple[Statement, ...]) -> list[Statement]:
    """The statements of a block that all threads which enter it reach together."""
    found: list[Statement] = []
    for statement in body:
        found.append(statement)
        if any(may_leave(s) for s in statements((statement,))):
            break
    return found


def _is_collective(node: Statement) -> bool:
    if isinstance(node, Barrier):
        return node.scope == "simdgroup"
    value = node.value if isinstance(node, Assign) else None
    return isinstance(value, Call) and value.intrinsic.exchange is not None


__all__ = ["CudaPrinter", "check_kernel", "dynamic_arrays", "print_kernel"]

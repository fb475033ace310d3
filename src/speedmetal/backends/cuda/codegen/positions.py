"""Where a thread is, in CUDA C++."""

from __future__ import annotations

from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.layout import AXES
from speedmetal.backends.c_family.operators import BIT_AND, PRIMARY, SHIFT, Text
from speedmetal.backends.cuda.codegen.threadgroups import Threadgroups
from speedmetal.backends.cuda.codegen.tiles import TilesPrinter
from speedmetal.dtypes import DType, uint32
from speedmetal.ir import analysis
from speedmetal.ir.nodes import Call, Kernel

_INDEX_TEXTS = {
    "thread_index_in_threadgroup": Text("thread_index_in_threadgroup", PRIMARY),
    "thread_index_in_simdgroup": Text("thread_index_in_threadgroup & 31", BIT_AND),
    "simdgroup_index_in_threadgroup": Text("thread_index_in_threadgroup >> 5", SHIFT),
    "simdgroups_per_threadgroup": Text("(threads + 31) >> 5", SHIFT),
    "threads_per_simdgroup": Text("32", PRIMARY),
}
_LINEAR = "threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)"
_HARDWARE = {"threadgroup_position_in_grid": "blockIdx", "threadgroups_per_grid": "gridDim"}


def numbers_threads(kernel: Kernel) -> bool:
    """Whether it matters which index a thread has in its threadgroup."""
    facts = analysis.facts(kernel)
    index = "thread_index_in_threadgroup"
    return facts.tells_simdgroups or any(name == index for name, _ in facts.positions)


class PositionsPrinter(TilesPrinter):
    """Prints what finds a thread."""

    def __init__(
        self, dialect: Dialect, kernel: Kernel, threadgroups: Threadgroups, math_mode: str
    ) -> None:
        super().__init__(dialect, kernel, math_mode)
        self._threads = threadgroups.most_threads
        self._hardware = dict(zip(AXES, threadgroups.by_hardware(("x", "y", "z")), strict=True))
        self._is_numbered = numbers_threads(kernel)
        self._are_whole = self._is_numbered and threadgroups.are_whole
        self._renumbers = self._is_numbered and not self._are_whole
        self._place = "place" if self._renumbers else "threadIdx"

    def position(self, node: Call) -> Text:
        assert isinstance(node.type, DType)
        return self._position(node.intrinsic.name, node.axis or 0, node.type)

    def _position(self, name: str, axis: int, dtype: DType) -> Text:
        letter = AXES[axis]
        if name in _INDEX_TEXTS:
            return _INDEX_TEXTS[name]
        if name in _HARDWARE:
            return self.cast_text(dtype, f"{_HARDWARE[name]}.{self._hardware[letter]}")
        if name == "thread_position_in_threadgroup":
            return self.cast_text(dtype, f"{self._place}.{letter}")
        if name == "threads_per_grid":
            return Text(f"arguments.grid_{letter}", PRIMARY)
        return Text(f"{name}_{letter}", PRIMARY)

    def failure_arguments(self) -> str:
        names = ("thread_position_in_threadgroup", "threadgroup_position_in_grid")
        return "".join(
            f", {self._position(name, axis, uint32).text}" for name in names for axis in range(3)
        )

    def find_thread(self) -> None:
        """Lines that say where the thread is, and end those beyond the grid."""
        t = self.type(self.kernel.index_type)
        sizes = self.positions.get("threads_per_threadgroup", set())
        for axis, letter in enumerate(AXES):
            if self._renumbers or axis in sizes:
                size = f"{t}(blockDim.{letter})"
                if not self._are_whole:
                    start = f"{t}(blockIdx.{self._hardware[letter]}) * {size}"
                    size = f"min({size}, arguments.grid_{letter} - {start})"
                self.line(f"{t} threads_per_threadgroup_{letter} = {size};")
        if self._renumbers:
            self._number_threads(t)
        elif self._is_numbered:
            self._take_numbers(t)
        positions = self.positions.get("thread_position_in_grid", set())
        for axis, letter in enumerate(AXES):
            if not self._is_numbered or axis in positions:
                self._find_position(t, letter)
        if not self._is_numbered:
            self._leave_beyond_the_grid()

    def _find_position(self, t: str, letter: str) -> None:
        place = f"{self._place}.{letter}"
        start = f"{t}(blockIdx.{self._hardware[letter]}) * {t}(blockDim.{letter})"
        if letter == "x" and self.taken is not None:
            index = f"({start} + {t}({place})) * {self.neighbours}"
            self.line(f"{t} first_neighbour = {index};")
        else:
            self.line(f"{t} thread_position_in_grid_{letter} = {start} + {t}({place});")

    def _leave_beyond_the_grid(self) -> None:
        self.line("// No thread runs beyond the grid.")
        # Who takes neighbours looks along x later.
        axes = AXES if self.taken is None else AXES[1:]
        beyond = [f"thread_position_in_grid_{a} >= arguments.grid_{a}" for a in axes]
        self.line(f"if ({beyond[0]} ||")
        for condition in beyond[1:-1]:
            self.line(f"    {condition} ||")
        self.line(f"    {beyond[-1]}) return;")

    def place_along_x(self) -> tuple[str, str]:
        return "threadIdx.x", "blockDim.x"

    def _take_numbers(self, t: str) -> None:
        """Numbers as the hardware has them, where all threads of all threadgroups are there."""
        self.line("// All threads of all threadgroups are in the grid.")
        self.line(f"{t} threads = {t}(blockDim.x * blockDim.y * blockDim.z);")
        self.line(f"{t} thread_index_in_threadgroup = {t}({_LINEAR});")
        if self.facts.exchanges:
            self.line(f"const {self.helpers.type(uint32)} simdgroup_mask = 0xffffffff;")

    def _number_threads(self, t: str) -> None:
        x, y, z = (f"threads_per_threadgroup_{a}" for a in AXES)
        index = "thread_index_in_threadgroup"
        self.line(f"{t} threads = {x} * {y} * {z};")
        self.line(f"{t} {index} = {t}({_LINEAR});")
        self.line("// No thread runs beyond the grid; those left at its edge are numbered anew.")
        self.line(f"if ({index} >= threads) return;")
        self.line("uint3 place = threadIdx;")
        self.line(f"if (threads != {t}(blockDim.x * blockDim.y * blockDim.z)) {{")
        self.line(f"    place.x = {index} % {x};")
        self.line(f"    place.y = {index} / {x} % {y};")
        self.line(f"    place.z = {index} / ({x} * {y});")
        self.line("}")
        if self.facts.exchanges:
            word = self.helpers.type(uint32)
            left = f"threads - ({index} & ~31)"
            self.line("// A bit for each thread of the simdgroup.")
            self.line(f"{word} simdgroup_mask = 0xffffffff >> max(32 - int({left}), 0);")

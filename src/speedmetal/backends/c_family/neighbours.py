"""Kernels whose threads take several neighbours along x, see :mod:`speedmetal.ir.neighbours`.

The printed body stands there twice: for neighbours whose elements are all loaded before the first
is stored, and for one position after the other::

    int first_neighbour = ...;
    int i = first_neighbour;
    bool is_aligned = the addresses of a[i], c[i], ... are multiples of 16;
    int start = is_aligned ? first_neighbour : ...;
    int step = is_aligned ? 1 : the threadgroup's threads along x;
    if (all neighbours are in the grid, and in the kernel's own bounds) {
        neighbours<float, 4> a_neighbours;
        if (is_aligned) a_neighbours = *(const neighbours<float, 4>*)&a[i];
        else for each lane { ... a_neighbours.element[lane] = a[i]; }
        for each lane { ... c_neighbours.element[lane] = a_neighbours.element[lane]; ... }
        if (is_aligned) *(neighbours<float, 4>*)&c[i] = c_neighbours;
        else for each lane { ... c[i] = c_neighbours.element[lane]; }
        return;
    }
    for each lane in the grid { ... c[i] = a[i]; ... }

Whether addresses are aligned is the same for all threads of a threadgroup that differ in x alone.
So where they are not, these share out their positions in another way: one each, then the next ones.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.kernels import KernelPrinter
from speedmetal.backends.c_family.operators import PRIMARY, Text
from speedmetal.ir.neighbours import Neighbours, Place, neighbours
from speedmetal.ir.nodes import Kernel, Load, Return, Statement, Store, Variable
from speedmetal.ir.together import Together

POSITION = "thread_position_in_grid_x"


class _Names(NamedTuple):
    """Of the printed variables."""

    aligned: str
    together: str
    lane: str
    start: str
    step: str


class NeighboursPrinter(KernelPrinter):
    """Prints a kernel of which each thread takes neighbours, where it may.

    A target's prologue **must** find, where :attr:`taken` is not None, ``first_neighbour`` instead
    of the thread's position along x, and end no thread for being beyond the grid along x.

    Attributes:
        taken: How; None: each thread takes one position.
        neighbours: How many positions along x a thread takes.
    """

    def __init__(self, dialect: Dialect, kernel: Kernel) -> None:
        super().__init__(dialect, kernel)
        self.taken: Neighbours | None = neighbours(kernel)
        if self.taken is not None and self.taken.are_apart and Together(kernel).opened:
            self.taken = None  # it has as much on its way as it is written
        self.neighbours = 1 if self.taken is None else self.taken.count
        self._whole: dict[Load | Store, str] = {}  # while the first of the bodies is printed
        self._is_lane = False

    @abstractmethod
    def place_along_x(self) -> tuple[str, str]:
        """The thread's position in its threadgroup along x, and how many threads are there."""

    # --- The two bodies ------------------------------------------------------------------------

    def kernel_statements(self, known: tuple[Variable, ...]) -> None:
        if self.taken is None:
            super().kernel_statements(known)
            return
        self._depth = 1
        words = ("is_aligned", "together", "lane", "start", "step")
        names = _Names(*(self.names.fresh(word) for word in words))
        self._print_positions(self.taken, names, known)
        self._print_together(self.taken, names, known)
        self._print_whole(self.taken, names, known)
        self._print_one_by_one(self.taken, names, known)

    def _print_positions(
        self, taken: Neighbours, names: _Names, known: tuple[Variable, ...]
    ) -> None:
        """Lines that find a thread's first position, and how far it is to the next one."""
        index = self.type(self.index_type)
        thread, threads = self.place_along_x()
        start = f"first_neighbour - {index}({thread}) * {taken.count - 1}"
        step = f"{index}({threads})"
        if not taken.are_apart:
            self._print_definitions(taken, "first_neighbour", known)
            self.line(f"bool {names.aligned} = {self._alignment(taken)};")
            start = f"{names.aligned} ? first_neighbour : {start}"
            step = f"{names.aligned} ? {index}(1) : {step}"
        self.line(f"{index} {names.start} = {start};")
        self.line(f"{index} {names.step} = {step};")

    def _print_definitions(
        self, taken: Neighbours, position: str, known: tuple[Variable, ...]
    ) -> None:
        """Lines with what indices and conditions are made of, at a position."""
        self.line(f"{self.type(self.index_type)} {POSITION} = {position};")
        self.print_inside(taken.definitions, known)

    def print_inside(self, body: tuple[Statement, ...], known: tuple[Variable, ...]) -> None:
        """A body, as deep as the next line."""
        self._depth -= 1
        self.body(body, known)
        self._depth += 1

    def _alignment(self, taken: Neighbours) -> str:
        """Whether every place begins at a multiple of what is loaded or stored there."""
        sizes: dict[int, list[str]] = {}
        for place in taken.places:
            size = place.array.type.dtype.itemsize * taken.count
            sizes.setdefault(size, []).append(f"size_t({self._address(place)})")
        terms = [f"(({' | '.join(all_of)}) & {size - 1}) == 0" for size, all_of in sizes.items()]
        return " && ".join(terms)

    def _print_together(
        self, taken: Neighbours, names: _Names, known: tuple[Variable, ...]
    ) -> None:
        """Lines that find out whether all of a thread's positions are there."""
        last = f"{taken.count - 1}{self.dialect.suffixes[self.index_type]} * {names.step}"
        left = f"arguments.grid_x - {names.start} > {last}"
        self.line(f"bool {names.together} = {left};")
        if not taken.conditions:
            return
        self.line("// What holds for the first and the last of them holds for all.")
        for position in (names.start, f"{names.start} + {last}"):
            self.line("{")
            self._depth += 1
            self._print_definitions(taken, position, known)
            self._print_conditions(taken, names.together)
            self._depth -= 1
            self.line("}")

    def _print_conditions(self, taken: Neighbours, together: str) -> None:
        for condition, wanted in taken.conditions:
            text = self.expression_text(condition)
            self.line(f"{together} = {together} && {'' if wanted else '!'}({text});")

    def _print_whole(self, taken: Neighbours, names: _Names, known: tuple[Variable, ...]) -> None:
        self.helpers.prelude("neighbours")
        found = [self.names.fresh(f"{place.array.name}_neighbours") for place in taken.places]
        pairs = [*zip(found, taken.places, strict=True)]
        self.line(f"if ({names.together}) {{")
        self._depth += 1
        for name, place in pairs:
            self.line(f"{self._kind(place)} {name};")
        self._print_moves(
            [(name, place) for name, place in pairs if place.is_loaded], names, known, stores=False
        )
        lane = names.lane
        self._whole = {
            access: f"{found[number]}.element[{lane}]" for access, number in taken.place_of.items()
        }
        self.line("#pragma unroll")
        self._print_lanes(f"{lane} < {taken.count}", names, known)
        self._whole = {}
        self._print_moves(
            [(name, place) for name, place in pairs if place.is_stored], names, known, stores=True
        )
        self.line("return;")
        self._depth -= 1
        self.line("}")

    def _print_moves(
        self,
        pairs: list[tuple[str, Place]],
        names: _Names,
        known: tuple[Variable, ...],
        *,
        stores: bool,
    ) -> None:
        """Lines that load the elements of places, or store them: as a whole, or one by one."""
        taken, index = self.taken, self.type(self.index_type)
        assert taken is not None
        if not pairs:
            return
        if not taken.are_apart:
            self.line(f"if ({names.aligned}) {{")
            for name, place in pairs:
                whole = f"*({'' if stores else 'const '}{self._kind(place)}*){self._address(place)}"
                to, of = (whole, name) if stores else (name, whole)
                self.line(f"    {to} = {of};")
            self.line("} else {")
            self._depth += 1
        self.line("#pragma unroll")
        self.line(
            f"for ({index} {names.lane} = 0; {names.lane} < {taken.count}; ++{names.lane}) {{"
        )
        self._depth += 1
        self._print_definitions(taken, f"{names.start} + {names.lane} * {names.step}", known)
        for name, place in pairs:
            element, memory = f"{name}.element[{names.lane}]", f"*{self._address(place)}"
            to, of = (memory, element) if stores else (element, memory)
            self.line(f"{to} = {of};")
        self._depth -= 1
        self.line("}")
        if not taken.are_apart:
            self._depth -= 1
            self.line("}")

    def _print_one_by_one(
        self, taken: Neighbours, names: _Names, known: tuple[Variable, ...]
    ) -> None:
        position = f"{names.start} + {names.lane} * {names.step}"
        inside = f"{names.lane} < {taken.count} && {position} < arguments.grid_x"
        self.line("#pragma unroll 1")  # which compiles sooner, and seldom runs
        self._print_lanes(inside, names, known)

    def _print_lanes(self, condition: str, names: _Names, known: tuple[Variable, ...]) -> None:
        index, lane = self.type(self.index_type), names.lane
        self.line(f"for ({index} {lane} = 0; {condition}; ++{lane}) {{")
        self._depth += 1
        self.line(f"{index} {POSITION} = {names.start} + {lane} * {names.step};")
        self._is_lane = True
        self.print_inside(self.kernel.body, known)
        self._is_lane = False
        self._depth -= 1
        self.line("}")

    # --- Words ---------------------------------------------------------------------------------

    def _kind(self, place: Place) -> str:
        assert self.taken is not None
        return f"neighbours<{self.element_type(place.array.type.dtype)}, {self.taken.count}>"

    def _address(self, place: Place) -> str:
        return self.address(place.array, place.indices)

    def _load(self, node: Load) -> Text:
        whole = self._whole.get(node)
        return super()._load(node) if whole is None else Text(whole, PRIMARY)

    def _store(self, node: Store) -> None:
        whole = self._whole.get(node)
        if whole is None:
            super()._store(node)
        else:
            self.line(f"{whole} = {self.expression_text(node.value)};")

    def _return(self, node: Return) -> None:
        if self._is_lane:  # the thread goes on with its next neighbour
            self.line("continue;")
        else:
            super()._return(node)

"""Kernels whose threads take several neighbours along x, see :mod:`speedmetal.ir.neighbours`.

The printed body stands there twice: for neighbours whose elements are loaded and stored as a whole,
and for one position after the other::

    int first_neighbour = ...;
    int i = first_neighbour;
    bool is_aligned = the addresses of a[i], c[i], ... are multiples of 16;
    if (is_aligned && all neighbours are in the grid, and in the kernel's own bounds) {
        neighbours<float, 4> a_neighbours = *(const neighbours<float, 4>*)&a[i];
        for each lane { ... c_neighbours.element[lane] = a_neighbours.element[lane]; ... }
        *(neighbours<float, 4>*)&c[i] = c_neighbours;
        return;
    }
    for each lane in the grid { ... c[i] = a[i]; ... }

Whether addresses are aligned is the same for all threads of a threadgroup that differ in x alone.
So where they are not, these share out their positions in another way: one each, then the next ones.
"""

from __future__ import annotations

from abc import abstractmethod

from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.kernels import KernelPrinter
from speedmetal.backends.c_family.operators import PRIMARY, Text
from speedmetal.ir.neighbours import Neighbours, Place, neighbours
from speedmetal.ir.nodes import Kernel, Load, Return, Statement, Store, Variable

POSITION = "thread_position_in_grid_x"


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
        names = {name: self.names.fresh(name) for name in ("is_aligned", "together", "lane")}
        aligned, together, lane = names.values()
        self._print_definitions(self.taken, "first_neighbour", known)
        self.line(f"bool {aligned} = {self._alignment(self.taken)};")
        self._print_together(self.taken, aligned, together, known)
        self._print_whole(self.taken, together, lane, known)
        self._print_one_by_one(self.taken, aligned, lane, known)

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
        self, taken: Neighbours, aligned: str, together: str, known: tuple[Variable, ...]
    ) -> None:
        """Lines that find out whether the neighbours are taken as a whole."""
        count = f"{taken.count}{self.dialect.suffixes[self.index_type]}"
        left = f"arguments.grid_x - first_neighbour >= {count}"
        self.line(f"bool {together} = {aligned} && {left};")
        if not taken.conditions:
            return
        self.line("// What holds for the first and the last of them holds for all.")
        self._print_conditions(taken, together)
        last = f"first_neighbour + {taken.count - 1}{self.dialect.suffixes[self.index_type]}"
        self.line("{")
        self._depth += 1
        self._print_definitions(taken, last, known)
        self._print_conditions(taken, together)
        self._depth -= 1
        self.line("}")

    def _print_conditions(self, taken: Neighbours, together: str) -> None:
        for condition, wanted in taken.conditions:
            text = self.expression_text(condition)
            self.line(f"{together} = {together} && {'' if wanted else '!'}({text});")

    def _print_whole(
        self, taken: Neighbours, together: str, lane: str, known: tuple[Variable, ...]
    ) -> None:
        self.helpers.prelude("neighbours")
        names = [self.names.fresh(f"{place.array.name}_neighbours") for place in taken.places]
        self.line(f"if ({together}) {{")
        self._depth += 1
        for name, place in zip(names, taken.places, strict=True):
            start = f" = *(const {self._kind(place)}*){self._address(place)}"
            self.line(f"{self._kind(place)} {name}{start if place.is_loaded else ''};")
        self._whole = {
            access: f"{names[number]}.element[{lane}]" for access, number in taken.place_of.items()
        }
        self.line("#pragma unroll")
        self._print_lanes(f"{lane} < {taken.count}", f"first_neighbour + {lane}", lane, known)
        self._whole = {}
        for name, place in zip(names, taken.places, strict=True):
            if place.is_stored:
                self.line(f"*({self._kind(place)}*){self._address(place)} = {name};")
        self.line("return;")
        self._depth -= 1
        self.line("}")

    def _print_one_by_one(
        self, taken: Neighbours, aligned: str, lane: str, known: tuple[Variable, ...]
    ) -> None:
        index = self.type(self.index_type)
        start, step = self.names.fresh("start"), self.names.fresh("step")
        thread, threads = self.place_along_x()
        others = f"first_neighbour - {index}({thread}) * {taken.count - 1}"
        self.line(f"{index} {start} = {aligned} ? first_neighbour : {others};")
        self.line(f"{index} {step} = {aligned} ? {index}(1) : {index}({threads});")
        position = f"{start} + {lane} * {step}"
        inside = f"{lane} < {taken.count} && {position} < arguments.grid_x"
        self.line("#pragma unroll 1")  # which compiles sooner, and seldom runs
        self._print_lanes(inside, position, lane, known)

    def _print_lanes(
        self, condition: str, position: str, lane: str, known: tuple[Variable, ...]
    ) -> None:
        index = self.type(self.index_type)
        self.line(f"for ({index} {lane} = 0; {condition}; ++{lane}) {{")
        self._depth += 1
        self.line(f"{index} {POSITION} = {position};")
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

"""Elements side by side as one load or store, see :mod:`speedmetal.ir.together`.

::

    neighbours<float, 4> x_together = load_neighbours<float, 4>(&x[i]);
    total += x_together.element[0];
    total += x_together.element[1];
    ...
    float* y_first = &y[i];
    neighbours<float, 4> y_together;
    y_together.element[0] = ...;
    ...
    store_neighbours<float, 4>(y_first, y_together);

``load_neighbours`` and ``store_neighbours``, of a target's prelude, look whether the address is a
multiple of what they move; where it is not, they take one element after the other.
"""

from __future__ import annotations

from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.neighbours import NeighboursPrinter
from speedmetal.backends.c_family.operators import PRIMARY, Text
from speedmetal.ir.nodes import Assign, Kernel, Load, Statement, Store
from speedmetal.ir.together import Span, Together


class TogetherPrinter(NeighboursPrinter):
    """Prints a kernel whose threads load and store elements together that lie side by side.

    Not those of which each thread takes neighbours: that gains the same.
    """

    def __init__(self, dialect: Dialect, kernel: Kernel) -> None:
        super().__init__(dialect, kernel)
        is_taken = self.taken is not None or self.facts.reports_itself
        self._together = Together(None if is_taken else kernel)
        self._names: dict[Span, tuple[str, str]] = {}  # of the elements, and of the first's address

    # --- Statements ----------------------------------------------------------------------------

    def _assign(self, node: Assign) -> None:
        self._open(node)
        super()._assign(node)

    def _store(self, node: Store) -> None:
        self._open(node)
        place = self._together.place_of.get(node)
        if place is None:
            super()._store(node)
        else:
            self.line(f"{self._element(*place)} = {self.expression_text(node.value)};")
        for span in self._together.closed.get(node, ()):
            elements, first = self._names[span]
            self.line(f"store_neighbours<{self._of(span)}>({first}, {elements});")

    def _open(self, node: Statement) -> None:
        """Load what is loaded together from here on, and make room for what will be stored."""
        for span in self._together.opened.get(node, ()):
            self.helpers.prelude("neighbours")
            elements = self.names.fresh(f"{span.array.name}_together")
            address = self.address(span.array, span.indices)
            if span.is_stored:
                self.helpers.prelude("store_neighbours")
                first = self.names.fresh(f"{span.array.name}_first")
                self.line(f"{self.pointer(span.array)} {first} = {address};")
                self.line(f"neighbours<{self._of(span)}> {elements};")
            else:
                self.helpers.prelude("load_neighbours")
                first = ""
                loaded = f"load_neighbours<{self._of(span)}>({address})"
                self.line(f"neighbours<{self._of(span)}> {elements} = {loaded};")
            self._names[span] = elements, first

    # --- Words ---------------------------------------------------------------------------------

    def _load(self, node: Load) -> Text:
        place = self._together.place_of.get(node)
        return super()._load(node) if place is None else Text(self._element(*place), PRIMARY)

    def _element(self, span: Span, number: int) -> str:
        return f"{self._names[span][0]}.element[{number}]"

    def _of(self, span: Span) -> str:
        return f"{self.element_type(span.array.type.dtype)}, {span.count}"

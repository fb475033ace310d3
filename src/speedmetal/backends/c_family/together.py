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

To look at each place keeps instructions apart that could run at once. Where the text shows that
places are such multiples as soon as their arrays begin at one, and rows are multiples in length,
that is looked at once, and the body stands there twice::

    bool is_aligned = x, and its stride, are multiples of 16;
    if (is_aligned) {
        neighbours<float, 4> x_together = *(const neighbours<float, 4>*)&x[i];
        ...
    } else { ... }
"""

from __future__ import annotations

from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.neighbours import NeighboursPrinter
from speedmetal.backends.c_family.operators import PRIMARY, Text
from speedmetal.ir.multiples import divides
from speedmetal.ir.nodes import Array, Assign, Kernel, Load, Statement, Store, Variable
from speedmetal.ir.together import Span, Together

MOST_BESIDE = 256
"""Expressions of a kernel for each place that is looked at once: to compile more of them a second
time takes longer than is gained."""


class TogetherPrinter(NeighboursPrinter):
    """Prints a kernel whose threads load and store elements together that lie side by side.

    Not those of which each thread takes neighbours: that gains the same.
    """

    def __init__(self, dialect: Dialect, kernel: Kernel) -> None:
        super().__init__(dialect, kernel)
        is_taken = self.taken is not None or self.facts.reports_itself
        self._together = Together(None if is_taken else kernel)
        self._names: dict[Span, tuple[str, str]] = {}  # of the elements, and of the first's address
        self._is_aligned = False  # while the first of the bodies is printed

    # --- The two bodies ------------------------------------------------------------------------

    def kernel_statements(self, known: tuple[Variable, ...]) -> None:
        spans = [span for span in self._together.spans if self._follows_alignment(span)]
        arrays: dict[Array, int] = {}
        for span in spans:
            size = span.count * span.array.type.dtype.itemsize
            arrays[span.array] = max(arrays.get(span.array, 0), size)
        if not spans or self.facts.size_with_callees > MOST_BESIDE * len(spans):
            super().kernel_statements(known)
            return
        self._depth = 1
        name = self.names.fresh("is_aligned")
        condition = " && ".join(self._alignment_of(*each) for each in arrays.items())
        self.line(f"bool {name} = {condition};")
        for line, self._is_aligned in ((f"if ({name}) {{", True), ("} else {", False)):
            self.line(line)
            self._depth += 1
            self.print_inside(self.kernel.body, known)
            self._depth -= 1
        self.line("}")

    def _follows_alignment(self, span: Span) -> bool:
        """Whether its places are aligned where the array is, and its strides."""
        axis = span.array.type.unit_axis
        if axis is None or span.array not in self.kernel.parameters:
            return False
        return divides(self.facts.multiples, span.count, [(span.indices[axis], 1)])

    def _alignment_of(self, array: Array, size: int) -> str:
        """Whether an array begins at a multiple of so many bytes, and so do its rows."""
        strides = filter(None, (self.stride(array, a) for a in range(array.type.rank)))
        each = array.type.dtype.itemsize
        terms = [f"size_t({self.array(array)})", *(f"size_t({s}) * {each}" for s in strides)]
        return f"(({' | '.join(terms)}) & {size - 1}) == 0"

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
            if self._is_aligned and self._follows_alignment(span):
                self.line(f"*(neighbours<{self._of(span)}>*){first} = {elements};")
            else:
                self.helpers.prelude("store_neighbours")
                self.line(f"store_neighbours<{self._of(span)}>({first}, {elements});")

    def _open(self, node: Statement) -> None:
        """Load what is loaded together from here on, and make room for what will be stored."""
        for span in self._together.opened.get(node, ()):
            self.helpers.prelude("neighbours")
            elements = self.names.fresh(f"{span.array.name}_together")
            address = self.address(span.array, span.indices)
            if span.is_stored:
                first = self.names.fresh(f"{span.array.name}_first")
                self.line(f"{self.pointer(span.array)} {first} = {address};")
                self.line(f"neighbours<{self._of(span)}> {elements};")
            else:
                first, kind = "", f"neighbours<{self._of(span)}>"
                if self._is_aligned and self._follows_alignment(span):
                    loaded = f"*(const {kind}*){address}"
                else:
                    self.helpers.prelude("load_neighbours")
                    loaded = f"load_{kind}({address})"
                self.line(f"{kind} {elements} = {loaded};")
            self._names[span] = elements, first

    # --- Words ---------------------------------------------------------------------------------

    def _load(self, node: Load) -> Text:
        place = self._together.place_of.get(node)
        return super()._load(node) if place is None else Text(self._element(*place), PRIMARY)

    def _element(self, span: Span, number: int) -> str:
        return f"{self._names[span][0]}.element[{number}]"

    def _of(self, span: Span) -> str:
        return f"{self.element_type(span.array.type.dtype)}, {span.count}"

"""A whole kernel as source: the arguments' structure, the functions, the kernel."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property

from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.layout import (
    ArgumentLayout,
    argument_layout,
)
from speedmetal.backends.c_family.loops import LoopPrinter
from speedmetal.backends.c_family.names import KEYWORDS, Names
from speedmetal.dtypes import DType
from speedmetal.ir.nodes import Array, Function, Kernel, Variable
from speedmetal.ir.types import Space
from speedmetal.ir.walk import assigned_variable, statements


def entry_name(kernel: Kernel, dialect: Dialect) -> str:
    """The name of the kernel's entry in the printed source."""
    taken = kernel.name in dialect.reserved_words or kernel.name in KEYWORDS
    return f"{kernel.name}_kernel" if taken else kernel.name


class KernelPrinter(LoopPrinter):
    """Prints one kernel. A target defines the abstract methods, here and in the base classes."""

    def __init__(self, dialect: Dialect, kernel: Kernel) -> None:
        super().__init__(dialect, kernel)
        self.layout: ArgumentLayout = argument_layout(kernel)
        self.has_mailbox = self.facts.reports_itself
        self.entry = entry_name(kernel, dialect)
        self.arrays_parameters = [p for p in kernel.parameters if isinstance(p, Array)]

    # --- What targets say in their own way -----------------------------------------------------

    @abstractmethod
    def head(self) -> str:
        """What the source begins with."""

    @abstractmethod
    def signature(self) -> list[str]:
        """The lines up to the opening brace of the kernel."""

    @abstractmethod
    def prologue(self) -> None:
        """The first lines of the kernel: where the thread is, the arrays of the threadgroup."""

    # --- The source ----------------------------------------------------------------------------

    def source(self) -> str:
        return "\n".join(self.source_lines()) + "\n"

    def source_lines(self) -> list[str]:
        """The lines of the source; those that come from Python are :class:`Line`."""
        self._name_everything()
        functions = self._functions()
        body = self._kernel_body()
        kernel = [*self.signature(), *body, "}"]
        arguments = self._arguments()  # before the helpers' text, which has the types' names
        head, helpers = self.head().splitlines(), self.helpers.text().splitlines()
        lines: list[str] = []
        for part in (head, helpers, arguments, *functions, kernel):
            lines += ["", *part] if lines and part else part
        return lines

    def _name_everything(self) -> None:
        self.names = Names(self.dialect.reserved_words | KEYWORDS | {self.entry})
        self.functions = self.names
        for function in self.kernel.functions:
            self.names.of(function, function.name)
        for array in (*self.arrays_parameters, *self.kernel.arrays):
            self.names.of(array, array.name)

    def _arguments(self) -> list[str]:
        lines = [
            f"    {self.helpers.type(f.dtype)} {self.field(f.name)};" for f in self.layout.fields
        ]
        return ["struct Arguments {", *lines, "};"]

    def field(self, name: str) -> str:
        """The name of a field of the arguments."""
        return f"{name}_" if name in KEYWORDS or name in self.dialect.keywords else name

    def variable(self, variable: Variable) -> str:
        if variable in self.parameters:
            return f"arguments.{self.field(variable.name)}"
        return super().variable(variable)

    def _functions(self) -> list[list[str]]:
        """The user's functions, each with its lines."""
        printed = [self._function(f) for f in self.kernel.functions]
        if not printed or not self.dialect.namespace:
            return printed
        return [[f"namespace {self.dialect.namespace} {{"], *printed, ["}"]]

    def _function(self, function: Function) -> list[str]:
        kernel_names, self.names = self.names, Names((), outer=self.names)
        parameters = ", ".join(
            f"{self.type(p.type)} {self.names.of(p, p.name)}" for p in function.parameters
        )
        name = self.functions.of(function, function.name)
        self.lines = []
        self.line(f"{self.dialect.function}{self.type(function.result)} {name}({parameters}) {{")
        self.body(function.body, function.parameters)
        self.line("}")
        self.names = kernel_names
        return self.lines

    def _kernel_body(self) -> list[str]:
        self.lines = []
        scalars = [p for p in self.kernel.parameters if isinstance(p, Variable)]
        changed = {assigned_variable(s) for s in statements(self.kernel.body)}
        copied = [p for p in scalars if p in changed]
        self.parameters = frozenset(scalars) - frozenset(copied)
        self._depth = 1
        self.prologue()
        for p in copied:
            self.line(f"{self.type(p.type)} {self.variable(p)} = arguments.{self.field(p.name)};")
        self._depth = 0
        self.kernel_statements(tuple(scalars))
        return self.lines

    def kernel_statements(self, known: tuple[Variable, ...]) -> None:
        """What the kernel does, behind the prologue.

        Args:
            known: Variables that are declared.
        """
        self.body(self.kernel.body, known)

    # --- Facts ---------------------------------------------------------------------------------

    @cached_property
    def positions(self) -> dict[str, set[int]]:
        """The position intrinsics that the kernel calls, with their axes (0 for those without)."""
        found: dict[str, set[int]] = {}
        for name, axis in self.facts.positions:
            found.setdefault(name, set()).add(axis or 0)
        return found

    def arrays_in(self, space: Space) -> list[Array]:
        return [a for a in self.kernel.arrays if a.type.space is space]

    def element_type(self, dtype: DType) -> str:
        """The type of an array's elements; a complex number is a pair of floats."""
        return f"{self.type(dtype.part)}2" if dtype.is_complex else self.type(dtype)

    def pointer(self, array: Array, *, constant: bool = False) -> str:
        """The type of a pointer to an array's elements."""
        space = self.dialect.spaces[array.type.space]
        return f"{space}{'const ' if constant else ''}{self.element_type(array.type.dtype)}*"

    def static_array(self, array: Array, words: str) -> str:
        """The declaration of an array whose shape is known."""
        subscripts = "".join(f"[{size}]" for size in array.shape or ()) or "[1]"
        return f"{words}{self.element_type(array.type.dtype)} {self.array(array)}{subscripts};"

    def extent_lines(self, array: Array) -> None:
        """Variables with the sizes of an array that are known at launch only."""
        for axis, size in enumerate(array.shape or ()):
            if not isinstance(size, int):
                name = f"{self.array(array)}_extent{axis}"
                self.line(
                    f"{self.type(self.kernel.index_type)} {name} = {self.expression_text(size)};"
                )

"""What an intrinsic is: one record, from which the front end, printers, tests and docs read."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from speedmetal.dtypes import DType, Kind, LanguageValue, check_host_operands


class IntrinsicKind(enum.Enum):
    """How an intrinsic behaves in control flow."""

    POSITION = "position"  # depends on the thread alone
    MATH = "math"  # depends on its operands alone
    COLLECTIVE = "collective"  # exchanges values with the active threads of the simdgroup
    MATRIX = "matrix"  # on simdgroup matrices


class Result(enum.Enum):
    """How the result's type follows from the operands' common type."""

    SAME = "same"
    BOOL = "bool"
    INT32 = "int32"
    UINT32 = "uint32"
    INDEX = "index"  # the kernel's index type


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Declares that a target cannot do it, and why."""

    because: str


Spelling = str | Callable[..., Any] | Unsupported
"""How a target says it.

* ``str`` for Metal and CUDA: the name of a function, or a format with ``{0}``, ``{1}`` ... for the
  operands and ``{type}`` for the operands' type. For the CPU: the name of an LLVM intrinsic
  (``"llvm.sqrt"``, overloaded on the operands' type), or ``"@name"``, which the CPU's printer
  writes itself.
* A plain Python function: written in the kernel language, compiled along with the kernel.
* :class:`Unsupported`.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Intrinsic(LanguageValue):
    """One intrinsic, with everything that anyone needs to know about it.

    Args:
        name: Its name in ``speedmetal``.
        kind: How it behaves in control flow.
        operands: Names of its operands.
        accepts: Categories of the operands' common type. An integer given where only floats are
            accepted becomes the default float.
        result: How the result's type follows.
        meaning: The documentation: formula, NaN, infinities, range.
        reference: The same on NumPy arrays; it is what runs outside kernels.
        cpu, cuda, metal: Spellings.
        ulp: Error bound in units in the last place in float32, on the CPU; 0 where exact.
        aliases: Objects of other modules that mean it: ``math.sin``, ``numpy.sin``.
        scalar_operands: Indices of operands that have a type of their own (int32): a shift count,
            a lane.
        axes: Whether it has ``.x .y .z`` (positions).
        wide: Computed in float32 where the operands are float16 or bfloat16.
    """

    name: str
    kind: IntrinsicKind
    operands: tuple[str, ...]
    accepts: frozenset[Kind]
    result: Result
    meaning: str
    reference: Callable[..., Any]
    cpu: Spelling
    cuda: Spelling
    metal: Spelling
    ulp: float = 0.0
    aliases: tuple[Any, ...] = ()
    scalar_operands: tuple[int, ...] = ()
    axes: bool = False
    wide: bool = True
    by_type: dict[tuple[str, DType], Spelling] = field(default_factory=dict)

    def spelling(self, target: str, dtype: DType | None = None) -> Spelling:
        """The spelling on a target, for operands of this type."""
        if dtype is not None and (target, dtype) in self.by_type:
            return self.by_type[target, dtype]
        spellings: dict[str, Spelling] = {"cpu": self.cpu, "cuda": self.cuda, "metal": self.metal}
        found = spellings.get(target)
        return Unsupported("its record has no spelling for it") if found is None else found

    @property
    def arity(self) -> int:
        return len(self.operands)

    @property
    def calls(self) -> tuple[str, ...]:
        """The ways that it can be called, of which there is one: ``("fma(a, b, c)",)``."""
        return (f"{self.name}({', '.join(self.operands)})",)

    def __repr__(self) -> str:
        return f"<intrinsic {self.name}>"

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return f"{self.calls[0]}\n\n{self.meaning}"

    def __call__(self, *arguments: Any) -> Any:
        """Outside a kernel: the reference, on numbers and NumPy arrays.

        Raises:
            UserInputError: It has a meaning inside kernels alone, or is given an array of a device.
        """
        if self.kind is IntrinsicKind.MATH:
            check_host_operands(self.name, arguments)
        return self.reference(*arguments)

"""What an intrinsic is: one record, from which the front end, printers, tests and docs read."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any

from speedmetal.common.records import field, record
from speedmetal.common.target_names import TARGETS
from speedmetal.dtypes import DType, Kind, LanguageValue, array_function


class IntrinsicKind(enum.Enum):
    """How an intrinsic behaves in control flow."""

    POSITION = "position"  # depends on the thread alone
    MATH = "math"  # depends on its operands alone
    COLLECTIVE = "collective"  # exchanges values with the active threads of the simdgroup
    MATRIX = "matrix"  # on simdgroup matrices


class Varies(enum.IntEnum):
    """Between what a value differs, at most. What varies between less is the same in more."""

    NOWHERE = 0  # one value in the whole launch
    THREADGROUPS = 1  # all threads of a threadgroup have the same
    SIMDGROUPS = 2  # all threads of a simdgroup have the same
    THREADS = 3


class Result(enum.Enum):
    """How the result's type follows from the operands' common type."""

    SAME = "same"
    BOOL = "bool"
    INT32 = "int32"
    UINT32 = "uint32"
    INDEX = "index"  # the kernel's index type


@record
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


SIMDGROUP_LANES = 32
QUAD_LANES = 4


@record
class Exchange:
    """What a collective does.

    Args:
        lanes: How many neighbours exchange values: 32, a simdgroup's, 4, a quad's, or those of
            another part of a simdgroup.
        operation: The word for it that simdgroups and quads share: ``"sum"``, ``"shuffle_up"``.
        takes_parts: Whether the real and the imaginary part of a complex number may be exchanged
            each on its own.
    """

    lanes: int
    operation: str
    takes_parts: bool

    @property
    def is_of_quads(self) -> bool:
        return self.lanes == QUAD_LANES


@record(eq=False)
class Intrinsic(LanguageValue):
    """One intrinsic, with everything that anyone needs to know about it.

    Args:
        name: Its name in ``speedmetal``.
        kind: How it behaves in control flow.
        varies: Between what its result differs where its operands do not.
        operands: Names of its operands.
        accepts: Categories of the operands' common type. An integer given where only floats are
            accepted becomes the default float.
        result: How the result's type follows.
        meaning: The documentation: formula, NaN, infinities, range.
        reference: What it does on NumPy arrays; this is what runs outside kernels.
        spellings: How each target says it; `by_type` goes before.
        ulp: Error bound in units in the last place in float32, on the CPU; 0 where exact.
        aliases: Objects of other modules that mean it: ``math.sin``, ``numpy.sin``.
        scalar_operands: Indices of operands that have a type of their own (int32): a shift count,
            a lane.
        matrix_operands: Indices of operands that are simdgroup matrices.
        united: Indices of operands from which the threads that `varies` does not tell apart make
            one result together, however these operands differ between them.
        axes: Whether it has ``.x .y .z`` (positions).
        tells_simdgroups: Whether its result depends on which threads form a simdgroup.
        is_known_at_launch: Whether the host may compute the sizes of threadgroup arrays from it.
        bounds: Of a position: its least and greatest value, from the greatest index of a launch
            (:func:`speedmetal.ir.types.greatest_index`).
        exchange: What a collective does; None for all else.
        parts: Of a collective that takes ``width=``: what it is over parts of a simdgroup, by the
            lanes of a part. What :data:`~speedmetal.intrinsics.TABLE` does not have is named after
            it: ``simd_sum_8``.
        wide: Computed in float32 where the operands are float16 or bfloat16.
        by_type: Spellings of a target for operands of a type, by their names.
    """

    name: str
    kind: IntrinsicKind
    varies: Varies
    operands: tuple[str, ...]
    accepts: frozenset[Kind]
    result: Result
    meaning: str
    reference: Callable[..., Any]
    spellings: Mapping[str, Spelling]
    ulp: float = 0.0
    aliases: tuple[Any, ...] = ()
    scalar_operands: tuple[int, ...] = ()
    matrix_operands: tuple[int, ...] = ()
    united: tuple[int, ...] = ()
    axes: bool = False
    tells_simdgroups: bool = False
    is_known_at_launch: bool = False
    bounds: Callable[[int], tuple[int, int]] | None = None
    exchange: Exchange | None = None
    parts: Mapping[int, Intrinsic] = field(default_factory=dict)
    wide: bool = True
    by_type: dict[tuple[str, str], Spelling] = field(default_factory=dict)

    def spelling(self, target: str, dtype: DType | None = None) -> Spelling:
        """The spelling on a target, for operands of this type."""
        if dtype is not None and (target, dtype.name) in self.by_type:
            return self.by_type[target, dtype.name]
        return self.spellings.get(target) or Unsupported("its record has no spelling for it")

    def is_one_exact_operation(self, dtype: DType | None) -> bool:
        """Whether every target has a word for it that gives the same bits, as the host does."""
        words = (self.spelling(target, dtype) for target in TARGETS)
        return not self.ulp and all(isinstance(word, str) for word in words)

    @property
    def public_name(self) -> str:
        """Its name in ``speedmetal``, which a simdgroup and its parts share.

        ``simd_sum`` of ``simd_sum_8``.
        """
        return self.name.removesuffix(f"_{self.exchange.lanes}") if self.exchange else self.name

    @property
    def arity(self) -> int:
        return len(self.operands)

    @property
    def calls(self) -> tuple[str, ...]:
        """The ways that it can be called, of which there is one: ``("fma(a, b, c)",)``."""
        options = (f"width={SIMDGROUP_LANES}",) if self.parts else ()
        return (f"{self.name}({', '.join((*self.operands, *options))})",)

    def __repr__(self) -> str:
        return f"<intrinsic {self.name}>"

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return f"{self.calls[0]}\n\n{self.meaning}"

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call it outside a kernel: on an array of a device the lazy operation, else the reference,
        on numbers and NumPy arrays.

        Raises:
            UserInputError: It has a meaning inside kernels alone.
        """
        if self.kind is IntrinsicKind.MATH:
            function = array_function(arguments)
            if function is not None:
                return function(self.name, *arguments, **options)
        return self.reference(*arguments, **options)

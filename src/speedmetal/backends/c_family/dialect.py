"""What distinguishes the two languages where they say the same thing: words, as tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from speedmetal.dtypes import DType
from speedmetal.ir.types import Space


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """The words of a target.

    Args:
        target: ``"metal"`` or ``"cuda"``.
        types: The name of each scalar type: one identifier, so that ``name(x)`` converts.
        suffixes: What follows a literal of a type.
        spaces: The words before a pointer's element type, with the space that follows.
        function: The words before the result type of a function, with the space that follows.
        infinity, nan: Expressions of float32.
        double_infinity, double_nan: Expressions of float64.
        prelude: Definitions of the target's own, printed where they are used, by name.
        keywords: Words of the target's language, its macros and its types.
        library: Functions of the target's library, and of the printers.
        namespace: Where the user's functions are, with a word of ours, so that no name of the
            library can be meant instead; empty: beside the kernel.
        conversions: Functions that convert a float to an integer as the IR means it.
        negations: Functions of the prelude that negate, where the target's own minus sign is not
            to be trusted with a type.
        counts_turns: Whether loops whose counter may leave its type count their turns.
        extrema: What ``minimum`` and ``maximum`` of two float32 do, where the target has better
            words for it than a comparison.
    """

    target: str
    types: dict[DType, str]
    suffixes: dict[DType, str]
    spaces: dict[Space, str]
    function: str
    infinity: str
    nan: str
    double_infinity: str
    double_nan: str
    prelude: dict[str, str]
    keywords: frozenset[str]
    library: frozenset[str]
    namespace: str = ""
    conversions: dict[tuple[DType, DType], str] = field(default_factory=dict)
    negations: dict[DType, str] = field(default_factory=dict)
    counts_turns: bool = False
    extrema: dict[str, str] = field(default_factory=dict)

    @property
    def reserved_words(self) -> frozenset[str]:
        """Names that a variable, an array or a function cannot have."""
        return self.keywords | self.library

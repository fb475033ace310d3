"""Exchange among the threads of a simdgroup (32 threads) or of a quad (4 neighbours).

Reductions act over other powers of two of neighbours, too. All act over the *active* threads,
those that reach the call together. What an inactive thread would have given does not count in
reductions, and is unspecified in shuffles. float16 and bfloat16 travel as float32, which holds all
their values: sums and products are rounded once, at the end.
"""

from __future__ import annotations

from collections.abc import Mapping

from speedmetal.dtypes import Kind, int64, uint64
from speedmetal.intrinsics.define import INTEGERS, NUMBERS, spell_per_target
from speedmetal.intrinsics.record import (
    QUAD_LANES,
    SIMDGROUP_LANES,
    Exchange,
    Intrinsic,
    IntrinsicKind,
    Result,
    Spelling,
    Varies,
)
from speedmetal.intrinsics.reference import refuse_outside_kernel

_TRUTH = frozenset({Kind.BOOL})

_REDUCTIONS = {
    "sum": ("The sum over the active threads; the order of a float sum is unspecified.", NUMBERS),
    "product": ("The product over the active threads; order as in sum.", NUMBERS),
    "min": ("The least value of the active threads; a NaN among them gives NaN.", NUMBERS),
    "max": ("The greatest value of the active threads; a NaN among them gives NaN.", NUMBERS),
    "and": ("The bitwise and over the active threads.", INTEGERS),
    "or": ("The bitwise or over the active threads.", INTEGERS),
    "xor": ("The bitwise exclusive or over the active threads.", INTEGERS),
}
_PREFIXES = {
    "prefix_inclusive_sum": "The sum over the active threads up to this one, itself included.",
    "prefix_exclusive_sum": "The sum over the active threads before this one; 0 in the first.",
    "prefix_inclusive_product": "The product over the active threads up to this one, included.",
    "prefix_exclusive_product": "The product over the active threads before this; 1 in the first.",
}
_SHUFFLES = {
    "shuffle": ("lane", "The value of the thread with that lane."),
    "shuffle_up": ("delta", "The value of the thread ``delta`` lanes below; own value if none."),
    "shuffle_down": ("delta", "The value of the thread ``delta`` lanes above; own value if none."),
    "shuffle_xor": ("mask", "The value of the thread whose lane is own lane ^ ``mask``."),
    "broadcast": ("lane", "The value of the thread with that lane, which is the same for all."),
}

_LANES = {"simd": SIMDGROUP_LANES, "quad": QUAD_LANES}
_PARTS = (2, 8, 16)
"""Lanes of the parts of a simdgroup that are no quads."""
_WIDTH = (
    "`width` (a constant: 2, 4, 8, 16 or 32) makes each group of so many neighbouring lanes reduce"
    " its own values."
)


def _collective(
    family: str,
    operation: str,
    operands: tuple[str, ...],
    accepts: frozenset[Kind],
    meaning: str,
    *,
    agree: bool = False,
    takes_parts: bool = False,
    result: Result = Result.SAME,
    native_metal: bool = True,
    part: int = 0,
    parts: Mapping[int, Intrinsic] | None = None,
) -> Intrinsic:
    """A record; `agree` says that all who exchange get one result, whatever each gives.

    `part` is the lanes of a part of a simdgroup, 0 for the family's own; `parts` is what it is over
    those.
    """
    name = f"{family}_{operation}_{part}" if part else f"{family}_{operation}"
    lanes = part or _LANES[family]
    metal: Spelling = name if native_metal else f"@{name}"
    takes_truth = accepts == _TRUTH
    # Metal's simdgroup functions take values of up to 32 bits: the printer sends two halves.
    by_type: dict[tuple[str, str], Spelling] = {}
    if not takes_truth:
        by_type = {("metal", dtype.name): f"@{name}" for dtype in (int64, uint64)}
    return Intrinsic(
        name=name,
        kind=IntrinsicKind.COLLECTIVE,
        # Parts of a simdgroup agree each on their own.
        varies=Varies.SIMDGROUPS if agree and lanes == SIMDGROUP_LANES else Varies.THREADS,
        operands=operands,
        accepts=accepts,
        result=result,
        meaning=meaning,
        reference=refuse_outside_kernel(name),
        spellings=spell_per_target(f"@{name}", f"@{name}", metal),
        scalar_operands=(1,) if len(operands) > 1 else (),
        united=(0,) if agree else (),
        tells_simdgroups=True,
        exchange=Exchange(lanes, operation, takes_parts),
        parts=parts or {},
        by_type=by_type,
    )


def _reduction(
    family: str,
    operation: str,
    *,
    part: int = 0,
    parts: Mapping[int, Intrinsic] | None = None,
) -> Intrinsic:
    meaning, accepts = _REDUCTIONS[operation]
    return _collective(
        family,
        operation,
        ("x",),
        accepts,
        f"{meaning} {_WIDTH}" if parts else meaning,
        agree=True,
        takes_parts=operation == "sum",
        # Metal leaves NaN in its min and max unspecified, and has no parts but quads.
        native_metal=operation not in {"min", "max"} and not part,
        part=part,
        parts=parts,
    )


def _simdgroup_reduction(operation: str, of_quads: Intrinsic) -> Intrinsic:
    parts = {lanes: _reduction("simd", operation, part=lanes) for lanes in _PARTS}
    parts[QUAD_LANES] = of_quads
    return _reduction("simd", operation, parts=dict(sorted(parts.items())))


def _shuffles_and_votes(family: str, threads: str) -> tuple[Intrinsic, ...]:
    """The shuffles and votes of simdgroups, or the same ones of quads."""
    shuffles = tuple(
        _collective(
            family,
            operation,
            ("x", second),
            NUMBERS,
            f"{meaning} Lanes are those of the {threads}.",
            agree=operation == "broadcast",
            takes_parts=True,
            native_metal=operation not in {"shuffle_up", "shuffle_down"},
        )
        for operation, (second, meaning) in _SHUFFLES.items()
    )
    votes = (
        _collective(
            family,
            "ballot",
            ("predicate",),
            _TRUTH,
            f"A bit for each lane of the {threads}: set where it is active and the predicate true.",
            agree=True,
            result=Result.UINT32,
            native_metal=False,
        ),
        _collective(
            family,
            "any",
            ("predicate",),
            _TRUTH,
            "Whether the predicate is true in any active thread.",
            agree=True,
            result=Result.BOOL,
        ),
        _collective(
            family,
            "all",
            ("predicate",),
            _TRUTH,
            "Whether the predicate is true in all active threads.",
            agree=True,
            result=Result.BOOL,
        ),
    )
    return shuffles + votes


_OF_QUADS = tuple(_reduction("quad", operation) for operation in _REDUCTIONS)

RECORDS = (
    *map(_simdgroup_reduction, _REDUCTIONS, _OF_QUADS),
    *_shuffles_and_votes("simd", "simdgroup"),
    *(
        _collective("simd", name, ("x",), NUMBERS, text, takes_parts=name.endswith("sum"))
        for name, text in _PREFIXES.items()
    ),
    _collective(
        "simd",
        "broadcast_first",
        ("x",),
        NUMBERS,
        "The value of the active thread of lowest lane.",
        agree=True,
        takes_parts=True,
    ),
    _collective(
        "simd",
        "is_first",
        (),
        _TRUTH,
        "Whether the thread is the active one of lowest lane.",
        result=Result.BOOL,
    ),
    *_OF_QUADS,
    *_shuffles_and_votes("quad", "quad"),
)

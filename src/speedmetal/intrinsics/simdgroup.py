"""Exchange among the threads of a simdgroup (32 threads) or of a quad (4 neighbours).

All act over the *active* threads, those that reach the call together. What an inactive thread
would have given does not count in reductions, and is unspecified in shuffles. float16 and bfloat16
travel as float32, which holds all their values: sums and products are rounded once, at the end.
"""

from __future__ import annotations

from speedmetal.dtypes import DType, Kind, int64, uint64
from speedmetal.intrinsics.record import Intrinsic, IntrinsicKind, Result, Spelling
from speedmetal.intrinsics.reference import outside

_INTEGERS = frozenset({Kind.SIGNED, Kind.UNSIGNED})
_NUMBERS = _INTEGERS | {Kind.FLOAT}
_TRUTH = frozenset({Kind.BOOL})

_REDUCTIONS = {
    "sum": ("The sum over the active threads; the order of a float sum is unspecified.", _NUMBERS),
    "product": ("The product over the active threads; order as in sum.", _NUMBERS),
    "min": ("The least value of the active threads; a NaN among them gives NaN.", _NUMBERS),
    "max": ("The greatest value of the active threads; a NaN among them gives NaN.", _NUMBERS),
    "and": ("The bitwise and over the active threads.", _INTEGERS),
    "or": ("The bitwise or over the active threads.", _INTEGERS),
    "xor": ("The bitwise exclusive or over the active threads.", _INTEGERS),
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


def _collective(
    name: str,
    operands: tuple[str, ...],
    accepts: frozenset[Kind],
    meaning: str,
    *,
    result: Result = Result.SAME,
    native_metal: bool = True,
) -> Intrinsic:
    metal: Spelling = name if native_metal else f"@{name}"
    takes_truth = accepts == _TRUTH
    # Metal's simdgroup functions take values of up to 32 bits: the printer sends two halves.
    by_type: dict[tuple[str, DType], Spelling] = {}
    if not takes_truth:
        by_type = {("metal", dtype): f"@{name}" for dtype in (int64, uint64)}
    return Intrinsic(
        name=name,
        kind=IntrinsicKind.COLLECTIVE,
        operands=operands,
        accepts=accepts,
        result=result,
        meaning=meaning,
        reference=outside(name),
        cpu=f"@{name}",
        cuda=f"@{name}",
        metal=metal,
        scalar_operands=(1,) if len(operands) > 1 else (),
        by_type=by_type,
    )


def _family(prefix: str, threads: str) -> tuple[Intrinsic, ...]:
    """What simdgroups and quads both have."""
    reductions = tuple(
        # Metal leaves NaN in its min and max unspecified.
        _collective(
            f"{prefix}_{name}", ("x",), accepts, meaning, native_metal=name not in {"min", "max"}
        )
        for name, (meaning, accepts) in _REDUCTIONS.items()
    )
    shuffles = tuple(
        _collective(
            f"{prefix}_{name}",
            ("x", second),
            _NUMBERS,
            f"{meaning} Lanes are those of the {threads}.",
            native_metal=name not in {"shuffle_up", "shuffle_down"},
        )
        for name, (second, meaning) in _SHUFFLES.items()
    )
    votes = (
        _collective(
            f"{prefix}_ballot",
            ("predicate",),
            _TRUTH,
            f"A bit for each lane of the {threads}: set where it is active and the predicate true.",
            result=Result.UINT32,
            native_metal=False,
        ),
        _collective(
            f"{prefix}_any",
            ("predicate",),
            _TRUTH,
            "Whether the predicate is true in any active thread.",
            result=Result.BOOL,
        ),
        _collective(
            f"{prefix}_all",
            ("predicate",),
            _TRUTH,
            "Whether the predicate is true in all active threads.",
            result=Result.BOOL,
        ),
    )
    return reductions + shuffles + votes


RECORDS = (
    *_family("simd", "simdgroup"),
    *(_collective(f"simd_{name}", ("x",), _NUMBERS, text) for name, text in _PREFIXES.items()),
    _collective(
        "simd_broadcast_first", ("x",), _NUMBERS, "The value of the active thread of lowest lane."
    ),
    _collective(
        "simd_is_first",
        (),
        _TRUTH,
        "Whether the thread is the active one of lowest lane.",
        result=Result.BOOL,
    ),
    *_family("quad", "quad"),
)

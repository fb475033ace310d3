"""Arithmetic on simdgroup matrices.

The operands of float16 and bfloat16 are multiplied exactly and summed in float32 at least; the sum
is rounded to the accumulator's type, at most once for every 8 of the inner axis. NaN and infinities
follow IEEE arithmetic.
"""

from __future__ import annotations

from speedmetal.dtypes import Kind, float64
from speedmetal.intrinsics.define import spell_per_target
from speedmetal.intrinsics.record import Intrinsic, IntrinsicKind, Result, Unsupported, Varies
from speedmetal.intrinsics.reference import refuse_outside_kernel

_NO_DOUBLE = Unsupported("Metal's simdgroup matrices have elements of float16, bfloat16 or float32")


def _matrix(
    name: str,
    operands: tuple[str, ...],
    meaning: str,
    metal: str,
    matrix_operands: tuple[int, ...] = (),
) -> Intrinsic:
    return Intrinsic(
        name=name,
        kind=IntrinsicKind.MATRIX,
        varies=Varies.SIMDGROUPS,  # whose threads have it together
        operands=operands,
        accepts=frozenset({Kind.FLOAT}),
        result=Result.SAME,
        meaning=meaning,
        reference=refuse_outside_kernel(name),
        spellings=spell_per_target(f"@{name}", f"@{name}", metal),
        matrix_operands=matrix_operands,
        tells_simdgroups=True,
        wide=False,
        by_type={("metal", float64.name): _NO_DOUBLE},
    )


RECORDS = (
    _matrix(
        "simdgroup_matrix_fill",
        ("value",),
        "The 8x8 matrix whose elements are ``value``.",
        "make_filled_simdgroup_matrix",
    ),
    _matrix(
        "simdgroup_multiply",
        ("a", "b"),
        "The matrix product ``a @ b``.",
        "simdgroup_multiply",
        (0, 1),
    ),
    _matrix(
        "simdgroup_multiply_accumulate",
        ("a", "b", "c"),
        "``a @ b + c``.",
        "simdgroup_multiply_accumulate",
        (0, 1, 2),
    ),
)

"""Arithmetic on 8x8 simdgroup matrices.

The operands of float16 and bfloat16 are multiplied exactly and summed in float32 at least; the sum
is rounded to the accumulator's type. NaN and infinities follow IEEE arithmetic.
"""

from __future__ import annotations

from speedmetal.dtypes import Kind, float64
from speedmetal.intrinsics.record import Intrinsic, IntrinsicKind, Result, Unsupported
from speedmetal.intrinsics.reference import outside

_NO_DOUBLE = Unsupported("Metal's simdgroup matrices have elements of float16, bfloat16 or float32")


def _matrix(name: str, operands: tuple[str, ...], meaning: str, metal: str) -> Intrinsic:
    return Intrinsic(
        name=name,
        kind=IntrinsicKind.MATRIX,
        operands=operands,
        accepts=frozenset({Kind.FLOAT}),
        result=Result.SAME,
        meaning=meaning,
        reference=outside(name),
        cpu=f"@{name}",
        cuda=f"@{name}",
        metal=metal,
        wide=False,
        by_type={("metal", float64): _NO_DOUBLE},
    )


RECORDS = (
    _matrix(
        "simdgroup_matrix_fill",
        ("value",),
        "The matrix whose 64 elements are ``value``.",
        "make_filled_simdgroup_matrix",
    ),
    _matrix(
        "simdgroup_multiply", ("a", "b"), "The matrix product ``a @ b``.", "simdgroup_multiply"
    ),
    _matrix(
        "simdgroup_multiply_accumulate",
        ("a", "b", "c"),
        "``a @ b + c``.",
        "simdgroup_multiply_accumulate",
    ),
)

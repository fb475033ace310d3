"""What the printer must know of a processor: how wide its vectors are, and whether it has masks."""

from __future__ import annotations

from collections.abc import Collection

from speedmetal.common.records import record


@record
class VectorUnit:
    """How code is written for a processor.

    Args:
        lanes: Threads of a vector, where a kernel does not use simdgroups (those have 32).
        has_masks: Whether loads and stores of some lanes alone cost about as much as those of
            all. Where not, code that runs under a mask is written a second time for full vectors.
        has_streaming_stores: Whether whole lines can be stored without being read first (x86's
            ``movnt``, with ``sfence`` at the end).
        has_scaling: Whether an instruction multiplies by powers of 2, in a vector of 512 bits.
        has_half_arithmetic: Whether vectors of float16 are computed with as they are.
        permuted_registers: From how many registers an instruction picks lanes of 32 bits by running
            numbers; 0 where none does.
        has_saturation: Whether a vector of floats converted to integers saturates, NaN being 0.
        has_root_estimate: Whether an instruction estimates 1 / sqrt(x) to 14 bits, in a vector.
    """

    lanes: int
    has_masks: bool
    has_streaming_stores: bool
    has_root_estimate: bool = False
    has_scaling: bool = False
    has_half_arithmetic: bool = False
    permuted_registers: int = 0
    has_saturation: bool = False


AVX512 = VectorUnit(
    16,
    has_masks=True,
    has_streaming_stores=True,
    has_root_estimate=True,
    has_scaling=True,
    permuted_registers=2,
)
AVX2 = VectorUnit(8, has_masks=False, has_streaming_stores=True, permuted_registers=1)
# Two registers: enough work is in flight, and few are spilled.
NEON = VectorUnit(
    8,
    has_masks=False,
    has_streaming_stores=False,
    has_half_arithmetic=True,
    has_saturation=True,
)


def unit_for(features: Collection[str]) -> VectorUnit:
    """The unit of a processor with these features, in LLVM's words.

    >>> unit_for({"avx2", "avx512f"}).lanes, unit_for({"avx2"}).lanes, unit_for({"neon"}).lanes
    (16, 8, 8)
    """
    if "avx512f" in features:
        return AVX512
    return AVX2 if "avx2" in features else NEON

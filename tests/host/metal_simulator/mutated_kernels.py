"""Right kernels with one planted fault each, and what of the simulator must find it.

Finders: "forward", "reverse", "random": a wrong result when threads run in that order; "poison": a
wrong result in every order, since memory that nobody wrote holds no zeros; "result": a wrong result
in every order, for any other reason; "guard": an access outside memory; "divergence": threads that
miss a barrier; "partial" and "mixed": collectives that not all threads of a simdgroup reach, or that
they reach at several places; "race": the build that looks for unordered accesses.
"""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from right_msl import CASES, Case

BY_NAME = {case.name: case for case in CASES}
BARRIER = "threadgroup_barrier(mem_flags::mem_threadgroup);"


@dataclass(frozen=True)
class Mutant:
    """A kernel with a fault.

    Args:
        case: The right one's name.
        name: What is wrong.
        old: What stands in the right kernel.
        new: What stands there instead.
        found_by: Every finder that must find it.
        which: Which of several places of `old`, from 0.
    """

    case: str
    name: str
    old: str
    new: str
    found_by: frozenset[str]
    which: int = 0

    @property
    def base(self) -> Case:
        return BY_NAME[self.case]

    @property
    def function(self) -> str:
        return "mutant_" + re.sub(r"\W", "_", f"{self.case}_{self.name}")


MUTANTS: list[Mutant] = []


def mutant(case: str, name: str, old: str, new: str, *found_by: str, which: int = 0) -> None:
    MUTANTS.append(Mutant(case, name, old, new, frozenset(found_by), which))


_KERNEL = re.compile(r"^kernel void (\w+)\(.*?^}\n", re.MULTILINE | re.DOTALL)


def functions(source: str) -> dict[str, str]:
    """The kernels of a text, by name."""
    return {match[1]: match[0] for match in _KERNEL.finditer(source)}


def plant_fault(one: Mutant) -> str:
    """The kernel's text with the fault, under the mutant's name."""
    text = functions(one.base.source)[one.base.function]
    pieces = text.split(one.old)
    assert len(pieces) > one.which + 1, f"{one.function}: {one.old!r} is not in the kernel"
    before, after = pieces[: one.which + 1], pieces[one.which + 1 :]
    text = one.old.join(before) + one.new + one.old.join(after)
    return text.replace(f"void {one.base.function}(", f"void {one.function}(", 1)


def program(mutants: Iterable[Mutant]) -> str:
    """One text with several mutants of kernels of one source, and that source's declarations."""
    mutants = list(mutants)
    return _KERNEL.sub("", mutants[0].base.source) + "\n".join(map(plant_fault, mutants))


# --- Missing or weak barriers --------------------------------------------------------------------

mutant("matmul", "no barrier after loading", BARRIER, "", "forward", "reverse", "random", "race")
mutant(
    "matmul",
    "no barrier before the next tile",
    BARRIER,
    "",
    *("forward", "reverse", "random", "race"),
    which=1,
)
mutant("transpose", "no barrier", BARRIER, "", "forward", "reverse", "random", "race")
mutant("reduce_sum", "no barrier", BARRIER, "", "forward", "race")
mutant(
    "reduce_sum",
    "barrier of the simdgroup",
    BARRIER,
    "simdgroup_barrier(mem_flags::mem_threadgroup);",
    *("forward", "race"),
)
mutant("histogram", "no barrier after zeroing", BARRIER, "", "forward", "reverse")
mutant("histogram", "no barrier before reading", BARRIER, "", "forward", "reverse", which=1)
mutant("bitonic_sort", "no barrier after a step", BARRIER, "", "race", which=1)
mutant("block_scan", "no barrier after the totals", BARRIER, "", "forward", "race")
mutant("block_scan", "no barrier after their scan", BARRIER, "", "reverse", "race", which=1)
mutant("softmax", "no barrier before memory is used again", BARRIER, "", "race", which=1)
mutant("half_product", "no barrier after loading", BARRIER, "", "forward", "race")
mutant("half_product", "no barrier before the next tile", BARRIER, "", "race", which=1)
mutant("bodies", "no barrier before the next tile", BARRIER, "", "race", which=1)
mutant("conv1d", "no barrier", BARRIER, "", "forward", "reverse", "random", "race")

# --- Threads that miss a barrier -----------------------------------------------------------------

mutant(
    "matmul",
    "return before a barrier",
    "float sum = 0;\n",
    "float sum = 0; if (local.x == 15 && local.y == 15) return;\n",
    "divergence",
)
mutant(
    "bitonic_sort",
    "barrier of some threads",
    "if (other > lid) {",
    f"if (other > lid) {{ {BARRIER}",
    "divergence",
)
mutant(
    "reduce_tree",
    "loop of unequal length",
    "step > 0; step /= 2",
    "step > lid / 128; step /= 2",
    "divergence",
)

# --- Memory that nobody wrote --------------------------------------------------------------------

mutant(
    "reduce_sum",
    "reads of what nobody wrote",
    "lane < simdgroups ? part[lane] : 0.0f",
    "part[lane]",
    "poison",
)
mutant(
    "histogram",
    "no zeros",
    "atomic_store_explicit(&own[b], 0, memory_order_relaxed)",
    "b += 0",
    "poison",
)
mutant(
    "float_max",
    "no start value",
    "if (lid == 0) atomic_store_explicit(&own, as_type<uint>(-INFINITY), memory_order_relaxed);",
    "",
    "poison",
)
mutant(
    "conv1d",
    "one element not loaded",
    "threads + 2 * RADIUS; t",
    "threads + 2 * RADIUS - 1; t",
    "poison",
)

# --- Outside memory ------------------------------------------------------------------------------

mutant("vector_add", "no test of the index", "if (i < n) ", "", "guard")
mutant("vector_add", "test off by one", "i < n", "i <= n", "guard")
mutant("matmul", "tile too narrow", "float a[TILE][TILE];", "float a[TILE][TILE - 1];", "guard")
mutant("histogram", "one bin too many", "b < 256", "b <= 256", "guard")
mutant(
    "conv1d", "too much loaded", "threads + 2 * RADIUS; t", "threads + 2 * RADIUS + 4; t", "guard"
)
mutant("sparse_times_vector", "one row too many", "starts[row + 1]", "starts[row + 2]", "guard")

# --- Unsynchronised writes -----------------------------------------------------------------------

mutant(
    "tickets",
    "increment that is not atomic",
    "atomic_fetch_add_explicit(&next, 1u, memory_order_relaxed);",
    "*(device uint*)&next; *(device uint*)&next = own + 1;",
    "race",
)
mutant(
    "atomics",
    "sum that is not atomic",
    "atomic_fetch_add_explicit(&out[0], v, memory_order_relaxed);",
    "device int* plain = (device int*)out; plain[0] = plain[0] + v;",
    "race",
)
mutant("life", "cells changed in place", "next[p.y", "((device uchar*)cells)[p.y", "result", "race")

# --- Wrong lanes and places ----------------------------------------------------------------------

mutant("transpose", "swapped index", "tile[local.x][local.y]", "tile[local.y][local.x]", "result")
mutant("block_scan", "total of another lane", "lane == 31", "lane == 30", "result")
mutant(
    "shuffles",
    "neighbour of another distance",
    "simd_shuffle_xor(v, 5)",
    "simd_shuffle_xor(v, 4)",
    "result",
)
mutant("quads", "the quad's other lane", "quad_broadcast(v, 1)", "quad_broadcast(v, 2)", "result")
mutant(
    "matrix_product",
    "row length of the other matrix",
    "N);\n    simdgroup_m",
    "K);\n    simdgroup_m",
    "guard",
)
mutant("half_product", "not transposed", "ulong2(0, 0), true", "ulong2(0, 0), false", "result")
mutant("reduce_tree", "one step too few", "step > 0", "step > 1", "result")
mutant(
    "reduce_sum",
    "sum in a branch",
    "float v = i < n ? x[i] : 0.0f;\n  v = simd_sum(v);",
    "float v = 0; if (i < n) v = simd_sum(x[i]);",
    "partial",
)
mutant(
    "reduce_sum",
    "sums at two places",
    "v = simd_sum(v);\n  if (lane == 0) part",
    "if (lane & 1) v = simd_sum(v); else v = simd_sum(v + 1.0f);\n  if (lane == 0) part",
    "result",
    "mixed",
)

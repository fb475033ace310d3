"""Each planted fault is found by the means that are said to find it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from mutated_kernels import MUTANTS, Mutant, plant_fault, program
from right_msl import HEADER, mismatch

from speedmetal.errors import SimulationError
from speedmetal.metal_simulator.settings import ORDERS
from speedmetal.metal_simulator.simulate import simulate

KINDS = {"out of bounds": "guard", "divergence": "divergence", "race": "race"}
EVERY_ORDER = {"poison", "result"}


def group(mutant: Mutant) -> tuple[str, str]:
    return mutant.base.source, repr(sorted(mutant.base.constants.items(), key=repr))


GROUPS = defaultdict(list)
for one in MUTANTS:
    GROUPS[group(one)].append(one)


@pytest.fixture(scope="module")
def libraries():
    """Programs of many mutants each."""
    kept: dict[Any, Any] = {}

    def library(mutant: Mutant, **settings: Any) -> Any:
        key = (group(mutant), repr(settings))
        if key not in kept:
            text = program(GROUPS[group(mutant)])
            kept[key] = simulate(text, constants=mutant.base.constants, **settings)
        return kept[key]

    return library


def finders(mutant: Mutant, library: Any, order: str) -> set[str]:
    """What finds the mutant in one run."""
    arguments, expected = mutant.base.make()
    try:
        execution = library.function(mutant.function)(
            *arguments,
            grid=mutant.base.grid,
            threads=mutant.base.threads,
            threadgroup_bytes=dict(mutant.base.threadgroup_bytes),
        )
    except SimulationError as error:
        return {KINDS.get(error.kind, error.kind)}
    counters = {
        "divergence": execution.divergent_barriers,
        "partial": execution.partial_collectives,
        "mixed": execution.mixed_collectives,
        "race": execution.races,
    }
    found = {name for name, count in counters.items() if count}
    if mismatch(arguments, expected, mutant.base.tolerance):
        found.add(order)
    return found


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.function)
def test_the_fault_is_found(mutant, libraries):
    found = set()
    for order in ORDERS:
        found |= finders(mutant, libraries(mutant, order=order), order)
    if "race" in mutant.found_by:
        found |= finders(mutant, libraries(mutant, check_races=True), "forward")
    if found >= set(ORDERS):
        found |= EVERY_ORDER
    assert mutant.found_by <= found


UNWRITTEN = """
kernel void unwritten(device uint* out [[buffer(0)]], uint i [[thread_position_in_grid]],
                      uint lid [[thread_position_in_threadgroup]]) {
  threadgroup uint memory[64];
  out[i] = memory[lid];
  memory[lid] = 0;
}
"""


def test_every_threadgroup_finds_its_memory_poisoned():
    out = np.zeros(256, np.uint32)
    simulate(HEADER + UNWRITTEN).function("unwritten")(out, grid=256, threads=64)
    assert np.all(out == 0xFFFFFFFF)


def test_each_fault_is_one_change_of_a_right_kernel():
    assert len({mutant.function for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        assert plant_fault(mutant) != mutant.base.source

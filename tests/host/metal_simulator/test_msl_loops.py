"""Lanes in different turns of a loop do not meet, however the loop is written."""

import numpy as np
import pytest

from speedmetal.metal_simulator.simulate import simulate
from speedmetal.msl.diagnostics import MslError

LANES = 32
LOOPS = {
    "for": "for (uint t = 0; t < turns; ++t) { BODY }",
    "for without a condition": "for (uint t = 0;; ++t) { if (t >= turns) break; BODY }",
    "for with a pragma": "\n#pragma unroll\nfor (uint t = 0; t < turns; ++t) { BODY }",
    "while": "uint t = 0; while (t < turns) { BODY ++t; }",
    "do": "uint t = 0; if (turns > 0) do { BODY } while (++t < turns);",
    "in a branch": "if (turns > 0) for (uint t = 0; t < turns; ++t) { BODY } else total = 0;",
    "left by return": (
        "for (uint t = 0; t < 9; ++t) { if (t == turns) { out[i] = total; return; } BODY }"
    ),
    "in a function": "total = helper(turns, i);",
}
SOURCE = """
#include <metal_stdlib>
using namespace metal;
uint helper(uint turns, uint i) {{
    uint total = 0;
    for (uint t = 0; t < turns; ++t) {{ {body} }}
    return total;
}}
kernel void k(device uint* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {{
    uint total = 0;
    uint turns = i % 5;
    {loop}
    out[i] = total;
}}
"""
# Every third lane skips a turn, so that lanes come to the sum from two ways.
BODY = "if ((i + t) % 3 != 0) total += simd_sum(1u) + 100 * t;"


def expected():
    totals = np.zeros(LANES, np.uint32)
    for turn in range(5):
        here = [i for i in range(LANES) if turn < i % 5 and (i + turn) % 3]
        for lane in here:
            totals[lane] += len(here) + 100 * turn
    return totals


@pytest.mark.parametrize("order", ["forward", "reverse", "random"])
@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_a_loop_counts_its_turns(loop, order):
    source = SOURCE.format(loop=loop.replace("BODY", BODY), body=BODY)
    found = np.zeros(LANES, np.uint32)
    simulate(source, order=order).function("k")(found, grid=LANES, threads=LANES)
    np.testing.assert_array_equal(found, expected())


def test_a_do_loop_without_braces_is_refused():
    source = SOURCE.format(loop="uint t = 0; do total += simd_sum(1u); while (++t < 2);", body=BODY)
    with pytest.raises(MslError, match="do loops with braces"):
        simulate(source)


def test_a_constexpr_function_is_left_to_the_compiler():
    helper = """
    struct Sizes {
        static constexpr uint sum(uint start = uint{}) {
            uint total = start;
            for (uint i = 0; i < 4; ++i) { total += i; }
            return total;
        }
        static uint all() { return simd_sum(1u); }
    };
    kernel"""
    loop = (
        "total = Sizes::all(); threadgroup uint t[Sizes::sum()]; t[0] = 1; if constexpr (true) {}"
    )
    source = SOURCE.format(loop=loop, body=BODY).replace("kernel", helper)
    found = np.zeros(LANES, np.uint32)
    simulate(source).function("k")(found, grid=LANES, threads=LANES)
    assert found.tolist() == [LANES] * LANES

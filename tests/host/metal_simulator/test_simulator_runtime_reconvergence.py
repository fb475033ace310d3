"""Lanes that went different ways meet where a GPU's do: in programs made at random.

The reference runs all lanes together, with a mask of the active ones; a branch splits the mask,
and its end joins it again.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
from simulator_kernels import compile_kernels, device

from speedmetal.metal_simulator.settings import ORDERS, Settings

PROGRAMS = 40
DEPTH = 3
MASK = 0xFFFFFFFF


def block(chance, depth, loops=0):
    """A list of statements: ("sum", a), ("mix", a), ("if", a, b, then, else), ("for", a, b, body),
    ("break", a, b), ("continue", a, b); a and b are small numbers."""
    made = []
    for _ in range(chance.randint(1, 3)):
        kind = chance.random()
        a, b = chance.randint(2, 5), chance.randint(0, 4)
        if depth == 0 or kind < 0.4:
            made.append(("sum", a + b))
        elif kind < 0.7:
            other = block(chance, depth - 1, loops) if chance.random() < 0.6 else []
            made.append(("if", a, b % a, block(chance, depth - 1, loops), other))
        elif kind < 0.8 and loops:
            made.append((chance.choice(("break", "continue")), a, b % a))
        elif loops < 2:
            made.append(("for", a, b, block(chance, depth - 1, loops + 1)))
        made.append(("mix", chance.randint(1, 99)))
    return made


def text(statements, number=0):
    """The statements in C; `number` counts the loops around them."""
    parts = []
    for kind, a, *rest in statements:
        if kind == "sum":
            parts.append(f"v = v * 3 + simd_sum(v ^ {a});")
        elif kind == "mix":
            parts.append(f"v = v * 7 + {a};")
        elif kind == "if":
            b, then, other = rest
            parts.append(f"if ((v >> 3) % {a} == {b}) {{\n{text(then, number)}\n}} else {{")
            parts.append(f"{text(other, number)}\n}}")
        elif kind == "for":
            b, body = rest
            i, n = f"i{number}", f"n{number}"
            parts.append(f"{{ LOOP; for (uint {i} = 0, {n} = (v >> 2) % {a} + {b};")
            parts.append(f"TURN, {i} < {n}; {i}++) {{\n{text(body, number + 1)}\n}} }}")
        else:
            parts.append(f"if ((v >> 5) % {a} == {rest[0]}) {kind};")
    return "\n".join(parts)


def run(statements, v, active):
    """Runs the statements; gives the lanes that came to their end, broke, and continued."""
    broke, continued = np.zeros_like(active), np.zeros_like(active)
    active = active.copy()
    for kind, a, *rest in statements:
        if kind == "sum":
            v[active] = (v[active] * 3 + int((v[active] ^ a).sum())) & MASK
        elif kind == "mix":
            v[active] = (v[active] * 7 + a) & MASK
        elif kind == "for":
            run_loop(a, rest[0], rest[1], v, active)
        else:
            shift = 3 if kind == "if" else 5
            chosen = active & ((v >> shift) % a == rest[0])
            if kind == "if":
                ways = [run(rest[1], v, chosen), run(rest[2], v, active & ~chosen)]
                active = ways[0][0] | ways[1][0]
                broke |= ways[0][1] | ways[1][1]
                continued |= ways[0][2] | ways[1][2]
            else:
                active &= ~chosen
                (broke if kind == "break" else continued)[chosen] = True
    return active, broke, continued


def run_loop(a, b, body, v, active):
    turns = (v >> 2) % a + b
    inside, turn = active.copy(), 0
    while (inside := inside & (turn < turns)).any():
        ended, _, continued = run(body, v, inside)
        inside = ended | continued
        turn += 1


MACROS = """
static void leave(uint *loop) { __smr_loop_leave(*loop); }
#define LOOP __attribute__((cleanup(leave))) uint loop = __smr_loop_enter()
#define TURN __smr_loop_turn(loop)
"""


@pytest.fixture(scope="module")
def programs():
    return [block(random.Random(seed), DEPTH) for seed in range(PROGRAMS)]


@pytest.fixture(scope="module")
def kernels(programs):
    texts = [
        f"KERNEL(program{i}) {{ uint v = I * 2654435761u;\n{text(p)}\nBUFFER(uint, 0)[I] = v; }}"
        for i, p in enumerate(programs)
    ]
    # Without these the compiler puts branches behind the place where they join.
    flags = ("-mllvm", "-disable-block-placement", "-mllvm", "-disable-branch-fold")
    return compile_kernels(MACROS + "\n".join(texts), *flags)


@pytest.mark.parametrize("order", ORDERS)
def test_lanes_meet_where_ways_join(programs, kernels, order):
    wrong = []
    for number, program in enumerate(programs):
        expected = (np.arange(64, dtype=np.int64) * 2654435761) & MASK
        for half in (slice(0, 32), slice(32, 64)):
            run(program, expected[half], np.ones(32, bool))
        memory, found = device(np.uint32, 64)
        name = f"program{number}"
        kernels.run(name, memory, grid=64, threads=64, settings=Settings(order=order))
        if not np.array_equal(found, expected.astype(np.uint32)):
            wrong.append(number)
    assert wrong == []

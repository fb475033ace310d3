"""Divisions and shifts are marked where the types must decide, and nothing else is."""

from __future__ import annotations

import pytest

from speedmetal.metal_simulator.language.operators import guard_operators
from speedmetal.metal_simulator.language.rewriting import Rewriter
from speedmetal.metal_simulator.simulate import simulate
from speedmetal.msl.diagnostics import MslError
from speedmetal.msl.tokens import Tokens


def guarded(text: str) -> str:
    tokens = Tokens(text)
    rewriter = Rewriter(tokens)
    guard_operators(tokens, rewriter)
    return rewriter.render().text.rstrip("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a / b * c;", "a / smr::by / b * c;"),
        ("a % -b;", "a % smr::by % -b;"),
        ("a << n + 1;", "a << smr::by << n + 1;"),
        ("a >> n;", "a >> smr::by >> n;"),
        ("a /= b;", "a /= smr::by /= b;"),
        ("a %= b;", "a %= smr::by %= b;"),
        ("a <<= b;", "a <<= smr::by <<= b;"),
        ("a >>= b;", "a >>= smr::by >>= b;"),
        ("1 / 0;", "1 / smr::by / 0;"),
        ("1u << 32;", "1u << smr::by << 32;"),
        ("a << 3 + n;", "a << smr::by << 3 + n;"),
        ("a /= 2 - n;", "a /= smr::by /= 2 - n;"),
        ("a < b >> c;", "a < b >> smr::by >> c;"),
        ("i < n && j < m >> k;", "i < n && j < m >> smr::by >> k;"),
        ("vec<float, (N >> n)> v;", "vec<float, (N >> smr::by >> n)> v;"),
        ("array<vec<T, 2>, (N / M)> v;", "array<vec<T, 2>, (N / smr::by / M)> v;"),
    ],
)
def test_what_the_types_decide_is_marked(text, expected):
    assert guarded(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a / 2;",
        "a % 32u;",
        "a /= 0x10;",
        "1.0f / a;",
        "a / 2.0h;",
        "a << 31;",
        "a >> 1 | b;",
        "a >>= 4;",
        "array<vec<T, 2>> v;",
        "array<array<vec<T, 2>>> v;",
        "array<vec<T, 2>>>(3);",
        "template <class T> struct Pair {}; Pair<Pair<int>> p;",
        "template <template <class> class F> void f(F<F<int>> p);",
        "enable_if_t<is_integral_v<T> && is_same_v<U, vec<T, 2>>> x;",
        "T operator/(T a, T b);",
        "T operator>>(T a, int n);",
        "a > b; a >= b;",
        "a<b> > c;",
    ],
)
def test_the_rest_stays(text):
    assert guarded(text) == text


@pytest.mark.parametrize(
    ("statement", "types"),
    [
        ("a / s;", "'int' and 'S'"),
        ("a << f;", "'int' and 'float'"),
        ("f %= a;", "'float' and 'int'"),
        ("f <<= a;", "'float' and 'int'"),
    ],
)
def test_wrong_operands_are_told_by_their_own_types(statement, types):
    source = f"""#include <metal_stdlib>
struct S {{ float x; }};
kernel void k(device float* o [[buffer(0)]]) {{
  S s; int a = int(o[0]); float f = o[1];
  {statement}
}}
"""
    with pytest.raises(MslError) as caught:
        simulate(source)
    (found,) = caught.value.diagnostics
    assert found.message == f"invalid operands to binary expression ({types})"
    assert (found.line, found.column) == (5, 5)

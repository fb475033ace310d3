"""Tokens, brackets and changes keep every character's place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.metal_simulator.language.rewriting import Rewriter
from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.structure import Sort, declarations, split_arguments
from speedmetal.msl.tokens import Kind, Tokens

WORDS = st.sampled_from(
    ["float", "x1", "1.5f", "0x1p-3", "+", ">>=", "::", "(", ")", "[", "]", '"a\\"b"', "'c'"]
)
BLANKS = st.sampled_from([" ", "\n", "\t", "/* ( */ ", "// [\n", " \\\n"])


@st.composite
def texts(draw):
    """Balanced text with comments and lines."""
    words = draw(st.lists(st.sampled_from(["a", "b2", "1.5f", "+", ";", "->"]), max_size=8))
    inner = draw(st.lists(WORDS.filter(lambda w: w not in "()[]"), max_size=5))
    opening, closing = draw(st.sampled_from(["()", "[]", "{}"]))
    every = [*words, opening, *inner, closing]
    return "".join(word + draw(BLANKS) for word in every)


@given(texts())
def test_a_token_is_its_stretch_of_the_text(text):
    tokens = Tokens(text)
    for token in tokens.list:
        assert text[token.start : token.end] == token.text
    assert tokens.partner
    assert all(tokens.partner[tokens.partner[i]] == i for i in tokens.partner)


@given(texts())
def test_places_and_offsets_are_inverse(text):
    tokens = Tokens(text)
    assert tokens.list
    for token in tokens.list:
        assert tokens.offset(*tokens.place_of_offset(token.start)) == token.start


@given(texts(), st.data())
def test_changes_know_where_the_rest_comes_from(text, data):
    tokens = Tokens(text)
    names = [i for i in range(len(tokens)) if tokens.is_name(i)]
    changed = data.draw(st.sets(st.sampled_from(names), max_size=3)) if names else set()
    rewriter = Rewriter(tokens)
    for index in changed:
        rewriter.replace(index, "changed")
        rewriter.insert_before(index, "before ")
    rewriter.prepend("before")
    done = rewriter.render()
    kept = [i for i in range(len(tokens)) if i not in changed]
    shown = [t for t in Tokens(done.text).list if t.text not in ("changed", "before")]
    assert [t.text for t in shown] == [tokens.words[i] for i in kept]
    for token, index in zip(shown, kept, strict=True):
        line = done.text.count("\n", 0, token.start) + 1
        column = token.start - (done.text.rfind("\n", 0, token.start) + 1) + 1
        assert done.place(line, column) == tokens.place(index)


def test_columns_of_the_compiler_are_bytes():
    tokens = Tokens("/* é */ a = b;")
    done = Rewriter(tokens).render()
    assert done.place(1, 10) == (1, 9)  # é has two bytes


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a (b\n", 1, 3, "this '(' is not closed; add ')'"),
        ("a\n  b]", 2, 4, "this ']' closes nothing"),
        ("{ ( }", 1, 5, "this '}' closes nothing"),
    ],
)
def test_brackets_without_partner(text, line, column, message):
    with pytest.raises(MslError) as caught:
        Tokens(text)
    assert caught.value.diagnostics == (MslDiagnostic(line, column, "error", message),)


@pytest.mark.parametrize(
    ("text", "closes"),
    [
        ("vec<float, 4> v", 5),
        ("a<b<c>> d", 6),
        ("a < b; c > d", None),
        ("a < b && c > d", None),
        ("x<(a > b), 2> y", 9),
        ("x<sizeof(T) == 4, T> y", 10),
    ],
)
def test_angle_brackets(text, closes):
    assert Tokens(text).angle_partner(1) == closes


def test_comparisons_among_parameters_of_templates():
    tokens = Tokens("template <typename T, enable_if_t<sizeof(T) < 8, bool> = true> void f() {}")
    (found,) = declarations(tokens)
    assert found.name == "f"
    assert len(split_arguments(tokens, *found.template)) == 2


def test_literals_are_one_token():
    text = "1'000 0x1.8p-3f .5e+3 1.0h 1bf 0b11u 'a' \"s//\" a.x"
    kinds = [(t.text, t.kind) for t in Tokens(text).list]
    assert kinds[:8] == [
        ("1'000", Kind.NUMBER),
        ("0x1.8p-3f", Kind.NUMBER),
        (".5e+3", Kind.NUMBER),
        ("1.0h", Kind.NUMBER),
        ("1bf", Kind.NUMBER),
        ("0b11u", Kind.NUMBER),
        ("'a'", Kind.TEXT),
        ('"s//"', Kind.TEXT),
    ]


SOURCE = """
using namespace metal;
typedef float real;
namespace a { namespace b {
struct alignas(16) S : public Base<int> {
  float x, y[2]; static constant constexpr int N = 3;
  S(float v) : x(v), y{v, v} { }
  float operator()(int i) const thread { return y[i]; }
  S operator+(S o) { return o; }
  explicit operator float() const { return x; }
};
}}
enum class E : uint { A, B };
constant float table[2] = { 1, 2 };
template <typename T, int N = 4> static inline T f(T x);
template <typename T> struct Is : bool_constant<(sizeof(T) > 1)> { };
template <> struct P<device float*> { };
[[kernel, max_total_threads_per_threadgroup(64)]] void k(device float* o) { o[0] = 1; }
template [[host_name("k2")]] [[kernel]] decltype(g<float>) g<float>;
kernel void late(uint i [[thread_position_in_grid]]) [[max_total_threads_per_threadgroup(32)]] { }
struct S make(struct S s) { return s; }
"""


def test_declarations_of_a_text():
    tokens = Tokens(SOURCE)
    found = declarations(tokens)
    assert [(d.sort, d.qualified_name) for d in found] == [
        (Sort.ALIAS, "namespace"),
        (Sort.ALIAS, "real"),
        (Sort.RECORD, "a::b::S"),
        (Sort.RECORD, "E"),
        (Sort.VARIABLE, "table"),
        (Sort.FUNCTION, "f"),
        (Sort.RECORD, "Is"),
        (Sort.RECORD, "P"),
        (Sort.FUNCTION, "k"),
        (Sort.INSTANTIATION, "float"),
        (Sort.FUNCTION, "late"),
        (Sort.FUNCTION, "make"),
    ]
    members = [(m.sort, m.name) for m in found[2].members]
    assert members == [
        (Sort.VARIABLE, "y"),
        (Sort.VARIABLE, "N"),
        (Sort.FUNCTION, "S"),
        (Sort.FUNCTION, "operator("),
        (Sort.FUNCTION, "operator+"),
        (Sort.FUNCTION, "operatorfloat"),
    ]
    kernels = [d for d in found if d.is_kernel]
    assert [k.name for k in kernels] == ["k", "late"]
    limits = [k.attribute("max_total_threads_per_threadgroup").arguments for k in kernels]
    assert [tokens.source(*limit) for limit in limits] == ["64", "32"]
    assert found[9].attribute("host_name") is not None


def test_an_unfinished_declaration():
    with pytest.raises(MslError, match="this declaration does not end; add ';'"):
        declarations(Tokens("constant int x = 3"))


def test_errors_are_found_where_they_have_always_been():
    from speedmetal.metal_simulator.language import diagnostics

    assert diagnostics.MslError is MslError

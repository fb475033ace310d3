"""What compiled text says of itself: parameters, constants, threadgroup memory, limits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from speedmetal.metal_simulator.language.lint import lint
from speedmetal.metal_simulator.language.program import (
    FunctionConstant,
    MslError,
    Parameter,
    compile_source,
)
from speedmetal.metal_simulator.simulate import simulate

GOLDEN = sorted((Path(__file__).parents[1] / "golden/c_family").rglob("*.metal"))
HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"


def kernel(body: str, parameters: str = "device float* out [[buffer(0)]]", before: str = "") -> str:
    return f"{HEAD}{before}kernel void k({parameters}) {{\n{body}\n}}\n"


def fault(source: str, **options) -> tuple[int, int, str]:
    """Line, column and message of the first fault."""
    with pytest.raises(MslError) as caught:
        compile_source(source, **options)
    first = caught.value.diagnostics[0]
    return first.line, first.column, first.message


def groups() -> list[list[Path]]:
    """The printed texts, those whose kernels have names of their own together."""
    found: list[dict[str, Path]] = []
    for path in GOLDEN:
        name = re.search(r"kernel void (\w+)", path.read_text())[1]
        group = next((group for group in found if name not in group), None)
        if group is None:
            found.append(group := {})
        group[name] = path
    return [list(group.values()) for group in found]


def joined(paths: list[Path]) -> str:
    """One text of several, each in a namespace."""
    heads = {path.read_text().split("\n\n", 2)[0] for path in paths}
    bodies = [path.read_text().split("#endif\n", 1)[1] for path in paths]
    spaces = [f"namespace text_{i} {{\n{body}\n}}\n" for i, body in enumerate(bodies)]
    (head,) = heads
    return "\n".join([head, PRAGMAS, *spaces])


PRAGMAS = """
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif
"""


def test_there_are_printed_texts():
    assert len(GOLDEN) > 30
    assert all(PRAGMAS.strip() in path.read_text() for path in GOLDEN)


@pytest.mark.parametrize("paths", groups(), ids=lambda paths: f"{len(paths)}_texts")
def test_printed_kernels_compile_and_are_clean(paths):
    source = joined(paths)
    functions = compile_source(source).functions
    assert len(functions) == len(paths)
    assert all(function.entry for function in functions.values())
    assert lint(source) == ()


STRUCTURE = """
struct Inner { float4 a; uchar b; };
typedef uint3 Position;
"""
PARAMETERS = """
    device const float* a [[buffer(3)]], constant Inner& inner [[buffer(0)]],
    const device packed_float3 *points, constant long shape[3] [[buffer(0x7)]],
    device atomic_uint* counter, threadgroup half* tile [[threadgroup(1)]],
    threadgroup float* more, Position p [[thread_position_in_grid]],
    ushort lane [[thread_index_in_simdgroup]]
"""


def test_parameters():
    source = kernel("", PARAMETERS, STRUCTURE)
    function = compile_source(source).functions["k"]
    assert function.parameters == (
        Parameter("a", "buffer", 3, "device const float*", "device", True, False, 4, 4),
        Parameter("inner", "buffer", 0, "constant Inner&", "constant", True, True, 16, 32),
        Parameter(
            "points", "buffer", 1, "const device packed_float3*", "device", True, False, 4, 12
        ),
        Parameter("shape", "buffer", 7, "constant long[3]", "constant", True, False, 8, 8),
        Parameter("counter", "buffer", 2, "device atomic_uint*", "device", False, False, 4, 4),
        Parameter("tile", "threadgroup", 1, "threadgroup half*", "threadgroup", False, False, 2, 2),
        Parameter(
            "more", "threadgroup", 0, "threadgroup float*", "threadgroup", False, False, 4, 4
        ),
        Parameter("p", "position", -1, "Position", "", False, False, 1, 0),
        Parameter("lane", "position", -1, "ushort", "", False, False, 1, 0),
    )
    assert not function.uses_fibers
    assert function.max_threads is None


def test_templates_have_an_entry_for_each_name():
    source = f"""{HEAD}
namespace mine {{
template <typename T, int N>
[[kernel, max_total_threads_per_threadgroup(N * 16)]] void fill(
    device T* out [[buffer(0)]], uint i [[thread_position_in_threadgroup]]) {{
  threadgroup T values[N], one;
  {{ threadgroup alignas(64) char bytes[3][N > 2 ? 4 : 1]; bytes[0][0] = 1; }}
  values[i % N] = T(N);
  one = T(i);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = values[i % N];
}}
template [[host_name("fill" "_float")]] [[kernel]] decltype(fill<float, 4>) fill<float, 4>;
template [[host_name("fill_half")]] [[kernel]] void fill<half, 2>(device half*, uint);
}}
"""
    functions = compile_source(source).functions
    assert {n: (f.static_threadgroup_bytes, f.max_threads) for n, f in functions.items()} == {
        "fill_float": (16 + 4 + 64, 64),
        "fill_half": (4 + 2 + 64, 32),
    }
    assert functions["fill_half"].parameters[0].size_bytes == 2
    assert functions["fill_half"].uses_fibers
    out = np.zeros(4, np.float16)
    simulate(source).function("fill_half")(out, grid=4, threads=4)
    assert out.tolist() == [2, 2, 2, 2]


def test_a_large_text_is_compiled_as_it_is_asked_for():
    names = "".join(
        f'template [[host_name("k{n}")]] [[kernel]] decltype(k<{n}>) k<{n}>;\n' for n in range(80)
    )
    source = f"{HEAD}template <int N> [[kernel]] void k(device int* o) {{ o[0] = N; }}\n{names}"
    functions = compile_source(source).functions
    assert list(functions)[:2] == ["k0", "k1"]
    assert len(functions) == 80
    assert "k80" not in functions
    assert functions["k7"].entry == functions["k7"].entry != 0


CALLS = "float g(float x) { return simd_sum(x); }\nfloat f(float x) { return g(x); }\n"
UNUSED = "float unused(float x) { return quad_sum(x); }\n"
OPERATOR = """struct S { float x; };
S operator+(S a, S b) { simdgroup_barrier(mem_flags::mem_none); return a; }
"""


@pytest.mark.parametrize(
    ("body", "before", "expected"),
    [
        ("out[0] = 1;", "", False),
        ("threadgroup_barrier(mem_flags::mem_none);", "", True),
        ("out[0] = f(out[0]);", CALLS, True),
        ("out[0] = out[0];", UNUSED, False),
        ("S s; out[0] = (s + s).x;", OPERATOR, True),
    ],
)
def test_fibers_where_threads_may_wait(body, before, expected):
    function = compile_source(kernel(body, before=before)).functions["k"]
    assert function.uses_fibers is expected


CONSTANTS = f"""{HEAD}
constant bool doubled [[function_constant(0)]];
constant float scale [[function_constant(07)]];
constant uint2 pair [[function_constant(2)]];
constant bool has_scale = is_function_constant_defined(scale);
constant float factor = has_scale ? scale : 3.0;
kernel void scaled(
    device float* out, device float* more [[buffer(1), function_constant(doubled)]]) {{
  out[0] = factor * (doubled ? 2 : 1) + pair.y;
}}
kernel void plain(device float* out) {{ out[0] = 1; }}
"""


def test_no_program_is_loaded_twice():
    """Code is never unloaded; what the request asks for else gives another program."""
    program = compile_source(CONSTANTS)
    assert compile_source(CONSTANTS) is program
    others = ({"check_races": True}, {"fast_math": True}, {"constants": {0: True}})
    programs = [program, *(compile_source(CONSTANTS, **other) for other in others)]
    assert len(set(map(id, programs))) == 4


def test_function_constants():
    program = compile_source(CONSTANTS)
    doubled = FunctionConstant("doubled", 0, "bool", is_required=True)
    scale = FunctionConstant("scale", 7, "float", is_required=False)
    pair = FunctionConstant("pair", 2, "uint2", is_required=True)
    assert program.constants == (doubled, scale, pair)
    assert program.functions["scaled"].constants == (doubled, scale, pair)
    assert program.functions["plain"].constants == ()
    assert program.functions["plain"].entry
    with pytest.raises(MslError) as caught:
        _ = program.functions["scaled"].entry
    assert [d.message for d in caught.value.diagnostics] == [
        f"the function constant {name} (index {index}, {kind}) has no value, and the function "
        "scaled needs it; give it with setConstantValue:type:atIndex:, or ask "
        f"is_function_constant_defined({name}) in the text"
        for name, index, kind in (("doubled", 0, "bool"), ("pair", 2, "uint2"))
    ]


@pytest.mark.parametrize(
    ("values", "expected", "buffers"),
    [
        ({"doubled": True, 7: 2.5, 2: (1, 10)}, 15.0, 2),
        ({0: False, "pair": np.array([1, 2], np.uint32)}, 5.0, 1),
        ({0: np.bool_(True), 7: np.float32(0.5), 2: [0, 0]}, 1.0, 2),
    ],
)
def test_values_of_function_constants(values, expected, buffers):
    program = compile_source(CONSTANTS, constants=values)
    assert len(program.functions["scaled"].parameters) == buffers
    out = np.zeros(1, np.float32)
    arrays = (out,) if buffers == 1 else (out, np.zeros(1, np.float32))
    simulate(CONSTANTS, constants=values).function("scaled")(*arrays, grid=1)
    assert out[0] == expected


NEWER = """#include <metal_stdlib>
#include <metal_logging>
using namespace metal;
constant os_log logger("kernels", "k");
inline void add(coherent device float* x, float by) { x[0] += by; }
kernel void k(coherent device float* x [[buffer(0)]],
              coherent(device) device float& y [[buffer(1)]],
              texture2d<float, access::write, memory_coherence_device> t [[texture(0)]]) {
  t.write(float4(5), uint2(0));
  logger.log_debug("x is %f", x[0]);
  os_log_default.log("y");
  add(x, y);
}
"""


def test_words_of_version_3_2():
    function = simulate(NEWER, language_version=(3, 2)).function("k")
    x, y, _ = function.function.parameters
    assert [x.type_text, y.type_text] == ["device float*", "device float&"]
    array, texture = np.ones(1, np.float32), np.zeros((1, 1), np.float32)
    function(array, 2 * array, textures={0: texture}, grid=1)
    assert (array[0], texture[0, 0]) == (3, 5)
    assert lint(NEWER, language_version=(3, 2)) == ()


SHARED_WORDS = """#include <metal_stdlib>
using namespace metal;
constant short first [[function_constant(0)]];
constant int table[2] = {1, 2}, x = 3;
template <typename T> kernel void one(device T* x [[buffer(0)]]) { x[0] = first; }
typedef decltype(one<float>) one_t;
template [[host_name("one_float")]] kernel one_t one<float>;
typedef void (two_t)(device float* x, one_t* first_of);
typedef struct { float x; } Boxed, *thread_Boxed;
inline float first_of(float x) { return Boxed{x}.x + table[0]; }
kernel void two(device float* x [[buffer(0)]]) { x[0] = first_of(x[0]); }
template <typename T> kernel void three(device T* x [[buffer(0)]]) { x[0] = 1; }
template [[host_name("three_float")]] kernel two_t three<float>;
"""


def test_a_function_needs_the_constants_of_what_it_calls_alone():
    functions = compile_source(SHARED_WORDS.replace("two_t three", "one_t three")).functions
    needed = {name: [c.name for c in f.constants] for name, f in functions.items()}
    assert needed == {"one_float": ["first"], "two": [], "three_float": []}


DERIVED = """#include <metal_stdlib>
using namespace metal;
constant bool a [[function_constant(0)]];
constant int n [[function_constant(1)]];
constant bool is_given = is_function_constant_defined(n);
constant int m = is_given ? n : 3;
constant bool big = (m + 1) * 2 >= 0x8u && !a || m == 7;
constant bool odd = (m & 1) != 0 ^ false;
constant float unknown = sqrt(2.0);
kernel void k(device float* x [[buffer(0)]],
              device float* y [[buffer(1), function_constant(big)]],
              device float* z [[buffer(2), function_constant(odd)]],
              device float* w [[buffer(3), function_constant(unknown)]]) {
  x[0] = m;
  if (big) x[0] = y[0];
}
"""


@pytest.mark.parametrize(
    ("values", "buffers", "result"),
    [
        ({0: True}, "xzw", 3),
        ({0: False}, "xyzw", 50),
        ({0: False, 1: 2}, "xw", 2),
        ({0: True, 1: 7}, "xyzw", 50),
        ({0: True, "n": 8}, "xw", 8),
    ],
)
def test_buffers_that_derived_constants_take_away(values, buffers, result):
    function = simulate(DERIVED, constants=values).function("k")
    assert "".join(p.name for p in function.function.parameters) == buffers
    x = np.zeros(1, np.float32)
    by_index = [x, x + 50 if "y" in buffers else None, None, None]
    function(*by_index, grid=1)
    assert x[0] == result


OVERLOADS = """float f(device float* x) { return 1; }
float f(threadgroup float* x) { return 2; }
"""
TWO = f"{HEAD}kernel void k(device int* o) {{}}\nkernel void k(device float* o) {{}}"
FAULTS = [
    (
        kernel("", "device float* a [[buffer(0)]], device float* b [[buffer(0)]]"),
        (3, 46),
        "b and a of k both have buffer(0)",
    ),
    (
        kernel("", "device float* a [[buffer(31)]]"),
        (3, 15),
        "buffer(31) of a: indices go from 0 to 30",
    ),
    (
        kernel("", "float* a [[buffer(0)]]"),
        (3, 15),
        (
            "the parameter a of a kernel must say where its memory is: write device, constant or "
            "threadgroup before float*"
        ),
    ),
    (
        kernel("", "uint n"),
        (3, 15),
        (
            "the kernel gets nothing for its parameter n: it has no attribute; write "
            "constant uint& n [[buffer(n)]], or a position such as [[thread_position_in_grid]]"
        ),
    ),
    (
        kernel("", "uint2 i [[thread_index_in_simdgroup]]"),
        (3, 21),
        "i [[thread_index_in_simdgroup]] has the type uint2; declare it as uint or ushort",
    ),
    (
        f"{HEAD}kernel int k(device int* o) {{ return 1; }}",
        (3, 12),
        "the kernel k must return void; it gives results through buffers",
    ),
    (TWO, (4, 1), "there are two functions of the name k"),
    (
        kernel("", before="void f() { threadgroup float t[2]; }\n"),
        (3, 12),
        (
            "memory of a threadgroup is declared inside a kernel's braces, as `threadgroup type "
            "name[size];`; hand it to other functions as a pointer"
        ),
    ),
    (
        kernel("threadgroup float (t)[2];"),
        (4, 1),
        (
            "the simulator does not understand this declaration of threadgroup memory; write "
            "`threadgroup type name[size];`"
        ),
    ),
    (kernel("out[0] = missing;"), (4, 10), "use of undeclared identifier 'missing'"),
    (
        kernel("float4 v = 1; int4 w = v;"),
        (4, 20),
        "no viable conversion from 'float4' to 'int4'",
    ),
    (
        kernel("", "device float* o, Index i [[thread_position_in_grid]]", "typedef int Index;\n"),
        (4, 32),
        "a position cannot be of the type 'Index'; declare it as uint, ushort or a vector of them",
    ),
    (
        f"#include <cmath>\n{kernel('')}",
        (1, 10),
        (
            "there is no header <cmath>: Metal has its own library, <metal_stdlib>, and none "
            "of C or C++"
        ),
    ),
    (
        "#define A(x) (x + wrong)\n" + kernel("  out[0]  = A(  missing );"),
        (5, 3),
        "use of undeclared identifier 'wrong'",
    ),
    (
        kernel("out[0] = f(out);", before=OVERLOADS),
        (4, 7),
        (
            "f differs from that of line 3 in address spaces and in what it does: the "
            "simulator cannot tell them apart; give them different names"
        ),
    ),
]


@pytest.mark.parametrize(("source", "place", "message"), FAULTS)
def test_faults_with_their_places(source, place, message):
    assert fault(source) == (*place, message)


def test_the_text_of_an_error():
    with pytest.raises(MslError) as caught:
        compile_source(kernel("\tout[0] = missing;"))
    assert str(caught.value) == (
        "program_source:4:11: error: use of undeclared identifier 'missing'\n"
        "    4 | \tout[0] = missing;\n"
        "      | \t         ^"
    )


def test_macros_and_versions():
    source = f"""{HEAD}
#if __METAL_VERSION__ >= 320
#define VALUE 32
#elif defined(GIVEN)
#define VALUE GIVEN
#else
#define VALUE 31
#endif
kernel void k(device int* out) {{ out[0] = VALUE; }}
"""
    for options, expected in (
        ({}, 31),
        ({"language_version": (3, 2)}, 32),
        ({"defines": {"GIVEN": "(1 + 1)"}}, 2),
    ):
        out = np.zeros(1, np.int32)
        simulate(source, **options).function("k")(out, grid=1)
        assert out[0] == expected


def test_includes_of_files(tmp_path):
    (tmp_path / "own.h").write_text("#pragma once\ninline float own(float x) { return 2 * x; }\n")
    source = '#include "own.h"\n' + kernel("out[0] = own(2) + wrong;")
    found = fault(source, include_folders=[tmp_path])
    assert found == (5, 19, "use of undeclared identifier 'wrong'")
    right = source.replace(" + wrong", "")
    assert compile_source(right, include_folders=[tmp_path]).functions["k"].entry
    assert fault(right)[2].startswith('there is no file "own.h" where includes are looked for')

"""What is understood of hand-written kernels' declarations, and that nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.dtypes import bfloat16, float32, int32, uint8, uint32
from speedmetal.msl.declared import declared_parameters
from speedmetal.msl.types import TYPES, Element, parse_element


def dtype_of(parameter):
    element = parameter.element
    return None if element is None or parameter.role == "position" else element.dtype


def only(declarations, before=""):
    return declared_parameters(f"{before}kernel void f({declarations}) {{ }}").get("f")


def test_all_sorts_of_parameters():
    parameters = only(
        "device float *a [[buffer(0)]], const device int* b [[ buffer(2) ]],\n"
        "constant uint &n [[buffer(3)]], threadgroup uchar* shared [[threadgroup(0)]],\n"
        "uint3 p [[thread_position_in_grid]]"
    )
    assert [(p.name, p.role, p.index, dtype_of(p)) for p in parameters] == [
        ("a", "buffer", 0, float32),
        ("b", "buffer", 2, int32),
        ("n", "buffer", 3, uint32),
        ("shared", "threadgroup", 0, uint8),
        ("p", "position", -1, None),
    ]
    assert [p.is_writable for p in parameters] == [True, False, False, False, False]
    assert [p.is_reference for p in parameters] == [False, False, True, False, False]
    assert parameters[0].declaration == "device float* a"


@pytest.mark.parametrize(
    "declared",
    [
        "device const float* x",
        "const device float* x",
        "device float const* x",
        "device const float *const x",
        "constant float* x",
        "device const float* __restrict x",
    ],
)
def test_pointers_that_the_kernel_cannot_write_through(declared):
    (parameter,) = only(f"{declared} [[buffer(0)]]")
    assert (parameter.name, dtype_of(parameter), parameter.is_writable) == ("x", float32, False)


def test_what_memory_consists_of():
    parts = (
        "device atomic_uint* a",
        "device float4* b",
        "constant Params& c",
        "device vec<float, 2>* d",
        "device const packed_float3* e",
        "constant metal::bfloat& f",
    )
    parameters = only(", ".join(f"{part} [[buffer({n})]]" for n, part in enumerate(parts)))
    assert [p.element for p in parameters] == [
        Element(uint32),
        Element(float32, 4),
        None,
        Element(float32, 2),
        Element(float32, 3, is_packed=True),
        Element(bfloat16),
    ]
    assert [p.name for p in parameters] == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("float3", 16),
        ("packed_float3", 12),
        ("half2", 4),
        ("uint8_t", 1),
        ("unsigned int", 4),
        ("atomic<int>", 4),
        ("packed_vec<ushort, 3>", 6),
    ],
)
def test_sizes_of_numbers_and_vectors(text, size):
    assert parse_element(text).size_bytes == size


@pytest.mark.parametrize(
    "text", ["float5", "Params", "float[4]", "matrix<float, 2, 2>", "vec<T, 2>"]
)
def test_other_types_are_not_known(text):
    assert parse_element(text) is None


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ("device float* a [[buffer(INPUT)]]", "a macro, or a constant"),
        ("texture2d<float> t [[texture(0)]]", "a texture"),
        ("device float* a [[buffer(0)]], device float* b [[buffer(0)]]", "one index twice"),
        ("SPACE float* a [[buffer(0)]]", "a macro in place of the space"),
        ("device float* a [[threadgroup(0)]]", "the wrong space"),
        ("\n#if X\ndevice float* a [[buffer(0)]]\n#endif\n", "a conditional"),
        ("\n#if X\nuint i [[thread_position_in_grid]]\n#endif\n", "a conditional"),
        (
            "device float* a [[buffer(0)]], uint n [[function_constant(f)]]",
            "a constant's parameter",
        ),
    ],
)
def test_what_is_not_understood_is_left_out_altogether(declared, why):
    assert only(declared) is None, why


def test_indices_that_metal_chooses():
    parameters = only("device float* a, device int* b [[buffer(0)]], device uint* c")
    assert [(p.name, p.index) for p in parameters] == [("a", 1), ("b", 0), ("c", 2)]


def test_parameters_that_a_function_constant_decides_about():
    parameters = only(
        "device float* a [[buffer(0)]], device int* b [[buffer(1), function_constant(f)]]"
    )
    assert [p.is_optional for p in parameters] == [False, True]


def test_macros_in_a_declaration_are_not_guessed():
    assert only("device KIND* a [[buffer(0)]]", "#define KIND float\n") is None
    assert only("device float* a [[buffer(0)]]", "#define KIND float\n") is not None


def test_templates_and_variants_are_left_out():
    assert only("device T* a [[buffer(0)]]", 'template <typename T> [[host_name("g")]] ') is None
    one = "kernel void f(device float* a [[buffer(0)]]) {}\n"
    assert declared_parameters(f"#if A\n{one}#else\n{one}#endif") == {}
    assert set(
        declared_parameters("template <typename T> T twice(T x) { return x + x; }\n" + one)
    ) == {"f"}


def test_comments_and_texts_do_not_count():
    text = """
    // kernel void g(device float* a [[buffer(0)]]) {}
    /* kernel void h(device float* a [[buffer(0)]]) {} */
    [[kernel]] void f(device float* a /* , device int* b [[buffer(1)]] */ [[buffer(0)]]) {}
    """
    assert {name: len(found) for name, found in declared_parameters(text).items()} == {"f": 1}


def test_a_kernel_without_parameters():
    assert declared_parameters("kernel void f() {}") == {"f": ()}


def test_an_end_that_is_missing():
    assert declared_parameters("kernel void f(device float* a [[buffer(0)]]") == {}


_TYPES = st.sampled_from(sorted(TYPES.values()))
_SPACES = st.sampled_from(["device ", "device const ", "constant "])


@given(st.lists(st.tuples(_SPACES, _TYPES, st.sampled_from("*&")), max_size=12))
def test_plain_declarations_are_read_back(parts):
    declared = [f"{space}{kind}{mark} p{n}" for n, (space, kind, mark) in enumerate(parts)]
    found = only(", ".join(f"{text} [[buffer({n})]]" for n, text in enumerate(declared)))
    assert [p.declaration for p in found] == declared
    assert [TYPES[dtype_of(p)] for p in found] == [kind for _, kind, _ in parts]
    assert [p.is_writable for p in found] == [space == "device " for space, _, _ in parts]


@given(
    st.text(
        alphabet='kernel void f(){}[]<>,*&device constant float buffer0123#;/" \n', max_size=200
    )
)
def test_no_text_stops_the_reader(text):
    declared_parameters("kernel void f(" + text)

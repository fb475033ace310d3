"""What is understood of hand-written kernels' declarations, and that nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.backends.metal.signatures import Role, signatures
from speedmetal.backends.metal.spellings import TYPES
from speedmetal.dtypes import float32, int32, uint8, uint32


def only(declarations, before=""):
    return signatures(f"{before}kernel void f({declarations}) {{ }}").get("f")


def test_all_sorts_of_parameters():
    parameters = only(
        "device float *a [[buffer(0)]], const device int* b [[ buffer(2) ]],\n"
        "constant uint &n [[buffer(3)]], threadgroup uchar* shared [[threadgroup(0)]],\n"
        "uint3 p [[thread_position_in_grid]]"
    )
    assert [(p.name, p.role, p.index, p.dtype) for p in parameters] == [
        ("a", Role.BUFFER, 0, float32),
        ("b", Role.BUFFER, 2, int32),
        ("n", Role.BUFFER, 3, uint32),
        ("shared", Role.THREADGROUP, 0, uint8),
        ("p", Role.POSITION, -1, None),
    ]
    assert [p.is_writable for p in parameters] == [True, False, False, True, False]
    assert [p.is_reference for p in parameters] == [False, False, True, False, False]
    assert parameters[0].declared == "device float *a"


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
    assert (parameter.name, parameter.dtype, parameter.is_writable) == ("x", float32, False)


def test_types_that_are_no_scalars_are_not_known():
    text = "device atomic_uint* a, device float4* b, constant Params& c, device vec<float, 2>* d"
    declared = ", ".join(f"{part} [[buffer({n})]]" for n, part in enumerate(text.split(", ", 3)))
    parameters = only(declared)
    assert [p.dtype for p in parameters] == [None] * 4
    assert [p.name for p in parameters] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ("device float* a", "an index that Metal chooses"),
        ("device float* a [[buffer(INPUT)]]", "a macro, or a constant"),
        ("texture2d<float> t [[texture(0)]]", "a texture"),
        ("device float* a [[buffer(0)]], device float* b [[buffer(0)]]", "one index twice"),
        ("device float* a [[buffer(0), raster_order_group(0)]]", "more than one attribute"),
        ("SPACE float* a [[buffer(0)]]", "a macro in place of the space"),
        ("device float* a [[threadgroup(0)]]", "the wrong space"),
        ("device float a[4] [[buffer(0)]]", "an array"),
        ("constant long (&s)[3] [[buffer(0)]]", "a reference to an array"),
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


def test_templates_and_variants_are_left_out():
    assert only("device T* a [[buffer(0)]]", 'template <typename T> [[host_name("g")]] ') is None
    one = "kernel void f(device float* a [[buffer(0)]]) {}\n"
    assert signatures(f"#if A\n{one}#else\n{one}#endif") == {}
    assert set(signatures("template <typename T> T twice(T x) { return x + x; }\n" + one)) == {"f"}


def test_comments_and_texts_do_not_count():
    text = """
    // kernel void g(device float* a [[buffer(0)]]) {}
    /* kernel void h(device float* a [[buffer(0)]]) {} */
    [[kernel]] void f(device float* a /* , device int* b [[buffer(1)]] */ [[buffer(0)]]) {}
    """
    assert {name: len(found) for name, found in signatures(text).items()} == {"f": 1}


def test_a_kernel_without_parameters():
    assert signatures("kernel void f() {}") == {"f": ()}


def test_an_end_that_is_missing():
    assert signatures("kernel void f(device float* a [[buffer(0)]]") == {}


_TYPES = st.sampled_from(sorted(TYPES.values()))
_SPACES = st.sampled_from(["device ", "device const ", "constant "])


@given(st.lists(st.tuples(_SPACES, _TYPES, st.sampled_from("*&")), max_size=12))
def test_plain_declarations_are_read_back(parts):
    declared = [f"{space}{kind}{mark} p{n}" for n, (space, kind, mark) in enumerate(parts)]
    found = only(", ".join(f"{text} [[buffer({n})]]" for n, text in enumerate(declared)))
    assert [p.declared for p in found] == declared
    assert [TYPES[p.dtype] for p in found] == [kind for _, kind, _ in parts]
    assert [p.is_writable for p in found] == [space == "device " for space, _, _ in parts]


@given(
    st.text(
        alphabet='kernel void f(){}[]<>,*&device constant float buffer0123#;/" \n', max_size=200
    )
)
def test_no_text_stops_the_reader(text):
    signatures("kernel void f(" + text)

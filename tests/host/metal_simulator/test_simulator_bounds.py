"""Every access out of bounds is found: exactly in the race build, by where memory lies in the other."""

# ruff: noqa: E501 - kernels have the lines that they need

from __future__ import annotations

import functools

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.errors import SimulationError
from speedmetal.metal_simulator.settings import ORDERS
from speedmetal.metal_simulator.simulate import simulate

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
KINDS = {
    "uchar": (np.uint8, 1),
    "half": (np.float16, 1),
    "bfloat": (ml_dtypes.bfloat16, 1),
    "float": (np.float32, 1),
    "ulong": (np.uint64, 1),
    "float2": (np.float32, 2),
    "packed_float3": (np.float32, 3),
    "float4": (np.float32, 4),
    "ulong4": (np.uint64, 4),
}
TOUCH = HEAD + "".join(
    f"""
kernel void touch_{kind}(device {kind}* x [[buffer(0)]], device {kind}* other [[buffer(1)]],
                         constant int& index [[buffer(2)]], constant bool& writes [[buffer(3)]]) {{
  if (writes) x[index] = other[0]; else other[0] = x[index];
}}
"""
    for kind in KINDS
)


@functools.cache
def library(text, order="forward", check_races=False):
    return simulate(text, order=order, check_races=check_races)


def fault(text, *arguments, order="forward", check_races=False, **how):
    """What the kernel ``k`` is told; nothing: it ends well."""
    text = text if "#include" in text else HEAD + text
    try:
        library(text, order, check_races).function("k")(*arguments, **({"grid": 1} | how))
    except SimulationError as error:
        return str(error)
    return ""


def floats(count):
    return np.ones(count, np.float32)


# ---- buffers


@given(
    kind=st.sampled_from(sorted(KINDS)),
    count=st.integers(1, 70),
    at=st.integers(-9, 9),
    from_end=st.booleans(),
    writes=st.booleans(),
    order=st.sampled_from(ORDERS),
    check_races=st.booleans(),
)
def test_accesses_are_found_where_an_index_is_out_of_bounds(
    kind, count, at, from_end, writes, order, check_races
):
    """All in the race build; else writes everywhere, and reads at the edge that the order guards."""
    dtype, components = KINDS[kind]
    x = np.ones((count, components), dtype)
    other = np.full((1, components), 2, dtype)
    index = count + at if from_end else at
    is_inside = 0 <= index < count
    is_at_guard = index < 0 if order == "reverse" else index >= count
    call = library(TOUCH, order, check_races).function(f"touch_{kind}")
    if is_inside or not (check_races or writes or is_at_guard):
        call(x, other, index, writes, grid=1)
        if is_inside:
            assert (x[index] == (2 if writes else 1)).all()
        return
    with pytest.raises(SimulationError) as caught:
        call(x, other, index, writes, grid=1)
    assert caught.value.kind == "out of bounds"
    assert f"element {index} of buffer 0 ('x', {count} element" in str(caught.value)


DOUBLE = "kernel void k(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {\n  x[i] *= 2;\n}"
SHIFTED = "kernel void k(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {\n  x[int(i) - 1] *= 2;\n}"
BEHIND = (
    "kernel 'k': thread (100, 0, 0) of threadgroup (0, 0, 0) {} element 100 of buffer 0 ('x', 100 "
    "elements of float), 0 bytes behind its end (line 4); keep the index within the buffer: compare "
    "it with the number of elements first"
)
LATER = (
    "kernel 'k': a thread wrote element {} of buffer 0 ('x', 100 elements of float), which was found "
    "when the kernel had ended: check_races=True tells thread and line; keep the index within the "
    "buffer: compare it with the number of elements first"
)


@pytest.mark.parametrize(
    ("order", "check_races", "expected"),
    [
        ("forward", False, BEHIND.format("read")),
        ("reverse", False, LATER.format(100)),
        ("forward", True, BEHIND.format("wrote")),
        ("reverse", True, BEHIND.format("wrote")),
    ],
)
def test_an_element_behind_a_buffer(order, check_races, expected):
    """Even one whose new value, of a NaN, might have been the old."""
    assert fault(DOUBLE, floats(100), grid=101, order=order, check_races=check_races) == expected


def test_an_element_before_a_buffer():
    assert fault(SHIFTED, floats(100), grid=100) == LATER.format(-1)
    assert fault(SHIFTED, floats(100), grid=100, order="reverse") == (
        "kernel 'k': thread (0, 0, 0) of threadgroup (0, 0, 0) read element -1 of buffer 0 ('x', 100 "
        "elements of float), 4 bytes before its begin (line 4); keep the index within the buffer: "
        "compare it with the number of elements first"
    )


@pytest.mark.parametrize("count", [20, 21, 22, 23])
def test_a_vector_that_is_partly_behind_the_end(count):
    text = DOUBLE.replace("float*", "float4*")
    for order in ORDERS:
        told = fault(text, floats(count), grid=-(-count // 4), order=order)
        assert bool(told) == (count % 4 > 0)
    told = fault(text, floats(count), grid=-(-count // 4), check_races=True)
    if count == 21:
        assert told == (
            "kernel 'k': thread (5, 0, 0) of threadgroup (0, 0, 0) read element 5 of buffer 0 ('x', 5 "
            "elements of float4 and 4 bytes), 0 bytes behind its end (line 4); keep the index within "
            "the buffer: compare it with the number of elements first"
        )


def test_far_behind_every_buffer():
    """In the race build, whatever may be there: other threads' memory takes gigabytes of addresses."""
    text = "kernel void k(device float* x [[buffer(0)]], constant long& j [[buffer(1)]]) {\n  x[j] = 1;\n}"
    nowhere = 0
    for gigabytes in range(-24, 25):
        if gigabytes:
            told = fault(text, floats(8), gigabytes << 28, check_races=True)
            assert told.startswith("kernel 'k': thread (0, 0, 0) of threadgroup (0, 0, 0) wrote ")
            assert "(line 4)" in told
            nowhere += "which is in no buffer (line 4); keep the index within the buffer" in told
    assert nowhere > 40  # a few may meet a stack, or what stands for buffers that are not bound


@pytest.mark.parametrize("check_races", [False, True])
def test_buffers_may_be_read_as_wider_types(check_races):
    """Metal allows it from their begin on, however many elements they have."""
    text = "kernel void k(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) { ((device float4*)x)[i] *= 2; }"
    for count in (100, 101, 102, 103):
        for order in ORDERS:
            x = floats(count)
            assert fault(text, x, grid=25, order=order, check_races=check_races) == ""
            assert x.tolist() == [2] * 100 + [1] * (count - 100)


def test_addresses_that_are_not_aligned():
    text = "kernel void k(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {\n  ((device float4*)(x + {}))[i] *= 2;\n}"
    message = (
        "kernel 'k': thread (0, 0, 0) of threadgroup (0, 0, 0) read buffer 0 ('x', 64 elements of "
        "float) at byte offset {} as a type whose alignment is {} bytes or more (line 4); count in "
        "that type from the begin on, or use a packed type"
    )
    one, two = text.replace("{}", "1"), text.replace("{}", "2")
    assert fault(one, floats(64), check_races=True) == message.format(4, 8)
    assert fault(text.replace("{}", "4"), floats(64), check_races=True) == ""
    odd = "kernel void k(device uchar* x [[buffer(0)]]) {\n  x[0] = *(device ushort*)(x + 1);\n}"
    assert "alignment is 2 bytes" in fault(odd, np.ones(8, np.uint8), check_races=True)
    if fault(two, floats(64)):  # processors that look at alignment
        assert fault(two, floats(64)) == message.format(8, 16)


# ---- arrays

BY_POINTER = """float at(SPACE float* p, int j) { return p[j]; }
kernel void k(device float* x [[buffer(0)]], constant int& j [[buffer(1)]]) {
  BODY
}"""


@pytest.mark.parametrize("check_races", [False, True])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("body", "index", "expected"),
    [
        ("float own[4] = {1, 2, 3, 4}; own[j] += x[0]; x[0] = own[j & 1];", 4, "element 4 of 'own', an array of 4 (float[4])"),
        ("float own[4] = {1, 2, 3, 4}; own[j] += x[0]; x[0] = own[j & 1];", -1, "element -1 of 'own', an array of 4 (float[4])"),
        ("threadgroup float tile[4][8]; tile[1][j] = 1;", 8, "element 8 of 'tile', an array of 8 (float[8])"),
        ("threadgroup float tile[4][8]; tile[j][1] = 1;", -1, "element -1 of 'tile', an array of 4 (float[4][8])"),
        ("x[0] = table[j];", 4, "element 4 of 'table', an array of 4 (const float[4])"),
    ],
)  # fmt: skip
def test_indices_of_arrays_in_the_text(body, index, expected, order, check_races):
    text = "constant float table[4] = {1, 2, 3, 4};\n" + BY_POINTER.replace(
        "SPACE", "device"
    ).replace("BODY", body)
    assert fault(text, floats(1), np.int32(index), order=order, check_races=check_races) == (
        f"kernel 'k': thread (0, 0, 0) of threadgroup (0, 0, 0) used {expected} (line 6); make the "
        "array larger, or keep the index within it"
    )
    assert fault(text, floats(1), np.int32(3), order=order, check_races=check_races) == ""


@pytest.mark.parametrize("check_races", [False, True])
@pytest.mark.parametrize(
    ("space", "body"),
    [
        ("thread", "float own[4] = {1, 2, 3, x[0]}; x[0] = at(own, j);"),
        ("constant", "x[0] = at(table, j);"),
        ("thread", "float4 own = x[0]; own[j] = 1; x[0] = own.y;"),
    ],
)
def test_pointers_into_a_thread_s_own_arrays_and_tables(space, body, check_races):
    text = "constant float table[4] = {1, 2, 3, 4};\n" + BY_POINTER.replace("SPACE", space).replace(
        "BODY", body
    )
    for index in (-1, 4):
        told = fault(text, floats(1), np.int32(index), check_races=check_races)
        assert told.startswith(
            "kernel 'k': thread (0, 0, 0) of threadgroup (0, 0, 0) went beyond an array or vector of "
            "its own or a table of the text, or used a null pointer (line "
        )
    assert fault(text, floats(1), np.int32(3), check_races=check_races) == ""


FAR = (
    HEAD
    + """
constant float2 first[3] = {1, 2, 3};
constant ushort second[5] = {1, 2, 3, 4, 5};
__attribute__((noinline)) void put(thread uchar* p, int j) { p[j] = 9; }
__attribute__((noinline)) float take(constant float2* p, int j) { return p[j].y; }
__attribute__((noinline)) ushort take(constant ushort* p, int j) { return p[j]; }
kernel void own(device float* x [[buffer(0)]], constant int& j [[buffer(1)]]) {
  uchar a[13], b[6];
  for (int i = 0; i < 13; i++) a[i] = x[0];
  for (int i = 0; i < 6; i++) b[i] = x[0];
  if (x[0] == 0) put(a, j); else put(b, j);
  x[0] = a[j & 7] + b[j & 3];
}
kernel void tables(device float* x [[buffer(0)]], constant int& j [[buffer(1)]]) {
  if (x[0] == 0) x[0] = take(first, j); else x[0] = take(second, j);
}
"""
)


@pytest.mark.parametrize(
    ("kernel", "which", "name", "length", "element_bytes", "verb"),
    [
        ("own", 0, "a", 13, 1, "wrote"),
        ("own", 1, "b", 6, 1, "wrote"),
        ("tables", 0, "first", 3, 8, "read"),
        ("tables", 1, "second", 5, 2, "read"),
    ],
)
def test_pointers_that_other_functions_get_in_the_race_build(
    kernel, which, name, length, element_bytes, verb
):
    """Whose bounds they cannot know."""
    call = library(FAR, check_races=True).function(kernel)
    size = length * element_bytes
    for index in (-1, 0, length - 1, length, length + 1):
        x = np.full(1, which, np.float32)
        if 0 <= index < length:
            call(x, np.int32(index), grid=1)
            continue
        with pytest.raises(SimulationError) as caught:
            call(x, np.int32(index), grid=1)
        assert f"{verb} the array '{name}' at byte offset " in str(caught.value)
        if index == length:
            offset = size + (4 if name == "first" else 0)  # .y
            assert str(caught.value) == (
                f"kernel '{kernel}': thread (0, 0, 0) of threadgroup (0, 0, 0) {verb} the array "
                f"'{name}' at byte offset {offset}, {offset - size} bytes behind its end (it has "
                f"{size} bytes) (line {6 if kernel == 'own' else 7 if name == 'first' else 8}); make "
                "the array larger, or keep the index within it"
            )


@pytest.mark.parametrize(
    ("index", "order", "check_races", "expected"),
    [
        (64, "forward", False, "read element 64 of threadgroup array ('tile', 64 elements of float), 0 bytes behind its end"),
        (64, "reverse", True, "read element 64 of threadgroup array ('tile', 64 elements of float), 0 bytes behind its end"),
        (-1, "reverse", False, "read element -1 of threadgroup array ('tile', 64 elements of float), 4 bytes before its begin"),
        (-1, "forward", True, "read element -1 of threadgroup array ('tile', 64 elements of float), 4 bytes before its begin"),
    ],
)  # fmt: skip
def test_pointers_into_threadgroup_memory(index, order, check_races, expected):
    text = BY_POINTER.replace("SPACE", "threadgroup").replace(
        "BODY",
        "threadgroup float first[3], tile[64]; first[0] = 1; tile[63] = 1; x[0] = at(tile, j);",
    )
    told = fault(text, floats(1), np.int32(index), order=order, check_races=check_races)
    assert told == (
        f"kernel 'k': thread (0, 0, 0) of threadgroup (0, 0, 0) {expected} (line 3); make the array "
        "larger, or keep the index within it"
    )


def test_writes_through_pointers_beside_threadgroup_memory():
    """Where no guard stands, when the threadgroup has ended; and the next one is not blamed."""
    text = """kernel void k(threadgroup float4* tile [[threadgroup(2)]], device float* x [[buffer(0)]],
                       constant int& j [[buffer(1)]]) { tile[j] *= 2; }"""
    how = {"threadgroup_bytes": {2: 64}}
    for index, order in ((4, "reverse"), (-1, "forward"), (-1, "random")):
        told = fault(text, floats(1), np.int32(index), order=order, **how)
        assert told == (
            f"kernel 'k': a thread of threadgroup (0, 0, 0) wrote element {index} of "
            "[[threadgroup(2)]] ('tile', 4 elements of float4), which was found when the threadgroup "
            "had ended: check_races=True tells thread and line; make the array larger, or keep the "
            "index within it"
        )
        assert fault(text, floats(1), np.int32(3), order=order, **how) == ""


def test_a_run_that_failed_leaves_no_damage():
    text = """kernel void k(threadgroup float* tile [[threadgroup(0)]], device float* x [[buffer(0)]],
                       constant int& j [[buffer(1)]]) {
      tile[j] = 1;
      if (j < 0) x[1000000] = 1;
    }"""
    assert "element 1000000" in fault(text, floats(1), np.int32(-1), threadgroup_bytes={0: 64})
    assert fault(text, floats(1), np.int32(0), threadgroup_bytes={0: 64}) == ""


# ---- lanes


@pytest.mark.parametrize(
    ("call", "lane", "group", "last"),
    [
        ("simd_shuffle(x[i], ushort(i + 1))", 32, "simdgroup", 31),
        ("simd_broadcast(x[i], ushort(40))", 40, "simdgroup", 31),
        ("simd_shuffle_xor(x[i], ushort(32))", 63, "simdgroup", 31),
        ("quad_shuffle(x[i], ushort(4))", 4, "quadgroup", 3),
        ("quad_broadcast(x[i], ushort(65535))", 65535, "quadgroup", 3),
    ],
)
def test_lanes_that_no_group_has(call, lane, group, last):
    text = f"kernel void k(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {{\n  if (i < 32) x[i] = {call};\n}}"
    told = fault(text, floats(32), grid=32, order="reverse")
    assert told == (
        f"kernel 'k': thread (31, 0, 0) of threadgroup (0, 0, 0) asked for the value of lane {lane} "
        f"of its {group}, which has lanes 0 to {last} (line 4); Metal leaves the value undefined: keep "
        "the lane's index within them"
    )
    x = floats(32)
    simulate(HEAD + text, strict=False).function("k")(x, grid=32)
    assert np.isnan(x[31])


def test_shuffles_over_the_edge_keep_the_own_value():
    text = "kernel void k(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) { x[i] = simd_shuffle_down(x[i], 1) + simd_shuffle_up(x[i], 2); }"
    x = np.arange(32, dtype=np.float32)
    assert fault(text, x, grid=32) == ""
    assert (x[31], x[0]) == (31 + 29, 1 + 0)


# ---- barriers


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ("threadgroup_barrier(mem_flags::mem_none);", "; the threadgroup_barrier between them has mem_flags::mem_none, which does not order threadgroup memory: give it mem_flags::mem_threadgroup"),
        ("threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_texture);", "; the threadgroup_barrier between them has mem_flags::mem_device | mem_flags::mem_texture, which does not order threadgroup memory: give it mem_flags::mem_threadgroup"),
        ("simdgroup_barrier(mem_flags::mem_none);", "; the simdgroup_barrier between them has mem_flags::mem_none, which does not order threadgroup memory: give it mem_flags::mem_threadgroup"),
        ("simd_sum(1);", "; the simdgroup function between them orders no memory: put simdgroup_barrier(mem_flags::mem_threadgroup) there"),
    ],
)  # fmt: skip
def test_what_stands_between_the_accesses_of_a_race(between, expected):
    text = f"""kernel void k(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {{
  threadgroup float tile[32];
  tile[i] = x[i];
  {between}
  x[i] = tile[31 - i];
}}"""
    told = fault(text, floats(32), grid=32, check_races=True).splitlines()[1]
    assert told == (
        "  threadgroup memory (4 bytes): thread (31, 0, 0) of threadgroup (0, 0, 0) wrote (line 5), "
        f"then thread (0, 0, 0) of threadgroup (0, 0, 0) read (line 7){expected}"
    )
    alone = fault(text.replace(between, ""), floats(32), grid=32, check_races=True)
    assert "nothing orders the two" in alone
    assert "between them has" not in alone


def test_a_barrier_that_orders_other_memory_than_the_race_s():
    text = """kernel void k(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  x[i] = i;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  float other = x[63 - i];
  threadgroup_barrier(mem_flags::mem_device);
  x[i] = other;
}"""
    told = fault(text, floats(64), grid=64, check_races=True)
    assert told.splitlines()[1].endswith(
        "; the threadgroup_barrier between them has mem_flags::mem_threadgroup, which does not order "
        "device memory: give it mem_flags::mem_device"
    )

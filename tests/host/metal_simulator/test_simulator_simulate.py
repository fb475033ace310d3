"""Hand-written Metal runs on NumPy arrays; what does not fit is told before anything runs."""

# ruff: noqa: E501 - kernels have the lines that they need

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from speedmetal.errors import LaunchError, SimulationError, UnknownNameError, UserInputError
from speedmetal.metal_simulator.language.lint import lint
from speedmetal.metal_simulator.settings import ORDERS
from speedmetal.metal_simulator.simulate import simulate
from speedmetal.msl.diagnostics import MslError

TEXT = """
#include <metal_stdlib>
using namespace metal;

kernel void add(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]],
                device float* c [[buffer(3)]], constant uint& count [[buffer(4)]],
                uint i [[thread_position_in_grid]]) {
  if (i < count) c[i] = a[i] + b[i];
}

kernel void scale_all(device half* x [[buffer(0)]], constant half& by [[buffer(1)]],
                      constant int& offset [[buffer(2)]], constant bool& negate [[buffer(3)]],
                      uint i [[thread_position_in_grid]]) {
  x[i] = (negate ? -by : by) * x[i] + half(offset);
}

struct Job { uint first; float factor; };
kernel void job(device bfloat* x [[buffer(0)]], constant Job& given [[buffer(1)]],
                uint i [[thread_position_in_grid]]) {
  if (i >= given.first) x[i] = bfloat(float(x[i]) * given.factor);
}

kernel void sums(device const uint* x [[buffer(0)]], device atomic_uint* total [[buffer(1)]],
                 threadgroup uint* parts [[threadgroup(0)]], uint i [[thread_position_in_grid]],
                 uint lane [[thread_index_in_simdgroup]], uint index [[simdgroup_index_in_threadgroup]],
                 uint count [[simdgroups_per_threadgroup]]) {
  uint sum = simd_sum(x[i]);
  if (lane == 0) parts[index] = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (index == 0) {
    uint all = simd_sum(lane < count ? parts[lane] : 0);
    if (lane == 0) atomic_fetch_add_explicit(total, all, memory_order_relaxed);
  }
}

kernel void place(device uint* out [[buffer(0)]], uint2 p [[thread_position_in_grid]],
                  uint2 size [[threads_per_grid]], uint2 group [[threadgroup_position_in_grid]]) {
  out[p.y * size.x + p.x] = group.y * 100 + group.x;
}

kernel void beyond(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  if (i == 3)
    x[i + 5] = 1;
}

kernel void neighbour(device uint* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  x[i] = x[i ^ 1] + 1;
}

kernel void limited(device uint* x [[buffer(0)]], uint i [[thread_position_in_grid]])
    [[max_total_threads_per_threadgroup(64)]] { x[i] = i; }
"""


@pytest.fixture(scope="module")
def library():
    return simulate(TEXT)


NUMBERS = """#include <metal_stdlib>
using namespace metal;
kernel void k(device float* o [[buffer(0)]], constant float* w [[buffer(1)]],
              constant float3& v [[buffer(2)]], constant packed_short3* p [[buffer(3)]],
              constant uint2* u [[buffer(4)]], constant half3* h [[buffer(5)]]) {
  o[0] = w[1] + w[2]; o[1] = v.y + v.z; o[2] = p[1].x + p[1].z; o[3] = u[1].y; o[4] = h[1].x;
}
"""


def test_lists_are_numbers_and_vectors():
    o = np.zeros(5, np.float32)
    simulate(NUMBERS).function("k")(
        o, [1.5, 2, 1], (1, 2, 3.5), [(1, 2, 3), [4, 5, 6]], [[1, 2], [3, 4]],
        [(1, 2, 3), (4, 5, 6)], grid=1,
    )  # fmt: skip
    np.testing.assert_array_equal(o, [3, 5.5, 10, 4, 4])


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (2, (1, 2), "2 (constant float3& v) is a tuple; expected an array, a number, or bytes"),
        (1, [1, "2"], "1 (constant float* w) is a list; expected an array, a number, or bytes"),
        (1, [1, True], "1 (constant float* w): expected a float32, got True"),
        (3, [1, 2, 70000], "3 (constant packed_short3* p): 70000 is beyond int16"),
        (2, np.ones(3, np.float32), ("2 (constant float3& v): needs at least the 16 bytes of a float3, "
         "got an array of 12 bytes; float3 is as large as 4 elements: give (x, y, z) as a tuple, or a "
         "fourth element, or declare it packed_float3")),
    ],
)  # fmt: skip
def test_lists_that_fit_nothing_are_refused(index, value, message):
    arguments = [np.zeros(5, np.float32), [1, 2, 3], (1, 2, 3), (1, 2, 3), (1, 2), (1, 2, 3)]
    arguments[index] = value
    with pytest.raises(LaunchError) as caught:
        simulate(NUMBERS).function("k")(*arguments, grid=1)
    assert str(caught.value) == f"kernel 'k': argument {message}"


def test_arrays_are_read_and_written(library):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 10, 100), dtype=np.float32)
    c = np.zeros((10, 100), np.float32)
    execution = library.function("add")(a, b, c, 990, grid=1024)
    assert np.array_equal(c.ravel()[:990], (a + b).ravel()[:990])
    assert (c.ravel()[990:] == 0).all()
    assert execution.seconds > 0


def test_views_keep_their_neighbours(library):
    store = np.zeros((8, 40), np.float32)
    ones = np.ones(80, np.float32)
    library.function("add")(ones, ones, store[::2, ::2], 80, grid=80)
    assert (store[::2, ::2] == 2).all()
    assert store.sum() == 160


def test_numbers_take_the_parameter_s_type(library):
    x = np.arange(8, dtype=np.float16)
    library.function("scale_all")(x, 0.5, -3, True, grid=8)
    assert x.tolist() == [-0.5 * i - 3 for i in range(8)]
    library.function("scale_all")(x, np.float16(0), np.int32(1), np.bool_(False), grid=8)
    assert (x == 1).all()


def test_structures_are_bytes(library):
    x = np.ones(8, ml_dtypes.bfloat16)
    kind = np.dtype([("first", "u4"), ("factor", "f4")])
    library.function("job")(x, np.array((3, 1.5), kind)[()], grid=8)
    assert x.tolist() == [1] * 3 + [1.5] * 5
    library.function("job")(x.view(np.uint16), np.array((7, 2.0), kind).tobytes(), grid=8)
    assert x.tolist() == [1] * 3 + [1.5] * 4 + [3.0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("check_races", [False, True])
def test_orders_and_races_are_settings(order, check_races):
    library = simulate(TEXT, order=order, seed=4, check_races=check_races)
    x = np.arange(1000, dtype=np.uint32)
    total = np.zeros(1, np.uint32)
    execution = library.function("sums")(
        x, total, grid=1000, threads=200, threadgroup_bytes={0: 32}
    )
    assert total[0] == x.sum()
    assert execution.threadgroup_bytes == 32
    assert execution.races == 0


def test_grids_are_threads_and_groups_are_threadgroups(library):
    first, second = np.zeros((2, 7, 10), np.uint32)
    library.function("place")(first, grid=(10, 7), threads=(4, 2))
    expected = np.arange(7)[:, None] // 2 * 100 + np.arange(10) // 4
    assert np.array_equal(first, expected)
    library.function("place")(second, groups=(2, 7), threads=(5, 1, 1))
    assert np.array_equal(second, np.arange(7)[:, None] * 100 + np.arange(10) // 5)


def test_threads_have_a_default(library):
    x = np.zeros(1000, np.uint32)
    library.function("limited")(x, grid=1000)
    assert np.array_equal(x, np.arange(1000))
    with pytest.raises(LaunchError, match=r"says \[\[max_total_threads_per_threadgroup\(64\)\]\]"):
        library.function("limited")(x, grid=1000, threads=65)


def test_one_array_at_two_indices_is_one_memory(library):
    x = np.arange(8, dtype=np.float32)
    library.function("add")(x, x, x, 8, grid=8)
    assert np.array_equal(x, 2 * np.arange(8))


def test_the_line_of_a_fault_is_the_text_s(library):
    line = TEXT.splitlines().index("    x[i + 5] = 1;") + 1
    with pytest.raises(SimulationError) as caught:
        library.function("beyond")(np.zeros(8, np.float32), grid=8)
    assert str(caught.value) == (
        "kernel 'beyond': thread (3, 0, 0) of threadgroup (0, 0, 0) wrote element 8 of buffer 0 "
        f"('x', 8 elements of float), 0 bytes behind its end (line {line}); keep the index within "
        "the buffer: compare it with the number of elements first"
    )


def test_the_lines_of_a_race_are_the_text_s():
    line = TEXT.splitlines().index("  x[i] = x[i ^ 1] + 1;") + 1
    library = simulate(TEXT, check_races=True)
    with pytest.raises(SimulationError, match=rf"buffer 0 \('x'\), .*read \(line {line}\)") as e:
        library.function("neighbour")(np.zeros(8, np.uint32), grid=8)
    assert e.value.kind == "race"


def test_endless_kernels_end():
    library = simulate(
        "#include <metal_stdlib>\nusing namespace metal;\n"
        "kernel void forever(device atomic_uint* x [[buffer(0)]]) {\n"
        "  while (atomic_load_explicit(x, memory_order_relaxed) == 0) {}\n"
        "}\n",
        timeout=0.1,
    )
    with pytest.raises(SimulationError, match=r"did not end within 0\.1 s; .*line 4") as caught:
        library.function("forever")(np.zeros(2, np.uint32), grid=1)
    assert caught.value.kind == "timeout"


# ---- what does not fit


def refused(library, name, *arguments, **how):
    with pytest.raises(LaunchError) as caught:
        library.function(name)(*arguments, **how)
    return str(caught.value)


def test_unknown_kernels(library):
    with pytest.raises(UnknownNameError, match="unknown kernel 'ad'; did you mean add"):
        library.function("ad")


def test_sizes_that_make_no_sense(library):
    x = np.zeros(8, np.uint32)
    assert "give either grid (threads) or groups (threadgroups), got neither" in (
        refused(library, "limited", x)
    )
    assert "got both" in refused(library, "limited", x, grid=1, groups=1)
    for grid in (0, (1, 2, 3, 4), (), (1.5,), (8, -1)):
        text = refused(library, "limited", x, grid=grid)
        assert f"grid must be one to three integers of at least 1, got {grid!r}" in text
    assert "threads must be one to three" in refused(library, "limited", x, grid=8, threads=0)
    with pytest.raises(SimulationError, match="at most 1024"):
        library.function("add")(*(np.zeros(4, np.float32),) * 3, 4, grid=4, threads=(64, 32))


def test_missing_and_superfluous_arguments(library):
    assert refused(library, "limited", grid=1) == (
        "kernel 'limited': the buffers that it takes are 0: device uint* x; got 0 arguments, "
        "missing: x"
    )
    x, total = np.zeros(32, np.uint32), np.zeros(1, np.uint32)
    assert "needs the size of threadgroup uint* parts [[threadgroup(0)]]: threadgroup_bytes=" in (
        refused(library, "sums", x, total, grid=32)
    )
    assert "has no [[threadgroup(2)]], for which threadgroup_bytes gives 16" in (
        refused(library, "sums", x, total, grid=32, threadgroup_bytes={0: 16, 2: 16})
    )


def test_arguments_by_index():
    parameters = "device float* x [[buffer(0)]], device const float* y [[buffer(3)]]"
    library = simulate(f"kernel void k({parameters}) {{ x[0] = y[0]; }}")
    x, y = np.zeros(1, np.float32), np.ones(1, np.float32)
    library.function("k")(x, None, None, y, grid=1)
    assert x[0] == 1
    library.function("k")(x, 2 * y, grid=1)
    assert x[0] == 2
    library.function("k")(x, None, None, 3 * y, None, grid=1)
    assert x[0] == 3
    takes = "kernel 'k': the buffers that it takes are 0: device float* x; 3: device const float* y; got "
    assert refused(library, "k", x, None, None, grid=1) == f"{takes}3 arguments, missing: y"
    assert refused(library, "k", x, x, None, y, grid=1) == f"{takes}4 arguments, it has no buffer 1"


def test_arguments_of_the_wrong_type(library):
    a = np.zeros(4, np.float32)
    text = refused(library, "add", a, a.astype(np.float64), a.copy(), 4, grid=4)
    assert text == (
        "kernel 'add': argument 1 (device const float* b): expected elements of float32, got float64; "
        "convert with x.astype('float32'), or declare the pointer for float64"
    )
    third = "kernel 'add': argument 3 (device float* c)"
    assert refused(library, "add", a, a, 1.0, 4, grid=4) == (
        f"{third} is a float, and the kernel may write there; pass an array, or declare the pointer "
        "const"
    )
    last = "kernel 'add': argument 4 (constant uint& count): "
    for value, message in (
        (-1, "-1 is beyond uint32"),
        (1.5, "expected an integer (uint32), got 1.5"),
        (np.uint16(4), "expected a uint32, got a uint16; write np.uint32(...), or a Python number"),
    ):
        assert refused(library, "add", a, a, a.copy(), value, grid=4) == last + message
    assert "is a number, and the kernel has a Job there; pass an array, a NumPy number, or" in (
        refused(library, "job", np.zeros(4, ml_dtypes.bfloat16), 7, grid=4)
    )
    assert "4100 bytes given; Metal copies 1 to 4096 into a launch" in (
        refused(library, "add", bytes(4100), a, a.copy(), 4, grid=4)
    )


def test_arrays_that_cannot_be_written(library):
    a = np.zeros(4, np.float32)
    a.flags.writeable = False
    assert "(device float* c): the array is read-only, and the kernel may write to it;" in (
        refused(library, "add", a, a, a, 4, grid=4)
    )
    b = np.zeros(8, np.float32)
    assert "shares a part of its memory with argument 1 (device const float* b), and the" in (
        refused(library, "add", a, b[:4], b[2:6], 4, grid=4)
    )
    library.function("add")(b[:4], b[2:6], a.copy(), 4, grid=4)  # both are only read


PADDED = """
#include <metal_stdlib>
using namespace metal;
struct Padded { float3 offset; float scale; };
kernel void apply(device float* x [[buffer(0)]], constant Padded& p [[buffer(1)]],
                  uint i [[thread_position_in_grid]]) { x[i] = p.scale * x[i] + p.offset.x; }
kernel void each(device const Padded* p [[buffer(0)]], device float2* x [[buffer(1)]],
                 uint i [[thread_position_in_grid]]) { x[i] = float2(p[i].scale, p[i].offset.x); }
"""


def test_records_have_the_structure_s_size():
    library = simulate(PADDED)
    short = np.dtype([("offset", "f4", 3), ("scale", "f4")])
    right = np.dtype([("offset", "f4", 4), ("scale", "f4"), ("gap", "f4", 3)])
    x = np.ones(4, np.float32)
    library.function("apply")(x, np.array(((5, 0, 0, 0), 2, 0), right)[()], grid=4)
    assert x.tolist() == [7] * 4
    message = (
        "kernel '{}': argument {} ({} p): expected records of the 32 bytes of a Padded, got records "
        "of 16; give the dtype the structure's layout: Metal aligns each field to its size (float3 "
        "is as large as float4), so add fields that fill the gaps, at the end too"
    )
    for record in (np.zeros((), short)[()], np.zeros(2, short)):
        assert refused(library, "apply", x, record, grid=4) == message.format(
            "apply", 1, "constant Padded&"
        )
    assert refused(library, "each", np.zeros(4, short), x, grid=2) == message.format(
        "each", 0, "device const Padded*"
    )
    library.function("each")(np.zeros(2, right), np.zeros(2, "f4,f4"), grid=2)  # of float2: 8 bytes
    library.function("each")(np.zeros(2, right), np.zeros(1, "f4,f4,f4,f4"), grid=2)


# ---- options of the compilation

CONSTANTS = """
#include <metal_stdlib>
using namespace metal;
constant int count [[function_constant(0)]];
constant float2 pair [[function_constant(3)]];
constant uchar small [[function_constant(4)]];
kernel void k(device float* x [[buffer(0)]]) { x[0] = count + pair.x * pair.y + small; }
"""


def test_constants_have_values_of_their_types():
    for count in (7, 7.0, np.int32(7), np.float16(7)):
        x = np.zeros(1, np.float32)
        given = {"count": count, 3: np.array([2, 3]), "small": True}
        simulate(CONSTANTS, constants=given).function("k")(x, grid=1)
        assert x[0] == 7 + 6 + 1


@pytest.mark.parametrize(
    ("key", "value", "called"),
    [
        ("count", 3.5, "count (index 0) is int"),
        ("count", 1 << 31, "count (index 0) is int"),
        ("count", [1, 2], "count (index 0) is int"),
        ("count", "3", "count (index 0) is int"),
        (0, None, "count (index 0) is int"),
        (4, -1, "small (index 4) is uchar"),
        ("pair", 1.0, "pair (index 3) is float2"),
        ("pair", (1, 2, 3), "pair (index 3) is float2"),
    ],
)
def test_constants_of_the_wrong_type(key, value, called):
    with pytest.raises(UserInputError) as caught:
        simulate(CONSTANTS, constants={key: value})
    assert str(caught.value) == f"the function constant {called}, which cannot hold {value!r}"


def test_unknown_constants():
    with pytest.raises(UnknownNameError) as caught:
        simulate(CONSTANTS, constants={"cuont": 1})
    assert str(caught.value) == (
        "unknown function constant 'cuont'; did you mean count? Valid function constants: count, "
        "pair, small"
    )
    with pytest.raises(UserInputError) as other:
        simulate(CONSTANTS, constants={1: 1})
    assert str(other.value) == (
        "there is no function constant of index 1; there are count (index 0), pair (index 3), small "
        "(index 4)"
    )
    with pytest.raises(UserInputError, match="of index 0; there are none"):
        simulate(TEXT, constants={0: 1})


def test_the_names_of_the_kernels(library):
    assert library.functions == (
        "add", "scale_all", "job", "sums", "place", "beyond", "neighbour", "limited",
    )  # fmt: skip


def test_modes_of_mathematics():
    text = "kernel void k(device float* x [[buffer(0)]]) { x[0] = x[0] != x[0] ? 1 : 2; }"
    told = {}
    for mode in ("safe", "relaxed", "fast"):
        x = np.array([np.nan], np.float32)
        simulate(text, math_mode=mode).function("k")(x, grid=1)
        told[mode] = x[0]
    assert told == {"safe": 1, "relaxed": 2, "fast": 2}
    with pytest.raises(UnknownNameError) as caught:
        simulate(text, math_mode="quick")
    assert str(caught.value) == "unknown math mode 'quick'. Valid math modes: fast, relaxed, safe"


USER = """#include <metal_stdlib>
#include "twice.h"
kernel void k(device float* x [[buffer(0)]]) { x[0] = twice(x[0]); }
"""


def test_includes_come_from_folders(tmp_path):
    header = tmp_path / "twice.h"
    for factor in (2, 3):  # what is there may change
        header.write_text(f"inline float twice(float x) {{ return {factor} * x; }}\n")
        x = np.ones(1, np.float32)
        for folders in ([tmp_path], [str(tmp_path.parent), str(tmp_path)]):
            simulate(USER, include_folders=folders).function("k")(x, grid=1)
        assert x[0] == factor**2
    assert lint(USER, include_folders=[tmp_path]) == ()
    header.write_text("#if 1\n#include <vector>\n")
    with pytest.raises(MslError) as caught:
        simulate(USER, include_folders=[tmp_path])
    assert str(caught.value) == (
        "program_source:2:1: error: twice.h:2:10: 'vector' file not found\n"
        '    2 | #include "twice.h"\n'
        "      | ^"
    )


def test_includes_that_are_not_there(tmp_path):
    with pytest.raises(MslError) as caught:
        simulate(USER)
    message = (
        'there is no file "twice.h" where includes are looked for: name its folder, '
        "include_folders=[...] (of sm.metal.simulate and sm.metal.lint), or put its content into the "
        "text; Metal itself, and so sm.metal.library, compiles one text without files"
    )
    assert [str(found.message) for found in caught.value.diagnostics] == [message]
    assert [found.message for found in lint(USER, include_folders=[tmp_path])] == [message]
    missing = str(tmp_path / "missing")
    for call in (simulate, lint):
        with pytest.raises(UserInputError) as other:
            call(USER, include_folders=[missing])
        assert str(other.value) == f"include_folders: {missing!r} is no folder"
    with pytest.raises(UserInputError) as one:
        simulate(USER, include_folders=missing)
    assert str(one.value) == f"include_folders must be a list of folders, got {missing!r}"

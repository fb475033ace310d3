"""Launches: arguments of every kind arrive, wrong calls are refused, changes are noticed."""

import functools
import math
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.backends.cpu.device import CpuDevice
from speedmetal.backends.device import BuildOptions, Device, DeviceArray
from speedmetal.compiler import pipeline
from speedmetal.compiler.source import IrSource, PythonSource, Specialisation
from speedmetal.dtypes import ALL, COMPLEX
from speedmetal.frontend.signature import signature_of
from speedmetal.launch.readers import read_argument, reader_for

SCALARS = [d for d in ALL if not d.is_complex]


@sm.kernel
def vadd(a, b, c):
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


@sm.kernel
def put(c, x):
    c[0] = x


@sm.kernel
def count(c):
    p = sm.thread_position_in_grid()
    c[p.z, p.y, p.x] += 1


@sm.kernel
def group_sizes(c):
    i = sm.thread_position_in_grid().x
    c[i] = sm.threads_per_threadgroup().x


# --- Arguments -------------------------------------------------------------------------------


@given(size=st.integers(1, 3000), step=st.sampled_from([1, -1, 2, -3]))
def test_numpy_arrays_of_any_stride_are_read_and_written_in_place(size, step):
    a, b, c = (row[::step] for row in np.arange(9 * size, dtype=np.float32).reshape(3, -1))
    expected = a + b
    vadd(a, b, c, grid=len(c))
    np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize("dtype", SCALARS, ids=lambda d: d.name)
def test_arrays_and_scalars_of_every_dtype(dtype):
    c = sm.zeros(2, dtype)
    value = dtype.numpy.type(1) if dtype.is_bool else dtype.numpy.type(100)
    put(c, value, grid=1)
    assert c.tolist() == [value, 0]
    a = sm.ones(5, dtype)
    c = sm.zeros(5, dtype if not dtype.is_bool else sm.int32)
    vadd(a, a, c, grid=5)
    assert c.tolist() == [2] * 5


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (-7, sm.int32),
        (2**31, sm.int64),
        (-(2**40), sm.int64),
        (2**64 - 1, sm.uint64),
        (True, sm.bool_),
        (0.1, sm.float32),
        (0.1, sm.float64),
        (math.inf, sm.float32),
        (1e300, sm.float32),
        (-1e300, sm.float32),
        (1e300, sm.float64),
    ],
)
def test_python_numbers_arrive_whole(value, dtype):
    c = sm.zeros(1, dtype)
    for _ in range(2):  # the first launch makes the plan, the second follows it
        put(c, value, grid=1)
        with np.errstate(over="ignore"):
            assert c[0].item() == np.asarray(value).astype(dtype.numpy)


def test_the_same_plan_serves_other_numbers():
    c = sm.zeros(1)
    for value in (1.0, 2.5, 1e300, -3.0):
        put(c, value, grid=1)
        assert c[0].item() == (value if abs(value) < 1e38 else math.inf)
    assert len(put._launcher.compiled) >= 1


class Point(NamedTuple):
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    start: Point
    weight: int

    @sm.kernel
    def write(self, c):
        c[0] = self.start.y + self.weight


def plus(x, y):
    return x + y


def minus(x, y):
    return x - y


@sm.kernel
def aggregate(c, line, pair, function, dtype):
    c[0] = line.start.x
    c[1] = line.start.y * line.weight
    c[2] = function(pair[0], pair[1])
    c[3] = dtype(pair[0])


def test_tuples_records_functions_and_dtypes():
    c = sm.zeros(4)
    line = Line(Point(1.5, 2.0), 3)
    aggregate(c, line, (7.9, 2.0), plus, sm.int32, grid=1)
    np.testing.assert_allclose(c.numpy(), [1.5, 6.0, 9.9, 7.0], rtol=1e-6)
    aggregate(c, line, (7.5, 2), minus, sm.float32, grid=1)
    np.testing.assert_allclose(c.numpy(), [1.5, 6.0, 5.5, 7.5])


@sm.kernel
def turn(c, z):
    c[0] = z * 1j


def test_complex_numbers():
    for dtype in COMPLEX:
        c = sm.zeros(1, dtype)
        for value in (1 + 2j, np.complex64(3 - 1j), np.complex128(0.5 + 2j)):
            turn(c, value, grid=1)
            assert c[0].item() == value * 1j


def test_pythons_complex_numbers_are_complex128_beside_64_bits_alone():
    third = 1 / 3 + 1j / 7
    wide, narrow = sm.zeros(1, "c128"), sm.zeros(1, "c64")
    turn(wide, third, grid=1)
    turn(narrow, third, grid=1)
    assert wide[0].item() == third * 1j
    assert narrow[0].item() == complex(np.complex64(third) * np.complex64(1j)) != third * 1j
    turn(narrow, np.complex128(third), grid=1)
    assert narrow[0].item() == np.complex64(third * 1j)


@sm.kernel
def with_default(c, x=5, scale=1):
    c[0] = x * scale


def test_defaults_fill_what_is_missing():
    c = sm.zeros(1)
    for arguments, expected in (((), 5), ((7,), 7), ((7, 2), 14), ((), 5)):
        with_default(c, *arguments, grid=1)
        assert c[0].item() == expected


@sm.kernel
def named(a, /, b, scale=10, *, shift=0, out):
    out[0] = a + 2 * b + scale + 3 * shift


def plain(a, /, b, scale=10, *, shift=0, out):
    return a + 2 * b + scale + 3 * shift


numbers = st.integers(-99, 99)


@given(
    positional=st.lists(numbers, max_size=4),
    keywords=st.dictionaries(st.sampled_from(["a", "b", "scale", "shift", "other"]), numbers),
)
def test_arguments_are_bound_as_python_binds_them(positional, keywords):
    out = np.zeros(1, np.int32)
    try:
        expected = plain(*positional, **keywords, out=out)
    except TypeError:
        with pytest.raises(sm.LaunchError):
            named(*positional, **keywords, out=out, grid=1)
    else:
        for _ in range(2):
            named(*positional, **keywords, out=out, grid=1)
            assert out[0] == expected


def test_names_and_positions_share_a_plan():
    a, b, c = np.ones((3, 4), np.float32)
    kernel = sm.kernel(vadd.function)
    kernel(a, b, c, grid=4)
    kernel(a, c=c, b=b, grid=4)
    kernel(grid=4, c=c, b=b, a=a)
    assert len(kernel._launcher.plans) == 1
    kernel(a, c=c, b=b, grid=[2, 1], debug=0)
    assert c.tolist() == [2] * 4


def test_a_parameter_may_be_called_self():
    @sm.kernel
    def put_into(self, arguments, named):
        self[0] = arguments + named

    c = np.zeros(1)
    put_into(named=2.0, arguments=1.5, self=c, grid=1)
    assert c[0] == 3.5


@sm.kernel
def sizes_of(c, a):
    c[0] = a.shape[0]
    c[1] = a.size + 1


def test_large_extents_get_wide_indices():
    a = np.broadcast_to(np.zeros(1, np.uint8), 2**31 + 7)
    c = sm.zeros(2, "i64")
    sizes_of(c, a, grid=1)
    assert c.tolist() == [2**31 + 7, 2**31 + 8]


@sm.kernel
def far_of(c, a):
    c[0] = a.size + 70000


def test_index_types_leave_headroom_at_their_end():
    """Printers add a threadgroup, or a step, to a size: one that has no room for it is int64."""
    c = sm.zeros(1, "i64")
    for size in (2**31 - 65536, 2**31 - 1):
        far_of(c, np.broadcast_to(np.zeros(1, np.uint8), size), grid=1)
        assert c.tolist() == [size + 70000]
    far_of(c, np.broadcast_to(np.zeros(1, np.uint8), 2**31 - 65537), grid=1)
    assert c.tolist() == [2**31 - 65537 + 70000 - 2**32]  # int32, which wraps


@sm.kernel
def apply(c, function):
    c[0] = function(2.0)


def test_partials_with_other_numbers_share_a_plan():
    kernel, c = sm.kernel(apply.function), np.zeros(1)
    for number in (1.0, 2.0, 3.5):
        kernel(c, functools.partial(plus, number), grid=1)
        assert c[0] == number + 2
    assert len(kernel._launcher.plans) == 1
    kernel(c, functools.partial(plus, y=5.0), grid=1)
    assert c[0] == 7
    kernel(c, functools.partial(minus, y=5.0), grid=1)
    assert c[0] == -3
    kernel(c, functools.partial(minus, 5.0), grid=1)
    assert c[0] == 3
    assert len(kernel._launcher.plans) == 4


def test_instances_with_other_numbers_share_a_plan():
    c = np.zeros(1)
    for weight in (2, 3):
        Line(Point(1.0, 2.0), weight).write(c, grid=1)
        assert c[0] == weight + 2
    assert len(Line.write._launcher.plans) == 1


# --- Sizes -----------------------------------------------------------------------------------

extents = st.integers(1, 40)


@given(grid=st.tuples(extents, extents, extents), data=st.data())
def test_every_thread_of_the_grid_runs_once_and_no_other(grid, data):
    threads = data.draw(
        st.none() | st.tuples(*(st.integers(1, 8),) * 3) | st.tuples(st.integers(1, 100))
    )
    c = np.zeros((grid[2] + 1, grid[1] + 1, grid[0] + 1), np.int32)
    count(c, grid=grid, threads=threads)
    expected = np.zeros_like(c)
    expected[: grid[2], : grid[1], : grid[0]] = 1
    np.testing.assert_array_equal(c, expected)


def test_groups_count_threadgroups_and_edge_groups_are_smaller():
    c = sm.zeros(12, "i32")
    group_sizes(c, groups=3, threads=4)
    assert c.tolist() == [4] * 12
    group_sizes(c, grid=10, threads=4)
    assert c.tolist() == [4] * 8 + [2] * 2 + [4] * 2


# --- Wrong calls -----------------------------------------------------------------------------


def message(call):
    with pytest.raises(sm.LaunchError) as caught:
        call()
    return str(caught.value)


A = np.zeros(4, np.float32)


def test_arity():
    assert message(lambda: vadd(A, grid=1)) == (
        "kernel 'vadd' takes 3 arguments (a, b, c), got 1; missing: b, c"
    )
    assert message(lambda: vadd(A, A, A, A, grid=1)) == (
        "kernel 'vadd' takes 3 arguments (a, b, c), got 4; remove the last ones"
    )


def test_unknown_options():
    for option, meant in (("grids", "grid"), ("block", "threads"), ("blocks", "groups")):
        assert message(lambda option=option: vadd(A, A, A, grid=4, **{option: 1})) == (
            f"kernel 'vadd': unknown argument {option!r}; did you mean {meant}? Its parameters are"
            " a, b, c; the options of a launch are grid, groups, threads, debug, device"
        )
    vadd(A, A, A, grid=4)
    assert "grid=4 and groups=2 are both given" in message(lambda: vadd(A, A, A, grid=4, groups=2))


def test_sizes_in_brackets():
    assert message(lambda: vadd[8, 32](A, A, A)) == (
        "kernel 'vadd': sizes are options of the call: vadd(..., groups=8, threads=32)"
    )
    assert message(lambda: vadd[(2, 2)](A, A, A)) == message(lambda: vadd[2, 2](A, A, A))
    assert message(lambda: vadd[8](A, A, A)) == (
        "kernel 'vadd': sizes are options of the call: vadd(..., groups=8)"
    )


def test_sizes_in_lists():
    c = np.zeros((2, 3, 4), np.int32)
    for _ in range(2):
        count(c, grid=[4, 3, 2])
        count(c, groups=[2, 3], threads=[2, 1, 2])
    assert (c == 4).all()
    assert "has 4 sizes" in message(lambda: count(c, grid=[1, 1, 1, 1]))


@pytest.mark.parametrize("grid", [True, 1.0, np.float32(1)])
def test_what_equals_a_size_is_none(grid):
    vadd(A, A, A, grid=1)
    with pytest.raises(sm.LaunchError, match="expected integers"):
        vadd(A, A, A, grid=grid)
    vadd(A, A, A, grid=(1,), threads=1)
    with pytest.raises(sm.LaunchError, match="expected integers"):
        vadd(A, A, A, grid=(grid,), threads=1)
    with pytest.raises(sm.LaunchError, match="expected integers"):
        vadd(A, A, A, grid=(1,), threads=grid)


@pytest.mark.tier("default")
def test_arguments_that_no_kernel_takes():
    assert message(lambda: vadd(A, [1.0], A, grid=1)).startswith(
        "kernel 'vadd': argument b: a kernel can not take a list; allowed are arrays,"
    )
    assert message(lambda: vadd(A, [1.0], A, grid=1)).endswith("make an array with sm.array(...)")
    for wrong in ({}, {1}, object(), 2**64, np.zeros(1, "S3"), np.zeros(1, "g")):
        assert message(lambda wrong=wrong: vadd(A, A, wrong, grid=1)).startswith(
            "kernel 'vadd': argument c"
        )
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert "sm.from_dlpack" in message(lambda: vadd(A, A, torch.ones(4), grid=4))


def test_arrays_that_cannot_be_used_in_place():
    assert message(lambda: vadd(A.astype(">f4"), A, A, grid=1)) == (
        "kernel 'vadd': argument a has dtype float32 in foreign byte order (>f4); convert it with"
        " x.astype(x.dtype.newbyteorder('='))"
    )
    odd = np.frombuffer(bytearray(17), np.float32, offset=1)
    field = np.zeros(4, [("x", "i1"), ("y", "f4")])["y"]
    for array, strides in ((odd, "(4,)"), (field, "(5,)")):
        assert message(lambda array=array: vadd(A, array, A, grid=1)) == (
            "kernel 'vadd': argument b: its elements are not aligned to their size of 4 bytes"
            f" (strides {strides}); make a copy with x.copy()"
        )


def test_only_arrays_that_are_written_to_must_be_writable():
    readonly = np.zeros(4, np.float32)
    readonly.flags.writeable = False
    c = np.ones(4, np.float32)
    vadd(readonly, readonly, c, grid=4)
    assert not c.any()
    for array in (readonly, sm.asarray(readonly), sm.ones(1).broadcast_to(4)):
        assert message(lambda array=array: vadd(A, A, array, grid=4)) == (
            "kernel 'vadd' writes to argument c, which is read-only; give it a copy: x.copy()"
        )


def test_arrays_must_be_where_the_kernel_runs():
    other = CpuDevice()
    other.name = "other"
    there = sm.zeros(4, device=other)
    assert message(lambda: vadd(there, sm.zeros(4), there, grid=4)) == (
        "kernel 'vadd' runs on other, but an argument is an array on cpu; move it with"
        " x.to('other')"
    )
    assert message(lambda: vadd(there, there, there, grid=4, device="cpu")).startswith(
        "kernel 'vadd' runs on cpu, but an argument is an array on other"
    )
    with pytest.raises(sm.DeviceError, match="NVIDIA's driver was not found"):
        vadd(A, A, A, grid=4, device="cuda")


def test_numpy_arrays_stay_on_the_cpu():
    class Foreign(CpuDevice):
        name, takes_numpy_arrays = "foreign", False

    there: Device = Foreign()
    assert message(lambda: vadd(A, A, A, grid=4, device=there)) == (
        "kernel 'vadd' runs on foreign, but an argument is a NumPy array; move it with sm.array(x,"
        " device='foreign')"
    )


def test_decorating_what_is_no_function():
    for wrong in (len, Point, 3):
        with pytest.raises(sm.UserInputError, match="expected a plain Python function, got"):
            sm.kernel(wrong)
    with pytest.raises(sm.UserInputError, match="identifier as a kernel's name, got 'a b'"):
        sm.kernel(name="a b")
    assert sm.kernel(vadd).function is vadd.function
    named = sm.kernel(name="other")(vadd.function)
    assert repr(named) == "<kernel other(a, b, c)>"
    assert named.__doc__ is vadd.__doc__


# --- Changes ---------------------------------------------------------------------------------

scale = 2


def helper(x):
    return x * scale


@sm.kernel
def scaled(c, x):
    c[0] = helper(x)


def test_redefining_what_a_kernel_uses_compiles_it_again(monkeypatch):
    c = sm.zeros(1)
    scaled(c, 1.0, grid=1)
    assert c[0].item() == 2
    monkeypatch.setitem(globals(), "scale", 5)
    scaled(c, 1.0, grid=1)
    assert c[0].item() == 5
    monkeypatch.setitem(globals(), "helper", lambda x: x - 3)
    scaled(c, 1.0, grid=1)
    assert c[0].item() == -2
    monkeypatch.undo()
    scaled(c, 1.0, grid=1)
    assert c[0].item() == 2


def test_closures_are_noticed_too():
    factor = 2

    @sm.kernel
    def times(c, x):
        c[0] = x * factor

    c = sm.zeros(1)
    times(c, 1.0, grid=1)
    assert c[0].item() == 2
    factor = 3
    times(c, 1.0, grid=1)
    assert c[0].item() == 3


def test_a_known_launch_compiles_nothing(monkeypatch):
    a, c = sm.ones(4), sm.zeros(4)
    vadd(a, a, c, grid=4)

    def unexpected(*_, **__):
        raise AssertionError("compiled again")

    monkeypatch.setattr(pipeline, "compile_for", unexpected)
    vadd(a, a, c, grid=4)
    vadd(c, a, a, grid=3)  # other sizes and addresses need no other code


def fresh(n):
    @sm.kernel
    def polynomial(c, x):
        c[0] = x * n + 1

    return polynomial


def test_a_fresh_process_reads_the_code_from_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path / "cache"))
    c = sm.zeros(1)
    fresh(3)(c, 2.0, grid=1, debug=1)

    def unexpected(*_, **__):
        raise AssertionError("lowered again")

    monkeypatch.setattr(pipeline, "lower", unexpected)
    c[0] = 0.0
    fresh(3)(c, 2.0, grid=1, debug=1)
    assert c[0].item() == 7
    with pytest.raises(sm.KernelError, match="index out of bounds"):
        fresh(3)(sm.zeros(0), 2.0, grid=1, debug=1)
    with pytest.raises(AssertionError, match="lowered again"):
        fresh(4)(c, 2.0, grid=1, debug=1)
    for entry in (tmp_path / "cache").rglob("*"):
        if entry.is_file():
            entry.write_bytes(entry.read_bytes()[:-9])
    with pytest.raises(AssertionError, match="lowered again"):
        fresh(3)(c, 2.0, grid=1, debug=1)


def test_everything_that_changes_the_code_changes_its_place_on_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path))
    scalar, array = signature_of((1.0, A))
    source = PythonSource(fresh(3).function)
    base = Specialisation(source, (array, scalar))
    built = IrSource("built", "1", lambda variant: pytest.fail(str(variant)))
    kinds = [
        base,
        replace(base, source=PythonSource(fresh(4).function)),
        replace(base, source=replace(source, given_name="other")),
        replace(base, source=built),
        replace(base, source=replace(built, key="2")),
        replace(base, source=replace(built, given_name="other")),
        replace(base, signature=(array, array)),
        replace(base, debug=1),
        replace(base, debug=2),
        replace(base, index_type=sm.int64),
    ]
    cpu = sm.device("cpu")
    options = [BuildOptions(), BuildOptions(variant="linear"), BuildOptions(math_mode="fast")]
    keys = [pipeline._entry_key(pipeline._disk_key(cpu, s)[0], o) for s in kinds for o in options]
    assert "" not in keys
    assert len(set(keys)) == len(keys)
    again = replace(base, source=PythonSource(fresh(3).function))
    assert pipeline._entry_key(pipeline._disk_key(cpu, again)[0], BuildOptions()) == keys[0]


# --- Debugging -------------------------------------------------------------------------------


@sm.kernel
def reads_beyond(a, c):
    i = sm.thread_position_in_grid().x
    c[i] = a[i + 1]


def test_levels_and_who_decides_them():
    a, c = sm.ones(8), sm.zeros(8)
    reads_beyond(a, c, grid=7)
    with pytest.raises(sm.KernelError, match="index out of bounds") as caught:
        reads_beyond(a, c, grid=8, debug=1)
    assert "test_launch.py" not in str(caught.value)
    with pytest.raises(sm.KernelError) as caught:
        reads_beyond(a, c, grid=8, threads=2, debug=2)
    assert "in thread (1, 0, 0) of threadgroup (3, 0, 0)" in str(caught.value)
    assert "c[i] = a[i + 1]" in str(caught.value)
    with sm.debug_level(1), pytest.raises(sm.KernelError):
        reads_beyond(a, c, grid=8)
    with sm.debug_level(1):
        reads_beyond(a, c, grid=7, debug=0)
    careful = sm.kernel(debug=1)(reads_beyond.function)
    with pytest.raises(sm.KernelError):
        careful(a, c, grid=8)
    with sm.debug_level(0):
        careful(a, c, grid=7)
    reads_beyond(a, c, grid=7)  # the device stays usable
    assert c.tolist() == [1] * 7 + [0]
    reads_beyond(a, c, grid=7, debug=1)
    for wrong in (3, -1, True, 1.0, "1"):
        with pytest.raises(sm.LaunchError, match="debug level of 0, 1 or 2"):
            reads_beyond(a, c, grid=7, debug=wrong)


PROGRAM = """
import numpy as np, speedmetal as sm
@sm.kernel
def check(a):
    assert a[0] > 0, "a must be positive"
try:
    check(np.zeros(1), grid=1)
    print("not checked")
except sm.SpeedmetalError as error:
    print(error)
"""


@pytest.mark.tier("default")
@pytest.mark.parametrize(
    ("level", "answer"),
    [
        ("", "SPEEDMETAL_DEBUG is ''; expected 0, 1 or 2"),
        ("0", "not checked"),
        ("1", "kernel 'check': assertion failed: a must be positive (debug=2 shows"),
    ],
)
def test_the_environment_sets_the_level(tmp_path, level, answer):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(path)],
        env=os.environ | {"SPEEDMETAL_DEBUG": level},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith(answer)


@sm.kernel
def talk(a):
    i = sm.thread_position_in_grid().x
    print("a", i, a[i], a[i] > 1.0, sep=", ")  # noqa: T201 - what is tested


def test_prints_come_out_in_order(capsys):
    talk(np.array([0.1, 2.5], np.float32), grid=2)
    assert capsys.readouterr().out == "a, 0, 0.1, False\na, 1, 2.5, True\n"


def test_many_threads_may_launch_at_once():
    wrong = []

    def work(seed):
        generator = np.random.default_rng(seed)
        for size in generator.integers(1, 20_000, 50):
            a = generator.random(size, np.float32)
            c = np.empty_like(a)
            vadd(a, a, c, grid=size)
            if not np.array_equal(c, a + a):
                wrong.append(size)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@sm.kernel
def shares(a):
    memory = sm.threadgroup_array(64, sm.float32)
    i = sm.thread_index_in_threadgroup()
    memory[i] = a[i]
    sm.threadgroup_barrier()
    a[i] = memory[63 - i]


@sm.kernel
def greedy(a):
    memory = sm.threadgroup_array(8193, sm.float32)
    memory[0] = a[0]
    a[0] = memory[0]


def test_threadgroup_memory_has_a_limit():
    assert message(lambda: greedy(A, grid=1)) == (
        "kernel 'greedy' needs 32772 bytes of threadgroup memory, cpu allows 32768; make its"
        " threadgroup arrays smaller"
    )


def test_compiling_without_launching():
    info = shares.compile("f32[:]")
    assert (info.name, info.device, info.threads_per_threadgroup) == ("shares", "cpu", 1024)
    assert (info.threads_per_simdgroup, info.threadgroup_memory_bytes) == (32, 256)
    assert vadd.compile(sm.zeros(2), A, "f32[:]/strided").threadgroup_memory_bytes == 0
    with pytest.raises(sm.LaunchError, match="missing: c"):
        vadd.compile("f32[:] f32[:]")


def _half(a):
    """No target allows a name that starts so."""
    i = sm.thread_position_in_grid().x
    assert a[i] < 0, "negative"


def test_messages_have_the_name_that_the_user_gave():
    with pytest.raises(sm.KernelError, match=r"^kernel '_half': assertion failed: negative"):
        sm.kernel(_half)(A, grid=1, debug=1)

    @sm.kernel
    def half(a):
        if sm.thread_position_in_grid().x < 3:
            sm.threadgroup_barrier()
        a[0] = 1.0

    with pytest.raises(sm.CompileError, match=r"^1 error in kernel 'half'"):
        half(A, grid=4)


def test_an_object_that_no_kernel_takes_spoils_no_arrays_that_come_later():
    """Its class is among the bases of all others, and its reader reads no address."""
    with pytest.raises(sm.LaunchError, match="can not take an object"):
        vadd(A, A, object(), grid=4)

    class Late(DeviceArray):
        __slots__ = ()

    assert reader_for(Late) is reader_for(DeviceArray)
    key, values = [], []
    array = sm.asarray(A)
    found = Late()
    found.address, found.layout = array.address, array.layout
    read_argument(found, key, values)
    assert values == [array.address]

"""What a launch may be given, on every device: numbers of NumPy's, partials, methods."""

import functools
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pytest

import speedmetal as sm

SCALE = np.float64(0.5)
PAIR = (np.float64(2.0), 3)


class Settings:
    OFFSET = np.sqrt(np.float64(16.0))


def shifted(x, offset=np.float64(0.25)):  # noqa: B008 - a number, made once
    return x + offset


# Not through `launch`, which skips what a device lacks: here nothing may be lacking.


def test_captured_float64_numbers_of_numpy(device):
    @sm.kernel
    def combine(a, out):
        i = sm.thread_position_in_grid().x
        out[i] = shifted(a[i] * SCALE + PAIR[0] + Settings.OFFSET)

    a, out = sm.arange(4.0, device=device), sm.zeros(4, device=device)
    combine(a, out, grid=4)
    assert out.tolist() == [6.25, 6.75, 7.25, 7.75]


def test_float64_numbers_of_numpy_as_arguments(device):
    @sm.kernel
    def multiply(a, x, pair):
        i = sm.thread_position_in_grid().x
        a[i] = a[i] * x + pair[0] * pair[1]

    a = sm.arange(4.0, device=device)
    half, quarter = np.float64(0.5), np.float64(0.25)
    for x, y in ((half, 0.25), (0.5, quarter), (half, quarter)):
        multiply(a, x, (y, 4), grid=4)
    assert a.tolist() == [1.75, 1.875, 2.0, 2.125]


# --- Functions with some of their arguments ---------------------------------------------------


def axpy(a, x, y=0.0):
    return a * x + y


def entry(table, x):
    return table[int(x)]


twice_and_one = functools.partial(axpy, 2.0, y=1.0)


@sm.kernel
def apply(function, x, out):
    i = sm.thread_position_in_grid().x
    out[i] = function(x[i])


def test_partials_are_functions(device):
    @sm.kernel
    def with_captured(x, out):
        i = sm.thread_position_in_grid().x
        made_here = functools.partial(axpy, x[1])
        out[i] = twice_and_one(x[i]) + 100 * twice_and_one(x[i], y=2) + 10000 * made_here(x[i], y=i)

    x, out = sm.arange(4.0, device=device), sm.zeros(4, device=device)
    with_captured(x, out, grid=4)
    assert out.tolist() == [201.0, 403.0 + 20000, 605.0 + 40000, 807.0 + 60000]


def test_partials_as_arguments_bring_numbers_and_arrays(device):
    x, out = sm.arange(4.0, device=device), sm.zeros(4, device=device)
    table = sm.array([7.0, 5.0, 3.0, 1.0], device=device)
    for function, expected in (
        (functools.partial(axpy, 3.0), [0.0, 3.0, 6.0, 9.0]),
        (functools.partial(axpy, 3, y=np.float32(0.5)), [0.5, 3.5, 6.5, 9.5]),
        (functools.partial(axpy, x=2.0, y=1.0), [1.0, 3.0, 5.0, 7.0]),
        (functools.partial(functools.partial(axpy, 2.0), y=3.0), [3.0, 5.0, 7.0, 9.0]),
        (functools.partial(entry, table), [7.0, 5.0, 3.0, 1.0]),
        (functools.partial(pow, exp=2), [0.0, 1.0, 4.0, 9.0]),
    ):
        apply(function, x, out, grid=4)
        assert out.tolist() == expected


def test_a_partial_of_a_kernel_is_launched(device):
    x, out = sm.arange(4.0, device=device), sm.zeros(4, device=device)
    functools.partial(apply, twice_and_one, x)(out, grid=4)
    assert out.tolist() == [1.0, 3.0, 5.0, 7.0]
    functools.partial(apply, abs, grid=2)(out=out, x=x)
    assert out.tolist() == [0.0, 1.0, 5.0, 7.0]


# --- Methods -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Solver:
    step_size: float
    ORDER: ClassVar[int] = 3

    def scaled(self, x):
        return x * self.step_size

    @classmethod
    def order(cls, x):
        return x * cls.ORDER

    @sm.kernel
    def step(self, a, out):
        i = sm.thread_position_in_grid().x
        out[i] = self.scaled(a[i]) + self.order(100) + self.bias(i)

    @staticmethod
    @sm.kernel
    def bias(x):
        return x * 1000

    @classmethod
    @sm.kernel
    def fill(cls, out):
        out[sm.thread_position_in_grid().x] = cls.ORDER


class Finer(Solver):
    ORDER = 4


class Pair(NamedTuple):
    first: int
    second: int

    @sm.kernel
    def write(self, out):
        out[0], out[1] = self.first, self.second


def test_kernels_are_methods_of_frozen_dataclasses(device):
    a, out = sm.arange(4.0, device=device), sm.zeros(4, device=device)
    Solver(0.5).step(a, out, grid=4)
    assert out.tolist() == [300.0, 1300.5, 2301.0, 3301.5]
    Solver(0.25).step(a, out=out, grid=2)
    assert out.tolist() == [300.0, 1300.25, 2301.0, 3301.5]
    Finer(1.0).step(a, out, grid=1)
    assert out[0].item() == 400.0
    Solver.step(Solver(2.0), a, out, grid=4)
    assert out[3].item() == 3306.0


def test_kernels_are_class_methods_and_methods_of_named_tuples(device):
    out = sm.zeros(4, device=device)
    Solver.fill(out, grid=2)
    Finer(1.0).fill(out, grid=1)
    assert out.tolist() == [4.0, 3.0, 0.0, 0.0]
    Pair(7, 8).write(out, grid=1)
    assert out.tolist() == [7.0, 8.0, 0.0, 0.0]


def test_methods_are_functions(device):
    x, out = sm.arange(4.0, device=device), sm.zeros(4, device=device)
    for method, expected in ((Solver(0.5).scaled, 1.5), (Solver.order, 9.0), (Finer.order, 12.0)):
        apply(method, x, out, grid=4)
        assert out[3].item() == expected


# --- Arrays of every make ----------------------------------------------------------------------

RECORDS = np.zeros(9, [("byte", "i1"), ("whole", "i4"), ("real", "f4")])
RECORDS["whole"], RECORDS["real"] = np.arange(9), np.arange(9) / 4
READ_ONLY = np.arange(5, dtype=np.float32)
READ_ONLY.flags.writeable = False
ODD_ARRAYS = {
    "a field of records": RECORDS["whole"],
    "a field of floats": RECORDS["real"],
    "misaligned": np.frombuffer(bytes(range(45)), np.int32, offset=1),
    "foreign byte order": np.arange(9).astype(">i4"),
    "foreign floats": np.arange(9).astype(">f4"),
    "backwards": np.arange(9, dtype=np.float32)[::-1],
    "broadcast": np.broadcast_to(np.float32(3), 9),
    "a column": np.arange(27, dtype=np.int32).reshape(9, 3)[:, 1],
    "read-only": READ_ONLY,
    "nothing": np.zeros((0, 3), np.float32)[:, 0],
}


@sm.kernel
def twice(a, out):
    i = sm.thread_position_in_grid().x
    out[i] = a[i] * 2


@pytest.mark.parametrize("name", ODD_ARRAYS)
def test_arrays_of_every_make_reach_a_device(device, name):
    odd = ODD_ARRAYS[name]
    for make in (sm.array, sm.asarray):
        a = make(odd, device=device)
        out = sm.zeros(a.shape, a.dtype, device=device)
        twice(a, out, grid=a.size)
        np.testing.assert_array_equal(out.numpy(), odd * 2)


@pytest.mark.parametrize("debug", [0, 1])
def test_views_are_read_and_written_in_place(device, debug):
    values = np.arange(60, dtype=np.float32).reshape(5, 12)
    base = sm.array(values, device=device)
    wide = sm.ones((4, 2**18), device=device)
    views = (base.T[3], base[::-1, 2], base[1, ::-3], base[2:3, 5], wide[:, :: 2**17][:, 1])
    for view in views:
        before = view.numpy().copy()
        twice(view, view, grid=view.size, debug=debug)
        np.testing.assert_array_equal(view.numpy(), before * 2)
    values[:, 3] *= 2
    values[::-1, 2] *= 2
    values[1, ::-3] *= 2
    values[2:3, 5] *= 2
    np.testing.assert_array_equal(base.numpy(), values)


def test_an_array_without_axes_and_one_given_twice(device):
    @sm.kernel
    def increase(a, same):
        a[()] = 1
        same[()] += 1
        a[()] = a[()] * 10

    a = sm.zeros((), device=device)
    increase(a, a, grid=1)
    assert a.item() == 20


@pytest.mark.parametrize("axis", ["y", "z"])
def test_all_threadgroups_run(device, axis):
    """NVIDIA's hardware has at most 65535 along y and z."""

    @sm.kernel
    def mark(out):
        place = sm.thread_position_in_grid()
        group, groups = sm.threadgroup_position_in_grid(), sm.threadgroups_per_grid()
        is_known = group.y * group.z == 0 and groups.x == 2 and groups.y * groups.z > 1
        out[place.y + place.z, place.x] = 1 if is_known else 100

    def marked(count, threads):
        out = sm.zeros((count, 2), sm.int32, device=device)
        along = {"y": (2, count), "z": (2, 1, count)}[axis]
        mark(out, grid=along, threads={"y": (1, threads), "z": (1, 1, threads)}[axis])
        return int(out.numpy().sum())

    for count in (65_535, 65_536, 150_001):
        assert marked(count, 1) == 2 * count
    assert marked(70_001, 2) == 140_002


def test_more_threadgroups_than_can_be_are_refused(device):
    if device.kind != "cuda":
        pytest.skip("any number of threadgroups can be launched")

    @sm.kernel
    def mark(out):
        out[0] = 1

    out = sm.zeros(1, sm.int32, device=device)
    message = "kernel 'mark': 65536 threadgroups along z requested, cuda allows 65535"
    with pytest.raises(sm.LaunchError, match=message):
        mark(out, grid=(1, 65536, 65536), threads=1)
    sm.synchronize()

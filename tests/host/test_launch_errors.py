"""Wrong calls of a right kernel: the whole message of each, and nothing runs."""

import array
import functools
from dataclasses import dataclass

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.backends.cpu.device import CpuDevice


@sm.kernel
def fill(a, x):
    i = sm.thread_position_in_grid().x
    a[i] = x


@sm.kernel
def total(out, values):
    result = 0.0
    for item in values:
        result = result + item
    out[0] = result


@sm.kernel
def clear(a):
    a[sm.thread_position_in_grid().x] = 0


@sm.kernel
def blend(a, /, b, *, factor):
    i = sm.thread_position_in_grid().x
    a[i] = a[i] + factor * b[i]


@sm.kernel
def sized(a, grid):
    a[sm.thread_position_in_grid().x] = grid


class Ordinary:
    @sm.kernel
    def method(self, a):
        a[0] = 1

    def plain(self, x):
        return x


class Callable(Ordinary):
    def __call__(self):
        """Python would call it; that makes it no argument of a kernel."""


@dataclass
class Thawed:
    x: float


def read_only() -> np.ndarray:
    array = np.zeros(8, np.float32)
    array.flags.writeable = False
    return array


def elsewhere() -> sm.Array:
    device = CpuDevice()
    device.name = "other"
    return sm.zeros(8, device=device)


A = np.zeros(8, np.float32)
ALLOWED = (
    "allowed are arrays, numbers, tuples, named tuples, frozen dataclasses, functions, dtypes and"
    " strings"
)

WRONG = {
    # --- Sizes ---
    "no size": (
        lambda: fill(A, 1.0),
        (
            "kernel 'fill': state how many threads run, grid=..., or how many threadgroups, "
            "groups=..., threads=..."
        ),
    ),
    "grid and groups": (
        lambda: fill(A, 1.0, grid=8, groups=2, threads=4),
        (
            "kernel 'fill': grid=8 and groups=2 are both given; grid counts threads, groups "
            "counts threadgroups: give one of them"
        ),
    ),
    "groups without threads": (
        lambda: fill(A, 1.0, groups=2),
        ("kernel 'fill': groups=2 needs threads=..., the threads of each threadgroup"),
    ),
    "threads alone": (
        lambda: fill(A, 1.0, threads=4),
        (
            "kernel 'fill': state how many threads run, grid=..., or how many threadgroups, "
            "groups=..., threads=..."
        ),
    ),
    "negative grid": (
        lambda: fill(A, 1.0, grid=-8),
        ("kernel 'fill': grid is -8 along x; it must be 0 or more"),
    ),
    "negative along y, zero along x": (
        lambda: fill(A, 1.0, grid=(0, -1)),
        ("kernel 'fill': grid is -1 along y; it must be 0 or more"),
    ),
    "negative threads": (
        lambda: fill(A, 1.0, grid=8, threads=-4),
        ("kernel 'fill': threads is -4 along x; it must be 1 or more"),
    ),
    "no threads in a threadgroup": (
        lambda: fill(A, 1.0, grid=0, threads=0),
        ("kernel 'fill': threads is 0 along x; it must be 1 or more"),
    ),
    "negative groups": (
        lambda: fill(A, 1.0, groups=-2, threads=4),
        ("kernel 'fill': groups is -2 along x; it must be 0 or more"),
    ),
    "boolean grid": (
        lambda: fill(A, 1.0, grid=True),
        (
            "kernel 'fill': grid=True: expected integers, got bool; write int(...) or "
            "sm.cdiv(a, b) for a quotient"
        ),
    ),
    "float grid": (
        lambda: fill(A, 1.0, grid=8 / 2),
        (
            "kernel 'fill': grid=4.0: expected integers, got float; write int(...) or "
            "sm.cdiv(a, b) for a quotient"
        ),
    ),
    "float in a tuple": (
        lambda: fill(A, 1.0, grid=(8, 1.5)),
        (
            "kernel 'fill': grid=(8, 1.5): expected integers, got float; write int(...) or "
            "sm.cdiv(a, b) for a quotient"
        ),
    ),
    "text as grid": (
        lambda: fill(A, 1.0, grid="8"),
        (
            "kernel 'fill': grid='8': expected integers, got str; write int(...) or "
            "sm.cdiv(a, b) for a quotient"
        ),
    ),
    "array as grid": (
        lambda: fill(A, 1.0, grid=A),
        (
            "kernel 'fill': grid=array([0., 0., 0., 0., 0., 0., 0., 0.], dtype=float32): "
            "expected integers, got an array; write a.size or a.shape"
        ),
    ),
    "four axes": (
        lambda: fill(A, 1.0, grid=(8, 1, 1, 1)),
        ("kernel 'fill': grid=(8, 1, 1, 1) has 4 sizes; expected one to three (x, y, z)"),
    ),
    "no axes": (
        lambda: fill(A, 1.0, grid=()),
        ("kernel 'fill': grid=() has 0 sizes; expected one to three (x, y, z)"),
    ),
    "1025 threads": (
        lambda: fill(A, 1.0, grid=8, threads=1025),
        (
            "kernel 'fill': threads=1025 * 1 * 1 = 1025 per threadgroup requested, cpu "
            "allows 1024; use fewer, or leave threads out"
        ),
    ),
    "1000 by 2 threads": (
        lambda: fill(A, 1.0, grid=8, threads=(1000, 2)),
        (
            "kernel 'fill': threads=1000 * 2 * 1 = 2000 per threadgroup requested, cpu "
            "allows 1024; use fewer, or leave threads out"
        ),
    ),
    "2**32 threads in the grid": (
        lambda: fill(A, 1.0, grid=2**32),
        (
            "kernel 'fill': 4294967296 threads along x requested, cpu allows 4294967295; let "
            "each thread do several elements, or launch parts"
        ),
    ),
    "2**32 along z": (
        lambda: fill(A, 1.0, grid=(1, 1, 2**32)),
        (
            "kernel 'fill': 4294967296 threads along z requested, cpu allows 4294967295; let "
            "each thread do several elements, or launch parts"
        ),
    ),
    "2**22 groups of 1024": (
        lambda: fill(A, 1.0, groups=2**22, threads=1024),
        (
            "kernel 'fill': 4294967296 threads along x requested, cpu allows 4294967295; let "
            "each thread do several elements, or launch parts"
        ),
    ),
    # --- Arguments ---
    "too few arguments": (
        lambda: fill(A, grid=8),
        ("kernel 'fill' takes 2 arguments (a, x), got 1; missing: x"),
    ),
    "too many arguments": (
        lambda: fill(A, 1.0, 2.0, grid=8),
        ("kernel 'fill' takes 2 arguments (a, x), got 3; remove the last ones"),
    ),
    "argument twice": (
        lambda: fill(A, 1.0, x=1.0, grid=8),
        ("kernel 'fill': x is given twice, by position and by name; leave one of them out"),
    ),
    "too few arguments, one by name": (
        lambda: fill(x=1.0, grid=8),
        ("kernel 'fill' takes 2 arguments (a, x), got 1; missing: a"),
    ),
    "too many arguments of one": (
        lambda: clear(A, A, grid=8),
        ("kernel 'clear' takes 1 argument (a), got 2; remove the last ones"),
    ),
    "misspelt parameter": (
        lambda: blend(A, A, factro=2.0, grid=8),
        (
            "kernel 'blend': unknown argument 'factro'; did you mean factor? Its parameters are a,"
            " b, factor; the options of a launch are grid, groups, threads, debug, device"
        ),
    ),
    "by name only, by position": (
        lambda: blend(A, A, 2.0, grid=8),
        ("kernel 'blend': parameters behind the * in its def are given by name: factor=..."),
    ),
    "by position only, by name": (
        lambda: blend(a=A, b=A, factor=2.0, grid=8),
        ("kernel 'blend': the parameter a stands before the / in its def: give it by position"),
    ),
    "parameter named like an option": (
        lambda: sized(A, grid=8),
        (
            "kernel 'sized' takes 2 arguments (a, grid), got 1; missing: grid. grid=... in a call"
            " is the launch's option: give the parameter grid by position, or rename it"
        ),
    ),
    "misspelt option": (
        lambda: fill(A, 1.0, gird=8),
        (
            "kernel 'fill': unknown argument 'gird'; did you mean grid? Its parameters are a, x; "
            "the options of a launch are grid, groups, threads, debug, device"
        ),
    ),
    "CUDA's option": (
        lambda: fill(A, 1.0, blockDim=8),
        (
            "kernel 'fill': unknown argument 'blockDim'; did you mean threads? Its parameters are "
            "a, x; the options of a launch are grid, groups, threads, debug, device"
        ),
    ),
    "unknown option": (
        lambda: fill(A, 1.0, grid=8, stream=3),
        (
            "kernel 'fill': unknown argument 'stream'. Its parameters are a, x; the options of a "
            "launch are grid, groups, threads, debug, device"
        ),
    ),
    "debug level 3": (
        lambda: fill(A, 1.0, grid=8, debug=3),
        ("expected a debug level of 0, 1 or 2, got 3"),
    ),
    "list": (
        lambda: fill([1.0, 2.0], 1.0, grid=2),
        (
            f"kernel 'fill': argument a: a kernel can not take a list; {ALLOWED}; make an array"
            " with sm.array(...)"
        ),
    ),
    "instance of an ordinary class": (
        lambda: Ordinary().method(A, grid=8),
        (
            "kernel 'method' is a method of Ordinary, and a kernel can not take an Ordinary; write"
            " @dataclass(frozen=True) above class Ordinary, with a field for each value, or"
            " @staticmethod above @sm.kernel"
        ),
    ),
    "callable instance of an ordinary class": (
        lambda: Callable().method(A, grid=8),
        (
            "kernel 'method' is a method of Callable, and a kernel can not take a Callable; write"
            " @dataclass(frozen=True) above class Callable, with a field for each value, or"
            " @staticmethod above @sm.kernel"
        ),
    ),
    "method of an ordinary class": (
        lambda: fill(A, Ordinary().plain, grid=8),
        (f"kernel 'fill': argument x: a kernel can not take an Ordinary; {ALLOWED}"),
    ),
    "partial of a list": (
        lambda: fill(A, functools.partial(abs, [1.0]), grid=8),
        (f"kernel 'fill': argument x: a kernel can not take a list; {ALLOWED}"),
    ),
    "range": (
        lambda: fill(range(3), 1.0, grid=2),
        (
            f"kernel 'fill': argument a: a kernel can not take a range; {ALLOWED}; make an array"
            " with sm.array(...)"
        ),
    ),
    "memory without a hash": (
        lambda: fill(memoryview(bytearray(8)), 1.0, grid=2),
        (
            f"kernel 'fill': argument a: a kernel can not take a memoryview; {ALLOWED};"
            " np.asarray(...) is an array on its memory"
        ),
    ),
    "array of the standard library": (
        lambda: fill(array.array("f", [1.0]), 1.0, grid=1),
        (
            f"kernel 'fill': argument a: a kernel can not take an array; {ALLOWED};"
            " np.asarray(...) is an array on its memory"
        ),
    ),
    "dictionary": (
        lambda: fill(A, {"x": 1.0}, grid=8),
        (f"kernel 'fill': argument x: a kernel can not take a dict; {ALLOWED}"),
    ),
    "dataclass that is not frozen": (
        lambda: fill(A, Thawed(1.0), grid=8),
        (
            "kernel 'fill': argument x: a kernel can not take a Thawed, because it is not "
            "frozen; write @dataclass(frozen=True) above class Thawed"
        ),
    ),
    "integer over 64 bits": (
        lambda: fill(A, 2**64, grid=8),
        ("kernel 'fill': argument x: the integer 18446744073709551616 does not fit into 64 bits"),
    ),
    "object inside a tuple": (
        lambda: total(A, (1.0, object()), grid=1),
        (f"kernel 'total': argument values: a kernel can not take an object; {ALLOWED}"),
    ),
    "dtype clongdouble": (
        lambda: fill(A.astype(np.clongdouble), 1.0, grid=8),
        (
            f"kernel 'fill': argument a: dtype {np.dtype(np.clongdouble)} is not supported;"
            " supported are bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64,"
            " float16, bfloat16, float32, float64, complex64, complex128; convert with"
            " x.astype(...)"
        ),
    ),
    "dtype datetime64": (
        lambda: fill(A.astype("datetime64[s]"), 1.0, grid=8),
        (
            "kernel 'fill': argument a: dtype datetime64[s] is not supported; supported are "
            "bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, "
            "bfloat16, float32, float64, complex64, complex128; convert with x.astype(...)"
        ),
    ),
    "dtype of texts": (
        lambda: fill(np.array(["x"]), 1.0, grid=1),
        (
            "kernel 'fill': argument a: dtype <U1 is not supported; supported are bool_, "
            "int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, "
            "float32, float64, complex64, complex128; convert with x.astype(...)"
        ),
    ),
    "foreign byte order": (
        lambda: fill(A.astype(">f4"), 1.0, grid=8),
        (
            "kernel 'fill': argument a has dtype float32 in foreign byte order (>f4); "
            "convert it with x.astype(x.dtype.newbyteorder('='))"
        ),
    ),
    "read-only array": (
        lambda: fill(read_only(), 1.0, grid=8),
        ("kernel 'fill' writes to argument a, which is read-only; give it a copy: x.copy()"),
    ),
    "array on another device": (
        lambda: fill(elsewhere(), 1.0, grid=8, device="cpu"),
        (
            "kernel 'fill' runs on cpu, but an argument is an array on other; move it with "
            "x.to('cpu')"
        ),
    ),
    "unknown device": (
        lambda: fill(A, 1.0, grid=8, device="tpu"),
        (
            "unknown device 'tpu'; did you mean cpu? Valid devices: cpu. Not available are "
            "metal: Apple GPUs need macOS 14 or later on Apple silicon. On every machine "
            'sm.code(..., target="metal") shows the Metal source, and sm.device("metal-sim") '
            "runs it in a simulator; cuda: NVIDIA's driver was not found: running on an NVIDIA "
            'GPU needs it to be installed; sm.code(..., target="cuda") shows the CUDA source on '
            "every machine"
        ),
    ),
    "device of the wrong kind": (
        lambda: fill(A, 1.0, grid=8, device=3),
        (
            "unknown device '3'. Valid devices: cpu. Not available are metal: Apple GPUs need "
            "macOS 14 or later on Apple silicon. On every machine sm.code(..., "
            'target="metal") shows the Metal source, and sm.device("metal-sim") runs it in a '
            "simulator; cuda: NVIDIA's driver was not found: running on an NVIDIA GPU needs it "
            'to be installed; sm.code(..., target="cuda") shows the CUDA source on every machine'
        ),
    ),
}
"""For each slip the call, and the message."""


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=list(WRONG))
def test_wrong_call_says_this_and_runs_nothing(call, message):
    before = A.copy()
    with pytest.raises((sm.LaunchError, sm.DeviceError)) as caught:
        call()
    assert str(caught.value) == message
    np.testing.assert_array_equal(A, before)


REACHES_NOTHING = (
    "kernel 'step': {0}=... in a call is an option of the launch, and would not reach the parameter"
    " {0}; rename it. (By position, and without a default, it may have this name.)"
)


@pytest.mark.parametrize("name", ["grid", "groups", "threads", "debug", "device"])
def test_no_option_of_the_launch_may_hide_a_parameter(name):
    for parameters in (f"a, {name}=4", f"a, *, {name}"):
        names = {}
        exec(f"def step({parameters}): pass", names)  # noqa: S102 - names of every kind
        with pytest.raises(sm.LaunchError) as caught:
            sm.kernel(names["step"])
        assert str(caught.value) == REACHES_NOTHING.format(name)


def test_a_parameter_named_like_an_option_is_given_by_position():
    a = np.zeros(4, np.float32)
    sized(a, 7, grid=3)
    assert a.tolist() == [7, 7, 7, 0]


def test_right_calls_work_after_wrong_ones():
    """Sizes are one integer or one to three of them, of any integer type."""
    for wrong, _ in WRONG.values():
        with pytest.raises((sm.LaunchError, sm.DeviceError)):
            wrong()
    for sizes in (
        {"grid": 8},
        {"grid": (8,)},
        {"grid": (np.int64(8), 1), "threads": np.uint8(4)},
        {"grid": (8, 1, 1), "threads": (2, 1, 1)},
        {"groups": 2, "threads": 4},
        {"groups": (2, np.int16(1)), "threads": (4,)},
    ):
        array = np.zeros(8, np.float32)
        fill(array, 3.0, **sizes)
        assert array.tolist() == [3.0] * 8
    array = np.zeros(8, np.float32)
    fill(array, 1.0, grid=2)
    assert array.tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    fill(array, 2.0, groups=3, threads=2)
    assert array.tolist() == [2, 2, 2, 2, 2, 2, 0, 0]


def test_arguments_of_every_kind_arrive():
    """A buffer, a scalar, a tuple and a nested tuple that holds arrays, and a type."""

    def answer(pair, nested, kind):
        pair[0][0] = kind(pair[1] + nested[0][1])
        nested[1][0] = kind(pair[0][0])

    out, other = np.zeros(1, np.int32), np.zeros(1, np.float32)
    sm.kernel(answer)((out, 40), ((1.5, 2.5), other), sm.int32, grid=1)
    assert (out[0], other[0]) == (42, 42)

"""Arguments of hand-written kernels: what is bound, and every way to be wrong about it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import speedmetal as sm
from speedmetal.backends.device import DeviceArray, launch_layout
from speedmetal.backends.metal.driver.address import BufferAddress
from speedmetal.backends.metal.handwritten.calls import bind_arguments, threadgroup_lengths
from speedmetal.errors import LaunchError
from speedmetal.msl.declared import declared_parameters


class Place:
    """A device that has a name."""

    def __init__(self, name):
        self.name = name


HERE, ELSEWHERE = Place("metal"), Place("cpu")


class FakeArray(DeviceArray):
    """What a call sees of an array."""

    def __init__(self, shape=(8,), dtype=sm.float32, strides=None, device=HERE, readonly=False):
        if strides is None:
            strides = np.empty(shape, dtype.numpy).strides
        self.layout = launch_layout(dtype, shape, strides, device, readonly)
        self.address = BufferAddress("buffer", 16)


SIGNATURE = declared_parameters(
    "kernel void f(device float* a [[buffer(0)]], constant uint& n [[buffer(1)]],"
    " device const half* h [[buffer(2)]], constant Params& p [[buffer(3)]]) {}"
)["f"]


def call(*arguments, signature=SIGNATURE):
    return bind_arguments("f", signature, HERE, arguments)


def test_everything_is_bound_at_its_index():
    half = FakeArray((3, 5), sm.float16)
    what = call(FakeArray(), 7, half, b"12345678")
    assert what.bindings == (
        ("buffer", 16, 0),
        (b"\7\0\0\0", 4, 1),
        ("buffer", 16, 2),
        (b"12345678", 8, 3),
    )
    assert what.touched_bytes == 8 * 4 + 15 * 2


def test_where_nothing_is_known_numbers_have_their_own_types():
    structure = np.zeros((), [("x", "<f4"), ("y", "<u2")])[()]
    values = (True, 5, 0.5, np.uint8(9), ml_dtypes.bfloat16(1), np.float16(1), structure)
    contents = [item for item, _, _ in call(*values, signature=None).bindings]
    assert contents == [
        b"\1", b"\5\0\0\0", np.float32(0.5).tobytes(), b"\11", b"\x80\x3f", b"\0\x3c", bytes(6)
    ]  # fmt: skip


def test_none_leaves_an_index_free():
    assert [i for _, _, i in call(None, 1, None, 2, signature=None).bindings] == [1, 3]
    half = FakeArray((3, 5), sm.float16)
    assert [i for _, _, i in call(FakeArray(), None, half, b"12345678").bindings] == [0, 2, 3]


def test_gaps_among_the_indices_need_no_none():
    gaps = declared_parameters(
        "kernel void f(device float* a [[buffer(0)]], constant uint& n [[buffer(3)]]) {}"
    )["f"]
    for arguments in ((FakeArray(), 7), (FakeArray(), None, None, 7)):
        assert call(*arguments, signature=gaps).bindings[1] == (b"\7\0\0\0", 4, 3)
    with pytest.raises(LaunchError) as caught:
        call(FakeArray(), None, None, signature=gaps)
    assert str(caught.value) == (
        "kernel 'f': the buffers that it takes are 0: device float* a; 3: constant uint& n; got 3"
        " arguments, missing: n"
    )


@pytest.mark.parametrize(
    ("declared", "value", "content"),
    [
        ("float", 1, np.float32(1).tobytes()),
        ("float", 1e300, np.float32(np.inf).tobytes()),
        ("half", 0.1, np.float16(0.1).tobytes()),
        ("bfloat", 1.0, b"\x80\x3f"),
        ("bool", True, b"\1"),
        ("uchar", 255, b"\xff"),
        ("char", -1, b"\xff"),
        ("ulong", 2**64 - 1, b"\xff" * 8),
        ("long", -(2**63), bytes(7) + b"\x80"),
    ],
)
def test_python_numbers_have_the_declared_type(declared, value, content):
    signature = declared_parameters(f"kernel void f(constant {declared}& x [[buffer(0)]]) {{}}")[
        "f"
    ]
    assert call(value, signature=signature).bindings == ((content, len(content), 0),)


TAKES = (
    "kernel 'f': the buffers that it takes are 0: device float* a; 1: constant uint& n;"
    " 2: device const half* h; 3: constant Params& p; got "
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((FakeArray(),), TAKES + "1 argument, missing: n, h, p"),
        ((FakeArray(), 1, FakeArray(), b"x", 5), TAKES + "5 arguments, it has no buffer 4"),
        ((FakeArray(), None, FakeArray()), TAKES + "3 arguments, missing: p"),
    ],
)
def test_the_number_of_arguments(arguments, message):
    with pytest.raises(LaunchError) as caught:
        call(*arguments)
    assert str(caught.value) == message


FIRST = "kernel 'f': argument 0 (device float* a)"
SECOND = "kernel 'f': argument 1 (constant uint& n)"
THIRD = "kernel 'f': argument 2 (device const half* h)"


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (
            0,
            FakeArray(device=ELSEWHERE),
            (f"{FIRST}: the kernel runs on metal, the array is on cpu; move it with x.to('metal')"),
        ),
        (
            0,
            FakeArray((8,), sm.int32),
            (
                f"{FIRST}: expected elements of float32, got int32; convert"
                " with x.astype('float32'), or declare the pointer for int32"
            ),
        ),
        (
            0,
            FakeArray(readonly=True),
            (
                f"{FIRST}: the array is read-only, and the kernel may write to"
                " it; declare the pointer const, or give it a copy: x.copy()"
            ),
        ),
        (
            0,
            FakeArray((4,), strides=(8,)),
            (
                f"{FIRST}: the array has strides (8,) (bytes) at shape"
                " (4,); Metal passes a pointer and no strides, so it must be contiguous: pass"
                " x.copy(), or the array that it views"
            ),
        ),
        (
            0,
            1.5,
            (
                f"{FIRST} is a float, and the kernel may write there; pass an array,"
                " or declare the pointer const"
            ),
        ),
        (0, np.zeros(3), f"{FIRST} is a NumPy array; move it with sm.array(x, device='metal')"),
        (1, ["1"], f"{SECOND} is a list; expected an array, a number, or bytes"),
        (1, 1.5, f"{SECOND}: expected an integer (uint32), got 1.5"),
        (1, True, f"{SECOND}: expected a uint32, got True"),
        (1, -1, f"{SECOND}: -1 is beyond uint32"),
        (
            1,
            np.int32(1),
            (f"{SECOND}: expected a uint32, got a int32; write np.uint32(...), or a Python number"),
        ),
        (
            1,
            np.complex128(1),
            (
                f"{SECOND}: expected a uint32, got a complex128; write np.uint32(...), or a Python"
                " number"
            ),
        ),
        (1, np.datetime64(1, "s"), f"{SECOND}: dtype datetime64[s] is not supported; supported"),
        (1, b"12", f"{SECOND}: expected the 4 bytes of a uint, got 2"),
        (
            3,
            b"",
            (
                "kernel 'f': argument 3 (constant Params& p): 0 bytes given; Metal copies 1 to 4096"
                " into a launch; pass more as an array"
            ),
        ),
        (
            3,
            bytes(4097),
            (
                "kernel 'f': argument 3 (constant Params& p): 4097 bytes given; Metal"
                " copies 1 to 4096 into a launch; pass more as an array"
            ),
        ),
    ],
)
def test_each_wrong_argument(index, value, message):
    arguments = [FakeArray(), 1, FakeArray((2,), sm.float16), b"x"]
    arguments[index] = value
    with pytest.raises(LaunchError) as caught:
        call(*arguments)
    assert str(caught.value).startswith(message)


def test_what_only_reads_may_have_read_only_arrays():
    assert call(FakeArray(), 1, FakeArray((2,), sm.float16, readonly=True), b"x").bindings
    with pytest.raises(LaunchError, match="the kernel may write to it"):
        call(FakeArray(readonly=True), signature=None)


def test_numbers_beyond_the_types_of_unknown_parameters():
    with pytest.raises(LaunchError) as caught:
        call(2**31, signature=None)
    assert str(caught.value) == (
        "kernel 'f': argument 0: 2147483648 is beyond int32; give a NumPy number of the type that"
        " the kernel has"
    )


def test_more_arguments_than_metal_has_indices():
    with pytest.raises(LaunchError, match="32 arguments given; Metal has 31 buffer indices"):
        call(*range(32), signature=None)


@pytest.mark.parametrize(
    "array",
    [
        FakeArray((1, 8), strides=(999, 4)),
        FakeArray((0, 8), strides=(4, 4)),
        FakeArray((), strides=()),
        FakeArray((2, 3, 4)),
    ],
)
def test_contiguous_arrays(array):
    assert call(array, signature=None).bindings


@pytest.mark.parametrize("strides", [(4, 8), (16, -4), (0, 4)])
def test_arrays_that_are_not_contiguous(strides):
    with pytest.raises(LaunchError, match="must be contiguous"):
        call(FakeArray((2, 4), strides=strides), signature=None)


# --- Threadgroup memory ------------------------------------------------------------------------

SHARED = declared_parameters(
    "kernel void g(threadgroup float* s [[threadgroup(0)]], threadgroup int* t [[threadgroup(2)]])"
    " {}"
)["g"]


def test_lengths_are_rounded_up_and_gaps_filled():
    assert threadgroup_lengths("g", SHARED, {2: 17, 0: np.int64(16)}) == (16, 16, 32)
    assert threadgroup_lengths("g", None, {}) == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {0: 4},
            (
                "kernel 'g' needs the size of threadgroup int* t [[threadgroup(2)]]:"
                " threadgroup_bytes={2: ...}"
            ),
        ),
        (
            {0: 4, 1: 8, 2: 4},
            ("kernel 'g' has no [[threadgroup(1)]], for which threadgroup_bytes gives 8"),
        ),
        (
            {0: 0},
            (
                "kernel 'g': threadgroup_bytes={0: 0}: expected an index and a number of bytes, got"
                " 0: 0"
            ),
        ),
        (
            {0: 1.5},
            (
                "kernel 'g': threadgroup_bytes={0: 1.5}: expected an index and a number of bytes,"
                " got 0: 1.5"
            ),
        ),
    ],
)
def test_wrong_lengths(given, message):
    with pytest.raises(LaunchError) as caught:
        threadgroup_lengths("g", SHARED, given)
    assert str(caught.value) == message

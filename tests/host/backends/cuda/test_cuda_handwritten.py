"""Hand-written CUDA C++: what the source declares, what NVRTC says, and what a launch passes."""

from __future__ import annotations

import struct

import numpy as np
import pytest

import speedmetal as sm
from cuda_machine import DryDriver, dry_device
from nvrtc import NEEDS_NVRTC, needs_nvrtc
from speedmetal.backends.cuda.handwritten.declared import declared_kernels

SOURCE = """
extern "C" __global__ void axpy(const float* __restrict__ x, float a, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += a * x[i];
}

__global__ void __launch_bounds__(128) mirrored(double* x, long long n) {
    extern __shared__ double kept[];
    kept[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = kept[n - 1 - threadIdx.x];
}
"""

# --- What is declared ----------------------------------------------------------------------------

DECLARED = """
#define KERNEL __global__ void not_seen(int)
// __global__ void in_a_comment(int x) {}
template <typename T> __global__ void of_any_type(T* x) { x[0] = 1; }
namespace own { __global__ void hidden(int* x) {} }
__device__ float helper(float x) { return x; }
extern "C" {
__global__ void first(const unsigned char* bytes, float4* vectors, size_t count, bool is_on) {}
}
struct Point { float x, y; };
__global__ void second(Point where, Point const* points, const double (*table)[4], half x = 0) {}
__launch_bounds__(32) __global__ void third(void) {}
__global__ void fourth(unsigned long long n, float2* z, const int* const* lists);
"""


def test_kernels_and_parameters_are_found():
    found = declared_kernels(DECLARED)
    shown = {
        name: [
            (p.name, p.is_pointer, p.is_const, None if p.dtype is None else p.dtype.name)
            for p in parameters
        ]
        for name, parameters in found.items()
        if name != "second"
    }
    assert shown == {
        "first": [
            ("bytes", True, True, "uint8"),
            ("vectors", True, False, "float32"),
            ("count", False, False, "uint64"),
            ("is_on", False, False, "bool_"),
        ],
        "third": [],
        "fourth": [
            ("n", False, False, "uint64"),
            ("z", True, False, "complex64"),
            ("lists", True, True, "int32"),
        ],
    }
    assert [p.text for p in found["second"]][:2] == ["Point where", "Point const* points"]
    assert [p.dtype for p in found["second"]][:2] == [None, None]


# --- What NVRTC says -----------------------------------------------------------------------------


@needs_nvrtc
def test_names_in_the_machine_code():
    cubin, symbols = sm.cuda.compiled(SOURCE, "sm_90", ("axpy", "mirrored"))
    assert symbols == {"axpy": "axpy", "mirrored": "_Z8mirroredPdx"}
    assert cubin.startswith(b"\x7fELF")
    assert all(name.encode() in cubin for name in symbols.values())


@needs_nvrtc
def test_errors_show_lines_and_carets():
    source = "__global__ void f(float* x) {\n    x[0] = unknown + 1;\n    float y = also;\n}\n"
    with pytest.raises(sm.cuda.CudaSourceError) as raised:
        sm.cuda.compiled(source, "sm_90", ("f",), defines={"unused": 1})
    assert str(raised.value) == (
        "2 errors in CUDA source\n\n"
        'source.cu:2:12: error: identifier "unknown" is undefined\n'
        "    2 |     x[0] = unknown + 1;\n"
        "      |            ^^^^^^^\n\n"
        'source.cu:3:15: error: identifier "also" is undefined\n'
        "    3 |     float y = also;\n"
        "      |               ^^^^"
    )


@needs_nvrtc
def test_products_are_contracted_where_that_is_asked_for():
    """As `fma`, of which the safe mode makes none."""
    source = "__global__ void f(float* x) { x[0] = x[1] * x[2] + x[3]; }"
    safe, _ = sm.cuda.compiled(source, "sm_90", ("f",))
    relaxed, _ = sm.cuda.compiled(source, "sm_90", ("f",), "relaxed")
    assert safe != relaxed
    with pytest.raises(sm.UnknownNameError, match="math mode 'exact'"):
        sm.cuda.compiled(source, "sm_90", ("f",), "exact")


@needs_nvrtc
def test_macros_and_options():
    source = "__global__ void f(float* x) { x[0] = VALUE; }"
    sm.cuda.compiled(source, "sm_90", ("f",), defines={"VALUE": 2})
    with pytest.raises(sm.UserInputError, match=r"defines: expected a macro's name"):
        sm.cuda.compiled(source, "sm_90", ("f",), defines={"VALUE": "1\n2"})
    with pytest.raises(sm.cuda.CudaSourceError, match="--no-such-option"):
        sm.cuda.compiled(source, "sm_90", ("f",), options=["--no-such-option"])


# --- Launches ------------------------------------------------------------------------------------


@pytest.fixture
def driver():
    return DryDriver()


@pytest.fixture
def device(driver):
    made = dry_device(driver)
    made.time_limit_seconds = 20
    return made


@pytest.fixture
def library(device):
    return sm.cuda.library(SOURCE, device=device)


def array(device, values, dtype="f4"):
    return sm.array(np.asarray(values, dtype), device=device)


FIRST = ": argument 0 (const float* __restrict__ x)"
WRONG = {
    "too few": (
        lambda x: (x, 1.0, x),
        " takes 4 arguments (const float* __restrict__ x, float a, float* y, int n), got 3",
    ),
    "NumPy's": (
        lambda x: (x.numpy(), 1.0, x, 3),
        f"{FIRST} is a NumPy array; move it with sm.array(x, device='cuda')",
    ),
    "elsewhere": (
        lambda x: (sm.array([1.0], device="cpu"), 1.0, x, 3),
        f"{FIRST}: the kernel runs on cuda, the array is on cpu; move it with x.to('cuda')",
    ),
    "strides": (
        lambda x: (x[::2], 1.0, x, 3),
        (
            f"{FIRST}: the array has strides (8,) (bytes) at shape (2,); CUDA passes a pointer and"
            " no strides, so it must be contiguous: pass x.copy(), or the array that it views"
        ),
    ),
    "read-only": (
        lambda x: (x, 1.0, x.broadcast_to((3,)), 3),
        (
            ": argument 2 (float* y): the array is read-only, and the kernel may write to it;"
            " declare the pointer const, or give it a copy: x.copy()"
        ),
    ),
    "dtype": (
        lambda x: (x, 1.0, x.view(sm.int32), 3),
        (
            ": argument 2 (float* y): expected elements of float32, got int32; convert with"
            " x.astype('float32'), or declare the pointer for int32"
        ),
    ),
    "too large": (
        lambda x: (x, 1.0, x, 2**40),
        ": argument 3 (int n): 1099511627776 does not fit int32",
    ),
    "a fraction": (
        lambda x: (x, 1.0, x, 1.5),
        ": argument 3 (int n): expected a number of int32, got 1.5",
    ),
    "a wide number": (
        lambda x: (x, np.float64(1), x, 3),
        ": argument 1 (float a): expected float32, got float64",
    ),
    "an array": (
        lambda x: (x, x, x, 3),
        ": argument 1 (float a) takes a number, got an array; x.item() is one",
    ),
}


class TestLaunches:
    pytestmark = NEEDS_NVRTC

    def test_each_parameter_gets_its_argument(self, driver, device, library):
        seen = []
        driver.on_launch = lambda launch: seen.append(
            (launch.groups, launch.threads, *(launch.bytes_of(k, 8) for k in range(4)))
        )
        x, y = array(device, [1, 2, 3]), array(device, [4, 5, 6])
        library.function("axpy")(x, 2, y, 3, grid=300, threads=128)
        device.synchronize()
        groups, threads, first, second, third, fourth = seen[0]
        assert (groups, threads) == ((3, 1, 1), (128, 1, 1))
        assert struct.unpack("Q", first) == (x.address,)
        assert struct.unpack("f", second[:4]) == (2.0,)
        assert struct.unpack("Q", third) == (y.address,)
        assert struct.unpack("i", fourth[:4]) == (3,)

    def test_what_waits_to_read_is_computed_before_it_is_written(self, driver, device, library):
        driver.untold = ("copy", "fill")
        x, y = array(device, [1, 2, 3]), array(device, [4, 5, 6])
        before = y * 1.5
        order = []
        driver.on_launch = lambda launch: order.append(launch.entry)
        library.function("axpy")(x, 2.0, y, 3, grid=3)
        assert before.pending is None
        assert order[-1] == "axpy"

    def test_threadgroup_memory(self, driver, device, library):
        seen = []
        driver.on_launch = lambda launch: seen.append(launch.dynamic_bytes)
        function = library.function("mirrored")
        x = array(device, np.arange(8), "f8")
        function(x, 8, groups=1, threads=8, threadgroup_bytes=64)
        device.synchronize()
        assert seen == [64]
        with pytest.raises(sm.LaunchError, match=r"needs 300000 bytes of threadgroup memory"):
            function(x, 8, groups=1, threads=8, threadgroup_bytes=300_000)

    def test_a_graph_has_the_launch(self, driver, device, library):
        x, y = array(device, [1, 2, 3]), array(device, [4, 5, 6])
        function = library.function("axpy")
        addresses = []
        driver.on_launch = lambda launch: addresses.append(launch.bytes_of(2, 8))
        with sm.capture(device) as graph:
            function(x, 2.0, y, 3, grid=3)
        assert addresses == [struct.pack("Q", y.address)]
        runs = []
        driver.graphs = {key: [lambda: runs.append(1)] for key in driver.graphs}
        graph.replay()
        device.synchronize()
        assert runs == [1]

    @pytest.mark.parametrize("name", WRONG)
    def test_wrong_arguments(self, device, library, name):
        arguments, message = WRONG[name]
        with pytest.raises(sm.LaunchError) as raised:
            library.function("axpy")(*arguments(array(device, [1, 2, 3])), grid=3)
        assert str(raised.value) == f"kernel 'axpy'{message}"

    def test_other_devices_and_names(self, library):
        with pytest.raises(sm.UnknownNameError, match="axpi"):
            library.function("axpi")
        with pytest.raises(sm.DeviceError, match="cpu is no NVIDIA GPU; that is cuda"):
            sm.cuda.library(SOURCE, device="cpu")
        assert repr(library) == "<CUDA library on cuda: axpy, mirrored>"

"""Printed CUDA, compiled as C++ and run on the host, one thread after the other.

For kernels whose threads exchange nothing, and whose text needs no machine instruction: what they
load and store, and where, can so be seen without a GPU. Together with the stand-in for the driver
(`cuda_machine`) everything from the launch on is as on the card.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable

from cuda_machine import Launched
from speedmetal.metal_simulator import toolchain

_SHIM = """
typedef unsigned long size_t;
struct uint3 { unsigned int x, y, z; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) double2 { double x, y; };
extern "C" { int taken_together; }
static uint3 threadIdx, blockIdx, blockDim, gridDim;
#define __global__
#define __device__
#define __launch_bounds__(threads)
#define memcpy __builtin_memcpy
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline bool isnan(float a) { return __builtin_isnan(a); }
inline float fabs(float a) { return __builtin_fabsf(a); }
inline double fabs(double a) { return __builtin_fabs(a); }
inline float __int_as_float(int bits) {
    float x;
    __builtin_memcpy(&x, &bits, sizeof(x));
    return x;
}
inline double __longlong_as_double(long long bits) {
    double x;
    __builtin_memcpy(&x, &bits, sizeof(x));
    return x;
}
#define memcpy __builtin_memcpy
inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
"""
_RUN = """
extern "C" size_t size_of_arguments() {{ return sizeof(Arguments); }}

extern "C" void run(const unsigned int* sizes, void** parameters) {{
    gridDim = {{sizes[0], sizes[1], sizes[2]}};
    blockDim = {{sizes[3], sizes[4], sizes[5]}};
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
    for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x)
    for (threadIdx.z = 0; threadIdx.z < blockDim.z; ++threadIdx.z)
    for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)
    for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x)
        {entry}({parameters});
}}
"""
_ENTRY = re.compile(
    r'extern "C" __global__ void __launch_bounds__\(\d+\) (\w+)\(\n(.*?)\) \{', re.DOTALL
)


class HostCode:
    """The kernels that a device was asked to build.

    Attributes:
        texts: Their sources, in the order of building.
        launches: That were asked for.
    """

    def __init__(self) -> None:
        self.launches: list[Launched] = []
        self.texts: list[str] = []
        self._loaded: dict[str, ctypes.CDLL] = {}

    def compile_cubin(self, text: str, _architecture: str) -> bytes:
        """Instead of NVRTC: what the stand-in for the driver takes for machine code."""
        entry, _ = _head(text)
        self.texts.append(text)
        return b"\x7fELF\0" + entry.encode() + b"\0" + str(len(self.texts)).encode()

    def run(self, launch: Launched) -> Callable[[], None]:
        """What a launch does when it runs."""
        self.launches.append(launch)
        code = self._code(self.text_of(launch))
        *arrays, last = range(len(launch.parameters))
        kept = [launch.bytes_of(number, 8) for number in arrays]
        kept.append(launch.bytes_of(last, code.size_of_arguments()))
        buffers = [ctypes.create_string_buffer(content, len(content)) for content in kept]
        pointers = (ctypes.c_void_p * len(buffers))(*map(ctypes.addressof, buffers))
        sizes = (ctypes.c_uint * 6)(*launch.groups, *launch.threads)
        return lambda: (buffers, code.run(sizes, pointers))[1]

    def text_of(self, launch: Launched) -> str:
        """The source of what is launched."""
        return self.texts[int(launch.code.rpartition(b"\0")[2]) - 1]

    def taken_together(self, launch: Launched) -> int:
        """How many threads of such kernels have taken neighbours as a whole, since it was asked."""
        counter = ctypes.c_int.in_dll(self._code(self.text_of(launch)), "taken_together")
        found, counter.value = counter.value, 0
        return found

    def _code(self, text: str) -> ctypes.CDLL:
        if text not in self._loaded:
            entry, parameters = _head(text)
            types = [line.strip().rstrip(",").rpartition(" ")[0] for line in parameters.split("\n")]
            values = [f"*({kind}*)parameters[{number}]" for number, kind in enumerate(types)]
            source = toolchain.scratch_file(".cpp")
            run = _RUN.format(entry=entry, parameters=", ".join(values))
            counted = text.replace("if (is_aligned) {", "if (is_aligned) {\n++taken_together;", 1)
            source.write_text(_SHIM + counted + run)
            flags = ["-std=c++17", "-O1", "-w", "-ffp-contract=off", "-fno-exceptions"]
            flags.append("-ftrivial-auto-var-init=pattern")  # so that what was not set is seen
            library = toolchain.scratch_file(".so")
            library.write_bytes(toolchain.find().compile_shared_library([source], flags))
            self._loaded[text] = ctypes.CDLL(str(library))
        return self._loaded[text]


def _head(text: str) -> tuple[str, str]:
    found = _ENTRY.search(text)
    assert found is not None
    return found[1], found[2]

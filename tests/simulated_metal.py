"""A simulated Mac with a few kernels, for the tests of the simulated API."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from speedmetal.metal_simulator import api

SOURCE = """
#include <metal_stdlib>
using namespace metal;
constant int stride [[function_constant(0)]];
constant bfloat scale [[function_constant(1)]];
struct pair { float first; float second; };

kernel void add(device const float *a [[buffer(0)]], device const float *b [[buffer(1)]],
                device float *c [[buffer(2)]], constant uint &count [[buffer(3)]],
                uint i [[thread_position_in_grid]]) {
  if (i < count) c[i] = a[i] + b[i];
}
kernel void increment(device int *x [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  x[i] += 1;
}
kernel void advance(device int *x [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  x[i] += stride;
}
kernel void enlarge(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  x[i] *= float(scale);
}
kernel void take(device float *x [[buffer(0)]], constant pair *p [[buffer(1)]],
                 uint i [[thread_position_in_grid]]) { x[i] = p[0].first + p[1].second; }
kernel void reverse(device int *x [[buffer(0)]], threadgroup int *memory [[threadgroup(0)]],
                    uint i [[thread_position_in_threadgroup]],
                    uint n [[threads_per_threadgroup]]) {
  memory[i] = x[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  x[i] = memory[n - 1 - i];
}
kernel void stray(device int *x [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  x[i + 100000] = 1;
}
kernel void sized(device int *x [[buffer(0)]], uint n [[threads_per_grid]],
                  uint i [[thread_position_in_grid]]) { if (i == 0) x[0] = int(n); }
[[max_total_threads_per_threadgroup(64)]]
kernel void narrow(device int *x [[buffer(0)]], uint i [[thread_position_in_grid]]) { x[i] = 7; }
"""


class Mac:
    """A simulated Mac, its first device, and shorter ways to what tests need."""

    def __init__(self, **configuration: Any) -> None:
        self.modules = api.modules(api.Configuration(**configuration))
        self.Metal = self.modules.Metal
        self.objc = self.modules.objc
        self.Foundation = self.modules.Foundation
        self.device = self.Metal.MTLCreateSystemDefaultDevice()

    def options(self) -> Any:
        options = self.Metal.MTLCompileOptions.alloc().init()
        options.setFastMathEnabled_(False)
        return options

    def library(self, source: str = SOURCE) -> Any:
        library, error = self.device.newLibraryWithSource_options_error_(
            source, self.options(), None
        )
        assert library is not None, error.localizedDescription()
        return library

    def pipeline(self, function: Any) -> Any:
        state, error = self.device.newComputePipelineStateWithFunction_error_(function, None)
        assert state is not None, error.localizedDescription()
        return state

    def buffer(self, values: Any, options: int = 0) -> SimpleNamespace:
        """A buffer with the bytes of an array, and an array on its memory."""
        array = np.ascontiguousarray(values)
        native = self.device.newBufferWithBytes_length_options_(array, array.nbytes, options)
        view = np.frombuffer(native.contents().as_buffer(array.nbytes), array.dtype)
        return SimpleNamespace(native=native, array=view)

    def error_text(self, source: str) -> str:
        library, error = self.device.newLibraryWithSource_options_error_(source, None, None)
        assert library is None
        assert error.domain() == self.Metal.MTLLibraryErrorDomain
        assert error.code() == self.Metal.MTLLibraryErrorCompileFailure
        return str(error.localizedDescription())


def finish(command_buffer: Any) -> Any:
    """Commit, wait, and give the error."""
    command_buffer.commit()
    command_buffer.waitUntilCompleted()
    return command_buffer.error()

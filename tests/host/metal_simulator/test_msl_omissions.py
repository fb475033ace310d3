"""What the simulator does not run stops no kernel beside it; asking for it is an error."""

from __future__ import annotations

import numpy as np
import pytest

from simulated_metal import Mac
from speedmetal.metal_simulator.language.lint import lint
from speedmetal.metal_simulator.language.program import MslError, compile_source
from speedmetal.metal_simulator.simulate import simulate

TEXT = """#include <metal_stdlib>
using namespace metal;
constexpr sampler around(coord::pixel);
struct Corner { float4 place [[position]]; float2 at; };
struct Arguments { texture2d<float> picture [[id(0)]]; device float* x [[id(1)]]; };
float4 look(texture3d<float> t, float3 at) { return t.sample(around, at); }
float look(float x) { return x + 1; }
vertex Corner corner(uint i [[vertex_id]], constant float4* p [[buffer(0)]]) {
  Corner c; c.place = p[i]; return c;
}
fragment float4 color(Corner c [[stage_in]], texture3d<float> t [[texture(0)]]) {
  return look(t, float3(c.at, 0));
}
[[mesh]] void meshes(uint i [[thread_index_in_threadgroup]]) {}
kernel void blur(texture3d<float> t [[texture(0)]], device float* o [[buffer(0)]]) {
#pragma unroll
  for (int i = 0; i < 3; ++i) o[i] = t.read(uint3(i)).x;
}
kernel void argument_buffer(constant Arguments& a [[buffer(0)]]) { a.x[0] = 1; }
float through(constant Arguments& a) { return a.x[0]; }
kernel void deep(constant Arguments& a [[buffer(0)]], device float* o [[buffer(1)]]) {
  o[0] = through(a);
}
void over() { through(nullptr); }
kernel void far(device float* o [[buffer(0)]]) { over(); }
kernel void stages(Corner c [[stage_in]], device float* o [[buffer(0)]]) { o[0] = c.at.x; }
template <typename T> kernel void reads(texture3d<T> t [[texture(0)]], device T* o [[buffer(0)]]) {
  threadgroup T part[2]; part[0] = t.read(uint3(0)).x; o[0] = part[0];
}
template [[host_name("reads_float")]] kernel decltype(reads<float>) reads<float>;
kernel void traces(raytracing::instance_acceleration_structure s [[buffer(0)]],
                   device float* o [[buffer(1)]]) { o[0] = 1; }
kernel void multiplies(tensor<device float, dextents<int, 2>> t [[buffer(0)]]) {
  mpp::tensor_ops::matmul2d<1> m;
}
kernel void plain(device float* around [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  around[i] = look(around[i]);
}
"""
OTHER_TEXTURES = "needs textures other than texture2d, which the simulator does not know"
REASONS = {
    "corner": (8, 15, "is a vertex function; the simulator runs compute kernels alone"),
    "color": (11, 17, "is a fragment function; the simulator runs compute kernels alone"),
    "meshes": (14, 15, "is a mesh function; the simulator runs compute kernels alone"),
    "blur": (15, 13, OTHER_TEXTURES),
    "argument_buffer": (
        19,
        13,
        (
            "needs Arguments, which needs textures in argument buffers, which the simulator "
            "does not know"
        ),
    ),
    "deep": (
        21,
        13,
        (
            "needs Arguments, which needs textures in argument buffers, which the simulator "
            "does not know"
        ),
    ),
    "far": (
        25,
        13,
        (
            "needs over, which needs through, which needs Arguments, which needs textures in "
            "argument buffers, which the simulator does not know"
        ),
    ),
    "stages": (26, 13, "gets [[stage_in]], which the simulator does not know"),
    "reads_float": (27, 35, OTHER_TEXTURES),
    "traces": (31, 13, "needs ray tracing, which the simulator does not know"),
    "multiplies": (
        33,
        13,
        "needs tensors, which the simulator does not know",
    ),
}


def test_a_kernel_beside_them_runs():
    x = np.arange(4, dtype=np.float32)
    simulate(TEXT).function("plain")(x, grid=4)
    assert x.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("name", REASONS)
def test_asking_for_one_says_why_there_is_none(name):
    with pytest.raises(MslError) as caught:
        simulate(TEXT).function(name)(np.zeros(4, np.float32), grid=4)
    line, column, reason = REASONS[name]
    (found,) = caught.value.diagnostics
    assert (found.line, found.column, found.message) == (line, column, f"{name} {reason}")


def test_all_functions_are_listed_with_their_stages():
    functions = compile_source(TEXT).functions
    assert list(functions) == [*REASONS, "plain"]
    stages = {"corner": "vertex", "color": "fragment", "meshes": "mesh"}
    assert {n: f.stage for n, f in functions.items() if f.stage != "kernel"} == stages


def test_lint_warns_that_they_are_not_checked():
    found = lint(TEXT)
    assert {diagnostic.severity for diagnostic in found} == {"warning"}
    messages = [diagnostic.message for diagnostic in found]
    assert messages[0] == f"not checked: look {OTHER_TEXTURES}"
    about_kernels = [m for m in messages if m.startswith("not checked: blur")]
    assert about_kernels == [f"not checked: blur {OTHER_TEXTURES}"]
    assert not any("plain" in message for message in messages)


def test_names_of_ones_own_are_no_textures():
    source = """#include <metal_stdlib>
    using namespace metal;
    struct ray { float3 from; };
    struct intersector { float at(ray r) { return r.from.x; } };
    kernel void k(device float* vertices [[buffer(0)]]) {
        int sampler = 3;
        ray r; r.from = float3(2);
        intersector fragment_of;
        vertices[0] = fragment_of.at(r) + sampler;
    }
    """
    x = np.zeros(1, np.float32)
    simulate(source).function("k")(x, grid=1)
    assert x[0] == 5
    assert lint(source) == ()


def test_the_api_lists_them_and_makes_no_pipeline():
    mac = Mac()
    library, error = mac.device.newLibraryWithSource_options_error_(TEXT, mac.options(), None)
    assert error is None
    assert list(library.functionNames()) == [*REASONS, "plain"]
    corner = library.newFunctionWithName_("corner")
    assert corner.functionType() == mac.Metal.MTLFunctionTypeVertex
    blur = library.newFunctionWithName_("blur")
    assert blur.functionType() == mac.Metal.MTLFunctionTypeKernel
    state, error = mac.device.newComputePipelineStateWithFunction_error_(blur, None)
    assert state is None
    assert (
        "blur needs textures other than texture2d, which the simulator does not know"
        in error.localizedDescription()
    )

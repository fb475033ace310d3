"""Wrong Metal: kernels and building."""

from __future__ import annotations

from wrong_fault import FLOATS, HEADER, Launch, fault, kernel

fault(
    "parameter without an attribute",
    "attribute",
    kernel("o[0] = n;", "device float* o [[buffer(0)]], int n"),
    kernel("o[0] = n;", "device float* o [[buffer(0)]], constant int& n [[buffer(1)]]"),
)
fault(
    "value in a buffer",
    "n",
    kernel("o[0] = n;", "device float* o [[buffer(0)]], int n [[buffer(1)]]"),
    kernel("o[0] = n;", "device float* o [[buffer(0)]], constant int& n [[buffer(1)]]"),
)
fault(
    "buffer index too great",
    "31",
    kernel("o[0] = 1;", "device float* o [[buffer(31)]]"),
    kernel("o[0] = 1;", "device float* o [[buffer(30)]]"),
)
fault(
    "buffer index twice",
    "buffer",
    kernel("o[0] = p[0];", "device float* o [[buffer(0)]], device float* p [[buffer(0)]]"),
    kernel("o[0] = p[0];", "device float* o [[buffer(0)]], device float* p [[buffer(1)]]"),
)
fault(
    "threadgroup index twice",
    "threadgroup",
    kernel(
        "s[i] = 1; t[i] = 2; o[i] = s[i];",
        FLOATS
        + ", threadgroup float* s [[threadgroup(0)]], threadgroup float* t [[threadgroup(0)]]",
    ),
    kernel(
        "s[i] = 1; t[i] = 2; o[i] = s[i];",
        FLOATS
        + ", threadgroup float* s [[threadgroup(0)]], threadgroup float* t [[threadgroup(1)]]",
    ),
    launch=Launch(threadgroup_bytes={0: 256, 1: 256}),
)
fault(
    "attribute that is not there",
    "thread_position_in_gird",
    kernel("o[i] = 1;", FLOATS.replace("grid", "gird")),
    kernel("o[i] = 1;"),
)
fault(
    "kernel that returns a value",
    "void",
    HEADER + "kernel int k(device float* o [[buffer(0)]]) { return 1; }\n",
    HEADER + "kernel void k(device float* o [[buffer(0)]]) { o[0] = 1; }\n",
)
fault(
    "kernel that calls a kernel",
    "kernel",
    HEADER + "kernel void other(device float* o [[buffer(0)]]) { o[0] = 1; }\n"
    "kernel void k(device float* o [[buffer(0)]]) { other(o); }\n",
    HEADER + "inline void other(device float* o) { o[0] = 1; }\n"
    "kernel void k(device float* o [[buffer(0)]]) { other(o); }\n",
)
fault(
    "threadgroup variable of a helper",
    "threadgroup",
    kernel("f(); o[i] = 1;", before="inline void f() { threadgroup float t[3]; t[0] = 1; }"),
    kernel(
        "threadgroup float t[3]; f(t); o[i] = 1;",
        before="inline void f(threadgroup float* t) { t[0] = 1; }",
    ),
)
fault(
    "threadgroup variable of the program",
    "threadgroup",
    kernel("t[i] = 1; o[i] = t[i];", before="threadgroup float t[64];"),
    kernel("threadgroup float t[64]; t[i] = 1; o[i] = t[i];"),
)
fault(
    "more than 32 KiB of threadgroup memory",
    "32",
    "threadgroup float t[8193]; t[i] = 1; o[i] = t[i];",
    "threadgroup float t[8192]; t[i] = 1; o[i] = t[i];",
)
fault(
    "more than 32 KiB in two variables",
    "32",
    "threadgroup float s[5000]; threadgroup float t[5000]; s[i] = t[i] = 1; o[i] = s[i];",
    "threadgroup float s[3000]; threadgroup float t[3000]; s[i] = t[i] = 1; o[i] = s[i];",
)
fault(
    "texture written without access to it",
    "access::write",
    kernel("t.write(o[i], uint2(i, 0));", FLOATS + ", texture2d<float> t [[texture(0)]]"),
)
fault(
    "function constant that is no constant",
    "constant",
    kernel("o[i] = R;", before="const int R [[function_constant(0)]];"),
    kernel("o[i] = R;", before="constant int R [[function_constant(0)]];"),
    launch=Launch(constants={0: 3}),
)
fault(
    "instance of a template that is not there",
    "copy",
    HEADER
    + 'template [[host_name("copy_float")]] [[kernel]] decltype(copy<float>) copy<float>;\n'
    + kernel("o[i] = 1;")[len(HEADER) :],
)


# --- Building -------------------------------------------------------------------------------------

fault(
    "function constant without a value",
    "R",
    kernel("o[i] = R;", before="constant int R [[function_constant(0)]];"),
    kernel(
        "o[i] = S;",
        before="constant int R [[function_constant(0)]];\n"
        "constant int S = is_function_constant_defined(R) ? R : 5;",
    ),
    "compile",
)
fault(
    "bfloat in language 3.0",
    "bfloat",
    "bfloat b = bfloat(o[i]); o[i] = float(b);",
    "half b = half(o[i]); o[i] = float(b);",
    language_version=(3, 0),
)

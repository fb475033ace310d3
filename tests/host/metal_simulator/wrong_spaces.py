"""Wrong Metal: address spaces."""

from __future__ import annotations

from wrong_fault import FLOATS, WITH_C, WITH_N, fault, kernel

fault(
    "kernel pointer without an address space",
    "where its memory is",
    kernel("o[i] = 1;", FLOATS.replace("device ", "")),
    kernel("o[i] = 1;"),
)
fault(
    "local pointer without an address space",
    "where its memory is",
    "float* p = o; p[i] = 1;",
    "device float* p = o; p[i] = 1;",
)
fault(
    "helper's pointer without an address space",
    "where its memory is",
    kernel("set(o); o[i] = 1;", before="inline void set(float* p) { p[0] = 1; }"),
    kernel("float t; set(&t); o[i] = t;", before="inline void set(thread float* p) { p[0] = 1; }"),
)
fault(
    "helper's reference without an address space",
    "where its memory is",
    kernel("float t; set(t); o[i] = t;", before="inline void set(float& p) { p = 1; }"),
    kernel("float t; set(t); o[i] = t;", before="inline void set(thread float& p) { p = 1; }"),
)
fault(
    "returned pointer without an address space",
    "where its memory is",
    kernel(
        "o[i] = *at(o, i);", before="inline float* at(device float* p, uint i) { return p + i; }"
    ),
    kernel(
        "o[i] = *at(o, i);",
        before="inline device float* at(device float* p, uint i) { return p + i; }",
    ),
)
fault(
    "member pointer without an address space",
    "where its memory is",
    kernel("View v; v.p = o; v.p[i] = 1;", before="struct View { float* p; };"),
    kernel("View v; v.p = o; v.p[i] = 1;", before="struct View { device float* p; };"),
)
fault(
    "threadgroup helper given a device pointer",
    "set",
    kernel("set(o);", before="inline void set(threadgroup float* p) { p[0] = 1; }"),
    kernel(
        "threadgroup float t[1]; set(t); o[i] = 1;",
        before="inline void set(threadgroup float* p) { p[0] = 1; }",
    ),
)
fault(
    "thread reference to an element of device memory",
    "set",
    kernel("set(o[i]);", before="inline void set(thread float& p) { p = 1; }"),
    kernel("set(o[i]);", before="inline void set(device float& p) { p = 1; }"),
)
fault(
    "thread reference to an element of threadgroup memory",
    "set",
    kernel(
        "threadgroup float t[64]; set(t[i]); o[i] = t[i];",
        before="inline void set(thread float& p) { p = 1; }",
    ),
    kernel(
        "threadgroup float t[64]; set(t[i]); o[i] = t[i];",
        before="inline void set(threadgroup float& p) { p = 1; }",
    ),
)
fault(
    "device helper given a constant pointer",
    "get",
    kernel("o[i] = get(c);", WITH_C, "inline float get(device const float* p) { return p[0]; }"),
    kernel("o[i] = get(c);", WITH_C, "inline float get(constant float* p) { return p[0]; }"),
)
fault(
    "constant helper given a device pointer",
    "get",
    kernel("o[i] = get(o);", before="inline float get(constant float* p) { return p[0]; }"),
    kernel("o[i] = get(o);", before="inline float get(const device float* p) { return p[0]; }"),
)
fault(
    "cast from device to threadgroup",
    "address space",
    "threadgroup float* p = (threadgroup float*)o; p[0] = 1;",
    "device uint* p = (device uint*)o; p[i] = 1;",
)
fault(
    "device pointer to threadgroup memory",
    "device float",
    "threadgroup float t[64]; device float* p = t; p[i] = 1; o[i] = t[i];",
    "threadgroup float t[64]; threadgroup float* p = t; p[i] = 1; o[i] = t[i];",
)
fault(
    "thread pointer to device memory",
    "thread float",
    "thread float* p = &o[i]; *p = 1;",
    "float own = 1; thread float* p = &own; o[i] = *p;",
)
fault(
    "kernel pointer to thread memory",
    "thread",
    kernel("o[i] = 1;", FLOATS.replace("device", "thread")),
    kernel("o[i] = 1;"),
)
fault(
    "buffer in threadgroup memory",
    "threadgroup",
    kernel("o[i] = 1;", FLOATS.replace("device", "threadgroup")),
)
fault(
    "write to a constant reference",
    "read-only",
    kernel("n = 3; o[i] = n;", WITH_N),
    kernel("uint m = n; m = 3; o[i] = m;", WITH_N),
)
fault(
    "write through a constant pointer",
    "read-only",
    kernel("c[i] = 3; o[i] = c[i];", WITH_C),
    kernel("o[i] = c[i];", WITH_C),
)
fault(
    "write through a const pointer",
    "read-only",
    kernel("o[i] = 3;", FLOATS.replace("device", "device const")),
    kernel("o[i] = 3;"),
)
fault(
    "table of the program without constant",
    "constant",
    kernel("o[i] = table[i & 1];", before="const float table[2] = {1, 2};"),
    kernel("o[i] = table[i & 1];", before="constant float table[2] = {1, 2};"),
)
fault("variable of the program", "constant", kernel("g = 1; o[i] = g;", before="float g;"))
fault(
    "variable of the program in device memory",
    "constant",
    kernel("g = 1; o[i] = g;", before="device float g;"),
)
fault(
    "static variable of a function",
    "static",
    "static int n = 0; o[i] = n++;",
    "int n = 0; o[i] = n++;",
)
fault("thread_local variable", "thread_local", "thread_local int n = 0; o[i] = n;")

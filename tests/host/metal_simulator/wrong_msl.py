"""Small Metal kernels with one fault each, who must find it, and the same kernels put right.

Stages: "lint" (the text, with real address spaces), "compile" (the building of a program), "run" (an
error while threads run, or a launch that is refused) and "race" (the build that looks for accesses
which no barrier orders). `word` is in the message.
"""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Stage = Literal["lint", "compile", "run", "race"]
HEADER = "#include <metal_stdlib>\nusing namespace metal;\n"
FLOATS = "device float* o [[buffer(0)]], uint i [[thread_position_in_grid]]"
WITH_C = (
    "device float* o [[buffer(0)]], constant float* c [[buffer(1)]], "
    "uint i [[thread_position_in_grid]]"
)
WITH_N = (
    "device float* o [[buffer(0)]], constant uint& n [[buffer(1)]], "
    "uint i [[thread_position_in_grid]]"
)
INTS = "device atomic_int* a [[buffer(0)]], uint i [[thread_position_in_grid]]"
ATOMIC_FLOATS = "device atomic_float* a [[buffer(0)]], uint i [[thread_position_in_grid]]"


def kernel(body: str, parameters: str = FLOATS, before: str = "", header: str = HEADER) -> str:
    return f"{header}{before}\nkernel void k({parameters}) {{\n  {body}\n}}\n"


@dataclass(frozen=True)
class Launch:
    """How a snippet is launched.

    Args:
        arguments: By buffer index; none: a zeroed array of 4096 bytes for each index in the text.
        settings: For `simulate`.
    """

    arguments: tuple[Any, ...] = ()
    grid: Any = 64
    threads: Any = 64
    threadgroup_bytes: Mapping[int, int] = field(default_factory=dict)
    constants: Mapping[int | str, object] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """A fault.

    Args:
        name: What is wrong.
        stage: Who must find it.
        word: What the message says, any letter case.
        wrong: The faulty text.
        right: The text put right; empty: none is given.
        launch: How both are launched.
        right_launch: How the right text is launched, where the launch is the fault.
        language_version: Of both.
    """

    name: str
    stage: Stage
    word: str
    wrong: str
    right: str = ""
    launch: Launch = Launch()
    right_launch: Launch | None = None
    language_version: tuple[int, int] = (3, 1)


FAULTS: list[Fault] = []


def fault(
    name: str, word: str, wrong: str, right: str = "", stage: Stage = "lint", **fields: Any
) -> None:
    """Adds a fault; a text that is no whole program is the body of a kernel."""
    shape = {key: fields.pop(key) for key in ("parameters", "before") if key in fields}
    wrong, right = (
        text if not text or "kernel" in text or "#include" in text else kernel(text, **shape)
        for text in (wrong, right)
    )
    FAULTS.append(Fault(name, stage, word, wrong, right, **fields))


# --- Types ---------------------------------------------------------------------------------------

fault("double variable", "double", "double d = 1; o[i] = float(d);", "float d = 1; o[i] = d;")
fault(
    "double parameter",
    "double",
    kernel("o[i] = float(c[0]);", WITH_C.replace("constant float", "constant double")),
    kernel("o[i] = c[0];", WITH_C),
)
fault("long double", "double", "long double d = 1; o[i] = float(d);")
fault("64-bit simd_sum", "simd_sum", "o[i] = simd_sum(long(i));", "o[i] = simd_sum(int(i));")
fault("simd_sum of bool", "simd_sum", "o[i] = simd_sum(i == 1);", "o[i] = simd_sum(uint(i == 1));")
fault(
    "shuffle of bool",
    "simd_shuffle",
    "o[i] = simd_shuffle_xor(i == 1, 1);",
    "o[i] = simd_shuffle_xor(uint(i == 1), 1);",
)
fault("bitwise collective of floats", "simd_and", "o[i] = simd_and(o[i]);", "o[i] = simd_and(i);")
fault(
    "bfloat from float",
    "bfloat",
    "bfloat b = o[i]; o[i] = float(b);",
    "bfloat b = bfloat(o[i]); o[i] = float(b);",
)
fault(
    "half from bfloat",
    "bfloat",
    "bfloat b = bfloat(1.0f); half h = b; o[i] = h;",
    "bfloat b = bfloat(1.0f); half h = half(float(b)); o[i] = h;",
)
fault("max of int and uint", "max", "o[i] = max(1, i);", "o[i] = max(1u, i);")
fault("clamp of uint by ints", "clamp", "o[i] = clamp(i, 0, 7);", "o[i] = clamp(i, 0u, 7u);")
fault(
    "pow of half and float",
    "pow",
    "half h = half(o[i]); o[i] = pow(h, 2.0f);",
    "half h = half(o[i]); o[i] = pow(float(h), 2) + pow(h, 2.0h);",
)
fault("sqrt of uint", "sqrt", "o[i] = sqrt(i);", "o[i] = sqrt(float(i));")
fault(
    "narrowing in braces",
    "narrow",
    "int a{o[i]}; o[i] = a;",
    "int a{int(o[i])}; o[i] = a;",
)
fault(
    "narrowing in a vector's braces",
    "narrow",
    "uint u = i * 3; half2 h = {u, u}; o[i] = h.x;",
    "uint u = i * 3; half2 h = {half(u), half(u)}; o[i] = h.x;",
)
fault(
    "vector from another by assignment",
    "cannot initialize",
    "int4 q = int4(1); float4 v = q; o[i] = v.x;",
    "int4 q = int4(1); float4 v = float4(q); o[i] = v.x;",
)
fault(
    "too few components",
    "components",
    "float3 v = float3(1, 2); o[i] = v.x;",
    "float3 v = float3(1, 2, 3); o[i] = v.x;",
)
fault(
    "too many components",
    "components",
    "float2 v = float2(float2(1, 2), 3); o[i] = v.x;",
    "float3 v = float3(float2(1, 2), 3); o[i] = v.x;",
)
fault(
    "component that is not there",
    "component",
    "float2 v = float2(1, 2); o[i] = v.z;",
    "float2 v = float2(1, 2); o[i] = v.y;",
)
fault(
    "components of two sets",
    "component",
    "float4 v = float4(1); o[i] = v.xg.x;",
    "float4 v = float4(1); o[i] = v.xy.x;",
)
fault(
    "component written twice",
    "duplicate",
    "float4 v = float4(1); v.xx = float2(2, 3); o[i] = v.x;",
    "float4 v = float4(1); v.xy = float2(2, 3); o[i] = v.x;",
)
fault(
    "vector as a condition",
    "bool",
    "float4 v = float4(o[i]); if (v == float4(0)) o[i] = 1;",
    "float4 v = float4(o[i]); if (all(v == float4(0))) o[i] = 1;",
)
fault(
    "dot of unlike vectors",
    "dot",
    "o[i] = dot(float3(1), float4(1));",
    "o[i] = dot(float3(1), float4(1).xyz);",
)
fault(
    "as_type of another size",
    "same size",
    "o[i] = as_type<float>(ushort(1));",
    "o[i] = as_type<float>(ushort2(1, 2));",
)
fault("remainder of floats", "invalid operands", "o[i] = o[i] % 2.0f;", "o[i] = fmod(o[i], 2.0f);")
fault("vector of eight", "float8", "float8 v = 1; o[i] = v.s0;", "float4 v = 1; o[i] = v.x;")
fault(
    "matrix of a simdgroup that is not 8 by 8",
    "8",
    "simdgroup_matrix<float, 4, 4> m; o[i] = 1;",
    "simdgroup_matrix<float, 8, 8> m(1.0f); simdgroup_store(m, o);",
)
fault(
    "position of a signed type",
    "thread_position_in_grid",
    kernel("o[i] = 1;", FLOATS.replace("uint i", "int i")),
    kernel("o[i] = 1;"),
)
fault(
    "position of a float type",
    "thread_position_in_grid",
    kernel("o[uint(i)] = 1;", FLOATS.replace("uint i", "float i")),
)
fault(
    "vector for an index that has one axis",
    "thread_index_in_simdgroup",
    kernel("o[i.x] = 1;", "device float* o [[buffer(0)]], uint2 i [[thread_index_in_simdgroup]]"),
    kernel("o[i] = 1;", "device float* o [[buffer(0)]], uint i [[thread_index_in_simdgroup]]"),
)

# --- Address spaces ------------------------------------------------------------------------------

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

# --- The language --------------------------------------------------------------------------------

HELPER = "inline int f(int n) { return n; }"
fault(
    "function pointer",
    "pointer",
    kernel("int (*p)(int) = f; o[i] = p(1);", before=HELPER),
    kernel("o[i] = f(1);", before=HELPER),
)
fault(
    "recursion",
    "recurs",
    kernel("o[i] = f(3);", before="inline int f(int n) { return n ? f(n - 1) + 1 : 0; }"),
    kernel(
        "o[i] = f(3);",
        before="inline int f(int n) { int s = 0; while (n) { n--; s++; } return s; }",
    ),
)
fault(
    "recursion through another function",
    "recurs",
    kernel(
        "o[i] = f(3);",
        before="int g(int n);\nint f(int n) { return n ? g(n - 1) : 0; }\n"
        "int g(int n) { return f(n) + 1; }",
    ),
    kernel(
        "o[i] = f(3);",
        before="int g(int n);\nint f(int n) { return g(n - 1); }\nint g(int n) { return n + 1; }",
    ),
)
fault(
    "virtual function",
    "virtual",
    kernel("o[i] = 1;", before="struct S { virtual int f() { return 1; } };"),
    kernel("S s; o[i] = s.f();", before="struct S { int f() { return 1; } };"),
)
fault(
    "goto", "goto", "if (i == 3) goto end; o[i] = 1; end: return;", "if (i == 3) return; o[i] = 1;"
)
fault("new", "memory to allocate", "int* p = new int; o[i] = *p;")
fault("delete", "memory to allocate", "device float* p = o; delete p;")
fault("throw", "exceptions", "if (i == 9) throw 1; o[i] = 1;")
fault("try", "exceptions", "try { o[i] = 1; } catch (...) { o[i] = 2; }")
fault("assembler", "assembly", 'asm("nop"); o[i] = 1;')
fault(
    "lambda",
    "lambda",
    "auto f = [](float x) { return x; }; o[i] = f(1);",
)
fault("typeid", "typeid", "o[i] = typeid(float) == typeid(int);")
fault(
    "dynamic_cast",
    "dynamic_cast",
    kernel(
        "S s; thread S* p = dynamic_cast<thread S*>(&s); o[i] = p->x;",
        before="struct S { int x = 1; };",
    ),
)
fault(
    "function with any number of arguments",
    "variadic",
    kernel("o[i] = f(1, 2);", before="int f(int n, ...) { return n; }"),
)
fault(
    "array of a length known at run time",
    "array",
    kernel(
        "float t[n]; t[0] = 1; o[i] = t[0];",
        WITH_N.replace("constant uint& n", "constant uint& m").replace(
            "[[buffer(1)]],", "[[buffer(1)]],"
        ),
    ).replace("float t[n]", "float t[m]"),
    kernel("float t[8]; t[0] = n; o[i] = t[0];", WITH_N),
)
fault(
    "restrict",
    "expected",
    kernel("o[i] = 1;", FLOATS.replace("float* o", "float* restrict o")),
)
fault(
    "variable with a keyword's name",
    "vertex",
    "int vertex = 1; o[i] = vertex;",
    "int corner = 1; o[i] = corner;",
)
fault("name that is not there", "amount", "o[i] = amount;")
fault("missing semicolon", ";", "o[i] = 1", "o[i] = 1;")
fault("missing brace", "}", HEADER + "kernel void k(" + FLOATS + ") { if (i) { o[i] = 1; }\n")
fault("name of std", "C++ library", "o[i] = std::sin(o[i]);", "o[i] = metal::sin(o[i]);")
fault("header of C++", "cmath", "#include <cmath>\n" + kernel("o[i] = 1;"), kernel("o[i] = 1;"))
fault(
    "header of C",
    "stdint.h",
    "#include <stdint.h>\n" + kernel("o[i] = int32_t(1);"),
    kernel("o[i] = int32_t(1);"),
)
fault("function of C's library: erf", "erf", "o[i] = erf(o[i]);")
fault("function of C's library: expf", "expf", "o[i] = expf(o[i]);", "o[i] = exp(o[i]);")
fault("function of C's library: cbrt", "cbrt", "o[i] = cbrt(o[i]);")
fault("function of C's library: memcpy", "memcpy", "float t; memcpy(&t, o, 4); o[i] = t;")
fault("function of C's library: malloc", "malloc", "o[i] = malloc(4) != nullptr;")
fault("function of C's library: printf", "printf", 'printf("%d", i); o[i] = 1;')
fault("assert", "assert", "assert(i < 99); o[i] = 1;")
fault(
    "no header",
    "simd_sum",
    kernel("o[i] = simd_sum(o[i]);", header=""),
    kernel("o[i] = simd_sum(o[i]);"),
)
fault(
    "no namespace",
    "simd_sum",
    kernel("o[i] = simd_sum(o[i]);", header="#include <metal_stdlib>\n"),
    kernel("o[i] = metal::simd_sum(o[i]);", header="#include <metal_stdlib>\n"),
)
fault("name of CUDA: threadIdx", "threadIdx", "o[threadIdx.x] = 1;", "o[i] = 1;")
fault("name of CUDA: __syncthreads", "__syncthreads", "o[i] = 1; __syncthreads();")
fault("name of CUDA: __shared__", "__shared__", "__shared__ float t[64]; t[i] = 1; o[i] = t[i];")
fault("name of OpenCL: get_global_id", "get_global_id", "o[get_global_id(0)] = 1;", "o[i] = 1;")
fault("name of OpenCL: barrier", "barrier", "barrier(1); o[i] = 1;")
fault(
    "name of OpenCL: __global",
    "__global",
    kernel("o[i] = 1;", FLOATS.replace("device", "__global")),
)
fault(
    "name of OpenCL: convert_float4",
    "convert_float4",
    "o[i] = convert_float4(int4(1)).x;",
    "o[i] = float4(int4(1)).x;",
)
fault(
    "name of OpenCL: native_sin",
    "native_sin",
    "o[i] = native_sin(o[i]);",
    "o[i] = fast::sin(o[i]);",
)
fault(
    "barrier without flags",
    "threadgroup_barrier",
    "threadgroup_barrier(); o[i] = 1;",
    "threadgroup_barrier(mem_flags::mem_threadgroup); o[i] = 1;",
)
fault(
    "flags without their enumeration",
    "mem_threadgroup",
    "threadgroup_barrier(mem_threadgroup); o[i] = 1;",
    "threadgroup_barrier(mem_flags::mem_none); o[i] = 1;",
)
fault("error directive", "too small", "#if 1\n#error too small\n#endif\n" + kernel("o[i] = 1;"))

# --- Atomics -------------------------------------------------------------------------------------

fault(
    "atomic operation on a plain integer",
    "atomic_fetch_add_explicit",
    kernel(
        "atomic_fetch_add_explicit(a + i, 1, memory_order_relaxed);",
        INTS.replace("atomic_int", "int"),
    ),
    kernel("atomic_fetch_add_explicit(a + i, 1, memory_order_relaxed);", INTS),
)
fault(
    "greatest of atomic floats",
    "atomic_fetch_max_explicit",
    kernel("atomic_fetch_max_explicit(a, 1.0f, memory_order_relaxed);", ATOMIC_FLOATS),
    kernel("atomic_fetch_max_explicit(a, 1, memory_order_relaxed);", INTS),
)
fault(
    "atomic float in threadgroup memory",
    "atomic_float",
    "threadgroup atomic_float t; atomic_fetch_add_explicit(&t, 1.0f, memory_order_relaxed); o[i] = 1;",
    kernel("atomic_fetch_add_explicit(a, 1.0f, memory_order_relaxed);", ATOMIC_FLOATS),
)
fault(
    "increment of an atomic",
    "atomic_int",
    kernel("a[0]++;", INTS),
    kernel("atomic_fetch_add_explicit(&a[0], 1, memory_order_relaxed);", INTS),
)
fault(
    "assignment to an atomic",
    "=",
    kernel("a[i] = 1;", INTS),
    kernel("atomic_store_explicit(&a[i], 1, memory_order_relaxed);", INTS),
)
fault(
    "reading of an atomic",
    "atomic_int",
    kernel("int x = a[i]; atomic_store_explicit(&a[i], x, memory_order_relaxed);", INTS),
    kernel(
        "int x = atomic_load_explicit(&a[i], memory_order_relaxed);"
        "atomic_store_explicit(&a[i], x, memory_order_relaxed);",
        INTS,
    ),
)
fault(
    "order that is not relaxed",
    "memory_order_relaxed",
    kernel("atomic_load_explicit(a, memory_order_acquire);", INTS),
    kernel("atomic_load_explicit(a, memory_order_relaxed);", INTS),
)
fault(
    "atomic without an order",
    "atomic_fetch_add",
    kernel("atomic_fetch_add(a, 1);", INTS),
)
fault(
    "sum of 64-bit atomics",
    "atomic_fetch_add_explicit",
    kernel(
        "atomic_fetch_add_explicit(a, 1ul, memory_order_relaxed);",
        INTS.replace("atomic_int", "atomic_ulong"),
    ),
)
fault(
    "atomic of a thread's own",
    "atomic",
    "atomic_int t; atomic_store_explicit(&t, 1, memory_order_relaxed); o[i] = 1;",
    "threadgroup atomic_int t; atomic_store_explicit(&t, 1, memory_order_relaxed); o[i] = 1;",
)

# --- Kernels -------------------------------------------------------------------------------------

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
    "texture",
    "texture",
    kernel("o[i] = t.read(uint2(i, 0)).x;", FLOATS + ", texture2d<float> t [[texture(0)]]"),
)
fault(
    "sampler",
    "sampler",
    kernel("o[i] = 1;", FLOATS + ", sampler s [[sampler(0)]]"),
)
fault(
    "function of another stage",
    "vertex",
    HEADER
    + "vertex float4 v(uint i [[vertex_id]]) { return float4(i); }\n"
    + kernel("o[i] = 1;")[len(HEADER) :],
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

# --- Building ------------------------------------------------------------------------------------

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

# --- Runs ----------------------------------------------------------------------------------------

TWO = (np.zeros(64, np.float32), np.zeros(64, np.float32))
PAIR = kernel(
    "o[i] = p[i];",
    "device float* o [[buffer(0)]], device const float* p [[buffer(1)]], "
    "uint i [[thread_position_in_grid]]",
)
fault(
    "read after a buffer",
    "buffer 1",
    PAIR.replace("p[i]", "p[i + 1]"),
    PAIR,
    "run",
    launch=Launch(TWO),
)
fault(
    "write after a buffer", "buffer 0", "o[i + 64] = 1;", "o[i] = 1;", "run", launch=Launch(TWO[:1])
)
fault(
    "write before a buffer",
    "buffer 0",
    "o[int(i) - 5000] = 1;",
    "o[i] = 1;",
    "run",
    launch=Launch(TWO[:1]),
)
fault(
    "last thread without a test",
    "buffer 0",
    "o[i] = 1;",
    "if (i < 64) o[i] = 1;",
    "run",
    launch=Launch(TWO[:1], grid=65),
)
fault(
    "write after an array in threadgroup memory",
    "threadgroup",
    "threadgroup float t[64]; t[i + 1] = 1; o[i] = 1;",
    "threadgroup float t[64]; t[i] = 1; o[i] = 1;",
    "run",
)
fault(
    "write after memory given with the launch",
    "threadgroup",
    kernel("t[i + 1] = 1; o[i] = 1;", FLOATS + ", threadgroup float* t [[threadgroup(0)]]"),
    kernel("t[i] = 1; o[i] = 1;", FLOATS + ", threadgroup float* t [[threadgroup(0)]]"),
    "run",
    launch=Launch(threadgroup_bytes={0: 256}),
)
fault(
    "threadgroup memory without a length",
    "threadgroup",
    kernel("t[i] = 1; o[i] = t[i];", FLOATS + ", threadgroup float* t [[threadgroup(0)]]"),
    kernel("t[i] = 1; o[i] = t[i];", FLOATS + ", threadgroup float* t [[threadgroup(0)]]"),
    "run",
    right_launch=Launch(threadgroup_bytes={0: 256}),
)
fault(
    "buffer that is not bound",
    "buffer 1",
    PAIR,
    PAIR,
    "run",
    launch=Launch((TWO[0], None)),
    right_launch=Launch(TWO),
)
fault(
    "too many threads",
    "1024",
    "o[0] = 1;",
    "o[0] = 1;",
    "run",
    launch=Launch(grid=2048, threads=2048),
    right_launch=Launch(grid=2048, threads=1024),
)
fault(
    "more threads than the kernel says",
    "32",
    HEADER
    + f"[[kernel, max_total_threads_per_threadgroup(32)]] void k({FLOATS}) {{ o[i] = 1; }}\n",
    HEADER
    + f"[[kernel, max_total_threads_per_threadgroup(64)]] void k({FLOATS}) {{ o[i] = 1; }}\n",
    "run",
)
fault(
    "more threadgroup memory than there is",
    "32",
    kernel("t[i] = 1; o[i] = 1;", FLOATS + ", threadgroup float* t [[threadgroup(0)]]"),
    kernel("t[i] = 1; o[i] = 1;", FLOATS + ", threadgroup float* t [[threadgroup(0)]]"),
    "run",
    launch=Launch(threadgroup_bytes={0: 32784}),
    right_launch=Launch(threadgroup_bytes={0: 32768}),
)
fault(
    "both kinds of threadgroup memory above 32 KiB",
    "32",
    kernel(
        "threadgroup float s[8000]; s[i] = 1; t[i] = 1; o[i] = s[i];",
        FLOATS + ", threadgroup float* t [[threadgroup(0)]]",
    ),
    kernel(
        "threadgroup float s[8000]; s[i] = 1; t[i] = 1; o[i] = s[i];",
        FLOATS + ", threadgroup float* t [[threadgroup(0)]]",
    ),
    "run",
    launch=Launch(threadgroup_bytes={0: 1024}),
    right_launch=Launch(threadgroup_bytes={0: 256}),
)
fault(
    "length of threadgroup memory that is no multiple of 16",
    "16",
    kernel("t[0] = 1; o[i] = 1;", FLOATS + ", threadgroup float* t [[threadgroup(0)]]"),
    kernel("t[0] = 1; o[i] = 1;", FLOATS + ", threadgroup float* t [[threadgroup(0)]]"),
    "run",
    launch=Launch(threadgroup_bytes={0: 4}),
    right_launch=Launch(threadgroup_bytes={0: 16}),
)
JOB = "struct Job { float a; float b; };"
fault(
    "too few bytes for a structure",
    "buffer(1)",
    kernel("o[i] = job.b;", WITH_C.replace("float* c", "Job& job"), JOB),
    kernel("o[i] = job.b;", WITH_C.replace("float* c", "Job& job"), JOB),
    "run",
    launch=Launch((TWO[0], np.float32(1))),
    right_launch=Launch((TWO[0], bytes(8))),
)
fault(
    "too many bytes without a buffer",
    "4096",
    kernel("o[i] = c[0];", WITH_C),
    kernel("o[i] = c[0];", WITH_C),
    "run",
    launch=Launch((TWO[0], bytes(4100))),
    right_launch=Launch((TWO[0], bytes(4096))),
)
fault(
    "no threads",
    "grid",
    "o[i] = 1;",
    "o[i] = 1;",
    "run",
    launch=Launch(grid=0),
    right_launch=Launch(grid=1),
)
fault(
    "endless loop",
    "did not end",
    kernel("while (c[0] == 0) { o[i] += 1; }", WITH_C),
    kernel("while (c[0] != 0) { o[i] += 1; }", WITH_C),
    "run",
    launch=Launch(settings={"timeout": 0.4}),
)
fault(
    "wait for a later threadgroup",
    "did not end",
    kernel("while (atomic_load_explicit(a, memory_order_relaxed) == 0) {}\n", INTS),
    kernel("if (i == 0) atomic_store_explicit(a, 1, memory_order_relaxed);\n", INTS),
    "run",
    launch=Launch(grid=128, settings={"timeout": 0.4}),
)
BARRIER = "threadgroup_barrier(mem_flags::mem_threadgroup);"
fault(
    "barrier in one branch",
    "barrier",
    f"if (i < 40) {{ {BARRIER} }} o[i] = 1;",
    f"if (i < 40) {{ o[i] = 1; }} {BARRIER}",
    "run",
)
fault(
    "return before a barrier",
    "barrier",
    f"if (i >= 60) return; {BARRIER} o[i] = 1;",
    f"{BARRIER} if (i >= 60) return; o[i] = 1;",
    "run",
)
fault(
    "barriers of unequal number",
    "barrier",
    f"for (uint t = 0; t <= i % 2; ++t) {{ {BARRIER} }} o[i] = 1;",
    f"for (uint t = 0; t <= o[0]; ++t) {{ {BARRIER} }} o[i + 1] = 1;",
    "run",
)
fault(
    "pointer to nothing",
    "null",
    kernel("device float* p = i ? o : nullptr; p[i] = 1;"),
    kernel("device float* p = i ? o : nullptr; if (p) p[i] = 1;"),
    "run",
)
fault(
    "array beyond a thread's stack",
    "its own memory",
    kernel(
        "float t[1000000]; for (uint k = 0; k < 1000000; ++k) t[k] = k * c[0]; o[i] = t[i * 9];",
        WITH_C,
    ),
    kernel(
        "float t[1000]; for (uint k = 0; k < 1000; ++k) t[k] = k * c[0]; o[i] = t[i * 9];", WITH_C
    ),
    "run",
)

# --- Races ---------------------------------------------------------------------------------------

fault(
    "increment that others may see half done",
    "nothing orders",
    kernel("o[0] += 1;"),
    kernel("atomic_fetch_add_explicit(a, 1, memory_order_relaxed);", INTS),
    "race",
)
fault(
    "neighbour read without a barrier",
    "nothing orders",
    "threadgroup float t[64]; t[i] = i; o[i] = t[63 - i];",
    f"threadgroup float t[64]; t[i] = i; {BARRIER} o[i] = t[63 - i];",
    "race",
)
fault(
    "write after a read without a barrier",
    "nothing orders",
    f"threadgroup float t[64]; t[i] = i; {BARRIER} float x = t[63 - i]; t[i] = x; o[i] = x;",
    f"threadgroup float t[64]; t[i] = i; {BARRIER} float x = t[63 - i]; {BARRIER} t[i] = x; o[i] = x;",
    "race",
)
fault(
    "barrier of the simdgroup for the threadgroup",
    "nothing orders",
    "threadgroup float t[64]; t[i] = i; simdgroup_barrier(mem_flags::mem_threadgroup); "
    "o[i] = t[63 - i];",
    "threadgroup float t[64]; t[i] = i; simdgroup_barrier(mem_flags::mem_threadgroup); "
    "o[i] = t[i ^ 3];",
    "race",
)
fault(
    "element that two threadgroups write",
    "nothing orders",
    "o[i % 64] = i;",
    "o[i] = i;",
    "race",
    launch=Launch(grid=128),
)
fault(
    "neighbour in device memory without a barrier",
    "nothing orders",
    "o[i] = i; float x = o[i ^ 32]; o[64 + i] = x;",
    "o[i] = i; threadgroup_barrier(mem_flags::mem_device); float x = o[i ^ 32]; o[64 + i] = x;",
    "race",
)
fault(
    "plain read beside atomic writes",
    "nothing orders",
    kernel(
        "atomic_fetch_add_explicit(a, 1, memory_order_relaxed); "
        "device int* p = (device int*)a; if (i == 5) p[1] = p[0];",
        INTS,
    ),
    kernel(
        "atomic_fetch_add_explicit(a, 1, memory_order_relaxed); "
        "device int* p = (device int*)a; if (i == 5) p[1] = 7;",
        INTS,
    ),
    "race",
)

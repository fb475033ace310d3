"""Wrong Metal: the language."""

from __future__ import annotations

from wrong_fault import FLOATS, HEADER, WITH_N, fault, kernel

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

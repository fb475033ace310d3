"""Wrong Metal: runs and races."""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

import numpy as np
from wrong_fault import FLOATS, HEADER, INTS, WITH_C, Launch, fault, kernel

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
    "an assert that does not hold",
    "assert(i < 63u) does not hold",
    "assert(i < 63u); o[i] = 1;",
    "assert(i < 64u); o[i] = 1;",
    "run",
    launch=Launch(TWO[:1]),
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
    "argument 1",
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


# --- Races ----------------------------------------------------------------------------------------

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

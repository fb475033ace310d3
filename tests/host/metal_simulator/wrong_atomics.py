"""Wrong Metal: atomics."""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

from wrong_fault import ATOMIC_FLOATS, INTS, fault, kernel

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

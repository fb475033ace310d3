"""Typed IR to LLVM assembly: explicit SIMD, a vector holds consecutive threads."""

"""Kernels that are written by hand in CUDA C++: what they take, and how they are launched."""

"""NVIDIA GPUs: CUDA C++ source, and its compiler."""

"""Kernels of layers, in the kernel language."""

"""Kernels as users hold them: arguments, sizes, plans and launches."""

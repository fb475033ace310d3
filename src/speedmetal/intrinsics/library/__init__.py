"""The mathematical library, written in the kernel language."""

"""What CUDA C++ spells differently from Metal."""

"""What Metal Shading Language spells differently from CUDA C++."""

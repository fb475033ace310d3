"""Products, linear algebra, transforms and sparse matrices."""

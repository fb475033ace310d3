"""What is computed later: the graph, when memory is made, and by which kernels."""

"""Metal Shading Language as text: what its driver and its simulator both have to know of kernels.

Tokens, declarations, the parameters of kernels, and how the arguments of a call meet them.
"""

"""Calls of kernels that users wrote in Metal Shading Language."""

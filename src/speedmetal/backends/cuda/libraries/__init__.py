"""NVIDIA's libraries for matrices and Fourier transforms: cuBLASLt, cuBLAS, cuFFT, cuSOLVER."""

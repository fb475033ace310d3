"""NVIDIA GPUs as devices, and NVIDIA's compiler."""

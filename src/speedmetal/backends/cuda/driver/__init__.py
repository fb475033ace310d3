"""NVIDIA's compiler."""

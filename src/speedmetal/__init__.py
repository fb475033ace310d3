"""speedmetal: program Apple GPUs, NVIDIA GPUs and CPUs in Python, and know how fast they are."""

__version__ = "0.1.0"

__all__ = ["__version__"]

"""NumPy on the CPU: the baseline that everybody has."""

from __future__ import annotations

from speedmetal.bench.frameworks.base import Framework

FRAMEWORK = Framework(
    name="numpy",
    adapter="speedmetal.bench.frameworks.numpy.adapter:NumPyAdapter",
    packages=("numpy",),
    modes=("eager",),
    default_modes=("eager",),
    install="pip install numpy",
)

"""CuPy on NVIDIA GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from speedmetal.bench.frameworks.base import Framework, Settings


def _environment(settings: Settings) -> Mapping[str, str]:
    return {
        "CUPY_TF32": "1" if settings.precision == "tf32" else "0",
        # A first call is a first call, whatever ran last week: a run's own folder, or none.
        **(
            {"CUPY_CACHE_DIR": str(Path(settings.scratch) / "cupy")}
            if settings.scratch
            else {"CUPY_CACHE_IN_MEMORY": "1"}
        ),
    }


FRAMEWORK = Framework(
    name="cupy",
    adapter="speedmetal.bench.frameworks.cupy.adapter:CuPyAdapter",
    packages=("cupy-cuda13x", "cupy-cuda12x", "cupy"),
    modes=("eager",),  # `cupy.fuse` is for elementwise functions, which the cells use it for
    default_modes=("eager",),
    environment=_environment,
    install='pip install "speedmetal[cupy]" (Linux and Windows, with an NVIDIA card)',
)

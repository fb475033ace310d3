"""speedmetal's own arrays, on the CPU and on GPUs (Metal, CUDA): one framework among equals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from speedmetal.bench.frameworks.base import Framework, Settings


def _environment(settings: Settings) -> Mapping[str, str]:
    return {
        "SPEEDMETAL_NUM_THREADS": str(settings.threads),
        # A first call is a first call, whatever ran last week: a run's own folder, or none.
        **(
            {"SPEEDMETAL_CACHE_DIR": str(Path(settings.scratch) / "speedmetal")}
            if settings.scratch
            else {"SPEEDMETAL_CACHE": "0"}
        ),
    }


FRAMEWORK = Framework(
    name="speedmetal",
    adapter="speedmetal.bench.frameworks.speedmetal.adapter:SpeedmetalAdapter",
    packages=("speedmetal", "llvmlite"),
    modes=("compiled", "eager"),
    default_modes=("compiled",),  # arrays are lazy, and fuse: one has to ask for the other mode
    environment=_environment,
    install="pip install speedmetal",
)

"""PyTorch on the CPU, on Apple GPUs (mps) and on NVIDIA GPUs (cuda)."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from speedmetal.bench.frameworks.base import Framework, Settings


def _fresh_folder(settings: Settings) -> str:
    """A folder of this run alone; its later sessions find there what its first one compiled."""
    if settings.scratch:
        return str(Path(settings.scratch) / "inductor")
    return tempfile.mkdtemp(prefix="speedmetal-inductor-")


def _environment(settings: Settings) -> Mapping[str, str]:
    return {
        # Compile in the process itself: a pool of compilers would still be running while others
        # are timed.
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        # A fresh cache per run: a first call is a first call, whatever ran last week.
        "TORCHINDUCTOR_CACHE_DIR": _fresh_folder(settings),
        "PYTORCH_ENABLE_MPS_FALLBACK": "0",  # a CPU fallback would be timed as the GPU
    }


FRAMEWORK = Framework(
    name="torch",
    adapter="speedmetal.bench.frameworks.torch.adapter:TorchAdapter",
    packages=("torch", "triton"),
    modes=("eager", "compiled"),
    default_modes=("eager", "compiled"),
    environment=_environment,
    install='pip install "speedmetal[torch]"'
    + (
        " (on Linux without an NVIDIA card, install PyTorch's CPU build first)"
        if sys.platform == "linux"
        else ""
    ),
)

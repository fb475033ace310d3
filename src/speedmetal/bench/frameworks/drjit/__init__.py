"""Dr.Jit on the CPU (by LLVM) and on GPUs (CUDA, Metal)."""

from __future__ import annotations

import site
from collections.abc import Mapping
from pathlib import Path

from speedmetal.bench.frameworks.base import Framework, Settings


def _environment(settings: Settings) -> Mapping[str, str]:
    if not settings.scratch:
        return {}
    # A first call is a first call: compiled kernels are kept in ~/.drjit, and nowhere else. What
    # pip installed for this user is still found.
    home = Path(settings.scratch) / "drjit"
    return {"HOME": str(home), "PYTHONUSERBASE": site.getuserbase()}


FRAMEWORK = Framework(
    name="drjit",
    adapter="speedmetal.bench.frameworks.drjit.adapter:DrJitAdapter",
    packages=("drjit",),
    modes=("eager", "compiled"),
    default_modes=("eager", "compiled"),
    environment=_environment,
    install='pip install "speedmetal[drjit]", and LLVM\'s library from version 15',
)

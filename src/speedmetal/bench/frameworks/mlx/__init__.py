"""MLX on the CPU and on GPUs (Metal, or CUDA where it was built for it)."""

from __future__ import annotations

from collections.abc import Mapping

from speedmetal.bench.frameworks.base import Framework, Settings


def _environment(settings: Settings) -> Mapping[str, str]:
    return {"MLX_ENABLE_TF32": "1" if settings.precision == "tf32" else "0"}


FRAMEWORK = Framework(
    name="mlx",
    adapter="speedmetal.bench.frameworks.mlx.adapter:MLXAdapter",
    packages=("mlx", "mlx-cpu", "mlx-metal", "mlx-cuda"),
    modes=("eager", "compiled"),
    default_modes=("eager", "compiled"),
    environment=_environment,
    install="pip install mlx (macOS), pip install 'mlx[cpu]' (Linux)",
)

"""JAX on the CPU and on GPUs."""

from __future__ import annotations

from collections.abc import Mapping

from speedmetal.bench.frameworks.base import Framework, Settings


def _environment(settings: Settings) -> Mapping[str, str]:
    return {
        # XLA sizes its pool by the processors that it may use; this is its own override.
        "NPROC": str(settings.threads),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # others need the GPU's memory too
        "JAX_ENABLE_COMPILATION_CACHE": "false",  # a first call is a first call
    }


FRAMEWORK = Framework(
    name="jax",
    adapter="speedmetal.bench.frameworks.jax.adapter:JAXAdapter",
    packages=("jax", "jaxlib"),
    modes=("compiled", "eager"),
    default_modes=("compiled",),  # JAX is meant to be jitted; its eager mode is for the curious
    environment=_environment,
    install='pip install "speedmetal[jax]"',
)

"""From typed IR to the bytes of a kernel."""

from __future__ import annotations

from speedmetal.backends.device import BuildOptions
from speedmetal.backends.metal.codegen.printer import print_kernel_with_places
from speedmetal.backends.metal.driver.capabilities import (
    diagnose_missing_features,
    features_of,
    language_version,
)
from speedmetal.backends.metal.driver.context import MetalContext
from speedmetal.backends.metal.driver.kernel_code import MetalCode, packed
from speedmetal.errors import CompileError
from speedmetal.ir.nodes import Array, Kernel


def build_code(context: MetalContext, kernel: Kernel, options: BuildOptions) -> bytes:
    """Print a kernel for a GPU.

    Args:
        context: Where it will run.
        kernel: As it comes from the passes.
        options: Build options, of which only ``math_mode`` matters here.

    Raises:
        CompileError: No Metal GPU can do what it asks for, or not this one.
    """
    text = print_kernel_with_places(kernel, math_mode=options.math_mode)
    uses = features_of(kernel)
    if lacking := diagnose_missing_features(uses, context.capabilities()):
        raise CompileError(kernel.name, lacking)
    arrays = (p for p in kernel.parameters if isinstance(p, Array) and p.memory is None)
    return packed(
        MetalCode(
            text,
            tuple(array.type.dtype.itemsize for array in arrays),
            options.math_mode,
            language_version(list(uses)),
        )
    )

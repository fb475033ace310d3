"""IR to IR, in this order: what the front end wrote becomes what a printer takes."""

from __future__ import annotations

from speedmetal.errors import CompileError
from speedmetal.ir.nodes import Kernel
from speedmetal.ir.verify import verify
from speedmetal.passes.async_copies import check_groups, copy_at_once
from speedmetal.passes.barriers import check_barriers
from speedmetal.passes.contraction import contract
from speedmetal.passes.debug import drop_asserts
from speedmetal.passes.lowering import CompileFunction, TargetWords, lower_intrinsics
from speedmetal.passes.matrices import split_matrices
from speedmetal.passes.nesting import limit_nesting
from speedmetal.passes.scalar_replacement import replace_thread_arrays
from speedmetal.passes.thread_memory import check_thread_memory


def run(kernel: Kernel, *, target: TargetWords, compile_function: CompileFunction) -> Kernel:
    """Every pass, for a target.

    Args:
        kernel: From the front end.
        target: Its record.
        compile_function: Makes IR of a plain Python function of scalars of these types: the
            library functions behind intrinsics.

    Raises:
        CompileError: A barrier stands where not all threads come; a thread's own arrays are too
            large; a wait is for groups of copies that there are none of; the target lacks an
            intrinsic.
    """
    verify(kernel, "the front end")
    faults = [*check_barriers(kernel), *check_thread_memory(kernel), *check_groups(kernel)]
    if faults:
        raise CompileError(kernel.name, faults)
    kernel = drop_asserts(kernel)
    if not target.has_async_copies:
        kernel = copy_at_once(kernel)
    if not target.has_large_matrices:
        kernel = split_matrices(kernel)
    kernel = contract(kernel)
    kernel = lower_intrinsics(kernel, target, compile_function)
    if target.replaces_thread_arrays:
        kernel = replace_thread_arrays(kernel)
    kernel = limit_nesting(kernel)
    verify(kernel, "the passes")
    return kernel

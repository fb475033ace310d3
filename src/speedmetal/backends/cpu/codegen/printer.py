"""A kernel as LLVM text: explicit vectors over the threads of a threadgroup.

The function written has the signature that :mod:`speedmetal.backends.cpu.driver` calls::

    void sm_entry(ptr arguments, i64 begin, i64 end)    ; threadgroups begin ... end - 1

``arguments`` are slots of 8 bytes: grid x, y, z; threads x, y, z; groups x, y, z; the mailbox;
then for each parameter an array's pointer, extents and strides (in elements), or a scalar.

Consecutive threads along x share a vector. Two layouts exist: *rows*, where a vector never
crosses a row of the threadgroup, so that y and z are uniform in it; and *linear*, where vectors
are cut from thread_index_in_threadgroup, which kernels that use simdgroups need where rows are no
multiple of 32.
"""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.decisions.plan import ANY_ROWS, plan_kernel
from speedmetal.backends.cpu.codegen.decisions.rows import Rows
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter, Module
from speedmetal.backends.cpu.codegen.threadgroups.kernels import KernelCode
from speedmetal.backends.cpu.codegen.threads.functions import Functions
from speedmetal.backends.cpu.codegen.vector_unit import AVX512, VectorUnit
from speedmetal.ir.nodes import Kernel

ENTRY = "sm_entry"


def print_kernel(kernel: Kernel, *, unit: VectorUnit = AVX512, rows: Rows = ANY_ROWS) -> str:
    """The LLVM text of a kernel.

    Args:
        kernel: After all passes for the CPU.
        unit: The processor's.
        rows: What is known of the launch's. They must be linear (see above) where
            ``facts(kernel).tells_simdgroups`` and a threadgroup's rows, at an edge of the grid too,
            are no multiple of 32 threads, unless it is one row.
    """
    plan = plan_kernel(kernel, unit, rows)
    module = Module()
    functions = Functions(module, unit)
    emit = Emitter(module)
    KernelCode(emit, plan, functions, unit).write()
    head = f"define void @{ENTRY}(ptr noalias %arguments, i64 %begin, i64 %end) nounwind"
    body = f"{head} {{\n{emit.body()}\n}}"
    texts = functions.texts(body)
    declarations = "\n".join(module.declarations.values())
    title = f"; kernel {kernel.name}, {plan.lanes} threads a vector"
    parts = (title, *texts, declarations)
    return "\n\n".join(part for part in parts if part) + "\n"

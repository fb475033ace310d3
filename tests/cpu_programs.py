"""Runs kernels that are given as IR on this machine's CPU."""

from __future__ import annotations

import struct
from typing import Any

import ml_dtypes
import numpy as np

from speedmetal import passes
from speedmetal.backends.cpu.address import address_of
from speedmetal.backends.cpu.codegen.decisions.rows import Rows
from speedmetal.backends.cpu.codegen.printer import ANY_ROWS, print_kernel
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.backends.cpu.driver import SLOT_BYTES, CpuProgram
from speedmetal.backends.cpu.jit import compile_object, vector_unit
from speedmetal.backends.packing import Number, packer
from speedmetal.backends.targets import find_target
from speedmetal.dtypes import DType
from speedmetal.frontend.infer import infer_function
from speedmetal.ir import nodes as ir


def prepare_kernel(kernel: ir.Kernel) -> ir.Kernel:
    """The kernel as it goes to the CPU's printer."""
    return passes.run(kernel, target=find_target("cpu"), compile_function=infer_function)


class IrProgram:
    """A kernel given as IR, compiled for this machine.

    Args:
        kernel: As the front end would write it.
        unit: How to write it; None: as for this processor.
        rows: What is known of its threadgroups' rows.
    """

    def __init__(
        self, kernel: ir.Kernel, *, unit: VectorUnit | None = None, rows: Rows = ANY_ROWS
    ) -> None:
        self.kernel = kernel
        text = print_kernel(prepare_kernel(kernel), unit=unit or vector_unit(), rows=rows)
        self._program = CpuProgram(compile_object(text))

    def run(
        self, *arguments: Any, grid: tuple[int, ...] = (1,), threads: tuple[int, ...] = (1,)
    ) -> None:
        """Run it on the calling thread; NumPy arrays are read and written in place."""
        whole, each = ((*sizes, 1, 1)[:3] for sizes in (grid, threads))
        groups = [-(-size // own) for size, own in zip(whole, each, strict=True)]
        packed = struct.pack("10q", *whole, *each, *groups, 0)
        for parameter, argument in zip(self.kernel.parameters, arguments, strict=True):
            packed += _pack_argument(parameter, argument)
        count = groups[0] * groups[1] * groups[2]
        self._program.launch(packed, count, count)


def run_ir(
    kernel: ir.Kernel,
    *arguments: Any,
    grid: tuple[int, ...] = (1,),
    threads: tuple[int, ...] = (1,),
    unit: VectorUnit | None = None,
    rows: Rows = ANY_ROWS,
) -> None:
    """Compile a kernel and run it once."""
    IrProgram(kernel, unit=unit, rows=rows).run(*arguments, grid=grid, threads=threads)


def _pack_argument(parameter: ir.Variable | ir.Array, argument: Any) -> bytes:
    if isinstance(parameter, ir.Array):
        strides = (stride // argument.itemsize for stride in argument.strides)
        words = (address_of(argument), *argument.shape, *strides)
        return struct.pack(f"{len(words)}q", *words)
    assert isinstance(parameter.type, DType)
    if parameter.type.numpy == ml_dtypes.bfloat16:
        argument = int(np.asarray(argument, ml_dtypes.bfloat16).view(np.uint16))
    number = Number(0, parameter.type, SLOT_BYTES - parameter.type.itemsize)
    return packer([number])([argument])

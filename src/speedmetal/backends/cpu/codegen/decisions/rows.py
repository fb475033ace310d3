"""How the rows of a launch's threadgroups are cut into vectors.

A row is what a threadgroup has along x. Where all rows are whole vectors, code needs no mask for
what is left of a row: a body is written once, for full vectors, instead of twice, or of once under
a mask. That is worth code of its own where a kernel takes long to compile; and where it uses
simdgroups, for such a kernel is hardly launched otherwise. Rows of 8 or 24 threads are whole
vectors of 8, which half fill those of 16.
"""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.decisions import costs
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.common.records import record, replace
from speedmetal.intrinsics.record import SIMDGROUP_LANES
from speedmetal.ir.analysis import facts
from speedmetal.ir.nodes import Kernel

NARROW_LANES = 8


@record
class Rows:
    """What is known of a launch's rows when its code is made; nothing, if not stated.

    Args:
        linear: Whether vectors are cut from the linear thread index, across rows.
        whole: Whether each row, at the grid's edge too, is made of whole simdgroups.
        eights: Whether each row has 8 or 24 threads, at the grid's edge too.
        sixteens: Whether each row has a multiple of 16 threads, at the grid's edge too.
    """

    linear: bool = False
    whole: bool = False
    eights: bool = False
    sixteens: bool = False


@record
class Cutting:
    """How a kernel's rows are cut. Kernels that are cut alike have the same code.

    Args:
        lanes: Threads of a vector.
        linear: Whether vectors are cut from the linear thread index, across rows.
        is_whole: Whether no row leaves a part of a vector, and code relies on it.
    """

    lanes: int
    linear: bool
    is_whole: bool


def cut_rows(kernel: Kernel, unit: VectorUnit, rows: Rows) -> Cutting:
    """How a kernel is cut for such rows: what makes no difference to it is left out.

    Args:
        kernel: After all passes for the CPU.
        unit: The processor's.
        rows: Of the launch.
    """
    if facts(kernel).tells_simdgroups:
        return Cutting(SIMDGROUP_LANES, rows.linear, rows.whole)
    if rows.eights and unit.lanes > NARROW_LANES:
        return Cutting(NARROW_LANES, linear=False, is_whole=True)
    is_whole = rows.whole or rows.sixteens or (rows.eights and unit.lanes == NARROW_LANES)
    gains = is_whole and costs.gains_from_whole_rows(kernel)
    return Cutting(unit.lanes, linear=False, is_whole=gains)


def does_for(code: Cutting, rows: Cutting, kernel: Kernel) -> bool:
    """Whether code that cuts rows in one way is as good as that which cuts them in another.

    Code for any rows has a text for full vectors too, where they are worth it: then nothing more
    is compiled for rows that are whole.

    Args:
        code: How it cuts rows.
        rows: How rows are best cut.
        kernel: After all passes for the CPU.
    """
    if code == rows:
        return True
    is_general = code == replace(rows, is_whole=False)
    return is_general and costs.has_full_vectors(kernel.body)

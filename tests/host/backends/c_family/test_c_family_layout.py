"""The structure of a launch's arguments: order, offsets, bytes."""

from __future__ import annotations

import struct

from c_family_kernels import histogram, operations, saxpy_strided, vector_add
from hypothesis import given
from hypothesis import strategies as st

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.c_family.layout import Source, argument_layout
from speedmetal.backends.cuda.codegen.printer import dynamic_arrays
from speedmetal.backends.device import ArrayParameter, Launch, ScalarParameter, Sizes
from speedmetal.backends.packing import packer
from speedmetal.ir.analysis import facts
from speedmetal.ir.types import Space


def summary(kernel):
    return [(f.name, f.dtype.name, f.offset) for f in argument_layout(kernel).fields]


def test_only_what_a_kernel_reads_is_passed():
    assert summary(vector_add()) == [
        ("grid_x", "int32", 0),
        ("grid_y", "int32", 4),
        ("grid_z", "int32", 8),
        ("n", "int32", 12),
    ]


def test_fields_are_ordered_by_size():
    layout = argument_layout(saxpy_strided())
    assert summary(saxpy_strided()) == [
        ("grid_x", "int64", 0),
        ("grid_y", "int64", 8),
        ("grid_z", "int64", 16),
        ("x_stride0", "int64", 24),
        ("x_stride1", "int64", 32),
        ("y_stride1", "int64", 40),
        ("alpha", "float16", 48),
        ("flag", "bool_", 50),
    ]
    assert layout.size == 56
    assert layout.fields[3].source is Source.STRIDE
    assert (layout.fields[3].parameter, layout.fields[3].axis) == (0, 0)
    assert (layout.fields[6].source, layout.fields[6].parameter) == (Source.SCALAR, 2)


def test_packed_bytes():
    parameters = (
        ArrayParameter((9, 9), (-3, 2)),
        ArrayParameter((9, 9), (1, 5)),
        ScalarParameter(d.float16),
        ScalarParameter(d.bool_),
    )
    sizes = Sizes((7, 1, 1), (1, 1, 1), (7, 1, 1))
    launch = Launch(sizes, parameters)
    pack = packer(argument_layout(saxpy_strided()).pieces(launch))
    wanted = struct.pack("<qqqqqqe?5x", 7, 1, 1, -3, 2, 5, 1.5, True)
    assert pack([0, "an address", "an address", 1.5, True]) == wanted


def test_the_extents_that_a_kernel_reads_are_packed():
    b = Builder("k")
    array = b.array("a", d.float32, 2)
    b.let("height", b.extent(array, 1))
    launch = Launch(Sizes((4, 3, 2), (1, 1, 1), (4, 3, 2)), (ArrayParameter((5, 6), (6, 1)),))
    assert packer(argument_layout(b.kernel()).pieces(launch))([0, 0]) == struct.pack(
        "<4i", 4, 3, 2, 6
    )


@given(st.lists(st.sampled_from(d.INTEGERS + d.FLOATS + (d.bool_,))))
def test_every_field_is_aligned_to_its_size(types):
    b = Builder("k")
    for number, dtype in enumerate(types):
        b.scalar(f"s{number}", dtype)
    layout = argument_layout(b.kernel())
    assert len(layout.fields) == 3 + len(types)
    assert all(f.offset % f.dtype.itemsize == 0 for f in layout.fields)
    ends = [f.offset + f.dtype.itemsize for f in layout.fields]
    assert ends[:-1] == [f.offset for f in layout.fields[1:]]
    assert 0 <= layout.size - ends[-1] < 8
    launch = Launch(Sizes((1, 1, 1), (1, 1, 1), (1, 1, 1)), tuple(map(ScalarParameter, types)))
    assert len(packer(layout.pieces(launch))([0] * (1 + len(types)))) == layout.size


def test_the_mailbox_is_passed_where_something_is_reported():
    b = Builder("k")
    assert not facts(b.kernel()).reports_itself
    b.emit(b.when(True, [b.show("here")]))
    assert facts(b.kernel()).reports_itself


def test_large_threadgroup_arrays_are_sized_at_launch_on_cuda():
    assert [a.name for a in dynamic_arrays(histogram())] == ["counts", "spare"]
    assert dynamic_arrays(operations(d.int32)) == ()
    b = Builder("k")
    large = b.memory("large", d.float32, [13, 1024], Space.THREADGROUP)
    assert dynamic_arrays(b.kernel()) == (large,)

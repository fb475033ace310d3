"""The IR's text form, whole."""

from __future__ import annotations

from dataclasses import replace

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.ir import nodes as ir
from speedmetal.ir.text import kernel_text
from speedmetal.ir.types import MatrixType, Space
from speedmetal.source import NOWHERE

EXPECTED = """\
function half(h: f32) -> f32:
    return h * 0.5f32

kernel every(v: f32[:], m: f16[:,:]/strided, z: c64[:], k: i32, flag: bool):
    threadgroup tile: i32[4, m.shape[0]]
    threadgroup own: c64[4]
    i: i32 = thread_position_in_grid().y
    total: f32 = 0.0f32
    for c: i32 in range(0i32, k, 2i32):
        if (c < 3i32) and (not flag):
            continue
        else:
            total = fma(v[c], half(total), -v[i])
            break
    while True:
        pass
    z[i].imag = z[i].real
    old: i32 = atomic_add(tile[0i32, i], 1i32)
    atomic_store(tile[0i32, 0i32], ~old)
    block: simdgroup_matrix<f16> = m[0i32, 8i32 : 8x8].T
    m[0i32, 0i32 : 8x8] = block
    large: simdgroup_matrix<f16, 16x24> = m[0i32, 0i32 : 24x16].T
    m[0i32, 0i32 : 16x24] = large
    async_copy(own[0i32], z[i], 1)
    async_copy_group()
    async_copy_wait(1)
    threadgroup_barrier(device, threadgroup)
    print('i =', i, '\\n')
    assert i >= 0i32, 'assertion failed', 'why'
    v[i] = total if flag else bitcast_f32(i32(total))
    return
"""


def test_every_node_has_its_text():
    b = Builder("every")
    v, m = b.array("v", d.float32), b.array("m", d.float16, rank=2, unit_axis=None)
    z = b.array("z", d.complex64)
    k, flag = b.scalar("k", d.int32), b.scalar("flag", d.bool_)
    tile = b.memory("tile", d.int32, [4, b.extent(m, 0)], Space.THREADGROUP)
    h = b.variable("h", d.float32)
    half = b.function("half", [h], [b.leave(b.multiply(h, 0.5))])
    i = b.let("i", b.position("thread_position_in_grid", 1))
    total, c = b.let("total", 0.0), b.variable("c", d.int32)
    guard = b.logical("and", b.compare("lt", c, 3), b.unary("not", flag))
    step = b.call("fma", b.load(v, c), b.invoke(half, total), b.unary("negate", b.load(v, i)))
    orelse = [b.assign(total, step), ir.Break(NOWHERE)]
    b.emit(b.loop(c, 0, k, 2, [b.when(guard, [ir.Continue(NOWHERE)], orelse)]))
    b.emit(b.loop_while(True, []))
    b.emit(b.store(z, [i], b.load(z, i, part=0), part=1))
    old = b.variable("old", d.int32)
    b.emit(b.atomic("add", tile, [0, i], 1, result=old))
    b.emit(b.atomic("store", tile, [0, 0], b.unary("invert", old)))
    block = b.let("block", b.matrix_load(m, 0, 8, transpose=True))
    b.emit(b.matrix_store(m, [0, 0], block))
    zeros = (b.value(0), b.value(0))
    large = b.let("large", ir.MatrixLoad(m, zeros, True, MatrixType(d.float16, 16, 24), NOWHERE))
    b.emit(b.matrix_store(m, [0, 0], large))
    own = b.memory("own", d.complex64, [4], Space.THREADGROUP)
    b.emit(ir.AsyncCopy(own, (b.value(0),), z, (b.value(i),), 1, NOWHERE))
    b.emit(ir.AsyncGroup(NOWHERE), ir.AsyncWait(1, NOWHERE))
    b.emit(b.barrier("threadgroup", Space.THREADGROUP, Space.DEVICE))
    b.emit(b.show("i =", i, "\n"), b.check(b.compare("ge", i, 0), "why"))
    bits = b.bitcast(b.convert(total, d.int32), d.float32)
    b.emit(b.store(v, [i], b.select(flag, total, bits)), b.leave())
    assert kernel_text(b.kernel()) == EXPECTED


def test_an_empty_kernel_passes():
    kernel = replace(Builder("nothing").kernel(), body=())
    assert kernel_text(kernel) == "kernel nothing():\n    pass\n"

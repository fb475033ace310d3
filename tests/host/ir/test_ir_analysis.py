"""The facts about a kernel, and that each is found once."""

from __future__ import annotations

from dataclasses import replace

import pytest

import speedmetal as sm
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.targets import TARGETS
from speedmetal.intrinsics.record import Varies
from speedmetal.ir import analysis
from speedmetal.ir.analysis import facts
from speedmetal.ir.types import Space


@pytest.fixture
def b():
    return Builder("k")


def test_a_kernel_keeps_its_facts_and_a_changed_one_has_none(b):
    kernel = b.kernel()
    assert kernel.facts is None
    assert facts(kernel) is facts(kernel) is kernel.facts
    changed = replace(kernel, body=(b.show("here"),))
    assert changed.facts is None
    assert facts(changed).reports_itself
    assert not facts(kernel).reports_itself


def test_uniformity_is_found_once_for_each_set_of_threads(b):
    known = facts(b.kernel())
    assert known.uniformities(Varies.SIMDGROUPS) is known.uniformities(Varies.SIMDGROUPS)
    assert known.uniformities(Varies.SIMDGROUPS) is not known.uniformities(Varies.THREADGROUPS)


def test_sites_are_numbered_asserts_first_then_control_flow_and_prints_apart(b):
    n = b.scalar("n", d.int32)
    positive = b.compare("gt", n, 0)
    first, second = b.check(positive, "first"), b.check(positive, "second")
    shown, last = b.show("a"), b.show("b")
    branch = b.when(positive, [second, last])
    b.emit(shown, first, branch)
    for debug in (0, 2):
        known = facts(replace(b.kernel(), debug=debug))
        assert known.sites == {first: 0, second: 1, branch: 2, shown: 0, last: 1}
        sites = known.report_sites("mine")
        assert [site.reason for site in sites.asserts[:2]] == ["first", "second"]
        assert len(sites.asserts) == (3 if debug == 2 else 2)
        assert [site.parts for site in sites.prints] == [("a",), ("b",)]
        assert (known.may_fail, known.reports_itself) == (True, True)
        assert known.reports_positions == (debug == 2)


def test_memory(b):
    n, a = b.scalar("n", d.int32), b.array("a", d.float32, rank=2)
    out, seen = b.array("out", d.float32), b.array("seen", d.int32)
    b.memory("fixed", d.int16, [3, 5], Space.THREADGROUP)
    b.memory("own", d.float32, [7], Space.THREAD)
    b.memory("sized", d.float64, [2, b.add(b.extent(a, 1), n)], Space.THREADGROUP)
    b.emit(b.store(out, [n], b.load(a, n, 0)))
    b.emit(b.atomic("load", seen, [0], result=b.variable("old", d.int32)))
    both = b.array("both", d.float32)
    b.emit(b.store(both, [0], b.load(both, 1)))
    known = facts(replace(b.kernel(), written=frozenset({out})))
    assert known.stored == {out, seen, both}
    assert known.written == {2}
    assert known.only_stored == (out,)
    assert known.extents == {(a, 1)}
    assert known.strides == {(a, 0)}
    assert known.threadgroup_bytes == 2 * 3 * 5
    (sized,) = known.sized_arrays
    total = ("add", "int32", ("extent", "int32", 1, 1), ("parameter", "int32", 0))
    assert (sized.name, sized.itemsize, sized.shape) == ("sized", 8, (2, total))


@pytest.mark.parametrize(
    ("name", "tells", "exchanges"),
    [
        ("thread_index_in_threadgroup", False, False),
        ("thread_index_in_simdgroup", True, False),
        ("simdgroups_per_threadgroup", True, False),
        ("simd_is_first", True, True),
        ("quad_sum", True, True),
    ],
)
def test_simdgroups(b, name, tells, exchanges):
    b.let("x", b.call(name, *([1] if name == "quad_sum" else [])))
    known = facts(b.kernel())
    assert (known.tells_simdgroups, known.exchanges) == (tells, exchanges)
    is_position = name.startswith("thread") or name.endswith("group")
    assert known.positions == ({(name, None)} if is_position else set())


def test_matrices_and_barriers_of_simdgroups_tell_them(b):
    matrix = b.variable("m", b.matrix_load(b.array("a", d.float32, rank=2), 0, 0).type)
    load = b.assign(matrix, b.matrix_load(b.parameters[0], 0, 0))
    for statement, exchanges in ((load, False), (b.barrier("simdgroup"), True)):
        known = facts(replace(b.kernel(), body=(statement,)))
        assert (known.tells_simdgroups, known.exchanges) == (True, exchanges)
    known = facts(replace(b.kernel(), body=(b.barrier(),)))
    assert (known.tells_simdgroups, known.exchanges) == (False, False)


@sm.kernel
def everything(a, out):
    i = sm.thread_position_in_grid().x
    total = sm.simd_sum(a[i])
    for k in range(4):
        total += a[k * 64 + i]
    print(i)  # noqa: T201 - of the kernel language
    assert total > 0
    out[i] = total


@pytest.mark.parametrize("target", TARGETS)
def test_a_printed_kernel_is_analysed_once(target, monkeypatch):
    """And once before the passes, where a target looks for what it lacks."""
    found = []
    find = analysis._found
    monkeypatch.setattr(analysis, "_found", lambda kernel: found.append(kernel) or find(kernel))
    sm.code(everything, "f32[:] f32[:]", target=target, debug=2)
    assert len(found) == len({*found}) == (1 if target == "cpu" else 2)


def test_a_compiled_kernel_is_analysed_once(monkeypatch):
    found = []
    find = analysis._found
    monkeypatch.setattr(analysis, "_found", lambda kernel: found.append(kernel) or find(kernel))

    @sm.kernel
    def fresh(a):
        a[sm.thread_position_in_grid().x] = 1

    fresh(sm.zeros(3, device="cpu"), grid=3)
    assert len(found) == 1

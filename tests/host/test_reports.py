"""Mailboxes become text and errors; entries on disk keep everything that this needs."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.backends import mailbox
from speedmetal.compiler import pipeline
from speedmetal.compiler.metadata import KernelMetadata, pack_entry, unpack_entry
from speedmetal.dtypes import ALL, bfloat16, bool_, complex64, float32, float64, int8, uint64
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.ir.analysis import facts
from speedmetal.ir.report_sites import AssertSite, PrintSite, ReportSites
from speedmetal.launch.device_reports import deliver, empty_mailbox
from speedmetal.source import SourceSpan, SourceText

SPAN = SourceSpan(SourceText("model.py", 3, ("    c[i] = a[j]",)), 3, 11, 3, 15)
ASSERT = AssertSite("index out of bounds", "a has 4 elements along axis 0", SPAN)


def box(sites, *records):
    """A mailbox in which a kernel has printed these records of words."""
    words = empty_mailbox(sites)
    position = mailbox.PRINT_AREA
    for record in records:
        words[position : position + len(record)] = record
        position += len(record)
    words[mailbox.PRINT_CURSOR] = position - mailbox.PRINT_AREA
    return words


def two_words(number, dtype):
    code = "<d" if dtype.is_float else "<q" if dtype.is_signed else "<Q"
    return struct.unpack("<II", struct.pack(code, number))


@pytest.mark.parametrize(
    ("dtype", "number", "text"),
    [
        (float32, float(np.float32(0.1)), "0.1"),
        (float32, float("nan"), "nan"),
        (float64, 0.1, "0.1"),
        (sm.float16, float(np.float16(0.1)), "0.1"),
        (bfloat16, 0.10009765625, "0.100097656"),
        (int8, -5, "-5"),
        (uint64, 2**64 - 1, "18446744073709551615"),
        (bool_, 1, "True"),
        (bool_, 0, "False"),
    ],
)
def test_numbers_print_as_python_prints_them(capsys, dtype, number, text):
    sites = ReportSites("k", 0, (), (PrintSite(("x =", None, "\n"), (dtype,)),))
    deliver(sites, box(sites, (0, *two_words(number, dtype))))
    assert capsys.readouterr().out == f"x ={text}\n"


def test_records_come_in_order_and_texts_need_no_values(capsys):
    prints = (PrintSite(("hello\n",), ()), PrintSite((None, " ", None, "\n"), (int8, bool_)))
    sites = ReportSites("k", 0, (), prints)
    deliver(sites, box(sites, (1, 7, 0, 1, 0), (0,), (1, 8, 0, 0, 0)))
    assert capsys.readouterr().out == "7 True\nhello\n8 False\n"


def test_what_found_no_room_is_counted(capsys):
    sites = ReportSites("k", 0, (), (PrintSite(("short\n",), ()), PrintSite((None,), (int8,))))
    words = box(sites, (0,))
    words[mailbox.PRINT_CAPACITY] = 3  # the next record of three words fits no more
    words[mailbox.PRINT_CURSOR] = 4
    deliver(sites, words)
    assert capsys.readouterr().out == (
        "short\n[kernel 'k': the room for prints was used up; 3 of 4 words were dropped]\n"
    )


def failed(sites):
    words = empty_mailbox(sites)
    words[mailbox.FAILED] = 1
    words[mailbox.THREAD : mailbox.THREAD + 3] = 5, 1, 0
    words[mailbox.THREADGROUP : mailbox.THREADGROUP + 3] = 2, 0, 3
    return words


def test_a_failure_at_level_1():
    sites = ReportSites("k", 1, (ASSERT,), ())
    with pytest.raises(sm.KernelError) as caught:
        deliver(sites, failed(sites))
    assert str(caught.value) == (
        "kernel 'k': index out of bounds: a has 4 elements along axis 0 (debug=2 shows the line and"
        " the thread)"
    )


def test_a_failure_at_level_2_shows_thread_and_line():
    sites = ReportSites("k", 2, (ASSERT,), ())
    with pytest.raises(sm.KernelError) as caught:
        deliver(sites, failed(sites))
    assert str(caught.value) == (
        "kernel 'k': index out of bounds: a has 4 elements along axis 0\n"
        "model.py:3:12: in thread (5, 1, 0) of threadgroup (2, 0, 3) (x, y, z)\n"
        "    3 |     c[i] = a[j]\n"
        "      |            ^^^^"
    )


def test_prints_come_before_the_failure(capsys):
    sites = ReportSites("k", 1, (ASSERT,), (PrintSite(("hello\n",), ()),))
    words = failed(sites)
    words[mailbox.PRINT_CURSOR], words[mailbox.PRINT_AREA] = 1, 0
    with pytest.raises(sm.KernelError):
        deliver(sites, words)
    assert capsys.readouterr().out == "hello\n"


@sm.kernel
def checked(a):
    i = sm.thread_position_in_grid().x
    if i > 2:
        a[i] = 0.0
    assert a[0] < 1.0, "first"
    for _ in range(3):
        print("x", i)  # noqa: T201 - what is tested


def test_sites_are_numbered_as_in_the_mailbox():
    """Asserts in their order; at level 2 control flow after them; prints on their own."""
    for debug, control in ((1, 0), (2, 2)):
        signature = parse_signature("f32[:]")
        kernel, _ = pipeline.lower(checked.specialisation(signature, debug), "cpu")
        sites = facts(kernel).report_sites("k")
        kinds = [site.kind for site in sites.asserts]
        own = len(kinds) - control
        assert kinds[own:] == ["threads of a threadgroup disagree"] * control
        assert kinds[:own] == ["index out of bounds"] * 2 + ["assertion failed"]
        lines = [site.span.line for site in sites.asserts]
        assert lines[:own] == sorted(lines[:own])
        assert lines[own:] == sorted(lines[own:])
        assert [site.dtypes for site in sites.prints] == [(sm.int32,)]


def test_nothing_to_report_needs_no_mailbox():
    assert not ReportSites("k", 1, (), ())
    assert ReportSites("k", 2, (), ())  # level 2 looks at barriers as well
    sites = ReportSites("k", 1, (ASSERT,), ())
    assert sites
    deliver(sites, empty_mailbox(sites))


dtypes = st.lists(st.sampled_from([d for d in ALL if d is not complex64]), max_size=3)


@given(
    written=st.frozensets(st.integers(0, 40)),
    has_loops=st.booleans(),
    size=st.integers(0, 1 << 40),
    loads=st.lists(st.none() | st.integers(0, 9)).map(tuple),
    variants=st.lists(st.text()).map(tuple),
    threads=st.none() | st.tuples(*[st.integers(1, 1024)] * 3),
    memory=st.integers(0, 32768),
    debug=st.integers(0, 2),
    kinds=st.lists(st.text(), max_size=3),
    prints=st.lists(st.tuples(st.lists(st.none() | st.text(), max_size=4), dtypes), max_size=3),
    code=st.binary(),
)
def test_entries_come_back_whole(
    written, has_loops, size, loads, variants, threads, memory, debug, kinds, prints, code
):
    sites = ReportSites(
        "k",
        debug,
        tuple(AssertSite(kind, kind[::-1], SPAN) for kind in kinds),
        tuple(PrintSite(tuple(parts), tuple(types)) for parts, types in prints),
    )
    facts = KernelMetadata(written, has_loops, size, loads, variants, threads, memory, sites)
    assert unpack_entry(pack_entry(facts, code)) == (facts, code)


def test_a_span_keeps_the_line_that_its_excerpt_shows():
    text = SourceText("model.py", 1, ("first", "second", "    c[i] = a[j]", "fourth"))
    site = AssertSite("kind", "why", SourceSpan(text, 3, 11, 3, 15))
    facts = KernelMetadata(
        frozenset(), False, 1, (), ("",), None, 0, ReportSites("k", 2, (site,), ())
    )
    (again,) = unpack_entry(pack_entry(facts, b""))[0].sites.asserts
    assert again.span.excerpt() == site.span.excerpt()
    assert again.span.place == "model.py:3:12"


@pytest.mark.parametrize(
    "entry", [b"", b"\xff" * 8, b"\x04" + b"\0" * 7 + b"nope", b"\x01" + b"\0" * 7 + b"N"]
)
def test_other_bytes_are_refused(entry):
    with pytest.raises((ValueError, LookupError)):
        unpack_entry(entry)

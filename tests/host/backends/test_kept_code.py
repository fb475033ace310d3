"""Kept code: read back as it was; damaged, truncated and foreign records are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.backends.c_family.layout import ArgumentLayout
from speedmetal.backends.cuda.driver import build as cuda
from speedmetal.backends.kept_code import Envelope
from speedmetal.backends.metal.codegen.printer import PrintedKernel
from speedmetal.backends.metal.driver import kernel_code as metal
from speedmetal.errors import InternalError

LAYOUT = ArgumentLayout((), 0)
CUDA = cuda.CudaCode(
    "entry",
    LAYOUT,
    (0,),
    has_mailbox=False,
    dynamic_bytes=(0, 64),
    neighbours=4,
    threadgroups="256 whole y",
    cubin=b"\x7fELF\n\0\n",
)
METAL = metal.MetalCode(
    PrintedKernel("kernel void entry() {}", "entry", LAYOUT, (0, 1), False, 0, ()),
    (4, 8),
    "safe",
    (3, 1),
)
BOTH = pytest.mark.parametrize(
    ("target", "code"), [(cuda, CUDA), (metal, METAL)], ids=["cuda", "metal"]
)


@BOTH
def test_the_bytes_are_read_back_as_they_were(target, code):
    assert target.unpacked(target.packed(code)) == code


@BOTH
def test_every_damaged_byte_is_seen(target, code):
    data = target.packed(code)
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        with pytest.raises(InternalError, match="code of the kernel is damaged, or of another ver"):
            target.unpacked(bytes(changed))


@BOTH
def test_every_truncated_record_is_seen(target, code):
    data = target.packed(code)
    for length in range(len(data)):
        for part in (data[:length], data[len(data) - length :]):
            with pytest.raises(InternalError, match="damaged, or of another version"):
                target.unpacked(part)


@BOTH
def test_whole_records_of_others_are_refused(target, code):
    """Another target's, another form's, and those whose head says something else."""
    own = target._ENVELOPE
    other = metal if target is cuda else cuda
    strangers = [other.packed(METAL if target is cuda else CUDA)]
    strangers += [Envelope(own.target, own.form + 1).sealed({}), Envelope("opencl", 1).sealed({})]
    for data in strangers:
        with pytest.raises(InternalError, match=f"{own.target} load: .*of another version"):
            target.unpacked(data)
    foreign_heads = ({}, [], None, 7, {"entry": "k", "layout": 3, "arrays": None, "text": ""})
    for head in foreign_heads:
        with pytest.raises(InternalError, match=f"{own.target} load: .* is damaged: "):
            target.unpacked(own.sealed(head))  # type: ignore[arg-type]
    del code


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data):
    for target in (cuda, metal):
        with pytest.raises(InternalError):
            target.unpacked(data)


@given(st.dictionaries(st.text(), st.integers() | st.text()), st.binary())
def test_any_head_and_body_come_back(head, body):
    envelope = Envelope("any", 1)
    assert envelope.opened(envelope.sealed(head, body), lambda h, b: (h, b)) == (head, body)

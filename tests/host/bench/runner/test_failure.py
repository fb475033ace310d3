"""What an exception means: a table of what frameworks really say."""

from __future__ import annotations

import pytest
from hypothesis import given

from speedmetal.bench.record import Status
from speedmetal.bench.runner.failure import status_of_exception
from strategies import texts

OOM, UNSUPPORTED, CRASH = Status.OUT_OF_MEMORY, Status.UNSUPPORTED, Status.CRASH


class XlaRuntimeError(RuntimeError):
    """JAX's own, by its name."""


SAID = [
    (MemoryError(), OOM),
    (MemoryError("Unable to allocate 16.0 GiB for an array"), OOM),
    (
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"
            ": you tried to allocate 400 bytes"
        ),
        OOM,
    ),
    (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"), OOM),
    (RuntimeError("MPS backend out of memory (MPS allocated: 5.00 GB)"), OOM),
    (RuntimeError("[metal::malloc] Attempting to allocate 1 bytes: failed to allocate"), OOM),
    (XlaRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"), OOM),
    (RuntimeError("std::bad_alloc"), OOM),
    (OSError(12, "Cannot allocate memory"), OOM),
    (
        ValueError(
            "array is too big; `arr.size * arr.dtype.itemsize` is larger than the maximum possible"
            " size."
        ),
        OOM,
    ),
    (ValueError("Maximum allowed dimension exceeded"), OOM),
    (RuntimeError("\"sort_stable\" not implemented for 'Half'"), UNSUPPORTED),
    (NotImplementedError("The operator 'aten::x' is not implemented on MPS"), UNSUPPORTED),
    (ValueError("[conv] float64 is not supported on the GPU"), UNSUPPORTED),
    (TypeError("unsupported dtype bfloat16"), UNSUPPORTED),
    (RuntimeError("Sort::eval_gpu has no Metal kernel"), UNSUPPORTED),
    (ValueError("shapes (3,4) and (5,6) not aligned"), CRASH),
    (OSError(28, "No space left on device"), CRASH),
    (KeyError("relu"), CRASH),
]


@pytest.mark.parametrize(("error", "status"), SAID, ids=lambda value: str(value)[:40])
def test_what_frameworks_say(error: Exception, status: Status) -> None:
    """Proves the status of each text, whatever the type and the case of its letters."""
    found, reason = status_of_exception(error)
    assert found is status
    assert reason.startswith(f"{type(error).__name__}: ")


def test_a_reason_is_one_line() -> None:
    """Proves that line ends and runs of blanks become single ones."""
    _, reason = status_of_exception(ValueError("first\n  second\t\tthird"))
    assert reason == "ValueError: first second third"


def test_an_exception_without_text_gives_its_name() -> None:
    """Proves that no reason is empty."""
    assert status_of_exception(ValueError()) == (CRASH, "ValueError: ValueError")


@given(text=texts(2000))
def test_any_text_makes_a_bounded_reason(text: str) -> None:
    """Proves that reasons are short and printable on one line, whatever was raised."""
    _, reason = status_of_exception(RuntimeError(text * 50))
    assert len(reason) <= 500
    assert len(reason.splitlines()) <= 1

"""What an exception of a framework means for the record."""

from __future__ import annotations

from speedmetal.bench.record import Status

# What frameworks say when memory is short; they agree on no exception type.
_MEMORY_WORDS = (
    "can't allocate memory",
    "cannot allocate memory",
    "unable to allocate",
    "out of memory",
    "resource_exhausted",
    "bad_alloc",
    "failed to allocate",
    "not enough memory",
    "larger than the maximum possible size",  # NumPy, of an array beyond the address space
    "maximum allowed dimension exceeded",
)
_UNSUPPORTED_WORDS = (
    "not implemented for",
    "not supported",
    "not implemented on",
    "unsupported dtype",
    "has no metal kernel",
)
_MAXIMUM_REASON = 500


def status_of_exception(error: BaseException) -> tuple[Status, str]:
    """Status and reason for an exception that a case raised."""
    text = " ".join(str(error).split()) or type(error).__name__
    reason = f"{type(error).__name__}: {text}"[:_MAXIMUM_REASON]
    lower = text.lower()
    if isinstance(error, MemoryError) or any(word in lower for word in _MEMORY_WORDS):
        return Status.OUT_OF_MEMORY, reason
    if any(word in lower for word in _UNSUPPORTED_WORDS):
        return Status.UNSUPPORTED, reason
    return Status.CRASH, reason

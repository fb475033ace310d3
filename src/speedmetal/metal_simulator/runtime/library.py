"""The compiled runtime: built once, kept in the cache, loaded once into a process."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from hashlib import blake2b
from pathlib import Path
from typing import Any

from speedmetal.errors import InternalError
from speedmetal.metal_simulator import toolchain
from speedmetal.system.disk_cache import default_cache

BUFFERS = 31
"""Buffer indices of a kernel."""

THREADGROUP_SLOTS = 31
"""Indices of threadgroup memory of a kernel."""

CODE_DEPTH = 4
"""Code addresses that tell a place: the innermost first."""

_FLAGS = (
    "-std=c11",
    "-D_GNU_SOURCE",
    "-O2",
    # Places of the program are told by chains of frames, in which the runtime's own must be too.
    "-fno-omit-frame-pointer",
    "-fvisibility=hidden",
    "-fno-strict-aliasing",
    # Fortified siglongjmp refuses to leave the stacks of fibers.
    "-U_FORTIFY_SOURCE",
)


class Position(ctypes.Structure):
    """``smr_position``: a thread of the grid."""

    _fields_ = (("threadgroup", ctypes.c_uint32 * 3), ("thread", ctypes.c_uint32 * 3))


class Party(ctypes.Structure):
    """``smr_party``: one side of a race."""

    _fields_ = (
        ("position", Position),
        ("access", ctypes.c_uint32),
        ("is_atomic", ctypes.c_uint32),
        ("code", ctypes.c_uint64),
    )


class Race(ctypes.Structure):
    """``smr_race``."""

    _fields_ = (
        ("address", ctypes.c_uint64),
        ("size_bytes", ctypes.c_uint64),
        ("earlier", Party),
        ("later", Party),
        ("meeting", ctypes.c_uint32),
        ("flags", ctypes.c_int32),
    )


class Divergence(ctypes.Structure):
    """``smr_divergence``: the first barrier that some threads did not reach."""

    _fields_ = (
        ("waiting", Position),
        ("other", Position),
        ("waiting_code", ctypes.c_uint64 * CODE_DEPTH),
        ("other_code", ctypes.c_uint64 * CODE_DEPTH),
        ("waiting_threads", ctypes.c_uint32),
        ("expected_threads", ctypes.c_uint32),
        ("is_simdgroup", ctypes.c_uint32),
    )


class DispatchRecord(ctypes.Structure):
    """``smr_dispatch``."""

    _fields_ = (
        ("entry", ctypes.c_uint64),
        ("buffers", ctypes.c_uint64 * BUFFERS),
        ("buffer_bytes", ctypes.c_uint64 * BUFFERS),
        ("buffer_bytes_before", ctypes.c_uint64 * BUFFERS),
        ("threadgroup_bytes", ctypes.c_uint64 * THREADGROUP_SLOTS),
        ("threadgroup_limit", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("timeout_nanoseconds", ctypes.c_uint64),
        ("grid", ctypes.c_uint32 * 3),
        ("threads_per_threadgroup", ctypes.c_uint32 * 3),
        ("order", ctypes.c_uint32),
        ("workers", ctypes.c_uint32),
        ("uses_fibers", ctypes.c_uint32),
        ("poison", ctypes.c_uint32),
        ("flush_denormals", ctypes.c_uint32),
        ("strict", ctypes.c_uint32),
        ("check_races", ctypes.c_uint32),
        ("edge", ctypes.c_uint32),
        ("other_count", ctypes.c_uint32),
        ("others", ctypes.POINTER(ctypes.c_uint64)),
        ("bindings", ctypes.c_uint64),
    )


class Report(ctypes.Structure):
    """``smr_report``."""

    _fields_ = (
        ("status", ctypes.c_uint32),
        ("signal", ctypes.c_uint32),
        ("access", ctypes.c_uint32),
        ("has_position", ctypes.c_uint32),
        ("position", Position),
        ("address", ctypes.c_uint64),
        ("size_bytes", ctypes.c_uint64),
        ("index", ctypes.c_int64),
        ("line", ctypes.c_uint32),
        ("column", ctypes.c_uint32),
        ("code", ctypes.c_uint64 * CODE_DEPTH),
        ("threadgroup_site", ctypes.c_int64),
        ("threadgroup_offset", ctypes.c_int64),
        ("is_threadgroup_memory", ctypes.c_uint32),
        ("is_stack", ctypes.c_uint32),
        ("divergent_barriers", ctypes.c_uint64),
        ("mixed_collectives", ctypes.c_uint64),
        ("partial_collectives", ctypes.c_uint64),
        ("undefined_divisions", ctypes.c_uint64),
        ("switches", ctypes.c_uint64),
        ("threadgroup_bytes", ctypes.c_uint64),
        ("nanoseconds", ctypes.c_uint64),
        ("races", ctypes.c_uint64),
        ("distinct_races", ctypes.c_uint64),
        ("divergence", Divergence),
        ("race", Race * 16),
        ("message", ctypes.c_char * 256),
    )


_LAYOUT = (DispatchRecord, Report, Divergence, Race)
_u64 = ctypes.c_uint64
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "smr_run": (None, (ctypes.POINTER(DispatchRecord), ctypes.POINTER(Report))),
    "smr_layout": (None, (ctypes.POINTER(_u64),)),
    "smr_after_fork": (None, ()),
    "smr_library_begin": (_u64, (_u64,)),
    "smr_library_name": (ctypes.c_char_p, (_u64,)),
    "smr_reserve": (_u64, (_u64,)),
    "smr_buffer_map": (_u64, (_u64, ctypes.c_int32, ctypes.c_uint32, ctypes.c_uint32)),
    "smr_buffer_unmap": (None, (_u64, _u64)),
    "smr_buffer_damage": (ctypes.c_int64, (_u64, _u64)),
    "smr_buffer_repair": (None, (_u64, _u64)),
}

# What was loaded, by the name it was loaded under: where messages find lines.
_contents: dict[bytes, bytes] = {}
_lock = threading.Lock()
_loaded: ctypes.CDLL | None = None


def runtime() -> ctypes.CDLL:
    """The runtime, with the types of its functions set; compiled and loaded at the first call.

    Raises:
        DeviceError: There is no compiler for the simulator.
    """
    global _loaded  # noqa: PLW0603 - one per process: its names are visible to all libraries
    if _loaded is None:
        with _lock:
            if _loaded is None:
                _loaded = _load()
    return _loaded


def _load() -> ctypes.CDLL:
    found = toolchain.find()
    sources = sorted(Path(__file__).parent.glob("*.c"))
    content = default_cache().get_or_build(
        _key(found.identity), lambda: found.compile_shared_library(sources, _FLAGS)
    )
    if sys.platform == "linux":
        # Kernels call functions of the C library for mathematics; not every Python has it loaded.
        ctypes.CDLL("libm.so.6", mode=ctypes.RTLD_GLOBAL)
    library = load_bytes(content, mode=ctypes.RTLD_GLOBAL)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    _check_layout(library)
    os.register_at_fork(after_in_child=library.smr_after_fork)
    return library


def _key(compiler: str) -> str:
    digest = blake2b(digest_size=16)
    for path in sorted(Path(__file__).parent.glob("*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"metal simulator runtime {digest.hexdigest()} {compiler} {' '.join(_FLAGS)}"


def load_bytes(content: bytes, *, mode: int = ctypes.DEFAULT_MODE) -> ctypes.CDLL:
    """Load a shared library from memory; it stays loaded.

    The file goes at once. Its name is used once only: the loader takes a library of a name that it
    knows for one that is loaded already, so that a descriptor's number would not do.
    """
    path = toolchain.scratch_file(".so")
    path.write_bytes(content)
    try:
        loaded = ctypes.CDLL(str(path), mode=mode)
    finally:
        path.unlink()
    _contents[str(path).encode()] = content
    return loaded


def content_of(address: int) -> bytes:
    """What the library with this address was loaded from; empty where `load_bytes` did not."""
    return _contents.get(runtime().smr_library_name(address), b"")


def _check_layout(library: ctypes.CDLL) -> None:
    sizes = (_u64 * len(_LAYOUT))()
    library.smr_layout(sizes)
    expected = tuple(ctypes.sizeof(structure) for structure in _LAYOUT)
    if tuple(sizes) != expected:
        raise InternalError(
            f"the simulator's runtime has structures of {tuple(sizes)} bytes, Python of "
            f"{expected}; interface.h and library.py differ"
        )

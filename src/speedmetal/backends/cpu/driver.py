"""Runs compiled kernels on the CPU."""

from __future__ import annotations

import ctypes

from speedmetal.backends.cpu.build import ENTRY_SYMBOL, load
from speedmetal.backends.cpu.pool import default_pool

_ENTRY_TYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


class Program:
    """A kernel in memory, ready to be launched any number of times, from any thread.

    Args:
        object_bytes: What `speedmetal.backends.cpu.build.compile_object` made; it defines
            ``void sm_entry(ptr args, i64 begin, i64 end)``.

    Raises:
        InternalError: The object is damaged or needs a symbol that this process has not.
    """

    __slots__ = ("_address", "_code", "_entry")

    def __init__(self, object_bytes: bytes) -> None:
        self._code = load(object_bytes)
        self._address = self._code.address(ENTRY_SYMBOL)
        self._entry = _ENTRY_TYPE(self._address)

    def launch(self, arguments: bytes, groups: int, chunk: int) -> None:
        """Runs threadgroups 0 to ``groups - 1`` and returns when they are done.

        Args:
            arguments: The argument slots, 8 bytes each: grid, threads and groups in x, y, z, the
                mailbox's address, then the kernel's parameters.
            groups: How many threadgroups there are.
            chunk: How many of them a thread takes at a time. Where one chunk has all, they run on
                the calling thread, without the pool.
        """
        if groups <= chunk:
            self._entry(arguments, 0, groups)
        else:
            default_pool().parallel_for(self._address, arguments, groups, chunk)

"""A stand-in for ``cuda.compute`` of the package cuda-cccl: sorts and scans by NumPy on the host.

Together with the stand-in for the driver (`cuda_machine`), whose memory is the host's. As there, an
algorithm is made for types alone, written down and read again, asked how much memory it works in,
and does its work when the stream has come to it, on what its arguments say; what it works in is
filled with rubbish. An operation in CUDA C++ is compiled for the host.
"""

from __future__ import annotations

import ctypes
import pickle
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from cuda_libraries import RUBBISH, seen
from cuda_machine import DryDriver, Work
from cuda_on_the_host import _SHIM
from speedmetal.metal_simulator import toolchain

WORKSPACE_BYTES = 160


class RawOp:
    """An operation: here the source is given in the place of LTO-IR."""

    def __init__(self, *, ltoir: bytes, name: str) -> None:
        self.source, self.name = ltoir.decode(), name


class Compute:
    """The package.

    Attributes:
        built: Names of the algorithms that were compiled, in order.
        called: Of those that ran.
        refusal: What the next compilation raises.
        modules: By their names.
    """

    def __init__(self, driver: DryDriver) -> None:
        self.driver = driver
        self.built: list[str] = []
        self.called: list[str] = []
        self.refusal = ""
        compute, op, cccl = ModuleType("cuda.compute"), ModuleType("op"), ModuleType("cuda.cccl")
        compute.SortOrder = SimpleNamespace(ASCENDING="up")
        compute.OpKind = SimpleNamespace(PLUS="plus")
        compute.make_radix_sort, compute.make_inclusive_scan = self.make_sort, self.make_scan
        compute.serialize = pickle.dumps
        compute.deserialize = self.read
        op.RawOp = RawOp
        cccl.__version__, cccl.get_include_paths = "1.2.1", lambda: None
        self.modules = {
            "cuda": ModuleType("cuda"),
            "cuda.compute": compute,
            "cuda.compute.op": op,
            "cuda.cccl": cccl,
        }

    def _make(self, name: str, capability: int, **facts: Any) -> dict[str, Any]:
        assert capability == 90
        if self.refusal:
            raise RuntimeError(self.refusal)
        self.built.append(name)
        return {"name": name, **facts}

    def make_sort(
        self,
        *,
        d_in_keys: Any,
        d_out_keys: Any,
        d_in_values: Any,
        d_out_values: Any,
        order: str,
        compute_capability: int,
    ) -> dict[str, Any]:
        assert order == "up"
        assert d_in_keys.dtype == d_out_keys.dtype
        assert d_in_keys.dtype.kind in "iu"
        assert (d_in_values is None) == (d_out_values is None)
        values = None if d_in_values is None else d_in_values.dtype
        if values is not None and not d_in_values.__cuda_array_interface__["data"][0]:
            values = None  # as the package takes an array without an address
        return self._make("sort", compute_capability, keys=d_in_keys.dtype, values=values)

    def make_scan(
        self,
        *,
        d_in: Any,
        d_out: Any,
        op: Any,
        init_value: None,
        compute_capability: int,
    ) -> dict[str, Any]:
        assert d_in.dtype == d_out.dtype
        assert init_value is None
        operation = None if op == "plus" else (op.source, op.name)
        return self._make("scan", compute_capability, keys=d_in.dtype, operation=operation)

    def read(self, code: bytes) -> Any:
        facts = pickle.loads(code)  # noqa: S301 - our own
        return (self._sort if facts["name"] == "sort" else self._scan)(facts)

    def _start(self, scratch: Any, stream: Any, arrays: list[Any]) -> int | None:
        """The ``CUstream``; None where the question is how much memory it works in."""
        self.driver._needs_context()
        for array, dtype in arrays:
            assert array.dtype == dtype
        if scratch is None:
            return None
        assert scratch.nbytes == WORKSPACE_BYTES
        assert all(array.data_ptr() for array, _ in arrays)
        ctypes.memset(scratch.data_ptr(), RUBBISH, scratch.nbytes)
        version, number = stream.__cuda_stream__()
        assert version == 0
        return int(number)

    def _sort(self, facts: dict[str, Any]) -> Any:
        def sort(
            *,
            temp_storage: Any,
            d_in_keys: Any,
            d_out_keys: Any,
            d_in_values: Any,
            d_out_values: Any,
            num_items: int,
            begin_bit: int,
            end_bit: int,
            stream: Any,
        ) -> int:
            arrays = [(d_in_keys, facts["keys"]), (d_out_keys, facts["keys"])]
            if facts["values"] is not None:
                arrays += [(d_in_values, facts["values"]), (d_out_values, facts["values"])]
            number = self._start(temp_storage, stream, arrays)
            if number is None:
                return WORKSPACE_BYTES
            assert begin_bit == 0

            def run() -> None:
                found = [
                    seen(array.data_ptr(), dtype, (num_items,), (1,)) for array, dtype in arrays
                ]
                keys = found[0]
                looked_at = keys
                if end_bit < 8 * keys.itemsize:
                    looked_at = keys & keys.dtype.type((1 << end_bit) - 1)
                order = np.argsort(looked_at, kind="stable")
                for source, target in zip(found[::2], found[1::2], strict=True):
                    target[:] = source[order]

            self.called.append("sort")
            self.driver._ask(number, Work(run, None))
            return WORKSPACE_BYTES

        return sort

    def _scan(self, facts: dict[str, Any]) -> Any:
        def scan(
            *,
            temp_storage: Any,
            d_in: Any,
            d_out: Any,
            op: Any,
            init_value: None,
            num_items: int,
            stream: Any,
        ) -> int:
            assert init_value is None
            assert op == "plus"  # its state is asked for: it has none
            kind = facts["keys"]
            number = self._start(temp_storage, stream, [(d_in, kind), (d_out, kind)])
            if number is None:
                return WORKSPACE_BYTES

            def run() -> None:
                source, target = (
                    seen(array.data_ptr(), kind, (num_items,), (1,)) for array in (d_in, d_out)
                )
                if facts["operation"] is None:
                    np.cumsum(source, out=target)
                    return
                combine = compiled(*facts["operation"])
                target[0] = source[0]
                for k in range(1, num_items):
                    places = (target[k - 1 :], source[k:], target[k:])
                    combine(*(ctypes.c_void_p(place.ctypes.data) for place in places))

            self.called.append("scan")
            self.driver._ask(number, Work(run, None))
            return WORKSPACE_BYTES

        return scan


def compiled(source: str, name: str) -> Any:
    """A function of CUDA C++ that exchanges nothing, on the host."""
    file, library = toolchain.scratch_file(".cpp"), toolchain.scratch_file(".so")
    file.write_text(_SHIM + source)
    flags = ["-std=c++17", "-O1", "-w", "-ffp-contract=off", "-fno-exceptions"]
    library.write_bytes(toolchain.find().compile_shared_library([file], flags))
    return getattr(ctypes.CDLL(str(library)), name)

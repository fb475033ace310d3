"""Sorts and scans by NVIDIA's CUB, through the package cuda-cccl (``cuda.compute``).

CUB is a library of templates: the package compiles them with NVRTC for the types that are asked
for, which takes about five seconds. What it made can be written down, so that it is kept in the
cache on disk as kernels are, and loading it takes milliseconds.

What is called gets addresses, the device's stream, and memory of the device's pool to work in; it
waits for nothing, and may be part of a graph.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from speedmetal.backends.cuda.libraries.bindings import RoutineError
from speedmetal.backends.cuda.libraries.handles import Handles
from speedmetal.backends.cuda.nvrtc import compile_for_linking
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import DeviceError, InternalError
from speedmetal.system.disk_cache import default_cache


class Memory:
    """Elements at an address, as ``cuda.compute`` takes them.

    Args:
        address: Of the first one.
        dtype: NumPy's.
        nbytes: How many bytes, where that is asked for.
    """

    __slots__ = ("address", "dtype", "nbytes")

    def __init__(self, address: int, dtype: Any = None, nbytes: int = 0) -> None:
        self.address = address
        self.dtype = dtype
        self.nbytes = nbytes

    def data_ptr(self) -> int:
        """The address."""
        return self.address

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """What the package looks at when it compiles."""
        place = {"data": (self.address, False), "strides": None}
        return {"shape": (1,), "typestr": np.dtype(self.dtype).str, "version": 3, **place}


class _Stream:
    """A ``CUstream`` with the protocol that libraries share."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.number


@record(eq=False)
class Plan:
    """An algorithm for a number of elements.

    Args:
        label: What it is called, for people.
        call: ``(stream, scratch, addresses)`` runs it; ``scratch`` None: it says how many bytes it
            works in.
        workspace_bytes: So many.
    """

    label: str
    call: Callable[[Any, Any, tuple[int, ...]], int]
    workspace_bytes: int


@record
class Operation:
    """What combines two elements.

    Args:
        source: CUDA C++ with a function that takes three addresses: of both, and of what they give.
        name: The function's.
    """

    source: str
    name: str


def operation_of(text: str, entry: str) -> Operation:
    """An operation from the text of a kernel that stores what two elements give.

    The kernel becomes a function, and the grid so large that every thread is inside.

    Args:
        text: Of a kernel with three arrays of one element: the result, and the two.
        entry: The kernel's name in it.
    """
    head = f'extern "C" __global__ void __launch_bounds__(256) {entry}('
    before, found, after = text.partition(head)
    if not found:
        raise InternalError(f"cuda.compute: the text has no kernel {entry!r}:\n{text}")
    source = f"""{before}static __device__ inline void {entry}({after}

struct Address {{
    void* value;
    template <class Type> __device__ operator Type*() const {{ return (Type*)value; }}
}};

extern "C" __device__ void {entry}_of_two(void* left, void* right, void* result) {{
    const int most = 0x7FFFFFFF;
    const Arguments arguments = {{most, most, most}};
    {entry}(Address{{result}}, Address{{left}}, Address{{right}}, arguments);
}}
"""
    return Operation(source, f"{entry}_of_two")


@cache
def load(cuda: int) -> Any:
    """The package for the driver of a CUDA version.

    Raises:
        DeviceError: It is not installed, or lacks something; says what to install.
    """
    try:
        module = importlib.import_module("cuda.compute")
        importlib.import_module("cuda.cccl").get_include_paths()  # CUDA's headers among them
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise DeviceError(
            f"NVIDIA's cuda.compute was not found ({reason}); install it with"
            f" pip install 'cuda-cccl[minimal-cu{min(cuda, 13)}]', or ask for algorithm='native'"
        ) from error
    return module


class Compute:
    """What sorts and scans, on one device.

    Args:
        handles: Of the device.
        cuda: The first number of the driver's CUDA version.
        identity: What compiled code depends on besides its source.
        architecture: ``"sm_90"``.
    """

    def __init__(self, handles: Handles, cuda: int, identity: str, architecture: str) -> None:
        self._handles = handles
        self._cuda = cuda
        self._identity = identity
        self._architecture = architecture
        self._capability = int(architecture.removeprefix("sm_"))
        self._lock = threading.RLock()
        self._algorithms: dict[str, Any] = {}
        self._plans: dict[tuple[Any, ...], Plan] = {}

    def missing(self) -> DeviceError | None:
        """Why it cannot be used; None: it can."""
        try:
            load(self._cuda)
        except DeviceError as error:
            return error
        return None

    def radix_sort(self, keys: DType, places: DType | None, size: int, bits: int) -> Plan:
        """A stable sort by the lowest bits of keys.

        Args:
            keys: Their dtype; integers.
            places: That of what is moved with them; None: nothing is.
            size: How many.
            bits: So many bits are looked at.

        Returns:
            Called with the addresses of the keys, of the keys in order, and of what is moved with
            them, before and after.

        Raises:
            DeviceError: The package is missing.
            RoutineError: It cannot be compiled.
        """

        def make() -> Plan:
            kinds = [keys.numpy, *([places.numpy] if places is not None else [])]
            algorithm = self._algorithm(
                " ".join(["radix_sort", *map(str, kinds)]),
                lambda module, options: module.make_radix_sort(
                    **_four([Memory(_SOMEWHERE, kind) for kind in kinds for _ in range(2)]),
                    order=module.SortOrder.ASCENDING,
                    **options,
                ),
            )

            def call(stream: Any, scratch: Any, addresses: tuple[int, ...]) -> int:
                pairs = zip(addresses, (kind for kind in kinds for _ in range(2)), strict=True)
                found: int = algorithm(
                    temp_storage=scratch,
                    **_four([Memory(*pair) for pair in pairs]),
                    num_items=size,
                    begin_bit=0,
                    end_bit=bits,
                    stream=stream,
                )
                return found

            return self._planned("radix_sort", call, (0,) * (2 * len(kinds)))

        return self._kept(("radix_sort", keys, places, size, bits), make)

    def scan(self, dtype: DType, operation: Operation, size: int) -> Plan:
        """What an associative operation gives for the elements up to each.

        Args:
            dtype: Of the elements.
            operation: Combines two.
            size: How many elements.

        Returns:
            Called with the addresses of the elements, and of the results.

        Raises:
            DeviceError: The package is missing.
            RoutineError: It cannot be compiled.
        """

        def make() -> Plan:
            kind, module = dtype.numpy, load(self._cuda)
            stateless = module.OpKind.PLUS  # what a call takes of an operation is its state: none
            algorithm = self._algorithm(
                f"scan {dtype} {operation.source}",
                lambda module, options: module.make_inclusive_scan(
                    d_in=Memory(_SOMEWHERE, kind),
                    d_out=Memory(_SOMEWHERE, kind),
                    op=self._operator(operation),
                    init_value=None,
                    **options,
                ),
            )

            def call(stream: Any, scratch: Any, addresses: tuple[int, ...]) -> int:
                source, target = (Memory(address, kind) for address in addresses)
                found: int = algorithm(
                    temp_storage=scratch,
                    d_in=source,
                    d_out=target,
                    op=stateless,
                    init_value=None,
                    num_items=size,
                    stream=stream,
                )
                return found

            return self._planned("inclusive_scan", call, (0, 0))

        return self._kept(("scan", dtype, operation, size), make)

    def _operator(self, operation: Operation) -> Any:
        code = compile_for_linking(operation.source, self._architecture)
        return importlib.import_module("cuda.compute.op").RawOp(ltoir=code, name=operation.name)

    def run(self, plan: Plan, addresses: tuple[int, ...], kept: object) -> None:
        """Have the device's stream do it, in its turn.

        Args:
            plan: Of one of the functions above.
            addresses: Of the arrays, as that function says.
            kept: What keeps them alive until then.
        """

        def call(stream: int, workspace: int) -> None:
            with self._lock:  # an algorithm holds the arguments of one call
                try:
                    scratch = Memory(workspace, nbytes=plan.workspace_bytes)
                    plan.call(_Stream(stream), scratch, addresses)
                except RuntimeError as error:
                    raise _explained(plan.label, error) from error

        self._handles.run(plan.label, call, addresses, kept, plan.workspace_bytes)

    def _kept(self, key: tuple[Any, ...], make: Callable[[], Plan]) -> Plan:
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            found = self._plans[key] = make()
        return found

    def _planned(
        self, label: str, call: Callable[[Any, Any, tuple[int, ...]], int], none: tuple[int, ...]
    ) -> Plan:
        with self._lock, self._handles.device.context:
            try:
                size = call(None, None, none)
            except RuntimeError as error:
                raise _explained(label, error) from error
        return Plan(label, call, max(size, 1))

    def _algorithm(self, name: str, make: Callable[[Any, dict[str, Any]], Any]) -> Any:
        """An algorithm, from the cache on disk, or compiled."""
        found = self._algorithms.get(name)
        if found is not None:
            return found
        module = load(self._cuda)
        version = importlib.import_module("cuda.cccl").__version__

        def built() -> bytes:
            try:
                made = make(module, {"compute_capability": self._capability})
            except RuntimeError as error:
                raise _explained(name, error) from error
            code: bytes = module.serialize(made)
            return code

        with self._lock, self._handles.device.context:
            key = f"cuda.compute {version} {self._identity} {name}"
            code = default_cache().get_or_build(key, built)
            found = self._algorithms[name] = module.deserialize(code)
        return found


_MOST_PLANS = 4096

_SOMEWHERE = 256
"""The address of what is not there yet. The package has ``ProxyArray`` for that; but it takes one
of values for none, and makes a sort of keys alone (1.2.1; this can go with a version that does
not)."""

_KEYS = ("d_in_keys", "d_out_keys", "d_in_values", "d_out_values")


def _four(arrays: list[Any]) -> dict[str, Any]:
    """Keys, keys in order, and what is moved with them, if anything is."""
    return dict(zip(_KEYS, (*arrays, None, None)[:4], strict=True))


def _explained(label: str, error: Exception) -> RoutineError:
    return RoutineError(
        f"{label} of NVIDIA's cuda.compute answered: {error}; ask for algorithm='native', and"
        " please report this with the shapes and dtypes"
    )

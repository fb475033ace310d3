"""A stand-in for nvmath-python: NVIDIA's libraries, as NumPy and SciPy's LAPACK on the host.

Together with the stand-in for the driver (`cuda_machine`), whose memory is the host's. A routine
reads and writes what its arguments say, by columns, when the stream has come to it: so a wrong
leading dimension, stride, transposition or order of calls gives wrong numbers. What it works in is
filled with rubbish.
"""

from __future__ import annotations

import ctypes
import itertools
import struct
import sys
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
from scipy.linalg import lapack

from cuda_machine import DryDriver, Work

TYPES = {0: np.float32, 1: np.float64, 2: np.float16, 4: np.complex64, 5: np.complex128,
         14: ml_dtypes.bfloat16}  # fmt: skip
RUBBISH = 0xEE
WORKSPACE_BYTES = 96


def seen(address: int, dtype: Any, shape: Any, strides: Any) -> np.ndarray:
    """Elements at an address; strides are in elements."""
    size = np.dtype(dtype).itemsize
    last = sum((extent - 1) * step for extent, step in zip(shape, strides, strict=True))
    memory = (ctypes.c_char * ((last + 1) * size)).from_address(address)
    return np.ndarray(shape, dtype, memory, 0, [step * size for step in strides])


def by_columns(address: int, dtype: Any, rows: int, columns: int, leading: int) -> np.ndarray:
    assert leading >= rows
    return seen(address, dtype, (rows, columns), (1, leading))


class Status(Exception):  # noqa: N818 - as nvmath-python's errors read
    """What nvmath-python raises, as far as anybody looks at it."""


class Library:
    """What all have in common.

    Attributes:
        called: Names of the functions that launch something, in order.
        refusals: What the next calls of a function raise, by its name.
    """

    def __init__(self, driver: DryDriver) -> None:
        self.driver = driver
        self.called: list[str] = []
        self.refusals: dict[str, str] = {}
        self.stream = 0
        self._numbers = itertools.count(1)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        refusals = object.__getattribute__(self, "__dict__").get("refusals") or {}
        if name in refusals and callable(found):

            def refuse(*_: Any) -> None:
                raise Status(refusals[name])

            return refuse
        return found

    def get_version(self) -> int:
        return 130000

    def create(self) -> int:
        self.driver._needs_context()
        return next(self._numbers)

    def destroy(self, handle: int) -> None:
        pass

    def set_stream(self, handle: int, stream: int) -> None:
        self.stream = stream

    def ask(self, name: str, run: Any, stream: int | None = None) -> None:
        self.called.append(name)
        self.driver._ask(self.stream if stream is None else stream, Work(run, None))

    def spoil(self, address: int, size: int) -> None:
        assert address or not size
        if size:
            ctypes.memset(address, RUBBISH, size)


class CublasLt(Library):
    """Attributes:
    asked: What the heuristics were asked, in order.
    """

    def __init__(self, driver: DryDriver) -> None:
        super().__init__(driver)
        self.made: dict[int, dict[Any, Any]] = {}
        self.asked: list[dict[Any, Any]] = []

    def _make(self, **facts: Any) -> int:
        number = next(self._numbers)
        self.made[number] = facts
        return number

    def matmul_desc_create(self, compute: int, scale: int) -> int:
        return self._make(compute=compute, scale=scale)

    def matrix_layout_create(self, kind: int, rows: int, columns: int, leading: int) -> int:
        assert min(rows, columns) > 0
        assert leading >= rows
        return self._make(kind=kind, rows=rows, columns=columns, leading=leading)

    def matmul_preference_create(self) -> int:
        return self._make()

    def _set(self, handle: int, place: int, address: int, size: int) -> None:
        content = ctypes.string_at(address, size)
        self.made[handle][place] = int.from_bytes(content, sys.byteorder, signed=True)

    matmul_desc_set_attribute = matrix_layout_set_attribute = _set
    matmul_preference_set_attribute = _set

    def _forget(self, handle: int) -> None:
        del self.made[handle]

    matmul_desc_destroy = matrix_layout_destroy = matmul_preference_destroy = _forget

    def matmul_algo_get_heuristic(
        self, handle, description, a, b, c, d, preference, wanted, found, count
    ):
        assert wanted == 1
        self.asked.append(self.made[preference] | self.made[description])
        struct_bytes = struct.pack("=64sQi", b"algorithm", WORKSPACE_BYTES, 0)
        ctypes.memmove(found, struct_bytes, len(struct_bytes))
        ctypes.c_int.from_address(count).value = 1

    def matmul(
        self, handle, description, alpha, a, a_layout, b, b_layout, beta, c, c_layout, d, d_layout,
        algorithm, workspace, size, stream,
    ):  # fmt: skip
        assert ctypes.string_at(algorithm, 9) == b"algorithm"
        assert size == WORKSPACE_BYTES
        facts = dict(self.made[description])
        kind = TYPES[self.made[a_layout]["kind"]]
        is_wide = kind in (np.float64, np.complex128)
        is_rounded = facts["compute"] == 77  # CUBLAS_COMPUTE_32F_FAST_TF32
        assert facts["compute"] == (70 if is_wide else 77 if is_rounded else 68)  # _64F, _32F
        assert kind == np.float32 or not is_rounded
        scale = TYPES[facts["scale"]]
        assert scale == (np.float32 if np.dtype(kind).itemsize == 2 else kind)
        assert seen(alpha, scale, (), ()) == 1
        assert seen(beta, scale, (), ()) == 0
        assert c == d
        views = [self._view(*pair) for pair in ((a, a_layout), (b, b_layout), (d, d_layout))]

        def run() -> None:
            self.spoil(workspace, size)
            left, right, result = views
            left = left.swapaxes(-1, -2) if facts.get(3) else left
            right = right.swapaxes(-1, -2) if facts.get(4) else right
            if is_rounded:
                left, right = rounded_to_tf32(left), rounded_to_tf32(right)
            result[...] = np.matmul(left.astype(scale), right.astype(scale)).astype(kind)

        self.ask("matmul", run, stream)

    def _view(self, address: int, layout: int) -> np.ndarray:
        facts = self.made[layout]
        count, stride = facts.get(5, 1), facts.get(6, 0)
        shape = (count, facts["rows"], facts["columns"])
        return seen(address, TYPES[facts["kind"]], shape, (stride, 1, facts["leading"]))


def rounded_to_tf32(x: np.ndarray) -> np.ndarray:
    """To the nearest numbers of 11 bits."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + 0x1000) & 0xFFFFE000).view(np.float32)


class Cufft(Library):
    def __init__(self, driver: DryDriver) -> None:
        super().__init__(driver)
        self.plans: dict[int, Any] = {}
        self.destroyed: list[int] = []

    def set_auto_allocation(self, plan: int, automatic: int) -> None:
        assert automatic == 0

    def xt_make_plan_many(
        self, plan, rank, lengths, in_extents, in_stride, in_distance, in_type,
        out_extents, out_stride, out_distance, out_type, count, kind,
    ):  # fmt: skip
        assert rank == len(lengths) == len(in_extents) == len(out_extents) <= 3
        assert TYPES[kind] in (np.complex64, np.complex128)
        source = (in_extents, in_stride, in_distance, TYPES[in_type])
        target = (out_extents, out_stride, out_distance, TYPES[out_type])
        self.plans[plan] = SimpleNamespace(
            lengths=lengths, count=count, source=source, target=target, work=0, stream=0
        )
        return WORKSPACE_BYTES

    def set_stream(self, plan: int, stream: int) -> None:
        self.plans[plan].stream = stream

    def set_work_area(self, plan: int, address: int) -> None:
        self.plans[plan].work = address

    def destroy(self, plan: int) -> None:
        self.destroyed.append(plan)

    def xt_exec(self, plan: int, source: int, target: int, direction: int) -> None:
        made = self.plans[plan]
        work = made.work
        to_real = not issubclass(made.target[3], np.complexfloating)
        from_real = not issubclass(made.source[3], np.complexfloating)
        half = (*made.lengths[:-1], made.lengths[-1] // 2 + 1)
        read = self._view(source, made.source, half if to_real else made.lengths, made.count)
        written = self._view(target, made.target, half if from_real else made.lengths, made.count)
        axes = tuple(range(1, len(made.lengths) + 1))

        def run() -> None:
            self.spoil(work, WORKSPACE_BYTES)
            if to_real:
                assert direction == 1
                # The card does not look at these; whoever leaves something there is found out.
                assert (read[..., 0].imag == 0).all()
                found = np.fft.irfftn(read, made.lengths, axes, norm="forward")
                read[...] = np.nan
            elif from_real:
                found = np.fft.rfftn(read, axes=axes)
            elif direction == -1:
                found = np.fft.fftn(read, axes=axes)
            else:
                found = np.fft.ifftn(read, axes=axes, norm="forward")
            written[...] = found

        self.ask("xt_exec", run, made.stream)

    def _view(self, address: int, spread: Any, lengths: Any, count: int) -> np.ndarray:
        extents, stride, distance, dtype = spread
        strides = [stride]
        for extent, length in zip(extents[:0:-1], lengths[:0:-1], strict=True):
            assert extent >= length
            strides.insert(0, strides[0] * extent)
        return seen(address, dtype, (count, *lengths), (distance, *strides))


def _pointers(address: int, count: int) -> list[int]:
    return [int(place) for place in seen(address, np.uint64, (count,), (1,))]


def _lapack(name: str, matrix: np.ndarray) -> Any:
    (routine,) = lapack.get_lapack_funcs((name,), (matrix,))
    return routine


class Factorising(Library):
    """Routines of LAPACK on memory."""

    def _cholesky(self, triangle: int, matrix: np.ndarray, info: np.ndarray) -> None:
        found, code = _lapack("potrf", matrix)(matrix, lower=triangle == 0, clean=0)
        matrix[...] = found
        info[...] = code

    def _lu(self, matrix: np.ndarray, pivots: np.ndarray, info: np.ndarray) -> None:
        found, places, code = _lapack("getrf", matrix)(matrix)
        matrix[...] = found
        pivots[...] = places + 1
        info[...] = code

    def _solve(self, operation: int, matrix: Any, pivots: Any, sides: Any) -> None:
        found, code = _lapack("getrs", matrix)(matrix, pivots - 1, sides, trans=operation)
        assert code == 0
        sides[...] = found


def number(address: int) -> np.ndarray:
    return seen(address, np.int32, (), ())


class Cublas(Factorising):
    def __getattr__(self, name: str) -> Any:
        letter, rest = name[:1], name[1:]
        if rest not in ("getrf_batched", "getrs_batched", "geqrf_batched"):
            raise AttributeError(name)
        dtype = dict(s=np.float32, d=np.float64, c=np.complex64, z=np.complex128)[letter]
        return lambda *arguments: getattr(self, f"_{rest}")(dtype, *arguments)

    def _getrf_batched(self, dtype, handle, n, places, leading, pivots, info, count):
        def run() -> None:
            for number_, address in enumerate(_pointers(places, count)):
                self._lu(
                    by_columns(address, dtype, n, n, leading),
                    seen(pivots + number_ * n * 4, np.int32, (n,), (1,)),
                    number(info + number_ * 4),
                )

        self.ask("getrf_batched", run)

    def _geqrf_batched(self, dtype, handle, m, n, places, leading, factors, answer, count):
        ctypes.c_int.from_address(answer).value = 0

        def run() -> None:
            pairs = zip(_pointers(places, count), _pointers(factors, count), strict=True)
            for address, own in pairs:
                matrix = by_columns(address, dtype, m, n, leading)
                found, taus, _, code = _lapack("geqrf", matrix)(matrix)
                assert code == 0
                matrix[...] = found
                seen(own, dtype, (min(m, n),), (1,))[...] = taus

        self.ask("geqrf_batched", run)

    def _getrs_batched(
        self, dtype, handle, operation, n, columns, places, leading, pivots, sides, of_sides,
        answer, count,
    ):  # fmt: skip
        ctypes.c_int.from_address(answer).value = 0

        def run() -> None:
            pairs = zip(_pointers(places, count), _pointers(sides, count), strict=True)
            for number_, (address, side) in enumerate(pairs):
                self._solve(
                    operation,
                    by_columns(address, dtype, n, n, leading),
                    seen(pivots + number_ * n * 4, np.int32, (n,), (1,)),
                    by_columns(side, dtype, n, columns, of_sides),
                )

        self.ask("getrs_batched", run)


class CusolverDn(Factorising):
    """Its routines of many matrices, and those whose letter says the type, go by `_named`."""

    def create_params(self) -> int:
        return next(self._numbers)

    create_gesvdj_info = create_params

    def __getattr__(self, name: str) -> Any:
        if name.startswith("x") and name.endswith("_buffer_size"):
            return lambda *_: (WORKSPACE_BYTES, 16)
        letter, rest = name[:1], name[1:]
        dtype = dict(s=np.float32, d=np.float64, c=np.complex64, z=np.complex128).get(letter)
        if dtype is None:
            raise AttributeError(name)
        if rest.endswith("_buffer_size"):
            return lambda *_: WORKSPACE_BYTES // np.dtype(dtype).itemsize
        rest = rest.replace("orgqr", "ungqr")
        assert (name[1:] == "ungqr") == (rest == "ungqr" and letter in "cz")
        method = type(self).__dict__.get(f"_{rest}")
        if method is None:
            raise AttributeError(name)
        return lambda *arguments: method(self, dtype, *arguments)

    def _queue(self, name: str, work: tuple[int, int], host: Any, run: Any) -> None:
        if host is not None:
            ctypes.memset(host[0], RUBBISH, host[1])

        def spoiled() -> None:
            self.spoil(*work)
            run()

        self.ask(name, spoiled)

    def xpotrf(self, handle, params, triangle, n, kind, a, leading, compute, *rest):
        assert kind == compute
        work, size, host, host_size, info = rest
        matrix = by_columns(a, TYPES[kind], n, n, leading)
        run = lambda: self._cholesky(triangle, matrix, number(info))  # noqa: E731
        self._queue("xpotrf", (work, size), (host, host_size), run)

    def _potrf_batched(self, dtype, handle, triangle, n, places, leading, info, count):
        def run() -> None:
            for place, address in enumerate(_pointers(places, count)):
                matrix = by_columns(address, dtype, n, n, leading)
                self._cholesky(triangle, matrix, number(info + place * 4))

        self.ask("potrf_batched", run)

    def xgetrf(self, handle, params, m, n, kind, a, leading, pivots, compute, *rest):
        work, size, host, host_size, info = rest
        matrix = by_columns(a, TYPES[kind], m, n, leading)
        places = seen(pivots, np.int64, (n,), (1,))
        run = lambda: self._lu(matrix, places, number(info))  # noqa: E731
        self._queue("xgetrf", (work, size), (host, host_size), run)

    def xgetrs(
        self, handle, params, operation, n, columns, kind, a, leading, pivots, kind_b, b, of_b, info
    ):
        assert kind == kind_b
        matrix = by_columns(a, TYPES[kind], n, n, leading)
        places = seen(pivots, np.int64, (n,), (1,))
        sides = by_columns(b, TYPES[kind], n, columns, of_b)

        def run() -> None:
            self._solve(operation, matrix, places.astype(np.int32), sides)
            number(info)[...] = 0

        self.ask("xgetrs", run)

    def xgeqrf(self, handle, params, m, n, kind, a, leading, kind_tau, tau, compute, *rest):
        work, size, host, host_size, info = rest
        matrix = by_columns(a, TYPES[kind], m, n, leading)
        factors = seen(tau, TYPES[kind], (min(m, n),), (1,))

        def run() -> None:
            found, own, _, code = _lapack("geqrf", matrix)(matrix)
            matrix[...], factors[...] = found, own
            number(info)[...] = code

        self._queue("xgeqrf", (work, size), (host, host_size), run)

    def _ungqr(self, dtype, handle, m, n, k, a, leading, tau, work, length, info):
        matrix = by_columns(a, dtype, m, n, leading)
        factors = seen(tau, dtype, (k,), (1,))
        kind = "ungqr" if np.dtype(dtype).kind == "c" else "orgqr"

        def run() -> None:
            # Columns beyond the reflections are made, whatever they were.
            found, _, code = _lapack(kind, matrix)(np.asfortranarray(matrix), factors)
            matrix[...] = found
            number(info)[...] = code

        self._queue("ungqr", (work, length * np.dtype(dtype).itemsize), None, run)

    def xsyevd(
        self, handle, params, vectors, triangle, n, kind, a, leading, real, w, compute, *rest
    ):
        work, size, host, host_size, info, *count = rest
        matrices = seen(a, TYPES[kind], (*(count or (1,)), n, n), (n * n, 1, leading))
        values = seen(w, TYPES[real], (*(count or (1,)), n), (n, 1))

        def run() -> None:
            for place, matrix in enumerate(matrices):
                try:
                    values[place], own = np.linalg.eigh(matrix, "UL"[triangle == 0])
                except np.linalg.LinAlgError:
                    number(info + 4 * place)[...] = 1
                    continue
                number(info + 4 * place)[...] = 0
                if vectors:
                    matrix[...] = own

        self._queue("xsyevd", (work, size), (host, host_size), run)

    xsyev_batched = xsyevd

    def xgesvd(
        self, handle, params, job_u, job_vt, m, n, kind, a, leading, real, s, kind_u, u, of_u,
        kind_vt, vt, of_vt, compute, *rest,
    ):  # fmt: skip
        assert m >= n, "the routine wants tall matrices"
        work, size, host, host_size, info = rest
        assert job_u == job_vt
        matrix = by_columns(a, TYPES[kind], m, n, leading)
        values = seen(s, TYPES[real], (n,), (1,))
        job = chr(job_u)

        def run() -> None:
            try:
                left, own, right = np.linalg.svd(matrix, full_matrices=job == "A")
            except np.linalg.LinAlgError:
                number(info)[...] = 1
                return
            number(info)[...] = 0
            values[...] = own
            if job != "N":
                by_columns(u, TYPES[kind], *left.shape, of_u)[...] = left
                by_columns(vt, TYPES[kind], *right.shape, of_vt)[...] = right
            matrix[...] = np.nan

        self._queue("xgesvd", (work, size), (host, host_size), run)

    def _gesvdj_batched(
        self, dtype, handle, vectors, m, n, a, leading, s, u, of_u, v, of_v, work, length, info,
        params, count,
    ):  # fmt: skip
        assert max(m, n) <= 32
        matrices = seen(a, dtype, (count, m, n), (m * n, 1, leading))
        real = np.zeros((), dtype).real.dtype
        values = seen(s, real, (count, min(m, n)), (min(m, n), 1))
        left = seen(u, dtype, (count, m, m), (m * m, 1, of_u))
        right = seen(v, dtype, (count, n, n), (n * n, 1, of_v))

        def run() -> None:
            own_left, values[...], own_right = np.linalg.svd(matrices)
            seen(info, np.int32, (count,), (1,))[...] = 0
            if vectors:
                left[...] = own_left
                right[...] = own_right.conj().swapaxes(-1, -2)
            matrices[...] = np.nan

        self._queue("gesvdj", (work, length * np.dtype(dtype).itemsize), None, run)


KINDS = {"cublasLt": CublasLt, "cublas": Cublas, "cufft": Cufft, "cusolverDn": CusolverDn}


def libraries(driver: DryDriver) -> dict[str, Any]:
    """All of them, by their names in nvmath-python."""
    return {name: kind(driver) for name, kind in KINDS.items()}

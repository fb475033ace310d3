"""CUDA source to PTX or machine code, with NVIDIA's run-time compiler (NVRTC).

NVRTC needs no GPU and no driver. It is looked for in the package ``nvidia-cuda-nvrtc`` (of any
CUDA version) first, then among the system's libraries, then in NVIDIA's toolkit. The newest is
taken, but where a driver is of an older CUDA version (:func:`suit_driver`): it does not run what a
newer one makes.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib.util
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speedmetal.backends.cuda.fast_mode import FAST_HEAD
from speedmetal.errors import DeviceError, InternalError

OPTIONS = (
    "--fmad=false",  # products and sums are contracted by a pass, the same on every target
    "--std=c++17",
    "--prec-div=true",
    "--prec-sqrt=true",
    "--ftz=false",
)
"""How every kernel is compiled: each operation rounded as IEEE 754 says, subnormals kept."""
FAST_OPTIONS = ("--std=c++17", "--use_fast_math")
"""How kernels of the fast mode are compiled: subnormals are 0, divisions, roots and functions are
approximate, and the compiler contracts products and sums where it likes."""
_MINIMAL = "--minimal"
"""Leaves out of the compiler's own headers what kernels do not use, textures and the like: 5 to 6
milliseconds of each kernel's 30 to 100."""
_MINIMAL_FROM = (13, 0)
"""The first version of NVRTC of which it was tried."""

_PATTERNS = (
    "*/lib/libnvrtc.so.*",  # nvidia-cuda-nvrtc-cu12 and older: nvidia/cuda_nvrtc; 13: nvidia/cu13
    "*/bin/nvrtc64_*.dll",
    "*/bin/*/nvrtc64_*.dll",
)


_TOOLKIT_PATTERNS = (
    "lib64/libnvrtc.so.*",
    "targets/*/lib/libnvrtc.so.*",
    "lib/libnvrtc.so.*",
    "bin/nvrtc64_*.dll",
    "bin/*/nvrtc64_*.dll",
)
_TOOLKIT_FOLDERS = "/usr/local/cuda*"
"""Where the toolkit's installer puts it on Linux, unless told otherwise."""


def compile_ptx(source: str, architecture: str = "sm_80") -> str:
    """The PTX text of a source.

    Args:
        source: What :func:`speedmetal.backends.cuda.codegen.printer.print_kernel` gives.
        architecture: ``"sm_80"``: compiled to machine code as well, which proves that the PTX is
            valid; ``"compute_80"``: to PTX alone, which is faster.

    Raises:
        DeviceError: NVRTC is not installed, or does not know the architecture.
        InternalError: The source is not valid; the message has NVRTC's log.
    """
    return _compile(source, architecture, "PTX").decode().rstrip("\0")


def compile_cubin(source: str, architecture: str = "sm_80") -> bytes:
    """The machine code of a source for one architecture, ``"sm_90"``.

    Raises:
        DeviceError: NVRTC is not installed, or does not know the architecture.
        InternalError: The source is not valid; the message has NVRTC's log.
    """
    return _compile(source, architecture, "CUBIN")


def compile_for_linking(source: str, architecture: str = "sm_80") -> bytes:
    """A source's functions in LTO-IR, the form in which NVIDIA's linker compiles them with others.

    Raises:
        DeviceError, InternalError: As for :func:`compile_cubin`.
    """
    return _compile(source, architecture, "LTOIR", "-dlto")


class RefusedSourceError(Exception):
    """A source of the user's is not valid; its text is NVRTC's log."""


def compile_library(
    source: str, architecture: str, options: Sequence[str], kernels: Sequence[str]
) -> tuple[bytes, dict[str, str]]:
    """The machine code of a user's source, and the name of each kernel in it.

    Args:
        source: CUDA C++; in the log it is ``source.cu``.
        architecture: ``"sm_90"``.
        options: Beside where headers are.
        kernels: Their names in the source.

    Raises:
        DeviceError: NVRTC is not installed.
        RefusedSourceError: The source is not valid, or an option is not.
    """
    nvrtc = _load()
    library, program = nvrtc.library, ctypes.c_void_p()
    text = source.encode()
    created = library.nvrtcCreateProgram(ctypes.byref(program), text, b"source.cu", 0, None, None)
    nvrtc.check(created)
    try:
        for name in kernels:
            nvrtc.check(library.nvrtcAddNameExpression(program, name.encode()))
        folders = (f"--include-path={folder}" for folder in header_folders())
        given = [f"--gpu-architecture={architecture}", "--std=c++17", *folders, *options]
        array = (ctypes.c_char_p * len(given))(*map(str.encode, given))
        if library.nvrtcCompileProgram(program, len(given), array) != _SUCCESS:
            log = nvrtc.bytes_of(program, "ProgramLog").decode(errors="replace")
            raise RefusedSourceError(log.rstrip("\0"))
        symbols = {name: nvrtc.lowered(program, name) for name in kernels}
        return nvrtc.bytes_of(program, "CUBIN"), symbols
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def header_folders() -> list[str]:
    """Where CUDA's own headers are: in NVIDIA's packages, else in a toolkit."""
    spec = importlib.util.find_spec("nvidia")
    packages = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    found = [place for folder in packages for place in sorted(folder.glob("*/include"))]
    found += [toolkit / "include" for toolkit in _toolkits()]
    return [str(place) for place in found if (place / "cuda_fp16.h").exists()][:1]


def nvrtc_version() -> str:
    """The version of the compiler, for the keys of caches.

    Raises:
        DeviceError: NVRTC is not installed.
    """
    major, minor = _load().version()
    return f"{major}.{minor}"


def suit_driver(version: int) -> None:
    """From now on take an NVRTC whose code a driver runs: of its CUDA version, or an older one.

    Args:
        version: Of the driver, ``12040`` for CUDA 12.4.

    Raises:
        DeviceError: Each NVRTC is of a newer one, or there is none.
    """
    global _newest  # noqa: PLW0603 - there is one driver, which no caller of NVRTC knows
    if version // 1000 != _newest:
        _newest = version // 1000
        _load.cache_clear()
    try:
        _load()
    except _TooNewError as error:
        has = f"{version // 1000}.{version % 1000 // 10}"
        raise DeviceError(
            f"NVIDIA's driver is of CUDA {has}, and runs nothing that a newer NVRTC compiles: found"
            f" {error}; pip install nvidia-cuda-nvrtc-cu{_newest}, or install a newer driver"
        ) from error


_newest: int | None = None
"""The first number of the newest CUDA version that NVRTC may be of; None: of any."""


class _TooNewError(DeviceError):
    """There is NVRTC, but none for the driver."""


def is_available() -> bool:
    """Whether NVRTC can be loaded here."""
    try:
        _load()
    except DeviceError:
        return False
    return True


def _compile(source: str, architecture: str, product: str, *more: str) -> bytes:
    nvrtc = _load()
    library, program = nvrtc.library, ctypes.c_void_p()
    text = source.encode()
    created = library.nvrtcCreateProgram(ctypes.byref(program), text, b"kernel.cu", 0, None, None)
    nvrtc.check(created)
    try:
        is_fast = source.startswith(FAST_HEAD)
        rounding = FAST_OPTIONS if is_fast else OPTIONS
        given = [f"--gpu-architecture={architecture}", *rounding, *more]
        if nvrtc.version() >= _MINIMAL_FROM:
            given.append(_MINIMAL)
        array = (ctypes.c_char_p * len(given))(*map(str.encode, given))
        code = library.nvrtcCompileProgram(program, len(given), array)
        if code != _SUCCESS:
            log = nvrtc.bytes_of(program, "ProgramLog").decode(errors="replace").rstrip("\0")
            _raise(nvrtc.message(code), code, architecture, log, source)
        return nvrtc.bytes_of(program, product)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _raise(message: str, code: int, architecture: str, log: str, source: str) -> None:
    if code == _INVALID_OPTION:
        raise DeviceError(
            f"NVRTC {nvrtc_version()} does not compile for {architecture!r}: {log.strip()};"
            " install the nvidia-cuda-nvrtc of another CUDA version, or name another architecture"
        )
    raise InternalError(
        f"compiling with NVRTC for {architecture}: {message}\n{log.strip()}\n\n"
        f"{_number_lines(source)}"
    )


def _number_lines(source: str) -> str:
    """The source with line numbers, to which the log refers."""
    lines = source.splitlines()
    width = len(str(len(lines)))
    return "\n".join(f"{number:{width}} | {line}" for number, line in enumerate(lines, start=1))


_SUCCESS = 0  # nvrtcResult, nvrtc.h
_INVALID_OPTION = 5


@dataclass(frozen=True, slots=True)
class _Nvrtc:
    library: ctypes.CDLL

    def message(self, code: int) -> str:
        return str(self.library.nvrtcGetErrorString(code).decode())

    def version(self) -> tuple[int, int]:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.check(self.library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        return major.value, minor.value

    def check(self, code: int) -> None:
        if code != _SUCCESS:
            raise InternalError(f"NVRTC answered {self.message(code)}")

    def lowered(self, program: ctypes.c_void_p, name: str) -> str:
        """The name in the machine code of what a name expression means."""
        found = ctypes.c_char_p()
        text = name.encode()
        self.check(self.library.nvrtcGetLoweredName(program, text, ctypes.byref(found)))
        return (found.value or b"").decode()

    def bytes_of(self, program: ctypes.c_void_p, product: str) -> bytes:
        size = ctypes.c_size_t()
        self.check(getattr(self.library, f"nvrtcGet{product}Size")(program, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        self.check(getattr(self.library, f"nvrtcGet{product}")(program, buffer))
        return buffer.raw


@functools.cache
def _load() -> _Nvrtc:
    tried, too_new = [], []
    for path in _candidates():
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            tried.append(f"{path}: {error}")
            continue
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        nvrtc = _Nvrtc(library)
        major, minor = nvrtc.version()
        if _newest is None or major <= _newest:
            return nvrtc
        too_new.append(f"{major}.{minor} ({path})")
    if too_new:
        raise _TooNewError(", ".join(too_new))
    found = f" ({'; '.join(tried)})" if tried else ""
    raise DeviceError(
        f"NVIDIA's run-time compiler was not found{found}; install it with"
        " pip install nvidia-cuda-nvrtc (where NVIDIA's driver is of CUDA 12:"
        " nvidia-cuda-nvrtc-cu12)"
    )


def _candidates() -> Iterator[str]:
    """Where NVRTC may be, the newest version in the package first."""
    spec = importlib.util.find_spec("nvidia")
    folders = (spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        for pattern in _PATTERNS:
            yield from _find_libraries(Path(folder), pattern)
    if system := ctypes.util.find_library("nvrtc"):
        yield system
    for toolkit in _toolkits():
        for pattern in _TOOLKIT_PATTERNS:
            yield from _find_libraries(toolkit, pattern)


def _find_libraries(folder: Path, pattern: str) -> Iterator[str]:
    found = sorted(folder.glob(pattern), reverse=True)
    return (str(path) for path in found if "builtins" not in path.name)


def _toolkits() -> Iterator[Path]:
    """Folders of CUDA toolkits: those that the environment names, then the usual ones."""
    named = (os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH"))
    yield from (Path(folder) for folder in named if folder)
    usual = Path(_TOOLKIT_FOLDERS)
    yield from sorted(usual.parent.glob(usual.name), reverse=True)

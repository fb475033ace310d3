"""The C++ compiler of the simulator: clang, from the `ziglang` wheel or from the system.

The compiler is run directly (`zig clang -c`, `zig ld.lld`), never through Zig's own driver, so that
nothing is built behind the scenes. Nothing is written outside a folder of this process.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from speedmetal.errors import DeviceError, InternalError

COMPILER_VARIABLE = "SPEEDMETAL_CLANG"
"""Environment variable with the path of the clang to use."""

MINIMUM_CLANG = 19
"""The oldest clang that can: older ones lack arithmetic of half and bfloat as Metal has it."""

_ADVICE = (
    'install it with `pip install "speedmetal[metal-simulator]"` (the clang inside the `ziglang` '
    f"wheel), or put clang >= {MINIMUM_CLANG} with lld on PATH, or name one in {COMPILER_VARIABLE}"
)
_MACHINES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
# Folders of the wheel with the C library's headers, by machine.
_ZIG_HEADERS = {
    "x86_64": ("x86-linux-gnu", "generic-glibc", "x86-linux-any", "any-linux-any"),
    "aarch64": ("aarch64-linux-gnu", "generic-glibc", "aarch64-linux-any", "any-linux-any"),
}
_TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Compilation:
    """What one run of the compiler gave.

    Args:
        output: The file's bytes; None where the text was refused.
        messages: What the compiler wrote: warnings and errors.
    """

    output: bytes | None
    messages: str


class _Folder:
    """A private folder that goes with the process."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self.path = Path(tempfile.mkdtemp(prefix="speedmetal-"))
        self._numbers = itertools.count()
        weakref.finalize(self, _remove_folder, self.path, self._owner)

    def fresh(self, suffix: str) -> Path:
        """A name that no other call gets."""
        return self.path / f"{next(self._numbers)}{suffix}"


def _remove_folder(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child must not remove its parent's folder
        shutil.rmtree(path, ignore_errors=True)


_folders: dict[int, _Folder] = {}
_folders_lock = threading.Lock()


def _folder() -> _Folder:
    """This process's folder; a forked child makes one of its own."""
    process = os.getpid()
    with _folders_lock:  # of two folders made at once, one would be dropped, and removed in use
        if process not in _folders:
            _folders[process] = _Folder()
        return _folders[process]


def _after_fork() -> None:
    global _folders_lock  # noqa: PLW0603 - another thread may have held it at the fork
    _folders_lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def scratch_file(suffix: str) -> Path:
    """The path of a new file in this process's private folder, which is removed at its end."""
    return _folder().fresh(suffix)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A clang and its linker.

    Args:
        compiler: The command of clang.
        linker: The command of a linker for ELF objects.
        target: The machine's triple.
        identity: Changes with the compiler: for the keys of caches.
        c_headers: Folders of the C library's headers; empty where clang knows them itself.
    """

    compiler: tuple[str, ...]
    linker: tuple[str, ...]
    target: str
    identity: str
    c_headers: tuple[str, ...] = field(default=())

    def preprocess(self, text: str, flags: Sequence[str] = ()) -> Compilation:
        """The text after the preprocessor, with line markers.

        Args:
            text: The source.
            flags: Of clang, ``-x`` included.
        """
        run = self._run([*self._clang(), "-E", *flags, "-"], text)
        done = run.stdout.encode() if run.returncode == 0 else None
        return Compilation(done, run.stderr)

    def check(self, text: str, flags: Sequence[str]) -> str:
        """The messages of a compilation without a result."""
        return self._run([*self._clang(), "-fsyntax-only", *flags, "-"], text).stderr

    def compile(self, text: str, flags: Sequence[str]) -> Compilation:
        """Compile one text to an object (or, with the flags for it, to a precompiled header)."""
        path = scratch_file(".o")
        run = self._run([*self._clang(), "-c", *flags, "-", "-o", str(path)], text)
        return Compilation(_take_file(path) if run.returncode == 0 else None, run.stderr)

    def compile_file(self, source: Path, flags: Sequence[str]) -> Compilation:
        """Compile one file, to what the flags ask for."""
        path = scratch_file(".out")
        input_path = str(source.resolve())
        run = self._run([*self._clang(), "-c", *flags, input_path, "-o", str(path)], "")
        return Compilation(_take_file(path) if run.returncode == 0 else None, run.stderr)

    def link(self, objects: Sequence[bytes]) -> bytes:
        """A shared library of objects; undefined symbols are found when it is loaded."""
        inputs = [scratch_file(".o") for _ in objects]
        output = scratch_file(".so")
        try:
            for path, content in zip(inputs, objects, strict=True):
                path.write_bytes(content)
            command = [*self.linker, "-shared", "-o", str(output), *map(str, inputs)]
            run = self._run(command, "")
        finally:
            for path in inputs:
                path.unlink(missing_ok=True)
        linked = _take_file(output)
        if run.returncode != 0 or linked is None:
            raise InternalError(f"linking for the Metal simulator failed:\n{run.stderr}")
        return linked

    def compile_shared_library(self, sources: Sequence[Path], flags: Sequence[str] = ()) -> bytes:
        """A shared library of C files.

        Args:
            sources: Paths of the files; they find their neighbours with ``#include "..."``.
            flags: More flags for clang.

        Raises:
            InternalError: The files do not compile.
        """
        objects = []
        system = [part for folder in self.c_headers for part in ("-isystem", folder)]
        for source in sources:
            compiled = self.compile_file(source, ["-fPIC", *system, *flags])
            if compiled.output is None:
                raise InternalError(f"compiling {source.name} failed:\n{compiled.messages}")
            objects.append(compiled.output)
        return self.link(objects)

    def _clang(self) -> list[str]:
        return [*self.compiler, "-target", self.target]

    def _run(self, command: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command,
                input=text,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=_environment(),
                cwd=_folder().path,  # where `#include "..."` of a text without a file looks
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except OSError as error:
            raise DeviceError(
                f"the Metal simulator's compiler cannot be run: {error}; {_ADVICE}"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"the Metal simulator's compiler took longer than {_TIMEOUT_SECONDS:.0f} s; "
                "compile fewer kernels at once"
            ) from error


def _take_file(path: Path) -> bytes | None:
    """The bytes of a file, which is removed."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    path.unlink()
    return content


def _environment() -> dict[str, str]:
    # Zig keeps caches, which `zig clang` does not use; they must not come into the user's home.
    folder = str(_folder().path)
    # Options of these variables would change what is compiled.
    dropped = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "CCC_OVERRIDE_OPTIONS")
    # One by one: another thread may take a variable away meanwhile, on which `items` fails.
    found = ((name, os.environ.get(name)) for name in [*os.environ] if name not in dropped)
    kept = {name: value for name, value in found if value is not None}
    return kept | {
        "ZIG_GLOBAL_CACHE_DIR": folder,
        "ZIG_LOCAL_CACHE_DIR": folder,
        "LC_ALL": "C",
    }


def find() -> Toolchain:
    """The compiler of this machine; found once for a process and environment.

    Raises:
        DeviceError: There is none, or the machine is not one that the simulator runs on.
    """
    return _find_toolchain(os.environ.get(COMPILER_VARIABLE, ""), os.environ.get("PATH", ""))


@functools.cache
def _find_toolchain(stated: str, search_path: str) -> Toolchain:
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        raise DeviceError(
            "the Metal simulator runs on Linux with x86-64 or ARM64 processors, not on "
            f"{platform.system()} with {platform.machine()}; on a Mac use the metal device itself"
        )
    target = f"{machine}-linux-gnu"
    if stated:
        return _of_clang(stated, target, search_path)
    if zig := _zig():
        return _of_zig(zig, target, machine)
    reasons = []
    for name in _clang_names():
        if path := shutil.which(name, path=search_path):
            try:
                return _of_clang(path, target, search_path)
            except DeviceError as error:
                reasons.append(str(error))
    about = f" ({'; '.join(reasons)})" if reasons else ""
    raise DeviceError(f"the Metal simulator needs a C++ compiler and found none{about}; {_ADVICE}")


def _clang_names() -> list[str]:
    return ["clang", *(f"clang-{version}" for version in range(29, MINIMUM_CLANG - 1, -1))]


def _zig() -> Path | None:
    found = importlib.util.find_spec("ziglang")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(next(iter(found.submodule_search_locations))) / "zig"
    return path if path.is_file() else None


def _of_zig(zig: Path, target: str, machine: str) -> Toolchain:
    library = zig.parent / "lib"
    folders = [library / "libc" / "include" / name for name in _ZIG_HEADERS[machine]]
    headers = tuple(str(folder) for folder in [library / "include", *folders])
    program = str(zig)
    return Toolchain(
        compiler=(program, "clang"),
        linker=(program, "ld.lld"),
        target=target,
        identity=_identity(zig),
        c_headers=headers,
    )


def _of_clang(command: str, target: str, search_path: str) -> Toolchain:
    path = shutil.which(command, path=search_path)
    if path is None:
        raise DeviceError(f"{COMPILER_VARIABLE}: there is no program {command!r}; {_ADVICE}")
    version = _clang_version(path)
    if version < MINIMUM_CLANG:
        raise DeviceError(
            f"{path} is clang {version}, the Metal simulator needs >= {MINIMUM_CLANG}; {_ADVICE}"
        )
    real = Path(path).resolve()
    linker = _linker(real, version, search_path)
    return Toolchain((path,), (linker,), target, _identity(real))


def _clang_version(path: str) -> int:
    try:
        run = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceError(f"{path} cannot be run: {error}; {_ADVICE}") from error
    found = re.search(r"clang version (\d+)", run.stdout)
    if found is None:
        raise DeviceError(f"{path} is not clang; {_ADVICE}")
    return int(found[1])


def _linker(clang: Path, version: int, search_path: str) -> str:
    """The linker beside clang, or any on PATH."""
    beside = clang.parent / "ld.lld"
    if beside.is_file():
        return str(beside)
    for name in (f"ld.lld-{version}", "ld.lld", "ld"):
        if found := shutil.which(name, path=search_path):
            return found
    raise DeviceError(f"there is no linker (ld.lld or ld) for {clang}; {_ADVICE}")


def _identity(program: Path) -> str:
    found = program.stat()
    text = f"{program}:{found.st_size}:{found.st_mtime_ns}:{platform.machine()}"
    return blake2b(text.encode(), digest_size=12).hexdigest()


__all__ = [
    "COMPILER_VARIABLE",
    "MINIMUM_CLANG",
    "Compilation",
    "Toolchain",
    "find",
    "scratch_file",
]

"""The disk cache of compiled code: private to its user, never trusted without proof.

An entry is one file. It is written under another name and renamed, so that readers see all of it
or nothing, whatever happens to the writer; it begins with its key and a checksum, so that an entry
that was cut, altered or moved counts as absent and is built again. Since entries are run as code,
the folder and every entry must belong to the user, and nobody else may be able to write there.
"""

from __future__ import annotations

import errno
import functools
import os
import stat
import struct
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from speedmetal.errors import CacheError
from speedmetal.system.digest import blake2b

if TYPE_CHECKING:
    from pathlib import Path

SWITCH_VARIABLE = "SPEEDMETAL_CACHE"
"""Environment variable that turns the cache off where it is ``0``."""

FOLDER_VARIABLE = "SPEEDMETAL_CACHE_DIR"
"""Environment variable with the folder to use in place of the user's cache folder."""

DEFAULT_LIMIT_BYTES = 512 << 20
"""Size at which the least recently used entries are removed: some ten thousand kernels."""

_FORMAT = 1
_MAGIC = b"speedmtl"
# Magic, format, length of the key, length of the value, checksum of key and value.
_HEADER = struct.Struct("<8sIIQ32s")
_TEMPORARY_PREFIX = ".new-"
_TEMPORARY_SECONDS = 3600.0  # a writer that takes longer than this is dead
_USE_NOTED_SECONDS = 3600.0  # how exactly the time of the last use is kept
_KEPT_SHARE = 0.75  # of the limit, after a clean-up
_WRITES_PER_CLEAN_UP = 32
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class CacheWarning(UserWarning):
    """Compiled code cannot be kept on disk; everything works, but is compiled anew each time."""


class DiskCache:
    """Values of bytes under text keys, kept on disk.

    All methods may be called from any thread, and by any number of processes at once.

    Args:
        folder: Where the entries are; made at the first `put`, with mode 0700. None: there is no
            cache, `get` finds nothing and `put` does nothing.
        limit_bytes: About how large the folder may become.

    Example:
        >>> import tempfile
        >>> cache = DiskCache(tempfile.mkdtemp() + "/cache")
        >>> cache.get_or_build("answer", lambda: b"42")
        b'42'
        >>> cache.get("answer")
        b'42'
    """

    def __init__(
        self, folder: Path | str | None, *, limit_bytes: int = DEFAULT_LIMIT_BYTES
    ) -> None:
        self._place = None if folder is None else os.fspath(folder)
        self.limit_bytes = limit_bytes
        self._trusted = False
        self._warned = False

    @property
    def is_on(self) -> bool:
        """Whether there is a folder."""
        return self._place is not None

    @property
    def folder(self) -> Path | None:
        """Where the entries are."""
        from pathlib import Path  # takes longer to import than an entry to read

        return None if self._place is None else Path(self._place)

    def get(self, key: str) -> bytes | None:
        """The value of a key; None where there is none, or none that can be trusted.

        Raises:
            CacheError: The folder belongs to another user, or others may write to it.
        """
        if self._place is None or not self._is_trusted(self._place):
            return None
        try:
            with _open_entry(f"{self._place}/{_file_name(key)}") as entry:
                return _unpack_entry(_read_own(entry), key)
        except FileNotFoundError:
            return None
        except OSError:
            # It is there and cannot be read (no permission, a link, a faulty disk): as if absent.
            return None

    def put(self, key: str, value: bytes) -> None:
        """Keeps a value; where that cannot be done there is one `CacheWarning`, and no failure.

        Raises:
            CacheError: The folder belongs to another user, or others may write to it.
        """
        folder = self.folder
        if folder is None:
            return
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._is_trusted(str(folder)):
                _write(folder, _file_name(key), _pack_entry(key, value))
        except OSError as error:
            self._warn(error)
            return
        if self._is_clean_up_due(key, len(value)):
            _remove_least_recent(folder, self.limit_bytes)

    def get_or_build(self, key: str, build: Callable[[], bytes]) -> bytes:
        """The value of a key, from disk or else from ``build``, whose result is then kept.

        Processes that ask at once for a key that is absent may each build it; all get a right one.

        Raises:
            CacheError: The folder belongs to another user, or others may write to it.
        """
        found = self.get(key)
        if found is not None:
            return found
        value = build()
        self.put(key, value)
        return value

    def clear(self) -> None:
        """Removes all entries.

        Raises:
            CacheError: The folder belongs to another user, or others may write to it.
        """
        folder = self.folder
        if folder is None or not self._is_trusted(str(folder)):
            return
        for path, found in _entries(folder):
            if not _is_being_written(path, found):
                _remove(path)

    def _is_trusted(self, folder: str) -> bool:
        """Whether the folder is there and ours alone; looked up once, for a process's lifetime."""
        if self._trusted:
            return True
        try:
            found = os.stat(folder)  # noqa: PTH116 - without pathlib
        except FileNotFoundError:
            return False
        except OSError as error:
            self._warn(error)
            return False
        if not stat.S_ISDIR(found.st_mode):
            self._warn(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder))
            return False
        _check_private(folder, found)
        self._trusted = True
        return True

    def _is_clean_up_due(self, key: str, size: int) -> bool:
        # A share of all keys, chosen by their digest, brings a clean-up along: on average one in
        # so many writes, with no count to be kept between processes.
        chosen = int(_file_name(key)[:8], 16) % _WRITES_PER_CLEAN_UP == 0
        return chosen or size * _WRITES_PER_CLEAN_UP > self.limit_bytes

    def _warn(self, error: OSError) -> None:
        if self._warned:
            return
        self._warned = True
        _warn(str(error))


def _warn(reason: str) -> None:
    warnings.warn(
        f"compiled kernels cannot be kept on disk: {reason}; each process compiles them anew. Set "
        f"{FOLDER_VARIABLE} to a folder that you can write to, or {SWITCH_VARIABLE}=0 to do "
        "without, and without this warning",
        CacheWarning,
        stacklevel=2,
    )


def default_cache() -> DiskCache:
    """The cache of this process, as the environment sets it.

    ``SPEEDMETAL_CACHE=0`` turns it off; ``SPEEDMETAL_CACHE_DIR`` names its folder. Without these it
    is the folder ``speedmetal`` where the system keeps the user's caches: ``~/.cache`` on Linux,
    ``~/Library/Caches`` on macOS.
    """
    environment = os.environ
    return _cache(environment.get(SWITCH_VARIABLE) != "0", environment.get(FOLDER_VARIABLE, ""))


@functools.cache
def _cache(on: bool, stated_folder: str) -> DiskCache:  # noqa: FBT001 - a key, not an option
    if not on:
        return DiskCache(None)
    try:
        return DiskCache(_absolute_path(stated_folder) if stated_folder else user_folder())
    except RuntimeError as error:
        # Neither HOME nor the system's list of users knows a home.
        _warn(str(error))
        return DiskCache(None)


def _absolute_path(folder: str) -> str:
    """A folder that the environment names, wherever the process goes."""
    return os.path.join(os.getcwd(), _expand_home(folder))  # noqa: PTH109, PTH118 - without pathlib


def user_folder() -> str:
    """Where the system keeps the user's caches; `platformdirs` takes 5 ms to say it."""
    if sys.platform == "darwin":
        return _expand_home("~/Library/Caches/speedmetal")
    stated = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG Base Directory Specification: what is no absolute path is to be ignored.
    return f"{stated if stated.startswith('/') else _expand_home('~/.cache')}/speedmetal"


def _expand_home(path: str) -> str:
    """A path with the user's home in the place of ``~``.

    Raises:
        RuntimeError: There is no home.
    """
    found = os.path.expanduser(path)  # noqa: PTH111 - without pathlib
    if found.startswith("~"):
        raise RuntimeError("this user has no home folder")
    return found


def _check_private(folder: str, found: os.stat_result) -> None:
    user = os.geteuid()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == user and not mode & _OTHERS_MAY_WRITE:
        return
    if found.st_uid != user:
        remedy = "remove it"
    else:
        remedy = f"run: chmod 700 {folder}; and clear it if others may have written there"
    raise CacheError(
        f"the cache folder {folder} holds code that would be run: expected it to belong to you "
        f"(user {user}) and to be writable by nobody else, got owner {found.st_uid} and mode "
        f"{mode:04o}; {remedy}; or set {FOLDER_VARIABLE} to a folder of your own, or "
        f"{SWITCH_VARIABLE}=0 to do without a cache"
    )


def _file_name(key: str) -> str:
    return blake2b(key.encode(), digest_size=20).hexdigest()


def _pack_entry(key: str, value: bytes) -> bytes:
    name = key.encode()
    header = _HEADER.pack(_MAGIC, _FORMAT, len(name), len(value), _checksum(name, value))
    return b"".join((header, name, value))


def _checksum(key: bytes, value: bytes) -> bytes:
    digest = blake2b(key, digest_size=32)
    digest.update(value)
    return digest.digest()


def _unpack_entry(content: bytes, key: str) -> bytes | None:
    """The value in an entry's bytes, if they are whole, unaltered and of this key."""
    if len(content) < _HEADER.size:
        return None
    magic, version, key_length, value_length, checksum = _HEADER.unpack_from(content)
    name = key.encode()
    if (magic, version, key_length) != (_MAGIC, _FORMAT, len(name)):
        return None
    begin = _HEADER.size + key_length
    value = content[begin:]
    if content[_HEADER.size : begin] != name or len(value) != value_length:
        return None
    return value if _checksum(name, value) == checksum else None


@contextmanager
def _open_entry(path: str) -> Iterator[int]:
    # A link or a pipe in an entry's place must neither be followed nor waited for.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    entry = os.open(path, flags)
    try:
        yield entry
    finally:
        os.close(entry)


def _read_own(entry: int) -> bytes:
    """The bytes of an open entry, and a note of its use; nothing where another user made it."""
    found = os.fstat(entry)
    is_own = found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_MAY_WRITE
    if not (is_own and stat.S_ISREG(found.st_mode)):
        return b""
    if time.time() - found.st_mtime > _USE_NOTED_SECONDS:
        with suppress(OSError):
            os.utime(entry)
    # One more byte than expected, so that an entry that grew is seen to be too long.
    return os.read(entry, found.st_size + 1)


def _write(folder: Path, name: str, content: bytes) -> None:
    temporary = folder / f"{_TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
        temporary.replace(folder / name)
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: Path) -> None:
    # Another process may have been faster, and what cannot be removed stays.
    with suppress(OSError):
        path.unlink()


def _entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    yield folder / entry.name, entry.stat(follow_symlinks=False)


def _is_being_written(path: Path, found: os.stat_result) -> bool:
    age = time.time() - found.st_mtime
    return path.name.startswith(_TEMPORARY_PREFIX) and age < _TEMPORARY_SECONDS


def _remove_least_recent(folder: Path, limit_bytes: int) -> None:
    """Removes dead writers' files, and the entries unused for longest while there is too much."""
    kept = []
    for path, found in _entries(folder):
        if not path.name.startswith(_TEMPORARY_PREFIX):
            kept.append((found.st_mtime, found.st_size, path))
        elif not _is_being_written(path, found):
            _remove(path)
    total = sum(size for _, size, _ in kept)
    if total <= limit_bytes:
        return
    for _, size, path in sorted(kept):
        _remove(path)
        total -= size
        if total <= limit_bytes * _KEPT_SHARE:
            return

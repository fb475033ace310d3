"""Arrays in files: NumPy's ``.npy`` and ``.npz``, and ``.safetensors``.

Files are taken for what their first bytes say, not for what their names end with. Nothing in them
is run, and nothing is believed that the file's size does not bear out.
"""

from __future__ import annotations

import mmap as memory_map
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.files import npy, safetensors
from speedmetal.arrays.files.replacing import replaced
from speedmetal.arrays.hosting import owned
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.registry import default_device
from speedmetal.errors import FileFormatError, UserInputError

File = str | os.PathLike[str] | IO[bytes]
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")  # the second: an archive without members
# A RuntimeError: a member is encrypted. A ValueError: a place is before the file's first byte, or a
# name is no UTF-8.
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that NumPy writes
_Take = Callable[[int], HostArray]


class LoadedArrays(dict[str, Array]):
    """The arrays of a file by their names.

    Attributes:
        metadata: The notes of a safetensors file; empty for other files.
    """

    metadata: dict[str, str]

    def __init__(self, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
        super().__init__(arrays)
        self.metadata = dict(metadata)


# --- Saving --------------------------------------------------------------------------------------


def save(file: File, x: Any) -> None:
    """Write an array to a ``.npy`` file, which NumPy's ``load`` reads.

    A file that is there already is replaced when everything is written; it stays as it was if
    anything goes wrong before.

    Args:
        file: A path, to which ``.npy`` is added where it is missing; or a binary file to write to.
        x: An array, lazy or not, of any device and any dtype but bfloat16; or what
            :func:`speedmetal.asarray` takes.

    Raises:
        UserInputError: It is of bfloat16, for which the format has no word.
        OSError: The file cannot be written.

    Example:
        >>> import io, speedmetal as sm
        >>> file = io.BytesIO()
        >>> sm.save(file, sm.arange(3) * 2)
        >>> _ = file.seek(0)
        >>> sm.load(file)
        Array([0, 2, 4], dtype=int32, device='cpu')
    """
    host = asarray(x).numpy()
    with _opened_to_write(file, ".npy") as out:
        npy.write(out, host, "the array")


def savez(file: File, *args: Any, **arrays: Any) -> None:
    """Write several arrays to an uncompressed ``.npz`` archive, which NumPy's ``load`` reads.

    Args:
        file: As in :func:`save`, with ``.npz``.
        args: Arrays that get the names ``arr_0``, ``arr_1`` ...
        arrays: Arrays with their names.

    Raises:
        UserInputError: One is of bfloat16, or a name is given twice.
        OSError: The file cannot be written.

    Example:
        >>> import io, speedmetal as sm
        >>> file = io.BytesIO()
        >>> sm.savez(file, weights=sm.ones(2), bias=sm.zeros(1))
        >>> _ = file.seek(0)
        >>> sorted(sm.load(file))
        ['bias', 'weights']
    """
    named = {f"arr_{place}": x for place, x in enumerate(args)}
    if twice := sorted(named.keys() & arrays.keys()):
        raise UserInputError(
            f"savez: {twice[0]!r} is the name of an array without a name, and of another one"
        )
    hosts = {name: asarray(x).numpy() for name, x in (named | arrays).items()}
    with (
        _opened_to_write(file, ".npz") as out,
        zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        for name, host in hosts.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write(member, host, repr(name))


def save_safetensors(
    file: File, arrays: Mapping[str, Any], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays to a ``.safetensors`` file, the format of the weights of neural networks.

    Args:
        file: A path, which is taken as it is; or a binary file to write to. It is replaced as in
            :func:`save`.
        arrays: Arrays with their names, of any dtype but complex128.
        metadata: Texts with their names, to keep beside them.

    Raises:
        UserInputError: The format has no word for a dtype, or names and notes are no texts.
        OSError: The file cannot be written.

    Example:
        >>> import io, speedmetal as sm
        >>> file = io.BytesIO()
        >>> sm.save_safetensors(file, {"w": sm.ones(2, sm.bfloat16)}, {"step": "10"})
        >>> _ = file.seek(0)
        >>> loaded = sm.load(file)
        >>> loaded["w"], loaded.metadata
        (Array([1, 1], dtype=bfloat16, device='cpu'), {'step': '10'})
    """
    if not isinstance(arrays, Mapping):
        raise UserInputError(
            f"save_safetensors expected a dict of arrays, got {type(arrays).__name__};"
            ' give the array a name: {"x": x}'
        )
    given = {name: asarray(x) for name, x in arrays.items()}
    header, order = safetensors.header_of(given, metadata or {})
    with _opened_to_write(file, "") as out:
        out.write(header)
        for name in order:
            flat = np.ascontiguousarray(given[name].numpy()).reshape(-1)
            out.write(flat.view(np.uint8).data)


def _opened_to_write(file: File, suffix: str) -> AbstractContextManager[IO[bytes]]:
    if not isinstance(file, str | os.PathLike):
        return nullcontext(file)
    path = Path(file)
    return replaced(path if path.name.endswith(suffix) else path.with_name(path.name + suffix))


# --- Loading -------------------------------------------------------------------------------------


def load(file: File, mmap: bool = False) -> Array | LoadedArrays:  # noqa: FBT001, FBT002 - NumPy's order
    """Read arrays from a ``.npy``, ``.npz`` or ``.safetensors`` file, to the default device.

    Args:
        file: A path; or a binary file, read from its present place, that can seek.
        mmap: Whether the arrays are views of the file, which the system reads when it is needed.
            They are read-only, and no copy is made on the CPU; other devices get copies, and so do
            elements of foreign byte order or that lie at odd addresses. The file must not be cut
            shorter meanwhile; that it is replaced by another, as :func:`save` does, is no harm.

    Returns:
        The array of a ``.npy`` file; else a dict of arrays by their names, whose ``metadata``
        attribute has the notes of a ``.safetensors`` file.

    Raises:
        FileFormatError: The file is none of them, or damaged, or holds Python objects.
        UserInputError: ``mmap`` for an ``.npz`` archive or an open file.
        OSError: The file cannot be read.

    Example:
        >>> import tempfile, speedmetal as sm
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sm.save(f"{folder}/x.npy", sm.array([1.0, 2.0]))
        ...     x = sm.load(f"{folder}/x.npy", mmap=True)
        >>> x, x.is_readonly
        (Array([1., 2.], dtype=float32, device='cpu'), True)
    """
    if not isinstance(file, str | os.PathLike):
        if mmap:
            raise UserInputError("load: mmap=True needs the path of a file, got an open file")
        return _load_from(file, "the file", is_mapped=False)
    with Path(file).open("rb") as opened:
        return _load_from(opened, os.fspath(file), is_mapped=mmap)


def _load_from(file: IO[bytes], name: str, *, is_mapped: bool) -> Array | LoadedArrays:
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    first = file.read(safetensors.LENGTH_BYTES + 1)
    file.seek(start)
    try:
        if first.startswith(npy.MAGIC):
            return _load_npy(file, size, is_mapped=is_mapped)
        if first.startswith(_ZIP_MAGICS):
            if is_mapped:
                raise UserInputError(
                    f"load: {name} is an .npz archive, which cannot be memory-mapped; save the"
                    " arrays by sm.save or sm.save_safetensors"
                )
            return _load_npz(file)
        if first[safetensors.LENGTH_BYTES :] == b"{" or name.endswith(".safetensors"):
            return _load_safetensors(file, size, is_mapped=is_mapped)
    except FileFormatError as error:
        raise FileFormatError(f"{name} {error}") from None
    raise FileFormatError(
        f"{name} is no .npy, .npz or .safetensors file: its {size} bytes begin with {first!r}"
    )


def _load_npy(file: IO[bytes], size: int, *, is_mapped: bool) -> Array:
    header = npy.read_header(file, size)
    return _array_of(_content(file, is_mapped=is_mapped)(header.nbytes), *header)


def _load_npz(file: IO[bytes]) -> LoadedArrays:
    arrays: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if name in arrays:
                    raise FileFormatError(f"has the member {info.filename!r} twice")
                arrays[name] = _load_member(archive, info)
    except _ZIP_FAULTS as error:
        raise FileFormatError(f"is a damaged .npz archive: {error}") from None
    return LoadedArrays(arrays, {})


def _load_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    if info.compress_type not in _COMPRESSIONS:
        raise FileFormatError(
            f"has a member {info.filename!r} that is compressed by method {info.compress_type};"
            " known are 0 (stored) and 8 (deflated)"
        )
    with archive.open(info) as member:
        try:
            header = npy.read_header(member, info.file_size)
            content = _read(member, header.nbytes)  # the last of which has the checksum compared
        except FileFormatError as error:
            raise FileFormatError(f"has a member {info.filename!r} that {error}") from None
    return _array_of(content, *header)


def _load_safetensors(file: IO[bytes], size: int, *, is_mapped: bool) -> LoadedArrays:
    length = safetensors.header_length(file.read(safetensors.LENGTH_BYTES), size)
    text = file.read(length)
    data_bytes = size - safetensors.LENGTH_BYTES - length
    entries, metadata = safetensors.parse_header(text, data_bytes)
    take = _content(file, is_mapped=is_mapped)
    arrays = {
        entry.name: _array_of(take(entry.end - entry.begin), entry.dtype.numpy, entry.shape, "C")
        for entry in entries
    }
    return LoadedArrays(arrays, metadata)


def _content(file: IO[bytes], *, is_mapped: bool) -> _Take:
    """What gives the next bytes of a file: read, or as a view of the file."""
    if not is_mapped:
        return lambda count: _read(file, count)
    mapped = memory_map.mmap(file.fileno(), 0, access=memory_map.ACCESS_READ)
    whole = np.frombuffer(mapped, np.uint8)
    place = file.tell()

    def take(count: int) -> HostArray:
        nonlocal place
        place += count
        return whole[place - count : place]

    return take


def _read(file: IO[bytes], count: int) -> HostArray:
    """The next bytes of a file.

    Raises:
        FileFormatError: There are fewer.
    """
    content = np.empty(count, np.uint8)
    done = 0
    while done < count:
        part = file.read(min(count - done, 1 << 24))
        if not part:
            raise FileFormatError(f"ends after {done} of {count} bytes of elements")
        content[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    return content


def _array_of(
    content: HostArray, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any
) -> Array:
    """The array of these bytes, on the default device."""
    try:
        host: HostArray = np.ndarray(shape, dtype, content.data, order=order)
    except ValueError as error:  # more axes than NumPy has, or an extent beyond its sizes
        raise FileFormatError(f"has an array of shape {shape}: {error}") from None
    host.flags.writeable = content.flags.writeable
    native = host if dtype.isnative else host.astype(dtype.newbyteorder("="))
    return owned(native, default_device())

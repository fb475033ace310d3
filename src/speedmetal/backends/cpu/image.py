"""Machine code as an image: one piece of bytes that is mapped into memory, without a linker.

:mod:`speedmetal.backends.cpu.linker` makes images of objects when a kernel is compiled. To map one
takes 0.1 ms, where LLVM has to be loaded first to link an object: some 30 ms of a process.

An image begins with text, a line for each entry, and an empty line::

    speedmetal-image 1 4096 200 64 8 1280       version, page, bytes of code, of constants, of
                                                variables, and of variables that are 0 at first
    symbol sm_entry 0                           a function's place
    pointer 4160 memset                         where the address of a function of the process goes
    inner 4168 4096                             where the address of a place in the image goes

Then follow the code, the constants and the variables. In memory each of the three begins a page:
code can be run and read, constants (pointers among them) can be read, variables can be written. No
page is ever both written and run.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import sys

from speedmetal.common.records import record
from speedmetal.errors import InternalError

MAGIC = b"speedmetal-image"
VERSION = 1
_SEPARATOR = b"\n\n"
_POINTER = struct.Struct("=Q")
_MOST_BYTES = 1 << 30
"""Of an image in memory: distances within it fit into the 32 bits that instructions have."""

CAN_MAP = sys.platform == "linux"
"""Whether this system runs images: where memory may become code by mprotect alone."""


@record
class Image:
    """Linked machine code.

    Args:
        page: Bytes of the pages that its parts are laid out for.
        code: Instructions.
        constants: What is only read; pointers are zeros.
        variables: What is written, as it is at first.
        zeros: Bytes of variables behind them that are 0 at first.
        symbols: The places of its functions, by name.
        pointers: Places in constants or variables, each with the name of the function whose
            address goes there.
        inner: Places in constants or variables, each with the place whose address goes there.
    """

    page: int
    code: bytes
    constants: bytes
    variables: bytes
    zeros: int
    symbols: dict[str, int]
    pointers: tuple[tuple[int, str], ...]
    inner: tuple[tuple[int, int], ...]

    @property
    def constants_start(self) -> int:
        """Where the constants begin."""
        return round_up(len(self.code), self.page)

    @property
    def variables_start(self) -> int:
        """Where the variables begin."""
        return self.constants_start + round_up(len(self.constants), self.page)

    @property
    def end(self) -> int:
        """The bytes that the image takes in memory."""
        return self.variables_start + round_up(len(self.variables) + self.zeros, self.page)

    def pack(self) -> bytes:
        """The bytes that are kept on disk; the inverse of :func:`unpack_image`."""
        sizes = (len(self.code), len(self.constants), len(self.variables), self.zeros)
        lines = [f"{MAGIC.decode()} {VERSION} {self.page} {' '.join(map(str, sizes))}"]
        lines += (f"symbol {name} {place}" for name, place in self.symbols.items())
        lines += (f"pointer {place} {name}" for place, name in self.pointers)
        lines += (f"inner {place} {aim}" for place, aim in self.inner)
        head = "\n".join(lines).encode() + _SEPARATOR
        return b"".join((head, self.code, self.constants, self.variables))


def round_up(size: int, step: int) -> int:
    """The least multiple of ``step`` that is no less than ``size``.

    >>> round_up(5, 4), round_up(8, 4), round_up(0, 4)
    (8, 8, 0)
    """
    return -(-size // step) * step


def is_image(code: bytes) -> bool:
    """Whether these bytes say that they are an image."""
    return code.startswith(MAGIC)


def unpack_image(content: bytes) -> Image:
    """The image in these bytes, after a look at everything that mapping it relies on.

    Raises:
        InternalError: They are no image, or a damaged one.
    """
    head, separator, body = content.partition(_SEPARATOR)
    try:
        image = _parse_head(head.decode("ascii"), body)
    except (ValueError, IndexError) as error:
        raise InternalError(f"cpu link: damaged image: {error}") from error
    if not separator or not is_image(content):
        raise InternalError("cpu link: no image")
    _check(image)
    return image


def _parse_head(head: str, body: bytes) -> Image:
    """The image that the head describes; its parts are cut from the body.

    Raises:
        ValueError: The head is not well-formed, or does not go with the body.
    """
    first, *lines = head.split("\n")
    _, *numbers = first.split(" ")
    version, page, code_size, constant_size, variable_size, zeros = map(_parse_size, numbers)
    if version != VERSION:
        raise ValueError(f"version {version}, expected {VERSION}")
    if len(body) != code_size + constant_size + variable_size:
        raise ValueError(f"{len(body)} bytes, expected {code_size + constant_size + variable_size}")
    symbols, pointers, inner = {}, [], []
    for line in lines:
        word, left, right = line.split(" ")
        if word == "symbol":
            symbols[left] = _parse_size(right)
        elif word == "pointer":
            pointers.append((_parse_size(left), right))
        elif word == "inner":
            inner.append((_parse_size(left), _parse_size(right)))
        else:
            raise ValueError(f"the word {word!r}")
    code, constants = body[:code_size], body[code_size : code_size + constant_size]
    variables = body[code_size + constant_size :]
    return Image(page, code, constants, variables, zeros, symbols, tuple(pointers), tuple(inner))


def _parse_size(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no size")
    return int(text)


def _check(image: Image) -> None:
    """Whether every place lies where it may.

    Raises:
        InternalError: One does not.
    """
    if image.page < mmap.PAGESIZE or image.page % mmap.PAGESIZE:
        raise InternalError(
            f"cpu link: an image for pages of {image.page} bytes, here they have {mmap.PAGESIZE}"
        )
    if not image.code or not image.end < _MOST_BYTES:
        raise InternalError(f"cpu link: an image of {image.end} bytes")
    constants, variables = image.constants_start, image.variables_start
    writable = [
        range(constants, constants + len(image.constants) - _POINTER.size + 1),
        range(variables, variables + len(image.variables) - _POINTER.size + 1),
    ]
    places = [place for place, _ in (*image.pointers, *image.inner)]
    is_whole = (
        all(any(place in part for part in writable) for place in places)
        and all(place < len(image.code) for place in image.symbols.values())
        and all(aim < image.end for _, aim in image.inner)
    )
    if not is_whole:
        raise InternalError("cpu link: damaged image: a place outside of it")


class MappedImage:
    """An image in memory; the memory is given back with the last reference.

    Whoever keeps an address of it **must** keep the MappedImage as well.

    Args:
        image: What is mapped.

    Raises:
        InternalError: This process has not a function that it needs, or the system refuses memory
            that can be run.
    """

    __slots__ = ("__weakref__", "_base", "_memory", "_symbols")

    def __init__(self, image: Image) -> None:
        addresses = [(place, _address_of(name)) for place, name in image.pointers]
        self._memory = mmap.mmap(-1, image.end, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._symbols = image.symbols
        for start, content in (
            (0, image.code),
            (image.constants_start, image.constants),
            (image.variables_start, image.variables),
        ):
            self._memory[start : start + len(content)] = content
        addresses += ((place, self._base + aim) for place, aim in image.inner)
        for place, address in addresses:
            _POINTER.pack_into(self._memory, place, address)
        self._protect(0, image.constants_start, mmap.PROT_READ | mmap.PROT_EXEC)
        self._protect(image.constants_start, image.variables_start, mmap.PROT_READ)

    def address(self, symbol: str) -> int:
        """The address of one of the image's functions.

        Raises:
            InternalError: It has no such function.
        """
        if symbol not in self._symbols:
            raise InternalError(f"cpu link: the image has no {symbol}")
        return self._base + self._symbols[symbol]

    def _protect(self, start: int, end: int, protection: int) -> None:
        if start < end and _mprotect(self._base + start, end - start, protection):
            reason = ctypes.get_errno()
            raise InternalError(f"cpu link: mprotect refuses code in memory (errno {reason})")


_process = ctypes.CDLL(None, use_errno=True)
_mprotect = _process.mprotect
_mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def _address_of(name: str) -> int:
    """Where this process has a function of libc, libm or pthreads.

    Raises:
        InternalError: Nowhere.
    """
    try:
        function = _process[name]
    except (AttributeError, ValueError) as error:  # ValueError: it is no name
        raise InternalError(f"cpu link: nobody has {name}: {error}") from error
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address

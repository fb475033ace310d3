"""Textures and samplers of a launch: NumPy arrays as texels, and back."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from speedmetal.errors import LaunchError, UserInputError
from speedmetal.metal_simulator.memory import GuardedMemory
from speedmetal.metal_simulator.runtime.records import Region
from speedmetal.msl.parameters import Parameter

Address = Literal["clamp_to_edge", "clamp_to_zero", "clamp_to_border", "repeat", "mirrored_repeat"]

TEXTURES = 128
SAMPLERS = 16
MAXIMUM_EXTENT = 16384
"""Texels along a side: Metal feature set tables, from Apple3 on."""

# The members of the enumerations in language/headers/textures.h, in their order.
_COORDS = ("normalized", "pixel")
_FILTERS = ("nearest", "linear")
_ADDRESSES = ("clamp_to_edge", "clamp_to_zero", "clamp_to_border", "repeat", "mirrored_repeat")
_BORDERS = ("transparent_black", "opaque_black", "opaque_white")

# What the texture's type says of its numbers -> NumPy's type -> enum smr_format of runtime/abi.h.
_FLOATS = {"float32": 0, "float16": 1, "uint8": 2, "uint16": 3, "int8": 4, "int16": 5}
_UNSIGNED = {"uint8": 6, "uint16": 7, "uint32": 8}
_SIGNED = {"int8": 9, "int16": 10, "int32": 11}
_FORMATS = {
    "float": _FLOATS,
    "half": _FLOATS,
    "uint": _UNSIGNED,
    "ushort": _UNSIGNED,
    "int": _SIGNED,
    "short": _SIGNED,
}
_CHANNELS = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Sampler:
    """What a kernel gets for its ``[[sampler(n)]]``.

    Args:
        filter: Whether a sample is the nearest texel, or weighed of four.
        address: What is beside the texture: for both axes, or a pair for x and y.
        coord: Whether coordinates go from 0 to 1, or count texels.
        border_color: With ``clamp_to_border``.

    Raises:
        UserInputError: An argument is none of these words.

    Example:
        >>> Sampler("linear", address=("repeat", "clamp_to_edge")).coord
        'normalized'
    """

    filter: Literal["nearest", "linear"] = "nearest"
    address: Address | tuple[Address, Address] = "clamp_to_edge"
    coord: Literal["normalized", "pixel"] = "normalized"
    border_color: Literal["transparent_black", "opaque_black", "opaque_white"] = "transparent_black"

    def __post_init__(self) -> None:
        for what, value, allowed in (
            ("filter", self.filter, _FILTERS),
            ("coord", self.coord, _COORDS),
            ("border_color", self.border_color, _BORDERS),
            *(("address", value, _ADDRESSES) for value in self.addresses),
        ):
            if value not in allowed:
                raise UserInputError(
                    f"a sampler's {what} must be one of {', '.join(allowed)}, got {value!r}"
                )

    @property
    def addresses(self) -> tuple[Address, Address]:
        """How coordinates beside the texture are read along x and along y."""
        return self.address if isinstance(self.address, tuple) else (self.address, self.address)


class _TextureRecord(ctypes.Structure):
    """``smr_texture``."""

    _fields_ = (
        ("address", ctypes.c_uint64),
        ("size_bytes", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("channels", ctypes.c_uint32),
        ("format", ctypes.c_uint32),
    )


class _SamplerRecord(ctypes.Structure):
    """``smr_sampler``."""

    _fields_ = tuple(
        (name, ctypes.c_uint8)
        for name in ("coord", "filter", "s_address", "t_address", "border_color")
    )


class _Record(ctypes.Structure):
    """``smr_bindings``."""

    _fields_ = (("texture", _TextureRecord * TEXTURES), ("sampler", _SamplerRecord * SAMPLERS))


@dataclass(frozen=True, slots=True)
class _Texture:
    """An array in device memory."""

    parameter: Parameter
    array: NDArray[Any]
    memory: GuardedMemory

    @property
    def region(self) -> Region:
        return Region(
            self.memory.address, self.memory.size_bytes, _describe_parameter(self.parameter)
        )

    def read_back(self) -> None:
        if _is_written(self.parameter):
            content = self.memory.array.view(np.uint8).data
            self.array[...] = np.frombuffer(content, self.array.dtype).reshape(self.array.shape)


@dataclass(frozen=True, slots=True)
class BoundTextures:
    """The textures and samplers of a launch in the runtime's form."""

    _record: _Record | None = None
    _textures: tuple[_Texture, ...] = ()

    @property
    def address(self) -> int:
        """The address of the ``smr_bindings`` record; 0: the kernel has no textures or samplers."""
        return 0 if self._record is None else ctypes.addressof(self._record)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The memory of the textures, with their parameters' names."""
        return tuple(texture.region for texture in self._textures)

    def read_back(self) -> None:
        """Give the arrays what the kernel wrote."""
        for texture in self._textures:
            texture.read_back()


def bind_textures(
    kernel: str,
    parameters: Sequence[Parameter],
    textures: Mapping[int, Any],
    samplers: Mapping[int, Any],
    buffers: Sequence[Any] = (),
) -> BoundTextures:
    """Bring a launch's textures and samplers into the runtime's form.

    Args:
        kernel: Its name.
        parameters: All that the kernel has.
        textures: Arrays by ``[[texture(n)]]``, shape ``(height, width)`` or ``(height, width,
            channels)``; None: nothing is bound.
        samplers: By ``[[sampler(n)]]``.
        buffers: The arguments for buffers, which must share no memory with the textures.

    Raises:
        LaunchError: They do not fit the kernel.
    """
    wanted = {p.index: p for p in parameters if p.role == "texture"}
    wanted_samplers = {p.index: p for p in parameters if p.role == "sampler"}
    _check_indices(kernel, "texture", wanted, textures, "an array of (height, width, channels)")
    _check_indices(kernel, "sampler", wanted_samplers, samplers, "sm.metal.Sampler(...)")
    if not wanted and not wanted_samplers:
        return BoundTextures()
    record = _Record()
    bound: list[_Texture] = []
    for index, parameter in wanted.items():
        record.texture[index].name = _describe_parameter(parameter).encode()
        if textures[index] is not None:
            bound.append(_bind_texture(kernel, parameter, textures[index], bound, buffers))
            _describe(record.texture[index], bound[-1])
    for index, parameter in wanted_samplers.items():
        record.sampler[index] = _sampler_record(kernel, parameter, samplers[index])
    return BoundTextures(record, tuple(bound))


def _check_indices(
    kernel: str, what: str, wanted: Mapping[int, Parameter], given: Mapping[int, Any], advice: str
) -> None:
    for index in sorted(wanted.keys() | given.keys()):
        if index not in wanted:
            listed = ", ".join(map(_describe_parameter, wanted.values()))
            raise LaunchError(
                f"{what}s has index {index}, but kernel {kernel!r} has no [[{what}({index})]]; it "
                f"has {listed or 'none'}"
            )
        if index not in given:
            raise LaunchError(
                f"kernel {kernel!r} needs {_describe_parameter(wanted[index])}:"
                f" {what}s={{{index}: ...}}, with {advice}"
            )


def _describe_parameter(parameter: Parameter) -> str:
    return f"{parameter.name} [[{parameter.role}({parameter.index})]]"


def _is_written(parameter: Parameter) -> bool:
    return parameter.access in ("write", "read_write")


def _check_array(kernel: str, parameter: Parameter, array: Any) -> None:
    about = f"kernel {kernel!r}: {_describe_parameter(parameter)}"
    if not isinstance(array, np.ndarray):
        raise LaunchError(f"{about} needs a NumPy array, got {type(array).__name__}")
    shape = array.shape
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in _CHANNELS):
        more = "; Metal has no textures of 3 channels: add one" if shape[2:] == (3,) else ""
        raise LaunchError(
            f"{about} needs an array of shape (height, width) or (height, width, channels) with 1, "
            f"2 or 4 channels, got {shape}{more}"
        )
    if not all(1 <= extent <= MAXIMUM_EXTENT for extent in shape[:2]):
        raise LaunchError(
            f"{about}: height and width must be 1 to {MAXIMUM_EXTENT}, got {shape[:2]}"
        )
    allowed = _FORMATS[parameter.elements]
    if array.dtype.name not in allowed:
        raise LaunchError(
            f"{about} has elements {parameter.elements}: its array can be {', '.join(allowed)}, "
            f"got {array.dtype}; convert it with x.astype(...)"
        )
    if _is_written(parameter) and not array.flags.writeable:
        raise LaunchError(f"{about} is written, but the array is read-only; give a copy")


def _bind_texture(
    kernel: str,
    parameter: Parameter,
    array: Any,
    others: Sequence[_Texture],
    buffers: Sequence[Any],
) -> _Texture:
    _check_array(kernel, parameter, array)
    for argument in buffers:
        if isinstance(argument, np.ndarray) and np.may_share_memory(array, argument):
            raise _sharing_error(kernel, parameter, "a buffer")
    for other in others:
        if other.array is array:
            return _Texture(parameter, array, other.memory)
        if np.may_share_memory(array, other.array):
            raise _sharing_error(
                kernel,
                parameter,
                _describe_parameter(other.parameter),
                ", or the same array for both textures",
            )
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    memory = GuardedMemory(content.nbytes)
    memory.array[:] = content
    return _Texture(parameter, array, memory)


def _describe(record: _TextureRecord, texture: _Texture) -> None:
    shape = texture.array.shape
    record.address = texture.memory.address
    record.size_bytes = texture.memory.size_bytes
    record.height, record.width = shape[:2]
    record.channels = shape[2] if len(shape) == 3 else 1
    record.format = _FORMATS[texture.parameter.elements][texture.array.dtype.name]


def _sharing_error(kernel: str, parameter: Parameter, other: str, more: str = "") -> LaunchError:
    return LaunchError(
        f"kernel {kernel!r}: {_describe_parameter(parameter)} and {other} share memory;"
        f" give copies{more}"
    )


def _sampler_record(kernel: str, parameter: Parameter, sampler: Any) -> _SamplerRecord:
    if not isinstance(sampler, Sampler):
        raise LaunchError(
            f"kernel {kernel!r}: {_describe_parameter(parameter)} needs sm.metal.Sampler(...),"
            f" got {sampler!r}"
        )
    x, y = sampler.addresses
    return _SamplerRecord(
        _COORDS.index(sampler.coord),
        _FILTERS.index(sampler.filter),
        _ADDRESSES.index(x),
        _ADDRESSES.index(y),
        _BORDERS.index(sampler.border_color),
    )

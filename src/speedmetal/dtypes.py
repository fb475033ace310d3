"""Scalar types: their names, categories, limits and promotion.

Promotion is that of the Python array API standard (section "Type promotion rules"), held as a
literal table. Where the standard leaves a pair open, integers with floats give the float, booleans
with anything give the other, and what has no type that holds both (``uint64`` with a signed
integer) is an error.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from speedmetal.common.records import record
from speedmetal.errors import UnknownNameError, UserInputError


class Kind(enum.Enum):
    """The categories of scalar types, in the order of promotion."""

    BOOL = "bool"
    SIGNED = "signed integer"
    UNSIGNED = "unsigned integer"
    FLOAT = "float"
    COMPLEX = "complex"


TAKES_ONE_NUMBER = "takes one number, got two; two parts make a complex64 or a complex128"
TAKES_REAL_PARTS = "takes two real numbers, or one of any kind; got a complex one among two"


class LanguageValue:
    """A word of the kernel language: a dtype, an intrinsic, a construct.

    Some of them are frozen dataclasses, but none is a record of a user's, with fields to be read.
    """

    __slots__ = ()


@record(eq=False)
class DType(LanguageValue):
    """A scalar type. There is one object for each; it equals NumPy's dtype of the same elements.

    Calling it converts: ``sm.float16(x)``, inside kernels and outside. NumPy takes it for a dtype,
    and ``x.dtype`` of an array is NumPy's, so that other libraries find what they know.

    Example:
        >>> float16
        float16
        >>> float16(1.0001)
        np.float16(1.0)
        >>> int8.numpy
        dtype('int8')
        >>> np.zeros(2, int8).dtype == int8
        True
    """

    name: str
    short: str
    kind: Kind
    bits: int
    numpy: np.dtype[Any]

    def __repr__(self) -> str:
        return self.name

    def __getattr__(self, name: str) -> Any:
        """NumPy's bfloat16, when it is first asked for: ``ml_dtypes`` takes 7 ms to import.

        Python looks here for what is nowhere else: bfloat16's ``numpy`` until then.
        """
        if name != "numpy":
            message = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=self)
        import ml_dtypes

        found = np.dtype(ml_dtypes.bfloat16)
        object.__setattr__(self, "numpy", found)
        return found

    def __eq__(self, other: object) -> bool:
        if isinstance(other, np.dtype):
            return self.numpy == other
        return self is other

    def __hash__(self) -> int:  # what is equal has one hash
        return hash(self.numpy)

    def __reduce__(self) -> str:  # pickled and copied by name: identity is kept
        return self.name

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's, where ``np.dtype(...)`` looks for it."""
        return self.numpy

    def __call__(self, value: Any, imag: Any = None) -> Any:
        """Convert a number or an array of NumPy's to this type, with NumPy's rules.

        An array of a device is converted as by its ``astype``.

        Args:
            value: What is converted; with ``imag`` the real parts.
            imag: The imaginary parts, numbers and NumPy's arrays too, for complex types.

        Raises:
            UserInputError: A real type is given two parts, or a part is complex, or an array of a
                device.

        Example:
            >>> complex128(0.5, [1, 2])
            array([0.5+1.j, 0.5+2.j])
        """
        if imag is not None:
            converted = self._of_parts(value, imag)
        elif array_function((value,)) is not None:
            return value.astype(self)
        else:
            converted = np.asarray(value).astype(self.numpy)
        return converted if converted.ndim else converted[()]

    def _of_parts(self, real: Any, imag: Any) -> np.ndarray[Any, Any]:
        if not self.is_complex:
            raise UserInputError(f"sm.{self.name} {TAKES_ONE_NUMBER}")
        if array_function((real, imag)) is not None:
            raise UserInputError(
                f"sm.{self.name} takes two parts that are numbers or NumPy arrays; of arrays of a"
                f" device write (real + 1j * imag).astype(sm.{self.name})"
            )
        if np.iscomplexobj(real) or np.iscomplexobj(imag):
            raise UserInputError(f"sm.{self.name} {TAKES_REAL_PARTS}")
        parts = np.broadcast_arrays(real, imag)
        converted = np.empty(parts[0].shape, self.numpy)
        converted.real, converted.imag = parts
        return converted

    @property
    def itemsize(self) -> int:
        """Size of one element, in bytes."""
        return self.numpy.itemsize

    @property
    def is_bool(self) -> bool:
        return self.kind is Kind.BOOL

    @property
    def is_integer(self) -> bool:
        return self.kind in (Kind.SIGNED, Kind.UNSIGNED)

    @property
    def is_signed(self) -> bool:
        return self.kind is Kind.SIGNED

    @property
    def is_float(self) -> bool:
        return self.kind is Kind.FLOAT

    @property
    def is_complex(self) -> bool:
        return self.kind is Kind.COMPLEX

    @property
    def part(self) -> DType:
        """The type of a number's real part: of a complex type its float, of any other itself.

        >>> complex64.part, complex128.part, int8.part
        (float32, float64, int8)
        """
        return _PARTS.get(self.name, self)

    @property
    def minimum(self) -> int:
        """Least value of an integer type."""
        return -(1 << (self.bits - 1)) if self.is_signed else 0

    @property
    def maximum(self) -> int:
        """Greatest value of an integer type."""
        return (1 << (self.bits - self.is_signed)) - 1


def array_function(operands: Iterable[Any]) -> Callable[..., Any] | None:
    """What does functions of ``speedmetal`` on arrays of devices; None: no operand is one.

    It takes the function's name, its operands and its options. A class of arrays has it as
    ``__speedmetal_function__``: the kernel language, whose words functions are, knows no arrays.
    """
    for operand in operands:
        found: Callable[..., Any] | None = getattr(type(operand), "__speedmetal_function__", None)
        if found is not None:
            return found
    return None


def _dtype(name: str, short: str, kind: Kind, bits: int, scalar: Any = None) -> DType:
    return DType(name, short, kind, bits, np.dtype(scalar or name))


bool_ = _dtype("bool_", "bool", Kind.BOOL, 8, np.bool_)
int8 = _dtype("int8", "i8", Kind.SIGNED, 8)
int16 = _dtype("int16", "i16", Kind.SIGNED, 16)
int32 = _dtype("int32", "i32", Kind.SIGNED, 32)
int64 = _dtype("int64", "i64", Kind.SIGNED, 64)
uint8 = _dtype("uint8", "u8", Kind.UNSIGNED, 8)
uint16 = _dtype("uint16", "u16", Kind.UNSIGNED, 16)
uint32 = _dtype("uint32", "u32", Kind.UNSIGNED, 32)
uint64 = _dtype("uint64", "u64", Kind.UNSIGNED, 64)
float16 = _dtype("float16", "f16", Kind.FLOAT, 16)
bfloat16 = _dtype("bfloat16", "bf16", Kind.FLOAT, 16, np.void)
object.__delattr__(bfloat16, "numpy")  # `__getattr__` finds it
float32 = _dtype("float32", "f32", Kind.FLOAT, 32)
float64 = _dtype("float64", "f64", Kind.FLOAT, 64)
complex64 = _dtype("complex64", "c64", Kind.COMPLEX, 64)
complex128 = _dtype("complex128", "c128", Kind.COMPLEX, 128)

ALL = (
    bool_,
    *(int8, int16, int32, int64),
    *(uint8, uint16, uint32, uint64),
    *(float16, bfloat16, float32, float64),
    *(complex64, complex128),
)
INTEGERS = tuple(d for d in ALL if d.is_integer)
FLOATS = tuple(d for d in ALL if d.is_float)

COMPLEX = tuple(d for d in ALL if d.is_complex)

DEFAULT_INT = int32
DEFAULT_FLOAT = float32
DEFAULT_INDEX = int64
"""Of positions in arrays and of counts of elements: there can be more than an int32 tells."""

_PARTS = {"complex64": float32, "complex128": float64}

_BY_NAME = {name: d for d in ALL for name in (d.name, d.short)} | {"bool": bool_}
_BY_NUMPY = {d.numpy: d for d in ALL if d is not bfloat16}  # which joins when it is met


def unsigned_of(dtype: DType) -> DType:
    """The unsigned integer type of a type's width.

    >>> unsigned_of(int16), unsigned_of(uint64)
    (uint16, uint64)
    """
    return {8: uint8, 16: uint16, 32: uint32, 64: uint64}[dtype.bits]


def complex_of(dtype: DType) -> DType:
    """The complex type in which a number of this type is complex: it has 32 bits a part at least.

    >>> complex_of(float16), complex_of(float64), complex_of(complex64), complex_of(int64)
    (complex64, complex128, complex64, complex64)
    """
    return complex128 if dtype.part is float64 else complex64


def find_dtype(name: str) -> DType:
    """The type with this name or short name.

    Raises:
        UnknownNameError: There is none.
        UserInputError: It is one of NumPy's.

    >>> find_dtype("f32"), find_dtype("uint8")
    (float32, uint8)
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        pass
    bits = _NUMPYS_CODES.get(name.lstrip("<>=|"))
    if bits is not None:
        raise UserInputError(
            f"unknown dtype {name!r}: NumPy's short names count bytes, ours count bits; write"
            f" {bits!r} or np.dtype({name!r})"
        )
    raise UnknownNameError("dtype", name, _BY_NAME)


_NUMPYS_CODES = {
    f"{dtype.numpy.kind}{dtype.itemsize}": dtype.name
    for dtype in (int16, int32, uint16, uint32, float16, float32, float64, complex128)
} | {"b1": "bool_", "i1": "int8", "u1": "uint8"}
"""NumPy's short names that are none of ours; its ``i8`` is our ``i64``, and ours its ``i1``."""


def from_numpy(dtype: Any) -> DType:
    """The type of NumPy's ``dtype`` (native byte order).

    Raises:
        UserInputError: speedmetal has no such type.

    >>> from_numpy(np.float32)
    float32
    """
    given = np.dtype(dtype)
    if not is_supported(given):
        raise UserInputError(
            f"dtype {given} is not supported; supported are {', '.join(d.name for d in ALL)};"
            " convert with x.astype(...)"
        )
    return _BY_NUMPY[given]


def is_supported(dtype: np.dtype[Any]) -> bool:
    """Whether NumPy's ``dtype`` is one of ours (native byte order).

    >>> is_supported(np.dtype(np.float32)), is_supported(np.dtype(np.longdouble))
    (True, False)
    """
    if dtype in _BY_NUMPY:
        return True
    if not is_bfloat16_class(dtype.type):
        return False
    _BY_NUMPY[bfloat16.numpy] = bfloat16
    return dtype in _BY_NUMPY  # not in another byte order


def is_bfloat16_class(cls: type) -> bool:
    """Whether a class is that of NumPy's bfloat16 numbers, which is there once it was imported."""
    return cls is getattr(sys.modules.get("ml_dtypes"), "bfloat16", None)


def as_dtype(dtype: Any) -> DType:
    """The type meant by a :class:`DType`, a name, a Python type or a NumPy dtype.

    Raises:
        UserInputError: It names no type of speedmetal.

    >>> as_dtype("f16"), as_dtype(np.int8), as_dtype(float), as_dtype(int)
    (float16, int8, float32, int32)
    """
    if isinstance(dtype, DType):
        return dtype
    if isinstance(dtype, str):
        return find_dtype(dtype)
    defaults = {bool: bool_, int: DEFAULT_INT, float: DEFAULT_FLOAT, complex: complex64}
    if isinstance(dtype, type) and dtype in defaults:
        return defaults[dtype]
    try:
        return from_numpy(dtype)
    except TypeError:
        advice = (
            ""
            if not isinstance(dtype, int)
            else ("; a shape of several extents is a tuple, as in zeros((2, 3))")
        )
        raise UserInputError(
            f"{dtype!r} is not a dtype; allowed are {', '.join(d.name for d in ALL)}{advice}"
        ) from None


# The standard's table, one row per left operand; None where no type holds both. The keys are names,
# so that nothing asks for the hash of bfloat16, which is that of NumPy's.
_ORDER = (int8, int16, int32, int64, uint8, uint16, uint32, uint64)
_INTEGER_TABLE: dict[str, tuple[DType | None, ...]] = {
    "int8": (int8, int16, int32, int64, int16, int32, int64, None),
    "int16": (int16, int16, int32, int64, int16, int32, int64, None),
    "int32": (int32, int32, int32, int64, int32, int32, int64, None),
    "int64": (int64, int64, int64, int64, int64, int64, int64, None),
    "uint8": (int16, int16, int32, int64, uint8, uint16, uint32, uint64),
    "uint16": (int32, int32, int32, int64, uint16, uint16, uint32, uint64),
    "uint32": (int64, int64, int64, int64, uint32, uint32, uint32, uint64),
    "uint64": (None, None, None, None, uint64, uint64, uint64, uint64),
}
_FLOAT_ORDER = (float16, bfloat16, float32, float64, complex64, complex128)
_FLOAT_TABLE: dict[str, tuple[DType | None, ...]] = {
    "float16": (float16, float32, float32, float64, complex64, complex128),
    "bfloat16": (float32, bfloat16, float32, float64, complex64, complex128),
    "float32": (float32, float32, float32, float64, complex64, complex128),
    "float64": (float64, float64, float64, float64, complex128, complex128),
    "complex64": (complex64, complex64, complex64, complex128, complex64, complex128),
    "complex128": (complex128,) * 6,
}


def _cells(
    table: dict[str, tuple[DType | None, ...]], columns: tuple[DType, ...]
) -> dict[tuple[str, str], DType | None]:
    return {
        (row, column.name): cell
        for row, cells in table.items()
        for column, cell in zip(columns, cells, strict=True)
    }


def _both_orders(left: DType, right: DType) -> tuple[tuple[str, str], tuple[str, str]]:
    return (left.name, right.name), (right.name, left.name)


_PROMOTION: dict[tuple[str, str], DType | None] = (
    _cells(_INTEGER_TABLE, _ORDER)
    | _cells(_FLOAT_TABLE, _FLOAT_ORDER)
    | {pair: f for f in _FLOAT_ORDER for i in _ORDER for pair in _both_orders(f, i)}
    | {pair: d for d in ALL for pair in _both_orders(bool_, d)}
)


def promote(left: DType, right: DType) -> DType | None:
    """The type that an operation on both is done in; None where there is none.

    >>> promote(int8, uint8), promote(float16, bfloat16), promote(int64, float16)
    (int16, float32, float16)
    >>> promote(float64, complex64)
    complex128
    >>> promote(int64, uint64) is None
    True
    """
    return _PROMOTION[left.name, right.name]


def kind_rank(dtype: DType) -> int:
    """Order of the kinds of numbers: bools, integers, floats, complex numbers."""
    return 0 if dtype.is_bool else 1 if dtype.is_integer else 2 if dtype.is_float else 3


def beside_running_number(dtype: DType, number: DType) -> DType:
    """The type of an operation on a ``dtype`` and a Python number of the running program.

    Nobody knows how large such a number becomes, so it never gets fewer than 32 bits.

    Args:
        dtype: Type of the other operand.
        number: Type that holds the number alone: int32 or int64, float32 or float64.

    >>> beside_running_number(uint8, int32), beside_running_number(uint32, int32)
    (int32, uint32)
    >>> beside_running_number(int32, int64), beside_running_number(float16, int64)
    (int64, float32)
    """
    if kind_rank(number) > kind_rank(dtype):
        return number
    if dtype.is_float:
        return dtype if dtype.bits >= DEFAULT_FLOAT.bits else DEFAULT_FLOAT
    return dtype if dtype.bits >= number.bits else number


def holds_all_values(target: DType, source: DType) -> bool:
    """Whether a value of ``source`` converted to ``target`` stays the same value, of the same kind.

    >>> holds_all_values(int64, int32), holds_all_values(float32, int32)
    (True, False)
    """
    if source is target:
        return True
    same_kind = target.is_float == source.is_float and target.is_integer == source.is_integer
    return same_kind and promote(target, source) is target

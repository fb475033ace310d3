"""The constructs of the kernel language: what is neither Python's nor a plain intrinsic.

The records say what each is called, takes and means; the front end gives it its meaning inside a
kernel. Outside a kernel a construct does the same with numbers and NumPy arrays where that makes
sense, and says that it cannot where it does not.
"""

from __future__ import annotations

import cmath
import copyreg
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.common.records import record
from speedmetal.dtypes import LanguageValue, array_function, as_dtype
from speedmetal.errors import UserInputError
from speedmetal.intrinsics.call_signature import CallSignature


@record(eq=False)
class Construct(LanguageValue):
    """One construct.

    Args:
        name: Its name in ``speedmetal``, or ``module.name`` for what only another module names.
        parameters: Its parameters as Python writes them: ``"shape, dtype"``; where it can be called
            in several ways, one a line.
        meaning: The documentation.
        host: What it does outside kernels; None where that has no meaning.
        aliases: Objects of other modules that mean it.
        returns: What it returns, as an annotation for type checkers.
    """

    name: str
    parameters: str
    meaning: str
    host: Callable[..., Any] | None = None
    aliases: tuple[Any, ...] = ()
    returns: str = "Any"

    __signature__ = CallSignature()

    @property
    def calls(self) -> tuple[str, ...]:
        """The ways that it can be called: ``("cdiv(a, b)",)``."""
        return tuple(f"{self.name}({way})" for way in self.parameters.split("\n"))

    def __repr__(self) -> str:
        return f"<construct {' or '.join(self.calls)}>"

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return "\n".join((*self.calls, "", self.meaning))

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the construct outside a kernel, on numbers, NumPy arrays and arrays of devices.

        Raises:
            UserInputError: It has a meaning inside kernels alone.
        """
        if self.host is None:
            raise UserInputError(
                f"sm.{self.name} works only inside a kernel: call it in a function decorated with"
                " @sm.kernel, or in one that such a function calls"
            )
        function = array_function((*arguments, *options.values()))
        if function is not None:
            return function(self.name, *arguments, **options)
        return self.host(*arguments, **options)


def _cdiv(a: Any, b: Any) -> Any:
    return -(-a // b)


def _bitcast(x: Any, dtype: Any) -> Any:
    array = np.asarray(x)
    if type(x) is float:  # not np.float64, which is a float, too
        array = array.astype(np.float32)
    elif type(x) is int and -(1 << 31) <= x < 1 << 31:
        array = array.astype(np.int32)
    result = array.view(as_dtype(dtype).numpy)
    return result if result.ndim else result[()]


def _sincos(x: Any) -> tuple[Any, Any]:
    return np.sin(x), np.cos(x)


def _modf(x: Any) -> tuple[Any, Any]:
    fraction, whole = np.modf(x)
    return fraction, whole


def _where(condition: Any, when_true: Any, when_false: Any) -> Any:
    result = np.where(condition, when_true, when_false)
    return result if result.ndim else result[()]


def _polar(z: Any) -> tuple[Any, Any]:
    return np.abs(z), np.angle(z)


def _rect(size: Any, angle: Any) -> Any:
    return size * np.cos(angle) + 1j * (size * np.sin(angle))


_CMATH: tuple[Callable[..., Any], ...] = (
    *(cmath.exp, cmath.log, cmath.log10, cmath.sqrt, cmath.sin, cmath.cos, cmath.tan),
    *(cmath.sinh, cmath.cosh, cmath.tanh, cmath.asin, cmath.acos, cmath.atan, cmath.asinh),
    *(cmath.acosh, cmath.atanh, cmath.isnan, cmath.isinf, cmath.isfinite),
)

_PAIR = "tuple[Any, Any]"
_ATOMIC = "The old value is returned. `index` is an int, or a tuple with an int for each axis."


def _atomic(name: str, meaning: str) -> Construct:
    return Construct(f"atomic_{name}", "array, index, value", f"{meaning} {_ATOMIC}")


RECORDS = (
    Construct(
        "threadgroup_array",
        "shape, dtype",
        "Memory that the threads of a threadgroup share; its values at first are unspecified."
        " `shape` has constants, or expressions over scalar parameters, sizes of arrays and"
        " threads_per_threadgroup(). A launch for which the arrays do not fit into the device's"
        " threadgroup memory is refused.",
    ),
    Construct(
        "thread_array",
        "shape, dtype",
        "Memory of each thread's own, of a constant shape; its values at first are unspecified."
        " A thread has 16 KiB.",
    ),
    Construct(
        "threadgroup_barrier",
        'memory="threadgroup"',
        "Every thread of the threadgroup arrives; writes before it to the named memory are seen"
        ' after it. `memory` is "threadgroup", "device", "all" or "none". Where some threads go'
        " round it, the result is undefined; debug level 2 finds it.",
        returns="None",
    ),
    Construct(
        "simdgroup_barrier",
        'memory="threadgroup"',
        "The same among the threads of a simdgroup.",
        returns="None",
    ),
    Construct("atomic_load", "array, index", "Reads an element at once."),
    Construct(
        "atomic_store",
        "array, index, value",
        "Writes an element at once; returns nothing.",
        returns="None",
    ),
    _atomic("exchange", "Writes an element."),
    Construct(
        "atomic_compare_exchange",
        "array, index, expected, desired",
        f"Writes `desired` where the element has the bits of `expected`. {_ATOMIC}",
    ),
    _atomic("add", "Adds to an element."),
    _atomic("sub", "Subtracts from an element."),
    _atomic("min", "Makes an element the smaller of itself and `value`."),
    _atomic("max", "Makes an element the greater of itself and `value`."),
    _atomic("and", "Bitwise and into an element."),
    _atomic("or", "Bitwise or into an element."),
    _atomic("xor", "Bitwise exclusive or into an element."),
    Construct(
        "atomic_update",
        "array, index, function, value",
        "Makes an element `function(element, value)`, by compare-and-exchange until it succeeds;"
        f" `function` must have no effects. {_ATOMIC}",
    ),
    Construct(
        "static_range",
        "stop, /\nstart, stop, step=1, /",
        "A `range` over constants whose loop is unrolled: the loop variable is a constant.",
        range,
        returns="range",
    ),
    Construct("cdiv", "a, b", "The quotient of integers rounded up.", _cdiv),
    Construct(
        "simdgroup_matrix",
        "value, dtype, shape=(8, 8)",
        "A matrix, held by the threads of a simdgroup together, filled with `value`. Its rows and"
        " columns, `shape`, are multiples of 8.",
    ),
    Construct(
        "simdgroup_load",
        "array, origin, transpose=False, shape=(8, 8)",
        "The block of a two-dimensional array that starts at `origin`, (row, column), as a matrix"
        " of `shape`; with `transpose`, a block of the transposed shape, transposed.",
    ),
    Construct(
        "simdgroup_store",
        "matrix, array, origin",
        "Writes a matrix into a two-dimensional array, from `origin` on: (row, column).",
        returns="None",
    ),
    Construct(
        "async_copy",
        "array, index, source, source_index, count",
        "The thread copies `count` neighbours along the last axis, from `source`, in device memory,"
        " to `array`, in threadgroup memory, and goes on without waiting for them where the device"
        " can; elsewhere it copies at once. They are there after sm.async_copy_wait(), for other"
        " threads after a barrier behind that; until then nobody accesses them. `count` is a"
        " constant, at most 16; NVIDIA GPUs copy 4, 8 or 16 bytes at once where both places are"
        " multiples of as many.",
        returns="None",
    ),
    Construct(
        "async_copy_group",
        "",
        "The copies that the thread has asked for since the last group form a group, for"
        " sm.async_copy_wait(); it may be empty.",
        returns="None",
    ),
    Construct(
        "async_copy_wait",
        "pending=0",
        "The thread waits for its copies, except those of its latest `pending` groups, a constant."
        " With 0 it waits for those that are in no group, too.",
        returns="None",
    ),
    Construct("bitcast", "x, dtype", "The same bits as another type of the same size.", _bitcast),
    Construct(
        "select",
        "condition, when_true, when_false",
        "One of two values, both of which are evaluated; numbers are promoted to a common type.",
        _where,
        (np.where,),
    ),
    Construct("sincos", "x", "The pair (sin(x), cos(x)).", _sincos, returns=_PAIR),
    Construct(
        "frexp",
        "x",
        "The pair (mantissa, exponent): mantissa * 2**exponent is x, 0.5 <= |mantissa| < 1.",
        np.frexp,
        (math.frexp, np.frexp),
        _PAIR,
    ),
    Construct(
        "modf",
        "x",
        "The pair (fraction, whole part), both floats with the sign of x; NaN gives NaN twice.",
        _modf,
        (math.modf, np.modf),
        _PAIR,
    ),
    Construct("conj", "z", "The complex conjugate; a real number itself.", np.conj, (np.conj,)),
    Construct(
        "angle",
        "z",
        "The angle of a complex number, from -pi to pi: atan2(z.imag, z.real).",
        np.angle,
        (np.angle, cmath.phase),
    ),
    Construct("polar", "z", "The pair (abs(z), angle(z)).", _polar, (cmath.polar,), _PAIR),
    Construct(
        "rect", "r, phi", "The complex number r * (cos(phi) + i sin(phi)).", _rect, (cmath.rect,)
    ),
    Construct("numpy.real", "z", "The real part.", np.real, (np.real,)),
    Construct("numpy.imag", "z", "The imaginary part.", np.imag, (np.imag,)),
    *(
        Construct(
            f"cmath.{function.__name__}",
            "z",
            f"sm.{function.__name__} of a complex number, which a real one is made first.",
            function,
            (function,),
        )
        for function in _CMATH
    ),
    Construct(
        "math.floor", "x", "The greatest int32 not above x; NaN gives 0.", math.floor, (math.floor,)
    ),
    Construct(
        "math.ceil", "x", "The least int32 not below x; NaN gives 0.", math.ceil, (math.ceil,)
    ),
    Construct(
        "math.trunc", "x", "The int32 that x starts with; NaN gives 0.", math.trunc, (math.trunc,)
    ),
)

_RECORDS = {record.name: record for record in RECORDS}
select = _RECORDS["select"]
bitcast = _RECORDS["bitcast"]

TABLE: dict[str, Construct] = {
    **{name: record for name, record in _RECORDS.items() if "." not in name},
    "where": select,
}
"""Every construct by its name in ``speedmetal``."""


def find_construct(name: str) -> Construct:
    """The construct of this name."""
    return _RECORDS[name]


copyreg.pickle(
    Construct, lambda record: (find_construct, (record.name,))
)  # there is one in each process

_BY_OBJECT = {id(alias): record for record in RECORDS for alias in (record, *record.aliases)}


def by_object(meant: object) -> Construct | None:
    """The construct that an object means: the record itself, or ``numpy.where``, ``math.floor``.

    >>> by_object(np.where), by_object(print) is None
    (<construct select(condition, when_true, when_false)>, True)
    """
    return _BY_OBJECT.get(id(meant))

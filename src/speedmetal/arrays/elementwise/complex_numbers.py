"""Complex numbers: their parts, sizes and angles."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.operands import checked, compute


def real(x: Any, /) -> Any:
    """The real part: of real numbers a copy.

    >>> import speedmetal as sm
    >>> sm.real(sm.array([1 + 2j, 3]))
    Array([1., 3.], dtype=float32, device='cpu')
    """
    return compute("real", "real", x)


def imag(x: Any, /) -> Any:
    """The imaginary part: of real numbers 0.

    >>> import speedmetal as sm
    >>> sm.imag(sm.array([1 + 2j, 3]))
    Array([2., 0.], dtype=float32, device='cpu')
    """
    return compute("imag", "imag", x)


def conj(x: Any, /) -> Any:
    """The complex conjugate: of real numbers a copy.

    >>> import speedmetal as sm
    >>> sm.conj(sm.array([1 + 2j, 3]))
    Array([1.-2.j, 3.-0.j], dtype=complex64, device='cpu')
    """
    return compute("conj", "conj", x)


def complex_of(real: Any, imag: Any) -> Any:
    """The complex numbers with these parts, as they are: complex64, or complex128 of float64."""
    return apply("complex", real, imag)


def angle(z: Any, /) -> Any:
    """The angle of a number, from -pi to pi; of real numbers 0 or pi.

    >>> import speedmetal as sm
    >>> sm.angle(sm.array([1j, -1.0]))
    Array([1.5707964, 3.1415927], dtype=float32, device='cpu')
    """
    (z,) = checked("angle", z)
    return apply("atan2", apply("imag", z), apply("real", z))


def polar(z: Any, /) -> tuple[Any, Any]:
    """The pair of the sizes and the angles.

    >>> import speedmetal as sm
    >>> sm.polar(sm.array([2j]))
    (Array([2.], dtype=float32, device='cpu'), Array([1.5707964], dtype=float32, device='cpu'))
    """
    (z,) = checked("polar", z)
    return abs(z), angle(z)


def rect(r: Any, phi: Any, /) -> Any:
    """The complex numbers ``r (cos(phi) + i sin(phi))``.

    >>> import speedmetal as sm
    >>> sm.rect(sm.array([2.0, 3.0]), 0.0)
    Array([2.+0.j, 3.+0.j], dtype=complex64, device='cpu')
    """
    return compute("rect", "rect", r, phi)


conjugate = conj  # NumPy's name for it

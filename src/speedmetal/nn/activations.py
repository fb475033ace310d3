"""Activations: functions of one element each, which fuse with what is around them.

Those of float16 and bfloat16 are computed in float32 and rounded once. What is said of infinities
and NaN is what PyTorch gives.
"""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.along_axes.reducing import Axes
from speedmetal.arrays.along_axes.softmaxes import softmax
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.activations import sigmoid, silu, softplus
from speedmetal.arrays.elementwise.operands import checked
from speedmetal.arrays.elementwise.rounding import clip
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.errors import UserInputError
from speedmetal.nn.arguments import channel_axis, check_floats, of_floats_alone

_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_ALPHA = 1.6732632423543772848170429916717


# --- Of pieces that are lines --------------------------------------------------------------------


@of_floats_alone
def leaky_relu(x: Any, /, *, negative_slope: float = 0.01) -> Any:
    """``x`` above 0, else ``negative_slope * x`` (A. L. Maas and others, 2013).

    Args:
        x: Floats. NaN stays.
        negative_slope: Any number.

    Raises:
        UserInputError: ``x`` has no floats.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.leaky_relu(sm.array([-4.0, 2.0]), negative_slope=0.25)
        Array([-1.,  2.], dtype=float32, device='cpu')
    """
    return apply("where", x > 0, x, x * negative_slope)


def prelu(x: Any, weight: Any, /, *, layout: str = "channels_last") -> Any:
    """``x`` above 0, else ``weight * x`` (K. He and others, 2015).

    Args:
        x: ``(batch, space..., channels)``, or with layout "channels_first"
            ``(batch, channels, space...)``, of floats; of any shape where there is one slope. NaN
            stays.
        weight: The slopes: one, or ``(channels,)``.
        layout: "channels_last" or "channels_first".

    Raises:
        UserInputError: ``x`` or the weight have no floats, or there are neither one slope nor one
            for each channel.
        UnknownNameError: The layout is another one.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.prelu(sm.array([[-4.0, -4.0]]), sm.array([0.25, 0.5]))
        Array([[-1., -2.]], dtype=float32, device='cpu')
    """
    check_floats("prelu", x)
    check_floats("prelu", weight, "weight")
    if weight.size == 1:
        return _prelu(x, weight.reshape(()))
    axis = channel_axis("prelu", x.ndim, layout)
    count = x.shape[axis]
    if weight.shape != (count,):
        raise UserInputError(
            f"prelu expected one slope or {count}, one for each channel, got shape {weight.shape}"
        )
    return _prelu(x, weight.reshape((count, *(1,) * (x.ndim - 1 - axis))))


@of_floats_alone
def _prelu(x: Any, weight: Any) -> Any:
    return apply("where", x > 0, x, x * weight)


def relu6(x: Any, /) -> Any:
    """``minimum(maximum(x, 0), 6)`` (A. Krizhevsky, 2010), in the type of ``x``. NaN stays.

    Raises:
        UserInputError: ``x`` is no array.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.relu6(sm.array([-1.0, 2.0, 9.0]))
        Array([0., 2., 6.], dtype=float32, device='cpu')
    """
    (given,) = checked("relu6", x)
    return clip(given, 0, 6)


def hardtanh(x: Any, /, *, min_value: float = -1.0, max_value: float = 1.0) -> Any:
    """``minimum(maximum(x, min_value), max_value)``. NaN stays.

    Args:
        x: Floats; integers, where the bounds are.
        min_value: The lower bound.
        max_value: The upper one.

    Raises:
        UserInputError: The bounds are in the wrong order.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.hardtanh(sm.array([-3.0, 0.5, 3.0]))
        Array([-1. ,  0.5,  1. ], dtype=float32, device='cpu')
    """
    if not min_value <= max_value:
        raise UserInputError(
            f"hardtanh expected min_value to be at most max_value, got {min_value} and {max_value}"
        )
    (given,) = checked("hardtanh", x)
    return clip(given, min_value, max_value)


@of_floats_alone
def hardsigmoid(x: Any, /) -> Any:
    """``relu6(x + 3) / 6``: 0 up to -3, 1 from 3 on. NaN stays.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.hardsigmoid(sm.array([-3.0, 0.0, 3.0]))
        Array([0. , 0.5, 1. ], dtype=float32, device='cpu')
    """
    return _between_0_and_6(x) / 6


@of_floats_alone
def hardswish(x: Any, /) -> Any:
    """``x * relu6(x + 3) / 6`` (A. Howard and others, 2019). NaN stays, and comes of -inf.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.hardswish(sm.array([-3.0, 0.0, 3.0]))
        Array([-0.,  0.,  3.], dtype=float32, device='cpu')
    """
    return x * _between_0_and_6(x) / 6


def _between_0_and_6(x: Any) -> Any:
    return apply("minimum", apply("maximum", x + 3, 0), 6)


@of_floats_alone
def softshrink(x: Any, /, *, lambd: float = 0.5) -> Any:
    """Towards 0 by ``lambd``, and 0 where ``abs(x) <= lambd``. NaN stays.

    Args:
        x: Floats.
        lambd: 0 or more.

    Raises:
        UserInputError: ``x`` has no floats, or ``lambd`` is negative.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.softshrink(sm.array([-2.0, 0.25, 2.0]))
        Array([-1.5,  0. ,  1.5], dtype=float32, device='cpu')
    """
    _check_lambda("softshrink", lambd)
    # What is beyond: NaN too, so that it stays.
    outside = apply("where", x > 0, x - lambd, x + lambd)
    return apply("where", abs(x) <= lambd, 0.0, outside)


@of_floats_alone
def hardshrink(x: Any, /, *, lambd: float = 0.5) -> Any:
    """``x``, but 0 where ``abs(x) <= lambd``. NaN stays.

    Args:
        x: Floats.
        lambd: 0 or more.

    Raises:
        UserInputError: ``x`` has no floats, or ``lambd`` is negative.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.hardshrink(sm.array([-2.0, 0.25, 2.0]))
        Array([-2.,  0.,  2.], dtype=float32, device='cpu')
    """
    _check_lambda("hardshrink", lambd)
    return apply("where", abs(x) <= lambd, 0.0, x)


def _check_lambda(name: str, lambd: float) -> None:
    if not lambd >= 0:
        raise UserInputError(f"{name} expected lambd of 0 or more, got {lambd}")


def threshold(x: Any, /, threshold: float, value: float) -> Any:
    """``x`` where it is above ``threshold``, else ``value``, in the type of ``x``. NaN stays.

    Args:
        x: Real numbers.
        threshold: A number.
        value: What stands for all that is not above it.

    Raises:
        UserInputError: ``x`` is no array, or has integers, and the value is a float.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.threshold(sm.array([1.0, 2.0, 3.0]), 2.0, -7.0)
        Array([-7., -7.,  3.], dtype=float32, device='cpu')
    """
    (given,) = checked("threshold", x)
    dtype = given.layout.dtype
    if not dtype.is_float and isinstance(value, float):
        raise UserInputError(
            f"threshold expected a whole number as value beside {dtype}, got {value}; convert x"
            " with x.astype(sm.float32)"
        )
    return apply("where", given <= threshold, value, given)


# --- Of exponentials -----------------------------------------------------------------------------


@of_floats_alone
def elu(x: Any, /, *, alpha: float = 1.0) -> Any:
    """``x`` above 0, else ``alpha * (exp(x) - 1)`` (D.-A. Clevert and others, 2015). NaN stays.

    Args:
        x: Floats.
        alpha: Any number: at -inf it is ``-alpha``.

    Raises:
        UserInputError: ``x`` has no floats.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.elu(sm.array([-100.0, 0.0, 2.0]))
        Array([-1.,  0.,  2.], dtype=float32, device='cpu')
    """
    return apply("where", x > 0, x, apply("expm1", x) * alpha)


@of_floats_alone
def celu(x: Any, /, *, alpha: float = 1.0) -> Any:
    """``x`` above 0, else ``alpha * (exp(x / alpha) - 1)`` (J. T. Barron, 2017). NaN stays.

    Args:
        x: Floats.
        alpha: Any number but 0.

    Raises:
        UserInputError: ``x`` has no floats, or ``alpha`` is 0.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.celu(sm.array([-100.0, 0.0, 2.0]), alpha=2.0)
        Array([-2.,  0.,  2.], dtype=float32, device='cpu')
    """
    if alpha == 0:
        raise UserInputError("celu expected alpha to be other than 0, by which it divides")
    return apply("where", x > 0, x, apply("expm1", x / alpha) * alpha)


@of_floats_alone
def selu(x: Any, /) -> Any:
    """``scale * elu(x, alpha=alpha)`` (G. Klambauer and others, 2017). NaN stays.

    With the paper's scale 1.0507009873554805 and alpha 1.6732632423543773, by which mean 0 and
    variance 1 stay as they are.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.selu(sm.array([-100.0, 0.0, 1.0]))
        Array([-1.7580993,  0.       ,  1.050701 ], dtype=float32, device='cpu')
    """
    negative = apply("expm1", x) * (_SELU_SCALE * _SELU_ALPHA)
    return apply("where", x > 0, x * _SELU_SCALE, negative)


@of_floats_alone
def mish(x: Any, /) -> Any:
    """``x * tanh(softplus(x))`` (D. Misra, 2019). NaN stays, and comes of -inf.

    It is computed as ``x * n / (n + 2)`` with ``n = e * (e + 2)`` and ``e = exp(x)``, which loses
    nothing where that is small; from 40 on it is ``x``.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.mish(sm.array([-200.0, 0.0, 100.0]))
        Array([ -0.,   0., 100.], dtype=float32, device='cpu')
    """
    power = apply("exp", apply("minimum", x, 40.0))
    n = power * (power + 2)
    return x * (n / (n + 2))


def log_sigmoid(x: Any, /) -> Any:
    """``log(sigmoid(x))``: ``minimum(x, 0) - log(1 + exp(-abs(x)))``, exact where that is large.

    Args:
        x: Floats. At -inf it is -inf, at inf 0; NaN stays.

    Raises:
        UserInputError: ``x`` has no floats.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.log_sigmoid(sm.array([-1000.0, 0.0]))
        Array([-1.000000e+03, -6.931472e-01], dtype=float32, device='cpu')
    """
    check_floats("log_sigmoid", x)
    return -softplus(-x)


@of_floats_alone
def tanhshrink(x: Any, /) -> Any:
    """``x - tanh(x)``. NaN stays. Near 0 the rounding of ``x`` is what remains, as everywhere.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.tanhshrink(sm.array([-100.0, 0.0, 100.0]))
        Array([-99.,   0.,  99.], dtype=float32, device='cpu')
    """
    return x - apply("tanh", x)


@of_floats_alone
def softsign(x: Any, /) -> Any:
    """``x / (1 + abs(x))`` (X. Glorot and Y. Bengio, 2010). NaN stays, and comes of infinities.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.softsign(sm.array([-1.0, 0.0, 3.0]))
        Array([-0.5 ,  0.  ,  0.75], dtype=float32, device='cpu')
    """
    return x / (1 + abs(x))


@of_floats_alone
def quick_gelu(x: Any, /) -> Any:
    """``x * sigmoid(1.702 * x)``, an approximation of :func:`gelu` (Hendrycks and Gimpel, 2016).

    It is within 0.021 of it. NaN stays, and comes of -inf.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.quick_gelu(sm.array([-1.0, 0.0, 3.0]))
        Array([-0.15420423,  0.        ,  2.9819288 ], dtype=float32, device='cpu')
    """
    return x / (1 + apply("exp", x * -1.702))


# --- Along an axis -------------------------------------------------------------------------------


def softmin(x: Any, /, axis: Axes = -1) -> Any:
    """``softmax(-x)``: see :func:`softmax` for the arguments and errors.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.softmin(sm.array([0.0, 0.0, 1000.0]))
        Array([0.5, 0.5, 0. ], dtype=float32, device='cpu')
    """
    check_floats("softmin", x)
    return softmax(-x, axis)


def glu(x: Any, /, *, axis: int = -1) -> Any:
    """``a * sigmoid(b)`` of the two halves of an axis (Y. N. Dauphin and others, 2016).

    Args:
        x: ``(..., 2 * n, ...)``, of floats.
        axis: Which one is halved.

    Returns:
        ``(..., n, ...)``.

    Raises:
        UserInputError: ``x`` has no floats, or the extent is odd.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.glu(sm.array([1.0, 2.0, 0.0, 100.0]))
        Array([0.5, 2. ], dtype=float32, device='cpu')
    """
    a, b = _halves("glu", x, axis)
    return _gated(a, b)


@of_floats_alone
def _gated(a: Any, b: Any) -> Any:
    return a * sigmoid(b)


def swiglu(gate: Any, x: Any = None, /, *, axis: int = -1) -> Any:
    """``silu(gate) * x`` (N. Shazeer, "GLU variants improve transformer", 2020).

    Args:
        gate: ``(..., n, ...)``, of floats; where it is given alone ``(..., 2 * n, ...)``, and the
            second half of the axis is ``x``.
        x: Floats of the shape of the gate, or None.
        axis: Which one is halved.

    Returns:
        ``(..., n, ...)``.

    Raises:
        UserInputError: An operand has no floats, or an extent that is to be halved is odd.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.swiglu(sm.array([0.0, 100.0]), sm.array([5.0, 2.0]))
        Array([  0., 200.], dtype=float32, device='cpu')
    """
    if x is None:
        gate, x = _halves("swiglu", gate, axis)
    return _silu_gated(gate, x)


@of_floats_alone
def _silu_gated(gate: Any, x: Any) -> Any:
    return silu(gate) * x


def _halves(name: str, x: Any, axis: int) -> tuple[Any, Any]:
    check_floats(name, x)
    (place,) = axes_of(axis, x.ndim)
    half, odd = divmod(x.shape[place], 2)
    if odd:
        raise UserInputError(
            f"{name} expected an even extent of axis {axis}, which it halves, got shape {x.shape}"
        )
    front = (slice(None),) * place
    return x[(*front, slice(half))], x[(*front, slice(half, None))]

"""The functions of neural networks' layers: ``sm.nn``.

They are functions of arrays, without state: weights are arguments. What is elementwise is lazy and
fuses with what is around it, as everywhere; where a kernel computes more, what comes before is
computed as it loads, and what comes after as it stores. The kernels are in ``nn/kernels/``.
"""

from speedmetal.arrays.along_axes.softmaxes import log_softmax, softmax
from speedmetal.arrays.elementwise.activations import gelu, relu, sigmoid, silu, softplus

__all__ = ["gelu", "log_softmax", "relu", "sigmoid", "silu", "softmax", "softplus"]

"""What a method or an attribute that arrays do not have is called here."""

from __future__ import annotations

import speedmetal

_ADVICE = {
    "__cuda_array_interface__": "it is there of arrays on NVIDIA GPUs whose dtype is not bfloat16,"
    " of which DLPack tells",
    "add_": "write x += y",
    "backward": "there is no automatic differentiation",
    "byteswap": "use x.numpy().byteswap()",
    "clone": "use x.copy()",
    "contiguous": "use x.copy()",
    "copy_": "write x[...] = y",
    "cpu": 'use x.to("cpu")',
    "cuda": 'use x.to("cuda")',
    "detach": "leave it out: there is no automatic differentiation",
    "dim": "use x.ndim",
    "double": "use x.astype(sm.float64)",
    "fill": "write x[...] = value",
    "fill_": "write x[...] = value",
    "flags": "use x.strides and x.is_readonly",
    "float": "use x.astype(sm.float32)",
    "grad": "there is no automatic differentiation",
    "half": "use x.astype(sm.float16)",
    "int": "use x.astype(sm.int32)",
    "long": "use x.astype(sm.int64)",
    "mul_": "write x *= y",
    "numel": "use x.size",
    "permute": "use x.transpose(1, 0)",
    "ptp": "use x.max() - x.min()",
    "requires_grad": "there is no automatic differentiation",
    "resize": "use sm.reshape(x, shape), or sm.pad",
    "sub_": "write x -= y",
    "t": "use x.T",
    "tobytes": "use x.numpy().tobytes()",
    "type": "use x.dtype, or x.astype(dtype)",
    "unsqueeze": "use sm.expand_dims(x, axis)",
    "zero_": "write x[...] = 0",
}
"""What NumPy, PyTorch and MLX name otherwise."""


def advice_on(name: str) -> str:
    """What to do in the place of ``x.name``, behind a semicolon; "" where nothing is known."""
    advice = _ADVICE.get(name)
    if advice is None and not name.startswith("_") and name in dir(speedmetal):
        advice = f"use sm.{name}(x)"
    return f"; {advice}" if advice else ""

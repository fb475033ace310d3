"""A kernel of Triton, which wants a file: for the measurement of first calls."""

# ruff: noqa: N803 - constants of a Triton kernel
# mypy: ignore-errors

import triton
import triton.language as tl


@triton.jit
def scaled(a, b, c, n, NUMBER: tl.constexpr, BLOCK: tl.constexpr):  # noqa: ANN001, ANN201
    """``c = NUMBER * a * a + exp(sin(b))``."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x, y = tl.load(a + i, mask=i < n), tl.load(b + i, mask=i < n)
    tl.store(c + i, NUMBER * x * x + tl.exp(tl.sin(y)), mask=i < n)

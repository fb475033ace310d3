"""Streams of CUDA as users give them: numbers, and objects of other libraries."""

from __future__ import annotations

from typing import Any

from speedmetal.errors import UserInputError
from speedmetal.frontend.signature import with_article


def number_of_stream(stream: Any) -> int:
    """The ``CUstream`` that is meant.

    >>> from types import SimpleNamespace
    >>> number_of_stream(SimpleNamespace(ptr=7)), number_of_stream(1)
    (7, 1)
    >>> number_of_stream("default")
    Traceback (most recent call last):
        ...
    speedmetal.errors.UserInputError: expected a stream of CUDA, got a str; pass its number, \
torch.cuda.current_stream(), cupy.cuda.get_current_stream(), or an object with __cuda_stream__
    """
    found = stream
    protocol = getattr(stream, "__cuda_stream__", None)
    if protocol is not None:
        _version, found = protocol() if callable(protocol) else protocol
    else:
        for name in ("cuda_stream", "ptr"):
            found = getattr(stream, name, found)
    if type(found) is not int or found < 0:
        raise UserInputError(
            f"expected a stream of CUDA, got {with_article(type(stream).__name__)}; pass its"
            " number, torch.cuda.current_stream(), cupy.cuda.get_current_stream(), or an object"
            " with __cuda_stream__"
        )
    return found


def device_of_stream(stream: Any) -> str:
    """The name of the GPU that a stream says it is of; else that of the first."""
    place = getattr(stream, "device", None)  # PyTorch's
    number = getattr(place, "index", None)
    if type(number) is not int:
        number = getattr(stream, "device_id", 0)  # CuPy's, -1 where it does not say
    return f"cuda:{number}" if type(number) is int and number > 0 else "cuda"

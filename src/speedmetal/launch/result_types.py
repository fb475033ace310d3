"""The dtypes of elementwise operations, kept on disk: to find one, the front end is imported.

A program whose kernels all come from disk needs nothing else of it.
"""

from __future__ import annotations

from functools import lru_cache

from speedmetal.compiler.fingerprint import package_identity
from speedmetal.dtypes import DType, find_dtype
from speedmetal.errors import UnknownNameError
from speedmetal.system.disk_cache import default_cache


@lru_cache(maxsize=4096)
def result_type(operation: str, operand_types: tuple[DType, ...]) -> DType:
    """What :func:`speedmetal.frontend.result_types.result_type` finds.

    Raises:
        UserInputError: The operation does not take operands of these types.
    """
    names = " ".join(dtype.name for dtype in operand_types)
    key = f"result type {package_identity()} {operation} {names}"
    try:
        return find_dtype((default_cache().get(key) or b"").decode())
    except (UnknownNameError, UnicodeDecodeError):  # there is none, or it is damaged
        from speedmetal.frontend import result_types

        found = result_types.result_type(operation, operand_types)
        default_cache().put(key, found.name.encode())
        return found

"""All right Metal kernels: importing a topic adds its cases."""

from __future__ import annotations

import right_atomics  # noqa: F401
import right_elements  # noqa: F401
import right_generated  # noqa: F401
import right_lanes  # noqa: F401
import right_language  # noqa: F401
import right_matrices  # noqa: F401
import right_tiles  # noqa: F401
import right_values  # noqa: F401
from right_case import CASES, HEADER, Case, mismatch

__all__ = ["CASES", "HEADER", "Case", "mismatch"]

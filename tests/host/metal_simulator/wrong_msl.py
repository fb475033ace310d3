"""All wrong Metal kernels: importing a topic adds its faults."""

from __future__ import annotations

import wrong_atomics  # noqa: F401
import wrong_kernels  # noqa: F401
import wrong_language  # noqa: F401
import wrong_runs  # noqa: F401
import wrong_spaces  # noqa: F401
import wrong_types  # noqa: F401
from wrong_fault import FAULTS, HEADER, Fault, Launch

__all__ = ["FAULTS", "HEADER", "Fault", "Launch"]

"""Who waits to read memory: what is not computed yet, and must be before that is written to."""

from __future__ import annotations

import weakref
from typing import Any

# One list for all memory: to be noted costs a lazy array one step, whatever it reads. Who writes
# walks over it, see `arrays.pending`.
WAITING: list[weakref.ref[Any]] = []
"""Weak references to lazy arrays; some may be gone or computed. It is never replaced."""

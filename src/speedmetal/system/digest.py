"""BLAKE2b without :mod:`hashlib`, which loads OpenSSL: 3 ms of a first launch.

Where Python has it from elsewhere than CPython's own module, it is hashlib's.
"""

from __future__ import annotations

try:
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

__all__ = ["blake2b"]

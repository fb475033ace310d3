"""Compiled kernels as bytes that are kept on disk: the envelope around what a target keeps.

A line with the target and the number of the form, a line with the digest of the rest, a line of
JSON, then bytes. The cache on disk sees damage of its files; this sees what is whole, and not ours:
of another target, of another form, cut by whoever carried it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from speedmetal.common.records import record
from speedmetal.errors import InternalError
from speedmetal.system.digest import blake2b

_Code = TypeVar("_Code")


@record
class Envelope:
    """The form in which one target's kernels are kept.

    Args:
        target: ``"cuda"``.
        form: Changes with what ``head`` and ``body`` are.

    Example:
        >>> envelope = Envelope("cuda", 1)
        >>> envelope.opened(envelope.sealed({"entry": "k"}, b"code"), lambda head, body: body)
        b'code'
    """

    target: str
    form: int

    def sealed(self, head: dict[str, Any], body: bytes = b"") -> bytes:
        """The bytes of a kernel; the inverse of :meth:`opened`.

        Args:
            head: What JSON can say; tuples come back as lists.
            body: Anything.
        """
        content = json.dumps(head, separators=(",", ":")).encode() + b"\n" + body
        return self._magic() + _digest(content) + b"\n" + content

    def opened(self, data: bytes, made: Callable[[dict[str, Any], bytes], _Code]) -> _Code:
        """What was sealed.

        Args:
            data: From :meth:`sealed`.
            made: Makes the kernel of the head and the body.

        Raises:
            InternalError: The bytes are damaged, of another target or form, or hold something else
                than ``made`` takes.
        """
        magic = self._magic()
        digest, _, content = data.removeprefix(magic).partition(b"\n")
        if not data.startswith(magic) or digest != _digest(content):
            raise InternalError(f"{self._what()} is damaged, or of another version")
        text, _, body = content.partition(b"\n")
        try:
            return made(json.loads(text), body)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InternalError(f"{self._what()} is damaged: {error}") from error

    def _magic(self) -> bytes:
        return f"speedmetal {self.target} {self.form}\n".encode()

    def _what(self) -> str:
        return f"{self.target} load: the code of the kernel"


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).hexdigest().encode()

"""What a device becomes in a forked child."""

from __future__ import annotations

from typing import NoReturn

from speedmetal.errors import DeviceError


class ForkedLock:
    """Takes the place of a lock in a forked child, so that every use ends in a clear error."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> NoReturn:
        raise DeviceError(
            f"{self._name} cannot be used in a process that was forked after it was first used;"
            " start processes with multiprocessing.get_context('spawn')"
        )

    def __exit__(self, *_: object) -> None:
        """Never entered."""

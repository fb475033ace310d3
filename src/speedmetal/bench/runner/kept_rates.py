"""Rates of this machine that are kept for a day: they are the machine's, not a run's."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import sys
import time
import warnings
from dataclasses import dataclass, field

import msgspec

from speedmetal import __version__
from speedmetal.bench.record import Contender, EnvironmentRecord
from speedmetal.bench.runner.protocol import CeilingsMeasured
from speedmetal.errors import CacheError
from speedmetal.system.disk_cache import CacheWarning, DiskCache, default_cache

KEPT_SECONDS = 24 * 3600.0


class Rates(msgspec.Struct, frozen=True):
    """What one contender was measured to reach, and when.

    ``dtypes`` are those that were asked for: a framework need not have all of them.
    """

    measured_at: float  # seconds since 1970
    answer: CeilingsMeasured
    dtypes: list[str]

    @property
    def is_recent(self) -> bool:
        """Whether they were measured in the last day; a clock that was set back counts as not."""
        return 0 <= time.time() - self.measured_at < KEPT_SECONDS

    def joined(self, answer: CeilingsMeasured, dtypes: list[str]) -> Rates:
        """These and what was measured after them."""
        return Rates(
            self.measured_at,
            CeilingsMeasured(
                [*self.answer.copy, *answer.copy],
                [*self.answer.read, *answer.read],
                self.answer.flops_per_second | answer.flops_per_second,
                min(self.answer.call_floor_seconds, answer.call_floor_seconds),
            ),
            [*self.dtypes, *dtypes],
        )

    @classmethod
    def none_yet(cls) -> Rates:
        """Nothing measured, from now on."""
        return cls(time.time(), CeilingsMeasured([], [], {}, float("inf")), [])


@dataclass
class KeptRates:
    """Rates by key, in the user's cache folder.

    Where there is no such folder, or none that can be trusted, nothing is kept.

    Args:
        fresh: Whether what is there is not to be used, only replaced.
        disk: Where they are kept.
    """

    fresh: bool = False
    disk: DiskCache = field(default_factory=default_cache)

    def find(self, key: str) -> Rates | None:
        """The rates of a key, where they are of the last day."""
        if self.fresh:
            return None
        with contextlib.suppress(CacheError, msgspec.DecodeError):
            found = self.disk.get(key)
            if found is not None:
                rates = msgspec.msgpack.decode(found, type=Rates)
                return rates if rates.is_recent else None
        return None

    def keep(self, key: str, rates: Rates) -> None:
        """Keep rates for other runs."""
        with warnings.catch_warnings(), contextlib.suppress(CacheError):
            warnings.simplefilter("ignore", CacheWarning)  # it speaks of kernels
            self.disk.put(key, msgspec.msgpack.encode(rates))

    def forget(self, key: str) -> None:
        """Let the next run measure anew."""
        self.keep(key, Rates(0.0, CeilingsMeasured([], [], {}, 0.0), []))


def key_of(environment: EnvironmentRecord, contender: Contender | None, seconds: float) -> str:
    """What rates depend on: the machine, all software, and every setting of their contender.

    Args:
        environment: Of the run.
        contender: Who reaches them; None for plain copies.
        seconds: Spent on each rate.
    """
    mine = "" if contender is None else f"{contender.key} "
    settings = {
        name: value
        for name, value in environment.settings.items()
        if " " not in name or (mine and name.startswith(mine))
    }
    facts = msgspec.structs.asdict(environment) | {"settings": settings, "devices": {}}
    identity = [facts, contender, seconds, __version__, sys.prefix, platform.node()]
    digest = hashlib.sha256(msgspec.json.encode(identity, order="sorted")).hexdigest()
    return f"ceilings {digest}"

"""Results as a call returns them: their form, and the few values by which they are known again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from speedmetal.bench.frameworks.base import Tensor
from speedmetal.bench.operations.base import Array

PROBES = 64  # elements of a result that are compared with the proved ones
# What no framework calls a tensor; a call may return a tensor or a tuple of them.
NO_TENSORS = (type(None), list, dict, set, str, bytes, bool)


def as_outputs(result: Any) -> Sequence[Tensor]:
    """The outputs of a call that returned this."""
    return result if isinstance(result, tuple) else (result,)


def form_failure(outputs: Sequence[Tensor], expected: int) -> str:
    """Why these cannot be the outputs of a case that has so many; "" where they can."""
    strange = [(i, output) for i, output in enumerate(outputs) if isinstance(output, NO_TENSORS)]
    if strange and len(outputs) == 1:
        return f"the result is {_name(outputs[0])}, expected {_tensors(expected)}"
    if len(outputs) != expected:
        return f"{len(outputs)} outputs, expected {expected}"
    return "; ".join(f"output {i} is {_name(output)}, expected a tensor" for i, output in strange)


def _name(value: object) -> str:
    if value is None:
        return "None"
    size = f" of {len(value)}" if isinstance(value, list | dict | set) else ""
    return f"a {type(value).__name__}{size}"


def _tensors(count: int) -> str:
    return "a tensor" if count == 1 else f"a tuple of {count} tensors"


@dataclass
class ProvedOutputs:
    """A few elements of a proved result, by which later results are recognised."""

    shapes: list[tuple[int, ...]]
    positions: list[tuple[Array, ...]]
    values: list[Array]

    @classmethod
    def of(cls, hosts: Sequence[Array]) -> ProvedOutputs:
        """Of outputs on the host."""
        generator = np.random.default_rng(0)
        positions = [_probe_positions(generator, host) for host in hosts]
        shapes = [host.shape for host in hosts]
        return cls(
            shapes, positions, [np.array(h[p]) for h, p in zip(hosts, positions, strict=True)]
        )

    def matches(self, hosts: Sequence[Array], tolerance: float = 0.0) -> bool:
        """Whether these outputs have the remembered values, within a relative tolerance."""
        return [host.shape for host in hosts] == self.shapes and all(
            _is_close(np.asarray(host[position]), value, tolerance)
            for host, position, value in zip(hosts, self.positions, self.values, strict=True)
        )


def _is_close(values: Array, remembered: Array, tolerance: float) -> bool:
    kind = np.complex128 if remembered.dtype.kind == "c" else np.float64
    new, old = values.astype(kind), remembered.astype(kind)
    scale = np.maximum(np.abs(old), np.sqrt(np.nanmean(np.square(np.abs(old)))))
    with np.errstate(invalid="ignore"):
        close = np.abs(new - old) <= tolerance * scale
    return bool(np.all(close | (new == old) | (np.isnan(new) & np.isnan(old))))


def _probe_positions(generator: np.random.Generator, host: Array) -> tuple[Array, ...]:
    """Random elements; of a result that is zero nearly everywhere, some that are not."""
    positions = tuple(generator.integers(0, max(n, 1), PROBES) for n in host.shape)
    if not host.shape or np.any(host[positions]):
        return positions
    nonzero = np.flatnonzero(host)
    if nonzero.size == 0:
        return positions
    return np.unravel_index(generator.choice(nonzero, PROBES), host.shape)
